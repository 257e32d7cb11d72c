//! `transfer bob`: hand the room over.

use chinwag_core::prelude::*;

/// Hands the room over.
pub struct Transfer;

args! {
    pub struct Args {
        /// who is to be the owner
        nick: Member,
    }
}

impl Command for Transfer {
    const SPEC: Spec = Spec {
        name: "transfer",
        summary: "Hand your room over: they are its owner, you are a moderator.",
        examples: "
            in den: alice, bob
            alice> /transfer bob
            alice, bob | * [den] alice made bob owner
            alice, bob | * [den] alice is moderator now
            alice | ok

            in den: alice, bob
            bob> /transfer bob
            bob | error[not-permitted]: only owners of `den` may do this; `members` lists them
            alice> /transfer alice
            alice | error[yourself]: the room is yours already; name somebody else
            alice> /transfer carol
            alice | error[not-in-room]: nobody in `den` is called `carol`; `members` lists who is
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { nick }: Args) -> Outcome {
        ctx.submit(Act::ChangeRoom { room: nick.room, change: RoomChange::Transfer { to: nick.id } }).map(drop)
    }
}
