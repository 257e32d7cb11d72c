//! `unroomban bob`: let somebody come in again.

use chinwag_core::prelude::*;

/// Lets somebody come in again.
pub struct Unroomban;

args! {
    pub struct Args {
        /// whom; `roombans` lists them
        name: Word,
    }
}

impl Command for Unroomban {
    const SPEC: Spec = Spec {
        name: "unroomban",
        summary: "Let somebody come into your room again.",
        examples: "
            in den: alice, bob
            alice> /unroomban dave
            alice | error[not-in-room]: `dave` is not banned here; `roombans` lists who is
            bob> /unroomban dave
            bob | error[not-permitted]: only moderators of `den` may do this; `members` lists them
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { name }: Args) -> Outcome {
        let room = ctx.view(|view| view.my_room().map(|(id, ..)| id))?;
        ctx.submit(Act::ChangeRoom { room, change: RoomChange::Unban { name: name.0 } }).map(drop)
    }
}
