//! The one splitter: server, client completion, hints and harness read a line with this and nothing else.
//!
//! A line is a name and what follows it. A leading `/` is optional; `@bob hi` and `@bob: hi` are
//! `message bob hi`; `@all hi` is `broadcast hi`; `//x` says the text `/x`. After the name come words; the last
//! argument may take the rest of the line as it is: no quotes, no escapes, because people write `don't`.

use std::borrow::Cow;

use crate::card::{Card, Shape};

/// The command that `@NAME` stands for.
pub const DIRECT: &str = "message";
/// The command that a line without a `/` stands for in a room.
pub const TO_ROOM: &str = "say";
/// The command that `@all` stands for.
pub const TO_ALL: &str = "broadcast";

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// Nothing: an empty or blank line.
    Nothing,
    /// A command and what follows its name.
    Command {
        /// As typed; compare without regard to case.
        name: &'a str,
        /// What follows, without the space between.
        rest: Cow<'a, str>,
    },
    /// Text for the room one is in.
    Say(&'a str),
}

/// Reads a line as it is meant in a room: what has no `/` and no `@` in front is said to the room.
#[must_use]
pub fn line_in_room(typed: &str) -> Asked<'_> {
    let line = typed.trim_start_matches(is_blank);
    match line.chars().next() {
        None | Some('/' | '@') => self::line(typed),
        Some(_) => Asked::Say(line),
    }
}

/// Reads a line as it is meant outside of rooms: a bare first word is a command too.
#[must_use]
pub fn line(typed: &str) -> Asked<'_> {
    let line = typed.trim_start_matches(is_blank);
    if line.is_empty() {
        return Asked::Nothing;
    }
    if let Some(said) = line.strip_prefix('/') {
        if said.starts_with('/') {
            return Asked::Say(said);
        }
        let (name, rest) = word(said);
        return Asked::Command { name, rest: Cow::Borrowed(rest) };
    }
    if let Some(addressed) = line.strip_prefix('@') {
        return at(addressed);
    }
    let (name, rest) = word(line);
    Asked::Command { name, rest: Cow::Borrowed(rest) }
}

/// `bob: hi`, `bob hi`, `all: hi`: what follows the `@`.
fn at(addressed: &str) -> Asked<'_> {
    let (name, rest) = word(addressed);
    // `@bob:hi`: a colon ends the name even without a space behind it.
    let (name, rest) = match name.split_once(':') {
        Some((name, "")) => (name, rest),
        Some((name, _)) => (name, addressed[name.len() + 1..].trim_start_matches(is_blank)),
        None => (name, rest),
    };
    if name.eq_ignore_ascii_case("all") {
        return Asked::Command { name: TO_ALL, rest: Cow::Borrowed(rest) };
    }
    let rest = if rest.is_empty() { Cow::Borrowed(name) } else { Cow::Owned(format!("{name} {rest}")) };
    Asked::Command { name: DIRECT, rest }
}

