//! A server as small as the protocol lets it be, so that what the harness says of failures does not change with what
//! the real server says. It can also do what no server should: `die`, `hang`.

#![allow(clippy::unwrap_used, reason = "a test program may stop at what it did not foresee")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::exit;
use std::sync::{Arc, Mutex};

use chinwag_wire::dialect::{self, Marks};
use chinwag_wire::refusal::code;
use chinwag_wire::{Addressee, Arrival, Event, Millis, Refusal, Said};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

/// With this in its environment a test program is this server.
pub(crate) const FAKE: &str = "CHINWAG_HARNESS_FAKE";

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    passwords: BTreeMap<String, String>,
    mail: Vec<(String, Said)>,
    seq: u64,
}

struct World {
    kept: Kept,
    file: PathBuf,
    now: i64,
    online: BTreeMap<String, (u64, Arc<Mutex<Outbox>>)>,
}

struct Outbox {
    stream: TcpStream,
    dialect: usize,
}

impl Outbox {
    fn say(&mut self, event: &Event) {
        let mut bytes = Vec::new();
        dialect::ALL[self.dialect].answer(event, &Marks::default(), false, &mut bytes);
        let _ = self.stream.write_all(&bytes);
    }
}

impl World {
    fn keep(&self) {
        std::fs::write(&self.file, serde_json::to_vec(&self.kept).unwrap()).unwrap();
        std::fs::set_permissions(&self.file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn tell_others(&self, name: &str, event: &Event) {
        for (_, outbox) in self.online.iter().filter(|(other, _)| *other != name).map(|(_, online)| online) {
            outbox.lock().unwrap().say(event);
        }
    }
}

fn after(args: &[String], flag: &str) -> String {
    args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1)).cloned().unwrap_or_default()
}

pub(crate) fn serve() -> ! {
    let args: Vec<String> = std::env::args().collect();
    eprintln!("the fake server starts");
    if args.iter().any(|arg| arg == "--refuse-to-start") {
        eprintln!("error: I was told not to start");
        exit(3);
    }
    let file = PathBuf::from(after(&args, "--data")).join("state.json");
    let kept = std::fs::read(&file).ok().and_then(|kept| serde_json::from_slice(&kept).ok()).unwrap_or_default();
    let now = after(&args, "--epoch").parse().unwrap();
    let mut world = World { kept, file, now, online: BTreeMap::new() };
    let listener = TcpListener::bind(format!("127.0.0.1:{}", after(&args, "--port"))).unwrap();
    listener.set_nonblocking(true).unwrap();
    println!(r#"{{"listening":["{}"],"pid":{},"version":"0","fingerprint":"none"}}"#, listener.local_addr().unwrap(), std::process::id());
    let mut callers = Callers { listener, all: Vec::new(), accepted: 0 };
    let mut control = Lines::default();
    // Without a buffer in between, which poll would not know of.
    let mut stdin = std::fs::File::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    loop {
        // One thread sees to everything, sockets first: so "quiet" can be answered from what the kernel says.
        wait(&callers, Some(stdin.as_fd()));
        callers.serve(&mut world);
        if !ready(stdin.as_fd()) {
            continue;
        }
        let Some(lines) = control.read(&mut stdin) else { exit(0) };
        for line in lines {
            obey(&String::from_utf8_lossy(&line), &mut world, &mut callers);
        }
    }
}

/// Bytes that are not a whole line yet.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// The lines that one read completes; none any more at the end.
    fn read(&mut self, from: &mut impl Read) -> Option<Vec<Vec<u8>>> {
        let mut bytes = [0; 4096];
        let count = from.read(&mut bytes).ok().filter(|count| *count > 0)?;
        self.0.extend_from_slice(&bytes[..count]);
        let whole = self.0.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Some(
            self.0
                .drain(..whole)
                .collect::<Vec<u8>>()
                .split_inclusive(|byte| *byte == b'\n')
                .map(|line| line[..line.len() - 1].to_vec())
                .collect(),
        )
    }
}

