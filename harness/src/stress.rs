//! The same scenario many times on a machine with other work to do: what fails now and then is found before CI does.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use similar::TextDiff;

use crate::play::{self, End, Options, Played};
use crate::report;
use crate::scenario::Scenario;
use crate::source::Source;

/// How one run ended, as far as it has to be the same every time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The run's number.
    pub run: usize,
    /// Whether everything was as the scenario says.
    pub passed: bool,
    /// What everyone said and heard.
    pub transcript: String,
    /// All about a failure; nothing if it passed.
    pub report: String,
}

impl Outcome {
    fn of(run: usize, source: &Source, scenario: &Scenario, played: &Played) -> Outcome {
        let passed = played.end == End::Passed;
        let report = if passed { String::new() } else { report::failure(source, scenario, played) };
        Outcome { run, passed, transcript: played.transcript.render(None), report }
    }

    fn is_like(&self, other: &Outcome) -> bool {
        self.passed == other.passed && self.transcript == other.transcript
    }

    /// What is kept in a file.
    #[must_use]
    pub fn text(&self) -> String {
        let verdict = if self.passed { "passed" } else { "failed" };
        format!("run {} {verdict}\n\n{}\n{}", self.run, self.transcript, self.report)
    }
}

/// What became of all runs of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All passed, and everyone saw the same.
    Steady,
    /// All failed, and everyone saw the same.
    Fails(Box<Outcome>),
    /// Two runs that differ, how many of all were like neither the first, and where the two first differ.
    Flaky(Box<[Outcome; 2]>, usize, String),
    /// This server cannot play it, and why.
    Skipped(String),
    /// A server did not come up.
    NotStarted(String),
}

/// How hard.
#[derive(Clone, Copy, Debug)]
pub struct Stress {
    /// How often each scenario is played.
    pub runs: usize,
    /// How many are played at the same time.
    pub jobs: usize,
    /// How many threads do nothing but keep the processor busy meanwhile.
    pub load: usize,
}

/// Plays a scenario as often as asked. Stops at the first two runs that differ in more than luck allows: any two.
#[must_use]
pub fn stress(source: &Source, scenario: &Scenario, options: &Options, how: Stress) -> Verdict {
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let outcomes: Mutex<Vec<Outcome>> = Mutex::new(Vec::new());
    let stopped: Mutex<Option<Verdict>> = Mutex::new(None);
    let stop = |why: Verdict| {
        stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    };
    std::thread::scope(|scope| {
        for _ in 0..how.load {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    black_box((0..1000_u64).fold(1_u64, |a, b| black_box(a.wrapping_mul(31) ^ b)));
                }
            });
        }
        let jobs: Vec<_> = (0..how.jobs.clamp(1, how.runs.max(1)))
            .map(|_| {
                scope.spawn(|| {
                    loop {
                        let run = next.fetch_add(1, Ordering::Relaxed);
                        if run >= how.runs {
                            return;
                        }
                        let played = play::play(scenario, options);
                        match &played.end {
                            End::NotStarted(why) => stop(Verdict::NotStarted(why.clone())),
                            End::Skipped(why) => stop(Verdict::Skipped(why.clone())),
                            End::Passed | End::Failed(_) => {
                                let outcome = Outcome::of(run + 1, source, scenario, &played);
                                let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                                // Of those that are alike one is enough, and how many there were.
                                outcomes.push(outcome);
                                continue;
                            }
                        }
                        next.store(how.runs, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for job in jobs {
            let _ = job.join();
        }
        over.store(true, Ordering::Relaxed);
    });
    if let Some(stopped) = stopped.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return stopped;
    }
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|outcome| outcome.run);
    verdict(outcomes)
}

/// Compares all with the one that is most frequent.
fn verdict(outcomes: Vec<Outcome>) -> Verdict {
    let alike = |one: &Outcome| outcomes.iter().filter(|other| other.is_like(one)).count();
    let Some(usual) = outcomes.iter().rev().max_by_key(|one| alike(one)) else { return Verdict::Steady };
    let count = alike(usual);
    match outcomes.iter().find(|other| !other.is_like(usual)) {
        Some(other) => {
            let difference = difference(&usual.transcript, &other.transcript);
            Verdict::Flaky(Box::new([usual.clone(), other.clone()]), outcomes.len() - count, difference)
        }
        None if usual.passed => Verdict::Steady,
        None => Verdict::Fails(Box::new(usual.clone())),
    }
}

/// Where two transcripts first differ, with what stands around it.
fn difference(usual: &str, other: &str) -> String {
    let (usual, other) = (format!("{usual}\n"), format!("{other}\n"));
    let diff = TextDiff::from_lines(&usual, &other);
    let mut unified = diff.unified_diff();
    let unified = unified.context_radius(3).header("usually", "this time");
    unified.iter_hunks().next().map_or_else(|| "both transcripts are the same".to_owned(), |hunk| hunk.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(run: usize, passed: bool, transcript: &str) -> Outcome {
        Outcome { run, passed, transcript: transcript.to_owned(), report: String::new() }
    }

    #[test]
    fn what_differs_once_is_told_from_what_is_usual() {
        let all = vec![outcome(1, true, "a\nx"), outcome(2, true, "a\nb"), outcome(3, true, "a\nb")];
        let Verdict::Flaky(two, count, difference) = verdict(all) else { panic!("a flake") };
        assert_eq!((two[0].run, two[1].run, count), (2, 1, 1));
        assert!(difference.contains("-b") && difference.contains("+x"), "{difference}");
    }

    #[test]
    fn all_alike_is_steady_or_a_failure() {
        assert_eq!(verdict(vec![outcome(1, true, "a"), outcome(2, true, "a")]), Verdict::Steady);
        assert!(matches!(verdict(vec![outcome(1, false, "a"), outcome(2, false, "a")]), Verdict::Fails(_)));
        assert!(matches!(verdict(vec![outcome(1, false, "a"), outcome(2, true, "a")]), Verdict::Flaky(..)));
        assert_eq!(verdict(Vec::new()), Verdict::Steady);
    }
}
