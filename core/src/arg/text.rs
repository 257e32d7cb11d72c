//! The rest of the line, as it is.

use std::borrow::Cow;
use std::fmt;

use chinwag_wire::{Kind, Refusal, Shape};

use crate::arguments::Arg;
use crate::view::View;

/// The rest of the line, as it is: no quotes, no escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(pub String);

impl Arg for Text {
    const KIND: Kind = Kind { label: Cow::Borrowed("some text"), shape: Shape::Rest, ..Kind::WORD };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        Ok(Text(word.to_owned()))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
