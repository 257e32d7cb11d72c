//! What many said at the same time, and whether it can have happened like that.
//!
//! Each line is known from before it is sent to after its answer is read, by the ticks of one counter. Lines whose times
//! overlap may have happened in either order; all else is decided.

use std::collections::{BTreeMap, BTreeSet};

/// What one line asks for; users by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A message to one.
    Message(usize),
    /// A message to all.
    Broadcast,
    /// Not to see or be seen by one any more.
    Block(usize),
    /// To see one again.
    Unblock(usize),
}

/// How a line was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was said, as this number.
    Sent(u64),
    /// It was done.
    Done,
    /// It was refused, with this code.
    Refused(String),
}

/// One line.
#[derive(Clone, Debug)]
pub struct Said {
    /// Who.
    pub by: usize,
    /// What it asks for.
    pub wish: Wish,
    /// When it was sent.
    pub asked: u64,
    /// When the answer was read, and what it was.
    pub answered: Option<(u64, Answer)>,
}

/// One message that a user received.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Who received it.
    pub by: usize,
    /// Which line it is.
    pub line: usize,
    /// Its number.
    pub seq: u64,
}

/// How many violations are told: the first ones say enough.
const TOLD_MAX: usize = 5;

/// What cannot have happened, one violation a line; each user's messages must stand in the order they came in.
#[must_use]
pub fn violations(names: &[&str], said: &[Said], seen: &[Seen]) -> Vec<String> {
    let history = History { names, said, seen };
    let mut found = Vec::new();
    history.order(&mut found);
    for (line, one) in said.iter().enumerate() {
        match (&one.answered, one.wish) {
            (None, _) => found.push(format!("UNANSWERED {}", history.shown(line))),
            (Some((_, answer)), Wish::Message(to)) => history.message(line, answer, to, &mut found),
            (Some((_, answer)), Wish::Broadcast) => history.broadcast(line, answer, &mut found),
            (Some(_), Wish::Block(_) | Wish::Unblock(_)) => {}
        }
    }
    let more = found.len().saturating_sub(TOLD_MAX);
    found.truncate(TOLD_MAX);
    if more > 0 {
        found.push(format!("… and {more} more"));
    }
    found
}

struct History<'a> {
    names: &'a [&'a str],
    said: &'a [Said],
    seen: &'a [Seen],
}

