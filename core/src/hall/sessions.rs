//! Sessions: coming, going, catching up; wrong passwords.

use chinwag_wire::Arrival;

use super::*;
use crate::spoken::Spoken;

/// What there is to know of somebody who comes in.
pub(super) struct Entry {
    pub(super) token: Option<TokenHash>,
    pub(super) after: Option<u64>,
    pub(super) address: IpAddr,
    pub(super) acknowledges: bool,
    pub(super) private: bool,
}

impl Hall {
    pub(super) fn login(
        &mut self,
        now: Millis,
        origin: SessionId,
        id: UserId,
        password: Option<Box<str>>,
        entry: Entry,
    ) -> Result<Applied, Refusal> {
        self.check_not_logged_in(origin)?;
        self.check_not_banned(now, Some(id), entry.address)?;
        let user = self.users.get(&id).ok_or_else(gone)?;
        let name = user.name.clone();
        // The lock is against guessing; a token cannot be guessed, and whose link dropped while somebody guesses comes back.
        if password.is_some()
            && let Some(left) = self.locked_for(&name, entry.address, now)
        {
            return Err(locked_out(&name, left));
        }
        // Another connection may have changed the password or revoked the token while this one was checked.
        if password.is_some() && password != user.password {
            return Err(Refusal::new(code::WRONG_PASSWORD, "the password has just been changed").hint("try again"));
        }
        if let Some(hash) = &entry.token
            && self.token_owner(hash, now) != Some(id)
        {
            return Err(bad_token());
        }
        let replaced: Vec<SessionId> = user.sessions.iter().copied().filter(|session| self.is_replaced(*session, entry.token)).collect();
        if user.sessions.len() - replaced.len() >= self.policy.sessions_per_user + usize::from(Fault::SessionTooMany.is_on()) {
            return Err(Refusal::new(code::SESSION_EXISTS, format!("`{name}` is logged in already"))
                .hint("log out there first, or log in with another name"));
        }
        self.failures.remove(&(name::folded(&name).into(), entry.address));
        let mut applied = self.enter(now, origin, id, entry);
        // After the new one has come, so that the user has been here all the time, and told before it, so that nothing
        // goes to both.
        for session in replaced {
            self.private_moves(now, id, session, origin, &mut applied);
            self.sessions.remove(&session);
            if let Some(user) = self.users.get_mut(&id) {
                user.sessions.retain(|other| *other != session);
            }
            applied.deliveries.insert(0, Delivery::Detach { session, last_word: Some(session_replaced()) });
        }
        Ok(applied)
    }

    /// Whether a login with `token` takes the place of `session`, which nobody sees then: it is the same device, whose
    /// link dropped. Not where what was written counts as seen: only its connection knows that, and leaves first.
    #[must_use]
    pub fn is_replaced(&self, session: SessionId, token: Option<TokenHash>) -> bool {
        token.is_some() && self.sessions.get(&session).is_some_and(|session| session.token == token && session.acknowledges)
    }

    pub(super) fn guest(&mut self, now: Millis, origin: SessionId, wanted: Option<&str>, entry: Entry) -> Result<Applied, Refusal> {
        self.check_not_logged_in(origin)?;
        self.check_not_banned(now, None, entry.address)?;
        let nameless = wanted.is_none();
        let wanted = match wanted {
            Some(wanted) => self.check_free(wanted, NameOf::Guest)?,
            None => self.free_guest_name(),
        };
        let id = UserId(self.next_guest);
        self.next_guest -= 1;
        self.names.take(&wanted, Holder::User(id));
        self.users.insert(id, User { joined: self.head, cursor: self.head, nameless, ..User::new(&wanted, None) });
        Ok(self.enter(now, origin, id, entry))
    }

    pub(super) fn check_not_logged_in(&self, origin: SessionId) -> Result<(), Refusal> {
        if origin == SessionId::CONSOLE {
            return Err(not_for_console());
        }
        match self.sessions.get(&origin).and_then(|session| self.users.get(&session.user)) {
            Some(user) => Err(Refusal::new(code::ALREADY_LOGGED_IN, format!("you are logged in as `{}`", user.name)).hint("logout first")),
            None => Ok(()),
        }
    }

