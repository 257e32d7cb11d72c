//! The sequencer: gives intents their one order, and lets nobody see an effect before it is durable.
//!
//! Whoever submits applies, under one lock: the hall lives in memory, so the fate of an intent is known at once and
//! a command never waits for the disk. What waits is everything that anyone could *see* of it. Rows and outputs
//! gather; the store's thread commits all rows there are in one transaction (under load the batch grows by
//! itself) and then releases the outputs to the shards, in order. Replies go the same road: an answer is
//! behind every effect that came before it, on its own connection and on all others. When nothing waits to be
//! durable, outputs are released on the spot, and no thread but the submitter's runs.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chinwag_wire::{Event, Millis, Refusal, code};

use crate::clock::Clock;
use crate::fault::Fault;
use crate::hall::{Act, Delivery, Elsewhere, Hall, Intent, Reach, Receipt, RoomId, Row, SessionId, UserId};
use crate::spoken::Spoken;
use crate::store::{Limits, StoreError, Writer};

/// How many rows may wait for a commit. Above it new intents are refused as `busy`: the store is slower than the
/// talk, and memory is not a place to keep what has not been promised.
pub const ROWS_WAITING_MAX: usize = 65_536;

/// How long rows that nobody waits for may wait for company: short, because they say what readers of `text` have
/// seen, and after a crash those would see it again.
const LAZY_COMMIT: Duration = Duration::from_millis(20);

/// How long a store that failed is left alone before the same batch is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// How often a store that fails is tried again when the server is to end: a few seconds, for somebody who is making room. A server
/// that waited for ever would be killed by whoever stops it, and nobody would read why.
const TRIES_AT_THE_END: u32 = 6;

/// After so many commits without a pause the store does a little of what can wait all the same: where there is always something
/// to commit, what is too old goes too.
const TENDED_EVERY: u32 = 64;

/// How often at most the store is asked to do what is due at some time: what is to go at ten goes at ten and a bit.
const TEND_EVERY: Duration = Duration::from_secs(60);

/// How long is slept for at most until something is due: clocks are set, and laptops sleep too.
const SLEEP_MAX: Duration = Duration::from_secs(24 * 3600);

/// What a shard is to do, in this order.
#[derive(Debug)]
pub enum Output {
    /// Give one connection something to see.
    See {
        /// Which.
        session: SessionId,
        /// What.
        spoken: Arc<Spoken>,
    },
    /// Give all connections something to see.
    SeeAll {
        /// What.
        spoken: Arc<Spoken>,
        /// But not those of these users (sorted).
        but: Arc<[UserId]>,
    },
    /// Give all connections that hear a room something to see.
    SeeRoom {
        /// Which room.
        room: RoomId,
        /// What.
        spoken: Arc<Spoken>,
        /// But not those of these users (sorted).
        but: Arc<[UserId]>,
    },
    /// See [`Delivery::Enter`].
    Enter {
        /// Which connection.
        session: SessionId,
        /// Which room.
        room: RoomId,
    },
    /// See [`Delivery::Exit`].
    Exit {
        /// Which connection.
        session: SessionId,
        /// Which room.
        room: RoomId,
    },
    /// See [`Delivery::Attach`].
    Attach {
        /// Which connection.
        session: SessionId,
        /// Whose it is now.
        user: UserId,
        /// What came after this is owed first.
        owed_after: Option<u64>,
        /// Of what was said on other devices, what is owed.
        elsewhere: Elsewhere,
        /// The order's head at login.
        head: u64,
    },
    /// See [`Delivery::Expel`].
    Expel {
        /// Which network.
        network: IpAddr,
        /// The last they hear.
        because: Refusal,
    },
    /// See [`Delivery::EndRelay`].
    EndRelay {
        /// Which.
        relay: u64,
    },
    /// See [`Delivery::Detach`].
    Detach {
        /// Which connection.
        session: SessionId,
        /// Why, if the server ends it: the last that it hears.
        last_word: Option<Refusal>,
    },
    /// Tell whoever waits that everything before this has been done.
    Signal {
        /// Who waits.
        waiter: async_channel::Sender<()>,
    },
    /// The last that a connection hears: nothing follows it.
    LastWord {
        /// Which connection.
        session: SessionId,
        /// What.
        event: Box<Event>,
        /// The order's head: everything up to here that concerns the connection is in front of this.
        head: u64,
    },
    /// The answer to a line, written out already.
    Reply {
        /// Whose line.
        session: SessionId,
        /// The dialect it is in, and what follows it.
        dialect: usize,
        /// The answer.
        bytes: Vec<u8>,
    },
    /// The answer to what a wire asked for, which is the wire's to write.
    Answer {
        /// Who asked.
        session: SessionId,
        /// The answer: at least one.
        events: Vec<Event>,
    },
}

