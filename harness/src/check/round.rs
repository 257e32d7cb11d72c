//! One round: who does what, when the server ends, and what is checked.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use smol::{LocalExecutor, channel};

use super::client::{Entry, Fate, Manner, Moment, SENDERS, Ticks, To, Told, USERS, User, WINDOW, What, speaks_json};
use super::tally::Tally;
use super::verdict;
use crate::play::EPOCH;
use crate::scratch::Scratch;
use crate::server::{Launch, Server, Settings};

/// A limit for failures: a round takes less than a second.
const WATCHDOG: Duration = Duration::from_secs(60);

/// The most that is counted before a server is killed.
const ACKNOWLEDGED_MAX: usize = 800;
const SENT_MAX: usize = 800;
const READ_MAX: usize = 1000;

/// How much sooner than in the middle of the talk the server ends while everybody comes back.
const SOONER: usize = 10;

/// How often (as a power of two) other threads are let go first at most between the moment and the kill, so that it
/// is not always just after an answer.
const TURNS_LOG_MAX: u32 = 6;

/// How many messages a sender sends after coming back.
const AFTERWARDS_MAX: usize = 20;

/// How many messages each sender leaves for those who are away: several pages of mail for each.
const MAIL: usize = 120;

/// One message in so many is to everyone; and of the mail.
const EVERYONE_IN: u32 = 6;
const EVERYONE_IN_MAIL: u32 = 2;

/// Before one message in so many somebody is blocked or unblocked.
const BLOCKS_IN: u32 = 12;

/// What a reader of text may see again when the server was killed: what was in flight. That is about what all senders
/// have unanswered; more if a thread of the server had to wait for its turn while others went on.
const IN_FLIGHT_MAX: usize = 4 * SENDERS * WINDOW;

/// The kinds of rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Killed while everybody talks and reads.
    #[value(name = "killed-at-full-speed")]
    FullSpeed,
    /// Killed while the receivers get their kept mail.
    #[value(name = "killed-while-catching-up")]
    CatchingUp,
    /// Told to end while everybody talks and reads.
    #[value(name = "told-to-end")]
    ToldToEnd,
    /// Killed while everybody talks, reads, blocks and unblocks.
    #[value(name = "killed-while-blocking")]
    Blocking,
}

impl Kind {
    /// What a report calls it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::FullSpeed => "killed-at-full-speed",
            Kind::CatchingUp => "killed-while-catching-up",
            Kind::ToldToEnd => "told-to-end",
            Kind::Blocking => "killed-while-blocking",
        }
    }

    /// How its senders talk.
    fn manner(self) -> Manner {
        Manner { talks: true, everyone_in: EVERYONE_IN, blocks_in: (self == Kind::Blocking).then_some(BLOCKS_IN) }
    }
}

/// Plays one round.
pub(crate) fn play(kind: Kind, number: u64, seed: u64, launch: &Launch) -> Told<Tally> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let folder = Scratch::new().map_err(|error| format!("cannot make a folder: {error}"))?;
    let ticks = Ticks::default();
    let mut round = Round {
        kind,
        users: (0..USERS).map(|index| User::new(index, chance.fork(), &ticks)).collect(),
        launch: launch.clone(),
        data: folder.path().join("data"),
        server: None,
        starts: 0,
        pings: 0,
        tally: Tally::default(),
        chance,
    };
    let watchdog = async {
        smol::Timer::after(WATCHDOG).await;
        Err(format!("its {} seconds are up", WATCHDOG.as_secs()))
    };
    let played = smol::block_on(smol::future::or(round.play(), watchdog)).and_then(|()| round.verdict());
    match played {
        Ok(()) => Ok(round.tally),
        Err(why) => Err(round.failed(number, &why, folder)),
    }
}

struct Round {
    kind: Kind,
    chance: fastrand::Rng,
    users: Vec<User>,
    launch: Launch,
    data: PathBuf,
    server: Option<Server>,
    starts: u64,
    pings: usize,
    tally: Tally,
}

