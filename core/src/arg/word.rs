//! One word, as it is.

use chinwag_wire::{Kind, Refusal};

use crate::arguments::Arg;
use crate::view::View;

/// One word, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(pub String);

impl Arg for Word {
    const KIND: Kind = Kind::WORD;

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        Ok(Word(word.to_owned()))
    }
}
