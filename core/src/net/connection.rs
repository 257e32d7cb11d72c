//! One connection: its socket, what waits for it, and the task that reads it.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chinwag_wire::dialect::{self, Partial};
use chinwag_wire::{Event, Fact, Refusal, code};
use rustls::ServerConnection;
use smol::Async;

use super::census::Place;
use super::flood::{Allowance, Turn};
use super::relay::Given;
use super::shard::Shard;
use super::wire::{Seat, talk};
use crate::ctx::{Caller, RelayEnd};
use crate::dispatch::{Answer, cost, dispatch};
use crate::fault::Fault;
use crate::hall::{Departure, Elsewhere, RoomId, SessionId, UserId};
use crate::spoken::Spoken;

/// How long a connection that ends may take to read what it was sent last.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The place that every wire has where line-mode dialects have theirs in [`dialect::ALL`]: the run there stays empty.
pub(super) const WIRE: usize = dialect::ALL.len();

/// Where a connection stands with what others say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody is logged in on it, or not any more: it sees answers only.
    Out,
    /// Logged in; the greeting and then kept mail are on their way, and what is said meanwhile is read from the store.
    CatchingUp(UserId),
    /// Logged in; sees what is said as it is said. With its place in the shard's list.
    Live(UserId, usize),
}

/// What goes on while kept mail is on its way.
#[derive(Debug)]
pub(super) struct CatchUp {
    /// The login has been answered: not before that may anything else be seen.
    pub(super) greeted: bool,
    /// Of what the user said on other devices, what it gets.
    pub(super) elsewhere: Elsewhere,
    /// There is something in the store to begin with.
    pub(super) owed: bool,
    /// It has been told that older mail is not kept any more.
    pub(super) told_of_gone: bool,
    /// Everything up to here has been written.
    pub(super) through: u64,
    /// Everything up to here has been appended, and will have been written when the outbox is empty.
    pub(super) appended: u64,
    /// The last number that was said meanwhile and not written: it is in the store.
    pub(super) skipped: u64,
    /// What was shown meanwhile and is in no store.
    pub(super) held: Vec<Arc<Spoken>>,
}

/// How a connection that is to end does.
#[derive(Debug)]
struct Ending {
    how: Departure,
    patience: Duration,
    last_word: Option<Event>,
}

/// One connection, on the shard that owns it.
pub(super) struct Connection {
    pub(super) id: SessionId,
    pub(super) address: IpAddr,
    stream: Async<TcpStream>,
    tls: RefCell<Option<Box<ServerConnection>>>,
    /// What the socket did not take yet. Without memory of its own when empty.
    outbox: RefCell<Vec<u8>>,
    /// Who waits for it to become empty.
    drained: RefCell<Vec<Waker>>,
    /// Who waits for kept mail to have been written.
    pub(super) wait_for_mail: RefCell<Vec<Waker>>,
    /// The rooms it hears.
    pub(super) rooms: RefCell<Vec<RoomId>>,
    /// Its place in the state machine of a wire, if it speaks one.
    seat: Option<Box<Seat>>,
    /// The place of its dialect in [`dialect::ALL`]; one beyond them if it speaks a wire.
    pub(super) dialect: Cell<usize>,
    pub(super) standing: Cell<Standing>,
    pub(super) catch_up: RefCell<Option<Box<CatchUp>>>,
    /// How much of the shard's run (of its dialect) it has, or has been excused from.
    pub(super) run_from: Cell<usize>,
    /// It has something in the outbox that has not been offered to the socket.
    pub(super) dirty: Cell<bool>,
    /// A task waits for the socket to take more.
    writing: Cell<bool>,
    /// Everything up to here had been written when the outbox was last empty; only while it is not.
    pub(super) settled: Cell<u64>,
    /// The socket failed.
    broken: Cell<bool>,
    ending: RefCell<Option<Ending>>,
    /// The order has ended it: what it is answered from there on would come before its last word, and is left out.
    put_out: Cell<bool>,
    /// A read is worth trying before the socket says so.
    may_have_more: Cell<bool>,
    /// Its task has nothing to do but to read what comes.
    listening: Cell<bool>,
    /// Wakes the reading task when the connection is to end.
    reader: RefCell<Option<Waker>>,
    /// What it has seen when everything has been written that it had coming when it was detached.
    pub(super) left_at: Cell<u64>,
    /// When the idle timeout or the login deadline has to be looked at: the entry in the shard's list that counts.
    pub(super) deadline: Cell<Duration>,
    pub(super) last_active: Cell<Duration>,
    place: RefCell<Option<Place>>,
    /// The relay has it now: this is what is left of it.
    given_away: Cell<bool>,
}

