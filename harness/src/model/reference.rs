//! The reference model: what everybody must see of a session, said as plainly as it can be.
//!
//! It shares nothing with the hall: no code, no types, no order of doing things. It keeps whole lists and looks through
//! all of them; it knows no numbers, no cursors in a store, no pages, no shards. Where it and the server differ, one of
//! the two is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chinwag_wire::Millis;

use super::amend::About;
use super::rooms::Room;
use super::session::{CONNECTIONS, Op};
use crate::play::EPOCH;

/// Wrong passwords in a row, and for how many seconds a name is then locked out: the server's defaults.
const ATTEMPTS: u32 = 3;
const LOCKED_SECONDS: i64 = 60;
/// How many seconds a connection may be without a login: the server's default.
const LOGIN_DEADLINE: i64 = 120;
/// How many messages `history` shows.
const HISTORY_SHOWN: usize = 20;
/// After how many seconds of doing nothing lists tell of it.
const IDLE_AFTER: i64 = 300;

/// What the operator decides, as far as sessions can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// One session a user; a second login is refused.
    One,
    /// One session a user; a second login ends the first.
    NewerWins,
    /// Two sessions a user.
    Two,
}

impl Sessions {
    /// As the server's flag says it.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            Sessions::One => "One",
            Sessions::NewerWins => "NewerWins",
            Sessions::Two => "Several(2)",
        }
    }
}

/// How the server is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct House {
    /// How many sessions a user may have.
    pub sessions: Sessions,
    /// Whether one may come without an account.
    pub guests: bool,
    /// After how many seconds without a command a session ends; `None` for never.
    pub idle: Option<i64>,
    /// Whether people make rooms: what is done in a session, and nothing that the server knows of.
    pub rooms: bool,
}

impl House {
    /// As the server's flags say it.
    #[must_use]
    pub fn args(&self) -> Vec<String> {
        let mut args = vec!["--sessions".to_owned(), self.sessions.flag().to_owned()];
        if self.guests {
            args.extend(["--guests".to_owned(), "true".to_owned()]);
        }
        if let Some(idle) = self.idle {
            args.extend(["--timeout".to_owned(), format!("{idle}s")]);
        }
        args
    }
}

/// One thing that a connection must receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Exactly this.
    Line(String),
    /// A text that begins like this.
    Starts(String),
    /// A refusal with this code, also as the last word.
    Refused(&'static str),
    /// The end of the connection.
    Closed,
}

/// What everybody sees of one operation, by connection; whoever is not in it sees nothing.
pub type Seen = BTreeMap<&'static str, Vec<Expect>>;

pub(super) type Id = u32;

#[derive(Clone)]
pub(super) struct Account {
    pub(super) id: Id,
    /// Without a password, for as long as they are here.
    pub(super) guest: bool,
    password: String,
    pub(super) blocks: BTreeSet<Id>,
    /// How much of the log had been said when it was made.
    joined: usize,
    /// How much of the log it has read.
    read: usize,
    last_seen: Option<i64>,
    /// Was here since the server was last started.
    here_this_run: bool,
    /// When they last did something themselves.
    active: i64,
    keys: BTreeSet<String>,
}

#[derive(Clone)]
pub(super) struct Connection {
    text: bool,
    opened: i64,
    /// When the last line came that could be read as a command.
    active: i64,
    /// Who is logged in, since when, and how many had logged in before.
    pub(super) login: Option<Login>,
    since: Option<usize>,
}

#[derive(Clone)]
pub(super) struct Login {
    pub(super) name: &'static str,
    at: i64,
    turn: u64,
    token: Option<usize>,
    /// The turn of the login by password that all this goes back to.
    device: u64,
}

/// Whom something was said to.
#[derive(Clone)]
pub(super) enum To {
    All,
    One(Id, &'static str),
    /// To one in the same room.
    Whisper(Id, &'static str),
    /// To a room: which, and who was in it and who belonged to it when it was said.
    Room {
        room: usize,
        name: &'static str,
        heard: BTreeSet<Id>,
        belonged: BTreeSet<Id>,
    },
}

#[derive(Clone)]
pub(super) struct Said {
    at: i64,
    pub(super) from: Id,
    device: u64,
    pub(super) from_name: &'static str,
    pub(super) to: To,
    pub(super) text: String,
    hidden_from: BTreeSet<Id>,
    /// What it is to an earlier one.
    pub(super) about: Option<About>,
    /// Its author has changed it, or taken it back.
    pub(super) edited: bool,
    pub(super) deleted: bool,
    /// Who reacts to it, and with what.
    pub(super) reactions: BTreeMap<Id, String>,
}

impl Account {
    /// How much had been said when it was made.
    pub(super) fn joined(&self) -> usize {
        self.joined
    }
}

/// How somebody goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Going {
    LoggedOut,
    Lost,
    TimedOut,
}

/// Why there is no answer to predict: the operation is not possible here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impossible;

/// See the module's words.
#[derive(Clone)]
pub struct Reference {
    house: House,
    pub(super) now: i64,
    pub(super) accounts: BTreeMap<&'static str, Account>,
    pub(super) connections: BTreeMap<&'static str, Connection>,
    pub(super) log: Vec<Said>,
    pub(super) rooms: Vec<Room>,
    pub(super) next_room: usize,
    /// What was said last could be read as a command.
    understood: bool,
    wrong_passwords: BTreeMap<&'static str, (u32, Option<i64>)>,
    /// Which session token belongs to which account.
    tokens: BTreeMap<usize, Id>,
    /// On which device each was given out.
    token_devices: BTreeMap<usize, u64>,
    /// All tokens there ever were.
    tokens_given: Vec<usize>,
    /// How much had been said when the number with this name was given.
    marks: BTreeMap<usize, usize>,
    next_id: Id,
    next_turn: u64,
}

impl Reference {
    /// An empty server.
    #[must_use]
    pub fn new(house: House) -> Reference {
        Reference {
            house,
            rooms: Vec::new(),
            next_room: 0,
            understood: true,
            now: 0,
            accounts: BTreeMap::new(),
            connections: BTreeMap::new(),
            log: Vec::new(),
            wrong_passwords: BTreeMap::new(),
            tokens: BTreeMap::new(),
            token_devices: BTreeMap::new(),
            tokens_given: Vec::new(),
            marks: BTreeMap::new(),
            next_id: 1,
            next_turn: 0,
        }
    }

