//! Goes through everything that was sent and seen in a round, when everything has arrived.
//!
//! LOST: acknowledged, and not seen by somebody entitled to it. DOUBLED: seen twice. GHOST: seen, and never sent.
//! ASTRAY: seen by somebody it was not for. REORDERED: another order than the sender's, or than the numbers'.
//! BREACH: accepted or seen across a block that surely stood the whole time. OVERBLOCKED: refused although surely nobody
//! blocked. LATE: it was acknowledged, then the reader asked for a pong, and the pong came before the message.
//! OTHER NUMBER: two numbers for one message, or one for two. TORN: seen by some of those entitled to it. HOLE: an
//! earlier line of a sender was not stored, a later one was. EARLY: before the welcome. AFTER THE END: behind the
//! last word. What no answer came to and was not sent again is
//! indeterminate: it may have been stored or not, but for everybody alike, and once.
//!
//! What overlaps in time may have happened in either order, so that only intervals decide: from before the bytes were
//! written to after the answer was read. A message is *surely blocked* if one of the two had heard that the other is
//! blocked before it was sent, and had not asked for anything else when it was answered; *free* if the same holds for
//! not being blocked; else it *races*, and may be refused or accepted, but not refused and seen.

use std::collections::{HashMap, HashSet};

use super::client::{Fate, Line, SENDERS, Seen, Tick, To, User, name_of, speaks_json};
use super::tally::Tally;

/// How many violations are told.
const TOLD_MAX: usize = 20;

/// A sender and the number of one of its messages.
type Mark = (usize, usize);

