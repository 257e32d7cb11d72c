//! What a person at the terminal feels, measured with the real client in a real terminal: how long until the prompt is there, how long
//! from a key to the screen while a busy room talks, and what a long day costs in memory. Prints; judges nothing.

#[path = "../tests/client/scripted.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod scripted;
#[path = "../tests/client/terminal.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod terminal;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use scripted::{Connection, Server};
use terminal::{Setup, Terminal};

/// How busy the room is.
const LINES_PER_SECOND: u64 = 10_000;
/// How often keys are pressed, and how many: somebody who types fast, for a quarter of a minute.
const KEY_EVERY: Duration = Duration::from_millis(50);
const KEYS: usize = 300;
/// How many lines a long day has.
const LONG_DAY: u64 = 1_000_000;
const STARTS: usize = 20;

fn main() {
    println!("start to prompt, {STARTS} times: {}", told(&mut (0..STARTS).map(|_| start().2).collect::<Vec<_>>()));
    let (terminal, link, _) = start();
    println!("memory at the prompt: {} KiB", resident(&terminal));
    println!("processor time while nothing happens for 10 s: {} ms", idle(&terminal));
    keys(&terminal, link);
    long_day();
}

/// A client at its prompt, and how long that took.
fn start() -> (Terminal, Connection, Duration) {
    let server = Server::listen();
    let begun = Instant::now();
    let terminal = Setup::new(100).run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    (terminal, link, begun.elapsed())
}

/// Milliseconds of processor time in ten seconds of silence.
fn idle(terminal: &Terminal) -> u64 {
    let spent = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", terminal.id())).unwrap_or_default();
        let fields: Vec<u64> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().filter_map(|field| field.parse().ok()).collect();
        // utime and stime, in hundredths of a second; the state before them is no number.
        fields.get(10).zip(fields.get(11)).map_or(0, |(user, system)| (user + system) * 10)
    };
    let before = spent();
    thread::sleep(Duration::from_secs(10));
    spent() - before
}

fn line(seq: u64) -> String {
    format!(
        "{{\"type\":\"message\",\"seq\":{seq},\"at\":1709200800000,\"from\":\"user{}\",\"to\":\"everyone\",\"text\":\"line {seq} of a room where everybody talks at the same time\"}}\n",
        seq % 50
    )
}

fn keys(terminal: &Terminal, mut link: Connection) {
    let (over, said) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (stop, count) = (Arc::clone(&over), Arc::clone(&said));
    let room = thread::spawn(move || {
        let begun = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let due = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX) * LINES_PER_SECOND / 1000;
            let from = count.load(Ordering::Relaxed);
            let lines: String = (from..due).map(|seq| line(seq + 100)).collect();
            link.say_raw(lines.as_bytes());
            count.store(due.max(from), Ordering::Relaxed);
            thread::sleep(Duration::from_millis(10));
        }
        (begun.elapsed(), link)
    });
    thread::sleep(Duration::from_secs(2));
    let mut waits = Vec::new();
    for number in 0..KEYS {
        let key = char::from(b'a' + u8::try_from(number % 26).unwrap_or(0));
        // The prompt holds one letter at a time: what is looked for is short.
        terminal.types(&format!("\u{15}{key}"));
        let pressed = Instant::now();
        terminal.wait("the key is on the screen", |screen| terminal::last_row(screen).starts_with(&format!("alice> {key}")));
        waits.push(pressed.elapsed());
        thread::sleep(KEY_EVERY);
    }
    over.store(true, Ordering::Relaxed);
    let (took, _link) = room.join().expect("no panic");
    println!(
        "key to screen while {:.0} lines a second come in, {KEYS} times: {}",
        said.load(Ordering::Relaxed) as f64 / took.as_secs_f64(),
        told(&mut waits)
    );
}

fn long_day() {
    let (terminal, mut link, _) = start();
    let before = resident(&terminal);
    let begun = Instant::now();
    for thousand in 0..LONG_DAY / 1000 {
        let lines: String = (thousand * 1000..(thousand + 1) * 1000).map(|seq| line(seq + 100)).collect();
        link.say_raw(lines.as_bytes());
    }
    terminal.shows(&format!("line {} of", LONG_DAY + 99));
    let took = begun.elapsed();
    println!(
        "{LONG_DAY} lines: taken in {:.1} s ({:.0} a second); memory {before} → {} KiB, at most {} KiB",
        took.as_secs_f64(),
        LONG_DAY as f64 / took.as_secs_f64(),
        resident(&terminal),
        memory(&terminal, "VmHWM:")
    );
}

fn resident(terminal: &Terminal) -> u64 {
    memory(terminal, "VmRSS:")
}

fn memory(terminal: &Terminal, what: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", terminal.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Half, nearly all, and the longest.
fn told(waits: &mut [Duration]) -> String {
    waits.sort();
    let at = |part: usize| waits[(waits.len() * part / 100).min(waits.len() - 1)].as_secs_f64() * 1000.0;
    format!("p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms", at(50), at(99), at(100))
}
