//! `access invited`, `access password hunter2`: who may come into the room.

use chinwag_core::prelude::*;
use std::borrow::Cow;

/// Says who may come in.
pub struct Access;

args! {
    pub struct Args {
        /// who may come in
        who: Choice<Who>,
        /// the password
        password: Option<Secret>,
    }
}

/// Who may come in.
pub struct Who;

impl Words for Who {
    const LABEL: &'static str = "one of public, invited and password";
    const WORDS: &'static [Cow<'static, str>] = &[Cow::Borrowed("public"), Cow::Borrowed("invited"), Cow::Borrowed("password")];
}

impl Command for Access {
    const SPEC: Spec = Spec {
        name: "access",
        summary: "Say who may come into your room: everyone, the invited, or who knows a password.",
        examples: "
            in den: alice, bob
            alice> /access invited
            alice, bob | * [den] alice opened the room to those who are invited
            alice | ok
            bob> /access public
            bob | error[not-permitted]: only owners of `den` may do this; `members` lists them
            alice> /access password
            alice | error[usage]: the password is missing; access password WORD
            alice> /access everyone
            alice | error[usage]: `everyone` is not one of public, invited and password; there are public, invited, password
            alice> /access password s3cret
            alice, bob | * [den] alice opened the room to those who know the password
            alice | ok
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { who, password }: Args) -> Outcome {
        let room = ctx.view(|view| view.my_room().map(|(id, ..)| id))?;
        let (access, password) = match (who.word, password) {
            ("password", Some(password)) => (RoomAccess::Password, Some(ctx.hash_room_password(&password.0).await?)),
            ("password", None) => return Err(Refusal::new(code::USAGE, "the password is missing").hint("access password WORD")),
            ("invited", _) => (RoomAccess::Invited, None),
            _ => (RoomAccess::Public, None),
        };
        ctx.submit(Act::ChangeRoom { room, change: RoomChange::Access(access, password) }).map(drop)
    }
}
