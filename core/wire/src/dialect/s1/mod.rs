//! `s1`: a chat protocol of two sockets for each user, in which a sender hears that its recipient has the message. The
//! README beside this file is its reference.
//!
//! A user's session is on the socket that registered first; the other one is a part of it. What a user is sent waits in
//! a queue, and one message of it at a time is out and not acknowledged. Because deliveries come before answers, all
//! queues that a message has to pass are known when its sender is answered that it is stored: the sender hears so when
//! it has passed all of them.

pub mod frame;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use self::frame::{ENDINGS, Ended, Frame, Frames, Way};
use super::text;
use super::wire::{Effect, Effects, Peer, Protocol, Setup, Wire, check_options, choice};
use crate::event::{Addressee, Event, Said};
use crate::name::folded;
use crate::refusal::{Code, Refusal, code};

/// How the protocol writes that something is for everyone.
pub const ALL: &str = "ALL";

/// How long a recipient has for its acknowledgement, unless the entry says otherwise: a person does not wait longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a socket may wait for the other one of its pair: programs open both at once, people type.
const PAIRING: Duration = Duration::from_secs(60);

/// How many messages may wait for a user: what a busy hour brings. Whoever has more does not read.
const QUEUE_MAX: usize = 1000;

/// How many messages that did not reach somebody are remembered after everyone has answered and before their senders
/// are told that they are stored: that is one commit away.
const FAILED_MAX: usize = 1000;

const MALFORMED: &str = "ERROR 100 Malformed username";
const NOT_REGISTERED: &str = "ERROR 101 No user registered";
const UNABLE: &str = "ERROR 102 Unable to send";
const INCOMPLETE: &str = "ERROR 103 Header Incomplete";
const TAKEN: &str = "ERROR 104 Username taken";

/// The protocol as a wire of the server.
pub struct S1;

impl Wire for S1 {
    fn name(&self) -> &'static str {
        "s1"
    }

    fn about(&self) -> &'static str {
        "S1 (two sockets, end-to-end acknowledgement)"
    }

    fn plain(&self) -> bool {
        true
    }

    fn guests(&self) -> bool {
        true
    }

    fn gathers(&self) -> bool {
        true
    }

    fn acknowledges(&self) -> bool {
        true
    }

    fn wants_roster(&self) -> bool {
        false
    }

    fn options(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("acknowledgement", "`send` or `sent`: what a sender is told that did not register TORECV first"),
            ("taken", "`refuse` a name that is in use, or `replace` whoever uses it here"),
            ("offline", "`refuse` what is stored for an account that is away, or `accept` it: what its sender is told"),
            ("patience", "how long a recipient has for its acknowledgement: `10s`"),
            ("account.NAME", "the password of this account, which whoever registers the name then is"),
        ]
    }

    fn start(&self, setup: &Setup) -> Result<Box<dyn Protocol>, String> {
        check_options(self, setup)?;
        let patience = match setup.options.get("patience") {
            None => PATIENCE,
            Some(text) => crate::time::read_duration(text).map_err(|why| format!("`patience`: {why}"))?,
        };
        let account = |(option, password): (&String, &String)| Some((folded(option.strip_prefix("account.")?), password.clone()));
        Ok(Box::new(Exchange {
            text_bytes: setup.text_bytes,
            says_sent: choice(setup, "acknowledgement", &["send", "sent"])? == Some("sent"),
            replaces: choice(setup, "taken", &["refuse", "replace"])? == Some("replace"),
            accepts_offline: choice(setup, "offline", &["refuse", "accept"])? == Some("accept"),
            patience,
            accounts: setup.options.iter().filter_map(account).collect(),
            sockets: HashMap::new(),
            users: HashMap::new(),
            under_way: HashMap::new(),
            failed: VecDeque::new(),
            alarms: BTreeSet::new(),
        }))
    }
}

/// One socket.
#[derive(Debug)]
struct Socket {
    frames: Frames,
    address: IpAddr,
    /// How its program ends its frames.
    ending: &'static str,
    /// Nothing that comes is understood any more.
    lost: bool,
    /// Whose it is, by the session, and for what.
    user: Option<(Peer, Way)>,
    /// When what it has sent is a whole frame, if nothing more comes.
    settles: Option<Duration>,
}

