//! A ticket for the relay.

use std::borrow::Cow;

use chinwag_wire::{Kind, Refusal, Token, code};

use crate::arguments::Arg;
use crate::view::View;

/// What opens one end of a relay. `Debug` does not show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub Token);

impl Arg for Ticket {
    const KIND: Kind = Kind { label: Cow::Borrowed("a ticket, which the server gives"), secret: true, ..Kind::WORD };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        let told = "this is no ticket: one has 64 lowercase hexadecimal digits";
        word.parse().map(Ticket).map_err(|_| Refusal::new(code::BAD_TICKET, told).hint("`relay` on the other connection gets one"))
    }
}
