//! Events: everything a server says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::card::Card;
use crate::private::{Fingerprint, Offer, PrivateEnd, Token};
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
    /// Who is online besides you, and which rooms there are, for completion. (`text` says nothing for it.)
    Roster {
        /// Their names.
        names: Vec<String>,
        /// The rooms that you may know of.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rooms: Vec<String>,
        /// Who of them has done nothing for a while: for how many seconds (see [`Person::idle`]).
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        idle: BTreeMap<String, u64>,
        /// Whether there are more than were listed.
        #[serde(default, skip_serializing_if = "is_false")]
        more: bool,
    },
    /// Somebody said something to you: live, or kept while you were away.
    Message(Said),
    /// You said something on another of your devices: live, or since the number that this one resumed from. Never on the
    /// device that said it, which has `sent`.
    Own(Said),
    /// Something that was said before, in answer to a question about the past.
    Past(Said),
    /// The end of an answer about the past.
    PastEnd {
        /// How many lines came.
        count: usize,
        /// Whether there is more of it, further back.
        more: bool,
        /// If there is: the same question with `before:NEXT` is answered with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
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
    /// Many came and went: told together, without names, where many are online.
    Crowd {
        /// How many logged in since the last time.
        came: usize,
        /// How many logged out.
        went: usize,
        /// How many are online now.
        online: usize,
        /// When.
        at: Millis,
    },
    /// A list of names that was asked for.
    People {
        /// Of whom.
        of: PeopleOf,
        /// Their names, sorted.
        names: Vec<String>,
        /// Of those who are online, who has done nothing for a while: for how many seconds (see [`Person::idle`]).
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        idle: BTreeMap<String, u64>,
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
    /// You are in a room now: what others say in it follows live.
    Entered {
        /// Its name, as it was made.
        room: String,
        /// What you are called in it.
        nick: String,
        /// What it is about at the moment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<String>,
        /// What the others who are in it are called, sorted.
        others: Vec<String>,
        /// Whether there are more than were listed.
        #[serde(default, skip_serializing_if = "is_false")]
        more: bool,
        /// Whether it has just been made.
        #[serde(default, skip_serializing_if = "is_false")]
        created: bool,
        /// You only hear it: what you type goes to another room that you are in.
        #[serde(default, skip_serializing_if = "is_false")]
        heard_only: bool,
    },
    /// You are not in this room any more, by your own wish. What others did with you is a [`RoomNews`].
    Left {
        /// Its name.
        room: String,
    },
    /// Something happened in a room that you are in, or to you in it.
    Room(RoomNews),
    /// The rooms there are, as far as the asker may know.
    Rooms {
        /// Sorted by name.
        rooms: Vec<RoomLine>,
        /// Whether there are more than were listed.
        #[serde(default, skip_serializing_if = "is_false")]
        more: bool,
    },
    /// Who is in a room, and who belongs to it.
    Members {
        /// The room.
        room: String,
        /// Those who are in it first; then by what they are called.
        members: Vec<MemberLine>,
        /// Whether there are more than were listed.
        #[serde(default, skip_serializing_if = "is_false")]
        more: bool,
    },
    /// Somebody asks you for a private chat: `accept` and `decline` answer. Where they can be found they tell when you
    /// accept.
    PrivateAsked {
        /// Who.
        from: String,
        /// Whose certificate you would see.
        fingerprint: Fingerprint,
        /// Whether they would connect directly; else only through the server.
        #[serde(default, skip_serializing_if = "is_false")]
        direct: bool,
        /// Until when you can answer.
        expires: Millis,
    },
    /// Both want a private chat: from here on it is between the two. (`text` does not show the offer.)
    PrivateAgreed {
        /// With whom.
        with: String,
        /// Whether you are the one who asked.
        #[serde(default, skip_serializing_if = "is_false")]
        asker: bool,
        /// What the other one offers.
        offer: Offer,
    },
    /// A private chat through the server, which carries bytes that mean nothing to it. (`text` does not show the ticket.)
    PrivateRelay {
        /// With whom.
        with: String,
        /// Both want it: what `carry` takes on a new connection, once and soon. Without it: the other one wants it,
        /// `relay` agrees.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ticket: Option<Token>,
    },
    /// A private chat, or the offer of one, is over.
    PrivateEnded {
        /// With whom.
        with: String,
        /// How.
        why: PrivateEnd,
    },
    /// Whatever a command wants to say that no dialect needs to know.
    Fact(Fact),
    /// From a newer server: a reader that does not know a type skips it.
    #[serde(other)]
    Unknown,
}

impl Event {
    /// Whether it tells of a private chat: of one that is asked for, agreed, to go through the server, or over.
    #[must_use]
    pub fn is_of_private_chats(&self) -> bool {
        matches!(self, Event::PrivateAsked { .. } | Event::PrivateAgreed { .. } | Event::PrivateRelay { .. } | Event::PrivateEnded { .. })
    }
}

/// Something that was said, with its place in the order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Its place in the one order.
    pub seq: u64,
    /// When the server took it.
    pub at: Millis,
    /// Who said it.
    pub from: String,
    /// What the sender is called in the room, where that is not `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    /// To whom.
    pub to: Addressee,
    /// Raw, as it was said: make it safe before it reaches a terminal.
    pub text: String,
    /// It was kept while you were away.
    #[serde(default, skip_serializing_if = "is_false")]
    pub offline: bool,
    /// To one member of the room the two are in.
    #[serde(default, skip_serializing_if = "is_false")]
    pub whisper: bool,
    /// The users that it names with `@`, in the order it names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// The earlier message that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// Its sender has changed the text since.
    #[serde(default, skip_serializing_if = "is_false")]
    pub edited: bool,
    /// How people have reacted to it since, and how many of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<String, u32>,
}

