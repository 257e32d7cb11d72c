//! `decline alice`: say no to a private chat.

use chinwag_core::prelude::*;

/// Says no to a private chat.
pub struct Decline;

args! {
    pub struct Args {
        /// who has asked
        user: KnownUser,
    }
}

impl Command for Decline {
    const SPEC: Spec = Spec {
        name: "decline",
        summary: "Say no to a private chat that somebody asks you for.",
        needs: &[Need::LoggedIn, Need::PrivateAllowed],
        examples: "
            in private: bob asks alice
            alice> decline bob
            bob | * alice declines a private chat
            alice | ok
            alice> decline bob
            alice | error[no-offer]: `bob` has offered you no private chat, or not any more; there is nothing to decline

            in private: alice, bob
            alice> decline bob
            alice | error[no-offer]: `bob` has offered you no private chat, or not any more; stopprivate bob ends the private chat
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { user }: Args) -> Outcome {
        ctx.submit(Act::DeclinePrivate { whom: user.id }).map(drop)
    }
}
