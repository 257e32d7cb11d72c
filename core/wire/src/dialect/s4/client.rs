//! The other end of `s4`: a client's lines become what the protocol says, and what a server of the protocol says becomes
//! the lines that a server of `json` would send. So whoever speaks `json` needs to know nothing of it.
//!
//! Servers of several authors disagree about many things, and all of that is understood here (the README beside this
//! file lists it). Nothing is read from them that is not checked, and nothing they say is an error of this program.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::frame::{self, Frames, Next};
use super::{ALL, DEFLATE, PRIVATE, RECEIPTS};
use crate::card::{ArgCard, Card, Complete, Kind, Shape};
use crate::dialect::json::ServerLine;
use crate::dialect::{Line, Marks};
use crate::event::{Addressee, Arrival, Event, Fact, Said};
use crate::name::folded;
use crate::private::Token;
use crate::refusal::{Code, Refusal, code};
use crate::split::{self, Asked as Typed};
use crate::suggest;
use crate::time::{Millis, read_moment};

/// The longest frame that a server may send: all that was ever said in a busy year may come with the acceptance.
pub const FRAME_MAX: usize = 16 << 20;

/// What a server says against something, when it gives no code of ours.
pub const ERROR: Code = Code::new("s4-error");

/// What kind of fact it is that the server says in words.
const INFO: &str = "s4.info";

/// What kind of fact it is that it says first of all.
pub const GREETING: &str = "s4.greeting";

/// How many lines may wait for an answer; more is a server that answers nothing.
const ASKED_MAX: usize = 1000;

/// How many of one's own messages are kept in mind because they may come back.
const ECHOES_MAX: usize = 100;

/// How many messages are kept in mind, because a server says them again after a lost link: what a person reads in a day.
const KNOWN_MAX: usize = 10_000;

/// How many names are kept in mind of those who are online.
const ONLINE_MAX: usize = 10_000;

/// Greater seconds than this are milliseconds: the year 5138.
const SECONDS_MAX: u64 = 100_000_000_000;

/// How long after a message an error may be about it: a slow server's answer.
const ABOUT_A_MESSAGE: Duration = Duration::from_secs(5);

/// How much of what nobody understands is shown.
const STRANGE_CHARS_MAX: usize = 200;

/// What servers of this protocol obey: what it is called here and there, and what it does.
const COMMANDS: [(&str, &[&str], &str, bool, &str); 6] = [
    ("name", &["whoami"], "/Name", false, "Ask the server who you are."),
    ("block", &[], "/Block", true, "Hide from a user."),
    ("unblock", &[], "/UnBlock", true, "Stop hiding from a user."),
    ("blocked", &[], "/Blocked", false, "List whom you have blocked."),
    ("displayusers", &["whoelse"], "/DisplayUsers", false, "List who is online."),
    ("displayallusers", &["users"], "/DisplayAllUsers", false, "List everyone the server knows of."),
];

/// What people type for private chats. It goes to no server that has not agreed to be asked for them: whoever types it has
/// something that is for one reader only, addresses or a text. The second half our own client does by itself.
pub const PRIVATE_COMMANDS: [&str; 11] =
    ["startprivate", "accept", "decline", "stopprivate", "relay", "private", "verify", "sendfile", "getfile", "cancelfile", "privates"];

/// The longest answer to a ticket for the relay: a refusal with its hint.
pub const CARRIED_MAX: usize = 4096;

/// A client's side of one connection, and of those that follow when it is lost.
#[derive(Debug, Default)]
pub struct Visitor {
    frames: Frames,
    /// Whoever is let in.
    me: Option<String>,
    /// The name that was asked for, and the marks of the line that did.
    knocked: Option<(String, Marks)>,
    /// What has not been answered, oldest first.
    asked: VecDeque<Asked>,
    /// To whom, and what: one's own messages that may come back.
    echoes: VecDeque<(String, String)>,
    /// Folded names.
    online: BTreeSet<String>,
    /// What the client has to hear.
    heard: VecDeque<ServerLine>,
    /// The highest number that a message had, or was given.
    last: u64,
    known: Known,
    /// When something was said that the server may still have something against.
    unsure: Option<Millis>,
    /// The server is one of ours and gives numbers.
    numbers: bool,
    receipts: bool,
    deflates: bool,
    /// It tells of private chats.
    tells_private: bool,
    /// The marks of the goodbye.
    leaving: Option<Marks>,
    /// There was a connection before this one.
    again: bool,
}

/// What has been asked of the server.
#[derive(Debug)]
struct Asked {
    marks: Marks,
    what: What,
    /// It was asked behind a message that the server may have something against.
    behind: bool,
}

