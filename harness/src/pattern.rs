//! Whether what was received is what was expected.

use regex_lite::Regex;
use serde_json::Value;

use crate::connection::Heard;
use crate::holes::{self, Filling};
use crate::scenario::{Op, Pat, Spanned};
use crate::source::Span;

/// One thing that did not come as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Something else came.
    Other {
        /// The expectation.
        span: Span,
        /// What it says, with its holes filled.
        expected: String,
        /// Whether `expected` is the exact text, so that the difference can be pointed at.
        exact: bool,
        /// Which of what was received stands in its place.
        at: usize,
    },
    /// Nothing more came.
    Missing {
        /// The expectation.
        span: Span,
        /// What it says, with its holes filled.
        expected: String,
        /// Whether `expected` is the exact text.
        exact: bool,
    },
    /// More came than was expected, from this one on.
    Extra {
        /// Which is the first of the rest.
        at: usize,
    },
}

/// Compares all that one user received with all that was expected.
///
/// # Errors
/// The first thing that is not as expected.
pub fn all(pats: &[Spanned<Pat>], heard: &[Heard], filling: &Filling) -> Result<(), Mismatch> {
    let mut at = 0;
    for pat in pats {
        at += one(pat, &heard[at..], filling).map_err(|mismatch| shifted(mismatch, at))?;
    }
    if at < heard.len() { Err(Mismatch::Extra { at }) } else { Ok(()) }
}

fn shifted(mismatch: Mismatch, by: usize) -> Mismatch {
    match mismatch {
        Mismatch::Other { span, expected, exact, at } => Mismatch::Other { span, expected, exact, at: at + by },
        other => other,
    }
}

/// How many of `heard` one expectation takes.
fn one(pat: &Spanned<Pat>, heard: &[Heard], filling: &Filling) -> Result<usize, Mismatch> {
    match &pat.value {
        Pat::Op(Op::Nothing) => Ok(0),
        Pat::Op(Op::AnyOrder(pats)) => any_order(&pats.0, heard, filling),
        Pat::Op(Op::AtLeast(count, inner)) => {
            let fitting = heard.iter().take_while(|heard| fits(&inner.value, heard, filling)).count();
            if fitting >= *count { Ok(fitting) } else { Err(mismatch(inner, heard.len(), fitting, filling)) }
        }
        single => match heard.first() {
            Some(first) if fits(single, first, filling) => Ok(1),
            _ => Err(mismatch(pat, heard.len(), 0, filling)),
        },
    }
}

fn mismatch(pat: &Spanned<Pat>, came: usize, at: usize, filling: &Filling) -> Mismatch {
    let (expected, exact) = match &pat.value {
        Pat::Text(text) => (holes::fill(text, filling), true),
        Pat::Op(op) => (described(op, filling), false),
    };
    let span = pat.span.clone();
    if at < came { Mismatch::Other { span, expected, exact, at } } else { Mismatch::Missing { span, expected, exact } }
}

/// Each expectation finds one of the next so many things for itself: a matching, so that a loose expectation
/// that comes first cannot take what a strict one needs.
fn any_order(pats: &[Spanned<Pat>], heard: &[Heard], filling: &Filling) -> Result<usize, Mismatch> {
    let there = &heard[..pats.len().min(heard.len())];
    let mut taken_by: Vec<Option<usize>> = vec![None; there.len()];
    for (index, pat) in pats.iter().enumerate() {
        let mut tried = vec![false; there.len()];
        if !place(index, pats, there, &mut taken_by, &mut tried, filling) {
            let free = taken_by.iter().position(Option::is_none);
            return Err(mismatch(pat, heard.len(), free.unwrap_or(heard.len()), filling));
        }
    }
    Ok(pats.len())
}

/// One step of Kuhn's algorithm: finds a place for `index`, moving those who can go elsewhere.
fn place(
    index: usize,
    pats: &[Spanned<Pat>],
    there: &[Heard],
    taken_by: &mut [Option<usize>],
    tried: &mut [bool],
    filling: &Filling,
) -> bool {
    for at in 0..there.len() {
        if tried[at] || !fits(&pats[index].value, &there[at], filling) {
            continue;
        }
        tried[at] = true;
        if taken_by[at].is_none_or(|other| place(other, pats, there, taken_by, tried, filling)) {
            taken_by[at] = Some(index);
            return true;
        }
    }
    false
}

