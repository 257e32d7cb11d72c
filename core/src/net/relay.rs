//! The relay: two connections that have presented their tickets, and bytes from each to the other.
//!
//! What goes through is opaque (the two have a TLS connection of their own inside), is never kept, never logged, and is
//! counted and nothing else. It has a thread of its own, so that no shard is slower for it: a shard gives a connection
//! away, with its TLS state and its place in the census, and forgets it. Each direction has one buffer: nothing is read
//! from one side before the other has taken what was read before, so that who does not read slows down who writes, and
//! nobody else.
//!
//! While nothing is carried, the thread sleeps outside of the reactor and is not woken for what the shards wait for.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use rustls::ServerConnection;
use smol::{Async, LocalExecutor};

use super::census::Place;
use crate::ctx::RelayEnd;
use crate::fault::Fault;
use crate::hall::{Act, Intent, SessionId};
use crate::server::Server;

/// How much is read from a connection at a time: one record of TLS, inside and outside.
const CHUNK: usize = 16 * 1024;

/// How much can go through at once after a pause, as time at the rate that is allowed: a page of talk does not wait.
const BURST: Duration = Duration::from_secs(1);

/// How long nothing may go through before it is closed: clients ask each other every few seconds whether they are there.
const IDLE: Duration = Duration::from_secs(60);

/// How long a connection has to take what was still on its way to it when the other one ended. On the machine's clock:
/// nobody sees it pass.
const LINGER: Duration = Duration::from_secs(5);

/// A connection that a shard gives away.
pub(super) struct Given {
    pub(super) stream: TcpStream,
    pub(super) tls: Option<Box<ServerConnection>>,
    pub(super) place: Option<Place>,
    /// What was read from it and is not for the server.
    pub(super) read: Vec<u8>,
}

/// What the relay's thread is told.
enum Told {
    /// To take a connection for one end.
    Take(RelayEnd, Given),
    /// That one of the connections will not come.
    GiveUp(u64),
    /// To end one.
    End(u64),
    /// To end all, because the server ends.
    ShutDown,
    /// To say when there is nothing left to do, and how much has been done so far.
    Calm(async_channel::Sender<u64>),
}

/// The way to the relay.
#[derive(Clone)]
pub(crate) struct Relays {
    told: async_channel::Sender<Told>,
    rate: Arc<AtomicU32>,
}

impl Relays {
    /// A relay that carries so many bytes a second for each private chat, 0 for any number; and what its thread is to run.
    pub(crate) fn new(server: Arc<Server>, rate: u32) -> (Relays, impl FnOnce() + Send) {
        // Unbounded: what is told comes from connections and relays, which are bounded.
        let (told, inbox) = async_channel::unbounded();
        let rate = Arc::new(AtomicU32::new(rate));
        let relays = Relays { told, rate: Arc::clone(&rate) };
        (relays, move || run(server, inbox, rate))
    }

    /// Carries so many bytes a second from here on.
    pub(crate) fn limit(&self, rate: u32) {
        self.rate.store(rate, Ordering::Relaxed);
    }

    pub(super) fn take(&self, end: RelayEnd, given: Given) {
        self.tell(Told::Take(end, given));
    }

    pub(super) fn give_up(&self, relay: u64) {
        self.tell(Told::GiveUp(relay));
    }

    pub(super) fn end(&self, relay: u64) {
        if !Fault::RelayStays.is_on() {
            self.tell(Told::End(relay));
        }
    }

    pub(crate) fn shut_down(&self) {
        self.tell(Told::ShutDown);
    }

    /// Waits until nothing is left to do; says how much has been done so far.
    pub(crate) fn calm(&self) -> u64 {
        let (waiter, calm) = async_channel::bounded(1);
        self.tell(Told::Calm(waiter));
        calm.recv_blocking().unwrap_or(0)
    }

    fn tell(&self, told: Told) {
        // Closed only when the process ends.
        let _ = self.told.try_send(told);
    }
}

