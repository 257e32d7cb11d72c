//! The hall: who has an account, who is here, who hides from whom, and what becomes of every intent.
//!
//! A deterministic state machine. [`Hall::apply`] is the only thing that changes it; it does no I/O, reads no
//! clock and rolls no dice: the same intents in the same order with the same times give the same hall, the same
//! rows and the same deliveries. Policy that a race could decide lives here and nowhere else.

mod accounts;
mod crowd;
mod intent;
mod names;
mod operators;
mod private;
pub mod rooms;
mod sessions;
mod speech;
mod whereabouts;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chinwag_wire::{Addressee, Event, Millis, Refusal, code, name};

use crate::fault::Fault;
use crate::naming;

use crowd::{Crowd, Notice};
pub use intent::{Act, Amend, Applied, Delivery, Departure, Elsewhere, Intent, Reach, Receipt, Recipient, Row, SaidRow, ShowTo};
pub use names::{Holder, NameOf};
use operators::note_outcome;
pub use operators::{BANS_MAX, Ban, Banned, CONSOLE_NAME, INVITES_MAX, Invite, InviteCode};
pub(crate) use operators::{bad_invite, not_for_console, not_permitted};
pub use private::{AWAY_MAX, OFFER_LIFE, PAIRS_MAX, PrivateCount, TICKET_LIFE};
pub(crate) use private::{private_off, relay_off};
pub use rooms::{MemberRow, Room, RoomBan, RoomChange, RoomId, RoomRow};
pub(crate) use sessions::{bad_token, locked_out, session_replaced};
pub use whereabouts::{Kept, Whereabouts};

/// How many keys of each sender are remembered: more lines than a client may have unanswered at a time, for a few
/// kilobytes of each user who sends keys.
pub const KEYS_REMEMBERED: usize = 128;

/// How many pairs of name and address may be counted for lock-out. Above it the oldest go first: a memory bound
/// against a stranger who tries names from many addresses, a hundred times what an honest day brings.
pub const FAILURES_MAX: usize = 65_536;

/// Above so many people comings and goings are told in sums, if the operator does not say otherwise.
pub const NOTICES_MAX: usize = 100;

/// For how long somebody has done nothing before others are told, where the operator does not say: longer than it takes to
/// read or to write something.
pub const IDLE_AFTER: Duration = Duration::from_secs(300);

/// How exactly it is known when somebody last did something: enough for minutes, and whoever says a thousand lines a second
/// costs the hall one more intent a second.
const ACTIVE_STEP: Duration = Duration::from_secs(1);

/// Of how many people somebody hears that they came or went, however many are online: those with whom they have last
/// exchanged private messages. As many as one talks with in a day.
pub const LATELY_MAX: usize = 16;

/// An account, or a guest for as long as it is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(pub i64);

impl UserId {
    /// The audience that means everyone, in rows.
    pub const EVERYONE: UserId = UserId(0);
    /// The audience that means everyone who was online, in rows.
    pub const PRESENT: UserId = UserId(i64::MIN);

    /// Guests have negative numbers: they have no row in the table of accounts.
    #[must_use]
    pub fn is_guest(self) -> bool {
        self.0 < 0
    }
}

/// One connection. The low byte is the shard that owns it, so that a delivery finds its way without a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(u64);

impl SessionId {
    /// The server's console, and `chinwagd ctl`: no connection and no account, but an operator's authority.
    pub const CONSOLE: SessionId = SessionId(0);

    /// The `count`th connection of this run, counted from 1, on `shard`.
    #[must_use]
    pub fn new(count: u64, shard: u8) -> SessionId {
        SessionId(count << 8 | u64::from(shard))
    }

    /// The one with this [`SessionId::number`].
    #[must_use]
    pub fn numbered(number: u64) -> SessionId {
        SessionId(number)
    }

    /// The shard that owns the connection.
    #[must_use]
    pub fn shard(self) -> usize {
        usize::from(self.0.to_le_bytes()[0])
    }

