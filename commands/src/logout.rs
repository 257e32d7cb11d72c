//! `logout`, `quit`, `exit`: say goodbye.

use chinwag_core::prelude::*;

/// Ends the session and the connection.
pub struct Logout;

impl Command for Logout {
    const SPEC: Spec = Spec {
        name: "logout",
        aliases: &["quit", "exit"],
        summary: "Log out and end the connection.",
        // Whoever never logged in may leave too.
        needs: &[],
        examples: "
            alice> logout
            alice | * goodbye
            bob, carol | * alice logged out

            someone> quit
            someone | * goodbye
        ",
        cost: 0,
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        ctx.log_out();
        Ok(())
    }
}
