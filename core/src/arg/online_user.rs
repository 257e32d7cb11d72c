//! Somebody who is online.

use std::borrow::Cow;

use chinwag_wire::{Complete, Kind, Refusal, code};

use crate::arguments::Arg;
use crate::hall::UserId;
use crate::view::View;

/// Somebody who is online, as far as the asker may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlineUser {
    /// Who.
    pub id: UserId,
    /// The name as registered.
    pub name: String,
}

impl Arg for OnlineUser {
    const KIND: Kind = Kind { label: Cow::Borrowed("a user who is online"), complete: Complete::OnlineUsers, ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        let (id, user) = view.user(word)?;
        if !user.is_online() || !view.sees(id) {
            let text = format!("`{}` is not online", user.name);
            return Err(Refusal::new(code::NOT_ONLINE, text).hint("`whoelse` lists who is"));
        }
        Ok(OnlineUser { id, name: user.name.to_string() })
    }
}
