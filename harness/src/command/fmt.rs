//! `fmt`: scenarios in the one way to write them.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use chinwag_harness::{format, source, suite};
use similar::TextDiff;

use crate::Exit;

/// Writes scenarios, and files of steps, in the one way to write them. Comments and line breaks stay.
#[derive(clap::Args)]
pub(crate) struct Fmt {
    /// Files, or folders of them.
    #[arg(default_value = "scenarios")]
    paths: Vec<PathBuf>,
    /// Show what would change, and change nothing.
    #[arg(long)]
    check: bool,
}

impl Fmt {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let mut changed = 0;
        for path in &self.paths {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            for file in suite::find(path, "ron").map_err(named)?.into_iter().chain(suite::find_steps(path).map_err(named)?) {
                let before = std::fs::read_to_string(&file)?;
                let after = format::format(&before);
                if before == after {
                    continue;
                }
                changed += 1;
                let name = source::shown(&file);
                if self.check {
                    println!("{}", TextDiff::from_lines(&before, &after).unified_diff().header(&name, "as it should be"));
                } else {
                    std::fs::write(&file, after)?;
                    println!("{name}");
                }
            }
        }
        Ok(if self.check && changed > 0 { Exit::Failed.into() } else { ExitCode::SUCCESS })
    }
}