#[derive(Debug)]
enum What {
    /// To say something to one or to all. Only where there are receipts.
    Message(Addressee),
    /// A command, as it was sent; and what the server has said to it so far.
    Command { line: String, answer: String },
    /// A sign of life. Only where there are receipts.
    Ping { token: String },
}

/// Messages that have been heard, by their hashes.
#[derive(Debug, Default)]
struct Known {
    order: VecDeque<u64>,
    all: HashSet<u64>,
}

impl Known {
    /// Keeps `hash` in mind; says whether it is new.
    fn add(&mut self, hash: u64) -> bool {
        if !self.all.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        true
    }
}

fn card(name: &'static str, aliases: &[&'static str], summary: &'static str, args: Vec<ArgCard>) -> Card {
    Card {
        name: name.into(),
        aliases: aliases.iter().map(|alias| (*alias).into()).collect::<Vec<_>>().into(),
        summary: summary.into(),
        args,
        examples: "".into(),
    }
}

fn user(help: &'static str, complete: Complete) -> ArgCard {
    ArgCard { name: "user".into(), help: help.into(), kind: Kind { label: "a user".into(), complete, ..Kind::WORD } }
}

/// What a connection begins with that is to be an end of a relay.
#[must_use]
pub fn carry(ticket: Token) -> Vec<u8> {
    frame::encode(&json!({ "CARRY": ticket }))
}

/// Reads the answer to [`carry`], without its length. If it is yes, the connection is an end of a relay from the next byte on.
///
/// # Errors
/// Why the server does not carry anything, in its words.
pub fn carried(json: &[u8]) -> Result<(), String> {
    let answer = serde_json::from_slice::<Map<String, Value>>(json).map(upper).unwrap_or_default();
    match answer.get("CARRIED").and_then(truth) {
        Some(true) => Ok(()),
        _ => Err(answer.get("ERROR").map_or_else(|| "it does not know what that is".to_owned(), text)),
    }
}

/// What servers of the protocol are known to understand, for help and completion.
#[must_use]
pub fn cards() -> Vec<Card> {
    let text = || ArgCard {
        name: "text".into(),
        help: "what to say".into(),
        kind: Kind { label: "text".into(), shape: Shape::Rest, ..Kind::WORD },
    };
    let command = ArgCard {
        name: "command".into(),
        help: "one command, to read more about it".into(),
        kind: Kind { label: "a command".into(), complete: Complete::Commands, optional: true, ..Kind::WORD },
    };
    let to = user("who gets it", Complete::OnlineUsers);
    let mut cards = vec![
        card(split::DIRECT, &[], "Say something to one user.", vec![to, text()]),
        card(split::TO_ALL, &[], "Say something to everyone.", vec![text()]),
    ];
    for (name, aliases, _, takes_user, summary) in COMMANDS {
        let args = if takes_user { vec![user("whom", Complete::KnownUsers)] } else { Vec::new() };
        cards.push(card(name, aliases, summary, args));
    }
    cards.push(card("help", &[], "List what can be said, or explain one command.", vec![command]));
    cards.push(card("logout", &[], "Log out.", Vec::new()));
    cards
}

impl Visitor {
    /// What is to be sent for `line`, frame by frame. Answers that need no server are heard at once ([`Visitor::next_line`]).
    ///
    /// Besides what people type it understands `guest NAME` and `login NAME PASSWORD`, which come first, `ping`, and what
    /// else a client of `json` says by itself.
    pub fn say(&mut self, line: &Line<'_>, at: Millis) -> Vec<Vec<u8>> {
        let marks = line.marks.clone();
        let (name, rest) = match split::line(&line.text) {
            Typed::Nothing => return self.answered(marks, Event::Done),
            Typed::Say(_) => {
                let refusal = Refusal::new(code::NO_SUCH_ROOM, "servers of this protocol have no rooms to say something in");
                return self.refused(marks, refusal.hint("`@NAME TEXT` says it to one, `@all TEXT` to everyone"));
            }
            Typed::Command { name, rest } => (name.to_lowercase(), rest.into_owned()),
        };
        match (&*name, self.me.clone()) {
            ("ping", Some(me)) if self.receipts => self.ping(&me, marks, rest, at),
            ("ping", _) => self.pinged(marks, rest),
            ("logout", _) => {
                self.leaving = Some(marks);
                Vec::new()
            }
            // There is nothing to come back with but the name.
            ("token", Some(_)) => self.refused(marks, Refusal::new(code::UNKNOWN_COMMAND, "there are no tokens in this protocol")),
            ("ack", _) => self.answered(marks, Event::Done),
            ("guest" | "login", None) => self.knock(&name, &rest, marks),
            ("guest" | "login", Some(me)) => {
                self.refused(marks, Refusal::new(code::ALREADY_LOGGED_IN, format!("you are {me} here already")))
            }
            (_, None) => self.refused(marks, Refusal::new(code::NOT_LOGGED_IN, "you are not logged in")),
            (split::DIRECT | split::TO_ALL, Some(me)) => self.send(&me, &name, &rest, marks, at),
            ("help", _) => self.help(&rest, marks),
            (_, Some(me)) => self.command(&me, &name, &rest, &line.text, marks, at),
        }
    }

