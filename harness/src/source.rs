//! Text with a name, and places in it: every message of the harness points at one.

use std::ops::Range;
use std::path::Path;

/// A range of bytes in a source.
pub type Span = Range<usize>;

/// A scenario file as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// What messages call it: its path, as short as it can be said.
    pub name: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is not UTF-8.
    pub fn load(path: &Path) -> std::io::Result<Source> {
        Ok(Source { name: shown(path), text: std::fs::read_to_string(path)? })
    }

    /// The line of a byte and its place in that line in characters, both counted from 1.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// The byte at a line and a place in it in characters, both counted from 1.
#[must_use]
pub fn offset(text: &str, line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match text[start..].find('\n') {
            Some(end) => start += end + 1,
            None => return text.len(),
        }
    }
    text[start..].char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(at, _)| start + at)
}

/// A path as people type it: relative to where they are, if it is below.
#[must_use]
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_offsets_are_each_others_inverse() {
        let source = Source { name: "x".into(), text: "one\nžofie 漢\n\nlast".into() };
        for (at, _) in source.text.char_indices() {
            let (line, column) = source.position(at);
            assert_eq!(offset(&source.text, line, column), at);
        }
        assert_eq!(source.position(source.text.len()), (4, 5));
        assert_eq!(offset(&source.text, 9, 9), source.text.len());
    }
}
