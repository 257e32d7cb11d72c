//! `lint`: what is not wrong with scenarios, and not right either.

use std::io;
use std::process::ExitCode;

use chinwag_harness::lint;

use super::run::Chosen;
use crate::Exit;

/// Looks for what is not right in scenarios, without a server: waits that nobody explains, things remembered and never used,
/// nothing expected, two scenarios about the same, snapshots and files of steps that belong to none.
#[derive(clap::Args)]
pub(crate) struct Lint {
    #[command(flatten)]
    chosen: Chosen,
}

impl Lint {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let Some(all) = self.chosen.load()? else { return Ok(Exit::Mistaken.into()) };
        let mut found: Vec<String> = Vec::new();
        for (_, source, scenario) in &all {
            found.extend(lint::one(source, scenario).iter().map(|mistake| mistake.render_as_warning(source)));
        }
        found.extend(lint::all(&self.chosen.paths, &all)?);
        println!("{}", found.iter().map(|warning| format!("{warning}\n\n")).collect::<String>().trim_end());
        println!("{} scenarios, {} warnings", all.len(), found.len());
        Ok(if found.is_empty() { ExitCode::SUCCESS } else { Exit::Failed.into() })
    }
}
