//! Somebody who exists, online or not.

use std::borrow::Cow;

use chinwag_wire::{Complete, Kind, Refusal};

use crate::arguments::Arg;
use crate::hall::UserId;
use crate::view::View;

/// Somebody who exists, online or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUser {
    /// Who.
    pub id: UserId,
    /// The name as registered.
    pub name: String,
}

impl Arg for KnownUser {
    const KIND: Kind = Kind { label: Cow::Borrowed("a user"), complete: Complete::KnownUsers, ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        view.user(word).map(|(id, user)| KnownUser { id, name: user.name.to_string() })
    }
}