impl History<'_> {
    /// Everyone sees one order, which is that of real time where there is one.
    fn order(&self, found: &mut Vec<String>) {
        let mut last: BTreeMap<usize, &Seen> = BTreeMap::new();
        for seen in self.seen {
            if let Some(before) = last.insert(seen.by, seen)
                && before.seq >= seen.seq
            {
                let (what, name) = (if before.line == seen.line { "DOUBLED" } else { "REORDERED" }, self.names[seen.by]);
                found.push(format!(
                    "{what} for {name}: {} after {}",
                    self.numbered(seen.line, seen.seq),
                    self.numbered(before.line, before.seq)
                ));
            }
        }
        let mut sent: Vec<(usize, u64, u64, u64)> = Vec::new();
        for (line, one) in self.said.iter().enumerate() {
            if let Some((at, Answer::Sent(seq))) = one.answered {
                sent.push((line, one.asked, at, seq));
            }
        }
        let mut by_answer: Vec<_> = sent.clone();
        by_answer.sort_by_key(|(_, _, answered, _)| *answered);
        sent.sort_by_key(|(_, asked, _, _)| *asked);
        let mut done = by_answer.into_iter().peekable();
        let mut highest: Option<(usize, u64)> = None;
        for (line, asked, _, seq) in sent {
            while let Some((earlier, _, _, number)) = done.next_if(|(_, _, answered, _)| *answered < asked) {
                if highest.is_none_or(|(_, highest)| number > highest) {
                    highest = Some((earlier, number));
                }
            }
            if let Some((earlier, number)) = highest
                && number >= seq
            {
                found.push(format!(
                    "REORDERED {} was answered before {} was sent",
                    self.numbered(earlier, number),
                    self.numbered(line, seq)
                ));
            }
        }
    }

    fn message(&self, line: usize, answer: &Answer, to: usize, found: &mut Vec<String>) {
        let from = self.said[line].by;
        let block = self.block_between(line, from, to);
        match answer {
            Answer::Sent(seq) if block == Block::Surely => found.push(format!("BREACH {} is blocked", self.numbered(line, *seq))),
            Answer::Refused(code) if code != "blocked" => found.push(format!("REFUSED {} with {code}", self.shown(line))),
            Answer::Refused(_) if block == Block::No => found.push(format!("OVERBLOCKED {}", self.shown(line))),
            _ => {}
        }
        for by in 0..self.names.len() {
            match answer {
                Answer::Sent(seq) if by == to => self.arrived(line, *seq, by, true, found),
                Answer::Sent(_) => self.not_arrived(line, by, "ASTRAY", found),
                _ => self.not_arrived(line, by, "GHOST", found),
            }
        }
    }

    fn broadcast(&self, line: usize, answer: &Answer, found: &mut Vec<String>) {
        let from = self.said[line].by;
        let Answer::Sent(seq) = answer else {
            found.push(format!("REFUSED {}", self.shown(line)));
            return;
        };
        for by in 0..self.names.len() {
            if by == from {
                self.not_arrived(line, by, "ECHO", found);
                continue;
            }
            match self.block_between(line, from, by) {
                Block::No => self.arrived(line, *seq, by, true, found),
                Block::Perhaps => self.arrived(line, *seq, by, false, found),
                Block::Surely => self.not_arrived(line, by, "BREACH", found),
            }
        }
    }

    fn arrived(&self, line: usize, seq: u64, by: usize, surely: bool, found: &mut Vec<String>) {
        let seen: Vec<&Seen> = self.seen.iter().filter(|seen| seen.by == by && seen.line == line).collect();
        let name = self.names[by];
        match seen.as_slice() {
            [] if surely => found.push(format!("LOST for {name}: {}", self.numbered(line, seq))),
            [] => {}
            [one] if one.seq != seq => found.push(format!("{name} has {}, which was answered as {seq}", self.numbered(line, one.seq))),
            [_] => {}
            // Told where the order is looked at, unless something came in between.
            several => {
                let numbers: BTreeSet<u64> = several.iter().map(|seen| seen.seq).collect();
                found.push(format!("DOUBLED for {name}: {} came {} times as {numbers:?}", self.shown(line), several.len()));
            }
        }
    }

    fn not_arrived(&self, line: usize, by: usize, what: &str, found: &mut Vec<String>) {
        if let Some(seen) = self.seen.iter().find(|seen| seen.by == by && seen.line == line) {
            found.push(format!("{what} for {}: {}", self.names[by], self.numbered(line, seen.seq)));
        }
    }

    /// Whether one of the two blocks the other while a line is under way.
    fn block_between(&self, line: usize, a: usize, b: usize) -> Block {
        self.block(line, a, b).max(self.block(line, b, a))
    }

    /// Whether `by` blocks `whom` while a line is under way. Whoever blocks says one thing after the other.
    fn block(&self, line: usize, by: usize, whom: usize) -> Block {
        let (begin, end) = (self.said[line].asked, self.said[line].answered.as_ref().map_or(u64::MAX, |(at, _)| *at));
        let mut state = Block::No;
        for other in self.said.iter().filter(|other| other.by == by) {
            let blocks = match other.wish {
                Wish::Block(other) if other == whom => true,
                Wish::Unblock(other) if other == whom => false,
                _ => continue,
            };
            let answered = other.answered.as_ref().map_or(u64::MAX, |(at, _)| *at);
            if answered < begin {
                state = if blocks { Block::Surely } else { Block::No };
            } else if other.asked <= end {
                state = Block::Perhaps;
                break;
            }
        }
        state
    }

    fn shown(&self, line: usize) -> String {
        let Said { by, wish, .. } = &self.said[line];
        let what = match wish {
            Wish::Message(to) => format!("to {}", self.names[*to]),
            Wish::Broadcast => "to all".to_owned(),
            Wish::Block(whom) => format!("blocks {}", self.names[*whom]),
            Wish::Unblock(whom) => format!("unblocks {}", self.names[*whom]),
        };
        format!("line {line} ({} {what})", self.names[*by])
    }

    fn numbered(&self, line: usize, seq: u64) -> String {
        format!("{} as {seq}", self.shown(line))
    }
}

