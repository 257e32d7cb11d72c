//! A scenario file that fails, made smaller while it fails in the same way: steps, users, lines, words.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::ddmin;
use super::likeness::Likeness;
use super::tree::{self, Item};
use crate::play::{self, End, Options, Played};
use crate::report;
use crate::scenario::{self, Scenario};
use crate::source::Source;

/// How often it is gone through from the beginning: what is left out at last may make room for more.
const PASSES: usize = 4;

/// What is left of a scenario.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The file.
    pub text: String,
    /// What it says when it is played.
    pub report: String,
    /// How many steps it had.
    pub before: usize,
    /// How many are left.
    pub after: usize,
    /// How many smaller ones were played.
    pub tried: usize,
    /// How long it took.
    pub took: Duration,
}

/// Why there is nothing to make smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It does not fail.
    Passes,
    /// This server cannot play it, and why.
    Skipped(String),
    /// It fails, but not in the same way every time: two ways.
    Flaky(String, String),
    /// The server did not come up.
    NotStarted(String),
}

/// Makes `source` smaller.
///
/// # Errors
/// When it does not fail, or not in the same way each time.
pub fn shrink(source: &Source, scenario: &Scenario, options: &Options) -> Result<Shrunk, Trouble> {
    let began = Instant::now();
    let mut tried = 0;
    let first = play::play(scenario, options);
    let wanted = match (&first.end, Likeness::of(source, scenario, &first)) {
        (End::NotStarted(why), _) => return Err(Trouble::NotStarted(why.clone())),
        (End::Skipped(why), _) => return Err(Trouble::Skipped(why.clone())),
        (_, None) => return Err(Trouble::Passes),
        (_, Some(likeness)) => likeness,
    };
    let again = play::play(scenario, options);
    if Likeness::of(source, scenario, &again).as_ref() != Some(&wanted) {
        return Err(Trouble::Flaky(report::failure(source, scenario, &first), report::failure(source, scenario, &again)));
    }
    let mut fails = |text: &str| {
        let Some((source, scenario)) = read(source, text) else { return false };
        tried += 1;
        Likeness::of(&source, &scenario, &play::play(&scenario, options)).is_some_and(|likeness| likeness == wanted)
    };
    let mut text = source.main().to_owned();
    for _ in 0..PASSES {
        let fewer = without_words(without_items(&text, &mut fails), &mut fails);
        if fewer == text {
            break;
        }
        text = fewer;
    }
    let (report, after) = last_words(source, &text, options);
    Ok(Shrunk { text, report, before: scenario.steps.0.len(), after, tried, took: began.elapsed() })
}

/// A text as it would be read from the same place, so that what it includes is found.
fn read(source: &Source, text: &str) -> Option<(Source, Scenario)> {
    let mut source = source.with_text(text);
    let scenario = scenario::load(&mut source).ok()?;
    Some((source, scenario))
}

fn last_words(source: &Source, text: &str, options: &Options) -> (String, usize) {
    let Some((source, scenario)) = read(source, text) else { return (String::new(), 0) };
    let played: Played = play::play(&scenario, options);
    (report::failure(&source, &scenario, &played), scenario.steps.0.len())
}

/// Leaves out items, from the outermost lists to the innermost.
fn without_items(text: &str, fails: &mut impl FnMut(&str) -> bool) -> String {
    let mut gone: Vec<Range<usize>> = Vec::new();
    let mut level: Vec<Item> = tree::items(text);
    while !level.is_empty() {
        let all: Vec<Range<usize>> = level.iter().map(|item| item.span.clone()).collect();
        let left_out = |kept: &[Range<usize>]| -> Vec<Range<usize>> {
            gone.iter().chain(all.iter().filter(|span| !kept.contains(span))).cloned().collect()
        };
        let kept = ddmin::minimal(&all, |kept| fails(&tree::without(text, &left_out(kept))));
        gone = left_out(&kept);
        level = level.into_iter().filter(|item| kept.contains(&item.span)).flat_map(|item| item.items).collect();
    }
    tree::without(text, &gone)
}

/// Leaves out words, each wherever it is said and expected.
fn without_words(mut text: String, fails: &mut impl FnMut(&str) -> bool) -> String {
    let words: BTreeSet<String> = tree::plain_strings(&text)
        .into_iter()
        .flat_map(|span| text[span].split(' ').skip(1).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for word in words.iter().filter(|word| !word.is_empty()) {
        let mut spans = Vec::new();
        for string in tree::plain_strings(&text) {
            let mut at = string.start;
            for (place, piece) in text[string].split(' ').enumerate() {
                if place > 0 && piece == word {
                    spans.push(at - 1..at + piece.len());
                }
                at += piece.len() + 1;
            }
        }
        let mut fewer = text.clone();
        for span in spans.into_iter().rev() {
            fewer.replace_range(span, "");
        }
        if fewer != text && fails(&fewer) {
            text = fewer;
        }
    }
    text
}
