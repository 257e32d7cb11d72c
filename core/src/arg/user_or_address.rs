//! A user, or where somebody comes from.

use std::borrow::Cow;

use chinwag_wire::{Complete, Kind, Refusal, code};

use crate::arguments::Arg;
use crate::hall::Banned;
use crate::network;
use crate::view::View;

/// A user, or an address: of IPv6, the /64 that it is in. A name that reads like an address is a user with an `@` before
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserOrAddress {
    /// Whom it means.
    pub whom: Banned,
    /// The name as registered, or the network.
    pub shown: String,
}

impl Arg for UserOrAddress {
    const KIND: Kind = Kind { label: Cow::Borrowed("a user, or an address"), complete: Complete::KnownUsers, ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        if let Some(network) = network::read(word) {
            return Ok(UserOrAddress { whom: Banned::Network(network), shown: network::shown(network) });
        }
        if word.contains('/') {
            let text = format!("`{}` is not a network that can be named", chinwag_wire::name::shortened(word));
            return Err(Refusal::new(code::USAGE, text).hint("name an address such as 192.0.2.1, or a /64 of IPv6"));
        }
        let (id, user) = view.user(word.strip_prefix('@').unwrap_or(word))?;
        Ok(UserOrAddress { whom: Banned::User(id), shown: user.name.to_string() })
    }
}
