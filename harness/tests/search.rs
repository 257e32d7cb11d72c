//! A quick look for differences from the model, and proofs that the model and the checker find what is wrong.
//!
//! `CHINWAG_SEED` says where chance begins; it is printed always. `CHINWAG_MODEL_CASES` says how many sessions are played (25).

use std::process::{Command, ExitCode};

use chinwag_harness::check::{self, Kind, SEED, Wrong};
use chinwag_harness::model::{self, Search, Trouble};
use chinwag_harness::play::{self, Options};
use chinwag_harness::server::Launch;
use chinwag_harness::shrink::likeness::Likeness;
use chinwag_harness::{scenario, serve_if_asked};
use libtest_mimic::{Arguments, Failed, Trial};

/// How many sessions are played against the model.
const CASES: &str = "CHINWAG_MODEL_CASES";
const CASES_USUALLY: u64 = 25;
/// How many operations a session has at most.
const OPS: usize = 60;

fn main() -> ExitCode {
    if let Some(code) = serve_if_asked() {
        return code;
    }
    let number = |variable: &str| std::env::var(variable).ok().map(|text| text.parse::<u64>().map_err(|_| variable.to_owned())).transpose();
    let (seed, cases) = match (number(SEED), number(CASES)) {
        (Ok(seed), Ok(cases)) => (seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000)), cases.unwrap_or(CASES_USUALLY)),
        (Err(variable), _) | (_, Err(variable)) => {
            eprintln!("error: {variable} has to be a number");
            return ExitCode::FAILURE;
        }
    };
    let mut trials = vec![
        Trial::test("no-difference-from-the-model", move || no_difference(seed, cases)),
        Trial::test("a-difference-is-found-and-made-small", a_difference_is_found),
        Trial::test("no-server", no_server),
    ];
    let by_check = BY_CHECK.map(|fault| Trial::test(format!("the-check-finds-{fault}"), move || the_check_finds(fault)));
    let by_model = BY_MODEL.map(|fault| {
        let trial = Trial::test(format!("the-model-finds-{fault}"), move || the_model_finds(fault));
        trial.with_ignored_flag(fault != BY_MODEL[0])
    });
    trials.extend(by_check.into_iter().chain(by_model));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn search(seed: u64, cases: u64, launch: Launch) -> Search {
    Search { seed, cases, time: None, ops: OPS, launch, args: Vec::new() }
}

fn told(trouble: Trouble) -> String {
    match trouble {
        Trouble::NotStarted(why) => format!("the server did not start: {why}"),
        Trouble::Unreadable(why) => why,
        Trouble::Flaky(report) => format!("{report}\ndiffered once, and not again"),
    }
}

fn no_difference(seed: u64, cases: u64) -> Result<(), Failed> {
    let (figures, difference) = model::search(&search(seed, cases, Launch::itself()?)).map_err(told)?;
    println!("{}\n  {SEED}={seed}", figures.report());
    match difference {
        None => Ok(()),
        Some(found) => Err(format!("{SEED}={seed}\n{}\n{}", found.source.text, found.report).into()),
    }
}

/// The model takes what is said to all to be kept; a server that has been told otherwise differs.
fn a_difference_is_found() -> Result<(), Failed> {
    let launch = Launch::itself()?;
    let args = vec!["--broadcast-offline".to_owned(), "false".to_owned()];
    let (_, found) = model::search(&Search { args, ..search(7, 200, launch.clone()) }).map_err(told)?;
    let mut found = found.ok_or("no difference in 200 sessions")?;
    println!("{} operations, then {}", found.ops, found.left);
    // Two who connect, two who register, one who leaves and comes back, what is said: there is nothing smaller.
    if found.left > 9 {
        return Err(format!("{} operations are left:\n{}", found.left, found.source.text).into());
    }
    if !found.source.text.contains("broadcast") {
        return Err(format!("this is about something else:\n{}", found.source.text).into());
    }
    // What is left behind fails again, and in the same way.
    let read = scenario::load(&mut found.source).map_err(|_| "the scenario cannot be read")?;
    let likeness = || {
        let played = play::play(&read, &Options { launch: launch.clone(), seed: None, keep_data: false });
        Likeness::of(&found.source, &read, &played)
    };
    let (first, second) = (likeness(), likeness());
    if first.is_none() || first != second {
        return Err(format!("{first:?} and then {second:?}").into());
    }
    Ok(())
}