/// Whether one thing received fits an expectation of one thing.
#[must_use]
pub fn fits(pat: &Pat, heard: &Heard, filling: &Filling) -> bool {
    let op = match pat {
        Pat::Text(text) => return heard.said() == Some(&holes::fill(text, filling)),
        Pat::Op(op) => op,
    };
    let text = |matches: &dyn Fn(&str) -> bool| heard.said().is_some_and(|said| matches(said));
    match op {
        Op::Closed => matches!(heard, Heard::Closed),
        Op::Any => !matches!(heard, Heard::Closed),
        Op::Has(part) => text(&|said| said.contains(&holes::fill(part, filling))),
        Op::Starts(part) => text(&|said| said.starts_with(&holes::fill(part, filling))),
        Op::Ends(part) => text(&|said| said.ends_with(&holes::fill(part, filling))),
        Op::Re(expression) => text(&|said| regex(expression, filling).is_some_and(|regex| regex.is_match(said))),
        Op::Like(form) => text(&|said| like(&holes::fill(form, filling), said)),
        Op::Not(inner) => !matches!(heard, Heard::Closed) && !fits(&inner.value, heard, filling),
        Op::OneOf(pats) => pats.0.iter().any(|pat| fits(&pat.value, heard, filling)),
        Op::Err(code) => text(&|said| refusal_code(said) == Some(code)),
        Op::Event(fields) => heard.object().is_some_and(|object| {
            fields.0.iter().all(|(name, wanted)| object.get(&name.value).is_some_and(|value| equal(value, &wanted.value, filling)))
        }),
        Op::Nothing | Op::AnyOrder(_) | Op::AtLeast(..) => false,
    }
}

/// The code in `error[CODE]: …` or `* disconnected: error[CODE]: …`, as both dialects show it.
fn refusal_code(said: &str) -> Option<&str> {
    let said = said.strip_prefix("* disconnected: ").unwrap_or(said);
    said.strip_prefix("error[")?.split_once(']').map(|(code, _)| code)
}

/// Whether a field is as wanted; a wanted text fits a number that is written like it, because holes make texts.
fn equal(value: &Value, wanted: &Value, filling: &Filling) -> bool {
    match (value, wanted) {
        (Value::String(value), Value::String(wanted)) => *value == holes::fill(wanted, filling),
        (Value::Object(value), Value::Object(wanted)) => {
            wanted.iter().all(|(name, wanted)| value.get(name).is_some_and(|value| equal(value, wanted, filling)))
        }
        (value, Value::String(wanted)) => field_text(value) == holes::fill(wanted, filling),
        (value, wanted) => value == wanted,
    }
}

/// A field as text: what a hole that it fills becomes.
#[must_use]
pub fn field_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// An expression with its holes filled, each with a text that stands for nothing but itself.
#[must_use]
pub fn regex(expression: &str, filling: &Filling) -> Option<Regex> {
    let literal = filling.iter().map(|(name, text)| (name.clone(), regex_lite::escape(text))).collect();
    Regex::new(&holes::fill(expression, &literal)).ok()
}