struct Caller {
    number: u64,
    outbox: Arc<Mutex<Outbox>>,
    stream: TcpStream,
    lines: Lines,
    me: Option<String>,
}

struct Callers {
    listener: TcpListener,
    all: Vec<Caller>,
    accepted: u64,
}

fn ready(fd: BorrowedFd<'_>) -> bool {
    poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&Timespec::default())).unwrap() > 0
}

/// Waits until something can be read, from the control channel too if it is given.
fn wait(callers: &Callers, control: Option<BorrowedFd<'_>>) {
    let sockets = callers.all.iter().map(|caller| caller.stream.as_fd());
    let all = control.into_iter().chain([callers.listener.as_fd()]).chain(sockets);
    let mut all: Vec<PollFd<'_>> = all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    poll(&mut all, None).unwrap();
}

impl Callers {
    /// Does what can be done now, until nothing is left to be read.
    fn serve(&mut self, world: &mut World) {
        loop {
            let before = self.accepted;
            while let Ok((stream, _)) = self.listener.accept() {
                stream.set_nonblocking(false).unwrap();
                stream.set_nodelay(true).unwrap();
                let outbox = Arc::new(Mutex::new(Outbox { stream: stream.try_clone().unwrap(), dialect: 0 }));
                self.all.push(Caller { number: self.accepted, outbox, stream, lines: Lines::default(), me: None });
                self.accepted += 1;
            }
            let waiting: Vec<usize> = (0..self.all.len()).filter(|at| ready(self.all[*at].stream.as_fd())).collect();
            if waiting.is_empty() && self.accepted == before {
                return;
            }
            for at in waiting.into_iter().rev() {
                if !self.all[at].goes_on(world) {
                    self.all.remove(at).ends(world);
                }
            }
        }
    }
}

impl Caller {
    /// Reads once and does what the lines say; whether there can be more of them.
    fn goes_on(&mut self, world: &mut World) -> bool {
        let Some(lines) = self.lines.read(&mut self.stream) else { return false };
        for line in lines {
            let speaks = self.outbox.lock().unwrap().dialect;
            let text = String::from_utf8_lossy(&line).into_owned();
            let typed = if speaks == 0 {
                text
            } else {
                serde_json::from_str::<serde_json::Value>(&text).unwrap()["line"].as_str().unwrap().to_owned()
            };
            let events = command(&typed, &mut self.me, self.number, &self.outbox, world);
            let mut outbox = self.outbox.lock().unwrap();
            events.iter().for_each(|event| outbox.say(event));
            if events.contains(&Event::Goodbye) {
                return false;
            }
        }
        true
    }

