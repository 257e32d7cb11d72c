//! A session, from login to logout: lines out, events in, and whatever it takes that a lost link loses nothing.
//!
//! Every line that somebody types is kept until its last answer has come. When the link breaks, the session comes
//! back with its token, says what it has seen, and sends the kept lines again under the keys they had: the server
//! knows a key it has seen, and nothing is said twice. What is typed meanwhile waits, but for what the client obeys itself;
//! and whatever waits means what it meant where it was typed ([`meaning`]).

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use chinwag_wire::dialect::json::ServerLine;
use chinwag_wire::event::RoomDeed;
use chinwag_wire::split::{self, Asked};
use chinwag_wire::{Code, Event, Refusal, code};
use smol::Timer;
use smol::future::{or, pending, race};
use smol::pin;

use crate::audience::Audience;
use crate::backoff::Backoff;
use crate::chat::TYPED_MAX;
use crate::connection::{self, Heard, Link, Lost, Server, sentence, within};
use crate::failure::{Exit, Failure};
use crate::interface::{Arrivals, Interface, Live};
use crate::knowledge::SharedKnowledge;
use crate::local::{Answer, Local};
use crate::login::{self, Credential, LoggedIn, Outcome, attempt};
use crate::machinery;
use crate::meaning;
use crate::password::Source;
use crate::private::Private;
use crate::screen::{self, Gone, Settled};
use crate::secrets;

/// How many lines may be without an answer. The server remembers the last 128 keys of a sender: of more lines than
/// that, some that are sent again would be said twice.
const UNANSWERED_MAX: usize = 32;
/// How many answers to one line are remembered, so that they are not shown again when the line is sent again: a long page of history.
const SHOWN_MAX: usize = 1000;
/// How much sooner the server is asked whether it is still there while somebody waits for an answer.
const SOONER: u32 = 3;
/// How long after a message has been shown that is acknowledged: once for a whole burst.
const ACK_AFTER: Duration = Duration::from_secs(1);
/// How long somebody who leaves waits for answers to lines typed just before.
const LEAVING_PATIENCE: Duration = Duration::from_secs(3);
/// How long the server may take to say goodbye.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(2);
/// How long after one attempt to come back the next begins when somebody at the keyboard waits for it.
const HURRIED_AFTER: Duration = Duration::from_secs(1);
/// How many of the lines that wait are named to somebody who leaves: they remember the rest.
const NAMED_MAX: usize = 3;
/// How long a resumption may take before the next attempt.
const RESUME_PATIENCE: Duration = Duration::from_secs(20);
/// Reasons for the end of a connection after which it is worth coming back.
const COMING_BACK: &[Code] = &[code::SHUTDOWN, code::TOO_SLOW, code::BUSY, code::STORE_FAILING, code::TOO_MANY_CONNECTIONS];
/// Reasons to refuse a resumption that may be gone at the next attempt: the server may hold the broken link for a session still.
const TRY_AGAIN: &[Code] = &[code::SESSION_EXISTS, code::BUSY, code::STORE_FAILING, code::DEADLINE, code::INTERNAL];
/// Reasons to refuse a line without having read it.
const UNREADABLE: &[Code] = &[code::LINE_TOO_LONG, code::BAD_FRAME, code::NOT_UTF8, code::NUL];
/// What marks answers to the machinery's lines, which are not shown.
const MACHINERY_TAG: &str = "m";
/// What marks the answer with the token.
const TOKEN_TAG: &str = "token";

/// A line that somebody typed.
pub(crate) struct Typed {
    /// The line as it was typed.
    pub(crate) line: String,
    /// The same as it is sent: means the same wherever one is by then. Without it, what is meant is decided when it is its turn.
    pub(crate) meant: Option<String>,
    /// Dropped when its answer is on the screen.
    pub(crate) settled: Settled,
    /// The key it is said under; without one it gets one of its own.
    pub(crate) key: Option<String>,
    /// Who wants to have its last answer.
    pub(crate) answers: Option<Sender<Event>>,
    /// The link was lost since it was typed.
    pub(crate) late: bool,
    /// Its answers are for them alone, and are not shown.
    pub(crate) quiet: bool,
    /// It counts as waiting for as long as this is there.
    pub(crate) waits: Option<Waits>,
}

impl Typed {
    /// A line that nobody waits for.
    pub(crate) fn line(line: String) -> Typed {
        Typed {
            line,
            meant: None,
            settled: Settled(mpsc::sync_channel(1).0),
            key: None,
            answers: None,
            late: false,
            quiet: false,
            waits: None,
        }
    }

    /// The line as it is meant where words go to `addressee`, or to nobody.
    pub(crate) fn meant_for(self, addressee: Option<&str>) -> Typed {
        let meant = Some(meaning::explicit(&self.line, addressee));
        Typed { meant, ..self }
    }
}

/// Whether the link is there, and how many lines wait for it: the session says so, the prompt shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LinkState(Arc<Line>);

#[derive(Debug)]
struct Line {
    lost: AtomicBool,
    waiting: AtomicUsize,
    /// Holds something when somebody waits for the link; once is enough.
    hurry: (Sender<()>, Receiver<()>),
}

impl Default for Line {
    fn default() -> Line {
        Line { lost: AtomicBool::default(), waiting: AtomicUsize::default(), hurry: async_channel::bounded(1) }
    }
}

impl LinkState {
    /// Whether it is there.
    pub(crate) fn is_up(&self) -> bool {
        !self.0.lost.load(Ordering::Relaxed)
    }

    /// How many lines that were handed in have not been sent yet.
    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// A line more waits. It is counted from here on, wherever it is by then.
    pub(crate) fn wait(&self) -> Waits {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        Waits(self.clone())
    }

