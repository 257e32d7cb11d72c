//! `users`: everyone there is, online or not.

use chinwag_core::hall::User;
use chinwag_core::prelude::*;
use chinwag_core::wire::Person;

use crate::listing;

/// Lists everyone there is.
pub struct Users;

impl Command for Users {
    const SPEC: Spec = Spec {
        name: "users",
        aliases: &["displayallusers"],
        summary: "List everyone there is, online or not.",
        needs: &[Need::LoggedInOrConsole],
        examples: "
            bob> users
            bob | alice: online
            bob | bob: online
            bob | carol: online
            bob | dave: offline, last seen 2026-01-01 00:00:00Z
            bob | erin: online
            bob | * 5 users

            alice> users
            alice | alice: online
            alice | bob: online
            alice | carol: online
            alice | dave: offline, last seen 2026-01-01 00:00:00Z
            alice | erin: offline
            alice | * 5 users

            console> users
            console | alice: online
            console | bob: online
            console | carol: online
            console | dave: offline, last seen 2026-01-01 00:00:00Z
            console | erin: online
            console | * 5 users

            someone> users
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 5,
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        let directory = ctx.view(|view| {
            let (users, more) = listing::by_name(view.hall().users());
            let users = users.into_iter().map(|(id, user)| person(view, id, user)).collect();
            Event::Directory { users, more }
        });
        ctx.reply(directory);
        Ok(())
    }
}

/// What the one who looks may know of somebody: of those hidden, only that they exist.
fn person(view: &View<'_>, id: UserId, user: &User) -> Person {
    let seen = view.sees(id);
    let online = seen && user.is_online();
    let last_seen = user.last_seen.filter(|_| seen && !online);
    Person { name: user.name.to_string(), online, last_seen, idle: view.idle(id) }
}