/// A wish to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wish {
    peer: Peer,
    way: Way,
    /// As it was sent.
    name: String,
}

/// What a session has asked for and has not been answered.
#[derive(Debug)]
enum Asked {
    /// To come in.
    Login,
    /// To say something to `to`.
    Send { to: String },
    /// To note what has been read.
    Seen,
}

/// One user, by the session.
#[derive(Debug)]
struct User {
    /// The wish that began it.
    first: Wish,
    /// Let in under this name.
    name: Option<String>,
    is_guest: bool,
    to_send: Option<Peer>,
    to_recv: Option<Peer>,
    /// Waits for the first to be let in.
    second: Option<Wish>,
    /// Waits for this one to be gone.
    successor: Vec<Wish>,
    asked: VecDeque<Asked>,
    queue: VecDeque<Item>,
    /// The number of the message that is out, who said it, and until when it may be.
    out: Option<(u64, String, Duration)>,
}

/// Something to be forwarded.
#[derive(Debug)]
struct Item {
    seq: u64,
    from: String,
    text: String,
}

/// A message that is in somebody's queue, or out.
#[derive(Debug, Default)]
struct UnderWay {
    /// How many have to answer.
    left: usize,
    /// Somebody has answered that it does not have it, or cannot answer.
    failed: bool,
    /// Who waits for the end of this: the session, to whom it was said, and until when it waits.
    sender: Option<(Peer, String, Duration)>,
}

/// Something that happens if nothing else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// The message that is out to this session should have been acknowledged.
    Out(Peer, u64),
    /// Whoever waits for this message has waited long enough.
    Sender(u64),
    /// This session should have had both sockets.
    Pair(Peer),
    /// What this socket has sent is a whole frame: nothing more has come.
    Settles(Peer),
}

/// Everyone.
struct Exchange {
    text_bytes: usize,
    says_sent: bool,
    replaces: bool,
    accepts_offline: bool,
    patience: Duration,
    /// Passwords by folded names.
    accounts: HashMap<String, String>,
    sockets: HashMap<Peer, Socket>,
    /// By their sessions.
    users: HashMap<Peer, User>,
    under_way: HashMap<u64, UnderWay>,
    /// Messages that are not under way any more and did not reach everyone.
    failed: VecDeque<u64>,
    alarms: BTreeSet<(Duration, Alarm)>,
}

impl Protocol for Exchange {
    fn opened(&mut self, peer: Peer, address: IpAddr, _: &mut Effects) {
        let socket = Socket { frames: Frames::default(), address, ending: ENDINGS[0], lost: false, user: None, settles: None };
        self.sockets.insert(peer, socket);
    }

    fn heard(&mut self, peer: Peer, input: &[u8], out: &mut Effects) -> usize {
        let Some(socket) = self.sockets.get_mut(&peer).filter(|socket| !socket.lost) else { return input.len() };
        let (taken, frame) = socket.frames.take(input, self.text_bytes);
        let settles = socket.frames.open_for().map(|time| out.now + time);
        if let Some(before) = std::mem::replace(&mut socket.settles, settles) {
            self.alarms.remove(&(before, Alarm::Settles(peer)));
        }
        self.alarms.extend(settles.map(|at| (at, Alarm::Settles(peer))));
        if let Some((frame, ending)) = frame {
            self.frame(peer, (frame, ending), out);
        }
        taken
    }

    fn event(&mut self, peer: Peer, event: &Event, out: &mut Effects) {
        if let Event::Message(said) = event {
            self.deliver(peer, said, out);
        }
    }

    fn answer(&mut self, peer: Peer, events: &[Event], out: &mut Effects) {
        let Some(asked) = self.users.get_mut(&peer).and_then(|user| user.asked.pop_front()) else { return };
        match asked {
            Asked::Login => self.let_in(peer, events, out),
            Asked::Send { to } => self.stored(peer, to, events, out),
            Asked::Seen => {}
        }
    }

    fn caught_up(&mut self, _: Peer, _: &mut Effects) {}

