//! `limit`, the yardstick: one thread, one bare epoll loop that appends each message to the buffer of everyone who
//! gets it and writes each buffer once a turn. About the least that a server can do. It keeps nothing, checks
//! nothing and speaks just enough of the text dialect for the load generator not to notice.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;

const LISTENER: u64 = u64::MAX;
const STDIN: u64 = u64::MAX - 1;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;

struct Member {
    stream: TcpStream,
    name: Option<Box<str>>,
    /// The beginning of a line.
    partial: Vec<u8>,
    /// What goes out at the end of the turn.
    output: Vec<u8>,
    /// The socket was full: epoll says when it is not.
    blocked: bool,
    touched: bool,
    leaving: bool,
}

#[derive(Default)]
struct Room {
    members: Vec<Option<Member>>,
    free: Vec<usize>,
    by_name: HashMap<Box<str>, usize>,
    touched: Vec<usize>,
}

/// Serves until stdin closes.
pub(crate) fn serve() -> io::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let listener = listen()?;
    println!("{}", serde_json::json!({ "listening": [listener.local_addr()?.to_string()], "pid": std::process::id() }));
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&poll, &listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    epoll::add(&poll, io::stdin(), EventData::new_u64(STDIN), EventFlags::IN)?;
    let mut room = Room::default();
    let mut scratch = vec![0; 64 * 1024];
    let mut events: Vec<Event> = Vec::with_capacity(1024);
    loop {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), None) {
            Err(rustix::io::Errno::INTR) => continue,
            result => result?,
        };
        for event in &events {
            let (data, flags) = (event.data, event.flags);
            match data.u64() {
                LISTENER => room.accept_all(&listener, &poll)?,
                STDIN => match io::stdin().read(&mut scratch)? {
                    0 => return Ok(()),
                    _ => println!("{{}}"),
                },
                member => {
                    let member = member as usize;
                    if flags.contains(EventFlags::OUT) {
                        room.touch(member);
                    }
                    if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                        room.hear(member, &mut scratch);
                    }
                }
            }
        }
        room.write_all(&poll)?;
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

impl Room {
    fn accept_all(&mut self, listener: &TcpListener, poll: &OwnedFd) -> io::Result<()> {
        loop {
            let (stream, _) = match listener.accept() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                accepted => accepted?,
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let place = self.free.pop().unwrap_or_else(|| {
                self.members.push(None);
                self.members.len() - 1
            });
            epoll::add(poll, &stream, EventData::new_u64(place as u64), EventFlags::IN)?;
            let member =
                Member { stream, name: None, partial: Vec::new(), output: Vec::new(), blocked: false, touched: false, leaving: false };
            self.members[place] = Some(member);
        }
    }

    fn touch(&mut self, place: usize) {
        if let Some(member) = &mut self.members[place]
            && !member.touched
        {
            member.touched = true;
            self.touched.push(place);
        }
    }

    fn say(&mut self, place: usize, parts: &[&[u8]]) {
        if let Some(member) = &mut self.members[place] {
            for part in parts {
                member.output.extend_from_slice(part);
            }
        }
        self.touch(place);
    }

    fn hear(&mut self, place: usize, scratch: &mut [u8]) {
        let Some(member) = &mut self.members[place] else { return };
        let read = match member.stream.read(scratch) {
            Ok(read) if read > 0 => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            _ => {
                member.leaving = true;
                return self.touch(place);
            }
        };
        let mut partial = std::mem::take(&mut member.partial);
        let mut input = &scratch[..read];
        if !partial.is_empty() {
            partial.extend_from_slice(input);
            input = &partial;
        }
        while let Some(end) = memchr::memchr(b'\n', input) {
            self.obey(place, &input[..end]);
            input = &input[end + 1..];
        }
        if !input.is_empty() {
            let rest = input.to_vec();
            if let Some(member) = &mut self.members[place] {
                member.partial = rest;
            }
        }
    }

    fn obey(&mut self, place: usize, line: &[u8]) {
        let (command, rest) = split(line);
        match command {
            b"broadcast" => {
                let Some(name) = self.members[place].as_ref().and_then(|member| member.name.clone()) else { return };
                let line = [name.as_bytes(), b" to all: ", rest, b"\n"].concat();
                for other in 0..self.members.len() {
                    if other != place && self.members[other].as_ref().is_some_and(|member| member.name.is_some()) {
                        self.say(other, &[&line]);
                    }
                }
                self.say(place, &[b"sent\n"]);
            }
            b"message" => {
                let Some(name) = self.members[place].as_ref().and_then(|member| member.name.clone()) else { return };
                let (to, text) = split(rest);
                match std::str::from_utf8(to).ok().and_then(|to| self.by_name.get(to)).copied() {
                    Some(to) => self.say(to, &[name.as_bytes(), b": ", text, b"\n"]),
                    None => return self.say(place, &[b"error[no-such-user]\n"]),
                }
                self.say(place, &[b"sent\n"]);
            }
            b"register" | b"login" | b"guest" | b"resume" => {
                let name: Box<str> = String::from_utf8_lossy(split(rest).0).into();
                self.by_name.insert(name.clone(), place);
                self.say(place, &[b"* welcome, ", name.as_bytes(), b"\n"]);
                if let Some(member) = &mut self.members[place] {
                    member.name = Some(name);
                }
            }
            b"token" => {
                let Some(name) = self.members[place].as_ref().and_then(|member| member.name.clone()) else { return };
                self.say(place, &[b"* token ", name.as_bytes(), b" (until the end)\n"]);
            }
            // A room of its own: nobody is told who else is in it.
            b"create" | b"join" => self.say(place, &[b"* you are in ", rest, b"\n"]),
            b"/leave" => self.say(place, &[b"* you have left\n"]),
            b"ping" | b"/ping" => self.say(place, &[b"pong ", rest, b"\n"]),
            b"quit" => {
                self.say(place, &[b"* goodbye\n"]);
                if let Some(member) = &mut self.members[place] {
                    member.leaving = true;
                }
            }
            _ => self.say(place, &[b"error[unknown-command]\n"]),
        }
    }

    fn write_all(&mut self, poll: &OwnedFd) -> io::Result<()> {
        for place in self.touched.drain(..) {
            let Some(member) = &mut self.members[place] else { continue };
            member.touched = false;
            let mut written = 0;
            while written < member.output.len() {
                match member.stream.write(&member.output[written..]) {
                    Ok(taken) => written += taken,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => {
                        member.leaving = true;
                        written = member.output.len();
                    }
                }
            }
            member.output.drain(..written);
            let blocked = !member.output.is_empty();
            if blocked != member.blocked {
                member.blocked = blocked;
                let interest = if blocked { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
                epoll::modify(poll, &member.stream, EventData::new_u64(place as u64), interest)?;
            }
            if member.leaving && !blocked {
                if let Some(name) = &member.name
                    && self.by_name.get(name) == Some(&place)
                {
                    self.by_name.remove(name);
                }
                self.members[place] = None;
                self.free.push(place);
            }
        }
        Ok(())
    }
}

/// The first word, and what comes after the blank.
fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b' ', line) {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, &[]),
    }
}
