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
    let mut trials: Vec<Trial> = files
        .into_iter()
        .map(|file| {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Trial::test(name, move || printed_as_before(&file))
        })
        .collect();
    trials.push(Trial::test("lint", lint));
    trials.push(Trial::test("blessing-rewrites-what-differs", blessing_rewrites));
    trials.push(Trial::test("blessing-refuses-what-is-not-steady", blessing_refuses));
    trials.push(Trial::test("what-fails-once-is-flaky", flaky));
    trials.push(Trial::test("selections", selections));
    trials.push(Trial::test("formatting", formatting));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Runs the harness as a contributor would; what it printed, and its exit code.
fn harness(args: &[&str], with_server: bool) -> Result<(String, i32), Failed> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag-harness"));
    command.args(args).current_dir(snapshot::root());
    if with_server {
        command.arg("--server").arg(std::env::current_exe()?).env(fake::FAKE, "1");
    }
    let harness = command.output()?;
    Ok((String::from_utf8([harness.stdout, harness.stderr].concat())?, harness.status.code().unwrap_or(-1)))
}

/// Both are so, or what was printed is told.
fn expect(args: &[&str], with_server: bool, code: i32, has: &[&str]) -> Result<(), Failed> {
    let (said, ended) = harness(args, with_server)?;
    let missing: Vec<&&str> = has.iter().filter(|text| !said.contains(**text)).collect();
    if ended == code && missing.is_empty() {
        return Ok(());
    }
    Err(Failed::from(format!("{args:?} ended with {ended} instead of {code}, without {missing:?}\n{said}")))
}

fn lint() -> Result<(), Failed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint");
    let (said, code) = harness(&["lint", "harness/tests/lint"], false)?;
    snapshot::check(&folder.join("lint-output.ron"), &format!("{}\nexit code {code}", said.trim_end())).map_err(Failed::from)
}

/// A scenario in a folder of its own.
fn scenario(steps: &str) -> Result<(tempfile::TempDir, String), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("x.ron");
    let text = format!("// Kept.\nScenario(\n    about: \"x\",\n    cast: (alice: \"a\", bob: \"b\"),\n    steps: [\n{steps}\n    ],\n)\n");
    std::fs::write(&file, text)?;
    Ok((folder, file.display().to_string()))
}

fn blessing_rewrites() -> Result<(), Failed> {
    let steps = r#"        Send(alice: "message bob {{i}} hello"), // says it
        See(alice: /* wrong */ "no", bob: ["alice: helo", /* too much */ "more"]),
        Send(alice: "seeded"),
        See(alice: Starts("* token ")),
        Let(tok: (from: "alice", field: "token")),
        Send(alice: "message bob your {tok}"),
        See(alice: "sent", bob: "?"),
        Send(alice: "message bob last"),
        See(alice: "sent", bob: "wrong, and on another line"),"#;
    let (folder, file) = scenario(steps)?;
    expect(&["bless", &format!("{file}:7")], true, 4, &["`bob` did not see", ":12:33"])?;
    assert!(std::fs::read_to_string(&file)?.contains("alice: helo"), "what is refused leaves the file as it was");
    expect(&["bless", &file], true, 0, &["1 blessed, 0 refused"])?;
    let after = std::fs::read_to_string(&file)?;
    for expected in [
        "// Kept.",
        "// says it",
        r#"See(alice: /* wrong */ "sent", bob: "alice: {{i}} hello"),"#,
        r#"See(alice: "sent", bob: "alice: your {tok}"),"#,
        r#"See(alice: "sent", bob: "alice: last"),"#,
    ] {
        assert!(after.contains(expected), "{expected}\n{after}");
    }
    assert!(folder.path().join("x.snap").exists());
    expect(&["run", &file], true, 0, &["1 passed"])
}

fn blessing_refuses() -> Result<(), Failed> {
    let token = "        Send(alice: \"seeded\"),\n        See(alice: \"none\"),";
    let turns = "        Repeat(times: 2, var: \"i\", steps: [Send(alice: \"message bob {i}\"), See(alice: Any, bob: \"x\")]),";
    for (steps, why) in [(token, "not the same for every seed"), (turns, "does not always see the same")] {
        let (folder, file) = scenario(steps)?;
        let before = std::fs::read_to_string(&file)?;
        expect(&["bless", &file], true, 4, &[why, "0 blessed, 1 refused"])?;
        assert_eq!(std::fs::read_to_string(&file)?, before);
        assert!(!folder.path().join("x.snap").exists());
    }
    // What is seen as expected, but not the same for every seed, makes no snapshot.
    let (_folder, file) = scenario("        Send(alice: \"seeded\"),\n        See(alice: Any),")?;
    expect(&["bless", &file], true, 4, &["what everyone sees is not the same for every seed"])
}

fn flaky() -> Result<(), Failed> {
    let flips = tempfile::tempdir()?;
    let steps = |name: &str| format!("        Send(alice: \"flip {}\"),\n        See(alice: \"ok\"),", flips.path().join(name).display());
    let (_folder, file) = scenario(&steps("first"))?;
    std::fs::write(flips.path().join("first"), "")?;
    expect(&["bless", &file], true, 0, &[])?;
    std::fs::remove_file(flips.path().join("first"))?;
    let told = ["FLAKY", "first difference", "failed:    1 | < error[busy]", "passed:    1 | < ok", "0 passed, 0 failed, 1 flaky"];
    expect(&["run", "--retries", "2", &file], true, 5, &told)?;
    std::fs::remove_file(flips.path().join("first"))?;
    expect(&["run", &file], true, 4, &["0 passed, 1 failed"])
}

fn selections() -> Result<(), Failed> {
    let data = "harness/tests/data/all-is-well.ron";
    expect(&["run", data, "--tags", "nett"], true, 1, &["no scenario has the tag `nett`"])?;
    expect(&["run", data, "--tags", "net or"], true, 1, &["a tag is missing", "--tags:1:6"])?;
    expect(&["run", data, "--shard", "3/2"], true, 1, &["expected a share such as 2/4"])?;
    expect(&["run", data, "--filter", "no-such-name"], true, 1, &["no scenario fits --filter no-such-name"])?;
    expect(&["run", "harness/tests/nowhere"], true, 1, &["harness/tests/nowhere"])?;
    Ok(())
}

fn formatting() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("x.ron");
    std::fs::write(&file, "Scenario(about:\"x\", // why\nsteps: [Quiesce ,])\n")?;
    let name = file.display().to_string();
    expect(&["fmt", "--check", &name], false, 4, &["+Scenario(about: \"x\", // why", "+    steps: [Quiesce])"])?;
    expect(&["fmt", &name], false, 0, &[])?;
    assert_eq!(std::fs::read_to_string(&file)?, "Scenario(about: \"x\", // why\n    steps: [Quiesce])\n");
    expect(&["fmt", "--check", &name], false, 0, &[])
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
    let said = String::from_utf8(said)?.replace(&std::env::current_exe()?.display().to_string(), "[server]");
    let said = format!("{}\nexit code {}", unvaried(&said), harness.status.code().unwrap_or(-1));
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
