//! `whoelsesince 1h`: who else was online at any time within the last hour.

use chinwag_core::hall::User;
use chinwag_core::prelude::*;
use chinwag_core::wire::PeopleOf;
use chinwag_core::wire::name::folded;

/// Lists who else was online lately.
pub struct Whoelsesince;

args! {
    pub struct Args {
        /// how far to look back; never further than the start of the server
        time: Seconds,
    }
}

impl Command for Whoelsesince {
    const SPEC: Spec = Spec {
        name: "whoelsesince",
        summary: "List who else was online at any time within the last while, now gone or not.",
        examples: "
            bob> whoelsesince 90
            bob | online within the last 1m 30s: alice, carol, dave, erin

            alice> whoelsesince 1h
            alice | online within the last 1h: bob, carol, dave

            alice> whoelsesince yesterday
            alice | error[usage]: `yesterday` is not a length of time such as `90`, `15m`, `1h` or `2d`; usage: whoelsesince <time>
            alice> whoelsesince
            alice | error[usage]: `time` is missing: seconds, or a length of time like 15m, 1h, 2d; usage: whoelsesince <time>
            someone> whoelsesince 90
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(
        &self,
        ctx: &mut Ctx,
        Args {
            time: Seconds(window),
        }: Args,
    ) -> Outcome {
        let mut names: Vec<String> = ctx.view(|view| {
            let lately = |user: &User| {
                let gone_lately = || {
                    user.last_seen
                        .is_some_and(|at| view.now.since(at) <= window)
                };
                user.is_online() || (user.seen_this_run && gone_lately())
            };
            let others = view
                .hall()
                .users()
                .filter(|(id, _)| Some(*id) != view.me() && view.sees(*id));
            others
                .filter(|(_, user)| lately(user))
                .map(|(_, user)| user.name.to_string())
                .collect()
        });
        names.sort_by_cached_key(|name| folded(name));
        ctx.reply(Event::People {
            of: PeopleOf::Since(window.as_secs()),
            names,
        });
        Ok(())
    }
}
