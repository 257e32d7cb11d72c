//! `unban bob`: let somebody in again.

use chinwag_core::prelude::*;

/// Ends a ban.
pub struct Unban;

args! {
    pub struct Args {
        /// whom to let in again: a user, or an address
        whom: UserOrAddress,
    }
}

impl Command for Unban {
    const SPEC: Spec = Spec {
        name: "unban",
        summary: "Let somebody in again whom a ban keeps out.",
        needs: &[Need::Operator],
        examples: "
            carol> unban bob
            carol | error[no-such-ban]: `bob` is not banned; `bans` lists who is
            carol> unban 192.0.2.7
            carol | error[no-such-ban]: 192.0.2.7 is not banned; `bans` lists who is
            carol> unban bobb
            carol | error[no-such-user]: there is no user `bobb`; did you mean `bob`?
            alice> unban bob
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> unban bob
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { whom }: Args) -> Outcome {
        ctx.submit(Act::Unban { whom: whom.whom })?;
        ctx.reply(Event::Fact(Fact::new("unbanned", format!("{} is not banned any more", whom.shown)).with("whom", whom.shown)));
        Ok(())
    }
}
