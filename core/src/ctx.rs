//! What a command can do. Verbs only: no lock, no socket, no store.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chinwag_wire::dialect::wire::Wire;
use chinwag_wire::dialect::{self, Marks};
use chinwag_wire::name::folded;
use chinwag_wire::refusal::Code;
use chinwag_wire::{Addressee, Card, Deed, Event, Fact, Millis, Offer, Refusal, Said, Token, code};
use sha2::{Digest, Sha256};

use crate::command::{Need, Outcome};
use crate::fault::Fault;
use crate::hall::{
    Act, Amend, CONSOLE_NAME, Departure, Intent, InviteCode, Kept, NameOf, OFFER_LIFE, Receipt, Recipient, RoomId, SessionId, ShowTo,
    TokenHash, User, UserId, Whereabouts,
};
use crate::passwords::PASSWORD_MAX;
use crate::server::{Change, Registration, Server};
use crate::spoken::Spoken;
use crate::store::words::Wanted;
use crate::store::{Bound, DeedLine, Found, PAGE_MAX, Page, PastOf, Question, Search, Which};
use crate::view::View;

/// How many names a roster lists at most. Enough for completion where people know each other; a full list for
/// each of thousands who log in at once would cost the square of their number.
pub const ROSTER_MAX: usize = 500;

/// How many of the messages that were missed in a room are shown when one comes back to it: a screenful; `history` has
/// the rest.
pub const MISSED_SHOWN: usize = 50;

/// What somebody looks for in the past.
#[derive(Clone, Debug)]
pub struct LookedFor {
    /// Among these.
    pub of: PastOf,
    /// Only what this one said.
    pub from: Option<(UserId, String)>,
    /// Only what was said before.
    pub before: Option<Bound>,
    /// Only what was said since.
    pub since: Option<Bound>,
    /// The words.
    pub wanted: Wanted,
}

/// What a connection carries from line to line.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Which connection.
    pub session: SessionId,
    /// Where it comes from.
    pub address: IpAddr,
    /// The place of its dialect in [`dialect::ALL`].
    pub dialect: usize,
    /// The wire it came in on, if it is not one of the line-mode dialects.
    pub wire: Option<&'static dyn Wire>,
    /// Whether the wire says that the connection can be told of private chats.
    pub wire_hears_private: bool,
    /// `since`: the next login starts after this number.
    pub after: Option<u64>,
    /// The connection ends after this line, in this way.
    pub leaving: Option<Departure>,
    /// The connection is an end of a relay after this line, and no lines are read from it any more.
    pub carries: Option<RelayEnd>,
}

/// One end of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayEnd {
    /// Which relay.
    pub relay: u64,
    /// Which of its two ends: 0 or 1.
    pub side: usize,
}

impl Caller {
    /// Whether this need is met by the operator's having opened the wire.
    pub(crate) fn is_excused(&self, need: Need) -> bool {
        need == Need::GuestsAllowed && self.wire.is_some_and(Wire::guests)
    }

    /// The server's console, speaking this dialect.
    #[must_use]
    pub fn console(dialect: usize) -> Caller {
        Caller {
            session: SessionId::CONSOLE,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            dialect,
            wire: None,
            wire_hears_private: false,
            after: None,
            leaving: None,
            carries: None,
        }
    }
}

/// How the server does, apart from what the hall knows.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Which log the numbers belong to.
    pub log: String,
    /// Since when it runs.
    pub started: Millis,
    /// Connections, logged in or not.
    pub connections: usize,
    /// Messages said since the start.
    pub said: u64,
    /// Connections that the server has ended since the start, by the code they were told.
    pub ended: Vec<(Code, u64)>,
    /// Lines that had to wait, because there were too many of them.
    pub delayed: u64,
    /// Connections that were cut off because they never stopped sending too much.
    pub flooders: u64,
    /// Commits since the start.
    pub commits: u64,
    /// How long they have taken together.
    pub committing: Duration,
    /// The store fails at the moment.
    pub store_failing: bool,
    /// Rows that wait for the store.
    pub rows_waiting: usize,
    /// Answers and events that wait for the store.
    pub outputs_waiting: usize,
    /// Passwords that wait to be hashed.
    pub passwords_waiting: usize,
    /// Bytes of private chats that went through the server since the start.
    pub relayed_bytes: u64,
    /// The certificate's fingerprint, and when it ends.
    pub certificate: Option<(String, Option<Millis>)>,
}

/// What a command can do: look, submit, reply.
pub struct Ctx {
    server: Arc<Server>,
    caller: Caller,
    marks: Marks,
    name: String,
    user: Option<UserId>,
    replies: Vec<Event>,
    /// What the audit log should know besides the line.
    note: Option<String>,
}

