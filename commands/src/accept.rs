//! `accept alice OFFER`: agree to a private chat.

use chinwag_core::prelude::*;

/// Agrees to a private chat.
pub struct Accept;

args! {
    pub struct Args {
        /// who has asked
        user: KnownUser,
        /// how to reach you; your client adds it
        offer: Option<PrivateOffer>,
    }
}

impl Command for Accept {
    const SPEC: Spec = Spec {
        name: "accept",
        summary: "Agree to a private chat that somebody asks you for; each learns where the other is.",
        needs: &[Need::LoggedIn, Need::PrivateAllowed],
        examples: "
            in private: bob asks alice
            alice> accept bob OFFER
            alice | * bob and you have agreed on a private chat
            bob | * alice and you have agreed on a private chat
            alice | ok

            in private: bob asks alice
            alice> accept bob
            alice | error[needs-client]: a private chat takes a client that can have one; the client `chinwag` can

            alice> accept bob OFFER
            alice | error[no-offer]: `bob` has offered you no private chat, or not any more; startprivate bob asks them
            alice> accept erin OFFER
            alice | error[blocked]: `erin` does not take messages from you; nothing was sent
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { user, offer }: Args) -> Outcome {
        ctx.submit(Act::AcceptPrivate { whom: user.id, offer: offer.map(|offer| offer.0) }).map(drop)
    }
}