/// What a message is to an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The place of the earlier one.
    pub seq: u64,
    /// Who said that; empty if it is not kept any more.
    pub from: String,
    /// How it began, for those who cannot look it up; empty if it is deleted.
    pub text: String,
    /// What this one does to it.
    pub deed: Deed,
}

/// What a message does to an earlier one. A reader who does not know one shows the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// It answers it.
    Reply,
    /// Its text replaces it.
    Edit,
    /// It takes it back.
    Delete,
    /// Its text, an emoji or a word, is a reaction to it.
    React,
    /// It takes back the sender's reaction to it.
    Unreact,
    /// From a newer server.
    #[serde(other)]
    Unknown,
}

/// To whom something is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Addressee {
    /// To everyone.
    #[default]
    Everyone,
    /// To one user.
    User(String),
    /// To everyone in a room.
    Room(String),
}

/// Something that happened in a room. One record for all, so that a reader that does not know a kind can still say
/// who did it to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomNews {
    /// In which room.
    pub room: String,
    /// What.
    pub what: RoomDeed,
    /// Whom it is about, by what they are called in the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whom: Option<String>,
    /// Who did it, if that is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The new topic, the reason, the role: what the kind needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Until when, if it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// When.
    pub at: Millis,
}

/// What happened in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoomDeed {
    /// Somebody came in.
    Arrived,
    /// Somebody went out.
    Left,
    /// Somebody is called otherwise: `text`.
    Renamed,
    /// Many came and went: told together where the room is large. `text` says how many.
    Crowd,
    /// The topic is another: `text`, or none any more.
    Topic,
    /// The description is another: `text`, or none any more.
    Description,
    /// Who may come in is another: `text` says who.
    Access,
    /// The room stays when its last member leaves.
    Kept,
    /// The room ends when its last member leaves.
    NotKept,
    /// Nothing can be said in it any more; it can be read.
    Archived,
    /// Something can be said in it again.
    Unarchived,
    /// Somebody has another role: `text`.
    Role,
    /// Somebody was put out. `text` is the reason, if one was given.
    Kicked,
    /// Somebody may not come in. `text` is the reason, if one was given.
    Banned,
    /// Somebody may come in again.
    Unbanned,
    /// Somebody may not say anything.
    Muted,
    /// Somebody may say something again.
    Unmuted,
    /// You may come in.
    Invited,
    /// The room is no more.
    Ended,
    /// From a newer server.
    #[serde(other)]
    Unknown,
}

/// One room in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomLine {
    /// Its name.
    pub name: String,
    /// How many are in it.
    pub here: usize,
    /// What it is about at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Who may come in.
    #[serde(default)]
    pub access: RoomAccess,
    /// Whether the asker is in it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mine: bool,
    /// Whether the asker belongs to it: finds what was said while away.
    #[serde(default, skip_serializing_if = "is_false")]
    pub member: bool,
    /// Whether it can only be read.
    #[serde(default, skip_serializing_if = "is_false")]
    pub archived: bool,
}

/// Who may come into a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoomAccess {
    /// Everyone.
    #[default]
    Public,
    /// Whoever has been invited.
    Invited,
    /// Whoever knows the password.
    Password,
    /// In a way that this reader is too old to know.
    #[serde(other)]
    Unknown,
}

/// One member in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberLine {
    /// What they are called in the room.
    pub nick: String,
    /// Their name, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What they may do.
    pub role: RoomRole,
    /// Whether they are in it now.
    pub here: bool,
    /// For how many seconds they have done nothing, here or elsewhere, though they are in it (see [`Person::idle`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<u64>,
    /// Until when they may not say anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Millis>,
}

/// What somebody may do in a room. In order: who has a higher one may do what a lower one may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoomRole {
    /// Say something.
    #[default]
    Member,
    /// Keep order: topic, kick, mute, ban, invite.
    Moderator,
    /// Everything, and give roles.
    Owner,
}

impl RoomRole {
    /// As a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            RoomRole::Member => "member",
            RoomRole::Moderator => "moderator",
            RoomRole::Owner => "owner",
        }
    }
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
    /// Operators of the server.
    Operators,
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
    /// For how many seconds they have done nothing, though they are online: whole minutes, and nothing before there are as
    /// many as the server's operator decides. What their programs do by themselves does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<u64>,
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
