//! The reference model: what everybody must see of a session, said as plainly as it can be.
//!
//! It shares nothing with the hall: no code, no types, no order of doing things. It keeps whole lists and looks through
//! all of them; it knows no numbers, no cursors in a store, no pages, no shards. Where it and the server differ, one of
//! the two is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chinwag_wire::Millis;

use super::session::{CONNECTIONS, Op};
use crate::play::EPOCH;

/// Wrong passwords in a row, and for how many seconds a name is then locked out: the server's defaults.
const ATTEMPTS: u32 = 3;
const LOCKED_SECONDS: i64 = 60;
/// How many seconds a connection may be without a login: the server's default.
const LOGIN_DEADLINE: i64 = 120;
/// How many messages `history` shows.
const HISTORY_SHOWN: usize = 20;

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

/// One thing that a connection must receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Exactly this.
    Line(String),
    /// A text that begins like this.
    Starts(&'static str),
    /// A refusal with this code, also as the last word.
    Refused(&'static str),
    /// The end of the connection.
    Closed,
}

/// What everybody sees of one operation, by connection; whoever is not in it sees nothing.
pub type Seen = BTreeMap<&'static str, Vec<Expect>>;

type Id = u32;

struct Account {
    id: Id,
    password: String,
    blocks: BTreeSet<Id>,
    /// How much of the log had been said when it was made.
    joined: usize,
    /// How much of the log it has read.
    read: usize,
    last_seen: Option<i64>,
    /// Was here since the server was last started.
    here_this_run: bool,
    keys: BTreeSet<String>,
}

struct Connection {
    text: bool,
    opened: i64,
    /// Who is logged in, since when, and how many had logged in before.
    login: Option<Login>,
    since: Option<usize>,
}

#[derive(Clone)]
struct Login {
    name: &'static str,
    at: i64,
    turn: u64,
    token: Option<usize>,
    /// The turn of the login by password that all this goes back to.
    device: u64,
}

struct Said {
    at: i64,
    from: Id,
    device: u64,
    from_name: &'static str,
    to: Option<(Id, &'static str)>,
    text: String,
    hidden_from: BTreeSet<Id>,
}

/// Why there is no answer to predict: the operation is not possible here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impossible;

/// See the module's words.
pub struct Reference {
    sessions: Sessions,
    now: i64,
    accounts: BTreeMap<&'static str, Account>,
    connections: BTreeMap<&'static str, Connection>,
    log: Vec<Said>,
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
    pub fn new(sessions: Sessions) -> Reference {
        Reference {
            sessions,
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
        let mut seen = Seen::new();
        match op {
            Op::Connect { at, text } => self.connect(at, *text)?,
            Op::Advance { seconds } => self.advance(*seconds, &mut seen),
            Op::Crash => self.crash(),
            Op::Stop => {
                for at in self.connections.keys() {
                    seen.insert(at, vec![Expect::Refused("shutdown")]);
                }
                let now = self.now;
                for login in self.connections.values().filter_map(|connection| connection.login.as_ref()) {
                    if let Some(account) = self.accounts.get_mut(login.name) {
                        account.last_seen = Some(now);
                    }
                }
                self.crash();
            }
            Op::Drop { at } => {
                if !self.is_open(at) {
                    return Err(Impossible);
                }
                if let Some(login) = self.close(at) {
                    self.gone(&login, &mut seen);
                }
            }
            _ => {
                let at = op.at().ok_or(Impossible)?;
                if !self.is_open(at) {
                    return Err(Impossible);
                }
                self.said(at, op, &mut seen)?;
            }
        }
        Ok(seen)
    }

    fn connect(&mut self, at: &'static str, text: bool) -> Result<(), Impossible> {
        if self.is_open(at) {
            return Err(Impossible);
        }
        self.connections.insert(at, Connection { text, opened: self.now, login: None, since: None });
        Ok(())
    }

    fn crash(&mut self) {
        for at in CONNECTIONS {
            self.close(at);
        }
        self.wrong_passwords.clear();
        self.accounts.values_mut().for_each(|account| account.here_this_run = false);
    }

    fn advance(&mut self, seconds: i64, seen: &mut Seen) {
        self.now += seconds;
        let now = self.now;
        let overdue = |connection: &Connection| connection.login.is_none() && connection.opened + LOGIN_DEADLINE <= now;
        for at in CONNECTIONS.iter().filter(|at| self.connections.get(**at).is_some_and(overdue)) {
            seen.insert(at, vec![Expect::Refused("registration-timeout"), Expect::Closed]);
        }
        self.connections.retain(|_, connection| !overdue(connection));
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
        let answer = match (op, me) {
            (Op::Nonsense { .. }, _) => refused("unknown-command"),
            (Op::Logout { .. }, _) => {
                self.log_out(at, seen);
                return Ok(());
            }
            (Op::Login { name, .. }, Some(me)) if *name == me => line(&format!("* welcome back, {me}")),
            (Op::Register { .. } | Op::Login { .. } | Op::Resume { .. } | Op::Since { .. }, Some(_)) => refused("already-logged-in"),
            (Op::Register { name, .. }, None) => match self.accounts.contains_key(name) {
                true => refused("name-taken"),
                false => {
                    self.register(at, name, seen);
                    return Ok(());
                }
            },
            (Op::Login { name, right, .. }, None) => {
                self.log_in(at, name, *right, seen);
                return Ok(());
            }
            (Op::Resume { token, after, .. }, None) => return self.resume(at, *token, *after, seen),
            (Op::Since { mark, .. }, None) => {
                let after = *self.marks.get(mark).ok_or(Impossible)?;
                self.connections.get_mut(at).ok_or(Impossible)?.since = Some(after);
                line("ok")
            }
            (_, None) => refused("not-logged-in"),
            (Op::Say { to, text, key, mark, .. }, Some(me)) => return self.say(at, me, *to, text, key.as_deref(), *mark, seen),
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
                vec![Expect::Starts("* token ")]
            }
            (Op::Passwd { new, .. }, Some(me)) if !self.is_locked(me) => {
                let account = self.accounts.get_mut(me).ok_or(Impossible)?;
                account.password.clone_from(new);
                let id = account.id;
                self.end_tokens(id, me);
                line("ok")
            }
            (Op::Unregister { .. }, Some(me)) if !self.is_locked(me) => {
                self.unregister(at, me, seen);
                return Ok(());
            }
            (Op::Passwd { .. } | Op::Unregister { .. }, Some(_)) => refused("locked-out"),
            (Op::Blocked { .. }, Some(me)) => {
                let account = self.accounts.get(me).ok_or(Impossible)?;
                let names = self.accounts.iter().filter(|(_, other)| account.blocks.contains(&other.id)).map(|(name, _)| *name);
                line(&format!("blocked: {}", listed(names, "nobody")))
            }
            (Op::Whoelse { .. }, Some(me)) => {
                let names = self.accounts.keys().copied().filter(|name| *name != me && self.is_here(name) && self.sees(me, name));
                line(&format!("online: {}", listed(names, "nobody else")))
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
                line(&format!("* you are {me}, logged in since {}", When(login.at)))
            }
            (Op::History { with, .. }, Some(me)) => self.history(me, *with),
            (Op::Connect { .. } | Op::Drop { .. } | Op::Advance { .. } | Op::Crash | Op::Stop, _) => return Err(Impossible),
        };
        seen.insert(at, answer);
        Ok(())
    }

    fn register(&mut self, at: &'static str, name: &'static str, seen: &mut Seen) {
        let all = self.log.len();
        let account = Account {
            id: self.next_id,
            password: format!("pw-{name}"),
            blocks: BTreeSet::new(),
            joined: all,
            read: all,
            last_seen: None,
            here_this_run: false,
            keys: BTreeSet::new(),
        };
        self.next_id += 1;
        self.accounts.insert(name, account);
        let welcome = format!("* welcome, {name}: you are registered and logged in; `help` lists what you can do");
        self.enter(at, name, None, None, welcome, seen);
    }

    fn log_in(&mut self, at: &'static str, name: &'static str, right: bool, seen: &mut Seen) {
        if !self.accounts.contains_key(name) {
            seen.insert(at, vec![Expect::Refused("no-such-user")]);
            return;
        }
        let locked = self.is_locked(name) || (!right && self.note_wrong(name));
        if locked {
            self.connections.remove(at);
            seen.insert(at, vec![Expect::Refused("locked-out"), Expect::Closed]);
        } else if !right {
            seen.insert(at, vec![Expect::Refused("wrong-password")]);
        } else if !self.make_room(name, &[], seen) {
            seen.insert(at, vec![Expect::Refused("session-exists")]);
        } else {
            self.wrong_passwords.remove(name);
            let after = self.connections.get(at).and_then(|connection| connection.since);
            self.enter(at, name, after, None, format!("* welcome back, {name}"), seen);
        }
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
            self.evict(at, seen);
        }
        if !self.make_room(name, &replaced, seen) {
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
    fn make_room(&mut self, name: &'static str, replaced: &[&'static str], seen: &mut Seen) -> bool {
        let mut sessions = self.sessions_of(name);
        sessions.retain(|(at, _)| !replaced.contains(at));
        match self.sessions {
            Sessions::One => sessions.is_empty(),
            Sessions::Two => sessions.len() < 2,
            Sessions::NewerWins => {
                for (at, _) in sessions {
                    self.evict(at, seen);
                }
                true
            }
        }
    }

    fn evict(&mut self, at: &'static str, seen: &mut Seen) {
        seen.insert(at, vec![Expect::Refused("session-replaced"), Expect::Closed]);
        if let Some(login) = self.close(at) {
            self.gone(&login, seen);
        }
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
        let Some(account) = self.accounts.get_mut(name) else { return };
        account.last_seen = Some(now);
        account.here_this_run = true;
        let from = after.unwrap_or(account.read).max(account.joined);
        let id = account.id;
        let device = token.and_then(|token| self.token_devices.get(&token).copied()).unwrap_or(turn);
        // Only a device that says which it is, and up to where it has heard everything, is told what was said on others.
        let tells_own = token.is_some() && after.is_some();
        let mut lines = vec![Expect::Line(welcome)];
        for said in self.log.iter().skip(from) {
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
            connection.since = None;
            let text = connection.text;
            self.has_read(name, text);
        }
    }

    /// Somebody's session has ended, and their connection is gone already.
    fn gone(&mut self, login: &Login, seen: &mut Seen) {
        if self.is_here(login.name) {
            return;
        }
        if let Some(account) = self.accounts.get_mut(login.name) {
            account.last_seen = Some(self.now);
        }
        self.tell_others(login.name, &format!("* {} logged out", login.name), seen);
    }

    fn log_out(&mut self, at: &'static str, seen: &mut Seen) {
        if let Some(login) = self.close(at) {
            if let Some(token) = login.token {
                self.tokens.remove(&token);
            }
            self.gone(&login, seen);
        }
        seen.insert(at, vec![Expect::Line("* goodbye".to_owned()), Expect::Closed]);
    }

    fn unregister(&mut self, at: &'static str, me: &'static str, seen: &mut Seen) {
        self.tell_others(me, &format!("* {me} logged out"), seen);
        for (session, _) in self.sessions_of(me) {
            self.connections.remove(session);
            let last = if session == at { Expect::Line("* goodbye".to_owned()) } else { Expect::Refused("account-deleted") };
            seen.insert(session, vec![last, Expect::Closed]);
        }
        if let Some(account) = self.accounts.remove(me) {
            self.tokens.retain(|_, owner| *owner != account.id);
            for other in self.accounts.values_mut() {
                other.blocks.remove(&account.id);
            }
        }
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
        if to.is_some_and(|to| !self.accounts.contains_key(to)) {
            answer(Expect::Refused("no-such-user"));
            return Ok(());
        }
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
        let hidden_from = self.accounts.iter().filter(|(name, _)| !self.sees(me, name)).map(|(_, other)| other.id).collect();
        let blocked_by_somebody = self.accounts.values().any(|other| other.blocks.contains(&id));
        let to = to.map(|to| (self.accounts[to].id, to));
        answer(Expect::Line(
            match to {
                Some((_, to)) if !self.is_here(to) => "sent; they are away and get it at their next login",
                None if blocked_by_somebody => "sent; some people could not be reached",
                _ => "sent",
            }
            .to_owned(),
        ));
        let device = self.connections.get(at).and_then(|connection| connection.login.as_ref()).ok_or(Impossible)?.device;
        let said = Said { at: self.now, from: id, device, from_name: me, to, text: text.to_owned(), hidden_from };
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
        if let (Some(key), Some(my)) = (key, self.accounts.get_mut(me)) {
            my.keys.insert(key.to_owned());
        }
        Ok(())
    }

    fn block(&mut self, me: &'static str, whom: &'static str, blocks: bool) -> Vec<Expect> {
        let Some(other) = self.accounts.get(whom).map(|account| account.id) else { return vec![Expect::Refused("no-such-user")] };
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
                (true, true, _) => format!("{name}: online"),
                (true, false, Some(seen)) => format!("{name}: offline, last seen {}", When(seen)),
                _ => format!("{name}: offline"),
            })
            .collect();
        lines.push(counted(lines.len(), "user"));
        if self.is_text(at) {
            return lines.into_iter().map(Expect::Line).collect();
        }
        vec![Expect::Line(lines.join("\n"))]
    }

    fn history(&self, me: &str, with: Option<&'static str>) -> Vec<Expect> {
        let Some(my) = self.accounts.get(me) else { return Vec::new() };
        let with = match with.map(|with| self.accounts.get(with)) {
            None => None,
            Some(None) => return vec![Expect::Refused("no-such-user")],
            Some(Some(other)) => Some(other.id),
        };
        let is_mine = |said: &&Said| said.from == my.id || said.reaches(my.id);
        let is_between = |said: &&Said| match (with, said.to) {
            (None, _) => true,
            (Some(with), Some((to, _))) => (said.from == my.id && to == with) || (said.from == with && to == my.id),
            (Some(_), None) => false,
        };
        let all: Vec<&Said> = self.log.iter().skip(my.joined).filter(is_mine).filter(is_between).collect();
        let shown = &all[all.len().saturating_sub(HISTORY_SHOWN)..];
        let mut lines: Vec<Expect> = shown
            .iter()
            .map(|said| {
                let to = said.to.map_or("all", |(_, name)| name);
                Expect::Line(format!("[{}] {} to {to}: {}", When(said.at), said.from_name, said.text))
            })
            .collect();
        lines.push(Expect::Line(match shown.len() {
            0 => "* nothing was said".to_owned(),
            count if count < all.len() => format!("{}, and there is more before them", counted(count, "message")),
            count => counted(count, "message"),
        }));
        lines
    }

    fn is_here(&self, name: &str) -> bool {
        !self.sessions_of(name).is_empty()
    }

    /// Where somebody is logged in, the oldest first.
    fn sessions_of(&self, name: &str) -> Vec<(&'static str, Login)> {
        let all = self.connections.iter().filter_map(|(at, connection)| Some((*at, connection.login.clone()?)));
        let mut sessions: Vec<(&'static str, Login)> = all.filter(|(_, login)| login.name == name).collect();
        sessions.sort_by_key(|(_, login)| login.turn);
        sessions
    }

    /// Whether neither of the two blocks the other.
    fn sees(&self, one: &str, other: &str) -> bool {
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
    fn reaches(&self, id: Id) -> bool {
        self.to.is_none_or(|(to, _)| to == id) && !self.hidden_from.contains(&id)
    }

    fn shown(&self) -> String {
        let to = if self.to.is_none() { " to all" } else { "" };
        format!("{}{to}: {}", self.from_name, self.text)
    }

    /// As another device of the one who said it shows it.
    fn shown_to_its_own(&self) -> String {
        format!("you to {}: {}", self.to.map_or("all", |(_, name)| name), self.text)
    }
}

/// A moment of virtual time, as people read it.
struct When(i64);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Millis(EPOCH + self.0 * 1000).fmt(f)
    }
}

fn listed(names: impl Iterator<Item = &'static str>, none: &str) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { none.to_owned() } else { names.join(", ") }
}

fn counted(count: usize, what: &str) -> String {
    format!("* {count} {what}{}", if count == 1 { "" } else { "s" })
}
