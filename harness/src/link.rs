//! The way between a connection and its server, as good or bad as the scenario makes it. Each connection has its own, so
//! that a bad one slows nobody else; order is kept, so that a barrier's ping comes behind everything sent before it and its
//! pong behind everything heard before it, however late.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use fastrand::Rng;
use smol::io::{AsyncRead, AsyncWrite};
use smol::{Async, Timer};

/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// With a rate, so many pieces a second: small enough to be smooth, large enough not to be all overhead.
const PIECES_PER_SECOND: u64 = 100;

/// How bad it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// How late everything comes, each way.
    pub delay: Duration,
    /// How much later at most, by chance.
    pub jitter: Duration,
    /// How many bytes a second get through, each way.
    pub rate: Option<u64>,
    /// How many bytes are written at once.
    pub split: Option<usize>,
}

/// What arrived.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrived {
    /// Bytes.
    Bytes(Vec<u8>),
    /// The end.
    End,
}

/// One connection's way.
#[derive(Debug)]
pub struct Link {
    /// How bad it is.
    pub weather: Weather,
    /// Nothing gets through.
    pub cut: bool,
    random: Rng,
    /// Pieces to be written, and when at the earliest.
    going: VecDeque<(Instant, Vec<u8>)>,
    /// What was read, and when it arrives.
    coming: VecDeque<(Instant, Arrived)>,
    /// When the last piece goes, so that the next does not overtake it.
    last_going: Option<Instant>,
    /// When the last thing read arrives.
    last_coming: Option<Instant>,
    /// With a rate: not to be read before this.
    read_after: Option<Instant>,
    /// What wakes whoever polls, in the order of nothing: all are set anew each time.
    alarms: Vec<Timer>,
}

impl Link {
    /// A perfect one; `seed` decides what the jitter will be.
    #[must_use]
    pub fn new(seed: u64) -> Link {
        Link {
            weather: Weather::default(),
            cut: false,
            random: Rng::with_seed(seed),
            going: VecDeque::new(),
            coming: VecDeque::new(),
            last_going: None,
            last_coming: None,
            read_after: None,
            alarms: Vec::new(),
        }
    }

    /// Takes bytes to be sent.
    pub fn post(&mut self, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let Weather { rate, split, .. } = self.weather;
        let at_most = split.unwrap_or(usize::MAX).min(rate.map_or(usize::MAX, piece));
        if at_most >= bytes.len() {
            let due = self.due(self.last_going, bytes.len());
            self.last_going = Some(due);
            return self.going.push_back((due, bytes));
        }
        for bytes in bytes.chunks(at_most.max(1)) {
            let due = self.due(self.last_going, bytes.len());
            self.last_going = Some(due);
            self.going.push_back((due, bytes.to_vec()));
        }
    }

