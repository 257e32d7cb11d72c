//! For how long something is to hold.

use std::borrow::Cow;
use std::time::Duration;

use chinwag_wire::{Kind, Refusal, code, name, time};

use crate::arguments::Arg;
use crate::view::View;

/// For how long something is to hold: a length of time, or `forever`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term(pub Option<Duration>);

impl Arg for Term {
    const KIND: Kind = Kind { label: Cow::Borrowed("a length of time like 15m, 1h, 2d, or `forever`"), ..Kind::WORD };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        if word.eq_ignore_ascii_case("forever") {
            return Ok(Term(None));
        }
        let wrong = |_| {
            let text = format!("`{}` is neither a length of time such as `15m`, `1h` or `2d` nor `forever`", name::shortened(word));
            Refusal::new(code::USAGE, text)
        };
        time::read_duration(word).map(|time| Term(Some(time))).map_err(wrong)
    }
}
