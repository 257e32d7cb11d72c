//! `archive on`, `archive off`: whether the room can only be read.

use chinwag_core::prelude::*;

use crate::switch::OnOff;

/// Has the room be read only, or not.
pub struct Archive;

args! {
    pub struct Args {
        /// whether it can only be read
        state: Choice<OnOff>,
    }
}

impl Command for Archive {
    const SPEC: Spec = Spec {
        name: "archive",
        summary: "Have your room be one that can only be read, or not.",
        examples: "
            in den: alice, bob
            alice> /archive on
            alice, bob | * [den] alice archived the room: it can be read, nothing can be said
            alice | ok
            alice> /archive off
            alice, bob | * [den] alice opened the room again: something can be said
            alice | ok
            bob> /archive on
            bob | error[not-permitted]: only owners of `den` may do this; `members` lists them
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { state }: Args) -> Outcome {
        let room = ctx.view(|view| view.my_room().map(|(id, ..)| id))?;
        ctx.submit(Act::ChangeRoom { room, change: RoomChange::Archived(state.word == "on") }).map(drop)
    }
}
