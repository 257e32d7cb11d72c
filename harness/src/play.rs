//! Plays a scenario: one server, one data directory, the cast, then step after step with a barrier behind each.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;
use smol::io::AsyncWriteExt;
use tempfile::TempDir;

use crate::barrier::Barrier;
use crate::cast::Cast;
use crate::connection::{Connection, Heard, Speaks};
use crate::diagnostic::Mistake;
use crate::holes::{self, Filling};
use crate::pattern::{self, Mismatch};
use crate::scenario::{By, Bytes, Capture, Items, Keyed, Name, OneOrMany, Pat, Scenario, Spanned, Step};
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
/// How many lines that nobody expected are listed.
const EXTRA_SHOWN: usize = 5;

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
    /// How the server was when it ended.
    pub server: String,
    /// The last lines that the server wrote to stderr.
    pub stderr: Vec<String>,
    /// The data directory, if it was left behind.
    pub data: Option<PathBuf>,
}

/// Why a step did not go through.
enum Stop {
    Failed(Vec<Mistake>),
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
    smol::block_on(played(scenario, options))
}

async fn played(scenario: &Scenario, options: &Options) -> Played {
    let began = Instant::now();
    let seed = options.seed.or(scenario.seed).unwrap_or(SEED);
    let mut played = Played {
        end: End::Passed,
        step: "0".to_owned(),
        transcript: Transcript::new(scenario),
        timing: Timing::default(),
        seed,
        server: "not started".to_owned(),
        stderr: Vec::new(),
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
    played.timing.spawn = began.elapsed();
    let mut through = player.log_in_all().await;
    played.timing.login = began.elapsed() - played.timing.spawn;
    player.barrier.spent = Duration::ZERO;
    let steps = Instant::now();
    if through.is_ok() {
        through = player.steps().await;
    }
    played.timing.barrier = player.barrier.spent;
    played.timing.steps = steps.elapsed().saturating_sub(player.barrier.spent);
    played.end = match through {
        Ok(()) => End::Passed,
        Err(Stop::Failed(mistakes)) => End::Failed(mistakes),
        Err(Stop::Trouble(Trouble::NotStarted(why))) => End::NotStarted(why),
        Err(Stop::Trouble(trouble)) => End::Failed(vec![player.stuck(&trouble).await]),
    };
    player.collect(false);
    played.step = player.label;
    played.server = player
        .server
        .poll_end()
        .map_or_else(|| format!("pid {}, alive", player.server.pid()), |status| format!("pid {}, ended: {status}", player.server.pid()));
    player.server.crash().await;
    played.stderr = player.server.tail();
    played.transcript = player.transcript;
    played.data = if options.keep_data { Some(player.data.keep()) } else { None };
    played.timing.total = began.elapsed();
    played
}

struct Player<'s> {
    scenario: &'s Scenario,
    options: &'s Options,
    seed: u64,
    random: Rng,
    args: Vec<String>,
    data: TempDir,
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
}

