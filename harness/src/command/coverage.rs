//! `coverage`: what the scenarios provoke, and what not.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use chinwag_harness::coverage::Coverage as Provoked;
use chinwag_harness::snapshot;

use super::scenarios;
use crate::Exit;

/// Tells which commands, refusals and kinds of arguments scenarios provoke, from the files and their snapshots.
#[derive(clap::Args)]
pub(crate) struct Coverage {
    /// Scenario files, or folders of them.
    #[arg(default_value = "scenarios")]
    paths: Vec<PathBuf>,
    /// Ends with code 4 if a command has no scenario.
    #[arg(long)]
    strict: bool,
}

impl Coverage {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let all = match scenarios(&self.paths)? {
            Ok(all) => all,
            Err(wrong) => {
                eprintln!("{wrong}");
                return Ok(Exit::Mistaken.into());
            }
        };
        let cards = chinwag_commands::stock().cards();
        let mut provoked = Provoked::new(&cards);
        for (path, source, scenario) in &all {
            let transcript = std::fs::read_to_string(snapshot::path_of(path)).ok();
            provoked.add(&source.name, scenario, transcript.as_deref(), &cards);
        }
        print!("{}", provoked.report());
        let [commands, ..] = provoked.gaps();
        Ok(if self.strict && !commands.is_empty() { Exit::Failed.into() } else { ExitCode::SUCCESS })
    }
}
