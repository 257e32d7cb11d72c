//! Text with a name, and places in it: every message of the harness points at one.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// A range of bytes in a source.
pub type Span = Range<usize>;

/// A scenario file as it was read, and the files that it includes.
#[derive(Clone, Debug)]
pub struct Source {
    /// What messages call it: its path, as short as it can be said.
    pub name: String,
    /// All of it; behind it stands what it includes, so that one range of bytes says which file and where.
    pub text: String,
    path: PathBuf,
    /// How long the file itself is.
    length: usize,
    included: Vec<Included>,
}

#[derive(Clone, Debug)]
struct Included {
    name: String,
    path: PathBuf,
    bytes: Span,
    /// Where it is included.
    by: Span,
}

/// One file of a source.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// What messages call it.
    pub name: &'a str,
    /// All of it.
    pub text: &'a str,
    /// Where it is.
    pub path: &'a Path,
    /// The place of its first byte in [`Source::text`].
    pub start: usize,
    /// Where it is included, if it is.
    pub by: Option<&'a Span>,
}

impl Source {
    /// A source that has been read already.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        let (name, text) = (name.into(), text.into());
        Source { path: PathBuf::from(&name), name, length: text.len(), text, included: Vec::new() }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or is not UTF-8.
    pub fn load(path: &Path) -> std::io::Result<Source> {
        let text = String::from_utf8(std::fs::read(path)?).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            std::io::Error::new(std::io::ErrorKind::InvalidData, format!("line {line} is not UTF-8"))
        })?;
        Ok(Source { path: path.to_owned(), ..Source::new(shown(path), text) })
    }

    /// The same file with another text, and nothing included yet.
    #[must_use]
    pub fn with_text(&self, text: impl Into<String>) -> Source {
        Source { path: self.path.clone(), ..Source::new(self.name.clone(), text) }
    }

    /// The file itself, without what it includes.
    #[must_use]
    pub fn main(&self) -> &str {
        &self.text[..self.length]
    }

    /// Appends a file that is included `by` some place of this source, and says where it stands.
    pub(crate) fn include(&mut self, path: &Path, text: &str, by: Span) -> Span {
        let start = self.text.len() + 1;
        self.text.push('\n');
        self.text.push_str(text);
        let bytes = start..self.text.len();
        self.included.push(Included { name: shown(path), path: path.to_owned(), bytes: bytes.clone(), by });
        bytes
    }

    /// The file that a byte is in.
    #[must_use]
    pub fn part(&self, offset: usize) -> Part<'_> {
        match self.included.iter().rev().find(|included| included.bytes.start <= offset) {
            Some(Included { name, path, bytes, by }) => {
                Part { name, path, text: &self.text[bytes.clone()], start: bytes.start, by: Some(by) }
            }
            None => Part { name: &self.name, path: &self.path, text: self.main(), start: 0, by: None },
        }
    }

    /// The file itself and all that it includes.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        std::iter::once(0).chain(self.included.iter().map(|included| included.bytes.start)).map(|start| self.part(start))
    }

    /// The line of a byte in its file and its place in that line in characters, both counted from 1.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let part = self.part(offset);
        let before = part.text.get(..offset - part.start).unwrap_or(part.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// `FILE:LINE:COLUMN` of a byte, as editors take it.
    #[must_use]
    pub fn place(&self, offset: usize) -> String {
        let (line, column) = self.position(offset);
        format!("{}:{line}:{column}", self.part(offset).name)
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
        let source = Source::new("x", "one\nžofie 漢\n\nlast");
        for (at, _) in source.text.char_indices() {
            let (line, column) = source.position(at);
            assert_eq!(offset(&source.text, line, column), at);
        }
        assert_eq!(source.position(source.text.len()), (4, 5));
        assert_eq!(offset(&source.text, 9, 9), source.text.len());
    }

    #[test]
    fn what_is_included_has_places_of_its_own() {
        let mut source = Source::new("x.ron", "one\ntwo");
        let bytes = source.include(Path::new("y.steps.ron"), "drei\nvier", 4..7);
        assert_eq!((source.main(), &source.text[bytes.clone()]), ("one\ntwo", "drei\nvier"));
        assert_eq!(source.place(bytes.start + 5), "y.steps.ron:2:1");
        assert_eq!(source.place(source.part(bytes.start).by.unwrap().start), "x.ron:2:1");
        assert_eq!(source.place(7), "x.ron:2:4");
    }
}
