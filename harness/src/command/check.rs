//! `check`: what many do at the same time, with crashes in between, checked by intervals of time.

use std::io;
use std::process::ExitCode;

use chinwag_harness::check::{self, Kind};

use super::{Target, seed};
use crate::Exit;

/// Lets many users talk, block and read at once, kills the server, and checks everything that anybody saw.
///
/// Lost, doubled, never sent, astray, out of order, late, torn, seen or accepted across a block: by real-time intervals,
/// so that only what cannot be right is told. Fails too when too little happened to prove anything.
#[derive(clap::Args)]
pub(crate) struct Check {
    /// What kind of rounds; may be repeated [default: killed while everybody talks, reads and blocks].
    #[arg(long, value_enum)]
    kind: Vec<Kind>,
    /// How many rounds of each.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Where chance begins [default: anywhere; it is printed].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    target: Target,
}

impl Check {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let launch = self.target.launch()?;
        let seed = seed(self.seed);
        println!("seed {seed}");
        let kinds = if self.kind.is_empty() { &[Kind::Blocking][..] } else { &self.kind };
        for kind in kinds {
            match check::play(*kind, self.rounds, seed, &launch) {
                Ok(report) => println!("{report}"),
                Err(check::Wrong::NotStarted(why)) => {
                    eprintln!("error: the server did not start: {why}");
                    return Ok(Exit::NotStarted.into());
                }
                Err(check::Wrong::Found(why)) => {
                    println!("{why}\n\nrerun: chinwag-harness check --kind {} --rounds {} --seed {seed}", kind.word(), self.rounds);
                    return Ok(Exit::Failed.into());
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