impl std::fmt::Debug for Ctx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ctx").field("caller", &self.caller).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Ctx {
    pub(crate) fn new(server: &Arc<Server>, caller: &Caller, marks: &Marks, who: Option<(UserId, String)>) -> Ctx {
        let (user, name) = match who {
            Some((user, name)) => (Some(user), name),
            None if caller.session == SessionId::CONSOLE => (None, CONSOLE_NAME.to_owned()),
            None => (None, String::new()),
        };
        Ctx { server: Arc::clone(server), caller: caller.clone(), marks: marks.clone(), name, user, replies: Vec::new(), note: None }
    }

    /// The caller as it is now, the answers, and what the audit log should know.
    pub(crate) fn finish(self) -> (Caller, Vec<Event>, Option<String>) {
        (self.caller, self.replies, self.note)
    }

    /// Adds to what the audit log says of this line: what the line itself does not tell. Never a secret.
    pub fn note(&mut self, what: impl Into<String>) {
        self.note = Some(what.into());
    }

    /// The name of whoever typed the line: `console` at the console, empty before login.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whoever typed the line.
    ///
    /// # Errors
    /// `not-logged-in` before login.
    pub fn user(&self) -> Result<UserId, Refusal> {
        self.user.ok_or_else(|| Need::LoggedIn.refusal())
    }

    /// Sends the cards of what they may run now to all sessions of a user who may do more than before, or less.
    pub fn refresh_cards(&self, user: UserId) {
        let sessions = self.view(|view| view.hall().user(user).map(|user| user.sessions.clone()).unwrap_or_default());
        for session in sessions {
            let cards = self.server.view(session, |view| self.server.cards_for(view));
            self.server.sequencer.show(session, Arc::new(Spoken::fleeting(Event::Cards { cards })));
        }
    }

    /// Looks at who exists and who is here.
    pub fn view<R>(&self, look: impl FnOnce(&View<'_>) -> R) -> R {
        self.server.view(self.caller.session, look)
    }

    /// The cards of the commands that whoever typed the line may run.
    #[must_use]
    pub fn cards(&self) -> Vec<Card> {
        self.view(|view| self.server.cards_for(view))
    }

    /// The same, with examples.
    #[must_use]
    pub fn cards_with_examples(&self) -> &[Card] {
        self.server.cards_with_examples()
    }

    /// Answers. Answers are sent together when the command is done.
    pub fn reply(&mut self, event: Event) {
        self.replies.push(event);
    }

    /// Answers, and tells the other devices of whoever typed the line the same: what is typed there goes elsewhere now.
    pub fn reply_everywhere(&mut self, event: Event) {
        let sessions = self.view(|view| view.me().and_then(|me| view.hall().user(me)).map(|user| user.sessions.clone()));
        let spoken = Arc::new(Spoken::fleeting(event.clone()));
        for session in sessions.into_iter().flatten().filter(|session| *session != self.caller.session) {
            self.server.sequencer.show(session, Arc::clone(&spoken));
        }
        self.reply(event);
    }

    /// Submits an intent, and learns at once what becomes of it. Others see its effects when it is durable, and
    /// so does the reader of the answer.
    ///
    /// # Errors
    /// The hall's refusal.
    pub fn submit(&self, act: Act) -> Result<Receipt, Refusal> {
        self.server.submit(Intent { origin: self.caller.session, act })
    }

    /// Submits what ends sessions of others, and waits until they have left: the answer comes behind all that others see
    /// of it.
    ///
    /// # Errors
    /// The hall's refusal.
    pub async fn put_out(&self, act: Act, sessions: Vec<SessionId>) -> Outcome {
        self.server.put_out(Intent { origin: self.caller.session, act }, sessions).await
    }

    /// Says something, and replies that it was sent.
    ///
    /// # Errors
    /// As the hall decides: blocked, yourself, too long.
    pub fn say(&mut self, to: Recipient, addressee: chinwag_wire::Addressee, text: String) -> Outcome {
        let key = self.marks.key.clone().filter(|_| !Fault::ForgetKeys.is_on());
        let receipt = self.submit(Act::Say { to, text, key })?;
        if !receipt.again {
            self.server.tally.said.fetch_add(1, Ordering::Relaxed);
        }
        let Receipt { seq, at, kept, missed, again } = receipt;
        self.reply(Event::Sent { seq, at, to: addressee, kept, missed, again });
        Ok(())
    }

    /// Says something about an earlier message that whoever typed the line is entitled to, or does something to it.
    ///
    /// # Errors
    /// `no-such-message`; as the hall decides: somebody else's, blocked, muted; `store-failing`.
    pub async fn amend(&mut self, which: Which, deed: Deed, text: String) -> Outcome {
        let user = self.user()?;
        let (of, joined) = self.view(|view| {
            let of = view.my_room().map_or(PastOf::All, |(room, _, member)| {
                if user.is_guest() { PastOf::RoomSince(room, member.since) } else { PastOf::Room(room) }
            });
            // Whoever names a number may mean one from elsewhere.
            let of = if matches!(which, Which::Numbered(_)) && !user.is_guest() { PastOf::All } else { of };
            (of, view.hall().user(user).map_or(u64::MAX, |user| user.joined))
        });
        let page = self.server.library.read(Question::Find { user, after: joined, of, which }).await?;
        let gone = page.gone;
        let (Some(said), Some(found)) = (page.said.into_iter().next(), page.found) else {
            let text = match which {
                Which::Numbered(seq) => format!("there is no message #{seq} for you"),
                Which::Back(1) => "nothing has been said here".to_owned(),
                Which::Back(count) => format!("fewer than {count} things have been said here"),
                Which::OwnBack(1) => "you have said nothing here".to_owned(),
                Which::OwnBack(count) => format!("you have said fewer than {count} things here"),
            };
            return Err(Refusal::new(code::NO_SUCH_MESSAGE, text + &not_kept(gone)).hint("`history` shows what there is; 1 is the last"));
        };
        if deed == Deed::Unreact && !found.reacted {
            return Err(Refusal::new(code::NO_SUCH_MESSAGE, "you have not reacted to this").hint("react N WITH does"));
        }
        let quoted = if deed == Deed::Delete || deed == Deed::Edit { String::new() } else { crate::store::shortened(&said.text) };
        let amend = Amend { seq: said.seq, by: found.from, by_name: said.from.clone(), audience: found.audience, quoted, deed, text };
        let key = self.marks.key.clone().filter(|_| !Fault::ForgetKeys.is_on());
        let Receipt { seq, at, kept, missed, again } = self.submit(Act::Amend { amend, key })?;
        let to = match said.to {
            Addressee::User(_) if found.from != user => Addressee::User(said.from),
            to => to,
        };
        self.reply(Event::Sent { seq, at, to, kept, missed, again });
        Ok(())
    }

    /// Shows a fact to everyone online who does not hide from whoever typed the line, and to them.
    ///
    /// # Errors
    /// As the hall decides.
    pub fn show_everyone(&self, fact: Fact) -> Outcome {
        self.submit(Act::Show { to: ShowTo::Everyone, fact }).map(drop)
    }

    /// Shows a fact to one user who is online.
    ///
    /// # Errors
    /// As the hall decides: blocked, not online.
    pub fn show(&self, to: UserId, fact: Fact) -> Outcome {
        self.submit(Act::Show { to: ShowTo::User(to), fact }).map(drop)
    }

    /// Reads what was said before, as far as whoever typed the line was entitled to it.
    ///
    /// # Errors
    /// `guests` for guests, who have no past but that of the room they are in; `store-failing`.
    pub async fn past(&self, of: PastOf, before: Option<u64>, count: usize) -> Result<Page, Refusal> {
        let user = self.user()?;
        let joined = self.view(|view| view.hall().user(user).map_or(u64::MAX, |user| user.joined));
        self.read_past(of, joined, before, count).await
    }

    /// Looks for what was said before, as far as whoever typed the line was entitled to it.
    ///
    /// # Errors
    /// As [`Ctx::past`].
    pub async fn search(&self, looked_for: LookedFor, count: usize) -> Result<Page, Refusal> {
        let user = self.user()?;
        let after = self.view(|view| view.hall().user(user).map_or(u64::MAX, |user| user.joined));
        let LookedFor { of, from, before, since, wanted } = looked_for;
        let of = self.entitled(of)?;
        self.server.library.read(Question::Search(Search { user, after, of, from, before, since, wanted, count })).await
    }

    /// Reads what whoever typed the line said or was entitled to after a number, the oldest first, a page of it.
    ///
    /// # Errors
    /// `guests` for guests; `store-failing`.
    pub async fn onward(&self, after: u64) -> Result<Page, Refusal> {
        let user = self.user()?;
        if user.is_guest() {
            return Err(Need::Account.refusal());
        }
        let joined = self.view(|view| view.hall().user(user).map_or(u64::MAX, |user| user.joined));
        self.server.library.read(Question::Onward { user, after: after.max(joined), count: PAGE_MAX }).await
    }

    async fn read_past(&self, of: PastOf, after: u64, before: Option<u64>, count: usize) -> Result<Page, Refusal> {
        let user = self.user()?;
        let of = self.entitled(of)?;
        self.server.library.read(Question::Past { user, after, before, of, count }).await
    }

    /// What there is of a part of the past for whoever typed the line.
    fn entitled(&self, of: PastOf) -> Result<PastOf, Refusal> {
        let user = self.user()?;
        Ok(match of {
            PastOf::Room(room) if user.is_guest() => {
                let since = self.view(|view| Some(view.hall().room(room)?.members.get(&user)?.since));
                // A guest belongs to no room but the one they are in.
                PastOf::RoomSince(room, since.unwrap_or(u64::MAX))
            }
            PastOf::All | PastOf::With(_) if user.is_guest() => {
                return Err(Refusal::new(code::GUESTS, "nothing is kept for guests").hint("register NAME PASSWORD to have a history"));
            }
            of => of,
        })
    }

    /// Replies with a page of the past, and with how to ask for what is before it.
    ///
    /// Where it might go on before what is kept, it says so first.
    pub fn reply_past(&mut self, page: Page) {
        self.replies.extend(page.gone.map(|gone| Event::Fact(gone_up_to(gone))));
        let next = page.said.first().map(|oldest| oldest.seq).filter(|_| page.more);
        let end = Event::PastEnd { count: page.said.len(), more: page.more, next };
        self.replies.extend(page.said.into_iter().map(Event::Past));
        self.reply(end);
    }

    /// Sends the answers there are so far: what follows is answered behind what happens meanwhile.
    pub fn flush(&mut self) {
        let mut bytes = Vec::new();
        for event in self.replies.drain(..) {
            dialect::ALL[self.caller.dialect].answer(&event, &self.marks, false, &mut bytes);
        }
        if !bytes.is_empty() {
            self.server.sequencer.reply(self.caller.session, self.caller.dialect, bytes);
        }
    }

    /// Asks somebody for a private chat; or agrees, if they have asked.
    ///
    /// # Errors
    /// As the hall decides: blocked, not online, asked or open already, too many; `needs-client` without an offer.
    pub fn ask_private(&mut self, whom: UserId, name: &str, offer: Option<Box<Offer>>) -> Outcome {
        let user = self.user()?;
        let receipt = self.submit(Act::AskPrivate { whom, offer })?;
        // Whoever has agreed by it has been told what there is to know.
        if !self.view(|view| view.hall().is_private_between(user, whom)) {
            let expires = receipt.at.plus(OFFER_LIFE);
            let told = Fact::new("private-offered", format!("* {name} is asked for a private chat, and has until {expires}"));
            self.reply(Event::Fact(told.with("name", name).with("expires", expires.0)));
        }
        Ok(())
    }

    /// Wants a private chat to go through the server.
    ///
    /// # Errors
    /// As the hall decides: no private chat, blocked, not online, too many.
    pub fn relay_private(&self, whom: UserId) -> Outcome {
        let mut ticket = [0; 32];
        self.server.chance.fill(&mut ticket);
        self.submit(Act::RelayPrivate { whom, ticket: Token(ticket) }).map(drop)
    }

    /// Presents a ticket: behind the answer, this connection is one end of a relay.
    ///
    /// # Errors
    /// `bad-ticket`; `not-permitted` at the console, which is what it is.
    pub fn carry(&mut self, ticket: Token) -> Outcome {
        if self.caller.session == SessionId::CONSOLE {
            return Err(Refusal::new(code::NOT_PERMITTED, "the console cannot be an end of a relay").hint("connect to the server's port"));
        }
        let Receipt { seq, .. } = self.submit(Act::TakeTicket { ticket })?;
        self.caller.carries = Some(RelayEnd { relay: seq / 2, side: usize::from(seq % 2 == 1) });
        Ok(())
    }

    /// Makes a room and comes in.
    ///
    /// # Errors
    /// As the hall decides: bad or taken names, in a room already.
    pub fn create_room(&mut self, name: &str, nick: Option<String>) -> Outcome {
        self.submit(Act::CreateRoom { name: name.to_owned(), nick })?;
        tracing::info!(by = self.name, "New room {name} created");
        if let Some(entered) = self.view(|view| view.entered(true)) {
            self.reply_everywhere(entered);
        }
        Ok(())
    }

    /// Comes into a room, and hears what was said in it since the last time, if there was one.
    ///
    /// # Errors
    /// As the hall decides: banned, not invited, another password, in a room already; `busy`.
    pub async fn join_room(&mut self, room: RoomId, nick: Option<String>, password: Option<&str>) -> Outcome {
        let user = self.user()?;
        let (phc, heard) = self.view(|view| {
            let room = view.hall().room(room);
            let member = room.and_then(|room| room.members.get(&user)).filter(|member| !member.tuned_in);
            (room.and_then(|room| room.row.password.clone()), member.map(|member| member.heard))
        });
        let password = match (password, phc) {
            (Some(password), Some(phc)) if password.len() <= PASSWORD_MAX => {
                self.server.passwords.verify(password.to_owned(), phc.clone()).await?.then_some(phc)
            }
            _ => None,
        };
        // What was missed comes first, as far as it is known; the little that is said meanwhile comes behind.
        let mut heard = match heard {
            Some(heard) => Some(self.catch_up_in(room, heard, MISSED_SHOWN).await?),
            None => None,
        };
        self.flush();
        let receipt = self.submit(Act::JoinRoom { room, nick, password })?;
        if let Some(heard) = heard.as_mut().filter(|heard| **heard < receipt.seq) {
            *heard = self.catch_up_in(room, *heard, MISSED_SHOWN).await?;
        }
        if let Some(entered) = self.view(|view| view.entered(false)) {
            self.reply_everywhere(entered);
        }
        Ok(())
    }

    /// Goes out of a room, or `resign`s from it; of the rooms that are left, says which one what is typed goes to now.
    ///
    /// # Errors
    /// As the hall decides: not in it; the last owner.
    pub fn leave_room(&mut self, room: RoomId, name: String, resign: bool) -> Outcome {
        let goes_to = |view: &View<'_>| view.my_room().ok().map(|(id, ..)| id);
        let before = self.view(goes_to);
        self.submit(if resign { Act::Resign { room } } else { Act::LeaveRoom { room } })?;
        self.reply_everywhere(Event::Left { room: name });
        if let Some(entered) = self.view(|view| view.entered(false).filter(|_| goes_to(view) != before)) {
            self.reply_everywhere(entered);
        }
        Ok(())
    }

    /// Replies with the newest of what was said in a room behind `after`. Says how far it has come.
    async fn catch_up_in(&mut self, room: RoomId, after: u64, count: usize) -> Result<u64, Refusal> {
        let page = self.read_past(PastOf::Room(room), after, None, count).await?;
        if !page.said.is_empty() {
            let through = page.through.max(after);
            self.reply_past(page);
            return Ok(through);
        }
        self.replies.extend(page.gone.map(|gone| Event::Fact(gone_up_to(gone))));
        Ok(page.through.max(after))
    }

    /// Hashes a password for a room.
    ///
    /// # Errors
    /// `weak-password` if it cannot be one; `busy`.
    pub async fn hash_room_password(&self, password: &str) -> Result<String, Refusal> {
        if password.len() > PASSWORD_MAX {
            let text = format!("the password is longer than {PASSWORD_MAX} bytes");
            return Err(Refusal::new(code::WEAK_PASSWORD, text).hint("choose a shorter one"));
        }
        self.server.passwords.hash(password.to_owned()).await
    }

    /// What has become of a message of whoever typed the line.
    ///
    /// # Errors
    /// `no-such-message`; `guests` for guests, whose numbers are used again; `store-failing`.
    pub async fn whereabouts(&self, which: Which) -> Result<(Said, Whereabouts), Refusal> {
        let user = self.user()?;
        if user.is_guest() {
            return Err(Refusal::new(code::GUESTS, "nothing is kept for guests").hint("register NAME PASSWORD to have a history"));
        }
        let page = self.server.library.read(Question::Find { user, after: 0, of: PastOf::All, which }).await?;
        let gone = page.gone;
        let found = page.said.into_iter().next().zip(page.found).filter(|(_, found)| found.from == user);
        let Some((said, Found { audience, hidden_from, .. })) = found else {
            let text = match which {
                Which::Back(_) | Which::OwnBack(_) => "you have not said that many messages".to_owned(),
                Which::Numbered(seq) => format!("number {seq} is no message of yours"),
            };
            return Err(Refusal::new(code::NO_SUCH_MESSAGE, text + &not_kept(gone)).hint("`history` shows what you said"));
        };
        let kept = Kept { seq: said.seq, at: said.at, audience, hidden_from: &hidden_from };
        let whereabouts = self.view(|view| view.hall().whereabouts(user, kept));
        Ok((said, whereabouts))
    }

    /// The clock.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.server.clock.now()
    }

    /// Since when the server runs.
    #[must_use]
    pub fn started(&self) -> Millis {
        self.server.started
    }

    /// A number from 1 to `sides`.
    #[must_use]
    pub fn roll(&self, sides: u32) -> u32 {
        self.server.chance.roll(sides)
    }

    /// Speaks another dialect from the answer on.
    ///
    /// # Errors
    /// `unknown-dialect`; `not-permitted` on a wire, which is what it is.
    pub fn speak(&mut self, name: &str) -> Outcome {
        if let Some(wire) = self.caller.wire {
            let text = format!("this connection speaks {} and nothing else", wire.name());
            return Err(Refusal::new(code::NOT_PERMITTED, text).hint("connect to the port of the line-mode dialects"));
        }
        self.view(|view| Need::LoggedOut.check_console(view))?;
        let Some(dialect) = dialect::index_of(name) else {
            let known: Vec<&str> = dialect::ALL.iter().map(|dialect| dialect.name()).collect();
            let text = format!("there is no dialect `{}`", chinwag_wire::name::shortened(name));
            return Err(Refusal::new(code::UNKNOWN_DIALECT, text).hint(format!("there are {}", known.join(", "))));
        };
        self.caller.dialect = dialect;
        let spoken = dialect::ALL[dialect];
        if self.user.is_some() {
            self.submit(Act::SpeakAs { acknowledges: spoken.acknowledges() })?;
        }
        if spoken.wants_cards() {
            self.reply(self.server.hello());
        }
        self.reply(Event::Dialect { name: spoken.name().to_owned() });
        if spoken.wants_cards() {
            self.reply(Event::Cards { cards: self.cards() });
        }
        Ok(())
    }

    /// The next login on this connection starts after `seq`.
    pub fn start_after(&mut self, seq: u64) {
        self.caller.after = Some(seq);
    }

    /// Makes an account and logs in.
    ///
    /// # Errors
    /// Bad or taken names, unusable passwords, no invite where one is needed, `busy`.
    pub async fn register(&mut self, name: &str, password: &str, invite: Option<&str>) -> Outcome {
        let invite = self.check_invited(invite)?;
        self.check_password(password)?;
        // Before the work of hashing; the hall looks again when it decides.
        self.check_may_take(name)?;
        self.view(|view| view.hall().check_free(name, NameOf::Account))?;
        let password = self.server.passwords.hash(password.to_owned()).await?;
        let (address, acknowledges, private) = (self.caller.address, self.acknowledges(), self.hears_private());
        let receipt = self.come_in(Act::Register { name: name.to_owned(), password, invite, address, acknowledges, private })?;
        self.greet(receipt.seq, true);
        Ok(())
    }

    /// Logs in with a password.
    ///
    /// # Errors
    /// Unknown name, wrong password, locked out (the connection then ends), session exists, `busy`.
    pub async fn log_in(&mut self, name: &str, password: &str) -> Outcome {
        self.view(|view| Need::LoggedOut.check_console(view))?;
        if self.user.is_some() {
            // A program that registers and then logs in is where it wants to be.
            if folded(&self.name) == folded(name) {
                self.greet(self.view(|view| view.hall().head()), false);
                return Ok(());
            }
            return Err(Need::LoggedOut.refusal());
        }
        let now = self.now();
        let found = self.view(|view| {
            let (user, known) = view.hall().named(name)?;
            Some((user, known.password.clone()?, view.hall().locked_for(name, self.caller.address, now)))
        });
        let Some((user, phc, locked)) = found else {
            let text = format!("there is no user `{}`", chinwag_wire::name::shortened(name));
            return Err(Refusal::new(code::NO_SUCH_USER, text)
                .hint(format!("to sign up: register {} PASSWORD", chinwag_wire::name::shortened(name))));
        };
        if let Some(left) = locked {
            self.caller.leaving = Some(Departure::Disconnected);
            return Err(crate::hall::locked_out(name, left));
        }
        if password.len() > PASSWORD_MAX || !self.server.passwords.verify(password.to_owned(), phc.to_string()).await? {
            let refusal = self.submit(Act::LoginFailed { name: name.to_owned(), address: self.caller.address }).err();
            let refusal = refusal.unwrap_or_else(|| Refusal::new(code::WRONG_PASSWORD, "the password is wrong"));
            if refusal.code == code::LOCKED_OUT {
                self.caller.leaving = Some(Departure::Disconnected);
            }
            return Err(refusal);
        }
        if self.server.settings().newer_session_wins {
            self.make_room(user, None).await;
        }
        let after = self.caller.after;
        let receipt = self.come_in(Act::Login {
            user,
            password: Some(phc),
            token: None,
            address: self.caller.address,
            after,
            acknowledges: self.acknowledges(),
            private: self.hears_private(),
        })?;
        self.greet(receipt.seq, false);
        Ok(())
    }

    /// Logs in with a session token, in place of an older session with the same token.
    ///
    /// # Errors
    /// `bad-token`, session exists.
    pub async fn resume(&mut self, token: &str, after: Option<u64>) -> Outcome {
        let hash = token_hash(token);
        let now = self.now();
        let (owner, older) = self.view(|view| {
            let owner = view.hall().token_owner(&hash, now);
            let sessions = owner.and_then(|owner| view.hall().user(owner)).map(|user| user.sessions.clone()).unwrap_or_default();
            (
                owner,
                sessions
                    .into_iter()
                    .filter(|id| view.hall().session(*id).is_some_and(|session| session.token == Some(hash)))
                    .filter(|id| !view.hall().is_replaced(*id, Some(hash)))
                    .collect::<Vec<_>>(),
            )
        });
        let Some(user) = owner else { return Err(crate::hall::bad_token()) };
        for session in older {
            self.server.evict(self.caller.session, session).await;
        }
        if self.server.settings().newer_session_wins {
            self.make_room(user, Some(hash)).await;
        }
        let after = after.or(self.caller.after);
        let receipt = self.come_in(Act::Login {
            user,
            password: None,
            token: Some(hash),
            address: self.caller.address,
            after,
            acknowledges: self.acknowledges(),
            private: self.hears_private(),
        })?;
        self.greet(receipt.seq, false);
        Ok(())
    }

    /// Comes in without an account.
    ///
    /// # Errors
    /// Bad or taken names.
    pub fn come_as_guest(&mut self, name: Option<String>) -> Outcome {
        let (address, acknowledges, private) = (self.caller.address, self.acknowledges(), self.hears_private());
        let receipt = self.come_in(Act::Guest { name, address, acknowledges, private })?;
        self.greet(receipt.seq, false);
        Ok(())
    }

    /// Says goodbye and ends the connection.
    pub fn log_out(&mut self) {
        self.caller.leaving = Some(Departure::LoggedOut);
        self.reply(Event::Goodbye);
    }

    /// Replaces the password; all session tokens end.
    ///
    /// # Errors
    /// Wrong old password (counted like one at login), unusable new one, `busy`.
    pub async fn change_password(&mut self, old: &str, new: &str) -> Outcome {
        self.check_own_password(old).await?;
        self.check_password(new)?;
        let password = self.server.passwords.hash(new.to_owned()).await?;
        self.submit(Act::ChangePassword { password })?;
        self.reply(Event::Done);
        Ok(())
    }

    /// Deletes the account and ends the connection; with `forget`, everything that was said by it or to it alone goes too.
    ///
    /// # Errors
    /// Wrong password (counted like one at login), `last-owner`, `busy`.
    pub async fn delete_account(&mut self, password: &str, forget: bool) -> Outcome {
        self.check_own_password(password).await?;
        self.submit(Act::DeleteAccount { forget })?;
        self.caller.leaving = Some(Departure::LoggedOut);
        self.reply(Event::Goodbye);
        Ok(())
    }

    /// Gives out a session token.
    ///
    /// # Errors
    /// `guests` for guests.
    pub fn issue_token(&mut self) -> Outcome {
        // 128 bits: not to be guessed, whatever the rate.
        let token = self.server.chance.hex(16);
        let expires = self.now().plus(self.server.settings().token_life);
        self.submit(Act::IssueToken { hash: token_hash(&token), expires })?;
        self.reply(Event::Token { token, expires });
        Ok(())
    }

    async fn check_own_password(&mut self, password: &str) -> Outcome {
        let user = self.user()?;
        let now = self.now();
        let (phc, locked) = self.view(|view| {
            let phc = view.hall().user(user).and_then(|user| user.password.clone());
            (phc, view.hall().locked_for(&self.name, self.caller.address, now))
        });
        if let Some(left) = locked {
            return Err(crate::hall::locked_out(&self.name, left));
        }
        let phc = phc.ok_or_else(|| Need::Account.refusal())?;
        if password.len() <= PASSWORD_MAX && self.server.passwords.verify(password.to_owned(), phc.into()).await? {
            return Ok(());
        }
        match self.submit(Act::LoginFailed { name: self.name.clone(), address: self.caller.address }) {
            Err(refusal) => Err(refusal),
            Ok(_) => Err(Refusal::new(code::WRONG_PASSWORD, "the password is wrong")),
        }
    }

    /// Submits what begins a session. Who is banned is not asked again: the connection ends.
    fn come_in(&mut self, act: Act) -> Result<Receipt, Refusal> {
        let result = self.submit(act);
        if result.as_ref().is_err_and(|refusal| refusal.code == code::BANNED) {
            self.caller.leaving = Some(Departure::Disconnected);
        }
        result
    }

    /// Whether one may register with this code, where one is needed; and which one the hall has to count. It looks
    /// again when it decides: this is before the work of hashing.
    fn check_invited(&self, given: Option<&str>) -> Result<Option<InviteCode>, Refusal> {
        let settings = self.server.settings();
        let Registration::Invited(codes) = &settings.registration else { return Ok(None) };
        let Some(given) = given else {
            let text = "an invite code is needed to register here";
            return Err(Refusal::new(code::INVITE, text).hint("register NAME PASSWORD INVITE"));
        };
        if codes.iter().any(|code| same(code, given)) {
            return Ok(None);
        }
        let code = invite_code(given).filter(|code| self.view(|view| view.hall().is_invited(*code, view.now)));
        code.map(Some).ok_or_else(crate::hall::bad_invite)
    }

    /// Makes an invite: a code that so many can register with until then. Only here and now is the whole code known.
    /// Gives its number, too.
    ///
    /// # Errors
    /// As the hall decides: not permitted, too many.
    pub fn invite(&mut self, uses: u32, expires: Millis) -> Result<(u64, String), Refusal> {
        let secret = self.server.chance.word(INVITE_SECRET);
        let number = self.submit(Act::Invite { hash: token_hash(&secret), uses, expires })?.seq;
        Ok((number, format!("{number}-{secret}")))
    }

    /// Who may make an account.
    #[must_use]
    pub fn registration(&self) -> Registration {
        self.server.settings().registration.clone()
    }

    /// Reads the configuration and the certificate again.
    ///
    /// # Errors
    /// `bad-configuration`, after replies that tell every mistake; then nothing has changed.
    pub async fn reload(&mut self) -> Result<Vec<Change>, Refusal> {
        let (host, origin) = (self.server.host()?, self.caller.session);
        match smol::unblock(move || host.reload(origin)).await {
            Ok(changes) => Ok(changes),
            Err(mistakes) => {
                for line in mistakes {
                    self.reply(Event::Fact(Fact::new("mistake", line)));
                }
                Err(Refusal::new(code::BAD_CONFIGURATION, "the configuration has mistakes: nothing was changed")
                    .hint("correct them, then reload again"))
            }
        }
    }

    /// Copies the store into a new file; says how many bytes it has.
    ///
    /// # Errors
    /// `backup-failed`.
    pub async fn back_up(&self, into: PathBuf) -> Result<u64, Refusal> {
        let host = self.server.host()?;
        // What has been acknowledged is in the copy.
        self.server.sequencer.settled().await;
        let made = smol::unblock(move || host.back_up(&into)).await;
        made.map_err(|why| Refusal::new(code::BACKUP_FAILED, why).hint("the store itself is as it was"))
    }

    /// What `stats` tells.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (sequencer, tally) = (&self.server.sequencer, &self.server.tally);
        let (rows_waiting, outputs_waiting) = sequencer.waiting();
        let certificate = self.server.host().ok().map(|host| host.certificate());
        Stats {
            log: self.server.log().to_owned(),
            started: self.server.started,
            connections: tally.connections(),
            said: tally.said(),
            ended: tally.ended().into_iter().collect(),
            delayed: tally.delayed(),
            flooders: tally.flooders(),
            commits: sequencer.commits(),
            committing: sequencer.committing(),
            store_failing: sequencer.is_failing(),
            rows_waiting,
            outputs_waiting,
            passwords_waiting: self.server.passwords.waiting(),
            relayed_bytes: tally.relayed_bytes(),
            certificate,
        }
    }

    /// The last deeds of operators, oldest first.
    ///
    /// # Errors
    /// `store-failing`.
    pub async fn deeds(&self, count: usize) -> Result<Vec<DeedLine>, Refusal> {
        self.server.library.deeds(count).await
    }

    /// Whoever registers the name of an operator to be is one: that has to be done from the server's own machine.
    fn check_may_take(&self, name: &str) -> Outcome {
        let is_operators = self.view(|view| view.hall().policy().operators.contains(&chinwag_wire::name::folded(name)));
        if is_operators && !self.caller.address.is_loopback() {
            return Err(Refusal::new(code::RESERVED_NAME, format!("the name `{name}` is kept for an operator"))
                .hint("register it from the machine that the server runs on"));
        }
        Ok(())
    }

    fn check_password(&self, password: &str) -> Outcome {
        let least = self.server.settings().password_chars;
        if password.len() > PASSWORD_MAX {
            let text = format!("the password is longer than {PASSWORD_MAX} bytes");
            return Err(Refusal::new(code::WEAK_PASSWORD, text).hint("choose a shorter one"));
        }
        if password.chars().count() < least {
            let text = format!("the password has fewer than {least} characters");
            return Err(Refusal::new(code::WEAK_PASSWORD, text).hint("choose a longer one"));
        }
        Ok(())
    }

    /// Ends older sessions of `user` until there is room for one more, but not those that a login with `token` takes the
    /// place of by itself.
    async fn make_room(&self, user: UserId, token: Option<TokenHash>) {
        let most = self.view(|view| view.hall().policy().sessions_per_user);
        loop {
            let oldest = self.view(|view| {
                let stay = |id: &&SessionId| !view.hall().is_replaced(**id, token);
                let sessions = &view.hall().user(user)?.sessions;
                (sessions.iter().filter(stay).count() >= most).then(|| sessions.iter().find(stay).copied())?
            });
            let Some(oldest) = oldest else { return };
            self.server.evict(self.caller.session, oldest).await;
        }
    }

    fn acknowledges(&self) -> bool {
        match self.caller.wire {
            Some(wire) => wire.acknowledges(),
            None => dialect::ALL[self.caller.dialect].acknowledges(),
        }
    }

    /// Whether this connection has words for private chats.
    fn hears_private(&self) -> bool {
        match self.caller.wire {
            Some(_) => self.caller.wire_hears_private,
            None => dialect::ALL[self.caller.dialect].hears_private(),
        }
    }

    /// What a login is answered with.
    fn greet(&mut self, seq: u64, registered: bool) {
        self.caller.after = None;
        let wants_cards = self.caller.wire.is_none() && dialect::ALL[self.caller.dialect].wants_cards();
        let wants_roster = wants_cards || self.caller.wire.is_some_and(Wire::wants_roster);
        let server = Arc::clone(&self.server);
        let (welcome, for_programs) = self.view(|view| {
            let me = view.me().and_then(|id| Some((id, view.hall().user(id)?)));
            let (guest, name) = me.map_or((false, String::new()), |(id, user)| (id.is_guest(), user.name.to_string()));
            let cards = wants_cards.then(|| Event::Cards { cards: server.cards_for(view) });
            let roster = wants_roster.then(|| {
                let mut others: Vec<(UserId, &User)> = view.others_online().take(ROSTER_MAX + 1).collect();
                let more = others.len() > ROSTER_MAX;
                others.truncate(ROSTER_MAX);
                let names = others.iter().map(|(_, user)| user.name.to_string()).collect();
                let idle = others.iter().filter_map(|(id, user)| Some((user.name.to_string(), view.idle(*id)?))).collect();
                // Of very many rooms a part: a login is not the time to look at them all.
                let listed = view.hall().rooms(view.now).take(8 * ROSTER_MAX).map(|(_, room)| room).filter(|room| view.lists(room));
                let mut rooms: Vec<String> = listed.take(ROSTER_MAX + 1).map(|room| room.row.name.clone()).collect();
                let more = more || rooms.len() > ROSTER_MAX;
                rooms.truncate(ROSTER_MAX);
                rooms.sort_unstable();
                Event::Roster { names, rooms, idle, more }
            });
            (Event::Welcome { name, registered, guest, seq }, cards.into_iter().chain(roster))
        });
        if let Event::Welcome { name, guest, .. } = &welcome {
            tracing::info!(%name, address = %self.caller.address, guest, "{}", if registered { "registered" } else { "logged in" });
        }
        self.reply(welcome);
        for event in for_programs {
            self.reply(event);
        }
        // Whose link had dropped is where they were.
        let rooms = self.view(|view| view.all_entered());
        self.replies.extend(rooms);
    }
}

