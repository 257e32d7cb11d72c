//! `dialect json`: speak another dialect from here on.

use std::borrow::Cow;

use chinwag_core::prelude::*;

/// Changes the dialect of the connection.
pub struct Dialect;

args! {
    pub struct Args {
        /// which one to speak from here on
        name: DialectName,
    }
}

/// What may be the name of a dialect. Whether it is one is found out by speaking it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialectName(pub String);

/// For completion.
const NAMES: &[Cow<'static, str>] = &[Cow::Borrowed("text"), Cow::Borrowed("json")];

impl Arg for DialectName {
    const KIND: Kind = Kind { label: Cow::Borrowed("a dialect"), complete: Complete::OneOf(Cow::Borrowed(NAMES)), ..Kind::WORD };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        Ok(DialectName(word.to_owned()))
    }
}

impl Command for Dialect {
    const SPEC: Spec = Spec {
        name: "dialect",
        summary: "Speak another dialect on this connection: `text` for people, `json` for programs.",
        needs: &[],
        examples: "
            alice> dialect text
            alice | * this connection speaks text now

            alice> dialect klingon
            alice | error[unknown-dialect]: there is no dialect `klingon`; there are text, json
            someone> dialect
            someone | error[usage]: `name` is missing: a dialect; usage: dialect <name>
        ",
        cost: 0,
        activity: false,
        by_hand: false,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { name }: Args) -> Outcome {
        ctx.speak(&name.0)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn completion_offers_every_dialect() {
        let spoken: Vec<&str> = chinwag_core::wire::dialect::ALL.iter().map(|dialect| dialect.name()).collect();
        assert_eq!(super::NAMES, spoken);
    }
}
