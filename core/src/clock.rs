//! Time, passed in: the machine's, or one that a harness moves.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chinwag_wire::Millis;

/// Where time comes from.
#[derive(Debug)]
pub enum Clock {
    /// The machine's clocks.
    Machine {
        /// What [`Clock::elapsed`] counts from.
        start: Instant,
    },
    /// Stands still until it is moved.
    Virtual(VirtualClock),
}

/// A clock that a harness moves.
#[derive(Debug)]
pub struct VirtualClock {
    epoch: Millis,
    state: Mutex<VirtualState>,
}

#[derive(Debug, Default)]
struct VirtualState {
    elapsed: Duration,
    next_sleeper: u64,
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl Clock {
    /// The machine's clocks.
    #[must_use]
    pub fn machine() -> Clock {
        Clock::Machine { start: Instant::now() }
    }

    /// A clock that stands at `epoch` until it is moved.
    #[must_use]
    pub fn standing_at(epoch: Millis) -> Clock {
        Clock::Virtual(VirtualClock { epoch, state: Mutex::default() })
    }

    /// The time of day.
    #[must_use]
    pub fn now(&self) -> Millis {
        match self {
            Clock::Machine { .. } => {
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
            }
            Clock::Virtual(clock) => clock.epoch.plus(clock.lock().elapsed),
        }
    }

    /// Time since the start, which only goes forward: for deadlines.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match self {
            Clock::Machine { start } => start.elapsed(),
            Clock::Virtual(clock) => clock.lock().elapsed,
        }
    }

    /// Waits until [`Clock::elapsed`] is at least `deadline`.
    pub async fn sleep_until(&self, deadline: Duration) {
        match self {
            Clock::Machine { start } => match start.checked_add(deadline) {
                Some(at) => drop(smol::Timer::at(at).await),
                None => smol::future::pending().await,
            },
            Clock::Virtual(clock) => Sleeper { clock, deadline, number: None }.await,
        }
    }
}

impl VirtualClock {
    fn lock(&self) -> std::sync::MutexGuard<'_, VirtualState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves to the next deadline that somebody sleeps for, if it is not after `target`, and wakes them; else to
    /// `target`. Says whether anybody was woken.
    pub fn step(&self, target: Duration) -> bool {
        let mut state = self.lock();
        let next = state.sleepers.keys().next().map(|(deadline, _)| *deadline).filter(|deadline| *deadline <= target);
        let Some(next) = next else {
            state.elapsed = state.elapsed.max(target);
            return false;
        };
        state.elapsed = state.elapsed.max(next);
        let later = state.sleepers.split_off(&(next + Duration::from_nanos(1), 0));
        let woken = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        for waker in woken.into_values() {
            waker.wake();
        }
        true
    }
}

struct Sleeper<'a> {
    clock: &'a VirtualClock,
    deadline: Duration,
    number: Option<u64>,
}

impl Future for Sleeper<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.elapsed >= self.deadline {
            return Poll::Ready(());
        }
        let number = self.number.unwrap_or_else(|| {
            state.next_sleeper += 1;
            state.next_sleeper
        });
        state.sleepers.insert((self.deadline, number), cx.waker().clone());
        drop(state);
        self.number = Some(number);
        Poll::Pending
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.clock.lock().sleepers.remove(&(self.deadline, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleepers_wake_in_the_order_of_their_deadlines() {
        let clock = Clock::standing_at(Millis(1000));
        let Clock::Virtual(hands) = &clock else { unreachable!() };
        let woken = Mutex::new(Vec::new());
        let sleep = |seconds: u64| {
            let (clock, woken) = (&clock, &woken);
            async move {
                clock.sleep_until(Duration::from_secs(seconds)).await;
                woken.lock().unwrap().push((seconds, clock.now()));
            }
        };
        let all = smol::LocalExecutor::new();
        for seconds in [5, 1, 3] {
            all.spawn(sleep(seconds)).detach();
        }
        while all.try_tick() {}
        while hands.step(Duration::from_secs(4)) {
            while all.try_tick() {}
        }
        assert_eq!(*woken.lock().unwrap(), [(1, Millis(2000)), (3, Millis(4000))]);
        assert_eq!(clock.now(), Millis(5000));
    }
}
