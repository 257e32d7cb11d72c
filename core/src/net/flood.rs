//! Flood control: who says too much is read later, and only who keeps saying too much is cut off.
//!
//! Each connection has a bucket of commands that fills with time, and so has each user, for all connections together.
//! A line takes what its command costs ([`crate::command::Spec::cost`]) from both. With nothing left it waits for its
//! turn, nothing more is read from the connection meanwhile (the kernel stops the sender), and its user is told once. A
//! connection that is behind for longer than `command_delay_max` without ever having been heard out is cut off: a paste
//! is served, however slowly; a program that answers each answer at once is never behind by more than a line.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::hall::UserId;
use crate::tally::Tally;

/// What a line takes that costs nothing, as a part of a command: nothing that can be sent for ever is for nothing.
const FREE_PARTS: u32 = 10;

/// How many users' buckets are kept before those that have filled up again are thrown away: a full one says nothing.
const USERS_KEPT: usize = 4096;

/// What all connections share of it.
#[derive(Debug)]
pub(crate) struct Flood {
    /// How long a bucket takes to gain one command.
    each: Duration,
    /// How many commands a full bucket holds.
    burst: u32,
    /// How long a connection may be behind; zero: any time.
    delay_max: Duration,
    /// When the bucket of each user is full. A bucket that is not kept is full.
    users: Mutex<HashMap<UserId, Duration>>,
    /// Counts what had to wait, and who was cut off.
    tally: Arc<Tally>,
}

impl Flood {
    /// No limits at all where `per_second` is zero.
    pub(crate) fn new(per_second: u32, burst: u32, delay_max: Duration, tally: Arc<Tally>) -> Option<Flood> {
        let each = Duration::from_secs(1).checked_div(per_second)?;
        Some(Flood { each, burst: burst.max(1), delay_max, users: Mutex::default(), tally })
    }

    /// Takes what `cost` commands cost from a bucket that is full at `full_at`, and says when they have their turn.
    fn take(&self, full_at: &mut Duration, cost: u32, now: Duration) -> Duration {
        // What costs more than a bucket holds takes a full one: a connection that has said nothing yet need not wait.
        let price = if cost == 0 { self.each / FREE_PARTS } else { self.each * cost.min(self.burst) };
        *full_at = (*full_at).max(now) + price;
        full_at.saturating_sub(self.each * self.burst)
    }

    fn take_from_user(&self, user: UserId, cost: u32, now: Duration) -> Duration {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= USERS_KEPT {
            users.retain(|_, full_at| *full_at > now);
        }
        self.take(users.entry(user).or_default(), cost, now)
    }
}

/// When a line has its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// At once.
    Now,
    /// Then.
    At {
        /// When, on the server's clock.
        then: Duration,
        /// Its user has not been told yet.
        tell: bool,
    },
    /// Never: the connection is to end.
    Never,
}

/// What one connection has of it.
#[derive(Debug)]
pub(super) struct Allowance {
    flood: Arc<Flood>,
    full_at: Duration,
    /// Since when something has been waiting without a break.
    behind_since: Option<Duration>,
    told: bool,
}

impl Allowance {
    /// A full bucket.
    pub(super) fn new(flood: &Arc<Flood>) -> Allowance {
        Allowance { flood: Arc::clone(flood), full_at: Duration::ZERO, behind_since: None, told: false }
    }

    /// Takes what a line of `user` costs and says when it has its turn.
    pub(super) fn take(&mut self, user: Option<UserId>, cost: u32, now: Duration) -> Turn {
        if self.full_at <= now {
            (self.told, self.behind_since) = (false, None);
        }
        let flood = &*self.flood;
        let mut then = flood.take(&mut self.full_at, cost, now);
        // What programs say to stay in step does not wait for what another connection has said too much.
        if let Some(user) = user.filter(|_| cost > 0) {
            then = then.max(flood.take_from_user(user, cost, now));
        }
        if then <= now {
            return Turn::Now;
        }
        let since = *self.behind_since.get_or_insert(now);
        if !flood.delay_max.is_zero() && then - since > flood.delay_max {
            flood.tally.flooders.fetch_add(1, Ordering::Relaxed);
            return Turn::Never;
        }
        flood.tally.delayed.fetch_add(1, Ordering::Relaxed);
        Turn::At { then, tell: !std::mem::replace(&mut self.told, true) }
    }

    /// Whether something had to wait, and nobody has looked yet whether there is more.
    pub(super) fn is_behind(&self) -> bool {
        self.behind_since.is_some()
    }

