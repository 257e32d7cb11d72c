//! A shard: one thread, one executor, and the connections that live on it.
//!
//! Its turn: take what the sequencer has released, append it to what each connection gets, write to each socket
//! once, and have the store commit what the turn has submitted. What goes to everyone is appended once, to the
//! *run* of each dialect; a connection only remembers from where in the run on it is owed, so that a message to a
//! thousand costs a thousand writes and one copy, and order is kept with what goes to one alone.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use chinwag_wire::{Event, Millis, Refusal, code, dialect};
use smol::LocalExecutor;

use super::census::Place;
use super::connection::{CatchUp, Connection, PATIENCE, Standing, WIRE, serve};
use super::flood::Flood;
use super::relay::Relays;
use super::tls::Encryption;
use super::wire::{Post, Seat};
use crate::config::{Config, Plain};
use crate::ctx::gone_up_to;
use crate::fault::Fault;
use crate::hall::{Act, Departure, Elsewhere, Intent, RoomId, SessionId, UserId};
use crate::network;
use crate::sequencer::{Output, Release, Shards};
use crate::server::Server;
use crate::spoken::Spoken;
use crate::store::Question;
use crate::written::Written;

/// How much is read from a socket at a time; one buffer serves all connections of a shard.
const READ_BYTES: usize = 64 * 1024;

thread_local! {
    /// The executor of this thread's shard.
    static EXECUTOR: Rc<LocalExecutor<'static>> = Rc::new(LocalExecutor::new());
}

thread_local! {
    /// Buffers that outboxes take turns in using: most are needed for a moment, by few connections at a time.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// How many spare buffers a shard keeps, and how large they may be: half a megabyte at most.
const SPARES_MAX: usize = 128;
const SPARE_BYTES_MAX: usize = 4096;

/// An empty buffer, if there is one to spare with memory of its own.
pub(super) fn spare_buffer() -> Vec<u8> {
    SPARE.with(|spare| spare.borrow_mut().pop()).unwrap_or_default()
}

/// Keeps a buffer for the next who needs one.
pub(super) fn keep_spare(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > SPARE_BYTES_MAX {
        return;
    }
    buffer.clear();
    SPARE.with(|spare| {
        let mut spare = spare.borrow_mut();
        if spare.len() < SPARES_MAX {
            spare.push(buffer);
        }
    });
}

/// Starts a task on this thread's shard.
pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
    EXECUTOR.with(|executor| executor.spawn(task).detach());
}

/// What a shard is told.
pub(crate) enum Told {
    /// To do something about what the sequencer released.
    Release(Release),
    /// To end the turn: somebody has submitted something.
    TurnEnds,
    /// To take a connection.
    /// It came in at the `listen` entry with this place, if it speaks a wire.
    Accept(TcpStream, IpAddr, Place, Option<usize>),
    /// To end all connections, because the server ends.
    ShutDown,
    /// To say when there is nothing left to do, and how much has been done so far.
    Calm(async_channel::Sender<u64>),
    /// To go by other settings, and to meet those who come with this certificate.
    Configure(Limits, Encryption),
    /// To describe its connections.
    Describe(async_channel::Sender<Vec<serde_json::Value>>),
}

/// The way to the shards.
#[derive(Clone)]
pub(crate) struct ShardSenders(pub(crate) Vec<async_channel::Sender<Told>>);

impl ShardSenders {
    pub(crate) fn tell(&self, shard: usize, told: Told) {
        // Unbounded: what waits in it is bounded by what connections may have and the store may owe. Closed only
        // when the process ends.
        let _ = self.0[shard].try_send(told);
    }
}

impl Shards for ShardSenders {
    fn release(&self, shard: usize, release: Release) {
        self.tell(shard, Told::Release(release));
    }
}

/// See the module's words.
pub(super) struct Shard {
    index: usize,
    pub(super) server: Arc<Server>,
    senders: ShardSenders,
    pub(super) tls: RefCell<Encryption>,
    written: Arc<Written>,
    /// What a reload changes.
    pub(super) limits: Cell<Limits>,
    pub(super) flood: Option<Arc<Flood>>,
    pub(super) relays: Relays,
    pub(super) scratch: RefCell<Box<[u8]>>,
    connections: RefCell<HashMap<SessionId, Rc<Connection>>>,
    /// Those that are live, in no order: a connection knows its place.
    live: RefCell<Vec<Rc<Connection>>>,
    /// Those of them that speak a wire: what goes to everyone is told to each of them.
    live_on_wires: RefCell<Vec<Rc<Connection>>>,
    /// The `listen` entries.
    posts: Vec<Option<Rc<Post>>>,
    /// Those with kept mail on its way.
    catching_up: RefCell<Vec<Rc<Connection>>>,
    /// The live connections of each user, to find those that something is hidden from.
    by_user: RefCell<HashMap<UserId, Vec<Rc<Connection>>>>,
    /// The connections that hear each room, in no order.
    rooms: RefCell<HashMap<RoomId, Vec<Rc<Connection>>>>,
    /// What goes to everyone live, in each dialect, in this turn.
    runs: RefCell<[Vec<u8>; WIRE + 1]>,
    /// How many live connections speak each dialect.
    speakers: RefCell<[usize; WIRE + 1]>,
    /// Those with something that goes to them alone, in this turn.
    dirty: RefCell<Vec<Rc<Connection>>>,
    /// Those whose socket did not take everything, for whom writing counts as seeing.
    lagging: RefCell<Vec<Rc<Connection>>>,
    /// Everything up to here has been appended.
    head: Cell<u64>,
    /// Everything up to here has been offered to the sockets.
    flushed: Cell<u64>,
    /// What the file of written numbers says.
    noted: Cell<u64>,
    turn_asked: Cell<bool>,
    deadlines: RefCell<BinaryHeap<Reverse<(Duration, SessionId)>>>,
    /// Rings when a deadline was added that is sooner than the others.
    sooner: (async_channel::Sender<()>, async_channel::Receiver<()>),
    accepted: Cell<u64>,
    shutting_down: Cell<bool>,
    /// Counts what it does, so that calm can be told from a pause.
    deeds: Cell<u64>,
    /// How much has begun and is not done: lines being obeyed, pages being read.
    begun: Cell<usize>,
}

