//! The subcommands, one file each, and what they have in common.

pub(crate) mod bless;
pub(crate) mod check;
pub(crate) mod coverage;
pub(crate) mod fmt;
pub(crate) mod lint;
#[cfg(target_os = "linux")]
pub(crate) mod load;
pub(crate) mod model;
pub(crate) mod new;
pub(crate) mod record;
pub(crate) mod repl;
pub(crate) mod reports;
pub(crate) mod review;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod shrink;
pub(crate) mod stress;

use std::io;
use std::path::PathBuf;

use chinwag_harness::scenario::Scenario;
use chinwag_harness::server::Launch;
use chinwag_harness::source::Source;
use chinwag_harness::suite;

/// Scenarios that have been read, with their paths.
pub(crate) type Loaded = Vec<(PathBuf, Source, Scenario)>;

/// Reads all scenarios at and below these paths; if some are wrong, says what is wrong with all of them.
pub(crate) fn scenarios(paths: &[PathBuf]) -> io::Result<Result<Loaded, String>> {
    let (mut all, mut mistakes) = (Vec::new(), Vec::new());
    for path in paths {
        let files = suite::find(path, "ron").map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        if files.is_empty() {
            return Err(io::Error::other(format!("{}: no scenarios", path.display())));
        }
        for path in files {
            match suite::load(&path) {
                Ok((source, scenario)) => all.push((path, source, scenario)),
                Err(wrong) => mistakes.push(wrong),
            }
        }
    }
    Ok(if mistakes.is_empty() { Ok(all) } else { Err(mistakes.join("\n\n")) })
}

/// The server under test.
#[derive(clap::Args)]
pub(crate) struct Target {
    /// The server, with its first arguments [default: the one built in].
    #[arg(long, value_name = "COMMAND")]
    server: Option<String>,
    /// A named fault that it starts with, to see that it is found (needs a build with `--features faults`).
    #[arg(long, value_name = "NAME")]
    fault: Vec<String>,
}

impl Target {
    /// How to start it.
    pub(crate) fn launch(&self) -> io::Result<Launch> {
        let launch = match &self.server {
            Some(command) => Launch::command(command),
            None => Launch::itself()?,
        };
        Ok(Launch { faults: self.fault.clone(), ..launch })
    }
}

/// Where chance begins: as given, or anywhere.
pub(crate) fn seed(given: Option<u64>) -> u64 {
    given.unwrap_or_else(|| fastrand::u64(..1_000_000_000))
}
