//! `leave`, `leave den`: go out of a room.

use chinwag_core::prelude::*;

/// Goes out of a room.
pub struct Leave;

args! {
    pub struct Args {
        /// which room; yours if not given
        room: Option<RoomName>,
    }
}

impl Command for Leave {
    const SPEC: Spec = Spec {
        name: "leave",
        summary: "Go out of the room you are in; in one that is kept you stay a member.",
        examples: "
            in den: bob, alice
            alice> /leave
            bob | * [den] alice left
            alice | * you have left den

            in den: bob, alice
            alice> /leave den
            bob | * [den] alice left
            alice | * you have left den

            in den: bob
            alice> leave den
            alice | error[not-in-room]: you are not in `den`; join den first
            alice> leave
            alice | error[no-room]: you are in no room; join ROOM, or create ROOM; `rooms` lists those there are
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { room }: Args) -> Outcome {
        let (room, name) = match room {
            Some(RoomName { id, name }) => (id, name),
            None => ctx.view(|view| view.my_room().map(|(id, room, _)| (id, room.row.name.clone())))?,
        };
        ctx.leave_room(room, name, false)
    }
}
