//! What became of a run, for other programs: JUnit, TAP and JSON for those that collect results, annotations for GitHub,
//! and a page for people.

pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod tap;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diagnostic::Mistake;
use crate::play::{End, Played};
use crate::report;
use crate::scenario::Scenario;
use crate::source::Source;
use crate::suite::{Tried, Verdict};

/// One scenario of a run.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The file.
    pub source: &'a Source,
    /// What it says.
    pub scenario: &'a Scenario,
    /// What became of it.
    pub tried: &'a Tried,
}

impl<'a> Case<'a> {
    /// Its name: the path of the file.
    #[must_use]
    pub fn name(&self) -> &'a str {
        &self.source.name
    }

    /// In one word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.tried.verdict {
            Verdict::Passed => "passed",
            Verdict::Skipped => "skipped",
            Verdict::Flaky => "flaky",
            Verdict::Failed => "failed",
            Verdict::NotStarted => "not-started",
        }
    }

    /// Whether it counts as one.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.tried.verdict > Verdict::Skipped
    }

    /// How it was played, if it was.
    #[must_use]
    pub fn played(&self) -> Option<&'a Played> {
        self.tried.played.as_deref()
    }

    /// What was not as it says, each with its place: file, line, column. A failure that has no place of its own stands at
    /// the beginning of the file.
    #[must_use]
    pub fn slips(&self) -> Vec<Slip> {
        if !self.is_failure() {
            return Vec::new();
        }
        let slip = |at: usize, title: &str, message: String| {
            let (line, column) = self.source.position(at);
            Slip { file: self.source.part(at).name.to_owned(), line, column, title: title.to_owned(), message }
        };
        match self.played().map(|played| &played.end) {
            Some(End::Failed(mistakes)) => {
                mistakes.iter().map(|mistake| slip(mistake.span.start, &mistake.title, message(mistake))).collect()
            }
            Some(End::NotStarted(why)) => vec![slip(0, "the server did not start", why.clone())],
            _ => vec![slip(0, "the transcript is not that of the snapshot", self.tried.text.clone())],
        }
    }

    /// The command that plays it again.
    #[must_use]
    pub fn rerun(&self) -> String {
        let bare = || format!("chinwag-harness run {} --keep-data", self.name());
        self.played().map_or_else(bare, |played| report::rerun(self.name(), played))
    }
}

/// Something that was not as a scenario says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// In which file it says so.
    pub file: String,
    /// Where, counted from 1.
    pub line: usize,
    /// Where in the line, in characters, counted from 1.
    pub column: usize,
    /// What.
    pub title: String,
    /// The rest: what was expected, what came.
    pub message: String,
}

fn message(mistake: &Mistake) -> String {
    let help = mistake.help.iter().map(|help| format!("help: {help}"));
    mistake.notes.iter().cloned().chain(help).collect::<Vec<_>>().join("\n")
}

/// The formats that are written to files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// XML as CI servers read it.
    Junit,
    /// The Test Anything Protocol, version 14.
    Tap,
    /// Everything, for programs of one's own.
    Json,
    /// A page with a sequence diagram for each scenario.
    Html,
}

impl Format {
    /// All of them, as they are named on the command line.
    pub const ALL: [(&'static str, Format); 4] =
        [("junit", Format::Junit), ("tap", Format::Tap), ("json", Format::Json), ("html", Format::Html)];

    /// The report.
    #[must_use]
    pub fn render(self, cases: &[Case<'_>], took: Duration) -> String {
        match self {
            Format::Junit => junit::render(cases, took),
            Format::Tap => tap::render(cases),
            Format::Json => json::render(cases, took),
            Format::Html => html::render(cases, took),
        }
    }
}

/// A report that was asked for: `junit=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// In which format.
    pub format: Format,
    /// Where it goes.
    pub file: PathBuf,
}

impl std::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Wanted, String> {
        let formats = Format::ALL.map(|(name, _)| name).join(", ");
        let (name, file) = text.split_once('=').ok_or_else(|| format!("`{text}` is not FORMAT=FILE; the formats are {formats}"))?;
        let format = Format::ALL.iter().find(|(known, _)| *known == name);
        let (_, format) = format.ok_or_else(|| format!("there is no format `{name}`; there are {formats}"))?;
        if file.is_empty() {
            return Err(format!("`{text}` names no file"));
        }
        Ok(Wanted { format: *format, file: Path::new(file).to_owned() })
    }
}

/// A text for XML and HTML, in elements and attributes alike. What XML cannot hold at all becomes visible.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests;
