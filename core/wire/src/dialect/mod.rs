//! Dialects: how lines come in and events go out as bytes. One file or folder each; all of them drive the same commands.
//!
//! Those in [`ALL`] are line by line and without memory; those in [`WIRES`] are protocols with frames and states of their
//! own (see [`wire`]).

pub mod json;
pub mod s1;
pub mod s4;
pub mod text;
pub mod wire;

use std::borrow::Cow;

use crate::event::Event;
use crate::refusal::{Refusal, code};

/// A way of writing lines and events.
pub trait Dialect: Send + Sync {
    /// What `dialect NAME` calls it.
    fn name(&self) -> &'static str;

    /// Takes one line off the front of `input`, or takes all of `input` into `partial`. Says how many bytes it took.
    ///
    /// `partial` holds at most `limit` bytes, and none at all between lines.
    ///
    /// # Errors
    /// `line-too-long`, `not-utf8`, `nul` and, where a line has a form, `bad-frame`; each costs that line only.
    fn decode<'a>(&self, partial: &'a mut Partial, input: &'a [u8], limit: usize) -> (usize, Option<Result<Line<'a>, Refused>>);

    /// Appends `event` as it is said to anyone. The same bytes go to every reader of this dialect.
    fn event(&self, event: &Event, out: &mut Vec<u8>);

    /// Appends `event` as the answer to a line: with the marks of the line, and `last` if no more follows.
    fn answer(&self, event: &Event, marks: &Marks, last: bool, out: &mut Vec<u8>);

    /// Whether readers of this dialect say themselves what they have seen (`ack`). Where they do not, what has
    /// been written to the socket counts as seen.
    fn acknowledges(&self) -> bool;

    /// Whether readers want cards and the roster after login.
    fn wants_cards(&self) -> bool;

    /// Whether readers can be told of private chats.
    fn hears_private(&self) -> bool;
}

/// What a program attached to its line, to recognise the answer by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Echoed in every answer to the line.
    pub tag: Option<String>,
    /// Echoed too; and what is said under the same key by the same user is said once.
    pub key: Option<String>,
}

/// The longest tag or key, in bytes: room for any UUID, no room for abuse.
pub const MARK_MAX: usize = 64;

/// One line as a dialect understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line as a person would type it.
    pub text: Cow<'a, str>,
    /// What came with it.
    pub marks: Marks,
}

/// A line that could not be understood, and the marks that could be read nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// What came with it.
    pub marks: Marks,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused { refusal, marks: Marks::default() }
    }
}

/// Every dialect a line-mode connection can switch to. The first is spoken from the start.
pub static ALL: [&dyn Dialect; 2] = [&text::Text, &json::Json];

/// Every wire that an address can be opened for.
pub static WIRES: [&dyn wire::Wire; 2] = [&s1::S1, &s4::S4];

/// The wire called `name`.
#[must_use]
pub fn wire_named(name: &str) -> Option<&'static dyn wire::Wire> {
    WIRES.into_iter().find(|wire| wire.name().eq_ignore_ascii_case(name))
}

/// The place in [`ALL`] of the dialect called `name`.
#[must_use]
pub fn index_of(name: &str) -> Option<usize> {
    ALL.iter().position(|dialect| dialect.name().eq_ignore_ascii_case(name))
}

/// The beginning of a line whose end has not come yet. Empty, and without memory of its own, between lines.
#[derive(Debug, Default)]
pub struct Partial {
    bytes: Vec<u8>,
    /// The bytes were handed out as part of a whole line: forget them at the next call.
    spent: bool,
    /// The line was too long: everything up to its end is skipped.
    skipping: bool,
}

impl Partial {
    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        if self.spent { 0 } else { self.bytes.len() }
    }

    /// Takes one line, without its ending (`\n` or `\r\n`), off the front of `input`. Says how many bytes it took:
    /// all of them when the line has no end yet.
    ///
    /// # Errors
    /// `line-too-long` as soon as the limit is passed (the rest is then skipped without keeping it), `not-utf8`, `nul`.
    pub fn line<'a>(&'a mut self, input: &'a [u8], limit: usize) -> (usize, Option<Result<&'a str, Refusal>>) {
        if self.spent {
            // Half a line is rare: between lines a connection owns no buffer.
            self.bytes = Vec::new();
            self.spent = false;
        }
        let mut taken = 0;
        if self.skipping {
            let Some(end) = line_end(input) else { return (input.len(), None) };
            self.skipping = false;
            taken = end + 1;
        }
        let input = &input[taken..];
        let end = line_end(input);
        let chunk = &input[..end.unwrap_or(input.len())];
        taken += end.map_or(input.len(), |end| end + 1);
        // One byte more than the limit may be the `\r` of the ending.
        let length = self.bytes.len() + chunk.len();
        let carriage_return = usize::from(chunk.last().or(self.bytes.last()) == Some(&b'\r'));
        if length - carriage_return > limit {
            self.bytes = Vec::new();
            self.skipping = end.is_none();
            return (taken, Some(Err(too_long(limit))));
        }
        if end.is_none() {
            self.bytes.extend_from_slice(chunk);
            return (taken, None);
        }
        let line = if self.bytes.is_empty() {
            chunk
        } else {
            self.bytes.extend_from_slice(chunk);
            self.spent = true;
            &self.bytes
        };
        (taken, Some(checked(line.strip_suffix(b"\r").unwrap_or(line))))
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|b| *b == b'\n')
}

