//! Plays a scenario: one server, one data directory, the cast, then step after step with a barrier behind each.

mod expect;
mod speak;
mod storm;
mod world;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;

use crate::barrier::Barrier;
use crate::cast::Cast;
use crate::connection::{Connection, Heard, Speaks};
use crate::diagnostic::Mistake;
use crate::holes::Filling;
use crate::log::LogLine;
use crate::scenario::{Items, Role, Scenario, Spanned, Step};
use crate::scratch::Scratch;
use crate::server::{Launch, Server, Settings, Trouble};
use crate::source::Span;
use crate::transcript::{Transcript, said};

/// Where virtual time begins: 2026-01-01 00:00:00 UTC, a round number that is easy to subtract from.
pub const EPOCH: i64 = 1_767_225_600_000;
/// Where randomness begins when nobody says otherwise.
pub const SEED: u64 = 1;
/// How long a server that seems stuck may take to say what it is doing. It is only asked when all is lost.
const DUMP_TIMEOUT: Duration = Duration::from_millis(500);
/// How much of such an answer is shown.
const DUMP_SHOWN: usize = 2000;

/// How scenarios are played.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server under test.
    pub launch: Launch,
    /// Overrides the seeds of scenarios.
    pub seed: Option<u64>,
    /// Leaves the data directory behind.
    pub keep_data: bool,
}

/// Where the time of a scenario went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// Everything.
    pub total: Duration,
    /// Until the first server listened.
    pub spawn: Duration,
    /// Until the cast was logged in.
    pub login: Duration,
    /// The steps, without the barriers.
    pub steps: Duration,
    /// Waiting for proofs.
    pub barrier: Duration,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// As the scenario says.
    Passed,
    /// The server did not start.
    NotStarted(String),
    /// Something was not as the scenario says.
    Failed(Vec<Mistake>),
    /// This server cannot play it, and why.
    Skipped(String),
}

/// What would make an expectation true: other text in place of some of the file's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    /// What is replaced; empty where something is added.
    pub span: Span,
    /// What stands there then, as RON.
    pub text: String,
}

