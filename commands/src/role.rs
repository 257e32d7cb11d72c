//! `role bob moderator`: what somebody may do in the room.

use chinwag_core::prelude::*;
use std::borrow::Cow;

/// Gives somebody a role.
pub struct Role;

args! {
    pub struct Args {
        /// who
        nick: Member,
        /// what they may do
        role: Choice<Roles>,
    }
}

/// The roles there are.
pub struct Roles;

impl Words for Roles {
    const LABEL: &'static str = "one of member, moderator and owner";
    const WORDS: &'static [Cow<'static, str>] = &[Cow::Borrowed("member"), Cow::Borrowed("moderator"), Cow::Borrowed("owner")];
}

impl Command for Role {
    const SPEC: Spec = Spec {
        name: "role",
        summary: "Say what somebody may do in your room: a moderator keeps order, an owner may do everything.",
        examples: "
            in den: alice, bob, carol
            alice> /role bob moderator
            alice, bob, carol | * [den] alice made bob moderator
            alice | ok
            bob> /role carol moderator
            bob | error[not-permitted]: only owners of `den` may do this; `members` lists them
            alice> /role alice member
            alice | error[last-owner]: you are the only owner of this room; transfer NICK first, or end the room: close
            alice> /role dave owner
            alice | error[not-in-room]: nobody in `den` is called `dave`; `members` lists who is
            alice> /role bob king
            alice | error[usage]: `king` is not one of member, moderator and owner; there are member, moderator, owner
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { nick, role }: Args) -> Outcome {
        let role = match role.word {
            "owner" => RoomRole::Owner,
            "moderator" => RoomRole::Moderator,
            _ => RoomRole::Member,
        };
        ctx.submit(Act::ChangeRoom { room: nick.room, change: RoomChange::Role { who: nick.id, role } }).map(drop)
    }
}