    fn gone(&mut self, peer: Peer, out: &mut Effects) {
        let socket = self.sockets.remove(&peer);
        if let Some(at) = socket.as_ref().and_then(|socket| socket.settles) {
            self.alarms.remove(&(at, Alarm::Settles(peer)));
        }
        if let Some(user) = socket.and_then(|socket| socket.user).and_then(|(session, _)| self.users.get_mut(&session)) {
            user.to_send = user.to_send.filter(|socket| *socket != peer);
            user.to_recv = user.to_recv.filter(|socket| *socket != peer);
        }
        if self.users.contains_key(&peer) {
            self.forget(peer, out);
        }
    }

    fn due(&self) -> Option<Duration> {
        self.alarms.first().map(|(at, _)| *at)
    }

    fn time(&mut self, out: &mut Effects) {
        while let Some((_, alarm)) = self.alarms.first().copied().filter(|(at, _)| *at <= out.now) {
            self.alarms.pop_first();
            match alarm {
                Alarm::Out(session, seq) => {
                    if let Some(user) = self.users.get_mut(&session) {
                        user.out = None;
                    }
                    self.passed(seq, false, out);
                    self.forward(session, out);
                }
                Alarm::Sender(seq) => self.give_up(seq, out),
                Alarm::Pair(session) => out.push(Effect::Close(session)),
                Alarm::Settles(peer) => {
                    let Some(socket) = self.sockets.get_mut(&peer) else { continue };
                    socket.settles = None;
                    if let Some(frame) = socket.frames.settle(self.text_bytes) {
                        self.frame(peer, frame, out);
                    }
                }
            }
        }
    }

    fn held(&self, peer: Peer) -> usize {
        self.sockets.get(&peer).map_or(0, |socket| socket.frames.held())
    }

    fn hears_private(&self, _: Peer) -> bool {
        false
    }
}

impl Exchange {
    /// Says a line to a socket, ended as its program does.
    fn say(&self, to: Peer, line: &str, out: &mut Effects) {
        if let Some(socket) = self.sockets.get(&to) {
            out.frame(to, format!("{line}{}", socket.ending));
        }
    }

    /// Says that a frame of this socket comes to nothing.
    fn refuse(&self, to: Peer, line: &str, out: &mut Effects) {
        self.say(to, line, out);
        out.push(Effect::Wasted(to));
    }

    fn frame(&mut self, peer: Peer, (frame, ending): Ended, out: &mut Effects) {
        let Some(socket) = self.sockets.get_mut(&peer) else { return };
        if frame != Frame::Unknown {
            socket.ending = ending;
        }
        let complete = |exchange: &Exchange, session| {
            exchange.users.get(&session).is_some_and(|user| user.to_send.is_some() && user.to_recv.is_some())
        };
        match (socket.user, frame) {
            (None, Frame::Register(way, name)) => self.register(Wish { peer, way, name }, out),
            (Some(_), Frame::Register(..)) => self.refuse(peer, TAKEN, out),
            (Some((session, _)), Frame::Received(from)) => self.received(session, &from, out),
            (Some((session, Way::ToRecv)), Frame::Error) => self.not_received(session, out),
            (Some((session, Way::ToSend)), Frame::Send(to, body)) if complete(self, session) => self.send(session, peer, to, body, out),
            (Some((session, Way::ToSend)), Frame::Unreadable) if complete(self, session) => self.refuse(peer, UNABLE, out),
            (Some((session, Way::ToSend)), Frame::Incomplete | Frame::Unknown) if complete(self, session) => self.lose(peer, out),
            // It may acknowledge in words that nobody knows: then it has not, when its time is over.
            (Some((_, Way::ToRecv)), Frame::Incomplete | Frame::Unknown) => {}
            _ => self.refuse(peer, NOT_REGISTERED, out),
        }
    }

    /// What comes next on this socket nobody knows.
    fn lose(&mut self, peer: Peer, out: &mut Effects) {
        self.say(peer, INCOMPLETE, out);
        if let Some(socket) = self.sockets.get_mut(&peer) {
            socket.lost = true;
        }
        out.push(Effect::Close(peer));
    }

