//! `run`: plays scenarios and compares them with their snapshots.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use chinwag_harness::play::Options;
use chinwag_harness::select::{Selection, Shard, Tags};
use chinwag_harness::suite::{self, Pace, Verdict};
use chinwag_harness::{bless, snapshot};

use super::reports::Reports;
use super::{Loaded, Target};
use crate::Exit;

/// Which scenarios.
#[derive(clap::Args)]
pub(crate) struct Chosen {
    /// Scenario files, or folders of them.
    #[arg(default_value = "scenarios")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only those whose tags fit, such as `dm and not slow`.
    #[arg(long, value_name = "EXPRESSION")]
    tags: Option<Tags>,
    /// Only those with this in their name.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Only the Kth of N shares; every share is the same on every machine.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
}

impl Chosen {
    /// Reads them; `None` if there were mistakes, which have then been told.
    pub(crate) fn load(&self) -> io::Result<Option<Loaded>> {
        let mut found = Vec::new();
        for path in &self.paths {
            let (path, _) = bless::file_and_line(path);
            let files = suite::find(&path, "ron").map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
            if files.is_empty() {
                return Err(io::Error::other(format!("{}: no scenarios", path.display())));
            }
            found.extend(files);
        }
        found.sort();
        found.dedup();
        let selection = Selection { tags: self.tags.clone(), name: self.filter.clone(), shard: self.shard };
        let (mut all, mut mistakes, mut known) = (Vec::new(), Vec::new(), Vec::new());
        // Of a share there may be none.
        let (whole, mut count) = (Selection { shard: None, ..selection.clone() }, 0);
        for path in found {
            match suite::load(&path) {
                Ok((source, scenario)) => {
                    known.extend(scenario.tags.iter().cloned());
                    count += usize::from(whole.has(&source, &scenario));
                    if selection.has(&source, &scenario) {
                        all.push((path, source, scenario));
                    }
                }
                Err(wrong) => mistakes.push(wrong),
            }
        }
        if !mistakes.is_empty() {
            eprintln!("{}", mistakes.join("\n\n"));
            return Ok(None);
        }
        // A tag that no scenario has is more likely a slip than a wish for nothing.
        let unknown = self.tags.iter().flat_map(Tags::names).find(|tag| !known.iter().any(|known| known == tag));
        if let Some(tag) = unknown {
            let near = chinwag_wire::suggest::nearest(tag, known.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
            return Err(io::Error::other(format!("no scenario has the tag `{tag}`{near}")));
        }
        // Nothing that passes is no success: a step of CI whose filter fits nothing any more would stay green for ever.
        if count == 0 {
            let given = |name: &str, value: Option<&str>| value.map(|value| format!("{name} {value}"));
            let tags = self.tags.as_ref().map(Tags::to_string);
            let given: Vec<String> =
                given("--tags", tags.as_deref()).into_iter().chain(given("--filter", self.filter.as_deref())).collect();
            return Err(io::Error::other(format!("no scenario fits {}", given.join(" and "))));
        }
        Ok(Some(all))
    }
}

/// How they are played.
#[derive(clap::Args)]
pub(crate) struct Played {
    /// How many are played at the same time [default: two for each core].
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Where randomness begins, instead of where each scenario says.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Leave the data directories behind, and say of failures where they are.
    #[arg(long)]
    keep_data: bool,
    #[command(flatten)]
    target: Target,
}

impl Played {
    pub(crate) fn options(&self) -> io::Result<Options> {
        Ok(Options { launch: self.target.launch()?, seed: self.seed, keep_data: self.keep_data })
    }

    pub(crate) fn jobs(&self) -> usize {
        self.jobs.unwrap_or_else(|| 2 * std::thread::available_parallelism().map_or(1, usize::from))
    }
}

/// Plays scenarios and compares them with their snapshots.
#[derive(clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    played: Played,
    /// Play what fails so many times again; what passes then is flaky, which is told and not good either.
    #[arg(long, value_name = "N", default_value_t = 0)]
    retries: u32,
    /// Leave transcripts that differ beside their snapshots, for `cargo insta review`.
    #[arg(long)]
    pending: bool,
    #[command(flatten)]
    reports: Reports,
}

impl Run {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        snapshot::prepare(self.pending.then_some("new"));
        let Some(all) = self.chosen.load()? else { return Ok(Exit::Mistaken.into()) };
        let pace = Pace { jobs: self.played.jobs(), retries: self.retries, watched: io::stdout().is_terminal() };
        self.reports.prepare()?;
        let run = suite::run(&all, &self.played.options()?, pace, &mut io::stdout())?;
        self.reports.write(&all, &run)?;
        Ok(match run.verdict() {
            Verdict::Passed | Verdict::Skipped => ExitCode::SUCCESS,
            Verdict::Flaky => Exit::Flaky.into(),
            Verdict::Failed => Exit::Failed.into(),
            Verdict::NotStarted => Exit::NotStarted.into(),
        })
    }
}
