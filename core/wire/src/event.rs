//! Events: everything a server says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::card::Card;
use crate::refusal::Refusal;
use crate::time::Millis;

/// One thing that a server says: to one connection in answer to a line, or to whoever is entitled to it.
///
/// Closed, so that adding a variant makes the compiler list every dialect that must learn to say it; open
/// through [`Event::Fact`], which any command may fill as it likes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// First of all: who is speaking. (`text` says nothing for it.)
    Hello {
        /// The server program and its version.
        server: String,
        /// Which log the numbers (`seq`) belong to: they mean nothing in another.
        log: String,
        /// The server's clock.
        now: Millis,
    },
    /// The dialect of this connection from here on.
    Dialect {
        /// Its name.
        name: String,
    },
    /// Login, sign-up or resumption succeeded.
    Welcome {
        /// The account's name in the spelling it was registered with.
        name: String,
        /// Whether the account was made just now.
        #[serde(default, skip_serializing_if = "is_false")]
        registered: bool,
        /// Whether this is a guest: no account, gone at logout.
        #[serde(default, skip_serializing_if = "is_false")]
        guest: bool,
        /// The head of the order: what comes live has a greater number. Kept mail follows with lower ones.
        seq: u64,
    },
    /// The commands this user may run. (`text` says nothing for it; `help` does.)
    Cards {
        /// In the order they were registered.
        cards: Vec<Card>,
    },
    /// Who is online besides you, for completion. (`text` says nothing for it.)
    Roster {
        /// Their names.
        names: Vec<String>,
        /// Whether there are more than were listed.
        #[serde(default, skip_serializing_if = "is_false")]
        more: bool,
    },
    /// Somebody said something to you: live, or kept while you were away.
    Message(Said),
    /// Something that was said before, in answer to a question about the past.
    Past(Said),
    /// The end of an answer about the past.
    PastEnd {
        /// How many lines came.
        count: usize,
        /// Whether there is more of it, further back.
        more: bool,
    },
    /// Your message is stored and has its place in the order.
    Sent {
        /// Its place.
        seq: u64,
        /// When.
        at: Millis,
        /// To whom.
        to: Addressee,
        /// The addressee is away and gets it at the next login.
        #[serde(default, skip_serializing_if = "is_false")]
        kept: bool,
        /// Some people were not reached; who is not told.
        #[serde(default, skip_serializing_if = "is_false")]
        missed: bool,
        /// It had been stored before: this was a resend with the same key.
        #[serde(default, skip_serializing_if = "is_false")]
        again: bool,
    },
    /// Somebody came or went.
    Presence {
        /// Who.
        name: String,
        /// Which of the two, and how.
        what: Arrival,
        /// When.
        at: Millis,
    },
    /// A list of names that was asked for.
    People {
        /// Of whom.
        of: PeopleOf,
        /// Their names, sorted.
        names: Vec<String>,
        /// Whether there are more than were listed.
        #[serde(default, skip_serializing_if = "is_false")]
        more: bool,
    },
    /// Everyone who has an account.
    Directory {
        /// Sorted by name.
        users: Vec<Person>,
        /// Whether there are more than were listed.
        #[serde(default, skip_serializing_if = "is_false")]
        more: bool,
    },
    /// Who you are.
    Me {
        /// Your name.
        name: String,
        /// Since when this session lasts.
        since: Millis,
        /// Whether you are a guest.
        #[serde(default, skip_serializing_if = "is_false")]
        guest: bool,
        /// How far the server knows you to have read.
        cursor: u64,
    },
    /// Help that was asked for: one card with examples, or the outline of all.
    Help {
        /// The cards.
        cards: Vec<Card>,
    },
    /// A session token: it logs in like a password, until it is revoked or expires.
    Token {
        /// The secret; the server keeps only its hash.
        token: String,
        /// When it ends.
        expires: Millis,
    },
    /// The answer to `ping`: everything caused by earlier lines of this connection has been sent to everyone.
    Pong {
        /// As it was given.
        token: String,
    },
    /// Done, and there is nothing more to say of it.
    Done,
    /// The line had no effect, and why.
    Refusal(Refusal),
    /// The connection ends now, and why.
    Closing(Refusal),
    /// Goodbye at the user's own wish; the connection ends now.
    Goodbye,
    /// Whatever a command wants to say that no dialect needs to know.
    Fact(Fact),
    /// From a newer server: a reader that does not know a type skips it.
    #[serde(other)]
    Unknown,
}

/// Something that was said, with its place in the order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Its place in the one order.
    pub seq: u64,
    /// When the server took it.
    pub at: Millis,
    /// Who said it.
    pub from: String,
    /// To whom.
    pub to: Addressee,
    /// Raw, as it was said: make it safe before it reaches a terminal.
    pub text: String,
    /// It was kept while you were away.
    #[serde(default, skip_serializing_if = "is_false")]
    pub offline: bool,
}

/// To whom something is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Addressee {
    /// To everyone.
    Everyone,
    /// To one user.
    User(String),
}

/// Coming and going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// Logged in.
    LoggedIn,
    /// Logged out, or the connection ended.
    LoggedOut,
    /// Was logged out after no valid command for too long.
    TimedOut,
}

/// Whose names a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeopleOf {
    /// Online, besides the asker.
    Online,
    /// Logged in at any time within so many seconds, besides the asker.
    Since(u64),
    /// Blocked by the asker.
    Blocked,
}

/// One account in the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name as registered.
    pub name: String,
    /// Whether they are online, as far as the asker may know.
    pub online: bool,
    /// When they were last online, if ever and if the asker may know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Millis>,
}

/// An open event: what any command may invent without touching a dialect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What kind of fact, for programs: `acme.roll`.
    pub kind: String,
    /// For people.
    pub text: String,
    /// For programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, serde_json::Value>,
}

impl Fact {
    /// A fact without fields.
    #[must_use]
    pub fn new(kind: impl Into<String>, text: impl Into<String>) -> Fact {
        Fact { kind: kind.into(), text: text.into(), fields: BTreeMap::new() }
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<serde_json::Value>) -> Fact {
        self.fields.insert(name.into(), value.into());
        self
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}
