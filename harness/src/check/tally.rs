//! The figures of many rounds, and whether they prove anything.

use std::time::Duration;

use super::round::Kind;

/// After so many ends chance is no excuse.
const ENDS_ENOUGH: usize = 10;

/// So many of each class there must be at least; a round has hundreds.
const ENOUGH: usize = 10;

/// Of what readers of text see, at most one message in so many may be one they have seen before: a hundredth is usual.
const AGAIN_AT_MOST_ONE_IN: usize = 12;

/// What happened in one round, or in all.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Rounds that found nothing wrong.
    pub(crate) rounds: usize,
    /// Ends of the server in the middle of the talk.
    pub(crate) ends: usize,
    /// Of these, those with messages acknowledged before.
    pub(crate) ends_after_acks: usize,
    /// Of these, those with lines that no answer had come to.
    pub(crate) ends_in_flight: usize,
    /// Of these, those in which somebody had got a part of the kept mail, and not all of it.
    pub(crate) ends_in_mail: usize,
    /// Messages given to the socket, resends not counted.
    pub(crate) sent: usize,
    /// Messages that were answered with `sent`, before or after.
    pub(crate) acknowledged: usize,
    /// Lines without an answer when the server ended.
    pub(crate) indeterminate: usize,
    /// Of these, those that had been stored.
    pub(crate) indeterminate_stored: usize,
    /// Of these, those that were never sent again.
    pub(crate) given_up: usize,
    /// Lines that were sent again, acknowledged ones included.
    pub(crate) resent: usize,
    /// Messages that readers of json saw.
    pub(crate) seen_json: usize,
    /// Messages that readers of text saw.
    pub(crate) seen_text: usize,
    /// Messages that readers of text saw again after a kill: what was in flight.
    pub(crate) text_again: usize,
    /// The most of them that one reader saw at once.
    pub(crate) text_again_most: usize,
    /// Kills after which a reader of text saw something again.
    pub(crate) text_again_ends: usize,
    /// How long the server took to end when it was told to.
    pub(crate) slowest_end: Duration,
    /// Messages that were refused because of a block.
    pub(crate) refused: usize,
    /// `block` and `unblock`.
    pub(crate) deeds: usize,
    /// Pings in the middle of the talk.
    pub(crate) pings: usize,
    /// Pairs of a message and a reader: surely across a block, at the same time as one, surely without one.
    pub(crate) blocked: usize,
    /// See [`Tally::blocked`].
    pub(crate) racing: usize,
    /// See [`Tally::blocked`].
    pub(crate) free: usize,
    /// Messages that would have been known to be late if they had been.
    pub(crate) in_time: usize,
    /// How long it took to go through it all.
    pub(crate) checking: Duration,
}

impl Tally {
    /// Adds the figures of one more round.
    pub(crate) fn add(&mut self, one: &Tally) {
        self.rounds += one.rounds;
        self.ends += one.ends;
        self.ends_after_acks += one.ends_after_acks;
        self.ends_in_flight += one.ends_in_flight;
        self.ends_in_mail += one.ends_in_mail;
        self.sent += one.sent;
        self.acknowledged += one.acknowledged;
        self.indeterminate += one.indeterminate;
        self.indeterminate_stored += one.indeterminate_stored;
        self.given_up += one.given_up;
        self.resent += one.resent;
        self.seen_json += one.seen_json;
        self.seen_text += one.seen_text;
        self.text_again += one.text_again;
        self.text_again_most = self.text_again_most.max(one.text_again_most);
        self.text_again_ends += one.text_again_ends;
        self.slowest_end = self.slowest_end.max(one.slowest_end);
        self.refused += one.refused;
        self.deeds += one.deeds;
        self.pings += one.pings;
        self.blocked += one.blocked;
        self.racing += one.racing;
        self.free += one.free;
        self.in_time += one.in_time;
        self.checking += one.checking;
    }

    /// Counts one reader of one message.
    pub(crate) fn note_between(&mut self, surely_blocked: bool, surely_free: bool) {
        self.blocked += usize::from(surely_blocked);
        self.free += usize::from(surely_free);
        self.racing += usize::from(!surely_blocked && !surely_free);
    }

    /// Everything that anybody asked the server to do.
    fn operations(&self) -> usize {
        self.sent + self.resent + self.deeds + self.pings
    }

    /// The figures. Only rounds that found nothing wrong are counted: lost and doubled are as many as they found.
    pub(crate) fn report(&self, kind: Kind, took: Duration) -> String {
        format!(
            "\n{}: {} rounds in {:.1} s\n  \
             {} ends of the server: {} after messages were acknowledged, {} with lines in flight, {} in the middle of kept mail\n  \
             {} messages sent, {} acknowledged, {} indeterminate at an end ({} of them stored, {} given up), {} lines sent again\n  \
             {} seen in json and {} in text: 0 lost, 0 doubled in json; in text {} seen again after {} ends (at most {} at once); slowest end when told {:.2} s\n  \
             readers across a block {}, at the same time as one {}, free {}; {} refused, {} blocks and unblocks; {} proved to be in time\n  \
             {} operations, {:.0} a second; checked in {:.0} ms\n",
            kind.word(),
            self.rounds,
            took.as_secs_f64(),
            self.ends,
            self.ends_after_acks,
            self.ends_in_flight,
            self.ends_in_mail,
            self.sent,
            self.acknowledged,
            self.indeterminate,
            self.indeterminate_stored,
            self.given_up,
            self.resent,
            self.seen_json,
            self.seen_text,
            self.text_again,
            self.text_again_ends,
            self.text_again_most,
            self.slowest_end.as_secs_f64(),
            self.blocked,
            self.racing,
            self.free,
            self.refused,
            self.deeds,
            self.in_time,
            self.operations(),
            self.operations() as f64 / took.as_secs_f64(),
            self.checking.as_secs_f64() * 1000.0,
        )
    }

    /// Whether the rounds could have found anything, and whether readers of text saw no more again than they have to.
    ///
    /// # Errors
    /// What was missing, or too much.
    pub(crate) fn means_something(&self, kind: Kind) -> Result<(), String> {
        // Of a few ends most may come early by chance; of many they do not.
        let enough = if self.ends < ENDS_ENOUGH { 1 } else { self.ends / 2 + 1 };
        if self.ends_after_acks < enough {
            return Err(format!(
                "only {} of {} ends came after a message was acknowledged: this proves nothing",
                self.ends_after_acks, self.ends
            ));
        }
        if kind == Kind::Blocking {
            for (count, what) in [
                (self.blocked, "reader was surely across a block"),
                (self.racing, "message raced with a block"),
                (self.free, "reader was surely free"),
                (self.refused, "message was refused"),
                (self.in_time, "message could have been known to be late"),
            ] {
                if count < ENOUGH {
                    return Err(format!("only {count} times a {what}: this proves nothing"));
                }
            }
        }
        if kind == Kind::FullSpeed && self.ends_in_flight == 0 {
            return Err(format!("none of {} ends came with lines in flight: this proves nothing", self.ends));
        }
        if kind == Kind::FullSpeed && self.text_again * AGAIN_AT_MOST_ONE_IN > self.seen_text {
            return Err(format!(
                "{} of {} messages were seen again in text: that is more than what was in flight",
                self.text_again, self.seen_text
            ));
        }
        // The mail of a few rounds may be read before the kill on a machine with other work to do.
        if kind == Kind::CatchingUp && self.ends >= ENDS_ENOUGH && self.ends_in_mail == 0 {
            return Err(format!("none of {} ends came in the middle of kept mail: this proves nothing", self.ends));
        }
        Ok(())
    }
}
