//! `kill den`: end a room, as an operator.

use chinwag_core::prelude::*;

/// Ends a room.
pub struct Kill;

args! {
    pub struct Args {
        /// which room
        room: RoomName,
        /// why
        reason: Option<Text>,
    }
}

impl Command for Kill {
    const SPEC: Spec = Spec {
        name: "kill",
        summary: "End a room: everyone in it is told and is in no room any more.",
        needs: &[Need::Operator],
        examples: "
            in den: alice, bob
            console> kill den
            alice | * [den] the room was ended by an operator
            bob | * [den] the room was ended by an operator
            console | * den is ended

            in den: alice, bob
            console> kill den it is late
            alice | * [den] the room was ended by an operator: it is late
            bob | * [den] the room was ended by an operator: it is late
            console | * den is ended
            console> kill dne
            console | error[no-such-room]: there is no room `dne`; `rooms` lists those there are; create dne makes it
            alice> /kill den
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask

            console> kill
            console | error[usage]: `room` is missing: a room; usage: kill <room> [reason...]
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { room, reason }: Args) -> Outcome {
        ctx.submit(Act::EndRoom { room: room.id, reason: reason.map(|reason| reason.0) })?;
        ctx.reply(Event::Fact(Fact::new("kill", format!("* {} is ended", room.name)).with("room", room.name)));
        Ok(())
    }
}
