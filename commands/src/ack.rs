//! `ack 1042`: you have seen everything up to number 1042.

use chinwag_core::prelude::*;

/// Moves the cursor that the server keeps for a user.
pub struct Ack;

args! {
    pub struct Args {
        /// the number of the last message you have seen
        seq: Number,
    }
}

impl Command for Ack {
    const SPEC: Spec = Spec {
        name: "ack",
        summary: "Say that you have seen everything up to a number; programs do it by themselves.",
        examples: "
            alice> ack 6
            alice | ok

            alice> ack 99
            alice | error[usage]: nothing has the number 99 yet; acknowledge the `seq` of what you have seen
            alice> ack all
            alice | error[usage]: `all` is not a whole number; usage: ack <seq>
            someone> ack 6
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 0,
        activity: false,
        by_hand: false,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { seq }: Args) -> Outcome {
        ctx.submit(Act::Acknowledge { seq: seq.0 }).map(drop)
    }
}
