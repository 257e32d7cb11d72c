//! One way to write scenarios down: indentation by brackets, one space behind a comma and a colon, a comma behind the last
//! item of a list that goes over several lines. Comments, blank lines and the places where lines break are the author's.

/// How far what stands in brackets is indented.
const INDENT: usize = 4;

/// The pieces of a RON file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Open(&'a str),
    Close(&'a str),
    Comma,
    Colon,
    /// A name, a number, a string.
    Word(&'a str),
    /// To the end of its line.
    LineComment(&'a str),
    BlockComment(&'a str),
    NewLine,
    /// Blanks between two tokens of one line.
    Blanks(&'a str),
}

/// A text in the one way to write it; the same text if it is no RON at all.
#[must_use]
pub fn format(text: &str) -> String {
    let tokens = with_commas(tokens(text));
    let mut out = String::with_capacity(text.len());
    let mut line: Vec<Token<'_>> = Vec::new();
    // How far the line is indented on which each open bracket stands: two that open on one line indent once.
    let mut open: Vec<usize> = Vec::new();
    let mut blank_lines = 0;
    for token in tokens.iter().copied().chain([Token::NewLine]) {
        if token != Token::NewLine {
            line.push(token);
            continue;
        }
        let spaced = spaced(&std::mem::take(&mut line));
        if spaced.is_empty() {
            blank_lines += 1;
            continue;
        }
        let closed = spaced.iter().take_while(|token| matches!(token, Token::Close(_))).count();
        // One blank line at most, and none where a list begins or ends.
        if blank_lines > 0 && !out.is_empty() && closed == 0 && !out.ends_with(['(', '[', '{', '\n']) {
            out.push('\n');
        }
        blank_lines = 0;
        if !out.is_empty() {
            out.push('\n');
        }
        let indent = match closed {
            0 => open.last().map_or(0, |indent| indent + INDENT),
            _ => open.len().checked_sub(closed).map_or(0, |at| open[at]),
        };
        out.extend(std::iter::repeat_n(' ', indent));
        for token in &spaced {
            match token {
                Token::Open(_) => open.push(indent),
                Token::Close(_) => drop(open.pop()),
                _ => {}
            }
            out.push_str(token.text());
        }
    }
    out.push('\n');
    out
}

impl<'a> Token<'a> {
    fn text(self) -> &'a str {
        match self {
            Token::Open(text) | Token::Close(text) | Token::Word(text) | Token::LineComment(text) => text,
            Token::BlockComment(text) | Token::Blanks(text) => text,
            Token::Comma => ",",
            Token::Colon => ":",
            Token::NewLine => "\n",
        }
    }
}

/// Reads the tokens of a text.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\n' => 1,
            c if c.is_whitespace() => rest.find(|c: char| !c.is_whitespace() || c == '\n').unwrap_or(rest.len()),
            '(' | '[' | '{' | ')' | ']' | '}' | ',' | ':' => 1,
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => block_comment(rest),
            _ => word(rest),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        tokens.push(match c {
            '\n' => Token::NewLine,
            c if c.is_whitespace() => Token::Blanks(token),
            '(' | '[' | '{' => Token::Open(token),
            ')' | ']' | '}' => Token::Close(token),
            ',' => Token::Comma,
            ':' => Token::Colon,
            _ if token.starts_with("//") => Token::LineComment(token.trim_end()),
            _ if token.starts_with("/*") => Token::BlockComment(token),
            _ => Token::Word(token),
        });
    }
    tokens
}

/// How long a block comment is; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// How long a name, a number or a string is.
fn word(text: &str) -> usize {
    let body = text.strip_prefix('b').unwrap_or(text);
    let raw = body.strip_prefix('r').unwrap_or(body);
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    let before = text.len() - raw.len() + hashes;
    if raw[hashes..].starts_with('"') && (hashes == 0 || body.starts_with('r')) {
        let string = &raw[hashes + 1..];
        if body.starts_with('r') {
            let end = format!("\"{}", "#".repeat(hashes));
            return before + 1 + string.find(&end).map_or(string.len(), |at| at + end.len());
        }
        let mut escaped = false;
        for (at, c) in string.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return before + 1 + at + 1,
                _ => {}
            }
        }
        return text.len();
    }
    let end = text.char_indices().skip(1).find(|(at, c)| {
        c.is_whitespace()
            || matches!(c, '(' | '[' | '{' | ')' | ']' | '}' | ',' | ':' | '"')
            || text[*at..].starts_with("//")
            || text[*at..].starts_with("/*")
    });
    end.map_or(text.len(), |(at, _)| at)
}