/// The life of the thread.
fn run(server: Arc<Server>, inbox: async_channel::Receiver<Told>, rate: Arc<AtomicU32>) {
    let executor = Rc::new(LocalExecutor::new());
    let carrier = Rc::new(Carrier {
        server,
        rate,
        executor: Rc::clone(&executor),
        all: RefCell::default(),
        tasks: Cell::new(0),
        idle: async_channel::bounded(1),
        deeds: Cell::new(0),
        shutting_down: Cell::new(false),
    });
    while let Ok(told) = inbox.recv_blocking() {
        carrier.take(told);
        smol::block_on(executor.run(carrier.work(&inbox)));
    }
}

/// All that is carried.
struct Carrier {
    server: Arc<Server>,
    rate: Arc<AtomicU32>,
    executor: Rc<LocalExecutor<'static>>,
    all: RefCell<HashMap<u64, Rc<Carried>>>,
    /// How many tasks there are.
    tasks: Cell<usize>,
    /// Rings when the last has ended.
    idle: (async_channel::Sender<()>, async_channel::Receiver<()>),
    deeds: Cell<u64>,
    shutting_down: Cell<bool>,
}

/// One relay, from its first connection on.
struct Carried {
    relay: u64,
    ends: RefCell<[Option<Rc<End>>; 2]>,
    over: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// When something last went through, on the server's clock.
    active: Cell<Duration>,
    /// When all that went through would have been through at the rate that is allowed.
    due: Cell<Duration>,
}

/// One connection.
struct End {
    stream: Async<TcpStream>,
    tls: RefCell<Option<Box<ServerConnection>>>,
    /// What was read before the connection came here.
    first: RefCell<Vec<u8>>,
    /// What was read from the socket and TLS has not taken yet, and how much of it has been taken.
    cipher: RefCell<(Vec<u8>, usize)>,
    /// It has nothing to do but to read what comes.
    listening: Cell<bool>,
    _place: Option<Place>,
}

impl Carrier {
    /// Does what it is told, until there is nothing to carry.
    async fn work(self: &Rc<Carrier>, inbox: &async_channel::Receiver<Told>) {
        loop {
            while let Ok(told) = inbox.try_recv() {
                self.take(told);
            }
            if self.all.borrow().is_empty() && self.tasks.get() == 0 {
                return;
            }
            let idle = async {
                let _ = self.idle.1.recv().await;
                None
            };
            match smol::future::or(async { Some(inbox.recv().await) }, idle).await {
                Some(Ok(told)) => self.take(told),
                Some(Err(_)) => return,
                None => {}
            }
        }
    }

    fn take(self: &Rc<Carrier>, told: Told) {
        // Being asked is no deed; the task that answers is one.
        self.deeds.set(self.deeds.get() + u64::from(!matches!(told, Told::Calm(_))));
        match told {
            Told::Take(end, given) => self.take_end(end, given),
            Told::GiveUp(relay) => {
                self.end(relay);
                self.is_over(relay);
            }
            Told::End(relay) => self.end(relay),
            Told::ShutDown => {
                self.shutting_down.set(true);
                let all: Vec<u64> = self.all.borrow().keys().copied().collect();
                all.into_iter().for_each(|relay| self.end(relay));
            }
            Told::Calm(waiter) => {
                let carrier = Rc::clone(self);
                self.spawn(async move { _ = waiter.try_send(carrier.calm().await) });
            }
        }
    }

    fn spawn(self: &Rc<Carrier>, task: impl Future<Output = ()> + 'static) {
        self.tasks.set(self.tasks.get() + 1);
        let carrier = Rc::clone(self);
        let counted = async move {
            task.await;
            carrier.deeds.set(carrier.deeds.get() + 1);
            carrier.tasks.set(carrier.tasks.get() - 1);
            if carrier.tasks.get() == 0 {
                let _ = carrier.idle.0.try_send(());
            }
        };
        self.executor.spawn(counted).detach();
    }