    /// Somebody is at the keyboard: if the link is lost, they wait for it.
    pub(crate) fn hurry(&self) {
        if !self.is_up() {
            // If that was said before, it has not been heard yet.
            let _ = self.0.hurry.0.try_send(());
        }
    }

    /// Ends when somebody waits for the link.
    async fn hurried(&self) {
        // Never closed: this has both ends.
        let _ = self.0.hurry.1.recv().await;
    }

    fn set(&self, up: bool) {
        self.0.lost.store(!up, Ordering::Relaxed);
        let _ = self.0.hurry.1.try_recv();
    }
}

/// A line that waits.
pub(crate) struct Waits(LinkState);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a session needs from the rest of the program.
pub(crate) struct Surroundings {
    /// Where to come back to.
    pub(crate) server: Server,
    /// How long to try.
    pub(crate) reconnect_for: Duration,
    /// What is learnt from events.
    pub(crate) knowledge: SharedKnowledge,
    /// Where events are shown.
    pub(crate) audience: Audience,
    /// What somebody types. At its end the session waits for all answers and logs out.
    pub(crate) typed: Receiver<Typed>,
    /// Closed when somebody wants to leave now.
    pub(crate) leave: Receiver<()>,
    /// Whether each line waits for the answer to the one before, as a script expects.
    pub(crate) one_by_one: bool,
    /// Whether what was shown counts as read.
    pub(crate) acknowledges: bool,
    /// The commands of the client itself, for people.
    pub(crate) local: Option<Local>,
    /// What settings change.
    pub(crate) live: Live,
    /// Their private chats.
    pub(crate) private: Option<Private>,
    /// Who wants to know every last answer to a line.
    pub(crate) watcher: Option<Sender<Event>>,
    /// How many lines were refused.
    pub(crate) refused: Arc<AtomicUsize>,
    /// Where it says whether the link is there.
    pub(crate) state: LinkState,
    /// Where what is to be carried on is left, if somebody can be asked to log in again.
    pub(crate) carried: Option<Carried>,
    /// After how long a silence the server is asked whether it is still there; zero: never.
    pub(crate) ping_after: Duration,
}

/// What one session carries over to the next, after a login of its own: that what was typed is said once, and what was shown is not
/// shown again.
pub(crate) struct Carry {
    log: Option<String>,
    seen: Option<u64>,
    unanswered: VecDeque<Unanswered>,
    /// Not sent at all: it goes out as there is room, since the server remembers only so many keys.
    waiting: VecDeque<Typed>,
    salt: u64,
    lines: u64,
    local: Option<Local>,
}

/// The place where a session leaves it.
pub(crate) type Carried = Arc<Mutex<Option<Carry>>>;

/// A line whose last answer has not come.
struct Unanswered {
    tag: String,
    key: String,
    /// As it was typed.
    line: String,
    /// As it is sent.
    text: String,
    /// The link was lost since it was typed: its answer no longer stands under it.
    late: bool,
    settled: Settled,
    /// It holds a secret, and may be the end of the secrets there were: a changed password ends tokens.
    guarded: bool,
    answers: Option<Sender<Event>>,
    quiet: bool,
    /// Which answers were shown that were not the last.
    shown: Vec<u64>,
    /// Which of them will come again, because the line was sent again.
    repeated: Vec<u64>,
}

impl Unanswered {
    /// Takes note of an answer that is not the last; says whether it was shown before the link was lost.
    fn repeats(&mut self, event: &Event) -> bool {
        let mut hasher = DefaultHasher::new();
        // Events have no hash of their own, and answers are few.
        format!("{event:?}").hash(&mut hasher);
        let print = hasher.finish();
        if self.shown.len() < SHOWN_MAX {
            self.shown.push(print);
        }
        let known = self.repeated.iter().position(|repeated| *repeated == print);
        known.map(|at| self.repeated.swap_remove(at)).is_some()
    }
}

/// A session.
pub(crate) struct Session {
    around: Surroundings,
    link: Link,
    credential: Credential,
    /// Where a new password comes from, when the token is not taken any more.
    again: Option<Source>,
    /// Who one is.
    name: String,
    /// The rest of a login's answer is to come: what is typed in a room is not sent before it is known in which one is.
    entering: bool,
    /// In which room one was when the link was lost.
    was_in: Option<Option<String>>,
    /// What was typed and cannot be sent yet.
    waiting: VecDeque<Typed>,
    /// The log that numbers belong to.
    log: Option<String>,
    /// The highest number of a message that came.
    seen: Option<u64>,
    /// The highest number that was acknowledged.
    acked: u64,
    ack_due: Option<Instant>,
    /// When the server was heard last.
    heard: Instant,
    /// When it was asked whether it is still there, if it has said nothing since.
    pinged: Option<Instant>,
    unanswered: VecDeque<Unanswered>,
    /// Makes keys unique among all sessions of this user.
    salt: u64,
    lines: u64,
    /// When to stop waiting for answers, for somebody who leaves.
    leaving: Option<Instant>,
    /// What the server had against something, without saying against what.
    objection: Option<Refusal>,
    /// Of the line that asked for the goodbye: whoever waits for its answer wakes when the session is gone.
    parting: Option<Settled>,
}

/// What happens next.
enum Turn {
    Heard(Result<Heard, Lost>),
    Typed(Typed),
    /// The turn of what has waited longest.
    Waited(Typed),
    /// Nothing more will be typed.
    TypedOut,
    AckDue,
    Leave,
    PatienceOver,
    /// The server has been silent for long.
    Silent,
}

/// Why the session ends.
enum End {
    /// As it should.
    Goodbye,
    /// Not as it should.
    Failed(Failure),
    /// The server does not know the token any more: only a login helps.
    TokenRefused(Failure),
}

impl From<Gone> for End {
    fn from(Gone: Gone) -> End {
        End::Failed(Failure::output_gone())
    }
}

