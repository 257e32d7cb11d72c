//! What a program reads: events on standard output, one a line, and notices on standard error. Nothing is left out,
//! coloured or broken: when the reader is slow, the session waits.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use chinwag_wire::dialect::json::Json;
use chinwag_wire::dialect::s4::client::GREETING;
use chinwag_wire::dialect::{Dialect, text};
use chinwag_wire::name::folded;
use chinwag_wire::{Addressee, Event, SafeText};

use crate::connection::within;
use crate::dialogue;
use crate::leave::Leave;
use crate::screen::{Gone, Settled};

/// How many events may wait for the reader; when it is full, no more is read from the server until some are taken.
const WAITING_MAX: usize = 1024;
/// How long the last events may take to be written at the end: as long as a busy reader may pause.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As people read them.
    Text,
    /// One JSON object a line, as docs/protocol.md shows them.
    Json,
}

/// Which events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// All.
    Everything,
    /// What is said, without comings, goings and greetings.
    Talk,
    /// None: whoever sends only has no use for them.
    Nothing,
}

struct Item {
    line: Vec<u8>,
    seq: Option<u64>,
    /// Dropped when the line is written; nobody looks at them before.
    _settled: Option<Settled>,
    _flushed: Option<Sender<()>>,
}

/// The way to the reader.
pub(crate) struct Report {
    items: Sender<Item>,
    written: Arc<AtomicU64>,
    form: Form,
    of: Of,
    /// In which room or from whom, folded, if not from everywhere.
    only: Option<String>,
    /// After how many messages it is enough, and how to say so.
    left: Option<(AtomicU64, Leave)>,
}

impl Report {
    /// A report on standard output, and the thread that writes it; the thread ends when the report is dropped.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(crate) fn start(form: Form, of: Of) -> io::Result<(Report, JoinHandle<()>)> {
        Report::on(io::stdout(), form, of)
    }

    fn on(out: impl Write + Send + 'static, form: Form, of: Of) -> io::Result<(Report, JoinHandle<()>)> {
        let (items, waiting) = async_channel::bounded(WAITING_MAX);
        let written = Arc::new(AtomicU64::new(0));
        let report = Report { items, written: Arc::clone(&written), form, of, only: None, left: None };
        let writer = thread::Builder::new().name("report".to_owned()).spawn(move || write_all(&waiting, out, &written))?;
        Ok((report, writer))
    }

    /// Writes only what is said in the room `name`, by the user `name` or to them.
    pub(crate) fn only(self, name: &str) -> Report {
        Report { only: Some(folded(name)), ..self }
    }

    fn is_wanted(&self, event: &Event) -> bool {
        let Some(only) = &self.only else { return true };
        let Event::Message(said) = event else { return false };
        match &said.to {
            Addressee::Room(room) => folded(room) == *only,
            Addressee::User(to) => folded(&said.from) == *only || folded(to) == *only,
            _ => folded(&said.from) == *only,
        }
    }

    /// Ends the session after `count` messages; those after them are neither written nor taken for read.
    pub(crate) fn until(self, count: u64, leave: Leave) -> Report {
        Report { left: Some((AtomicU64::new(count), leave)), ..self }
    }

    /// Writes an event, if it is one of those that are wanted.
    ///
    /// # Errors
    /// Nobody reads any more.
    pub(crate) async fn event(&self, event: &Event, settled: Option<Settled>) -> Result<(), Gone> {
        let seq = match event {
            Event::Message(said) | Event::Own(said) => Some(said.seq),
            _ => None,
        };
        let Some(line) = self.line(event).filter(|_| self.is_wanted(event)) else { return Ok(()) };
        if let Some((left, _)) = &self.left
            && left.load(Ordering::Relaxed) == 0
        {
            return Ok(());
        }
        self.items.send(Item { line, seq, _settled: settled, _flushed: None }).await.map_err(|_| Gone)?;
        if let Some((left, leave)) = self.left.as_ref().filter(|_| seq.is_some())
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            leave.now();
        }
        Ok(())
    }

    /// Says what the client itself has to say, to people.
    ///
    /// # Errors
    /// Never: nobody has to hear it.
    pub(crate) async fn notice(&self, text: &str) -> Result<(), Gone> {
        text.lines().for_each(|line| dialogue::say(&format!("* {}", SafeText::new(line))));
        Ok(())
    }

    /// The highest number of a message that was written for sure.
    pub(crate) fn shown(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Returns when everything so far is written, or will not be.
    pub(crate) async fn flush(&self) {
        let (done, wait) = async_channel::bounded::<()>(1);
        let flushing = async {
            let item = Item { line: Vec::new(), seq: None, _settled: None, _flushed: Some(done) };
            if self.items.send(item).await.is_ok() {
                let _ = wait.recv().await;
            }
        };
        within(FLUSH_PATIENCE, flushing).await;
    }

    /// The event with its line ending; `None` if it is not wanted or there is nothing to it.
    fn line(&self, event: &Event) -> Option<Vec<u8>> {
        match self.of {
            Of::Nothing => return None,
            Of::Talk if matches!(event, Event::Welcome { .. } | Event::Presence { .. } | Event::Crowd { .. } | Event::Goodbye) => {
                return None;
            }
            Of::Talk if matches!(event, Event::Fact(fact) if fact.kind == GREETING) => return None,
            Of::Talk | Of::Everything => {}
        }
        match (self.form, event) {
            // What this client does not understand it cannot pass on either.
            (Form::Json, Event::Unknown) => None,
            (Form::Json, event) => Some(json(event)),
            (Form::Text, event) => {
                let mut text = text::shown(event);
                if text.is_empty() {
                    return None;
                }
                text.push('\n');
                Some(text.into_bytes())
            }
        }
    }
}

