//! `resign`, `resign den`: belong to a room no more.

use chinwag_core::prelude::*;

/// Ends a membership.
pub struct Resign;

args! {
    pub struct Args {
        /// which room; yours if not given
        room: Option<RoomName>,
    }
}

impl Command for Resign {
    const SPEC: Spec = Spec {
        name: "resign",
        summary: "Belong to a room no more, also to one that is kept.",
        examples: "
            in den: bob, alice
            alice> /resign
            bob | * [den] alice left
            alice | * you have left den

            in den: bob
            alice> resign den
            alice | error[not-in-room]: you are not in `den`; join den first
            alice> resign dne
            alice | error[no-such-room]: there is no room `dne`; did you mean `den`?
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { room }: Args) -> Outcome {
        let (room, name) = match room {
            Some(RoomName { id, name }) => (id, name),
            None => ctx.view(|view| view.my_room().map(|(id, room, _)| (id, room.row.name.clone())))?,
        };
        ctx.leave_room(room, name, true)
    }
}
