//! Goes through everything that was sent and seen in a round, when everything has arrived.
//!
//! LOST: acknowledged, and not seen by somebody entitled to it. DOUBLED: seen twice. GHOST: seen, and never sent.
//! ASTRAY: seen by somebody it was not for. REORDERED: another order than the sender's, or than the numbers'.
//! OTHER NUMBER: two numbers for one message, or one for two. TORN: seen by some of those entitled to it. HOLE: an
//! earlier line of a sender was not stored, a later one was. EARLY: before the welcome. AFTER THE END: behind the
//! last word. What no answer came to and was not sent again is
//! indeterminate: it may have been stored or not, but for everybody alike, and once.

use std::collections::{HashMap, HashSet};

use crate::client::{Fate, SENDERS, Seen, To, User, name_of, speaks_json};
use crate::tally::Tally;

/// How many violations are told.
const TOLD_MAX: usize = 20;

/// A sender and the number of one of its messages.
type Mark = (usize, usize);

/// Everything that is wrong; the figures go into `tally`.
pub(crate) fn check(users: &[User], tally: &mut Tally) -> Vec<String> {
    let mut wrong: Vec<String> = users.iter().flat_map(|user| user.wrong.clone()).collect();
    let seen: Vec<Vec<Seen>> = users.iter().map(|user| first_seen(user, tally, &mut wrong)).collect();
    for (user, seen) in users.iter().zip(&seen) {
        in_order(user, seen, &mut wrong);
        sent_to_them(users, user, seen, &mut wrong);
    }
    numbers(users, &seen, &mut wrong);
    let by_user: Vec<HashSet<Mark>> = seen.iter().map(|seen| seen.iter().map(mark).collect()).collect();
    for sender in &users[..SENDERS] {
        tally.sent += sender.lines.len();
        tally.resent += sender.resent;
        arrived(users, sender, &by_user, tally, &mut wrong);
        without_holes(sender, &by_user, tally, &mut wrong);
    }
    wrong
}