    /// Whether everything posted has been written, or cannot be for now.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.cut || self.going.is_empty()
    }

    /// Forgets what is under way.
    pub fn clear(&mut self) {
        self.going.clear();
        self.coming.clear();
    }

    /// When something of this size gets to the other end: behind what went before it.
    fn due(&mut self, last: Option<Instant>, size: usize) -> Instant {
        let Weather { delay, jitter, rate, .. } = self.weather;
        let now = Instant::now();
        let takes = rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(size as f64 / rate as f64));
        let late = delay + jitter.mul_f64(if jitter.is_zero() { 0.0 } else { self.random.f64() });
        let begin = last.map_or(now, |last| last.max(now));
        // The rate is paid one after the other, the delay side by side.
        if rate.is_some() { begin.max(now + late) + takes } else { begin.max(now + late) }
    }

    /// Writes what is due. Says whether anything was.
    ///
    /// # Errors
    /// When the connection takes nothing any more.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, stream: &Arc<Async<TcpStream>>) -> io::Result<bool> {
        let mut any = false;
        self.alarms.clear();
        while let (false, Some((due, bytes))) = (self.cut, self.going.front_mut()) {
            if *due > Instant::now() {
                let due = *due;
                self.wake_at(cx, due);
                break;
            }
            match Pin::new(&mut &**stream).poll_write(cx, bytes) {
                Poll::Pending => break,
                Poll::Ready(Ok(count)) if count < bytes.len() => drop(bytes.drain(..count)),
                Poll::Ready(Ok(_)) => drop(self.going.pop_front()),
                Poll::Ready(Err(error)) => {
                    self.going.clear();
                    return Err(error);
                }
            }
            any = true;
        }
        Ok(any)
    }

    /// Reads what has come and hands on what has arrived.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, stream: &Arc<Async<TcpStream>>) -> Option<Arrived> {
        if self.cut {
            return None;
        }
        while let Some(arrived) = self.poll_socket(cx, stream) {
            let size = if let Arrived::Bytes(bytes) = &arrived { bytes.len() } else { 0 };
            let due = self.due(self.last_coming, size);
            self.last_coming = Some(due);
            if self.weather.rate.is_some() {
                self.read_after = Some(due);
            }
            let is_end = arrived == Arrived::End;
            self.coming.push_back((due, arrived));
            if is_end || self.weather == Weather::default() {
                break;
            }
        }
        let due = self.coming.front()?.0;
        if due > Instant::now() {
            self.wake_at(cx, due);
            return None;
        }
        self.coming.pop_front().map(|(_, arrived)| arrived)
    }

    fn poll_socket(&mut self, cx: &mut Context<'_>, stream: &Arc<Async<TcpStream>>) -> Option<Arrived> {
        if matches!(self.coming.back(), Some((_, Arrived::End))) {
            return None;
        }
        if let Some(after) = self.read_after
            && after > Instant::now()
        {
            self.wake_at(cx, after);
            return None;
        }
        let mut chunk = [0; CHUNK];
        let most = self.weather.rate.map_or(CHUNK, piece).min(CHUNK);
        match Pin::new(&mut &**stream).poll_read(cx, &mut chunk[..most]) {
            Poll::Pending => None,
            Poll::Ready(Ok(0) | Err(_)) => Some(Arrived::End),
            Poll::Ready(Ok(count)) => Some(Arrived::Bytes(chunk[..count].to_vec())),
        }
    }

    /// Has whoever polls polled again then.
    fn wake_at(&mut self, cx: &mut Context<'_>, due: Instant) {
        let mut alarm = Timer::at(due);
        // Due by now: polled again at once.
        if Pin::new(&mut alarm).poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        self.alarms.push(alarm);
    }
}

fn piece(rate: u64) -> usize {
    usize::try_from(rate / PIECES_PER_SECOND).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(weather: Weather, bytes: &[u8]) -> Vec<(Instant, Vec<u8>)> {
        let mut link = Link { weather, ..Link::new(1) };
        link.post(bytes.to_vec());
        link.going.into()
    }

    #[test]
    fn what_is_posted_is_cut_into_pieces_and_keeps_its_order() {
        let whole = pieces(Weather::default(), b"hello");
        assert_eq!(whole.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>(), [b"hello"]);
        let split = pieces(Weather { split: Some(2), ..Weather::default() }, b"hello");
        assert_eq!(split.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>(), [&b"he"[..], b"ll", b"o"]);
        let weather = Weather { delay: Duration::from_secs(1), jitter: Duration::from_secs(9), rate: Some(100), split: None };
        let late = pieces(weather, &[b'x'; 50]);
        assert_eq!(late.len(), 50, "a hundred pieces a second");
        assert!(late.windows(2).all(|two| two[1].0 >= two[0].0 + Duration::from_millis(10)), "none overtakes, each takes its time");
    }

    #[test]
    fn the_same_seed_is_late_in_the_same_way() {
        let weather = Weather { jitter: Duration::from_secs(100), ..Weather::default() };
        let spread = |seed| {
            let mut link = Link { weather, ..Link::new(seed) };
            let now = Instant::now();
            (0..4).map(|_| link.due(None, 1).duration_since(now).as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(spread(1), spread(1));
        assert_ne!(spread(1), spread(2));
    }
}
