//! `bans`: who is kept out.

use chinwag_core::hall::Banned;
use chinwag_core::network;
use chinwag_core::prelude::*;

use crate::listing::{self, LISTED_MAX};

/// Lists who is kept out.
pub struct Bans;

impl Command for Bans {
    const SPEC: Spec = Spec {
        name: "bans",
        summary: "List who is banned, until when, why and by whom.",
        needs: &[Need::Operator],
        only_looks: true,
        examples: "
            carol> bans
            carol | * 0 bans

            alice> bans
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> bans
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        let (bans, more) = ctx.view(|view| {
            let mut bans = view.hall().bans(view.now);
            let shown: Vec<Fact> = bans
                .by_ref()
                .take(LISTED_MAX)
                .map(|(whom, ban)| {
                    let whom = match whom {
                        Banned::User(user) => view.hall().user(user).map_or_else(|| "?".to_owned(), |user| user.name.to_string()),
                        Banned::Network(network) => network::shown(network),
                    };
                    let until = ban.until.map_or_else(|| "until `unban`".to_owned(), |until| format!("until {until}"));
                    let why = if ban.reason.is_empty() { String::new() } else { format!(": {}", ban.reason) };
                    let told = Fact::new("ban", format!("{whom} {until}, by {} at {}{why}", ban.by, ban.at));
                    let told = told.with("whom", whom).with("by", ban.by.clone()).with("at", ban.at.0).with("reason", ban.reason.clone());
                    match ban.until {
                        Some(until) => told.with("until", until.0),
                        None => told,
                    }
                })
                .collect();
            (shown, bans.next().is_some())
        });
        listing::facts(ctx, "ban", bans, more);
        Ok(())
    }
}
