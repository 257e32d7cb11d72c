//! What the harness says of scenarios that are wrong and of servers that are: each file below `tests/data` is played
//! against a small fake server, and what is printed is kept as a snapshot.

mod fake;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use chinwag_harness::snapshot;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    if std::env::var_os(fake::FAKE).is_some() {
        fake::serve();
    }
    snapshot::prepare(None);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let files = chinwag_harness::suite::find(&folder, "ron").expect("the test data is there");
    let trials = files.into_iter().map(|file| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || printed_as_before(&file))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// Runs the harness as a contributor would and compares all it says with the snapshot.
fn printed_as_before(file: &PathBuf) -> Result<(), Failed> {
    let harness = Command::new(env!("CARGO_BIN_EXE_chinwag-harness"))
        .arg("run")
        .arg(file)
        .arg("--server")
        .arg(std::env::current_exe()?)
        .env(fake::FAKE, "1")
        // What it would do in CI: compare, never write.
        .env(snapshot::UPDATE, "no")
        .current_dir(snapshot::root())
        .output()?;
    let said = [harness.stdout, harness.stderr].concat();
    let said = format!("{}\nexit code {}", unvaried(&String::from_utf8(said)?), harness.status.code().unwrap_or(-1));
    // What a scenario that passes looks like is not a failure: those have transcripts of their own beside them.
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    snapshot::check(&file.with_file_name(format!("{stem}-output.ron")), &said).map_err(Failed::from)
}

/// Without what differs from run to run: process ids, ports, lengths of time.
fn unvaried(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let words = line.split(' ').map(|word| {
            let bare = word.trim_end_matches([',', ':']);
            let is_time = bare
                .strip_suffix("ms")
                .or(bare.strip_suffix('s'))
                .is_some_and(|number| number.contains('.') && number.parse::<f64>().is_ok());
            let is_pid = out_ends_with_pid(line, word);
            match (is_time, is_pid) {
                (true, _) => word.replace(bare, "[time]"),
                (_, true) => word.replace(bare, "[pid]"),
                _ => word.to_owned(),
            }
        });
        out.push_str(&words.collect::<Vec<_>>().join(" "));
        out.push('\n');
    }
    out.trim_end().to_owned()
}

fn out_ends_with_pid(line: &str, word: &str) -> bool {
    line.split(' ').zip(line.split(' ').skip(1)).any(|(before, after)| before == "pid" && std::ptr::eq(after, word))
}