impl Need {
    pub(crate) fn check(self, view: &View<'_>) -> Result<(), Refusal> {
        let met = match self {
            Need::LoggedIn => view.me().is_some(),
            Need::Account => view.me().is_some_and(|me| !me.is_guest()),
            Need::LoggedOut => view.me().is_none() && !view.is_console(),
            Need::GuestsAllowed => view.settings.guests,
            Need::RegistrationOpen => view.settings.registration != Registration::Closed,
            Need::PrivateAllowed => view.hall().policy().private,
            Need::RelayAllowed => view.hall().policy().private && view.hall().policy().relay,
            Need::LoggedInOrConsole => view.me().is_some() || view.is_console(),
            Need::Operator => view.is_operator(),
            Need::Console => view.is_console(),
        };
        match self {
            _ if met => Ok(()),
            Need::LoggedIn | Need::Account | Need::LoggedOut if view.is_console() => Err(crate::hall::not_for_console()),
            Need::Operator if view.me().is_none() => Err(Need::LoggedIn.refusal()),
            Need::Account if view.me().is_none() => Err(Need::LoggedIn.refusal()),
            _ => Err(self.refusal()),
        }
    }

    /// Refuses at the console what takes a connection, whatever else is needed.
    fn check_console(self, view: &View<'_>) -> Result<(), Refusal> {
        if view.is_console() { self.check(view) } else { Ok(()) }
    }

