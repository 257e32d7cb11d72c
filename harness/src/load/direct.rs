//! Direct messages: pairs of users, each with a bounded number of messages under way. A message is complete when the
//! other has it and the sender has its `sent`, which means that it is kept if the server keeps anything.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use super::broadcast::{LINE_BYTES, Length, TICK, number_of};
use super::crowd::{Crowd, PATIENCE, name, unexpected};
use super::machine::{Loopback, Usage};
use super::process::Process;
use super::table::{Latency, Sample};

/// Who talks to whom.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// So many pairs: one talks, the other listens.
    Pairs(usize),
    /// So many users, each of whom talks to the next.
    Ring(usize),
}

/// One who talks.
#[derive(Default)]
struct Talker {
    said: u32,
    acknowledged: u32,
    heard: u32,
    said_at: VecDeque<Instant>,
}

impl Talker {
    fn complete(&self) -> u32 {
        self.acknowledged.min(self.heard)
    }
}

/// Has users talk to each other, and measures.
pub(crate) fn run(
    process: &mut Process,
    crowd: &mut Crowd,
    shape: Shape,
    in_flight: u32,
    length: Length,
    loopback: &mut Loopback,
) -> io::Result<Sample> {
    let (talkers, members) = match shape {
        Shape::Pairs(pairs) => (pairs, pairs * 2),
        Shape::Ring(members) => (members, members),
    };
    let listener = |talker: usize| match shape {
        Shape::Pairs(pairs) => talker + pairs,
        Shape::Ring(members) => (talker + 1) % members,
    };
    let talker_of: Vec<Option<usize>> = (0..members).map(|member| (0..talkers).find(|talker| listener(*talker) == member)).collect();
    let names: Vec<Vec<u8>> = (0..talkers).map(|talker| name(talker).into_bytes()).collect();
    crowd.connect(process.address, members)?;
    crowd.register_all()?;

    let mut pairs: Vec<Talker> = (0..talkers).map(|_| Talker::default()).collect();
    let mut ready: Vec<usize> = (0..talkers).collect();
    let (mut complete, mut latency) = (0, Latency::default());
    let begin = Instant::now();
    let (count_from, stop_at) = (begin + length.warm_up, begin + length.warm_up + length.measured);
    let mut counted: Option<(Instant, Usage, u64, u64)> = None;
    let mut result = None;
    let mut line = Vec::with_capacity(LINE_BYTES);
    loop {
        let now = Instant::now();
        if now >= stop_at && result.is_none() {
            let (since, usage, before, commits) = counted.take().ok_or_else(|| io::Error::other("nothing was measured"))?;
            let (took, usage) = (since.elapsed(), process.usage()?.since(usage));
            let count = complete - before;
            let commits = process.commits()? - commits;
            let batch = (commits > 0).then(|| count as f64 / commits as f64);
            result = Some(Sample { count, took, usage, loopback: loopback.take(), latency: std::mem::take(&mut latency), batch });
        }
        if counted.is_none() && result.is_none() && now >= count_from {
            latency = Latency::default();
            loopback.take();
            let commits = process.commits()?;
            counted = Some((Instant::now(), process.usage()?, complete, commits));
        }
        match result.take() {
            None => {
                loopback.tick(now)?;
                for talker in ready.drain(..) {
                    let pair = &mut pairs[talker];
                    while pair.said - pair.complete() < in_flight {
                        line.clear();
                        line.extend_from_slice(format!("message {} {:010} ", name(listener(talker)), pair.said).as_bytes());
                        line.resize(LINE_BYTES - 1, b'x');
                        line.push(b'\n');
                        pair.said += 1;
                        pair.said_at.push_back(now);
                        crowd.say(talker, &line);
                    }
                }
            }
            // What is under way has to come, too.
            Some(sample) if pairs.iter().all(|pair| pair.complete() == pair.said) => return Ok(sample),
            Some(_) if now > stop_at + PATIENCE => return Err(io::Error::other("some messages have not arrived")),
            unfinished => result = unfinished,
        }
        crowd.turn(TICK, |who, line, now| {
            let talker = if line == b"sent" {
                who
            } else {
                let number = number_of(line, b": ").ok_or_else(|| unexpected(who, line))?;
                let talker = talker_of[who].ok_or_else(|| unexpected(who, line))?;
                if number != pairs[talker].heard || !line.starts_with(&names[talker]) {
                    return Err(unexpected(who, line));
                }
                talker
            };
            let pair = pairs.get_mut(talker).ok_or_else(|| unexpected(who, line))?;
            let before = pair.complete();
            if line == b"sent" {
                pair.acknowledged += 1
            } else {
                pair.heard += 1
            }
            if pair.complete() > before {
                complete += 1;
                ready.push(talker);
                let said_at = pair.said_at.pop_front().ok_or_else(|| unexpected(who, line))?;
                latency.note(now.saturating_duration_since(said_at));
            }
            Ok(())
        })?;
    }
}
