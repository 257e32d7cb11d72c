//! `model`: random sessions against the reference model.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chinwag_harness::model::{self, Search, Trouble};
use chinwag_harness::report::shown;

use super::{Target, seed};
use crate::Exit;

/// Plays random sessions and compares what everybody sees with a small model of the server.
///
/// Register, log in and out, message, broadcast, block, offline mail, tokens, resume, lock-out, crash and stop. A difference
/// is made small and left behind as a scenario that fails in the same way.
#[derive(clap::Args)]
pub(crate) struct Model {
    /// How many sessions.
    #[arg(long, value_name = "N", default_value_t = 200)]
    cases: u64,
    /// Begins no new session after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    time: Option<u64>,
    /// How many operations the longest session has.
    #[arg(long, value_name = "N", default_value_t = 60)]
    ops: usize,
    /// Where chance begins [default: anywhere; it is printed].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The folder for the scenario of a difference.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    save: PathBuf,
    #[command(flatten)]
    target: Target,
}

impl Model {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let seed = seed(self.seed);
        println!("seed {seed}");
        let search = Search {
            seed,
            cases: self.cases,
            time: self.time.map(Duration::from_secs),
            ops: self.ops,
            launch: self.target.launch()?,
            args: Vec::new(),
        };
        let (figures, difference) = match model::search(&search) {
            Ok(found) => found,
            Err(Trouble::NotStarted(why)) => {
                eprintln!("error: the server did not start: {why}");
                return Ok(Exit::NotStarted.into());
            }
            Err(Trouble::Flaky(report)) => {
                println!("{report}\nthis session differed once, and not when it was played again");
                return Ok(Exit::Flaky.into());
            }
            Err(Trouble::Unreadable(why)) => {
                eprintln!("{why}");
                return Ok(Exit::Mistaken.into());
            }
        };
        println!("{}", figures.report());
        let Some(found) = difference else {
            println!("no difference");
            return Ok(ExitCode::SUCCESS);
        };
        let path = self.save.join(&found.source.name);
        std::fs::write(&path, &found.source.text).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        println!("{}", found.report);
        println!(
            "found in session {} after {}; from {} operations to {} in {} ({} tried); the scenario: {}",
            found.case,
            shown(found.found_in),
            found.ops,
            found.left,
            shown(found.shrunk_in),
            found.tried,
            path.display()
        );
        Ok(Exit::Failed.into())
    }
}
