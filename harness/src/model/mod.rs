//! Random sessions against a reference model.
//!
//! A seed makes a session ([`session`]); the model says what everybody must see of it ([`reference`]); both together
//! are a scenario ([`script`]), which is played like any other. What differs is made small and left as a `.ron` file:
//! a bug that was found is a test that can be read.

mod amend;
pub mod reference;
pub mod rooms;
pub mod script;
pub mod session;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;

use self::reference::{House, Reference, Sessions};
use self::session::{ACCOUNTS, CONNECTIONS, Op};
use crate::play::{self, End, Options, Played};
use crate::scenario::{self, Scenario};
use crate::server::Launch;
use crate::shrink::ddmin;
use crate::shrink::likeness::Likeness;
use crate::source::Source;
use crate::{diagnostic, report};

/// How often chance is asked for another operation where it came up with one that is no favourite of the session.
const ASKED_AGAIN: usize = 3;

/// How long the shortest session is.
const OPS_MIN: usize = 5;

/// After how long without a command a session ends, where one does. No sum of [`session`]'s times.
const IDLE_SECONDS: i64 = 100;

/// What to look at.
#[derive(Clone, Debug)]
pub struct Search {
    /// Where chance begins.
    pub seed: u64,
    /// How many sessions are played.
    pub cases: u64,
    /// No new session is begun after so long.
    pub time: Option<Duration>,
    /// How many operations the longest session has.
    pub ops: usize,
    /// The server, with its faults.
    pub launch: Launch,
    /// More arguments for it, which the model does not know of.
    pub args: Vec<String>,
}

/// What was played.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Sessions.
    pub cases: u64,
    /// Operations.
    pub ops: usize,
    /// Operations, by kind.
    pub by_verb: BTreeMap<&'static str, usize>,
    /// How long it took.
    pub took: Duration,
}

impl Figures {
    /// For people: how much, how fast, of what.
    #[must_use]
    pub fn report(&self) -> String {
        let verbs: Vec<String> = self.by_verb.iter().map(|(verb, count)| format!("{count} {verb}")).collect();
        let a_second = self.ops as f64 / self.took.as_secs_f64();
        format!(
            "{} sessions, {} operations in {}, {a_second:.0} a second\n  {}",
            self.cases,
            self.ops,
            report::shown(self.took),
            verbs.join(", ")
        )
    }
}

/// A session in which the server and the model differ.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The smallest scenario that shows it.
    pub source: Source,
    /// What it says when it is played.
    pub report: String,
    /// Which session it was found in, and how many operations that had.
    pub case: u64,
    /// See [`Difference::case`].
    pub ops: usize,
    /// How many are left.
    pub left: usize,
    /// How often a smaller one was tried.
    pub tried: usize,
    /// How long it took to find it.
    pub found_in: Duration,
    /// How long it took to make it small.
    pub shrunk_in: Duration,
}

/// Why a search has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server did not come up.
    NotStarted(String),
    /// The harness wrote a scenario that it cannot read.
    Unreadable(String),
    /// A session differed and did not differ again: what it said.
    Flaky(String),
}

/// Plays sessions until one differs or there have been enough.
///
/// # Errors
/// When no session can be played.
pub fn search(search: &Search) -> Result<(Figures, Option<Difference>), Trouble> {
    let began = Instant::now();
    let mut figures = Figures::default();
    if !search.launch.faults.is_empty() {
        has_faults(&search.launch)?;
    }
    for case in 0..search.cases {
        if search.time.is_some_and(|time| began.elapsed() >= time) {
            break;
        }
        // Neighbouring seeds should have nothing in common.
        let seed = Rng::with_seed(search.seed ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15)).u64(..=u64::from(u32::MAX));
        let session = Session::by_chance(search, seed);
        let (played, ops, source, scenario) = session.play(search, &session.ops)?;
        figures.cases += 1;
        figures.ops += ops.len();
        for op in &ops {
            *figures.by_verb.entry(op.verb()).or_default() += 1;
        }
        figures.took = began.elapsed();
        if played.end != End::Passed {
            let found_in = began.elapsed();
            let difference = session
                .shrunk(search, &ops, case, found_in)?
                .ok_or_else(|| Trouble::Flaky(report::failure(&source, &scenario, &played)))?;
            return Ok((figures, Some(difference)));
        }
    }
    Ok((figures, None))
}

