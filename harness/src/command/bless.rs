//! `bless`: makes scenarios say what happens.

use std::io;
use std::process::ExitCode;
use std::sync::Mutex;

use chinwag_harness::bless::{self, Blessed};
use chinwag_harness::{snapshot, suite};

use super::run::{Chosen, Played};
use crate::Exit;

/// Makes scenarios say what happens: rewrites the texts that differ, in place, and keeps what everyone saw.
///
/// `FILE:LINE` rewrites that line only. What is not the same for five seeds is refused. Read what has changed before you
/// commit it: this makes every failure pass.
#[derive(clap::Args)]
pub(crate) struct Bless {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    played: Played,
}

impl Bless {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        snapshot::prepare(Some("always"));
        let Some(all) = self.chosen.load()? else { return Ok(Exit::Mistaken.into()) };
        let options = self.played.options()?;
        let lines: Vec<_> = self.chosen.paths.iter().map(|path| bless::file_and_line(path)).collect();
        let refused = Mutex::new(0);
        suite::each(&all, self.played.jobs(), |(path, source, _)| {
            let line = lines.iter().find(|(named, line)| named == path && line.is_some()).and_then(|(_, line)| *line);
            match bless::bless(path, &options, line) {
                Ok(Blessed::Rewritten(places)) if places.is_empty() => println!("ok   {}", source.name),
                Ok(Blessed::Rewritten(places)) => println!("ok   {}  rewritten: {}", source.name, places.join(", ")),
                Ok(Blessed::Skipped(why)) => println!("skip {}  {why}", source.name),
                Err(why) => {
                    println!("{why}");
                    *refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
                }
            }
        });
        let refused = refused.into_inner().unwrap_or_default();
        println!("{} blessed, {refused} refused", all.len() - refused);
        Ok(if refused > 0 { Exit::Failed.into() } else { ExitCode::SUCCESS })
    }
}
