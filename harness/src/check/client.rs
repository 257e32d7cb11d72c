//! One user of a round: a scripted client over all its connections, with everything that it sent and saw.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chinwag_wire::dialect::{Marks, json};
use chinwag_wire::{Addressee, Event, Line as WireLine, code};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, channel};

/// How many users of each kind there are: senders first, then receivers that speak json, then those that speak text.
pub(crate) const SENDERS: usize = 8;
const JSON_RECEIVERS: usize = 4;
const TEXT_RECEIVERS: usize = 2;
/// All of them.
pub(crate) const USERS: usize = SENDERS + JSON_RECEIVERS + TEXT_RECEIVERS;

/// How many lines a sender has unanswered at a time.
pub(crate) const WINDOW: usize = 32;

/// How many acknowledged lines a sender may take for unanswered, as if their answers had been lost on the way. With
/// the window, fewer than the server remembers the keys of.
const ANSWERS_FORGOTTEN_MAX: usize = 16;

/// How many others a user blocks at the same time at most: few, so that most of what is said arrives.
const BLOCKED_MAX: usize = 3;

/// After how many messages a user asks to be told when everything has arrived.
const PING_AFTER: usize = 16;

/// What the tokens of these pings begin with.
const MARK: &str = "on-the-way-";

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// What went wrong, for people.
pub(crate) type Told<T> = Result<T, String>;

/// The name of the user at this place.
pub(crate) fn name_of(user: usize) -> String {
    match user {
        0..SENDERS => format!("sender{user}"),
        _ if speaks_json(user) => format!("reader{user}"),
        _ => format!("person{user}"),
    }
}

/// Whether the user at this place speaks json.
pub(crate) fn speaks_json(user: usize) -> bool {
    user < SENDERS + JSON_RECEIVERS
}

/// The text of a sender's nth message: unique, and it shows when a byte of it is missing.
fn text_of(sender: usize, number: usize) -> String {
    let filling = match number % 7 {
        0 => String::new(),
        1 => " don't be late".to_owned(),
        2 => r#" she said "no\n", twice"#.to_owned(),
        3 => " přijď žluťoučký kůň 🐎".to_owned(),
        4 => format!(" {}", "long ".repeat(60).trim_end()),
        5 => " {\"type\":\"message\"} @all: hi".to_owned(),
        _ => format!(" {}", number * 7919),
    };
    format!("{sender}.{number}{filling}")
}

/// Where an operation stands in time: one counter for everybody, which grows with everything that is sent or comes.
/// Taken before the bytes are written and after they are read, so that the interval between the two is never too
/// short.
pub(crate) type Tick = u64;

/// The counter of a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticks(Arc<AtomicU64>);

impl Ticks {
    fn next(&self) -> Tick {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// To whom a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Everyone,
    User(usize),
}

/// What is known of a line that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No answer has come.
    Unanswered,
    /// It was answered with its number.
    Acknowledged(u64),
    /// One of the two hides from the other.
    Refused,
    /// No answer came, and it will not be sent again.
    GivenUp,
}

/// A message that was sent.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) to: To,
    pub(crate) fate: Fate,
    /// After which end of the server it was unanswered, and whether it turned out to have been stored.
    pub(crate) unanswered_at: Option<usize>,
    /// It was unanswered, and the answer to its resend was that it had been stored before.
    pub(crate) again: bool,
    /// When it was first sent.
    pub(crate) invoked: Tick,
    /// When it was answered.
    pub(crate) answered: Option<Tick>,
}

/// A `block` or `unblock` that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deed {
    pub(crate) whom: usize,
    /// Whether they are blocked after it.
    pub(crate) blocks: bool,
    pub(crate) invoked: Tick,
    /// When it was answered: with a yes, or that it is so already, which is the same for what follows.
    pub(crate) answered: Option<Tick>,
}

/// A `ping` that was sent in the middle of the talk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ping {
    pub(crate) connection: usize,
    pub(crate) invoked: Tick,
    pub(crate) answered: Option<Tick>,
}

/// What an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The message with this number.
    Line(usize),
    /// The deed at this place.
    Deed(usize),
}

/// How a user talks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Whether it sends.
    pub(crate) talks: bool,
    /// One message in so many is to everyone.
    pub(crate) everyone_in: u32,
    /// Before one message in so many it blocks or unblocks somebody; `None`: never.
    pub(crate) blocks_in: Option<u32>,
}

