//! `whoami`: who you are, and since when.

use chinwag_core::prelude::*;

/// Tells who one is.
pub struct Whoami;

impl Command for Whoami {
    const SPEC: Spec = Spec {
        name: "whoami",
        aliases: &["name"],
        summary: "Tell who you are, and since when you are logged in.",
        examples: "
            alice> whoami
            alice | * you are alice, logged in since 2026-01-01 00:00:00Z

            someone> whoami
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        let found = ctx.view(|view| {
            let session = view.my_session()?;
            let user = view.hall().user(session.user)?;
            let name = user.name.to_string();
            Some(Event::Me { name, since: session.since, guest: session.user.is_guest(), cursor: user.cursor })
        });
        // Nothing is found when the session ended while the line was on its way.
        let gone = || Refusal::new(code::NOT_LOGGED_IN, "you are not logged in any more").hint("log in again");
        ctx.reply(found.ok_or_else(gone)?);
        Ok(())
    }
}