    /// Takes what has come off the front of `input`, up to and including the end of one frame; says how many bytes.
    ///
    /// # Errors
    /// Half a sentence about why nothing that comes can be understood any more.
    pub fn hear(&mut self, input: &[u8], at: Millis) -> Result<usize, String> {
        let (taken, next) = self.frames.take(input, FRAME_MAX);
        match next {
            Next::Unfinished => {}
            Next::Whole(text) => self.frame(&text, at),
            Next::TooLong(claimed) => return Err(format!("sends a frame of {claimed} bytes: is it a server of S4?")),
            Next::NotInflatable => return Err("sends a frame that does not inflate".to_owned()),
        }
        Ok(taken)
    }

    /// What is to be heard next, if anything is.
    pub fn next_line(&mut self) -> Option<ServerLine> {
        self.heard.pop_front()
    }

    /// Whether it has said goodbye: nothing more is sent, and what comes is heard until the server ends it.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// The server has ended the connection, or has had its time. Says whether that is as it should be.
    pub fn ended(&mut self) -> bool {
        let Some(marks) = self.leaving.take() else { return false };
        self.answer(marks, Event::Goodbye, true);
        true
    }

    /// The connection is lost. What was not answered is to be said again, when it is logged in on the next one.
    pub fn begin_again(&mut self) {
        let Visitor { online, last, known, numbers, .. } = std::mem::take(self);
        *self = Visitor { online, last, known, numbers, again: true, ..Visitor::default() };
    }

