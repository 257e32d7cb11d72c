//! At which addresses others reach this machine.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use chinwag_settings::Value;
use chinwag_wire::private::ADDRESSES_MAX;
use serde::{Deserialize, Deserializer};

/// An address that somebody set, as others know it: a router may lead from there to here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    ip: IpAddr,
    /// None: any.
    port: Option<u16>,
}

/// Addresses that somebody set, separated by commas; none: to be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses(Vec<Reached>);

/// Where to listen, and what to offer for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where to listen; port 0 is any.
    pub(crate) listen: SocketAddr,
    /// As whom others know this machine there.
    pub(crate) known_as: IpAddr,
}

impl Addresses {
    /// Where to listen: where somebody said, or else where this machine goes out (`ways_out`), and on itself if the server is
    /// on it (`server`: its addresses), because then the others may be, too.
    pub(crate) fn places(&self, server: &[IpAddr], ways_out: &[IpAddr]) -> Vec<Place> {
        if !self.0.is_empty() {
            let place = |reached: &Reached| {
                let here = reached.ip.is_loopback() || ways_out.contains(&reached.ip);
                // A router's, else, which leads to the address of this machine that goes out to it.
                let out = ways_out.iter().copied().find(|ip| ip.is_ipv4() == reached.ip.is_ipv4());
                let listen = if here { Some(reached.ip) } else { out };
                listen.map(|ip| Place { listen: SocketAddr::new(ip, reached.port.unwrap_or(0)), known_as: reached.ip })
            };
            return self.0.iter().filter_map(place).collect();
        }
        let here = server.iter().map(IpAddr::to_canonical).filter(IpAddr::is_loopback);
        let mut found: Vec<IpAddr> = Vec::new();
        for ip in here.chain(ways_out.iter().copied()) {
            if !found.contains(&ip) && found.len() < ADDRESSES_MAX {
                found.push(ip);
            }
        }
        found.into_iter().map(|ip| Place { listen: SocketAddr::new(ip, 0), known_as: ip }).collect()
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Reached { ip, port }) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match port {
                Some(port) => write!(f, "{}", SocketAddr::new(*ip, *port))?,
                None => write!(f, "{ip}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Addresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Addresses, String> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let read = |word: &str| {
            let reached = match (word.parse::<SocketAddr>(), word.parse::<IpAddr>()) {
                (Ok(address), _) => Reached { ip: address.ip(), port: Some(address.port()) },
                (_, Ok(ip)) => Reached { ip, port: None },
                _ => return Err(format!("`{word}` is no address; write them like 203.0.113.7, 203.0.113.7:4000, [2001:db8::7]:4000")),
            };
            if reached.port == Some(0) || reached.ip.is_unspecified() || reached.ip.is_multicast() {
                return Err(format!("nobody can connect to `{word}`"));
            }
            Ok(reached)
        };
        let all = words.map(read).collect::<Result<Vec<_>, _>>()?;
        if all.len() > ADDRESSES_MAX {
            return Err(format!("at most {ADDRESSES_MAX} addresses can be offered"));
        }
        Ok(Addresses(all))
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Addresses, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Value for Addresses {
    const PLACEHOLDER: &'static str = "\"ADDRESS, ADDRESS\"";
    fn from_flag(text: &str) -> Result<Addresses, String> {
        text.trim_matches('"').parse()
    }
    fn shown(&self) -> String {
        format!("{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in ["", "203.0.113.7", "203.0.113.7:4000, 2001:db8::7, [2001:db8::7]:4000"] {
            let read: Addresses = text.parse().expect(text);
            assert_eq!(read.to_string(), text);
            assert_eq!(Addresses::from_flag(&read.shown()), Ok(read));
        }
        let many = ["127.0.0.1"; ADDRESSES_MAX + 1].join(",");
        for wrong in ["example.org", "203.0.113.7:0", "0.0.0.0", "[::]:4000", "ff02::1", many.as_str()] {
            assert!(wrong.parse::<Addresses>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_set_goes_before_what_is_found() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let out = [ip("192.0.2.7"), ip("2001:db8::7")];
        let known = |places: Vec<Place>| places.iter().map(|place| format!("{} {}", place.listen, place.known_as)).collect::<Vec<_>>();
        let found = Addresses::default();
        assert_eq!(known(found.places(&[ip("198.51.100.1")], &out)), ["192.0.2.7:0 192.0.2.7", "[2001:db8::7]:0 2001:db8::7"]);
        let here = [ip("127.0.0.1"), ip("::1"), ip("::ffff:127.0.0.1")];
        assert_eq!(known(found.places(&here, &out[..1])), ["127.0.0.1:0 127.0.0.1", "[::1]:0 ::1", "192.0.2.7:0 192.0.2.7"]);
        let set: Addresses = "203.0.113.7:4000, 127.0.0.1, [2001:db8::7]:4000".parse().expect("reads");
        let places = known(set.places(&here, &out));
        assert_eq!(places, ["192.0.2.7:4000 203.0.113.7", "127.0.0.1:0 127.0.0.1", "[2001:db8::7]:4000 2001:db8::7"]);
        assert_eq!(known(set.places(&here, &[])), ["127.0.0.1:0 127.0.0.1"], "what leads nowhere is not offered");
    }
}
