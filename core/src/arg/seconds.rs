//! A length of time.

use std::borrow::Cow;
use std::time::Duration;

use chinwag_wire::{Complete, Kind, Refusal, code, name, time};

use crate::arguments::Arg;
use crate::view::View;

/// A length of time: a bare number means seconds; `15m`, `1h`, `2d` mean what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl Arg for Seconds {
    const KIND: Kind =
        Kind { label: Cow::Borrowed("seconds, or a length of time like 15m, 1h, 2d"), complete: Complete::Durations, ..Kind::WORD };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        let wrong = |_| {
            let text = format!("`{}` is not a length of time such as `90`, `15m`, `1h` or `2d`", name::shortened(word));
            Refusal::new(code::USAGE, text)
        };
        time::read_duration(word).map(Seconds).map_err(wrong)
    }
}
