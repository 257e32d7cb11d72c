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
    /// Something was not as it says, and then it was.
    Flaky,
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

/// How many scenarios are played.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// So many at the same time.
    pub jobs: usize,
    /// One that fails is played so many times again, to see whether it always does.
    pub retries: u32,
    /// Where it is printed there is somebody who watches, and lines that can be written over.
    pub watched: bool,
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

    /// How many ended so.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.tried.iter().filter(|tried| tried.verdict == verdict).count()
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

/// Every file of steps below `path`, sorted.
///
/// # Errors
/// When there is no such file or folder.
pub fn find_steps(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(if path.to_string_lossy().ends_with(scenario::STEPS_EXTENSION) { vec![path.to_owned()] } else { Vec::new() });
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        found.extend(find_steps(&entry?.path())?);
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

/// The same, and again if it fails: what fails once and then does not is flaky, and both of it is told.
#[must_use]
pub fn try_again(path: &Path, source: &Source, scenario: &Scenario, options: &Options, retries: u32) -> Tried {
    let first = try_one(path, source, scenario, options);
    if first.verdict != Verdict::Failed {
        return first;
    }
    for retry in 1..=retries {
        let again = try_one(path, source, scenario, options);
        if again.verdict == Verdict::Passed {
            let difference = match (&first.played, &again.played) {
                (Some(first), Some(again)) => report::first_difference(&first.transcript, &again.transcript),
                _ => String::new(),
            };
            let text = format!("{}\nFLAKY: it failed like this, and passed when it was played again ({retry})\n{difference}", first.text);
            return Tried { verdict: Verdict::Flaky, text, ..first };
        }
    }
    first
}

/// Plays all of them, so many at a time, and prints what becomes of each.
///
/// # Errors
/// When it cannot be printed.
pub fn run(all: &[(PathBuf, Source, Scenario)], options: &Options, pace: Pace, out: &mut (impl Write + Send)) -> io::Result<Run> {
    let began = Instant::now();
    let printing = Mutex::new((out, Vec::new(), Ok(())));
    let numbered: Vec<(usize, &(PathBuf, Source, Scenario))> = all.iter().enumerate().collect();
    each(&numbered, pace.jobs, |(place, (path, source, scenario))| {
        let tried = try_again(path, source, scenario, options, pace.retries);
        let Ok(mut printing) = printing.lock() else { return };
        let (out, so_far, printed) = &mut *printing;
        so_far.push((*place, tried));
        if printed.is_ok() {
            *printed = print(&mut **out, &source.name, so_far, all.len(), pace.watched);
        }
    });
    let (out, mut tried, printed) = printing.into_inner().map_err(|_| io::Error::other("a job panicked"))?;
    printed?;
    tried.sort_by_key(|(place, _)| *place);
    let run = Run { tried: tried.into_iter().map(|(_, tried)| tried).collect(), took: began.elapsed() };
    let played = all.iter().zip(&run.tried).filter(|(_, tried)| tried.verdict != Verdict::Skipped);
    let timings: Vec<(String, Timing)> = played.map(|((_, source, _), tried)| (source.name.clone(), tried.timing)).collect();
    if pace.watched {
        write!(out, "{CLEAR}")?;
    }
    if timings.len() > 1 {
        write!(out, "\n{}\n", report::slowest(timings))?;
    }
    write!(out, "{} passed, {} failed", run.count(Verdict::Passed), run.count(Verdict::Failed) + run.count(Verdict::NotStarted))?;
    for (verdict, what) in [(Verdict::Flaky, "flaky"), (Verdict::Skipped, "skipped")] {
        if run.count(verdict) > 0 {
            write!(out, ", {} {what}", run.count(verdict))?;
        }
    }
    writeln!(out, " in {}", report::shown(run.took))?;
    Ok(run)
}

/// Does something with each of them, so many at a time.
pub fn each<T: Sync>(all: &[T], jobs: usize, what: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, all.len().max(1)) {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    what(one);
                }
            });
        }
    });
}

/// Clears the line of a terminal.
const CLEAR: &str = "\r\x1b[2K";

/// Prints the last of those tried so far, and for somebody who watches how far it has come.
fn print(out: &mut impl Write, name: &str, so_far: &[(usize, Tried)], all: usize, watched: bool) -> io::Result<()> {
    let Some((_, tried)) = so_far.last() else { return Ok(()) };
    if watched {
        write!(out, "{CLEAR}")?;
    }
    match tried.verdict {
        // Who watches wants to see what is wrong, and that it goes on.
        Verdict::Passed if watched => {}
        Verdict::Passed => writeln!(out, "ok   {name}  {}", report::shown(tried.timing.total))?,
        Verdict::Skipped => writeln!(out, "skip {name}  {}", tried.text)?,
        Verdict::Flaky | Verdict::Failed | Verdict::NotStarted => writeln!(out, "{}", tried.text)?,
    }
    if watched {
        let failed = so_far.iter().filter(|(_, tried)| tried.verdict > Verdict::Skipped).count();
        let failed = if failed > 0 { format!(", {failed} not as they should be") } else { String::new() };
        write!(out, "{}/{all}{failed}  {name}", so_far.len())?;
        out.flush()?;
    }
    Ok(())
}
