//! `delete`, `delete 2`: take back what one said.

use chinwag_core::prelude::*;

/// Takes back what one said.
pub struct Delete;

args! {
    pub struct Args {
        /// which of your messages; the last if not given
        message: Option<MessageRef>,
    }
}

impl Command for Delete {
    const SPEC: Spec = Spec {
        name: "delete",
        summary: "Take back what you said: its text is deleted for everyone.",
        examples: "
            alice> delete
            alice | error[no-such-message]: you have said nothing here; `history` shows what there is; 1 is the last
            alice> delete #812
            alice | error[no-such-message]: there is no message #812 for you; `history` shows what there is; 1 is the last
            alice> delete it
            alice | error[usage]: `it` is no message: 1 is the last, 2 the one before, #812 the one with this number; usage: delete [message]
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { message }: Args) -> Outcome {
        let message = message.unwrap_or(MessageRef::Back(1));
        ctx.amend(message.of_mine(), Deed::Delete, String::new()).await
    }
}
