//! `forget secret`: delete your account and everything you said.

use chinwag_core::prelude::*;

/// Deletes the account and everything that was said by it.
pub struct Forget;

args! {
    pub struct Args {
        /// your password, so that nobody does it for you
        password: Secret,
    }
}

impl Command for Forget {
    const SPEC: Spec = Spec {
        name: "forget",
        summary: "Delete your account and, for everyone and for good, all you said and all that was said to you alone; `export` it first.",
        needs: &[Need::Account],
        examples: "
            alice> forget secret
            bob, carol | * alice logged out
            alice | * goodbye

            alice> forget Secret
            alice | error[wrong-password]: the password for `alice` is wrong; try again
            alice> forget
            alice | error[usage]: `password` is missing: a secret word, without spaces; usage: forget <password>
            someone> forget secret
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 20,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { password }: Args) -> Outcome {
        ctx.delete_account(&password.0, true).await
    }
}
