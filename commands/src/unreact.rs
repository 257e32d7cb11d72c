//! `unreact 1`: take back a reaction.

use chinwag_core::prelude::*;

/// Takes back a reaction.
pub struct Unreact;

args! {
    pub struct Args {
        /// which message
        message: MessageRef,
    }
}

impl Command for Unreact {
    const SPEC: Spec = Spec {
        name: "unreact",
        summary: "Take back your reaction to a message.",
        examples: "
            in den: alice, bob
            alice> /unreact 1
            alice | error[no-such-message]: nothing has been said here; `history` shows what there is; 1 is the last
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { message }: Args) -> Outcome {
        ctx.amend(message.of_all(), Deed::Unreact, String::new()).await
    }
}