    /// How many bytes of an unfinished frame are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.frames.held()
    }

    fn knock(&mut self, how: &str, rest: &str, marks: Marks) -> Vec<Vec<u8>> {
        let (name, password) = split::word(rest);
        let mut object = json!({ "USERNAME": name });
        // Who gives a password knows that the server takes one: it is ours, and knows of extensions.
        if how == "login" {
            object["PASSWORD"] = password.into();
            object["ACCEPT"] = json!([DEFLATE, RECEIPTS, PRIVATE]);
        }
        if self.numbers && self.again {
            object["SINCE"] = self.last.into();
        }
        self.knocked = Some((name.to_owned(), marks));
        vec![frame::encode(&object)]
    }

    fn send(&mut self, me: &str, name: &str, rest: &str, marks: Marks, at: Millis) -> Vec<Vec<u8>> {
        let (to, text) = if name == split::TO_ALL { (ALL, rest) } else { split::word(rest) };
        if to.is_empty() || text.is_empty() {
            let refusal = Refusal::new(code::USAGE, "there is nothing to say, or nobody to say it to");
            return self.refused(marks, refusal.hint("`@NAME TEXT` says it to one, `@all TEXT` to everyone"));
        }
        if folded(to) == folded(me) {
            return self.refused(marks, Refusal::new(code::YOURSELF, "you cannot message yourself").hint("name somebody else"));
        }
        let addressee = if to == ALL { Addressee::Everyone } else { Addressee::User(to.to_owned()) };
        self.known.add(own_hash(me, to, text));
        if self.receipts {
            // Nothing comes back: the same words in the reader's name are from another device.
            self.ask(marks, What::Message(addressee));
        } else {
            self.echoes.push_back((folded(to), text.to_owned()));
            if self.echoes.len() > ECHOES_MAX {
                self.echoes.pop_front();
            }
            // The protocol has no answer to a message: that it is on its way is all there is to know.
            let sent = Event::Sent { seq: 0, at, to: addressee, kept: false, missed: false, again: false };
            self.answer(marks, sent, true);
            self.unsure = Some(at);
        }
        vec![self.messages(&json!([[me, to, seconds(at), text]]))]
    }

    fn command(&mut self, me: &str, name: &str, rest: &str, typed: &str, marks: Marks, at: Millis) -> Vec<Vec<u8>> {
        if !self.tells_private && PRIVATE_COMMANDS.contains(&name) {
            let refusal = Refusal::new(code::PRIVATE_OFF, "there are no private chats on this server, so nothing was sent to it");
            return self.refused(marks, refusal.hint("they take an account of a Chinwag server: give a password (--password-command)"));
        }
        let known = COMMANDS.iter().find(|(canonical, aliases, ..)| *canonical == name || aliases.contains(&name));
        let spelled = known.map_or_else(|| format!("/{name}"), |(_, _, spelled, ..)| (*spelled).to_owned());
        // A slip is not sent to a stranger; what begins with a slash is meant.
        if known.is_none() && !self.receipts && !typed.trim_start().starts_with('/') {
            let cards = self.cards();
            let names = cards.iter().map(|card| &*card.name);
            let hint = match suggest::nearest(name, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("`@NAME TEXT` says something to one, `@all TEXT` to everyone; `/{name}` asks the server"),
            };
            return self.refused(marks, Refusal::new(code::UNKNOWN_COMMAND, format!("there is no command `{name}`")).hint(hint));
        }
        let line = if rest.is_empty() { spelled } else { format!("{spelled} {rest}") };
        let frame = self.messages(&json!([[me, me, seconds(at), line]]));
        self.ask(marks, What::Command { line, answer: String::new() });
        vec![frame]
    }

    /// What this server is known to understand.
    fn cards(&self) -> Vec<Card> {
        let mut cards = cards();
        if self.tells_private {
            // A client of ours knows the rest by itself.
            let offer = ArgCard {
                name: "offer".into(),
                help: "how to reach you; your client adds it".into(),
                kind: Kind { label: "an offer".into(), optional: true, ..Kind::WORD },
            };
            let args = vec![user("with whom", Complete::OnlineUsers), offer];
            cards.push(card(PRIVATE_COMMANDS[0], &[], "Ask somebody for a private chat, which the server cannot read.", args));
        }
        cards
    }

    fn help(&mut self, rest: &str, marks: Marks) -> Vec<Vec<u8>> {
        let (asked, _) = split::word(rest.trim_start_matches('/'));
        let cards: Vec<Card> = self.cards().into_iter().filter(|card| asked.is_empty() || card.answers_to(asked)).collect();
        if cards.is_empty() {
            return self
                .refused(marks, Refusal::new(code::UNKNOWN_COMMAND, format!("there is no command `{asked}`")).hint("`help` lists all"));
        }
        self.answered(marks, Event::Help { cards })
    }

    /// A sign of life is asked for of a server that answers everything: its answer comes behind all others.
    fn ping(&mut self, me: &str, marks: Marks, token: String, at: Millis) -> Vec<Vec<u8>> {
        let frame = self.messages(&json!([[me, me, seconds(at), "/ping"]]));
        self.ask(marks, What::Ping { token });
        vec![frame]
    }

    /// A sign of life is asked for: the protocol has none, so that it only settles what a server will not answer any more.
    fn pinged(&mut self, marks: Marks, token: String) -> Vec<Vec<u8>> {
        while let Some(Asked { marks, .. }) = self.asked.pop_front() {
            let refusal = Refusal::new(code::DEADLINE, "the server says nothing to this");
            self.answer(marks, Event::Refusal(refusal.hint("it may not know it, or answer later")), true);
        }
        self.answered(marks, Event::Pong { token })
    }

    fn messages(&self, entries: &Value) -> Vec<u8> {
        let object = json!({ "MESSAGES": entries });
        if self.deflates { frame::encode_deflated(&object) } else { frame::encode(&object) }
    }

    fn ask(&mut self, marks: Marks, what: What) {
        self.asked.push_back(Asked { marks, what, behind: self.unsure.is_some() });
        if self.asked.len() > ASKED_MAX
            && let Some(Asked { marks, .. }) = self.asked.pop_front()
        {
            self.answer(marks, Event::Refusal(Refusal::new(code::DEADLINE, "the server says nothing to this")), true);
        }
    }

    fn answered(&mut self, marks: Marks, event: Event) -> Vec<Vec<u8>> {
        self.answer(marks, event, true);
        Vec::new()
    }

    fn refused(&mut self, marks: Marks, refusal: Refusal) -> Vec<Vec<u8>> {
        self.answered(marks, Event::Refusal(refusal))
    }

    fn answer(&mut self, marks: Marks, event: Event, done: bool) {
        self.heard.push_back(ServerLine { event, tag: marks.tag, key: marks.key, done });
    }

    /// Something that nobody asked for.
    fn tell(&mut self, event: Event) {
        self.heard.push_back(ServerLine { event, tag: None, key: None, done: false });
    }

    /// One frame has come: an object, or several of them in whatever form; an error as a bare string; or anything.
    fn frame(&mut self, text: &[u8], at: Millis) {
        let text = String::from_utf8_lossy(text);
        let mut values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        loop {
            let from = values.byte_offset();
            match values.next() {
                None => return,
                Some(Ok(value)) => self.value(value, at),
                Some(Err(_)) => {
                    let strange: String = text[from..].trim().chars().take(STRANGE_CHARS_MAX).collect();
                    return self.error(&strange, at);
                }
            }
        }
    }

    fn value(&mut self, value: Value, at: Millis) {
        match value {
            Value::Object(object) => self.object(&upper(object), at),
            Value::Array(values) => values.into_iter().filter(Value::is_object).for_each(|value| self.value(value, at)),
            Value::String(error) => self.error(&error, at),
            _ => {}
        }
    }

    fn object(&mut self, object: &Map<String, Value>, at: Millis) {
        let info = object.get("INFO").map(text).filter(|info| !info.is_empty());
        let accepted = object.get("USERNAME_ACCEPTED").and_then(truth);
        if let Some(accepted) = accepted
            && let Some((name, marks)) = self.knocked.take()
        {
            if !accepted {
                let why =
                    info.or_else(|| object.get("ERROR").map(text)).unwrap_or_else(|| format!("the server does not take the name `{name}`"));
                return self.answer(marks, Event::Refusal(refusal(&why, code::NAME_TAKEN)), true);
            }
            self.is_let_in(name, marks, object.get("ACCEPTED"));
        }
        if let Some(users) = object.get("USER_LIST") {
            self.roster(users);
        }
        if let Some(users) = object.get("USERS_JOINED") {
            people(users).for_each(|(name, _)| self.presence(name, true, at));
        }
        if let Some(users) = object.get("USERS_LEFT") {
            people(users).for_each(|(name, _)| self.presence(name, false, at));
        }
        if let Some(info) = info {
            match told(&info) {
                Some((name, arrives)) if accepted.is_none() && folded(&name) != folded(&self.me.clone().unwrap_or_default()) => {
                    self.presence(name, arrives, at);
                }
                // Who comes back after a lost link has been greeted.
                _ if accepted.is_some() && self.again => {}
                _ => {
                    let kind = if accepted.is_some() { GREETING } else { INFO };
                    self.tell(Event::Fact(Fact::new(kind, format!("* {info}"))));
                }
            }
        }
        if let Some(entries) = object.get("MESSAGES").or_else(|| object.get("MESSAGE")) {
            let numbers = object.get("SEQ").and_then(Value::as_array);
            let is_answer = object.get("ANSWER").and_then(truth).unwrap_or_default();
            for (index, entry) in entries_of(entries).enumerate() {
                let seq = numbers.and_then(|numbers| numbers.get(index)?.as_u64());
                if let Some(entry) = Entry::read(entry, at) {
                    self.message(entry, seq, accepted.is_some(), is_answer);
                }
            }
        }
        // Nothing else comes in by that door.
        if self.tells_private
            && let Some(event) = object.get("PRIVATE")
            && let Ok(event) = Event::deserialize(event)
            && event.is_of_private_chats()
        {
            self.tell(event);
        }
        match (object.get("RECEIPT"), object.get("ERROR")) {
            (Some(receipt), error) if self.receipts => self.receipt(receipt, error.map(text), at),
            (_, Some(error)) => self.error(&text(error), at),
            _ => {}
        }
    }

    fn is_let_in(&mut self, name: String, marks: Marks, extensions: Option<&Value>) {
        let has =
            |extension: &str| extensions.is_some_and(|list| list.as_array().is_some_and(|list| list.iter().any(|name| name == extension)));
        self.receipts = has(RECEIPTS);
        self.deflates = has(DEFLATE);
        self.tells_private = has(PRIVATE);
        if self.deflates {
            self.frames.inflate();
        }
        self.numbers = extensions.is_some();
        self.me = Some(name.clone());
        let guest = !self.numbers;
        self.answer(marks, Event::Welcome { name, registered: false, guest, seq: self.last }, true);
        let cards = self.cards();
        self.tell(Event::Cards { cards });
    }

    fn roster(&mut self, users: &Value) {
        let me = folded(self.me.as_deref().unwrap_or_default());
        let names: Vec<String> = people(users).filter(|(name, online)| *online && folded(name) != me).map(|(name, _)| name).collect();
        self.online = names.iter().take(ONLINE_MAX).map(|name| folded(name)).collect();
        self.tell(Event::Roster { names, rooms: Vec::new(), idle: BTreeMap::new(), more: false });
    }

    fn presence(&mut self, name: String, arrives: bool, at: Millis) {
        let short = folded(&name);
        // A server may tell the same in two ways, and of oneself.
        let news = if arrives { !self.online.contains(&short) } else { self.online.remove(&short) };
        if !news || Some(short.clone()) == self.me.as_deref().map(folded) {
            return;
        }
        if arrives && self.online.len() < ONLINE_MAX {
            self.online.insert(short);
        }
        self.tell(Event::Presence { name, what: if arrives { Arrival::LoggedIn } else { Arrival::LoggedOut }, at });
    }

    /// Something was said. `mail` came with the acceptance; `is_answer`: it is of the answer to the oldest command.
    fn message(&mut self, entry: Entry, seq: Option<u64>, mail: bool, is_answer: bool) {
        let me = self.me.clone().unwrap_or_default();
        let Entry { from, to, at, text } = entry;
        let (is_mine, is_to_me) = (folded(&from) == folded(&me), folded(&to) == folded(&me));
        let is_to_all = to.eq_ignore_ascii_case(ALL);
        let hash = if is_mine { own_hash(&me, &to, &text) } else { hash_of(&(&folded(&from), &folded(&to), at.0, &text)) };
        let is_new = self.known.add(hash);
        if is_mine && is_to_me && !mail {
            return self.note(&text, is_answer);
        }
        if is_mine && !mail {
            let echoed = (if is_to_all { folded(ALL) } else { folded(&to) }, text.clone());
            if let Some(index) = self.echoes.iter().position(|echo| *echo == echoed) {
                drop(self.echoes.remove(index));
                // What was said before it has passed, too.
                self.unsure = None;
                return;
            }
        }
        if mail && self.again && seq.is_none() && !is_new {
            return;
        }
        let to = match to {
            _ if is_to_all => Addressee::Everyone,
            to if is_to_me => Addressee::User(to),
            to if is_mine => return self.tell(Event::Fact(Fact::new(INFO, format!("* you to {to}: {text}")))),
            // Some servers have groups, or show everyone everything: it is not to the reader.
            to => Addressee::Room(to),
        };
        self.last = seq.unwrap_or(self.last + 1).max(self.last);
        self.tell(Event::Message(Said { seq: seq.unwrap_or(self.last), at, from, to, text, offline: mail, ..Said::default() }));
    }

    /// The server says something in a message from oneself: the answer to the oldest command, or a notice.
    fn note(&mut self, text: &str, is_answer: bool) {
        if self.receipts {
            match self.asked.front_mut().filter(|_| is_answer) {
                Some(Asked { what: What::Command { answer, .. }, .. }) => {
                    answer.push_str(text);
                    answer.push('\n');
                }
                Some(Asked { what: What::Ping { .. }, .. }) => {}
                _ => text.lines().for_each(|line| self.tell(Event::Fact(Fact::new(INFO, line)))),
            }
            return;
        }
        self.unsure = None;
        let Some(Asked { marks, what, .. }) = self.asked.pop_front() else {
            return text.lines().for_each(|line| self.tell(Event::Fact(Fact::new(INFO, line))));
        };
        match what {
            What::Command { line, .. } if line == text => {
                let refusal = Refusal::new(ERROR, format!("the server does not obey `{line}`: it sends the line back"));
                self.answer(marks, Event::Refusal(refusal), true);
            }
            _ => self.say_lines(marks, text),
        }
    }

    /// All of an answer in words.
    fn say_lines(&mut self, marks: Marks, text: &str) {
        if let Some((code, rest)) = text.strip_prefix("error[").and_then(|text| text.split_once("]: ")) {
            return self.answer(marks, Event::Refusal(Refusal::new(stock(code).unwrap_or(ERROR), rest)), true);
        }
        let mut lines = text.lines().peekable();
        if lines.peek().is_none() {
            return self.answer(marks, Event::Done, true);
        }
        while let Some(line) = lines.next() {
            self.answer(marks.clone(), Event::Fact(Fact::new(INFO, line)), lines.peek().is_none());
        }
    }

    /// The whole answer to the oldest line that has none.
    fn receipt(&mut self, receipt: &Value, error: Option<String>, at: Millis) {
        let Some(Asked { marks, what, .. }) = self.asked.pop_front() else { return };
        match (what, error) {
            (_, Some(error)) => self.answer(marks, Event::Refusal(refusal(&error, ERROR)), true),
            (What::Command { answer, .. }, None) => self.say_lines(marks, &answer),
            (What::Ping { token }, None) => self.answer(marks, Event::Pong { token }, true),
            (What::Message(to), None) => {
                let number = |key: &str| receipt.get(key).and_then(Value::as_u64).unwrap_or_default();
                let is = |key: &str| receipt.get(key).and_then(truth).unwrap_or_default();
                let at = receipt.get("TIMESTAMP").and_then(moment).unwrap_or(at);
                let sent = Event::Sent { seq: number("SEQ"), at, to, kept: is("KEPT"), missed: is("MISSED"), again: false };
                self.answer(marks, sent, true);
            }
        }
    }

    /// The server has something against something. What against, it does not say: the login, if there is one; what was said
    /// just before; a command that has no answer.
    fn error(&mut self, details: &str, at: Millis) {
        if let Some((_, marks)) = self.knocked.take() {
            return self.answer(marks, Event::Refusal(refusal(details, ERROR)), true);
        }
        let refusal = Event::Refusal(refusal(details, ERROR));
        let said = self.unsure.take().is_some_and(|said| at.since(said) <= ABOUT_A_MESSAGE);
        match self.asked.front() {
            // With receipts each answer says that it is one.
            Some(Asked { what: What::Command { .. }, behind, .. }) if !(self.receipts || *behind && said) => {
                if let Some(Asked { marks, .. }) = self.asked.pop_front() {
                    self.answer(marks, refusal, true);
                }
            }
            _ => self.tell(refusal),
        }
    }
}