impl Connection {
    pub(super) fn new(
        id: SessionId,
        address: IpAddr,
        stream: TcpStream,
        place: Place,
        seat: Option<Seat>,
        now: Duration,
    ) -> io::Result<Connection> {
        // Small lines in both directions: waiting to fill a packet would cost 40 ms each time.
        stream.set_nodelay(true)?;
        Ok(Connection {
            id,
            address,
            stream: Async::new(stream)?,
            tls: RefCell::new(None),
            outbox: RefCell::new(Vec::new()),
            drained: RefCell::new(Vec::new()),
            wait_for_mail: RefCell::new(Vec::new()),
            rooms: RefCell::new(Vec::new()),
            dialect: Cell::new(if seat.is_some() { WIRE } else { 0 }),
            seat: seat.map(Box::new),
            standing: Cell::new(Standing::Out),
            catch_up: RefCell::new(None),
            run_from: Cell::new(0),
            dirty: Cell::new(false),
            writing: Cell::new(false),
            settled: Cell::new(0),
            broken: Cell::new(false),
            ending: RefCell::new(None),
            put_out: Cell::new(false),
            may_have_more: Cell::new(true),
            listening: Cell::new(false),
            reader: RefCell::new(None),
            left_at: Cell::new(0),
            deadline: Cell::new(Duration::ZERO),
            last_active: Cell::new(now),
            place: RefCell::new(Some(place)),
            given_away: Cell::new(false),
        })
    }

    /// Whether what is written to it counts as seen.
    pub(super) fn counts_as_seen(&self) -> bool {
        match &self.seat {
            Some(seat) => !seat.wire().acknowledges(),
            None => !dialect::ALL[self.dialect.get()].acknowledges(),
        }
    }

    /// Who is logged in on it.
    pub(super) fn user(&self) -> Option<UserId> {
        match self.standing.get() {
            Standing::Out => None,
            Standing::CatchingUp(user) | Standing::Live(user, _) => Some(user),
        }
    }

    /// How many bytes wait for the socket.
    pub(super) fn waiting(&self) -> usize {
        self.outbox.borrow().len()
    }