impl Round {
    async fn play(&mut self) -> Told<()> {
        self.start().await?;
        self.enter(Entry::Register).await?;
        self.switch_faults().await?;
        match self.kind {
            Kind::CatchingUp => {
                let owed = self.leave_mail().await?;
                let all: usize = owed.iter().sum();
                let moment = Moment::new(What::Reading, self.chance.usize(..=all / 2));
                let talks = self.chance.bool();
                self.end(moment, talks).await?;
                if (SENDERS..USERS).any(|user| (1..owed[user]).contains(&self.seen_now(user))) {
                    self.tally.ends_in_mail += 1;
                }
                self.come_back().await?;
            }
            Kind::FullSpeed | Kind::ToldToEnd | Kind::Blocking => {
                for _ in 0..1 + usize::from(self.chance.u8(..3) == 0) {
                    let moment = self.some_moment(1);
                    self.end(moment, true).await?;
                    if self.chance.u8(..3) == 0 {
                        self.end_while_coming_back().await?;
                    }
                    self.come_back().await?;
                }
            }
        }
        self.restart_changes_nothing().await
    }

    /// Starts a server on the round's data; with any number of shards, whatever the last one had.
    async fn start(&mut self) -> Told<()> {
        self.starts += 1;
        let args = ["--shards".to_owned(), self.chance.usize(1..=3).to_string()];
        let settings = Settings { data: &self.data, port: 0, seed: self.starts, epoch: EPOCH, args: &args };
        self.server = Some(Server::start(&self.launch, &settings).await.map_err(|trouble| trouble.to_string())?);
        // In the first life when everybody has come in: what goes wrong then is what is looked for.
        if self.starts > 1 { self.switch_faults().await } else { Ok(()) }
    }

    async fn switch_faults(&mut self) -> Told<()> {
        for fault in self.launch.faults.clone() {
            self.server()?.ask(&format!("fault {fault}")).await.map_err(|trouble| trouble.to_string())?;
        }
        Ok(())
    }

    fn server(&mut self) -> Told<&mut Server> {
        self.server.as_mut().ok_or_else(|| "there is no server".to_owned())
    }

    /// Everybody comes in, with all that was kept for them.
    async fn enter(&mut self, entry: Entry) -> Told<()> {
        let address = self.server()?.address;
        let (never, _) = Moment::new(What::Sending, usize::MAX);
        together(self.users.iter_mut().map(|user| user.enter(address, entry, &never))).await?;
        self.settle().await
    }

    /// The barrier: when this returns, everything that was sent has arrived.
    async fn settle(&mut self) -> Told<()> {
        self.pings += 1;
        let token = self.pings.to_string();
        let (never, _) = Moment::new(What::Sending, usize::MAX);
        together(self.users.iter_mut().filter(|user| user.is_sender()).map(|user| user.ping(&token, &never))).await?;
        let token = format!("{token}-all");
        together(self.users.iter_mut().map(|user| user.ping(&token, &never))).await
    }

    /// A moment in the middle of the talk: the larger `sooner`, the sooner.
    fn some_moment(&mut self, sooner: usize) -> (Moment, channel::Receiver<()>) {
        match self.chance.u8(..3) {
            0 => Moment::new(What::Acknowledgement, self.chance.usize(..ACKNOWLEDGED_MAX / sooner)),
            1 => Moment::new(What::Sending, self.chance.usize(..SENT_MAX / sooner)),
            _ => Moment::new(What::Reading, self.chance.usize(..READ_MAX / sooner)),
        }
    }

    /// The server starts again, and ends while everybody comes back and sends again.
    async fn end_while_coming_back(&mut self) -> Told<()> {
        self.start().await?;
        let address = self.server()?.address;
        let end = self.tally.ends;
        for sender in &mut self.users[..SENDERS] {
            sender.resends_after = Some(end);
        }
        together(self.users.iter_mut().map(|user| user.knock(address, Entry::Login))).await?;
        let moment = self.some_moment(SOONER);
        self.end(moment, true).await?;
        for sender in &mut self.users[..SENDERS] {
            sender.resends_after = None;
        }
        Ok(())
    }

