//! `load`: how much a server takes, how fast, and what it costs.

use std::io;
use std::process::ExitCode;

use chinwag_harness::load::{self, Options};

use crate::Exit;

/// Measures throughput, latency, memory and processor time for each delivery, with the server as a process of its own.
///
/// Beside it runs a yardstick, a bare epoll loop. Build with `--release`, on a quiet machine. It prints; nothing is asserted
/// about time. Exit code 4: a message was lost, doubled or out of order.
#[derive(clap::Args)]
pub(crate) struct Load {
    #[command(flatten)]
    options: Options,
}

impl Load {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        if cfg!(debug_assertions) {
            eprintln!("this is a debug build: the figures say little");
        }
        // Wrong usage ends as it does everywhere: with a folder that cannot be written to, nothing is measured.
        if let Some(folder) = &self.options.data {
            std::fs::metadata(folder).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
        }
        Ok(match load::measure(self.options.clone()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if load::is_no_server(&error) => {
                eprintln!("error: the server did not start: {error}");
                Exit::NotStarted.into()
            }
            Err(error) => {
                eprintln!("error: {error}");
                Exit::Failed.into()
            }
        })
    }
}
