//! `whoelsesince 1h`: who else was online at any time within the last hour.

use std::time::Duration;

use chinwag_core::hall::User;
use chinwag_core::prelude::*;
use chinwag_core::wire::{Millis, PeopleOf};

use crate::listing;

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
        needs: &[Need::LoggedInOrConsole],
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
        cost: 5,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { time }: Args) -> Outcome {
        let lately = ctx.view(|view| {
            let of = PeopleOf::Since(time.0.as_secs());
            let others = view.hall().users().filter(|(id, _)| Some(*id) != view.me() && view.sees(*id));
            listing::names(of, others.filter(|(_, user)| was_here(user, view.now, time.0)))
        });
        ctx.reply(lately);
        Ok(())
    }
}

/// Whether `user` is here, or was in this run of the server and left no longer ago than `window`.
fn was_here(user: &User, now: Millis, window: Duration) -> bool {
    let left_lately = || user.last_seen.is_some_and(|at| now.since(at) <= window);
    user.is_online() || (user.seen_this_run && left_lately())
}
