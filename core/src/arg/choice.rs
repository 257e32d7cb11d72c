//! One of a few words.

use std::borrow::Cow;
use std::marker::PhantomData;

use chinwag_wire::{Complete, Kind, Refusal, Shape, code, name, suggest};

use crate::arguments::Arg;
use crate::view::View;

/// The words that a [`Choice`] is between.
///
/// ```
/// use std::borrow::Cow;
/// use chinwag_core::arg::{Choice, Words};
/// use chinwag_core::prelude::*;
///
/// pub struct Sides;
///
/// impl Words for Sides {
///     const LABEL: &'static str = "a side of the coin";
///     const WORDS: &'static [Cow<'static, str>] = &[Cow::Borrowed("heads"), Cow::Borrowed("tails")];
/// }
///
/// args! {
///     pub struct Args {
///         /// what you bet on
///         side: Choice<Sides>,
///     }
/// }
/// ```
pub trait Words: Send + 'static {
    /// What one of them is, with its article.
    const LABEL: &'static str;
    /// The words, in the order they are offered.
    const WORDS: &'static [Cow<'static, str>];
}

/// One of a few words, in any case: completed, and refused with the nearest if it is another.
pub struct Choice<W: Words> {
    /// As it stands in the list.
    pub word: &'static str,
    words: PhantomData<W>,
}

impl<W: Words> Arg for Choice<W> {
    const KIND: Kind = Kind {
        label: Cow::Borrowed(W::LABEL),
        shape: Shape::Word,
        complete: Complete::OneOf(Cow::Borrowed(W::WORDS)),
        optional: false,
        secret: false,
    };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        let words = || W::WORDS.iter().map(|known| &**known);
        if let Some(word) = words().find(|known| known.eq_ignore_ascii_case(word)) {
            return Ok(Choice { word, words: PhantomData });
        }
        let refusal = Refusal::new(code::USAGE, format!("`{}` is not {}", name::shortened(word), W::LABEL));
        Err(match suggest::nearest(&name::shortened(word), words()) {
            Some(nearest) => refusal.hint(format!("did you mean `{nearest}`?")),
            None => refusal.hint(format!("there are {}", words().collect::<Vec<_>>().join(", "))),
        })
    }
}

impl<W: Words> std::fmt::Debug for Choice<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Choice").field(&self.word).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    struct Sides;

    impl Words for Sides {
        const LABEL: &'static str = "a side of the coin";
        const WORDS: &'static [Cow<'static, str>] = &[Cow::Borrowed("heads"), Cow::Borrowed("tails")];
    }

    args! {
        struct Args {
            /// what you bet on
            side: Choice<Sides>,
        }
    }

    struct Bet;

    impl Command for Bet {
        const SPEC: Spec = Spec {
            name: "bet",
            summary: "Bet on a side of the coin.",
            examples: "
                alice> bet HEADS
                alice | alice bets on heads

                alice> bet tials
                alice | error[usage]: `tials` is not a side of the coin; did you mean `tails`?
                alice> bet rim
                alice | error[usage]: `rim` is not a side of the coin; there are heads, tails
                alice> bet
                alice | error[usage]: `side` is missing: a side of the coin; usage: bet <side>
            ",
            ..Spec::DEFAULT
        };
        type Args = Args;

        async fn run(&self, ctx: &mut Ctx, Args { side }: Args) -> Outcome {
            let bet = Fact::new("bet", format!("{} bets on {}", ctx.name(), side.word));
            ctx.reply(Event::Fact(bet));
            Ok(())
        }
    }

    #[test]
    fn a_choice_is_offered_read_and_refused() {
        let registry = Registry::new().with(Bet);
        crate::stage::check_examples(&registry).unwrap();
        assert!(matches!(&registry.cards()[0].args[0].kind.complete, Complete::OneOf(words) if words.len() == 2));
    }
}
