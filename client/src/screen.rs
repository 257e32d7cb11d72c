//! What people see: events become lines, and lines reach the terminal above the prompt, or a pipe. Printing
//! blocks (while somebody searches the history, nothing can be printed), so it has a thread of its own.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use chinwag_wire::dialect::text;
use chinwag_wire::{Event, SafeText, Said};
use rustyline::ExternalPrinter;

use crate::connection::within;
use crate::wrap;

/// How many lines may wait for the screen; when it is full, no more is read from the server until some are shown.
const WAITING_MAX: usize = 1024;
/// How many lines are printed at once: a burst costs one repaint of the prompt instead of hundreds.
const BATCH_MAX: usize = 200;
/// How long the last lines may take to be shown at the end.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
/// Up one line and down again: nothing to see, but the printer takes it only after what came before.
const NOTHING_TO_SEE: &str = "\x1b[1A\n";

/// Where lines go.
pub(crate) enum Output {
    /// Above the prompt of the line editor.
    AbovePrompt(Box<dyn ExternalPrinter + Send>),
    /// To standard output, and notices of the client itself to standard error.
    Pipe,
}

/// Dropped when what belongs to it has been shown, which wakes whoever waits for that.
#[derive(Clone, Debug)]
pub(crate) struct Settled(#[expect(dead_code, reason = "only the drop says something")] pub(crate) SyncSender<()>);

enum Item {
    Line { text: String, seq: Option<u64>, settled: Option<Settled> },
    Notice(String),
    Flush(#[expect(dead_code, reason = "only the drop says something")] Sender<()>),
}

/// The way to the screen.
#[derive(Clone)]
pub(crate) struct Screen {
    items: Sender<Item>,
    shown: Arc<AtomicU64>,
    look: Look,
}

/// What the terminal can do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    colours: bool,
    /// How wide it is; 0 where nobody knows or cares.
    columns: Arc<AtomicUsize>,
}

impl Look {
    /// With colours or without.
    pub(crate) fn with_colours(colours: bool) -> Look {
        Look { colours, ..Look::default() }
    }

    /// Whether there are colours.
    pub(crate) fn has_colours(&self) -> bool {
        self.colours
    }

    /// The terminal is this wide now.
    pub(crate) fn set_columns(&self, columns: usize) {
        self.columns.store(columns, Ordering::Relaxed);
    }

    fn fitted(&self, text: &str) -> String {
        wrap::fitted(text, self.columns.load(Ordering::Relaxed))
    }

    /// Colour only underlines what the words say already.
    fn styled(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Name => "1",
            Style::Quiet => "90",
            Style::Alarm => "31",
        };
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The screen is gone, such as when the pipe's reader left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

impl Screen {
    /// A screen, and the thread that feeds it; the thread ends when the last handle to the screen is dropped.
    pub(crate) fn start(output: Output, look: Look) -> io::Result<(Screen, JoinHandle<()>)> {
        let (items, waiting) = async_channel::bounded(WAITING_MAX);
        let shown = Arc::new(AtomicU64::new(0));
        let screen = Screen { items, shown: Arc::clone(&shown), look };
        let printer = thread::Builder::new().name("printer".to_owned()).spawn(move || print_all(&waiting, output, &shown))?;
        Ok((screen, printer))
    }

    /// Shows an event, if there is anything to show of it.
    ///
    /// # Errors
    /// The screen is gone.
    pub(crate) async fn event(&self, event: &Event, settled: Option<Settled>) -> Result<(), Gone> {
        let seq = match event {
            Event::Message(said) => Some(said.seq),
            _ => None,
        };
        match painted(event, &self.look) {
            Some(text) => self.items.send(Item::Line { text, seq, settled }).await.map_err(|_| Gone),
            None => Ok(()),
        }
    }

    /// Shows what the client itself has to say.
    ///
    /// # Errors
    /// The screen is gone.
    pub(crate) async fn notice(&self, text: &str) -> Result<(), Gone> {
        self.items.send(Item::Notice(noted(text, &self.look))).await.map_err(|_| Gone)
    }

    /// The highest number of a message that is on the screen for sure.
    pub(crate) fn shown(&self) -> u64 {
        self.shown.load(Ordering::Acquire)
    }

    /// Returns when everything so far is on the screen, or will not be.
    pub(crate) async fn flush(&self) {
        let (done, wait) = async_channel::bounded::<()>(1);
        let flushing = async {
            if self.items.send(Item::Flush(done)).await.is_ok() {
                let _ = wait.recv().await;
            }
        };
        within(FLUSH_PATIENCE, flushing).await;
    }
}

/// Whether colours are wanted: on a terminal that knows them, unless `NO_COLOR` says otherwise.
pub(crate) fn wants_colours() -> bool {
    let unset = |name: &str| std::env::var_os(name).is_none_or(|value| value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && unset("NO_COLOR") && !dumb
}

/// A line of the client itself, such as `* the link is back`.
fn noted(text: &str, look: &Look) -> String {
    let lines = text.lines().map(|line| look.styled(Style::Quiet, &look.fitted(&format!("* {}", SafeText::new(line)))));
    lines.collect::<Vec<_>>().join("\n")
}

/// The event as lines, without the last line ending; `None` if it shows nothing.
fn painted(event: &Event, look: &Look) -> Option<String> {
    let text = text::shown(event);
    if text.is_empty() {
        return None;
    }
    Some(match event {
        // What people say is left to the terminal to break: it can be copied as it was said.
        Event::Message(said) | Event::Past(said) => named(&text, said, look),
        Event::Refusal(_) | Event::Closing(_) => look.styled(Style::Alarm, &look.fitted(&text)),
        Event::Sent { .. } | Event::Done | Event::Presence { .. } => look.styled(Style::Quiet, &look.fitted(&text)),
        _ => look.fitted(&text),
    })
}

/// The text with the name of the speaker made bold.
fn named(text: &str, said: &Said, look: &Look) -> String {
    let name = SafeText::new(&said.from);
    match text.split_once(name.as_str()) {
        Some((before, after)) if !name.as_str().is_empty() => format!("{before}{}{after}", look.styled(Style::Name, name.as_str())),
        _ => text.to_owned(),
    }
}

#[derive(Clone, Copy)]
enum Style {
    Name,
    Quiet,
    Alarm,
}

/// Lines that are printed together, and what follows from it.
#[derive(Default)]
struct Batch {
    pieces: Vec<(bool, String)>,
    seq: u64,
    /// Dropped after printing.
    waiting: Vec<Item>,
}

impl Batch {
    fn add(&mut self, item: Item) {
        match item {
            Item::Line { text, seq, settled } => {
                self.pieces.push((false, text));
                self.seq = self.seq.max(seq.unwrap_or(0));
                if settled.is_some() {
                    self.waiting.push(Item::Line { text: String::new(), seq: None, settled });
                }
            }
            Item::Notice(text) => self.pieces.push((true, text)),
            flush @ Item::Flush(_) => self.waiting.push(flush),
        }
    }
}

fn print_all(items: &Receiver<Item>, mut output: Output, shown: &AtomicU64) {
    while let Ok(first) = items.recv_blocking() {
        let mut batch = Batch::default();
        batch.add(first);
        while batch.pieces.len() < BATCH_MAX
            && let Ok(item) = items.try_recv()
        {
            batch.add(item);
        }
        if !batch.pieces.is_empty() && print(&mut output, &batch.pieces).is_err() {
            // Whoever sends on learns that nobody sees it.
            items.close();
            return;
        }
        shown.fetch_max(batch.seq, Ordering::AcqRel);
    }
}

fn print(output: &mut Output, pieces: &[(bool, String)]) -> io::Result<()> {
    match output {
        Output::AbovePrompt(printer) => {
            let text: String = pieces.iter().flat_map(|(_, text)| [text.as_str(), "\n"]).collect();
            printer.print(text).map_err(io::Error::other)?;
            // The printer has room for one text that waits to be shown. When it takes the next, the one before is
            // on the screen; until then it must not be acknowledged.
            printer.print(NOTHING_TO_SEE.to_owned()).map_err(io::Error::other)
        }
        Output::Pipe => {
            let mut out = io::stdout().lock();
            for (notice, text) in pieces {
                if *notice {
                    out.flush()?;
                    // Who closed standard error does not want notices.
                    let _ = writeln!(io::stderr(), "{text}");
                } else {
                    writeln!(out, "{text}")?;
                }
            }
            out.flush()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use chinwag_wire::{Addressee, Millis, Refusal, code};

    use super::*;

    fn said(seq: u64, from: &str, text: &str) -> Said {
        Said { seq, at: Millis(0), from: from.into(), to: Addressee::Everyone, text: text.into(), ..Said::default() }
    }

    #[test]
    fn colours_only_underline_what_the_words_say() {
        let refusal = Refusal::new(code::USAGE, "no").hint("yes");
        for event in [
            Event::Message(said(1, "alice", "hi alice")),
            Event::Past(said(1, "alice", "hi")),
            Event::Refusal(refusal.clone()),
            Event::Closing(refusal),
            Event::Done,
            Event::Goodbye,
        ] {
            let plain = painted(&event, &Look::default()).expect("a line");
            assert_eq!(plain, text::shown(&event));
            let coloured = painted(&event, &Look::with_colours(true)).expect("a line");
            let bare = ["\x1b[1m", "\x1b[90m", "\x1b[31m", "\x1b[0m"].iter().fold(coloured, |text, code| text.replace(code, ""));
            assert_eq!(bare, plain);
        }
        assert_eq!(
            painted(&Event::Message(said(1, "alice", "hi alice")), &Look::with_colours(true)).as_deref(),
            Some("\x1b[1malice\x1b[0m to all: hi alice")
        );
        assert_eq!(painted(&Event::Unknown, &Look::default()), None);
    }

    #[test]
    fn nothing_the_server_says_acts_on_the_terminal() {
        let nasty = "\x1b[2J\x07\u{202e}x";
        for event in [Event::Message(said(1, nasty, nasty)), Event::Fact(chinwag_wire::Fact::new("x", nasty))] {
            for colours in [false, true] {
                let text = painted(&event, &Look::with_colours(colours)).expect("a line");
                assert!(!text.contains("\x1b[2J") && !text.contains('\x07') && !text.contains('\u{202e}'), "{text:?}");
            }
        }
        assert_eq!(noted("a\x1b[2J", &Look::default()), "* a␛[2J");
    }

    /// Keeps what is printed; takes the first text and then none until it is released.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<String>>>, Option<Receiver<()>>);

    impl ExternalPrinter for Paper {
        fn print(&mut self, text: String) -> rustyline::Result<()> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            if let Some(released) = &self.1 {
                let _ = released.recv_blocking();
            }
            Ok(())
        }
    }

    #[test]
    fn a_burst_is_printed_in_few_pieces_and_in_order() {
        let (release, released) = async_channel::bounded::<()>(1);
        let paper = Paper(Arc::default(), Some(released));
        let (screen, printer) = Screen::start(Output::AbovePrompt(Box::new(paper.clone())), Look::default()).expect("starts");
        smol::block_on(async {
            for seq in 1..=500 {
                screen.event(&Event::Message(said(seq, "alice", &seq.to_string())), None).await.expect("is there");
            }
            assert_eq!(screen.shown(), 0, "not shown before it is printed");
            drop(release);
            screen.flush().await;
        });
        assert_eq!(screen.shown(), 500);
        drop(screen);
        printer.join().expect("ends");
        let printed = paper.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(printed.len() <= 10, "{} pieces", printed.len());
        assert!(printed.iter().all(|piece| piece.ends_with('\n')));
        let all = printed.concat().replace(NOTHING_TO_SEE, "");
        let expected: String = (1..=500).map(|seq| format!("alice to all: {seq}\n")).collect();
        assert_eq!(all, expected);
    }
}
