//! `message bob don't be late`, or `@bob don't be late`: say something to one user; `@#den hello` to a room.

use chinwag_core::prelude::*;

/// Says something to one user, or to a room that one is in, whichever room one's lines go to.
pub struct Message;

args! {
    pub struct Args {
        /// who gets it, now or at the next login
        to: UserOrRoom,
        /// what to say
        text: Text,
    }
}

impl Command for Message {
    const SPEC: Spec = Spec {
        name: "message",
        aliases: &["msg", "tell"],
        summary: "Say something to one user, who gets it at the next login if away; or to a room you are in.",
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
            alice | error[usage]: `to` is missing: a user, or a room; usage: message <to> <text...>
            alice> message alice hi
            alice | error[yourself]: you cannot message yourself; name somebody else

            alice> message erin hi
            alice | error[blocked]: `erin` does not take messages from you; the message was not sent

            erin> message alice hi
            erin | error[blocked]: you have blocked `alice`; unblock alice first

            in den: bob, alice
            alice> @#den hello
            bob | [den] alice: hello
            alice | sent
            alice> @den: hello
            bob | [den] alice: hello
            alice | sent

            in den: bob, carol
            alice> message #den hello
            alice | error[no-room]: you are not in `den`; join den
            alice> message #attic hello
            alice | error[no-such-room]: there is no room `attic`; `rooms` lists those there are; create attic makes it

            someone> message bob hi
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { to, text }: Args) -> Outcome {
        ctx.say(to.recipient, to.shown, text.0)
    }
}
