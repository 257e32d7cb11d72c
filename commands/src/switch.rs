//! On and off, for the commands that switch something.

use std::borrow::Cow;

use chinwag_core::prelude::Words;

/// On or off.
pub struct OnOff;

impl Words for OnOff {
    const LABEL: &'static str = "one of on and off";
    const WORDS: &'static [Cow<'static, str>] = &[Cow::Borrowed("on"), Cow::Borrowed("off")];
}
