//! A word that must not be seen again.

use std::borrow::Cow;
use std::fmt;

use chinwag_wire::{Kind, Refusal};

use crate::arguments::Arg;
use crate::view::View;

/// A password, a token: kept from echo, logs and history. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl Arg for Secret {
    const KIND: Kind = Kind { label: Cow::Borrowed("a secret word, without spaces"), secret: true, ..Kind::WORD };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        Ok(Secret(word.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
