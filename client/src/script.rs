//! Chat through pipes: every line of the input is sent when the one before is answered, what arrives is printed,
//! and the end of the input is a logout.

use std::io::{self, Read};
use std::sync::mpsc;
use std::thread;

use async_channel::Sender;
use chinwag_wire::Partial;
use chinwag_wire::split::{self, Asked};

use crate::chat::{Chat, TYPED_MAX};
use crate::connection::sentence;
use crate::failure::Failure;
use crate::screen::{Look, Output, Screen, Settled, wants_colours};
use crate::session::Typed;

/// The longest line that is read; what the server takes is its own business, and far less.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Sends all that comes in, and logs out.
///
/// # Errors
/// Why it did not end by a logout.
pub(crate) fn run(chat: Chat) -> Result<(), Failure> {
    let cannot = |error: io::Error| Failure::usage(format!("cannot start: {error}"));
    let (screen, printer) = Screen::start(Output::Pipe, Look::with_colours(wants_colours())).map_err(cannot)?;
    let (typed, lines) = async_channel::bounded(TYPED_MAX);
    let session = chat.session(screen, lines, true)?;
    // Nobody waits for this thread: it may sit in a read that never ends.
    thread::Builder::new().name("input".to_owned()).spawn(move || read(io::stdin().lock(), &typed)).map_err(cannot)?;
    let end = session.run_to_end();
    // With the session its way to the screen is gone, and the printer ends when all is printed.
    let _ = printer.join();
    end
}

/// Hands over lines until the input ends or nobody takes them any more.
fn read(mut input: impl Read, typed: &Sender<Typed>) {
    let mut partial = Partial::default();
    let mut chunk = [0; 8192];
    let mut number = 0;
    loop {
        let count = match input.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                eprintln!("* cannot read on after line {number}: {error}");
                0
            }
        };
        // The last line may have no ending.
        let mut bytes = if count == 0 { b"\n".as_slice() } else { &chunk[..count] };
        while !bytes.is_empty() {
            let (taken, line) = partial.line(bytes, LINE_BYTES_MAX);
            bytes = &bytes[taken..];
            let Some(line) = line else { continue };
            number += 1;
            match line {
                Ok(text) if split::line(text) == Asked::Nothing => {}
                Ok(text) => {
                    let settled = Settled(mpsc::sync_channel(1).0);
                    if typed.send_blocking(Typed { text: text.to_owned(), settled }).is_err() {
                        return;
                    }
                }
                Err(refusal) => eprintln!("* line {number} is skipped: {}", sentence(&refusal)),
            }
        }
        if count == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_handed_over_as_they_stand() {
        let (typed, lines) = async_channel::bounded(100);
        read(b"one\r\n\n  \ntwo  words \n\xff\xfe\nlast".as_slice(), &typed);
        drop(typed);
        let read: Vec<String> = std::iter::from_fn(|| lines.try_recv().ok()).map(|typed| typed.text).collect();
        assert_eq!(read, ["one", "two  words ", "last"]);
    }
}