    /// A number that no other connection of this run has: for rows and logs.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A device of a user: what goes on from a login by password through all logins with the tokens that were given out
/// there. The order's head at that login: no two of one user have the same, as far as anything was said on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceId(pub u64);

/// The hash that a session token is kept as.
pub type TokenHash = [u8; 32];

/// What the operator decides. Part of the machine: two halls with the same policy stay the same.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Wrong passwords in a row, for one name from one address, before the pair is locked out.
    pub attempts: u32,
    /// For how long it is locked out.
    pub block_duration: Duration,
    /// How many sessions a user may have at a time.
    pub sessions_per_user: usize,
    /// Whether what is said to all is kept for those who are away.
    pub broadcast_offline: bool,
    /// The longest text of a message, in bytes.
    pub text_bytes: usize,
    /// The names, folded, of those whom the configuration makes operators.
    pub operators: BTreeSet<String>,
    /// In how many rooms a user may be at a time.
    pub rooms_at_once: usize,
    /// Above so many people, online or in a room, comings and goings are told in sums.
    pub notices_max: usize,
    /// Whether there can be private chats.
    pub private: bool,
    /// How many private chats, and offers of them, a user may have at a time; and how many offers may wait for an answer.
    pub private_at_once: usize,
    /// Whether they can go through the server.
    pub relay: bool,
    /// How many of them at a time.
    pub relays: usize,
    /// For how long somebody has done nothing before others are told. Zero: they never are.
    pub idle_after: Duration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            attempts: 3,
            block_duration: Duration::from_secs(60),
            sessions_per_user: 1,
            broadcast_offline: true,
            text_bytes: 4096,
            operators: BTreeSet::new(),
            rooms_at_once: 1,
            notices_max: NOTICES_MAX,
            private: true,
            private_at_once: 16,
            relay: true,
            relays: 64,
            idle_after: IDLE_AFTER,
        }
    }
}

/// Somebody with an account, or a guest.
#[derive(Debug)]
pub struct User {
    /// The name as registered.
    pub name: Box<str>,
    /// The password as an argon2id PHC string; a guest has none.
    pub password: Option<Box<str>>,
    /// The connections this user is logged in on.
    pub sessions: Vec<SessionId>,
    /// Whom this user blocks.
    pub blocks: HashSet<UserId>,
    /// Who blocks this user.
    pub blocked_by: HashSet<UserId>,
    /// Was made an operator, apart from what the configuration says: see [`Hall::is_operator`].
    pub operator: bool,
    /// When the last session ended.
    pub last_seen: Option<Millis>,
    /// When a session last ended because it did not read what it was sent; not known from before the server started.
    pub cut_off: Option<Millis>,
    /// Logged in at some time since the server started.
    pub seen_this_run: bool,
    /// When they last did something themselves, on whichever device, to [`ACTIVE_STEP`]; a connection that comes back by itself
    /// is nothing that they do. Means something only since they have been here.
    pub active: Millis,
    /// The order's head at registration: what was said before was not for this user.
    pub joined: u64,
    /// When the account was made.
    pub created: Millis,
    /// Everything up to here has been seen.
    pub cursor: u64,
    /// Nothing after this number was addressed to this user alone (it may be too high, never too low).
    newest: u64,
    /// This user has said nothing after this number (the same).
    spoke: u64,
    /// The rooms this user is in; what they type goes to the last.
    pub rooms: Vec<RoomId>,
    /// The room that what they type went to has put them out, and they are in others: it goes nowhere until they turn to one
    /// of these. What was meant for some is not to be heard by others.
    pub adrift: bool,
    /// A guest who gave no name.
    pub nameless: bool,
    /// The rooms that this user belongs to.
    belongs: BTreeSet<RoomId>,
    /// With whom this user has last exchanged private messages since the server started, the last in front.
    lately: VecDeque<UserId>,
    /// The last keys this user sent, with what came of them.
    keys: VecDeque<(Box<str>, Receipt)>,
}

