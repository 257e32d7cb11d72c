//! What can happen in a session, and sessions made by chance.

use fastrand::Rng;

use super::reference::Reference;

/// The connections there can be. The first four have the names of accounts, so that a session reads well.
pub const CONNECTIONS: [&str; 5] = ["alice", "bob", "carol", "dave", "phone"];
/// The accounts there can be, in the order of lists.
pub const ACCOUNTS: [&str; 4] = ["alice", "bob", "carol", "dave"];
/// What people say besides a number that tells messages apart: what has gone wrong in one program or another.
const TEXTS: [&str; 8] = ["", "", " don't be late", " \"no\\n\"", " {i} }", " @all: hi", " žluťoučký 🐎", " error[blocked]: no"];
/// How many seconds can pass at once: less and more than a lock-out, more than an hour. No sum of them is the
/// deadline of a login, so that nothing hangs on which of two things happens first at the same moment.
const SECONDS: [i64; 3] = [31, 61, 3661];

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
    Ack { at: &'static str, mark: usize },
    Block { at: &'static str, whom: &'static str },
    Unblock { at: &'static str, whom: &'static str },
    Blocked { at: &'static str },
    Whoelse { at: &'static str },
    Whoelsesince { at: &'static str, hour: bool },
    Users { at: &'static str },
    Whoami { at: &'static str },
    History { at: &'static str, with: Option<&'static str> },
    Nonsense { at: &'static str },
    Advance { seconds: i64 },
    Crash,
    Stop,
}

impl Op {
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
            | Op::Block { at, .. }
            | Op::Unblock { at, .. }
            | Op::Blocked { at }
            | Op::Whoelse { at }
            | Op::Whoelsesince { at, .. }
            | Op::Users { at }
            | Op::Whoami { at }
            | Op::History { at, .. }
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
            | Op::Blocked { at }
            | Op::Whoelse { at }
            | Op::Whoelsesince { at, .. }
            | Op::Users { at }
            | Op::Whoami { at }
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
            Op::Block { .. } => "block",
            Op::Unblock { .. } => "unblock",
            Op::Blocked { .. } => "blocked",
            Op::Whoelse { .. } => "whoelse",
            Op::Whoelsesince { .. } => "whoelsesince",
            Op::Users { .. } => "users",
            Op::Whoami { .. } => "whoami",
            Op::History { .. } => "history",
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
        _ => {}
    }
    let at = pick(chance, &CONNECTIONS);
    if !now.is_open(at) {
        return Op::Connect { at, text: chance.u8(..3) == 0 };
    }
    let (marks, tokens) = now.known();
    let account = |chance: &mut Rng| pick(chance, &ACCOUNTS);
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
            _ if now.names().any(|known| known == name) => Op::Login { at, name, right: chance.u8(..8) > 0 },
            _ => Op::Register { at, name },
        };
    };
    match chance.u32(..100) {
        0..30 => {
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