    /// All that was sent has been heard.
    pub(super) fn caught_up(&mut self) {
        self.behind_since = None;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn flood(per_second: u32, burst: u32, delay_max: Duration) -> Arc<Flood> {
        Arc::new(Flood::new(per_second, burst, delay_max, Arc::default()).expect("limits"))
    }

    #[test]
    fn a_burst_is_free_and_what_follows_waits_its_turn() {
        let flood = flood(2, 3, 60 * S);
        let mut allowance = Allowance::new(&flood);
        for _ in 0..3 {
            assert_eq!(allowance.take(None, 1, 10 * S), Turn::Now);
        }
        assert_eq!(allowance.take(None, 1, 10 * S), Turn::At { then: 10 * S + S / 2, tell: true });
        assert_eq!(allowance.take(None, 1, 10 * S + S / 2), Turn::At { then: 11 * S, tell: false }, "told once");
        assert_eq!(flood.tally.delayed(), 2);
        // Full again, it is told again.
        for _ in 0..3 {
            assert_eq!(allowance.take(None, 1, 100 * S), Turn::Now);
        }
        assert!(matches!(allowance.take(None, 1, 100 * S), Turn::At { tell: true, .. }));
    }

    #[test]
    fn what_costs_more_than_a_bucket_holds_takes_a_full_one() {
        let flood = flood(1, 5, 60 * S);
        let mut allowance = Allowance::new(&flood);
        assert_eq!(allowance.take(None, 20, S), Turn::Now);
        assert_eq!(allowance.take(None, 1, S), Turn::At { then: 2 * S, tell: true });
    }

    #[test]
    fn what_costs_nothing_costs_a_tenth() {
        let flood = flood(1, 1, 60 * S);
        let mut allowance = Allowance::new(&flood);
        for _ in 0..10 {
            assert_eq!(allowance.take(None, 0, S), Turn::Now);
        }
        assert!(matches!(allowance.take(None, 0, S), Turn::At { .. }));
    }

    #[test]
    fn a_user_has_one_bucket_for_all_connections_and_others_have_theirs() {
        let flood = flood(1, 4, 60 * S);
        let (mut phone, mut laptop, mut other) = (Allowance::new(&flood), Allowance::new(&flood), Allowance::new(&flood));
        let (alice, bob) = (Some(UserId(1)), Some(UserId(2)));
        assert_eq!(phone.take(alice, 3, S), Turn::Now);
        assert_eq!(laptop.take(alice, 1, S), Turn::Now);
        assert_eq!(laptop.take(alice, 1, S), Turn::At { then: 2 * S, tell: true });
        assert_eq!(other.take(bob, 4, S), Turn::Now);
    }

    #[test]
    fn only_who_is_behind_for_long_is_cut_off() {
        let flood = flood(1, 1, 5 * S);
        let mut allowance = Allowance::new(&flood);
        assert_eq!(allowance.take(None, 1, S), Turn::Now);
        for second in 1..=5 {
            assert_eq!(allowance.take(None, 1, second * S), Turn::At { then: (second + 1) * S, tell: second == 1 });
        }
        assert_eq!(allowance.take(None, 1, 6 * S), Turn::Never);
        assert_eq!((flood.tally.delayed(), flood.tally.flooders()), (5, 1));

        // The same lines, each after the answer to the one before it.
        let mut patient = Allowance::new(&flood);
        let mut now = 100 * S;
        for _ in 0..50 {
            if let Turn::At { then, .. } = patient.take(None, 1, now) {
                now = then;
            }
            patient.caught_up();
        }
        assert_eq!(flood.tally.flooders(), 1);
    }

    #[test]
    fn the_buckets_of_users_do_not_pile_up() {
        let flood = flood(1, 1, S);
        for user in 0..3 * USERS_KEPT {
            let now = S * u32::try_from(user).expect("small");
            flood.take_from_user(UserId(i64::try_from(user).expect("small")), 1, now);
        }
        assert!(flood.users.lock().expect("whole").len() <= USERS_KEPT);
    }

    proptest! {
        #[test]
        fn no_more_than_the_limit_ever_has_its_turn(gaps in proptest::collection::vec(0u64..400, 1..200)) {
            let (per_second, burst) = (10, 20);
            let mut allowance = Allowance::new(&flood(per_second, burst, Duration::ZERO));
            let mut now = Duration::ZERO;
            let mut turns = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap);
                if let Turn::At { then, .. } = allowance.take(None, 1, now) {
                    now = then;
                }
                turns.push(now);
            }
            for (i, from) in turns.iter().enumerate() {
                let within = turns[i..].iter().take_while(|at| **at < *from + S).count();
                prop_assert!(within <= (burst + per_second) as usize + 1, "{within} in a second");
            }
        }
    }
}
