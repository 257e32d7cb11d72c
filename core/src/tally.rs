//! What has happened since the start that nothing else keeps: for `stats`, and for measurements.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use chinwag_wire::refusal::Code;

/// Counts, shared by all who count.
#[derive(Debug, Default)]
pub struct Tally {
    /// Connections that the server ended, or did not take, by the code that they were told. As many entries as there are
    /// codes.
    ended: Mutex<BTreeMap<Code, u64>>,
    /// Connections there are.
    pub(crate) connections: AtomicUsize,
    /// Messages that were said.
    pub(crate) said: AtomicU64,
    /// Lines that had to wait for their turn.
    pub(crate) delayed: AtomicU64,
    /// Connections that were cut off because they never stopped saying too much.
    pub(crate) flooders: AtomicU64,
    /// Bytes of private chats that went through.
    pub(crate) relayed_bytes: AtomicU64,
}

impl Tally {
    /// The server ends a connection, or does not take one, for this reason.
    pub(crate) fn ends(&self, why: &Code) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        match ended.get_mut(why) {
            Some(count) => *count += 1,
            None => drop(ended.insert(why.clone(), 1)),
        }
    }

    /// How many connections the server has ended, by the code that they were told.
    #[must_use]
    pub fn ended(&self) -> BTreeMap<Code, u64> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// How many lines have had to wait for their turn, because there were too many.
    #[must_use]
    pub fn delayed(&self) -> u64 {
        self.delayed.load(Ordering::Relaxed)
    }

    /// How many connections have been cut off because they never stopped saying too much.
    #[must_use]
    pub fn flooders(&self) -> u64 {
        self.flooders.load(Ordering::Relaxed)
    }

    /// How many bytes of private chats have gone through.
    #[must_use]
    pub fn relayed_bytes(&self) -> u64 {
        self.relayed_bytes.load(Ordering::Relaxed)
    }

    /// How many messages have been said.
    #[must_use]
    pub fn said(&self) -> u64 {
        self.said.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use chinwag_wire::code;

    use super::*;

    #[test]
    fn ends_are_counted_by_their_reason() {
        let tally = Tally::default();
        for why in [code::IDLE, code::TOO_SLOW, code::IDLE] {
            tally.ends(&why);
        }
        assert_eq!(tally.ended(), BTreeMap::from([(code::IDLE, 2), (code::TOO_SLOW, 1)]));
    }
}
