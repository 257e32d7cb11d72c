//! `since 1042`: whoever logs in next on this connection starts after number 1042.

use chinwag_core::prelude::*;

/// Says where the next login on this connection starts.
pub struct Since;

args! {
    pub struct Args {
        /// the last number you have seen
        seq: Number,
    }
}

impl Command for Since {
    const SPEC: Spec = Spec {
        name: "since",
        summary: "Before login: get what came after this number, instead of what is new to you.",
        needs: &[Need::LoggedOut],
        examples: "
            someone> since 6
            someone | ok

            someone> since yesterday
            someone | error[usage]: `yesterday` is not a whole number; usage: since <seq>
            alice> since 6
            alice | error[already-logged-in]: you are logged in already; logout first
        ",
        cost: 0,
        by_hand: false,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { seq }: Args) -> Outcome {
        ctx.start_after(seq.0);
        Ok(())
    }
}
