//! `blocked`: whom you block.

use chinwag_core::prelude::*;
use chinwag_core::wire::PeopleOf;

use crate::listing;

/// Lists whom one blocks.
pub struct Blocked;

impl Command for Blocked {
    const SPEC: Spec = Spec {
        name: "blocked",
        summary: "List whom you block.",
        examples: "
            erin> blocked
            erin | blocked: alice

            alice> blocked
            alice | blocked: nobody

            someone> blocked
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        let me = ctx.user()?;
        let blocked = ctx.view(|view| {
            let blocks = view.hall().user(me).into_iter().flat_map(|user| &user.blocks);
            listing::names(PeopleOf::Blocked, blocks.filter_map(|id| Some((*id, view.hall().user(*id)?))))
        });
        ctx.reply(blocked);
        Ok(())
    }
}