/// A message that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// On which connection of the user.
    pub(crate) connection: usize,
    pub(crate) sender: usize,
    pub(crate) number: usize,
    /// Its place in the order, in json.
    pub(crate) seq: Option<u64>,
    /// When.
    pub(crate) at: Tick,
}

/// What is counted to find the moment of a kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Acknowledgement,
    Sending,
    /// By somebody who is no sender.
    Reading,
}

/// Rings when so many of something have happened.
#[derive(Debug)]
pub(crate) struct Moment {
    what: What,
    left: AtomicUsize,
    bell: channel::Sender<()>,
}

impl Moment {
    /// The moment when `count` of `what` have happened; 0 is at once.
    pub(crate) fn new(what: What, count: usize) -> (Moment, channel::Receiver<()>) {
        let (bell, rings) = channel::bounded(1);
        if count == 0 {
            let _ = bell.try_send(());
        }
        (Moment { what, left: AtomicUsize::new(count), bell }, rings)
    }

    fn note(&self, what: What) {
        // One thread counts; nothing else hangs on the number.
        if what == self.what && self.left.load(Ordering::Relaxed) > 0 && self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            // Full: it rang before.
            let _ = self.bell.try_send(());
        }
    }
}

/// How a user comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Register,
    Login,
}

/// See the module's words.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) index: usize,
    chance: fastrand::Rng,
    /// What it sent, by number.
    pub(crate) lines: Vec<Line>,
    /// What no answer has come to on this connection, in the order it was sent.
    pub(crate) awaiting: VecDeque<Awaited>,
    /// Whom it blocked and unblocked, in order.
    pub(crate) deeds: Vec<Deed>,
    /// What it asked to know that everything had arrived.
    pub(crate) pings: Vec<Ping>,
    /// How much it has seen since the last of them.
    unpinged: usize,
    ticks: Ticks,
    /// What it saw, in order.
    pub(crate) seen: Vec<Seen>,
    /// The last place in the order it knows of: a reader of json.
    last: u64,
    /// What that was when it last asked to come in.
    came_with: u64,
    /// How many connections it has had.
    pub(crate) connections: usize,
    stream: Option<Async<TcpStream>>,
    partial: Vec<u8>,
    welcomed: bool,
    pong: Option<String>,
    /// The code that the server closed the connection with.
    pub(crate) closed: Option<String>,
    log: Option<String>,
    /// It sends again, when it is welcomed, what this end of the server left unanswered.
    pub(crate) resends_after: Option<usize>,
    /// Lines sent again.
    pub(crate) resent: usize,
    /// On which connections a reader of text may see something again, and how much at most.
    pub(crate) may_repeat: Vec<(usize, usize)>,
    /// What it saw that cannot be right.
    pub(crate) wrong: Vec<String>,
}

