//! Private chats, as far as the server knows of them: who asks whom, who agreed, who wants the relay.
//!
//! ```text
//!              asks                 accepts, or asks back
//!   nothing ─────────► Asked ──────────────────────────────► Open ──┐ relay, relay: tickets for two connections
//!      ▲                 │ declines, withdraws, expires,      │  ▲──┘
//!      └─────────────────┴─ logs out, blocks ─────────────────┘ stops, logs out, is away for too long
//! ```
//!
//! By account, not by connection: who loses the link and comes back finds it as it was. None of it is ever kept: a
//! restart forgets it, and what two have between them goes on without the server.

use chinwag_wire::{Offer, PrivateEnd, Token};

use super::*;
use crate::spoken::Spoken;

/// How long an offer stands: long enough to read it and make up one's mind, and short enough that who asks can wait.
pub const OFFER_LIFE: Duration = Duration::from_secs(60);

/// How long somebody whose link was lost counts as not having logged out: a client comes back within seconds, a laptop
/// that is carried to another network within a minute.
pub const AWAY_MAX: Duration = Duration::from_secs(120);

/// How long the tickets for the relay are good: two connections take a second, on a bad line a few.
pub const TICKET_LIFE: Duration = Duration::from_secs(60);

/// How many pairs there can be that have, or are offered, a private chat: a kilobyte each.
pub const PAIRS_MAX: usize = 65_536;

/// Two users, the lower number first.
type Pair = (UserId, UserId);

fn pair_of(a: UserId, b: UserId) -> Pair {
    if a < b { (a, b) } else { (b, a) }
}

/// Which of the two somebody is.
fn side_of(pair: Pair, user: UserId) -> usize {
    usize::from(pair.1 == user)
}

fn user_on(pair: Pair, side: usize) -> UserId {
    if side == 0 { pair.0 } else { pair.1 }
}

/// What is between two.
#[derive(Debug)]
enum Between {
    /// One has asked.
    Asked {
        asker: UserId,
        /// The connection it was asked on.
        from: SessionId,
        offer: Box<Offer>,
        expires: Millis,
    },
    /// Both want it.
    Open(Box<Open>),
}

/// What two have who both want it.
#[derive(Clone, Debug)]
struct Open {
    ends: [End; 2],
    relay: Relay,
    /// Since when, and what each offered: for who loses the link before hearing of it.
    since: Millis,
    offers: [Offer; 2],
    /// Which side asked.
    asker: usize,
}

/// One side of a private chat.
#[derive(Clone, Copy, Debug)]
struct End {
    /// The connection whose client has the chat, as far as can be known.
    session: SessionId,
    /// That connection was lost: the user has until then to come back.
    back_by: Option<Millis>,
}

/// Where the two are with the relay.
#[derive(Clone, Copy, Debug)]
enum Relay {
    Unwanted,
    /// One side wants it, and gets this ticket if the other does.
    Wanted {
        side: usize,
        ticket: Token,
    },
    /// Both do.
    Agreed {
        number: u64,
        /// Until when both tickets have to be used; nothing once they are.
        until: Option<Millis>,
    },
}

/// What opens one end of a relay.
#[derive(Debug)]
struct Ticket {
    relay: u64,
    side: usize,
    expires: Millis,
}

/// What there is between whom.
#[derive(Debug, Default)]
pub(super) struct PrivateChats {
    pairs: BTreeMap<Pair, Between>,
    /// With whom each has something, to find it.
    partners: HashMap<UserId, BTreeSet<UserId>>,
    /// When something ends by itself.
    deadlines: BTreeSet<(Millis, Pair)>,
    tickets: HashMap<Token, Ticket>,
    relays: HashMap<u64, Pair>,
    last_relay: u64,
}

/// How much of it there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrivateCount {
    /// Offers that nobody has answered yet.
    pub offers: usize,
    /// Private chats.
    pub open: usize,
    /// Those that go through the server, or are about to.
    pub relayed: usize,
}

