//! What waits to be shown. A busy room may say more in a second than a terminal can show and anybody can read: then
//! what is meant for everyone is counted instead of shown, oldest first, and one line says how much that was. The
//! server's history has all of it. What is meant for the reader goes last; answers and kept mail are never left out.

use std::collections::VecDeque;
use std::fmt;

use chinwag_wire::event::RoomDeed;
use chinwag_wire::{Addressee, Event};

use super::Settled;
use super::model::{Show, calls};
use crate::highlights::Highlights;
use crate::private::Told;

/// How many lines may wait: a second or two of what can be shown.
const LINES_MAX: usize = 4000;
/// How many bytes may wait; lines are of different lengths.
const BYTES_MAX: usize = 4 << 20;
/// How many of the newest lines are still shown when the rest is counted: about a screen.
const NEWEST_SHOWN: usize = 40;
/// How many lines are shown at once: a burst costs one repaint of the prompt instead of hundreds.
pub(super) const BATCH_MAX: usize = 100;
/// What a line takes beside its text.
const LINE_BYTES: usize = 100;
/// What an answer that is no message is taken to hold.
const ANSWER_BYTES: usize = 1000;

/// How much was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Messages, to whomever.
    pub(crate) messages: u64,
    /// Those of them that are to the reader or name the reader.
    pub(crate) mine: u64,
    /// Who came and went, and the like.
    pub(crate) news: u64,
    /// The highest number among the messages.
    pub(crate) seq: u64,
}

impl Skipped {
    fn add(&mut self, other: Skipped) {
        self.messages += other.messages;
        self.mine += other.mine;
        self.news += other.news;
        self.seq = self.seq.max(other.seq);
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Skipped { messages, mine, news, .. } = *self;
        let plural = |count| if count == 1 { "" } else { "s" };
        let messages = match (messages, mine) {
            (0, _) => String::new(),
            (_, 0) => format!("{messages} more message{}", plural(messages)),
            _ => format!("{messages} more message{} ({mine} to you or naming you)", plural(messages)),
        };
        let news = if news == 0 { String::new() } else { format!("{news} arrival{} and departure{}", plural(news), plural(news)) };
        let and = if messages.is_empty() || news.is_empty() { "" } else { ", and " };
        let kept = if messages.is_empty() { "" } else { "; the history has them" };
        write!(f, "… {messages}{and}{news}, too fast to show{kept}")
    }
}

/// What may be done with something that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    /// To everyone: the first to be left out.
    Chatter,
    /// To the reader, or naming the reader.
    Mine,
    /// An answer, a notice, kept mail, words of a private chat, which no history has: shown, whatever comes.
    Due,
}

/// Something that waits to be shown.
pub(super) struct Item {
    pub(super) show: Show,
    /// Of the line that this is the last answer to.
    pub(super) settled: Option<Settled>,
}

impl Item {
    /// The number of the message that is done with when this has been shown.
    pub(super) fn seq(&self) -> u64 {
        match &self.show {
            Show::Event(event) => match event.as_ref() {
                Event::Message(said) | Event::Own(said) => said.seq,
                _ => 0,
            },
            Show::Skipped(skipped) => skipped.seq,
            Show::Notice { .. } | Show::Private { .. } | Show::NewSince { .. } => 0,
        }
    }

    fn worth(&self, me: &str, highlights: &Highlights) -> Worth {
        let Show::Event(event) = &self.show else { return Worth::Due };
        match event.as_ref() {
            _ if self.settled.is_some() => Worth::Due,
            Event::Message(said) | Event::Own(said) if said.offline => Worth::Due,
            Event::Message(said) if matches!(said.to, Addressee::User(_)) || calls(said, me, highlights) => Worth::Mine,
            Event::Message(_) | Event::Own(_) | Event::Presence { .. } | Event::Crowd { .. } => Worth::Chatter,
            Event::Room(news) if matches!(news.what, RoomDeed::Arrived | RoomDeed::Left | RoomDeed::Crowd) => Worth::Chatter,
            _ => Worth::Due,
        }
    }

    fn skipped(&self, worth: Worth) -> Skipped {
        match &self.show {
            Show::Event(event) if matches!(event.as_ref(), Event::Message(_) | Event::Own(_)) => {
                Skipped { messages: 1, mine: u64::from(worth == Worth::Mine), news: 0, seq: self.seq() }
            }
            _ => Skipped { news: 1, ..Skipped::default() },
        }
    }