    fn ends(self, world: &mut World) {
        if let Some(name) = self.me.filter(|name| world.online.get(name).is_some_and(|(online, _)| *online == self.number)) {
            world.online.remove(&name);
            let at = Millis(world.now);
            world.tell_others(&name, &Event::Presence { name: name.clone(), what: Arrival::LoggedOut, at });
        }
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

fn obey(line: &str, world: &mut World, callers: &mut Callers) {
    let (command, rest) = chinwag_wire::split::word(line);
    match command {
        "advance" => {
            world.now += chinwag_wire::time::read_duration(rest).unwrap().as_millis() as i64;
            println!(r#"{{"now":{}}}"#, world.now);
        }
        "now" => println!(r#"{{"now":{}}}"#, world.now),
        "quiesce" => {
            callers.serve(world);
            println!(r#"{{"quiet":true}}"#);
        }
        "digest" => println!(r#"{{"digest":"{}"}}"#, serde_json::to_string(&world.kept).unwrap().len()),
        "metrics" => println!(r#"{{"online":{},"seq":{}}}"#, world.online.len(), world.kept.seq),
        "dump" => println!(r#"{{"online":{}}}"#, world.online.len()),
        _ => println!(r#"{{"error":"unknown"}}"#),
    }
}

fn command(typed: &str, me: &mut Option<String>, number: u64, outbox: &Arc<Mutex<Outbox>>, world: &mut World) -> Vec<Event> {
    let (name, rest) = chinwag_wire::split::word(typed.strip_prefix('/').unwrap_or(typed));
    let (first, more) = chinwag_wire::split::word(rest);
    let refuse = |code, text: String| vec![Event::Refusal(Refusal::new(code, text))];
    match name {
        "ping" => vec![Event::Pong { token: rest.to_owned() }],
        "grumble" => {
            eprintln!("2026-01-01T00:00:00Z  WARN {rest}");
            vec![Event::Done]
        }
        "die" => {
            eprintln!("thread 'main' panicked: the fake server was told to die");
            exit(101)
        }
        "hang" => loop {
            std::thread::park();
        },
        "dialect" => {
            outbox.lock().unwrap().dialect = dialect::index_of(rest).unwrap();
            vec![Event::Hello { server: "fake".into(), log: "1".into(), now: Millis(world.now) }, Event::Dialect { name: rest.to_owned() }]
        }
        "register" | "login" => {
            let registered = name == "register";
            if registered {
                world.kept.passwords.insert(first.to_owned(), more.to_owned());
                world.keep();
            } else if world.kept.passwords.get(first).map(String::as_str) != Some(more) {
                return refuse(code::WRONG_PASSWORD, format!("the password of `{first}` is another"));
            }
            *me = Some(first.to_owned());
            world.online.insert(first.to_owned(), (number, Arc::clone(outbox)));
            let at = Millis(world.now);
            world.tell_others(first, &Event::Presence { name: first.to_owned(), what: Arrival::LoggedIn, at });
            let mut events = vec![Event::Welcome { name: first.to_owned(), registered, guest: false, seq: world.kept.seq }];
            let (mine, others) = std::mem::take(&mut world.kept.mail).into_iter().partition(|(to, _)| to == first);
            world.kept.mail = others;
            world.keep();
            let mine: Vec<(String, Said)> = mine;
            events.extend(mine.into_iter().map(|(_, said)| Event::Message(Said { offline: true, ..said })));
            events
        }
        "logout" => vec![Event::Goodbye],
        "message" => {
            world.kept.seq += 1;
            let (seq, at, to) = (world.kept.seq, Millis(world.now), Addressee::User(first.to_owned()));
            let said = Said { seq, at, from: me.clone().unwrap_or_default(), to: to.clone(), text: more.to_owned(), ..Said::default() };
            if !world.kept.passwords.contains_key(first) {
                return refuse(code::NO_SUCH_USER, format!("nobody here is called `{first}`"));
            }
            let kept = match world.online.get(first) {
                Some((_, theirs)) if Arc::ptr_eq(theirs, outbox) => return refuse(code::YOURSELF, "that is you".to_owned()),
                Some((_, theirs)) => {
                    theirs.lock().unwrap().say(&Event::Message(said));
                    false
                }
                None => {
                    world.kept.mail.push((first.to_owned(), said));
                    true
                }
            };
            world.keep();
            vec![Event::Sent { seq, at, to, kept, missed: false, again: false }]
        }
        // Wrong the first time that it is asked, whichever server is asked.
        "flip" if std::path::Path::new(rest).exists() => vec![Event::Done],
        "flip" => {
            std::fs::write(rest, "").unwrap();
            refuse(code::BUSY, "not the first time".to_owned())
        }
        "token" => vec![Event::Token { token: "tok-1".into(), expires: Millis(world.now) }],
        "seeded" => vec![Event::Token {
            token: format!("tok-{}-of-this-seed", after(&std::env::args().collect::<Vec<_>>(), "--seed")),
            expires: Millis(world.now),
        }],
        _ => refuse(code::UNKNOWN_COMMAND, format!("there is no command `{name}`")),
    }
}