    fn take_end(self: &Rc<Carrier>, RelayEnd { relay, side }: RelayEnd, given: Given) {
        let end = match End::new(given) {
            Ok(end) => Rc::new(end),
            Err(error) => {
                tracing::debug!(%error, "a connection was gone before it was carried");
                self.end(relay);
                return self.is_over(relay);
            }
        };
        // It may have ended between its ticket and now.
        if self.shutting_down.get() || !self.server.sequencer.view(|hall| hall.is_relay(relay)) {
            return self.spawn(async move { end.close().await });
        }
        let now = self.server.clock.elapsed();
        let carried = Rc::clone(self.all.borrow_mut().entry(relay).or_insert_with(|| {
            let (active, due) = (Cell::new(now), Cell::new(now));
            Rc::new(Carried { relay, ends: RefCell::default(), over: Cell::new(false), waker: RefCell::default(), active, due })
        }));
        let older = carried.ends.borrow_mut()[side].replace(end);
        if let Some(older) = older {
            // A ticket is good for one connection.
            self.spawn(async move { older.close().await });
        }
        let ends = carried.ends.borrow().clone();
        if let [Some(one), Some(other)] = ends {
            carried.active.set(now);
            tracing::debug!(relay, "carrying");
            let carrier = Rc::clone(self);
            self.spawn(async move { carrier.carry(&carried, one, other).await });
        }
    }

    /// Carries between two connections until one ends, or both are to.
    async fn carry(self: &Rc<Carrier>, carried: &Rc<Carried>, one: Rc<End>, other: Rc<End>) {
        let (back, forth) = if Fault::RelayBack.is_on() { (&one, &other) } else { (&other, &one) };
        let there = self.pass(carried, &one, back);
        let here = self.pass(carried, &other, forth);
        let ends_by_itself = smol::future::or(there, here);
        let is_ended = smol::future::or(carried.is_over(), self.is_idle(carried));
        smol::future::or(ends_by_itself, async {
            is_ended.await;
            Ok(())
        })
        .await
        .unwrap_or_else(|error| {
            tracing::debug!(relay = carried.relay, %error, "a relay broke");
        });
        self.all.borrow_mut().remove(&carried.relay);
        self.is_over(carried.relay);
        smol::future::zip(one.close(), other.close()).await;
    }

    /// Passes on what comes from one until there is no more.
    async fn pass(&self, carried: &Carried, from: &End, to: &End) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let most = match self.rate.load(Ordering::Relaxed) {
                0 => CHUNK,
                // A slow relay takes little at a time, so that it is not silent for long.
                rate => CHUNK.min(rate as usize / 4),
            };
            let read = from.read(&mut buffer[..most]).await?;
            if read == 0 {
                return Ok(());
            }
            self.keep_to_the_rate(carried, read).await;
            to.write(&buffer[..read]).await?;
            self.server.tally.relayed_bytes.fetch_add(read as u64, Ordering::Relaxed);
            carried.active.set(self.server.clock.elapsed());
            self.deeds.set(self.deeds.get() + 1);
            smol::future::yield_now().await;
        }
    }

    /// Waits until so many bytes more may go through.
    async fn keep_to_the_rate(&self, carried: &Carried, bytes: usize) {
        let rate = self.rate.load(Ordering::Relaxed);
        if rate == 0 || Fault::RelayUnbounded.is_on() {
            return;
        }
        let now = self.server.clock.elapsed();
        let due = carried.due.get().max(now) + Duration::from_secs_f64(bytes as f64 / f64::from(rate));
        carried.due.set(due);
        if let Some(then) = due.checked_sub(BURST).filter(|then| *then > now) {
            self.server.clock.sleep_until(then).await;
        }
    }

    /// Returns when nothing has gone through for too long.
    async fn is_idle(&self, carried: &Carried) {
        loop {
            let until = carried.active.get() + IDLE;
            if until <= self.server.clock.elapsed() {
                return;
            }
            self.server.clock.sleep_until(until).await;
        }
    }

    /// Ends a relay, whether both of its connections are there or not.
    fn end(self: &Rc<Carrier>, relay: u64) {
        let Some(carried) = self.all.borrow_mut().remove(&relay) else { return };
        let ends = carried.ends.borrow().clone();
        match ends {
            [Some(_), Some(_)] => carried.end(),
            alone => {
                for end in alone.into_iter().flatten() {
                    self.spawn(async move { end.close().await });
                }
            }
        }
    }

    /// Has the hall know that a relay is no more.
    fn is_over(&self, relay: u64) {
        // Never refused: it is over.
        let _ = self.server.sequencer.submit(Intent { origin: SessionId::CONSOLE, act: Act::RelayOver { relay } });
    }

    /// Returns when there was nothing to read from those that are waited for; says how much has been done so far.
    async fn calm(&self) -> u64 {
        loop {
            let before = self.deeds.get();
            for _ in 0..3 {
                smol::future::yield_now().await;
            }
            let unread = || {
                let all = self.all.borrow();
                all.values().any(|carried| carried.ends.borrow().iter().flatten().any(|end| end.has_unread()))
            };
            if self.deeds.get() == before && !unread() {
                return before;
            }
            // Only a timer that is not due yet has the reactor look at the sockets and wake who waits for them.
            smol::Timer::after(Duration::from_micros(50)).await;
        }
    }
}

