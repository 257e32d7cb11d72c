//! A live session as a scenario: a proxy stands between clients and a server and notes what is said, in order. What is seen is
//! then found by playing it ([`crate::dictation`]), so that a recorded scenario is as exact as a written one.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chinwag_wire::dialect::json;
use chinwag_wire::split::{self, Asked};
use chinwag_wire::{Card, Complete, Event, Shape};
use futures_rustls::TlsAcceptor;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use smol::Async;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::dictation::Dictation;
use crate::holes;
use crate::ron_text::quoted;

/// How much is read at once.
const CHUNK: usize = 16 * 1024;
/// How many things are noted at most: an afternoon of a busy room. After that the session goes on, unrecorded.
const NOTES_MAX: usize = 100_000;
/// The first byte of a TLS ClientHello.
const TLS: u8 = 0x16;

/// One thing that happened on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Note {
    /// The client said a line.
    Said(usize, String),
    /// The server said a line.
    Heard(usize, String),
    /// The client went away.
    Left(usize),
}

/// What has been recorded. Clones are of the same.
#[derive(Clone, Debug, Default)]
pub struct Tape(Arc<Mutex<Vec<Note>>>);

/// The identity of a server whose data is in `folder`, so that a client finds here whom it would find there; `None` if it
/// has made none there.
#[must_use]
pub fn encryption(folder: &Path) -> Option<Arc<ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(folder.join("certificate.pem")).and_then(Iterator::collect).ok()?;
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).ok()?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().ok()?.with_no_client_auth();
    config.with_single_cert(chain, key).ok().map(Arc::new)
}

/// Why a session cannot be a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrecordable(pub String);

impl Tape {
    fn note(&self, note: Note) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < NOTES_MAX {
            notes.push(note);
        }
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Passes everything on between those who connect to `listener` and the server, and notes it, for ever. `encryption` is
    /// for those who come with TLS: it ends here, and the server hears them plainly.
    ///
    /// # Errors
    /// When nobody can be accepted any more.
    pub async fn record(&self, listener: TcpListener, server: SocketAddr, encryption: Option<Arc<ServerConfig>>) -> io::Result<()> {
        let listener = Async::new(listener)?;
        let mut count = 0;
        loop {
            let (client, _) = listener.accept().await?;
            let (tape, encryption) = (self.clone(), encryption.clone());
            let number = count;
            count += 1;
            smol::spawn(async move {
                // A connection that fails is one that ends.
                let _ = tape.pass(number, client, server, encryption).await;
            })
            .detach();
        }
    }

    async fn pass(
        &self,
        number: usize,
        client: Async<TcpStream>,
        server: SocketAddr,
        encryption: Option<Arc<ServerConfig>>,
    ) -> io::Result<()> {
        let mut first = [0];
        if client.get_ref().set_nodelay(true).is_err() || client.peek(&mut first).await? == 0 {
            return Ok(());
        }
        let upstream = Async::<TcpStream>::connect(server).await?;
        upstream.get_ref().set_nodelay(true)?;
        if first[0] != TLS {
            return self.relay(number, client, upstream).await;
        }
        match encryption {
            Some(encryption) => self.relay(number, TlsAcceptor::from(encryption).accept(client).await?, upstream).await,
            None => {
                eprintln!("somebody comes with TLS, and this server has made no certificate: connect plainly (chinwag --plain)");
                Ok(())
            }
        }
    }

    /// Passes on and notes what two say, until one of them ends it.
    async fn relay(
        &self,
        number: usize,
        mut client: impl AsyncRead + AsyncWrite + Unpin,
        mut upstream: Async<TcpStream>,
    ) -> io::Result<()> {
        let (mut from_client, mut from_server) = (Lines::default(), Lines::default());
        loop {
            let (mut said, mut heard) = (vec![0; CHUNK], vec![0; CHUNK]);
            let read = smol::future::or(async { (true, client.read(&mut said).await) }, async { (false, upstream.read(&mut heard).await) });
            match read.await {
                (true, Ok(count)) if count > 0 => {
                    // Noted before it is passed on: whatever it causes is noted behind it.
                    from_client.take(&said[..count], |line| self.note(Note::Said(number, line)));
                    upstream.write_all(&said[..count]).await?;
                }
                (false, Ok(count)) if count > 0 => {
                    from_server.take(&heard[..count], |line| self.note(Note::Heard(number, line)));
                    client.write_all(&heard[..count]).await?;
                    client.flush().await?;
                }
                (true, _) => {
                    self.note(Note::Left(number));
                    return Ok(());
                }
                // Whoever came with TLS is told that this is the end, and not a link that was cut.
                (false, _) => return client.close().await,
            }
        }
    }