/// A connection that is logged in.
#[derive(Debug)]
pub struct Session {
    /// Who.
    pub user: UserId,
    /// Since when.
    pub since: Millis,
    /// The token that belongs to it: given out on it, or logged in with.
    pub token: Option<TokenHash>,
    /// Which device it is on.
    pub device: DeviceId,
    /// The order's head when it began: what has a greater number was said in its presence.
    pub entered: u64,
    /// Whether it tells what it has seen; else what is written to it counts as seen.
    pub acknowledges: bool,
    /// Where it comes from.
    pub address: IpAddr,
    /// Whether it can be told of private chats. Who has no such session counts as offline for them.
    pub private: bool,
}

#[derive(Debug)]
struct Token {
    user: UserId,
    device: DeviceId,
    expires: Millis,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Millis,
    locked_until: Option<Millis>,
}

/// Everything that decides what becomes of an intent. See the module's words.
#[derive(Debug)]
pub struct Hall {
    policy: Policy,
    users: HashMap<UserId, User>,
    names: names::Names,
    sessions: HashMap<SessionId, Session>,
    online: BTreeSet<UserId>,
    /// Comings and goings that nobody has been told of.
    crowd: Crowd,
    tokens: HashMap<TokenHash, Token>,
    failures: HashMap<(Box<str>, IpAddr), Failures>,
    rooms: rooms::Rooms,
    private: private::PrivateChats,
    /// Those that are over are in it until the next comes.
    bans: BTreeMap<Banned, Ban>,
    /// By number; those that are over are in it until the next comes.
    invites: BTreeMap<u64, Invite>,
    /// The number that the next account gets.
    next_account: i64,
    /// The number that the next guest gets.
    next_guest: i64,
    /// The greatest number given out.
    head: u64,
    /// The last thing said to everyone.
    newest_to_all: u64,
}

/// What the store knows of one account, when the hall is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// Its number.
    pub user: UserId,
    /// The name as registered.
    pub name: String,
    /// The password as a PHC string.
    pub password: String,
    /// The order's head at registration.
    pub joined: u64,
    /// Everything up to here has been seen.
    pub cursor: u64,
    /// When it was last online.
    pub last_seen: Option<Millis>,
    /// Whether it was made an operator.
    pub operator: bool,
    /// When it was made.
    pub created: Millis,
}

/// Everything that the store knows and the hall needs.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The greatest number given out.
    pub head: u64,
    /// The greatest account number given out, deleted ones included.
    pub last_account: i64,
    /// All accounts that exist.
    pub accounts: Vec<AccountRow>,
    /// Who blocks whom.
    pub blocks: Vec<(UserId, UserId)>,
    /// Session tokens: hash, user, device, end.
    pub tokens: Vec<(TokenHash, UserId, DeviceId, Millis)>,
    /// Recent keys in the order they came: sender, key, receipt.
    pub keys: Vec<(UserId, String, Receipt)>,
    /// Rooms, and who belongs to them.
    pub rooms: rooms::LoadedRooms,
    /// Who is kept out.
    pub bans: Vec<(Banned, Ban)>,
    /// Invites, by number.
    pub invites: Vec<(u64, Invite)>,
}

impl Hall {
    /// A hall as the store remembers it, with nobody online.
    #[must_use]
    pub fn load(policy: Policy, loaded: Loaded) -> Hall {
        let mut hall = Hall {
            policy,
            users: HashMap::with_capacity(loaded.accounts.len()),
            names: names::Names::with_capacity(loaded.accounts.len()),
            sessions: HashMap::new(),
            online: BTreeSet::new(),
            crowd: Crowd::default(),
            tokens: HashMap::new(),
            failures: HashMap::new(),
            rooms: rooms::Rooms::default(),
            private: private::PrivateChats::default(),
            bans: loaded.bans.into_iter().collect(),
            invites: loaded.invites.into_iter().collect(),
            next_account: loaded.last_account + 1,
            next_guest: -1,
            head: loaded.head,
            newest_to_all: loaded.head,
        };
        for row in loaded.accounts {
            let user = User {
                cursor: row.cursor,
                joined: row.joined,
                created: row.created,
                last_seen: row.last_seen,
                operator: row.operator,
                // Not known without reading the log: assume the worst, and the first login looks.
                newest: loaded.head,
                spoke: loaded.head,
                ..User::new(&row.name, Some(row.password.into()))
            };
            hall.names.take(&row.name, Holder::User(row.user));
            hall.users.insert(row.user, user);
        }
        for (by, whom) in loaded.blocks {
            hall.note_block(by, whom);
        }
        for (hash, user, device, expires) in loaded.tokens {
            hall.tokens.insert(hash, Token { user, device, expires });
        }
        for (sender, key, receipt) in loaded.keys {
            if let Some(user) = hall.users.get_mut(&sender) {
                user.remember_key(&key, receipt);
            }
        }
        hall.load_rooms(loaded.rooms);
        hall
    }

