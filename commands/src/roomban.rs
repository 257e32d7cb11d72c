//! `roomban bob 1h too loud`: keep somebody out of the room.

use chinwag_core::prelude::*;
use std::borrow::Cow;

/// Keeps somebody out of the room.
pub struct Roomban;

args! {
    pub struct Args {
        /// who has to stay out
        who: MemberOrUser,
        /// for how long
        term: Term,
        /// why
        reason: Option<Text>,
    }
}

/// Somebody in the room by what they are called there, or else any user by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberOrUser(pub UserId);

impl Arg for MemberOrUser {
    const KIND: Kind = Kind { label: Cow::Borrowed("somebody in your room, or any user"), complete: Complete::Members, ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        view.my_room()?;
        view.member(word).map(|member| member.user).or_else(|_| view.user(word).map(|(id, _)| id)).map(MemberOrUser)
    }
}

impl Command for Roomban {
    const SPEC: Spec = Spec {
        name: "roomban",
        summary: "Put somebody out of your room and keep them out.",
        examples: "
            in den: alice, bob, carol
            alice> /roomban bob 1h too loud
            alice, bob, carol | * [den] bob was banned by alice until 2026-01-01 01:00:00Z: too loud
            alice | ok
            alice> /roomban dave forever
            alice, carol | * [den] dave was banned by alice
            alice | ok
            carol> /roomban dave 1h
            carol | error[not-permitted]: only moderators of `den` may do this; `members` lists them
            alice> /roomban alice 1h
            alice | error[yourself]: you cannot do this to yourself; leave, if you want to go
            alice> /roomban carol soon
            alice | error[usage]: `soon` is neither a length of time such as `15m`, `1h` or `2d` nor `forever`; usage: roomban <who> <term> [reason...]
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { who, term, reason }: Args) -> Outcome {
        let room = ctx.view(|view| view.my_room().map(|(id, ..)| id))?;
        let until = term.0.map(|term| ctx.now().plus(term));
        let change = RoomChange::Ban { who: who.0, until, reason: reason.map(|reason| reason.0) };
        ctx.submit(Act::ChangeRoom { room, change }).map(drop)
    }
}
