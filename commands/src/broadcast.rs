//! `broadcast tea is ready`, or `@all tea is ready`: say something to everyone.

use chinwag_core::prelude::*;

/// Says something to everyone.
pub struct Broadcast;

args! {
    pub struct Args {
        /// what to say
        text: Text,
    }
}

impl Command for Broadcast {
    const SPEC: Spec = Spec {
        name: "broadcast",
        summary: "Say something to everyone but those who block you or whom you block.",
        examples: "
            bob> broadcast tea is ready
            alice, carol, erin | bob to all: tea is ready
            bob | sent

            alice> @all tea is ready
            bob, carol | alice to all: tea is ready
            alice | sent; some people could not be reached

            alice> broadcast
            alice | error[usage]: `text` is missing: some text; usage: broadcast <text...>
            someone> broadcast tea is ready
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 5,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { text }: Args) -> Outcome {
        ctx.say(Recipient::Everyone, Addressee::Everyone, text.0)
    }
}