impl Between {
    fn deadlines(&self) -> impl Iterator<Item = Millis> {
        let (expires, ends, until) = match self {
            Between::Asked { expires, .. } => (Some(*expires), [None, None], None),
            Between::Open(open) => {
                let until = if let Relay::Agreed { until, .. } = open.relay { until } else { None };
                (None, open.ends.map(|end| end.back_by), until)
            }
        };
        expires.into_iter().chain(ends.into_iter().flatten()).chain(until)
    }
}

impl PrivateChats {
    fn put(&mut self, pair: Pair, between: Between) {
        self.deadlines.extend(between.deadlines().map(|at| (at, pair)));
        self.partners.entry(pair.0).or_default().insert(pair.1);
        self.partners.entry(pair.1).or_default().insert(pair.0);
        self.pairs.insert(pair, between);
    }

    fn take(&mut self, pair: Pair) -> Option<Between> {
        let between = self.pairs.remove(&pair)?;
        for at in between.deadlines() {
            self.deadlines.remove(&(at, pair));
        }
        for (one, other) in [pair, (pair.1, pair.0)] {
            if let Some(partners) = self.partners.get_mut(&one) {
                partners.remove(&other);
                if partners.is_empty() {
                    self.partners.remove(&one);
                }
            }
        }
        Some(between)
    }

    fn partners_of(&self, user: UserId) -> Vec<UserId> {
        self.partners.get(&user).map(|partners| partners.iter().copied().collect()).unwrap_or_default()
    }

    /// How many chats this user has or has asked for.
    fn own(&self, user: UserId) -> usize {
        let own = |pair| match self.pairs.get(&pair) {
            Some(Between::Asked { asker, .. }) => *asker == user,
            other => other.is_some(),
        };
        self.partners.get(&user).map_or(0, |partners| partners.iter().filter(|other| own(pair_of(user, **other))).count())
    }

    /// How many offers wait for this user's answer.
    fn waiting_for(&self, user: UserId) -> usize {
        self.partners.get(&user).map_or(0, BTreeSet::len) - self.own(user)
    }

    /// A relay is no more, nor are its tickets.
    fn forget_relay(&mut self, number: u64) {
        self.relays.remove(&number);
        self.tickets.retain(|_, ticket| ticket.relay != number);
    }
}

impl Hall {
    /// How many offers, private chats and relays there are.
    #[must_use]
    pub fn private_count(&self) -> PrivateCount {
        let offers = self.private.pairs.values().filter(|between| matches!(between, Between::Asked { .. })).count();
        PrivateCount { offers, open: self.private.pairs.len() - offers, relayed: self.private.relays.len() }
    }

    /// Whether the two have a private chat, as far as the server knows.
    #[must_use]
    pub fn is_private_between(&self, a: UserId, b: UserId) -> bool {
        matches!(self.private.pairs.get(&pair_of(a, b)), Some(Between::Open(_)))
    }

    /// Whether there is this relay, or is to be.
    #[must_use]
    pub fn is_relay(&self, relay: u64) -> bool {
        self.private.relays.contains_key(&relay)
    }

    /// When the next offer, absence or ticket is over.
    #[must_use]
    pub fn private_deadline(&self) -> Option<Millis> {
        self.private.deadlines.first().map(|(at, _)| *at)
    }

