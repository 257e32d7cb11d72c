//! One test for each scenario, named after its path.

use std::path::Path;
use std::process::ExitCode;

use chinwag_harness::play::Options;
use chinwag_harness::server::Launch;
use chinwag_harness::suite::{self, Verdict};
use chinwag_harness::{lint, scratch, serve_if_asked, snapshot};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// The tag of scenarios that are run only when asked for (`--ignored`).
const SLOW: &str = "slow";

fn main() -> ExitCode {
    if let Some(code) = serve_if_asked() {
        return code;
    }
    // Whoever interrupts it leaves no data behind; where that cannot be, tests are run all the same.
    let _ = scratch::watch();
    snapshot::prepare(None);
    let folder = snapshot::root().join("scenarios");
    let mut trials = vec![{
        let folder = folder.clone();
        Trial::test("no-orphaned-snapshots", move || no_orphans(&folder))
    }];
    let linted = folder.clone();
    trials.push(Trial::test("nothing-to-lint", move || nothing_to_lint(&linted)));
    let files = suite::find(&folder, "ron").expect("the scenarios stand beside the harness");
    for file in files {
        let name = file.strip_prefix(&folder).unwrap_or(&file).with_extension("").display().to_string();
        let loaded = suite::load(&file);
        let slow = loaded.as_ref().is_ok_and(|(_, scenario)| scenario.tags.iter().any(|tag| tag == SLOW));
        let trial = Trial::ignorable_test(name, move || {
            let (source, scenario) = loaded?;
            let options = Options { launch: Launch::itself()?, seed: None, keep_data: false };
            let tried = suite::try_one(&file, &source, &scenario, &options);
            match tried.verdict {
                Verdict::Passed => Ok(Completion::Completed),
                Verdict::Skipped => Ok(Completion::ignored_with(tried.text)),
                Verdict::Flaky | Verdict::Failed | Verdict::NotStarted => Err(Failed::from(tried.text)),
            }
        });
        trials.push(trial.with_ignored_flag(slow));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What `chinwag-harness lint` says of them; what they are written like is a test of the formatter.
fn nothing_to_lint(folder: &Path) -> Result<(), Failed> {
    // A scenario that cannot be read is told by its own test.
    let loaded = suite::find(folder, "ron")?
        .into_iter()
        .filter_map(|path| suite::load(&path).ok().map(|(source, scenario)| (path, source, scenario)));
    let loaded: Vec<_> = loaded.collect();
    let mut warnings = lint::all(&[folder.to_owned()], &loaded)?;
    for (_, source, scenario) in &loaded {
        warnings.extend(lint::one(source, scenario).iter().map(|mistake| mistake.render_as_warning(source)));
    }
    if warnings.is_empty() { Ok(()) } else { Err(Failed::from(warnings.join("\n\n"))) }
}

fn no_orphans(folder: &Path) -> Result<(), Failed> {
    let orphans = suite::orphans(folder)?;
    if orphans.is_empty() {
        return Ok(());
    }
    let orphans: Vec<String> = orphans.iter().map(|path| path.display().to_string()).collect();
    Err(Failed::from(format!("snapshots without a scenario; delete them:\n{}", orphans.join("\n"))))
}
