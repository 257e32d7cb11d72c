//! `review`: one failure after the other, and what to do about it.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use chinwag_harness::bless::{self, Blessed};
use chinwag_harness::snapshot;
use chinwag_harness::suite::{self, Verdict};

use super::run::{Chosen, Played};
use crate::Exit;

/// Plays scenarios and asks about each that fails whether what happens now is right.
///
/// `a` accepts it, which blesses the scenario; `s` leaves it as it is; `q` ends.
#[derive(clap::Args)]
pub(crate) struct Review {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    played: Played,
}

impl Review {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        if !io::stdin().is_terminal() {
            return Err(io::Error::other("somebody has to answer: `run` shows what fails, `bless` accepts it"));
        }
        // Only what is accepted is written.
        snapshot::prepare(Some("always"));
        let Some(all) = self.chosen.load()? else { return Ok(Exit::Mistaken.into()) };
        let options = self.played.options()?;
        let (mut accepted, mut left) = (0, 0);
        for (path, source, scenario) in &all {
            let text = match snapshot::without_writing(|| suite::try_one(path, source, scenario, &options)) {
                tried if tried.verdict > Verdict::Skipped => tried.text,
                _ => continue,
            };
            println!("{text}");
            match ask()? {
                Answer::Accept => match bless::bless(path, &options, None) {
                    Ok(Blessed::Rewritten(_)) => accepted += 1,
                    Ok(Blessed::Skipped(why)) => println!("skip {}  {why}", source.name),
                    Err(why) => {
                        println!("{why}");
                        left += 1;
                    }
                },
                Answer::Leave => left += 1,
                Answer::End => {
                    left += 1;
                    break;
                }
            }
        }
        println!("{accepted} accepted, {left} left");
        Ok(if left > 0 { Exit::Failed.into() } else { ExitCode::SUCCESS })
    }
}

enum Answer {
    Accept,
    Leave,
    End,
}

fn ask() -> io::Result<Answer> {
    loop {
        print!("[a]ccept  [s]kip  [q]uit > ");
        io::stdout().flush()?;
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            return Ok(Answer::End);
        }
        match line.trim() {
            "a" => return Ok(Answer::Accept),
            "s" => return Ok(Answer::Leave),
            "q" => return Ok(Answer::End),
            _ => {}
        }
    }
}
