//! `say hello`, or in a room just `hello`: say something to all in it.

use chinwag_core::prelude::*;

/// Says something to the room.
pub struct Say;

args! {
    pub struct Args {
        /// what to say
        text: Text,
    }
}

impl Command for Say {
    const SPEC: Spec = Spec {
        name: "say",
        summary: "Say something to all in your room; the same as a line without a slash.",
        examples: "
            in den: bob, alice, carol
            alice> hello
            bob, carol | [den] alice: hello
            alice | sent
            alice> //x is how to write /x
            bob, carol | [den] alice: /x is how to write /x
            alice | sent
            alice> /say hello
            bob, carol | [den] alice: hello
            alice | sent

            in den: erin, alice, bob
            alice> hello
            bob | [den] alice: hello
            alice | sent; some people could not be reached

            alice> say hello
            alice | error[no-room]: you are in no room; join ROOM, or create ROOM; `rooms` lists those there are
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { text }: Args) -> Outcome {
        let (room, name) = ctx.view(|view| view.my_room().map(|(id, room, _)| (id, room.row.name.clone())))?;
        ctx.say(Recipient::Room(room), Addressee::Room(name), text.0)
    }
}