    fn refusal(self) -> Refusal {
        match self {
            Need::LoggedIn | Need::LoggedInOrConsole => Refusal::new(code::NOT_LOGGED_IN, "you are not logged in")
                .hint("login NAME PASSWORD, or register NAME PASSWORD if you are new"),
            Need::Account => Refusal::new(code::GUESTS, "guests have no account").hint("logout, then register NAME PASSWORD"),
            Need::GuestsAllowed => Refusal::new(code::GUESTS, "guests are not allowed here").hint("register NAME PASSWORD"),
            Need::RegistrationOpen => {
                Refusal::new(code::REGISTRATION_CLOSED, "registration is closed here").hint("ask the operator for an account")
            }
            Need::PrivateAllowed => crate::hall::private_off(),
            Need::RelayAllowed => crate::hall::relay_off(),
            Need::Operator => crate::hall::not_permitted(),
            Need::Console => Refusal::new(code::NOT_PERMITTED, "only the server's console may do this")
                .hint("on the server's machine: chinwagd ctl COMMAND"),
            Need::LoggedOut => Refusal::new(code::ALREADY_LOGGED_IN, "you are logged in already").hint("logout first"),
        }
    }
}

/// What was said up to this moment is not kept any more, and what is asked for may have begun there.
#[must_use]
pub fn gone_up_to(gone: Millis) -> Fact {
    Fact::new("gone", format!("* what was said up to {gone} is not kept any more; since then:")).with("until", gone.0)
}

/// The end of a sentence about something that is not there.
fn not_kept(gone: Option<Millis>) -> String {
    gone.map_or(String::new(), |gone| format!(": what was said up to {gone} is not kept any more"))
}

/// How long the secret of an invite is: 80 bits, not to be guessed through a login prompt or from its hash.
const INVITE_SECRET: usize = 16;

fn invite_code(code: &str) -> Option<InviteCode> {
    let (number, secret) = code.split_once('-')?;
    Some(InviteCode { number: number.parse().ok()?, hash: token_hash(secret) })
}

fn token_hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// Compares without telling by the time it takes where the first difference is.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
