//! `token`: get a session token, to log in with instead of the password.

use chinwag_core::prelude::*;

/// Gives out a session token.
pub struct Token;

impl Command for Token {
    const SPEC: Spec = Spec {
        name: "token",
        summary: "Get a session token: `resume` logs in with it until you log out or it expires.",
        needs: &[Need::Account],
        examples: "
            alice> token
            alice | * token 86461af303bb583db0e16f4d76de63c7 (until 2026-01-31 00:00:00Z); keep it as you keep a password

            someone> token
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        by_hand: false,
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        ctx.issue_token()
    }
}
