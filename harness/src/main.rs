//! `chinwag-harness`: scenarios from the shell.

mod command;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use chinwag_harness::play::Options;
use chinwag_harness::server::Launch;
use chinwag_harness::suite::{self, Verdict};
use chinwag_harness::{serve_if_asked, snapshot};
use clap::{Parser, Subcommand};

/// Plays scenarios against a live Chinwag server.
///
/// Exit codes: 0 all passed, 1 wrong usage, 2 a scenario file is wrong, 3 a server did not start,
/// 4 an expectation failed or something was found, 5 not the same every time.
#[derive(Parser)]
#[command(name = "chinwag-harness", version)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Plays scenarios and compares them with their snapshots.
    Run(Common),
    /// Plays scenarios and writes what everyone saw to their snapshots.
    Bless(Common),
    Check(command::check::Check),
    Model(command::model::Model),
    Shrink(command::shrink::Shrink),
    Stress(command::stress::Stress),
}

#[derive(clap::Args)]
struct Common {
    /// Scenario files, or folders of them.
    #[arg(default_value = "scenarios")]
    paths: Vec<PathBuf>,
    /// How many are played at the same time [default: two for each core].
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// The server to play them against, with its first arguments [default: the one built in].
    #[arg(long, value_name = "COMMAND")]
    server: Option<String>,
    /// Where randomness begins, instead of where each scenario says.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Leave the data directories behind, and say of failures where they are.
    #[arg(long)]
    keep_data: bool,
    #[command(flatten)]
    reports: command::reports::Reports,
}

/// What the shell is told.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Exit {
    Usage = 1,
    Mistaken = 2,
    NotStarted = 3,
    Failed = 4,
    Flaky = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

fn main() -> ExitCode {
    if let Some(code) = serve_if_asked() {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        Task::Run(common) => compare(&common, None),
        Task::Bless(common) => compare(&common, Some("always")),
        Task::Check(check) => check.run(),
        Task::Model(model) => model.run(),
        Task::Shrink(shrink) => shrink.run(),
        Task::Stress(stress) => stress.run(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        Exit::Usage.into()
    })
}

fn compare(common: &Common, update: Option<&str>) -> io::Result<ExitCode> {
    snapshot::prepare(update);
    run(common)
}

fn run(common: &Common) -> io::Result<ExitCode> {
    let all = match command::scenarios(&common.paths)? {
        Ok(all) => all,
        Err(wrong) => {
            eprintln!("{wrong}");
            return Ok(Exit::Mistaken.into());
        }
    };
    common.reports.prepare()?;
    let launch = match &common.server {
        Some(command) => Launch::command(command),
        None => Launch::itself()?,
    };
    let options = Options { launch, seed: common.seed, keep_data: common.keep_data };
    let jobs = common.jobs.unwrap_or_else(|| 2 * std::thread::available_parallelism().map_or(1, usize::from));
    let run = suite::run(&all, &options, jobs, &mut io::stdout())?;
    common.reports.write(&all, &run)?;
    Ok(match run.verdict() {
        Verdict::Passed | Verdict::Skipped => ExitCode::SUCCESS,
        Verdict::Failed => Exit::Failed.into(),
        Verdict::NotStarted => Exit::NotStarted.into(),
    })
}