/// A fault that the server does not have is a slip of the command line, and no difference.
fn has_faults(launch: &Launch) -> Result<(), Trouble> {
    let mut source = Source::new("faults.ron", "Scenario(about: \"the faults are there\", steps: [Quiesce])");
    let scenario = scenario::load(&mut source).map_err(|mistakes| Trouble::Unreadable(diagnostic::render_all(&source, &mistakes)))?;
    match play::play(&scenario, &Options { launch: launch.clone(), seed: None, keep_data: false }).end {
        End::NotStarted(why) | End::Skipped(why) => Err(Trouble::NotStarted(why)),
        _ => Ok(()),
    }
}

struct Session {
    seed: u64,
    house: House,
    ops: Vec<Op>,
}

impl Session {
    fn by_chance(search: &Search, seed: u64) -> Session {
        let mut chance = Rng::with_seed(seed);
        let sessions = [Sessions::One, Sessions::One, Sessions::NewerWins, Sessions::Two][chance.usize(..4)];
        let idle = (chance.u8(..4) == 0).then_some(IDLE_SECONDS);
        // Each session has favourites, so that what needs three rare things one after the other happens in some of them: what
        // comes before everything else, what belongs together, and whatever chance adds.
        let theme = session::THEMES[chance.usize(..session::THEMES.len())];
        let guests = chance.u8(..4) == 0 || theme.contains(&"guest");
        let house = House { sessions, guests, idle, rooms: chance.u8(..4) == 0 || theme.contains(&"create") };
        let mut model = Reference::new(house);
        let length = chance.usize(OPS_MIN..=search.ops.max(OPS_MIN));
        let mut ops = Vec::new();
        let mut favourites: BTreeMap<&str, bool> = ["connect", "register", "login"].iter().chain(theme).map(|verb| (*verb, true)).collect();
        for count in 0..length {
            let mut op = session::next(&mut chance, &model, count);
            for _ in 0..ASKED_AGAIN {
                let is_favourite = *favourites.entry(op.verb()).or_insert_with(|| chance.u8(..4) == 0);
                if is_favourite {
                    break;
                }
                op = session::next(&mut chance, &model, count);
            }
            // What is not possible is left out when the session is written.
            let _ = model.apply(&op);
            ops.push(op);
        }
        Session { seed, house, ops }
    }

    /// Plays these operations; says how it ended and which of them took part.
    fn play(&self, search: &Search, ops: &[Op]) -> Result<(Played, Vec<Op>, Source, Scenario), Trouble> {
        let (text, ops) = script::scenario("found by the model", self.seed, self.house, &search.args, &search.launch.faults, ops);
        let mut source = Source::new(format!("model-{}.ron", self.seed), text);
        let scenario = scenario::load(&mut source)
            .map_err(|mistakes| Trouble::Unreadable(diagnostic::render_all(&source, &mistakes) + "\n" + &source.text))?;
        // The scenario switches the faults on by itself, so that it fails wherever it is played.
        let launch = Launch { faults: Vec::new(), ..search.launch.clone() };
        let options = Options { launch, seed: None, keep_data: false };
        let played = play::play(&scenario, &options);
        match &played.end {
            End::NotStarted(why) | End::Skipped(why) => Err(Trouble::NotStarted(why.clone())),
            _ => Ok((played, ops, source, scenario)),
        }
    }