    /// Takes `intent` as the next in the order and says what becomes of it.
    ///
    /// `seq` is its place if it takes one (see [`Applied::durable`]); `now` is when it arrived.
    ///
    /// # Errors
    /// The refusal that its sender hears. A refused intent changes nothing but, where it was one, the count of
    /// wrong passwords.
    pub fn apply(&mut self, seq: u64, now: Millis, intent: Intent) -> Result<Applied, Refusal> {
        let applied = match intent.act {
            Act::Register { name, password, invite, address, acknowledges, private } => {
                let entry = sessions::Entry { token: None, after: None, address, acknowledges, private };
                self.register(seq, now, intent.origin, accounts::Wanted { name, password, invite }, entry)
            }
            Act::Login { user, password, token, address, after, acknowledges, private } => {
                self.login(now, intent.origin, user, password, sessions::Entry { token, after, address, acknowledges, private })
            }
            Act::LoginFailed { name, address } => self.login_failed(now, &name, address),
            Act::Guest { name, address, acknowledges, private } => {
                let entry = sessions::Entry { token: None, after: None, address, acknowledges, private };
                self.guest(now, intent.origin, name.as_deref(), entry)
            }
            Act::Leave { how, seen } => self.leave(now, intent.origin, how, seen),
            Act::Evict { session, because } => self.evict(session, because),
            Act::CaughtUp { through, live } => self.caught_up(intent.origin, through, live),
            Act::Acknowledge { seq } => self.acknowledge(intent.origin, seq),
            Act::SpeakAs { acknowledges } => self.speak_as(intent.origin, acknowledges),
            Act::BeActive => self.be_active(now, intent.origin),
            Act::Say { to, text, key } => self.say(seq, now, intent.origin, to, text, key),
            Act::Amend { amend, key } => self.amend(seq, now, intent.origin, amend, key),
            Act::EndRoom { room, reason } => self.end_room(seq, now, intent.origin, room, reason),
            Act::CreateRoom { name, nick } => self.create_room(seq, now, intent.origin, &name, nick.as_deref()),
            Act::JoinRoom { room, nick, password } => self.join_room(now, intent.origin, room, nick.as_deref(), password.as_deref()),
            Act::LeaveRoom { room } => self.leave_room(now, intent.origin, room),
            Act::Resign { room } => self.resign(seq, now, intent.origin, room),
            Act::ChangeRoom { room, change } => self.change_room(seq, now, intent.origin, room, change),
            Act::Show { to, fact } => self.show(intent.origin, to, fact),
            Act::AskPrivate { whom, offer } => self.ask_private(now, intent.origin, whom, offer),
            Act::AcceptPrivate { whom, offer } => self.accept_private(now, intent.origin, whom, offer),
            Act::DeclinePrivate { whom } => self.decline_private(now, intent.origin, whom),
            Act::StopPrivate { whom } => self.stop_private(now, intent.origin, whom),
            Act::RelayPrivate { whom, ticket } => self.relay_private(now, intent.origin, whom, ticket),
            Act::TakeTicket { ticket } => self.take_ticket(now, ticket),
            Act::RelayOver { relay } => Ok(self.relay_over(relay)),
            Act::PrivateDue => Ok(self.end_private_due(now)),
            Act::Block { whom } => self.block(intent.origin, whom),
            Act::Unblock { whom } => self.unblock(intent.origin, whom),
            Act::ChangePassword { password } => self.change_password(intent.origin, password),
            Act::DeleteAccount { forget } => self.delete_account(now, intent.origin, forget),
            Act::IssueToken { hash, expires } => self.issue_token(intent.origin, hash, expires),
            Act::SetOperator { user, operator } => self.set_operator(intent.origin, user, operator),
            Act::Configure { policy } => self.configure(intent.origin, *policy),
            Act::Disconnect { user, reason } => self.disconnect(intent.origin, user, &reason),
            Act::Ban { whom, until, reason } => self.ban(now, intent.origin, whom, until, reason),
            Act::Unban { whom } => self.unban(now, intent.origin, whom),
            Act::Unlock { name } => self.unlock(intent.origin, &name),
            Act::Announce { text } => self.announce(now, intent.origin, text),
            Act::Invite { hash, uses, expires } => self.make_invite(seq, now, intent.origin, hash, uses, expires),
            Act::Uninvite { number } => self.uninvite(now, intent.origin, number),
            Act::NoteDeed { what } => Ok(self.note_deed(seq, now, intent.origin, what)),
            Act::NoteOutcome { deed, outcome } => Ok(note_outcome(deed, outcome)),
        }?;
        if applied.durable {
            self.head = seq;
        }
        Ok(applied)
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The greatest number given out.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    /// The user with this number, if it exists.
    #[must_use]
    pub fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(&id)
    }