/// One message as it comes.
struct Entry {
    from: String,
    to: String,
    at: Millis,
    text: String,
}

impl Entry {
    /// A list of four, or an object.
    fn read(value: &Value, now: Millis) -> Option<Entry> {
        let (from, to, time, content) = match value {
            Value::Array(parts) => match &parts[..] {
                [from, to, time, content, ..] => (from.clone(), to.clone(), time.clone(), content.clone()),
                _ => return None,
            },
            Value::Object(object) => {
                let object = upper(object.clone());
                let first = |keys: &[&str]| keys.iter().find_map(|key| object.get(*key).cloned());
                (
                    first(&["SRC", "SOURCE", "FROM", "SENDER"])?,
                    first(&["DEST", "DESTINATION", "TO", "RECIPIENT"]).unwrap_or(ALL.into()),
                    first(&["TIMESTAMP", "TIME"]).unwrap_or_default(),
                    first(&["CONTENT", "MESSAGE", "TEXT", "BODY"])?,
                )
            }
            _ => return None,
        };
        let from = from.as_str()?.to_owned();
        Some(Entry { from, to: to.as_str()?.to_owned(), at: moment(&time).unwrap_or(now), text: text(&content) })
    }
}

/// The messages of a list of them; or the one of which the list is.
fn entries_of(value: &Value) -> impl Iterator<Item = &Value> {
    let list = value.as_array().filter(|list| !list.first().is_some_and(Value::is_string));
    list.map_or(std::slice::from_ref(value), Vec::as_slice).iter()
}