    /// Whether something has come that its task has not been woken for yet.
    pub(super) fn has_unread(&self) -> bool {
        // Bytes, the end, or a reset: all of them have to be acted on.
        let came = || !matches!(self.stream.get_ref().peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.listening.get() && !self.is_ending() && came()
    }

    /// Whether there is something to read, or the end, without waiting.
    fn has_more_to_say(&self) -> bool {
        self.may_have_more.get() || !matches!(self.stream.get_ref().peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Whether the socket failed: what it was offered last may not have arrived.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.borrow().is_some() || self.broken.get()
    }

    /// Appends `bytes` to what is written at the end of the turn.
    pub(super) fn append(&self, bytes: &[u8]) {
        if bytes.is_empty() || self.broken.get() {
            return;
        }
        if let Some(tls) = self.tls.borrow_mut().as_mut() {
            // Writing to the buffer of a TLS connection cannot fail: it has no bound of its own.
            let _ = tls.writer().write_all(bytes);
        } else {
            let mut outbox = self.outbox.borrow_mut();
            if outbox.capacity() == 0 {
                *outbox = super::shard::spare_buffer();
            }
            outbox.extend_from_slice(bytes);
        }
    }

    /// Sends one frame, in a write and in a TLS record of its own as far as the socket takes it and a record can.
    pub(super) fn send(&self, frame: &[u8]) {
        self.append(frame);
        self.write(&[]);
    }

    /// Its place in the state machine of a wire.
    pub(super) fn seat(&self) -> Option<&Seat> {
        self.seat.as_deref()
    }

    /// Wakes its task.
    pub(super) fn rouse(&self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Offers the socket what waits and then `more`, without a copy of `more` where the socket takes it all.
    /// Says whether everything was taken.
    pub(super) fn write(&self, more: &[u8]) -> bool {
        if self.broken.get() {
            return true;
        }
        let mut outbox = self.outbox.borrow_mut();
        if let Some(tls) = self.tls.borrow_mut().as_mut() {
            let _ = tls.writer().write_all(more);
            while tls.wants_write() {
                if tls.write_tls(&mut *outbox).is_err() {
                    self.broken.set(true);
                    break;
                }
            }
            self.write_from(&mut outbox, &[])
        } else {
            self.write_from(&mut outbox, more)
        }
    }

    fn write_from(&self, outbox: &mut Vec<u8>, mut more: &[u8]) -> bool {
        if self.writing.get() {
            // A task does it when the socket takes more.
            outbox.extend_from_slice(more);
            return outbox.is_empty();
        }
        let mut written = 0;
        while written < outbox.len() {
            match self.offer(&outbox[written..]) {
                Some(0) => break,
                Some(taken) => written += taken,
                None => return true,
            }
        }
        if written < outbox.len() {
            outbox.drain(..written);
            outbox.extend_from_slice(more);
            return false;
        }
        super::shard::keep_spare(std::mem::take(outbox));
        while !more.is_empty() {
            match self.offer(more) {
                Some(0) => break,
                Some(taken) => more = &more[taken..],
                None => return true,
            }
        }
        outbox.extend_from_slice(more);
        more.is_empty()
    }

    /// How many bytes the socket takes at once; `None` when it is broken.
    fn offer(&self, bytes: &[u8]) -> Option<usize> {
        loop {
            match self.stream.get_ref().write(bytes) {
                Ok(0) => {}
                Ok(taken) => return Some(taken),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => {}
            }
            self.broken.set(true);
            // Whoever reads it hears that it ended.
            let _ = self.stream.get_ref().shutdown(Shutdown::Both);
            return None;
        }
    }

    /// Starts the task that writes what waits as the socket takes it, unless there is one.
    pub(super) fn write_when_possible(self: &Rc<Self>, shard: &Rc<Shard>) {
        if self.writing.replace(true) {
            return;
        }
        let (connection, shard) = (Rc::clone(self), Rc::clone(shard));
        let task = async move {
            while !connection.broken.get() && connection.waiting() > 0 {
                if connection.stream.writable().await.is_err() {
                    connection.broken.set(true);
                    break;
                }
                connection.writing.set(false);
                connection.write(&[]);
                connection.writing.set(true);
            }
            connection.writing.set(false);
            shard.has_settled(&connection);
            connection.tell_drained();
        };
        super::shard::spawn(task);
    }

    /// Everything has been written, or never will be.
    pub(super) fn tell_drained(&self) {
        for waker in self.drained.take() {
            waker.wake();
        }
    }

    /// Waits until everything has been written, or the connection is to end.
    pub(super) async fn drained_or_ending(&self) {
        poll_fn(|cx| if self.is_ending() { Poll::Ready(()) } else { self.poll_drained(cx) }).await;
    }

    /// Waits until everything has been written, or the socket is broken.
    async fn drained(&self) {
        poll_fn(|cx| self.poll_drained(cx)).await;
    }

    fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.broken.get() || (!self.dirty.get() && !self.writing.get() && self.waiting() == 0) {
            return Poll::Ready(());
        }
        self.drained.borrow_mut().push(cx.waker().clone());
        Poll::Pending
    }

    /// Has the connection end in this way, with this for its last word and so much time to read it: nothing more is
    /// read from it, and its task sees it out.
    pub(super) fn end(&self, how: Departure, patience: Duration, last_word: Option<Event>) {
        if self.ending.borrow().is_some() {
            return;
        }
        *self.ending.borrow_mut() = Some(Ending { how, patience, last_word });
        self.tell_drained();
        for waker in self.wait_for_mail.take().into_iter().chain(self.reader.take()) {
            waker.wake();
        }
    }

    /// Has the connection end because of what somebody else did, at this place of the order. Its last word is on its way, and
    /// no answer overtakes it: who hears the pong of a later `ping` has heard that the connection ends.
    pub(super) fn put_out(&self, because: Refusal) {
        if self.ending.borrow().is_none() {
            self.put_out.set(true);
            // Somebody waits for its place: the link may be dead, so that it has no time to be patient.
            self.end(Departure::Disconnected, Duration::ZERO, Some(Event::Closing(because)));
        }
    }

    /// Whether [`Connection::put_out`] has ended it.
    pub(super) fn is_put_out(&self) -> bool {
        self.put_out.get()
    }

    /// What the socket has not taken by now it need not take any more.
    fn give_up(&self) {
        self.broken.set(true);
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
        self.tell_drained();
    }

    /// Reads once. `Ok(0)` at the end, the peer's or ours.
    async fn read(&self, shard: &Shard, into: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            if self.is_ending() {
                return Ok(0);
            }
            let read = if self.may_have_more.get() { self.read_now(shard, into) } else { Err(io::ErrorKind::WouldBlock.into()) };
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.may_have_more.set(true);
                    self.readable_or_ending().await?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    /// Reads once, if it `may`, unless there is something else to do first: then `None`. `Some(0)` at the end.
    pub(super) async fn read_unless_roused(&self, shard: &Shard, into: &mut Vec<u8>, may: bool) -> io::Result<Option<usize>> {
        let is_roused = || self.seat().is_some_and(Seat::is_roused);
        loop {
            if self.is_ending() {
                return Ok(Some(0));
            }
            if self.seat().is_some_and(Seat::roused) {
                return Ok(None);
            }
            let wanted = poll_fn(|cx| {
                if self.is_ending() || is_roused() {
                    return Poll::Ready(Ok(()));
                }
                *self.reader.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            });
            if !may {
                wanted.await?;
                continue;
            }
            match self.read_now(shard, into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.listening.set(true);
                    let woken = smol::future::or(self.stream.readable(), wanted).await;
                    self.listening.set(false);
                    woken?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.map(Some),
            }
        }
    }

    /// Waits until something has come, or the connection is to end.
    async fn readable_or_ending(&self) -> io::Result<()> {
        let asked_to_end = poll_fn(|cx| {
            if self.is_ending() {
                return Poll::Ready(Ok(()));
            }
            *self.reader.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        });
        self.listening.set(true);
        let woken = smol::future::or(self.stream.readable(), asked_to_end).await;
        self.listening.set(false);
        woken
    }

    fn read_now(&self, shard: &Shard, into: &mut Vec<u8>) -> io::Result<usize> {
        let mut scratch = shard.scratch.borrow_mut();
        let read = self.stream.get_ref().read(&mut scratch)?;
        // A read that did not fill the buffer emptied the socket: asking again would cost a call to hear "nothing".
        self.may_have_more.set(read == scratch.len());
        let mut tls = self.tls.borrow_mut();
        let Some(tls) = tls.as_mut() else {
            into.extend_from_slice(&scratch[..read]);
            return Ok(read);
        };
        if read == 0 {
            return Ok(0);
        }
        let mut cipher = &scratch[..read];
        let before = into.len();
        while !cipher.is_empty() {
            tls.read_tls(&mut cipher)?;
            let state = tls.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let ready = state.plaintext_bytes_to_read();
            let from = into.len();
            into.resize(from + ready, 0);
            tls.reader().read_exact(&mut into[from..])?;
            if state.peer_has_closed() {
                return Ok(into.len() - before);
            }
        }
        // A handshake answers before there is anything to read.
        if tls.wants_write() {
            shard.touch(self.id);
        }
        if into.len() == before { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(into.len() - before) }
    }

    /// Waits until what is sent can be read at the other end: over TLS, for the end of the handshake.
    async fn shake_hands(&self, shard: &Shard) -> io::Result<()> {
        let mut said = Vec::new();
        while !self.is_ending() && self.tls.borrow().as_ref().is_some_and(|tls| tls.is_handshaking()) {
            match self.read_now(shard, &mut said) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable_or_ending().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether the first byte says TLS. Waits for it; a connection that is to end before it comes is plain.
    async fn begins_with_tls(&self) -> io::Result<bool> {
        const CLIENT_HELLO: u8 = 0x16;
        let mut first = [0];
        while !self.is_ending() {
            match self.stream.get_ref().peek(&mut first) {
                Ok(read) => return Ok(read == 1 && first[0] == CLIENT_HELLO),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable_or_ending().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

/// The life of a connection.
pub(super) async fn serve(shard: Rc<Shard>, connection: Rc<Connection>) {
    let result = Box::pin(hear(&shard, &connection)).await;
    if let Err(error) = result {
        tracing::debug!(session = connection.id.number(), %error, "a connection ended");
    }
    if connection.given_away.get() {
        return shard.forget(&connection);
    }
    Box::pin(see_out(&shard, &connection)).await;
}

/// Hears the connection until it ends.
async fn hear(shard: &Rc<Shard>, connection: &Rc<Connection>) -> io::Result<()> {
    if let Some(seat) = connection.seat() {
        shard.wire_opens(connection, seat);
    }
    if connection.begins_with_tls().await? {
        let encryption = shard.tls.borrow().clone();
        let config = if connection.seat().is_some() { encryption.older } else { encryption.newest };
        let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
        // Bounded by the outbox, like everything else that waits.
        tls.set_buffer_limit(None);
        *connection.tls.borrow_mut() = Some(Box::new(tls));
    } else if !connection.is_ending() && !shard.accepts_plain(connection) {
        let refusal = Refusal::new(code::TLS_REQUIRED, shard.why_not_plain(connection)).hint("connect with TLS");
        connection.end(Departure::Disconnected, PATIENCE, Some(Event::Closing(refusal)));
        return Ok(());
    }
    if let Some(banned) = shard.server.banned(connection.address) {
        // Whoever speaks TLS hears nothing before the handshake.
        connection.shake_hands(shard).await?;
        connection.end(Departure::Disconnected, PATIENCE, Some(Event::Closing(banned)));
        return Ok(());
    }
    if let Some(seat) = connection.seat() {
        return Box::pin(talk(shard, connection, seat)).await;
    }
    let mut line = LineState {
        caller: Caller {
            session: connection.id,
            address: connection.address,
            dialect: 0,
            wire: None,
            wire_hears_private: false,
            after: None,
            leaving: None,
            carries: None,
        },
        partial: Partial::default(),
        allowance: shard.allowance(connection.address),
    };
    let mut input = Vec::new();
    while !connection.is_ending() && !connection.given_away.get() {
        note_if_heard_out(connection, &mut line.allowance);
        if connection.read(shard, &mut input).await? == 0 {
            break;
        }
        // Boxed, so that a connection that says nothing pays for nothing.
        Box::pin(obey(shard, connection, &mut line, &std::mem::take(&mut input))).await;
        smol::future::yield_now().await;
    }
    Ok(())
}

/// What reading goes on with from line to line.
struct LineState {
    caller: Caller,
    partial: Partial,
    allowance: Option<Allowance>,
}

/// Obeys all lines that end in `input`, one after the other.
async fn obey(shard: &Rc<Shard>, connection: &Rc<Connection>, state: &mut LineState, input: &[u8]) {
    let letters = Fault::SplitLetters.is_on().then(|| String::from_utf8_lossy(input).into_owned());
    let input = letters.as_ref().map_or(input, |letters| letters.as_bytes());
    let mut taken = 0;
    while !connection.is_ending() {
        let (bytes, line) = dialect::ALL[state.caller.dialect].decode(&mut state.partial, &input[taken..], shard.limits.get().line_bytes);
        taken += bytes;
        let Some(line) = line else { return };
        if let Some(allowance) = &mut state.allowance {
            let cost = line.as_ref().map_or(1, |line| cost(&shard.server, &line.text));
            if !has_its_turn(shard, connection, allowance, cost).await {
                return;
            }
        }
        let (answer, marks) = match line {
            Ok(line) => {
                // Calm is asked for before time is moved, and only time ends a command that is stuck.
                let _under_way = (!Fault::CommandStuck.is_on()).then(|| shard.under_way());
                (dispatch(&shard.server, &mut state.caller, &line).await, line.marks)
            }
            Err(refused) => (Some(Answer::refused(refused.refusal)), refused.marks),
        };
        let Some(answer) = answer else { continue };
        if answer.activity {
            connection.last_active.set(shard.server.clock.elapsed());
        }
        shard.server.sequencer.reply(connection.id, state.caller.dialect, answer.bytes(state.caller.dialect, &marks));
        shard.turn_soon();
        if let Some(how) = state.caller.leaving {
            shard.count_end(how, &answer.events);
            // The answer comes back through the sequencer, behind what it has to be behind.
            shard.round_trip().await;
            connection.end(how, PATIENCE, None);
            return;
        }
        if let Some(end) = state.caller.carries.take() {
            return give_away(shard, connection, end, input[taken..].to_vec()).await;
        }
        // Kept mail comes before what the next line is answered with; and who does not read is not read.
        shard.caught_up(connection).await;
        if connection.waiting() > shard.limits.get().outbox_bytes / 4 {
            connection.drained_or_ending().await;
        }
    }
}

/// Gives the connection to the relay, when it has been told so, with what has come behind the line.
pub(super) async fn give_away(shard: &Rc<Shard>, connection: &Rc<Connection>, end: RelayEnd, read: Vec<u8>) {
    let _under_way = shard.under_way();
    shard.round_trip().await;
    connection.drained_or_ending().await;
    let stream =
        if connection.is_ending() { Err(io::ErrorKind::ConnectionAborted.into()) } else { connection.stream.get_ref().try_clone() };
    match stream {
        Ok(stream) => {
            let (tls, place) = (connection.tls.take(), connection.place.take());
            connection.given_away.set(true);
            shard.relays.take(end, Given { stream, tls, place, read });
        }
        Err(error) => {
            tracing::debug!(session = connection.id.number(), %error, "a connection ended before it was carried");
            shard.relays.give_up(end.relay);
            connection.end(Departure::Disconnected, Duration::ZERO, None);
        }
    }
}

/// Sees the connection out: what it was sent is written if it can be, its session ends, it is forgotten.
async fn see_out(shard: &Rc<Shard>, connection: &Rc<Connection>) {
    let asked_to = connection.ending.take();
    let ended_here = asked_to.is_some();
    let Ending { how, patience, last_word } =
        asked_to.unwrap_or(Ending { how: Departure::Disconnected, patience: Duration::ZERO, last_word: None });
    // Nobody else ends it from here on.
    *connection.ending.borrow_mut() = Some(Ending { how, patience, last_word: None });
    if let Some(seat) = connection.seat() {
        shard.end_both(seat, how, patience).await;
    }
    let name = connection.user().and_then(|user| shard.server.name_of(user));
    if let Some(Event::Closing(why)) = &last_word {
        shard.server.tally.ends(&why.code);
        tracing::info!(session = connection.id.number(), address = %connection.address, name, why = %why.code, "ended by the server");
    } else if let Some(name) = &name {
        tracing::info!(%name, address = %connection.address, "{}", if how == Departure::LoggedOut { "logged out" } else { "gone" });
    }
    if let Some(last_word) = last_word {
        shard.server.sequencer.last_word(connection.id, last_word);
        shard.round_trip().await;
    }
    shard.detach(connection);
    if patience > Duration::ZERO && !connection.broken.get() {
        let give_up = shard.server.clock.elapsed() + patience;
        smol::future::or(connection.drained(), shard.server.clock.sleep_until(give_up)).await;
    }
    let all_written = connection.waiting() == 0 && !connection.broken.get();
    let seen = if all_written { connection.left_at.get() } else { connection.settled.get() };
    shard.server.leave(connection.id, how, connection.counts_as_seen().then_some(seen));
    shard.turn_soon();
    if let Some(tls) = connection.tls.borrow_mut().as_mut() {
        tls.send_close_notify();
    }
    connection.write(&[]);
    // Others hear of it before the one who left sees the connection close.
    shard.round_trip().await;
    if let Some(seat) = connection.seat() {
        seat.has_left();
    }
    let _ = connection.stream.get_ref().shutdown(Shutdown::Write);
    shard.forget(connection);
    if connection.waiting() > 0 {
        connection.give_up();
    } else if ended_here && !connection.broken.get() {
        linger(connection).await;
    }
}

/// Reads what still comes until the peer closes too. Closing a socket with something unread resets it, and the
/// peer would lose the last words.
async fn linger(connection: &Connection) {
    /// On the machine's clock: nobody sees it pass.
    const LINGER: Duration = Duration::from_secs(1);
    let read_to_end = async {
        let mut unread = [0; 1024];
        loop {
            match connection.stream.get_ref().read(&mut unread) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if connection.stream.readable().await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    };
    smol::future::or(read_to_end, async { _ = smol::Timer::after(LINGER).await }).await;
}

/// Waits until a line that costs `cost` has its turn. `false` if it never has one: the connection is to end, or it
/// has ended meanwhile.
pub(super) async fn has_its_turn(shard: &Rc<Shard>, connection: &Rc<Connection>, allowance: &mut Allowance, cost: u32) -> bool {
    let user = match connection.standing.get() {
        Standing::Out => None,
        Standing::CatchingUp(user) | Standing::Live(user, _) => Some(user),
    };
    let clock = &shard.server.clock;
    match allowance.take(user, cost, clock.elapsed()) {
        Turn::Now => return true,
        Turn::At { then, tell } => {
            if tell {
                shard.told_to_slow_down(connection);
            }
            let ended = poll_fn(|cx| {
                if connection.is_ending() {
                    return Poll::Ready(());
                }
                *connection.reader.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            });
            smol::future::or(clock.sleep_until(then), ended).await;
        }
        Turn::Never => {
            tracing::info!(session = connection.id.number(), address = %connection.address, "cut off: it has sent too much for too long");
            let refusal =
                Refusal::new(code::FLOODING, "you sent more than is taken, for too long").hint("log in again, and send less at a time");
            connection.end(Departure::Disconnected, PATIENCE, Some(Event::Closing(refusal)));
        }
    }
    !connection.is_ending()
}

/// Notes it if the connection has been heard out: what is behind is only who has more to say.
pub(super) fn note_if_heard_out(connection: &Connection, allowance: &mut Option<Allowance>) {
    if let Some(allowance) = allowance.as_mut().filter(|allowance| allowance.is_behind())
        && !connection.has_more_to_say()
    {
        allowance.caught_up();
    }
}

impl Shard {
    pub(super) fn allowance(&self, address: IpAddr) -> Option<Allowance> {
        let flood = self.flood.as_ref().filter(|_| self.limits.get().limit_loopback || !address.is_loopback());
        flood.map(Allowance::new)
    }

    /// Tells a connection, in front of whatever it hears next, that it is read more slowly.
    fn told_to_slow_down(self: &Rc<Shard>, connection: &Connection) {
        let told = Fact::new("slow-down", "* you are fast: what you send from here on waits for its turn; nothing of it is lost");
        if connection.seat().is_some() {
            // A wire says it in its own words, if it has any.
            self.server.sequencer.show(connection.id, Arc::new(Spoken::fleeting(Event::Fact(told))));
            return self.turn_soon();
        }
        let dialect = connection.dialect.get();
        let mut bytes = Vec::new();
        dialect::ALL[dialect].event(&Event::Fact(told), &mut bytes);
        self.server.sequencer.reply(connection.id, dialect, bytes);
        self.turn_soon();
    }
}