    /// `id` is here, on `origin`.
    pub(super) fn enter(&mut self, now: Millis, origin: SessionId, id: UserId, entry: Entry) -> Applied {
        let Entry { token, after, address, acknowledges, private } = entry;
        let device = token.and_then(|hash| self.tokens.get(&hash)).map_or_else(|| self.new_device(id), |token| token.device);
        let (head, newest_to_all) = (self.head, self.newest_to_all);
        let mut applied = Applied { receipt: Receipt { seq: head, at: now, ..Receipt::default() }, ..Applied::default() };
        let comes = self.users.get(&id).is_some_and(|user| user.sessions.is_empty() || Fault::PresencePerSession.is_on());
        let by_name = comes && self.announce_presence(now, id, Arrival::LoggedIn, &mut applied);
        let Some(user) = self.users.get_mut(&id) else { return applied };
        // A token says that a link has come back, not that somebody has: what they last did is what it was, if that is known.
        if token.is_none() || !user.seen_this_run || Fault::ResumeIsActivity.is_on() {
            user.active = now;
        }
        user.seen_this_run = true;
        user.last_seen = Some(now);
        if !id.is_guest() {
            // At least since now, if the server ends without seeing them leave.
            applied.rows.push(Row::LastSeen { user: id, at: now });
        }
        if let Some(named) =
            after.filter(|_| !acknowledges && !id.is_guest()).map(|named| named.min(head)).filter(|named| *named > user.cursor)
        {
            // Who reads text says with the number what it has: nothing else ever will.
            user.cursor = named;
            applied.rows.push(Row::Cursor { user: id, seen: named });
        }
        // Only who comes with a token is known to be the device that the number is of; what the user said somewhere else is
        // in the history for all others.
        let elsewhere = Elsewhere { than: device, after: after.filter(|_| token.is_some()).unwrap_or(head) };
        // What was said before the account was made is not for it, whatever number it names.
        let after = after.unwrap_or(user.cursor).saturating_sub(u64::from(Fault::MailTwice.is_on())).max(user.joined);
        let newest_in_rooms = user.rooms.iter().filter_map(|room| self.rooms.get(*room)).map(|room| room.newest).max();
        let is_owed = after < user.newest.max(newest_to_all).max(newest_in_rooms.unwrap_or(0)) || elsewhere.after < user.spoke;
        let owed_after = is_owed.then_some(after);
        applied.deliveries.push(Delivery::Attach { session: origin, user: id, owed_after, elsewhere });
        let first = user.sessions.is_empty();
        user.sessions.push(origin);
        self.online.insert(id);
        self.sessions.insert(origin, Session { user: id, since: now, token, device, entered: head, acknowledges, address, private });
        self.rooms_at_login(now, id, origin, first.then_some(by_name), &mut applied);
        self.private_at_login(now, id, origin, &mut applied);
        applied
    }

    pub(super) fn leave(&mut self, now: Millis, origin: SessionId, how: Departure, seen: Option<u64>) -> Result<Applied, Refusal> {
        let session = self.sessions.remove(&origin).ok_or_else(not_logged_in)?;
        let id = session.user;
        let mut applied = Applied::default();
        applied.deliveries.push(Delivery::Detach { session: origin, last_word: None });
        let user = self.users.get_mut(&id).ok_or_else(gone)?;
        user.sessions.retain(|session| *session != origin);
        if let Some(seen) = seen.filter(|_| !session.acknowledges) {
            user.cursor = user.cursor.max(seen.min(self.head));
        }
        if !id.is_guest() {
            // Until this is kept, what the shard writes counts as seen by this user, who is gone.
            applied.gated = !session.acknowledges;
            applied.rows.push(Row::NotLive { session: origin });
            applied.rows.push(Row::Cursor { user: id, seen: user.cursor });
        }
        if how == Departure::LoggedOut
            && let Some(hash) = session.token
        {
            // A logout ends what the token was for; a link that drops does not.
            self.tokens.remove(&hash);
            applied.rows.push(Row::TokenGone { hash });
        }
        if !user.sessions.is_empty() {
            self.private_at_leave(now, id, origin, how, false, &mut applied);
            return Ok(applied);
        }
        user.last_seen = Some(now);
        if how == Departure::TooSlow {
            user.cut_off = Some(now);
        }
        // A server that ends says so itself.
        let mut by_name = true;
        if how != Departure::Shutdown {
            let what = if how == Departure::TimedOut { Arrival::TimedOut } else { Arrival::LoggedOut };
            by_name = self.announce_presence(now, id, what, &mut applied);
        }
        self.online.remove(&id);
        self.rooms_at_logout(now, id, how, by_name, &mut applied);
        self.private_at_leave(now, id, origin, how, true, &mut applied);
        if id.is_guest() {
            self.forget_guest(id);
        } else {
            applied.rows.push(Row::LastSeen { user: id, at: now });
        }
        Ok(applied)
    }

