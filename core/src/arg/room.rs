//! A room that there is.

use std::borrow::Cow;

use chinwag_wire::{Complete, Kind, Refusal};

use crate::arguments::Arg;
use crate::hall::RoomId;
use crate::view::View;

/// A room that there is, with or without a `#` in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomName {
    /// Which.
    pub id: RoomId,
    /// Its name, as it was made.
    pub name: String,
}

impl Arg for RoomName {
    const KIND: Kind = Kind { label: Cow::Borrowed("a room"), complete: Complete::Rooms, ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        view.room(word).map(|(id, room)| RoomName { id, name: room.row.name.clone() })
    }
}
