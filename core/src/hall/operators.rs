//! Operators: who is one, what only they may do, and the log of what they did.

use chinwag_wire::{Fact, PrivateEnd};

use super::*;
use crate::network;
use crate::spoken::Spoken;

/// What the console is called where a name is expected. Nobody can register it: it is reserved.
pub const CONSOLE_NAME: &str = "console";

/// How many bans there can be: more than any list of offenders, a few megabytes.
pub const BANS_MAX: usize = 50_000;

/// How many invites there can be: each was made by an operator's hand, or by a script of theirs that ran away.
pub const INVITES_MAX: usize = 10_000;

/// Who is kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Banned {
    /// This user, from wherever.
    User(UserId),
    /// Whoever comes from this network: see [`crate::network`].
    Network(IpAddr),
}

/// How somebody is kept out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Since when.
    pub at: Millis,
    /// Until when, if it ends by itself.
    pub until: Option<Millis>,
    /// By whom.
    pub by: String,
    /// Why; may be empty.
    pub reason: String,
}

impl Ban {
    /// Whether it keeps anybody out at `now`.
    #[must_use]
    pub fn holds(&self, now: Millis) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    /// What those hear whom it keeps out.
    fn refusal(&self) -> Refusal {
        let until = self.until.map_or(String::new(), |until| format!(" until {until}"));
        Refusal::new(code::BANNED, format!("you are banned here{until}{}", because(&self.reason))).hint("ask an operator")
    }
}

/// An invite code, `17-9c81d0e7b3kx24mz`: its number, which lists and logs may show, and the hash of its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteCode {
    /// What stands in front of the `-`: the place of the invite in the order.
    pub number: u64,
    /// Of what stands behind it.
    pub hash: TokenHash,
}

/// What there is to know of an invite, besides its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The hash of its secret.
    pub hash: TokenHash,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: Millis,
    /// Until when it is good.
    pub expires: Millis,
    /// For how many registrations.
    pub uses: u32,
    /// How many there have been.
    pub used: u32,
}

impl Invite {
    /// Whether somebody can register with it at `now`.
    #[must_use]
    pub fn is_good(&self, now: Millis) -> bool {
        self.expires > now && self.used < self.uses
    }
}

/// On whose authority an operator's deed is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authority {
    /// Of whoever runs the server.
    Console,
    /// Of this operator.
    Operator(UserId),
}

impl Hall {
    /// Whether this user is an operator: was made one, or is one by the configuration. Guests never are.
    #[must_use]
    pub fn is_operator(&self, id: UserId) -> bool {
        !id.is_guest() && self.users.get(&id).is_some_and(|user| user.operator || self.policy.operators.contains(&name::folded(&user.name)))
    }

    /// Whether whoever is on `origin` may do what only operators may.
    #[must_use]
    pub fn has_authority(&self, origin: SessionId) -> bool {
        self.authority(origin).is_ok()
    }

    pub(super) fn authority(&self, origin: SessionId) -> Result<Authority, Refusal> {
        if origin == SessionId::CONSOLE {
            return Ok(Authority::Console);
        }
        let id = self.speaker(origin)?;
        if self.is_operator(id) { Ok(Authority::Operator(id)) } else { Err(not_permitted()) }
    }

    pub(super) fn set_operator(&mut self, origin: SessionId, whom: UserId, operator: bool) -> Result<Applied, Refusal> {
        self.authority(origin)?;
        let was = self.is_operator(whom);
        let user = self.users.get_mut(&whom).ok_or_else(gone)?;
        let name = user.name.to_string();
        if whom.is_guest() {
            return Err(Refusal::new(code::GUESTS, format!("`{name}` is a guest")).hint("operators have an account"));
        }
        if operator && was {
            return Err(Refusal::new(code::ALREADY_OPERATOR, format!("`{name}` is an operator already")).hint("`operators` lists them"));
        }
        if !operator && !was {
            return Err(Refusal::new(code::NOT_OPERATOR, format!("`{name}` is no operator")).hint("`operators` lists them"));
        }
        if !operator && self.policy.operators.contains(&name::folded(&name)) {
            return Err(Refusal::new(code::NOT_PERMITTED, format!("`{name}` is an operator by the server's configuration"))
                .hint("take the name out of `operators` there"));
        }
        user.operator = operator;
        let told = if operator { "* you are an operator now; `help` lists what you can do" } else { "* you are no operator any more" };
        let told = Fact::new("operator", told).with("operator", operator);
        let told = Delivery::See { spoken: Arc::new(Spoken::fleeting(Event::Fact(told))), reach: Reach::Sessions(user.sessions.clone()) };
        Ok(Applied { durable: true, rows: vec![Row::Operator { user: whom, operator }], deliveries: vec![told], ..Applied::default() })
    }