    fn bytes(&self) -> usize {
        let text = match &self.show {
            Show::Event(event) => match event.as_ref() {
                Event::Message(said) | Event::Own(said) | Event::Past(said) => said.text.len(),
                Event::Fact(fact) => fact.text.len(),
                _ => ANSWER_BYTES,
            },
            Show::Notice { text, .. } => text.len(),
            Show::Private { told: Told::Talk { text, .. }, .. } => text.len(),
            Show::Private { .. } | Show::NewSince { .. } => ANSWER_BYTES,
            Show::Skipped(_) => 0,
        };
        LINE_BYTES + text
    }
}

/// What waits, in order.
pub(super) struct Backlog {
    items: VecDeque<Item>,
    bytes: usize,
    /// Whose name is worth more.
    me: String,
    /// Which words are worth more.
    highlights: Highlights,
    /// Whether anything may be left out: not for a pipe, whose reader is no human.
    may_skip: bool,
    /// More comes than can be shown.
    flooded: bool,
}

impl Backlog {
    /// Nothing waits yet.
    pub(super) fn new(me: &str, may_skip: bool) -> Backlog {
        Backlog { items: VecDeque::new(), bytes: 0, me: me.to_owned(), highlights: Highlights::default(), may_skip, flooded: false }
    }

    /// From here on these words are worth more.
    pub(super) fn watch(&mut self, highlights: &Highlights) {
        if self.highlights != *highlights {
            self.highlights = highlights.clone();
        }
    }

    /// Puts something at the end.
    ///
    /// # Errors
    /// There is no room, and nothing that could be left out: it has to wait.
    pub(super) fn push(&mut self, item: Item) -> Result<(), Item> {
        if self.is_full() && self.may_skip {
            self.flooded = true;
            self.skip(Worth::Chatter);
            if self.items.len() > LINES_MAX / 2 || self.bytes > BYTES_MAX / 2 {
                self.skip(Worth::Mine);
            }
        }
        if self.is_full() {
            return Err(item);
        }
        self.bytes += item.bytes();
        self.items.push_back(item);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.items.len() >= LINES_MAX || self.bytes >= BYTES_MAX
    }

    /// Whether something waits.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether more comes than can be shown, so that it is better shown in few large steps.
    pub(super) fn is_flooded(&self) -> bool {
        self.flooded
    }

    /// Takes what is to be shown next.
    pub(super) fn take(&mut self) -> Vec<Item> {
        if self.flooded {
            self.flooded = self.items.len() > BATCH_MAX;
            if self.flooded {
                self.skip(Worth::Chatter);
            }
        }
        let batch: Vec<Item> = self.items.drain(..self.items.len().min(BATCH_MAX)).collect();
        self.bytes -= batch.iter().map(Item::bytes).sum::<usize>();
        batch
    }

    /// Counts what is worth no more than `worth`, but for the newest, and puts the number in its place.
    fn skip(&mut self, worth: Worth) {
        let newest = self.items.len().saturating_sub(NEWEST_SHOWN);
        let mut left = VecDeque::with_capacity(LINES_MAX / 8);
        let mut skipped = Skipped::default();
        for (number, item) in std::mem::take(&mut self.items).into_iter().enumerate() {
            let its = item.worth(&self.me, &self.highlights);
            if let Show::Skipped(earlier) = item.show {
                skipped.add(earlier);
            } else if number < newest && (its == Worth::Chatter || its == worth) && its != Worth::Due {
                skipped.add(item.skipped(its));
            } else {
                flush(&mut skipped, &mut left);
                left.push_back(item);
            }
        }
        flush(&mut skipped, &mut left);
        self.bytes = left.iter().map(Item::bytes).sum();
        self.items = left;
    }
}

/// Puts the count where what it counts was.
fn flush(skipped: &mut Skipped, items: &mut VecDeque<Item>) {
    if *skipped != Skipped::default() {
        items.push_back(Item { show: Show::Skipped(std::mem::take(skipped)), settled: None });
    }
}

#[cfg(test)]
mod tests {
    use chinwag_wire::{Millis, Said};

    use super::*;

    fn message(seq: u64, to: Addressee, text: &str, offline: bool) -> Item {
        let said = Said { seq, at: Millis(0), from: "bob".into(), to, text: text.into(), offline, ..Said::default() };
        Item { show: Show::Event(Box::new(Event::Message(said))), settled: None }
    }

    fn chatter(seq: u64) -> Item {
        message(seq, Addressee::Everyone, "hi", false)
    }

    fn push(backlog: &mut Backlog, item: Item) {
        assert!(backlog.push(item).is_ok());
    }

    /// Takes all of it, and says how many messages were shown, how many counted, and the numbers in order.
    fn drain(backlog: &mut Backlog) -> (u64, u64, Vec<u64>) {
        let (mut shown, mut skipped, mut numbers) = (0, 0, Vec::new());
        while !backlog.is_empty() {
            for item in backlog.take() {
                numbers.push(item.seq());
                match item.show {
                    Show::Skipped(count) => skipped += count.messages,
                    _ => shown += 1,
                }
            }
        }
        (shown, skipped, numbers)
    }

