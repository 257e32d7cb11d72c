//! What can happen in a session, and sessions made by chance.

use fastrand::Rng;

use super::reference::Reference;
use super::rooms::{Access, Role};

/// The connections there can be. The first four have the names of accounts, so that a session reads well.
pub const CONNECTIONS: [&str; 5] = ["alice", "bob", "carol", "dave", "phone"];
/// The accounts there can be, in the order of lists.
pub const ACCOUNTS: [&str; 4] = ["alice", "bob", "carol", "dave"];
/// What people say besides a number that tells messages apart: what has gone wrong in one program or another.
const TEXTS: [&str; 8] = ["", "", " don't be late", " \"no\\n\"", " {i} }", " @all: hi", " žluťoučký 🐎", " error[blocked]: no"];
/// The names that guests come by: one of their own, and one that an account may have.
pub const GUESTS: [&str; 2] = ["erin", "bob"];
/// The rooms there can be.
pub const ROOMS: [&str; 2] = ["attic", "den"];
/// How many seconds can pass at once: less and more than a lock-out, more than an hour. No sum of them is the
/// deadline of a login or of an idle session, so that nothing hangs on which of two things happens first at the same moment.
const SECONDS: [i64; 3] = [31, 61, 3661];

/// What belongs together: one of these is done more often in each session.
pub const THEMES: [&[&str]; 10] = [
    &["token", "resume", "passwd", "drop"],
    &["message", "ack", "drop", "since"],
    &["message", "broadcast", "block", "unblock", "history"],
    &["whoelse", "whoelsesince", "users", "drop", "logout"],
    &["create", "join", "say", "keep", "leave", "history"],
    &["create", "join", "say", "mute", "role", "whisper"],
    &["create", "join", "access", "invite", "roomban", "kick"],
    &["guest", "create", "join", "crash", "rooms"],
    &["message", "broadcast", "edit", "delete", "reply", "history"],
    &["message", "broadcast", "react", "unreact", "edit", "drop", "history"],
];

/// How many keys there are.
const KEYS: usize = 3;

