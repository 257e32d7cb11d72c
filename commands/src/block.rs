//! `block bob`: hide from bob, and bob from you.

use chinwag_core::prelude::*;

/// Hides two users from each other.
pub struct Block;

args! {
    pub struct Args {
        /// whom to hide from, online or not; they are not told
        user: KnownUser,
    }
}

impl Command for Block {
    const SPEC: Spec = Spec {
        name: "block",
        summary: "Hide from a user: no messages, no notices, no lists, either way.",
        examples: "
            alice> block bob
            alice | bob is blocked

            alice> block erin
            alice | erin is blocked

            bob> block dave
            bob | dave is blocked
            bob> block dave
            bob | error[already-blocked]: you have blocked `dave` already; `blocked` lists whom you block

            erin> block alice
            erin | error[already-blocked]: you have blocked `alice` already; `blocked` lists whom you block

            alice> block alice
            alice | error[yourself]: you cannot block yourself; name somebody else
            alice> block bobb
            alice | error[no-such-user]: there is no user `bobb`; did you mean `bob`?
            alice> block
            alice | error[usage]: `user` is missing: a user; usage: block <user>
            someone> block bob
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { user }: Args) -> Outcome {
        ctx.submit(Act::Block { whom: user.id })?;
        let told = Fact::new("blocked", format!("{} is blocked", user.name)).with("name", user.name);
        ctx.reply(Event::Fact(told));
        Ok(())
    }
}
