//! `s4`: a chat protocol of JSON objects, each behind its length, over TLS. The README beside this file is its reference.

pub mod client;
pub mod frame;

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::iter::Peekable;
use std::net::IpAddr;
use std::time::Duration;
use std::vec::IntoIter;

use serde::Serialize;
use serde_json::{Map, Value};

use self::frame::{Frames, Next};
use super::text;
use super::wire::{Effect, Effects, Peer, Protocol, Setup, Wire, check_options};
use crate::event::{Addressee, Arrival, Event, Said};
use crate::name::folded;
use crate::refusal::Refusal;
use crate::time::Millis;

/// How the protocol writes that something is for everyone.
pub const ALL: &str = "ALL";

/// How much JSON one frame has at most, where it can be divided: with the lengths of TLS around it, one record.
const RECORD: usize = 16_000;

/// The extensions that may be asked for with `ACCEPT`: frames that are deflated, an answer of its own to each message, and
/// private chats.
const DEFLATE: &str = "deflate";
const RECEIPTS: &str = "receipts";
const PRIVATE: &str = "private";

/// What some programs put in front of every text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// How many of the messages of one object are refused one by one: a frame has room for thousands that are none, and each
/// answer is a write of its own.
const ERRORS_MAX: usize = 20;

/// The smallest bound on a frame that comes: a few messages at once.
const FRAME_MIN: usize = 64 * 1024;

/// The protocol as a wire of the server.
pub struct S4;

impl Wire for S4 {
    fn name(&self) -> &'static str {
        "s4"
    }

    fn about(&self) -> &'static str {
        "S4 (length and JSON, over TLS)"
    }

    fn plain(&self) -> bool {
        false
    }

    fn guests(&self) -> bool {
        true
    }

    fn gathers(&self) -> bool {
        false
    }

    fn acknowledges(&self) -> bool {
        false
    }

    fn wants_roster(&self) -> bool {
        true
    }

    fn options(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn start(&self, setup: &Setup) -> Result<Box<dyn Protocol>, String> {
        check_options(self, setup)?;
        // Every byte of a text may come as six, `\u001b`.
        Ok(Box::new(Talkers { frame_bytes: FRAME_MIN.max(8 * setup.text_bytes), all: HashMap::new() }))
    }
}

/// One message as the protocol has it: who, to whom, when (seconds), what.
type Entry = (String, String, i64, String);

/// One object of the server, with what it has.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Object {
    #[serde(skip_serializing_if = "Option::is_none")]
    username_accepted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_list: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Entry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    users_joined: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    users_left: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// An extension: the place of each of the messages in the order, for `SINCE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<Vec<u64>>,
    /// Extensions that were asked for and are in force from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<Vec<&'static str>>,
    /// An extension: this is the whole answer to the oldest message that has none; what became of it, if it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Option<Receipt>>,
    /// The messages are of the answer to the oldest that has no receipt, and not by the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<bool>,
    /// An extension: an event of a private chat, as `json` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    private: Option<Event>,
    /// An extension: from the next byte on this connection is an end of a relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    carried: Option<bool>,
}

/// What became of a message that is said.
#[derive(Debug, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Receipt {
    seq: u64,
    timestamp: i64,
    kept: bool,
    missed: bool,
}

impl Object {
    fn error(details: impl Into<String>) -> Object {
        Object { error: Some(details.into()), ..Object::default() }
    }

    fn send(&self, to: Peer, out: &mut Effects) {
        out.frame(to, frame::encode(self));
    }
}

/// Which extensions somebody has asked for.
#[derive(Clone, Copy, Debug, Default)]
struct Extensions {
    deflate: bool,
    receipts: bool,
    private: bool,
}

impl Extensions {
    /// Those of a list that are known; the others are not in force.
    fn of(list: &Value) -> Extensions {
        let names = list.as_array().map(Vec::as_slice).unwrap_or_default();
        let has = |name: &str| names.iter().any(|named| named.as_str() == Some(name));
        Extensions { deflate: has(DEFLATE), receipts: has(RECEIPTS), private: has(PRIVATE) }
    }