    /// Who has this name (however it is written, see [`name::folded`]), account or guest.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<(UserId, &User)> {
        let Holder::User(id) = self.names.holder(name)? else { return None };
        self.users.get(&id).filter(|user| !Fault::NamesByCase.is_on() || *user.name == *name).map(|user| (id, user))
    }

    /// Who or what has this name, however it is written.
    #[must_use]
    pub fn holder(&self, name: &str) -> Option<Holder> {
        self.names.holder(name)
    }

    /// Whether `wanted` is fit for a name, free, and looks like no other, and the form to keep and show it in. Whoever
    /// takes a name asks this.
    ///
    /// # Errors
    /// `bad-name`, `reserved-name`, `name-taken` or `look-alike`.
    pub fn check_free(&self, wanted: &str, of: NameOf) -> Result<String, Refusal> {
        let name = self.names.check_free(wanted, of)?;
        // A configured operator may not have registered yet.
        let operators = &self.policy.operators;
        let looks = naming::skeletons(&name);
        if !operators.contains(&name::folded(&name))
            && operators.iter().any(|operator| naming::skeletons(operator).iter().any(|look| looks.contains(look)))
        {
            return Err(names::like_a_reserved_one(&name));
        }
        Ok(name)
    }

    /// The session on this connection, if it is logged in.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// Everyone with an account, and every guest.
    pub fn users(&self) -> impl Iterator<Item = (UserId, &User)> {
        self.users.iter().map(|(id, user)| (*id, user))
    }

    /// Everyone who is online.
    pub fn online(&self) -> impl Iterator<Item = (UserId, &User)> {
        self.online.iter().filter_map(|id| Some((*id, self.users.get(id)?)))
    }

    /// For how long somebody who is online has done nothing, in whole minutes; `None` before that is worth telling. It is not for
    /// everyone to know: [`View::idle`](crate::view::View::idle) knows for whom.
    #[must_use]
    pub fn idle(&self, user: &User, now: Millis) -> Option<Duration> {
        let idle = now.since(user.active);
        let told = user.is_online() && !self.policy.idle_after.is_zero() && idle >= self.policy.idle_after;
        told.then(|| Duration::from_secs(idle.as_secs() - idle.as_secs() % 60)).filter(|idle| !idle.is_zero())
    }

    /// Whether it has to be noted ([`Act::BeActive`]) that the user on `origin` does something at `now`.
    #[must_use]
    pub fn is_news_of_activity(&self, origin: SessionId, now: Millis) -> bool {
        let user = self.sessions.get(&origin).and_then(|session| self.users.get(&session.user));
        user.is_some_and(|user| now.since(user.active) >= ACTIVE_STEP)
    }

    /// How many sessions there are.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Whether one of the two blocks the other: they do not see each other.
    #[must_use]
    pub fn hidden(&self, a: UserId, b: UserId) -> bool {
        self.users.get(&a).is_some_and(|user| user.blocks.contains(&b) || (user.blocked_by.contains(&b) && !Fault::BlockOneWay.is_on()))
    }

    /// For how long this name is locked out from this address, if it is.
    #[must_use]
    pub fn locked_for(&self, name: &str, address: IpAddr, now: Millis) -> Option<Duration> {
        let failures = self.failures.get(&(Box::from(name::folded(name).as_str()), address))?;
        failures.locked_until.filter(|until| *until > now).map(|until| until.since(now))
    }

    /// Whose token this is, if it is valid at `now`.
    #[must_use]
    pub fn token_owner(&self, hash: &TokenHash, now: Millis) -> Option<UserId> {
        self.tokens.get(hash).filter(|token| token.expires > now || Fault::TokenForEver.is_on()).map(|token| token.user)
    }

    /// Until when tokens are good that log this user in, the first to end first.
    #[must_use]
    pub fn tokens_of(&self, user: UserId, now: Millis) -> Vec<Millis> {
        let tokens = self.tokens.values().filter(|token| token.user == user && token.expires > now);
        let mut ends: Vec<Millis> = tokens.map(|token| token.expires).collect();
        ends.sort_unstable();
        ends
    }

    /// Who is logged in on `origin`.
    fn speaker(&self, origin: SessionId) -> Result<UserId, Refusal> {
        self.sessions.get(&origin).map(|session| session.user).ok_or_else(not_logged_in)
    }

    fn note_block(&mut self, by: UserId, whom: UserId) {
        if let Some(user) = self.users.get_mut(&by) {
            user.blocks.insert(whom);
        }
        if let Some(user) = self.users.get_mut(&whom) {
            user.blocked_by.insert(by);
        }
    }

    /// Everyone that `user` must not be seen by, and `user`.
    fn hidden_from(&self, user: UserId) -> Vec<UserId> {
        let Some(known) = self.users.get(&user) else { return vec![user] };
        let mut hidden: Vec<UserId> = known.blocks.union(&known.blocked_by).copied().collect();
        hidden.push(user);
        hidden.sort_unstable();
        hidden
    }
}