/// Outputs of one release, for one shard.
#[derive(Debug, Default)]
pub struct Release {
    /// In order.
    pub outputs: Vec<Output>,
    /// The order's head: everything up to here that concerns the shard is in this release or came before.
    pub head: u64,
}

/// Where a shard gets its outputs from. In a release of the whole order no shard is before another.
pub trait Shards: Send + Sync {
    /// Hands `release` to `shard`, without waiting.
    fn release(&self, shard: usize, release: Release);
}

/// See the module's words.
pub struct Sequencer {
    state: Mutex<State>,
    work: Condvar,
    clock: Arc<Clock>,
    shards: Box<dyn Shards>,
    /// Commits since the start, for measurements.
    commits: AtomicU64,
    /// How long they have taken together, in microseconds.
    committing_us: AtomicU64,
    /// What is due at some time has changed.
    due_changed: (async_channel::Sender<()>, async_channel::Receiver<()>),
    /// Rings when something of private chats ends at another time than before.
    private_alarm: (async_channel::Sender<()>, async_channel::Receiver<()>),
}

struct State {
    hall: Hall,
    /// Whether durable rows are committed with a sync. Without one they are committed all the same before anybody
    /// hears of them: they survive the end of the process, though not a loss of power.
    durable: bool,
    /// Rows that no commit has taken yet.
    rows: Vec<Row>,
    /// One of the rows has to survive a loss of power.
    sync: bool,
    /// One of the rows is one that somebody waits for.
    awaited: bool,
    /// Whose line has had an effect that has to be committed, and is not answered yet.
    unanswered: HashSet<SessionId>,
    /// Rows that nobody waits for should be committed without company.
    hurry: bool,
    /// When the first row came that no commit has taken yet: it is not kept waiting by those who come after.
    first_row_at: Option<Instant>,
    /// Outputs that no commit has taken yet, for each shard.
    outputs: Vec<Vec<Output>>,
    /// A commit is under way: its outputs come before all of the above.
    committing: bool,
    /// The store's thread sleeps until it is called.
    idle: bool,
    /// Or until the first row has waited long enough.
    alarmed: bool,
    /// Limits that the store does not know yet.
    limits: Option<Limits>,
    /// The store has nothing to do that can wait, or could not do it.
    tended: bool,
    /// When it will have something to do, though nothing is committed until then.
    due: Option<Millis>,
    /// The last commit failed.
    failing: bool,
    /// The server ends: commit what there is, then stop.
    ending: bool,
    /// The store's thread has stopped.
    ended: bool,
}

/// What the store's thread is to do.
enum Work {
    /// To commit this.
    Commit(Batch),
    /// To do what can wait.
    Tend,
    /// Nothing any more.
    End,
}

/// One commit's worth.
struct Batch {
    rows: Vec<Row>,
    outputs: Vec<Vec<Output>>,
    head: u64,
    durable: bool,
}

