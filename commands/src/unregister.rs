//! `unregister secret`: delete your account.

use chinwag_core::prelude::*;

/// Deletes the account.
pub struct Unregister;

args! {
    pub struct Args {
        /// your password, so that nobody does it for you
        password: Secret,
    }
}

impl Command for Unregister {
    const SPEC: Spec = Spec {
        name: "unregister",
        summary: "Delete your account and log out; the name is free again, what you said stays (`forget` takes that too).",
        needs: &[Need::Account],
        examples: "
            alice> unregister secret
            bob, carol | * alice logged out
            alice | * goodbye

            alice> unregister Secret
            alice | error[wrong-password]: the password for `alice` is wrong; try again
            alice> unregister
            alice | error[usage]: `password` is missing: a secret word, without spaces; usage: unregister <password>
            someone> unregister secret
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 20,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { password }: Args) -> Outcome {
        ctx.delete_account(&password.0, false).await
    }
}