    /// Asks somebody for a private chat; or agrees, if they have asked.
    pub(super) fn ask_private(
        &mut self,
        now: Millis,
        origin: SessionId,
        whom: UserId,
        offer: Option<Box<Offer>>,
    ) -> Result<Applied, Refusal> {
        let (me, name) = self.private_pair(origin, whom)?;
        let pair = pair_of(me, whom);
        match self.private.pairs.get(&pair) {
            Some(Between::Open(_)) => return self.agreed_again(now, origin, pair, me, offer.as_deref(), &name),
            Some(Between::Asked { asker, expires, offer: older, .. }) if *expires > now => {
                if *asker == me && offer.as_ref() == Some(older) {
                    // Said again by a client that has not heard the answer.
                    let at = Millis(expires.0 - OFFER_LIFE.as_millis() as i64);
                    return Ok(Applied { receipt: Receipt { at, again: true, ..Receipt::default() }, ..Applied::default() });
                }
                if *asker == me {
                    return Err(Refusal::new(code::ALREADY_ASKED, format!("you have asked `{name}` already, who has until {expires}"))
                        .hint(format!("stopprivate {name} takes it back")));
                }
                return self.accept_private(now, origin, whom, offer);
            }
            _ => {}
        }
        let offer = offer.filter(|_| self.hears_private(origin)).ok_or_else(needs_client)?;
        let hearers = self.private_hearers(whom);
        if hearers.is_empty() {
            return Err(not_online(&name));
        }
        let most = self.policy.private_at_once;
        if self.private.own(me) >= most {
            return Err(too_many_own(most));
        }
        if self.private.waiting_for(whom) >= most {
            return Err(Refusal::new(code::TOO_MANY_PRIVATE, format!("too many have asked `{name}` for a private chat"))
                .hint("try again in a minute"));
        }
        if self.private.pairs.len() >= PAIRS_MAX {
            return Err(Refusal::new(code::TOO_MANY_PRIVATE, "there are as many private chats as there can be").hint("try again later"));
        }
        let expires = now.plus(OFFER_LIFE);
        let mut applied = Applied { receipt: Receipt { at: now, ..Receipt::default() }, ..Applied::default() };
        // One whose time is over and that is still there makes room.
        self.private.take(pair);
        let revealed = Fault::OfferRevealed.is_on().then(|| offer.clone());
        self.private.put(pair, Between::Asked { asker: me, from: origin, offer, expires });
        if let Some(asked) = self.private_asked(pair) {
            tell(hearers.clone(), asked, &mut applied);
        }
        if let Some(offer) = revealed {
            tell(hearers, Event::PrivateAgreed { with: self.user_name(me), asker: false, offer: *offer }, &mut applied);
        }
        Ok(applied)
    }

    /// Agrees to a private chat that somebody has asked for. Each hears what the other offers.
    pub(super) fn accept_private(
        &mut self,
        now: Millis,
        origin: SessionId,
        whom: UserId,
        offer: Option<Box<Offer>>,
    ) -> Result<Applied, Refusal> {
        let (me, name) = self.private_pair(origin, whom)?;
        let pair = pair_of(me, whom);
        if self.is_private_between(me, whom) {
            return self.agreed_again(now, origin, pair, me, offer.as_deref(), &name);
        }
        let Some((from, theirs)) = self.offer_from(pair, whom, now) else {
            return Err(no_offer(&name).hint(format!("startprivate {name} asks them")));
        };
        let offer = offer.filter(|_| self.hears_private(origin)).ok_or_else(needs_client)?;
        let askers = self.private_hearers_at(whom, from);
        if askers.is_empty() {
            // A client that has lost its link is back in a moment.
            return Err(not_online(&name));
        }
        let most = self.policy.private_at_once;
        if self.private.own(me) >= most {
            return Err(too_many_own(most));
        }
        let mut applied = Applied { receipt: Receipt { at: now, ..Receipt::default() }, ..Applied::default() };
        let asker = side_of(pair, whom);
        let mut ends = [End { session: origin, back_by: None }; 2];
        ends[asker].session = from;
        let offers = if asker == 0 { [*theirs, *offer] } else { [*offer, *theirs] };
        self.private.take(pair);
        self.private.put(pair, Between::Open(Box::new(Open { ends, relay: Relay::Unwanted, since: now, offers, asker })));
        self.tell_agreed(pair, whom, askers, &mut applied);
        self.tell_agreed(pair, me, vec![origin], &mut applied);
        self.tell_others(me, origin, &name, PrivateEnd::AnsweredElsewhere, &mut applied);
        Ok(applied)
    }

    /// Agreed already: whoever says so again with what they offered, because they have not heard the answer, hears it again.
    fn agreed_again(
        &mut self,
        now: Millis,
        origin: SessionId,
        pair: Pair,
        me: UserId,
        offer: Option<&Offer>,
        name: &str,
    ) -> Result<Applied, Refusal> {
        let side = side_of(pair, me);
        if let Some(Between::Open(mut open)) = self.private.take(pair) {
            let again = Some(&open.offers[side]) == offer && now < open.since.plus(OFFER_LIFE) && self.hears_private(origin);
            if again {
                open.ends[side] = End { session: origin, back_by: None };
            }
            self.private.put(pair, Between::Open(open));
            if again {
                let mut applied = Applied { receipt: Receipt { at: now, again, ..Receipt::default() }, ..Applied::default() };
                self.tell_agreed(pair, me, vec![origin], &mut applied);
                return Ok(applied);
            }
        }
        Err(Refusal::new(code::ALREADY_OPEN, format!("you have a private chat with `{name}` already"))
            .hint(format!("stopprivate {name} ends it")))
    }

