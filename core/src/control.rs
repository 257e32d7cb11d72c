//! The control channel of `--test`: commands on stdin, one a line, each answered by a line of JSON on stdout.
//! docs/protocol.md is its contract.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::time::Duration;

use chinwag_wire::time::read_duration;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::chance::hex;
use crate::clock::Clock;
use crate::hall::Hall;
use crate::net::shard::Told;
use crate::program::Running;

/// Obeys until stdin closes, and then ends the process: a server under test does not outlive its harness.
pub(crate) fn obey_stdin(running: &Running) {
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let answer = obey(running, &line).unwrap_or_else(|why| json!({ "error": why }));
        let mut out = io::stdout().lock();
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    std::process::exit(0);
}

fn obey(running: &Running, line: &str) -> Result<Value, String> {
    let (command, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
    match command {
        "now" => Ok(json!({ "now": running.server.clock.now().0 })),
        "advance" => {
            advance(running, read_duration(rest.trim())?)?;
            Ok(json!({ "now": running.server.clock.now().0 }))
        }
        "quiesce" => {
            quiesce(running);
            Ok(json!({ "quiet": true }))
        }
        "digest" => {
            quiesce(running);
            Ok(json!({ "digest": running.server.sequencer.view(digest) }))
        }
        "dump" => Ok(dump(running)),
        "metrics" => Ok(metrics(running)),
        "fault" if rest.trim().is_empty() => crate::fault::names().map(|names| json!({ "faults": names.iter().map(|(name, _)| name).collect::<Vec<_>>(), "what": names.iter().map(|(_, what)| what).collect::<Vec<_>>() })),
        "fault" => crate::fault::switch(rest.trim()).map(|()| json!({ "ok": true })),
        other => Err(format!("there is no control command `{other}`; there are now, advance, quiesce, digest, dump, metrics and fault")),
    }
}

fn advance(running: &Running, by: Duration) -> Result<(), String> {
    let Clock::Virtual(hands) = &*running.server.clock else { return Err("this clock cannot be moved".to_owned()) };
    let target = running.server.clock.elapsed() + by;
    quiesce(running);
    while hands.step(target) {
        quiesce(running);
    }
    Ok(())
}

/// Returns when nothing is left to do: everything received acted on, committed, and written or blocked.
fn quiesce(running: &Running) {
    let mut before = None;
    loop {
        running.server.sequencer.commit_at_once();
        // Asked first: what a commit releases while the shards are asked is in front of nobody's answer.
        let quiet = running.server.sequencer.is_quiet() || running.server.sequencer.is_failing();
        let deeds: Vec<u64> = (0..running.shards.0.len())
            .map(|shard| {
                let (waiter, calm) = async_channel::bounded(1);
                running.shards.tell(shard, Told::Calm(waiter));
                calm.recv_blocking().unwrap_or(0)
            })
            .chain(std::iter::once_with(|| running.relays.calm()))
            .collect();
        // Calm twice in a row with nothing done in between but being asked: nothing is under way.
        let asked_only = before.as_ref().is_some_and(|before: &Vec<u64>| before.iter().zip(&deeds).all(|(before, now)| now - before <= 1));
        if quiet && asked_only {
            return;
        }
        before = Some(deeds);
    }
}

/// A hash of what a restart must not change.
fn digest(hall: &Hall) -> String {
    let mut users: Vec<_> = hall.users().filter(|(id, _)| !id.is_guest()).collect();
    users.sort_by_key(|(id, _)| *id);
    let mut hash = Sha256::new();
    for (id, user) in users {
        let mut blocks: Vec<i64> = user.blocks.iter().map(|other| other.0).collect();
        blocks.sort_unstable();
        hash.update(format!("{} {} {:?} {} {blocks:?} {}\n", id.0, user.name, user.password, user.joined, user.operator));
    }
    hash.update(hall.head().to_le_bytes());
    hex(&hash.finalize())
}

fn connections(running: &Running) -> Vec<Value> {
    let describe = |shard| {
        let (waiter, described) = async_channel::bounded(1);
        running.shards.tell(shard, Told::Describe(waiter));
        described.recv_blocking().unwrap_or_default()
    };
    (0..running.shards.0.len()).flat_map(describe).collect()
}

/// What there is of everything, as numbers without units: for harnesses, which know what to expect.
fn metrics(running: &Running) -> Value {
    let connections = connections(running);
    let count = |field: &str, value: &str| connections.iter().filter(|connection| connection[field] == value).count();
    let private = running.server.sequencer.view(Hall::private_count);
    let (head, sessions, users, online) =
        running.server.sequencer.view(|hall| (hall.head(), hall.session_count(), hall.users().count(), hall.online().count()));
    json!({
        "connections": connections.len(),
        "connections_json": count("dialect", "json"),
        "connections_live": count("standing", "live"),
        "waiting_bytes": connections.iter().filter_map(|connection| connection["waiting_bytes"].as_u64()).sum::<u64>(),
        "open_sockets": running.census.count(),
        "sessions": sessions,
        "users": users,
        "online": online,
        "head": head,
        "commits": running.server.sequencer.commits(),
        "said": running.server.tally.said(),
        "ended": running.server.tally.ended().iter().map(|(why, count)| (why.to_string(), *count)).collect::<BTreeMap<_, _>>(),
        "lines_delayed": running.server.tally.delayed(),
        "flooders_cut_off": running.server.tally.flooders(),
        "private_offers": private.offers,
        "private_open": private.open,
        "relays": private.relayed,
        "relayed_bytes": running.server.tally.relayed_bytes(),
        "store_failing": u64::from(running.server.sequencer.is_failing()),
    })
}

fn dump(running: &Running) -> Value {
    let connections = connections(running);
    let (head, sessions, users) = running.server.sequencer.view(|hall| (hall.head(), hall.session_count(), hall.users().count()));
    json!({
        "log": running.log,
        "now": running.server.clock.now().0,
        "head": head,
        "users": users,
        "sessions": sessions,
        "connections": connections,
        "open_sockets": running.census.count(),
        "quiet": running.server.sequencer.is_quiet(),
        "store_failing": running.server.sequencer.is_failing(),
        "commits": running.server.sequencer.commits(),
    })
}
