//! A server as small as the protocol lets it be, so that what the harness says of failures does not change with what
//! the real server says. It can also do what no server should: `die`, `hang`.

#![allow(clippy::unwrap_used, reason = "a test program may stop at what it did not foresee")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::exit;
use std::sync::{Arc, Mutex};

use chinwag_wire::dialect::{self, Marks};
use chinwag_wire::refusal::code;
use chinwag_wire::{Addressee, Arrival, Event, Millis, Refusal, Said};
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
    let world = Arc::new(Mutex::new(World { kept, file, now, online: BTreeMap::new() }));
    let listener = TcpListener::bind(format!("127.0.0.1:{}", after(&args, "--port"))).unwrap();
    println!(r#"{{"listening":["{}"],"pid":{},"version":"0","fingerprint":"none"}}"#, listener.local_addr().unwrap(), std::process::id());
    let shared = Arc::clone(&world);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (stream, world) = (stream.unwrap(), Arc::clone(&shared));
            stream.set_nodelay(true).unwrap();
            std::thread::spawn(move || connection(number as u64, &stream, &world));
        }
    });
    control(&world)
}

fn control(world: &Mutex<World>) -> ! {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let mut world = world.lock().unwrap();
        let (command, rest) = chinwag_wire::split::word(&line);
        match command {
            "advance" => {
                world.now += chinwag_wire::time::read_duration(rest).unwrap().as_millis() as i64;
                println!(r#"{{"now":{}}}"#, world.now);
            }
            "now" => println!(r#"{{"now":{}}}"#, world.now),
            "quiesce" => println!(r#"{{"quiet":true}}"#),
            "digest" => println!(r#"{{"digest":"{}"}}"#, serde_json::to_string(&world.kept).unwrap().len()),
            "dump" => println!(r#"{{"online":{}}}"#, world.online.len()),
            _ => println!(r#"{{"error":"unknown"}}"#),
        }
    }
    exit(0)
}

fn connection(number: u64, stream: &TcpStream, world: &Mutex<World>) {
    let outbox = Arc::new(Mutex::new(Outbox { stream: stream.try_clone().unwrap(), dialect: 0 }));
    let mut me = None;
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let speaks = outbox.lock().unwrap().dialect;
        let text = String::from_utf8_lossy(&line).into_owned();
        let typed =
            if speaks == 0 { text } else { serde_json::from_str::<serde_json::Value>(&text).unwrap()["line"].as_str().unwrap().to_owned() };
        let events = command(&typed, &mut me, number, &outbox, &mut world.lock().unwrap());
        let mut outbox = outbox.lock().unwrap();
        let goodbye = events.contains(&Event::Goodbye);
        events.iter().for_each(|event| outbox.say(event));
        if goodbye {
            break;
        }
    }
    let mut world = world.lock().unwrap();
    if let Some(name) = me.filter(|name| world.online.get(name).is_some_and(|(online, _)| *online == number)) {
        world.online.remove(&name);
        let at = Millis(world.now);
        world.tell_others(&name, &Event::Presence { name: name.clone(), what: Arrival::LoggedOut, at });
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

fn command(typed: &str, me: &mut Option<String>, number: u64, outbox: &Arc<Mutex<Outbox>>, world: &mut World) -> Vec<Event> {
    let (name, rest) = chinwag_wire::split::word(typed);
    let (first, more) = chinwag_wire::split::word(rest);
    let refuse = |code, text: String| vec![Event::Refusal(Refusal::new(code, text))];
    match name {
        "ping" => vec![Event::Pong { token: rest.to_owned() }],
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
            let said = Said { seq, at, from: me.clone().unwrap_or_default(), to: to.clone(), text: more.to_owned(), offline: false };
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
        "token" => vec![Event::Token { token: "tok-1".into(), expires: Millis(world.now) }],
        _ => refuse(code::UNKNOWN_COMMAND, format!("there is no command `{name}`")),
    }
}
