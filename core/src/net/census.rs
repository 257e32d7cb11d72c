//! How many connections there are, in all and from each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::network;

/// Counts connections against two limits.
#[derive(Debug)]
pub(crate) struct Census {
    most: usize,
    most_per_address: usize,
    limit_loopback: bool,
    counts: Mutex<Counts>,
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
    pub(crate) fn new(most: usize, most_per_address: usize, limit_loopback: bool) -> Census {
        Census { most, most_per_address, limit_loopback, counts: Mutex::default() }
    }

    /// A place for one more from `address`, if there is.
    pub(crate) fn admit(self: &Arc<Census>, address: IpAddr) -> Option<Place> {
        let counted_as = (self.limit_loopback || !address.is_loopback()).then(|| network::of(address));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.all >= self.most {
            return None;
        }
        if let Some(address) = counted_as {
            let count = counts.by_address.entry(address).or_default();
            if *count >= self.most_per_address {
                return None;
            }
            *count += 1;
        }
        counts.all += 1;
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
        let census = Arc::new(Census::new(3, 1, false));
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
