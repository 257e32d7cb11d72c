//! A prompt that changes while somebody types. It names the room one is in, and the line editor measures its prompt only when it begins
//! to read a line. So when the room has changed, the reading is broken off, what stands there is wiped away, and the line is read on
//! under the new prompt, with its text and the cursor where they were.
//!
//! Between the two readings the printer must not print: it would print where the old prompt is about to be wiped away. So one of
//! both goes first: [`Redraw::begin`] says no while something is being printed, and [`Redraw::before_printing`] waits until the new
//! prompt is due. The prompt's thread never waits.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustyline::GraphemeClusterMode;
use unicode_segmentation::UnicodeSegmentation;

/// What the prompt's thread and the printer know of each other.
#[derive(Debug, Default)]
pub(crate) struct Redraw {
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Debug, Default)]
struct State {
    painted: Painted,
    /// The reading is being broken off.
    pending: bool,
    /// Something is being printed.
    printing: bool,
    /// It was, when a new prompt was due.
    missed: bool,
}

/// What stands behind the prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Painted {
    /// What is typed.
    pub(crate) line: String,
    /// Where in it the cursor is, in bytes.
    pub(crate) cursor: usize,
    /// The hint behind it.
    pub(crate) hint: String,
}

impl Redraw {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two calls, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what is painted.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Painted)) {
        change(&mut self.lock().painted);
    }

    /// A new prompt is due: whether the reading may be broken off now. If not, there is another painting soon, and another chance.
    pub(crate) fn begin(&self) -> bool {
        let mut state = self.lock();
        state.missed |= state.printing;
        state.pending |= !state.printing;
        state.pending
    }

    /// The reading has ended. What was painted, if that was for a new prompt; until [`Redraw::end`] nothing is printed.
    pub(crate) fn broken_off(&self) -> Option<Painted> {
        let mut state = self.lock();
        let painted = std::mem::take(&mut state.painted);
        state.pending.then_some(painted)
    }

    /// The new prompt may come, and so may whatever is printed.
    pub(crate) fn end(&self) {
        self.lock().pending = false;
        self.over.notify_all();
    }

    /// Waits until nothing is wiped away any more.
    pub(crate) fn before_printing(&self) {
        let mut state = self.lock();
        while state.pending {
            state = self.over.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.printing = true;
    }

    /// Says whether a new prompt was due meanwhile, so that something has to be painted for it.
    pub(crate) fn after_printing(&self) -> bool {
        let mut state = self.lock();
        state.printing = false;
        std::mem::take(&mut state.missed)
    }
}

/// What moves the cursor from below a prompt with its line back to its beginning, and wipes away all from there on. `columns` is the
/// terminal's width, `text` all that was painted.
pub(crate) fn wiped(text: &str, columns: usize) -> String {
    format!("\x1b[{}A\r\x1b[J", last_row(text, columns, GraphemeClusterMode::from_env()) + 1)
}

/// In which row `text` ends, counted from that in which it begins; by the editor's own rules, since it is the editor that painted it.
fn last_row(text: &str, columns: usize, mode: GraphemeClusterMode) -> usize {
    let (mut column, mut row) = (0, 0);
    for grapheme in text.graphemes(true) {
        if grapheme == "\n" {
            (column, row) = (0, row + 1);
            continue;
        }
        let width = if grapheme == "\t" { TAB - column % TAB } else { usize::from(mode.width(grapheme)) };
        column += width;
        if column > columns {
            (column, row) = (width, row + 1);
        }
    }
    if column == columns { row + 1 } else { row }
}

/// How far tabs reach, in the editor.
const TAB: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_as_the_editor_counts_them() {
        let row = |text: &str, columns| last_row(text, columns, GraphemeClusterMode::WcWidth);
        assert_eq!(row("", 10), 0);
        assert_eq!(row("123456789", 10), 0);
        assert_eq!(row("1234567890", 10), 1, "the cursor stands in the next row");
        assert_eq!(row("12345678901", 10), 1);
        assert_eq!(row("123456789漢", 10), 1, "what is wide is not split");
        assert_eq!(row("one\ntwo\n", 10), 2);
        assert_eq!(row("e\u{301}e\u{301}e\u{301}", 4), 0);
        assert_eq!(row("1\t90", 10), 1);
    }

    #[test]
    fn whoever_comes_first_goes_first() {
        let redraw = Redraw::default();
        redraw.before_printing();
        assert!(!redraw.begin(), "something is being printed");
        assert!(redraw.after_printing(), "so it is painted once more");
        redraw.note(|painted| painted.line = "half a li".to_owned());
        assert!(redraw.begin() && redraw.begin());
        assert_eq!(redraw.broken_off().map(|painted| painted.line).as_deref(), Some("half a li"));
        std::thread::scope(|scope| {
            let printer = scope.spawn(|| {
                redraw.before_printing();
                redraw.after_printing()
            });
            redraw.end();
            assert!(!printer.join().expect("prints"));
        });
        assert_eq!(redraw.broken_off(), None, "nothing was due");
    }
}
