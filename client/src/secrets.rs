//! Which parts of a typed line are secrets, by what the cards say: they are masked on the screen and kept out of
//! the history.

use std::ops::Range;

use chinwag_wire::name::folded;
use chinwag_wire::split::{self, Asked, Spot};
use chinwag_wire::{ArgCard, Card, Complete, Shape, suggest};

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

/// The command that a bare line may be meant for that is said to a room or to somebody, where that would show them a secret: `passwd old new`, but not
/// `passwd is for passwords`, which no command would take, nor `join us for tea`, where there is no room `us`.
pub(crate) fn slip<'a>(line: &str, knowledge: &'a Knowledge) -> Option<&'a Card> {
    knowledge.addressee()?;
    let Asked::Say(said) = split::line_in_room(line) else { return None };
    let (name, rest) = split::word(said);
    let card = knowledge.guarded().iter().find(|card| card.answers_to(name))?;
    let words: Vec<&str> = rest.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    let takes_rest = card.args.iter().any(|arg| arg.kind.shape == Shape::Rest);
    let fit = words.len() <= card.args.len() || takes_rest;
    let mut given = card.args.iter().zip(&words);
    let holds_secret = given.clone().any(|(arg, _)| arg.kind.secret);
    (fit && holds_secret && given.all(|(arg, word)| may_be(arg, word, knowledge))).then_some(card)
}

/// Whether `word` may be meant as `arg`, as far as that can be known here.
fn may_be(arg: &ArgCard, word: &str, knowledge: &Knowledge) -> bool {
    match &arg.kind.complete {
        Complete::OneOf(words) => words.iter().any(|known| known.eq_ignore_ascii_case(word)),
        Complete::Rooms => {
            let name = folded(word.strip_prefix('#').unwrap_or(word));
            knowledge.rooms().any(|room| folded(room) == name)
        }
        Complete::KnownUsers | Complete::OnlineUsers => knowledge.knows(word),
        _ => true,
    }
}

/// The bytes of `line` that are hidden while it is typed: secrets, and where words are said what would be one if the line were a command.
pub(crate) fn hidden(line: &str, knowledge: &Knowledge) -> Vec<Range<usize>> {
    let is_words = knowledge.addressee().is_some() && matches!(split::line_in_room(line), Asked::Say(_)) && slip(line, knowledge).is_none();
    if is_words { Vec::new() } else { spans(line, knowledge.guarded()) }
}

#[cfg(test)]
mod tests {
    use chinwag_wire::{Event, Kind};

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

    #[test]
    fn in_a_room_what_may_be_meant_as_a_command_is_hidden_and_what_is_words_is_not() {
        let mut knowledge = for_tests();
        let secret = Kind { secret: true, ..Kind::WORD };
        let arg = |name: &'static str, kind| ArgCard { name: name.into(), help: "x".into(), kind };
        let kind = |complete| Kind { complete, ..Kind::WORD };
        let card = |name: &'static str, first| Card {
            name: name.into(),
            aliases: vec![].into(),
            summary: "X.".into(),
            args: vec![arg("first", first), arg("secret", secret.clone())],
            examples: "".into(),
        };
        let cards = [
            knowledge.cards.clone(),
            vec![
                card("join", kind(Complete::Rooms)),
                card("access", kind(Complete::OneOf(vec!["public".into(), "password".into()].into()))),
                card("accept", kind(Complete::KnownUsers)),
            ],
        ]
        .concat();
        knowledge.learn(&Event::Cards { cards });
        let slips = [
            ("passwd old new", "passwd *** ***"),
            ("passwd old", "passwd ***"),
            ("  PASSWD\told new ", "  PASSWD\t*** *** "),
            ("passwd is easy", "passwd ** ****"),
            ("login alice hunter2", "login alice *******"),
            ("login page broken", "login page ******"),
            ("join den hunter2", "join den *******"),
            ("join #Den hunter2", "join #Den *******"),
            ("access Password hunter2", "access Password *******"),
            ("accept bob hunter2", "accept bob *******"),
        ];
        let words = [
            "passwd is too easy",
            "passwd",
            "join us tonight",
            "join den",
            "access is denied",
            "accept the terms",
            "login",
            "login page",
            "message bob hunter2",
            "a passwd b",
            "//passwd old new",
            "",
        ];
        let shown = |line: &str, knowledge: &Knowledge| {
            let mut shown = line.to_owned();
            hidden(line, knowledge).into_iter().for_each(|span| shown.replace_range(span.clone(), &"*".repeat(span.len())));
            shown
        };
        for line in slips.map(|(line, _)| line).iter().chain(&words) {
            assert!(slip(line, &knowledge).is_none(), "nobody is in a room: {line:?}");
        }
        assert_eq!(shown("login is too easy", &knowledge), "login is *** easy", "outside of rooms it is a command, and wrong");
        knowledge.learn(&Event::Entered {
            room: "den".into(),
            nick: "alice".into(),
            topic: None,
            others: Vec::new(),
            more: false,
            created: false,
            heard_only: false,
        });
        for (line, expected) in slips {
            assert_eq!(shown(line, &knowledge), expected, "{line:?}");
            let command = format!("/{}", line.trim_start());
            assert!(slip(line, &knowledge).is_some() && slip(&command, &knowledge).is_none(), "{line:?}");
            assert!(shown(&command, &knowledge).contains('*'), "{command:?}");
        }
        for line in words {
            assert!(slip(line, &knowledge).is_none() && hidden(line, &knowledge).is_empty(), "{line:?}");
        }
        knowledge.learn(&Event::Left { room: "den".into() });
        knowledge.talk_to(Some("bob"));
        assert!(slips.iter().all(|(line, _)| slip(line, &knowledge).is_some()), "bob would read it");
    }
}
