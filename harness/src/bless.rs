//! Makes a scenario say what happens: the texts that differ are rewritten where they stand, the transcript is kept. What is
//! not the same for five seeds is refused, so that nobody writes down what will be different tomorrow.

use std::io;
use std::path::{Path, PathBuf};

use similar::TextDiff;

use crate::diagnostic::Mistake;
use crate::play::{self, End, Options, Played, Rewrite, SEED};
use crate::scenario::Scenario;
use crate::source::Source;
use crate::{report, snapshot, suite};

/// How many seeds have to agree.
const SEEDS: u64 = 5;

/// What became of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blessed {
    /// These places of it, or of files that it includes, say something else now; and its snapshot is that of now.
    Rewritten(Vec<String>),
    /// It cannot be played here, and why.
    Skipped(String),
}

/// Makes one scenario say what happens; with a `line`, only what stands there. The snapshot is written if insta has been told
/// to (see [`snapshot::prepare`]).
///
/// # Errors
/// What is wrong with it, for people. The files are then as they were.
pub fn bless(path: &Path, options: &Options, line: Option<usize>) -> Result<Blessed, String> {
    let (source, scenario) = suite::load(path)?;
    if let Some(why) = &scenario.skip {
        return Ok(Blessed::Skipped(why.clone()));
    }
    let mut rewrites: Option<Vec<Rewrite>> = None;
    for seed in seeds(options, &scenario) {
        let played = play::play_through(&scenario, &Options { seed: Some(seed), ..options.clone() });
        match &played.end {
            End::Skipped(why) => return Ok(Blessed::Skipped(why.clone())),
            End::Passed => {}
            End::NotStarted(_) | End::Failed(_) => return Err(report::failure(&source, &scenario, &played)),
        }
        let found = settled(&source, played.rewrites)?;
        match &rewrites {
            None => rewrites = Some(found),
            Some(first) if *first != found => return Err(unsteady(&source, first, &found, seed)),
            Some(_) => {}
        }
    }
    let mut rewrites = rewrites.unwrap_or_default();
    rewrites.retain(|rewrite| {
        line.is_none_or(|line| source.part(rewrite.span.start).by.is_none() && source.position(rewrite.span.start).0 == line)
    });
    let before = write(&source, &rewrites).map_err(|error| format!("error: {}: {error}", source.name))?;
    let kept = keep(path, options);
    if kept.is_err() {
        for (path, text) in before {
            std::fs::write(&path, text).map_err(|error| format!("error: {}: {error}", path.display()))?;
        }
    }
    kept?;
    Ok(Blessed::Rewritten(rewrites.iter().map(|rewrite| source.place(rewrite.span.start)).collect()))
}

fn seeds(options: &Options, scenario: &Scenario) -> impl Iterator<Item = u64> + use<> {
    let first = options.seed.or(scenario.seed).unwrap_or(SEED);
    (0..SEEDS).map(move |more| first.wrapping_add(more))
}

/// What is to be rewritten, each place once, the last first.
fn settled(source: &Source, found: Vec<Rewrite>) -> Result<Vec<Rewrite>, String> {
    let mut settled: Vec<Rewrite> = Vec::new();
    for rewrite in found {
        let overlapping = settled.iter().find(|other| other.span.start < rewrite.span.end && rewrite.span.start < other.span.end);
        match overlapping {
            None => settled.push(rewrite),
            Some(same) if *same == rewrite => {}
            Some(other) => {
                let mut mistake = Mistake::new(rewrite.span, "this is played several times and does not always see the same");
                mistake.notes = vec![format!("once:  {}", other.text), format!("again: {}", rewrite.text)];
                return Err(mistake.help("say with a hole or with an expectation such as `Like` what differs").render(source));
            }
        }
    }
    settled.sort_by_key(|rewrite| std::cmp::Reverse(rewrite.span.start));
    Ok(settled)
}

/// Two seeds do not agree on what should stand there.
fn unsteady(source: &Source, one: &[Rewrite], other: &[Rewrite], seed: u64) -> String {
    let differing = one.iter().find(|rewrite| !other.contains(rewrite)).or_else(|| other.iter().find(|rewrite| !one.contains(rewrite)));
    let Some(differing) = differing else { return String::new() };
    let with_span = |all: &[Rewrite]| {
        let same = all.iter().find(|rewrite| rewrite.span == differing.span);
        same.map_or_else(|| "(as it is written)".to_owned(), |rewrite| rewrite.text.clone())
    };
    let mut mistake = Mistake::new(differing.span.clone(), "what is seen here is not the same for every seed");
    mistake.notes = vec![format!("at first:      {}", with_span(one)), format!("with seed {seed}: {}", with_span(other))];
    mistake.help("say with `Let` or with an expectation such as `Like` or `AnyOrder` what differs").render(source)
}

