//! `history`, `history 50`, `history bob`, `history bob 50`: what was said before.

use std::borrow::Cow;

use chinwag_core::prelude::*;
use chinwag_core::store::{PAGE_MAX, PastOf};

/// How many messages are shown if no number is given: about a screenful.
pub const SHOWN: usize = 20;

/// Shows what was said before.
pub struct History;

args! {
    pub struct Args {
        /// only what was said between you and this user; a number here is the count, unless another follows
        with: Option<WithOrCount>,
        /// how many of the newest messages to show, 20 if not given and 200 at most
        count: Option<Count>,
    }
}

/// What may stand first: a user, or already the count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WithOrCount {
    /// Between the asker and this user.
    With(UserId),
    /// So many. Names may be numbers too: the word is kept in case another number follows.
    Count(Count, String),
}

impl Arg for WithOrCount {
    const KIND: Kind = Kind { label: Cow::Borrowed("a user, or a number of messages"), complete: Complete::KnownUsers, ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        if word.bytes().all(|b| b.is_ascii_digit()) {
            return Count::read(word, view).map(|count| WithOrCount::Count(count, word.to_owned()));
        }
        view.user(word).map(|(id, _)| WithOrCount::With(id))
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

impl Command for History {
    const SPEC: Spec = Spec {
        name: "history",
        summary: "Show what was said before: by you, to you, to everyone.",
        needs: &[Need::Account],
        examples: "
            alice> history bob
            alice | * nothing was said

            alice> history 50
            alice | * nothing was said

            alice> history bobb
            alice | error[no-such-user]: there is no user `bobb`; did you mean `bob`?
            alice> history 0
            alice | error[usage]: `0` messages are none: ask for one at least; usage: history [with] [count]
            alice> history bob many
            alice | error[usage]: `many` is not a whole number; usage: history [with] [count]
            alice> history 007 50
            alice | error[no-such-user]: there is no user `007`; `users` lists everyone
            someone> history
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 5,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { with, count }: Args) -> Outcome {
        let (with, count) = match (with, count) {
            (None, count) => (None, count),
            (Some(WithOrCount::With(user)), count) => (Some(user), count),
            (Some(WithOrCount::Count(count, _)), None) => (None, Some(count)),
            (Some(WithOrCount::Count(_, name)), count) => (Some(ctx.view(|view| view.user(&name).map(|(id, _)| id))?), count),
        };
        let page = ctx.past(with.map_or(PastOf::All, PastOf::With), None, count.map_or(SHOWN, |count| count.0)).await?;
        let end = Event::PastEnd { count: page.said.len(), more: page.more };
        for said in page.said {
            ctx.reply(Event::Past(said));
        }
        ctx.reply(end);
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
