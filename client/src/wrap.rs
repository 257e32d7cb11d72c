//! Text broken into rows by the width it has on a terminal: between words where that is possible, between
//! graphemes where a word is longer than a row, and never within a link, which the terminal itself breaks so that
//! it can be opened and copied whole.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Below this there is no room for an indent and a word: the terminal may break as it likes.
const COLUMNS_MIN: usize = 20;
/// How far the rest of a broken line stands in, where no column of its own says otherwise.
pub(crate) const INDENT: usize = 2;
/// What makes a word a link.
const LINK: &str = "://";

/// How many columns a grapheme takes, at most: some terminals join what is joined with a zero-width joiner, and some show
/// its parts side by side.
pub(crate) fn width(text: &str) -> usize {
    let apart: usize = text.chars().map(|c| c.width().unwrap_or(0)).sum();
    apart.max(text.width())
}

/// How far rows may stand in: `wanted`, as long as more than half of the width is left.
pub(crate) fn indent(wanted: usize, columns: usize) -> usize {
    if wanted > columns / 2 { INDENT } else { wanted }
}

/// Where the rows of `text` begin and end. `indent` is how far every row but the first stands in. What lies between the rows
/// are spaces.
pub(crate) fn rows(text: &str, columns: usize, indent: usize) -> Vec<Range<usize>> {
    if columns < COLUMNS_MIN || (text.len() <= columns && text.is_ascii()) {
        return std::iter::once(0..text.len()).collect();
    }
    let mut rows = Rows { done: Vec::new(), start: 0, end: 0, used: 0, fresh: true, indent };
    let mut at = 0;
    for piece in text.split_inclusive(' ') {
        let word = piece.strip_suffix(' ').unwrap_or(piece);
        rows.word(text, at..at + word.len(), columns);
        at += piece.len();
        rows.used += piece.len() - word.len();
    }
    // Spaces at the end that do not fit would be rows of their own.
    let end = if rows.used > columns { rows.end } else { text.len() };
    rows.done.push(rows.start..end);
    rows.done
}

/// Rows that are being filled.
struct Rows {
    done: Vec<Range<usize>>,
    /// Where the last row begins, and where the last word in it ends.
    start: usize,
    end: usize,
    /// How many columns of it are taken.
    used: usize,
    /// Whether there is no word in it yet.
    fresh: bool,
    indent: usize,
}

impl Rows {
    fn word(&mut self, text: &str, word: Range<usize>, columns: usize) {
        if word.is_empty() {
            return;
        }
        let needs = width(&text[word.clone()]);
        if self.used + needs > columns {
            if self.fresh {
                // There is nothing but spaces in front of it, and they leave no room.
                (self.start, self.used) = (word.start, if self.done.is_empty() { 0 } else { self.indent });
            }
            let fits_a_row = needs <= columns - self.indent;
            let whole = fits_a_row || text[word.clone()].contains(LINK);
            if !whole {
                return self.long(text, word, columns);
            }
            if !self.fresh {
                self.next(word.start);
            }
        }
        self.used += needs;
        self.end = word.end;
        self.fresh = false;
    }

    /// A word that is longer than a row: it fills what is left of this one, and goes on in the next.
    fn long(&mut self, text: &str, word: Range<usize>, columns: usize) {
        for (offset, grapheme) in text[word.clone()].grapheme_indices(true) {
            let (at, needs) = (word.start + offset, width(grapheme));
            if self.used + needs > columns && !self.fresh {
                if offset > 0 {
                    self.end = at;
                }
                self.next(at);
            }
            self.used += needs;
            self.fresh = false;
        }
        self.end = word.end;
    }

    fn next(&mut self, start: usize) {
        self.done.push(self.start..self.end);
        (self.start, self.end, self.used, self.fresh) = (start, start, self.indent, true);
    }
}

