//! `run --report`: what became of a run, for other programs.

use std::io::{self, Write};
use std::path::PathBuf;

use chinwag_harness::export::{Case, Wanted, github};
use chinwag_harness::scenario::Scenario;
use chinwag_harness::source::Source;
use chinwag_harness::suite::Run;

/// Which reports are written.
#[derive(clap::Args)]
pub(crate) struct Reports {
    /// Writes reports: `junit=FILE`, `tap=FILE`, `json=FILE`, `html=FILE`, several with commas.
    #[arg(long, value_name = "FORMAT=FILE", value_delimiter = ',')]
    report: Vec<Wanted>,
    /// Prints an annotation for GitHub on each line that was not as it says [default: if it runs there].
    #[arg(long)]
    github: bool,
}

impl Reports {
    /// Makes sure that they can be written, before anything is played.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        for wanted in &self.report {
            std::fs::write(&wanted.file, "").map_err(|error| cannot_write(wanted, &error))?;
        }
        Ok(())
    }

    /// Writes them.
    pub(crate) fn write(&self, all: &[(PathBuf, Source, Scenario)], run: &Run) -> io::Result<()> {
        let cases: Vec<Case<'_>> =
            all.iter().zip(&run.tried).map(|((_, source, scenario), tried)| Case { source, scenario, tried }).collect();
        for wanted in &self.report {
            std::fs::write(&wanted.file, wanted.format.render(&cases, run.took)).map_err(|error| cannot_write(wanted, &error))?;
        }
        if self.github || std::env::var(github::ACTIONS).as_deref() == Ok("true") {
            print!("{}", github::annotations(&cases));
            if let Some(file) = std::env::var_os(github::SUMMARY) {
                let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file)?;
                file.write_all(github::summary(&cases, run.took).as_bytes())?;
            }
        }
        Ok(())
    }
}

fn cannot_write(wanted: &Wanted, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the report {}: {error}", wanted.file.display()))
}
