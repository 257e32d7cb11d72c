//! `close`: end the room.

use chinwag_core::prelude::*;

/// Ends the room.
pub struct Close;

args! {
    pub struct Args {
        /// why
        reason: Option<Text>,
    }
}

impl Command for Close {
    const SPEC: Spec = Spec {
        name: "close",
        summary: "End your room: everyone has to leave it, and it is no more.",
        examples: "
            in den: alice, bob
            alice> /close we have moved
            alice, bob | * [den] the room was ended by alice: we have moved
            alice | ok

            in den: alice, bob
            bob> /close
            bob | error[not-permitted]: only owners of `den` may do this; `members` lists them
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { reason }: Args) -> Outcome {
        let room = ctx.view(|view| view.my_room().map(|(id, ..)| id))?;
        ctx.submit(Act::ChangeRoom { room, change: RoomChange::End { reason: reason.map(|reason| reason.0) } }).map(drop)
    }
}
