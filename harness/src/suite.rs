//! Many scenarios: finding them, playing them side by side, and what has no scenario any more.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::play::{self, End, Options, Played, Timing};
use crate::scenario::{self, Scenario};
use crate::source::Source;
use crate::{diagnostic, report, snapshot};

/// What became of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It ended as it says.
    Passed,
    /// It says why it is not run.
    Skipped,
    /// Something was not as it says.
    Failed,
    /// Its server did not start.
    NotStarted,
}

/// A scenario that was tried.
pub struct Tried {
    /// What became of it.
    pub verdict: Verdict,
    /// The failure, or the reason for the skip.
    pub text: String,
    /// Where the time went.
    pub timing: Timing,
    /// All about how it was played, if it was.
    pub played: Option<Box<Played>>,
}

/// What became of many.
pub struct Run {
    /// Of each, in the order they were given.
    pub tried: Vec<Tried>,
    /// How long it took.
    pub took: Duration,
}

impl Run {
    /// The worst of it.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.tried.iter().map(|tried| tried.verdict).max().unwrap_or(Verdict::Passed)
    }
}

/// Every file below `path` with this extension, sorted; `path` itself if it is one. Files of steps, which scenarios
/// include, are none of them.
///
/// # Errors
/// When there is no such file or folder.
pub fn find(path: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let is_steps = |path: &Path| path.to_string_lossy().ends_with(scenario::STEPS_EXTENSION);
    let is_wanted = |path: &Path| path.extension().is_some_and(|found| found == extension) && !is_steps(path);
    if path.is_file() {
        return Ok(if is_wanted(path) { vec![path.to_owned()] } else { Vec::new() });
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.is_dir() || is_wanted(&path) {
            found.extend(find(&path, extension)?);
        }
    }
    found.sort();
    Ok(found)
}

/// Snapshots below `path` whose scenario is gone: found by their names, so that a filtered run is no excuse.
///
/// # Errors
/// When there is no such folder.
pub fn orphans(path: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(find(path, "snap")?.into_iter().filter(|snapshot| !snapshot.with_extension("ron").exists()).collect())
}

/// Reads and checks one scenario.
///
/// # Errors
/// All that is wrong with it, for people.
pub fn load(path: &Path) -> Result<(Source, Scenario), String> {
    let mut source = Source::load(path).map_err(|error| format!("error: {}: {error}", path.display()))?;
    match scenario::load(&mut source) {
        Ok(scenario) => Ok((source, scenario)),
        Err(mistakes) => Err(diagnostic::render_all(&source, &mistakes)),
    }
}

/// Plays one scenario and compares its transcript with its snapshot.
#[must_use]
pub fn try_one(path: &Path, source: &Source, scenario: &Scenario, options: &Options) -> Tried {
    if let Some(reason) = &scenario.skip {
        return Tried { verdict: Verdict::Skipped, text: reason.clone(), timing: Timing::default(), played: None };
    }
    let played = play::play(scenario, options);
    let (verdict, text) = match &played.end {
        End::Skipped(why) => (Verdict::Skipped, why.clone()),
        End::NotStarted(_) => (Verdict::NotStarted, report::failure(source, scenario, &played)),
        End::Failed(_) => (Verdict::Failed, report::failure(source, scenario, &played)),
        End::Passed => match snapshot::check(path, &played.transcript.render(None)) {
            Ok(()) => (Verdict::Passed, String::new()),
            Err(why) => (Verdict::Failed, report::snapshot_failure(source, scenario, &played, &why)),
        },
    };
    Tried { verdict, text, timing: played.timing, played: Some(Box::new(played)) }
}

/// Plays all of them, so many at a time, and prints what becomes of each.
///
/// # Errors
/// When it cannot be printed.
pub fn run(all: &[(PathBuf, Source, Scenario)], options: &Options, jobs: usize, out: &mut (impl Write + Send)) -> io::Result<Run> {
    let began = Instant::now();
    let next = AtomicUsize::new(0);
    let printing = Mutex::new((out, Vec::new()));
    let failed: Mutex<Option<io::Error>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, all.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some((path, source, scenario)) = all.get(place) else { return };
                    let tried = try_one(path, source, scenario, options);
                    let Ok(mut printing) = printing.lock() else { return };
                    if let (Err(error), Ok(mut failed)) = (print(&mut *printing.0, source, &tried), failed.lock()) {
                        *failed = Some(error);
                    }
                    printing.1.push((place, tried));
                }
            });
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_default() {
        return Err(error);
    }
    let (out, mut tried) = printing.into_inner().map_err(|_| io::Error::other("a job panicked"))?;
    tried.sort_by_key(|(place, _)| *place);
    let count = |verdict: Verdict| tried.iter().filter(|(_, tried)| tried.verdict == verdict).count();
    let timings: Vec<(String, Timing)> = tried
        .iter()
        .filter(|(_, tried)| tried.verdict != Verdict::Skipped)
        .map(|(place, tried)| (all[*place].1.name.clone(), tried.timing))
        .collect();
    if timings.len() > 1 {
        write!(out, "\n{}\n", report::slowest(timings))?;
    }
    write!(out, "{} passed, {} failed", count(Verdict::Passed), count(Verdict::Failed) + count(Verdict::NotStarted))?;
    if count(Verdict::Skipped) > 0 {
        write!(out, ", {} skipped", count(Verdict::Skipped))?;
    }
    let took = began.elapsed();
    writeln!(out, " in {}", report::shown(took))?;
    Ok(Run { tried: tried.into_iter().map(|(_, tried)| tried).collect(), took })
}

fn print(out: &mut impl Write, source: &Source, tried: &Tried) -> io::Result<()> {
    match tried.verdict {
        Verdict::Passed => writeln!(out, "ok   {}  {}", source.name, report::shown(tried.timing.total)),
        Verdict::Skipped => writeln!(out, "skip {}  {}", source.name, tried.text),
        Verdict::Failed | Verdict::NotStarted => writeln!(out, "{}", tried.text),
    }
}
