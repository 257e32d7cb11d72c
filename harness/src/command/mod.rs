//! The subcommands, one file each, and what they have in common.

pub(crate) mod check;
pub(crate) mod model;

use std::io;

use chinwag_harness::server::Launch;

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
