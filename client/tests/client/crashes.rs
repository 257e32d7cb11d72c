//! Real clients on a real server that is killed in the middle of their talk, or that they cannot reach any more, though nobody told them:
//! what was acknowledged is said once, and everybody heard it in the same order.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use crate::scripted::Client;
use crate::served::{Proxy, Served};
use crate::terminal::{Setup, Terminal};

/// How often the server is killed.
const ROUNDS: u64 = 20;
/// How many lines each says between two of these.
const LINES: u64 = 5;
/// After how many of the events that alice has in a round it is killed: fewer than that.
const HEARD_BELOW: u64 = 9;

/// The next of a sequence that looks like chance, and is the same each time (splitmix64).
fn chance(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Somebody who talks through pipes, and what they have heard and said.
struct Talker {
    client: Client,
    name: &'static str,
    said: u64,
    acknowledged: u64,
    /// What was said, by its number.
    talk: BTreeMap<u64, String>,
    /// What others said, as it came.
    heard: Vec<String>,
}

impl Talker {
    fn new(address: SocketAddr, name: &'static str) -> Talker {
        let client = Client::run(&[&format!("{name}@{address}"), "--plain", "--password-command", "echo secret", "--json"]);
        let mut talker = Talker { client, name, said: 0, acknowledged: 0, talk: BTreeMap::new(), heard: Vec::new() };
        while talker.event()["type"] != "welcome" {}
        talker
    }

    fn event(&mut self) -> Value {
        serde_json::from_str(&self.client.prints_line()).expect("JSON")
    }

    /// Says `count` lines to `whom`; each waits for the answer to the one before.
    fn says(&mut self, whom: &str, count: u64) {
        let numbers = self.said + 1..=self.said + count;
        self.said += count;
        let lines: String = numbers.map(|number| format!("@{whom} {}-{number}\n", self.name)).collect();
        self.client.types(&lines);
    }

    /// Reads up to the next line that was said or heard.
    fn next(&mut self) {
        loop {
            let event = self.event();
            let text = match event["type"].as_str() {
                Some("sent") => {
                    self.acknowledged += 1;
                    format!("{}-{}", self.name, self.acknowledged)
                }
                Some("message") => {
                    let text = event["text"].as_str().expect("a text").to_owned();
                    self.heard.push(text.clone());
                    text
                }
                Some("refusal") => panic!("{event}"),
                _ => continue,
            };
            let twice = self.talk.insert(event["seq"].as_u64().expect("a number"), text.clone());
            assert_eq!(twice, None, "{} has {text} twice", self.name);
            return;
        }
    }

    fn reads_until(&mut self, count: u64) {
        while (self.talk.len() as u64) < count {
            self.next();
        }
    }

    /// What was heard of `whom`, in the order in which it came.
    fn heard_of(&self, whom: &str) -> Vec<&String> {
        self.heard.iter().filter(|text| text.starts_with(whom)).collect()
    }

    fn leaves(mut self) {
        self.client.types_last("");
        let ended = self.client.ends();
        assert_eq!(ended.exit, Some(0), "{ended:?}");
    }
}

fn numbered(name: &str, count: u64) -> Vec<String> {
    (1..=count).map(|number| format!("{name}-{number}")).collect()
}

#[test]
fn a_server_that_is_killed_again_and_again_loses_and_repeats_nothing() {
    let mut served = Served::start().register(&["alice", "bob", "carol"]);
    let address = served.address;
    let (mut alice, mut bob) = (Talker::new(address, "alice"), Talker::new(address, "bob"));
    // At a terminal that can only print, many lines are on their way at a time.
    let mut carol = Setup::new(80).env("TERM", "dumb").name("carol").run_at(address);
    carol.shows("welcome back, carol");
    let mut state = 7;
    for round in 0..ROUNDS {
        alice.says("bob", LINES);
        bob.says("alice", LINES);
        for number in 1..=LINES {
            carol.types(&format!("@alice carol-{}\r", round * LINES + number));
        }
        for _ in 0..chance(&mut state) % HEARD_BELOW {
            alice.next();
        }
        let (data, address) = served.kill();
        served = Served::start_on(data, address.port());
        // Nobody's pipe fills; the last round may still be under way.
        bob.reads_until(2 * LINES * round);
    }
    let each = ROUNDS * LINES;
    alice.reads_until(3 * each);
    bob.reads_until(2 * each);
    assert_eq!((alice.acknowledged, bob.acknowledged), (each, each));
    // Each number once (that is asserted on the way), and all in order.
    assert_eq!(alice.heard_of("bob"), numbered("bob", each).iter().collect::<Vec<_>>());
    assert_eq!(alice.heard_of("carol"), numbered("carol", each).iter().collect::<Vec<_>>());
    assert_eq!(bob.heard_of("alice"), numbered("alice", each).iter().collect::<Vec<_>>());
    let without_carol: BTreeMap<_, _> = alice.talk.iter().filter(|(_, text)| !text.starts_with("carol")).collect();
    assert!(without_carol.into_iter().eq(bob.talk.iter()), "both have the same talk:\n{:?}\n{:?}", alice.talk, bob.talk);
    alice.leaves();
    bob.leaves();
    carol.types("logout\r");
    assert_eq!(carol.ends(), Some(0));
    // Behind the time: `sent`, or `sent; they are away …`.
    let acknowledged = carol.all().lines().filter(|line| line.get(5..).is_some_and(|said| said.starts_with(" sent"))).count() as u64;
    assert_eq!(acknowledged, each, "{}", carol.all());
}

/// Alice in a terminal behind a cable that can be pulled, and bob beside the server.
fn cabled() -> (Served, Proxy, Terminal, Talker) {
    let served = Served::start().register(&["alice", "bob"]);
    let proxy = Proxy::start(served.address);
    let alice = Setup::new(80).word("--set").word("ping_after=1").run_at(proxy.address);
    alice.shows("welcome back, alice");
    alice.ends_with("alice>");
    let bob = Talker::new(served.address, "bob");
    (served, proxy, alice, bob)
}

fn both_have_all(alice: &Terminal, mut bob: Talker, count: u64) {
    bob.reads_until(2 * count);
    assert_eq!(bob.heard, numbered("alice", count));
    alice.wait("what bob said", |screen| screen.contents().contains(&format!("bob: bob-{count}\n")));
    alice.wait("the prompt", |screen| screen.contents().trim_end().ends_with("alice>"));
    let all = alice.all();
    let heard: Vec<_> = all.lines().filter_map(|line| line.split_once(" bob: ").map(|(_, text)| text.trim_end())).collect();
    assert_eq!(heard, numbered("bob", count));
    assert_eq!(all.matches("the link is lost").count(), 1, "{all}");
    bob.leaves();
}

#[test]
fn a_cable_that_is_pulled_loses_and_repeats_nothing() {
    let (_served, proxy, alice, mut bob) = cabled();
    bob.says("alice", 1);
    alice.shows("bob: bob-1");
    proxy.cut();
    bob.says("alice", 10);
    for number in 1..=11 {
        alice.types(&format!("@bob alice-{number}\r"));
    }
    // The server holds the dead connection for alice still.
    alice.shows("the link is back");
    both_have_all(&alice, bob, 11);
}

#[test]
fn lines_whose_answers_are_lost_are_said_once() {
    let (_served, proxy, alice, mut bob) = cabled();
    proxy.cut_to_clients();
    for number in 1..=5 {
        alice.types(&format!("@bob alice-{number}\r"));
    }
    // They have arrived, and only alice does not know.
    bob.reads_until(5);
    bob.says("alice", 5);
    alice.shows("the link is back");
    both_have_all(&alice, bob, 5);
}