    /// Tells that `id` has come, and is not counted yet, or goes, and is counted still: everyone by name, where they are
    /// few; where they are many, those who have lately exchanged private messages with them, and everyone in sums. Says
    /// whether everyone was told the name.
    fn announce_presence(&mut self, now: Millis, id: UserId, what: Arrival, applied: &mut Applied) -> bool {
        let came = what == Arrival::LoggedIn;
        let online = if came { self.online.len() + 1 } else { self.online.len().saturating_sub(1) };
        let notice = self.crowd.note(came, online, self.policy.notices_max);
        let Some(user) = self.users.get(&id) else { return false };
        let tell = |event, reach| Delivery::See { spoken: Arc::new(Spoken::fleeting(event)), reach };
        let presence = || Event::Presence { name: user.name.to_string(), what, at: now };
        if notice == Notice::Each {
            applied.deliveries.push(tell(presence(), Reach::EveryoneBut(self.hidden_from(id))));
            return true;
        }
        let concerned = user.lately.iter().filter(|other| !self.hidden(id, **other)).filter_map(|other| self.users.get(other));
        let sessions: Vec<SessionId> = concerned.flat_map(|other| &other.sessions).copied().collect();
        if !sessions.is_empty() {
            applied.deliveries.push(tell(presence(), Reach::Sessions(sessions)));
        }
        if let Notice::Sum { came, went } = notice {
            applied.deliveries.push(tell(Event::Crowd { came, went, online, at: now }, Reach::EveryoneBut(Vec::new())));
        }
        false
    }

    /// A device that `user` has not had yet.
    fn new_device(&self, user: UserId) -> DeviceId {
        let sessions = self.users.get(&user).map_or(&[][..], |user| &user.sessions);
        let is_taken = |device| sessions.iter().any(|id| self.sessions.get(id).is_some_and(|session| session.device == device));
        let mut device = DeviceId(self.head);
        while is_taken(device) {
            device.0 += 1;
        }
        device
    }

    fn free_guest_name(&self) -> String {
        let mut number = self.next_guest.unsigned_abs();
        loop {
            if let Ok(name) = self.check_free(&format!("guest-{number}"), NameOf::Guest) {
                return name;
            }
            number += 1;
        }
    }

    fn forget_guest(&mut self, id: UserId) {
        if Fault::GuestStays.is_on() {
            return;
        }
        let Some(guest) = self.users.remove(&id) else { return };
        self.names.give_back(&guest.name, Holder::User(id));
        for other in guest.blocks.union(&guest.blocked_by) {
            if let Some(other) = self.users.get_mut(other) {
                other.blocks.remove(&id);
                other.blocked_by.remove(&id);
            }
        }
    }

    /// Tells the connection of `session` to go. It leaves by itself: only it knows what has been written to it.
    pub(super) fn evict(&mut self, session: SessionId, because: Refusal) -> Result<Applied, Refusal> {
        if !self.sessions.contains_key(&session) {
            return Err(not_logged_in());
        }
        let last_word = Some(because);
        Ok(Applied { deliveries: vec![Delivery::Detach { session, last_word }], ..Applied::default() })
    }

    pub(super) fn caught_up(&mut self, origin: SessionId, through: Option<u64>, live: bool) -> Result<Applied, Refusal> {
        let session = self.sessions.get(&origin).ok_or_else(not_logged_in)?;
        let id = session.user;
        let mut applied = Applied::default();
        if session.acknowledges || id.is_guest() {
            return Ok(applied);
        }
        let user = self.users.get_mut(&id).ok_or_else(gone)?;
        if let Some(through) = through {
            user.cursor = user.cursor.max(through.min(self.head));
            applied.rows.push(Row::Cursor { user: id, seen: user.cursor });
        }
        if live {
            applied.rows.push(Row::Live { session: origin, user: id });
        }
        Ok(applied)
    }

