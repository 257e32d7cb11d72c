//! `json`: one JSON object a line, for the client, bots and the harness.
//!
//! A program sends `{"line":"message bob hi","tag":"7","key":"k1"}` (tag and key may be left out) and reads one
//! object a line, each with a `type`. Answers to a line carry its tag and key; the last of them has `"done":true`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Dialect, Line, MARK_MAX, Marks, Partial, Refused};
use crate::event::Event;
use crate::refusal::{Refusal, code};

/// The dialect of programs.
pub struct Json;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientLine<'a> {
    #[serde(borrow)]
    line: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// The marks alone, to answer a line that is otherwise wrong.
#[derive(Default, Deserialize)]
struct MarksOnly {
    #[serde(default)]
    tag: Option<String>,
    #[serde(default)]
    key: Option<String>,
}

/// One line of a server, as a program reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerLine {
    /// What it says.
    #[serde(flatten)]
    pub event: Event,
    /// The tag of the line that this answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The key of the line that this answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether this is the last answer to that line.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    done: bool,
}

/// Reads one line that a server sent. A `type` from a newer server becomes [`Event::Unknown`].
///
/// # Errors
/// What serde says of a line that is not of this form.
pub fn decode_server_line(line: &str) -> Result<ServerLine, serde_json::Error> {
    serde_json::from_str(line)
}

/// Writes one line to a server, with its ending.
#[must_use]
pub fn encode_line(line: &Line<'_>) -> Vec<u8> {
    let line = ClientLine { line: Cow::Borrowed(&line.text), tag: line.marks.tag.clone(), key: line.marks.key.clone() };
    let mut out = Vec::new();
    write(&line, &mut out);
    out
}

fn write(value: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, value).expect("wire types have string keys, and a Vec takes every byte");
    out.push(b'\n');
}

impl Dialect for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn decode<'a>(&self, partial: &'a mut Partial, input: &'a [u8], limit: usize) -> (usize, Option<Result<Line<'a>, Refused>>) {
        let (taken, line) = partial.line(input, limit);
        (taken, line.map(|line| line.map_err(Refused::from).and_then(read)))
    }

    fn event(&self, event: &Event, out: &mut Vec<u8>) {
        write(event, out);
    }

    fn answer(&self, event: &Event, marks: &Marks, last: bool, out: &mut Vec<u8>) {
        write(&Answer { event, tag: marks.tag.as_deref(), key: marks.key.as_deref(), done: last }, out);
    }

    fn acknowledges(&self) -> bool {
        true
    }

    fn wants_cards(&self) -> bool {
        true
    }

    fn hears_private(&self) -> bool {
        true
    }
}

fn read(text: &str) -> Result<Line<'_>, Refused> {
    if text.trim_ascii().is_empty() {
        return Ok(Line { text: Cow::Borrowed(""), marks: Marks::default() });
    }
    let wrong = |why: &str| {
        Refusal::new(code::BAD_FRAME, format!("not a line of the json dialect: {why}"))
            .hint(r#"send {"line":"help"}, with "tag" and "key" if you like, or {"line":"dialect text"}"#)
    };
    // The library would read the fields from an array, too.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(wrong("not a JSON object").into());
    }
    let line: ClientLine<'_> = serde_json::from_str(text).map_err(|error| Refused {
        refusal: wrong(&error.to_string()),
        marks: serde_json::from_str(text)
            .map(|MarksOnly { tag, key }| Marks { tag: tag.filter(|t| t.len() <= MARK_MAX), key: key.filter(|k| k.len() <= MARK_MAX) })
            .unwrap_or_default(),
    })?;
    let marks = Marks { tag: line.tag, key: line.key };
    for (mark, what) in [(&marks.tag, "tag"), (&marks.key, "key")] {
        if mark.as_ref().is_some_and(|mark| mark.len() > MARK_MAX) {
            let text = format!("the {what} is longer than {MARK_MAX} bytes");
            return Err(Refusal::new(code::BAD_FRAME, text).hint("a UUID is long enough").into());
        }
    }
    if line.line.contains('\0') {
        return Err(Refused { refusal: super::nul(), marks });
    }
    Ok(Line { text: line.line, marks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Addressee, Fact, Said};
    use crate::time::Millis;

    #[test]
    fn what_is_written_is_read_back() {
        let said = Said {
            seq: 7,
            at: Millis(1),
            from: "alice".into(),
            to: Addressee::User("bob".into()),
            text: "\u{1b}[31m\nžofie".into(),
            offline: true,
            ..Said::default()
        };
        for event in [
            Event::Message(said.clone()),
            Event::Past(said),
            Event::Done,
            Event::Refusal(Refusal::new(code::USAGE, "no").hint("yes")),
            Event::Fact(Fact::new("acme.roll", "5").with("total", 5)),
        ] {
            let marks = Marks { tag: Some("t".into()), key: None };
            let mut out = Vec::new();
            Json.answer(&event, &marks, true, &mut out);
            let line = std::str::from_utf8(&out).unwrap();
            assert_eq!(line.matches('\n').count(), 1, "one object is one line");
            assert_eq!(decode_server_line(line).unwrap(), ServerLine { event, tag: Some("t".into()), key: None, done: true });
        }
    }

    #[test]
    fn a_type_from_the_future_is_unknown() {
        assert_eq!(decode_server_line(r#"{"type":"hologram","depth":3}"#).unwrap().event, Event::Unknown);
    }

    #[test]
    fn only_objects_are_lines_and_blank_ones_are_nothing() {
        for wrong in ["[]", r#"["whoelse",null,null]"#, "\"whoelse\"", "7", "whoelse"] {
            assert_eq!(read(wrong).unwrap_err().refusal.code, code::BAD_FRAME, "{wrong}");
        }
        assert_eq!(read("  "), Ok(Line { text: "".into(), marks: Marks::default() }));
    }

    #[test]
    fn a_wrong_line_is_answered_under_its_tag() {
        let refused = read(r#"{"lien":"help","tag":"9"}"#).unwrap_err();
        assert_eq!((refused.refusal.code, refused.marks.tag.as_deref()), (code::BAD_FRAME, Some("9")));
    }
}
