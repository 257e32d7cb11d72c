//! The crash test: what was acknowledged arrives exactly once, whatever moment the server dies at.
//!
//! It is `chinwag-harness check` with few rounds. `CHINWAG_CRASH_ROUNDS` says how many rounds are killed at full speed
//! (12); the other kinds have a quarter of that each. `CHINWAG_SEED` says where chance begins; it is printed always.

use std::process::ExitCode;

use chinwag_harness::check::{self, Kind, SEED, Wrong};
use chinwag_harness::serve_if_asked;
use chinwag_harness::server::Launch;
use libtest_mimic::{Arguments, Failed, Trial};

/// How many rounds.
const ROUNDS: &str = "CHINWAG_CRASH_ROUNDS";

/// So many rounds are played unless told otherwise.
const ROUNDS_USUALLY: u64 = 12;

fn main() -> ExitCode {
    if let Some(code) = serve_if_asked() {
        return code;
    }
    let (rounds, seed) = match (number(ROUNDS), number(SEED)) {
        (Ok(rounds), Ok(seed)) => (rounds.unwrap_or(ROUNDS_USUALLY), seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000))),
        (Err(why), _) | (_, Err(why)) => {
            eprintln!("error: {why}");
            return ExitCode::FAILURE;
        }
    };
    let fewer = rounds.div_ceil(4);
    let kinds = [(Kind::FullSpeed, rounds), (Kind::CatchingUp, fewer), (Kind::ToldToEnd, fewer), (Kind::Blocking, fewer)];
    let trials = kinds.map(|(kind, rounds)| Trial::test(kind.word(), move || play(kind, rounds, seed))).into();
    // One after the other: each keeps the machine busy by itself, and their reports stay apart.
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn number(variable: &str) -> Result<Option<u64>, String> {
    match std::env::var(variable) {
        Ok(text) => text.parse().map(Some).map_err(|_| format!("{variable} has to be a number, not `{text}`")),
        Err(_) => Ok(None),
    }
}

/// Plays all rounds of one kind, and reports.
fn play(kind: Kind, rounds: u64, seed: u64) -> Result<(), Failed> {
    match check::play(kind, rounds, seed, &Launch::itself()?) {
        Ok(report) => println!("{report}  {SEED}={seed}"),
        Err(Wrong::NotStarted(why) | Wrong::Found(why)) => return Err(why.into()),
    }
    Ok(())
}