    /// Tells one of two what the other offers.
    fn tell_agreed(&self, pair: Pair, user: UserId, sessions: Vec<SessionId>, applied: &mut Applied) {
        if let Some(Between::Open(open)) = self.private.pairs.get(&pair) {
            let side = side_of(pair, user);
            let with = self.user_name(user_on(pair, 1 - side));
            tell(sessions, Event::PrivateAgreed { with, asker: open.asker == side, offer: open.offers[1 - side].clone() }, applied);
        }
    }

    /// Says no to somebody who has asked.
    pub(super) fn decline_private(&mut self, now: Millis, origin: SessionId, whom: UserId) -> Result<Applied, Refusal> {
        let me = self.speaker(origin)?;
        let (_, name) = self.pair(origin, whom, "decline")?;
        let name = name.to_owned();
        let pair = pair_of(me, whom);
        let Some((from, _)) = self.offer_from(pair, whom, now) else {
            let told = no_offer(&name);
            return Err(if self.is_private_between(me, whom) {
                told.hint(format!("stopprivate {name} ends the private chat"))
            } else {
                told.hint("there is nothing to decline")
            });
        };
        let mut applied = Applied::default();
        self.private.take(pair);
        tell(
            self.private_hearers_at(whom, from),
            Event::PrivateEnded { with: self.user_name(me), why: PrivateEnd::Declined },
            &mut applied,
        );
        self.tell_others(me, origin, &name, PrivateEnd::AnsweredElsewhere, &mut applied);
        Ok(applied)
    }

    /// Takes an offer back, or ends a private chat.
    pub(super) fn stop_private(&mut self, now: Millis, origin: SessionId, whom: UserId) -> Result<Applied, Refusal> {
        let me = self.speaker(origin)?;
        let (_, name) = self.pair(origin, whom, "stop")?;
        let name = name.to_owned();
        let pair = pair_of(me, whom);
        let mut applied = Applied::default();
        match self.private.pairs.get(&pair) {
            Some(Between::Asked { asker, expires, .. }) if *asker == me && *expires > now => {
                self.end_private(pair, me, PrivateEnd::Withdrawn, &mut applied);
            }
            Some(Between::Open(open)) => {
                let mine = open.ends[side_of(pair, me)].session;
                self.end_private(pair, me, PrivateEnd::Stopped, &mut applied);
                if mine != origin && self.hears_private(mine) {
                    tell(vec![mine], Event::PrivateEnded { with: name, why: PrivateEnd::Stopped }, &mut applied);
                }
            }
            Some(Between::Asked { asker, expires, .. }) if *asker == whom && *expires > now => {
                return Err(no_private(&name).hint(format!("`{name}` asks for one: decline {name} says no")));
            }
            _ => return Err(no_private(&name).hint(format!("startprivate {name} asks for one"))),
        }
        Ok(applied)
    }