impl Sequencer {
    /// A sequencer over `hall`. `durable`: whether a commit waits for the disk.
    #[must_use]
    pub fn new(hall: Hall, durable: bool, clock: Arc<Clock>, shard_count: usize, shards: Box<dyn Shards>) -> Sequencer {
        let state = State {
            hall,
            durable,
            rows: Vec::new(),
            sync: false,
            awaited: false,
            unanswered: HashSet::new(),
            hurry: false,
            first_row_at: None,
            outputs: (0..shard_count).map(|_| Vec::new()).collect(),
            committing: false,
            idle: false,
            alarmed: false,
            limits: None,
            tended: true,
            due: None,
            failing: false,
            ending: false,
            ended: false,
        };
        let due_changed = async_channel::bounded(1);
        let private_alarm = async_channel::bounded(1);
        Sequencer {
            state: Mutex::new(state),
            work: Condvar::new(),
            clock,
            shards,
            commits: AtomicU64::new(0),
            committing_us: AtomicU64::new(0),
            due_changed,
            private_alarm,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held is a fault of the hall; going on serves users better than stopping, and
        // the store has only what was applied whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives `intent` its place and applies it. The store's thread has to be told (see [`Sequencer::commit_soon`])
    /// at the end of the turn.
    ///
    /// # Errors
    /// The hall's refusal; `busy` and `store-failing` when the store cannot follow.
    pub fn submit(&self, intent: Intent) -> Result<Receipt, Refusal> {
        let mut state = self.lock();
        if state.rows.len() >= ROWS_WAITING_MAX && !has_to_be_heard(&intent.act) {
            return Err(Refusal::new(code::BUSY, "the store cannot follow").hint("try again in a few seconds"));
        }
        if state.failing && asks_to_keep(&intent.act) {
            return Err(Refusal::new(code::STORE_FAILING, "the server cannot store anything at the moment")
                .hint("try again later, and tell the operator"));
        }
        let (now, seq) = (self.clock.now(), state.hall.head() + 1);
        let (origin, is_answered) = (intent.origin, !has_to_be_heard(&intent.act));
        let private_deadline = state.hall.private_deadline();
        let applied = state.hall.apply(seq, now, intent)?;
        if state.hall.private_deadline() != private_deadline {
            // One ring is enough for whoever has not heard the last.
            let _ = self.private_alarm.0.try_send(());
        }
        state.sync |= applied.durable && state.durable;
        state.awaited |= applied.durable || applied.gated;
        if !is_answered {
            // Whoever has left hears no answer any more.
            state.unanswered.remove(&origin);
        } else if applied.durable || applied.gated {
            state.unanswered.insert(origin);
        }
        state.hurry |= applied.rows.iter().any(|row| matches!(row, Row::Cursor { .. }));
        if !applied.rows.is_empty() && state.first_row_at.is_none() {
            state.first_row_at = Some(Instant::now());
        }
        state.rows.extend(applied.rows);
        let head = state.hall.head();
        for delivery in applied.deliveries {
            state.put(delivery, head);
        }
        self.release_if_quiet(&mut state);
        Ok(applied.receipt)
    }

    /// Ends offers of private chats and what else of them is over by itself, each at its time, for ever.
    pub(crate) async fn watch_private(&self) {
        loop {
            let (now, elapsed) = (self.clock.now(), self.clock.elapsed());
            let ring = async { _ = self.private_alarm.1.recv().await };
            match self.view(Hall::private_deadline) {
                Some(at) if at <= now => {
                    // Never refused: it is time.
                    let _ = self.submit(Intent { origin: SessionId::CONSOLE, act: Act::PrivateDue });
                }
                Some(at) => smol::future::or(self.clock.sleep_until(elapsed + at.since(now)), ring).await,
                None => ring.await,
            }
        }
    }

    /// Looks at the hall.
    pub fn view<R>(&self, look: impl FnOnce(&Hall) -> R) -> R {
        look(&self.lock().hall)
    }

    /// Sends the answer to a line behind everything that happened before it.
    pub fn reply(&self, session: SessionId, dialect: usize, bytes: Vec<u8>) {
        self.put_behind(session.shard(), Some(session), |_| Output::Reply { session, dialect, bytes });
    }

    /// Sends the answer to what a wire asked for behind everything that happened before it.
    pub fn answer(&self, session: SessionId, events: Vec<Event>) {
        self.put_behind(session.shard(), Some(session), |_| Output::Answer { session, events });
    }

    /// Gives one connection something to see, behind everything that happened before it.
    pub fn show(&self, session: SessionId, spoken: Arc<Spoken>) {
        self.put_behind(session.shard(), None, |_| Output::See { session, spoken });
    }

    /// Sends the last that a connection hears, behind everything that happened before it.
    pub fn last_word(&self, session: SessionId, event: Event) {
        self.put_behind(session.shard(), None, |head| Output::LastWord { session, event: Box::new(event), head });
    }

    /// Has `shard` tell `waiter` when it has done everything that happened before this.
    pub fn signal(&self, shard: usize, waiter: async_channel::Sender<()>) {
        self.put_behind(shard, None, |_| Output::Signal { waiter });
    }

    /// Waits until everything that has happened so far is committed and released.
    pub async fn settled(&self) {
        let (waiter, done) = async_channel::bounded(1);
        self.signal(0, waiter);
        self.commit_soon();
        // Closed only when the process ends.
        let _ = done.recv().await;
    }

    /// Puts an output, made with the order's head, behind everything that happened before it.
    fn put_behind(&self, shard: usize, session: Option<SessionId>, output: impl FnOnce(u64) -> Output) {
        let mut state = self.lock();
        let output = output(state.hall.head());
        let answers_for_effects = session.is_some_and(|session| state.unanswered.remove(&session));
        if (state.failing && !answers_for_effects)
            || (Fault::AckBeforeEffects.is_on() && matches!(output, Output::Reply { .. } | Output::Answer { .. }))
        {
            // Nothing moves until the store works again; whoever asks hears that now. Not what answers for something that
            // is not committed yet. No number is given out that is not committed.
            self.shards.release(shard, Release { outputs: vec![output], head: 0 });
            return;
        }
        state.outputs[shard].push(output);
        self.release_if_quiet(&mut state);
    }

    /// Releases what has gathered if there is nothing it has to wait for.
    fn release_if_quiet(&self, state: &mut State) {
        if !state.awaited && !state.committing {
            let head = state.hall.head();
            let outputs = state.take_outputs();
            self.release(outputs, head);
        }
    }

    fn release(&self, outputs: Vec<Vec<Output>>, head: u64) {
        for (shard, outputs) in outputs.into_iter().enumerate() {
            if !outputs.is_empty() {
                self.shards.release(shard, Release { outputs, head });
            }
        }
    }

    /// Calls the store's thread if there is something to commit and it sleeps. Once a turn is enough, and cheaper
    /// than once a line: what one turn submits is one commit.
    pub fn commit_soon(&self) {
        let state = self.lock();
        // Rows that nobody waits for call it too, once, so that it sets its alarm.
        if state.idle && (state.awaited || state.hurry || (!state.rows.is_empty() && !state.alarmed)) {
            self.work.notify_one();
        }
    }

    /// Has what there is committed now, whether anybody waits for it or not.
    pub fn commit_at_once(&self) {
        self.lock().hurry = true;
        self.work.notify_one();
    }

    /// Has the store keep no more than this from here on.
    pub fn limit(&self, limits: Limits) {
        let mut state = self.lock();
        state.limits = Some(limits);
        self.ask_to_tend(&mut state);
    }

    fn ask_to_tend(&self, state: &mut State) {
        state.tended = false;
        self.work.notify_one();
    }

    /// Calls the store's thread when it has something to do that is due at some time. Never ends.
    pub async fn look_after_the_store(&self) {
        loop {
            let due = self.lock().due;
            let changed = async {
                // Closed only when the process ends.
                let _ = self.due_changed.1.recv().await;
                false
            };
            let is_time = match due {
                None => changed.await,
                Some(due) => {
                    let until = self.clock.elapsed() + due.since(self.clock.now()).min(SLEEP_MAX);
                    let slept = async {
                        self.clock.sleep_until(until).await;
                        true
                    };
                    smol::future::or(changed, slept).await
                }
            };
            if is_time && due.is_some_and(|due| due <= self.clock.now()) {
                let mut state = self.lock();
                state.due = None;
                self.ask_to_tend(&mut state);
            }
        }
    }

    /// The life of the store's thread: commits until [`Sequencer::end`].
    pub fn commit_until_end(&self, writer: &mut dyn Writer) {
        let mut neglected = 0;
        loop {
            if let Some(limits) = self.lock().limits.take() {
                writer.limit(limits);
            }
            while self.may_tend(neglected) {
                neglected = 0;
                if !tend(writer, self.clock.now()) {
                    self.has_tended(writer.due());
                    break;
                }
            }
            let batch = match self.next_work() {
                Work::Commit(batch) => batch,
                Work::Tend => continue,
                Work::End => break,
            };
            if !self.commit(writer, batch) {
                break;
            }
            neglected += 1;
        }
        let mut state = self.lock();
        state.ended = true;
        self.work.notify_all();
    }

    /// Whether the store's thread has time for what can wait, or has not had any for too long.
    fn may_tend(&self, neglected: u32) -> bool {
        let state = self.lock();
        let is_free = !state.awaited && (!state.hurry || state.rows.is_empty());
        !state.ending && !state.failing && (is_free || neglected >= TENDED_EVERY)
    }

    /// Nothing can wait that is not done; when something will be due.
    fn has_tended(&self, due: Option<Millis>) {
        let soon = self.clock.now().plus(TEND_EVERY);
        let due = due.map(|due| due.max(soon));
        let mut state = self.lock();
        state.tended = state.limits.is_none();
        // It moves with each message that goes: whoever sleeps until then need not be told that it is later.
        let is_sooner = due.is_some_and(|due| state.due.is_none_or(|known| due < known));
        if is_sooner {
            state.due = due;
            let _ = self.due_changed.0.try_send(());
        }
    }

    /// Commits what there is, now and here: for the stage, which has no threads.
    pub fn commit_now(&self, writer: &mut dyn Writer) {
        let batch = self.lock().take_batch();
        // It gives up only when it is to end, which the stage does by being dropped.
        let _ = self.commit(writer, batch);
    }

    /// Waits until there is something to do.
    fn next_work(&self) -> Work {
        let mut state = self.lock();
        loop {
            if state.awaited || (state.hurry && !state.rows.is_empty()) {
                return Work::Commit(state.take_batch());
            }
            if state.ending {
                let is_left = !state.rows.is_empty() || state.outputs.iter().any(|outputs| !outputs.is_empty());
                return if is_left { Work::Commit(state.take_batch()) } else { Work::End };
            }
            let waited = state.first_row_at.map(|at| at.elapsed());
            if waited.is_some_and(|waited| waited >= LAZY_COMMIT) {
                return Work::Commit(state.take_batch());
            }
            if !state.tended && !state.failing {
                return Work::Tend;
            }
            (state.idle, state.alarmed) = (true, waited.is_some());
            state = match waited {
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(waited) => self.work.wait_timeout(state, LAZY_COMMIT - waited).unwrap_or_else(PoisonError::into_inner).0,
            };
            state.idle = false;
        }
    }

    /// Commits and releases a batch. False: the store fails, and the server is to end. Then nothing of the batch was released, so that
    /// nobody was told of what is lost with it.
    fn commit(&self, writer: &mut dyn Writer, batch: Batch) -> bool {
        if !batch.rows.is_empty() {
            let begun = self.clock.elapsed();
            let mut tries_left = TRIES_AT_THE_END;
            while let Err(error) = try_commit(writer, &batch) {
                if self.note_failure(&error) {
                    tries_left -= 1;
                }
                if tries_left == 0 {
                    let rows = batch.rows.len();
                    tracing::error!(
                        rows,
                        "the store still fails: the server ends without what waited for it; nobody was told that it was kept"
                    );
                    return false;
                }
            }
            let took = self.clock.elapsed().saturating_sub(begun);
            self.committing_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            self.commits.fetch_add(1, Ordering::Relaxed);
        }
        let mut state = self.lock();
        if state.failing {
            state.failing = false;
            tracing::info!("the store works again; nothing that was acknowledged is missing");
        }
        // Released under the lock: no reply can slip in between one shard's part and another's.
        self.release(batch.outputs, batch.head);
        state.committing = false;
        self.release_if_quiet(&mut state);
        true
    }

    /// Notes that the store failed, and waits a little. Says whether the server is to end.
    fn note_failure(&self, error: &StoreError) -> bool {
        let mut state = self.lock();
        if !state.failing {
            tracing::error!(%error, "the store failed: trying again until it works; until then nothing new is accepted");
        }
        state.failing = true;
        // The answers that wait for nothing of this batch would wait for ever.
        let (state, _) = self.work.wait_timeout(state, RETRY).unwrap_or_else(PoisonError::into_inner);
        state.ending
    }

    /// Has everything committed and released that was accepted, and stops the store's thread. Waits for it, unless the store fails:
    /// then the thread ends when it has been tried a few times more.
    pub fn end(&self) {
        let mut state = self.lock();
        state.ending = true;
        self.work.notify_all();
        while !state.ended && !state.failing {
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether everything accepted has been committed and released, and everything else that was to be done has been.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let state = self.lock();
        state.rows.is_empty() && !state.committing && state.outputs.iter().all(Vec::is_empty) && state.tended
    }

    /// Whether the store failed last time.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.lock().failing
    }

    /// How many rows, and how many outputs, wait for the store.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        let state = self.lock();
        (state.rows.len(), state.outputs.iter().map(Vec::len).sum())
    }

    /// How many commits there have been.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// How long all commits have taken together; one that failed counts from its first try on.
    #[must_use]
    pub fn committing(&self) -> Duration {
        Duration::from_micros(self.committing_us.load(Ordering::Relaxed))
    }
}

/// Has the store do a little of what can wait, and says whether there is more.
fn tend(writer: &mut dyn Writer, now: Millis) -> bool {
    if Fault::StoreFull.is_on() {
        return false;
    }
    writer.tend(now).unwrap_or_else(|error| {
        tracing::warn!(%error, "the store could not do what can wait: later");
        false
    })
}

fn try_commit(writer: &mut dyn Writer, batch: &Batch) -> Result<(), StoreError> {
    if Fault::StoreFull.is_on() {
        return Err(StoreError("the disk is full (a fault that was switched on)".to_owned()));
    }
    if Fault::SkipCommit.is_on() {
        return Ok(());
    }
    writer.commit(&batch.rows, batch.head, batch.durable)
}

/// Whether an intent would have to be kept to mean anything: then it is refused while the store fails. So is a login:
/// whoever came in would see nothing and could say nothing.
fn asks_to_keep(act: &Act) -> bool {
    match act {
        Act::Register { .. } | Act::Say { .. } | Act::Amend { .. } | Act::EndRoom { .. } | Act::Block { .. } | Act::Unblock { .. } => true,
        Act::ChangePassword { .. } | Act::DeleteAccount { .. } | Act::IssueToken { .. } | Act::SetOperator { .. } => true,
        Act::CreateRoom { .. } | Act::JoinRoom { .. } | Act::LeaveRoom { .. } | Act::Resign { .. } | Act::ChangeRoom { .. } => true,
        Act::Login { .. } | Act::Guest { .. } => true,
        Act::LoginFailed { .. } | Act::Leave { .. } | Act::Evict { .. } => false,
        Act::CaughtUp { .. } | Act::Acknowledge { .. } | Act::SpeakAs { .. } | Act::BeActive | Act::Show { .. } => false,
        Act::AskPrivate { .. } | Act::AcceptPrivate { .. } | Act::DeclinePrivate { .. } | Act::StopPrivate { .. } => false,
        Act::RelayPrivate { .. } | Act::TakeTicket { .. } | Act::RelayOver { .. } | Act::PrivateDue => false,
        // What an operator does about the failure is noted when the store works again.
        Act::NoteDeed { .. } | Act::NoteOutcome { .. } => false,
        Act::Ban { .. } | Act::Unban { .. } | Act::Invite { .. } | Act::Uninvite { .. } => true,
        Act::Configure { .. } | Act::Disconnect { .. } | Act::Unlock { .. } | Act::Announce { .. } => false,
    }
}

/// Whether an intent is about what has happened already: a connection is gone whether there is room to note it or
/// not. There are no more of these than connections.
fn has_to_be_heard(act: &Act) -> bool {
    matches!(
        act,
        Act::Leave { .. }
            | Act::Evict { .. }
            | Act::CaughtUp { .. }
            | Act::LoginFailed { .. }
            | Act::NoteOutcome { .. }
            | Act::RelayOver { .. }
            | Act::PrivateDue
    )
}

impl State {
    fn take_outputs(&mut self) -> Vec<Vec<Output>> {
        self.outputs.iter_mut().map(std::mem::take).collect()
    }

