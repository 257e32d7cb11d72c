//! `shrink`: a scenario that fails, as small as it gets.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use chinwag_harness::play::Options;
use chinwag_harness::report::shown;
use chinwag_harness::shrink::file::{self, Trouble};
use chinwag_harness::suite;

use super::Target;
use crate::Exit;

/// Makes a scenario that fails smaller: steps, users, lines and words, while it fails in the same way.
#[derive(clap::Args)]
pub(crate) struct Shrink {
    /// The scenario.
    file: PathBuf,
    /// Where the small one goes [default: FILE with `.min.ron`, beside it].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where randomness begins, instead of where the scenario says.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    target: Target,
}

impl Shrink {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let (source, mut scenario) = match suite::load(&self.file) {
            Ok(loaded) => loaded,
            Err(wrong) => {
                eprintln!("{wrong}");
                return Ok(Exit::Mistaken.into());
            }
        };
        scenario.faults.clone_from(&self.target.fault);
        let options = Options { launch: self.target.launch()?, seed: self.seed, keep_data: false };
        let small = match file::shrink(&source, &scenario, &options) {
            Ok(small) => small,
            Err(Trouble::Passes) => {
                println!("{} passes: there is nothing to make smaller", source.name);
                return Ok(ExitCode::SUCCESS);
            }
            Err(Trouble::Skipped(why)) => {
                println!("skip {}  {why}", source.name);
                return Ok(ExitCode::SUCCESS);
            }
            Err(Trouble::Flaky(first, second)) => {
                println!("{first}\n{second}\n{} does not fail in the same way each time: `stress` it first", source.name);
                return Ok(Exit::Flaky.into());
            }
            Err(Trouble::NotStarted(why)) => {
                eprintln!("error: the server did not start: {why}");
                return Ok(Exit::NotStarted.into());
            }
        };
        let out = self.out.clone().unwrap_or_else(|| self.file.with_extension("min.ron"));
        std::fs::write(&out, &small.text).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", out.display())))?;
        println!("{}", small.report);
        println!("{} steps, now {} ({} played, {}): {}", small.before, small.after, small.tried, shown(small.took), out.display());
        Ok(Exit::Failed.into())
    }
}