    fn register(&mut self, wish: Wish, out: &mut Effects) {
        if wish.name.is_empty() || !wish.name.bytes().all(|b| b.is_ascii_alphanumeric()) || wish.name.eq_ignore_ascii_case(ALL) {
            return self.refuse(wish.peer, MALFORMED, out);
        }
        let Some(address) = self.sockets.get(&wish.peer).map(|socket| socket.address) else { return };
        let held = self.users.iter().find(|(_, user)| user.first.name.eq_ignore_ascii_case(&wish.name));
        let Some((session, user)) = held.map(|(session, user)| (*session, user)) else { return self.begin(wish, out) };
        let same_address = self.sockets.get(&session).is_some_and(|socket| socket.address == address);
        let is_other_half = user.second.is_none() && (user.to_send.is_none() || user.to_recv.is_none()) && user.first.way != wish.way;
        if is_other_half && same_address {
            let is_in = user.name.is_some();
            // What it says next is for when it is one of two.
            out.push(Effect::Hold(wish.peer));
            if let Some(user) = self.users.get_mut(&session) {
                user.second = Some(wish);
            }
            if is_in {
                self.pair(session, out);
            }
        } else if self.replaces {
            out.push(Effect::Hold(wish.peer));
            if let Some(user) = self.users.get_mut(&session) {
                user.successor.push(wish);
            }
            out.push(Effect::Close(session));
        } else {
            self.refuse(wish.peer, TAKEN, out);
        }
    }

    /// Asks for the name. This socket has the session.
    fn begin(&mut self, wish: Wish, out: &mut Effects) {
        let session = wish.peer;
        match self.accounts.get(&folded(&wish.name)) {
            Some(password) => out.order(session, format!("login {}", wish.name), Some(password.clone())),
            None => out.order(session, "guest", Some(wish.name.clone())),
        }
        // What it says next depends on what becomes of this.
        out.push(Effect::Hold(session));
        let user = User {
            first: wish,
            name: None,
            is_guest: true,
            to_send: None,
            to_recv: None,
            second: None,
            successor: Vec::new(),
            asked: VecDeque::from([Asked::Login]),
            queue: VecDeque::new(),
            out: None,
        };
        self.users.insert(session, user);
    }

    fn let_in(&mut self, session: Peer, events: &[Event], out: &mut Effects) {
        out.push(Effect::Release(session));
        let Some(user) = self.users.get_mut(&session) else { return };
        let welcome = events.iter().find_map(|event| match event {
            Event::Welcome { name, guest, .. } => Some((name, guest)),
            _ => None,
        });
        let Some((name, guest)) = welcome else {
            let refusal = events.iter().find_map(|event| if let Event::Refusal(refusal) = event { Some(refusal) } else { None });
            let line = refusal.map_or(UNABLE, refused);
            if let Some(user) = self.users.remove(&session) {
                for wish in user.second.into_iter().chain(user.successor) {
                    out.push(Effect::Release(wish.peer));
                    self.say(wish.peer, line, out);
                }
            }
            return self.say(session, line, out);
        };
        user.name = Some(name.clone());
        user.is_guest = *guest;
        let wish = user.first.clone();
        self.alarms.insert((out.now + PAIRING, Alarm::Pair(session)));
        self.has(session, wish, out);
        self.pair(session, out);
    }

    /// From here on the user has this socket.
    fn has(&mut self, session: Peer, wish: Wish, out: &mut Effects) {
        let (Some(user), Some(socket)) = (self.users.get_mut(&session), self.sockets.get_mut(&wish.peer)) else { return };
        socket.user = Some((session, wish.way));
        match wish.way {
            Way::ToSend => user.to_send = Some(wish.peer),
            Way::ToRecv => user.to_recv = Some(wish.peer),
        }
        self.say(wish.peer, &format!("REGISTERED {} {}", wish.way.word(), wish.name), out);
    }

    /// Takes the second socket, if there is one.
    fn pair(&mut self, session: Peer, out: &mut Effects) {
        let Some(wish) = self.users.get_mut(&session).and_then(|user| user.second.take()) else { return };
        if !self.sockets.contains_key(&wish.peer) {
            return;
        }
        out.push(Effect::Release(wish.peer));
        out.push(Effect::Join { part: wish.peer, of: session });
        self.has(session, wish, out);
        self.alarms.retain(|(_, alarm)| *alarm != Alarm::Pair(session));
        self.forward(session, out);
    }

