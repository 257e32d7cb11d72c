//! The stage: the small world in which the examples of commands are run.
//!
//! alice, bob and carol are online; dave is away; erin is online and blocks alice; carol is an operator. Everyone's
//! password is `secret`, the clock stands at 2026-01-01 00:00:00Z, and the dice are loaded. In an example,
//!
//! - `alice> /message bob hi` types a line; any other name is a new connection where nobody is logged in yet,
//!   but `console`, which is the server's console;
//! - `alice, bob | text` is what they see, each in the order it is listed, in the dialect `text`;
//! - `in den: bob, carol as Caz` has these be in a room, of which the first is the owner;
//! - `in private: bob asks alice`, `in private: alice, bob` and `in private: alice relays bob` have these ask, have a private
//!   chat, and have agreed that it goes through the server; `OFFER` and `TICKET` stand for what a client offers, and for
//!   what the first of them was given;
//! - a blank line sets a new stage.
//!
//! Whatever is not listed must not be seen. An example types its own command only, so that a server without the
//! others still passes; stories of several commands are scenarios.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chinwag_wire::dialect::{self, Line, Marks};
use chinwag_wire::{Event, Fingerprint, Millis, Offer, Refusal, Token};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::command::AnyCommand;
use crate::ctx::Caller;
use crate::dispatch::dispatch;
use crate::hall::{Act, CONSOLE_NAME, Departure, Hall, Intent, Loaded, Policy, RoomId, SessionId, UserId};
use crate::network;
use crate::passwords::{Cost, Passwords};
use crate::registry::{Registry, unindented};
use crate::sequencer::{Output, Release, Sequencer, Shards};
use crate::server::{Change, Host, Library, Parts, Server, Settings, unreadable};
use crate::store::memory::Memory;
use crate::store::{DeedLine, Page, Question, Reader};

/// When every example plays.
pub const NOW: Millis = Millis(1_767_225_600_000);

/// Everyone's password.
pub const PASSWORD: &str = "secret";

const ONLINE: [&str; 4] = ["alice", "bob", "carol", "erin"];
const AWAY: &str = "dave";
const OPERATOR: &str = "carol";

/// What `TICKET` stands for.
const TICKET: Token = Token([0x71; 32]);

/// What `OFFER` stands for.
fn an_offer() -> Offer {
    let address = (Ipv4Addr::new(192, 0, 2, 1), 40712).into();
    Offer { fingerprint: Fingerprint([0xa1; 32]), token: Token([0x5e; 32]), addresses: vec![address] }
}