    /// The smallest session that differs in the same way; `None` if it does not differ again.
    fn shrunk(&self, search: &Search, ops: &[Op], case: u64, found_in: Duration) -> Result<Option<Difference>, Trouble> {
        let began = Instant::now();
        let mut tried = 0;
        let trouble = RefCell::new(None);
        let mut outcome = |ops: &[Op]| {
            // Nothing at all is no scenario.
            if script::scenario("", 0, self.house, &[], &[], ops).1.is_empty() {
                return None;
            }
            tried += 1;
            match self.play(search, ops) {
                Ok((played, ops, source, scenario)) => {
                    Likeness::of(&source, &scenario, &played).map(|likeness| (likeness, played, ops, source, scenario))
                }
                Err(why) => {
                    trouble.replace(Some(why));
                    None
                }
            }
        };
        let wanted = outcome(ops).map(|(likeness, ..)| likeness);
        if wanted.is_none() && trouble.borrow().is_none() {
            return Ok(None);
        }
        let mut least = ddmin::minimal(ops, |fewer| outcome(fewer).is_some_and(|(likeness, ..)| Some(likeness) == wanted));
        for simpler in simplifications(&least) {
            if outcome(&simpler).is_some_and(|(likeness, ..)| Some(likeness) == wanted) {
                least = simpler;
            }
        }
        let last = outcome(&least);
        if let Some(trouble) = trouble.take() {
            return Err(trouble);
        }
        let Some((_, played, left, source, scenario)) = last else { return Ok(None) };
        let report = report::failure(&source, &scenario, &played);
        let shrunk_in = began.elapsed();
        Ok(Some(Difference { source, report, case, ops: ops.len(), left: left.len(), tried, found_in, shrunk_in }))
    }
}

/// The same with plain texts; and with the connections and accounts renamed in the order they appear.
fn simplifications(ops: &[Op]) -> Vec<Vec<Op>> {
    let mut plain = ops.to_vec();
    for op in &mut plain {
        if let Some(text) = op.text_mut() {
            *text = text.split(' ').next().unwrap_or_default().to_owned();
        }
    }
    let mut renamed = plain.clone();
    let mut names: Vec<&'static str> = Vec::new();
    let mut rename = |name: &mut &'static str| {
        if !names.contains(name) {
            names.push(name);
        }
        let place = names.iter().position(|known| known == name).unwrap_or(0);
        *name = CONNECTIONS[place];
    };
    for op in &mut renamed {
        op.names_mut(&mut rename);
    }
    // The last connection has no account of its own.
    let is_account = |name: &&str| ACCOUNTS.contains(name);
    let valid = renamed.iter().all(|op| op.accounts().iter().all(is_account));
    if valid { vec![plain, renamed] } else { vec![plain] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_session_is_a_scenario_without_mistakes() {
        let search = Search { seed: 1, cases: 0, time: None, ops: 120, launch: Launch::command("nothing"), args: Vec::new() };
        let mut verbs = BTreeMap::<&str, usize>::new();
        for seed in 0..300 {
            let session = Session::by_chance(&search, seed);
            let (text, ops) = script::scenario("a test", seed, session.house, &[], &[], &session.ops);
            let mut source = Source::new("model.ron", text);
            scenario::load(&mut source).map_err(|mistakes| diagnostic::render_all(&source, &mistakes)).unwrap();
            ops.iter().for_each(|op| *verbs.entry(op.verb()).or_default() += 1);
            // Whatever is left out, the rest is one too.
            let some: Vec<Op> = ops.iter().enumerate().filter(|(at, _)| at % 3 != seed as usize % 3).map(|(_, op)| op.clone()).collect();
            let (text, _) = script::scenario("a test", seed, session.house, &[], &[], &some);
            let mut source = Source::new("model.ron", text);
            if !some.is_empty() {
                scenario::load(&mut source).map_err(|mistakes| diagnostic::render_all(&source, &mistakes)).unwrap();
            }
        }
        // Chance leaves nothing out.
        assert_eq!(verbs.len(), 49, "{verbs:?}");
        assert!(verbs.values().all(|count| *count >= 5), "{verbs:?}");
    }

    #[test]
    fn names_are_given_in_the_order_they_appear() {
        let ops = [
            Op::Connect { at: "phone", text: false },
            Op::Register { at: "phone", name: "dave" },
            Op::Block { at: "phone", whom: "alice" },
        ];
        let all = simplifications(&ops);
        assert_eq!(all[1][1], Op::Register { at: "alice", name: "bob" });
        assert_eq!(all[1][2], Op::Block { at: "alice", whom: "carol" });
    }
}