/// The first word and the rest, without the blanks between.
#[must_use]
pub fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start_matches(is_blank);
    match text.find(is_blank) {
        Some(end) => (&text[..end], text[end..].trim_start_matches(is_blank)),
        None => (text, ""),
    }
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// What stands under the cursor at the end of a half-typed line: for completion, hints and highlighting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot<'a> {
    /// The name of a command, so far typed like this (without the `/`).
    Name(&'a str),
    /// After `@`: a name of somebody, so far typed like this.
    Addressee(&'a str),
    /// An argument of a known command.
    Argument {
        /// Whose argument.
        card: &'a Card,
        /// Which one; may be one past the last, where nothing more belongs.
        index: usize,
        /// What of it is typed.
        typed: &'a str,
    },
    /// The command is not in the cards.
    UnknownCommand(&'a str),
    /// Text for a room.
    Text,
}

/// Finds the spot at the end of `typed`.
#[must_use]
pub fn spot<'a>(typed: &'a str, cards: &'a [Card]) -> Spot<'a> {
    let line = typed.trim_start_matches(is_blank);
    if line.starts_with("//") {
        return Spot::Text;
    }
    if let Some(addressed) = line.strip_prefix('@') {
        let Some(end) = addressed.find([' ', '\t', ':']) else { return Spot::Addressee(addressed) };
        let (text, alias) = (&addressed[end + 1..], if addressed[..end].eq_ignore_ascii_case("all") { TO_ALL } else { DIRECT });
        let Some(card) = cards.iter().find(|card| card.answers_to(alias)) else { return Spot::UnknownCommand(alias) };
        return Spot::Argument { card, index: card.args.len().saturating_sub(1), typed: text.trim_start_matches(is_blank) };
    }
    let bare = line.strip_prefix('/').unwrap_or(line);
    let Some(end) = bare.find(is_blank) else { return Spot::Name(bare) };
    let (name, mut rest) = (&bare[..end], bare[end..].trim_start_matches(is_blank));
    let Some(card) = cards.iter().find(|card| card.answers_to(name)) else { return Spot::UnknownCommand(name) };
    let mut index = 0;
    loop {
        let takes_rest = card.args.get(index).is_some_and(|arg| arg.kind.shape == Shape::Rest);
        match rest.find(is_blank) {
            Some(end) if !takes_rest && index < card.args.len() => {
                rest = rest[end..].trim_start_matches(is_blank);
                index += 1;
            }
            _ => return Spot::Argument { card, index, typed: rest },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::card::{ArgCard, Kind};

    fn command<'a>(name: &'a str, rest: &'a str) -> Asked<'a> {
        Asked::Command { name, rest: Cow::Borrowed(rest) }
    }

    #[test]
    fn lines() {
        for (typed, asked) in [
            ("", Asked::Nothing),
            ("  \t", Asked::Nothing),
            ("whoelse", command("whoelse", "")),
            ("/whoelse", command("whoelse", "")),
            ("message bob  don't  be late ", command("message", "bob  don't  be late ")),
            ("@bob hi there", command("message", "bob hi there")),
            ("@bob: hi", command("message", "bob hi")),
            ("@bob:hi you", command("message", "bob hi you")),
            ("@bob", command("message", "bob")),
            ("@ALL: hello", command("broadcast", "hello")),
            ("@all hello", command("broadcast", "hello")),
            ("//shrug", Asked::Say("/shrug")),
            ("/", command("", "")),
            ("@", command("message", "")),
        ] {
            assert_eq!(line(typed), asked, "{typed:?}");
        }
    }

    fn card() -> Card {
        let text = Kind { shape: Shape::Rest, ..Kind::WORD };
        let arg = |name: &'static str, kind| ArgCard { name: name.into(), help: "x".into(), kind };
        Card {
            name: "message".into(),
            aliases: vec!["msg".into()].into(),
            summary: "Say.".into(),
            args: vec![arg("to", Kind::WORD), arg("text", text)],
            examples: "".into(),
        }
    }

    #[test]
    fn spots() {
        let cards = [card()];
        let at = |index, typed| Spot::Argument { card: &cards[0], index, typed };
        assert_eq!(spot("", &cards), Spot::Name(""));
        assert_eq!(spot("/mes", &cards), Spot::Name("mes"));
        assert_eq!(spot("msg ", &cards), at(0, ""));
        assert_eq!(spot("/MSG bo", &cards), at(0, "bo"));
        assert_eq!(spot("msg bob  ", &cards), at(1, ""));
        assert_eq!(spot("msg bob hi you", &cards), at(1, "hi you"));
        assert_eq!(spot("@b", &cards), Spot::Addressee("b"));
        assert_eq!(spot("@bob: hi", &cards), at(1, "hi"));
        assert_eq!(spot("frob x", &cards), Spot::UnknownCommand("frob"));
        assert_eq!(spot("//frob x", &cards), Spot::Text);
    }

    proptest! {
        #[test]
        fn no_line_panics(typed in any::<String>()) {
            let cards = [card()];
            let _ = (line(&typed), spot(&typed, &cards));
        }

        #[test]
        fn the_rest_is_raw(text in "[^ \t\r\n][^\r\n]*") {
            let typed = format!("message {text}");
            prop_assert_eq!(line(&typed), command("message", &text));
        }
    }
}
