//! `resume 5d41402abc4b2a76b9719d911017c592 1042`: log in with a session token, and go on after number 1042.

use chinwag_core::prelude::*;

/// Logs in with a session token.
pub struct Resume;

args! {
    pub struct Args {
        /// what `token` gave you
        token: Secret,
        /// the last number you have seen; without it, the server goes by what it knows
        after: Option<Number>,
    }
}

impl Command for Resume {
    const SPEC: Spec = Spec {
        name: "resume",
        summary: "Log in with a session token, and go on where you were.",
        needs: &[Need::LoggedOut],
        examples: "
            someone> resume 5d41402abc4b2a76b9719d911017c592 6
            someone | error[bad-token]: this token is unknown, expired or revoked; log in with your password
            someone> resume
            someone | error[usage]: `token` is missing: a secret word, without spaces; usage: resume <token> [after]
            someone> resume 5d41402abc4b2a76b9719d911017c592 six
            someone | error[usage]: `six` is not a whole number; usage: resume <token> [after]

            alice> resume 5d41402abc4b2a76b9719d911017c592
            alice | error[already-logged-in]: you are logged in already; logout first
        ",
        cost: 0,
        by_hand: false,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { token, after }: Args) -> Outcome {
        ctx.resume(&token.0, after.map(|number| number.0)).await
    }
}
