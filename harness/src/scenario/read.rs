//! From RON to types, without losing where anything stands and without stopping at the first mistake.
//!
//! A borrowed `&RawValue` is a slice of the file, so its address says where it stands: every list item and every
//! value of a keyed group is read on its own, with its place, and what is wrong with one does not hide the others.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use ron::Options;
use ron::error::SpannedError;
use ron::extensions::Extensions;
use ron::value::RawValue;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Bytes, FIELDS, FullRole, Length, Op, Pat, Role, Scenario, ServerSetup, Shorthand, Step};
use crate::diagnostic::Mistake;
use crate::source::{self, Source, Span};

/// How long a scenario may take in real time before it counts as stuck: much longer than on a machine that has everything
/// else to do as well.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Stands for an error whose mistake has been recorded with its exact place already.
const RECORDED: &str = "\u{0}recorded";

thread_local! {
    /// The source that this thread reads, and what has been found wrong with it.
    static READING: RefCell<Reading> = const { RefCell::new(Reading { base: 0, length: 0, mistakes: Vec::new() }) };
}

struct Reading {
    base: usize,
    length: usize,
    mistakes: Vec<Mistake>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the file.
    pub span: Span,
}

/// A list whose items are read each on its own.
#[derive(Clone, Debug)]
pub struct Items<T>(pub Vec<Spanned<T>>);

impl<T> Default for Items<T> {
    fn default() -> Items<T> {
        Items(Vec::new())
    }
}

/// `(alice: "hi", bob: "yo")`: values under free names, in the order of the file, each name once.
#[derive(Clone, Debug)]
pub struct By<T>(pub Vec<(Spanned<String>, Spanned<T>)>);

impl<T> Default for By<T> {
    fn default() -> By<T> {
        By(Vec::new())
    }
}

/// `"a"` or `["a", "b"]`.
#[derive(Clone, Debug)]
pub struct OneOrMany<T>(pub Vec<Spanned<T>>);

/// Reads a source. With mistakes, what is returned beside them may lack parts.
pub(super) fn read(source: &Source) -> (Option<Scenario>, Vec<Mistake>) {
    READING.set(Reading { base: source.text.as_ptr().addr(), length: source.text.len(), mistakes: Vec::new() });
    let scenario = parse::<Fields<'_>>(&source.text).map(|fields| fields.scenario());
    let reading = READING.replace(Reading { base: 0, length: 0, mistakes: Vec::new() });
    (scenario, reading.mistakes)
}

/// Reads a list of steps that stands somewhere in a source.
pub(super) fn read_steps(source: &Source, range: Span) -> (Option<Items<Step>>, Vec<Mistake>) {
    READING.set(Reading { base: source.text.as_ptr().addr(), length: source.text.len(), mistakes: Vec::new() });
    let steps = parse::<Items<Step>>(&source.text[range]);
    let reading = READING.replace(Reading { base: 0, length: 0, mistakes: Vec::new() });
    (steps, reading.mistakes)
}

/// The variants of an enum, as serde knows them.
pub(super) fn variants<T: de::DeserializeOwned + fmt::Debug>() -> &'static [&'static str] {
    match options().from_str::<T>("NoSuchVariant").map_err(|error| error.code) {
        Err(ron::Error::NoSuchEnumVariant { expected, .. }) => expected,
        _ => &[],
    }
}

fn options() -> Options {
    Options::default().with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_NEWTYPES | Extensions::UNWRAP_VARIANT_NEWTYPES)
}

/// Parses a slice of the source; what is wrong is recorded.
fn parse<'de, T: Deserialize<'de>>(text: &'de str) -> Option<T> {
    match options().from_str::<T>(text) {
        Ok(value) => Some(value),
        Err(error) => {
            if !matches!(&error.code, ron::Error::Message(message) if message.contains(RECORDED)) {
                record(mistake(text, &error));
            }
            None
        }
    }
}

/// Parses a slice of the source on behalf of a deserializer.
fn parse_in<'de, T: Deserialize<'de>, E: de::Error>(text: &'de str) -> Result<T, E> {
    parse(text).ok_or_else(|| E::custom(RECORDED))
}

fn record(mistake: Mistake) {
    READING.with_borrow_mut(|reading| reading.mistakes.push(mistake));
}

/// Where a slice of the source stands in it.
fn span_of(slice: &str) -> Span {
    let (base, length) = READING.with_borrow(|reading| (reading.base, reading.length));
    let start = slice.as_ptr().addr().wrapping_sub(base);
    // A slice that is not of the source (ron copied it) has no place: the whole file stands for it.
    if start + slice.len() <= length { start..start + slice.len() } else { 0..length }
}