    /// The session as steps. With `cards`, names, secrets and texts are replaced by others, the same by the same.
    ///
    /// # Errors
    /// When there is something in it that no scenario can say.
    pub fn dictation(&self, about: &str, args: &[String], cards: Option<&[Card]>) -> Result<Dictation, Unrecordable> {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut writer = Writer { names: names(&notes), masks: cards.map(Masks::new), ..Writer::default() };
        for note in &notes {
            writer.note(note)?;
        }
        Ok(Dictation { about: about.to_owned(), args: args.to_vec(), steps: Vec::new() }.with(writer.steps))
    }
}

impl Dictation {
    fn with(mut self, steps: Vec<String>) -> Dictation {
        steps.into_iter().for_each(|step| self.push(step));
        self
    }
}

/// Bytes to lines.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn take(&mut self, bytes: &[u8], mut each: impl FnMut(String)) {
        self.0.extend_from_slice(bytes);
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.0.drain(..=end).collect();
            each(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned());
        }
    }
}

/// What a client said: the line as typed, and the key of a resend.
fn typed(line: &str) -> (String, Option<String>) {
    match serde_json::from_str::<Value>(line) {
        Ok(Value::Object(object)) if object.contains_key("line") => {
            let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
            (text("line").unwrap_or_default(), text("key"))
        }
        _ => (line.to_owned(), None),
    }
}

fn command(line: &str) -> Option<(String, String)> {
    match split::line(line) {
        Asked::Command { name, rest } => Some((name.to_ascii_lowercase(), rest.into_owned())),
        _ => None,
    }
}

fn is_switch(line: &str) -> bool {
    command(line).is_some_and(|(name, _)| name == "dialect")
}

/// What each connection is called: after whom it logs in first; no name twice.
fn names(notes: &[Note]) -> BTreeMap<usize, String> {
    let mut names: BTreeMap<usize, String> = BTreeMap::new();
    let mut connections: Vec<usize> = Vec::new();
    for note in notes {
        let (Note::Said(number, _) | Note::Heard(number, _) | Note::Left(number)) = note;
        if !connections.contains(number) {
            connections.push(*number);
        }
        if let Note::Said(number, line) = note
            && let Some((name, rest)) = command(&typed(line).0)
            && ["register", "login", "guest"].contains(&name.as_str())
            && !names.contains_key(number)
        {
            let wanted: String = split::word(&rest).0.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let is_identifier = wanted.starts_with(|c: char| c.is_ascii_alphabetic());
            let wanted = if is_identifier { wanted } else { "x".to_owned() };
            names.insert(*number, unused(&wanted, &names));
        }
    }
    for number in connections {
        if !names.contains_key(&number) {
            let name = unused("x", &names);
            names.insert(number, name);
        }
    }
    names
}

fn unused(wanted: &str, names: &BTreeMap<usize, String>) -> String {
    let taken = |name: &str| names.values().any(|known| known == name);
    if !taken(wanted) {
        return wanted.to_owned();
    }
    (2..).map(|count| format!("{wanted}{count}")).find(|name| !taken(name)).unwrap_or_default()
}

/// Something that the server gave out and that a client may say later.
#[derive(Clone, Debug)]
struct Given {
    from: String,
    what: String,
    hole: Option<String>,
}

#[derive(Default)]
struct Writer {
    names: BTreeMap<usize, String>,
    masks: Option<Masks>,
    /// Which connections there have been, and whether they speak text.
    text: BTreeMap<usize, bool>,
    steps: Vec<String>,
    /// The newest numbers and tokens, by the value.
    given: BTreeMap<String, Given>,
    holes: usize,
}

impl Writer {
    fn note(&mut self, note: &Note) -> Result<(), Unrecordable> {
        match note {
            Note::Said(number, line) => self.said(*number, line),
            Note::Heard(number, line) => {
                self.heard(*number, line);
                Ok(())
            }
            Note::Left(number) => {
                if self.text.remove(number).is_some() {
                    self.steps.push(format!("Drop({})", quoted(&self.name(*number))));
                }
                Ok(())
            }
        }
    }

    fn name(&self, number: usize) -> String {
        let name = self.names.get(&number).cloned().unwrap_or_default();
        self.masks.as_ref().map_or(name.clone(), |masks| masks.known(&name))
    }

