//! `unblock bob`: see bob again, and be seen.

use chinwag_core::prelude::*;

/// Ends a block.
pub struct Unblock;

args! {
    pub struct Args {
        /// whom you have blocked
        user: KnownUser,
    }
}

impl Command for Unblock {
    const SPEC: Spec = Spec {
        name: "unblock",
        summary: "Stop hiding from a user whom you have blocked.",
        examples: "
            erin> unblock alice
            erin | alice is not blocked any more

            alice> unblock bob
            alice | error[not-blocked]: you have not blocked `bob`; `blocked` lists whom you block
            alice> unblock erin
            alice | error[not-blocked]: you have not blocked `erin`; `blocked` lists whom you block
            alice> unblock alice
            alice | error[yourself]: you cannot unblock yourself; name somebody else
            alice> unblock bobb
            alice | error[no-such-user]: there is no user `bobb`; did you mean `bob`?
            alice> unblock
            alice | error[usage]: `user` is missing: a user; usage: unblock <user>
            someone> unblock bob
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { user }: Args) -> Outcome {
        ctx.submit(Act::Unblock { whom: user.id })?;
        let text = format!("{} is not blocked any more", user.name);
        ctx.reply(Event::Fact(Fact::new("unblocked", text).with("name", user.name)));
        Ok(())
    }
}