/// A scenario that was played.
pub struct Played {
    /// How it ended.
    pub end: End,
    /// The step it ended in.
    pub step: String,
    /// What everyone said and heard.
    pub transcript: Transcript,
    /// Where the time went.
    pub timing: Timing,
    /// The seed it was played with.
    pub seed: u64,
    /// Which server it was, as flags of a command line.
    pub flags: Vec<String>,
    /// How the server was when it ended.
    pub server: String,
    /// How each connection was when it ended, in the order of the cast.
    pub connections: Vec<(String, &'static str)>,
    /// The last lines that the server wrote to stderr.
    pub stderr: Vec<String>,
    /// All lines that it wrote, and when.
    pub log: Vec<LogLine>,
    /// What would make the expectations true that failed.
    pub rewrites: Vec<Rewrite>,
    /// The data directory, if it was left behind.
    pub data: Option<PathBuf>,
}

/// Why a step did not go through.
enum Stop {
    Failed(Vec<Mistake>),
    Skipped(String),
    Trouble(Trouble),
}

impl From<Mistake> for Stop {
    fn from(mistake: Mistake) -> Stop {
        Stop::Failed(vec![mistake])
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Stop {
        Stop::Trouble(trouble)
    }
}

impl From<crate::cast::TimedOut> for Stop {
    fn from(_: crate::cast::TimedOut) -> Stop {
        Stop::Trouble(Trouble::TimedOut)
    }
}

/// Plays it on this thread.
#[must_use]
pub fn play(scenario: &Scenario, options: &Options) -> Played {
    smol::block_on(played(scenario, options, false))
}

/// Plays it on this thread to its end, whatever its users see: what differs from what is expected is in
/// [`Played::rewrites`].
#[must_use]
pub fn play_through(scenario: &Scenario, options: &Options) -> Played {
    smol::block_on(played(scenario, options, true))
}

async fn played(scenario: &Scenario, options: &Options, through_all: bool) -> Played {
    let began = Instant::now();
    let seed = options.seed.or(scenario.seed).unwrap_or(SEED);
    let mut played = Played {
        end: End::Passed,
        step: "0".to_owned(),
        transcript: Transcript::new(scenario),
        timing: Timing::default(),
        seed,
        flags: options.launch.flags(),
        server: "not started".to_owned(),
        connections: Vec::new(),
        stderr: Vec::new(),
        log: Vec::new(),
        rewrites: Vec::new(),
        data: None,
    };
    let mut player = match Player::start(scenario, options, seed, began).await {
        Ok(player) => player,
        Err(why) => {
            played.end = End::NotStarted(why);
            played.timing.total = began.elapsed();
            return played;
        }
    };
    player.through_all = through_all;
    played.timing.spawn = began.elapsed();
    let mut through = player.log_in_all().await;
    played.timing.login = began.elapsed() - played.timing.spawn;
    player.barrier.spent = Duration::ZERO;
    let steps = Instant::now();
    if through.is_ok() {
        // One that the command line names and the server does not have is nothing that the scenario says.
        through = player.switch_faults(&options.launch.faults).await.map_err(|stop| match stop {
            Stop::Failed(mistakes) => Stop::Trouble(Trouble::NotStarted(mistakes.iter().map(Mistake::words).collect())),
            stop => stop,
        });
    }
    if through.is_ok() {
        through = player.switch_faults(&scenario.faults).await;
    }
    if through.is_ok() {
        through = player.steps().await;
    }
    played.timing.barrier = player.barrier.spent;
    played.timing.steps = steps.elapsed().saturating_sub(player.barrier.spent);
    played.end = match through {
        Ok(()) => End::Passed,
        Err(Stop::Failed(mistakes)) => End::Failed(mistakes),
        Err(Stop::Skipped(why)) => End::Skipped(why),
        Err(Stop::Trouble(Trouble::NotStarted(why))) => End::NotStarted(why),
        Err(Stop::Trouble(trouble)) => End::Failed(vec![player.stuck(&trouble).await]),
    };
    player.collect(false);
    played.step = player.label;
    played.server = player
        .server
        .poll_end()
        .map_or_else(|| format!("pid {}, alive", player.server.pid()), |status| format!("pid {}, ended: {status}", player.server.pid()));
    // Whoever has been closed by now is gone, whether anybody has looked at it or not.
    player.cast.drain().await;
    played.connections = player.cast.all.iter().map(|connection| (connection.name.clone(), connection.standing())).collect();
    player.server.crash().await;
    played.stderr = player.server.tail();
    played.log = player.server.log.lines();
    played.rewrites = player.rewrites;
    played.transcript = player.transcript;
    played.data = if options.keep_data { Some(player.data.keep()) } else { None };
    played.timing.total = began.elapsed();
    played
}

struct Player<'s> {
    scenario: &'s Scenario,
    launch: Launch,
    seed: u64,
    random: Rng,
    args: Vec<String>,
    data: Scratch,
    server: Server,
    running: bool,
    /// How often the server has been started again.
    life: u64,
    now: i64,
    cast: Cast,
    barrier: Barrier,
    filling: Filling,
    digest: Option<(u64, String)>,
    transcript: Transcript,
    label: String,
    span: Span,
    /// The faults that are on.
    faults: Vec<String>,
    /// What users see does not stop it: it is noted what would have been right.
    through_all: bool,
    rewrites: Vec<Rewrite>,
}

impl<'s> Player<'s> {
    async fn start(scenario: &'s Scenario, options: &'s Options, seed: u64, began: Instant) -> Result<Player<'s>, String> {
        // What is to be looked at later belongs where files stay.
        let data = if options.keep_data { Scratch::new() } else { Scratch::in_memory() };
        let data = data.map_err(|error| format!("a data directory: {error}"))?;
        let args: Vec<String> = scenario.server.args.0.iter().map(|arg| arg.value.clone()).collect();
        let mut cast = Cast::new(began + scenario.timeout);
        let settings = Settings { data: data.path(), port: 0, seed, epoch: EPOCH, args: &args };
        let mut launch = options.launch.clone();
        launch.env.extend(scenario.server.env.0.iter().map(|(name, value)| (name.value.clone().into(), value.value.clone().into())));
        let starting = cast.during(Server::start(&launch, &settings)).await;
        let server = match starting {
            Ok(Ok(server)) => server,
            Ok(Err(Trouble::NotStarted(why))) => return Err(why),
            Ok(Err(trouble)) => return Err(trouble.to_string()),
            Err(_) => return Err(format!("no ready line within {:?}", scenario.timeout)),
        };
        Ok(Player {
            scenario,
            launch,
            seed,
            random: Rng::with_seed(seed),
            args,
            data,
            server,
            running: true,
            life: 0,
            now: EPOCH,
            cast,
            barrier: Barrier::default(),
            filling: Filling::new(),
            digest: None,
            transcript: Transcript::new(scenario),
            label: "0".to_owned(),
            span: 0..0,
            faults: Vec::new(),
            through_all: false,
            rewrites: Vec::new(),
        })
    }

