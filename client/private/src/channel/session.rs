//! What a channel is, without I/O or clock: frames and asks in, frames and news out.
//!
//! What goes out is pulled ([`Session::fill`]), so that the order is decided when there is room to write: answers first, then
//! talk, then files.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chinwag_wire::Fingerprint;

use super::transfers::Transfers;
use super::{Ask, Ended, News, Unsaid};
use crate::files::{Done, Job, Part};
use crate::frame::{Broken, Frame, TEXT_BYTES_MAX};

/// How much talk may wait to be sent, in bytes: more than anybody types while the network stutters.
const TALK_BYTES_MAX: usize = 256 * 1024;
/// How many texts may wait to be sent.
const TALK_MAX: usize = 1024;

/// How much is given out at a time if there is as much: talk waits behind no more than this and one frame.
const BATCH_BYTES: usize = 64 * 1024;

/// One end of a channel.
pub(super) struct Session {
    ping: Duration,
    gone: Duration,
    /// When the last frame was given out, and when the other was last heard.
    spoke: Instant,
    heard: Instant,
    ping_due: bool,
    is_paused: bool,
    is_over: bool,
    talk: VecDeque<String>,
    talk_bytes: usize,
    /// Texts: given out in all, confirmed by the other; come in all, confirmed to the other.
    sent: u64,
    confirmed: u64,
    come: u64,
    told: u64,
    news: VecDeque<News>,
    files: Transfers,
}

impl Session {
    pub(super) fn new(ping: Duration, gone: Duration, peer: Fingerprint, now: Instant) -> Session {
        Session {
            ping,
            gone,
            spoke: now,
            heard: now,
            ping_due: false,
            is_paused: false,
            is_over: false,
            talk: VecDeque::new(),
            talk_bytes: 0,
            sent: 0,
            confirmed: 0,
            come: 0,
            told: 0,
            news: VecDeque::new(),
            files: Transfers::new(peer),
        }
    }

    /// Takes what the client asks for.
    ///
    /// # Errors
    /// The client stops.
    pub(super) fn ask(&mut self, ask: Ask) -> Result<(), Ended> {
        match ask {
            Ask::Say(text) => {
                let why = if text.is_empty() {
                    Unsaid::Empty
                } else if text.len() > TEXT_BYTES_MAX {
                    Unsaid::TooLong
                } else if self.talk.len() >= TALK_MAX || self.talk_bytes + text.len() > TALK_BYTES_MAX {
                    Unsaid::Stuck
                } else {
                    self.talk_bytes += text.len();
                    self.talk.push_back(text);
                    return Ok(());
                };
                self.news.push_back(News::NotSaid { text, why });
            }
            Ask::Offer(path) => self.files.offer(path, &mut self.news),
            Ask::Accept { file, folder } => self.files.accept(file, folder, &mut self.news),
            Ask::Drop(file) => self.files.drop_file(file, &mut self.news),
            Ask::Stop => return Err(Ended::ByUs),
        }
        Ok(())
    }

    /// Takes a frame of the other's.
    ///
    /// # Errors
    /// The other stops, or does not keep to the protocol.
    pub(super) fn hear(&mut self, frame: Frame<'_>, now: Instant) -> Result<(), Ended> {
        self.heard = now;
        match frame {
            Frame::Say(text) => {
                self.come += 1;
                self.news.push_back(News::Said(text.to_owned()));
            }
            Frame::Heard(count) if count < self.confirmed || count > self.sent => {
                return Err(broken("it has heard what was not said"));
            }
            Frame::Heard(count) => self.confirmed = count,
            Frame::Ping => {}
            Frame::Stop => return Err(Ended::ByThem),
            Frame::Claim { .. } | Frame::Answer { .. } | Frame::Chosen { .. } => return Err(broken("it meets again")),
            about_a_file => self.files.hear(about_a_file, &mut self.news, now)?,
        }
        Ok(())
    }

    /// Takes what a disk has done.
    pub(super) fn done(&mut self, done: Done) {
        self.files.done(done, &mut self.news);
    }

    /// What is to be done on disks.
    pub(super) fn take_jobs(&mut self) -> Vec<Job> {
        self.files.take_jobs()
    }

    /// The channel is over. From here on no file moves; what is said is still given out. Gives the parts to be closed.
    pub(super) fn end(&mut self) -> Vec<Part> {
        self.is_over = true;
        self.files.end()
    }

    /// Appends what is to be written next: nothing, if there is nothing to say.
    pub(super) fn fill(&mut self, out: &mut Vec<u8>, now: Instant) {
        let start = out.len();
        if !self.is_over {
            self.files.fill_answers(out);
        }
        if self.come > self.told {
            self.told = self.come;
            Frame::Heard(self.come).encode(out);
        }
        while let Some(text) = self.talk.pop_front() {
            self.talk_bytes -= text.len();
            self.sent += 1;
            Frame::Say(&text).encode(out);
        }
        if !self.is_over {
            self.files.fill_chunks(out, start + BATCH_BYTES, now);
        }
        if self.ping_due && out.len() == start {
            Frame::Ping.encode(out);
        }
        if out.len() > start {
            self.ping_due = false;
            self.spoke = now;
        }
    }