    fn send(&mut self, session: Peer, socket: Peer, to: String, body: String, out: &mut Effects) {
        let Some(user) = self.users.get_mut(&session) else { return };
        let line = match &*to {
            // It would be taken for a name and something else, or for nobody.
            "" => return self.refuse(socket, UNABLE, out),
            to if to.contains(char::is_whitespace) => return self.refuse(socket, UNABLE, out),
            ALL => "broadcast".to_owned(),
            to => format!("message {to}"),
        };
        user.asked.push_back(Asked::Send { to });
        out.order(session, line, Some(body));
        out.push(Effect::Hold(socket));
    }

    /// What was sent is in its place, and in the queues it has to pass; or it was refused.
    fn stored(&mut self, session: Peer, to: String, events: &[Event], out: &mut Effects) {
        let sent = events.iter().find_map(|event| match event {
            Event::Sent { seq, kept, missed, .. } => Some((*seq, !missed && (!kept || self.accepts_offline))),
            _ => None,
        });
        let Some((seq, reached)) = sent else { return self.acknowledge(session, &to, false, out) };
        match self.under_way.get_mut(&seq) {
            None => {
                let failed = self.failed.iter().position(|failed| *failed == seq).and_then(|at| self.failed.remove(at)).is_some();
                self.acknowledge(session, &to, reached && !failed, out);
            }
            Some(under_way) => {
                let until = out.now + self.patience;
                under_way.failed |= !reached;
                under_way.sender = Some((session, to, until));
                self.alarms.insert((until, Alarm::Sender(seq)));
            }
        }
    }

    /// Tells a sender what became of its message, and hears it again.
    fn acknowledge(&self, session: Peer, to: &str, reached: bool, out: &mut Effects) {
        let Some(user) = self.users.get(&session) else { return };
        let Some(socket) = user.to_send else { return };
        match (reached, self.says_sent || user.first.way == Way::ToRecv) {
            (false, _) => self.say(socket, UNABLE, out),
            (true, false) => self.say(socket, &format!("SEND {to}"), out),
            (true, true) => self.say(socket, &format!("SENT {to}"), out),
        }
        out.push(Effect::Release(socket));
    }

    /// Something was said to whoever has this session.
    fn deliver(&mut self, session: Peer, said: &Said, out: &mut Effects) {
        let Some(user) = self.users.get_mut(&session) else { return };
        if user.is_guest && user.to_recv.is_none() {
            // Half a user, whom nothing can be sent to: not one of everyone, and nobody waits for the other half.
            if matches!(said.to, Addressee::User(_)) {
                self.remember_failure(said.seq);
            }
            return;
        }
        if user.queue.len() >= QUEUE_MAX {
            self.remember_failure(said.seq);
            return out.push(Effect::Close(session));
        }
        let text = if said.about.is_none() { said.text.clone() } else { text::shown(&Event::Message(said.clone())) };
        user.queue.push_back(Item { seq: said.seq, from: said.from.clone(), text });
        self.under_way.entry(said.seq).or_default().left += 1;
        self.forward(session, out);
    }

    /// Forwards what is next, if nothing is out.
    fn forward(&mut self, session: Peer, out: &mut Effects) {
        let Some(user) = self.users.get_mut(&session) else { return };
        let (Some(to_recv), None) = (user.to_recv, &user.out) else { return };
        let Some(item) = user.queue.pop_front() else { return };
        let until = out.now + self.patience;
        self.alarms.insert((until, Alarm::Out(session, item.seq)));
        let ending = self.sockets.get(&to_recv).map_or(ENDINGS[0], |socket| socket.ending);
        out.frame(to_recv, frame::forward(&item.from, &item.text, ending));
        user.out = Some((item.seq, item.from, until));
    }

    /// The recipient says that it has what came from `from`.
    fn received(&mut self, session: Peer, from: &str, out: &mut Effects) {
        let Some(user) = self.users.get_mut(&session) else { return };
        // Some say whose answer it is. Another name is one that comes too late, or twice: that message is not out any more.
        let says = |name: &str| from.is_empty() || name.eq_ignore_ascii_case(from);
        let Some((seq, ..)) = user.out.as_ref().filter(|(_, name, _)| says(name) || says(&user.first.name)) else { return };
        let seq = *seq;
        if !user.is_guest {
            user.asked.push_back(Asked::Seen);
            out.order(session, format!("ack {seq}"), None);
        }
        self.is_in(session, true, out);
    }