impl User {
    /// The user at this place, before its first connection.
    pub(crate) fn new(index: usize, chance: fastrand::Rng, ticks: &Ticks) -> User {
        User {
            index,
            chance,
            lines: Vec::new(),
            awaiting: VecDeque::new(),
            deeds: Vec::new(),
            pings: Vec::new(),
            unpinged: 0,
            ticks: ticks.clone(),
            seen: Vec::new(),
            last: 0,
            came_with: 0,
            connections: 0,
            stream: None,
            partial: Vec::new(),
            welcomed: false,
            pong: None,
            closed: None,
            log: None,
            resends_after: None,
            resent: 0,
            may_repeat: Vec::new(),
            wrong: Vec::new(),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> String {
        name_of(self.index)
    }

    /// Whether it sends.
    pub(crate) fn is_sender(&self) -> bool {
        self.index < SENDERS
    }

    /// Connects and asks to come in; does not wait for the answer.
    pub(crate) async fn knock(&mut self, address: SocketAddr, entry: Entry) -> Told<()> {
        let stream = Async::<TcpStream>::connect(address).await.map_err(|error| format!("{} cannot connect: {error}", self.name()))?;
        stream.get_ref().set_nodelay(true).map_err(|error| error.to_string())?;
        self.stream = Some(stream);
        self.partial.clear();
        self.welcomed = false;
        self.came_with = self.last;
        self.closed = None;
        self.connections += 1;
        let name = self.name();
        let mut bytes = Vec::new();
        if speaks_json(self.index) {
            bytes.extend_from_slice(b"dialect json\n");
            if entry == Entry::Login {
                bytes.extend(encoded(&format!("since {}", self.last), None));
            }
        }
        let line = format!("{} {name} secret", if entry == Entry::Register { "register" } else { "login" });
        bytes.extend(self.command(&line));
        self.write(&bytes).await;
        Ok(())
    }

    /// Connects and comes in.
    pub(crate) async fn enter(&mut self, address: SocketAddr, entry: Entry, moment: &Moment) -> Told<()> {
        self.knock(address, entry).await?;
        self.until("its welcome", moment, |user| user.welcomed).await
    }

    /// Logs out, and waits until the server has seen it off.
    pub(crate) async fn leave(&mut self, moment: &Moment) -> Told<()> {
        let line = self.command("logout");
        self.write(&line).await;
        while self.read(moment).await? {}
        Ok(())
    }

    /// Sends messages, as many as the window lets it, until it has sent `count` and has all their answers.
    pub(crate) async fn talk(&mut self, count: usize, manner: Manner, moment: &Moment) -> Told<()> {
        let end = self.lines.len() + count;
        loop {
            self.fill_window(end, manner, moment).await;
            if self.awaiting.is_empty() {
                return Ok(());
            }
            self.expect_more("its answers", moment).await?;
        }
    }

    /// Reads, and sends if it is to, until the connection ends.
    pub(crate) async fn until_the_end(&mut self, manner: Manner, moment: &Moment) -> Told<()> {
        loop {
            if self.welcomed && self.closed.is_none() {
                if let Some(end) = self.resends_after.take() {
                    self.send_again(end).await;
                }
                if manner.talks {
                    self.fill_window(usize::MAX, manner, moment).await;
                }
                if self.unpinged >= PING_AFTER {
                    self.ping_on_the_way().await;
                }
            }
            if !self.read(moment).await? {
                return Ok(());
            }
        }
    }

    /// The same; if it goes wrong there is no need to wait for the moment any more.
    pub(crate) async fn live(&mut self, manner: Manner, moment: &Moment) -> Told<()> {
        let lived = self.until_the_end(manner, moment).await;
        if lived.is_err() {
            let _ = moment.bell.try_send(());
        }
        lived
    }

    /// Comes back after the given end of the server, and goes on.
    pub(crate) async fn come_back(&mut self, address: SocketAddr, end: usize, count: usize, manner: Manner, moment: &Moment) -> Told<()> {
        self.enter(address, Entry::Login, moment).await?;
        if self.is_sender() {
            self.resend(end, moment).await?;
            self.talk(count, manner, moment).await?;
        }
        Ok(())
    }

    /// Sends again what no answer came to, and waits for the answers.
    async fn resend(&mut self, end: usize, moment: &Moment) -> Told<()> {
        self.send_again(end).await;
        while !self.awaiting.is_empty() {
            self.expect_more("the answers to what it sent again", moment).await?;
        }
        Ok(())
    }

    /// Sends again what no answer came to; gives up on some of it; takes some answers for lost.
    async fn send_again(&mut self, end: usize) {
        // What was acknowledged and sent again all the same is no worse off than before; a deed is not repeated, so
        // that nobody knows what became of it.
        let lines = self.awaiting.drain(..).filter_map(|awaited| match awaited {
            Awaited::Line(number) => Some(number),
            Awaited::Deed(_) => None,
        });
        let lines: Vec<usize> = lines.collect();
        let mut again: Vec<usize> = lines.into_iter().filter(|number| self.lines[*number].fate == Fate::Unanswered).collect();
        for number in &again {
            self.lines[*number].unanswered_at = Some(end);
        }
        let first = again.first().copied().unwrap_or(self.lines.len());
        if self.chance.u8(..4) == 0 {
            // The rest of its lines it does not remember.
            let kept = self.chance.usize(..=again.len());
            for number in again.split_off(kept) {
                self.lines[number].fate = Fate::GivenUp;
            }
        }
        let forgotten = self.chance.usize(..=ANSWERS_FORGOTTEN_MAX);
        let acknowledged = |number: &usize| matches!(self.lines[*number].fate, Fate::Acknowledged(_));
        let again: Vec<usize> = (first.saturating_sub(forgotten)..first).filter(acknowledged).chain(again).collect();
        let bytes: Vec<u8> = again.iter().flat_map(|number| self.encoded_message(*number)).collect();
        self.resent += again.len();
        self.awaiting = again.into_iter().map(Awaited::Line).collect();
        self.write(&bytes).await;
    }

    /// Waits until everything that came before has been answered and has arrived.
    pub(crate) async fn ping(&mut self, token: &str, moment: &Moment) -> Told<()> {
        let line = self.command(&format!("/ping {token}"));
        self.write(&line).await;
        self.until("its pong", moment, |user| user.pong.as_deref() == Some(token)).await
    }

    fn command(&self, line: &str) -> Vec<u8> {
        if speaks_json(self.index) { encoded(line, None) } else { format!("{line}\n").into_bytes() }
    }

    fn encoded_message(&self, number: usize) -> Vec<u8> {
        let text = text_of(self.index, number);
        let line = match self.lines[number].to {
            To::Everyone => format!("broadcast {text}"),
            To::User(to) => format!("message {} {text}", name_of(to)),
        };
        encoded(&line, Some(key_of(self.index, number)))
    }

    /// Fills the window with messages; up to the one with the number `end`.
    async fn fill_window(&mut self, end: usize, manner: Manner, moment: &Moment) {
        let mut bytes = Vec::new();
        while self.awaiting.len() < WINDOW && self.lines.len() < end {
            if manner.blocks_in.is_some_and(|one_in| self.chance.u32(..one_in) == 0) {
                bytes.extend(self.some_deed());
            }
            let number = self.lines.len();
            let to = if self.chance.u32(..manner.everyone_in) == 0 {
                To::Everyone
            } else {
                To::User((self.index + self.chance.usize(1..USERS)) % USERS)
            };
            let invoked = self.ticks.next();
            self.lines.push(Line { to, fate: Fate::Unanswered, unanswered_at: None, again: false, invoked, answered: None });
            self.awaiting.push_back(Awaited::Line(number));
            bytes.extend(self.encoded_message(number));
            moment.note(What::Sending);
        }
        self.write(&bytes).await;
    }

    /// Blocks somebody, or unblocks one of the few it believes to block.
    fn some_deed(&mut self) -> Vec<u8> {
        let mut blocked: Vec<usize> = Vec::new();
        for deed in &self.deeds {
            blocked.retain(|whom| *whom != deed.whom);
            if deed.blocks {
                blocked.push(deed.whom);
            }
        }
        let blocks = blocked.len() < self.chance.usize(..=BLOCKED_MAX);
        let whom = match self.chance.choice(&blocked) {
            Some(whom) if !blocks => *whom,
            _ => (self.index + self.chance.usize(1..USERS)) % USERS,
        };
        let place = self.deeds.len();
        self.deeds.push(Deed { whom, blocks, invoked: self.ticks.next(), answered: None });
        self.awaiting.push_back(Awaited::Deed(place));
        let verb = if blocks { "block" } else { "unblock" };
        encoded(&format!("{verb} {}", name_of(whom)), Some(deed_key(self.index, place)))
    }

    /// Asks, in the middle of the talk, to be told when everything before has arrived.
    async fn ping_on_the_way(&mut self) {
        self.unpinged = 0;
        let line = self.command(&format!("ping {MARK}{}", self.pings.len()));
        self.pings.push(Ping { connection: self.connections, invoked: self.ticks.next(), answered: None });
        self.write(&line).await;
    }

    fn ponged(&mut self, token: String) {
        let on_the_way = token.strip_prefix(MARK).and_then(|place| self.pings.get_mut(place.parse::<usize>().ok()?));
        match on_the_way {
            Some(ping) => ping.answered = Some(self.ticks.next()),
            None => self.pong = Some(token),
        }
    }

    /// Writes; a connection that cannot be written to has ended, and reading it says so.
    async fn write(&mut self, bytes: &[u8]) {
        if let Some(stream) = &mut self.stream {
            let _ = stream.write_all(bytes).await;
        }
    }

    async fn until(&mut self, what: &str, moment: &Moment, enough: impl Fn(&User) -> bool) -> Told<()> {
        while !enough(self) {
            self.expect_more(what, moment).await?;
        }
        Ok(())
    }

    async fn expect_more(&mut self, what: &str, moment: &Moment) -> Told<()> {
        if self.read(moment).await? {
            return Ok(());
        }
        let closed = self.closed.as_deref().map_or_else(String::new, |code| format!(" with `{code}`"));
        Err(format!("the connection of {} ended{closed} before {what}", self.name()))
    }

    /// Reads once. Says whether the connection goes on.
    async fn read(&mut self, moment: &Moment) -> Told<bool> {
        let Some(stream) = &mut self.stream else { return Ok(false) };
        let mut chunk = vec![0; CHUNK];
        let count = match stream.read(&mut chunk).await {
            Ok(count) => count,
            // The last words of a server that was killed.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => 0,
            Err(error) => return Err(format!("{} cannot read: {error}", self.name())),
        };
        if count == 0 {
            // Half a line is none: whoever was to read it gets it again.
            self.stream = None;
            return Ok(false);
        }
        self.partial.extend_from_slice(&chunk[..count]);
        let end = self.partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let rest = self.partial.split_off(end);
        let lines = String::from_utf8(std::mem::replace(&mut self.partial, rest))
            .map_err(|_| format!("{} got bytes that are no text", self.name()))?;
        for line in lines.lines() {
            if speaks_json(self.index) { self.take_object(line, moment)? } else { self.take_text(line, moment)? }
        }
        Ok(true)
    }

    fn take_object(&mut self, line: &str, moment: &Moment) -> Told<()> {
        let said = json::decode_server_line(line).map_err(|error| format!("{} cannot read `{line}`: {error}", self.name()))?;
        match said.event {
            Event::Hello { log, .. } => self.check_log(log),
            Event::Welcome { seq, .. } => {
                self.welcomed = true;
                if seq < self.came_with {
                    self.wrong.push(format!("GONE BACK: {} knows of {} and is welcomed at {seq}", self.name(), self.came_with));
                }
            }
            Event::Message(said) => {
                self.last = self.last.max(said.seq);
                let to = match &said.to {
                    Addressee::Everyone | Addressee::Room(_) => None,
                    Addressee::User(name) => Some(name.as_str()),
                };
                if to.is_some_and(|to| to != self.name()) {
                    self.wrong.push(format!("ASTRAY: {} got `{line}`", self.name()));
                }
                self.see(&said.from, &said.text, Some(said.seq), moment);
            }
            Event::Sent { seq, again, .. } => self.answered(said.key.as_deref(), seq, again, moment),
            Event::Pong { token } => self.ponged(token),
            Event::Fact(_) => self.done(said.key.as_deref()),
            Event::Closing(refusal) => self.closed = Some(refusal.code.to_string()),
            Event::Refusal(refusal) if refusal.code == code::ALREADY_BLOCKED || refusal.code == code::NOT_BLOCKED => {
                self.done(said.key.as_deref());
            }
            Event::Refusal(refusal) if refusal.code == code::BLOCKED => self.refused(said.key.as_deref(), moment),
            Event::Refusal(refusal) => {
                return Err(format!("{} is refused: {}: {} (key {:?})", self.name(), refusal.code, refusal.text, said.key));
            }
            Event::Unknown => return Err(format!("{} does not know `{line}`", self.name())),
            _ => {}
        }
        Ok(())
    }

    fn check_log(&mut self, log: String) {
        let known = self.log.get_or_insert_with(|| log.clone());
        if *known != log {
            let known = known.clone();
            self.wrong.push(format!("OTHER LOG: {} knew {known} and is told that the log is {log}", self.name()));
        }
    }

    fn take_text(&mut self, line: &str, moment: &Moment) -> Told<()> {
        if let Some(token) = line.strip_prefix("pong ") {
            self.ponged(token.to_owned());
        } else if let Some(notice) = line.strip_prefix("* ") {
            self.welcomed |= notice.starts_with("welcome");
            if let Some(because) = notice.strip_prefix("disconnected: error[") {
                self.closed = Some(because.split(']').next().unwrap_or_default().to_owned());
            }
        } else if line.starts_with("error[") {
            return Err(format!("{} is refused: {line}", self.name()));
        } else {
            let message = line.strip_prefix("(offline ").and_then(|rest| rest.split_once(") ")).map_or(line, |(_, message)| message);
            let (from, text) = message.split_once(": ").unwrap_or(("", message));
            self.see(from.strip_suffix(" to all").unwrap_or(from), text, None, moment);
        }
        Ok(())
    }

    /// Notes a message, if it is one that was ever sent like this.
    fn see(&mut self, from: &str, text: &str, seq: Option<u64>, moment: &Moment) {
        if !self.is_sender() {
            moment.note(What::Reading);
        }
        if !self.welcomed {
            self.wrong.push(format!("EARLY: {} got `{text}` before its welcome", self.name()));
        }
        if self.closed.is_some() {
            self.wrong.push(format!("AFTER THE END: {} got `{text}` after the last word", self.name()));
        }
        let numbers = text.split(' ').next().and_then(|mark| mark.split_once('.'));
        let numbers = numbers.and_then(|(sender, number)| Some((sender.parse().ok()?, number.parse().ok()?)));
        match numbers {
            Some((sender, number)) if sender < SENDERS && from == name_of(sender) && text == text_of(sender, number) => {
                self.unpinged += 1;
                self.seen.push(Seen { connection: self.connections, sender, number, seq, at: self.ticks.next() });
            }
            _ => self.wrong.push(format!("GARBLED: {} got `{text}` from `{from}`", self.name())),
        }
    }

    /// The next answer is to this line. Says which message it was.
    fn message_answered(&mut self, key: Option<&str>, moment: &Moment) -> Option<usize> {
        moment.note(What::Acknowledgement);
        let awaited = self.awaiting.pop_front();
        if let Some(Awaited::Line(number)) = awaited
            && key == Some(key_of(self.index, number).as_str())
        {
            return Some(number);
        }
        self.wrong.push(format!("ANSWER TO ANOTHER: {} waits for that to {awaited:?} and got that to {key:?}", self.name()));
        None
    }

    /// The pair hides from each other.
    fn refused(&mut self, key: Option<&str>, moment: &Moment) {
        let Some(number) = self.message_answered(key, moment) else { return };
        let tick = self.ticks.next();
        let name = self.name();
        let line = &mut self.lines[number];
        if let Fate::Acknowledged(seq) = line.fate {
            return self.wrong.push(format!("TAKEN BACK: {name} had number {number} acknowledged as {seq}, and its resend is refused"));
        }
        line.fate = Fate::Refused;
        line.answered = Some(tick);
    }

    /// A deed is done, or was before.
    fn done(&mut self, key: Option<&str>) {
        let awaited = self.awaiting.pop_front();
        match awaited {
            Some(Awaited::Deed(place)) if key == Some(deed_key(self.index, place).as_str()) => {
                self.deeds[place].answered = Some(self.ticks.next());
            }
            _ => self.wrong.push(format!("ANSWER TO ANOTHER: {} waits for that to {awaited:?} and got that to {key:?}", self.name())),
        }
    }

    fn answered(&mut self, key: Option<&str>, seq: u64, again: bool, moment: &Moment) {
        let Some(number) = self.message_answered(key, moment) else { return };
        let (name, tick) = (self.name(), self.ticks.next());
        let line = &mut self.lines[number];
        match line.fate {
            Fate::Acknowledged(before) if before != seq => {
                self.wrong.push(format!("STORED TWICE: {name} had number {number} acknowledged as {before}, and its resend as {seq}"));
            }
            Fate::Acknowledged(_) if !again => {
                self.wrong.push(format!("STORED TWICE: the resend of {number} by {name} is not known to be one"))
            }
            _ => {}
        }
        if again && line.unanswered_at.is_none() && line.fate == Fate::Unanswered {
            self.wrong.push(format!("AGAIN AT FIRST: {name} sent {number} once and hears that it had been sent before"));
        }
        line.again |= again && line.fate == Fate::Unanswered;
        line.fate = Fate::Acknowledged(seq);
        line.answered.get_or_insert(tick);
    }
}

fn key_of(sender: usize, number: usize) -> String {
    format!("key-{sender}-{number}")
}

fn deed_key(user: usize, place: usize) -> String {
    format!("deed-{user}-{place}")
}

fn encoded(line: &str, key: Option<String>) -> Vec<u8> {
    json::encode_line(&WireLine { text: line.into(), marks: Marks { tag: None, key } })
}