    fn names(self) -> Vec<&'static str> {
        let all = [(self.deflate, DEFLATE), (self.receipts, RECEIPTS), (self.private, PRIVATE)];
        all.into_iter().filter_map(|(on, name)| on.then_some(name)).collect()
    }
}

/// What has been asked for and not been answered.
#[derive(Debug)]
enum Asked {
    /// To begin after this; the answer says nothing to anybody.
    Quiet,
    /// To come in; and what came in the same object.
    Login(Vec<Value>),
    /// To say this to one, or to everyone.
    Message { to_all: bool, text: String },
    /// Whatever a command does.
    Command,
    /// To be an end of a relay.
    Carry,
    /// Nothing that could be asked for, and why: where each message has a receipt, it waits for its turn.
    Wrong(String),
}

/// Somebody who has been let in and has not been told so, because mail comes first.
#[derive(Debug, Default)]
struct Greeting {
    online: Vec<String>,
    mail: Vec<(u64, Entry)>,
    mail_bytes: usize,
    /// Who came and went meanwhile.
    then: Vec<Object>,
}

/// One connection.
#[derive(Debug, Default)]
struct Talker {
    frames: Frames,
    /// Nothing that comes is understood any more.
    lost: bool,
    /// The name that was accepted.
    name: Option<String>,
    greeting: Option<Box<Greeting>>,
    asked: VecDeque<Asked>,
    /// It has asked for an extension: it is one of ours.
    extended: bool,
    /// What it has asked for by name; in force when it is let in.
    extensions: Option<Extensions>,
}

/// Everyone on one shard.
struct Talkers {
    frame_bytes: usize,
    all: HashMap<Peer, Talker>,
}

impl Protocol for Talkers {
    fn opened(&mut self, peer: Peer, _: IpAddr, _: &mut Effects) {
        self.all.insert(peer, Talker::default());
    }

    fn heard(&mut self, peer: Peer, input: &[u8], out: &mut Effects) -> usize {
        let Some(talker) = self.all.get_mut(&peer).filter(|talker| !talker.lost) else { return input.len() };
        let (taken, next) = talker.frames.take(input, self.frame_bytes);
        match next {
            Next::Unfinished => {}
            Next::Whole(json) => talker.object(peer, &json, out),
            Next::TooLong(claimed) => {
                talker.lose(peer, format!("a frame of {claimed} bytes is too long: {} are the most", self.frame_bytes), out);
            }
            Next::NotInflatable => {
                talker.lose(peer, format!("a frame does not inflate, to {} bytes at most", self.frame_bytes), out);
            }
        }
        taken
    }

    fn event(&mut self, peer: Peer, event: &Event, out: &mut Effects) {
        if let Some(talker) = self.all.get_mut(&peer) {
            talker.sees(peer, event, out);
        }
    }

    fn answer(&mut self, peer: Peer, events: &[Event], out: &mut Effects) {
        if let Some(talker) = self.all.get_mut(&peer) {
            talker.is_answered(peer, events, out);
        }
    }

    fn caught_up(&mut self, peer: Peer, out: &mut Effects) {
        if let Some(talker) = self.all.get_mut(&peer) {
            talker.greet(peer, out);
        }
    }

    fn gone(&mut self, peer: Peer, _: &mut Effects) {
        self.all.remove(&peer);
    }

    fn due(&self) -> Option<Duration> {
        None
    }

    fn time(&mut self, _: &mut Effects) {}

    fn held(&self, peer: Peer) -> usize {
        self.all.get(&peer).map_or(0, |talker| talker.frames.held())
    }

    fn hears_private(&self, peer: Peer) -> bool {
        self.all.get(&peer).is_some_and(Talker::hears_private)
    }
}

