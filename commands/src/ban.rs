//! `ban bob`, `ban bob 2d spamming`, `ban 192.0.2.7`: keep somebody out.

use std::borrow::Cow;
use std::time::Duration;

use chinwag_core::prelude::*;

use crate::reason;

/// Keeps a user or an address out.
pub struct Ban;

args! {
    pub struct Args {
        /// whom to keep out: a user, or an address (of IPv6, its /64); everyone concerned is disconnected
        whom: UserOrAddress,
        /// for how long, such as 2d; without it, until `unban`
        duration: Option<DurationOrWord>,
        /// why: they are told
        reason: Option<Text>,
    }
}

/// What may stand second: a length of time, or already the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DurationOrWord {
    /// For so long.
    Duration(Duration),
    /// The first word of the reason.
    Word(String),
}

impl Arg for DurationOrWord {
    const KIND: Kind = Kind { label: Cow::Borrowed("a length of time like 15m, 1h, 2d"), ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        // A mistyped length of time is no reason: the ban would have no end.
        if !word.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(DurationOrWord::Word(word.to_owned()));
        }
        let Seconds(duration) = Seconds::read(word, view)?;
        if duration.is_zero() {
            return Err(Refusal::new(code::USAGE, "a ban lasts a second at least"));
        }
        Ok(DurationOrWord::Duration(duration))
    }
}

impl Command for Ban {
    const SPEC: Spec = Spec {
        name: "ban",
        summary: "Keep a user or an address out, for a while or until `unban`, and end their connections.",
        needs: &[Need::Operator],
        examples: "
            carol> ban bob 2d spamming the lobby
            bob | * disconnected: error[banned]: you are banned here until 2026-01-03 00:00:00Z: spamming the lobby; ask an operator
            alice, carol, erin | * bob logged out
            carol | bob is banned until 2026-01-03 00:00:00Z

            console> ban carol enough is enough
            carol | * disconnected: error[banned]: you are banned here: enough is enough; ask an operator
            alice, bob, erin | * carol logged out
            console | carol is banned

            carol> ban 2001:db8::5 1h
            carol | 2001:db8::/64 is banned until 2026-01-01 01:00:00Z
            carol> ban 192.0.2.1
            carol | error[yourself]: you come from there yourself; ban the user instead
            carol> ban 192.0.2.0/24
            carol | error[usage]: `192.0.2.0/24` is not a network that can be named; name an address such as 192.0.2.1, or a /64 of IPv6

            carol> ban carol
            carol | error[yourself]: you cannot ban yourself; name somebody else
            carol> ban bob 2fortnights
            carol | error[usage]: `2fortnights` is not a length of time such as `90`, `15m`, `1h` or `2d`; usage: ban <whom> [duration] [reason...]
            carol> ban bobb
            carol | error[no-such-user]: there is no user `bobb`; did you mean `bob`?
            carol> ban
            carol | error[usage]: `whom` is missing: a user, or an address; usage: ban <whom> [duration] [reason...]
            alice> ban bob
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> ban bob
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { whom, duration, reason }: Args) -> Outcome {
        let reason = reason.map(|text| text.0);
        let (duration, reason) = match duration {
            None => (None, reason),
            Some(DurationOrWord::Duration(duration)) => (Some(duration), reason),
            Some(DurationOrWord::Word(word)) => (None, Some(reason.map_or(word.clone(), |more| format!("{word} {more}")))),
        };
        let until = duration.map(|duration| ctx.now().plus(duration));
        let sessions = ctx.view(|view| view.hall().sessions_of(whom.whom));
        ctx.put_out(Act::Ban { whom: whom.whom, until, reason: reason::checked(reason)? }, sessions).await?;
        let how_long = until.map_or(String::new(), |until| format!(" until {until}"));
        let mut told = Fact::new("banned", format!("{} is banned{how_long}", whom.shown)).with("whom", whom.shown);
        if let Some(until) = until {
            told = told.with("until", until.0);
        }
        ctx.reply(Event::Fact(told));
        Ok(())
    }
}
