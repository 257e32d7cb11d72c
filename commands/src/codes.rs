//! `codes`: the invite codes that one can register with.

use chinwag_core::prelude::*;

use crate::listing::{self, LISTED_MAX};

/// Lists the invite codes that are good.
pub struct Codes;

impl Command for Codes {
    const SPEC: Spec = Spec {
        name: "codes",
        summary: "List the invite codes that are still good, by the number that they begin with.",
        needs: &[Need::Operator],
        only_looks: true,
        examples: "
            carol> codes
            carol | * 0 codes

            alice> codes
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> codes
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        let (invites, more) = ctx.view(|view| {
            let mut invites = view.hall().invites(view.now);
            let shown: Vec<Fact> = invites
                .by_ref()
                .take(LISTED_MAX)
                .map(|(number, invite)| {
                    let told = format!(
                        "invite code {number}: used {} of {}, until {}, by {} at {}",
                        invite.used, invite.uses, invite.expires, invite.by, invite.at
                    );
                    let told = Fact::new("invite", told).with("number", number).with("used", invite.used).with("uses", invite.uses);
                    told.with("expires", invite.expires.0).with("by", invite.by.clone()).with("at", invite.at.0)
                })
                .collect();
            (shown, invites.next().is_some())
        });
        listing::facts(ctx, "code", invites, more);
        Ok(())
    }
}