/// One thing that happens. `at` is a connection; numbers name what the server gives out, such as a token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the command of the same name, or the step")]
pub enum Op {
    Connect { at: &'static str, text: bool },
    Drop { at: &'static str },
    Register { at: &'static str, name: &'static str },
    Login { at: &'static str, name: &'static str, right: bool },
    Since { at: &'static str, mark: usize },
    Token { at: &'static str, token: usize },
    Resume { at: &'static str, token: usize, after: Option<usize> },
    Logout { at: &'static str },
    Passwd { at: &'static str, new: String },
    Unregister { at: &'static str },
    Say { at: &'static str, to: Option<&'static str>, text: String, key: Option<String>, mark: usize },
    Amend { at: &'static str, deed: Deed, back: usize, text: String, mark: usize },
    Ack { at: &'static str, mark: usize },
    Block { at: &'static str, whom: &'static str },
    Unblock { at: &'static str, whom: &'static str },
    Blocked { at: &'static str },
    Whoelse { at: &'static str },
    Whoelsesince { at: &'static str, hour: bool },
    Users { at: &'static str },
    Whoami { at: &'static str },
    History { at: &'static str, with: Option<&'static str> },
    Guest { at: &'static str, name: &'static str },
    Room { at: &'static str, deed: RoomDeed },
    Nonsense { at: &'static str },
    Advance { seconds: i64 },
    Crash,
    Stop,
}

/// What is said about an earlier message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the command of the same name")]
pub enum Deed {
    Reply,
    React,
    Unreact,
    Edit,
    Delete,
}

impl Deed {
    /// The command.
    #[must_use]
    pub fn verb(self) -> &'static str {
        match self {
            Deed::Reply => "reply",
            Deed::React => "react",
            Deed::Unreact => "unreact",
            Deed::Edit => "edit",
            Deed::Delete => "delete",
        }
    }

    /// Whether there is a text behind the number.
    #[must_use]
    pub fn has_text(self) -> bool {
        matches!(self, Deed::Reply | Deed::React | Deed::Edit)
    }
}

/// What is done in a room, or about one. Numbers are those of [`Op`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the command of the same name")]
pub enum RoomDeed {
    Create(&'static str),
    Join { room: &'static str, password: bool },
    Leave,
    Say { text: String, mark: usize },
    Whisper { whom: &'static str, text: String, mark: usize },
    Kick(&'static str),
    Ban(&'static str),
    Unban(&'static str),
    Mute(&'static str),
    Unmute(&'static str),
    Invite(&'static str),
    Role(&'static str, Role),
    Access(Access),
    Keep(bool),
    Resign,
    Close,
    Members,
    Rooms,
}

impl RoomDeed {
    /// The account it names.
    pub fn whom_mut(&mut self) -> Option<&mut &'static str> {
        match self {
            RoomDeed::Whisper { whom, .. }
            | RoomDeed::Kick(whom)
            | RoomDeed::Ban(whom)
            | RoomDeed::Unban(whom)
            | RoomDeed::Mute(whom)
            | RoomDeed::Unmute(whom)
            | RoomDeed::Invite(whom)
            | RoomDeed::Role(whom, _) => Some(whom),
            _ => None,
        }
    }

    fn verb(&self) -> &'static str {
        match self {
            RoomDeed::Create(_) => "create",
            RoomDeed::Join { .. } => "join",
            RoomDeed::Leave => "leave",
            RoomDeed::Say { .. } => "say",
            RoomDeed::Whisper { .. } => "whisper",
            RoomDeed::Kick(_) => "kick",
            RoomDeed::Ban(_) => "roomban",
            RoomDeed::Unban(_) => "unroomban",
            RoomDeed::Mute(_) => "mute",
            RoomDeed::Unmute(_) => "unmute",
            RoomDeed::Invite(_) => "invite",
            RoomDeed::Role(..) => "role",
            RoomDeed::Access(_) => "access",
            RoomDeed::Keep(_) => "keep",
            RoomDeed::Resign => "resign",
            RoomDeed::Close => "close",
            RoomDeed::Members => "members",
            RoomDeed::Rooms => "rooms",
        }
    }
}

impl Op {
    /// The name of the number that what it says is given, if it says anything.
    #[must_use]
    pub fn mark(&self) -> Option<usize> {
        match self {
            Op::Say { mark, .. }
            | Op::Amend { mark, .. }
            | Op::Room { deed: RoomDeed::Say { mark, .. } | RoomDeed::Whisper { mark, .. }, .. } => Some(*mark),
            _ => None,
        }
    }

    /// What it says, if it says anything.
    pub fn text_mut(&mut self) -> Option<&mut String> {
        match self {
            Op::Say { text, .. }
            | Op::Amend { deed: Deed::Reply | Deed::Edit, text, .. }
            | Op::Room { deed: RoomDeed::Say { text, .. } | RoomDeed::Whisper { text, .. }, .. } => Some(text),
            _ => None,
        }
    }

    /// On which connection it happens.
    #[must_use]
    pub fn at(&self) -> Option<&'static str> {
        match self {
            Op::Connect { at, .. }
            | Op::Drop { at }
            | Op::Register { at, .. }
            | Op::Login { at, .. }
            | Op::Since { at, .. }
            | Op::Token { at, .. }
            | Op::Resume { at, .. }
            | Op::Logout { at }
            | Op::Passwd { at, .. }
            | Op::Unregister { at }
            | Op::Say { at, .. }
            | Op::Ack { at, .. }
            | Op::Amend { at, .. }
            | Op::Block { at, .. }
            | Op::Unblock { at, .. }
            | Op::Blocked { at }
            | Op::Whoelse { at }
            | Op::Whoelsesince { at, .. }
            | Op::Users { at }
            | Op::Whoami { at }
            | Op::History { at, .. }
            | Op::Guest { at, .. }
            | Op::Room { at, .. }
            | Op::Nonsense { at } => Some(at),
            Op::Advance { .. } | Op::Crash | Op::Stop => None,
        }
    }

    /// Goes through every name in it, connections and accounts alike.
    pub fn names_mut(&mut self, each: &mut impl FnMut(&mut &'static str)) {
        match self {
            Op::Register { at, name } | Op::Login { at, name, .. } | Op::Block { at, whom: name } | Op::Unblock { at, whom: name } => {
                each(at);
                each(name);
            }
            Op::Room { at, deed } => {
                each(at);
                if let Some(name) = deed.whom_mut() {
                    each(name);
                }
            }
            Op::Say { at, to: name, .. } | Op::History { at, with: name } => {
                each(at);
                if let Some(name) = name {
                    each(name);
                }
            }
            Op::Connect { at, .. }
            | Op::Drop { at }
            | Op::Since { at, .. }
            | Op::Token { at, .. }
            | Op::Resume { at, .. }
            | Op::Logout { at }
            | Op::Passwd { at, .. }
            | Op::Unregister { at }
            | Op::Ack { at, .. }
            | Op::Amend { at, .. }
            | Op::Blocked { at }
            | Op::Whoelse { at }
            | Op::Whoelsesince { at, .. }
            | Op::Users { at }
            | Op::Whoami { at }
            | Op::Guest { at, .. }
            | Op::Nonsense { at } => each(at),
            Op::Advance { .. } | Op::Crash | Op::Stop => {}
        }
    }

    /// The accounts it names.
    #[must_use]
    pub fn accounts(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        self.clone().names_mut(&mut |name| names.push(*name));
        names.into_iter().skip(usize::from(self.at().is_some())).collect()
    }

    /// What it is called in figures.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Op::Connect { .. } => "connect",
            Op::Drop { .. } => "drop",
            Op::Register { .. } => "register",
            Op::Login { .. } => "login",
            Op::Since { .. } => "since",
            Op::Token { .. } => "token",
            Op::Resume { .. } => "resume",
            Op::Logout { .. } => "logout",
            Op::Passwd { .. } => "passwd",
            Op::Unregister { .. } => "unregister",
            Op::Say { to: None, .. } => "broadcast",
            Op::Say { .. } => "message",
            Op::Ack { .. } => "ack",
            Op::Amend { deed, .. } => deed.verb(),
            Op::Block { .. } => "block",
            Op::Unblock { .. } => "unblock",
            Op::Blocked { .. } => "blocked",
            Op::Whoelse { .. } => "whoelse",
            Op::Whoelsesince { .. } => "whoelsesince",
            Op::Users { .. } => "users",
            Op::Whoami { .. } => "whoami",
            Op::History { .. } => "history",
            Op::Guest { .. } => "guest",
            Op::Room { deed, .. } => deed.verb(),
            Op::Nonsense { .. } => "nonsense",
            Op::Advance { .. } => "advance",
            Op::Crash => "crash",
            Op::Stop => "stop",
        }
    }
}

/// An operation that is possible now, by chance; `count` is how many there were.
pub fn next(chance: &mut Rng, now: &Reference, count: usize) -> Op {
    let pick = |chance: &mut Rng, from: &[&'static str]| from[chance.usize(..from.len())];
    match chance.u32(..100) {
        0 => return Op::Crash,
        1 if chance.bool() => return Op::Stop,
        2 | 3 => return Op::Advance { seconds: SECONDS[chance.usize(..SECONDS.len())] },
        // Where who does nothing is logged out, time has to pass in between.
        4..12 if now.house().idle.is_some() => return Op::Advance { seconds: SECONDS[0] },
        _ => {}
    }
    // Most of what there is to see happens where somebody is.
    let here: Vec<&'static str> = CONNECTIONS.into_iter().filter(|at| now.who(at).is_some()).collect();
    let at = if here.len() > 1 && chance.u8(..3) > 0 { pick(chance, &here) } else { pick(chance, &CONNECTIONS) };
    if !now.is_open(at) {
        return Op::Connect { at, text: chance.u8(..3) == 0 };
    }
    let (marks, tokens) = now.known();
    let someone = if now.house().guests { &[ACCOUNTS.as_slice(), &GUESTS[..1]].concat() } else { ACCOUNTS.as_slice() };
    let account = |chance: &mut Rng| pick(chance, someone);
    let own = if ACCOUNTS.contains(&at) { at } else { ACCOUNTS[0] };
    let Some(_) = now.who(at) else {
        // Usually one comes in as oneself.
        let name = if chance.u8(..4) == 0 { account(chance) } else { own };
        return match chance.u32(..20) {
            0 => Op::Drop { at },
            1 => Op::Say { at, to: Some(name), text: format!("m{count}"), key: None, mark: count },
            2 => Op::Logout { at },
            3 => Op::Nonsense { at },
            4 | 5 => match chance.choice(&marks) {
                Some(mark) => Op::Since { at, mark: *mark },
                None => Op::Whoelse { at },
            },
            6..9 => match chance.choice(&tokens) {
                Some(token) => Op::Resume { at, token: *token, after: chance.choice(&marks).copied().filter(|_| chance.bool()) },
                None => Op::Nonsense { at },
            },
            9..11 => Op::Login { at, name, right: false },
            11..13 if now.house().guests => Op::Guest { at, name: pick(chance, &GUESTS) },
            _ if now.names().any(|known| known == name) => Op::Login { at, name, right: chance.u8(..8) > 0 },
            _ => Op::Register { at, name },
        };
    };
    if now.house().rooms && chance.bool() {
        return Op::Room { at, deed: room_deed(chance, now, at, count, &account) };
    }
    match chance.u32(..100) {
        0..10 => {
            let deed = [Deed::Reply, Deed::React, Deed::React, Deed::Unreact, Deed::Edit, Deed::Edit, Deed::Delete][chance.usize(..7)];
            let text = match deed {
                Deed::React => ["+1", "no", "🐎"][chance.usize(..3)].to_owned(),
                _ if deed.has_text() => format!("m{count}{}", TEXTS[chance.usize(..TEXTS.len())]),
                _ => String::new(),
            };
            Op::Amend { at, deed, back: chance.usize(1..4), text, mark: count }
        }
        10..30 => {
            let text = format!("m{count}{}", TEXTS[chance.usize(..TEXTS.len())]);
            // There are few, so that many are used before.
            let key = (!now.is_text(at) && chance.bool()).then(|| format!("k{}", chance.usize(..KEYS)));
            Op::Say { at, to: Some(account(chance)), text, key, mark: count }
        }
        30..42 => {
            let text = format!("m{count}{}", TEXTS[chance.usize(..TEXTS.len())]);
            Op::Say { at, to: None, text, key: None, mark: count }
        }
        42..49 => Op::Block { at, whom: account(chance) },
        49..56 => Op::Unblock { at, whom: account(chance) },
        56..58 => Op::Blocked { at },
        58..61 => Op::Whoelse { at },
        61..64 => Op::Whoelsesince { at, hour: chance.bool() },
        64..66 => Op::Users { at },
        66 => Op::Whoami { at },
        67..72 => Op::History { at, with: chance.bool().then(|| account(chance)) },
        72..76 => Op::Token { at, token: count },
        76..80 => match chance.choice(&marks) {
            Some(mark) if !now.is_text(at) => Op::Ack { at, mark: *mark },
            _ => Op::Whoami { at },
        },
        80 | 81 => Op::Passwd { at, new: format!("pw-{count}") },
        82 => Op::Unregister { at },
        83 => Op::Register { at, name: account(chance) },
        84 => Op::Login { at, name: account(chance), right: true },
        85..92 => Op::Logout { at },
        _ => Op::Drop { at },
    }
}

/// What somebody does in their room if they are in one, or else about one.
fn room_deed(chance: &mut Rng, now: &Reference, at: &str, count: usize, account: &dyn Fn(&mut Rng) -> &'static str) -> RoomDeed {
    let room = ROOMS[usize::from(chance.u8(..4) > 0)];
    if !now.is_in_room(at) {
        return match chance.u32(..20) {
            0..6 => RoomDeed::Create(room),
            6..16 => RoomDeed::Join { room, password: chance.bool() },
            16 | 17 => RoomDeed::Rooms,
            18 => RoomDeed::Leave,
            _ => RoomDeed::Whisper { whom: account(chance), text: format!("m{count}"), mark: count },
        };
    }
    match chance.u32(..60) {
        0..20 => RoomDeed::Say { text: format!("m{count}{}", TEXTS[chance.usize(..TEXTS.len())]), mark: count },
        20..24 => RoomDeed::Whisper { whom: account(chance), text: format!("m{count}"), mark: count },
        24..28 => RoomDeed::Leave,
        28..30 => RoomDeed::Kick(account(chance)),
        30..32 => RoomDeed::Ban(account(chance)),
        32 => RoomDeed::Unban(account(chance)),
        33..36 => RoomDeed::Mute(account(chance)),
        36 => RoomDeed::Unmute(account(chance)),
        37..40 => RoomDeed::Invite(account(chance)),
        40..43 => RoomDeed::Role(account(chance), [Role::Member, Role::Moderator, Role::Owner][chance.usize(..3)]),
        43..46 => RoomDeed::Access([Access::Public, Access::Invited, Access::Password][chance.usize(..3)]),
        46..50 => RoomDeed::Keep(chance.u8(..4) > 0),
        50 => RoomDeed::Resign,
        51 => RoomDeed::Close,
        52..55 => RoomDeed::Members,
        55 | 56 => RoomDeed::Rooms,
        57 => RoomDeed::Join { room, password: false },
        _ => RoomDeed::Create(room),
    }
}
