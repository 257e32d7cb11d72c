//! An offer of a private chat, as a client makes it.

use std::borrow::Cow;

use chinwag_wire::{Kind, Offer, Refusal, code};

use crate::arguments::Arg;
use crate::view::View;

/// An offer of a private chat: a word that clients make by themselves. What is in it is a secret between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateOffer(pub Box<Offer>);

impl Arg for PrivateOffer {
    const KIND: Kind = Kind { label: Cow::Borrowed("an offer, which clients make by themselves"), secret: true, ..Kind::WORD };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        word.parse().map(|offer| PrivateOffer(Box::new(offer))).map_err(|why| Refusal::new(code::USAGE, format!("this is no offer: {why}")))
    }
}