/// A server that does not start, and a folder that is not there, are told apart from a difference.
fn no_server() -> Result<(), Failed> {
    let nothing = Launch::command("/nonexistent/chinwagd");
    match model::search(&search(1, 3, nothing.clone())) {
        Err(Trouble::NotStarted(_)) => {}
        other => return Err(format!("the model says {other:?}").into()),
    }
    match check::play(Kind::Blocking, 1, 1, &nothing) {
        Err(Wrong::NotStarted(_)) => {}
        other => return Err(format!("the check says {other:?}").into()),
    }
    let code = |args: &[&str]| -> Result<Option<i32>, Failed> {
        Ok(Command::new(env!("CARGO_BIN_EXE_chinwag-harness")).args(args).output()?.status.code())
    };
    for (args, wanted) in [
        (&["model", "--server", "/nonexistent/chinwagd"][..], 3),
        (&["check", "--server", "/nonexistent/chinwagd"], 3),
        (&["check", "--server", "false", "--rounds", "1"], 3),
        (&["check", "--rounds", "0"], 1),
        (&["model", "--cases", "many"], 1),
    ] {
        let found = code(args)?;
        if found != Some(wanted) {
            return Err(format!("{args:?} ends with {found:?} instead of {wanted}").into());
        }
    }
    Ok(())
}

/// What the checker finds of the server's named faults.
const BY_CHECK: [&str; 6] =
    ["ack-before-effects", "block-not-checked", "broadcast-to-blockers", "drop-third-mail", "forget-keys", "swap-messages"];
/// What the model finds of them; all but the first only when asked for (`--ignored`), because finding and shrinking take
/// some seconds each.
const BY_MODEL: [&str; 31] = [
    "leak-presence",
    "access-not-checked",
    "block-not-checked",
    "block-not-kept",
    "block-one-way",
    "broadcast-to-blockers",
    "broadcast-to-self",
    "cursor-too-far",
    "drop-third-mail",
    "edit-not-kept",
    "forget-keys",
    "forget-lock-out",
    "guest-rooms-stay",
    "guest-stays",
    "history-shows-hidden",
    "keep-tokens",
    "kept-room-forgets",
    "leaver-hears",
    "mail-not-marked",
    "mail-twice",
    "muted-speaks",
    "no-heir",
    "nonsense-is-activity",
    "presence-per-session",
    "room-ban-forgotten",
    "room-past-for-all",
    "session-too-many",
    "shutdown-unsaid",
    "skip-commit",
    "speaks-to-blockers",
    "whisper-to-room",
];

fn with_fault(fault: &str) -> Result<Launch, Failed> {
    Ok(Launch { faults: vec![fault.to_owned()], ..Launch::itself()? })
}

fn the_model_finds(fault: &str) -> Result<(), Failed> {
    let (figures, found) = model::search(&search(7, 2000, with_fault(fault)?)).map_err(told)?;
    let found = found.ok_or("no difference in 2000 sessions")?;
    println!(
        "{fault}: found after {} operations in {:.2?}; from {} to {} in {:.2?} ({} tried)",
        figures.ops, found.found_in, found.ops, found.left, found.shrunk_in, found.tried
    );
    Ok(())
}

fn the_check_finds(fault: &str) -> Result<(), Failed> {
    match check::play(Kind::Blocking, 40, 7, &with_fault(fault)?) {
        Err(Wrong::Found(why)) => {
            println!("{fault}: {}", why.lines().find(|line| line.contains("violations")).unwrap_or(&why));
            Ok(())
        }
        other => Err(format!("{other:?}").into()),
    }
}