fn checked(line: &[u8]) -> Result<&str, Refusal> {
    let line = std::str::from_utf8(line).map_err(|_| Refusal::new(code::NOT_UTF8, "the line is not UTF-8").hint("send text in UTF-8"))?;
    if line.contains('\0') {
        return Err(nul());
    }
    Ok(line)
}

fn too_long(limit: usize) -> Refusal {
    Refusal::new(code::LINE_TOO_LONG, format!("the line is longer than {limit} bytes")).hint("say it in several lines")
}

fn nul() -> Refusal {
    Refusal::new(code::NUL, "the line has a NUL character").hint("send text")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `chunks` and collects what comes out.
    fn decoded(dialect: &dyn Dialect, chunks: &[&[u8]], limit: usize) -> Vec<Result<String, &'static str>> {
        let mut partial = Partial::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            let mut input = *chunk;
            loop {
                let (taken, line) = dialect.decode(&mut partial, input, limit);
                let line = line.map(|line| match line {
                    Ok(line) => Ok(line.text.into_owned()),
                    Err(refused) => Err(match refused.refusal.code.as_str() {
                        "line-too-long" => "line-too-long",
                        "not-utf8" => "not-utf8",
                        "nul" => "nul",
                        "bad-frame" => "bad-frame",
                        other => panic!("unexpected refusal {other}"),
                    }),
                });
                input = &input[taken..];
                assert!(partial.held() <= limit + 1, "no more than the bound is held");
                let Some(line) = line else { break };
                lines.push(line);
            }
            assert!(input.is_empty(), "a decoder takes all it is given");
        }
        lines
    }

    #[test]
    fn bad_lines_cost_only_themselves() {
        let all = decoded(&text::Text, &[b"one\r\ntw", b"o\n\xff\xfe\nthree\nnul\0\n0123456789abcdef\nfour\n"], 10);
        assert_eq!(
            all,
            [Ok("one".into()), Ok("two".into()), Err("not-utf8"), Ok("three".into()), Err("nul"), Err("line-too-long"), Ok("four".into())]
        );
    }

    #[test]
    fn a_line_of_just_the_limit_passes_with_either_ending() {
        assert_eq!(decoded(&text::Text, &[b"0123456789\n0123456789\r\n0123456789a\n"], 10).iter().filter(|l| l.is_ok()).count(), 2);
        assert_eq!(decoded(&text::Text, &[b"0123456789", b"\r", b"\n"], 10), [Ok("0123456789".to_owned())]);
    }

    #[test]
    fn an_endless_line_is_refused_once_and_not_kept() {
        let chunk = [b'x'; 1000];
        let mut chunks: Vec<&[u8]> = vec![&chunk; 100];
        chunks.push(b"\nok\n");
        assert_eq!(decoded(&text::Text, &chunks, 100), [Err("line-too-long"), Ok("ok".into())]);
    }

    proptest! {
        #[test]
        fn any_split_of_any_bytes_decodes_the_same(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'{'), any::<u8>()], 0..300), cuts in prop::collection::vec(0usize..300, 0..8)) {
            for dialect in ALL {
                let whole = decoded(dialect, &[&bytes], 40);
                let mut cuts: Vec<usize> = cuts.iter().map(|c| c.min(&bytes.len()).to_owned()).collect();
                cuts.sort_unstable();
                let mut chunks = Vec::new();
                let mut from = 0;
                for cut in cuts {
                    chunks.push(&bytes[from..cut]);
                    from = cut;
                }
                chunks.push(&bytes[from..]);
                prop_assert_eq!(decoded(dialect, &chunks, 40), whole);
            }
        }

        #[test]
        fn a_text_line_decodes_as_it_was_sent(line in "[^\r\n\\x00]{0,200}") {
            let sent = format!("{line}\n");
            prop_assert_eq!(decoded(&text::Text, &[sent.as_bytes()], 1000), [Ok(line)]);
        }

        #[test]
        fn a_json_line_decodes_as_it_was_sent(text in "[^\\x00]{0,200}", tag in prop::option::of("[a-z0-9]{1,8}")) {
            let line = Line { text: text.into(), marks: Marks { tag, key: None } };
            let sent = json::encode_line(&line);
            let mut partial = Partial::default();
            prop_assert_eq!(json::Json.decode(&mut partial, &sent, 10_000), (sent.len(), Some(Ok(line))));
        }
    }
}
