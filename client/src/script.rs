//! Chat through pipes: every line of the input is sent when the one before is answered, what arrives is printed,
//! and the end of the input is a logout.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use chinwag_wire::split::{self, Asked};
use chinwag_wire::{Partial, Refusal};

use crate::audience::Audience;
use crate::chat::{Chat, TYPED_MAX};
use crate::connection::sentence;
use crate::dialogue;
use crate::failure::{Exit, Failure};
use crate::interface::Live;
use crate::knowledge::SharedKnowledge;
use crate::report::{Form, Of, Report};
use crate::screen::{Look, Output, Screen};
use crate::session::Typed;
use crate::theme::{Depth, Theme, When};

/// The longest line that is read; what the server takes is its own business, and far less.
pub(crate) const LINE_BYTES_MAX: usize = 1 << 20;

/// Sends all that comes in, and logs out.
///
/// # Errors
/// Why it did not end by a logout; or that something was refused.
pub(crate) fn run(chat: Chat, form: Form, color: When) -> Result<(), Failure> {
    let cannot = |error: io::Error| Failure::usage(format!("cannot start: {error}"));
    let (audience, printer) = match form {
        Form::Text => {
            let (screen, printer) =
                Screen::start(Output::Pipe, Live::looking(Look::new(Depth::of_output(color), Theme::default())), chat.name())
                    .map_err(cannot)?;
            (Audience::Screen(screen), printer)
        }
        Form::Json => {
            let (report, writer) = Report::start(form, Of::Everything).map_err(cannot)?;
            (Audience::Report(report), writer)
        }
    };
    let (typed, lines) = async_channel::bounded(TYPED_MAX);
    let leave = chat.leave.clone();
    let session = chat.session(audience, lines, true)?;
    let input = Arc::new(Input::default());
    let reading = Arc::clone(&input);
    // Nobody waits for this thread: it may sit in a read that never ends.
    thread::Builder::new()
        .name("input".to_owned())
        .spawn(move || reading.read(io::stdin().lock(), |line| typed.send_blocking(line).is_ok()))
        .map_err(cannot)?;
    let refused = session.refusals();
    let end = session.run_to_end();
    // With the session its way to the screen is gone, and the printer ends when all is printed.
    let _ = printer.join();
    if leave.was_interrupted() && !input.ended.load(Ordering::SeqCst) {
        return Err(Failure::interrupted("interrupted before the input ended"));
    }
    end?;
    match refused.load(Ordering::SeqCst) + input.skipped.load(Ordering::SeqCst) {
        0 => Ok(()),
        1 => Err(Failure { exit: Exit::Refused, message: "1 line was refused".to_owned() }),
        count => Err(Failure { exit: Exit::Refused, message: format!("{count} lines were refused") }),
    }
}

/// How far the input is read.
#[derive(Debug, Default)]
pub(crate) struct Input {
    ended: AtomicBool,
    /// How many lines could not be sent at all.
    skipped: AtomicUsize,
    /// Where people type, a line means what it means there and then; a script's means what it means when it is its turn.
    typed_by_people: Option<SharedKnowledge>,
}

impl Input {
    /// Of somebody who types.
    pub(crate) fn of_people(knowledge: SharedKnowledge) -> Input {
        Input { typed_by_people: Some(knowledge), ..Input::default() }
    }

    fn typed(&self, line: &str) -> Typed {
        let typed = Typed::line(line.to_owned());
        match &self.typed_by_people {
            Some(knowledge) => {
                let addressee = knowledge.lock().addressee();
                typed.meant_for(addressee.as_deref())
            }
            None => typed,
        }
    }

    /// Hands over lines to `takes` until the input ends or it takes no more.
    pub(crate) fn read(&self, input: impl Read, takes: impl Fn(Typed) -> bool) {
        let read = lines(input, |number, line| {
            match line {
                Ok(text) if split::line(text) == Asked::Nothing => {}
                Ok(text) => {
                    if !takes(self.typed(text)) {
                        return ControlFlow::Break(());
                    }
                }
                Err(refusal) => {
                    self.skipped.fetch_add(1, Ordering::SeqCst);
                    dialogue::say(&format!("* line {number} is skipped: {}", sentence(&refusal)));
                }
            }
            ControlFlow::Continue(())
        });
        match read {
            Ok(ControlFlow::Continue(())) => self.ended.store(true, Ordering::SeqCst),
            Ok(ControlFlow::Break(())) => {}
            Err((number, error)) => {
                self.skipped.fetch_add(1, Ordering::SeqCst);
                dialogue::say(&format!("* cannot read on after line {number}: {error}"));
            }
        }
    }
}

/// Reads line after line, each with its number, until the input ends or `take` has enough.
///
/// # Errors
/// The input cannot be read on, after this line.
pub(crate) fn lines(
    mut input: impl Read,
    mut take: impl FnMut(usize, Result<&str, Refusal>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, (usize, io::Error)> {
    let mut partial = Partial::default();
    let mut chunk = [0; 8192];
    let mut number = 0;
    loop {
        let count = match input.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err((number, error)),
        };
        // The last line may have no ending.
        let mut bytes = if count == 0 { b"\n".as_slice() } else { &chunk[..count] };
        while !bytes.is_empty() {
            let (taken, line) = partial.line(bytes, LINE_BYTES_MAX);
            bytes = &bytes[taken..];
            let Some(line) = line else { continue };
            number += 1;
            if take(number, line).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if count == 0 {
            return Ok(ControlFlow::Continue(()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_handed_over_as_they_stand() {
        let (typed, lines) = async_channel::bounded(100);
        let input = Input::default();
        input.read(b"one\r\n\n  \ntwo  words \n\xff\xfe\nlast".as_slice(), |line| typed.send_blocking(line).is_ok());
        assert!(input.ended.load(Ordering::SeqCst));
        assert_eq!(input.skipped.load(Ordering::SeqCst), 1, "one line is not text");
        drop(typed);
        let read: Vec<String> = std::iter::from_fn(|| lines.try_recv().ok()).map(|typed| typed.line).collect();
        assert_eq!(read, ["one", "two  words ", "last"]);
    }
}
