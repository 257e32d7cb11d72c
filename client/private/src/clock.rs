//! What time is told by: the system, or a test's hand.

use std::collections::BTreeMap;
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
    /// Who waits for what, by the number of the deadline; the waker comes when it is first looked at.
    sleepers: BTreeMap<u64, (Instant, Option<Waker>)>,
    /// How many deadlines were ever set.
    set: u64,
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
        let turned = Arc::new(Mutex::new(Turned { now: Instant::now(), sleepers: BTreeMap::new(), set: 0 }));
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
            Kind::ByHand(turned) => Sleep::new(turned, at).await,
        }
    }

    /// What `future` gives, or nothing if it takes longer than `patience`.
    pub(crate) async fn within<T>(&self, patience: Duration, future: impl Future<Output = T>) -> Option<T> {
        let at = self.now() + patience;
        let late = async {
            self.until(at).await;
            None
        };
        // The deadline is set even if nothing has to be waited for, so that a test can tell that it was there.
        let mut late = std::pin::pin!(late);
        let is_late = smol::future::poll_once(&mut late).await.is_some();
        smol::future::or(async { Some(future.await) }, async { if is_late { None } else { late.await } }).await
    }
}

impl Hand {
    /// Lets `time` pass.
    pub fn advance(&self, time: Duration) {
        let mut turned = lock(&self.0);
        turned.now += time;
        // Those who are not due yet look, and sleep on.
        let woken: Vec<Waker> = turned.sleepers.values_mut().filter_map(|(_, waker)| waker.take()).collect();
        drop(turned);
        woken.into_iter().for_each(Waker::wake);
    }

    /// How many wait for this clock to say `time` from now, or less: how a test knows that a deadline has been set before it
    /// lets it pass.
    #[must_use]
    pub fn waiting_within(&self, time: Duration) -> usize {
        let turned = lock(&self.0);
        turned.sleepers.values().filter(|(at, _)| *at <= turned.now + time).count()
    }

    /// How many deadlines were ever set, those that nobody waits for any more as well: how a test knows that something with a
    /// deadline has begun and is over.
    #[must_use]
    pub fn deadlines_set(&self) -> u64 {
        lock(&self.0).set
    }
}

fn lock(turned: &Mutex<Turned>) -> MutexGuard<'_, Turned> {
    // Nothing that holds this lock can panic half way through a change.
    turned.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nobody waits for it any more when it is dropped.
struct Sleep<'a> {
    turned: &'a Mutex<Turned>,
    number: u64,
}

impl Sleep<'_> {
    fn new(turned: &Mutex<Turned>, at: Instant) -> Sleep<'_> {
        let mut locked = lock(turned);
        locked.set += 1;
        let number = locked.set;
        locked.sleepers.insert(number, (at, None));
        Sleep { turned, number }
    }
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut turned = lock(self.turned);
        let now = turned.now;
        match turned.sleepers.get_mut(&self.number) {
            Some((at, waker)) if now < *at => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        lock(self.turned).sleepers.remove(&self.number);
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
