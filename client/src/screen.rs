//! What people see: events become lines ([`model`]), wait for their turn ([`backlog`]), get a width and colours ([`paint`]), and
//! reach the terminal above the prompt, or a pipe. Printing blocks (while somebody searches the history, nothing can
//! be printed), so it has a thread of its own.

mod backlog;
pub(crate) mod model;
mod paint;

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_channel::{Receiver, Sender};
use chinwag_wire::dialect::text;
use chinwag_wire::{Event, Millis, SafeText, Said};
use rustyline::ExternalPrinter;

use self::backlog::{Backlog, Item};
use self::model::{Model, Show};
pub(crate) use self::paint::{Look, columns};
use crate::connection::within;
use crate::interface::Live;
use crate::private::Told;
use crate::redraw::Redraw;
use crate::theme::Paint;

/// How long the last lines may take to be shown at the end.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);
/// How long the screen rests after something was shown: what comes meanwhile is shown at once with the next. Too short to be
/// noticed, long enough that a busy room costs a few dozen repaints a second and no more.
const REST: Duration = Duration::from_millis(30);
/// The same when more comes than can be shown: long enough to read a line before it is gone.
const FLOODED_REST: Duration = Duration::from_millis(250);
/// Up one line and down again: nothing to see, but the printer takes it only after what came before.
const NOTHING_TO_SEE: &str = "\x1b[1A\n";

/// Where lines go.
pub(crate) enum Output {
    /// Above the prompt of the line editor.
    AbovePrompt(Box<dyn ExternalPrinter + Send>, Model, Arc<Redraw>),
    /// To a terminal that can do nothing but print.
    Plain(Model),
    /// To standard output, and notices of the client itself to standard error.
    Pipe,
}

