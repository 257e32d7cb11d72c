//! The crash test: what was acknowledged arrives exactly once, whatever moment the server dies at.
//!
//! Each round has a server process and a data folder of its own, eight senders and four receivers that speak `json`
//! and two receivers that speak `text`. The senders send as fast as they are answered, with a window of unanswered
//! lines; the server is killed at a moment that the seed chooses; it starts again on the same data, everybody comes
//! back and resends; a barrier proves that everything has arrived; and the [`check`] goes through what everyone saw.
//!
//! `CHINWAG_CRASH_ROUNDS` says how many rounds are killed at full speed (12); the two other kinds have a quarter of
//! that each. `CHINWAG_SEED` says where chance begins; it is printed always. The moment of a kill is chosen by
//! counting what has happened, so that a seed gives the same plan, though not the same interleaving.

mod check;
mod client;
mod round;
mod tally;

use std::process::ExitCode;
use std::time::Instant;

use chinwag_harness::serve_if_asked;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::round::Kind;
use crate::tally::Tally;

/// How many rounds, and where chance begins.
const ROUNDS: &str = "CHINWAG_CRASH_ROUNDS";
const SEED: &str = "CHINWAG_SEED";

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
    let kinds = [(Kind::FullSpeed, rounds), (Kind::CatchingUp, fewer), (Kind::ToldToEnd, fewer)];
    let trials = kinds.map(|(kind, rounds)| Trial::test(kind.name(), move || play(kind, rounds, seed))).into();
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
    let began = Instant::now();
    let mut tally = Tally::default();
    for number in 0..rounds {
        // Neighbouring seeds should have nothing in common.
        let chance = fastrand::Rng::with_seed(fastrand::Rng::with_seed(seed).u64(..) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).u64(..);
        match round::play(kind, number, chance) {
            Ok(one) => tally.add(&one),
            Err(why) => {
                println!("{}", tally.report(kind, began.elapsed()));
                return Err(format!("round {number} of {}, {SEED}={seed}: {why}", kind.name()).into());
            }
        }
    }
    println!("{}  {SEED}={seed}", tally.report(kind, began.elapsed()));
    tally.means_something(kind).map_err(|why| format!("{why}; {SEED}={seed}").into())
}
