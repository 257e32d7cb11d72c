//! Chat at a terminal: a prompt to type at on this thread, the session on another, and what arrives printed above
//! the prompt.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use async_channel::{Sender, TrySendError};
use chinwag_wire::split::{self, Asked};
use rustyline::config::BellStyle;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{ColorMode, CompletionType, Config, Editor};

use crate::audience::Audience;
use crate::chat::{Chat, TYPED_MAX};
use crate::complete::Assistant;
use crate::failure::Failure;
use crate::history::HistoryFile;
use crate::knowledge::SharedKnowledge;
use crate::leave::Leave;
use crate::screen::{Look, Output, Screen, Settled, wants_colours};
use crate::session::Typed;

/// How long the next prompt waits for the answer to the last line: long enough for the answer to stand under its
/// question, too short to be felt when the server is slow.
const ANSWER_PATIENCE: Duration = Duration::from_millis(300);
/// How often somebody at the prompt is told that the session is over, until it is heard.
const WAKE_EVERY: Duration = Duration::from_millis(50);

type LineEditor = Editor<Assistant, FileHistory>;

/// Whether there is a terminal at both ends that can print above a prompt; the simplest ones cannot.
pub(crate) fn is_possible() -> bool {
    let editor = Editor::<(), FileHistory>::with_config(Config::default());
    editor.is_ok_and(|mut editor| editor.create_external_printer().is_ok())
}

/// Chats until logout.
///
/// # Errors
/// Why it did not end by a logout.
pub(crate) fn run(chat: Chat, history: &HistoryFile) -> Result<(), Failure> {
    let broken = |error: ReadlineError| Failure::usage(format!("cannot use this terminal: {error}"));
    let look = Look::with_colours(wants_colours());
    let mut editor = editor(&chat.knowledge, look.has_colours(), history).map_err(broken)?;
    history.load(&mut editor);
    let printer = editor.create_external_printer().map_err(broken)?;
    let output = Output::AbovePrompt(Box::new(printer));
    let (screen, _printer) = Screen::start(output, look.clone()).map_err(|error| Failure::usage(format!("cannot start: {error}")))?;
    let (typed, lines) = async_channel::bounded(TYPED_MAX);
    let prompt = Prompt {
        knowledge: chat.knowledge.clone(),
        leave: chat.leave.clone(),
        reading: Arc::default(),
        typed,
        text: prompt_of(chat.name(), look.has_colours()),
        look,
    };
    let reading = Arc::clone(&prompt.reading);
    let session = chat.session(Audience::Screen(screen), lines, false)?;
    let session = thread::Builder::new()
        .name("session".to_owned())
        .spawn(move || {
            let end = session.run_to_end();
            while reading.load(Ordering::SeqCst) && wake() {
                thread::sleep(WAKE_EVERY);
            }
            end
        })
        .map_err(|error| Failure::usage(format!("cannot start: {error}")))?;
    let read = prompt.read(&mut editor, history);
    prompt.leave.now();
    drop(prompt);
    let end = session.join().unwrap_or_else(|_| Err(Failure::no_link("the session ended by a fault of this program")));
    end.and(read.map_err(broken))
}

/// The prompt, plain and as it is shown.
fn prompt_of(name: &str, colours: bool) -> (String, String) {
    let plain = format!("{name}> ");
    let shown = if colours { format!("\x1b[1m{name}>\x1b[0m ") } else { plain.clone() };
    (plain, shown)
}

fn editor(knowledge: &SharedKnowledge, colours: bool, history: &HistoryFile) -> rustyline::Result<LineEditor> {
    let config = history
        .rules(Config::builder())?
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .bell_style(BellStyle::None)
        // The mask over a secret is no decoration: it must be there without colours too.
        .color_mode(ColorMode::Forced)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Assistant::new(knowledge.clone(), colours)));
    Ok(editor)
}

struct Prompt {
    knowledge: SharedKnowledge,
    leave: Leave,
    /// Whether this thread waits at the prompt.
    reading: Arc<AtomicBool>,
    typed: Sender<Typed>,
    text: (String, String),
    look: Look,
}

impl Prompt {
    /// Reads lines until somebody wants to leave or the session is over.
    fn read(&self, editor: &mut LineEditor, history: &HistoryFile) -> rustyline::Result<()> {
        loop {
            if let Some((columns, _)) = editor.dimensions() {
                self.look.set_columns(columns.into());
            }
            self.reading.store(true, Ordering::SeqCst);
            // Checked after `reading` is set: either the session sees that it has to wake us, or we see that it is over.
            let line = if self.leave.is_over() { Err(ReadlineError::Eof) } else { editor.readline(&self.text) };
            self.reading.store(false, Ordering::SeqCst);
            let line = match line {
                Ok(line) => line.trim_end().to_owned(),
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
                Err(error) => return Err(error),
            };
            if split::line(&line) == Asked::Nothing {
                continue;
            }
            history.remember(editor, &line, &self.knowledge.lock());
            self.send(line);
        }
    }

    /// Hands a line to the session, and waits a little for its answer.
    fn send(&self, text: String) {
        let (settled, answered) = mpsc::sync_channel(1);
        match self.typed.try_send(Typed { settled: Settled(settled), ..Typed::line(text) }) {
            Ok(()) => {
                // Whether it came or is late: the next prompt is due.
                let _ = answered.recv_timeout(ANSWER_PATIENCE);
            }
            Err(TrySendError::Full(_)) => {
                println!("* not sent: {TYPED_MAX} lines wait for the link already")
            }
            Err(TrySendError::Closed(_)) => {}
        }
    }
}

/// Ends the wait at the prompt: the line editor takes an interrupt for Ctrl-C, puts the terminal in order and
/// returns. Says whether that could be done.
fn wake() -> bool {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::INT).is_ok()
}