    #[test]
    fn a_burst_is_shown_whole() {
        let mut backlog = Backlog::new("alice", true);
        (1..=LINES_MAX as u64).for_each(|seq| push(&mut backlog, chatter(seq)));
        assert_eq!(drain(&mut backlog), (LINES_MAX as u64, 0, (1..=LINES_MAX as u64).collect()));
    }

    #[test]
    fn a_flood_is_counted_and_what_is_for_the_reader_is_shown() {
        let mut backlog = Backlog::new("alice", true);
        let mut expected = 0;
        for seq in 1..=100_000 {
            let item = match seq % 10_000 {
                1 => message(seq, Addressee::User("alice".into()), "psst", false),
                2 => message(seq, Addressee::Everyone, "where is alice?", false),
                3 => message(seq, Addressee::Everyone, "old", true),
                4 => Item { show: Show::Notice { text: "x".into(), at: Millis(0) }, settled: None },
                _ => chatter(seq),
            };
            expected += u64::from(seq % 10_000 != 4);
            push(&mut backlog, item);
            assert!(backlog.items.len() <= LINES_MAX);
        }
        assert!(backlog.is_flooded());
        let due = backlog
            .items
            .iter()
            .filter(|item| item.worth("alice", &Highlights::default()) == Worth::Due && !matches!(item.show, Show::Skipped(_)))
            .count();
        let mine = backlog.items.iter().filter(|item| item.worth("alice", &Highlights::default()) == Worth::Mine).count();
        assert_eq!((due, mine), (20, 20));
        let (shown, skipped, numbers) = drain(&mut backlog);
        assert_eq!(shown - 10 + skipped, expected, "every message is shown or counted");
        assert!(numbers.windows(2).all(|two| two[0] < two[1] || two[1] == 0 || two[0] == 0), "in order");
        assert_eq!(numbers.last(), Some(&100_000));
    }

    #[test]
    fn what_is_for_the_reader_is_counted_too_before_it_takes_all_the_room() {
        let mut backlog = Backlog::new("alice", true);
        for seq in 1..=20_000 {
            push(&mut backlog, message(seq, Addressee::User("alice".into()), "x", false));
        }
        let (shown, skipped, _) = drain(&mut backlog);
        assert_eq!(shown + skipped, 20_000);
        assert!(skipped > 10_000);
    }

    #[test]
    fn what_is_due_waits_when_there_is_no_room() {
        for (may_skip, offline) in [(true, true), (false, false)] {
            let mut backlog = Backlog::new("alice", may_skip);
            let item = |seq| message(seq, Addressee::Everyone, "x", offline);
            (1..=LINES_MAX as u64).for_each(|seq| push(&mut backlog, item(seq)));
            assert!(backlog.push(item(0)).is_err());
            assert_eq!(backlog.take().len(), BATCH_MAX);
            push(&mut backlog, item(LINES_MAX as u64 + 1));
            assert_eq!(drain(&mut backlog).1, 0, "nothing is left out");
        }
    }

    #[test]
    fn bytes_count_too() {
        let mut backlog = Backlog::new("alice", true);
        let long = "x".repeat(8000);
        for seq in 1..=10_000 {
            push(&mut backlog, message(seq, Addressee::Everyone, &long, false));
            assert!(backlog.bytes < BYTES_MAX + 10_000);
        }
        assert_eq!(backlog.bytes, backlog.items.iter().map(Item::bytes).sum::<usize>());
    }

    #[test]
    fn the_flood_ends_when_all_is_shown() {
        let mut backlog = Backlog::new("alice", true);
        (1..=2 * LINES_MAX as u64).for_each(|seq| push(&mut backlog, chatter(seq)));
        assert!(backlog.is_flooded());
        assert!(drain(&mut backlog).0 <= NEWEST_SHOWN as u64 * 3);
        assert!(!backlog.is_flooded());
    }

    #[test]
    fn the_count_is_a_sentence() {
        let skipped = |messages, mine, news| Skipped { messages, mine, news, seq: 0 }.to_string();
        assert_eq!(skipped(1, 0, 0), "… 1 more message, too fast to show; the history has them");
        assert_eq!(
            skipped(90, 2, 3),
            "… 90 more messages (2 to you or naming you), and 3 arrivals and departures, too fast to show; the history has them"
        );
        assert_eq!(skipped(0, 0, 7), "… 7 arrivals and departures, too fast to show");
    }
}