/// The event as a line of JSON.
pub(crate) fn json(event: &Event) -> Vec<u8> {
    let mut line = Vec::new();
    Json.event(event, &mut line);
    line
}

fn write_all(items: &Receiver<Item>, mut out: impl Write, written: &AtomicU64) {
    while let Ok(item) = items.recv_blocking() {
        // Flushed one by one: whoever reads may be waiting for just this one.
        if out.write_all(&item.line).and_then(|()| out.flush()).is_err() {
            // Whoever sends on learns that nobody reads it.
            items.close();
            return;
        }
        written.fetch_max(item.seq.unwrap_or(0), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use chinwag_wire::{Arrival, Millis};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Torn;

    impl Write for Torn {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn said(seq: u64) -> Event {
        let text = "hi\u{1b}[2J\nthere";
        let json = serde_json::json!({"type": "message", "seq": seq, "at": 0, "from": "bob", "to": "everyone", "text": text});
        serde_json::from_value(json).expect("an event")
    }

    fn reported(form: Form, of: Of, events: &[Event]) -> (String, u64) {
        let paper = Paper::default();
        let (report, writer) = Report::on(paper.clone(), form, of).expect("starts");
        smol::block_on(async {
            for event in events {
                report.event(event, None).await.expect("is read");
            }
            report.flush().await;
        });
        let shown = report.shown();
        drop(report);
        writer.join().expect("ends");
        let text = paper.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (String::from_utf8(text).expect("UTF-8"), shown)
    }

    #[test]
    fn each_form_says_what_it_is_for() {
        let came = Event::Presence { name: "carol".into(), what: Arrival::LoggedIn, at: Millis(0) };
        let events = [came, said(7), Event::Unknown];
        let (json, shown) = reported(Form::Json, Of::Everything, &events);
        assert_eq!(json.lines().count(), 2, "{json}");
        assert!(json.contains(r#""text":"hi\u001b[2J\nthere""#), "one line, and nothing that acts on a terminal: {json}");
        assert_eq!(shown, 7);
        assert_eq!(reported(Form::Json, Of::Talk, &events).0.lines().count(), 1);
        let (text, _) = reported(Form::Text, Of::Talk, &events);
        assert!(text.contains("bob to all: hi␛[2J") && !text.contains("carol"), "{text}");
        assert_eq!(reported(Form::Text, Of::Nothing, &events), (String::new(), 0), "what is not written is not read");
    }

    #[test]
    fn a_reader_that_left_is_noticed() {
        let (report, writer) = Report::on(Torn, Form::Json, Of::Everything).expect("starts");
        smol::block_on(async {
            // The first is taken before it is known.
            let _ = report.event(&said(1), None).await;
            writer.join().expect("ends");
            assert_eq!(report.event(&said(2), None).await, Err(Gone));
            report.flush().await;
        });
        assert_eq!(report.shown(), 0);
    }
}