    /// The receivers go away, the senders leave them mail, and the receivers ask for it. Says how much each is owed.
    async fn leave_mail(&mut self) -> Told<Vec<usize>> {
        let (never, _) = Moment::new(What::Sending, usize::MAX);
        together(self.users.iter_mut().filter(|user| !user.is_sender()).map(|user| user.leave(&never))).await?;
        let manner = Manner { everyone_in: EVERYONE_IN_MAIL, ..self.kind.manner() };
        together(self.users.iter_mut().filter(|user| user.is_sender()).map(|user| user.talk(MAIL, manner, &never))).await?;
        let mut owed = vec![0; USERS];
        for line in self.users.iter().flat_map(|user| &user.lines) {
            match line.to {
                To::Everyone => owed.iter_mut().for_each(|owed| *owed += 1),
                To::User(to) => owed[to] += 1,
            }
        }
        owed[..SENDERS].fill(0);
        let address = self.server()?.address;
        together(self.users.iter_mut().filter(|user| !user.is_sender()).map(|user| user.knock(address, Entry::Login))).await?;
        Ok(owed)
    }

    /// Goes on until the moment comes and the server has ended, as the round's kind says.
    async fn end(&mut self, (moment, rings): (Moment, channel::Receiver<()>), talks: bool) -> Told<()> {
        let mut server = self.server.take().ok_or("there is no server")?;
        let mut users = std::mem::take(&mut self.users);
        // On a thread of their own: the server must not always be killed when they have just had their turn.
        let manner = self.kind.manner();
        let lives = smol::unblock(move || {
            let lived = smol::block_on(together(users.iter_mut().map(|user| {
                let manner = Manner { talks: talks && user.is_sender(), ..manner };
                user.live(manner, &moment)
            })));
            (users, lived)
        });
        let _ = rings.recv().await;
        for _ in 0..1_u32 << self.chance.u32(..TURNS_LOG_MAX) {
            std::thread::yield_now();
        }
        if self.kind == Kind::ToldToEnd {
            let told = Instant::now();
            let status = server.stop().await.map_err(|error| format!("it cannot be told to end: {error}"))?;
            self.tally.slowest_end = self.tally.slowest_end.max(told.elapsed());
            if !status.success() {
                return Err(format!("told to end, it did with {status}: {}", server.tail().join("\n")));
            }
        } else {
            server.crash().await;
        }
        let (users, lived) = lives.await;
        self.users = users;
        lived?;
        self.note_end();
        Ok(())
    }

    fn note_end(&mut self) {
        let in_flight: usize = self.users.iter().map(|user| user.awaiting.len()).sum();
        let acknowledged = self.users.iter().flat_map(|user| &user.lines).any(|line| matches!(line.fate, Fate::Acknowledged(_)));
        self.tally.ends += 1;
        self.tally.ends_after_acks += usize::from(acknowledged);
        self.tally.ends_in_flight += usize::from(in_flight > 0);
        self.tally.indeterminate += in_flight;
        for user in &mut self.users {
            let most = match self.kind {
                Kind::FullSpeed | Kind::Blocking => IN_FLIGHT_MAX,
                // A page of mail is theirs when all of it has been written: a page or two may come again.
                Kind::CatchingUp => usize::MAX,
                Kind::ToldToEnd => 0,
            };
            if !speaks_json(user.index) {
                user.may_repeat.push((user.connections + 1, most));
            }
            if self.kind == Kind::ToldToEnd && user.closed.as_deref() != Some("shutdown") {
                user.wrong.push(format!("NOT TOLD: {} was disconnected and heard {:?} as the reason", user.name(), user.closed));
            }
        }
    }

    /// The server starts again; everybody comes back, sends again and goes on.
    async fn come_back(&mut self) -> Told<()> {
        self.start().await?;
        let address = self.server()?.address;
        let end = self.tally.ends;
        let (never, _) = Moment::new(What::Sending, usize::MAX);
        let manner = self.kind.manner();
        let afterwards = self.chance.usize(..=AFTERWARDS_MAX);
        together(self.users.iter_mut().map(|user| user.come_back(address, end, afterwards, manner, &never))).await?;
        self.settle().await
    }