/// A raw value without the blanks and comments around it, as a slice of the source.
fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'de str, D::Error> {
    Ok(<&'de RawValue>::deserialize(deserializer)?.trim().get_ron())
}

/// Says in our words what ron found, and where.
fn mistake(text: &str, error: &SpannedError) -> Mistake {
    let base = span_of(text).start;
    let start = source::offset(text, error.span.start.line, error.span.start.col);
    let end = source::offset(text, error.span.end.line, error.span.end.col).max(start);
    let (start, end) = trimmed(text, start, end);
    let span = base + start..base + end;
    match &error.code {
        ron::Error::NoSuchEnumVariant { expected, found, outer } => {
            let (kind, found) = (kind(outer.as_deref()), found.as_str());
            let mistake = Mistake::new(at_word(text, base, start, end, found), format!("`{found}` is not {kind}"));
            mistake.meant(found, expected.iter().copied())
        }
        ron::Error::NoSuchStructField { expected, found, .. } => {
            let mistake = Mistake::new(at_word(text, base, start, end, found), format!("there is no field `{found}` here"));
            mistake.meant(found, expected.iter().copied())
        }
        ron::Error::MissingStructField { field, .. } => Mistake::new(span, format!("the field `{field}` is missing")),
        ron::Error::ExpectedComma => {
            let end = code_end(&text[..start]);
            Mistake::new(base + end.saturating_sub(1)..base + end, "a comma is missing").label("after this")
        }
        ron::Error::ExceededRecursionLimit => Mistake::new(span, "the nesting is too deep"),
        ron::Error::ExpectedDifferentStructName { expected, found } => {
            Mistake::new(span, format!("expected `{expected}(…)`, found `{found}`"))
        }
        ron::Error::ExpectedStringEnd => {
            let quote = Mistake::new(span.start..span.start + usize::from(span.start < span.end), "this text has no end");
            quote.label("begins here").help("a `\"` is missing where it ends; one inside a text is written `\\\"`, or the text r#\"…\"#")
        }
        // What stands in place of a value ends a list or a group.
        ron::Error::ExpectedRawValue => Mistake::new(span, "a value is missing here"),
        other => {
            let text = other.to_string();
            let mut chars = text.chars();
            let lower = chars.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
            Mistake::new(span, lower + chars.as_str())
        }
    }
}

/// Where the code ends, without the blanks and comments behind it.
fn code_end(text: &str) -> usize {
    let text = text.trim_end();
    if text.ends_with("*/") {
        return text.rfind("/*").map_or(text.len(), |at| code_end(&text[..at]));
    }
    let line_start = text.rfind('\n').map_or(0, |at| at + 1);
    // A `//` after an odd number of quotes stands in a string.
    let comment =
        text[line_start..].match_indices("//").find(|(at, _)| text[line_start..line_start + at].matches('"').count().is_multiple_of(2));
    comment.map_or(text.len(), |(at, _)| code_end(&text[..line_start + at]))
}

fn kind(outer: Option<&str>) -> &'static str {
    match outer {
        Some("Step") => "a step",
        Some("Op") => "an expectation",
        Some("Shorthand") => "a member of the cast",
        _ => "known here",
    }
}

/// ron's cursor may stand behind the word it is about: finds the word again.
fn at_word(text: &str, base: usize, start: usize, end: usize, word: &str) -> Span {
    let at = if text[start..end].contains(word) { text[start..].find(word).map(|at| start + at) } else { text[..end].rfind(word) };
    at.map_or(base + start..base + end, |at| base + at..base + at + word.len())
}

fn trimmed(text: &str, start: usize, end: usize) -> (usize, usize) {
    let inner = &text[start..end];
    let from = start + (inner.len() - inner.trim_start().len());
    let to = from + inner.trim().len();
    if from < to {
        return (from, to);
    }
    // Nothing but blanks: one character, so that there is something to point at.
    let width = text[start..].chars().next().map_or(0, char::len_utf8);
    (start, start + width)
}

/// The fields of a scenario as slices: each is then read on its own.
struct Fields<'de>(Vec<(&'de str, &'de str)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("Scenario(about: \"…\", …)")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = Vec::new();
                while let Some(name) = map.next_key::<&'de str>()? {
                    fields.push((name, map.next_value::<&'de RawValue>()?.trim().get_ron()));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_struct("Scenario", FIELDS, Pairs)
    }
}