/// Whether a block is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Block {
    No,
    Perhaps,
    Surely,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["alice", "bob", "carol"];

    fn said(by: usize, wish: Wish, asked: u64, answered: u64, answer: Answer) -> Said {
        Said { by, wish, asked, answered: Some((answered, answer)) }
    }

    fn told(said: &[Said], seen: &[(usize, usize, u64)]) -> Vec<String> {
        let seen: Vec<Seen> = seen.iter().map(|(by, line, seq)| Seen { by: *by, line: *line, seq: *seq }).collect();
        let words = violations(&NAMES, said, &seen);
        words.iter().map(|told| told.split(' ').next().unwrap_or_default().to_owned()).collect()
    }

    fn two() -> Vec<Said> {
        vec![said(0, Wish::Message(1), 1, 3, Answer::Sent(1)), said(2, Wish::Broadcast, 2, 4, Answer::Sent(2))]
    }

    #[test]
    fn what_is_as_it_should_be_is_not_told() {
        assert_eq!(told(&two(), &[(1, 0, 1), (1, 1, 2), (0, 1, 2)]), [""; 0]);
    }

    #[test]
    fn every_kind_of_wrong_is_told() {
        let all = [(1, 0, 1), (1, 1, 2), (0, 1, 2)];
        assert_eq!(told(&two(), &all[1..]), ["LOST"]);
        assert_eq!(told(&two(), &[(1, 0, 1), (1, 0, 1), (1, 1, 2), (0, 1, 2)]), ["DOUBLED", "DOUBLED"]);
        assert_eq!(told(&two(), &[(1, 1, 2), (1, 0, 1), (0, 1, 2)]), ["REORDERED"]);
        assert_eq!(told(&two(), &[(1, 0, 1), (1, 1, 2), (0, 1, 2), (2, 0, 1)]), ["ASTRAY"]);
        assert_eq!(told(&two(), &[(1, 0, 1), (1, 1, 2), (0, 1, 2), (2, 1, 2)]), ["ECHO"]);
        let refused = vec![said(0, Wish::Message(1), 1, 2, Answer::Refused("blocked".into()))];
        assert_eq!(told(&refused, &[]), ["OVERBLOCKED"]);
        assert_eq!(told(&refused, &[(1, 0, 1)]), ["OVERBLOCKED", "GHOST"]);
        let unanswered = vec![Said { by: 0, wish: Wish::Broadcast, asked: 1, answered: None }];
        assert_eq!(told(&unanswered, &[]), ["UNANSWERED"]);
        // Answered before the other was sent, and numbered behind it.
        let crossed = vec![said(0, Wish::Message(1), 1, 2, Answer::Sent(9)), said(2, Wish::Message(1), 3, 4, Answer::Sent(8))];
        assert_eq!(told(&crossed, &[(1, 1, 8), (1, 0, 9)]), ["REORDERED"]);
    }

    #[test]
    fn blocks_decide_where_they_are_surely_in_force() {
        let history = |block: (u64, u64), unblock: (u64, u64), message: (u64, u64), answer: Answer| {
            vec![
                said(1, Wish::Block(0), block.0, block.1, Answer::Done),
                said(1, Wish::Unblock(0), unblock.0, unblock.1, Answer::Done),
                said(0, Wish::Message(1), message.0, message.1, answer),
            ]
        };
        let blocked = || Answer::Refused("blocked".into());
        let sent = [(1, 2, 5)];
        // Before, in the middle of it, and after it.
        assert_eq!(told(&history((3, 4), (9, 10), (1, 2), Answer::Sent(5)), &sent), [""; 0]);
        assert_eq!(told(&history((3, 4), (9, 10), (1, 2), blocked()), &[]), ["OVERBLOCKED"]);
        assert_eq!(told(&history((1, 2), (9, 10), (3, 4), Answer::Sent(5)), &sent), ["BREACH"]);
        assert_eq!(told(&history((1, 2), (9, 10), (3, 4), blocked()), &[]), [""; 0]);
        assert_eq!(told(&history((1, 2), (3, 4), (5, 6), blocked()), &[]), ["OVERBLOCKED"]);
        // Where they overlap either may be.
        for answer in [Answer::Sent(5), blocked()] {
            let seen: &[_] = if answer == blocked() { &[] } else { &sent };
            assert_eq!(told(&history((1, 4), (9, 10), (3, 5), answer.clone()), seen), [""; 0]);
            assert_eq!(told(&history((1, 2), (4, 9), (3, 5), answer), seen), [""; 0]);
        }
    }
}
