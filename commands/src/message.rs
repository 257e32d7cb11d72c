//! `message bob don't be late`, or `@bob don't be late`: say something to one user.

use chinwag_core::prelude::*;

/// Says something to one user.
pub struct Message;

args! {
    pub struct Args {
        /// who gets it, now or at the next login
        to: KnownUser,
        /// what to say
        text: Text,
    }
}

impl Command for Message {
    const SPEC: Spec = Spec {
        name: "message",
        aliases: &["msg", "tell"],
        summary: "Say something to one user, who gets it at the next login if away.",
        examples: "
            alice> message bob don't be late
            bob | alice: don't be late
            alice | sent

            alice> @bob don't be late
            bob | alice: don't be late
            alice | sent

            alice> msg dave see you tomorrow
            alice | sent; they are away and get it at their next login

            alice> message bobb hi
            alice | error[no-such-user]: there is no user `bobb`; did you mean `bob`?
            alice> message bob
            alice | error[usage]: `text` is missing: some text; usage: message <to> <text...>
            alice> message
            alice | error[usage]: `to` is missing: a user; usage: message <to> <text...>
            alice> message alice hi
            alice | error[yourself]: you cannot message yourself; name somebody else

            alice> message erin hi
            alice | error[blocked]: `erin` does not take messages from you; the message was not sent

            erin> message alice hi
            erin | error[blocked]: you have blocked `alice`; unblock alice first

            someone> message bob hi
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { to, text }: Args) -> Outcome {
        ctx.say(Recipient::User(to.id), Addressee::User(to.name), text.0)
    }
}
