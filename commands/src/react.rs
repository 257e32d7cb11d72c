//! `react 1 +1`: react to a message.

use chinwag_core::prelude::*;

/// Reacts to a message.
pub struct React;

args! {
    pub struct Args {
        /// which message
        message: MessageRef,
        /// an emoji, or a short word
        reaction: Word,
    }
}

impl Command for React {
    const SPEC: Spec = Spec {
        name: "react",
        summary: "React to a message with an emoji or a word; a second reaction replaces the first.",
        examples: "
            in den: alice, bob
            alice> /react 1 +1
            alice | error[no-such-message]: nothing has been said here; `history` shows what there is; 1 is the last
            alice> /react 1
            alice | error[usage]: `reaction` is missing: a word; usage: react <message> <reaction>
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { message, reaction }: Args) -> Outcome {
        ctx.amend(message.of_all(), Deed::React, reaction.0).await
    }
}
