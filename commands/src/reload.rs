//! `reload`: the configuration and the certificate are read again.

use chinwag_core::prelude::*;

/// Reads the configuration and the certificate again.
pub struct Reload;

impl Command for Reload {
    const SPEC: Spec = Spec {
        name: "reload",
        summary: "Read the configuration and the certificate again, and go by what can change without a restart.",
        needs: &[Need::Operator],
        examples: "
            carol> reload
            carol | * nothing has changed

            alice> reload
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> reload
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        let changes = ctx.reload().await?;
        if changes.is_empty() {
            ctx.reply(Event::Fact(Fact::new("reloaded", "* nothing has changed").with("changes", 0)));
        }
        for change in changes {
            let when = if change.now { "now" } else { "after a restart" };
            let told = Fact::new("reloaded", format!("{}: {} -> {} ({when})", change.key, change.from, change.to));
            ctx.reply(Event::Fact(told.with("key", change.key).with("from", change.from).with("to", change.to).with("now", change.now)));
        }
        Ok(())
    }
}