impl Carried {
    fn end(&self) {
        self.over.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Returns when it is to end.
    async fn is_over(&self) {
        poll_fn(|cx| {
            if self.over.get() {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl End {
    fn new(given: Given) -> io::Result<End> {
        let Given { stream, tls, place, read } = given;
        Ok(End {
            stream: Async::new(stream)?,
            tls: RefCell::new(tls),
            first: RefCell::new(read),
            cipher: RefCell::default(),
            listening: Cell::new(false),
            _place: place,
        })
    }

    /// Whether something has come that its task has not been woken for yet.
    fn has_unread(&self) -> bool {
        let came = || !matches!(self.stream.get_ref().peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.listening.get() && came()
    }

    /// Reads once. `Ok(0)` at the end.
    async fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        {
            let mut first = self.first.borrow_mut();
            if !first.is_empty() {
                let read = first.len().min(into.len());
                into[..read].copy_from_slice(&first[..read]);
                first.drain(..read);
                return Ok(read);
            }
        }
        loop {
            match self.read_now(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.listening.set(true);
                    let woken = self.stream.readable().await;
                    self.listening.set(false);
                    woken?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    fn read_now(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut tls = self.tls.borrow_mut();
        let Some(tls) = tls.as_mut() else { return self.stream.get_ref().read(into) };
        let mut cipher = self.cipher.borrow_mut();
        let (cipher, taken) = &mut *cipher;
        loop {
            match tls.reader().read(into) {
                // Without a word of farewell: the two have one of their own.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            if *taken == cipher.len() {
                cipher.resize(CHUNK, 0);
                let read = self.stream.get_ref().read(cipher);
                cipher.truncate(*read.as_ref().unwrap_or(&0));
                *taken = 0;
                if read? == 0 {
                    return Ok(0);
                }
            }
            *taken += tls.read_tls(&mut &cipher[*taken..])?;
            tls.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }

    /// Writes all of it.
    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        if let Some(tls) = self.tls.borrow_mut().as_mut() {
            // Its buffer has no bound of its own, and is empty: what was written before has been taken.
            tls.writer().write_all(bytes)?;
            bytes = &[];
        }
        loop {
            match self.write_now(&mut bytes) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stream.writable().await?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn write_now(&self, bytes: &mut &[u8]) -> io::Result<()> {
        if let Some(tls) = self.tls.borrow_mut().as_mut() {
            while tls.wants_write() {
                tls.write_tls(&mut self.stream.get_ref())?;
            }
        }
        while !bytes.is_empty() {
            match self.stream.get_ref().write(bytes)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                taken => *bytes = &bytes[taken..],
            }
        }
        Ok(())
    }

    /// Closes it, so that it gets what was written before. Closing a socket with something unread resets it, and what was on
    /// its way would be lost.
    async fn close(&self) {
        if let Some(tls) = self.tls.borrow_mut().as_mut() {
            tls.send_close_notify();
        }
        let farewell = async {
            let _ = self.write(&[]).await;
            let _ = self.stream.get_ref().shutdown(Shutdown::Write);
            let mut unread = vec![0; CHUNK];
            loop {
                match self.stream.get_ref().read(&mut unread) {
                    Ok(0) => return,
                    Ok(_) => smol::future::yield_now().await,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        if self.stream.readable().await.is_err() {
                            return;
                        }
                    }
                    Err(_) => return,
                }
            }
        };
        smol::future::or(farewell, async { _ = smol::Timer::after(LINGER).await }).await;
        let _ = self.stream.get_ref().shutdown(Shutdown::Both);
    }
}