/// Where everyone on the stage comes from.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Runs every example of every command, each on a stage of its own.
///
/// # Errors
/// For each example that did not go as written, the chat log as it went, ready to paste.
///
/// # Panics
/// When the system gives no thread for the hashing of passwords.
pub fn check_examples(registry: &Registry) -> Result<(), String> {
    let mut wrong = String::new();
    for command in registry.commands() {
        for example in unindented(command.spec().examples).split("\n\n") {
            if let Err(report) = check_example(registry, command, example) {
                let _ = writeln!(wrong, "{report}");
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn check_example(registry: &Registry, command: &dyn AnyCommand, example: &str) -> Result<(), String> {
    let mut stage = Stage::set(registry);
    let name = command.spec().name;
    let mut as_it_went = String::new();
    let mut expected: Vec<(String, String)> = Vec::new();
    for line in example.lines() {
        if let Some((room, who)) = line.strip_prefix("in ").and_then(|scene| scene.split_once(": ")) {
            let _ = writeln!(as_it_went, "{line}");
            if room == "private" {
                stage.draw_aside(who);
            } else {
                stage.fill(room, who.split(", "));
            }
        } else if let Some((who, typed)) = line.split_once("> ").filter(|(who, _)| is_name(who)) {
            let _ = writeln!(as_it_went, "{line}");
            for (who, seen) in stage.types(who, typed) {
                let _ = writeln!(as_it_went, "{who} | {seen}");
            }
        } else if let Some((who, seen)) = line.split_once(" | ") {
            expected.extend(who.split(", ").map(|who| (who.to_owned(), seen.to_owned())));
        } else {
            return Err(format!("{name}: `{line}` is neither `NAME> LINE` nor `NAME | TEXT`"));
        }
    }
    // What matters is what each of them sees, in which order; not who sees first.
    let mut seen = stage.seen;
    expected.sort_by(|(a, _), (b, _)| a.cmp(b));
    seen.sort_by(|(a, _), (b, _)| a.cmp(b));
    if expected == seen {
        Ok(())
    } else {
        Err(format!("an example of `{name}` did not go as written; it went:\n{as_it_went}\nwritten:\n{example}\n"))
    }
}

fn is_name(who: &str) -> bool {
    who.bytes().all(|b| b.is_ascii_alphanumeric())
}

struct Player {
    name: String,
    caller: Caller,
    user: Option<UserId>,
    rooms: Vec<RoomId>,
}

impl Player {
    fn is_console(&self) -> bool {
        self.caller.session == SessionId::CONSOLE
    }
}

struct Stage {
    server: Arc<Server>,
    memory: Memory,
    released: Released,
    players: Vec<Player>,
    seen: Vec<(String, String)>,
    /// Whose connections the server ends.
    sent_away: Vec<SessionId>,
}

/// What has been released and not been looked at.
#[derive(Clone, Default)]
struct Released(Arc<Mutex<Vec<Release>>>);

impl Shards for Released {
    fn release(&self, _: usize, release: Release) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(release);
    }
}

impl Library for Memory {
    fn read(&self, question: Question) -> std::pin::Pin<Box<dyn Future<Output = Result<Page, Refusal>> + Send + '_>> {
        let mut reader = self.clone();
        Box::pin(async move { Reader::read(&mut reader, &question).map_err(|_| unreadable()) })
    }

    fn deeds(&self, count: usize) -> std::pin::Pin<Box<dyn Future<Output = Result<Vec<DeedLine>, Refusal>> + Send + '_>> {
        let mut reader = self.clone();
        Box::pin(async move { Reader::deeds(&mut reader, count).map_err(|_| unreadable()) })
    }
}

/// The program around the stage: nothing in it ever changes.
struct Scenery;

impl Host for Scenery {
    fn reload(&self, _: SessionId) -> Result<Vec<Change>, Vec<String>> {
        Ok(Vec::new())
    }

    fn certificate(&self) -> (String, Option<Millis>) {
        ("SHA256:5d41402abc4b2a76".to_owned(), Some(NOW.plus(Duration::from_secs(90 * 24 * 3600))))
    }

    fn back_up(&self, into: &Path) -> Result<u64, String> {
        if into.is_absolute() { Ok(0) } else { Err(format!("`{}` does not begin with `/`: say the whole path", into.display())) }
    }
}

impl Stage {
    fn set(registry: &Registry) -> Stage {
        let (clock, chance) = (Arc::new(Clock::standing_at(NOW)), Arc::new(Chance::seeded(1)));
        let (memory, released) = (Memory::default(), Released::default());
        let hall = Hall::load(Policy::default(), Loaded::default());
        let sequencer = Sequencer::new(hall, true, Arc::clone(&clock), 1, Box::new(released.clone()));
        let server = Server::new(Parts {
            registry: registry.again(),
            sequencer: Arc::new(sequencer),
            library: Box::new(memory.clone()),
            passwords: Passwords::start(1, Cost::CHEAP, &chance).expect("there is a thread for one hasher"),
            clock,
            chance,
            settings: Settings { guests: true, ..Settings::default() },
            log: "stage".to_owned(),
            tally: Arc::default(),
        });
        server.set_host(Arc::new(Scenery));
        let mut stage = Stage { server: Arc::new(server), memory, released, players: Vec::new(), seen: Vec::new(), sent_away: Vec::new() };
        let password = smol::block_on(stage.server.passwords.hash(PASSWORD.to_owned())).expect("the queue is empty");
        for name in ONLINE.into_iter().chain([AWAY]) {
            let session = stage.player(name).caller.session;
            stage.act(
                session,
                Act::Register {
                    name: name.to_owned(),
                    password: password.clone(),
                    invite: None,
                    address: HERE,
                    acknowledges: false,
                    private: true,
                },
            );
        }
        let session = stage.player(AWAY).caller.session;
        stage.act(session, Act::Leave { how: Departure::LoggedOut, seen: Some(u64::MAX) });
        let alice = stage.player("alice").user;
        let session = stage.player("erin").caller.session;
        if let Some(whom) = alice {
            stage.act(session, Act::Block { whom });
        }
        if let Some(user) = stage.player(OPERATOR).user {
            stage.act(SessionId::CONSOLE, Act::SetOperator { user, operator: true });
        }
        stage.seen.clear();
        stage
    }

    fn player(&mut self, name: &str) -> &mut Player {
        if let Some(at) = self.players.iter().position(|player| player.name == name) {
            return &mut self.players[at];
        }
        let session = if name == CONSOLE_NAME { SessionId::CONSOLE } else { SessionId::new(self.players.len() as u64 + 1, 0) };
        let caller = Caller { session, address: HERE, ..Caller::console(0) };
        self.players.push(Player { name: name.to_owned(), caller, user: None, rooms: Vec::new() });
        self.players.last_mut().expect("one has just been pushed")
    }

    fn act(&mut self, origin: SessionId, act: Act) {
        self.server.submit(Intent { origin, act }).expect("the stage is set with what is allowed");
        self.commit();
    }

    /// Has these be in a room, as it has been for a while: the first has made it. `bob as Bobby` is called otherwise.
    fn fill<'a>(&mut self, room: &str, who: impl Iterator<Item = &'a str>) {
        for one in who {
            let (one, nick) = one.split_once(" as ").map_or((one, None), |(one, nick)| (one, Some(nick.to_owned())));
            let session = self.player(one).caller.session;
            let known = self.server.view(session, |view| view.room(room).ok().map(|(id, _)| id));
            self.act(
                session,
                match known {
                    Some(room) => Act::JoinRoom { room, nick, password: None },
                    None => Act::CreateRoom { name: room.to_owned(), nick },
                },
            );
        }
        self.seen.clear();
    }

    /// Has two ask, have a private chat, or have it go through the server.
    fn draw_aside(&mut self, who: &str) {
        let Some((verb, one, other)) =
            ["asks", "relays", ","].iter().find_map(|verb| who.split_once(verb).map(|(one, other)| (*verb, one.trim(), other.trim())))
        else {
            return;
        };
        let (first, second) = (self.player(one).caller.session, self.player(other).caller.session);
        let (Some(whom), Some(by)) = (self.player(other).user, self.player(one).user) else { return };
        let offer = || Some(Box::new(an_offer()));
        self.act(first, Act::AskPrivate { whom, offer: offer() });
        if verb != "asks" {
            self.act(second, Act::AcceptPrivate { whom: by, offer: offer() });
        }
        if verb == "relays" {
            self.act(first, Act::RelayPrivate { whom, ticket: TICKET });
            self.act(second, Act::RelayPrivate { whom: by, ticket: Token([2; 32]) });
        }
        self.seen.clear();
    }

    /// Types a line and tells what everyone sees of it.
    fn types(&mut self, who: &str, typed: &str) -> Vec<(String, String)> {
        let before = self.seen.len();
        let mut caller = self.player(who).caller.clone();
        let typed = typed.replace("OFFER", &an_offer().to_string()).replace("TICKET", &TICKET.to_string());
        let line = Line { text: typed.into(), marks: Marks::default() };
        let server = Arc::clone(&self.server);
        let answer = {
            let mut dispatched = std::pin::pin!(dispatch(&server, &mut caller, &line));
            loop {
                if let Some(answer) = smol::block_on(smol::future::poll_once(&mut dispatched)) {
                    break answer;
                }
                // It waits for a hash, or for somebody to leave, which nobody does before it is committed.
                self.commit();
                std::thread::yield_now();
            }
        };
        if let Some(answer) = answer {
            self.server.sequencer.reply(caller.session, caller.dialect, answer.bytes(caller.dialect, &Marks::default()));
        }
        if let Some(how) = caller.leaving {
            self.server.leave(caller.session, how, Some(u64::MAX));
        }
        self.player(who).caller = caller;
        self.commit();
        self.seen[before..].to_vec()
    }

    fn commit(&mut self) {
        self.server.sequencer.commit_now(&mut self.memory);
        let released = std::mem::take(&mut *self.released.0.lock().unwrap_or_else(PoisonError::into_inner));
        for output in released.into_iter().flat_map(|release| release.outputs) {
            self.show(output);
        }
        // They leave when they have heard that they are to.
        let sent_away = std::mem::take(&mut self.sent_away);
        for session in &sent_away {
            self.server.leave(*session, Departure::Disconnected, Some(u64::MAX));
        }
        if !sent_away.is_empty() {
            self.commit();
        }
    }

    fn show(&mut self, output: Output) {
        match output {
            Output::See { session, spoken } => {
                if let Some(player) = self.players.iter().find(|player| player.caller.session == session) {
                    see(&mut self.seen, &player.name, spoken.bytes(player.caller.dialect));
                }
            }
            Output::SeeAll { spoken, but } => {
                for player in self.players.iter().filter(|player| player.user.is_some_and(|user| !but.contains(&user))) {
                    see(&mut self.seen, &player.name, spoken.bytes(player.caller.dialect));
                }
            }
            Output::Reply { session, bytes, .. } => {
                if let Some(player) = self.players.iter().find(|player| player.caller.session == session) {
                    see(&mut self.seen, &player.name, &bytes);
                }
            }
            Output::Attach { session, user, .. } => {
                if let Some(player) = self.players.iter_mut().find(|player| player.caller.session == session) {
                    player.user = Some(user);
                }
            }
            // There are no wires on the stage, and no sockets.
            Output::LastWord { .. } | Output::Answer { .. } | Output::EndRelay { .. } => {}
            Output::SeeRoom { room, spoken, but } => {
                let hears = |player: &&Player| player.rooms.contains(&room) && player.user.is_some_and(|user| !but.contains(&user));
                for player in self.players.iter().filter(hears) {
                    see(&mut self.seen, &player.name, spoken.bytes(player.caller.dialect));
                }
            }
            Output::Enter { session, room } => {
                if let Some(player) = self.players.iter_mut().find(|player| player.caller.session == session) {
                    player.rooms.push(room);
                }
            }
            Output::Exit { session, room } => {
                if let Some(player) = self.players.iter_mut().find(|player| player.caller.session == session) {
                    player.rooms.retain(|other| *other != room);
                }
            }
            Output::Signal { waiter } => drop(waiter.try_send(())),
            Output::Detach { session, last_word } => {
                if let Some(player) = self.players.iter_mut().find(|player| player.caller.session == session) {
                    player.user = None;
                    if let Some(because) = last_word {
                        hear_the_end(&mut self.seen, player, because);
                        self.sent_away.push(session);
                    }
                }
            }
            Output::Expel { network, because } => {
                let from_there = |player: &&mut Player| network::of(player.caller.address) == network && !player.is_console();
                for player in self.players.iter_mut().filter(from_there) {
                    hear_the_end(&mut self.seen, player, because.clone());
                    self.sent_away.push(player.caller.session);
                }
            }
        }
    }
}

fn hear_the_end(seen: &mut Vec<(String, String)>, player: &mut Player, because: Refusal) {
    player.user = None;
    let mut bytes = Vec::new();
    dialect::ALL[player.caller.dialect].event(&Event::Closing(because), &mut bytes);
    see(seen, &player.name, &bytes);
}

fn see(seen: &mut Vec<(String, String)>, name: &str, bytes: &[u8]) {
    seen.extend(String::from_utf8_lossy(bytes).lines().map(|line| (name.to_owned(), line.to_owned())));
}