    pub(super) fn acknowledge(&mut self, origin: SessionId, seq: u64) -> Result<Applied, Refusal> {
        let id = self.speaker(origin)?;
        if seq > self.head {
            let text = format!("nothing has the number {seq} yet");
            return Err(Refusal::new(code::USAGE, text).hint("acknowledge the `seq` of what you have seen"));
        }
        let seq = if Fault::CursorTooFar.is_on() { self.head } else { seq };
        let user = self.users.get_mut(&id).ok_or_else(gone)?;
        // An acknowledgement that was overtaken by a later one says nothing new.
        if seq <= user.cursor || id.is_guest() {
            return Ok(Applied::default());
        }
        user.cursor = seq;
        // Whoever hears that it is noted may rely on not seeing it again.
        Ok(Applied { gated: true, rows: vec![Row::Cursor { user: id, seen: seq }], ..Applied::default() })
    }

    pub(super) fn speak_as(&mut self, origin: SessionId, acknowledges: bool) -> Result<Applied, Refusal> {
        let session = self.sessions.get_mut(&origin).ok_or_else(not_logged_in)?;
        session.acknowledges = acknowledges;
        let user = session.user;
        let row = if acknowledges { Row::NotLive { session: origin } } else { Row::Live { session: origin, user } };
        Ok(Applied { rows: if user.is_guest() { vec![] } else { vec![row] }, ..Applied::default() })
    }

    pub(super) fn be_active(&mut self, now: Millis, origin: SessionId) -> Result<Applied, Refusal> {
        let id = self.speaker(origin)?;
        let user = self.users.get_mut(&id).ok_or_else(gone)?;
        // The clock of a machine may be put back.
        user.active = user.active.max(now);
        Ok(Applied::default())
    }

    pub(super) fn login_failed(&mut self, now: Millis, name: &str, address: IpAddr) -> Result<Applied, Refusal> {
        // Whatever the last failure was good for is over after this long.
        let stale = self.policy.block_duration.max(Duration::from_secs(3600));
        if self.failures.len() >= FAILURES_MAX {
            self.failures.retain(|_, failures| now.since(failures.last) < stale);
        }
        if self.failures.len() >= FAILURES_MAX
            && let Some(oldest) =
                self.failures.iter().min_by_key(|(key, failures)| (failures.last, (*key).clone())).map(|(key, _)| key.clone())
        {
            self.failures.remove(&oldest);
        }
        let early = Duration::from_secs(u64::from(Fault::LockTooShort.is_on()));
        let (attempts, block_duration) = (self.policy.attempts, self.policy.block_duration.saturating_sub(early));
        let failures =
            self.failures.entry((name::folded(name).into(), address)).or_insert(Failures { count: 0, last: now, locked_until: None });
        if failures.locked_until.is_some_and(|until| until <= now) {
            *failures = Failures { count: 0, last: now, locked_until: None };
        }
        failures.count += 1;
        failures.last = now;
        if failures.count >= attempts && failures.locked_until.is_none() && !Fault::ForgetLockOut.is_on() {
            failures.locked_until = Some(now.plus(block_duration));
        }
        match failures.locked_until {
            Some(until) => Err(locked_out(name, until.since(now))),
            None => Err(Refusal::new(code::WRONG_PASSWORD, format!("the password for `{name}` is wrong")).hint("try again")),
        }
    }
}

/// The refusal of a name that is locked out for so long.
#[must_use]
pub(crate) fn locked_out(name: &str, left: Duration) -> Refusal {
    // Rounded up: somebody who waits as long as they are told gets in.
    let seconds = left.as_millis().div_ceil(1000);
    let plural = if seconds == 1 { "" } else { "s" };
    Refusal::new(code::LOCKED_OUT, format!("too many wrong passwords: `{name}` is locked out for {seconds} second{plural} from here"))
        .hint("wait, or log in from where you usually do")
}

/// What a session hears that a newer one of the same user takes the place of.
#[must_use]
pub(crate) fn session_replaced() -> Refusal {
    Refusal::new(code::SESSION_REPLACED, "you logged in from somewhere else").hint("a login here takes over again")
}

/// The refusal of a token that is not, or no longer, good.
#[must_use]
pub(crate) fn bad_token() -> Refusal {
    Refusal::new(code::BAD_TOKEN, "this token is unknown, expired or revoked").hint("log in with your password")
}
