//! The store: what survives. One writer that commits batches of rows, and a reader for what was said before.
//!
//! Only the sequencer's writer and the read side see it. [`sqlite`] is the store of a server; [`memory`] the one
//! of the stage, and the reference that a property test compares the other with.

pub mod memory;
mod places;
mod retention;
mod search;
pub mod sqlite;
pub mod words;

use std::fmt;
use std::time::Duration;

use chinwag_wire::name::folded;
use chinwag_wire::{Millis, Said};

use self::words::Wanted;
use crate::fault::Fault;
use crate::hall::{Elsewhere, RoomId, Row, UserId};

/// Takes rows in their order. One call is one transaction: all of it is kept, or nothing.
pub trait Writer: Send {
    /// Keeps `rows` and the order's head. With `durable`, returns when they survive a loss of power; without, when
    /// they survive the end of the process.
    ///
    /// # Errors
    /// When nothing of it was kept. The same call may be tried again.
    fn commit(&mut self, rows: &[Row], head: u64, durable: bool) -> Result<(), StoreError>;

    /// Does a little of what can wait, and says whether there is more of it. Called when there is nothing to commit.
    ///
    /// # Errors
    /// When nothing of it was kept; it is tried again some time.
    fn tend(&mut self, now: Millis) -> Result<bool, StoreError>;

    /// Keeps no more than this from here on: [`Writer::tend`] sees to it.
    fn limit(&mut self, limits: Limits);

    /// When there will be something to tend, though nothing is committed until then.
    fn due(&self) -> Option<Millis>;
}

/// For how long what is said is kept, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What is as old as this goes.
    pub age: Option<Duration>,
    /// While there is more than this, the oldest goes: see [`size`].
    pub bytes: Option<u64>,
    /// But what was said to one user stays until they have seen it, or their account is gone.
    pub unread_stays: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { age: None, bytes: None, unread_stays: true }
    }
}

impl Limits {
    fn are_any(&self) -> bool {
        self.age.is_some() || self.bytes.is_some()
    }

    /// Whether what was `said` then is to go `now`, when there are so many bytes in all.
    fn are_over(&self, said: Millis, bytes: u64, now: Millis) -> bool {
        self.age.is_some_and(|age| said.plus(age) <= now) || self.bytes.is_some_and(|most| bytes > most)
    }

    /// Whether a message stays all the same, which its only reader has not seen.
    fn holds(&self, is_unread: bool) -> bool {
        is_unread && self.unread_stays && !Fault::UnreadExpires.is_on()
    }
}

/// What a message takes besides its text, in bytes, about: who, when, to whom, and its places in the indexes.
pub const AROUND: u64 = 200;

/// What a message counts as against a limit on all of them, in bytes.
#[must_use]
pub fn size(text: &str) -> u64 {
    text.len() as u64 + AROUND
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
    /// What `user` is owed: what others said to them after `after`, and what they said on other devices, oldest first, a
    /// page of it.
    Owed {
        /// Who asks.
        user: UserId,
        /// After this number.
        after: u64,
        /// For which device, and after which number what they said on others.
        elsewhere: Elsewhere,
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
    /// What `user` said or was entitled to after a number, oldest first: to take it along.
    Onward {
        /// Who asks.
        user: UserId,
        /// After this number: not before the account was made.
        after: u64,
        /// At most so many; at most [`PAGE_MAX`].
        count: usize,
    },
    /// One message that `user` said or was entitled to.
    Find {
        /// Who asks.
        user: UserId,
        /// After this number: what was said before the account was made.
        after: u64,
        /// Among these.
        of: PastOf,
        /// Which.
        which: Which,
    },
    /// The newest of what `user` said or was entitled to and has certain words, oldest first.
    Search(Search),
}

/// A question for what has certain words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Who asks.
    pub user: UserId,
    /// After this number: what was said before the account was made.
    pub after: u64,
    /// Among these.
    pub of: PastOf,
    /// Only what this one said: with the name, since guests' numbers are given again.
    pub from: Option<(UserId, String)>,
    /// Only what was said before.
    pub before: Option<Bound>,
    /// Only what was said since.
    pub since: Option<Bound>,
    /// What is looked for; something.
    pub wanted: Wanted,
    /// At most so many, the newest; at most [`PAGE_MAX`].
    pub count: usize,
}

impl Search {
    /// Whether a message that the asker was entitled to is one that is looked for.
    fn is_for(&self, said: &Said, from: UserId) -> bool {
        let is_from = |(id, name): &(UserId, String)| *id == from && (!from.is_guest() || folded(name) == folded(&said.from));
        self.from.as_ref().is_none_or(is_from) && self.wanted.is_in(&said.text)
    }
}

/// A place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// That of this number: before it and after it is without it.
    Number(u64),
    /// That of the first thing said at this moment or later: since it is with it.
    Moment(Millis),
}

/// Which message of a part is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one with this number.
    Numbered(u64),
    /// The so manieth from the end, counting from 1.
    Back(u64),
    /// The same, of what the asker said.
    OwnBack(u64),
}

/// A message that was meant, with what the hall needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Who said it.
    pub from: UserId,
    /// To whom.
    pub audience: UserId,
    /// Of those, whom it is hidden from.
    pub hidden_from: Vec<UserId>,
    /// Whether the asker has reacted to it.
    pub reacted: bool,
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
    /// The order's head when the store was read, or, for what comes oldest first if there is `more`, up to where this page goes.
    pub through: u64,
    /// Whether the page ends before the answer does.
    pub more: bool,
    /// For [`Question::Owed`]: which of it the asker said, on another device. Sorted.
    pub own: Vec<u64>,
    /// For [`Question::Find`]: more about the one message that is on the page.
    pub found: Option<Found>,
    /// What was said up to this moment is not kept any more, and the answer might have had it.
    pub gone: Option<Millis>,
}

/// How a message begins, to quote it by: a few words.
#[must_use]
pub fn shortened(text: &str) -> String {
    const QUOTED: usize = 40;
    let line = text.lines().next().unwrap_or_default();
    if line.len() == text.len() && text.chars().count() <= QUOTED {
        return text.to_owned();
    }
    let mut short: String = line.chars().take(QUOTED).collect();
    short.push('…');
    short
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