    /// Wants a private chat to go through the server; when both do, each gets a ticket.
    pub(super) fn relay_private(&mut self, now: Millis, origin: SessionId, whom: UserId, ticket: Token) -> Result<Applied, Refusal> {
        let (me, name) = self.private_pair(origin, whom)?;
        if !self.policy.relay {
            return Err(relay_off());
        }
        let pair = pair_of(me, whom);
        let Some(Between::Open(open)) = self.private.pairs.get(&pair) else {
            return Err(no_private(&name).hint(format!("startprivate {name} asks for one")));
        };
        let side = side_of(pair, me);
        let (theirs, relay) = (open.ends[1 - side].session, open.relay);
        let hearers = self.private_hearers_at(whom, theirs);
        if hearers.is_empty() {
            return Err(not_online(&name));
        }
        let my_name = self.user_name(me);
        let mut applied = Applied { receipt: Receipt { at: now, ..Receipt::default() }, ..Applied::default() };
        let relay = match relay {
            Relay::Wanted { side: other, ticket: theirs } if other != side => {
                if self.private.relays.len() >= self.policy.relays {
                    return Err(Refusal::new(code::TOO_MANY_PRIVATE, "the server carries as many private chats as it can")
                        .hint("try again later, or find a direct way"));
                }
                self.private.last_relay += 1;
                let (number, until) = (self.private.last_relay, now.plus(TICKET_LIFE));
                self.private.relays.insert(number, pair);
                for (side, ticket) in [(side, ticket), (other, theirs)] {
                    self.private.tickets.insert(ticket, Ticket { relay: number, side, expires: until });
                }
                tell(hearers, Event::PrivateRelay { with: my_name, ticket: Some(theirs) }, &mut applied);
                tell(vec![origin], Event::PrivateRelay { with: name, ticket: Some(ticket) }, &mut applied);
                Relay::Agreed { number, until: Some(until) }
            }
            // Asked again: of a connection that comes back, or because the other has not answered.
            Relay::Wanted { .. } | Relay::Unwanted => {
                tell(hearers, Event::PrivateRelay { with: my_name, ticket: None }, &mut applied);
                Relay::Wanted { side, ticket }
            }
            // What there was does not work any more, for one of them at least.
            Relay::Agreed { number, .. } => {
                self.private.forget_relay(number);
                applied.deliveries.push(Delivery::EndRelay { relay: number });
                tell(hearers, Event::PrivateRelay { with: my_name, ticket: None }, &mut applied);
                Relay::Wanted { side, ticket }
            }
        };
        self.change_open(pair, |open| {
            // The client that wants the relay is the one that has the chat.
            open.ends[side] = End { session: origin, back_by: None };
            open.relay = relay;
        });
        Ok(applied)
    }

    /// Presents a ticket: whoever does is one end of a relay. The receipt's number is twice the relay's, plus the side.
    pub(super) fn take_ticket(&mut self, now: Millis, ticket: Token) -> Result<Applied, Refusal> {
        if !self.policy.private || !self.policy.relay {
            return Err(relay_off());
        }
        let bad =
            || Refusal::new(code::BAD_TICKET, "this ticket is unknown, used or over").hint("`relay` on the other connection gets one");
        let Ticket { relay, side, expires } = *self.private.tickets.get(&ticket).ok_or_else(bad)?;
        if expires <= now {
            return Err(bad());
        }
        if !Fault::TicketTwice.is_on() {
            self.private.tickets.remove(&ticket);
        }
        let all_used = !self.private.tickets.values().any(|ticket| ticket.relay == relay);
        if let Some(pair) = self.private.relays.get(&relay).copied().filter(|_| all_used) {
            self.change_open(pair, |open| open.relay = Relay::Agreed { number: relay, until: None });
        }
        let seq = relay * 2 + side as u64;
        Ok(Applied { receipt: Receipt { seq, at: now, ..Receipt::default() }, ..Applied::default() })
    }

    /// A relay has ended by itself: one of its connections has. The private chat goes on, and can have another.
    pub(super) fn relay_over(&mut self, number: u64) -> Applied {
        if let Some(pair) = self.private.relays.get(&number).copied() {
            self.change_open(pair, |open| open.relay = Relay::Unwanted);
        }
        self.private.forget_relay(number);
        Applied::default()
    }

    /// Changes what two have, and when something of it ends by itself.
    fn change_open(&mut self, pair: Pair, change: impl FnOnce(&mut Open)) {
        if let Some(mut between) = self.private.take(pair) {
            if let Between::Open(open) = &mut between {
                change(open);
            }
            self.private.put(pair, between);
        }
    }