impl User {
    fn new(name: &str, password: Option<Box<str>>) -> User {
        User {
            name: name.into(),
            password,
            sessions: Vec::new(),
            blocks: HashSet::new(),
            blocked_by: HashSet::new(),
            operator: false,
            last_seen: None,
            cut_off: None,
            seen_this_run: false,
            active: Millis(0),
            joined: 0,
            created: Millis(0),
            cursor: 0,
            newest: 0,
            spoke: 0,
            rooms: Vec::new(),
            adrift: false,
            nameless: false,
            belongs: BTreeSet::new(),
            lately: VecDeque::new(),
            keys: VecDeque::new(),
        }
    }

    /// Whether there is a session.
    #[must_use]
    pub fn is_online(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Is in `room` no more: by their `own_wish`, or put out.
    fn is_in_no_more(&mut self, room: RoomId, own_wish: bool) {
        if self.rooms.last() == Some(&room) {
            self.adrift = !own_wish;
        }
        self.rooms.retain(|other| *other != room);
        self.adrift &= !self.rooms.is_empty();
    }

    /// Has exchanged a private message with `other`.
    fn talked_with(&mut self, other: UserId) {
        if self.lately.front() != Some(&other) {
            self.lately.retain(|known| *known != other);
            self.lately.truncate(LATELY_MAX - 1);
            self.lately.push_front(other);
        }
    }

    fn remember_key(&mut self, key: &str, receipt: Receipt) {
        if self.keys.len() == KEYS_REMEMBERED {
            self.keys.pop_front();
        }
        self.keys.push_back((key.into(), receipt));
    }
}

fn not_logged_in() -> Refusal {
    Refusal::new(code::NOT_LOGGED_IN, "you are not logged in").hint("login NAME PASSWORD, or register NAME PASSWORD if you are new")
}

/// `no-such-user` for somebody who was there when the line was read.
fn gone() -> Refusal {
    Refusal::new(code::NO_SUCH_USER, "this user does not exist any more")
}

#[cfg(test)]
mod tests;
