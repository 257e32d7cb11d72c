//! Whom something is said to: a user, or a room.

use std::borrow::Cow;

use chinwag_wire::{Addressee, Complete, Kind, Refusal, code};

use crate::arguments::Arg;
use crate::hall::Recipient;
use crate::view::View;

/// A user who exists, or a room that the asker is in. No two of them have one name; a `#` in front says that a room is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserOrRoom {
    /// Whom it means.
    pub recipient: Recipient,
    /// The same as people see it.
    pub shown: Addressee,
}

impl Arg for UserOrRoom {
    const KIND: Kind = Kind { label: Cow::Borrowed("a user, or a room"), complete: Complete::KnownUsers, ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        // `@den: hi`: people write the colon as they do after a user's name.
        let bare = word.strip_suffix(':').filter(|name| !name.is_empty()).unwrap_or(word);
        if !word.starts_with('#') && view.hall().room_named(bare, view.now).is_none() {
            let (id, user) = view.user(word)?;
            return Ok(UserOrRoom { recipient: Recipient::User(id), shown: Addressee::User(user.name.to_string()) });
        }
        let (id, room) = view.room(bare)?;
        let name = room.row.name.clone();
        if !view.me().and_then(|me| room.members.get(&me)).is_some_and(|me| me.tuned_in) {
            return Err(Refusal::new(code::NO_ROOM, format!("you are not in `{name}`")).hint(format!("join {name}")));
        }
        Ok(UserOrRoom { recipient: Recipient::Room(id), shown: Addressee::Room(name) })
    }
}
