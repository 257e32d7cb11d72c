//! How much of all files may be on its way at a time: enough to fill the path, too little to fill the queues along it.
//!
//! Talk cannot overtake what the network has taken already, and networks (and relays) take megabytes. So the sender counts
//! what the receiver has confirmed, and how long that took. While that is hardly longer than the shortest it has ever been,
//! queues are empty, and more may be sent; when it is much longer, bytes are waiting somewhere, and so would talk. (The
//! idea is that of TCP Vegas and of LEDBAT, RFC 6817.)

use std::time::{Duration, Instant};

use crate::frame::CHUNK_BYTES_MAX;

/// The most that may be on its way: what fills 500 MB/s over 16 ms, or 40 MB/s over 200 ms. The receiver holds no more than
/// this, all files together, and takes more for an attack.
pub(crate) const WINDOW_BYTES_MAX: u64 = 8 << 20;
/// The least: two chunks on their way keep even a slow path from falling idle.
const WINDOW_BYTES_MIN: u64 = 2 * CHUNK_BYTES_MAX as u64;
/// What it starts with.
const WINDOW_BYTES_FIRST: u64 = 16 * CHUNK_BYTES_MAX as u64;
/// How long bytes may wait on their way before less is sent: as long as people do not notice.
const DELAY_MAX: Duration = Duration::from_millis(60);

/// What is on its way, and how much may be.
pub(super) struct Window {
    size: u64,
    in_flight: u64,
    /// The shortest time that a confirmation has taken.
    shortest: Option<Duration>,
    /// Less is sent once for each round trip, since that long its effect is not seen.
    calm_until: Option<Instant>,
}

impl Window {
    pub(super) fn new() -> Window {
        Window { size: WINDOW_BYTES_FIRST, in_flight: 0, shortest: None, calm_until: None }
    }

    /// Whether another chunk may go.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight < self.size
    }

    /// So much was sent.
    pub(super) fn sent(&mut self, bytes: u64) {
        self.in_flight += bytes;
    }

    /// So much was confirmed, the last of it after `took`.
    pub(super) fn confirmed(&mut self, bytes: u64, took: Duration, now: Instant) {
        // What was not needed to the full says nothing about whether more would be good.
        let was_needed = 2 * self.in_flight >= self.size;
        self.forget(bytes);
        let shortest = self.shortest.map_or(took, |shortest| shortest.min(took));
        self.shortest = Some(shortest);
        let delay = took - shortest;
        if delay <= DELAY_MAX / 2 {
            if was_needed {
                self.size = (self.size + bytes).min(WINDOW_BYTES_MAX);
            }
        } else if delay > DELAY_MAX && self.calm_until.is_none_or(|calm| now >= calm) {
            let share = (shortest + DELAY_MAX).as_secs_f64() / took.as_secs_f64();
            // Never by more than half: one slow confirmation may be a hiccup.
            let smaller = (self.size as f64 * share.max(0.5)) as u64;
            self.size = smaller.max(WINDOW_BYTES_MIN);
            self.calm_until = Some(now + took);
        }
    }

    /// So much will never be confirmed.
    pub(super) fn forget(&mut self, bytes: u64) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const CHUNK: u64 = CHUNK_BYTES_MAX as u64;

    /// Sends for `seconds` over a path that carries `rate` bytes a second, with a queue as long as anybody's, and a round trip of
    /// `trip`. Gives the throughput and the longest wait in the queue, both of the second half.
    fn path(rate: f64, trip: f64, seconds: f64) -> (f64, f64) {
        let start = Instant::now();
        let mut window = Window::new();
        // When each chunk was sent and is confirmed; when the queue is empty.
        let (mut flying, mut free, mut now) = (VecDeque::<(f64, f64)>::new(), 0_f64, 0_f64);
        let (mut carried, mut longest) = (0.0, 0_f64);
        while now < seconds {
            while window.has_room() {
                window.sent(CHUNK);
                let through = free.max(now) + CHUNK as f64 / rate;
                if now > seconds / 2.0 {
                    carried += CHUNK as f64;
                    longest = longest.max(through - now);
                }
                free = through;
                flying.push_back((now, through + trip));
            }
            let (sent, confirmed) = flying.pop_front().expect("something is on its way");
            now = now.max(confirmed);
            window.confirmed(CHUNK, Duration::from_secs_f64(now - sent), start + Duration::from_secs_f64(now));
        }
        (carried / (seconds / 2.0), longest)
    }

    #[test]
    fn a_path_is_filled_and_its_queues_are_not() {
        for (rate, trip) in [(1e6, 0.01), (1e6, 0.2), (5e6, 0.05), (20e6, 0.05), (100e6, 0.002), (100e6, 0.03)] {
            let (throughput, wait) = path(rate, trip, 30.0);
            assert!(throughput > 0.75 * rate, "{rate} bytes/s, {trip} s: only {throughput}");
            assert!(wait < 0.2, "{rate} bytes/s, {trip} s: talk would wait for {wait} s");
        }
        // On a very slow path, the least that is on its way is what talk waits for.
        let (throughput, wait) = path(100e3, 0.05, 30.0);
        assert!(throughput > 75e3 && wait < 0.6, "{throughput}, {wait}");
    }

    #[test]
    fn it_never_grows_beyond_what_a_receiver_takes() {
        let (now, mut window) = (Instant::now(), Window::new());
        for _ in 0..10_000 {
            while window.has_room() {
                window.sent(CHUNK);
            }
            assert!(window.in_flight < WINDOW_BYTES_MAX + CHUNK);
            window.confirmed(CHUNK, Duration::from_millis(1), now);
        }
        assert_eq!(window.size, WINDOW_BYTES_MAX);
    }
}