/// What the operator decides and a shard minds: see the settings of the same names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    plain: Plain,
    pub(super) line_bytes: usize,
    pub(super) outbox_bytes: usize,
    pub(super) limit_loopback: bool,
    timeout: Duration,
    login_deadline: Duration,
}

impl Limits {
    pub(crate) fn of(config: &Config) -> Limits {
        Limits {
            plain: config.plain,
            line_bytes: config.line_bytes,
            outbox_bytes: config.outbox_bytes,
            limit_loopback: config.limit_loopback,
            timeout: config.timeout.0,
            login_deadline: config.login_deadline.0,
        }
    }
}

/// What a shard is made of.
pub(crate) struct ShardParts {
    pub(crate) index: usize,
    pub(crate) server: Arc<Server>,
    pub(crate) senders: ShardSenders,
    pub(crate) inbox: async_channel::Receiver<Told>,
    pub(crate) tls: Encryption,
    pub(crate) written: Arc<Written>,
    pub(crate) flood: Option<Arc<Flood>>,
    pub(crate) relays: Relays,
    pub(crate) config: Config,
}

/// The life of a shard's thread.
pub(crate) fn run(parts: ShardParts, also: impl Future<Output = ()> + 'static) {
    let head = parts.server.sequencer.view(crate::hall::Hall::head);
    let shard = Rc::new(Shard {
        index: parts.index,
        server: parts.server,
        senders: parts.senders,
        tls: RefCell::new(parts.tls),
        written: parts.written,
        limits: Cell::new(Limits::of(&parts.config)),
        flood: parts.flood,
        relays: parts.relays,
        scratch: RefCell::new(vec![0; READ_BYTES].into()),
        connections: RefCell::default(),
        live: RefCell::default(),
        live_on_wires: RefCell::default(),
        posts: Post::all(&parts.config),
        catching_up: RefCell::default(),
        by_user: RefCell::default(),
        rooms: RefCell::default(),
        runs: RefCell::default(),
        speakers: RefCell::default(),
        dirty: RefCell::default(),
        lagging: RefCell::default(),
        head: Cell::new(head),
        flushed: Cell::new(head),
        noted: Cell::new(head),
        turn_asked: Cell::new(false),
        deadlines: RefCell::default(),
        sooner: async_channel::bounded(1),
        accepted: Cell::new(0),
        shutting_down: Cell::new(false),
        deeds: Cell::new(0),
        begun: Cell::new(0),
    });
    let executor = EXECUTOR.with(Rc::clone);
    spawn(also);
    spawn(Rc::clone(&shard).watch_deadlines());
    if shard.index == 0 {
        let server = Arc::clone(&shard.server);
        spawn(async move { server.sequencer.watch_private().await });
    }
    for post in shard.posts.iter().flatten() {
        spawn(Rc::clone(&shard).keep_time(Rc::clone(post)));
    }
    smol::block_on(executor.run(shard.turns(parts.inbox)));
}

impl Shard {
    /// Takes what it is told, turn by turn, until nobody can tell it anything any more.
    async fn turns(self: Rc<Shard>, inbox: async_channel::Receiver<Told>) {
        while let Ok(told) = inbox.recv().await {
            self.take(told);
            while let Ok(told) = inbox.try_recv() {
                self.take(told);
            }
            self.flush();
            self.turn_asked.set(false);
            self.server.sequencer.commit_soon();
            // The others have a turn too, and what they submit meanwhile is written together.
            smol::future::yield_now().await;
        }
    }