/// Puts a comma behind the last item of what is closed on a line of its own, and takes it away from what is closed on the
/// same line.
fn with_commas(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let mut out: Vec<Token<'_>> = Vec::with_capacity(tokens.len());
    for token in tokens {
        if let Token::Close(_) = token {
            let code =
                |token: &Token<'_>| !matches!(token, Token::Blanks(_) | Token::NewLine | Token::LineComment(_) | Token::BlockComment(_));
            if let Some(last) = out.iter().rposition(code) {
                let own_line = out[last..].contains(&Token::NewLine);
                match out[last] {
                    Token::Comma if !own_line => drop(out.remove(last)),
                    Token::Word(_) | Token::Close(_) if own_line => out.insert(last + 1, Token::Comma),
                    _ => {}
                }
            }
        }
        out.push(token);
    }
    out
}

/// The tokens of one line with blanks where they belong. What stands in front of a comment at the end of a line stays.
fn spaced<'a>(line: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut out: Vec<Token<'a>> = Vec::with_capacity(line.len());
    let mut blanks = "";
    for token in line {
        if let Token::Blanks(text) = token {
            blanks = text;
            continue;
        }
        let between = match (out.last(), token) {
            (None, _) => "",
            (Some(_), Token::LineComment(_)) => {
                if blanks.is_empty() {
                    " "
                } else {
                    blanks
                }
            }
            (Some(Token::BlockComment(_)), Token::Comma | Token::Close(_)) => "",
            (Some(Token::BlockComment(_)), _) | (_, Token::BlockComment(_)) if !blanks.is_empty() => " ",
            (Some(Token::Comma | Token::Colon), Token::Close(_)) => "",
            (Some(Token::Comma | Token::Colon), _) => " ",
            (Some(Token::Word(_) | Token::Close(_)), Token::Word(_)) => " ",
            _ => "",
        };
        if !between.is_empty() {
            out.push(Token::Blanks(between));
        }
        blanks = "";
        out.push(*token);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{snapshot, suite};

    #[test]
    fn the_scenarios_are_written_as_they_should_be() {
        let folder = snapshot::root().join("scenarios");
        for file in suite::find(&folder, "ron").unwrap() {
            let text = std::fs::read_to_string(&file).unwrap();
            similar_asserted(&text, &format(&text), &file.display().to_string());
        }
    }

    fn similar_asserted(is: &str, should: &str, what: &str) {
        let diff = similar::TextDiff::from_lines(is, should);
        assert!(is == should, "{what}: chinwag-harness fmt\n{}", diff.unified_diff());
    }

    #[test]
    fn what_was_mangled_comes_back_and_means_the_same() {
        let folder = snapshot::root().join("scenarios");
        for file in suite::find(&folder, "ron").unwrap() {
            let text = std::fs::read_to_string(&file).unwrap();
            let flat: String = text.lines().map(|line| format!("{}  \n", line.trim_start())).collect();
            // A line in a string that goes over several keeps its blanks: there is none in the scenarios.
            similar_asserted(&text, &format(&flat), &file.display().to_string());
            assert_eq!(format(&format(&flat)), format(&flat));
        }
    }

    #[test]
    fn blanks_commas_and_comments() {
        for (before, after) in [
            ("Scenario(about:\"x\" ,steps:[A( 1 ),B,],)", "Scenario(about: \"x\", steps: [A(1), B])\n"),
            ("(\n  a: [\n1,\n\n\n2 // why\n]\n\n)\n\n", "(\n    a: [\n        1,\n\n        2, // why\n    ],\n)\n"),
            ("( // first\n\"a  (b\" : r#\"c \"d\" , e\"#)", "( // first\n    \"a  (b\": r#\"c \"d\" , e\"#)\n"),
            ("[\"a\\\"\",/* x, (y */ 'b' ]", "[\"a\\\"\", /* x, (y */ 'b']\n"),
            ("(a: b\"\\xff,\\\"\" , b :0o600)", "(a: b\"\\xff,\\\"\", b: 0o600)\n"),
            ("// only\n\n\n// words", "// only\n\n// words\n"),
            ("[\n    \"two\n   lines\",\n]\n", "[\n    \"two\n   lines\",\n]\n"),
            ("(a: 1,   // kept apart\n b: 2)\n", "(a: 1,   // kept apart\n    b: 2)\n"),
        ] {
            assert_eq!(format(before), after);
            assert_eq!(format(after), after, "once is enough");
        }
    }
}
