//! How many connections there are, in all and from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crate::network;
use crate::tally::Tally;

/// Counts connections against two limits.
#[derive(Debug)]
pub(crate) struct Census {
    limits: Mutex<Limits>,
    counts: Mutex<Counts>,
    pub(crate) tally: Arc<Tally>,
}

/// How many there can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) most: usize,
    pub(crate) most_per_address: usize,
    pub(crate) limit_loopback: bool,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    /// Only addresses that have a connection, so that the map is no larger than the number of connections.
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    census: Arc<Census>,
    counted_as: Option<IpAddr>,
}

impl Census {
    pub(crate) fn new(limits: Limits, tally: Arc<Tally>) -> Census {
        Census { limits: Mutex::new(limits), counts: Mutex::default(), tally }
    }

    /// Counts against other limits from here on. Who is there stays.
    pub(crate) fn limit(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// A place for one more from `address`, if there is.
    pub(crate) fn admit(self: &Arc<Census>, address: IpAddr) -> Option<Place> {
        let limits = *self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let counted_as = (limits.limit_loopback || !address.is_loopback()).then(|| network::of(address));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all >= limits.most {
            return None;
        }
        if let Some(address) = counted_as {
            let count = counts.by_address.entry(address).or_default();
            if *count >= limits.most_per_address {
                return None;
            }
            *count += 1;
        }
        counts.all += 1;
        self.tally.connections.store(counts.all, Ordering::Relaxed);
        Some(Place { census: Arc::clone(self), counted_as })
    }

    pub(crate) fn count(&self) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).all
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.census.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all -= 1;
        self.census.tally.connections.store(counts.all, Ordering::Relaxed);
        if let Some(address) = self.counted_as
            && let Some(count) = counts.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                counts.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let census = Arc::new(Census::new(Limits { most: 3, most_per_address: 1, limit_loopback: false }, Arc::default()));
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = census.admit(at("2001:db8::1"));
        assert!(first.is_some());
        assert!(census.admit(at("2001:db8::2")).is_none(), "the same /64");
        let local: Vec<_> = (0..2).map(|_| census.admit(at("127.0.0.1"))).collect();
        assert!(local.iter().all(Option::is_some), "loopback is not limited");
        assert!(census.admit(at("127.0.0.1")).is_none(), "but counted");
        drop((first, local));
        assert!(census.admit(at("2001:db8::2")).is_some());
    }
}