    /// How the server is set up.
    #[must_use]
    pub fn house(&self) -> &House {
        &self.house
    }

    /// Whether there is such a connection.
    #[must_use]
    pub fn is_open(&self, at: &str) -> bool {
        self.connections.contains_key(at)
    }

    /// Whether it speaks text.
    #[must_use]
    pub fn is_text(&self, at: &str) -> bool {
        self.connections.get(at).is_some_and(|connection| connection.text)
    }

    /// Who is logged in on it.
    #[must_use]
    pub fn who(&self, at: &str) -> Option<&'static str> {
        self.connections.get(at)?.login.as_ref().map(|login| login.name)
    }

    /// Everyone connected.
    pub fn open(&self) -> impl Iterator<Item = &'static str> {
        self.connections.keys().copied()
    }

    /// Everyone with an account.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.accounts.keys().copied()
    }

    /// The password of an account, or what it would be.
    #[must_use]
    pub fn password(&self, name: &str) -> String {
        self.accounts.get(name).map_or_else(|| format!("pw-{name}"), |account| account.password.clone())
    }

    /// The names of numbers and of tokens that have been given out, revoked ones too.
    #[must_use]
    pub fn known(&self) -> (Vec<usize>, Vec<usize>) {
        (self.marks.keys().copied().collect(), self.tokens_given.clone())
    }

    /// Does what the operation says, and tells what everybody must see of it.
    ///
    /// # Errors
    /// When it cannot be done here: nobody speaks on a connection that there is not.
    pub fn apply(&mut self, op: &Op) -> Result<Seen, Impossible> {
        let mut after = self.clone();
        let seen = after.applied(op)?;
        *self = after;
        Ok(seen)
    }

    fn applied(&mut self, op: &Op) -> Result<Seen, Impossible> {
        let mut seen = Seen::new();
        match op {
            Op::Connect { at, text } => self.connect(at, *text)?,
            Op::Advance { seconds } => self.advance(*seconds, &mut seen)?,
            Op::Crash => self.crash()?,
            Op::Stop => {
                // Who is an owner after a guest is told to those who are still there: of a server that ends, nobody knows who.
                let owns = |name: &str| self.accounts.get(name).is_some_and(|account| account.guest && self.owns_a_room(account.id));
                if self.connections.values().filter_map(|connection| connection.login.as_ref()).any(|login| owns(login.name)) {
                    return Err(Impossible);
                }
                for at in self.connections.keys() {
                    seen.insert(at, vec![Expect::Refused("shutdown")]);
                }
                let now = self.now;
                for login in self.connections.values().filter_map(|connection| connection.login.as_ref()) {
                    if let Some(account) = self.accounts.get_mut(login.name) {
                        account.last_seen = Some(now);
                    }
                }
                self.crash()?;
            }
            Op::Drop { at } => {
                if !self.is_open(at) {
                    return Err(Impossible);
                }
                if let Some(login) = self.close(at) {
                    self.gone(&login, Going::Lost, &mut seen)?;
                }
            }
            _ => {
                let at = op.at().ok_or(Impossible)?;
                if !self.is_open(at) {
                    return Err(Impossible);
                }
                self.understood = !matches!(op, Op::Ack { .. });
                let who = self.who(at);
                self.said(at, op, &mut seen)?;
                let (understood, now) = (self.understood, self.now);
                let by_hand = understood && !matches!(op, Op::Token { .. } | Op::Resume { .. } | Op::Since { .. });
                if let Some(account) = who.filter(|_| by_hand).and_then(|who| self.accounts.get_mut(who)) {
                    account.active = now;
                }
                if let Some(connection) = self.connections.get_mut(at).filter(|_| understood) {
                    connection.active = now;
                }
            }
        }
        Ok(seen)
    }

    fn connect(&mut self, at: &'static str, text: bool) -> Result<(), Impossible> {
        if self.is_open(at) {
            return Err(Impossible);
        }
        self.connections.insert(at, Connection { text, opened: self.now, active: self.now, login: None, since: None });
        Ok(())
    }

    fn crash(&mut self) -> Result<(), Impossible> {
        for at in CONNECTIONS {
            self.close(at);
        }
        self.wrong_passwords.clear();
        self.accounts.values_mut().for_each(|account| account.here_this_run = false);
        let guests: Vec<&'static str> = self.accounts.iter().filter(|(_, account)| account.guest).map(|(name, _)| *name).collect();
        for name in guests {
            self.forget_guest(name, &mut Seen::new())?;
        }
        self.empty_rooms_wait_anew();
        Ok(())
    }

    fn advance(&mut self, seconds: i64, seen: &mut Seen) -> Result<(), Impossible> {
        let then = self.now + seconds;
        let until = |connection: &Connection| self.house.idle.filter(|_| connection.login.is_some()).map(|idle| connection.active + idle);
        let mut idle: Vec<(i64, &'static str)> = self
            .connections
            .iter()
            .filter_map(|(at, connection)| Some((until(connection)?, *at)))
            .filter(|(end, _)| *end <= then)
            .collect();
        idle.sort_unstable();
        // Of two who go at the same moment, either may see the other go.
        if idle.windows(2).any(|two| two[0].0 == two[1].0) {
            return Err(Impossible);
        }
        for (end, at) in idle {
            self.now = end;
            seen.entry(at).or_default().extend([Expect::Refused("idle"), Expect::Closed]);
            if let Some(login) = self.close(at) {
                self.gone(&login, Going::TimedOut, seen)?;
            }
        }
        self.now = then;
        let now = self.now;
        let overdue = |connection: &Connection| connection.login.is_none() && connection.opened + LOGIN_DEADLINE <= now;
        for at in CONNECTIONS.iter().filter(|at| self.connections.get(**at).is_some_and(overdue)) {
            seen.insert(at, vec![Expect::Refused("registration-timeout"), Expect::Closed]);
        }
        self.connections.retain(|_, connection| !overdue(connection));
        Ok(())
    }

    /// Takes a connection away; says who was logged in on it.
    fn close(&mut self, at: &str) -> Option<Login> {
        let connection = self.connections.remove(at)?;
        if let Some(login) = &connection.login {
            self.has_read(login.name, connection.text);
        }
        connection.login
    }

    /// What is written to a reader of text has been read. That counts when the mail has been written, and then again at
    /// the end of the session; what comes in between is for a second session of the same user still new.
    fn has_read(&mut self, name: &str, text: bool) {
        let all = self.log.len();
        if let Some(account) = self.accounts.get_mut(name).filter(|_| text) {
            account.read = all;
        }
    }

    fn said(&mut self, at: &'static str, op: &Op, seen: &mut Seen) -> Result<(), Impossible> {
        let line = |text: &str| vec![Expect::Line(text.to_owned())];
        let refused = |code: &'static str| vec![Expect::Refused(code)];
        let me = self.who(at);
        if let Some(code) = self.misunderstood(op, me) {
            self.understood = false;
            seen.insert(at, refused(code));
            return Ok(());
        }
        let answer = match (op, me) {
            (Op::Logout { .. }, _) => return self.log_out(at, seen),
            (Op::Room { deed, .. }, Some(me)) => return self.in_rooms(at, me, deed, seen),
            (Op::Login { name, .. }, Some(me)) if *name == me => {
                let welcome = if self.accounts.get(me).is_some_and(|account| account.guest) {
                    guest_welcome(me)
                } else {
                    format!("* welcome back, {me}")
                };
                std::iter::once(Expect::Line(welcome)).chain(self.where_they_are(me)).collect()
            }
            (Op::Login { .. }, Some(_)) => refused("already-logged-in"),
            (Op::Register { name, .. } | Op::Guest { name, .. }, None) => match self.accounts.get(name).map(|account| account.guest) {
                Some(true) => refused("name-in-use"),
                Some(false) => refused("name-taken"),
                None => {
                    self.register(at, name, matches!(op, Op::Guest { .. }), seen);
                    return Ok(());
                }
            },
            (Op::Login { name, right, .. }, None) => return self.log_in(at, name, *right, seen),
            (Op::Resume { token, after, .. }, None) => return self.resume(at, *token, *after, seen),
            (Op::Since { mark, .. }, None) => {
                let after = *self.marks.get(mark).ok_or(Impossible)?;
                self.connections.get_mut(at).ok_or(Impossible)?.since = Some(after);
                line("ok")
            }
            (Op::Say { to, text, key, mark, .. }, Some(me)) => return self.say(at, me, *to, text, key.as_deref(), *mark, seen),
            (Op::Amend { deed, back, text, mark, .. }, Some(me)) => return self.amend(at, me, *deed, *back, text, *mark, seen),
            (Op::Block { whom, .. }, Some(me)) => self.block(me, whom, true),
            (Op::Unblock { whom, .. }, Some(me)) => self.block(me, whom, false),
            (Op::Ack { mark, .. }, Some(me)) => {
                let read = *self.marks.get(mark).ok_or(Impossible)?;
                let account = self.accounts.get_mut(me).ok_or(Impossible)?;
                account.read = account.read.max(read);
                line("ok")
            }
            (Op::Token { token, .. }, Some(me)) => {
                let id = self.accounts.get(me).ok_or(Impossible)?.id;
                let login = self.connections.get_mut(at).and_then(|connection| connection.login.as_mut()).ok_or(Impossible)?;
                if let Some(old) = login.token.replace(*token) {
                    self.tokens.remove(&old);
                }
                self.token_devices.insert(*token, login.device);
                self.tokens.insert(*token, id);
                self.tokens_given.push(*token);
                vec![Expect::Starts("* token ".to_owned())]
            }
            (Op::Passwd { new, .. }, Some(me)) if !self.is_locked(me) => {
                let account = self.accounts.get_mut(me).ok_or(Impossible)?;
                account.password.clone_from(new);
                let id = account.id;
                self.end_tokens(id, me);
                line("ok")
            }
            (Op::Unregister { .. }, Some(me)) if !self.is_locked(me) && self.would_leave_a_room_alone(me) => refused("last-owner"),
            (Op::Unregister { .. }, Some(me)) if !self.is_locked(me) => return self.unregister(at, me, seen),
            (Op::Passwd { .. } | Op::Unregister { .. }, Some(_)) => refused("locked-out"),
            (Op::Blocked { .. }, Some(me)) => {
                let account = self.accounts.get(me).ok_or(Impossible)?;
                let names = self.accounts.iter().filter(|(_, other)| account.blocks.contains(&other.id)).map(|(name, _)| *name);
                line(&format!("blocked: {}", listed(names, "nobody")))
            }
            (Op::Whoelse { .. }, Some(me)) => {
                let names = self.accounts.keys().copied().filter(|name| *name != me && self.is_here(name) && self.sees(me, name));
                let names: Vec<String> = names.map(|name| format!("{name}{}", self.idle(me, name))).collect();
                line(&format!("online: {}", if names.is_empty() { "nobody else".to_owned() } else { names.join(", ") }))
            }
            (Op::Whoelsesince { hour, .. }, Some(me)) => {
                let (window, shown) = if *hour { (3600, "1h") } else { (90, "1m 30s") };
                let was_here = |name: &str, account: &Account| {
                    self.is_here(name) || (account.here_this_run && account.last_seen.is_some_and(|seen| self.now - seen <= window))
                };
                let others = self.accounts.iter().filter(|(name, account)| **name != me && self.sees(me, name) && was_here(name, account));
                line(&format!("online within the last {shown}: {}", listed(others.map(|(name, _)| *name), "nobody else")))
            }
            (Op::Users { .. }, Some(me)) => self.directory(at, me),
            (Op::Whoami { .. }, Some(me)) => {
                let login = self.connections.get(at).and_then(|connection| connection.login.as_ref()).ok_or(Impossible)?;
                let guest = if self.accounts.get(me).is_some_and(|account| account.guest) { " (a guest)" } else { "" };
                line(&format!("* you are {me}{guest}, logged in since {}", When(login.at)))
            }
            (Op::History { with, .. }, Some(me)) => self.history(me, *with),
            // The rest needs a login, or is nothing that is said.
            _ => return Err(Impossible),
        };
        seen.insert(at, answer);
        Ok(())
    }

    /// Why a line gets nowhere: there is no such command, it is not for whoever says it, or what it names is not there. It
    /// is no sign of life either.
    fn misunderstood(&self, op: &Op, me: Option<&str>) -> Option<&'static str> {
        let guest = me.is_some_and(|me| self.accounts.get(me).is_some_and(|account| account.guest));
        let nobody = |whom: &str| (!self.accounts.contains_key(whom)).then_some("no-such-user");
        match (op, me) {
            (Op::Nonsense { .. }, _) => Some("unknown-command"),
            (Op::Logout { .. } | Op::Login { .. }, _) => None,
            (Op::Register { .. } | Op::Resume { .. } | Op::Since { .. } | Op::Guest { .. }, Some(_)) => Some("already-logged-in"),
            (Op::Guest { .. }, None) if !self.house.guests => Some("guests"),
            (Op::Register { .. } | Op::Resume { .. } | Op::Since { .. } | Op::Guest { .. }, None) => None,
            (_, None) => Some("not-logged-in"),
            (Op::Token { .. } | Op::Passwd { .. } | Op::Unregister { .. }, _) if guest => Some("guests"),
            (Op::Say { to: Some(whom), .. } | Op::Block { whom, .. } | Op::Unblock { whom, .. }, _) => nobody(whom),
            (Op::History { with: Some(whom), .. }, _) => nobody(whom),
            (Op::Room { deed, .. }, Some(me)) => self.misunderstood_in_room(me, deed),
            _ => None,
        }
    }

    fn register(&mut self, at: &'static str, name: &'static str, guest: bool, seen: &mut Seen) {
        let all = self.log.len();
        let account = Account {
            id: self.next_id,
            guest,
            password: format!("pw-{name}"),
            blocks: BTreeSet::new(),
            joined: all,
            read: all,
            last_seen: None,
            here_this_run: false,
            active: 0,
            keys: BTreeSet::new(),
        };
        self.next_id += 1;
        self.accounts.insert(name, account);
        let welcome = match guest {
            true => guest_welcome(name),
            false => format!("* welcome, {name}: you are registered and logged in; `help` lists what you can do"),
        };
        self.enter(at, name, None, None, welcome, seen);
    }

    fn log_in(&mut self, at: &'static str, name: &'static str, right: bool, seen: &mut Seen) -> Result<(), Impossible> {
        if self.accounts.get(name).is_none_or(|account| account.guest) {
            seen.insert(at, vec![Expect::Refused("no-such-user")]);
            return Ok(());
        }
        let locked = self.is_locked(name) || (!right && self.note_wrong(name));
        if locked {
            self.connections.remove(at);
            seen.insert(at, vec![Expect::Refused("locked-out"), Expect::Closed]);
        } else if !right {
            seen.insert(at, vec![Expect::Refused("wrong-password")]);
        } else if !self.make_room(name, &[], seen)? {
            seen.insert(at, vec![Expect::Refused("session-exists")]);
        } else {
            self.wrong_passwords.remove(name);
            let after = self.connections.get(at).and_then(|connection| connection.since);
            self.enter(at, name, after, None, format!("* welcome back, {name}"), seen);
        }
        Ok(())
    }

    fn resume(&mut self, at: &'static str, token: usize, after: Option<usize>, seen: &mut Seen) -> Result<(), Impossible> {
        let after = after.map(|mark| self.marks.get(&mark).copied().ok_or(Impossible)).transpose()?;
        let owner = self.tokens.get(&token).copied();
        let owner = owner.and_then(|id| self.accounts.iter().find(|(_, account)| account.id == id).map(|(name, _)| *name));
        let Some(name) = owner else {
            seen.insert(at, vec![Expect::Refused("bad-token")]);
            return Ok(());
        };
        let has_it = |login: &Login| login.token == Some(token);
        let older = self.sessions_of(name).into_iter().filter(|(_, login)| has_it(login)).map(|(at, _)| at);
        // What was written to a connection in text counts as seen, which only it knows: it leaves first. The place of
        // another is taken, and nobody sees it.
        let (leaving, replaced): (Vec<&'static str>, Vec<&'static str>) = older.partition(|at| self.is_text(at));
        for at in leaving {
            self.evict(at, seen)?;
        }
        if !self.make_room(name, &replaced, seen)? {
            seen.insert(at, vec![Expect::Refused("session-exists")]);
            return Ok(());
        }
        self.wrong_passwords.remove(name);
        let after = after.or_else(|| self.connections.get(at).and_then(|connection| connection.since));
        self.enter(at, name, after, Some(token), format!("* welcome back, {name}"), seen);
        for at in replaced {
            self.close(at);
            seen.insert(at, vec![Expect::Refused("session-replaced"), Expect::Closed]);
        }
        Ok(())
    }

    /// Whether one more session is allowed besides those that are not replaced, after older ones have ended if they must.
    fn make_room(&mut self, name: &'static str, replaced: &[&'static str], seen: &mut Seen) -> Result<bool, Impossible> {
        let mut sessions = self.sessions_of(name);
        sessions.retain(|(at, _)| !replaced.contains(at));
        match self.house.sessions {
            Sessions::One => Ok(sessions.is_empty()),
            Sessions::Two => Ok(sessions.len() < 2),
            Sessions::NewerWins => {
                for (at, _) in sessions {
                    self.evict(at, seen)?;
                }
                Ok(true)
            }
        }
    }

    fn evict(&mut self, at: &'static str, seen: &mut Seen) -> Result<(), Impossible> {
        seen.insert(at, vec![Expect::Refused("session-replaced"), Expect::Closed]);
        self.close(at).map_or(Ok(()), |login| self.gone(&login, Going::Lost, seen))
    }

    fn enter(
        &mut self,
        at: &'static str,
        name: &'static str,
        after: Option<usize>,
        token: Option<usize>,
        welcome: String,
        seen: &mut Seen,
    ) {
        if !self.is_here(name) {
            self.tell_others(name, &format!("* {name} logged in"), seen);
        }
        let (now, turn) = (self.now, self.next_turn);
        self.next_turn += 1;
        self.end_what_is_over();
        self.is_here_again(name);
        let whereabouts = self.where_they_are(name);
        let Some(account) = self.accounts.get_mut(name) else { return };
        account.last_seen = Some(now);
        if token.is_none() || !account.here_this_run {
            account.active = now;
        }
        account.here_this_run = true;
        let from = after.unwrap_or(account.read).max(account.joined);
        let id = account.id;
        let device = token.and_then(|token| self.token_devices.get(&token).copied()).unwrap_or(turn);
        // Only a device that says which it is, and up to where it has heard everything, is told what was said on others.
        let tells_own = token.is_some() && after.is_some();
        let mut lines = vec![Expect::Line(welcome)];
        lines.extend(whereabouts);
        for said in self.log.iter().skip(from) {
            // What is shown as it has become needs no word of that.
            if said.deleted || said.about.as_ref().is_some_and(|about| about.changes() && about.place >= from) {
                continue;
            }
            let shown = match said.from == id {
                true if tells_own && said.device != device => said.shown_to_its_own(),
                false if said.reaches(id) => said.shown(),
                _ => continue,
            };
            lines.push(Expect::Line(format!("(offline {}) {shown}", When(said.at))));
        }
        seen.insert(at, lines);
        if let Some(connection) = self.connections.get_mut(at) {
            connection.login = Some(Login { name, at: now, turn, token, device });
            connection.active = now;
            connection.since = None;
            let text = connection.text;
            self.has_read(name, text);
        }
    }

    /// Somebody's session has ended, and their connection is gone already.
    fn gone(&mut self, login: &Login, how: Going, seen: &mut Seen) -> Result<(), Impossible> {
        let name = login.name;
        if self.is_here(name) {
            return Ok(());
        }
        if let Some(account) = self.accounts.get_mut(name) {
            account.last_seen = Some(self.now);
        }
        let what = if how == Going::TimedOut { "timed out" } else { "logged out" };
        self.tell_others(name, &format!("* {name} {what}"), seen);
        self.gone_from_rooms(name, how, seen)?;
        if self.accounts.get(name).is_some_and(|account| account.guest) {
            self.forget_guest(name, seen)?;
        }
        Ok(())
    }

    /// A guest is nobody once they have gone.
    fn forget_guest(&mut self, name: &'static str, seen: &mut Seen) -> Result<(), Impossible> {
        self.out_of_all_rooms(name, seen)?;
        if let Some(account) = self.accounts.remove(name) {
            self.nobody_blocks(account.id);
        }
        Ok(())
    }

    fn nobody_blocks(&mut self, id: Id) {
        for other in self.accounts.values_mut() {
            other.blocks.remove(&id);
        }
    }

    fn log_out(&mut self, at: &'static str, seen: &mut Seen) -> Result<(), Impossible> {
        if let Some(login) = self.close(at) {
            if let Some(token) = login.token {
                self.tokens.remove(&token);
            }
            self.gone(&login, Going::LoggedOut, seen)?;
        }
        seen.insert(at, vec![Expect::Line("* goodbye".to_owned()), Expect::Closed]);
        Ok(())
    }

    fn unregister(&mut self, at: &'static str, me: &'static str, seen: &mut Seen) -> Result<(), Impossible> {
        self.out_of_all_rooms(me, seen)?;
        self.tell_others(me, &format!("* {me} logged out"), seen);
        for (session, _) in self.sessions_of(me) {
            self.connections.remove(session);
            let last = if session == at { Expect::Line("* goodbye".to_owned()) } else { Expect::Refused("account-deleted") };
            seen.insert(session, vec![last, Expect::Closed]);
        }
        if let Some(account) = self.accounts.remove(me) {
            self.tokens.retain(|_, owner| *owner != account.id);
            self.nobody_blocks(account.id);
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "everything that a message is made of")]
    fn say(
        &mut self,
        at: &'static str,
        me: &'static str,
        to: Option<&'static str>,
        text: &str,
        key: Option<&str>,
        mark: usize,
        seen: &mut Seen,
    ) -> Result<(), Impossible> {
        let mut answer = |what: Expect| drop(seen.insert(at, vec![what]));
        let my = self.accounts.get(me).ok_or(Impossible)?;
        if key.is_some_and(|key| my.keys.contains(key)) {
            answer(Expect::Line("sent (it had been sent before)".to_owned()));
            return Ok(());
        }
        if to == Some(me) {
            answer(Expect::Refused("yourself"));
            return Ok(());
        }
        if to.is_some_and(|to| !self.sees(me, to)) {
            answer(Expect::Refused("blocked"));
            return Ok(());
        }
        let id = my.id;
        let blocked_by_somebody = self.accounts.values().any(|other| other.blocks.contains(&id));
        answer(Expect::Line(
            match to {
                Some(to) if !self.is_here(to) => "sent; they are away and get it at their next login",
                None if blocked_by_somebody => "sent; some people could not be reached",
                _ => "sent",
            }
            .to_owned(),
        ));
        let to = to.and_then(|to| Some(To::One(self.accounts.get(to)?.id, to))).unwrap_or(To::All);
        self.spread(at, me, to, text, mark, seen)?;
        if let (Some(key), Some(my)) = (key, self.accounts.get_mut(me)) {
            my.keys.insert(key.to_owned());
        }
        Ok(())
    }

    /// Everyone it reaches sees it, and it is kept.
    pub(super) fn spread(
        &mut self,
        at: &'static str,
        me: &'static str,
        to: To,
        text: &str,
        mark: usize,
        seen: &mut Seen,
    ) -> Result<(), Impossible> {
        self.spread_about(at, me, to, text, None, mark, seen)
    }

    #[allow(clippy::too_many_arguments, reason = "everything that a message is made of")]
    pub(super) fn spread_about(
        &mut self,
        at: &'static str,
        me: &'static str,
        to: To,
        text: &str,
        about: Option<About>,
        mark: usize,
        seen: &mut Seen,
    ) -> Result<(), Impossible> {
        let id = self.accounts.get(me).ok_or(Impossible)?.id;
        let hidden_from = self.accounts.iter().filter(|(name, _)| !self.sees(me, name)).map(|(_, other)| other.id).collect();
        let device = self.connections.get(at).and_then(|connection| connection.login.as_ref()).ok_or(Impossible)?.device;
        let said = Said {
            at: self.now,
            from: id,
            device,
            from_name: me,
            to,
            text: text.to_owned(),
            hidden_from,
            about,
            edited: false,
            deleted: false,
            reactions: BTreeMap::new(),
        };
        for (reader, connection) in &self.connections {
            let Some(login) = &connection.login else { continue };
            let reader_id = self.accounts.get(login.name).map(|account| account.id).ok_or(Impossible)?;
            if reader_id != id && said.reaches(reader_id) {
                seen.entry(reader).or_default().push(Expect::Line(said.shown()));
            } else if reader_id == id && *reader != at {
                seen.entry(reader).or_default().push(Expect::Line(said.shown_to_its_own()));
            }
        }
        self.log.push(said);
        self.marks.insert(mark, self.log.len());
        Ok(())
    }

    fn block(&mut self, me: &'static str, whom: &'static str, blocks: bool) -> Vec<Expect> {
        let Some(other) = self.accounts.get(whom).map(|account| account.id) else { return Vec::new() };
        if whom == me {
            return vec![Expect::Refused("yourself")];
        }
        let Some(my) = self.accounts.get_mut(me) else { return Vec::new() };
        let changed = if blocks { my.blocks.insert(other) } else { my.blocks.remove(&other) };
        vec![match (changed, blocks) {
            (true, true) => Expect::Line(format!("{whom} is blocked")),
            (true, false) => Expect::Line(format!("{whom} is not blocked any more")),
            (false, true) => Expect::Refused("already-blocked"),
            (false, false) => Expect::Refused("not-blocked"),
        }]
    }

    fn directory(&self, at: &str, me: &str) -> Vec<Expect> {
        let mut lines: Vec<String> = self
            .accounts
            .iter()
            .map(|(name, account)| match (self.sees(me, name), self.is_here(name), account.last_seen) {
                (true, true, _) => format!("{name}: online{}", self.idle(me, name)),
                (true, false, Some(seen)) => format!("{name}: offline, last seen {}", When(seen)),
                _ => format!("{name}: offline"),
            })
            .collect();
        lines.push(counted(lines.len(), "user"));
        self.lines(at, lines)
    }

    /// How long somebody who is here has done nothing, as lists tell it to `me`, who has just done something.
    pub(super) fn idle(&self, me: &str, name: &str) -> String {
        let idle = self.accounts.get(name).map_or(0, |account| self.now - account.active);
        if name == me || idle < IDLE_AFTER {
            return String::new();
        }
        let (days, hours, minutes) = (idle / 86_400, idle / 3600 % 24, idle / 60 % 60);
        let parts = if days > 0 { vec![(days, 'd'), (hours, 'h')] } else { vec![(hours, 'h'), (minutes, 'm')] };
        let parts: Vec<String> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
        format!(" (idle {})", parts.join(" "))
    }

    /// What was said before: between two, or in the room one is in, or all of it.
    fn history(&self, me: &str, with: Option<&'static str>) -> Vec<Expect> {
        let Some(my) = self.accounts.get(me) else { return Vec::new() };
        let with = with.and_then(|with| self.accounts.get(with)).map(|other| other.id);
        let room = self.room_and_member(my.id).filter(|_| with.is_none());
        if my.guest && room.is_none() {
            return vec![Expect::Refused("guests")];
        }
        // Of a guest nothing is kept but what they are there for.
        let from = room.filter(|_| my.guest).map_or(my.joined, |(_, member)| member.since);
        let is_mine = |said: &&Said| said.from == my.id || said.may_be_read_by(my.id);
        let is_asked_for = |said: &&Said| match (with, room, &said.to) {
            (Some(with), _, To::One(to, _) | To::Whisper(to, _)) => {
                (said.from == my.id && *to == with) || (said.from == with && *to == my.id)
            }
            (None, Some((room, _)), To::Room { room: of, .. }) => room.number == *of,
            (None, None, _) => true,
            _ => false,
        };
        let is_shown = |said: &&Said| !said.deleted && !said.about.as_ref().is_some_and(About::changes);
        let all: Vec<&Said> = self.log.iter().skip(from).filter(is_mine).filter(is_asked_for).filter(is_shown).collect();
        past(&all, HISTORY_SHOWN)
    }

    pub(super) fn is_here(&self, name: &str) -> bool {
        !self.sessions_of(name).is_empty()
    }

    /// Where somebody is logged in, the oldest first.
    pub(super) fn sessions_of(&self, name: &str) -> Vec<(&'static str, Login)> {
        let all = self.connections.iter().filter_map(|(at, connection)| Some((*at, connection.login.clone()?)));
        let mut sessions: Vec<(&'static str, Login)> = all.filter(|(_, login)| login.name == name).collect();
        sessions.sort_by_key(|(_, login)| login.turn);
        sessions
    }

    /// Whether neither of the two blocks the other.
    pub(super) fn sees(&self, one: &str, other: &str) -> bool {
        let (Some(one), Some(other)) = (self.accounts.get(one), self.accounts.get(other)) else { return false };
        !one.blocks.contains(&other.id) && !other.blocks.contains(&one.id)
    }

    /// Tells everyone here but `name`, and those who do not see each other with it.
    fn tell_others(&self, name: &str, text: &str, seen: &mut Seen) {
        for (at, connection) in &self.connections {
            if connection.login.as_ref().is_some_and(|login| login.name != name && self.sees(login.name, name)) {
                seen.entry(at).or_default().push(Expect::Line(text.to_owned()));
            }
        }
    }

    fn is_locked(&self, name: &str) -> bool {
        self.wrong_passwords.get(name).is_some_and(|(_, until)| until.is_some_and(|until| until > self.now))
    }

    /// Counts a wrong password, and says whether that was one too many.
    fn note_wrong(&mut self, name: &'static str) -> bool {
        let now = self.now;
        let (count, until) = self.wrong_passwords.entry(name).or_default();
        if until.is_some_and(|until| until <= now) {
            (*count, *until) = (0, None);
        }
        *count += 1;
        if *count >= ATTEMPTS {
            *until = Some(now + LOCKED_SECONDS);
        }
        until.is_some()
    }

    fn end_tokens(&mut self, id: Id, name: &str) {
        self.tokens.retain(|_, owner| *owner != id);
        let logins = self.connections.values_mut().filter_map(|connection| connection.login.as_mut());
        logins.filter(|login| login.name == name).for_each(|login| login.token = None);
    }
}