    fn take_batch(&mut self) -> Batch {
        let batch =
            Batch { rows: std::mem::take(&mut self.rows), outputs: self.take_outputs(), head: self.hall.head(), durable: self.sync };
        self.sync = false;
        self.awaited = false;
        self.hurry = false;
        self.first_row_at = None;
        self.committing = true;
        self.tended = false;
        self.idle = false;
        batch
    }

    /// Puts a delivery where it belongs.
    fn put(&mut self, delivery: Delivery, head: u64) {
        match delivery {
            Delivery::See { spoken, reach } => match reach {
                Reach::EveryoneBut(users) => {
                    let but: Arc<[UserId]> = users.into();
                    for outputs in &mut self.outputs {
                        outputs.push(Output::SeeAll { spoken: Arc::clone(&spoken), but: Arc::clone(&but) });
                    }
                }
                Reach::Room { room, but } => {
                    let but: Arc<[UserId]> = but.into();
                    for outputs in &mut self.outputs {
                        outputs.push(Output::SeeRoom { room, spoken: Arc::clone(&spoken), but: Arc::clone(&but) });
                    }
                }
                Reach::Sessions(sessions) => {
                    for session in sessions {
                        let outputs = &mut self.outputs[session.shard()];
                        let other = |last: &Output| matches!(last, Output::See { spoken: last, .. } if last.said().map(|said| &said.from) != spoken.said().map(|said| &said.from));
                        let swapped = Fault::SwapMessages.is_on() || (Fault::SwapSenders.is_on() && outputs.last().is_some_and(other));
                        let behind = if swapped { outputs.len().saturating_sub(1) } else { outputs.len() };
                        outputs.insert(behind, Output::See { session, spoken: Arc::clone(&spoken) });
                    }
                }
            },
            Delivery::Attach { session, user, owed_after, elsewhere } => {
                self.outputs[session.shard()].push(Output::Attach { session, user, owed_after, elsewhere, head });
            }
            Delivery::Enter { sessions, room } => {
                for session in sessions {
                    self.outputs[session.shard()].push(Output::Enter { session, room });
                }
            }
            Delivery::Exit { sessions, room } => {
                for session in sessions {
                    self.outputs[session.shard()].push(Output::Exit { session, room });
                }
            }
            Delivery::Expel { network, because } => {
                for outputs in &mut self.outputs {
                    outputs.push(Output::Expel { network, because: because.clone() });
                }
            }
            // Any shard can: it is done elsewhere.
            Delivery::EndRelay { relay } => self.outputs[0].push(Output::EndRelay { relay }),
            Delivery::Detach { session, last_word } => {
                self.outputs[session.shard()].push(Output::Detach { session, last_word });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use chinwag_wire::Millis;

    use super::*;
    use crate::hall::{Loaded, Policy, Recipient};

    /// Gives what is released to whoever waits for it, one thing after the other.
    struct Told(async_channel::Sender<&'static str>);

    impl Shards for Told {
        fn release(&self, _: usize, release: Release) {
            for output in release.outputs {
                let what = match output {
                    Output::See { .. } => "see",
                    Output::SeeAll { .. } => "see all",
                    Output::SeeRoom { .. } => "see room",
                    Output::Enter { .. } => "enter",
                    Output::Exit { .. } => "exit",
                    Output::Attach { .. } => "attach",
                    Output::Detach { .. } => "detach",
                    Output::Expel { .. } => "expel",
                    Output::EndRelay { .. } => "end relay",
                    Output::Signal { .. } => "signal",
                    Output::LastWord { .. } => "last word",
                    Output::Reply { .. } | Output::Answer { .. } => "reply",
                };
                self.0.try_send(what).unwrap();
            }
        }
    }

    /// A disk that is full for the first few commits.
    struct FullDisk<'a>(&'a AtomicUsize);

    impl Writer for FullDisk<'_> {
        fn commit(&mut self, _: &[Row], _: u64, _: bool) -> Result<(), StoreError> {
            match self.0.try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
                Ok(_) => Err(StoreError("disk full".to_owned())),
                Err(_) => Ok(()),
            }
        }

        fn tend(&mut self, _: Millis) -> Result<bool, StoreError> {
            Ok(false)
        }

        fn limit(&mut self, _: Limits) {}

        fn due(&self) -> Option<Millis> {
            None
        }
    }

    /// A store in front of which something waits after each of the first commits, and which notes when it is tended.
    struct NeverIdle<'a> {
        sequencer: &'a Sequencer,
        origin: SessionId,
        left: usize,
        /// How many commits were still to come each time.
        tended: &'a Mutex<Vec<usize>>,
    }

