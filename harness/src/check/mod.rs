//! What many users do at the same time, with ends of the server in between, and whether it can have happened like that.
//!
//! Each round has a server process and a data folder of its own, eight senders and four receivers that speak `json`
//! and two receivers that speak `text`. The senders send as fast as they are answered, with a window of unanswered
//! lines, and may block and unblock each other and the receivers; the server is killed at a moment that the seed
//! chooses; it starts again on the same data, everybody comes back and resends; a barrier proves that everything has
//! arrived; and the [`verdict`] goes through what everyone saw. The moment of a kill is chosen by counting what has
//! happened, so that a seed gives the same plan, though not the same interleaving.

mod client;
mod round;
mod tally;
mod verdict;

use std::time::{Duration, Instant};

pub use round::Kind;
use tally::Tally;

use crate::play::EPOCH;
use crate::scratch::Scratch;
use crate::server::{Launch, Server, Settings, Trouble};

/// How long a server may take to listen: it takes some milliseconds.
const START: Duration = Duration::from_secs(20);

/// Where chance begins, in the environment of a test.
pub const SEED: &str = "CHINWAG_SEED";

/// Why rounds do not count as passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The server did not come up at the beginning.
    NotStarted(String),
    /// The figures, and the round that found something; or that too little happened to prove anything.
    Found(String),
}

/// Plays all rounds of one kind, and gives the figures of those that found nothing wrong.
///
/// # Errors
/// What was found, for people.
pub fn play(kind: Kind, rounds: u64, seed: u64, launch: &Launch) -> Result<String, Wrong> {
    let began = Instant::now();
    try_to_start(launch)?;
    let mut tally = Tally::default();
    for number in 0..rounds {
        // Neighbouring seeds should have nothing in common.
        let chance = fastrand::Rng::with_seed(fastrand::Rng::with_seed(seed).u64(..) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).u64(..);
        let one = round::play(kind, number, chance, launch).map_err(|why| {
            let figures = tally.report(kind, began.elapsed());
            Wrong::Found(format!("{figures}\nround {number} of {}, seed {seed}: {why}", kind.word()))
        })?;
        tally.add(&one);
    }
    let report = tally.report(kind, began.elapsed());
    tally.means_something(kind).map_err(|why| Wrong::Found(format!("{report}\n{why}; seed {seed}")))?;
    Ok(report)
}

/// A server that does not start at all has no violation to show.
fn try_to_start(launch: &Launch) -> Result<(), Wrong> {
    let not_started = |why: String| Wrong::NotStarted(why);
    let data = Scratch::new().map_err(|error| not_started(format!("a data directory: {error}")))?;
    let settings = Settings { data: data.path(), port: 0, seed: 1, epoch: EPOCH, args: &[] };
    smol::block_on(async {
        let started = smol::future::or(Server::start(launch, &settings), async {
            smol::Timer::after(START).await;
            Err(Trouble::NotStarted(format!("no ready line within {START:?}")))
        });
        match started.await {
            Ok(mut server) => {
                server.crash().await;
                Ok(())
            }
            Err(Trouble::NotStarted(why)) => Err(not_started(why)),
            Err(trouble) => Err(not_started(trouble.to_string())),
        }
    })
}