/// Everything that is wrong; the figures go into `tally`.
pub(crate) fn check(users: &[User], tally: &mut Tally) -> Vec<String> {
    let mut wrong: Vec<String> = users.iter().flat_map(|user| user.wrong.clone()).collect();
    let seen: Vec<Vec<Seen>> = users.iter().map(|user| first_seen(user, tally, &mut wrong)).collect();
    for (user, seen) in users.iter().zip(&seen) {
        in_order(users, user, seen, &mut wrong);
        sent_to_them(users, user, seen, &mut wrong);
    }
    numbers(users, &seen, &mut wrong);
    let by_user: Vec<HashSet<Mark>> = seen.iter().map(|seen| seen.iter().map(mark).collect()).collect();
    for sender in &users[..SENDERS] {
        tally.sent += sender.lines.len();
        tally.resent += sender.resent;
        arrived(users, sender, &by_user, tally, &mut wrong);
        without_holes(users, sender, &by_user, tally, &mut wrong);
    }
    for (user, seen) in users.iter().zip(&seen) {
        in_time(users, user, seen, tally, &mut wrong);
        tally.deeds += user.deeds.len();
        tally.pings += user.pings.len();
    }
    in_real_time(users, &mut wrong);
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
fn in_order(users: &[User], user: &User, seen: &[Seen], wrong: &mut Vec<String>) {
    let mut last_of = [None; SENDERS];
    let mut last_seq = None;
    for one in seen {
        // Refused before an end of the server, unheard, and accepted when it was sent again: its place is that of a resend.
        let may_be_behind = users[one.sender].lines.get(one.number).is_some_and(|line| {
            line.unanswered_at.is_some() && matches!(line.to, To::User(to) if while_said(users, one.sender, to, line) != Between::Free)
        });
        if last_of[one.sender] >= Some(one.number) && !may_be_behind {
            wrong.push(format!("REORDERED: {} saw {} after number {:?}", user.name(), shown(mark(one)), last_of[one.sender]));
        }
        last_of[one.sender] = last_of[one.sender].max(Some(one.number));
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

/// Whether two users hid from each other while something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    /// All the time.
    Blocked,
    /// It may be either.
    Racing,
    /// At no time.
    Free,
}

/// Whether `a` and `b` hid from each other from `from` to `to`.
fn between(users: &[User], a: usize, b: usize, from: Tick, to: Tick) -> Between {
    let one_way = |by: usize, whom: usize| {
        // What was asked for last counts: an earlier one that no answer came to died with the server, or was overtaken.
        let last = users[by].deeds.iter().rfind(|deed| deed.whom == whom && deed.invoked <= to);
        match last {
            None => Between::Free,
            Some(deed) if deed.answered.is_some_and(|answered| answered <= from) => {
                if deed.blocks {
                    Between::Blocked
                } else {
                    Between::Free
                }
            }
            Some(_) => Between::Racing,
        }
    };
    match (one_way(a, b), one_way(b, a)) {
        (Between::Blocked, _) | (_, Between::Blocked) => Between::Blocked,
        (Between::Free, Between::Free) => Between::Free,
        _ => Between::Racing,
    }
}

/// The same for a message: until it was answered, or for ever.
fn while_said(users: &[User], sender: usize, reader: usize, line: &Line) -> Between {
    between(users, sender, reader, line.invoked, line.answered.unwrap_or(Tick::MAX))
}

/// What was acknowledged has arrived everywhere; what was not, everywhere or nowhere; across a block, nowhere.
fn arrived(users: &[User], sender: &User, by_user: &[HashSet<Mark>], tally: &mut Tally, wrong: &mut Vec<String>) {
    for (number, line) in sender.lines.iter().enumerate() {
        let mark = (sender.index, number);
        let (mut free_with, mut free_without, mut seen_by, mut blocked_with) = (vec![], vec![], vec![], vec![]);
        for user in (0..users.len()).filter(|user| entitled(line.to, sender.index, *user)) {
            let seen = by_user[user].contains(&mark);
            let state = while_said(users, sender.index, user, line);
            tally.note_between(state == Between::Blocked, state == Between::Free);
            match state {
                Between::Free if seen => free_with.push(user),
                Between::Free => free_without.push(user),
                Between::Blocked if seen => blocked_with.push(user),
                _ => {}
            }
            if seen {
                seen_by.push(user);
            }
        }
        let names = |of: &[usize]| of.iter().map(|user| name_of(*user)).collect::<Vec<_>>().join(", ");
        if !blocked_with.is_empty() {
            wrong.push(format!("BREACH: {} was seen by {} across a block", shown(mark), names(&blocked_with)));
        }
        match line.fate {
            Fate::Acknowledged(seq) => {
                tally.acknowledged += 1;
                if !free_without.is_empty() {
                    wrong.push(format!("LOST: {} was acknowledged as {seq} and not seen by {}", shown(mark), names(&free_without)));
                }
                if let To::User(to) = line.to {
                    match while_said(users, sender.index, to, line) {
                        Between::Blocked => {
                            wrong.push(format!("BREACH: {} was acknowledged as {seq} across a block with {}", shown(mark), name_of(to)));
                        }
                        Between::Racing if !seen_by.contains(&to) => {
                            wrong.push(format!("LOST: {} was acknowledged as {seq} and not seen by {}", shown(mark), name_of(to)));
                        }
                        _ => {}
                    }
                }
            }
            Fate::Refused => {
                tally.refused += 1;
                if !seen_by.is_empty() {
                    wrong.push(format!("GHOST: {} was refused and seen by {}", shown(mark), names(&seen_by)));
                }
                let free = matches!(line.to, To::User(to) if while_said(users, sender.index, to, line) == Between::Free);
                if free || line.to == To::Everyone {
                    wrong.push(format!("OVERBLOCKED: {} to {:?} was refused, and nobody blocks", shown(mark), line.to));
                }
            }
            Fate::GivenUp => {
                tally.given_up += 1;
                if !seen_by.is_empty() && !free_without.is_empty() {
                    wrong.push(format!("TORN: {} was seen by {} and not by {}", shown(mark), names(&seen_by), names(&free_without)));
                }
            }
            Fate::Unanswered => wrong.push(format!("UNANSWERED: {} has no answer at the end of the round", shown(mark))),
        }
    }
}

/// What was stored of the lines that an end of the server left unanswered is the beginning of them.
fn without_holes(users: &[User], sender: &User, by_user: &[HashSet<Mark>], tally: &mut Tally, wrong: &mut Vec<String>) {
    let mut missing: Option<(usize, usize)> = None;
    for (number, line) in sender.lines.iter().enumerate() {
        let Some(end) = line.unanswered_at else { continue };
        let mark = (sender.index, number);
        let stored = line.again || (line.fate == Fate::GivenUp && by_user.iter().any(|seen| seen.contains(&mark)));
        tally.indeterminate_stored += usize::from(stored);
        // What may have been refused is no hole.
        let may_be_refused = |to: usize| between(users, sender.index, to, line.invoked, Tick::MAX) != Between::Free;
        match missing {
            Some((at, before)) if at == end && stored => {
                wrong.push(format!("HOLE: {} was stored when the server ended, and not number {before} before it", shown(mark)));
            }
            Some((at, _)) if at == end => {}
            _ if matches!(line.to, To::User(to) if may_be_refused(to)) => {}
            _ if line.to == To::Everyone && line.fate == Fate::GivenUp && (0..users.len()).any(may_be_refused) => {}
            _ => missing = (!stored).then_some((end, number)),
        }
    }
}

/// Nothing comes after the pong of a ping that was sent after its sender had heard `sent`.
fn in_time(users: &[User], user: &User, seen: &[Seen], tally: &mut Tally, wrong: &mut Vec<String>) {
    for one in seen {
        let Some(acknowledged) = users[one.sender].lines.get(one.number).and_then(|line| line.answered) else { continue };
        let on_this = |connection: usize| connection == one.connection;
        let late = user.pings.iter().filter(|ping| on_this(ping.connection) && ping.invoked > acknowledged);
        let proofs = late.filter_map(|ping| ping.answered);
        match proofs.min() {
            Some(pong) if pong < one.at => {
                wrong.push(format!("LATE: {} saw {} after a pong that says that it had come", user.name(), shown(mark(one))));
            }
            // It could not have been late and not be noticed.
            Some(_) => tally.in_time += 1,
            None => {}
        }
    }
}

/// What was acknowledged before something else was sent has the lower number.
fn in_real_time(users: &[User], wrong: &mut Vec<String>) {
    let mut acknowledged: Vec<(u64, Tick, Tick, Mark)> = Vec::new();
    for sender in &users[..SENDERS] {
        for (number, line) in sender.lines.iter().enumerate() {
            if let (Fate::Acknowledged(seq), Some(answered)) = (line.fate, line.answered) {
                acknowledged.push((seq, line.invoked, answered, (sender.index, number)));
            }
        }
    }
    acknowledged.sort_unstable();
    let mut latest: Option<(Tick, Mark)> = None;
    for (seq, invoked, answered, mark) in acknowledged {
        if let Some((sent, before)) = latest
            && answered < sent
        {
            wrong.push(format!(
                "REORDERED: {} is number {seq}, behind {}, which was sent only after the other was acknowledged",
                shown(mark),
                shown(before)
            ));
        }
        if latest.is_none_or(|(sent, _)| sent < invoked) {
            latest = Some((invoked, mark));
        }
    }
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