impl Said {
    /// Whether it comes to somebody, now or at their next login.
    fn reaches(&self, id: Id) -> bool {
        let is_for = match &self.to {
            To::All => true,
            To::One(to, _) | To::Whisper(to, _) => *to == id,
            To::Room { heard, .. } => heard.contains(&id),
        };
        is_for && !self.hidden_from.contains(&id)
    }

    pub(super) fn may_be_read_by(&self, id: Id) -> bool {
        match &self.to {
            To::Room { belonged, .. } => belonged.contains(&id) && !self.hidden_from.contains(&id),
            _ => self.reaches(id),
        }
    }

    /// Whether it was said in this room.
    pub(super) fn is_of(&self, number: usize) -> bool {
        matches!(self.to, To::Room { room, .. } if room == number)
    }

    fn shown(&self) -> String {
        let ((from, is_all), text) = (self.by(false), &self.text);
        match &self.to {
            _ if is_all => from,
            To::All => format!("{from} to all: {text}"),
            To::One(..) => format!("{from}: {text}"),
            To::Whisper(..) => format!("(whisper) {from} : {text}"),
            To::Room { name, .. } => format!("[{name}] {from}: {text}"),
        }
    }

    /// As another device of the one who said it shows it.
    fn shown_to_its_own(&self) -> String {
        let ((you, is_all), text) = (self.by(true), &self.text);
        match &self.to {
            _ if is_all => you,
            To::All => format!("{you} to all: {text}"),
            To::One(_, name) => format!("{you} to {name}: {text}"),
            To::Whisper(_, name) => format!("(whisper) {you} to {name} : {text}"),
            To::Room { name, .. } => format!("[{name}] {you}: {text}"),
        }
    }
}

