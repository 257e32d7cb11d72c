//! What all connections share: the commands, the sequencer, the services, the settings.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use chinwag_wire::{Card, Event, Millis, Refusal, code};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::hall::{Act, Departure, Intent, Receipt, SessionId, UserId};
use crate::passwords::Passwords;
use crate::registry::Registry;
use crate::sequencer::Sequencer;
use crate::store::{DeedLine, Page, Question};
use crate::tally::Tally;
use crate::view::View;

/// Who may make an account.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Registration {
    /// Everyone.
    Open,
    /// Whoever has one of these codes.
    Invited(Vec<String>),
    /// Nobody.
    Closed,
}

/// What the operator decides and no race depends on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may make an account.
    pub registration: Registration,
    /// Whether one may come in without.
    pub guests: bool,
    /// Whether a new session of a user ends the oldest instead of being refused.
    pub newer_session_wins: bool,
    /// How many characters a new password has at least.
    pub password_chars: usize,
    /// For how long a session token is good.
    pub token_life: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            registration: Registration::Open,
            guests: false,
            newer_session_wins: false,
            password_chars: 1,
            token_life: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

/// Reads what was said before, off the threads that serve connections.
pub trait Library: Send + Sync {
    /// Answers a question about the past, as of everything that has been released.
    fn read(&self, question: Question) -> Pin<Box<dyn Future<Output = Result<Page, Refusal>> + Send + '_>>;

    /// The last `count` deeds of operators, oldest first, as of everything that has been released.
    fn deeds(&self, count: usize) -> Pin<Box<dyn Future<Output = Result<Vec<DeedLine>, Refusal>> + Send + '_>>;
}

/// The program around the server: what reaches beyond it. May block; never called on a shard.
pub trait Host: Send + Sync {
    /// Reads the configuration and the certificate again, and goes by what can change while the server runs.
    ///
    /// # Errors
    /// Every mistake, as lines to print; then nothing has changed.
    fn reload(&self, origin: SessionId) -> Result<Vec<Change>, Vec<String>>;

    /// The certificate in use: its fingerprint, and when it ends, if it says so in a way that can be read.
    fn certificate(&self) -> (String, Option<Millis>);

    /// Copies the store, as it is at one moment, into a new file; says how many bytes it has.
    ///
    /// # Errors
    /// A sentence that says why there is no copy.
    fn back_up(&self, into: &std::path::Path) -> Result<u64, String>;
}

/// One thing that a reload found changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The setting's name, or `certificate`.
    pub key: String,
    /// What it was. Secrets are not shown.
    pub from: String,
    /// What it is to be.
    pub to: String,
    /// Whether it holds from now on; else after a restart.
    pub now: bool,
}

/// The refusal when the past cannot be read.
#[must_use]
pub fn unreadable() -> Refusal {
    Refusal::new(code::STORE_FAILING, "the past cannot be read at the moment").hint("try again later, and tell the operator")
}

/// See the module's words.
pub struct Server {
    pub(crate) registry: Registry,
    cards: Vec<Card>,
    cards_with_examples: Vec<Card>,
    pub(crate) sequencer: Arc<Sequencer>,
    pub(crate) library: Box<dyn Library>,
    pub(crate) passwords: Passwords,
    pub(crate) clock: Arc<Clock>,
    pub(crate) chance: Arc<Chance>,
    settings: RwLock<Arc<Settings>>,
    /// The program around the server; nothing on a stage without one.
    host: OnceLock<Arc<dyn Host>>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) started: Millis,
    log: String,
    /// Who waits for the end of which session.
    departures: Mutex<HashMap<SessionId, Vec<async_channel::Sender<()>>>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("registry", &self.registry).field("settings", &self.settings()).finish_non_exhaustive()
    }
}