    /// What a ban that holds at `now` says to this user, or to whoever comes from this address.
    #[must_use]
    pub fn banned(&self, now: Millis, user: Option<UserId>, address: IpAddr) -> Option<Refusal> {
        let of_user = user.and_then(|user| self.bans.get(&Banned::User(user))).filter(|ban| ban.holds(now));
        let of_network = || self.bans.get(&Banned::Network(network::of(address))).filter(|ban| ban.holds(now));
        of_user.or_else(of_network).map(Ban::refusal)
    }

    pub(super) fn check_not_banned(&self, now: Millis, user: Option<UserId>, address: IpAddr) -> Result<(), Refusal> {
        self.banned(now, user, address).map_or(Ok(()), Err)
    }

    /// The bans that hold at `now`.
    pub fn bans(&self, now: Millis) -> impl Iterator<Item = (Banned, &Ban)> {
        self.bans.iter().filter(move |(_, ban)| ban.holds(now)).map(|(whom, ban)| (*whom, ban))
    }

    /// The invites that somebody can register with at `now`, oldest first.
    pub fn invites(&self, now: Millis) -> impl Iterator<Item = (u64, &Invite)> {
        self.invites.iter().filter(move |(_, invite)| invite.is_good(now)).map(|(number, invite)| (*number, invite))
    }

    /// Whether somebody can register with this code at `now`.
    #[must_use]
    pub fn is_invited(&self, code: InviteCode, now: Millis) -> bool {
        self.invites.get(&code.number).is_some_and(|invite| invite.hash == code.hash && invite.is_good(now))
    }

    /// From how many addresses this name is locked out at `now`.
    #[must_use]
    pub fn lock_outs(&self, name: &str, now: Millis) -> usize {
        let name = name::folded(name);
        let locked = |failures: &Failures| failures.locked_until.is_some_and(|until| until > now);
        self.failures.iter().filter(|((of, _), failures)| **of == *name && locked(failures)).count()
    }

    /// From here on another policy holds. What it forbids and is so already stays as it is: who has more sessions than one
    /// may have keeps them.
    pub(super) fn configure(&mut self, origin: SessionId, policy: Policy) -> Result<Applied, Refusal> {
        self.authority(origin)?;
        self.policy = policy;
        let mut applied = Applied::default();
        self.private_at_policy(&mut applied);
        Ok(applied)
    }

    /// The sessions that a ban of `whom` ends.
    #[must_use]
    pub fn sessions_of(&self, whom: Banned) -> Vec<SessionId> {
        match whom {
            Banned::User(user) => self.users.get(&user).map(|user| user.sessions.clone()).unwrap_or_default(),
            Banned::Network(from) => {
                let from_there = |(_, session): &(&SessionId, &Session)| network::of(session.address) == from;
                self.sessions.iter().filter(from_there).map(|(id, _)| *id).collect()
            }
        }
    }

    pub(super) fn disconnect(&mut self, origin: SessionId, whom: UserId, reason: &str) -> Result<Applied, Refusal> {
        if self.authority(origin)? == Authority::Operator(whom) {
            return Err(Refusal::new(code::YOURSELF, "you cannot disconnect yourself").hint("`logout` ends this session"));
        }
        let user = self.users.get(&whom).ok_or_else(gone)?;
        if !user.is_online() {
            return Err(Refusal::new(code::NOT_ONLINE, format!("`{}` is not online", user.name)).hint("`whoelse` lists who is"));
        }
        let because = Refusal::new(code::DISCONNECTED, format!("an operator ended this connection{}", because(reason)))
            .hint("log in again if you may");
        let put_out = put_out(user, &because);
        // Who is put out is not waited for, as one is whose link was lost.
        let mut applied = Applied::default();
        self.end_all_private(whom, PrivateEnd::LoggedOut, &mut applied);
        applied.deliveries.extend(put_out);
        Ok(applied)
    }