/// What was said before, as it is shown: the newest of it, and whether there is more.
pub(super) fn past(all: &[&Said], most: usize) -> Vec<Expect> {
    let shown = &all[all.len().saturating_sub(most)..];
    let mut lines: Vec<Expect> = shown
        .iter()
        .map(|said| {
            let to = match &said.to {
                To::All => "all".to_owned(),
                To::One(_, name) => (*name).to_owned(),
                To::Whisper(_, name) => format!("{name} (whisper)"),
                To::Room { name, .. } => format!("[{name}]"),
            };
            Expect::Line(format!("[{}] {} to {to}: {}{}", When(said.at), said.by(false).0, said.text, said.reactions_shown()))
        })
        .collect();
    lines.push(match shown.len() {
        0 => Expect::Line("* nothing was said".to_owned()),
        count if count < all.len() => Expect::Starts(format!("{}, and there is more before them", counted(count, "message"))),
        count => Expect::Line(counted(count, "message")),
    });
    lines
}

fn guest_welcome(name: &str) -> String {
    format!("* welcome, {name}: you are a guest; `help` lists what you can do")
}

/// A moment of virtual time, as people read it.
pub(super) struct When(pub(super) i64);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Millis(EPOCH + self.0 * 1000).fmt(f)
    }
}

pub(super) fn listed(names: impl Iterator<Item = &'static str>, none: &str) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { none.to_owned() } else { names.join(", ") }
}

pub(super) fn counted(count: usize, what: &str) -> String {
    format!("* {count} {what}{}", if count == 1 { "" } else { "s" })
}
