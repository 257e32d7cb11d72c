//! `newcode`, `newcode 5`, `newcode 5 2d`: a code to register with.

use std::time::Duration;

use chinwag_core::prelude::*;
use chinwag_core::server::Registration;

/// Makes an invite code.
pub struct Newcode;

/// For how many registrations a code is good if no number is given.
const USES: u64 = 1;

/// How many it may be: more than that is a campaign, which can do with several codes.
const USES_MAX: u64 = 1000;

/// For how long it is good if no time is given.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// And at most: a code that is found after years should not open anything.
const LIFETIME_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

args! {
    pub struct Args {
        /// for how many registrations it is good: 1 if not given
        uses: Option<Number>,
        /// for how long: 7d if not given
        lifetime: Option<Seconds>,
    }
}

impl Command for Newcode {
    const SPEC: Spec = Spec {
        name: "newcode",
        summary: "Make an invite code, to register with where registration is by invitation.",
        needs: &[Need::Operator],
        examples: "
            carol> newcode 5 2d
            carol | * invite code 9-66tk3vrxg1fdpy37: for 5 registrations until 2026-01-03 00:00:00Z; `register NAME PASSWORD CODE`
            carol | * registration is open to everyone at the moment: nobody needs a code

            carol> newcode 0
            carol | error[usage]: an invite is for 1 registration at least and 1000 at most; usage: newcode [uses] [lifetime]
            carol> newcode 1 400d
            carol | error[usage]: an invite is good for a second at least and 365d at most; usage: newcode [uses] [lifetime]
            carol> newcode bob
            carol | error[usage]: `bob` is not a whole number; usage: newcode [uses] [lifetime]
            alice> newcode
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> newcode
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { uses, lifetime }: Args) -> Outcome {
        let wanted = uses.map_or(USES, |number| number.0);
        let Some(uses) = u32::try_from(wanted).ok().filter(|uses| (1..=USES_MAX).contains(&u64::from(*uses))) else {
            let text = format!("an invite is for 1 registration at least and {USES_MAX} at most");
            return Err(Refusal::new(code::USAGE, text));
        };
        let lifetime = lifetime.map_or(LIFETIME, |seconds| seconds.0);
        if lifetime < Duration::from_secs(1) || lifetime > LIFETIME_MAX {
            let text =
                format!("an invite is good for a second at least and {} at most", chinwag_core::wire::time::show_duration(LIFETIME_MAX));
            return Err(Refusal::new(code::USAGE, text));
        }
        let expires = ctx.now().plus(lifetime);
        let (number, code) = ctx.invite(uses, expires)?;
        ctx.note(format!("code {number}"));
        let plural = if uses == 1 { "" } else { "s" };
        let told = format!("* invite code {code}: for {uses} registration{plural} until {expires}; `register NAME PASSWORD CODE`");
        ctx.reply(Event::Fact(
            Fact::new("invite", told).with("code", code).with("number", number).with("uses", uses).with("expires", expires.0),
        ));
        let moot = match ctx.registration() {
            Registration::Invited(_) => return Ok(()),
            Registration::Open => "* registration is open to everyone at the moment: nobody needs a code",
            Registration::Closed => "* registration is closed at the moment: the code opens nothing until it is by invitation",
        };
        ctx.reply(Event::Fact(Fact::new("registration", moot)));
        Ok(())
    }
}
