//! `whoelse`: who else is online.

use chinwag_core::prelude::*;

use crate::listing;

/// Lists who else is online.
pub struct Whoelse;

impl Command for Whoelse {
    const SPEC: Spec = Spec {
        name: "whoelse",
        aliases: &["displayusers"],
        summary: "List who else is online, and who of them is idle.",
        needs: &[Need::LoggedInOrConsole],
        examples: "
            bob> whoelse
            bob | online: alice, carol, erin

            alice> whoelse
            alice | online: bob, carol
            erin> whoelse
            erin | online: bob, carol
            alice> whoelse bob
            alice | error[usage]: `bob` is a word too many; usage: whoelse
            someone> whoelse
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        let others = ctx.view(|view| listing::online(view, view.others_online()));
        ctx.reply(others);
        Ok(())
    }
}
