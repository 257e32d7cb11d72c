//! `leave`: go out of the room.

use chinwag_core::prelude::*;

/// Goes out of the room.
pub struct Leave;

impl Command for Leave {
    const SPEC: Spec = Spec {
        name: "leave",
        summary: "Go out of the room you are in; in one that is kept you stay a member.",
        examples: "
            in den: bob, alice
            alice> /leave
            bob | * [den] alice left
            alice | * you have left den

            alice> leave
            alice | error[no-room]: you are in no room; join ROOM, or create ROOM; `rooms` lists those there are
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        let (room, name) = ctx.view(|view| view.my_room().map(|(id, room, _)| (id, room.row.name.clone())))?;
        ctx.submit(Act::LeaveRoom { room })?;
        ctx.reply(Event::Left { room: name });
        Ok(())
    }
}
