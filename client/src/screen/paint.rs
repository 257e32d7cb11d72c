//! Lines of named parts become rows of text with colours.

use std::sync::Arc;

use super::model::{Line, Part};
use crate::interface::Attention;
use crate::theme::{Depth, Paint, Theme};
use crate::wrap;

/// How much of a message a notification of the desktop holds: what they show, or more.
const NOTIFICATION_CHARS_MAX: usize = 120;

/// How things look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// How many colours there are.
    pub(crate) depth: Depth,
    /// Which is for what.
    pub(crate) theme: Arc<Theme>,
}

impl Look {
    /// In these colours.
    pub(crate) fn new(depth: Depth, theme: Theme) -> Look {
        Look { depth, theme: Arc::new(theme) }
    }

    /// Whether there are colours.
    pub(crate) fn has_colours(&self) -> bool {
        self.depth > Depth::None
    }

    /// The text as `paint` says.
    pub(crate) fn painted(&self, paint: Paint, text: &str) -> String {
        paint.on(text, self.depth)
    }

    fn paint(&self, part: Part, text: &str) -> Paint {
        match part {
            Part::Plain => Paint::default(),
            Part::Time => self.theme.time,
            Part::Name => self.theme.name(text),
            Part::Me => self.theme.me,
            Part::Mention => self.theme.mention,
            Part::Quiet => self.theme.quiet,
            Part::Notice => self.theme.notice,
            Part::Refusal => self.theme.refusal,
            Part::Private => self.theme.private,
            Part::Alarm => self.theme.alarm,
        }
    }
}

/// How wide the terminal is now; 0 if nobody knows.
pub(crate) fn columns() -> usize {
    rustix::termios::tcgetwinsize(rustix::stdio::stdout()).map_or(0, |size| size.ws_col.into())
}

/// Writes a line as rows of at most `columns`. Every row ends with a line ending, and in the terminal's own colour.
pub(super) fn line(line: &Line, look: &Look, columns: usize, out: &mut String) {
    let text = line.text();
    let indent = wrap::indent(line.indent, columns);
    for (number, row) in wrap::rows(&text, columns, indent).into_iter().enumerate() {
        if number > 0 {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        let mut at = 0;
        for (part, words) in &line.parts {
            let (start, end) = (row.start.max(at), row.end.min(at + words.len()));
            if start < end {
                out.push_str(&look.paint(*part, words).on(&text[start..end], look.depth));
            }
            at += words.len();
        }
        out.push('\n');
    }
}

/// What makes the terminal call for attention. It moves nothing.
pub(super) fn call(attention: Attention, line: &Line) -> String {
    match attention {
        Attention::Nothing => String::new(),
        Attention::Bell => "\x07".to_owned(),
        Attention::Notification => {
            let words = line.parts.iter().filter(|(part, _)| *part != Part::Time).map(|(_, text)| text.as_str());
            let text: String = words.flat_map(str::chars).take(NOTIFICATION_CHARS_MAX).collect();
            // A number in front would mean something else to some terminals. The text is safe: no bell in it ends it early.
            format!("\x1b]9;chinwag: {text}\x07")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Line {
        let parts = vec![
            (Part::Time, "10:00 ".to_owned()),
            (Part::Mention, "! ".to_owned()),
            (Part::Name, "bob".to_owned()),
            (Part::Plain, " to all: are you there, ".to_owned()),
            (Part::Mention, "alice".to_owned()),
            (Part::Plain, "? It is about the harvest".to_owned()),
        ];
        Line { parts, indent: 6, calls: true }
    }

    fn painted(depth: Depth, columns: usize) -> String {
        let mut out = String::new();
        line(&message(), &Look::new(depth, Theme::default()), columns, &mut out);
        out
    }

    #[test]
    fn rows_stand_in_and_every_row_has_its_own_colours() {
        assert_eq!(painted(Depth::None, 0), "10:00 ! bob to all: are you there, alice? It is about the harvest\n");
        assert_eq!(painted(Depth::None, 40), "10:00 ! bob to all: are you there,\n      alice? It is about the harvest\n");
        let coloured = painted(Depth::Sixteen, 40);
        for row in coloured.lines() {
            assert_eq!(row.rfind('\x1b'), row.rfind("\x1b[0m"), "{row:?}");
        }
        assert!(coloured.contains("      \x1b[1m\x1b[33malice\x1b[0m?"), "{coloured:?}");
        let bare: String = coloured
            .split('\x1b')
            .enumerate()
            .map(|(number, text)| if number == 0 { text } else { text.split_once('m').expect("a colour").1 })
            .collect();
        assert_eq!(bare, painted(Depth::None, 40));
    }

    #[test]
    fn a_call_is_one_sequence_and_ends() {
        assert_eq!(call(Attention::Nothing, &message()), "");
        assert_eq!(call(Attention::Bell, &message()), "\x07");
        let call = call(Attention::Notification, &message());
        assert_eq!(call, "\x1b]9;chinwag: ! bob to all: are you there, alice? It is about the harvest\x07");
    }
}