    /// Registers the cast, one after the other, and forgets what that caused.
    async fn log_in_all(&mut self) -> Result<(), Stop> {
        for (user, role) in &self.scenario.cast.0 {
            self.span = user.span.clone();
            let Role { password, text, account, from, wire } = &role.value;
            if let Some(wire) = wire {
                self.come_in(user, *wire).await?;
                continue;
            }
            self.connect(user, if *text { Speaks::Text } else { Speaks::Json }, *from).await?;
            let line = match account {
                Some(account) => format!("login {account} {}", self.password_of(account)),
                None => format!("register {} {password}", user.value),
            };
            self.say(user, &line).await?;
            self.barrier.answered(&mut self.cast, &user.value).await?;
            let heard =
                self.cast.get(&user.value).map(|connection| connection.unread.iter().map(said).collect::<Vec<_>>()).unwrap_or_default();
            if !heard.iter().any(|line| line.starts_with("* welcome")) {
                let what = if account.is_some() { "logged in" } else { "registered" };
                let mut mistake = Mistake::new(user.span.clone(), format!("`{}` could not be {what}", user.value)).label("of the cast");
                mistake.notes = heard;
                if account.is_some() {
                    mistake = mistake.help("several devices need `server: (args: [\"--sessions\", \"Several(2)\"])`");
                }
                return Err(mistake.into());
            }
        }
        self.barrier.pass(&mut self.cast, &mut self.server).await?;
        self.cast.all.iter_mut().for_each(Connection::forget);
        self.transcript.forget();
        Ok(())
    }

