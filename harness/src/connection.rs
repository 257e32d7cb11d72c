//! One connection of a scenario: bytes out, and what was heard, in the dialect of programs or of people.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::task::Context;

use chinwag_wire::dialect::{Marks, json, text};
use chinwag_wire::{Event, Line};
use serde_json::Value;
use smol::Async;
use socket2::{Domain, Protocol, Socket, Type};

use crate::link::{Arrived, Link};
use crate::tls::Tls;
use crate::wire::{self, Wire};

/// One thing that a connection received.
#[derive(Clone, Debug)]
pub enum Heard {
    /// A line of the text dialect.
    Line(String),
    /// An event of the json dialect.
    Event {
        /// As people would read it; it may have several lines.
        shown: String,
        /// As it came.
        object: Value,
    },
    /// The end of the connection.
    Closed,
}

impl Heard {
    /// What people read of it.
    #[must_use]
    pub fn said(&self) -> Option<&String> {
        match self {
            Heard::Line(shown) | Heard::Event { shown, .. } => Some(shown),
            Heard::Closed => None,
        }
    }

    /// The event as it came.
    #[must_use]
    pub fn object(&self) -> Option<&Value> {
        match self {
            Heard::Event { object, .. } => Some(object),
            _ => None,
        }
    }
}

/// In which dialect a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// The dialect of programs.
    Json,
    /// The dialect of people.
    Text,
    /// A wire.
    Wire(Wire),
}

/// A connection, open or ended.
pub struct Connection {
    /// What the scenario calls it.
    pub name: String,
    /// Its dialect.
    pub speaks: Speaks,
    stream: Option<Arc<Async<TcpStream>>>,
    /// The way to the server.
    pub link: Link,
    /// What is in front of it, where it is encrypted.
    tls: Option<Box<Tls>>,
    /// Half a line.
    partial: Vec<u8>,
    /// What no step has looked at yet.
    pub unread: VecDeque<Heard>,
    /// What the transcript does not have yet.
    pub fresh: Vec<Heard>,
    /// All events, those that people are not shown included: what `Let` looks through. Newest last.
    pub events: Vec<Heard>,
    /// The token of the pong that is waited for.
    pub awaited: Option<String>,
    /// Something was sent since the last barrier.
    pub dirty: bool,
    /// Nothing is read from it.
    pub paused: bool,
    /// What was sent last has no line end: a ping would be taken for the rest of it.
    pub mid_line: bool,
    /// What is sent on it is passed on to somebody: a ping would be too.
    pub carries: bool,
    /// The socket that it receives on, where a wire has two for each user.
    pub receiver: Option<Box<Connection>>,
    /// It acknowledges what wants to be.
    pub acknowledges: bool,
    /// It has acknowledged something since the last barrier.
    pub has_acknowledged: bool,
}

impl Connection {
    /// Opens one, from an address of this machine if one is given. It speaks text until the scenario says otherwise.
    ///
    /// # Errors
    /// When there is no listener.
    pub async fn open(name: &str, address: SocketAddr, speaks: Speaks, from: Option<IpAddr>, seed: u64) -> io::Result<Connection> {
        let stream = match from {
            None => Async::<TcpStream>::connect(address).await?,
            Some(from) => connect_from(from, address).await?,
        };
        stream.get_ref().set_nodelay(true)?;
        Ok(Connection {
            name: name.to_owned(),
            speaks,
            stream: Some(Arc::new(stream)),
            link: Link::new(seed),
            tls: None,
            partial: Vec::new(),
            unread: VecDeque::new(),
            fresh: Vec::new(),
            events: Vec::new(),
            awaited: None,
            dirty: false,
            paused: false,
            mid_line: false,
            carries: false,
            receiver: None,
            acknowledges: false,
            has_acknowledged: false,
        })
    }

    /// Whether the server's side is still there, as far as is known.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Whether a ping can be sent and its pong read.
    #[must_use]
    pub fn can_ping(&self) -> bool {
        let has_pings = !matches!(self.speaks, Speaks::Wire(_));
        has_pings && self.is_open() && !self.carries && !self.paused && !self.mid_line && !self.link.cut
    }

