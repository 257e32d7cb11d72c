//! `search tea from:bob in:den`: what was said before and has certain words.

use chinwag_core::ctx::LookedFor;
use chinwag_core::prelude::*;
use chinwag_core::store::words::{PREFIX_MIN, WANTED_MAX, Wanted};
use chinwag_core::store::{Bound, PastOf};
use chinwag_core::wire::name::shortened;
use chinwag_core::wire::time::read_moment;

use crate::history::SHOWN;

/// Looks for what was said before.
pub struct Search;

args! {
    pub struct Args {
        /// words that are all in it, in any order; "two words" in quotes stand together, tim* is how a word begins. Anywhere among them: from:NAME, in:ROOM or in:NAME, before: and after: a day (2026-01-31), a moment (2026-01-31T18:30) or a message's number
        text: Text,
    }
}

impl Command for Search {
    const SPEC: Spec = Spec {
        name: "search",
        summary: "Find what was said before, by its words: the newest of it, as far as you were to see it.",
        needs: &[Need::LoggedIn],
        examples: "
            alice> search tea
            alice | * nothing was said
            alice> search \"tea at\" fiv* from:bob after:2025-12-01 before:2026-01-01T18:30
            alice | * nothing was said

            in den: alice, bob
            alice> /search tea in:den before:812
            alice | * nothing was said

            alice> search
            alice | error[usage]: `text` is missing: some text; usage: search <text...>
            alice> search from:bob ?!
            alice | error[usage]: there is no word to look for; name one, as in search tea from:bob
            alice> search te*
            alice | error[usage]: `te*` is too short a beginning; write 3 letters before the * at least
            alice> search tea from:
            alice | error[usage]: `from:` names nobody and nothing; write it without a space, as in from:bob, in:den, before:2026-01-31
            alice> search tea from:bobb
            alice | error[no-such-user]: there is no user `bobb`; did you mean `bob`?
            alice> search tea in:attic
            alice | error[no-such-room]: there is no room `attic`; `rooms` lists those there are; create attic makes it
            alice> search tea after:noon
            alice | error[usage]: `after:noon` is neither a day nor a message; write it as after:2026-01-31, after:2026-01-31T18:30 or after:812
            someone> search tea
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 10,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { text: Text(text) }: Args) -> Outcome {
        let looked_for = ctx.view(|view| read(&text, view))?;
        let page = ctx.search(looked_for, SHOWN).await?;
        ctx.reply_past(page);
        Ok(())
    }
}

/// Reads what is looked for: words, what stands in quotes, and what narrows it down. The last word of a kind counts.
fn read(text: &str, view: &View<'_>) -> Result<LookedFor, Refusal> {
    // A guest has no past but that of the room they are in.
    let all = match view.my_room() {
        Ok((room, ..)) if view.me().is_some_and(UserId::is_guest) => PastOf::Room(room),
        _ => PastOf::All,
    };
    let mut looked_for = LookedFor { of: all, from: None, before: None, since: None, wanted: Wanted::default() };
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let quoted = rest.strip_prefix('"');
        let (term, after) = match quoted {
            Some(inside) => inside.split_once('"').unwrap_or((inside, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        rest = after.trim_start();
        let narrowing = term.split_once(':').filter(|_| quoted.is_none());
        let narrowing = narrowing.map(|(kind, value)| (kind.to_ascii_lowercase(), value));
        match narrowing.as_ref().map(|(kind, value)| (kind.as_str(), *value)) {
            Some(("from" | "in" | "before" | "after", "")) => {
                let text = format!("`{}` names nobody and nothing", shortened(term));
                let hint = "write it without a space, as in from:bob, in:den, before:2026-01-31";
                return Err(Refusal::new(code::USAGE, text).hint(hint));
            }
            Some(("from", name)) => looked_for.from = Some(view.user(name).map(|(id, user)| (id, user.name.to_string()))?),
            Some(("in", name)) => looked_for.of = place(name, view)?,
            Some(("before", value)) => looked_for.before = Some(bound(term, value)?),
            Some(("after", value)) => looked_for.since = Some(bound(term, value)?),
            _ => looked_for.wanted.add(term).map_err(|term| {
                let text = format!("`{}` is too short a beginning", shortened(term));
                Refusal::new(code::USAGE, text).hint(format!("write {PREFIX_MIN} letters before the * at least"))
            })?,
        }
    }
    if looked_for.wanted.is_empty() {
        return Err(Refusal::new(code::USAGE, "there is no word to look for").hint("name one, as in search tea from:bob"));
    }
    if looked_for.wanted.len() > WANTED_MAX {
        let text = format!("one can look for {WANTED_MAX} words at once");
        return Err(Refusal::new(code::USAGE, text).hint("leave some out: fewer words find more"));
    }
    Ok(looked_for)
}

/// A room, or somebody: what was said between the two.
fn place(name: &str, view: &View<'_>) -> Result<PastOf, Refusal> {
    match view.room(name) {
        Ok((room, _)) => Ok(PastOf::Room(room)),
        Err(refusal) => view.user(name).map(|(id, _)| PastOf::With(id)).map_err(|_| refusal),
    }
}

fn bound(term: &str, value: &str) -> Result<Bound, Refusal> {
    if let Ok(seq) = value.parse() {
        return Ok(Bound::Number(seq));
    }
    read_moment(value).map(Bound::Moment).map_err(|_| {
        let kind = term.split(':').next().unwrap_or_default().to_ascii_lowercase();
        let hint = format!("write it as {kind}:2026-01-31, {kind}:2026-01-31T18:30 or {kind}:812");
        Refusal::new(code::USAGE, format!("`{}` is neither a day nor a message", shortened(term))).hint(hint)
    })
}
