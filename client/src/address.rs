//! Addresses as people type them: `[USER@]HOST[:PORT]`, IPv6 with or without brackets.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use chinwag_wire::{code, name};

use crate::connection::sentence;

/// Where a server listens unless somebody says otherwise.
pub(crate) const DEFAULT_PORT: u16 = 2461;
/// Where a server listens for S4 unless somebody says otherwise; the protocol has no port of its own.
pub(crate) const S4_PORT: u16 = 2464;
/// Where one looks for a server unless told otherwise.
pub(crate) const DEFAULT_HOST: &str = "127.0.0.1";

/// What the one positional argument says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Address {
    /// Whom to log in as.
    pub(crate) user: Option<String>,
    /// A name or an IP address, without brackets, if one was given here.
    pub(crate) host: Option<String>,
    /// The port, if one was given here.
    pub(crate) port: Option<u16>,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(typed: &str) -> Result<Address, String> {
        let (user, place) = match typed.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, typed),
        };
        if let Some(user) = user {
            check_name(user)?;
        }
        let (host, port) = host_and_port(place)?;
        if let Some(odd) = host.chars().find(|c| c.is_whitespace() || c.is_control() || matches!(c, '/' | '[' | ']')) {
            return Err(format!("`{}` in `{}` cannot be part of a host name", odd.escape_default(), typed.escape_debug()));
        }
        Ok(Address { user: user.map(str::to_owned), host: (!host.is_empty()).then(|| host.to_owned()), port })
    }
}

/// Refuses what cannot be a name anywhere. Which names are reserved only the server knows: on one that speaks another
/// protocol `admin` may be somebody.
///
/// # Errors
/// A sentence.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    match name::check(name) {
        Err(refusal) if refusal.code != code::RESERVED_NAME => Err(sentence(&refusal)),
        _ => Ok(()),
    }
}

fn host_and_port(place: &str) -> Result<(&str, Option<u16>), String> {
    if let Some(bracketed) = place.strip_prefix('[') {
        let Some((host, after)) = bracketed.split_once(']') else {
            return Err(format!("`{}` has a `[` without a `]`", place.escape_debug()));
        };
        return match after.strip_prefix(':') {
            Some(digits) => Ok((host, Some(port(digits)?))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(format!("expected `:PORT` after `]`, not `{}`", after.escape_debug())),
        };
    }
    match place.split_once(':') {
        // More than one colon: an IPv6 address without brackets, and so without a port.
        Some((_, more)) if more.contains(':') => Ok((place, None)),
        Some((host, digits)) => Ok((host, Some(port(digits)?))),
        None => Ok((place, None)),
    }
}

fn port(digits: &str) -> Result<u16, String> {
    match digits.parse() {
        Ok(0) | Err(_) => Err(format!("`{}` is not a port: expected a number from 1 to 65535", digits.escape_debug())),
        Ok(port) => Ok(port),
    }
}

/// A host and a port: what a fingerprint and a history file belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// A name or an IP address, without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names are the same in upper and lower case, and so is the place.
        let host = self.host.to_ascii_lowercase();
        let bare = host.split('%').next().unwrap_or(&host);
        if bare.parse::<Ipv6Addr>().is_ok() { write!(f, "[{host}]:{}", self.port) } else { write!(f, "{host}:{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_type_them() {
        for (typed, user, host, port) in [
            ("example.org", None, "example.org", None),
            ("example.org:99", None, "example.org", Some(99)),
            ("alice@example.org", Some("alice"), "example.org", None),
            ("alice@10.0.0.1:7000", Some("alice"), "10.0.0.1", Some(7000)),
            ("[::1]:2461", None, "::1", Some(2461)),
            ("[::1]", None, "::1", None),
            ("::1", None, "::1", None),
            ("bob@fe80::1%eth0", Some("bob"), "fe80::1%eth0", None),
            ("bob@", Some("bob"), "", None),
            ("admin@host", Some("admin"), "host", None),
            (":99", None, "", Some(99)),
        ] {
            let host = (!host.is_empty()).then(|| host.to_owned());
            let expected = Address { user: user.map(str::to_owned), host, port };
            assert_eq!(typed.parse(), Ok(expected), "{typed}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (typed, reason) in [
            ("host:", "is not a port"),
            ("host:0", "is not a port"),
            ("host:99999", "is not a port"),
            ("host:http", "is not a port"),
            ("[::1", "without a `]`"),
            ("[::1]x", "expected `:PORT`"),
            ("a b@host", "cannot be a name"),
            ("@host", "cannot be a name"),
            ("chat://host", "is not a port"),
            ("ho st", "cannot be part of a host name"),
        ] {
            let refused = typed.parse::<Address>().expect_err(typed);
            assert!(refused.contains(reason), "{typed}: {refused}");
        }
    }

    #[test]
    fn places_are_written_one_way() {
        let shown = |host: &str| Place { host: host.to_owned(), port: 5 }.to_string();
        assert_eq!(shown("Example.ORG"), "example.org:5");
        assert_eq!(shown("::1"), "[::1]:5");
        assert_eq!(shown("fe80::1%eth0"), "[fe80::1%eth0]:5");
    }
}
