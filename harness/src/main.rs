//! `chinwag-harness`: scenarios from the shell.

mod command;

use std::process::ExitCode;

use chinwag_harness::serve_if_asked;
use clap::{Parser, Subcommand};

/// Plays scenarios against a live Chinwag server.
///
/// Exit codes: 0 all passed, 1 wrong usage, 2 a scenario file is wrong, 3 a server did not start,
/// 4 an expectation failed or something was found, 5 flaky: not the same every time. Interrupted: 128 and the signal's number.
#[derive(Parser)]
#[command(name = "chinwag-harness", version)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    Run(command::run::Run),
    Bless(command::bless::Bless),
    Review(command::review::Review),
    Lint(command::lint::Lint),
    Fmt(command::fmt::Fmt),
    Check(command::check::Check),
    Model(command::model::Model),
    Shrink(command::shrink::Shrink),
    Stress(command::stress::Stress),
    Record(command::record::Record),
    Repl(command::repl::Repl),
    New(command::new::New),
    Coverage(command::coverage::Coverage),
    Schema(command::schema::Schema),
    #[cfg(target_os = "linux")]
    Load(command::load::Load),
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
    #[cfg(target_os = "linux")]
    if let Some(code) = chinwag_harness::load::play_if_asked() {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    if let Err(error) = chinwag_harness::scratch::watch() {
        eprintln!("error: {error}");
        return Exit::Usage.into();
    }
    let done = match cli.command {
        Task::Run(run) => run.run(),
        Task::Bless(bless) => bless.run(),
        Task::Review(review) => review.run(),
        Task::Lint(lint) => lint.run(),
        Task::Fmt(fmt) => fmt.run(),
        Task::Check(check) => check.run(),
        Task::Model(model) => model.run(),
        Task::Shrink(shrink) => shrink.run(),
        Task::Stress(stress) => stress.run(),
        Task::Record(record) => record.run(),
        Task::Repl(repl) => repl.run(),
        Task::New(new) => new.run(),
        Task::Coverage(coverage) => coverage.run(),
        Task::Schema(schema) => schema.run(),
        #[cfg(target_os = "linux")]
        Task::Load(load) => load.run(),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        Exit::Usage.into()
    })
}