    pub(super) fn ban(
        &mut self,
        now: Millis,
        origin: SessionId,
        whom: Banned,
        until: Option<Millis>,
        reason: String,
    ) -> Result<Applied, Refusal> {
        let authority = self.authority(origin)?;
        self.check_may_ban(origin, authority, whom)?;
        let over: Vec<Banned> = self.bans.iter().filter(|(_, ban)| !ban.holds(now)).map(|(whom, _)| *whom).collect();
        let mut rows: Vec<Row> = over.iter().map(|whom| Row::Unban { whom: *whom }).collect();
        for whom in over {
            self.bans.remove(&whom);
        }
        if self.bans.len() >= BANS_MAX && !self.bans.contains_key(&whom) {
            return Err(
                Refusal::new(code::TOO_MANY_BANS, format!("there are {BANS_MAX} bans, which is the most there can be")).hint("unban some")
            );
        }
        let ban = Ban { at: now, until, by: self.name_of(origin), reason };
        let because = ban.refusal();
        rows.push(Row::Ban { whom, ban: ban.clone() });
        self.bans.insert(whom, ban);
        let mut applied = Applied { durable: true, rows, ..Applied::default() };
        match whom {
            Banned::User(id) => {
                self.end_all_private(id, PrivateEnd::LoggedOut, &mut applied);
                applied.deliveries.extend(self.users.get(&id).map(|user| put_out(user, &because)).unwrap_or_default());
            }
            Banned::Network(network) => {
                let sessions = self.sessions_of(whom);
                let users: BTreeSet<UserId> = sessions.iter().filter_map(|session| Some(self.sessions.get(session)?.user)).collect();
                for user in users {
                    self.end_all_private(user, PrivateEnd::LoggedOut, &mut applied);
                }
                applied.deliveries.push(Delivery::Expel { network, because });
            }
        }
        Ok(applied)
    }

    /// Nobody bans themselves by accident, and operators settle their differences with whoever runs the server.
    fn check_may_ban(&self, origin: SessionId, authority: Authority, whom: Banned) -> Result<(), Refusal> {
        if let Banned::User(user) = whom {
            let known = self.users.get(&user).ok_or_else(gone)?;
            if authority == Authority::Operator(user) {
                return Err(Refusal::new(code::YOURSELF, "you cannot ban yourself").hint("name somebody else"));
            }
            if user.is_guest() {
                let from = known.sessions.first().and_then(|session| self.sessions.get(session));
                let from = from.map_or(String::new(), |session| format!(": ban {}", network::shown(network::of(session.address))));
                return Err(Refusal::new(code::GUESTS, format!("`{}` is a guest, and a guest's name is anybody's", known.name))
                    .hint(format!("ban the address instead{from}")));
            }
        }
        let Authority::Operator(operator) = authority else { return Ok(()) };
        let hit = match whom {
            Banned::User(user) => self.is_operator(user).then_some(user),
            Banned::Network(network) => {
                let from_there = |session: &&Session| network::of(session.address) == network && self.is_operator(session.user);
                if self.sessions.get(&origin).as_ref().is_some_and(from_there) {
                    return Err(Refusal::new(code::YOURSELF, "you come from there yourself").hint("ban the user instead"));
                }
                self.sessions.values().find(from_there).map(|session| session.user)
            }
        };
        match hit.filter(|hit| *hit != operator).and_then(|hit| self.users.get(&hit)) {
            Some(hit) => Err(Refusal::new(code::NOT_PERMITTED, format!("this would keep out `{}`, who is an operator", hit.name))
                .hint("the server's console can")),
            None => Ok(()),
        }
    }

    pub(super) fn unban(&mut self, now: Millis, origin: SessionId, whom: Banned) -> Result<Applied, Refusal> {
        self.authority(origin)?;
        if self.bans.remove(&whom).is_none_or(|ban| !ban.holds(now)) {
            return Err(Refusal::new(code::NO_SUCH_BAN, format!("{} is not banned", self.shown(whom))).hint("`bans` lists who is"));
        }
        Ok(Applied { durable: true, rows: vec![Row::Unban { whom }], ..Applied::default() })
    }

    /// `` `bob` ``, `192.0.2.1`: for people.
    fn shown(&self, whom: Banned) -> String {
        match whom {
            Banned::User(user) => format!("`{}`", self.users.get(&user).map_or("?", |user| &user.name)),
            Banned::Network(network) => network::shown(network),
        }
    }

    pub(super) fn unlock(&mut self, origin: SessionId, name: &str) -> Result<Applied, Refusal> {
        self.authority(origin)?;
        let name = name::folded(name);
        self.failures.retain(|(of, _), _| **of != *name);
        Ok(Applied::default())
    }

    pub(super) fn announce(&mut self, now: Millis, origin: SessionId, text: String) -> Result<Applied, Refusal> {
        self.authority(origin)?;
        if text.len() > self.policy.text_bytes {
            let told = format!("the text is longer than {} bytes", self.policy.text_bytes);
            return Err(Refusal::new(code::TEXT_TOO_LONG, told).hint("say it in several"));
        }
        let told = Fact::new("announcement", format!("* announcement: {text}")).with("text", text).with("at", now.0);
        let spoken = Arc::new(Spoken::fleeting(Event::Fact(told)));
        let reach = Reach::EveryoneBut(Vec::new());
        Ok(Applied { deliveries: vec![Delivery::See { spoken, reach }], ..Applied::default() })
    }