    fn said(&mut self, number: usize, line: &str) -> Result<(), Unrecordable> {
        let (typed, key) = typed(line);
        let is_new = !self.text.contains_key(&number);
        let text = *self.text.entry(number).or_insert_with(|| !is_switch(&typed));
        if is_new {
            // So that the connection is called what its login says, whatever is replaced.
            if let (Some(masks), Some(name)) = (&mut self.masks, self.names.get(&number)) {
                masks.name(name);
            }
            self.steps.push(format!("{}({})", if text { "Telnet" } else { "Connect" }, quoted(&self.name(number))));
            if !text {
                return Ok(());
            }
        }
        let asked = command(&typed).map(|(name, _)| name);
        if is_switch(&typed) {
            return Err(Unrecordable(format!("`{}` changes its dialect in the middle, which no scenario can say", self.name(number))));
        }
        // The barrier's own word.
        if typed.trim().is_empty() || asked.as_deref() == Some("ping") {
            return Ok(());
        }
        let masked = match &mut self.masks {
            Some(masks) => masks.line(&typed),
            None => typed,
        };
        let filled = self.with_holes(&masked);
        let name = self.name(number);
        self.steps.push(match key {
            Some(key) if !self.text[&number] => format!("SendKeyed({name}: (key: {}, line: {}))", quoted(&key), quoted(&filled)),
            _ => format!("Send({name}: {})", quoted(&filled)),
        });
        Ok(())
    }

    /// Remembers what may be said later.
    fn heard(&mut self, number: usize, line: &str) {
        let from = self.name(number);
        let mut give = |value: String, what: &str| {
            let kept = self.given.values().find(|given| given.from == from && given.what == what && given.hole.is_none()).cloned();
            // Only the newest of its kind can be remembered by a step.
            if kept.is_some() {
                self.given.retain(|_, given| !(given.from == from && given.what == what && given.hole.is_none()));
            }
            self.given.insert(value, Given { from: from.clone(), what: what.to_owned(), hole: None });
        };
        match json::decode_server_line(line).map(|said| said.event) {
            Ok(Event::Sent { seq, .. }) => give(seq.to_string(), "type: \"sent\", field: \"seq\""),
            Ok(Event::Message(said)) => give(said.seq.to_string(), "type: \"message\", field: \"seq\""),
            Ok(Event::Token { token, .. }) => give(token, "type: \"token\", field: \"token\""),
            _ => {
                if let Some((token, _)) = line.strip_prefix("* token ").and_then(|rest| rest.split_once(' ')) {
                    give(token.to_owned(), "after: \"* token \", until: \" \"");
                }
            }
        }
    }

    /// A line in which what the server gave out is remembered instead of written.
    fn with_holes(&mut self, line: &str) -> String {
        let words: Vec<String> = line
            .split(' ')
            .enumerate()
            .map(|(at, word)| match self.given.get_mut(word) {
                // What a command is called is not given out by a server; nor is what is said to somebody.
                Some(given) if at > 0 && is_about_numbers(line) => {
                    let hole = match &given.hole {
                        Some(hole) => hole.clone(),
                        None => {
                            self.holes += 1;
                            let hole = format!("given{}", self.holes);
                            self.steps.push(format!("Let({hole}: (from: {}, {}))", quoted(&given.from), given.what));
                            given.hole = Some(hole.clone());
                            hole
                        }
                    };
                    format!("{{{hole}}}")
                }
                _ => holes::escaped(word),
            })
            .collect();
        words.join(" ")
    }
}

/// Whether a line is one of those that programs say about numbers and tokens.
fn is_about_numbers(line: &str) -> bool {
    command(line).is_some_and(|(name, _)| ["ack", "since", "resume"].contains(&name.as_str()))
}

/// Names, secrets and texts, and what stands for them.
struct Masks {
    cards: Vec<Card>,
    names: BTreeMap<String, String>,
    others: BTreeMap<String, String>,
}

impl Masks {
    fn new(cards: &[Card]) -> Masks {
        Masks { cards: cards.to_vec(), names: BTreeMap::new(), others: BTreeMap::new() }
    }

    fn name(&mut self, name: &str) -> String {
        let count = self.names.len() + 1;
        self.names.entry(name.to_lowercase()).or_insert_with(|| format!("user{count}")).clone()
    }

