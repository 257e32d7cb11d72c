//! Each kind of violation, in a history made by hand: a checker that finds nothing proves nothing.

use fastrand::Rng;

use super::super::client::{Deed, Line, Ping, Ticks, USERS};
use super::*;

/// Nobody has said anything.
fn users() -> Vec<User> {
    let ticks = Ticks::default();
    let mut users: Vec<User> = (0..USERS).map(|index| User::new(index, Rng::with_seed(1), &ticks)).collect();
    users.iter_mut().for_each(|user| user.connections = 1);
    users
}

fn line(to: To, fate: Fate, invoked: Tick, answered: Option<Tick>) -> Line {
    Line { to, fate, unanswered_at: None, again: false, invoked, answered }
}

fn seen(sender: usize, number: usize, seq: u64, at: Tick) -> Seen {
    Seen { connection: 1, sender, number, seq: Some(seq), at }
}

/// The kinds of violations, in alphabetical order, each once.
fn kinds(users: &[User]) -> Vec<String> {
    let mut kinds: Vec<String> =
        check(users, &mut Tally::default()).iter().map(|wrong| wrong.split(':').next().unwrap_or_default().to_owned()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// User 0 says one thing to user 1, from tick 10 to tick 20, and it is seen at tick 15.
fn told() -> Vec<User> {
    let mut users = users();
    users[0].lines.push(line(To::User(1), Fate::Acknowledged(7), 10, Some(20)));
    users[1].seen.push(seen(0, 0, 7, 15));
    users
}

#[test]
fn what_is_right_is_right() {
    assert_eq!(kinds(&users()), [""; 0]);
    assert_eq!(kinds(&told()), [""; 0]);
}

#[test]
fn lost_doubled_ghost_and_astray() {
    let mut lost = told();
    lost[1].seen.clear();
    assert_eq!(kinds(&lost), ["LOST"]);

    let mut doubled = told();
    doubled[1].seen.push(seen(0, 0, 7, 16));
    assert_eq!(kinds(&doubled), ["DOUBLED"]);
    // On another connection it is as wrong in json.
    doubled[1].seen[1].connection = 2;
    doubled[1].connections = 2;
    assert_eq!(kinds(&doubled), ["DOUBLED"]);

    let mut ghost = told();
    ghost[1].seen.push(seen(0, 1, 8, 16));
    assert_eq!(kinds(&ghost), ["GHOST"]);
    let mut refused = told();
    refused[0].lines[0].fate = Fate::Refused;
    refused[0].deeds.push(Deed { whom: 1, blocks: true, invoked: 9, answered: Some(12) });
    assert_eq!(kinds(&refused), ["GHOST"]);

    let mut astray = told();
    astray[2].seen.push(seen(0, 0, 7, 15));
    assert_eq!(kinds(&astray), ["ASTRAY"]);
}

#[test]
fn seen_by_some_and_not_by_all() {
    let mut torn = users();
    torn[0].lines.push(line(To::Everyone, Fate::GivenUp, 10, None));
    torn[1].seen.push(seen(0, 0, 7, 15));
    assert_eq!(kinds(&torn), ["TORN"]);
}

#[test]
fn orders() {
    // Acknowledged at 20, the other sent at 30: the numbers are the wrong way round.
    let mut reordered = told();
    reordered[2].lines.push(line(To::User(3), Fate::Acknowledged(6), 30, Some(40)));
    reordered[3].seen.push(seen(2, 0, 6, 35));
    assert_eq!(kinds(&reordered), ["REORDERED"]);
    // At the same time any order is right.
    reordered[2].lines[0].invoked = 19;
    assert_eq!(kinds(&reordered), [""; 0]);

    let mut swapped = told();
    swapped[0].lines.push(line(To::User(1), Fate::Acknowledged(8), 11, Some(21)));
    swapped[1].seen.insert(0, seen(0, 1, 8, 14));
    assert_eq!(kinds(&swapped), ["REORDERED"]);
}

#[test]
fn late() {
    let mut late = told();
    late[1].seen[0].at = 30;
    late[1].pings.push(Ping { connection: 1, invoked: 21, answered: Some(25) });
    assert_eq!(kinds(&late), ["LATE"]);
    // A ping that was sent before the acknowledgement proves nothing.
    late[1].pings[0].invoked = 19;
    assert_eq!(kinds(&late), [""; 0]);
}

#[test]
fn blocks_by_intervals() {
    let deed = |blocks, invoked, answered| Deed { whom: 1, blocks, invoked, answered };
    let with = |deeds: &[Deed]| {
        let mut users = told();
        users[0].deeds.extend(deeds);
        users
    };
    assert_eq!(kinds(&with(&[deed(true, 1, Some(5))])), ["BREACH"]);
    // Undone before, undone while it was said, not yet done: all may be.
    assert_eq!(kinds(&with(&[deed(true, 1, Some(5)), deed(false, 6, Some(9))])), [""; 0]);
    assert_eq!(kinds(&with(&[deed(true, 1, Some(5)), deed(false, 12, Some(14))])), [""; 0]);
    assert_eq!(kinds(&with(&[deed(true, 1, Some(12))])), [""; 0]);
    // Nobody knows what became of it.
    assert_eq!(kinds(&with(&[deed(true, 1, None)])), [""; 0]);
    // Somebody else's.
    assert_eq!(kinds(&with(&[Deed { whom: 2, ..deed(true, 1, Some(5)) }])), [""; 0]);
    // The other way round it hides as well.
    let mut other = told();
    other[1].deeds.push(Deed { whom: 0, ..deed(true, 1, Some(5)) });
    assert_eq!(kinds(&other), ["BREACH"]);

    let mut refused = told();
    refused[0].lines[0].fate = Fate::Refused;
    refused[1].seen.clear();
    assert_eq!(kinds(&refused), ["OVERBLOCKED"]);
    refused[0].deeds.push(deed(false, 9, Some(12)));
    assert_eq!(kinds(&refused), [""; 0]);

    let mut to_all = users();
    to_all[0].lines.push(line(To::Everyone, Fate::Acknowledged(7), 10, Some(20)));
    for (index, user) in to_all.iter_mut().enumerate().skip(1) {
        user.seen.push(Seen { seq: (index < 12).then_some(7), ..seen(0, 0, 7, 15) });
    }
    assert_eq!(kinds(&to_all), [""; 0]);
    to_all[0].deeds.push(deed(true, 1, Some(5)));
    assert_eq!(kinds(&to_all), ["BREACH"]);
    to_all[1].seen.clear();
    assert_eq!(kinds(&to_all), [""; 0]);
    to_all[2].seen.clear();
    assert_eq!(kinds(&to_all), ["LOST"]);
}

#[test]
fn a_round_in_which_nothing_happened_proves_nothing() {
    use super::super::round::Kind;
    for kind in [Kind::Blocking, Kind::FullSpeed] {
        assert!(Tally::default().means_something(kind).is_err());
    }
}
