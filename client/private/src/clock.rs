//! What time is told by: the system, or a test's hand.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use smol::Timer;

/// A clock that can be waited on.
#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    System,
    ByHand(Arc<Mutex<Turned>>),
}

/// A clock that a test turns.
struct Turned {
    now: Instant,
    sleepers: Vec<(Instant, Waker)>,
}

/// What turns a clock made by [`Clock::by_hand`].
#[derive(Clone)]
pub struct Hand(Arc<Mutex<Turned>>);

impl Clock {
    /// The system's monotonic clock.
    #[must_use]
    pub fn system() -> Clock {
        Clock(Kind::System)
    }

    /// A clock that stands still until its hand is moved: for tests that must not depend on how fast a machine is.
    #[must_use]
    pub fn by_hand() -> (Clock, Hand) {
        let turned = Arc::new(Mutex::new(Turned { now: Instant::now(), sleepers: Vec::new() }));
        (Clock(Kind::ByHand(Arc::clone(&turned))), Hand(turned))
    }

    /// What it says.
    #[must_use]
    pub fn now(&self) -> Instant {
        match &self.0 {
            Kind::System => Instant::now(),
            Kind::ByHand(turned) => lock(turned).now,
        }
    }

    /// Waits until it says `at`.
    pub(crate) async fn until(&self, at: Instant) {
        match &self.0 {
            Kind::System => {
                Timer::at(at).await;
            }
            Kind::ByHand(turned) => Sleep { turned, at }.await,
        }
    }

    /// What `future` gives, or nothing if it takes longer than `patience`.
    pub(crate) async fn within<T>(&self, patience: Duration, future: impl Future<Output = T>) -> Option<T> {
        let at = self.now() + patience;
        smol::future::or(async { Some(future.await) }, async {
            self.until(at).await;
            None
        })
        .await
    }
}

impl Hand {
    /// Lets `time` pass.
    pub fn advance(&self, time: Duration) {
        let mut turned = lock(&self.0);
        turned.now += time;
        // Those who are not due yet look, and sleep on.
        let woken = std::mem::take(&mut turned.sleepers);
        drop(turned);
        woken.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// How many wait for this clock to say `time` from now, or less: how a test knows that a deadline has been set before it
    /// lets it pass.
    #[must_use]
    pub fn waiting_within(&self, time: Duration) -> usize {
        let turned = lock(&self.0);
        turned.sleepers.iter().filter(|(at, _)| *at <= turned.now + time).count()
    }
}

fn lock(turned: &Mutex<Turned>) -> MutexGuard<'_, Turned> {
    // Nothing that holds this lock can panic half way through a change.
    turned.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Sleep<'a> {
    turned: &'a Mutex<Turned>,
    at: Instant,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut turned = lock(self.turned);
        if turned.now >= self.at {
            return Poll::Ready(());
        }
        let waker = context.waker();
        if !turned.sleepers.iter().any(|(at, other)| *at == self.at && other.will_wake(waker)) {
            turned.sleepers.push((self.at, waker.clone()));
        }
        Poll::Pending
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::System => "Clock::System",
            Kind::ByHand(_) => "Clock::ByHand",
        })
    }
}

impl fmt::Debug for Hand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hand")
    }
}
