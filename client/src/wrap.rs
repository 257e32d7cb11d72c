//! Lines broken between words, so that help and notices can be read at any width.

use unicode_width::UnicodeWidthStr;

/// Below this there is no room for an indent and a word.
const COLUMNS_MIN: usize = 30;
/// How far the rest of a broken line stands in, where no column of its own says otherwise.
const INDENT: usize = 2;

/// `text` with every line that is too long for `columns` broken between words. What comes after a gap, as the
/// summaries in a list of commands do, stays in its column.
pub(crate) fn fitted(text: &str, columns: usize) -> String {
    if columns < COLUMNS_MIN {
        return text.to_owned();
    }
    let lines: Vec<String> = text.lines().map(|line| broken(line, columns)).collect();
    lines.join("\n")
}

fn broken(line: &str, columns: usize) -> String {
    if line.width() <= columns {
        return line.to_owned();
    }
    let indent = column(line).filter(|column| *column <= columns * 2 / 3).unwrap_or(INDENT);
    let mut out = String::with_capacity(line.len() + 16);
    let mut width = 0;
    let mut fresh = true;
    for word in line.split_inclusive(' ') {
        let needs = word.trim_end().width();
        if !fresh && width + needs > columns {
            out.truncate(out.trim_end().len());
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            width = indent;
        }
        out.push_str(word);
        width += word.width();
        // A word that alone is too long is the terminal's to break.
        fresh = out.trim_start().is_empty();
    }
    out
}

/// Where the text after the first gap of two spaces or more begins.
fn column(line: &str) -> Option<usize> {
    let start = line.len() - line.trim_start().len();
    let gap = start + line[start..].find("  ")?;
    let rest = line[gap..].trim_start();
    Some(line[..line.len() - rest.len()].width())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_keep_their_column() {
        for (line, expected) in [
            ("short", "short"),
            ("one two three four five six seven eight", "one two three four five six\n  seven eight"),
            ("whoelse   List who else is online, now or not.", "whoelse   List who else is\n          online, now or not."),
            ("  <to> a user: whom to say it to, and no one else", "  <to> a user: whom to say it\n  to, and no one else"),
            ("a-word-that-is-much-longer-than-the-whole-line and more", "a-word-that-is-much-longer-than-the-whole-line\n  and more"),
            ("漢字漢字漢字漢字 漢字漢字漢字漢字 漢字", "漢字漢字漢字漢字\n  漢字漢字漢字漢字 漢字"),
        ] {
            assert_eq!(fitted(line, 30), expected);
        }
        assert_eq!(fitted("as it is, however long it may be", 0), "as it is, however long it may be");
    }

    #[test]
    fn nothing_is_lost_whatever_the_width() {
        let text = "message <to> <text...>   Say something to one user, who gets it at the next login if away.\n\n  * two";
        for columns in 0..120 {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&fitted(text, columns)), words(text), "{columns}");
        }
    }
}
