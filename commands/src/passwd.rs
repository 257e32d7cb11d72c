//! `passwd secret better-secret`: change your password.

use chinwag_core::prelude::*;

/// Changes the password.
pub struct Passwd;

args! {
    pub struct Args {
        /// the password you have
        old: Secret,
        /// the password you want
        new: Secret,
    }
}

impl Command for Passwd {
    const SPEC: Spec = Spec {
        name: "passwd",
        summary: "Change your password; session tokens end.",
        needs: &[Need::Account],
        examples: "
            alice> passwd secret better-secret
            alice | ok

            alice> passwd Secret better-secret
            alice | error[wrong-password]: the password for `alice` is wrong; try again
            alice> passwd secret
            alice | error[usage]: `new` is missing: a secret word, without spaces; usage: passwd <old> <new>
            alice> passwd secret a better secret
            alice | error[usage]: there is a word too many; usage: passwd <old> <new>
            someone> passwd secret better-secret
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 20,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { old, new }: Args) -> Outcome {
        ctx.change_password(&old.0, &new.0).await
    }
}
