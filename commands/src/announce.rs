//! `announce TEXT`: tell everyone something in the server's name.

use chinwag_core::prelude::*;

/// Tells everyone online something in the server's name.
pub struct Announce;

args! {
    pub struct Args {
        /// what to tell
        text: Text,
    }
}

impl Command for Announce {
    const SPEC: Spec = Spec {
        name: "announce",
        summary: "Tell everyone who is online something in the server's name; it is not kept.",
        needs: &[Need::Operator],
        examples: "
            carol> announce the server restarts in five minutes
            alice, bob, carol, erin | * announcement: the server restarts in five minutes
            carol | ok

            console> announce
            console | error[usage]: `text` is missing: some text; usage: announce <text...>
            alice> announce free cake
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> announce free cake
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { text }: Args) -> Outcome {
        ctx.submit(Act::Announce { text: text.0 }).map(drop)
    }
}
