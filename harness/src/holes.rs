//! `{holes}` in texts, filled with what has been remembered. `{{` and `}}` are braces; a brace that opens no name
//! stands for itself, because people say such things.

use std::collections::BTreeMap;

/// What has been remembered, by name.
pub type Filling = BTreeMap<String, String>;

/// The names of all holes in `text`.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|piece| match piece {
        Piece::Hole(name) => Some(name),
        Piece::Text(_) => None,
    })
}

/// `text` with its holes filled; a hole that nothing fills stays.
#[must_use]
pub fn fill(text: &str, filling: &Filling) -> String {
    pieces(text)
        .map(|piece| match piece {
            Piece::Text(text) => text.to_owned(),
            Piece::Hole(name) => filling.get(name).cloned().unwrap_or_else(|| format!("{{{name}}}")),
        })
        .collect()
}

/// `text` written so that it stands for itself.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

enum Piece<'a> {
    Text(&'a str),
    Hole(&'a str),
}

fn pieces(mut rest: &str) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        for (double, single) in [("{{", "{"), ("}}", "}")] {
            if let Some(after) = rest.strip_prefix(double) {
                rest = after;
                return Some(Piece::Text(single));
            }
        }
        if let Some(after) = rest.strip_prefix('{')
            && let Some((name, after)) = after.split_once('}')
            && is_name(name)
        {
            rest = after;
            return Some(Piece::Hole(name));
        }
        let width = rest.chars().next().map_or(1, char::len_utf8);
        let end = rest[width..].find(['{', '}']).map_or(rest.len(), |at| width + at);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(text))
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_') && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_and_braces_left() {
        let filling = Filling::from([("i".to_owned(), "7".to_owned())]);
        for (text, filled) in [
            ("tick {i}", "tick 7"),
            ("{i}{i}", "77"),
            ("{{i}}", "{i}"),
            ("{j}", "{j}"),
            ("fn main() { x }", "fn main() { x }"),
            ("{", "{"),
            ("a } b {} ž{i", "a } b {} ž{i"),
            ("{\"line\":\"{i}\"}", "{\"line\":\"7\"}"),
        ] {
            assert_eq!(fill(text, &filling), filled, "{text}");
        }
        for text in ["{i}", "}{", "a } b {} ž{i", "{{i}}"] {
            assert_eq!(fill(&escaped(text), &filling), text);
        }
        assert_eq!(names("{a} {{b}} {c d} {e}").collect::<Vec<_>>(), ["a", "e"]);
    }
}