    /// Ends what is over by itself at `now`.
    pub(super) fn end_private_due(&mut self, now: Millis) -> Applied {
        let mut applied = Applied::default();
        while let Some((at, pair)) = self.private.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.private.deadlines.remove(&(at, pair));
            let Some(between) = self.private.pairs.get(&pair) else { continue };
            match between {
                Between::Asked { .. } if Fault::OfferForEver.is_on() => {}
                Between::Asked { asker, from, .. } => {
                    let (asker, asked, from) = (*asker, user_on(pair, 1 - side_of(pair, *asker)), *from);
                    self.private.take(pair);
                    let why = PrivateEnd::Expired;
                    let askers = self.private_hearers_at(asker, from);
                    tell(askers, Event::PrivateEnded { with: self.user_name(asked), why }, &mut applied);
                    tell(self.private_hearers(asked), Event::PrivateEnded { with: self.user_name(asker), why }, &mut applied);
                }
                Between::Open(open) => {
                    let gone = open.ends.iter().position(|end| end.back_by.is_some_and(|by| by <= now));
                    let relay = open.relay;
                    if let Some(side) = gone {
                        self.end_private(pair, user_on(pair, side), PrivateEnd::LoggedOut, &mut applied);
                    } else if let Relay::Agreed { number, until: Some(until) } = relay
                        && until <= now
                    {
                        // One of the two never came.
                        applied.deliveries.push(Delivery::EndRelay { relay: number });
                        self.relay_over(number);
                    }
                }
            }
        }
        applied
    }

    /// What is between two ends, because of `by`; the other one hears it.
    fn end_private(&mut self, pair: Pair, by: UserId, why: PrivateEnd, applied: &mut Applied) {
        let other = user_on(pair, 1 - side_of(pair, by));
        let hearers = match self.private.take(pair) {
            None => return,
            // Whom it was asked hears it everywhere, as it was asked; who asked, where it was asked.
            Some(Between::Asked { asker, from, .. }) if asker == other => self.private_hearers_at(other, from),
            Some(Between::Asked { .. }) => self.private_hearers(other),
            Some(Between::Open(open)) => {
                if let Relay::Agreed { number, .. } = open.relay {
                    self.private.forget_relay(number);
                    applied.deliveries.push(Delivery::EndRelay { relay: number });
                }
                self.private_hearers_at(other, open.ends[side_of(pair, other)].session)
            }
        };
        // Who hides does not tell when they come and go.
        let why = match why {
            PrivateEnd::LoggedOut | PrivateEnd::TimedOut if self.hidden(by, other) => PrivateEnd::Stopped,
            why => why,
        };
        tell(hearers, Event::PrivateEnded { with: self.user_name(by), why }, applied);
    }

    /// Everything of `who` ends: the account, the guest, or the visit is over.
    pub(super) fn end_all_private(&mut self, who: UserId, how: PrivateEnd, applied: &mut Applied) {
        if Fault::PrivateStays.is_on() {
            return;
        }
        for other in self.private.partners_of(who) {
            let pair = pair_of(who, other);
            let asked = matches!(self.private.pairs.get(&pair), Some(Between::Asked { asker, .. }) if *asker == who);
            self.end_private(pair, who, if asked { PrivateEnd::Withdrawn } else { how }, applied);
        }
    }

    /// A session of `who` has begun: what was lost with the link is taken up again, and what waits for an answer is told.
    pub(super) fn private_at_login(&mut self, now: Millis, who: UserId, session: SessionId, applied: &mut Applied) {
        if !self.hears_private(session) {
            return;
        }
        for other in self.private.partners_of(who) {
            let pair = pair_of(who, other);
            let Some(mut between) = self.private.take(pair) else { continue };
            let (mut asks, mut agreed) = (false, false);
            match &mut between {
                Between::Asked { asker, from, .. } if *asker == who => {
                    if !self.sessions.contains_key(from) {
                        *from = session;
                    }
                }
                Between::Asked { expires, .. } => asks = *expires > now,
                Between::Open(open) => {
                    let end = &mut open.ends[side_of(pair, who)];
                    if end.back_by.is_some() {
                        *end = End { session, back_by: None };
                        agreed = now < open.since.plus(OFFER_LIFE);
                    }
                }
            }
            self.private.put(pair, between);
            if let Some(asked) = self.private_asked(pair).filter(|_| asks) {
                tell(vec![session], asked, applied);
            }
            if agreed {
                self.tell_agreed(pair, who, vec![session], applied);
            }
        }
    }

    /// `newer` has taken the place of `older`: it is the same client.
    pub(super) fn private_moves(&mut self, now: Millis, who: UserId, older: SessionId, newer: SessionId, applied: &mut Applied) {
        for other in self.private.partners_of(who) {
            let pair = pair_of(who, other);
            match self.private.pairs.get_mut(&pair) {
                Some(Between::Asked { asker, from, .. }) if *asker == who && *from == older => *from = newer,
                Some(Between::Open(open)) if open.ends[side_of(pair, who)].session == older => {
                    open.ends[side_of(pair, who)].session = newer;
                    if now < open.since.plus(OFFER_LIFE) {
                        self.tell_agreed(pair, who, vec![newer], applied);
                    }
                }
                _ => {}
            }
        }
    }

    /// A session of `who` has ended; `last`: there is no other.
    pub(super) fn private_at_leave(
        &mut self,
        now: Millis,
        who: UserId,
        session: SessionId,
        how: Departure,
        last: bool,
        applied: &mut Applied,
    ) {
        let why = match how {
            // The server ends, and tells everyone.
            Departure::Shutdown => return,
            Departure::LoggedOut => Some(PrivateEnd::LoggedOut),
            Departure::TimedOut => Some(PrivateEnd::TimedOut),
            // Nobody comes back as a guest.
            Departure::Disconnected | Departure::TooSlow => (last && who.is_guest()).then_some(PrivateEnd::LoggedOut),
        };
        if let Some(why) = why.filter(|_| last) {
            return self.end_all_private(who, why, applied);
        }
        for other in self.private.partners_of(who) {
            let pair = pair_of(who, other);
            let (here, asked) = match self.private.pairs.get(&pair) {
                Some(Between::Asked { asker, from, .. }) => (*asker == who && *from == session, true),
                Some(Between::Open(open)) => (open.ends[side_of(pair, who)].session == session, false),
                None => continue,
            };
            match why {
                _ if !here => {}
                // The client that had it is gone, whoever else is there.
                Some(why) => self.end_private(pair, who, if asked { PrivateEnd::Withdrawn } else { why }, applied),
                // What was asked stands for its time.
                None if asked => {}
                None => self.change_open(pair, |open| open.ends[side_of(pair, who)].back_by = Some(now.plus(AWAY_MAX))),
            }
        }
    }

    /// `by` hides from `whom`: nothing is asked any more between the two. What they have goes on until one stops it.
    pub(super) fn private_at_block(&mut self, by: UserId, whom: UserId, applied: &mut Applied) {
        let pair = pair_of(by, whom);
        if let Some(Between::Asked { asker, .. }) = self.private.pairs.get(&pair) {
            let why = if *asker == by { PrivateEnd::Withdrawn } else { PrivateEnd::Declined };
            self.end_private(pair, by, why, applied);
        }
    }

    /// The policy is another: what it does not allow any more ends.
    pub(super) fn private_at_policy(&mut self, applied: &mut Applied) {
        if !self.policy.private {
            for pair in self.private.pairs.keys().copied().collect::<Vec<_>>() {
                for (one, other) in [pair, (pair.1, pair.0)] {
                    let hearers = match self.private.pairs.get(&pair) {
                        Some(Between::Asked { asker, from, .. }) if *asker == one => self.private_hearers_at(one, *from),
                        Some(Between::Open(open)) => self.private_hearers_at(one, open.ends[side_of(pair, one)].session),
                        _ => self.private_hearers(one),
                    };
                    tell(hearers, Event::PrivateEnded { with: self.user_name(other), why: PrivateEnd::SwitchedOff }, applied);
                }
                self.private.take(pair);
            }
        }
        if !self.policy.private || !self.policy.relay {
            let mut numbers: Vec<u64> = self.private.relays.keys().copied().collect();
            numbers.sort_unstable();
            for relay in numbers {
                applied.deliveries.push(Delivery::EndRelay { relay });
                self.relay_over(relay);
            }
        }
    }

    /// The speaker and the name of the other, if the two may have anything to do with each other in private.
    fn private_pair(&self, origin: SessionId, whom: UserId) -> Result<(UserId, String), Refusal> {
        if !self.policy.private {
            return Err(private_off());
        }
        let (me, name) = self.pair(origin, whom, "have a private chat with")?;
        if !Fault::PrivateWhileBlocked.is_on() {
            self.check_open_to(me, whom, name).map_err(|refusal| match refusal.hint.as_deref() {
                Some("the message was not sent") => refusal.hint("nothing was sent"),
                _ => refusal,
            })?;
        }
        Ok((me, name.to_owned()))
    }

    /// The offer that `from` has made and that stands.
    fn offer_from(&self, pair: Pair, from: UserId, now: Millis) -> Option<(SessionId, Box<Offer>)> {
        match self.private.pairs.get(&pair) {
            Some(Between::Asked { asker, from: session, offer, expires }) if *asker == from => {
                (*expires > now || Fault::OfferForEver.is_on()).then(|| (*session, offer.clone()))
            }
            _ => None,
        }
    }

    /// What the one hears who is asked.
    fn private_asked(&self, pair: Pair) -> Option<Event> {
        let Some(Between::Asked { asker, offer, expires, .. }) = self.private.pairs.get(&pair) else { return None };
        let (from, direct) = (self.user_name(*asker), !offer.addresses.is_empty());
        Some(Event::PrivateAsked { from, fingerprint: offer.fingerprint, direct, expires: *expires })
    }

    fn user_name(&self, user: UserId) -> String {
        self.users.get(&user).map_or_else(String::new, |user| user.name.to_string())
    }

    /// Whether this connection can be told of private chats.
    fn hears_private(&self, session: SessionId) -> bool {
        self.sessions.get(&session).is_some_and(|session| session.private)
    }

    /// The connections of a user that can be told.
    fn private_hearers(&self, user: UserId) -> Vec<SessionId> {
        let sessions = self.users.get(&user).map(|user| user.sessions.as_slice()).unwrap_or_default();
        sessions.iter().copied().filter(|session| self.hears_private(*session)).collect()
    }

    /// That connection of the user if it is there; else all that can be told: one of them may know what it is about.
    fn private_hearers_at(&self, user: UserId, session: SessionId) -> Vec<SessionId> {
        let hearers = self.private_hearers(user);
        if hearers.contains(&session) { vec![session] } else { hearers }
    }

    /// Tells all connections of a user but one.
    fn tell_others(&self, user: UserId, but: SessionId, with: &str, why: PrivateEnd, applied: &mut Applied) {
        let others = self.private_hearers(user).into_iter().filter(|session| *session != but).collect();
        tell(others, Event::PrivateEnded { with: with.to_owned(), why }, applied);
    }
}