/// Names, and whether each is online: a list of texts or objects, a map by names, or a text.
fn people(value: &Value) -> impl Iterator<Item = (String, bool)> {
    let found: Vec<(String, bool)> = match value {
        Value::String(names) => names.split(',').map(|name| (name.trim().to_owned(), true)).collect(),
        Value::Array(list) => list.iter().filter_map(person).collect(),
        Value::Object(map) => map.iter().map(|(name, about)| (name.clone(), is_online(about))).collect(),
        _ => Vec::new(),
    };
    found.into_iter().filter(|(name, _)| !name.is_empty())
}

fn person(value: &Value) -> Option<(String, bool)> {
    match value {
        Value::String(name) => Some((name.clone(), true)),
        Value::Object(object) => {
            let object = upper(object.clone());
            let name = ["USERNAME", "NAME", "USER", "NICK", "NICKNAME", "LOGIN"].iter().find_map(|key| object.get(*key)?.as_str());
            let only = || object.values().find_map(Value::as_str).filter(|_| object.len() == 1);
            Some((name.or_else(only)?.to_owned(), is_online(&Value::Object(object.clone()))))
        }
        Value::Array(parts) => Some((parts.first()?.as_str()?.to_owned(), true)),
        _ => None,
    }
}

/// What is said about somebody in a list: unless it says that they are not there, they are.
fn is_online(about: &Value) -> bool {
    match about {
        Value::String(word) if ["offline", "away", "left", "disconnected"].contains(&&*word.to_lowercase()) => false,
        Value::Object(object) => {
            let object = upper(object.clone());
            ["ONLINE", "STATUS", "STATE", "CONNECTED"].iter().find_map(|key| object.get(*key)).is_none_or(is_online)
        }
        other => truth(other).unwrap_or(true),
    }
}

