//! The lists of a RON text, as far as one needs to know to leave parts out: what stands between brackets and commas.
//!
//! It knows no types, so that it works for every word that the language ever has: what must not be left out is found
//! by reading what remains.

use std::ops::Range;

/// One item of a list, a tuple or a group of fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its bytes, with the comma and the comment on the same line behind it.
    pub span: Range<usize>,
    /// The items in its own brackets.
    pub items: Vec<Item>,
}

/// The items at the top, which is usually one: the scenario. A text that is cut off ends all brackets.
#[must_use]
pub fn items(text: &str) -> Vec<Item> {
    Scan { text: text.as_bytes(), at: 0 }.items()
}

/// The spans of all string literals, without quotes, that have neither escapes nor line ends in them.
#[must_use]
pub fn plain_strings(text: &str) -> Vec<Range<usize>> {
    let mut scan = Scan { text: text.as_bytes(), at: 0 };
    let mut found = Vec::new();
    while scan.at < scan.text.len() {
        let start = scan.at;
        if !scan.skip_opaque() {
            scan.at += 1;
        } else if scan.text[start] == b'"' && scan.at > start + 1 {
            let inner = start + 1..scan.at - 1;
            if !scan.text[inner.clone()].iter().any(|byte| matches!(byte, b'\\' | b'\n')) {
                found.push(inner);
            }
        }
    }
    found
}

/// The text without these spans, which may lie in each other; lines of which nothing is left go too.
#[must_use]
pub fn without(text: &str, spans: &[Range<usize>]) -> String {
    let mut spans: Vec<&Range<usize>> = spans.iter().collect();
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for span in spans {
        if span.start < at {
            continue;
        }
        out.push_str(&text[at..span.start]);
        at = span.end;
        let begins_line = out.rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
        let rest = &text[at..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        if begins_line && rest[blank..].starts_with('\n') {
            out.truncate(out.trim_end_matches([' ', '\t']).len());
            at += blank + 1;
        }
    }
    out.push_str(&text[at..]);
    out
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// Reads items up to the bracket that closes them, which it does not take.
    fn items(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        loop {
            self.skip_blank();
            let start = self.at;
            let mut inner = Vec::new();
            loop {
                match self.text.get(self.at) {
                    None | Some(b',' | b')' | b']' | b'}') => break,
                    Some(b'(' | b'[' | b'{') => {
                        self.at += 1;
                        inner.extend(self.items());
                        self.at = (self.at + 1).min(self.text.len());
                    }
                    Some(_) if self.skip_opaque() => {}
                    Some(_) => self.at += 1,
                }
            }
            let has_comma = self.text.get(self.at) == Some(&b',');
            if self.at > start {
                self.at += usize::from(has_comma);
                self.skip_comment_on_line();
                items.push(Item { span: start..self.at, items: inner });
            } else {
                self.at += usize::from(has_comma);
            }
            if !has_comma {
                return items;
            }
        }
    }

    fn skip_blank(&mut self) {
        while let Some(byte) = self.text.get(self.at) {
            if byte.is_ascii_whitespace() {
                self.at += 1;
            } else if !(self.text[self.at..].starts_with(b"//") || self.text[self.at..].starts_with(b"/*")) || !self.skip_opaque() {
                return;
            }
        }
    }

    fn skip_comment_on_line(&mut self) {
        let blank = self.text[self.at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if self.text[self.at + blank..].starts_with(b"//") {
            self.at += blank;
            self.skip_opaque();
        }
    }

    /// Skips a comment or a string, in which brackets and commas mean nothing. Says whether there was one.
    fn skip_opaque(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let length = if rest.starts_with(b"//") {
            rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment(rest)
        } else {
            let prefix = rest.iter().take_while(|byte| matches!(byte, b'b' | b'r')).count();
            let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
            let is_raw = rest[..prefix].contains(&b'r');
            match rest.get(prefix + hashes) {
                Some(b'"') if is_raw => raw_string(rest, prefix + hashes + 1, hashes),
                Some(b'"') if hashes == 0 => string(rest, prefix + 1),
                _ => return false,
            }
        };
        self.at += length;
        true
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn string(rest: &[u8], begin: usize) -> usize {
    let mut at = begin;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8], begin: usize, hashes: usize) -> usize {
    let end = [&b"\""[..], &vec![b'#'; hashes]].concat();
    rest[begin..].windows(end.len()).position(|window| window == end).map_or(rest.len(), |at| begin + at + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, items: &[Item]) -> Vec<String> {
        items.iter().map(|item| text[item.span.clone()].to_owned()).collect()
    }

    #[test]
    fn brackets_and_commas_in_texts_and_comments_mean_nothing() {
        let text = "S(a: [\"x,]\\\"\", r#\"y\"),\"#, b\"z[\"], // one, two\n b: (c: 1, /* ), */ d: T(2)), )";
        let all = items(text);
        assert_eq!(all.len(), 1);
        assert_eq!(shown(text, &all[0].items), ["a: [\"x,]\\\"\", r#\"y\"),\"#, b\"z[\"], // one, two", "b: (c: 1, /* ), */ d: T(2)),"]);
        assert_eq!(shown(text, &all[0].items[0].items), ["\"x,]\\\"\",", "r#\"y\"),\"#,", "b\"z[\""]);
        assert_eq!(shown(text, &all[0].items[1].items), ["c: 1,", "d: T(2)"]);
    }

    #[test]
    fn what_is_cut_off_or_wrong_does_no_harm() {
        let text = "Scenario(a: [\"x\", r##\"y\"##, b\"\\\"\"], /* /* */ */ c: (1, 2), // e\n d: \"ž\",)";
        for end in text.char_indices().map(|(at, _)| at) {
            let _ = items(&text[..end]);
            let _ = items(&text[end..]);
            let _ = plain_strings(&text[..end]);
        }
    }

    #[test]
    fn lines_of_which_nothing_is_left_go() {
        let text = "S(\n    a: 1, // why\n    b: 2,\n    c: [3, 4],\n)";
        let fields = &items(text)[0].items;
        assert_eq!(without(text, &[fields[0].span.clone()]), "S(\n    b: 2,\n    c: [3, 4],\n)");
        let three = fields[2].items[0].span.clone();
        assert_eq!(without(text, &[fields[1].span.clone(), three.clone()]), "S(\n    a: 1, // why\n    c: [ 4],\n)");
        assert_eq!(without(text, &[fields[2].span.clone(), three]), "S(\n    a: 1, // why\n    b: 2,\n)");
    }

    #[test]
    fn plain_texts_are_found() {
        let text = "S(a: \"one two\", b: \"x\\n\", c: r\"no\", d: \"\")";
        assert_eq!(plain_strings(text).into_iter().map(|span| &text[span]).collect::<Vec<_>>(), ["one two", ""]);
    }
}
