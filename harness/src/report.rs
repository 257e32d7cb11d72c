//! What the harness prints: one line for each scenario, all there is to know of a failure, where the time went.

use std::fmt::Write;
use std::time::Duration;

use crate::diagnostic;
use crate::play::{End, Played, Timing};
use crate::scenario::Scenario;
use crate::source::Source;
use crate::transcript::Transcript;

/// How many rows of the transcript a failure shows: enough to see what led to it.
const ROWS: usize = 24;
/// How many of the last lines of the server's log it shows.
const LOG_LINES: usize = 30;
/// How many of the slowest are listed.
const SLOWEST: usize = 10;

/// What the server logs at these levels stands between the events.
const GRAVE: [&str; 2] = ["ERROR", "WARN"];

/// A line of the log from its level on: when it was is said by the step.
fn without_time(line: &str) -> &str {
    GRAVE.iter().filter_map(|level| line.find(level)).min().map_or(line, |at| &line[at..])
}

/// Everything about a scenario that did not end as it should.
#[must_use]
pub fn failure(source: &Source, scenario: &Scenario, played: &Played) -> String {
    let mut out = headline(source, scenario, played);
    match &played.end {
        End::Passed | End::Skipped(_) => {}
        End::NotStarted(why) => {
            let _ = writeln!(out, "error: the server did not start\n  --> {}\n{why}", source.name);
        }
        End::Failed(mistakes) => {
            let _ = writeln!(out, "{}", diagnostic::render_all(source, mistakes));
        }
    }
    if !played.transcript.rows.is_empty() {
        let mut transcript = played.transcript.clone();
        let grave = played.log.iter().filter(|line| GRAVE.iter().any(|level| line.is_of(level)));
        transcript.insert_log(grave.map(|line| (line.step.as_str(), without_time(&line.text))));
        let _ = writeln!(out, "\nlast events, by step (> said, < heard, ! logged)\n{}", transcript.render(Some(ROWS)));
    }
    out + &circumstances(source, played)
}

/// A scenario whose steps went well, but whose transcript is not that of the snapshot.
#[must_use]
pub fn snapshot_failure(source: &Source, scenario: &Scenario, played: &Played, why: &str) -> String {
    let mut out = headline(source, scenario, played);
    let _ = writeln!(out, "error: {why}\nbless:  {}", command("bless", &source.name, played, &[]));
    out + &circumstances(source, played)
}

fn headline(source: &Source, scenario: &Scenario, played: &Played) -> String {
    format!("FAIL {}  step {} of {}  {}\n", source.name, played.step, scenario.steps.0.len(), shown(played.timing.total))
}

fn circumstances(source: &Source, played: &Played) -> String {
    let mut out = format!("\nserver: {}\n", played.server);
    if !played.connections.is_empty() {
        let connections: Vec<String> = played.connections.iter().map(|(name, how)| format!("{name} {how}")).collect();
        let _ = writeln!(out, "clients: {}", connections.join(", "));
    }
    let lines = &played.log[played.log.len().saturating_sub(LOG_LINES)..];
    let width = lines.iter().map(|line| line.step.len()).max().unwrap_or(0).max(4);
    for line in lines {
        let _ = writeln!(out, "{:>width$} | {}", line.step, line.text);
    }
    if let Some(data) = &played.data {
        let _ = writeln!(out, "data:   {}", data.display());
    }
    let _ = writeln!(out, "rerun:  {}", rerun(&source.name, played));
    if let End::Failed(mistakes) = &played.end
        && let Some(first) = mistakes.iter().find(|mistake| mistake.can_be_blessed)
    {
        let part = source.part(first.span.start);
        let (line, _) = source.position(first.span.start);
        let line = if part.by.is_none() { format!(":{line}") } else { String::new() };
        let _ = writeln!(out, "bless:  {}", command("bless", &format!("{}{line}", source.name), played, &[]));
    }
    out
}

/// The command line that plays it again, on the same server.
#[must_use]
pub fn rerun(name: &str, played: &Played) -> String {
    command("run", name, played, &[&format!("--seed {}", played.seed), "--keep-data"])
}

fn command(verb: &str, name: &str, played: &Played, more: &[&str]) -> String {
    let words = ["chinwag-harness", verb, name].into_iter().chain(more.iter().copied()).chain(played.flags.iter().map(String::as_str));
    words.collect::<Vec<_>>().join(" ")
}

/// Where two runs of one scenario first differ in what everyone saw.
#[must_use]
pub fn first_difference(one: &Transcript, other: &Transcript) -> String {
    let (one, other) = (one.render(None), other.render(None));
    let at = one.lines().zip(other.lines()).take_while(|(one, other)| one == other).count();
    let line = |text: &str| text.lines().nth(at).map_or_else(|| "(nothing more)".to_owned(), str::to_owned);
    if line(&one) == line(&other) {
        return "everyone saw the same in both".to_owned();
    }
    format!("first difference in what everyone saw:\n  failed: {}\n  passed: {}", line(&one), line(&other))
}

/// A length of real time for people: `13.9ms`, `1.2s`.
#[must_use]
pub fn shown(length: Duration) -> String {
    let millis = length.as_secs_f64() * 1000.0;
    if millis < 1000.0 { format!("{millis:.1}ms") } else { format!("{:.1}s", millis / 1000.0) }
}

/// The slowest scenarios and what they spent their time on.
#[must_use]
pub fn slowest(mut timings: Vec<(String, Timing)>) -> String {
    timings.sort_by_key(|(_, timing)| std::cmp::Reverse(timing.total));
    timings.truncate(SLOWEST);
    let width = timings.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(7);
    let mut out = format!("{:width$} {:>8} {:>8} {:>8} {:>8} {:>8}\n", "slowest", "total", "spawn", "login", "steps", "barrier");
    for (name, timing) in timings {
        let [total, spawn, login, steps, barrier] = [timing.total, timing.spawn, timing.login, timing.steps, timing.barrier].map(shown);
        let _ = writeln!(out, "{name:width$} {total:>8} {spawn:>8} {login:>8} {steps:>8} {barrier:>8}");
    }
    out
}
