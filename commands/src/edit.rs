//! `edit 1 see you at five`: say something else instead of what one said.

use chinwag_core::prelude::*;

/// Changes what one said.
pub struct Edit;

args! {
    pub struct Args {
        /// which of your messages
        message: MessageRef,
        /// what it is to say
        text: Text,
    }
}

impl Command for Edit {
    const SPEC: Spec = Spec {
        name: "edit",
        summary: "Change what you said: 1 is the last you said, 2 the one before.",
        examples: "
            in den: alice, bob
            alice> /edit 1 hello
            alice | error[no-such-message]: you have said nothing here; `history` shows what there is; 1 is the last
            alice> /edit 0 hello
            alice | error[usage]: `0` is no message: 1 is the last, 2 the one before, #812 the one with this number; usage: edit <message> <text...>
            alice> /edit 1
            alice | error[usage]: `text` is missing: some text; usage: edit <message> <text...>
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { message, text }: Args) -> Outcome {
        ctx.amend(message.of_mine(), Deed::Edit, text.0).await
    }
}