/// Dropped when what belongs to it has been shown, which wakes whoever waits for that.
#[derive(Clone, Debug)]
pub(crate) struct Settled(#[expect(dead_code, reason = "only the drop says something")] pub(crate) SyncSender<()>);

/// The way to the screen.
#[derive(Clone)]
pub(crate) struct Screen(Arc<Handle>);

/// What the printer's thread and all who show something share.
struct Shared {
    waiting: Mutex<Waiting>,
    something: Condvar,
    /// Holds something whenever there may be room again.
    room: Sender<()>,
    shown: AtomicU64,
}

struct Waiting {
    backlog: Backlog,
    /// Dropped when all that stands in front of them has been shown.
    flushes: Vec<Sender<()>>,
    /// Nothing more will come.
    ended: bool,
    /// Nobody sees it any more.
    gone: bool,
}

/// Dropped with the last way to the screen.
struct Handle {
    shared: Arc<Shared>,
    room: Receiver<()>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.something.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // What waits is whole between any two calls, so a panic elsewhere does not spoil it.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The screen is gone, such as when the pipe's reader left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

impl Screen {
    /// A screen for a reader called `me`, and the thread that feeds it; the thread ends when the last handle to the screen is
    /// dropped.
    pub(crate) fn start(output: Output, live: Live, me: &str) -> io::Result<(Screen, JoinHandle<()>)> {
        let (room, has_room) = async_channel::bounded(1);
        let may_skip = !matches!(output, Output::Pipe);
        let waiting = Waiting { backlog: Backlog::new(me, may_skip), flushes: Vec::new(), ended: false, gone: false };
        let shared = Arc::new(Shared { waiting: Mutex::new(waiting), something: Condvar::new(), room, shown: AtomicU64::new(0) });
        let printer = Printer { shared: Arc::clone(&shared), output, live };
        let printer = thread::Builder::new().name("printer".to_owned()).spawn(move || printer.run())?;
        Ok((Screen(Arc::new(Handle { shared, room: has_room })), printer))
    }

    /// Shows an event, if there is anything to show of it.
    ///
    /// # Errors
    /// The screen is gone.
    pub(crate) async fn event(&self, event: &Event, settled: Option<Settled>) -> Result<(), Gone> {
        self.show(Show::Event(Box::new(event.clone())), settled).await
    }

    /// Shows what the client itself has to say.
    ///
    /// # Errors
    /// The screen is gone.
    pub(crate) async fn notice(&self, text: &str) -> Result<(), Gone> {
        self.show(Show::Notice { text: text.to_owned(), at: now() }, None).await
    }

    /// Marks that what comes next, and was said at `at`, is new since the reader last did something, at `since`.
    ///
    /// # Errors
    /// The screen is gone.
    pub(crate) async fn new_since(&self, since: Millis, at: Millis) -> Result<(), Gone> {
        self.show(Show::NewSince { since, at }, None).await
    }

    /// Shows what there is to tell of private chats.
    ///
    /// # Errors
    /// The screen is gone.
    pub(crate) async fn private(&self, told: Told, settled: Option<Settled>) -> Result<(), Gone> {
        self.show(Show::Private { told, at: now() }, settled).await
    }

    /// Waits only when there is no room for something that has to be shown.
    async fn show(&self, show: Show, settled: Option<Settled>) -> Result<(), Gone> {
        let mut item = Item { show, settled };
        loop {
            {
                let mut waiting = self.0.shared.lock();
                if waiting.gone {
                    return Err(Gone);
                }
                match waiting.backlog.push(item) {
                    Ok(()) => {
                        self.0.shared.something.notify_all();
                        return Ok(());
                    }
                    Err(back) => item = back,
                }
            }
            // It never closes while this handle lives.
            let _ = self.0.room.recv().await;
        }
    }

    /// The highest number of a message that is on the screen for sure, or was counted there among others.
    pub(crate) fn shown(&self) -> u64 {
        self.0.shared.shown.load(Ordering::Acquire)
    }

    /// Returns when everything so far is on the screen, or will not be.
    pub(crate) async fn flush(&self) {
        let (done, wait) = async_channel::bounded::<()>(1);
        {
            let mut waiting = self.0.shared.lock();
            if !waiting.gone {
                waiting.flushes.push(done);
            }
        }
        self.0.shared.something.notify_all();
        within(FLUSH_PATIENCE, wait.recv()).await;
    }
}

/// The client's clock.
pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The thread that prints.
struct Printer {
    shared: Arc<Shared>,
    output: Output,
    live: Live,
}

/// What was taken to be shown next.
struct Batch {
    items: Vec<Item>,
    /// Of those who wait until all of it is shown.
    flushes: Vec<Sender<()>>,
    /// Nothing waits behind it.
    last: bool,
    rest: Duration,
}

impl Printer {
    fn run(mut self) {
        // What the editor has taken but perhaps not printed: the highest number in it, and who waits for it.
        let (mut seq, mut waiting) = (0, Vec::new());
        while let Some(batch) = self.next() {
            let begun = Instant::now();
            let due = !batch.flushes.is_empty() || batch.items.iter().any(|item| item.settled.is_some());
            if !batch.items.is_empty() && self.print(&batch.items).is_err() {
                return self.is_gone();
            }
            if self.confirms_the_one_before() {
                // The editor has room for one text that waits to be shown. When it takes the next, the one before is on the
                // screen; until then it must not be acknowledged.
                self.done(std::mem::take(&mut seq), std::mem::take(&mut waiting));
                seq = highest(&batch.items);
                waiting = batch.items;
                if batch.last || due {
                    if self.put(NOTHING_TO_SEE.to_owned()).is_err() {
                        return self.is_gone();
                    }
                    self.done(std::mem::take(&mut seq), std::mem::take(&mut waiting));
                }
            } else {
                self.done(highest(&batch.items), batch.items);
            }
            drop(batch.flushes);
            if self.confirms_the_one_before() {
                thread::sleep(batch.rest.saturating_sub(begun.elapsed()));
            }
        }
    }

    fn confirms_the_one_before(&self) -> bool {
        matches!(self.output, Output::AbovePrompt(..))
    }

    /// Waits for something to show; nothing when nothing more will come.
    fn next(&self) -> Option<Batch> {
        let mut waiting = self.shared.lock();
        while waiting.backlog.is_empty() && waiting.flushes.is_empty() {
            if waiting.ended {
                return None;
            }
            waiting = self.shared.something.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.backlog.watch(&self.live.now().highlights);
        let items = waiting.backlog.take();
        let last = waiting.backlog.is_empty();
        let flushes = if last { std::mem::take(&mut waiting.flushes) } else { Vec::new() };
        let rest = if waiting.backlog.is_flooded() { FLOODED_REST } else { REST };
        drop(waiting);
        // If it is full, whoever waits is awake already.
        let _ = self.shared.room.try_send(());
        Some(Batch { items, flushes, last, rest })
    }

    fn done(&self, seq: u64, items: Vec<Item>) {
        self.shared.shown.fetch_max(seq, Ordering::AcqRel);
        drop(items);
    }

    /// Whoever goes on learns that nobody sees it.
    fn is_gone(&self) {
        let mut waiting = self.shared.lock();
        waiting.gone = true;
        waiting.flushes.clear();
        drop(waiting);
        let _ = self.shared.room.try_send(());
    }

    fn print(&mut self, items: &[Item]) -> io::Result<()> {
        let columns = paint::columns();
        let interface = self.live.now();
        // A terminal that can only print has no colours either.
        let look = if matches!(self.output, Output::Plain(_)) { &Look::default() } else { &interface.look };
        let (text, calls) = match &mut self.output {
            Output::Pipe => return pipe(items, look),
            Output::Plain(model) | Output::AbovePrompt(_, model, _) => {
                model.set_times(interface.times);
                model.set_highlights(&interface.highlights);
                let (mut text, mut calls) = (String::new(), None);
                for item in items {
                    if item.settled.is_some() {
                        model.answers();
                    }
                    for line in model.lines(&item.show) {
                        paint::line(&line, look, columns, &mut text);
                        // One bell for all that comes at once, and none for what was left out.
                        if line.calls {
                            calls = Some(line);
                        }
                    }
                }
                (text, calls)
            }
        };
        if text.is_empty() {
            return Ok(());
        }
        let call = match (&self.output, calls) {
            (Output::AbovePrompt(..), Some(line)) => paint::call(interface.attention, &line),
            _ => String::new(),
        };
        self.put(call + &text)
    }

    fn put(&mut self, text: String) -> io::Result<()> {
        match &mut self.output {
            Output::AbovePrompt(printer, _, redraw) => {
                redraw.before_printing();
                let printed = printer.print(text);
                if redraw.after_printing() && printed.is_ok() {
                    return printer.print(NOTHING_TO_SEE.to_owned()).map_err(io::Error::other);
                }
                printed.map_err(io::Error::other)
            }
            Output::Plain(_) | Output::Pipe => {
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes())?;
                out.flush()
            }
        }
    }
}

fn highest(items: &[Item]) -> u64 {
    items.iter().map(Item::seq).max().unwrap_or(0)
}

/// For programs: the lines of the dialect of people as they are, and the client's own notices apart from them.
fn pipe(items: &[Item], look: &Look) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for item in items {
        match &item.show {
            Show::Event(event) => {
                if let Some(text) = painted(event, look) {
                    writeln!(out, "{text}")?;
                }
            }
            Show::Notice { text, .. } => {
                out.flush()?;
                // Who closed standard error does not want notices.
                let _ = writeln!(io::stderr(), "{}", noted(text, look));
            }
            // Where there is nobody at a prompt there are no private chats.
            Show::Skipped(_) | Show::Private { .. } | Show::NewSince { .. } => {}
        }
    }
    out.flush()
}

/// A line of the client itself, such as `* the link is back`.
fn noted(text: &str, look: &Look) -> String {
    let lines = text.lines().map(|line| look.painted(look.theme.notice, &format!("* {}", SafeText::new(line))));
    lines.collect::<Vec<_>>().join("\n")
}

/// The event as lines, without the last line ending; `None` if it shows nothing.
fn painted(event: &Event, look: &Look) -> Option<String> {
    let text = text::shown(event);
    if text.is_empty() {
        return None;
    }
    Some(match event {
        Event::Message(said) | Event::Past(said) => named(&text, said, look),
        Event::Refusal(_) | Event::Closing(_) => look.painted(look.theme.refusal, &text),
        Event::Sent { .. } | Event::Done | Event::Presence { .. } | Event::Crowd { .. } => look.painted(look.theme.quiet, &text),
        _ => text,
    })
}

/// The text with the name of the speaker made bold.
fn named(text: &str, said: &Said, look: &Look) -> String {
    let name = SafeText::new(&said.from);
    match text.split_once(name.as_str()) {
        Some((before, after)) if !name.as_str().is_empty() => {
            format!("{before}{}{after}", look.painted(Paint::default().bold(), name.as_str()))
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use chinwag_wire::{Addressee, Refusal, code};
    use jiff::tz::TimeZone;

    use super::*;
    use crate::interface::{Attention, Interface, Times};
    use crate::theme::Depth;

    fn said(seq: u64, from: &str, text: &str) -> Said {
        Said { seq, at: Millis(0), from: from.into(), to: Addressee::Everyone, text: text.into(), ..Said::default() }
    }

    #[test]
    fn in_a_pipe_colours_only_underline_what_the_words_say() {
        let refusal = Refusal::new(code::USAGE, "no").hint("yes");
        let colours = Look::new(Depth::Sixteen, Default::default());
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
            let coloured = painted(&event, &colours).expect("a line");
            let bare = ["\x1b[1m", "\x1b[90m", "\x1b[31m", "\x1b[0m"].iter().fold(coloured, |text, code| text.replace(code, ""));
            assert_eq!(bare, plain);
        }
        assert_eq!(
            painted(&Event::Message(said(1, "alice", "hi alice")), &colours).as_deref(),
            Some("\x1b[1malice\x1b[0m to all: hi alice")
        );
        assert_eq!(painted(&Event::Unknown, &Look::default()), None);
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

    fn above(paper: &Paper) -> Output {
        let model = Model::new("zoe", TimeZone::UTC, Times::Off, Millis(0));
        Output::AbovePrompt(Box::new(paper.clone()), model, Arc::default())
    }

    fn silent() -> Live {
        Live::of(Interface { times: Times::Off, attention: Attention::Nothing, ..Interface::default() })
    }

    #[test]
    fn a_burst_is_printed_in_few_pieces_and_in_order() {
        let (release, released) = async_channel::bounded::<()>(1);
        let paper = Paper(Arc::default(), Some(released));
        let (screen, printer) = Screen::start(above(&paper), silent(), "zoe").expect("starts");
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

    #[test]
    fn a_flood_does_not_wait_for_a_screen_that_stands_still() {
        let (release, released) = async_channel::bounded::<()>(1);
        let paper = Paper(Arc::default(), Some(released));
        let (screen, printer) = Screen::start(above(&paper), silent(), "zoe").expect("starts");
        smol::block_on(async {
            for seq in 1..=50_000 {
                screen.event(&Event::Message(said(seq, "alice", "x")), None).await.expect("is there");
            }
            screen.event(&Event::Message(said(50_001, "alice", "hello zoe")), None).await.expect("is there");
            drop(release);
            screen.flush().await;
        });
        assert_eq!(screen.shown(), 50_001);
        drop(screen);
        printer.join().expect("ends");
        let printed = paper.0.lock().unwrap_or_else(PoisonError::into_inner).concat();
        assert!(printed.contains("more messages, too fast to show; the history has them\n"), "{printed}");
        assert!(printed.replace(NOTHING_TO_SEE, "").ends_with("! alice to all: hello zoe\n"), "{printed}");
    }

    /// Of a terminal that is gone.
    struct Torn;

    impl ExternalPrinter for Torn {
        fn print(&mut self, _: String) -> rustyline::Result<()> {
            Err(io::Error::from(io::ErrorKind::BrokenPipe).into())
        }
    }

    #[test]
    fn whoever_shows_something_learns_that_the_screen_is_gone() {
        let model = Model::new("zoe", TimeZone::UTC, Times::Off, Millis(0));
        let output = Output::AbovePrompt(Box::new(Torn), model, Arc::default());
        let (screen, printer) = Screen::start(output, silent(), "zoe").expect("starts");
        smol::block_on(async {
            screen.notice("x").await.expect("nobody knows yet");
            screen.flush().await;
            printer.join().expect("ends");
            assert_eq!(screen.notice("x").await, Err(Gone));
        });
    }
}
