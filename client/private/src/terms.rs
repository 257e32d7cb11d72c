//! How long things may take.

use std::time::Duration;

use crate::clock::Clock;

/// How long things may take, and by which clock. [`Terms::default`] is what people want; tests set a clock of their own.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What time is told by.
    pub clock: Clock,
    /// How long an address may take to take a connection.
    pub connect: Duration,
    /// How long a connection may take to prove itself, handshake included. Strangers hold a place no longer than this.
    pub prove: Duration,
    /// How long two may take to meet, all attempts together.
    pub meet: Duration,
    /// After how long without a word from us the other is told that we are still here.
    pub ping: Duration,
    /// How long the other may be silent, or take nothing of what we send, before it counts as gone.
    pub gone: Duration,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            clock: Clock::system(),
            connect: Duration::from_secs(5),
            prove: Duration::from_secs(8),
            meet: Duration::from_secs(15),
            ping: Duration::from_secs(5),
            gone: Duration::from_secs(15),
        }
    }
}
