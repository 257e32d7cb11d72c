//! `describe where we plan the move`, `describe -`: what the room is for.

use chinwag_core::prelude::*;

/// Says what the room is for.
pub struct Describe;

args! {
    pub struct Args {
        /// what it is for; `-` for nothing any more
        text: Text,
    }
}

impl Command for Describe {
    const SPEC: Spec = Spec {
        name: "describe",
        summary: "Say what your room is for; - takes it away.",
        examples: "
            in den: alice, bob
            alice> /describe where we plan the move
            alice, bob | * [den] alice described the room: where we plan the move
            alice | ok
            bob> /describe a mess
            bob | error[not-permitted]: only owners of `den` may do this; `members` lists them

            alice> describe it
            alice | error[no-room]: you are in no room; join ROOM, or create ROOM; `rooms` lists those there are
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { text }: Args) -> Outcome {
        let room = ctx.view(|view| view.my_room().map(|(id, ..)| id))?;
        ctx.submit(Act::ChangeRoom { room, change: RoomChange::Description((text.0 != "-").then_some(text.0)) }).map(drop)
    }
}