/// What an `INFO` tells of somebody's coming or going, if that is what it tells: `bob joined`, `User bob has left the chat.`
fn told(info: &str) -> Option<(String, bool)> {
    const ARRIVES: [&str; 5] = ["joined", "joins", "entered", "connected", "online"];
    const LEAVES: [&str; 7] = ["left", "leaves", "quit", "disconnected", "exited", "offline", "gone"];
    const AROUND: [&str; 22] = [
        "user", "users", "client", "the", "a", "new", "has", "have", "is", "was", "just", "now", "went", "came", "logged", "signed",
        "chat", "server", "room", "in", "on", "to",
    ];
    /// More words than that are about something else.
    const WORDS_MAX: usize = 9;
    let words: Vec<&str> =
        info.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-'))).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    if words.len() > WORDS_MAX {
        return None;
    }
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let verb = |index: usize| match (&*lower[index], lower.get(index + 1).map(String::as_str)) {
        (word, _) if ARRIVES.contains(&word) => Some(true),
        (word, _) if LEAVES.contains(&word) => Some(false),
        ("logged" | "signed", Some("in" | "on")) => Some(true),
        ("logged" | "signed", Some("out" | "off")) => Some(false),
        _ => None,
    };
    let (at, arrives) = (0..words.len()).find_map(|index| Some((index, verb(index)?)))?;
    let named = |range: std::ops::Range<usize>| -> Vec<&str> {
        range
            .filter(|index| !AROUND.contains(&&*lower[*index]) && !["out", "off"].contains(&&*lower[*index]))
            .map(|index| words[index])
            .collect()
    };
    let (before, after) = (named(0..at), named(at + 1..words.len()));
    let name = match (&before[..], &after[..]) {
        ([name], _) => name,
        ([], [name]) => name,
        _ => return None,
    };
    (!name.eq_ignore_ascii_case("you")).then(|| ((*name).to_owned(), arrives))
}