fn tell(sessions: Vec<SessionId>, event: Event, applied: &mut Applied) {
    if !sessions.is_empty() {
        applied.deliveries.push(Delivery::See { spoken: Arc::new(Spoken::fleeting(event)), reach: Reach::Sessions(sessions) });
    }
}

/// The refusal where private chats are switched off.
#[must_use]
pub(crate) fn private_off() -> Refusal {
    Refusal::new(code::PRIVATE_OFF, "private chats are switched off here").hint("@NAME TEXT reaches somebody through the server")
}

/// The refusal where the server carries none.
#[must_use]
pub(crate) fn relay_off() -> Refusal {
    Refusal::new(code::RELAY_OFF, "this server carries no private chats").hint("they have to find a direct way")
}

fn needs_client() -> Refusal {
    Refusal::new(code::NEEDS_CLIENT, "a private chat takes a client that can have one").hint("the client `chinwag` can")
}

fn not_online(name: &str) -> Refusal {
    Refusal::new(code::NOT_ONLINE, format!("`{name}` is not online")).hint("`whoelse` lists who is")
}

fn no_offer(name: &str) -> Refusal {
    Refusal::new(code::NO_OFFER, format!("`{name}` has offered you no private chat, or not any more"))
}

fn no_private(name: &str) -> Refusal {
    Refusal::new(code::NO_PRIVATE, format!("there is no private chat between `{name}` and you"))
}

fn too_many_own(most: usize) -> Refusal {
    Refusal::new(code::TOO_MANY_PRIVATE, format!("you have, or have asked for, {most} private chats, which is the most one can have"))
        .hint("stopprivate NAME ends one, or takes an offer back")
}

#[cfg(test)]
mod tests;