    fn not_received(&mut self, session: Peer, out: &mut Effects) {
        self.is_in(session, false, out);
    }

    /// What was out is not out any more.
    fn is_in(&mut self, session: Peer, reached: bool, out: &mut Effects) {
        let Some((seq, _, until)) = self.users.get_mut(&session).and_then(|user| user.out.take()) else { return };
        self.alarms.remove(&(until, Alarm::Out(session, seq)));
        self.passed(seq, reached, out);
        self.forward(session, out);
    }

    /// One of those who had to answer for this message has, or cannot.
    fn passed(&mut self, seq: u64, reached: bool, out: &mut Effects) {
        let Some(under_way) = self.under_way.get_mut(&seq) else { return };
        under_way.left -= 1;
        under_way.failed |= !reached;
        if under_way.left > 0 {
            return;
        }
        let Some(UnderWay { failed, sender, .. }) = self.under_way.remove(&seq) else { return };
        match sender {
            Some((sender, to, until)) => {
                self.alarms.remove(&(until, Alarm::Sender(seq)));
                self.acknowledge(sender, &to, !failed, out);
            }
            None if failed => self.remember_failure(seq),
            None => {}
        }
    }

    fn remember_failure(&mut self, seq: u64) {
        if self.failed.len() == FAILED_MAX {
            self.failed.pop_front();
        }
        self.failed.push_back(seq);
    }

    /// The sender of this message has waited long enough. Where it has not been forwarded, it will not be.
    fn give_up(&mut self, seq: u64, out: &mut Effects) {
        let Some((sender, to, _)) = self.under_way.get_mut(&seq).and_then(|under_way| under_way.sender.take()) else { return };
        self.acknowledge(sender, &to, false, out);
        let mut left = 0;
        for user in self.users.values_mut() {
            // An account finds it in its mail.
            user.queue.retain(|item| item.seq != seq || !user.is_guest);
            left += user.queue.iter().filter(|item| item.seq == seq).count();
            left += usize::from(user.out.as_ref().is_some_and(|(out, ..)| *out == seq));
        }
        match self.under_way.get_mut(&seq) {
            Some(under_way) if left > 0 => under_way.left = left,
            _ => drop(self.under_way.remove(&seq)),
        }
    }

    /// The session is no more.
    fn forget(&mut self, session: Peer, out: &mut Effects) {
        let Some(user) = self.users.remove(&session) else { return };
        self.alarms.retain(|(_, alarm)| *alarm != Alarm::Pair(session));
        if let Some((seq, _, until)) = user.out {
            self.alarms.remove(&(until, Alarm::Out(session, seq)));
            self.passed(seq, false, out);
        }
        for item in user.queue {
            self.passed(item.seq, false, out);
        }
        for under_way in self.under_way.values_mut() {
            if under_way.sender.as_ref().is_some_and(|(sender, ..)| *sender == session) {
                under_way.sender = None;
            }
        }
        for wish in user.second.into_iter().chain(user.successor) {
            if self.sockets.contains_key(&wish.peer) {
                out.push(Effect::Release(wish.peer));
                self.register(wish, out);
            }
        }
    }
}

/// What a refusal at login is in the protocol's numbers.
fn refused(refusal: &Refusal) -> &'static str {
    const IN_USE: [Code; 3] = [code::LOOK_ALIKE, code::NAME_IN_USE, code::SESSION_EXISTS];
    const FOR_NOBODY: [Code; 6] =
        [code::BAD_NAME, code::LOCKED_OUT, code::NAME_TAKEN, code::NO_SUCH_USER, code::RESERVED_NAME, code::WRONG_PASSWORD];
    match &refusal.code {
        code if IN_USE.contains(code) => TAKEN,
        code if FOR_NOBODY.contains(code) => MALFORMED,
        _ => UNABLE,
    }
}

#[cfg(test)]
mod tests;
