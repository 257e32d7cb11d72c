//! A whole number.

use std::borrow::Cow;

use chinwag_wire::{Kind, Refusal, code, name};

use crate::arguments::Arg;
use crate::view::View;

/// A whole number that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub u64);

impl Arg for Number {
    const KIND: Kind = Kind { label: Cow::Borrowed("a whole number"), ..Kind::WORD };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        let wrong = |_| Refusal::new(code::USAGE, format!("`{}` is not a whole number", name::shortened(word)));
        word.parse().map(Number).map_err(wrong)
    }
}
