//! Which parts of a typed line are secrets, by what the cards say: they are masked on the screen and kept out of
//! the history.

use std::ops::Range;

use chinwag_wire::split::{self, Asked, Spot};
use chinwag_wire::{Card, suggest};

use crate::knowledge::Knowledge;

/// The bytes of `line` that are secret arguments, in order.
pub(crate) fn spans(line: &str, cards: &[Card]) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    // Every place where a word ends; what the splitter finds there is that word.
    let ends = line.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at).chain([line.len()]);
    for end in ends {
        let Spot::Argument { card, index, typed } = split::spot(&line[..end], cards) else {
            continue;
        };
        let secret = card.args.get(index).is_some_and(|arg| arg.kind.secret);
        if !secret || typed.is_empty() {
            continue;
        }
        let start = end - typed.len();
        match spans.last_mut() {
            // An argument that takes the rest of the line grows from word to word.
            Some(last) if last.start == start => last.end = end,
            _ => spans.push(start..end),
        }
    }
    spans
}

/// Whether `line` holds a secret, or looks like a slip of the fingers for one that does.
pub(crate) fn holds_one(line: &str, knowledge: &Knowledge) -> bool {
    if !spans(line, &knowledge.cards).is_empty() || !spans(line, knowledge.guarded()).is_empty() {
        return true;
    }
    // `pass wd`, `logn alice hunter2`: not a command, but the password is in the line nevertheless.
    let Asked::Command { name, rest } = split::line(line) else {
        return false;
    };
    let known = knowledge.cards.iter().chain(knowledge.guarded()).any(|card| card.answers_to(name));
    let guarded = knowledge.guarded().iter().map(|card| card.name.as_ref());
    !known && !rest.trim().is_empty() && suggest::nearest(name, guarded).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::for_tests;

    #[test]
    fn secrets_are_found_where_the_cards_say() {
        let knowledge = for_tests();
        for (line, secrets) in [
            ("message bob hunter2", vec![]),
            ("passwd", vec![]),
            ("passwd ", vec![]),
            ("/passwd old new", vec!["old", "new"]),
            ("PASSWD  žluť  kůň ", vec!["žluť", "kůň"]),
        ] {
            let found: Vec<&str> = spans(line, &knowledge.cards).into_iter().map(|span| &line[span]).collect();
            assert_eq!(found, secrets, "{line:?}");
        }
    }

    #[test]
    fn a_line_with_a_secret_is_known_even_if_mistyped_or_out_of_place() {
        let knowledge = for_tests();
        for (line, holds) in [
            ("message bob passwd hunter2", false),
            ("passwd", false),
            ("passwd old", true),
            ("login alice hunter2", true),
            ("login alice", false),
            ("logn alice hunter2", true),
            ("paswd old new", true),
            ("frobnicate x", false),
            ("@bob hi", false),
            ("", false),
        ] {
            assert_eq!(holds_one(line, &knowledge), holds, "{line:?}");
        }
    }
}
