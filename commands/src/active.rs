//! `active`: you are there, though the server hears nothing of what you do.

use chinwag_core::prelude::*;

/// Counts as activity, and does nothing else.
pub struct Active;

impl Command for Active {
    const SPEC: Spec = Spec {
        name: "active",
        summary: "Keep the idle timeout away while you are in a private chat; clients do it by themselves.",
        examples: "
            alice> active
            alice | ok

            someone> active
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 0,
        by_hand: false,
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, _: &mut Ctx, _: NoArgs) -> Outcome {
        Ok(())
    }
}
