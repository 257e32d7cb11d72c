//! `startprivate bob OFFER`: ask somebody for a private chat.

use chinwag_core::prelude::*;

/// Asks somebody for a private chat.
pub struct Startprivate;

args! {
    pub struct Args {
        /// with whom
        user: KnownUser,
        /// how to reach you; your client adds it
        offer: Option<PrivateOffer>,
    }
}

impl Command for Startprivate {
    const SPEC: Spec = Spec {
        name: "startprivate",
        summary: "Ask somebody for a private chat, which the server cannot read.",
        needs: &[Need::LoggedIn, Need::PrivateAllowed],
        examples: "
            alice> startprivate bob OFFER
            bob | * alice asks you for a private chat: accept alice, or decline alice (until 2026-01-01 00:01:00Z)
            alice | * bob is asked for a private chat, and has until 2026-01-01 00:01:00Z
            alice> startprivate bob
            alice | error[already-asked]: you have asked `bob` already, who has until 2026-01-01 00:01:00Z; stopprivate bob takes it back

            in private: bob asks alice
            alice> startprivate bob OFFER
            alice | * bob and you have agreed on a private chat
            bob | * alice and you have agreed on a private chat
            alice | ok
            alice> startprivate bob
            alice | error[already-open]: you have a private chat with `bob` already; stopprivate bob ends it

            alice> startprivate bob
            alice | error[needs-client]: a private chat takes a client that can have one; the client `chinwag` can
            alice> startprivate bob please
            alice | error[usage]: this is no offer: there is no `:` between a fingerprint and a token; usage: startprivate <user> [offer]
            alice> startprivate dave OFFER
            alice | error[not-online]: `dave` is not online; `whoelse` lists who is
            alice> startprivate alice OFFER
            alice | error[yourself]: you cannot have a private chat with yourself; name somebody else
            alice> startprivate erin OFFER
            alice | error[blocked]: `erin` does not take messages from you; nothing was sent
            alice> startprivate bobb OFFER
            alice | error[no-such-user]: there is no user `bobb`; did you mean `bob`?
            someone> startprivate bob OFFER
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { user, offer }: Args) -> Outcome {
        ctx.ask_private(user.id, &user.name, offer.map(|offer| offer.0))
    }
}