    fn known(&self, name: &str) -> String {
        self.names.get(&name.to_lowercase()).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn other(&mut self, what: &str, text: &str) -> String {
        let count = self.others.len() + 1;
        self.others.entry(text.to_owned()).or_insert_with(|| format!("{what}{count}")).clone()
    }

    fn line(&mut self, line: &str) -> String {
        let Some((name, rest)) = command(line) else { return self.other("text ", line) };
        let Some(card) = self.cards.iter().find(|card| card.answers_to(&name)).cloned() else { return self.other("line-", line) };
        let mut words = vec![card.name.to_string()];
        let mut rest = rest.as_str();
        for arg in &card.args {
            let (word, after) = match arg.kind.shape {
                Shape::Rest => (rest.trim(), ""),
                Shape::Word => split::word(rest),
            };
            if word.is_empty() {
                break;
            }
            let is_name = matches!(arg.kind.complete, Complete::KnownUsers | Complete::OnlineUsers)
                && !word.bytes().all(|byte| byte.is_ascii_digit());
            // A token is what the server gave out: it is remembered, not written.
            words.push(if is_name || (arg.name == "name" && arg.kind.shape == Shape::Word) {
                self.name(word)
            } else if arg.kind.secret && arg.name != "token" {
                self.other("secret-", word)
            } else if arg.kind.shape == Shape::Rest {
                self.other("text ", word)
            } else {
                word.to_owned()
            });
            rest = after;
        }
        if !rest.trim().is_empty() {
            words.push("more".to_owned());
        }
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tape(notes: &[(usize, char, &str)]) -> Tape {
        let tape = Tape::default();
        for (number, what, text) in notes {
            tape.note(match what {
                '>' => Note::Said(*number, (*text).to_owned()),
                '<' => Note::Heard(*number, (*text).to_owned()),
                _ => Note::Left(*number),
            });
        }
        tape
    }

    fn steps(notes: &[(usize, char, &str)], cards: Option<&[Card]>) -> Vec<String> {
        tape(notes).dictation("x", &[], cards).unwrap().steps.into_iter().map(|given| given.text).collect()
    }

    #[test]
    fn both_dialects_become_steps() {
        let notes = [
            (0, '>', "register alice secret"),
            (1, '>', "dialect json"),
            (1, '>', r#"{"line":"login bob x","tag":"1"}"#),
            (1, '>', r#"{"line":"@alice {i} \"x\"","tag":"2","key":"k"}"#),
            (0, '<', "bob: {i}"),
            (1, '>', r#"{"line":"ping 3"}"#),
            (0, '-', ""),
            (2, '>', "login alice secret"),
        ];
        assert_eq!(
            steps(&notes, None),
            [
                "Telnet(\"alice\")",
                "Send(alice: \"register alice secret\")",
                "Connect(\"bob\")",
                "Send(bob: \"login bob x\")",
                "SendKeyed(bob: (key: \"k\", line: \"@alice {{i}} \\\"x\\\"\"))",
                "Drop(\"alice\")",
                "Telnet(\"alice2\")",
                "Send(alice2: \"login alice secret\")",
            ]
        );
    }

    #[test]
    fn numbers_and_tokens_are_remembered() {
        let notes = [
            (0, '>', "dialect json"),
            (0, '>', r#"{"line":"register alice secret"}"#),
            (0, '<', r#"{"type":"token","token":"86461af303bb583db0e16f4d76de63c7","expires":1}"#),
            (0, '<', r#"{"type":"message","seq":7,"at":1,"from":"bob","to":"everyone","text":"7"}"#),
            (0, '>', r#"{"line":"ack 7"}"#),
            (0, '>', r#"{"line":"@bob 7"}"#),
            (1, '>', "resume 86461af303bb583db0e16f4d76de63c7 7"),
        ];
        assert_eq!(
            steps(&notes, None)[2..],
            [
                "Let(given1: (from: \"alice\", type: \"message\", field: \"seq\"))",
                "Send(alice: \"ack {given1}\")",
                "Send(alice: \"@bob 7\")",
                "Telnet(\"x\")",
                "Let(given2: (from: \"alice\", type: \"token\", field: \"token\"))",
                "Send(x: \"resume {given2} {given1}\")",
            ]
        );
    }

    #[test]
    fn what_is_replaced_is_replaced_everywhere() {
        let notes = [
            (0, '>', "register Alice hunter2"),
            (1, '>', "register bob hunter2"),
            (1, '>', "@alice meet me at nine"),
            (0, '>', "block BOB"),
            (1, '>', "broadcast meet me at nine"),
        ];
        let cards = chinwag_commands::stock().cards();
        let steps = steps(&notes, Some(&cards));
        assert_eq!(
            steps,
            [
                "Telnet(\"user1\")",
                "Send(user1: \"register user1 secret-1\")",
                "Telnet(\"user2\")",
                "Send(user2: \"register user2 secret-1\")",
                "Send(user2: \"message user1 text 2\")",
                "Send(user1: \"block user2\")",
                "Send(user2: \"broadcast text 2\")",
            ]
        );
        let all = steps.join("\n").to_lowercase();
        assert!(!all.contains("alice") && !all.contains("hunter2") && !all.contains("nine"), "{all}");
    }

    #[test]
    fn a_change_of_dialect_in_the_middle_cannot_be_said() {
        let tape = tape(&[(0, '>', "whoami"), (0, '>', "dialect json")]);
        assert!(tape.dictation("x", &[], None).is_err());
    }
}