impl Talker {
    /// Sends an object; deflated, if it has been told that it is.
    fn send(&self, peer: Peer, object: &Object, out: &mut Effects) {
        match self.extensions {
            Some(Extensions { deflate: true, .. }) if self.name.is_some() && self.greeting.is_none() => {
                out.frame(peer, frame::encode_deflated(object))
            }
            _ => object.send(peer, out),
        }
    }

    fn gets_receipts(&self) -> bool {
        self.extensions.is_some_and(|extensions| extensions.receipts)
    }

    fn hears_private(&self) -> bool {
        self.extensions.is_some_and(|extensions| extensions.private)
    }

    /// Tells of what happens: when it has been told that it is let in.
    fn tell(&mut self, peer: Peer, object: Object, out: &mut Effects) {
        match &mut self.greeting {
            Some(greeting) => greeting.then.push(object),
            None => self.send(peer, &object, out),
        }
    }

    /// Says that something of this frame comes to nothing.
    fn reject(&self, peer: Peer, why: impl Into<String>, out: &mut Effects) {
        self.send(peer, &Object::error(why), out);
        out.push(Effect::Wasted(peer));
    }

    /// What comes next nobody knows.
    fn lose(&mut self, peer: Peer, why: String, out: &mut Effects) {
        self.lost = true;
        self.send(peer, &Object::error(why), out);
        out.push(Effect::Close(peer));
    }