    pub(super) fn make_invite(
        &mut self,
        seq: u64,
        now: Millis,
        origin: SessionId,
        hash: TokenHash,
        uses: u32,
        expires: Millis,
    ) -> Result<Applied, Refusal> {
        self.authority(origin)?;
        let over: Vec<u64> = self.invites.iter().filter(|(_, invite)| !invite.is_good(now)).map(|(number, _)| *number).collect();
        let mut rows = Vec::new();
        for number in over {
            self.invites.remove(&number);
            rows.push(Row::InviteGone { number });
        }
        if self.invites.len() >= INVITES_MAX {
            return Err(Refusal::new(
                code::TOO_MANY_INVITES,
                format!("there are {INVITES_MAX} invite codes, which is the most there can be"),
            )
            .hint("end some with `endcode`"));
        }
        let invite = Invite { hash, by: self.name_of(origin), at: now, expires, uses, used: 0 };
        rows.push(Row::Invite { number: seq, invite: invite.clone() });
        self.invites.insert(seq, invite);
        Ok(Applied { receipt: Receipt { seq, at: now, ..Receipt::default() }, durable: true, rows, ..Applied::default() })
    }

    pub(super) fn uninvite(&mut self, now: Millis, origin: SessionId, number: u64) -> Result<Applied, Refusal> {
        self.authority(origin)?;
        if self.invites.remove(&number).is_none_or(|invite| !invite.is_good(now)) {
            return Err(
                Refusal::new(code::NO_SUCH_INVITE, format!("there is no invite code {number}")).hint("`codes` lists those that are good")
            );
        }
        Ok(Applied { durable: true, rows: vec![Row::InviteGone { number }], ..Applied::default() })
    }

    /// Counts a registration against its invite; the audit log tells who came by which.
    pub(super) fn use_invite(&mut self, seq: u64, now: Millis, by: &str, code: InviteCode) -> Result<Vec<Row>, Refusal> {
        if !self.is_invited(code, now) {
            return Err(bad_invite());
        }
        if let Some(invite) = self.invites.get_mut(&code.number) {
            invite.used += 1;
        }
        let what = format!("registers with invite code {}", code.number);
        let deed = Row::Deed { deed: seq, at: now, by: by.to_owned(), what, outcome: Some("done".to_owned()) };
        Ok(vec![Row::InviteUsed { number: code.number }, deed])
    }

    /// The name of whoever is on `origin`, for lists and logs.
    fn name_of(&self, origin: SessionId) -> String {
        match self.sessions.get(&origin).and_then(|session| self.users.get(&session.user)) {
            Some(user) => user.name.to_string(),
            None => CONSOLE_NAME.to_owned(),
        }
    }

    /// The deed is noted before it is done: none is done without a trace, whenever the server ends.
    pub(super) fn note_deed(&self, seq: u64, now: Millis, origin: SessionId, what: String) -> Applied {
        let by = self.name_of(origin);
        let receipt = Receipt { seq, at: now, ..Receipt::default() };
        Applied { receipt, durable: true, rows: vec![Row::Deed { deed: seq, at: now, by, what, outcome: None }], ..Applied::default() }
    }
}

pub(super) fn note_outcome(deed: u64, outcome: String) -> Applied {
    Applied { gated: true, rows: vec![Row::DeedOutcome { deed, outcome }], ..Applied::default() }
}

/// `: spamming`, or nothing.
fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// Ends all sessions of `user`.
fn put_out(user: &User, because: &Refusal) -> Vec<Delivery> {
    user.sessions.iter().map(|session| Delivery::Detach { session: *session, last_word: Some(because.clone()) }).collect()
}

/// The refusal of an invite code that is not, or no longer, good.
#[must_use]
pub(crate) fn bad_invite() -> Refusal {
    Refusal::new(code::INVITE, "this invite code is not valid").hint("register NAME PASSWORD INVITE")
}

/// The refusal of what takes an account, or a connection, at the console.
#[must_use]
pub(crate) fn not_for_console() -> Refusal {
    Refusal::new(code::NOT_PERMITTED, "the console is nobody's account").hint("log in with a client for this")
}

/// The refusal of what only operators may do.
#[must_use]
pub(crate) fn not_permitted() -> Refusal {
    Refusal::new(code::NOT_PERMITTED, "only operators may do this").hint("`operators` lists whom to ask")
}