impl<'s> Player<'s> {
    async fn start(scenario: &'s Scenario, options: &'s Options, seed: u64, began: Instant) -> Result<Player<'s>, String> {
        let data = tempfile::Builder::new().prefix("chinwag-scenario-").tempdir().map_err(|error| format!("a data directory: {error}"))?;
        let args: Vec<String> = scenario.server.args.0.iter().map(|arg| arg.value.clone()).collect();
        let mut cast = Cast::new(began + scenario.timeout);
        let settings = Settings { data: data.path(), port: 0, seed, epoch: EPOCH, args: &args };
        let starting = cast.during(Server::start(&options.launch, &settings)).await;
        let server = match starting {
            Ok(Ok(server)) => server,
            Ok(Err(Trouble::NotStarted(why))) => return Err(why),
            Ok(Err(trouble)) => return Err(trouble.to_string()),
            Err(_) => return Err(format!("no ready line within {:?}", scenario.timeout)),
        };
        Ok(Player {
            scenario,
            options,
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
        })
    }

    /// Registers the cast, one after the other, and forgets what that caused.
    async fn log_in_all(&mut self) -> Result<(), Stop> {
        for (user, role) in &self.scenario.cast.0 {
            self.span = user.span.clone();
            let speaks = if role.value.text { Speaks::Text } else { Speaks::Json };
            self.connect(user, speaks).await?;
            self.say(user, &format!("register {} {}", user.value, role.value.password)).await?;
            self.barrier.answered(&mut self.cast, &user.value).await?;
            let heard =
                self.cast.get(&user.value).map(|connection| connection.unread.iter().map(said).collect::<Vec<_>>()).unwrap_or_default();
            if !heard.iter().any(|line| line.starts_with("* welcome")) {
                let mut mistake = Mistake::new(user.span.clone(), format!("`{}` could not be registered", user.value)).label("of the cast");
                mistake.notes = heard;
                return Err(mistake.into());
            }
        }
        self.barrier.pass(&mut self.cast, &mut self.server).await?;
        self.cast.all.iter_mut().for_each(Connection::forget);
        self.transcript.forget();
        Ok(())
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
                mistake.notes = extra(connection.unread.iter());
                mistake.label("after this").help(format!("add `See({}: …)`, or what keeps it from coming", connection.name))
            })
            .collect();
        if unread.is_empty() { Ok(()) } else { Err(Stop::Failed(unread)) }
    }

    async fn step(&mut self, step: &Spanned<Step>, label: String) -> Result<(), Stop> {
        self.label = label;
        self.span = step.span.clone();
        match &step.value {
            Step::Repeat { times, var, steps } => self.repeat(*times, var, steps).await,
            Step::Connect(names) => self.open_all(names, Speaks::Json).await,
            Step::Telnet(names) => self.open_all(names, Speaks::Text).await,
            Step::ConnectAs(by) => self.connect_as(by).await,
            Step::Send(_) | Step::SendKeyed(_) | Step::Raw(_) => self.send(step, true).await,
            Step::All(steps) => self.send_all(steps).await,
            Step::See(_) | Step::Hush(_) | Step::File { .. } | Step::Digest | Step::Check(_) => {
                let mistakes = self.expect(step).await?;
                if mistakes.is_empty() { Ok(()) } else { Err(Stop::Failed(mistakes)) }
            }
            Step::Let(by) => {
                for (hole, capture) in &by.0 {
                    let value = self.captured(&capture.value, &capture.span)?;
                    self.transcript.remember(&hole.value, &value);
                    self.filling.insert(hole.value.clone(), value);
                }
                Ok(())
            }
            Step::Advance(length) => self.advance(&length.written).await,
            Step::Crash => self.crash().await,
            Step::Stop => self.stop().await,
            Step::Start => self.start_again().await,
            Step::Drop(names) => self.drop_all(names).await,
            Step::Pause(names) => {
                self.set_paused(names, true);
                self.transcript.close(false);
                Ok(())
            }
            Step::Resume(names) => {
                self.set_paused(names, false);
                self.settle(false).await
            }
            Step::Quiesce => {
                self.barrier.ask_server = true;
                self.settle(false).await
            }
        }
    }

    async fn open_all(&mut self, names: &OneOrMany<String>, speaks: Speaks) -> Result<(), Stop> {
        for name in &names.0 {
            self.open(name, speaks).await?;
        }
        Ok(())
    }

    async fn connect_as(&mut self, by: &By<String>) -> Result<(), Stop> {
        for (name, account) in &by.0 {
            self.open(name, Speaks::Json).await?;
            let role = self.scenario.cast.0.iter().find(|(user, _)| user.value == account.value);
            let password = role.map(|(_, role)| role.value.password.as_str()).unwrap_or_default();
            self.say(name, &format!("login {} {password}", account.value)).await?;
            self.settle(false).await?;
        }
        Ok(())
    }

    /// Sends in an order that the seed decides, with one barrier behind all of it.
    async fn send_all(&mut self, steps: &Items<Step>) -> Result<(), Stop> {
        let mut order: Vec<usize> = (0..steps.0.len()).collect();
        self.random.shuffle(&mut order);
        for at in order {
            self.send(&steps.0[at], false).await?;
        }
        self.settle(true).await
    }

    async fn advance(&mut self, length: &str) -> Result<(), Stop> {
        let answer = self.ask(&format!("advance {length}")).await?;
        self.now = answer["now"].as_i64().unwrap_or(self.now);
        self.transcript.happened(&self.label, format!("{length} later"));
        self.settle(false).await
    }

    async fn drop_all(&mut self, names: &OneOrMany<String>) -> Result<(), Stop> {
        for name in &names.0 {
            self.nothing_unread(name)?;
            self.transcript.did(&self.label, &name.value, '-', "drops the connection");
            if let Some(connection) = self.cast.get_mut(&name.value) {
                connection.close();
            }
        }
        // No ping can tell when the server has noticed.
        self.barrier.ask_server = true;
        self.settle(false).await
    }

    fn set_paused(&mut self, names: &OneOrMany<String>, paused: bool) {
        for name in &names.0 {
            self.transcript.did(&self.label, &name.value, '-', if paused { "stops reading" } else { "reads again" });
            if let Some(connection) = self.cast.get_mut(&name.value) {
                connection.paused = paused;
            }
        }
    }

    async fn repeat(&mut self, times: u32, var: &Name, steps: &Items<Step>) -> Result<(), Stop> {
        let label = self.label.clone();
        let mut played = 0;
        for count in 1..=times {
            self.filling.insert(var.value.clone(), count.to_string());
            for step in &steps.0 {
                played += 1;
                // Boxed, because a step may hold steps.
                Box::pin(self.step(step, format!("{label}.{played}"))).await?;
            }
        }
        self.filling.remove(&var.value);
        Ok(())
    }

    /// Sends what one step says; with a barrier behind each user, unless the order is to be left open.
    async fn send(&mut self, step: &Spanned<Step>, settle: bool) -> Result<(), Stop> {
        self.span = step.span.clone();
        for (user, bytes, rows) in self.speeches(&step.value) {
            self.nothing_unread(user)?;
            for row in rows {
                self.transcript.did(&self.label, &user.value, '>', row);
            }
            self.write(user, bytes).await?;
            if settle {
                self.settle(false).await?;
            }
        }
        Ok(())
    }

    /// Who sends which bytes in one step, and what the transcript shows of them.
    fn speeches<'a>(&self, step: &'a Step) -> Vec<(&'a Name, Vec<u8>, Vec<String>)> {
        let fill = |text: &Spanned<String>| holes::fill(&text.value, &self.filling);
        match step {
            Step::Send(by) => {
                by.0.iter()
                    .map(|(user, lines)| {
                        let lines: Vec<String> = lines.value.0.iter().map(fill).collect();
                        (user, lines.iter().flat_map(|line| self.encoded(user, line, None)).collect(), lines)
                    })
                    .collect()
            }
            Step::SendKeyed(by) => {
                by.0.iter()
                    .map(|(user, lines)| {
                        let lines: Vec<(String, String)> =
                            lines.value.0.iter().map(|Spanned { value: Keyed { key, line }, .. }| (fill(key), fill(line))).collect();
                        let bytes = lines.iter().flat_map(|(key, line)| self.encoded(user, line, Some(key))).collect();
                        (user, bytes, lines.into_iter().map(|(key, line)| format!("{line}  (key {key})")).collect())
                    })
                    .collect()
            }
            Step::Raw(by) => {
                by.0.iter()
                    .map(|(user, chunks)| {
                        let bytes: Vec<u8> =
                            chunks.value.0.iter().flat_map(|Spanned { value: Bytes(bytes), .. }| bytes.iter().copied()).collect();
                        let row = format!("raw \"{}\"", bytes.escape_ascii());
                        (user, bytes, vec![row])
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn encoded(&self, user: &Name, line: &str, key: Option<&str>) -> Vec<u8> {
        self.cast.get(&user.value).map(|connection| connection.encoded(line, key)).unwrap_or_default()
    }

    /// Says a line that the harness makes up itself.
    async fn say(&mut self, user: &Name, line: &str) -> Result<(), Stop> {
        self.transcript.did(&self.label, &user.value, '>', line);
        let bytes = self.encoded(user, line, None);
        self.write(user, bytes).await
    }

    async fn write(&mut self, user: &Name, bytes: Vec<u8>) -> Result<(), Stop> {
        let stream = self.cast.get_mut(&user.value).and_then(|connection| {
            connection.dirty = true;
            connection.mid_line = bytes.last().is_some_and(|last| *last != b'\n');
            connection.stream()
        });
        let Some(stream) = stream else {
            return Err(Mistake::new(user.span.clone(), format!("the connection of `{}` has ended", user.value)).into());
        };
        // If it cannot be written to, it has ended; reading it will say so.
        let _ = self.cast.during(async { (&*stream).write_all(&bytes).await }).await?;
        Ok(())
    }

    /// Opens a connection as a step of its own.
    async fn open(&mut self, name: &Name, speaks: Speaks) -> Result<(), Stop> {
        if self.cast.get(&name.value).is_some_and(Connection::is_open) {
            return Err(Mistake::new(name.span.clone(), format!("`{}` is connected already", name.value)).into());
        }
        let how = if speaks == Speaks::Json { "connects" } else { "connects, in text" };
        self.transcript.did(&self.label, &name.value, '-', how);
        self.connect(name, speaks).await?;
        self.collect(false);
        Ok(())
    }

    /// Opens a connection, switches its dialect and waits until it is heard. What greets it is forgotten, unless it
    /// is turned away.
    async fn connect(&mut self, name: &Name, speaks: Speaks) -> Result<(), Stop> {
        let address: SocketAddr = self.server.address;
        let opened = self.cast.during(Connection::open(&name.value, address, speaks)).await?;
        let connection =
            opened.map_err(|error| Mistake::new(name.span.clone(), format!("`{}` cannot connect to {address}: {error}", name.value)))?;
        self.cast.add(connection);
        // Counted before anything is waited for: from then on the greeting may come in.
        let unread = self.cast.get(&name.value).map_or(0, |connection| connection.unread.len());
        if speaks == Speaks::Json {
            // Together with the ping that follows it: what comes after the switch is read in the new dialect.
            self.write(name, b"dialect json\n".to_vec()).await?;
        }
        self.barrier.answered(&mut self.cast, &name.value).await?;
        if let Some(connection) = self.cast.get_mut(&name.value)
            && connection.is_open()
            && speaks == Speaks::Json
        {
            connection.unread.truncate(unread);
            connection.fresh.clear();
        }
        Ok(())
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

    /// What no step has looked at must be looked at before the user goes on.
    fn nothing_unread(&self, user: &Name) -> Result<(), Stop> {
        let Some(connection) = self.cast.get(&user.value).filter(|connection| !connection.unread.is_empty()) else { return Ok(()) };
        let mut mistake = Mistake::new(user.span.clone(), format!("`{}` has received what no step expects", user.value));
        mistake.notes = extra(connection.unread.iter());
        Err(mistake.label("before this").help(format!("`See({}: …)` it first", user.value)).into())
    }

    async fn expect(&mut self, step: &Spanned<Step>) -> Result<Vec<Mistake>, Stop> {
        match &step.value {
            Step::See(by) => Ok(by.0.iter().filter_map(|(user, pats)| self.see(user, &pats.value.0, &pats.span)).collect()),
            Step::Hush(names) => Ok(names.0.iter().filter_map(|name| self.see(name, &[], &name.span)).collect()),
            Step::File { path, has, lacks } => Ok(self.file(path, has.as_ref(), lacks.as_ref())),
            Step::Digest => self.digest().await,
            Step::Check(steps) => {
                let mut mistakes = Vec::new();
                for step in &steps.0 {
                    mistakes.extend(Box::pin(self.expect(step)).await?);
                }
                Ok(mistakes)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn see(&mut self, user: &Name, pats: &[Spanned<Pat>], span: &Span) -> Option<Mistake> {
        let connection = self.cast.get_mut(&user.value)?;
        let heard: Vec<Heard> = connection.unread.drain(..).collect();
        let mismatch = pattern::all(pats, &heard, &self.filling).err()?;
        let (who, step) = (&user.value, &self.label);
        let unexpected = || format!("`{who}` did not see what step {step} expects");
        Some(match mismatch {
            Mismatch::Other { span, expected, exact, at } => {
                let actual = said(&heard[at]);
                let mut mistake = Mistake::new(span, unexpected()).label(format!("`{who}` expects this"));
                mistake.notes = vec![format!("expected: {expected}"), format!("actual:   {actual}")];
                if exact {
                    mistake.notes.extend(difference(&expected, &actual));
                }
                mistake.notes.extend(self.near_misses(who, &expected, &heard[at + 1..]));
                mistake
            }
            Mismatch::Missing { span, expected, .. } => {
                let mut mistake = Mistake::new(span, unexpected()).label(format!("`{who}` expects this"));
                let nothing = if heard.is_empty() { "nothing" } else { "nothing more" };
                mistake.notes = vec![format!("expected: {expected}"), format!("actual:   ({nothing})")];
                mistake.notes.extend(self.near_misses(who, &expected, &[]));
                mistake
            }
            Mismatch::Extra { at } => {
                let mut mistake = Mistake::new(span.clone(), format!("`{who}` saw more than step {step} expects"));
                mistake.notes = extra(heard[at..].iter());
                mistake.label("nothing else is expected")
            }
        })
    }

    /// What was expected came, but not here.
    fn near_misses(&self, who: &str, expected: &str, later: &[Heard]) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(at) = later.iter().position(|heard| said(heard) == expected) {
            notes.push(format!(
                "it came {} later: is the order right?",
                if at == 0 { "one line".to_owned() } else { format!("{} lines", at + 1) }
            ));
        }
        if let Some((other, step)) = self.transcript.elsewhere(who, expected) {
            notes.push(format!("`{other}` received exactly this in step {step}"));
        }
        notes
    }

    fn file(&self, path: &Name, has: Option<&OneOrMany<String>>, lacks: Option<&OneOrMany<String>>) -> Vec<Mistake> {
        let content = match std::fs::read(self.data.path().join(&path.value)) {
            Ok(content) => content,
            Err(error) => return vec![Mistake::new(path.span.clone(), format!("the file cannot be read: {error}"))],
        };
        let contains = |text: &str| {
            let wanted = holes::fill(text, &self.filling);
            wanted.is_empty() || content.windows(wanted.len()).any(|window| window == wanted.as_bytes())
        };
        let missing = has.into_iter().flat_map(|has| &has.0).filter(|text| !contains(&text.value));
        let present = lacks.into_iter().flat_map(|lacks| &lacks.0).filter(|text| contains(&text.value));
        let wrong = |text: &Spanned<String>, what: &str| Mistake::new(text.span.clone(), format!("`{}` {what} this", path.value));
        missing.map(|text| wrong(text, "does not have")).chain(present.map(|text| wrong(text, "has"))).collect()
    }

    async fn digest(&mut self) -> Result<Vec<Mistake>, Stop> {
        let answer = self.ask("digest").await?;
        let digest = answer["digest"].as_str().unwrap_or_default().to_owned();
        let before = self.digest.replace((self.life, digest.clone()));
        let Some((life, before)) = before else { return Ok(Vec::new()) };
        if life == self.life || before == digest {
            return Ok(Vec::new());
        }
        let mut mistake = Mistake::new(self.span.clone(), "the durable state is not what it was before the server was started again");
        mistake.notes = vec![format!("before: {before}"), format!("after:  {digest}")];
        Ok(vec![mistake])
    }

    fn captured(&self, capture: &Capture, span: &Span) -> Result<String, Mistake> {
        let events = self.cast.get(&capture.from.value).map(|connection| connection.events.as_slice()).unwrap_or_default();
        let of_kind =
            |heard: &&Heard| capture.kind.as_ref().is_none_or(|kind| heard.object().is_some_and(|object| object["type"] == *kind.value));
        let found = events.iter().rev().filter(of_kind).find_map(|heard| match (&capture.field, &capture.after) {
            (Some(field), _) => heard.object().and_then(|object| field_of(object, &field.value)),
            (None, Some(after)) => {
                let (_, rest) = heard.said()?.split_once(&holes::fill(&after.value, &self.filling))?;
                match &capture.until {
                    Some(until) => rest.split_once(until.value.as_str()).map(|(taken, _)| taken.to_owned()),
                    None => Some(rest.to_owned()),
                }
            }
            (None, None) => None,
        });
        found.ok_or_else(|| Mistake::new(span.clone(), format!("`{}` has received nothing with this in it", capture.from.value)))
    }

    async fn crash(&mut self) -> Result<(), Stop> {
        self.transcript.happened(&self.label, "the server is killed");
        let open = self.open_connections();
        self.cast.during(self.server.crash()).await?;
        self.all_end(&open).await
    }

    async fn stop(&mut self) -> Result<(), Stop> {
        self.transcript.happened(&self.label, "the server is asked to stop");
        let open = self.open_connections();
        let stopped = self.cast.during(self.server.stop()).await?;
        self.all_end(&open).await?;
        match stopped {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Mistake::new(self.span.clone(), format!("the server was asked to stop and ended with {status}")).into()),
            Err(error) => Err(Mistake::new(self.span.clone(), format!("the server cannot be asked to stop: {error}")).into()),
        }
    }

    fn open_connections(&self) -> Vec<String> {
        self.cast.all.iter().filter(|connection| connection.is_open()).map(|connection| connection.name.clone()).collect()
    }

    /// The server has gone: so has every connection that was `open`, which nobody needs to expect.
    async fn all_end(&mut self, open: &[String]) -> Result<(), Stop> {
        self.running = false;
        for connection in self.cast.all.iter_mut().filter(|connection| connection.paused) {
            connection.paused = false;
            connection.close();
        }
        self.cast.until(|all| all.iter().all(|connection| !connection.is_open())).await?;
        for connection in self.cast.all.iter_mut().filter(|connection| open.contains(&connection.name)) {
            connection.unread.retain(|heard| !matches!(heard, Heard::Closed));
            connection.fresh.retain(|heard| !matches!(heard, Heard::Closed));
        }
        self.collect(false);
        Ok(())
    }

    async fn start_again(&mut self) -> Result<(), Stop> {
        self.life += 1;
        self.transcript.happened(&self.label, "the server is started again");
        // Another seed for each life, or its tokens and ids would be those of the life before.
        let seed = self.seed.wrapping_add(self.life);
        let settings = Settings { data: self.data.path(), port: self.server.address.port(), seed, epoch: self.now, args: &self.args };
        self.server = self.cast.during(Server::start(&self.options.launch, &settings)).await??;
        self.running = true;
        self.transcript.close(false);
        Ok(())
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

/// A field, or a field of a field (`to.user`), as text.
fn field_of(object: &Value, path: &str) -> Option<String> {
    let value = path.split('.').try_fold(object, |value, name| value.get(name))?;
    Some(pattern::field_text(value))
}

fn extra<'a>(heard: impl ExactSizeIterator<Item = &'a Heard>) -> Vec<String> {
    let count = heard.len();
    let mut notes: Vec<String> = heard
        .take(EXTRA_SHOWN)
        .enumerate()
        .map(|(at, heard)| {
            let before = if at == 0 { "received: " } else { "          " };
            format!("{before}{}", said(heard))
        })
        .collect();
    if count > EXTRA_SHOWN {
        notes.push(format!("          … and {} more", count - EXTRA_SHOWN));
    }
    notes
}

/// A caret under the first character that differs.
fn difference(expected: &str, actual: &str) -> Option<String> {
    let same = expected.chars().zip(actual.chars()).take_while(|(a, b)| a == b).count();
    // Under several lines a caret would point into the wrong one.
    let one_line = !expected.contains('\n') && !actual.contains('\n');
    one_line.then(|| format!("          {}^ differs from here (column {})", " ".repeat(same), same + 1))
}