    /// A restart in order: the same state, and nothing new for anybody.
    async fn restart_changes_nothing(&mut self) -> Told<()> {
        let before = self.digest().await?;
        self.stop().await?;
        let seen: Vec<usize> = self.users.iter().map(|user| user.seen.len()).collect();
        self.start().await?;
        let after = self.digest().await?;
        if before != after {
            return Err(format!("DIGEST: {before} before a restart in order and {after} after it"));
        }
        self.enter(Entry::Login).await?;
        for (user, before) in self.users.iter_mut().zip(seen) {
            if user.seen.len() > before {
                let more = user.seen.len() - before;
                user.wrong.push(format!(
                    "LATE: {} saw {more} messages more after a restart in order, first {:?}",
                    user.name(),
                    user.seen[before]
                ));
            }
        }
        self.stop().await
    }

    async fn digest(&mut self) -> Told<String> {
        let answer = self.server()?.ask("digest").await.map_err(|trouble| trouble.to_string())?;
        answer["digest"].as_str().map(str::to_owned).ok_or_else(|| format!("this is no digest: {answer}"))
    }

    /// Ends the server in order, while nobody talks.
    async fn stop(&mut self) -> Told<()> {
        let mut server = self.server.take().ok_or("there is no server")?;
        let (never, _) = Moment::new(What::Sending, usize::MAX);
        let quiet = Manner { talks: false, ..self.kind.manner() };
        let executor = LocalExecutor::new();
        let lives: Vec<_> = self.users.iter_mut().map(|user| executor.spawn(user.until_the_end(quiet, &never))).collect();
        let all = async {
            let status = server.stop().await.map_err(|error| format!("it cannot be told to end: {error}"))?;
            for life in lives {
                life.await?;
            }
            if status.success() { Ok(()) } else { Err(format!("told to end, it did with {status}: {}", server.tail().join("\n"))) }
        };
        executor.run(all).await
    }

    /// How much a user has seen on its present connection.
    fn seen_now(&self, user: usize) -> usize {
        let user = &self.users[user];
        user.seen.iter().filter(|seen| seen.connection == user.connections).count()
    }

    fn verdict(&mut self) -> Told<()> {
        let began = Instant::now();
        let violations = verdict::check(&self.users, &mut self.tally);
        self.tally.checking = began.elapsed();
        self.tally.rounds = 1;
        if violations.is_empty() { Ok(()) } else { Err(verdict::described(&violations)) }
    }

    /// The words for a round that failed; its data stays.
    fn failed(&mut self, number: u64, why: &str, folder: Scratch) -> String {
        let tail = self.server.as_ref().map(|server| server.tail().join("\n  ")).unwrap_or_default();
        let users: Vec<String> = self
            .users
            .iter()
            .map(|user| {
                let (name, connections, lines, waiting, seen) =
                    (user.name(), user.connections, user.lines.len(), user.awaiting.len(), user.seen.len());
                let own = user.seen.iter().filter(|seen| seen.connection == connections).count();
                format!("{name}: connection {connections}, {lines} sent, {waiting} unanswered, {seen} seen ({own} on it)")
            })
            .collect();
        let data = folder.keep();
        format!(
            "{why}\n\nafter {} ends and {} starts in round {number}:\n  {}\nthe data is in {}\nthe server said last:\n  {tail}",
            self.tally.ends,
            self.starts,
            users.join("\n  "),
            data.display()
        )
    }
}

/// Runs all of them at the same time, until all are done or one fails.
async fn together<'a>(all: impl Iterator<Item = impl Future<Output = Told<()>> + 'a>) -> Told<()> {
    let executor = LocalExecutor::new();
    let tasks: Vec<_> = all.map(|one| executor.spawn(one)).collect();
    executor
        .run(async {
            for task in tasks {
                task.await?;
            }
            Ok(())
        })
        .await
}