/// Whether `text` has the form: each `*` stands for anything.
fn like(form: &str, text: &str) -> bool {
    let Some((head, tail)) = form.split_once('*') else { return form == text };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = tail.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// All texts that an expectation is written with.
#[must_use]
pub fn texts(pat: &Pat) -> Vec<&str> {
    let op = match pat {
        Pat::Text(text) => return vec![text],
        Pat::Op(op) => op,
    };
    match op {
        Op::Any | Op::Nothing | Op::Closed | Op::Err(_) => Vec::new(),
        Op::Has(text) | Op::Starts(text) | Op::Ends(text) | Op::Like(text) | Op::Re(text) => vec![text],
        Op::Not(inner) | Op::AtLeast(_, inner) => texts(&inner.value),
        Op::OneOf(pats) | Op::AnyOrder(pats) => pats.0.iter().flat_map(|pat| texts(&pat.value)).collect(),
        Op::Event(fields) => fields.0.iter().filter_map(|(_, value)| value.value.as_str()).collect(),
    }
}

/// An expectation in words.
fn described(op: &Op, filling: &Filling) -> String {
    let filled = |text: &str| format!("{:?}", holes::fill(text, filling));
    let each = |pats: &[Spanned<Pat>]| -> String {
        let pats: Vec<String> = pats.iter().map(|pat| pat_described(&pat.value, filling)).collect();
        pats.join(", ")
    };
    match op {
        Op::Any => "anything".to_owned(),
        Op::Nothing => "nothing".to_owned(),
        Op::Closed => "the end of the connection".to_owned(),
        Op::Has(text) => format!("a text with {} in it", filled(text)),
        Op::Starts(text) => format!("a text that begins with {}", filled(text)),
        Op::Ends(text) => format!("a text that ends with {}", filled(text)),
        Op::Like(text) => format!("a text like {}", filled(text)),
        Op::Re(expression) => format!("a text that fits {:?}", holes::fill(expression, filling)),
        Op::Not(inner) => format!("not {}", pat_described(&inner.value, filling)),
        Op::OneOf(pats) => format!("one of {}", each(&pats.0)),
        Op::AnyOrder(pats) => format!("in any order {}", each(&pats.0)),
        Op::AtLeast(count, inner) => format!("at least {count} of {}", pat_described(&inner.value, filling)),
        Op::Err(code) => format!("a refusal with the code {code:?}"),
        Op::Event(fields) => {
            let fields: Vec<String> = fields.0.iter().map(|(name, value)| format!("{}: {}", name.value, value.value)).collect();
            format!("an event with {}", fields.join(", "))
        }
    }
}

fn pat_described(pat: &Pat, filling: &Filling) -> String {
    match pat {
        Pat::Text(text) => format!("{:?}", holes::fill(text, filling)),
        Pat::Op(op) => described(op, filling),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(texts: &[&str]) -> Vec<Heard> {
        texts.iter().map(|text| Heard::Line((*text).to_owned())).collect()
    }

    fn pats(texts: &[&str]) -> Vec<Spanned<Pat>> {
        texts.iter().map(|text| spanned(Pat::Text((*text).to_owned()))).collect()
    }

    fn spanned<T>(value: T) -> Spanned<T> {
        Spanned { value, span: 0..0 }
    }

    #[test]
    fn star_stands_for_anything() {
        for (form, text, fits) in [
            ("a*c", "abbc", true),
            ("a*c", "ac", true),
            ("a*c", "acd", false),
            ("*x*", "axb", true),
            ("a*b*b", "ab", false),
            ("*", "", true),
            ("plain", "plain", true),
            ("plain", "plains", false),
        ] {
            assert_eq!(like(form, text), fits, "{form} {text}");
        }
    }

    #[test]
    fn what_fills_a_hole_of_an_expression_is_taken_literally() {
        let filling = Filling::from([("n".to_owned(), "1+1".to_owned())]);
        let found = |expression: &str, text: &str| regex(expression, &filling).unwrap().is_match(text);
        assert!(found(r"^\d{1,2}: {n}$", "12: 1+1"));
        assert!(!found(r"^\d{1,2}: {n}$", "12: 11"));
    }

    #[test]
    fn all_is_exact() {
        let filling = Filling::new();
        assert_eq!(all(&pats(&["a", "b"]), &heard(&["a", "b"]), &filling), Ok(()));
        assert_eq!(all(&pats(&["a"]), &heard(&["a", "b"]), &filling), Err(Mismatch::Extra { at: 1 }));
        assert!(matches!(all(&pats(&["a", "b"]), &heard(&["a"]), &filling), Err(Mismatch::Missing { .. })));
        assert!(matches!(all(&pats(&["a", "b"]), &heard(&["a", "c"]), &filling), Err(Mismatch::Other { at: 1, .. })));
    }

    #[test]
    fn a_loose_expectation_does_not_starve_a_strict_one() {
        let loose = spanned(Pat::Op(Op::Any));
        let strict = spanned(Pat::Text("a".into()));
        assert_eq!(any_order(&[loose.clone(), strict.clone()], &heard(&["a", "b"]), &Filling::new()), Ok(2));
        assert_eq!(any_order(&[strict.clone(), loose.clone()], &heard(&["b", "a"]), &Filling::new()), Ok(2));
        assert!(any_order(&[strict.clone(), strict], &heard(&["b", "a"]), &Filling::new()).is_err());
    }

    #[test]
    fn codes_are_found_in_both_kinds_of_refusal() {
        assert_eq!(refusal_code("error[blocked]: no; hint"), Some("blocked"));
        assert_eq!(refusal_code("* disconnected: error[shutdown]: bye"), Some("shutdown"));
        assert_eq!(refusal_code("alice: error[blocked]"), None);
    }
}
