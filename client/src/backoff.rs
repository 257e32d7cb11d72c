//! How long to wait before the next attempt to get a lost link back.

use std::time::Duration;

/// The first wait: a server that restarts is often back by then.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait: nobody wants to sit longer before a server that is back, and ten thousand clients that come back within that time are
/// no more than a server can take.
const LONGEST: Duration = Duration::from_secs(15);
/// From which attempt on it goes on when somebody waits at the keyboard: about a second to the next, and then longer again.
const HURRIED: u32 = 1;

/// Waits that double, each with some chance in it, so that a thousand clients do not come back in one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// Somebody waits at the keyboard: what comes next comes soon.
    pub(crate) fn hurried(&mut self) {
        self.attempts = self.attempts.min(HURRIED);
    }

    /// The next wait, by a random number: between half and all of what is due.
    pub(crate) fn next(&mut self, random: u32) -> Duration {
        let due = FIRST.saturating_mul(2u32.saturating_pow(self.attempts)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        due / 2 + (due / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_differ() {
        let (mut low, mut high) = (Backoff::default(), Backoff::default());
        for (least, most) in [(250, 500), (500, 1000), (1000, 2000), (2000, 4000), (4000, 8000), (7500, 15000), (7500, 15000)] {
            assert_eq!(low.next(0), Duration::from_millis(least));
            assert_eq!(high.next(u32::MAX), Duration::from_millis(most));
        }
        for _ in 0..100 {
            assert!(high.next(u32::MAX) <= LONGEST);
        }
        high.hurried();
        assert_eq!(high.next(u32::MAX), Duration::from_secs(1));
        assert_eq!(high.next(u32::MAX), Duration::from_secs(2));
    }
}
