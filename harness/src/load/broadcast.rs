//! Fan-out: a few senders say something to everyone, a bounded number of messages is under way at a time, and every
//! receiver's order is checked against every other's.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::crowd::{Crowd, name, unexpected};
use super::machine::{Loopback, Usage};
use super::process::Process;
use super::table::{Latency, Sample};

/// How long a line is that a client sends, with its line ending.
pub(crate) const LINE_BYTES: usize = 128;

/// The longest wait for something to come, so that the loopback is measured all through.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// How a room is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// How many get each message.
    pub(crate) receivers: usize,
    /// How many take turns in saying something.
    pub(crate) senders: usize,
    /// How many messages are under way at most.
    pub(crate) in_flight: usize,
    /// How many more there are that have stopped reading.
    pub(crate) stalled: usize,
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Length {
    /// Before it counts.
    pub(crate) warm_up: Duration,
    /// While it counts.
    pub(crate) measured: Duration,
}

/// What is known about the messages so far.
struct Talk {
    shape: Shape,
    /// Those that only listen come first.
    listeners: usize,
    /// All messages, in the order that the first listener heard them.
    order: Vec<u32>,
    /// How many messages each listener has heard.
    heard: Vec<usize>,
    /// The last message of each sender that each sender heard.
    last: Vec<Vec<Option<u32>>>,
    /// Who said each message.
    sender: Vec<u8>,
    said_at: Vec<Instant>,
    /// How many have each message; the sender counts when it has the answer.
    arrived: Vec<usize>,
    /// What each sender waits to have acknowledged.
    unacknowledged: Vec<VecDeque<u32>>,
    complete: usize,
    deliveries: u64,
    latency: Latency,
}

/// Has a room talk, and measures.
pub(crate) fn run(process: &mut Process, crowd: &mut Crowd, shape: Shape, length: Length, loopback: &mut Loopback) -> io::Result<Sample> {
    // Each message goes to everyone but its sender.
    let listeners = shape.receivers + 1 - shape.senders;
    let members = listeners + shape.senders;
    crowd.connect(process.address, members + shape.stalled)?;
    crowd.register_all()?;
    for stalled in members..crowd.len() {
        crowd.stall(stalled)?;
    }
    let begin = Instant::now();
    let mut talk = Talk {
        shape,
        listeners,
        order: Vec::new(),
        heard: vec![0; listeners],
        last: vec![vec![None; shape.senders]; shape.senders],
        sender: Vec::new(),
        said_at: Vec::new(),
        arrived: Vec::new(),
        unacknowledged: vec![VecDeque::new(); shape.senders],
        complete: 0,
        deliveries: 0,
        latency: Latency::default(),
    };
    let (count_from, stop_at) = (begin + length.warm_up, begin + length.warm_up + length.measured);
    let mut counted: Option<(Instant, Usage, u64, u64, usize)> = None;
    let mut line = Vec::with_capacity(LINE_BYTES);
    loop {
        let now = Instant::now();
        if now >= stop_at {
            break;
        }
        if counted.is_none() && now >= count_from {
            talk.latency = Latency::default();
            loopback.take();
            let commits = process.commits()?;
            counted = Some((Instant::now(), process.usage()?, talk.deliveries, commits, talk.complete));
        }
        loopback.tick(now)?;
        while talk.said_at.len() - talk.complete < shape.in_flight {
            let by = talk.say(now, &mut line);
            crowd.say(by, &line);
        }
        crowd.turn(TICK, |who, line, now| talk.hear(who, line, now))?;
    }
    let (since, usage, deliveries, commits, complete) = counted.ok_or_else(|| io::Error::other("nothing was measured"))?;
    let (took, usage) = (since.elapsed(), process.usage()?.since(usage));
    let count = talk.deliveries - deliveries;
    let messages = (talk.complete - complete) as f64;
    let commits = process.commits()? - commits;
    let latency = std::mem::take(&mut talk.latency);
    // What is under way has to come, too.
    let give_up = Instant::now() + super::crowd::PATIENCE;
    while talk.complete < talk.said_at.len() {
        crowd.turn(TICK, |who, line, now| talk.hear(who, line, now))?;
        if Instant::now() > give_up {
            return Err(io::Error::other(format!("{} messages have not reached everyone", talk.said_at.len() - talk.complete)));
        }
    }
    let batch = (commits > 0).then(|| messages / commits as f64);
    Ok(Sample { count, took, usage, loopback: loopback.take(), latency, batch })
}

impl Talk {
    /// Writes out the next message, and says on which connection it goes.
    fn say(&mut self, now: Instant, line: &mut Vec<u8>) -> usize {
        let number = self.said_at.len() as u32;
        let sender = number as usize % self.shape.senders;
        self.said_at.push(now);
        self.sender.push(sender as u8);
        self.arrived.push(0);
        self.unacknowledged[sender].push_back(number);
        line.clear();
        line.extend_from_slice(format!("broadcast {number:010} ").as_bytes());
        line.resize(LINE_BYTES - 1, b'x');
        line.push(b'\n');
        self.listeners + sender
    }

    fn hear(&mut self, who: usize, line: &[u8], now: Instant) -> io::Result<()> {
        let Some(number) = number_of(line, b" to all: ") else {
            return self.hear_answer(who, line);
        };
        let Some(&sender) = self.sender.get(number as usize) else { return Err(unexpected(who, line)) };
        if who < self.listeners {
            let place = self.heard[who];
            self.heard[who] += 1;
            if place == self.order.len() {
                self.order.push(number);
            } else if self.order[place] != number {
                return Err(unexpected(who, line));
            }
        } else if let Some(seen) = self.last.get_mut(who - self.listeners) {
            let next = seen[usize::from(sender)].map_or(u32::from(sender), |last| last + self.shape.senders as u32);
            if next != number {
                return Err(unexpected(who, line));
            }
            seen[usize::from(sender)] = Some(number);
        }
        self.deliveries += 1;
        self.latency.note(now.saturating_duration_since(self.said_at[number as usize]));
        self.arrived(number);
        Ok(())
    }

    fn hear_answer(&mut self, who: usize, line: &[u8]) -> io::Result<()> {
        if line == b"sent"
            && who >= self.listeners
            && let Some(number) = self.unacknowledged.get_mut(who - self.listeners).and_then(VecDeque::pop_front)
        {
            self.arrived(number);
            return Ok(());
        }
        // Those that do not read are cut off at some time, and others are told.
        if self.shape.stalled > 0 && line.ends_with(b" logged out") { Ok(()) } else { Err(unexpected(who, line)) }
    }

    fn arrived(&mut self, number: u32) {
        let arrived = &mut self.arrived[number as usize];
        *arrived += 1;
        if *arrived == self.shape.receivers + 1 {
            self.complete += 1;
        }
    }
}

/// The number in a message as a reader of `text` sees it: `u00001 to all: 0000000042 xxx`.
pub(crate) fn number_of(line: &[u8], between: &[u8]) -> Option<u32> {
    let text = line.get(name(0).len()..)?.strip_prefix(between)?;
    if line.len() < LINE_BYTES / 2 {
        return None;
    }
    std::str::from_utf8(text.get(..10)?).ok()?.parse().ok()
}