/// What a [`Server`] is made of.
pub struct Parts {
    /// The commands.
    pub registry: Registry,
    /// The order.
    pub sequencer: Arc<Sequencer>,
    /// The past.
    pub library: Box<dyn Library>,
    /// The hashers.
    pub passwords: Passwords,
    /// The time.
    pub clock: Arc<Clock>,
    /// The dice.
    pub chance: Arc<Chance>,
    /// The operator's wishes.
    pub settings: Settings,
    /// Which log the numbers belong to.
    pub log: String,
    /// What is counted.
    pub tally: Arc<Tally>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Server {
    /// A server with nobody connected.
    #[must_use]
    pub fn new(parts: Parts) -> Server {
        Server {
            cards: parts.registry.cards(),
            cards_with_examples: parts.registry.cards_with_examples(),
            registry: parts.registry,
            sequencer: parts.sequencer,
            library: parts.library,
            passwords: parts.passwords,
            started: parts.clock.now(),
            clock: parts.clock,
            chance: parts.chance,
            settings: RwLock::new(Arc::new(parts.settings)),
            host: OnceLock::new(),
            tally: parts.tally,
            log: parts.log,
            departures: Mutex::default(),
        }
    }

    pub(crate) fn view<R>(&self, session: SessionId, look: impl FnOnce(&View<'_>) -> R) -> R {
        let (now, settings) = (self.clock.now(), self.settings());
        self.sequencer.view(|hall| look(&View::new(hall, session, now, &self.cards, &settings)))
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Goes by other settings from here on.
    pub(crate) fn configure(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// Names the program around the server. Once; later words change nothing.
    pub(crate) fn set_host(&self, host: Arc<dyn Host>) {
        let _ = self.host.set(host);
    }

    pub(crate) fn host(&self) -> Result<Arc<dyn Host>, Refusal> {
        let alone = || Refusal::new(code::NOT_PERMITTED, "there is no program around this server that could do it");
        self.host.get().map(Arc::clone).ok_or_else(alone)
    }

    pub(crate) fn log(&self) -> &str {
        &self.log
    }

    pub(crate) fn name_of(&self, user: UserId) -> Option<String> {
        self.sequencer.view(|hall| hall.user(user).map(|user| user.name.to_string()))
    }

    pub(crate) fn submit(&self, intent: Intent) -> Result<Receipt, Refusal> {
        self.sequencer.submit(intent)
    }

    /// What those hear who come from this address, if they are banned.
    pub(crate) fn banned(&self, address: IpAddr) -> Option<Refusal> {
        let now = self.clock.now();
        self.sequencer.view(|hall| hall.banned(now, None, address))
    }

    /// The session on this connection ends, if there is one.
    pub(crate) fn leave(&self, session: SessionId, how: Departure, seen: Option<u64>) {
        // Refused when nobody is logged in on it: then there is nothing to end.
        let _ = self.sequencer.submit(Intent { origin: session, act: Act::Leave { how, seen } });
        let waiting = self.departures.lock().unwrap_or_else(PoisonError::into_inner).remove(&session);
        for waiter in waiting.into_iter().flatten() {
            let _ = waiter.try_send(());
        }
    }

    /// Submits what ends these sessions, and waits until they have left, so that the answer comes behind it; but not for
    /// long: one of them may be waiting in just this way for the one who waits here.
    pub(crate) async fn put_out(&self, intent: Intent, sessions: Vec<SessionId>) -> Result<(), Refusal> {
        /// A connection that is put out has no time to be patient: this is for a shard that has a lot to do.
        const WAITED_FOR: Duration = Duration::from_secs(1);
        let (waiter, left) = async_channel::bounded(sessions.len().max(1));
        let count = {
            let mut departures = self.departures.lock().unwrap_or_else(PoisonError::into_inner);
            let others = sessions.iter().filter(|session| **session != intent.origin);
            others.map(|session| departures.entry(*session).or_default().push(waiter.clone())).count()
        };
        let submitted = self.submit(intent);
        if submitted.is_ok() {
            // Nobody is put out before it is kept.
            self.sequencer.commit_soon();
            let all_left = async {
                for _ in 0..count {
                    let _ = left.recv().await;
                }
            };
            let until = self.clock.elapsed() + WAITED_FOR;
            smol::future::or(all_left, self.clock.sleep_until(until)).await;
        }
        // Of those who stay, or left at the same moment, nobody will tell any more.
        drop(left);
        let mut departures = self.departures.lock().unwrap_or_else(PoisonError::into_inner);
        for session in sessions {
            if let Some(waiters) = departures.get_mut(&session) {
                waiters.retain(|waiter| !waiter.is_closed());
                if waiters.is_empty() {
                    departures.remove(&session);
                }
            }
        }
        submitted.map(drop)
    }

    /// Ends `session` in favour of `origin`, and waits until it has left.
    pub(crate) async fn evict(&self, origin: SessionId, session: SessionId) {
        let (waiter, left) = async_channel::bounded(1);
        self.departures.lock().unwrap_or_else(PoisonError::into_inner).entry(session).or_default().push(waiter);
        let because = Refusal::new(code::SESSION_REPLACED, "you logged in from somewhere else").hint("a login here takes over again");
        if self.sequencer.submit(Intent { origin, act: Act::Evict { session, because } }).is_ok() {
            // Closed when nobody is left who could answer: then it has left too.
            let _ = left.recv().await;
        } else {
            self.departures.lock().unwrap_or_else(PoisonError::into_inner).remove(&session);
        }
    }

    /// The cards of what this viewer may run.
    pub(crate) fn cards_for(&self, view: &View<'_>) -> Vec<Card> {
        let may = |command: &dyn crate::command::AnyCommand| {
            let spec = command.spec();
            spec.needs.iter().chain(spec.offered).all(|need| need.check(view).is_ok())
        };
        self.registry.commands().zip(&self.cards).filter(|(command, _)| may(*command)).map(|(_, card)| card.clone()).collect()
    }

    pub(crate) fn cards_with_examples(&self) -> &[Card] {
        &self.cards_with_examples
    }

    pub(crate) fn hello(&self) -> Event {
        Event::Hello { server: concat!("chinwag ", env!("CARGO_PKG_VERSION")).to_owned(), log: self.log.clone(), now: self.clock.now() }
    }
}