impl<'de> Fields<'de> {
    fn scenario(self) -> Scenario {
        for (at, (name, _)) in self.0.iter().enumerate() {
            if !FIELDS.contains(name) {
                let mistake = Mistake::new(span_of(name), format!("a scenario has no field `{name}`"));
                record(mistake.meant(name, FIELDS.iter().copied()));
            } else if self.0[..at].iter().any(|(earlier, _)| earlier == name) {
                record(Mistake::new(span_of(name), format!("`{name}` is given twice")));
            }
        }
        for required in ["about", "steps"] {
            if !self.0.iter().any(|(name, _)| *name == required) {
                record(Mistake::new(0..1, format!("the scenario has no `{required}`")));
            }
        }
        Scenario {
            about: self.get("about").unwrap_or_default(),
            tags: self.get::<Items<String>>("tags").map(|tags| tags.0.into_iter().map(|tag| tag.value).collect()).unwrap_or_default(),
            skip: self.skip(),
            seed: self.get("seed"),
            timeout: self.get::<Length>("timeout").map_or(TIMEOUT, |timeout| timeout.length),
            server: self.get::<ServerSetup>("server").unwrap_or_default(),
            cast: self.get::<By<Role>>("cast").unwrap_or_default(),
            redact: self.get("redact").unwrap_or_default(),
            omit: self.get("omit").unwrap_or_default(),
            steps: self.get::<Items<Step>>("steps").unwrap_or_default(),
            faults: Vec::new(),
        }
    }

    fn get<T: Deserialize<'de>>(&self, name: &str) -> Option<T> {
        self.0.iter().find(|(field, _)| *field == name).and_then(|(_, text)| parse(text))
    }

    fn skip(&self) -> Option<String> {
        let reason: Spanned<String> = self.get("skip")?;
        if reason.value.trim().is_empty() {
            record(Mistake::new(reason.span, "a skip needs a reason").help("say what has to happen before it can run"));
        }
        Some(reason.value)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = raw(deserializer)?;
        Ok(Spanned { value: parse_in(text)?, span: span_of(text) })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Items<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Items<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Self::Value, S::Error> {
                let mut items = Vec::new();
                while let Some(text) = seq.next_element::<&'de RawValue>()? {
                    let text = text.trim().get_ron();
                    items.extend(parse(text).map(|value| Spanned { value, span: span_of(text) }));
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(List(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for By<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Group<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Group<T> {
            type Value = By<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("(name: value, …)")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut group: Vec<(Spanned<String>, Spanned<T>)> = Vec::new();
                while let Some(name) = map.next_key::<&'de str>()? {
                    let text = map.next_value::<&'de RawValue>()?.trim().get_ron();
                    if group.iter().any(|(earlier, _)| earlier.value == name) {
                        record(Mistake::new(span_of(name), format!("`{name}` twice in one group")));
                    }
                    let name = Spanned { value: name.to_owned(), span: span_of(name) };
                    group.extend(parse(text).map(|value| (name, Spanned { value, span: span_of(text) })));
                }
                Ok(By(group))
            }
        }
        // No name to check, and no list of fields: any name is a field.
        deserializer.deserialize_struct("", &[], Group(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = raw(deserializer)?;
        if text.starts_with('[') {
            return Ok(OneOrMany(parse_in::<Items<T>, D::Error>(text)?.0));
        }
        Ok(OneOrMany(vec![Spanned { value: parse_in(text)?, span: span_of(text) }]))
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = raw(deserializer)?;
        if is_string(text) {
            return Ok(Role { password: parse_in(text)?, ..Role::default() });
        }
        if text.starts_with('(') {
            let FullRole { password, text, account, from, wire } = parse_in(text)?;
            return Ok(Role { password, text, account, from, wire });
        }
        if !text.starts_with(|c: char| c.is_alphabetic()) {
            return Err(de::Error::custom(
                "expected a password such as \"pw\", or Text(\"pw\"), As(\"alice\"), From(\"127.0.0.2\", \"pw\")",
            ));
        }
        Ok(match parse_in(text)? {
            Shorthand::Text(password) => Role { password, text: true, ..Role::default() },
            Shorthand::As(account) => Role { account: Some(account), ..Role::default() },
            Shorthand::From(address, password) => Role { password, from: Some(address), ..Role::default() },
        })
    }
}

impl<'de> Deserialize<'de> for Pat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = raw(deserializer)?;
        if is_string(text) {
            return parse_in(text).map(Pat::Text);
        }
        if !text.starts_with(|c: char| c.is_alphabetic()) {
            return Err(de::Error::custom("expected a text, or an expectation such as Has(\"…\")"));
        }
        parse_in::<Op, _>(text).map(Pat::Op)
    }
}

/// Whether a literal is a string: `"…"`, `r"…"` or `r#"…"#`.
fn is_string(text: &str) -> bool {
    text.strip_prefix('r').map_or(text, |raw| raw.trim_start_matches('#')).starts_with('"')
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        let length = chinwag_wire::time::read_duration(&written).map_err(de::Error::custom)?;
        Ok(Length { written, length })
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Literal;
        impl Visitor<'_> for Literal {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes, such as b\"\\xff\\n\"")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Literal)
    }
}