    fn password_of(&self, account: &str) -> &'s str {
        let role = self.scenario.cast.0.iter().find(|(user, _)| user.value == account);
        role.map(|(_, role)| role.value.password.as_str()).unwrap_or_default()
    }

    async fn steps(&mut self) -> Result<(), Stop> {
        for (at, step) in self.scenario.steps.0.iter().enumerate() {
            self.step(step, (at + 1).to_string()).await?;
        }
        let unread: Vec<Mistake> = self
            .cast
            .all
            .iter()
            .filter(|connection| !connection.unread.is_empty())
            .map(|connection| {
                let mut mistake = Mistake::new(
                    self.span.clone(),
                    format!("the scenario ends, and `{}` has received what no step expects", connection.name),
                );
                mistake.notes = expect::extra(connection.unread.iter());
                mistake.label("after this").help(format!("add `See({}: …)`, or what keeps it from coming", connection.name))
            })
            .collect();
        if unread.is_empty() { Ok(()) } else { Err(Stop::Failed(unread)) }
    }

    async fn step(&mut self, step: &Spanned<Step>, label: String) -> Result<(), Stop> {
        self.server.log.begin(&label);
        self.label = label;
        self.span = step.span.clone();
        match &step.value {
            Step::Repeat { times, var, steps } => {
                let counts = (1..=*times).map(|count| vec![(var.value.clone(), count.to_string())]);
                self.each(counts, steps).await
            }
            Step::Each { var, of, steps } => {
                let texts: Vec<String> = of.0.iter().map(|text| self.filled(&text.value)).collect();
                self.each(texts.into_iter().map(|text| vec![(var.value.clone(), text)]), steps).await
            }
            Step::Included { vars, steps } => {
                let vars = vars.0.iter().map(|(name, text)| (name.value.clone(), self.filled(&text.value))).collect();
                self.each(std::iter::once(vars), steps).await
            }
            Step::Connect(names) => self.open_all(names, Speaks::Json).await,
            Step::Telnet(names) => self.open_all(names, Speaks::Text).await,
            Step::ConnectAs(by) => self.connect_as(by).await,
            Step::Dial(by) => {
                for (name, wire) in &by.0 {
                    self.dial(name, wire.value).await?;
                }
                Ok(())
            }
            Step::Carry(by) => {
                for (name, ticket) in &by.0 {
                    let ticket = self.filled(&ticket.value);
                    self.carry(name, &ticket).await?;
                }
                Ok(())
            }
            Step::ConnectFrom(by) => {
                for (name, from) in &by.0 {
                    self.open(name, Speaks::Json, Some(from.value)).await?;
                }
                Ok(())
            }
            Step::Send(_) | Step::SendKeyed(_) | Step::Raw(_) => self.send(step, true).await,
            Step::All(steps) => self.send_all(steps).await,
            Step::Unsynced(steps) => self.send_unsynced(steps).await,
            Step::Storm { users, lines, blocks } => self.storm(users, *lines, *blocks, &step.span).await,
            Step::See(_) | Step::Hush(_) | Step::File { .. } | Step::Log { .. } | Step::Metric { .. } | Step::Digest | Step::Check(_) => {
                let mistakes = self.expect(step).await?;
                if mistakes.is_empty() { Ok(()) } else { Err(Stop::Failed(mistakes)) }
            }
            Step::Let(by) => {
                for (hole, capture) in &by.0 {
                    let value = self.captured(&hole.value, &capture.value, &capture.span)?;
                    self.transcript.remember(&hole.value, &value);
                    self.filling.insert(hole.value.clone(), value);
                }
                Ok(())
            }
            Step::Advance(length) => self.advance(&length.written).await,
            Step::Crash => self.crash().await,
            Step::Stop => self.stop().await,
            Step::Start => self.start_again().await,
            Step::Wipe => self.wipe(),
            Step::Drop(names) => self.drop_all(names, false).await,
            Step::HalfOpen(names) => self.drop_all(names, true).await,
            Step::Pause(names) => {
                self.set_paused(names, true);
                self.transcript.close(false);
                Ok(())
            }
            Step::Resume(names) => {
                self.set_paused(names, false);
                self.settle(false).await
            }
            Step::Partition(names) => {
                self.cut_off(names);
                Ok(())
            }
            Step::Heal => self.heal().await,
            Step::Net(by) => {
                self.make_weather(by);
                Ok(())
            }
            Step::Quiesce => {
                self.barrier.ask_server = true;
                self.settle(false).await
            }
            Step::Until { within, metric, at_least, at_most, log } => {
                self.until(within, metric.as_ref(), (*at_least, *at_most), log.as_ref()).await
            }
            Step::Fault(name) => {
                let name = self.filled(&name.value);
                self.transcript.happened(&self.label, format!("fault: {name}"));
                self.transcript.close(false);
                self.switch_faults(&[name]).await
            }
            // Replaced when the scenario was loaded.
            Step::Include(_) | Step::With { .. } => Ok(()),
        }
    }

    /// Plays steps again and again, each time with other meanings for some holes.
    async fn each(&mut self, turns: impl Iterator<Item = Vec<(String, String)>>, steps: &Items<Step>) -> Result<(), Stop> {
        let label = self.label.clone();
        let mut played = 0;
        for turn in turns {
            let names: Vec<String> = turn.iter().map(|(name, _)| name.clone()).collect();
            self.filling.extend(turn);
            for step in &steps.0 {
                played += 1;
                // Boxed, because a step may hold steps.
                Box::pin(self.step(step, format!("{label}.{played}"))).await?;
            }
            for name in names {
                self.filling.remove(&name);
            }
        }
        Ok(())
    }

    /// A text with its holes filled.
    fn filled(&self, text: &str) -> String {
        crate::holes::fill(text, &self.filling)
    }

    /// Waits until everything caused so far has arrived, and takes it into the transcript.
    async fn settle(&mut self, any_order: bool) -> Result<(), Stop> {
        let passed = self.barrier.pass(&mut self.cast, &mut self.server).await;
        let one_ended = self.cast.all.iter().any(|connection| connection.fresh.iter().any(|heard| matches!(heard, Heard::Closed)));
        self.collect(any_order);
        if (one_ended || matches!(passed, Err(Trouble::Control(_))))
            && let Err(how) = self.cast.during(self.server.check_alive()).await?
        {
            return Err(Mistake::new(self.span.clone(), format!("the server ended in step {} by itself: {how}", self.label)).into());
        }
        Ok(passed?)
    }

    fn collect(&mut self, any_order: bool) {
        for connection in &mut self.cast.all {
            for heard in connection.fresh.drain(..) {
                self.transcript.heard(&self.label, &connection.name, &heard);
            }
        }
        self.transcript.close(any_order);
    }

    async fn ask(&mut self, command: &str) -> Result<Value, Stop> {
        Ok(self.cast.during(self.server.ask(command)).await??)
    }

    /// The scenario cannot go on: who is waited for, and what the server says to it.
    async fn stuck(&mut self, trouble: &Trouble) -> Mistake {
        let mut mistake = Mistake::new(self.span.clone(), format!("step {} cannot go on: {trouble}", self.label));
        let waited: Vec<&str> =
            self.cast.all.iter().filter(|connection| connection.awaited.is_some()).map(|connection| connection.name.as_str()).collect();
        if !waited.is_empty() {
            mistake.notes.push(format!("waiting for the pong of: {}", waited.join(", ")));
        }
        if matches!(trouble, Trouble::TimedOut) {
            mistake.notes.push(format!("time for all: {:?}", self.scenario.timeout));
            if self.running && self.server.poll_end().is_none() {
                self.cast.deadline = Instant::now() + DUMP_TIMEOUT;
                let dump = match self.cast.during(self.server.ask("dump")).await {
                    Ok(Ok(dump)) => dump.to_string().chars().take(DUMP_SHOWN).collect(),
                    Ok(Err(trouble)) => trouble.to_string(),
                    Err(_) => "no answer".to_owned(),
                };
                mistake.notes.push(format!("dump: {dump}"));
            }
        }
        mistake
    }
}
