//! Which message is meant.

use std::borrow::Cow;

use chinwag_wire::{Kind, Refusal, code, name};

use crate::arguments::Arg;
use crate::store::Which;
use crate::view::View;

/// Which message is meant: `1` is the last, `3` the third from the end, `#812` the one with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageRef {
    /// Counted from the end, from 1.
    Back(u64),
    /// By its number in the order.
    Numbered(u64),
}

impl MessageRef {
    /// Counting what anybody said.
    #[must_use]
    pub fn of_all(self) -> Which {
        match self {
            MessageRef::Back(count) => Which::Back(count),
            MessageRef::Numbered(seq) => Which::Numbered(seq),
        }
    }

    /// Counting what the asker said.
    #[must_use]
    pub fn of_mine(self) -> Which {
        match self {
            MessageRef::Back(count) => Which::OwnBack(count),
            MessageRef::Numbered(seq) => Which::Numbered(seq),
        }
    }
}

impl Arg for MessageRef {
    const KIND: Kind = Kind { label: Cow::Borrowed("a message: 1 for the last, 2 for the one before, #N by its number"), ..Kind::WORD };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        let wrong = || {
            let text = format!("`{}` is no message: 1 is the last, 2 the one before, #812 the one with this number", name::shortened(word));
            Refusal::new(code::USAGE, text)
        };
        let number = |digits: &str| digits.parse::<u64>().ok().filter(|number| *number > 0).ok_or_else(wrong);
        match word.strip_prefix('#') {
            Some(digits) => number(digits).map(MessageRef::Numbered),
            None => number(word).map(MessageRef::Back),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::hall::{Hall, Loaded, Policy, SessionId};
    use crate::server::Settings;

    #[test]
    fn a_message_is_counted_or_numbered() {
        let (hall, settings) = (Hall::load(Policy::default(), Loaded::default()), Settings::default());
        let view = View::new(&hall, SessionId::new(1, 0), Clock::standing_at(chinwag_wire::Millis(0)).now(), &[], &settings);
        assert_eq!(MessageRef::read("3", &view), Ok(MessageRef::Back(3)));
        assert_eq!(MessageRef::read("#812", &view), Ok(MessageRef::Numbered(812)));
        for wrong in ["0", "#0", "-1", "three", "#", "3rd", "99999999999999999999"] {
            assert_eq!(MessageRef::read(wrong, &view).map_err(|refusal| refusal.code), Err(code::USAGE), "{wrong}");
        }
    }
}
