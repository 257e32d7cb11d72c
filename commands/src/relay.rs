//! `relay bob`: have a private chat go through the server.

use chinwag_core::prelude::*;

/// Has a private chat go through the server.
pub struct Relay;

args! {
    pub struct Args {
        /// with whom
        user: KnownUser,
    }
}

impl Command for Relay {
    const SPEC: Spec = Spec {
        name: "relay",
        summary: "Have a private chat go through the server, if the other one wants it too; the server cannot read it there either.",
        needs: &[Need::LoggedIn, Need::RelayAllowed],
        examples: "
            in private: alice, bob
            alice> relay bob
            bob | * alice wants the private chat with you to go through the server: relay alice, or stopprivate alice
            alice | ok
            bob> relay alice
            bob | * the private chat with alice can go through the server now
            alice | * the private chat with bob can go through the server now
            bob | ok

            alice> relay bob
            alice | error[no-private]: there is no private chat between `bob` and you; startprivate bob asks for one
        ",
        by_hand: false,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { user }: Args) -> Outcome {
        ctx.relay_private(user.id)
    }
}
