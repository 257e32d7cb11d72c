//! Somebody who belongs to the room one is in.

use std::borrow::Cow;

use chinwag_wire::{Complete, Kind, Refusal};

use crate::arguments::Arg;
use crate::hall::{RoomId, UserId};
use crate::view::View;

/// Somebody who belongs to the room one is in, by what they are called there or by their name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The room.
    pub room: RoomId,
    /// Who.
    pub id: UserId,
    /// Their name; not what they are called in the room.
    pub name: String,
}

impl Arg for Member {
    const KIND: Kind = Kind { label: Cow::Borrowed("somebody in your room"), complete: Complete::Members, ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        let member = view.member(word)?;
        let name = view.hall().user(member.user).map_or_else(|| member.nick.clone(), |user| user.name.to_string());
        Ok(Member { room: member.room, id: member.user, name })
    }
}