    /// Looks at the time. Gives when to look again.
    ///
    /// # Errors
    /// The other has been silent for too long.
    pub(super) fn tick(&mut self, now: Instant) -> Result<Instant, Ended> {
        if self.is_paused {
            // Who does not listen cannot say that the other is silent.
            self.heard = now;
        }
        if now >= self.heard + self.gone {
            return Err(Ended::Silent);
        }
        let ping_at = if now >= self.spoke + self.ping {
            self.ping_due = true;
            // It will be sent as soon as something can be.
            now + self.ping
        } else {
            self.spoke + self.ping
        };
        Ok(ping_at.min(self.heard + self.gone))
    }

    /// Whether something has to be said for the sake of saying it.
    pub(super) fn is_ping_due(&self) -> bool {
        self.ping_due
    }

    /// Says whether the other is being listened to.
    pub(super) fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// How much news waits.
    pub(super) fn news_waiting(&self) -> usize {
        self.news.len()
    }

    /// The next piece of news.
    pub(super) fn take_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// How many texts that were said the other has not confirmed.
    pub(super) fn unheard(&self) -> u64 {
        self.sent - self.confirmed + self.talk.len() as u64
    }
}

pub(super) fn broken(what: &'static str) -> Ended {
    Ended::Broken(what)
}

impl From<Broken> for Ended {
    fn from(Broken(what): Broken) -> Ended {
        Ended::Broken(what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Decoder;

    const PING: Duration = Duration::from_secs(5);
    const GONE: Duration = Duration::from_secs(15);

    /// Gives all that `from` has to say to `to`, and says how many bytes that was.
    fn carry(from: &mut Session, to: &mut Session, now: Instant) -> usize {
        let (mut bytes, mut decoder) = (Vec::new(), Decoder::new());
        from.fill(&mut bytes, now);
        decoder.room()[..bytes.len()].copy_from_slice(&bytes);
        decoder.filled(bytes.len());
        while let Some(frame) = decoder.next().unwrap() {
            to.hear(frame, now).unwrap();
        }
        bytes.len()
    }

    #[test]
    fn two_that_say_nothing_for_a_day_are_still_here() {
        let start = Instant::now();
        let (mut one, mut other) =
            (Session::new(PING, GONE, Fingerprint([0; 32]), start), Session::new(PING, GONE, Fingerprint([0; 32]), start));
        let (mut now, mut pings) = (start, 0);
        while now < start + Duration::from_secs(86_400) {
            let next = one.tick(now).unwrap().min(other.tick(now).unwrap());
            pings += usize::from(carry(&mut one, &mut other, now) > 0);
            carry(&mut other, &mut one, now);
            assert!(next > now, "a clock that is looked at all the time");
            now = next;
        }
        assert_eq!(pings, 86_400 / 5 - 1);
    }

    #[test]
    fn who_is_not_heard_is_gone_and_not_before_time() {
        let start = Instant::now();
        let mut one = Session::new(PING, GONE, Fingerprint([0; 32]), start);
        assert_eq!(one.tick(start + GONE - Duration::from_millis(1)), Ok(start + GONE));
        assert_eq!(one.tick(start + GONE), Err(Ended::Silent));
        // Who did not listen meanwhile cannot tell.
        one.set_paused(true);
        assert!(one.tick(start + GONE).is_ok());
        one.set_paused(false);
        assert!(one.tick(start + 2 * GONE - Duration::from_millis(1)).is_ok());
        assert_eq!(one.tick(start + 2 * GONE), Err(Ended::Silent));
    }

    #[test]
    fn what_was_not_said_cannot_be_heard() {
        let now = Instant::now();
        let (mut one, mut other) =
            (Session::new(PING, GONE, Fingerprint([0; 32]), now), Session::new(PING, GONE, Fingerprint([0; 32]), now));
        one.ask(Ask::Say("one".to_owned())).unwrap();
        one.ask(Ask::Say("two".to_owned())).unwrap();
        assert_eq!(one.unheard(), 2);
        carry(&mut one, &mut other, now);
        assert_eq!(one.unheard(), 2);
        carry(&mut other, &mut one, now);
        assert_eq!(one.unheard(), 0);
        for count in [0, 1, 3, u64::MAX] {
            assert!(matches!(one.hear(Frame::Heard(count), now), Err(Ended::Broken(_))), "{count}");
        }
        assert!(matches!(one.hear(Frame::Chosen { nonce: [0; 32] }, now), Err(Ended::Broken(_))));
    }
}