    /// One frame has come.
    fn object(&mut self, peer: Peer, json: &[u8], out: &mut Effects) {
        // Some count the end of their strings, too.
        let end = json.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let json = &json[..end];
        // Some begin every text with a mark.
        let json = json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json);
        let object = match serde_json::from_slice::<Value>(json) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return self.reject(peer, "not a JSON object", out),
            Err(error) => return self.reject(peer, format!("not JSON in UTF-8: {error}"), out),
        };
        if let Some(ticket) = object.get("CARRY").filter(|ticket| !ticket.is_null()) {
            return self.carry(peer, ticket, out);
        }
        let mut known = false;
        // Some write all the keys they know, and nothing where they have nothing.
        let given = |key| object.get(key).filter(|value| !value.is_null());
        let messages = match given("MESSAGES") {
            None => Vec::new(),
            Some(Value::Array(entries)) => {
                known = true;
                // One message, without the list of them around it.
                if entries.first().is_some_and(Value::is_string) { vec![Value::Array(entries.clone())] } else { entries.clone() }
            }
            Some(_) => return self.reject(peer, "MESSAGES is a list of [SRC, DEST, TIMESTAMP, CONTENT]", out),
        };
        match given("USERNAME") {
            None => self.say_all(peer, messages, out),
            Some(Value::String(name)) => {
                known = true;
                self.log_in(peer, name, &object, messages, out);
            }
            Some(_) => return self.reject(peer, "USERNAME is a text", out),
        }
        if !known {
            self.reject(peer, "an object has USERNAME or MESSAGES", out);
        }
    }

    fn log_in(&mut self, peer: Peer, name: &str, object: &Map<String, Value>, messages: Vec<Value>, out: &mut Effects) {
        if let Some(mine) = &self.name {
            self.reject(peer, format!("you are signed in as {mine}"), out);
            return self.say_all(peer, messages, out);
        }
        let given = |key| object.get(key).filter(|value| !value.is_null());
        if let Some(since) = given("SINCE") {
            self.extended = true;
            if let Some(since) = since.as_u64() {
                self.asked.push_back(Asked::Quiet);
                out.order(peer, format!("since {since}"), None);
            }
        }
        self.extensions = given("ACCEPT").map(Extensions::of);
        self.extended |= self.extensions.is_some();
        match given("PASSWORD").map(Value::as_str) {
            None => out.order(peer, "guest", Some(name.to_owned())),
            Some(Some(password)) if crate::name::check(name).is_ok() => {
                out.order(peer, format!("login {name}"), Some(password.to_owned()));
            }
            Some(_) => return refuse("the name or the password cannot be one", peer, out),
        }
        self.asked.push_back(Asked::Login(messages));
        // What it says next depends on what becomes of this.
        out.push(Effect::Hold(peer));
    }

    /// A ticket for the relay: whoever has one needs no name.
    fn carry(&mut self, peer: Peer, ticket: &Value, out: &mut Effects) {
        let Some(ticket) = ticket.as_str() else { return self.reject(peer, "CARRY is a text", out) };
        self.asked.push_back(Asked::Carry);
        out.order(peer, "carry", Some(ticket.to_owned()));
    }

    fn say_all(&mut self, peer: Peer, messages: Vec<Value>, out: &mut Effects) {
        let mut errors = 0;
        for entry in messages {
            match self.say(peer, &entry, out) {
                Ok(()) => {}
                Err(details) if self.gets_receipts() && self.name.is_some() => self.asked.push_back(Asked::Wrong(details)),
                Err(details) => {
                    errors += 1;
                    if errors <= ERRORS_MAX {
                        self.reject(peer, details, out);
                    }
                }
            }
        }
        if errors > ERRORS_MAX {
            self.reject(peer, format!("{} more of these messages are wrong", errors - ERRORS_MAX), out);
        }
        self.refuse_wrong(peer, out);
    }

    /// Refuses what was wrong, up to the first that waits for its answer.
    fn refuse_wrong(&mut self, peer: Peer, out: &mut Effects) {
        while let Some(Asked::Wrong(_)) = self.asked.front()
            && let Some(Asked::Wrong(details)) = self.asked.pop_front()
        {
            self.send(peer, &Object { receipt: Some(None), ..Object::error(details) }, out);
        }
    }

    /// Asks for what one entry of `MESSAGES` says.
    fn say(&mut self, peer: Peer, entry: &Value, out: &mut Effects) -> Result<(), String> {
        let form = || "a message is [SRC, DEST, TIMESTAMP, CONTENT]".to_owned();
        // What stands for the time is not looked at: programs put whatever they have there, and ours is what counts.
        let [Value::String(from), Value::String(to), _, Value::String(text), ..] = &entry.as_array().ok_or_else(form)?[..] else {
            return Err(form());
        };
        let Some(mine) = &self.name else { return Err("sign in with USERNAME first".to_owned()) };
        if folded(from) != folded(mine) {
            return Err(format!("SRC is {mine} on this connection"));
        }
        let to_all = to.eq_ignore_ascii_case(ALL);
        if folded(to) == folded(mine) && text.starts_with('/') {
            self.asked.push_back(Asked::Command);
            out.order(peer, text.as_str(), None);
        } else if to_all {
            self.asked.push_back(Asked::Message { to_all, text: text.clone() });
            out.order(peer, "broadcast", Some(text.clone()));
        } else if to.is_empty() || to.contains(char::is_whitespace) {
            // It would be taken for a name and something else.
            return Err(format!("there is no user `{}`", crate::name::shortened(to)));
        } else {
            self.asked.push_back(Asked::Message { to_all, text: text.clone() });
            out.order(peer, format!("message {to}"), Some(text.clone()));
        }
        Ok(())
    }

    fn is_answered(&mut self, peer: Peer, events: &[Event], out: &mut Effects) {
        match self.asked.pop_front() {
            None | Some(Asked::Quiet | Asked::Wrong(_)) => {}
            Some(Asked::Login(messages)) => {
                self.is_let_in(peer, events, out);
                self.say_all(peer, messages, out);
                out.push(Effect::Release(peer));
            }
            Some(Asked::Message { to_all, text }) => {
                for event in events {
                    let receipts = self.gets_receipts();
                    match event {
                        Event::Refusal(refusal) => {
                            let refused = Object { receipt: receipts.then_some(None), ..Object::error(details(refusal)) };
                            self.send(peer, &refused, out);
                        }
                        Event::Sent { seq, at, kept, missed, .. } if receipts => {
                            let receipt = Receipt { seq: *seq, timestamp: seconds(*at), kept: *kept, missed: *missed };
                            self.send(peer, &Object { receipt: Some(Some(receipt)), ..Object::default() }, out);
                        }
                        // The one that sent it waits for it, too.
                        Event::Sent { at, seq, .. } if to_all => {
                            let me = self.name.clone().unwrap_or_default();
                            self.show(peer, *seq, (me, ALL.to_owned(), seconds(*at), text.clone()), out);
                        }
                        _ => {}
                    }
                }
            }
            Some(Asked::Command) => {
                self.note(peer, events, self.gets_receipts(), out);
                if self.gets_receipts() {
                    self.send(peer, &Object { receipt: Some(None), ..Object::default() }, out);
                }
            }
            Some(Asked::Carry) => {
                let refusal = events.iter().find_map(|event| if let Event::Refusal(refusal) = event { Some(refusal) } else { None });
                let answer =
                    refusal.map_or_else(|| Object { carried: Some(true), ..Object::default() }, |refusal| Object::error(details(refusal)));
                self.send(peer, &answer, out);
            }
        }
        self.refuse_wrong(peer, out);
    }

    fn is_let_in(&mut self, peer: Peer, events: &[Event], out: &mut Effects) {
        let mut greeting = Greeting::default();
        for event in events {
            match event {
                Event::Welcome { name, .. } => self.name = Some(name.clone()),
                Event::Roster { names, .. } => greeting.online.clone_from(names),
                Event::Refusal(refusal) => return refuse(&details(refusal), peer, out),
                _ => {}
            }
        }
        if let Some(name) = &self.name {
            greeting.online.push(name.clone());
            greeting.online.sort_by_key(|name| folded(name));
            self.greeting = Some(Box::new(greeting));
            if self.extensions.is_some_and(|extensions| extensions.deflate) {
                self.frames.inflate();
            }
        }
    }

    /// Tells that the name is accepted, with all that belongs to it. What one record does not take follows.
    fn greet(&mut self, peer: Peer, out: &mut Effects) {
        let Some(greeting) = self.greeting.take() else { return };
        let mut online = greeting.online.into_iter().peekable();
        let listed = fitting(&mut online, RECORD.saturating_sub(greeting.mail_bytes));
        let (numbers, entries): (Vec<u64>, Vec<Entry>) = greeting.mail.into_iter().unzip();
        let accepted = Object {
            username_accepted: Some(true),
            info: Some("Welcome!".to_owned()),
            user_list: Some(listed),
            messages: Some(entries),
            seq: self.extended.then_some(numbers),
            accepted: self.extensions.map(Extensions::names),
            ..Object::default()
        };
        // Never deflated: only now does the other end know that it may be.
        accepted.send(peer, out);
        while online.peek().is_some() {
            self.send(peer, &Object { users_joined: Some(fitting(&mut online, RECORD)), ..Object::default() }, out);
        }
        for object in greeting.then {
            self.send(peer, &object, out);
        }
    }

    fn sees(&mut self, peer: Peer, event: &Event, out: &mut Effects) {
        match event {
            Event::Message(said) | Event::Own(said) => {
                let entry = self.entry(said, event);
                self.show(peer, said.seq, entry, out);
            }
            Event::Presence { name, what, .. } => {
                let names = Some(vec![name.clone()]);
                let object = match what {
                    Arrival::LoggedIn => Object { users_joined: names, ..Object::default() },
                    Arrival::LoggedOut | Arrival::TimedOut => Object { users_left: names, ..Object::default() },
                };
                self.tell(peer, object, out);
            }
            // It is told of those only if it has asked for it; what its client needs is not for people to read.
            event if event.is_of_private_chats() && self.hears_private() => {
                self.tell(peer, Object { private: Some(event.clone()), ..Object::default() }, out);
            }
            Event::Closing(refusal) => self.send(peer, &Object::error(details(refusal)), out),
            other => self.note(peer, std::slice::from_ref(other), false, out),
        }
    }

    /// One message as the protocol has it. What it has no form for is told in words.
    fn entry(&self, said: &Said, event: &Event) -> Entry {
        let me = || self.name.clone().unwrap_or_default();
        let (to, text) = match &said.to {
            Addressee::Everyone if said.about.is_none() => (ALL.to_owned(), said.text.clone()),
            Addressee::User(name) if said.about.is_none() => (name.clone(), said.text.clone()),
            Addressee::Everyone => (ALL.to_owned(), text::shown(event)),
            _ => (me(), text::shown(event)),
        };
        (said.from.clone(), to, seconds(said.at), text)
    }

    /// Shows one message: with the acceptance, if that has not been told, or by itself.
    fn show(&mut self, peer: Peer, seq: u64, entry: Entry, out: &mut Effects) {
        if let Some(greeting) = &mut self.greeting {
            let bytes = frame::encode(&entry).len();
            if greeting.mail_bytes + bytes <= RECORD / 2 {
                greeting.mail_bytes += bytes;
                greeting.mail.push((seq, entry));
                return;
            }
            // A month of mail is not kept waiting for its end.
            self.greet(peer, out);
        }
        let object = Object { messages: Some(vec![entry]), seq: self.extended.then(|| vec![seq]), ..Object::default() };
        self.send(peer, &object, out);
    }

    /// Tells what the protocol has no word for as people read it, in a message from the user itself.
    fn note(&mut self, peer: Peer, events: &[Event], is_answer: bool, out: &mut Effects) {
        let Some(me) = self.name.clone() else { return };
        let shown: Vec<String> = events.iter().map(|event| text::shown(&plain(event))).filter(|shown| !shown.is_empty()).collect();
        let mut shown = shown.join("\n");
        while !shown.is_empty() {
            let end = cut(&shown, RECORD / 2);
            let rest = shown.split_off(end);
            let entry = (me.clone(), me.clone(), seconds(out.at), shown.trim_end_matches('\n').to_owned());
            self.send(peer, &Object { messages: Some(vec![entry]), answer: is_answer.then_some(true), ..Object::default() }, out);
            shown = rest;
        }
    }
}