/// Where the text after the first gap of two spaces or more begins; else the usual indent.
pub(crate) fn column(line: &str) -> usize {
    let start = line.len() - line.trim_start().len();
    let gap = line[start..].find("  ").map(|gap| start + gap);
    gap.map_or(INDENT, |gap| width(&line[..line.len() - line[gap..].trim_start().len()]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `text` with every line that is too long for `columns` broken. What comes after a gap, as the summaries in a list of commands
    /// do, stays in its column.
    fn fitted(text: &str, columns: usize) -> String {
        let mut out = String::with_capacity(text.len() + 16);
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                out.push('\n');
            }
            let indent = indent(column(line), columns);
            for (number, row) in rows(line, columns, indent).into_iter().enumerate() {
                if number > 0 {
                    out.push('\n');
                    out.extend(std::iter::repeat_n(' ', indent));
                }
                out.push_str(&line[row]);
            }
        }
        out
    }

    #[test]
    fn lines_break_between_words_and_keep_their_column() {
        for (line, expected) in [
            ("short", "short"),
            ("one two three four five six seven eight", "one two three four five six\n  seven eight"),
            ("whoelse   List who else is online, now or not.", "whoelse   List who else is\n          online, now or not."),
            ("  <to> a user: whom to say it to, and no one else", "  <to> a user: whom to say it\n  to, and no one else"),
            (
                "see https://example.org/a-link-that-is-much-longer-than-the-row and more",
                "see\n  https://example.org/a-link-that-is-much-longer-than-the-row\n  and more",
            ),
            ("a-word-that-is-much-longer-than-the-row and more", "a-word-that-is-much-longer-than\n  -the-row and more"),
            ("漢字漢字漢字漢字 漢字漢字漢字漢字 漢字", "漢字漢字漢字漢字\n  漢字漢字漢字漢字 漢字"),
            ("漢字漢字漢字漢字漢字漢字漢字漢字漢字", "漢字漢字漢字漢字漢字漢字漢字漢\n  字漢字"),
            ("ends in a space and then some ", "ends in a space and then some "),
            ("ends in more spaces than fit                  ", "ends in more spaces than fit"),
            ("far                                                        apart", "far\n  apart"),
            ("                                        far in", "far in"),
        ] {
            assert_eq!(fitted(line, if expected.contains("than\n") { 31 } else { 30 }), expected);
        }
        assert_eq!(fitted("as it is, however long it may be", 0), "as it is, however long it may be");
    }

    #[test]
    fn a_grapheme_is_never_cut() {
        let family = "👨\u{200d}👩\u{200d}👧";
        let text = format!("{}{}", "e\u{301}".repeat(25), family.repeat(9));
        let whole: Vec<&str> = text.graphemes(true).collect();
        for columns in COLUMNS_MIN..60 {
            let cut: Vec<&str> = rows(&text, columns, 4).into_iter().flat_map(|row| text[row].graphemes(true)).collect();
            assert_eq!(cut, whole, "{columns}");
        }
    }

    #[test]
    fn nothing_is_lost_whatever_the_width() {
        let text = "message <to> <text...>   Say something to one user, who gets it at the next login if away.\n\n  * two";
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for columns in (0..120).filter(|columns| !(COLUMNS_MIN..30).contains(columns)) {
            assert_eq!(words(&fitted(text, columns)), words(text), "{columns}");
        }
    }

    proptest! {
        #[test]
        fn rows_fit_and_hold_everything_but_spaces(text in "[a-z 漢é👩\u{200d}💻\u{301}-]{0,200}", columns in COLUMNS_MIN..100, indent in 0usize..12) {
            let indent = super::indent(indent, columns);
            let rows = rows(&text, columns, indent);
            let mut at = 0;
            for (number, row) in rows.iter().enumerate() {
                prop_assert!(text[at..row.start].chars().all(|c| c == ' '), "{rows:?}");
                at = row.end;
                let indent = if number > 0 { indent } else { 0 };
                prop_assert!(indent + width(&text[row.clone()]) <= columns, "{rows:?}");
            }
            prop_assert!(text[at..].chars().all(|c| c == ' '), "{rows:?}");
        }
    }
}
