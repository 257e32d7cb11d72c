//! `stress`: the same scenarios many times, on a busy machine.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chinwag_harness::play::Options;
use chinwag_harness::stress::{self, Verdict};

use super::{Target, scenarios};
use crate::Exit;

/// Plays scenarios many times while the processor has other work; what is not the same every time is a flake.
///
/// Of a flake both transcripts are kept, and their first difference is told. Exit code 5: a flake; 4: one fails every time.
#[derive(clap::Args)]
pub(crate) struct Stress {
    /// Scenario files, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// How often each is played.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    runs: usize,
    /// How many threads keep the processor busy [default: one for each core].
    #[arg(long, value_name = "N")]
    load: Option<usize>,
    /// How many are played at the same time [default: two for each core].
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Where randomness begins, instead of where each scenario says.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The folder for the transcripts of flakes.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    save: PathBuf,
    #[command(flatten)]
    target: Target,
}

impl Stress {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let all = match scenarios(&self.paths)? {
            Ok(all) => all,
            Err(wrong) => {
                eprintln!("{wrong}");
                return Ok(Exit::Mistaken.into());
            }
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let how = stress::Stress { runs: self.runs, jobs: self.jobs.unwrap_or(2 * cores), load: self.load.unwrap_or(cores) };
        let options = Options { launch: self.target.launch()?, seed: self.seed, keep_data: false };
        let mut worst = None;
        for (path, source, mut scenario) in all {
            let name = &source.name;
            if let Some(reason) = &scenario.skip {
                println!("skip {name}  {reason}");
                continue;
            }
            scenario.faults.clone_from(&self.target.fault);
            let exit = match stress::stress(&source, &scenario, &options, how) {
                Verdict::Steady => {
                    println!("ok   {name}  {} times", self.runs);
                    continue;
                }
                Verdict::Skipped(why) => {
                    println!("skip {name}  {why}");
                    continue;
                }
                Verdict::NotStarted(why) => {
                    println!("FAIL {name}  the server did not start: {why}");
                    Exit::NotStarted
                }
                Verdict::Fails(outcome) => {
                    println!("{}\nfails every time, {} times", outcome.report, self.runs);
                    Exit::Failed
                }
                Verdict::Flaky(two, count, difference) => {
                    let files = [self.keep(&path, "usual", &two[0].text())?, self.keep(&path, "other", &two[1].text())?];
                    println!("FLAKY {name}  {count} of {} runs differ\n{difference}", self.runs);
                    println!("both transcripts: {} {}", files[0].display(), files[1].display());
                    Exit::Flaky
                }
            };
            worst = worst.max(Some(exit as u8));
        }
        Ok(worst.map_or(ExitCode::SUCCESS, ExitCode::from))
    }

    fn keep(&self, scenario: &Path, which: &str, text: &str) -> io::Result<PathBuf> {
        let stem = scenario.file_stem().unwrap_or_default().to_string_lossy();
        let path = self.save.join(format!("{stem}.{which}.txt"));
        std::fs::write(&path, text).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        Ok(path)
    }
}
