//! `reply 2 yes`: answer a message.

use chinwag_core::prelude::*;

/// Answers a message.
pub struct Reply;

args! {
    pub struct Args {
        /// which message
        message: MessageRef,
        /// what to say
        text: Text,
    }
}

impl Command for Reply {
    const SPEC: Spec = Spec {
        name: "reply",
        summary: "Answer a message, where it was said: 1 is the last you saw, 2 the one before.",
        examples: "
            in den: alice, bob
            alice> /reply 1 yes
            alice | error[no-such-message]: nothing has been said here; `history` shows what there is; 1 is the last
            alice> /reply yes
            alice | error[usage]: `yes` is no message: 1 is the last, 2 the one before, #812 the one with this number; usage: reply <message> <text...>
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { message, text }: Args) -> Outcome {
        ctx.amend(message.of_all(), Deed::Reply, text.0).await
    }
}