    fn take(self: &Rc<Shard>, told: Told) {
        self.deeds.set(self.deeds.get() + 1);
        match told {
            Told::Release(release) => {
                for output in release.outputs {
                    self.output(output);
                }
                self.head.set(self.head.get().max(release.head));
            }
            Told::TurnEnds => {}
            Told::Accept(stream, address, place, door) => self.accept(stream, address, place, door),
            Told::ShutDown => self.shut_down(),
            Told::Configure(limits, tls) => self.configure(limits, tls),
            Told::Calm(waiter) => {
                let shard = Rc::clone(self);
                spawn(async move { _ = waiter.try_send(shard.calm().await) });
            }
            Told::Describe(waiter) => drop(waiter.try_send(self.describe())),
        }
    }

    /// Counts something that was done outside of the shard's turns.
    pub(super) fn has_done_something(&self) {
        self.deeds.set(self.deeds.get() + 1);
    }

    /// Has the turn end soon: flushes, and calls the store if there is something to commit.
    pub(super) fn turn_soon(&self) {
        if !self.turn_asked.replace(true) {
            self.senders.tell(self.index, Told::TurnEnds);
        }
    }

    /// Waits until everything that has happened so far has come back through the sequencer and been written.
    pub(super) async fn round_trip(&self) {
        let (waiter, done) = async_channel::bounded(1);
        self.server.sequencer.signal(self.index, waiter);
        self.turn_soon();
        let _ = done.recv().await;
    }

    pub(super) fn accepts_plain(&self, connection: &Connection) -> bool {
        if let Some(seat) = connection.seat() {
            return seat.post.plain;
        }
        let address = connection.address;
        match self.limits.get().plain {
            Plain::Anywhere => true,
            Plain::Loopback => address.is_loopback(),
            Plain::Never => false,
        }
    }

    /// Running connections keep their keys; of the limits all are told apart from how long to wait for a login.
    fn configure(&self, limits: Limits, tls: Encryption) {
        let before = self.limits.replace(limits);
        *self.tls.borrow_mut() = tls;
        if limits.timeout == Duration::ZERO || limits.timeout == before.timeout {
            return;
        }
        let logged_in: Vec<_> = self.connections.borrow().values().filter(|connection| connection.user().is_some()).cloned().collect();
        for connection in logged_in {
            self.expect_by(&connection, connection.last_active.get() + limits.timeout);
        }
    }

    /// Counts a connection that ends because of what one of its lines was refused for.
    pub(super) fn count_end(&self, how: Departure, answer: &[Event]) {
        if let (Departure::Disconnected, Some(Event::Refusal(why))) = (how, answer.last()) {
            self.server.tally.ends(&why.code);
        }
    }

