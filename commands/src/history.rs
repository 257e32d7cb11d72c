//! `history`, `history 50`, `history bob`, `history #den 50`, `history bob before:812`: what was said before.

use std::borrow::Cow;

use chinwag_core::prelude::*;
use chinwag_core::store::{PAGE_MAX, PastOf};

/// How many messages are shown if no number is given: about a screenful.
pub const SHOWN: usize = 20;

/// Shows what was said before.
pub struct History;

args! {
    pub struct Args {
        /// only what was said between you and this user, or in this room (`#den` if there is a user `den`); `all` for everything, as outside rooms
        of: Option<Part>,
        /// how many of the newest messages to show, 20 if not given and 200 at most
        count: Option<CountOrBefore>,
        /// only what has a lower number than this, as `before:812`: the answer before tells it, if there is more
        before: Option<Before>,
    }
}

/// What may stand first: a user, a room, or already what follows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// What is asked for.
    Of(PastOf),
    /// So many. Names may be numbers too: the word is kept in case another number follows.
    Count(Count, String),
    /// Only what is before.
    Before(Before),
}

impl Part {
    fn as_before(&self) -> Option<CountOrBefore> {
        if let Part::Before(before) = self { Some(CountOrBefore::Before(*before)) } else { None }
    }
}

impl Arg for Part {
    const KIND: Kind =
        Kind { label: Cow::Borrowed("a user, a room, `all`, or a number of messages"), complete: Complete::KnownUsers, ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        match CountOrBefore::read(word, view) {
            Ok(CountOrBefore::Count(count)) => Ok(Part::Count(count, word.to_owned())),
            Ok(CountOrBefore::Before(before)) => Ok(Part::Before(before)),
            Err(refusal) if word.bytes().all(|b| b.is_ascii_digit()) || word.starts_with(BEFORE) => Err(refusal),
            Err(_) => named(word, view).map(Part::Of),
        }
    }
}

/// The past with a user or in a room. Who is looked for first: people; `#` makes it a room.
fn named(word: &str, view: &View<'_>) -> Result<PastOf, Refusal> {
    if word.eq_ignore_ascii_case("all") {
        return Ok(PastOf::All);
    }
    if word.len() > 1 && word.starts_with('#') {
        return view.room(word).map(|(id, _)| PastOf::Room(id));
    }
    match view.user(word) {
        Ok((id, _)) => Ok(PastOf::With(id)),
        Err(refusal) => view.room(word).map(|(id, _)| PastOf::Room(id)).map_err(|_| refusal),
    }
}

/// How many messages: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(usize);

impl Arg for Count {
    const KIND: Kind = Kind { label: Cow::Borrowed("a number of messages"), ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        let Number(count) = Number::read(word, view)?;
        if count == 0 {
            return Err(Refusal::new(code::USAGE, "`0` messages are none: ask for one at least"));
        }
        // More than a page is not refused: the answer says that there is more.
        Ok(Count(usize::try_from(count).unwrap_or(PAGE_MAX).min(PAGE_MAX)))
    }
}

/// How many messages, or already what follows that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountOrBefore {
    /// So many.
    Count(Count),
    /// Only what is before.
    Before(Before),
}

impl Arg for CountOrBefore {
    const KIND: Kind = Kind { label: Cow::Borrowed("a number of messages"), ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        if word.starts_with(BEFORE) {
            return Before::read(word, view).map(CountOrBefore::Before);
        }
        Count::read(word, view).map(CountOrBefore::Count)
    }
}

/// Only what has a lower number than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before(u64);

/// Names have no colon: it is none of them.
const BEFORE: &str = "before:";

impl Arg for Before {
    const KIND: Kind = Kind { label: Cow::Borrowed("`before:` and a message's number"), ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        let number = word.strip_prefix(BEFORE).and_then(|number| Number::read(number, view).ok());
        let wrong = || {
            Refusal::new(code::USAGE, format!("`{}` is not `before:` and a message's number", chinwag_core::wire::name::shortened(word)))
        };
        number.map(|Number(before)| Before(before)).ok_or_else(wrong)
    }
}

impl Command for History {
    const SPEC: Spec = Spec {
        name: "history",
        summary: "Show what was said before: in the room you are in, or else by you, to you, to everyone.",
        needs: &[Need::LoggedIn],
        examples: "
            alice> history bob
            alice | * nothing was said

            alice> history 50
            alice | * nothing was said

            in den: alice, bob
            alice> /history
            alice | * nothing was said
            alice> /history all 5
            alice | * nothing was said
            alice> /history #den 50 before:812
            alice | * nothing was said

            alice> history bobb
            alice | error[no-such-user]: there is no user `bobb`; did you mean `bob`?
            alice> history #attic
            alice | error[no-such-room]: there is no room `attic`; `rooms` lists those there are; create attic makes it
            alice> history 0
            alice | error[usage]: `0` messages are none: ask for one at least; usage: history [of] [count] [before]
            alice> history bob many
            alice | error[usage]: `many` is not a whole number; usage: history [of] [count] [before]
            alice> history before:noon
            alice | error[usage]: `before:noon` is not `before:` and a message's number; usage: history [of] [count] [before]
            alice> history 007 50
            alice | error[no-such-user]: there is no user `007`; `users` lists everyone
            someone> history
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 5,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { of, count, before }: Args) -> Outcome {
        let (mut shown, mut from) = (None, before);
        for also in [count, of.as_ref().and_then(Part::as_before)].into_iter().flatten() {
            match also {
                CountOrBefore::Count(count) => shown = Some(count),
                CountOrBefore::Before(before) => {
                    if from.replace(before).is_some() {
                        return Err(Refusal::new(code::USAGE, "there is a `before:` too many"));
                    }
                }
            }
        }
        let of = match of {
            Some(Part::Of(of)) => Some(of),
            // `history 50 20`: what was said between me and the user 50.
            Some(Part::Count(_, name)) if shown.is_some() => Some(ctx.view(|view| named(&name, view))?),
            Some(Part::Count(count, _)) => {
                shown = Some(count);
                None
            }
            Some(Part::Before(_)) | None => None,
        };
        let here = || ctx.view(|view| view.my_room().ok().map(|(id, ..)| PastOf::Room(id)));
        let of = of.or_else(here).unwrap_or(PastOf::All);
        let page = ctx.past(of, from.map(|Before(seq)| seq), shown.map_or(SHOWN, |Count(count)| count)).await?;
        ctx.reply_past(page);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chinwag_core::arguments::Arguments;

    use super::*;

    #[test]
    fn help_tells_the_numbers_in_force() {
        let help = <Args as Arguments>::SPECS[1].help;
        assert_eq!(help.trim(), format!("how many of the newest messages to show, {SHOWN} if not given and {PAGE_MAX} at most"));
    }
}