    impl Writer for NeverIdle<'_> {
        fn commit(&mut self, _: &[Row], _: u64, _: bool) -> Result<(), StoreError> {
            if self.left > 0 {
                self.left -= 1;
                say(self.sequencer, self.origin).unwrap();
            }
            Ok(())
        }

        fn tend(&mut self, _: Millis) -> Result<bool, StoreError> {
            self.tended.lock().unwrap().push(self.left);
            Ok(false)
        }

        fn limit(&mut self, _: Limits) {}

        fn due(&self) -> Option<Millis> {
            None
        }
    }

    #[test]
    fn a_server_ends_while_its_store_fails_and_tells_nobody_of_what_is_lost() {
        let (sequencer, tells) = sequencer();
        register(&sequencer, 1);
        sequencer.lock().ending = true;
        sequencer.commit_until_end(&mut FullDisk(&AtomicUsize::new(usize::MAX)));
        assert!(sequencer.is_failing() && sequencer.lock().ended);
        assert!(tells.is_empty());
    }

    #[test]
    fn where_there_is_always_something_to_commit_what_can_wait_does_not_wait_for_ever() {
        let (sequencer, _tells) = sequencer();
        let origin = register(&sequencer, 1);
        let tended = Mutex::default();
        thread::scope(|threads| {
            threads.spawn(|| {
                sequencer.commit_until_end(&mut NeverIdle { sequencer: &sequencer, origin, left: 200, tended: &tended });
            });
            while !sequencer.is_quiet() {
                thread::yield_now();
            }
            sequencer.end();
        });
        assert_eq!(*tended.lock().unwrap(), [136, 72, 8, 0]);
    }