    /// What those are told whose plain connection is not accepted.
    pub(super) fn why_not_plain(&self, connection: &Connection) -> &'static str {
        match self.limits.get().plain {
            _ if connection.seat().is_some() => "plain connections are not accepted on this port",
            Plain::Never => "plain connections are not accepted here",
            Plain::Loopback | Plain::Anywhere => "plain connections are accepted from this machine only",
        }
    }

    fn accept(self: &Rc<Shard>, stream: TcpStream, address: IpAddr, place: Place, door: Option<usize>) {
        let count = self.accepted.get() + 1;
        self.accepted.set(count);
        let id = SessionId::new(count, u8::try_from(self.index).unwrap_or(u8::MAX));
        let now = self.server.clock.elapsed();
        let seat = door.and_then(|index| self.posts.get(index)?.clone()).map(Seat::new);
        let connection = match Connection::new(id, address, stream, place, seat, now) {
            Ok(connection) => Rc::new(connection),
            Err(error) => return tracing::debug!(%error, "a connection was gone before it was taken"),
        };
        self.connections.borrow_mut().insert(id, Rc::clone(&connection));
        self.expect_by(&connection, now + self.limits.get().login_deadline);
        if self.shutting_down.get() {
            self.end_for_shutdown(&connection);
        }
        spawn(serve(Rc::clone(self), connection));
    }

    pub(super) fn connection(&self, id: SessionId) -> Option<Rc<Connection>> {
        self.connections.borrow().get(&id).cloned()
    }

    fn output(self: &Rc<Shard>, output: Output) {
        match output {
            Output::See { session, spoken } => self.see(session, &spoken),
            Output::SeeAll { spoken, but } => self.everyone_sees(&but, &spoken),
            Output::SeeRoom { room, spoken, but } => self.room_sees(room, &but, &spoken),
            Output::Enter { session, room } => self.enter(session, room),
            Output::Exit { session, room } => {
                if let Some(connection) = self.connection(session) {
                    self.exit(&connection, room);
                }
            }
            Output::Reply { session, dialect, bytes } => {
                if let Some(connection) = self.connection(session).filter(|connection| !connection.is_put_out()) {
                    self.speaks(&connection, dialect);
                    self.append(&connection, &bytes);
                    self.greeted(&connection);
                }
            }
            Output::Answer { session, events } => {
                if let Some(connection) = self.connection(session)
                    && let Some(seat) = connection.seat()
                {
                    self.wire_hears_answer(&connection, seat, &events);
                    self.greeted(&connection);
                }
            }
            Output::LastWord { session, event, head } => {
                self.head.set(self.head.get().max(head));
                if let Some(connection) = self.connection(session) {
                    match connection.seat() {
                        Some(seat) => self.wire_sees(&connection, seat, &event),
                        None => {
                            let mut bytes = Vec::new();
                            dialect::ALL[connection.dialect.get()].event(&event, &mut bytes);
                            self.append(&connection, &bytes);
                        }
                    }
                    self.detach(&connection);
                }
            }
            Output::EndRelay { relay } => self.relays.end(relay),
            Output::Signal { waiter } => {
                // Answered by a task, which runs after this turn has been flushed.
                spawn(async move { _ = waiter.try_send(()) });
            }
            Output::Attach { session, user, owed_after, elsewhere, head } => {
                self.head.set(self.head.get().max(head));
                if let Some(connection) = self.connection(session) {
                    self.attach(&connection, user, owed_after, elsewhere, head);
                }
            }
            Output::Expel { network, because } => {
                let from_there = |connection: &&Rc<Connection>| network::of(connection.address) == network && !connection.is_ending();
                let from_there: Vec<Rc<Connection>> = self.connections.borrow().values().filter(from_there).cloned().collect();
                for connection in from_there {
                    connection.put_out(because.clone());
                }
            }
            Output::Detach { session, last_word } => {
                if let (Some(connection), Some(last_word)) = (self.connection(session), last_word) {
                    connection.put_out(last_word);
                }
            }
        }
    }

    /// Appends to what one connection gets, behind what it is owed of the run.
    fn append(&self, connection: &Rc<Connection>, bytes: &[u8]) {
        self.bring_up_to_date(connection);
        connection.append(bytes);
        self.mark_dirty(connection);
    }

    fn mark_dirty(&self, connection: &Rc<Connection>) {
        if !connection.dirty.replace(true) {
            self.dirty.borrow_mut().push(Rc::clone(connection));
        }
    }

    /// It has something to write: at the end of the turn.
    pub(super) fn touch(&self, id: SessionId) {
        if let Some(connection) = self.connection(id) {
            self.mark_dirty(&connection);
            self.turn_soon();
        }
    }

    fn bring_up_to_date(&self, connection: &Connection) {
        if let Standing::Live(..) = connection.standing.get() {
            let runs = self.runs.borrow();
            let run = &runs[connection.dialect.get()];
            let from = connection.run_from.replace(run.len()).min(run.len());
            connection.append(&run[from..]);
        }
    }

    fn see(self: &Rc<Shard>, session: SessionId, spoken: &Arc<Spoken>) {
        let Some(connection) = self.connection(session) else { return };
        match connection.standing.get() {
            Standing::Live(..) => match connection.seat() {
                Some(seat) => self.wire_sees(&connection, seat, spoken.event()),
                None => self.append(&connection, spoken.bytes(connection.dialect.get())),
            },
            Standing::CatchingUp(_) => self.keep_for_later(&connection, spoken),
            Standing::Out => {}
        }
    }

    /// What is in the store is read from there; what is not is held.
    fn keep_for_later(&self, connection: &Connection, spoken: &Arc<Spoken>) {
        if let Some(catch_up) = connection.catch_up.borrow_mut().as_mut() {
            match spoken.seq() {
                Some(seq) => catch_up.skipped = catch_up.skipped.max(seq),
                // A bound for who has a month of mail and a slow link: presence is worth less than memory.
                None if catch_up.held.len() < HELD_MAX => catch_up.held.push(Arc::clone(spoken)),
                None => {}
            }
        }
    }

    fn everyone_sees(self: &Rc<Shard>, hidden_from: &[UserId], spoken: &Arc<Spoken>) {
        let hidden_from = if Fault::LeakPresence.is_on() && spoken.seq().is_none() { &[] } else { hidden_from };
        let excused: Vec<Rc<Connection>> = {
            let by_user = self.by_user.borrow();
            hidden_from.iter().filter_map(|user| by_user.get(user)).flatten().cloned().collect()
        };
        for connection in &excused {
            // It gets what came before this, and then nothing of this.
            let from = connection.run_from.get();
            self.bring_up_to_date(connection);
            if connection.run_from.get() > from {
                self.mark_dirty(connection);
            }
        }
        {
            let (mut runs, speakers) = (self.runs.borrow_mut(), self.speakers.borrow());
            for (dialect, run) in runs.iter_mut().enumerate().take(dialect::ALL.len()) {
                if speakers[dialect] > 0 {
                    run.extend_from_slice(spoken.bytes(dialect));
                }
            }
        }
        for connection in &excused {
            connection.run_from.set(self.runs.borrow()[connection.dialect.get()].len());
        }
        for connection in &*self.live_on_wires.borrow() {
            if let (Some(seat), Standing::Live(user, _)) = (connection.seat(), connection.standing.get())
                && hidden_from.binary_search(&user).is_err()
            {
                self.wire_sees(connection, seat, spoken.event());
            }
        }
        for connection in &*self.catching_up.borrow() {
            if matches!(connection.standing.get(), Standing::CatchingUp(user) if hidden_from.binary_search(&user).is_err()) {
                self.keep_for_later(connection, spoken);
            }
        }
    }

    /// Everyone in a room sees it, but those it is hidden from.
    fn room_sees(self: &Rc<Shard>, room: RoomId, hidden_from: &[UserId], spoken: &Arc<Spoken>) {
        // What a wire does about it may change who hears the room.
        let mut wires = Vec::new();
        for connection in self.rooms.borrow().get(&room).into_iter().flatten() {
            match connection.standing.get() {
                Standing::Live(user, _) if hidden_from.binary_search(&user).is_err() => match connection.seat() {
                    Some(_) => wires.push(Rc::clone(connection)),
                    None => self.append(connection, spoken.bytes(connection.dialect.get())),
                },
                Standing::CatchingUp(user) if hidden_from.binary_search(&user).is_err() => self.keep_for_later(connection, spoken),
                _ => {}
            }
        }
        for connection in wires {
            if let Some(seat) = connection.seat() {
                self.wire_sees(&connection, seat, spoken.event());
            }
        }
    }

    fn enter(&self, session: SessionId, room: RoomId) {
        let Some(connection) = self.connection(session) else { return };
        if connection.standing.get() == Standing::Out || connection.rooms.borrow().contains(&room) {
            return;
        }
        connection.rooms.borrow_mut().push(room);
        self.rooms.borrow_mut().entry(room).or_default().push(connection);
    }

    fn exit(&self, connection: &Rc<Connection>, room: RoomId) {
        connection.rooms.borrow_mut().retain(|other| *other != room);
        let mut rooms = self.rooms.borrow_mut();
        if let Some(hearing) = rooms.get_mut(&room) {
            if let Some(place) = hearing.iter().position(|other| Rc::ptr_eq(other, connection)) {
                hearing.swap_remove(place);
            }
            if hearing.is_empty() {
                rooms.remove(&room);
            }
        }
    }

    fn attach(&self, connection: &Rc<Connection>, user: UserId, owed_after: Option<u64>, elsewhere: Elsewhere, head: u64) {
        if connection.is_ending() {
            return;
        }
        connection.last_active.set(self.server.clock.elapsed());
        if self.limits.get().timeout > Duration::ZERO {
            self.expect_by(connection, self.server.clock.elapsed() + self.limits.get().timeout);
        }
        let through = owed_after.unwrap_or(head);
        connection.standing.set(Standing::CatchingUp(user));
        connection.settled.set(through);
        let owed = owed_after.is_some();
        let appended = through;
        let catch_up = CatchUp { greeted: false, elsewhere, owed, through, appended, skipped: 0, held: Vec::new(), told_of_gone: false };
        *connection.catch_up.borrow_mut() = Some(Box::new(catch_up));
        self.catching_up.borrow_mut().push(Rc::clone(connection));
    }

    /// If this was the answer to its login: now it may see what it is owed, and then everything.
    fn greeted(self: &Rc<Shard>, connection: &Rc<Connection>) {
        let Standing::CatchingUp(user) = connection.standing.get() else { return };
        let nothing_owed = {
            let mut catch_up = connection.catch_up.borrow_mut();
            match catch_up.as_mut() {
                Some(state) if !state.greeted => {
                    state.greeted = true;
                    !state.owed && state.skipped <= state.through
                }
                _ => return,
            }
        };
        if nothing_owed {
            self.has_caught_up(connection, user, None);
        } else {
            spawn(Rc::clone(self).bring_mail(Rc::clone(connection), user));
        }
    }

    /// From here on the connection sees what is said as it is said.
    fn has_caught_up(self: &Rc<Shard>, connection: &Rc<Connection>, user: UserId, through: Option<u64>) {
        let held = connection.catch_up.take().map(|state| state.held).unwrap_or_default();
        for spoken in held {
            match connection.seat() {
                Some(seat) => self.wire_sees(connection, seat, spoken.event()),
                None => connection.append(spoken.bytes(connection.dialect.get())),
            }
        }
        if let Some(seat) = connection.seat() {
            self.wire_has_caught_up(connection, seat);
        }
        self.mark_dirty(connection);
        self.catching_up.borrow_mut().retain(|other| !Rc::ptr_eq(other, connection));
        self.go_live(connection, user);
        if connection.counts_as_seen() {
            // Refused only if the session has just ended, and then it is noted there.
            let _ = self.server.submit(Intent { origin: connection.id, act: Act::CaughtUp { through, live: true } });
        }
        self.turn_soon();
        for waker in connection.wait_for_mail.take() {
            waker.wake();
        }
    }

    fn go_live(&self, connection: &Rc<Connection>, user: UserId) {
        let dialect = connection.dialect.get();
        let mut live = self.live.borrow_mut();
        connection.standing.set(Standing::Live(user, live.len()));
        connection.run_from.set(self.runs.borrow()[dialect].len());
        live.push(Rc::clone(connection));
        if connection.seat().is_some() {
            self.live_on_wires.borrow_mut().push(Rc::clone(connection));
        }
        self.by_user.borrow_mut().entry(user).or_default().push(Rc::clone(connection));
        self.speakers.borrow_mut()[dialect] += 1;
    }

    /// Writes what is owed, page by page as the socket takes it, until there is no more; then the connection is live.
    async fn bring_mail(self: Rc<Shard>, connection: Rc<Connection>, user: UserId) {
        loop {
            let owed = connection.catch_up.borrow().as_ref().map(|catch_up| (catch_up.through, catch_up.elsewhere));
            let Some((after, elsewhere)) = owed else { return };
            let under_way = self.under_way();
            let page = self.server.library.read(Question::Owed { user, after, elsewhere }).await;
            drop(under_way);
            let page = match page {
                Ok(page) => page,
                Err(refusal) => return connection.end(Departure::Disconnected, PATIENCE, Some(Event::Closing(refusal))),
            };
            if connection.is_ending() {
                return;
            }
            let mut bytes = Vec::new();
            // Told once: on later pages there is nothing before.
            if let Some(gone) = page.gone {
                self.tell_of_what_is_gone(&connection, gone, &mut bytes);
            }
            for (place, said) in page.said.into_iter().enumerate() {
                if place == 2 && Fault::DropThirdMail.is_on() {
                    continue;
                }
                let own = page.own.binary_search(&said.seq).is_ok();
                let event = if own { Event::Own(said) } else { Event::Message(said) };
                match connection.seat() {
                    Some(seat) => self.wire_sees(&connection, seat, &event),
                    None => dialect::ALL[connection.dialect.get()].event(&event, &mut bytes),
                }
            }
            self.append(&connection, &bytes);
            if let Some(state) = connection.catch_up.borrow_mut().as_mut() {
                state.appended = page.through;
            }
            self.round_trip().await;
            connection.drained_or_ending().await;
            if connection.is_ending() {
                return;
            }
            {
                let mut catch_up = connection.catch_up.borrow_mut();
                let Some(state) = catch_up.as_mut() else { return };
                state.through = page.through;
                connection.settled.set(page.through);
                if page.more || state.skipped > page.through {
                    drop(catch_up);
                    if connection.counts_as_seen() {
                        // What has been read of a month of mail is not sent again because the link drops.
                        let act = Act::CaughtUp { through: Some(page.through), live: false };
                        let _ = self.server.submit(Intent { origin: connection.id, act });
                    }
                    continue;
                }
            }
            return self.has_caught_up(&connection, user, Some(page.through));
        }
    }

    /// Whoever was away for longer than is kept hears that there was more.
    fn tell_of_what_is_gone(&self, connection: &Connection, gone: Millis, bytes: &mut Vec<u8>) {
        let mut catch_up = connection.catch_up.borrow_mut();
        // Wires have no words for it.
        if connection.seat().is_some() || catch_up.as_mut().is_none_or(|state| std::mem::replace(&mut state.told_of_gone, true)) {
            return;
        }
        dialect::ALL[connection.dialect.get()].event(&Event::Fact(gone_up_to(gone)), bytes);
    }

    /// Waits until no kept mail is on its way to this connection: not before its login has come back.
    pub(super) async fn caught_up(&self, connection: &Rc<Connection>) {
        if connection.standing.get() == Standing::Out
            && !connection.is_ending()
            && self.server.sequencer.view(|hall| hall.session(connection.id).is_some())
        {
            self.round_trip().await;
        }
        std::future::poll_fn(|cx| {
            if connection.is_ending() || !matches!(connection.standing.get(), Standing::CatchingUp(_)) {
                return std::task::Poll::Ready(());
            }
            connection.wait_for_mail.borrow_mut().push(cx.waker().clone());
            std::task::Poll::Pending
        })
        .await;
    }

    /// The connection changed its dialect: what everyone sees comes to it in the other from here on.
    fn speaks(&self, connection: &Rc<Connection>, dialect: usize) {
        let before = connection.dialect.get();
        if before == dialect {
            return;
        }
        if let Standing::Live(..) = connection.standing.get() {
            self.bring_up_to_date(connection);
            self.mark_dirty(connection);
            let mut speakers = self.speakers.borrow_mut();
            speakers[before] -= 1;
            speakers[dialect] += 1;
            connection.run_from.set(self.runs.borrow()[dialect].len());
        }
        connection.dialect.set(dialect);
    }

    /// From here on it sees nothing any more of what others say.
    pub(super) fn detach(&self, connection: &Rc<Connection>) {
        self.bring_up_to_date(connection);
        match connection.standing.replace(Standing::Out) {
            Standing::Out => {}
            Standing::CatchingUp(_) => {
                let catch_up = connection.catch_up.take();
                connection.left_at.set(catch_up.map_or(connection.settled.get(), |state| state.appended));
                self.catching_up.borrow_mut().retain(|other| !Rc::ptr_eq(other, connection));
            }
            Standing::Live(user, place) => {
                self.speakers.borrow_mut()[connection.dialect.get()] -= 1;
                let mut live = self.live.borrow_mut();
                live.swap_remove(place);
                if connection.seat().is_some() {
                    self.live_on_wires.borrow_mut().retain(|other| !Rc::ptr_eq(other, connection));
                }
                if let Some(moved) = live.get(place)
                    && let Standing::Live(user, _) = moved.standing.get()
                {
                    moved.standing.set(Standing::Live(user, place));
                }
                let mut by_user = self.by_user.borrow_mut();
                if let Some(of_user) = by_user.get_mut(&user) {
                    of_user.retain(|other| !Rc::ptr_eq(other, connection));
                    if of_user.is_empty() {
                        by_user.remove(&user);
                    }
                }
                connection.left_at.set(self.head.get());
                if connection.waiting() == 0 && !connection.is_broken() {
                    connection.settled.set(self.flushed.get());
                }
                // Until its session has ended in the store, nothing beyond what it has seen may be noted as written.
                if connection.counts_as_seen() && !self.lagging.borrow().iter().any(|other| Rc::ptr_eq(other, connection)) {
                    self.lagging.borrow_mut().push(Rc::clone(connection));
                }
            }
        }
        for room in connection.rooms.take() {
            self.exit(connection, room);
        }
        for waker in connection.wait_for_mail.take() {
            waker.wake();
        }
        self.mark_dirty(connection);
        self.turn_soon();
    }

    /// The connection is no more.
    pub(super) fn forget(self: &Rc<Shard>, connection: &Rc<Connection>) {
        self.connections.borrow_mut().remove(&connection.id);
        if let Some(seat) = connection.seat() {
            self.wire_is_gone(connection, seat);
        }
        self.lagging.borrow_mut().retain(|other| !Rc::ptr_eq(other, connection));
        self.deeds.set(self.deeds.get() + 1);
    }

    /// Writes what the turn has brought, to each socket once.
    fn flush(self: &Rc<Shard>) {
        let runs = std::mem::take(&mut *self.runs.borrow_mut());
        if runs.iter().any(|run| !run.is_empty()) {
            // Writing may end a connection, but it is taken from the list only later, by its own task.
            for connection in &*self.live.borrow() {
                let run = &runs[connection.dialect.get()];
                let from = connection.run_from.replace(0).min(run.len());
                connection.dirty.set(false);
                self.write(connection, &run[from..]);
            }
            // The memory of the runs serves the next turn.
            let mut kept = self.runs.borrow_mut();
            for (kept, mut run) in kept.iter_mut().zip(runs) {
                run.clear();
                if run.capacity() <= RUN_KEPT_BYTES {
                    *kept = run;
                }
            }
        }
        for connection in self.dirty.take() {
            if connection.dirty.replace(false) {
                self.write(&connection, &[]);
            }
        }
        self.flushed.set(self.head.get());
        self.note_written();
    }

    fn write(self: &Rc<Shard>, connection: &Rc<Connection>, run: &[u8]) {
        let taken = connection.write(run);
        if taken && !connection.is_broken() {
            return connection.tell_drained();
        }
        let is_lagging = self.lagging.borrow().iter().any(|other| Rc::ptr_eq(other, connection));
        if !matches!(connection.standing.get(), Standing::CatchingUp(_)) && !is_lagging {
            // What the turn before had brought was taken; of this turn's, who knows.
            connection.settled.set(self.flushed.get());
            if connection.counts_as_seen() {
                self.lagging.borrow_mut().push(Rc::clone(connection));
            }
        }
        if connection.is_broken() {
            return connection.tell_drained();
        }
        if connection.waiting() > self.limits.get().outbox_bytes && !connection.is_ending() {
            tracing::info!(session = connection.id.number(), address = %connection.address, bytes = connection.waiting(), "cut off: it does not read what it is sent");
            let refusal = Refusal::new(code::TOO_SLOW, "you do not read what you are sent").hint("log in again: nothing is lost");
            connection.end(Departure::TooSlow, PATIENCE, Some(Event::Closing(refusal)));
        }
        connection.write_when_possible(self);
    }

    /// The socket has taken everything, or is broken.
    pub(super) fn has_settled(&self, connection: &Rc<Connection>) {
        if connection.waiting() == 0 && !connection.is_ending() {
            self.lagging.borrow_mut().retain(|other| !Rc::ptr_eq(other, connection));
        }
        self.deeds.set(self.deeds.get() + 1);
    }

    /// Notes how far the live connections of this shard have been written to.
    fn note_written(&self) {
        let through = self.lagging.borrow().iter().map(|connection| connection.settled.get()).fold(self.flushed.get(), u64::min);
        if through > self.noted.get() {
            self.noted.set(through);
            if let Err(error) = self.written.note(self.index, through) {
                tracing::warn!(%error, "cannot note what has been written; after a crash some lines may come twice");
            }
        }
    }

    /// Something has to have happened on this connection by `deadline`.
    fn expect_by(&self, connection: &Connection, deadline: Duration) {
        connection.deadline.set(deadline);
        let mut deadlines = self.deadlines.borrow_mut();
        let soonest = deadlines.peek().is_none_or(|Reverse((next, _))| deadline < *next);
        deadlines.push(Reverse((deadline, connection.id)));
        if soonest {
            let _ = self.sooner.0.try_send(());
        }
    }

    /// Ends connections that have been without a login, or a login without a command, for too long.
    async fn watch_deadlines(self: Rc<Shard>) {
        loop {
            let next = self.deadlines.borrow().peek().map(|Reverse((deadline, _))| *deadline);
            let ring = async { _ = self.sooner.1.recv().await };
            match next {
                Some(deadline) => smol::future::or(self.server.clock.sleep_until(deadline), ring).await,
                None => ring.await,
            }
            let now = self.server.clock.elapsed();
            loop {
                let due = {
                    let mut deadlines = self.deadlines.borrow_mut();
                    match deadlines.peek() {
                        Some(Reverse((deadline, _))) if *deadline <= now => deadlines.pop(),
                        _ => break,
                    }
                };
                if let Some(Reverse((deadline, id))) = due
                    && let Some(connection) = self.connection(id)
                    && connection.deadline.get() == deadline
                {
                    self.look_at(&connection, now);
                }
            }
        }
    }

    fn look_at(&self, connection: &Rc<Connection>, now: Duration) {
        if connection.is_ending() {
            return;
        }
        if connection.seat().is_some_and(Seat::is_part) {
            return;
        }
        if connection.standing.get() == Standing::Out {
            let refusal =
                Refusal::new(code::REGISTRATION_TIMEOUT, "nobody has logged in here for too long").hint("connect again when you are ready");
            return connection.end(Departure::Disconnected, PATIENCE, Some(Event::Closing(refusal)));
        }
        if self.limits.get().timeout == Duration::ZERO {
            return;
        }
        let late = Duration::from_secs(u64::from(Fault::IdleTooLate.is_on()));
        let deadline = connection.last_active.get() + self.limits.get().timeout + late;
        if deadline > now {
            return self.expect_by(connection, deadline);
        }
        let text = format!("you gave no command for {}", chinwag_wire::time::show_duration(self.limits.get().timeout));
        let refusal = Refusal::new(code::IDLE, text).hint("log in again");
        connection.end(Departure::TimedOut, PATIENCE, Some(Event::Closing(refusal)));
    }

    /// Something has begun on this shard that others finish: until it is dropped, the shard is not calm.
    pub(super) fn under_way(self: &Rc<Shard>) -> UnderWay {
        self.begun.set(self.begun.get() + 1);
        UnderWay(Rc::clone(self))
    }

    fn shut_down(&self) {
        self.shutting_down.set(true);
        let all: Vec<Rc<Connection>> = self.connections.borrow().values().cloned().collect();
        for connection in all.iter().filter(|connection| !connection.is_ending()) {
            self.end_for_shutdown(connection);
        }
    }

    fn end_for_shutdown(&self, connection: &Rc<Connection>) {
        let refusal = Refusal::new(code::SHUTDOWN, "the server is shutting down").hint("nothing is lost; connect again later");
        connection.end(Departure::Shutdown, PATIENCE, (!Fault::ShutdownUnsaid.is_on()).then_some(Event::Closing(refusal)));
    }

    /// Returns when the sockets had nothing more to read and every task has had its turn; says how much has been
    /// done so far.
    async fn calm(&self) -> u64 {
        loop {
            let before = self.deeds.get();
            for _ in 0..3 {
                smol::future::yield_now().await;
            }
            let unread = || self.connections.borrow().values().any(|connection| connection.has_unread());
            if self.deeds.get() == before && self.begun.get() == 0 && !unread() {
                return before;
            }
            // Only a timer that is not due yet has the reactor look at the sockets and wake who waits for them.
            smol::Timer::after(Duration::from_micros(50)).await;
        }
    }

    fn describe(&self) -> Vec<serde_json::Value> {
        let mut all: Vec<_> = self.connections.borrow().values().cloned().collect();
        all.sort_by_key(|connection| connection.id);
        all.iter()
            .map(|connection| {
                let (standing, user) = match connection.standing.get() {
                    Standing::Out => ("out", None),
                    Standing::CatchingUp(user) => ("catching up", Some(user)),
                    Standing::Live(user, _) => ("live", Some(user)),
                };
                let name = user.and_then(|user| self.server.sequencer.view(|hall| hall.user(user).map(|user| user.name.to_string())));
                serde_json::json!({
                    "session": connection.id.number(),
                    "shard": self.index,
                    "dialect": connection.seat().map_or_else(|| dialect::ALL[connection.dialect.get()].name(), |seat| seat.wire().name()),
                    "standing": standing,
                    "name": name,
                    "waiting_bytes": connection.waiting(),
                    "ending": connection.is_ending(),
                })
            })
            .collect()
    }
}

/// See [`Shard::under_way`].
pub(super) struct UnderWay(Rc<Shard>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.begun.set(self.0.begun.get() - 1);
        self.0.deeds.set(self.0.deeds.get() + 1);
    }
}

/// How many things that are in no store may be held for a connection with mail on its way.
const HELD_MAX: usize = 1000;

/// A run larger than this is given back: a burst should not cost memory for ever.
const RUN_KEPT_BYTES: usize = 256 * 1024;
