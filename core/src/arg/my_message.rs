//! A message that one has said oneself.

use std::borrow::Cow;

use chinwag_wire::{Kind, Refusal, code, name};

use crate::arguments::Arg;
use crate::store::PAGE_MAX;
use crate::view::View;

/// A message of one's own: `1` is the last, `2` the one before it; `#812` is the one with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MyMessage {
    /// So many back, counted from 1; at most [`PAGE_MAX`].
    Back(usize),
    /// Its place in the order.
    Number(u64),
}

impl Arg for MyMessage {
    const KIND: Kind = Kind { label: Cow::Borrowed("a message of yours"), ..Kind::WORD };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        let wrong = || {
            let text = format!("`{}` is no message of yours", name::shortened(word));
            Refusal::new(code::USAGE, text)
                .hint(format!("1 is your last, 2 the one before it, and so on to {PAGE_MAX}; #812 is number 812"))
        };
        match word.strip_prefix('#') {
            Some(number) => number.parse().map(MyMessage::Number).map_err(|_| wrong()),
            None => word.parse().ok().filter(|back| (1..=PAGE_MAX).contains(back)).map(MyMessage::Back).ok_or_else(wrong),
        }
    }
}