impl Session {
    /// A session on a link that is logged in.
    ///
    /// # Errors
    /// This machine has no randomness, or what was carried over belongs to another log.
    pub(crate) fn new(inside: LoggedIn, greeting: &[Event], mut around: Surroundings) -> Result<Session, Failure> {
        let salt = getrandom::u64().map_err(|error| Failure::no_link(format!("this machine has no randomness: {error}")))?;
        let log = log_of(greeting);
        let carried = around.carried.as_ref().and_then(|carried| carried.lock().unwrap_or_else(PoisonError::into_inner).take());
        let fresh =
            Carry { log: log.clone(), seen: None, unanswered: VecDeque::new(), waiting: VecDeque::new(), salt, lines: 0, local: None };
        let carry = carried.unwrap_or(fresh);
        if carry.log != log {
            return Err(started_over());
        }
        if let Some(local) = carry.local {
            around.local = Some(local);
        }
        Ok(Session {
            around,
            link: inside.link,
            credential: inside.credential,
            again: inside.again,
            name: inside.name,
            entering: inside.entering,
            was_in: None,
            waiting: carry.waiting,
            log,
            seen: carry.seen,
            acked: 0,
            ack_due: None,
            heard: Instant::now(),
            pinged: None,
            unanswered: carry.unanswered,
            salt: carry.salt,
            lines: carry.lines,
            leaving: None,
            objection: None,
            parting: None,
        })
    }

    /// From here on, nothing that is shown counts as read.
    pub(crate) fn acknowledge_nothing(&mut self) {
        self.around.acknowledges = false;
    }

