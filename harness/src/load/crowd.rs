//! The load generator: many nonblocking connections, one epoll, one thread.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::time::Timespec;

/// How many logins are under way at a time: more would only wait for the threads that hash passwords.
const LOGINS_AT_ONCE: usize = 32;

/// How long anything that is certain to come may take before the run is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

struct Wire {
    stream: TcpStream,
    /// The beginning of a line.
    partial: Vec<u8>,
    output: Vec<u8>,
    waits: bool,
    closed: bool,
}

/// Many connections.
pub(crate) struct Crowd {
    poll: OwnedFd,
    events: Vec<Event>,
    scratch: Vec<u8>,
    wires: Vec<Wire>,
    dirty: Vec<usize>,
    received: u64,
}

impl Crowd {
    /// No connections yet.
    pub(crate) fn new() -> io::Result<Crowd> {
        let poll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Crowd {
            poll,
            events: Vec::with_capacity(1024),
            scratch: vec![0; 256 * 1024],
            wires: Vec::new(),
            dirty: Vec::new(),
            received: 0,
        })
    }

    /// Connects `count` more.
    pub(crate) fn connect(&mut self, address: SocketAddr, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let wire = self.dial(address, self.wires.len())?;
            self.wires.push(wire);
        }
        Ok(())
    }

    /// Connects in the place of one that has been closed.
    pub(crate) fn reconnect(&mut self, who: usize, address: SocketAddr) -> io::Result<()> {
        self.wires[who] = self.dial(address, who)?;
        Ok(())
    }

    fn dial(&self, address: SocketAddr, place: usize) -> io::Result<Wire> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        epoll::add(&self.poll, &stream, EventData::new_u64(place as u64), EventFlags::IN)?;
        Ok(Wire { stream, partial: Vec::new(), output: Vec::new(), waits: false, closed: false })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.wires.len()
    }

    /// How many bytes have come on all of them.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Has one stop reading, for good.
    pub(crate) fn stall(&mut self, who: usize) -> io::Result<()> {
        Ok(epoll::delete(&self.poll, &self.wires[who].stream)?)
    }

    /// Whether the other side has closed it.
    pub(crate) fn is_closed(&self, who: usize) -> bool {
        self.wires[who].closed
    }

    /// Says that nothing more will come from this one.
    pub(crate) fn hang_up(&mut self, who: usize) -> io::Result<()> {
        self.wires[who].stream.shutdown(std::net::Shutdown::Write)
    }

    /// Appends to what is sent with the next [`Crowd::flush`].
    pub(crate) fn say(&mut self, who: usize, line: &[u8]) {
        let wire = &mut self.wires[who];
        if wire.output.is_empty() {
            self.dirty.push(who);
        }
        wire.output.extend_from_slice(line);
    }

    /// Sends what has been said.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while let Some(who) = self.dirty.pop() {
            self.write(who)?;
        }
        Ok(())
    }

    fn write(&mut self, who: usize) -> io::Result<()> {
        let wire = &mut self.wires[who];
        let mut written = 0;
        while written < wire.output.len() {
            match wire.stream.write(&wire.output[written..]) {
                Ok(taken) => written += taken,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        wire.output.drain(..written);
        let waits = !wire.output.is_empty();
        if waits != wire.waits {
            wire.waits = waits;
            let interest = if waits { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(&self.poll, &wire.stream, EventData::new_u64(who as u64), interest)?;
        }
        Ok(())
    }

    /// Sends what has been said, waits at most `patience` for something to come, and gives each line that came to
    /// `hear`, with whose it is and when it was read. One read for each connection that has something.
    pub(crate) fn turn(&mut self, patience: Duration, mut hear: impl FnMut(usize, &[u8], Instant) -> io::Result<()>) -> io::Result<()> {
        self.flush()?;
        self.events.clear();
        let timeout = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
        match epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut self.events), Some(&timeout)) {
            Err(rustix::io::Errno::INTR) => return Ok(()),
            result => result?,
        };
        for index in 0..self.events.len() {
            let Event { flags, data } = self.events[index];
            let who = data.u64() as usize;
            if flags.contains(EventFlags::OUT) {
                self.write(who)?;
            }
            if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
                self.read(who, &mut hear)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, who: usize, hear: &mut impl FnMut(usize, &[u8], Instant) -> io::Result<()>) -> io::Result<()> {
        let wire = &mut self.wires[who];
        let read = match wire.stream.read(&mut self.scratch) {
            Ok(0) => {
                wire.closed = true;
                epoll::delete(&self.poll, &wire.stream)?;
                return Ok(());
            }
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        self.received += read as u64;
        let now = Instant::now();
        let mut input = &self.scratch[..read];
        if !wire.partial.is_empty() {
            let Some(end) = memchr::memchr(b'\n', input) else {
                wire.partial.extend_from_slice(input);
                return Ok(());
            };
            wire.partial.extend_from_slice(&input[..end]);
            hear(who, &wire.partial, now)?;
            wire.partial.clear();
            input = &input[end + 1..];
        }
        while let Some(end) = memchr::memchr(b'\n', input) {
            hear(who, &input[..end], now)?;
            input = &input[end + 1..];
        }
        wire.partial.extend_from_slice(input);
        Ok(())
    }

    /// Sends `line` on connections `from..to`, a few at a time, until a line that begins with `answer` has come on
    /// each. Other lines are skipped.
    pub(crate) fn ask_each(
        &mut self,
        from: usize,
        to: usize,
        at_once: usize,
        line: impl Fn(usize) -> String,
        answer: &[u8],
    ) -> io::Result<()> {
        let give_up = Instant::now() + PATIENCE;
        let mut answered = vec![false; to];
        let (mut asked, mut done) = (from, 0);
        while done < to - from {
            while asked < to && asked - from - done < at_once {
                self.say(asked, line(asked).as_bytes());
                asked += 1;
            }
            self.turn(Duration::from_millis(100), |who, line, _| {
                let refusals: [&[u8]; 4] = [b"error[", b"* disconnected", br#"{"type":"refusal""#, br#"{"type":"closing""#];
                if refusals.iter().any(|refusal| line.starts_with(refusal)) {
                    return Err(unexpected(who, line));
                }
                if who < to && who >= from && !answered[who] && line.starts_with(answer) {
                    answered[who] = true;
                    done += 1;
                }
                Ok(())
            })?;
            if Instant::now() > give_up {
                return Err(io::Error::other(format!("{done} of {} have their answer after {PATIENCE:?}", to - from)));
            }
        }
        Ok(())
    }

    /// Makes an account for each connection, and waits until everyone has seen everyone come.
    pub(crate) fn register_all(&mut self) -> io::Result<()> {
        self.ask_each(0, self.len(), LOGINS_AT_ONCE, |who| format!("register {} secret\n", name(who)), b"* welcome")?;
        self.barrier()
    }

    /// Waits until everyone has seen everything that has happened so far.
    pub(crate) fn barrier(&mut self) -> io::Result<()> {
        self.ask_each(0, self.len(), usize::MAX, |_| "ping ready\n".to_owned(), b"pong ready")
    }
}

/// The name of a user: always as long.
pub(crate) fn name(who: usize) -> String {
    format!("u{who:05}")
}

/// A line that should not have come.
pub(crate) fn unexpected(who: usize, line: &[u8]) -> io::Error {
    io::Error::other(format!("unexpected on connection {who}: {}", String::from_utf8_lossy(line)))
}