/// Keys in upper case: not everyone writes them so.
fn upper(object: Map<String, Value>) -> Map<String, Value> {
    object.into_iter().map(|(key, value)| (key.to_uppercase(), value)).collect()
}

/// Yes or no, in any of the ways that it is said in.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => number.as_f64().map(|number| number != 0.0),
        Value::String(word) => match &*word.trim().to_lowercase() {
            "true" | "yes" | "1" | "ok" | "online" => Some(true),
            "false" | "no" | "0" | "offline" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A text, or whatever else was put in the place of one.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(parts) if parts.iter().all(Value::is_string) => parts.iter().map(text).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

/// A time: seconds or milliseconds, whole or not, as a number or as text; or a date.
fn moment(value: &Value) -> Option<Millis> {
    let millis = |number: f64| {
        let whole = number as i64;
        if whole.unsigned_abs() > SECONDS_MAX { Millis(whole) } else { Millis((number * 1000.0) as i64) }
    };
    match value {
        Value::Number(number) => number.as_f64().map(millis),
        Value::String(word) => {
            let word = word.trim();
            let date = || {
                let seconds = word.get(..19).filter(|_| word.is_char_boundary(19)).unwrap_or(word);
                read_moment(&seconds.replacen(' ', "T", 1)).ok()
            };
            word.parse::<f64>().ok().filter(|number| number.is_finite()).map(millis).or_else(date)
        }
        _ => None,
    }
}

fn seconds(at: Millis) -> i64 {
    at.0.div_euclid(1000)
}

/// What a server says against something: with the code that stands in front of it, if it is one of ours.
fn refusal(details: &str, otherwise: Code) -> Refusal {
    let ours = details.split_once(": ").and_then(|(code, rest)| Some((stock(code)?, rest)));
    match ours {
        Some((code, rest)) => Refusal::new(code, rest),
        None if details.is_empty() => Refusal::new(otherwise, "the server says no, and not why"),
        None => Refusal::new(otherwise, details),
    }
}

fn stock(word: &str) -> Option<Code> {
    code::ALL.iter().find(|(name, _)| *name == word).map(|(name, _)| Code::new(name))
}

fn hash_of(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// Of what one says oneself: servers disagree about whose clock it has the time of.
fn own_hash(me: &str, to: &str, text: &str) -> u64 {
    hash_of(&(&folded(me), &folded(to), text))
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
