//! Text that a terminal, a log or a title can be shown without changing their state.

use std::borrow::Cow;
use std::fmt;

use unicode_width::UnicodeWidthChar;

/// How many zero-width characters in a row are shown: enough for every script and emoji sequence, too few to
/// smear a stack of accents over the lines above.
const ZERO_WIDTH_RUN_MAX: usize = 8;

/// The only thing that prints. Whatever could act on a terminal is made visible, never hidden: ESC reads `␛`,
/// a line break `↵`, a bidirectional override `<U+202E>`.
///
/// Messages are stored and sent as they were said; this type stands at the display boundary, in the `text`
/// dialect, in the client and in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeText<'a>(Cow<'a, str>);

impl<'a> SafeText<'a> {
    /// Makes `raw` safe; borrows it when there is nothing to do.
    #[must_use]
    pub fn new(raw: &'a str) -> SafeText<'a> {
        if raw.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return SafeText(Cow::Borrowed(raw));
        }
        let mut safe = String::with_capacity(raw.len() + 8);
        let mut zero_width_run = 0;
        for c in raw.chars() {
            match shown(c) {
                Shown::AsIs if c.width() == Some(0) => {
                    zero_width_run += 1;
                    if zero_width_run <= ZERO_WIDTH_RUN_MAX {
                        safe.push(c);
                    }
                    continue;
                }
                Shown::AsIs => safe.push(c),
                Shown::As(other) => safe.push(other),
                Shown::AsNumber => {
                    use fmt::Write;
                    // Writing to a String cannot fail.
                    let _ = write!(safe, "<U+{:04X}>", u32::from(c));
                }
            }
            zero_width_run = 0;
        }
        SafeText(Cow::Owned(safe))
    }

    /// The safe text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

enum Shown {
    AsIs,
    As(char),
    AsNumber,
}

fn shown(c: char) -> Shown {
    match c {
        '\n' => Shown::As('↵'),
        '\t' => Shown::As(' '),
        // The control pictures of Unicode stand in the order of the controls they picture.
        '\0'..='\x1f' => Shown::As(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
        '\x7f' => Shown::As('␡'),
        '\u{80}'..='\u{9f}' // C1: 0x9B alone begins a control sequence on some terminals
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' // not ZWNJ and ZWJ: scripts and emoji need them
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => Shown::AsNumber,
        _ => Shown::AsIs,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::SafeText;

    #[test]
    fn what_acts_on_a_terminal_is_made_visible() {
        for (raw, safe) in [
            ("plain", "plain"),
            ("žofie 漢字 👩\u{200d}💻", "žofie 漢字 👩\u{200d}💻"),
            ("\x1b[31mred", "␛[31mred"),
            ("a\r\nb", "a␍↵b"),
            ("\u{9b}31m", "<U+009B>31m"),
            ("abc\u{202e}cba", "abc<U+202E>cba"),
            ("\x07\x7f\0", "␇␡␀"),
        ] {
            assert_eq!(SafeText::new(raw).as_str(), safe);
        }
        let stack = format!("z{}", "\u{301}".repeat(500));
        assert_eq!(SafeText::new(&stack).as_str().chars().count(), 9);
    }

    proptest! {
        #[test]
        fn nothing_that_acts_survives(raw in any::<String>()) {
            let safe = SafeText::new(&raw);
            let acts = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            prop_assert!(!safe.as_str().contains(acts));
            let twice = SafeText::new(safe.as_str());
            prop_assert_eq!(twice.as_str(), safe.as_str());
        }
    }
}