    fn sequencer() -> (Sequencer, async_channel::Receiver<&'static str>) {
        let (told, tells) = async_channel::unbounded();
        let hall = Hall::load(Policy::default(), Loaded::default());
        (Sequencer::new(hall, true, Arc::new(Clock::standing_at(Millis(0))), 1, Box::new(Told(told))), tells)
    }

    fn register(sequencer: &Sequencer, number: u64) -> SessionId {
        let origin = SessionId::new(number, 0);
        let act = Act::Register {
            name: format!("u{number}"),
            password: "phc".to_owned(),
            invite: None,
            address: [127, 0, 0, 1].into(),
            acknowledges: true,
            private: true,
        };
        sequencer.submit(Intent { origin, act }).unwrap();
        origin
    }

    fn say(sequencer: &Sequencer, origin: SessionId) -> Result<Receipt, Refusal> {
        sequencer.submit(Intent { origin, act: Act::Say { to: Recipient::Everyone, text: "hi".to_owned(), key: None } })
    }

    fn now(tells: &async_channel::Receiver<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| tells.try_recv().ok()).collect()
    }

    #[test]
    fn nothing_is_seen_before_it_is_kept_and_answers_come_behind_what_they_answer_for() {
        let (sequencer, tells) = sequencer();
        let origin = register(&sequencer, 1);
        say(&sequencer, origin).unwrap();
        sequencer.reply(origin, 0, Vec::new());
        assert_eq!(now(&tells), [""; 0]);
        sequencer.commit_now(&mut FullDisk(&AtomicUsize::new(0)));
        assert_eq!(now(&tells), ["see all", "attach", "see all", "reply"]);
        sequencer.reply(origin, 0, Vec::new());
        assert_eq!(now(&tells), ["reply"], "what waits for nothing goes at once");
    }

    #[test]
    fn a_full_disk_stops_what_is_new_and_loses_nothing_that_was_accepted() {
        let (sequencer, tells) = sequencer();
        let failures = AtomicUsize::new(2);
        let origin = register(&sequencer, 1);
        thread::scope(|threads| {
            threads.spawn(|| sequencer.commit_until_end(&mut FullDisk(&failures)));
            while !sequencer.is_failing() {
                thread::yield_now();
            }
            assert_eq!(say(&sequencer, origin).map_err(|refusal| refusal.code), Err(code::STORE_FAILING));
            // The answer to what was accepted and is not kept yet waits for that.
            sequencer.reply(origin, 0, Vec::new());
            sequencer.reply(origin, 0, Vec::new());
            assert_eq!(tells.recv_blocking(), Ok("reply"), "whoever asks hears that at once");
            assert_eq!(now(&tells), [""; 0]);
            // The disk has room again: what was accepted comes, in its order.
            assert_eq!(tells.recv_blocking(), Ok("see all"));
            assert_eq!(tells.recv_blocking(), Ok("attach"));
            assert_eq!(tells.recv_blocking(), Ok("reply"));
            say(&sequencer, origin).unwrap();
            sequencer.commit_soon();
            assert_eq!(tells.recv_blocking(), Ok("see all"));
            sequencer.end();
        });
    }
}