    /// How many lines were refused so far.
    pub(crate) fn refusals(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.around.refused)
    }

    /// Lives until logout, or until the link is lost for good.
    ///
    /// # Errors
    /// Why it did not end by a logout.
    pub(crate) async fn run(&mut self, welcome: &Event) -> Result<(), Failure> {
        let end = match self.begin(welcome).await {
            Ok(()) => self.live().await,
            Err(end) => end,
        };
        self.around.audience.flush().await;
        match end {
            End::Goodbye => match self.objection.take() {
                // People have seen it; a program is told at the end.
                Some(refusal) if self.around.one_by_one => Err(Failure::refused(&refusal)),
                _ => Ok(()),
            },
            End::Failed(failure) => Err(failure),
            End::TokenRefused(mut failure) => {
                if self.around.carried.is_none() {
                    failure.message.push_str(" (with --password-command this program does so by itself)");
                    failure = self.with_undelivered(failure);
                }
                self.carry_over();
                Err(failure)
            }
        }
    }

    /// Leaves what is to be carried on, with what was typed and has not been sent at all.
    fn carry_over(&mut self) {
        self.around.typed.close();
        while let Ok(typed) = self.around.typed.try_recv() {
            self.waiting.push_back(typed);
        }
        let mut waiting = VecDeque::new();
        while let Some(typed) = self.waiting.pop_front() {
            let typed = self.meant(typed);
            if self.obey(&typed).is_none() {
                waiting.push_back(Typed { late: true, waits: None, ..typed });
            }
        }
        let Some(carried) = &self.around.carried else { return };
        let carry = Carry {
            log: self.log.clone(),
            seen: self.seen,
            unanswered: std::mem::take(&mut self.unanswered),
            waiting,
            salt: self.salt,
            lines: self.lines,
            local: self.around.local.take(),
        };
        *carried.lock().unwrap_or_else(PoisonError::into_inner) = Some(carry);
    }

    async fn begin(&mut self, welcome: &Event) -> Result<(), End> {
        self.around.audience.event(welcome, None).await?;
        self.ask_for_token().await;
        if self.entering { Ok(()) } else { self.entered().await }
    }

    /// It is known now where one is.
    async fn entered(&mut self) -> Result<(), End> {
        self.entering = false;
        let room = {
            let mut knowledge = self.around.knowledge.lock();
            knowledge.settle();
            knowledge.room().map(str::to_owned)
        };
        match (self.was_in.take(), room) {
            (Some(Some(was)), None) => self.around.audience.notice(&format!("you are not in {was} any more")).await?,
            (Some(was), Some(is)) if was.as_ref() != Some(&is) => {
                self.around.audience.notice(&format!("you are in {is} now; what you type is said to all in it")).await?;
            }
            _ => {}
        }
        match self.send_again().await {
            Ok(()) => Ok(()),
            Err(lost) => self.come_back(lost).await,
        }
    }

    async fn live(&mut self) -> End {
        loop {
            let turn = self.turn().await;
            let done = match turn {
                Turn::Heard(Ok(heard)) => {
                    (self.heard, self.pinged) = (Instant::now(), None);
                    self.hear(heard).await
                }
                Turn::Heard(Err(lost)) => self.come_back(lost).await,
                Turn::Typed(typed) => self.say(typed).await,
                Turn::Waited(typed) => self.send(typed).await,
                Turn::TypedOut if self.unanswered.is_empty() => Err(self.log_out().await),
                Turn::TypedOut => Ok(()),
                Turn::AckDue => self.acknowledge().await,
                Turn::Silent => self.ping().await,
                Turn::Leave => {
                    self.leaving = Some(Instant::now() + LEAVING_PATIENCE);
                    Ok(())
                }
                Turn::PatienceOver => Err(self.log_out().await),
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// Whatever happens first.
    async fn turn(&mut self) -> Turn {
        let room = self.has_room();
        // Somebody who leaves types no more: what is there is all there is.
        if self.leaving.is_some() {
            self.around.typed.close();
        }
        if room && let Some(typed) = self.waiting.pop_front() {
            return Turn::Waited(typed);
        }
        let typed_out = self.around.typed.is_closed() && self.around.typed.is_empty();
        if typed_out && self.unanswered.is_empty() && self.waiting.is_empty() {
            return Turn::TypedOut;
        }
        let room = room || self.can_wait();
        let typed = async {
            match self.around.typed.recv().await {
                Ok(typed) => Turn::Typed(typed),
                Err(_) => Turn::TypedOut,
            }
        };
        let typed = async { if room && !typed_out { typed.await } else { pending().await } };
        let ordered = async {
            match &self.around.private {
                Some(private) if room => match private.orders().recv().await {
                    Ok(typed) => Turn::Typed(typed),
                    Err(_) => pending().await,
                },
                _ => pending().await,
            }
        };
        let leave = async {
            if self.leaving.is_some() {
                return pending().await;
            }
            // Nothing is ever sent: that it ends is the message.
            let _ = self.around.leave.recv().await;
            Turn::Leave
        };
        let silent = at(self.silent_at(), Turn::Silent);
        let heard = async { Turn::Heard(self.link.next().await) };
        let ack = at(self.ack_due, Turn::AckDue);
        let patience = at(self.leaving, Turn::PatienceOver);
        // Nobody is silent who has said something that was not read yet, as after a sleep of this computer.
        or(race(race(heard, race(typed, ordered)), or(leave, or(patience, ack))), silent).await
    }

    /// Whether a line can be sent now.
    fn has_room(&self) -> bool {
        let unanswered = self.unanswered.len();
        !self.entering && if self.around.one_by_one { unanswered == 0 } else { unanswered < UNANSWERED_MAX }
    }

    /// Whether a line can be taken that cannot be sent now: it may be one that the client obeys itself.
    fn can_wait(&self) -> bool {
        self.around.local.is_some() && self.waiting.len() < TYPED_MAX
    }

    /// When the server has been silent for so long that it is asked whether it is still there, or taken to be gone.
    fn silent_at(&self) -> Option<Instant> {
        let patience = match self.around.ping_after {
            Duration::ZERO => return None,
            patience if self.unanswered.is_empty() => patience,
            patience => patience / SOONER,
        };
        Some(self.pinged.unwrap_or(self.heard) + patience)
    }

    /// Asks the server whether it is still there; if it has not answered the last time, it is not. A cable that is pulled says nothing,
    /// and neither does a computer that sleeps.
    async fn ping(&mut self) -> Result<(), End> {
        if self.pinged.is_some() {
            return self.come_back(Lost("does not answer any more".to_owned())).await;
        }
        self.pinged = Some(Instant::now());
        match self.machinery(machinery::PING, MACHINERY_TAG).await {
            Ok(()) => Ok(()),
            Err(lost) => self.come_back(lost).await,
        }
    }

    /// Does what a line says that somebody typed: obeys it, sends it, or lets it wait.
    async fn say(&mut self, typed: Typed) -> Result<(), End> {
        let typed = self.meant(typed);
        if let Some(answer) = self.obey(&typed) {
            return self.answered_here(answer, typed.settled).await;
        }
        if self.has_room() && self.waiting.is_empty() {
            return self.send(typed).await;
        }
        self.waiting.push_back(typed);
        Ok(())
    }

    /// Whoever does not say where a line was typed means where one is now.
    fn meant(&self, typed: Typed) -> Typed {
        if typed.meant.is_some() {
            return typed;
        }
        let addressee = self.around.knowledge.lock().addressee();
        typed.meant_for(addressee.as_deref())
    }

    /// Sends a line that is not for the client itself.
    async fn send(&mut self, typed: Typed) -> Result<(), End> {
        if let Asked::Command { name, .. } = split::line(typed.meant.as_deref().unwrap_or(&typed.line)) {
            if name.eq_ignore_ascii_case(machinery::DIALECT) {
                let notice = "not sent: this client and the server have agreed on a dialect already";
                return Ok(self.around.audience.notice(notice).await?);
            }
            let is_logout = self.around.knowledge.lock().is(name, machinery::LOGOUT.trim_start_matches('/'));
            if is_logout && self.around.acknowledges {
                // After the goodbye nothing can be said: what was shown just now would come again.
                self.around.audience.flush().await;
                self.acknowledge().await?;
            }
        }
        let line = self.numbered(typed);
        let sent = self.link.say(&machinery::line(&line.text, &line.tag, Some(&line.key))).await;
        self.unanswered.push_back(line);
        match sent {
            Ok(()) => Ok(()),
            Err(lost) => self.come_back(lost).await,
        }
    }

    /// The line with the marks it is sent under, however often that is.
    fn numbered(&mut self, typed: Typed) -> Unanswered {
        self.lines += 1;
        // It waits no longer.
        drop(typed.waits);
        // A foreign server has no rooms, and what is typed without a `/` is for its translator to make sense of; but for what is said to
        // somebody one talks with.
        let meant = typed.meant.filter(|meant| !self.link.is_foreign() || meant.starts_with('@'));
        let text = meant.unwrap_or_else(|| typed.line.clone());
        Unanswered {
            tag: self.lines.to_string(),
            key: typed.key.unwrap_or_else(|| format!("{:016x}-{}", self.salt, self.lines)),
            // An invitation is a secret of its own kind, and ends no other.
            guarded: !typed.quiet && secrets::holds_one(&text, &self.around.knowledge.lock()),
            line: typed.line,
            text,
            late: typed.late,
            settled: typed.settled,
            answers: typed.answers,
            quiet: typed.quiet,
            shown: Vec::new(),
            repeated: Vec::new(),
        }
    }

    /// What comes of a line that is for the client itself.
    fn obey(&mut self, typed: &Typed) -> Option<Answer> {
        let local = self.around.local.as_mut()?;
        let knowledge = &self.around.knowledge;
        local.answer(typed.meant.as_deref().unwrap_or(&typed.line), |name| {
            let knowledge = knowledge.lock();
            knowledge.is_own(name) || knowledge.goes_before(name)
        })
    }

    async fn answered_here(&mut self, answer: Answer, settled: Settled) -> Result<(), End> {
        match answer {
            Answer::Events(events) => self.show(events, Some(settled)).await,
            Answer::Set { config, events } => {
                (self.around.reconnect_for, self.around.ping_after) = (config.reconnect_for.0, config.ping_after.0);
                self.around.live.change(Interface::of(&config));
                if let Some(private) = &self.around.private {
                    private.set(&config).await;
                }
                self.show(events, Some(settled)).await
            }
            Answer::Talk { whom, events } => {
                self.around.knowledge.lock().talk_to(whom.as_deref());
                self.show(events, Some(settled)).await
            }
            Answer::Leave => {
                self.parting = Some(settled);
                self.leaving = Some(Instant::now() + LEAVING_PATIENCE);
                Ok(())
            }
        }
    }

    /// Shows `events`; `settled` is of the last of them.
    async fn show(&self, events: Vec<Event>, mut settled: Option<Settled>) -> Result<(), End> {
        let last = events.len().saturating_sub(1);
        for (index, event) in events.iter().enumerate() {
            let settled = if index == last { settled.take() } else { None };
            self.around.audience.event(event, settled).await?;
        }
        Ok(())
    }

    async fn hear(&mut self, heard: Heard) -> Result<(), End> {
        match heard {
            Heard::Said(line) => {
                let entered = self.entering && line.done && line.tag.as_deref() == Some(login::TAG);
                self.take(*line).await?;
                if entered { self.entered().await } else { Ok(()) }
            }
            Heard::Foreign(text) => {
                let notice = format!("the server says something that this client does not understand: {text}");
                Ok(self.around.audience.notice(&notice).await?)
            }
        }
    }

    /// Takes what the server says: shows it, learns from it, and marks off the line it answers.
    async fn take(&mut self, line: ServerLine) -> Result<(), End> {
        self.around.knowledge.lock().learn(&line.event);
        let asked = self.asked_by(&line);
        let quiet = asked.and_then(|index| self.unanswered.get(index)).is_some_and(|asked| asked.quiet);
        let answered = asked.filter(|_| line.done || line.tag.is_none()).and_then(|index| self.unanswered.remove(index));
        let guarded = answered.as_ref().is_some_and(|line| line.guarded);
        if let Some(line_answered) = &answered {
            let refused = matches!(line.event, Event::Refusal(_));
            if refused && !quiet {
                self.around.refused.fetch_add(1, Ordering::SeqCst);
            }
            // There is room for one, and this is the last; who only watches may miss some.
            for wanted in line_answered.answers.iter().chain(self.around.watcher.iter().filter(|_| !quiet)) {
                let _ = wanted.try_send(line.event.clone());
            }
            if let (Some(private), false) = (&self.around.private, refused) {
                private.taken(&line_answered.text).await;
            }
        }
        if let Some(private) = self.around.private.as_ref().filter(|_| line.event.is_of_private_chats()) {
            private.event(&line.event).await;
            return Ok(());
        }
        let refused = answered.as_ref().filter(|line| line.late && !line.guarded).map(|line| line.line.clone());
        let refused = refused.filter(|_| matches!(line.event, Event::Refusal(_)));
        let settled = answered.map(|line| line.settled);
        match &line.event {
            Event::Message(said) | Event::Own(said) => {
                if self.seen.is_some_and(|seen| said.seq <= seen) {
                    // It came before the link broke.
                    return Ok(());
                }
                self.seen = Some(said.seq);
                if self.around.acknowledges {
                    self.ack_due.get_or_insert_with(|| Instant::now() + ACK_AFTER);
                }
            }
            Event::Token { token, .. } if line.tag.as_deref() == Some(TOKEN_TAG) => {
                self.credential = Credential::Token(token.clone());
                return Ok(());
            }
            Event::Refusal(refusal) if line.tag.is_none() && asked.is_none() => {
                self.objection.get_or_insert_with(|| refusal.clone());
            }
            Event::Goodbye => {
                self.parting = settled;
                self.around.audience.event(&line.event, None).await?;
                return Err(End::Goodbye);
            }
            Event::Closing(refusal) => return self.sent_away(&line.event, refusal).await,
            // Where one is already, with another device or since an earlier visit.
            Event::Entered { .. } if self.was_in.is_none() && line.tag.as_deref() == Some(login::TAG) => {}
            // What the machinery asked for is its own business, and what private chats asked for is theirs.
            _ if quiet || (line.tag.is_some() && asked.is_none()) => return Ok(()),
            _ => {}
        }
        if guarded && !matches!(line.event, Event::Refusal(_)) {
            self.ask_for_token().await;
        }
        if let (Event::Message(said), Some(local)) = (&line.event, &mut self.around.local)
            && let Some(since) = local.mark(said, screen::now())
        {
            self.around.audience.new_since(since, said.at).await?;
        }
        if let Some(local) = &mut self.around.local {
            local.learn(&line.event);
            if let Some(events) = asked.and_then(|_| local.instead(&line.event)) {
                return self.show(events, settled).await;
            }
        }
        if let Some(waiting) = asked.filter(|_| settled.is_none()).and_then(|index| self.unanswered.get_mut(index))
            && waiting.repeats(&line.event)
        {
            return Ok(());
        }
        if asked.is_none() && self.is_unwanted(&line.event) {
            return Ok(());
        }
        self.around.audience.event(&line.event, settled).await?;
        if let Event::Entered { heard_only: false, .. } = &line.event {
            let partner = self.around.knowledge.lock().partner().map(str::to_owned);
            if let Some(partner) = partner {
                // The server says that words go to the room, and it does not know.
                self.around.audience.notice(&format!("what you type is said to {partner} still; /talk ends that")).await?;
            }
        }
        if let Some(refused) = refused {
            // It was typed a while ago, and whatever has come since stands between.
            self.around.audience.notice(&format!("so this was not said or done: {refused}")).await?;
        }
        Ok(())
    }

    /// Whether this tells people of somebody's coming or going who do not want to know.
    fn is_unwanted(&self, event: &Event) -> bool {
        let whom = match event {
            Event::Presence { name, .. } => Some(name),
            Event::Room(news) if matches!(news.what, RoomDeed::Arrived | RoomDeed::Left) => news.whom.as_ref(),
            Event::Crowd { .. } => None,
            Event::Room(news) if news.what == RoomDeed::Crowd => None,
            _ => return false,
        };
        let wanted = || match self.around.live.now().arrivals {
            Arrivals::All => true,
            Arrivals::Familiar => whom.is_some_and(|name| self.around.knowledge.lock().is_familiar(name)),
            Arrivals::Nobody => false,
        };
        self.around.local.is_some() && !wanted()
    }

    /// Which of the unanswered lines this is an answer to.
    fn asked_by(&self, line: &ServerLine) -> Option<usize> {
        match (&line.tag, &line.event) {
            (Some(tag), _) => self.unanswered.iter().position(|waiting| waiting.tag == *tag),
            // Of a line that it cannot read the server does not know the tag. But it reads one after the other.
            (None, Event::Refusal(refusal)) if UNREADABLE.contains(&refusal.code) && !self.unanswered.is_empty() => Some(0),
            _ => None,
        }
    }

    /// The server ends the connection, and perhaps the session with it.
    async fn sent_away(&mut self, closing: &Event, refusal: &Refusal) -> Result<(), End> {
        self.around.audience.event(closing, None).await?;
        if COMING_BACK.contains(&refusal.code) {
            return self.come_back(Lost("ended the connection".to_owned())).await;
        }
        // The reason was shown just now.
        Err(End::Failed(Failure::no_link(format!("the server ended the session ({})", refusal.code))))
    }

    /// Says what has been shown. What waits for the screen still is acknowledged later.
    async fn acknowledge(&mut self) -> Result<(), End> {
        let shown = self.around.audience.shown();
        let behind = self.seen.is_some_and(|seen| seen > shown);
        self.ack_due = behind.then(|| Instant::now() + ACK_AFTER);
        if shown <= self.acked {
            return Ok(());
        }
        self.acked = shown;
        match self.machinery(&machinery::ack(shown), MACHINERY_TAG).await {
            Ok(()) => Ok(()),
            Err(lost) => self.come_back(lost).await,
        }
    }

    async fn machinery(&mut self, line: &str, tag: &str) -> Result<(), Lost> {
        self.link.say(&machinery::line(line, tag, None)).await
    }

    /// A server that gives none, or a link that breaks before it comes, leaves what one had to come back with.
    async fn ask_for_token(&mut self) {
        // A broken link is found out by the next turn.
        let _ = self.machinery(machinery::TOKEN, TOKEN_TAG).await;
    }

    /// Acknowledges, logs out and waits for the goodbye.
    async fn log_out(&mut self) -> End {
        self.around.audience.flush().await;
        let shown = self.around.audience.shown();
        let mut objection = None;
        let farewell = async {
            if shown > self.acked && self.around.acknowledges {
                self.machinery(&machinery::ack(shown), MACHINERY_TAG).await?;
            }
            self.machinery(machinery::LOGOUT, MACHINERY_TAG).await?;
            loop {
                let Heard::Said(line) = self.link.next().await? else {
                    continue;
                };
                match line.event {
                    Event::Goodbye | Event::Closing(_) => return Ok::<_, Lost>(line.event),
                    // Where a wire has no answers, this may be about what was said last.
                    Event::Refusal(_) if line.tag.is_none() => objection = Some(line.event),
                    _ => {}
                }
            }
        };
        // Whether the server answers or not: who wants to leave leaves.
        let goodbye = within(GOODBYE_PATIENCE, farewell).await.and_then(Result::ok);
        for event in objection.iter().chain(&goodbye) {
            if let Err(Gone) = self.around.audience.event(event, None).await {
                return Gone.into();
            }
        }
        if let Some(Event::Refusal(refusal)) = objection {
            self.objection.get_or_insert(refusal);
        }
        self.undelivered().map_or(End::Goodbye, End::Failed)
    }

    /// Why it ends, and what was typed and never answered.
    fn with_undelivered(&self, failure: Failure) -> Failure {
        match self.undelivered() {
            Some(Failure { message, .. }) => Failure { message: format!("{}\n{message}", failure.message), ..failure },
            None => failure,
        }
    }

    /// What was typed and never answered. A goodbye needs no answer.
    fn undelivered(&self) -> Option<Failure> {
        let unanswered = self.unanswered.iter().filter(|line| !self.is_goodbye(&line.text)).count();
        let waiting = self.waiting.iter().filter(|typed| !self.waits_to_leave(typed)).count();
        let count = unanswered + waiting + self.around.typed.len();
        let lines = match count {
            0 => return None,
            1 => "1 line was not answered; it may not have arrived".to_owned(),
            _ => format!("{count} lines were not answered; they may not have arrived"),
        };
        Some(Failure::no_link(lines))
    }

    /// Gets the link back: waits, connects, resumes, and sends again what has no answer. What the client obeys itself it obeys meanwhile.
    async fn come_back(&mut self, Lost(why): Lost) -> Result<(), End> {
        self.link.hang_up();
        if let Some(local) = &mut self.around.local {
            local.link_lost();
        }
        self.around.state.set(false);
        self.entering = false;
        let place = self.around.server.place.to_string();
        let mut reason = why;
        let gives_up = Instant::now() + self.around.reconnect_for;
        let mut backoff = Backoff::default();
        // Of the certificate that is not the right one, in words that were said already.
        let mut told = None;
        // Why there is no link, as somebody was told who waits for it.
        let mut excuse = None;
        if self.leaving.is_some() {
            return Err(self.gone());
        }
        if self.was_in.is_none() {
            self.was_in = Some(self.around.knowledge.lock().room().map(str::to_owned));
        }
        self.unanswered.iter_mut().for_each(|line| line.late = true);
        self.waiting.iter_mut().for_each(|line| line.late = true);
        if !self.around.reconnect_for.is_zero() {
            self.around
                .audience
                .notice(&format!("the link is lost: {place} {reason}; trying to get it back, lines wait until then"))
                .await?;
        }
        if self.around.local.is_some()
            && (self.unanswered.iter().any(|line| self.is_goodbye(&line.text))
                || self.waiting.iter().any(|typed| self.waits_to_leave(typed)))
        {
            self.leave_without_a_link().await?;
        }
        // Each attempt has it, and not the session, which has lines to take meanwhile.
        let mut link = std::mem::take(&mut self.link);
        loop {
            let wait = backoff.next(getrandom::u32().unwrap_or_default());
            if Instant::now() + wait > gives_up {
                return Err(End::Failed(self.with_undelivered(Failure::no_link(format!("the link is lost: {place} {reason}")))));
            }
            let is_waited_for = self.pause(wait).await?;
            if is_waited_for {
                backoff.hurried();
            }
            // Whatever is left of an attempt that took too long.
            link.hang_up();
            let attempt = within(RESUME_PATIENCE, self.attempt().make(&mut link));
            let late = || Err(Setback::Again("does not answer".to_owned()));
            let entering = match self.meanwhile(attempt).await?.unwrap_or_else(late) {
                Ok(entering) => entering,
                Err(Setback::Again(why)) => {
                    reason = why;
                    // Who waits wants to know for what, and not again at each attempt.
                    if is_waited_for && excuse.as_ref() != Some(&reason) {
                        self.around.audience.notice(&format!("no link yet: {place} {reason}")).await?;
                        excuse = Some(reason.clone());
                    }
                    continue;
                }
                // Somebody who sits there can make sure of it, and what they have typed waits; it may be the network of a hotel, too,
                // that stands between until one has paid.
                Err(Setback::Final(failure)) if failure.exit == Exit::CertificateRefused && self.around.carried.is_some() => {
                    reason = "does not show the certificate it has to show".to_owned();
                    if told.as_ref() != Some(&failure.message) {
                        for line in failure.message.lines() {
                            self.around.audience.notice(line).await?;
                        }
                        self.around.audience.notice("until then the link stays lost, and lines wait").await?;
                        told = Some(failure.message);
                    }
                    continue;
                }
                Err(Setback::Final(failure)) => return Err(End::Failed(self.with_undelivered(failure))),
                Err(Setback::TokenRefused(failure)) => {
                    // Where somebody can be asked, the session ends for that, and another takes over.
                    let Some(source) = self.again.clone().filter(|_| self.around.carried.is_none()) else {
                        return Err(End::TokenRefused(failure));
                    };
                    let read = smol::unblock(move || source.read_unattended());
                    let password = self.meanwhile(read).await?.map_err(End::Failed)?.unwrap_or_default();
                    self.around.audience.notice("the server does not know the session any more; logging in again").await?;
                    self.credential = Credential::Password { name: self.name.clone(), password };
                    continue;
                }
            };
            (self.link, self.entering) = (link, entering);
            if matches!(self.credential, Credential::Password { .. }) {
                self.ask_for_token().await;
            }
            self.around.state.set(true);
            (self.heard, self.pinged) = (Instant::now(), None);
            let back = match self.unanswered.len() + self.waiting.len() {
                0 => "the link is back".to_owned(),
                1 => "the link is back; the line that waited goes out".to_owned(),
                count => format!("the link is back; the {count} lines that waited go out"),
            };
            self.around.audience.notice(&back).await?;
            // What is sent again goes behind the rest of the answer; a link that breaks again before that is found out by the next turn.
            return if self.entering { Ok(()) } else { Box::pin(self.entered()).await };
        }
    }

    /// What it takes to come back, as of now.
    fn attempt(&self) -> Attempt {
        Attempt {
            server: self.around.server.clone(),
            line: self.credential.line(self.seen),
            log: self.log.clone(),
            knowledge: self.around.knowledge.clone(),
            by_name: matches!(self.credential, Credential::Name(_)),
        }
    }

    /// Waits for the next attempt to come back; less when somebody at the keyboard waits too, and then says so.
    async fn pause(&mut self, wait: Duration) -> Result<bool, End> {
        let state = self.around.state.clone();
        let soon = Instant::now() + wait.min(HURRIED_AFTER);
        let hurried = async {
            state.hurried().await;
            Timer::at(soon).await;
            true
        };
        let waited = async {
            Timer::after(wait).await;
            false
        };
        self.meanwhile(or(hurried, waited)).await
    }

    /// Whether `line` is a command that does nothing but leave.
    fn is_goodbye(&self, line: &str) -> bool {
        matches!(split::line(line), Asked::Command { name, .. } if self.around.knowledge.lock().says_goodbye(name))
    }

    fn waits_to_leave(&self, typed: &Typed) -> bool {
        self.is_goodbye(typed.meant.as_deref().unwrap_or(&typed.line))
    }

    /// Somebody wants to leave while the link is lost: tells what was not said yet, and how to leave all the same. With nothing left to say they go.
    async fn leave_without_a_link(&mut self) -> Result<(), End> {
        let knowledge = self.around.knowledge.lock().clone();
        let sent = self.unanswered.iter().filter(|line| !line.quiet).map(|line| (&line.line, &line.text));
        let waiting =
            self.waiting.iter().filter(|typed| !typed.quiet).map(|typed| (&typed.line, typed.meant.as_ref().unwrap_or(&typed.line)));
        let open: Vec<_> = sent.chain(waiting).filter(|(_, text)| !self.is_goodbye(text)).collect();
        let mut named: Vec<&str> = open
            .iter()
            .take(NAMED_MAX)
            .map(|(line, text)| if secrets::holds_one(text, &knowledge) { "a line with a secret" } else { line.as_str() })
            .collect();
        let what = match open.len() {
            0 => return Err(End::Goodbye),
            1 => "1 line has".to_owned(),
            count => format!("{count} lines have"),
        };
        if open.len() > NAMED_MAX {
            named.push("\u{2026}");
        }
        let told = format!(
            "{what} no answer yet ({}): when the link is back, all is sent and you are logged out; to leave without that, say it again",
            named.join(" | ")
        );
        Ok(self.around.audience.notice(&told).await?)
    }

    /// How it ends for somebody who does not wait for the link.
    fn gone(&self) -> End {
        self.undelivered().map_or(End::Goodbye, End::Failed)
    }

    /// Waits for `what`, and takes what is typed meanwhile.
    async fn meanwhile<T>(&mut self, what: impl Future<Output = T>) -> Result<T, End> {
        pin!(what);
        loop {
            let takes = self.can_wait();
            let leave = async {
                // Nothing is ever sent: that it ends is the message.
                let _ = self.around.leave.recv().await;
                Meanwhile::Leave
            };
            let typed = async {
                match self.around.typed.recv().await {
                    Ok(typed) if takes => Meanwhile::Typed(typed),
                    _ => pending().await,
                }
            };
            let typed = async { if takes { typed.await } else { pending().await } };
            match or(async { Meanwhile::Over(what.as_mut().await) }, or(leave, typed)).await {
                Meanwhile::Over(what) => return Ok(what),
                Meanwhile::Leave => return Err(self.gone()),
                Meanwhile::Typed(typed) => {
                    let typed = Typed { late: true, ..self.meant(typed) };
                    self.around.state.hurry();
                    let leaves = self.unanswered.iter().any(|line| self.is_goodbye(&line.text))
                        || self.waiting.back().is_some_and(|typed| self.waits_to_leave(typed));
                    match self.obey(&typed) {
                        Some(Answer::Leave) => return Err(self.gone()),
                        Some(answer) => self.answered_here(answer, typed.settled).await?,
                        None if self.waits_to_leave(&typed) && leaves => return Err(self.gone()),
                        None if self.waits_to_leave(&typed) => {
                            self.leave_without_a_link().await?;
                            self.waiting.push_back(typed);
                        }
                        // What is typed after the goodbye is said before it, or it would never be said.
                        None => {
                            let goodbye = if leaves { self.waiting.pop_back() } else { None };
                            self.waiting.push_back(typed);
                            self.waiting.extend(goodbye);
                        }
                    }
                }
            }
        }
    }

    async fn send_again(&mut self) -> Result<(), Lost> {
        for line in &mut self.unanswered {
            line.repeated.append(&mut line.shown);
            self.link.say(&machinery::line(&line.text, &line.tag, Some(&line.key))).await?;
        }
        Ok(())
    }
}

/// What happens while the link is lost.
enum Meanwhile<T> {
    /// What was waited for.
    Over(T),
    Leave,
    Typed(Typed),
}

/// One attempt to come back.
struct Attempt {
    server: Server,
    line: String,
    log: Option<String>,
    knowledge: SharedKnowledge,
    /// With a name and nothing else.
    by_name: bool,
}

impl Attempt {
    /// Logs in over `link`. Says whether more of the answer is to come.
    async fn make(self, link: &mut Link) -> Result<bool, Setback> {
        let opened = connection::open(&self.server).await.map_err(|failure| match failure.exit {
            Exit::NoLink => Setback::Again(format!("is not back: {failure}")),
            _ => Setback::Final(failure),
        })?;
        if log_of(&opened.greeting) != self.log {
            // Numbers of one log mean nothing in another: nobody could say what was seen and what was not.
            return Err(Setback::Final(started_over()));
        }
        opened.greeting.iter().for_each(|event| self.knowledge.lock().learn(event));
        link.go_on_over(opened.link);
        match attempt(link, &self.line, &self.knowledge).await {
            Ok(Outcome::Welcome { entering, .. }) => Ok(entering),
            Ok(Outcome::Refused(refusal) | Outcome::Closed(refusal)) => {
                let why = sentence(&refusal);
                // Whose name it is the server forgets when it has noticed that the link is lost.
                Err(if self.by_name || TRY_AGAIN.contains(&refusal.code) || COMING_BACK.contains(&refusal.code) {
                    Setback::Again(format!("refuses: {why}"))
                } else if refusal.code == code::BAD_TOKEN {
                    Setback::TokenRefused(Failure::login(format!(
                        "the link was lost, and the server does not know the session any more: {why}; log in again"
                    )))
                } else {
                    Setback::Final(Failure::login(format!("the link was lost, and the server does not take the session back: {why}")))
                })
            }
            Err(Lost(why)) => Err(Setback::Again(why)),
        }
    }
}

/// Why an attempt to come back failed.
enum Setback {
    /// The next may succeed.
    Again(String),
    /// None will.
    Final(Failure),
    /// None will with this token.
    TokenRefused(Failure),
}

/// Numbers of one log mean nothing in another.
fn started_over() -> Failure {
    Failure::no_link("the server has another log now: it has started over, or a backup was put back; log in again")
}

/// The log named in a greeting.
fn log_of(greeting: &[Event]) -> Option<String> {
    greeting.iter().find_map(|event| match event {
        Event::Hello { log, .. } => Some(log.clone()),
        _ => None,
    })
}

/// Gives `turn` at a moment, or never.
async fn at(moment: Option<Instant>, turn: Turn) -> Turn {
    match moment {
        Some(moment) => Timer::at(moment).await,
        None => pending().await,
    };
    turn
}