/// Rewrites the files of a source, and returns what they were.
fn write(source: &Source, rewrites: &[Rewrite]) -> io::Result<Vec<(PathBuf, String)>> {
    let mut before = Vec::new();
    for part in source.parts() {
        let mut text = part.text.to_owned();
        // From the end, so that what stands in front stays where it is.
        for rewrite in rewrites.iter().filter(|rewrite| source.part(rewrite.span.start).start == part.start) {
            text.replace_range(rewrite.span.start - part.start..rewrite.span.end - part.start, &rewrite.text);
        }
        if text != part.text {
            std::fs::write(part.path, text)?;
            before.push((part.path.to_owned(), part.text.to_owned()));
        }
    }
    Ok(before)
}

/// Plays what is written now, which must pass and be the same for every seed, and keeps its transcript.
fn keep(path: &Path, options: &Options) -> Result<(), String> {
    let (source, scenario) = suite::load(path)?;
    let mut first: Option<(Played, String)> = None;
    for seed in seeds(options, &scenario) {
        let played = play::play(&scenario, &Options { seed: Some(seed), ..options.clone() });
        if played.end != End::Passed {
            return Err(report::failure(&source, &scenario, &played));
        }
        let transcript = played.transcript.render(None);
        match &first {
            None => first = Some((played, transcript)),
            Some((_, before)) if *before != transcript => {
                let (before, now) = (format!("{before}\n"), format!("{transcript}\n"));
                let diff = TextDiff::from_lines(&before, &now)
                    .unified_diff()
                    .context_radius(2)
                    .header("at first", &format!("with seed {seed}"))
                    .to_string();
                return Err(format!("error: {}: what everyone sees is not the same for every seed\n\n{diff}", source.name));
            }
            Some(_) => {}
        }
    }
    match first {
        Some((played, transcript)) => {
            snapshot::check(path, &transcript).map_err(|why| report::snapshot_failure(&source, &scenario, &played, &why))
        }
        None => Ok(()),
    }
}

/// `scenarios/dm/block.ron:13`: a file, and a line of it.
#[must_use]
pub fn file_and_line(argument: &Path) -> (PathBuf, Option<usize>) {
    let text = argument.to_string_lossy();
    match text.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))) {
        Some((file, line)) if !argument.exists() => (PathBuf::from(file), Some(line)),
        _ => (argument.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_be_named() {
        assert_eq!(file_and_line(Path::new("a/b.ron:13")), (PathBuf::from("a/b.ron"), Some(13)));
        assert_eq!(file_and_line(Path::new("a/b.ron")), (PathBuf::from("a/b.ron"), None));
        assert_eq!(file_and_line(Path::new("a/b.ron:x")), (PathBuf::from("a/b.ron:x"), None));
    }

    #[test]
    fn only_the_literals_are_rewritten_and_comments_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.ron");
        let text = "// about it\nSee(bob: [\"one\", /* here */ \"two\"], // so\n carol: \"three\")\n";
        std::fs::write(&path, text).unwrap();
        let source = Source::load(&path).unwrap();
        let at = |word: &str| text.find(word).map(|at| at..at + word.len()).unwrap();
        let found = vec![
            Rewrite { span: at("\"one\""), text: "\"eins\"".into() },
            Rewrite { span: at("\"three\""), text: "[\"drei\", Closed]".into() },
            Rewrite { span: at("\"one\""), text: "\"eins\"".into() },
        ];
        let rewrites = settled(&source, found).unwrap();
        assert_eq!(rewrites.len(), 2);
        let before = write(&source, &rewrites).unwrap();
        assert_eq!(before, [(path.clone(), text.to_owned())]);
        let after = std::fs::read_to_string(&path).unwrap();
        assert_eq!(after, "// about it\nSee(bob: [\"eins\", /* here */ \"two\"], // so\n carol: [\"drei\", Closed])\n");
        let other = vec![Rewrite { span: at("\"one\""), text: "\"eins\"".into() }, Rewrite { span: at("\"one\""), text: "\"ein\"".into() }];
        assert!(settled(&source, other).unwrap_err().contains("does not always see the same"));
    }
}