/// The event without what readers of this protocol's lists of people do not expect: they go by the names.
fn plain(event: &Event) -> Cow<'_, Event> {
    let mut event = Cow::Borrowed(event);
    match &*event {
        Event::People { idle, .. } if !idle.is_empty() => {
            if let Event::People { idle, .. } = event.to_mut() {
                idle.clear();
            }
        }
        Event::Directory { users, .. } if users.iter().any(|user| user.idle.is_some()) => {
            if let Event::Directory { users, .. } = event.to_mut() {
                users.iter_mut().for_each(|user| user.idle = None);
            }
        }
        _ => {}
    }
    event
}

/// Where to cut `text`, so that the first part is not longer than `most` escaped bytes: behind a line, if there is one.
fn cut(text: &str, most: usize) -> usize {
    let mut bytes = 0;
    for (at, c) in text.char_indices() {
        bytes += if (' '..='~').contains(&c) { 1 } else { 6 * c.len_utf16() };
        if bytes > most {
            return text[..at].rfind('\n').map_or(at, |line| line + 1);
        }
    }
    text.len()
}

fn refuse(why: &str, peer: Peer, out: &mut Effects) {
    Object { username_accepted: Some(false), info: Some(why.to_owned()), ..Object::default() }.send(peer, out);
}

/// A refusal as text: for people, with its code for programs.
fn details(refusal: &Refusal) -> String {
    refusal.to_string()
}

fn seconds(at: Millis) -> i64 {
    at.0.div_euclid(1000)
}

/// As many names as fit into so many bytes, and at least one.
fn fitting(names: &mut Peekable<IntoIter<String>>, room: usize) -> Vec<String> {
    let mut left = room;
    let mut taken = Vec::new();
    while let Some(name) = names.next_if(|name| taken.is_empty() || name.len() + 3 <= left) {
        left = left.saturating_sub(name.len() + 3);
        taken.push(name);
    }
    taken
}

#[cfg(test)]
mod tests;
