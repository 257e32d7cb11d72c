//! Addresses as limits and bans count them.

use std::net::{IpAddr, Ipv6Addr};

/// The network that `address` stands for: a household has one IPv4 address, but a /64 of IPv6. Named by its first address.
#[must_use]
pub fn of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        },
        v4 => v4,
    }
}

/// `192.0.2.1`, `2001:db8::/64`: a network, for people.
#[must_use]
pub fn shown(network: IpAddr) -> String {
    match network {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{address}/64"),
    }
}

/// Reads an address, or a /64 as [`shown`] writes it: the network it stands for.
#[must_use]
pub fn read(word: &str) -> Option<IpAddr> {
    let address = word.strip_suffix("/64").filter(|address| address.contains(':')).unwrap_or(word);
    address.parse().ok().map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_ipv4_address_or_half_an_ipv6_one() {
        for (word, network) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("2001:db8:0:7:1::2", Some("2001:db8:0:7::/64")),
            ("2001:db8:0:7::/64", Some("2001:db8:0:7::/64")),
            ("::1", Some("::/64")),
            ("192.0.2.1/64", None),
            ("2001:db8::/48", None),
            ("bob", None),
        ] {
            assert_eq!(read(word).map(shown).as_deref(), network, "{word}");
        }
    }
}