    /// How it is, in a few words.
    #[must_use]
    pub fn standing(&self) -> &'static str {
        match self {
            Connection { stream: None, .. } => "gone",
            Connection { awaited: Some(_), .. } => "waited for",
            Connection { link, .. } if link.cut => "cut off",
            Connection { paused: true, .. } => "paused",
            Connection { mid_line: true, .. } => "in the middle of a line",
            _ => "open",
        }
    }

    /// Encrypts the connection, before anything is said on it; the server has to show the certificate in this file.
    ///
    /// # Errors
    /// When it does not.
    pub async fn encrypt(&mut self, certificate: &Path) -> io::Result<()> {
        if let Some(stream) = &self.stream {
            self.tls = Some(Box::new(Tls::shake(stream, certificate).await?));
        }
        Ok(())
    }

    /// Takes bytes to be sent, when the way to the server lets them through.
    pub fn post(&mut self, bytes: Vec<u8>) {
        let sealed = match &mut self.tls {
            Some(tls) => tls.sealed(&bytes).unwrap_or_default(),
            None => bytes,
        };
        if self.is_open() {
            self.link.post(sealed);
        }
    }

    /// Whether everything posted has been written, or cannot be for now.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        (!self.is_open() || self.link.is_flushed()) && self.receiver.as_ref().is_none_or(|receiver| receiver.is_flushed())
    }

    /// Loses the connection without the server being told: what is returned has to be kept, and nothing done with it.
    pub fn lose(&mut self) -> Option<Arc<Async<TcpStream>>> {
        let stream = self.stream.take();
        self.close();
        stream
    }

    /// Closes it from this side, without a word.
    pub fn close(&mut self) {
        if let Some(stream) = self.stream.take() {
            // Dropping it would not do: a server that is being started at this moment holds a copy of every socket
            // between its fork and its exec, and as long as it does nothing is closed.
            let _ = stream.get_ref().shutdown(std::net::Shutdown::Both);
        }
        self.receiver = None;
        self.partial.clear();
        self.link.clear();
        self.awaited = None;
        self.paused = false;
        self.mid_line = false;
    }

    /// One line as it is sent, with its ending.
    #[must_use]
    pub fn encoded(&self, line: &str, key: Option<&str>) -> Vec<u8> {
        match self.speaks {
            Speaks::Text => format!("{line}\n").into_bytes(),
            Speaks::Wire(wire) => wire.said(&self.name, line),
            Speaks::Json => json::encode_line(&Line { text: line.into(), marks: Marks { tag: None, key: key.map(str::to_owned) } }),
        }
    }

    /// Writes what is due and reads all there is. Says whether anything went or came.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        while let Some(stream) = self.stream.clone() {
            // What cannot be written to has ended; reading it will say so.
            any |= self.link.poll_write(cx, &stream).unwrap_or(true);
            if self.paused {
                break;
            }
            match self.link.poll_read(cx, &stream) {
                None => break,
                Some(Arrived::End) => {
                    self.close();
                    self.hear(Heard::Closed);
                }
                Some(Arrived::Bytes(bytes)) => self.take(&bytes),
            }
            any = true;
        }
        any | self.poll_receiver(cx)
    }

    /// Reads the other socket, and acknowledges what wants to be.
    fn poll_receiver(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(mut receiver) = self.receiver.take() else { return false };
        receiver.paused = self.paused;
        let any = receiver.poll(cx);
        receiver.unread.clear();
        receiver.events.clear();
        let heard: Vec<Heard> = receiver.fresh.drain(..).collect();
        // The end of both is heard on the other one.
        for heard in heard.into_iter().filter(|heard| !matches!(heard, Heard::Closed)) {
            self.hear(heard);
        }
        self.has_acknowledged |= std::mem::take(&mut receiver.has_acknowledged);
        if self.is_open() {
            self.receiver = Some(receiver);
        }
        any
    }

    /// Takes whole frames of a wire.
    fn take_frames(&mut self, wire: Wire) {
        for frame in wire.frames(&mut self.partial) {
            if self.acknowledges
                && let Some(acknowledgement) = wire.acknowledgement(&frame)
            {
                self.post(acknowledgement);
                self.has_acknowledged = true;
            }
            self.hear(Heard::Line(wire::shown_frame(wire, &frame)));
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if let Some(tls) = &mut self.tls {
            // What is no TLS must not be overlooked: it is shown as it came.
            let records = tls.opened(bytes).unwrap_or_else(|error| vec![error.to_string().into_bytes(), bytes.to_vec()]);
            return records.into_iter().for_each(|record| self.hear(Heard::Line(wire::shown(&record))));
        }
        self.partial.extend_from_slice(bytes);
        if let Speaks::Wire(wire) = self.speaks {
            return self.take_frames(wire);
        }
        let Some(end) = self.partial.iter().rposition(|b| *b == b'\n') else { return };
        let rest = self.partial.split_off(end + 1);
        let lines = std::mem::replace(&mut self.partial, rest);
        for line in lines.split_inclusive(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
            self.line(line);
        }
    }

    fn line(&mut self, line: String) {
        // Before the switch, and when it is refused, a json connection too hears lines.
        let heard = if self.speaks == Speaks::Json && line.starts_with('{') { event(line) } else { Heard::Line(line) };
        let pong = match &heard {
            Heard::Line(line) => line.strip_prefix("pong "),
            Heard::Event { object, .. } if object["type"] == "pong" => object["token"].as_str(),
            _ => None,
        };
        if pong.is_some() && pong == self.awaited.as_deref() {
            self.awaited = None;
            return;
        }
        self.hear(heard);
    }

    fn hear(&mut self, heard: Heard) {
        self.events.push(heard.clone());
        if heard.said().is_some_and(String::is_empty) {
            return;
        }
        self.unread.push_back(heard.clone());
        self.fresh.push(heard);
    }

    /// Forgets what was heard so far: what came before the scenario began.
    pub fn forget(&mut self) {
        self.unread.clear();
        self.fresh.clear();
    }
}

/// Connects from an address of this machine that is not the one the system would choose.
async fn connect_from(from: IpAddr, address: SocketAddr) -> io::Result<Async<TcpStream>> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    // To an address of the same machine a connection is there at once, or refused at once.
    socket.connect(&address.into())?;
    Async::new(TcpStream::from(socket))
}

fn event(line: String) -> Heard {
    let Ok(object) = serde_json::from_str::<Value>(&line) else { return Heard::Line(line) };
    let shown = match json::decode_server_line(&line).map(|line| line.event) {
        // What this harness cannot read must not be overlooked: it is shown as it came.
        Ok(Event::Unknown) | Err(_) => line,
        Ok(event) => text::shown(&event),
    };
    Heard::Event { shown, object }
}