/// The first of them, and how many there are of each kind.
pub(crate) fn described(violations: &[String]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for kind in violations.iter().map(|violation| violation.split(':').next().unwrap_or_default()) {
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let told: Vec<&str> = violations.iter().take(TOLD_MAX).map(String::as_str).collect();
    format!("{} violations ({}):\n  {}", violations.len(), kinds.join(", "), told.join("\n  "))
}

fn mark(seen: &Seen) -> Mark {
    (seen.sender, seen.number)
}

fn shown((sender, number): Mark) -> String {
    format!("{}'s number {number}", name_of(sender))
}

/// What a user saw, without what may have been seen again.
fn first_seen(user: &User, tally: &mut Tally, wrong: &mut Vec<String>) -> Vec<Seen> {
    let (mut first, mut known): (Vec<Seen>, HashSet<Mark>) = Default::default();
    for connection in 1..=user.connections {
        let (before, mut on_this) = (first.clone(), HashSet::new());
        let mut again = Vec::new();
        for one in user.seen.iter().filter(|one| one.connection == connection) {
            if !on_this.insert(mark(one)) {
                wrong.push(format!("DOUBLED: {} saw {} twice on its connection {connection}", user.name(), shown(mark(one))));
            } else if known.insert(mark(one)) {
                first.push(*one);
            } else {
                again.push(mark(one));
            }
        }
        let most = user.may_repeat.iter().find(|(at, _)| *at == connection).map_or(0, |(_, most)| *most);
        if again.len() > most {
            wrong.push(format!(
                "DOUBLED: {} saw {} messages again on its connection {connection} (at most {most} may be), from {} to {}",
                user.name(),
                again.len(),
                shown(again[0]),
                shown(again[again.len() - 1]),
            ));
        } else if !again.is_empty() {
            // One number says how far a reader of text has read: what comes again is the end of what came.
            let end: Vec<Mark> = before[before.len() - again.len()..].iter().map(mark).collect();
            if end != again {
                wrong.push(format!("DOUBLED: what {} saw again on its connection {connection} is not the end of what it saw", user.name()));
            }
            tally.text_again += again.len();
            tally.text_again_most = tally.text_again_most.max(again.len());
            tally.text_again_ends += 1;
        }
    }
    if speaks_json(user.index) {
        tally.seen_json += first.len();
    } else {
        tally.seen_text += first.len();
    }
    first
}

/// Each sender's in the order they were sent, and numbers that grow.
fn in_order(user: &User, seen: &[Seen], wrong: &mut Vec<String>) {
    let mut last_of = [None; SENDERS];
    let mut last_seq = None;
    for one in seen {
        if last_of[one.sender] >= Some(one.number) {
            wrong.push(format!("REORDERED: {} saw {} after number {:?}", user.name(), shown(mark(one)), last_of[one.sender]));
        }
        last_of[one.sender] = Some(one.number);
        if one.seq.is_some() && last_seq >= one.seq {
            wrong.push(format!("REORDERED: {} saw {} at {:?} after {last_seq:?}", user.name(), shown(mark(one)), one.seq));
        }
        last_seq = one.seq;
    }
}

/// Nothing that was never sent, or not to them.
fn sent_to_them(users: &[User], user: &User, seen: &[Seen], wrong: &mut Vec<String>) {
    for one in seen {
        match users[one.sender].lines.get(one.number) {
            None => wrong.push(format!("GHOST: {} saw {}, which was never sent", user.name(), shown(mark(one)))),
            Some(line) if !entitled(line.to, one.sender, user.index) => {
                wrong.push(format!("ASTRAY: {} saw {}, which was to {:?}", user.name(), shown(mark(one)), line.to));
            }
            Some(_) => {}
        }
    }
}

fn entitled(to: To, sender: usize, user: usize) -> bool {
    match to {
        To::Everyone => user != sender,
        To::User(to) => user == to,
    }
}

/// One number for each message, one message for each number.
fn numbers(users: &[User], seen: &[Vec<Seen>], wrong: &mut Vec<String>) {
    let mut seq_of: HashMap<Mark, u64> = HashMap::new();
    let mut mark_of: HashMap<u64, Mark> = HashMap::new();
    let acknowledged = users[..SENDERS].iter().flat_map(|sender| {
        sender.lines.iter().enumerate().filter_map(|(number, line)| match line.fate {
            Fate::Acknowledged(seq) => Some(((sender.index, number), seq)),
            _ => None,
        })
    });
    let read = seen.iter().flatten().filter_map(|one| Some((mark(one), one.seq?)));
    for (mark, seq) in acknowledged.chain(read) {
        let (known_seq, known_mark) = (*seq_of.entry(mark).or_insert(seq), *mark_of.entry(seq).or_insert(mark));
        if known_seq != seq {
            wrong.push(format!("OTHER NUMBER: {} is {known_seq} and {seq}", shown(mark)));
        }
        if known_mark != mark {
            wrong.push(format!("OTHER NUMBER: {seq} is {} and {}", shown(known_mark), shown(mark)));
        }
    }
}

/// What was acknowledged has arrived everywhere; what was not, everywhere or nowhere.
fn arrived(users: &[User], sender: &User, by_user: &[HashSet<Mark>], tally: &mut Tally, wrong: &mut Vec<String>) {
    for (number, line) in sender.lines.iter().enumerate() {
        let mark = (sender.index, number);
        let (with, without): (Vec<usize>, Vec<usize>) =
            (0..users.len()).filter(|user| entitled(line.to, sender.index, *user)).partition(|user| by_user[*user].contains(&mark));
        let names = |of: &[usize]| of.iter().map(|user| name_of(*user)).collect::<Vec<_>>().join(", ");
        match line.fate {
            Fate::Acknowledged(seq) => {
                tally.acknowledged += 1;
                if !without.is_empty() {
                    wrong.push(format!("LOST: {} was acknowledged as {seq} and not seen by {}", shown(mark), names(&without)));
                }
            }
            Fate::GivenUp => {
                tally.given_up += 1;
                if !with.is_empty() && !without.is_empty() {
                    wrong.push(format!("TORN: {} was seen by {} and not by {}", shown(mark), names(&with), names(&without)));
                }
            }
            Fate::Unanswered => wrong.push(format!("UNANSWERED: {} has no answer at the end of the round", shown(mark))),
        }
    }
}

/// What was stored of the lines that an end of the server left unanswered is the beginning of them.
fn without_holes(sender: &User, by_user: &[HashSet<Mark>], tally: &mut Tally, wrong: &mut Vec<String>) {
    let mut missing: Option<(usize, usize)> = None;
    for (number, line) in sender.lines.iter().enumerate() {
        let Some(end) = line.unanswered_at else { continue };
        let mark = (sender.index, number);
        let stored = line.again || (line.fate == Fate::GivenUp && by_user.iter().any(|seen| seen.contains(&mark)));
        tally.indeterminate_stored += usize::from(stored);
        match missing {
            Some((at, before)) if at == end && stored => {
                wrong.push(format!("HOLE: {} was stored when the server ended, and not number {before} before it", shown(mark)));
            }
            Some((at, _)) if at == end => {}
            _ => missing = (!stored).then_some((end, number)),
        }
    }
}
