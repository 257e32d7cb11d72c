//! `stopprivate bob`: end a private chat, or take the offer of one back.

use chinwag_core::prelude::*;

/// Ends a private chat.
pub struct Stopprivate;

args! {
    pub struct Args {
        /// with whom
        user: KnownUser,
    }
}

impl Command for Stopprivate {
    const SPEC: Spec = Spec {
        name: "stopprivate",
        summary: "End a private chat, or take the offer of one back.",
        needs: &[Need::LoggedIn, Need::PrivateAllowed],
        examples: "
            in private: alice, bob
            alice> stopprivate bob
            bob | * the private chat with alice has been stopped
            alice | ok
            alice> stopprivate bob
            alice | error[no-private]: there is no private chat between `bob` and you; startprivate bob asks for one

            in private: alice asks bob
            alice> stopprivate bob
            bob | * alice has taken back the offer of a private chat
            alice | ok

            in private: bob asks alice
            alice> stopprivate bob
            alice | error[no-private]: there is no private chat between `bob` and you; `bob` asks for one: decline bob says no
        ",
        by_hand: false,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { user }: Args) -> Outcome {
        ctx.submit(Act::StopPrivate { whom: user.id }).map(drop)
    }
}
