//! `audit`, `audit 50`: what operators did.

use chinwag_core::prelude::*;
use chinwag_core::store::PAGE_MAX;

use crate::listing;

/// How many deeds are shown if no number is given: about a screenful.
pub const SHOWN: u64 = 20;

/// Shows what operators did.
pub struct Audit;

args! {
    pub struct Args {
        /// how many of the newest deeds to show, 20 if not given and 200 at most
        count: Option<Number>,
    }
}

impl Command for Audit {
    const SPEC: Spec = Spec {
        name: "audit",
        summary: "Show what operators did: when, who, what and with which outcome.",
        needs: &[Need::Operator],
        only_looks: true,
        examples: "
            carol> audit
            carol | * 0 deeds

            carol> audit 0
            carol | error[usage]: `0` deeds are none: ask for one at least; usage: audit [count]
            alice> audit
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> audit
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { count }: Args) -> Outcome {
        let count = count.map_or(SHOWN, |number| number.0);
        if count == 0 {
            return Err(Refusal::new(code::USAGE, "`0` deeds are none: ask for one at least"));
        }
        let deeds = ctx.deeds(usize::try_from(count).unwrap_or(PAGE_MAX)).await?;
        let shown = deeds.into_iter().map(|deed| {
            let outcome = deed.outcome.unwrap_or_else(|| "not finished".to_owned());
            let told = Fact::new("deed", format!("[{}] {}: {} ({outcome})", deed.at, deed.by, deed.what));
            told.with("seq", deed.deed).with("at", deed.at.0).with("by", deed.by).with("what", deed.what).with("outcome", outcome)
        });
        let shown = shown.collect();
        listing::facts(ctx, "deed", shown, false);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chinwag_core::arguments::Arguments;

    use super::*;

    #[test]
    fn help_tells_the_numbers_in_force() {
        let help = <Args as Arguments>::SPECS[0].help;
        assert_eq!(help.trim(), format!("how many of the newest deeds to show, {SHOWN} if not given and {PAGE_MAX} at most"));
    }
}
