//! The store: what survives. One writer that commits batches of rows, and a reader for what was said before.
//!
//! Only the sequencer's writer and the read side see it. [`sqlite`] is the store of a server; [`memory`] the one
//! of the stage, and the reference that a property test compares the other with.

pub mod memory;
pub mod sqlite;

use std::fmt;

use chinwag_wire::{Millis, Said};

use crate::arg::MyMessage;
use crate::hall::{RoomId, Row, UserId};

/// Takes rows in their order. One call is one transaction: all of it is kept, or nothing.
pub trait Writer: Send {
    /// Keeps `rows` and the order's head. With `durable`, returns when they survive a loss of power; without, when
    /// they survive the end of the process.
    ///
    /// # Errors
    /// When nothing of it was kept. The same call may be tried again.
    fn commit(&mut self, rows: &[Row], head: u64, durable: bool) -> Result<(), StoreError>;
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeedLine {
    /// Its place in the order.
    pub deed: u64,
    /// When.
    pub at: Millis,
    /// Who.
    pub by: String,
    /// What, without secrets.
    pub what: String,
    /// `done`, the code of a refusal, or nothing if the server ended meanwhile.
    pub outcome: Option<String>,
}

/// Reads what was said.
pub trait Reader: Send {
    /// The last `count` deeds (at most [`PAGE_MAX`]), oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn deeds(&mut self, count: usize) -> Result<Vec<DeedLine>, StoreError>;

    /// Answers a question about the past, as of what is committed.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn read(&mut self, question: &Question) -> Result<Page, StoreError>;
}

/// How many messages a page holds at most: a screenful or four, and no more than a megabyte of them.
pub const PAGE_MAX: usize = 200;

/// A question about the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What `user` is owed: what others said to them after `after`, oldest first, a page of it.
    Owed {
        /// Who asks.
        user: UserId,
        /// After this number.
        after: u64,
    },
    /// The last `count` messages that `user` said or was entitled to, oldest first.
    Past {
        /// Who asks.
        user: UserId,
        /// After this number: what was said before the account was made, or what has been seen.
        after: u64,
        /// Before this number, if not up to the head.
        before: Option<u64>,
        /// Which of them.
        of: PastOf,
        /// At most so many; at most [`PAGE_MAX`].
        count: usize,
    },
    /// One message that `user` said.
    Mine {
        /// Who asks.
        user: UserId,
        /// Which one.
        which: MyMessage,
    },
}

/// A part of what somebody said or was entitled to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastOf {
    /// All of it.
    All,
    /// What was said between the two.
    With(UserId),
    /// What was said in a room while they belonged to it.
    Room(RoomId),
    /// The same for a guest, of whom the store knows nothing: behind this number.
    RoomSince(RoomId, u64),
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What was said, oldest first.
    pub said: Vec<Said>,
    /// The order's head when the store was read, or, if there is `more`, the last number on the page.
    pub through: u64,
    /// Whether the page ends before the answer does.
    pub more: bool,
    /// For [`Question::Mine`]: whom it was for, and of those, whom it was hidden from.
    pub audience: Option<(UserId, Vec<UserId>)>,
}

/// The store failed, and how.
#[derive(Debug)]
pub struct StoreError(pub String);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}

#[cfg(test)]
mod tests;
