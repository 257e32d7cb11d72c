//! Chat at a terminal: a prompt to type at on this thread, the session on another, and what arrives printed above
//! the prompt. A terminal that can do nothing but print gets the same without a prompt.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use async_channel::{Sender, TrySendError};
use chinwag_wire::split::{self, Asked};
use jiff::tz::TimeZone;
use rustyline::config::{BellStyle, Configurer};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{
    Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, EditMode, Editor, EventContext, EventHandler, KeyEvent, Movement,
    RepeatCount,
};

use crate::audience::Audience;
use crate::chat::{Chat, TYPED_MAX};
use crate::complete::{Assistant, GivenUp, Situation};
use crate::echo::{KeysOnly, NoEcho};
use crate::failure::Failure;
use crate::history::HistoryFile;
use crate::interface::Live;
use crate::keys::{Action, Bindings, Key, Keys};
use crate::knowledge::{Knowledge, SharedKnowledge};
use crate::leave::Leave;
use crate::private::{self, Private};
use crate::redraw;
use crate::screen::model::Model;
use crate::screen::{Look, Output, Screen, Settled, columns, now};
use crate::script::Input;
use crate::secrets;
use crate::session::{LinkState, Typed};
use crate::wrap;

/// How long the next prompt waits for the answer to the last line: long enough for the answer to stand under its
/// question, too short to be felt when the server is slow.
const ANSWER_PATIENCE: Duration = Duration::from_millis(300);
/// How often somebody at the prompt is told that the session is over, until it is heard.
const WAKE_EVERY: Duration = Duration::from_millis(50);
/// How many lines that look like commands with a secret are remembered to have been said all the same: more phrases than
/// anybody uses that do.
const SAID_ALREADY_MAX: usize = 100;

type LineEditor = Editor<Assistant, FileHistory>;

/// Whether there is a terminal at both ends that can print above a prompt; the simplest ones cannot.
pub(crate) fn is_possible() -> bool {
    let editor = Editor::<(), FileHistory>::with_config(Config::default());
    editor.is_ok_and(|mut editor| editor.create_external_printer().is_ok())
}

/// Whether somebody sits at a terminal that can only print, as in the shell window of an editor.
pub(crate) fn is_plain_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal() && !is_possible()
}

fn model(chat: &Chat) -> Model {
    Model::new(chat.name(), TimeZone::system(), chat.live.now().times, now())
}

/// Chats until logout, at a terminal that can only print: nothing is drawn over, so nothing is lost on whoever reads it aloud.
///
/// # Errors
/// Why it did not end by a logout.
pub(crate) fn run_plain(chat: Chat) -> Result<(), Failure> {
    let cannot = |error: io::Error| Failure::usage(format!("cannot start: {error}"));
    let (screen, printer) = Screen::start(Output::Plain(model(&chat)), chat.live.clone(), chat.name()).map_err(cannot)?;
    let (typed, lines) = async_channel::bounded(TYPED_MAX);
    let input = Input::of_people(chat.knowledge.clone());
    let leaving = chat.private.as_ref().map(Private::until_left);
    let (private, knowledge, here) = (chat.private.clone(), chat.knowledge.clone(), chat.here.clone());
    if let Some(private) = &private {
        private.show_on(Some(screen.clone()));
    }
    let session = chat.session(Audience::Screen(screen), lines, false)?;
    // There is no asking here: what may show a secret is said when it is typed once more.
    let doubtful = RefCell::new(None);
    let takes = move |line: Typed| {
        here.at(now());
        let question = showing_a_secret(&line.line, &knowledge.lock());
        if let Some(showing) = question.filter(|_| doubtful.borrow().as_ref() != Some(&line.line)) {
            println!("* {showing}. Not said: type it again to say it to them");
            *doubtful.borrow_mut() = Some(line.line);
            return true;
        }
        let taken = match &private {
            Some(private) => {
                let addressee = knowledge.lock().addressee();
                private.take(line, &knowledge, addressee.as_deref())
            }
            None => Err(line),
        };
        taken.map_or_else(|line| typed.send_blocking(line).is_ok(), |()| true)
    };
    // Nobody waits for this thread: it may sit in a read that never ends.
    thread::Builder::new().name("input".to_owned()).spawn(move || input.read(io::stdin().lock(), takes)).map_err(cannot)?;
    let end = session.run_to_end();
    drop(leaving);
    let _ = printer.join();
    end
}

/// Chats until logout.
///
/// # Errors
/// Why it did not end by a logout.
pub(crate) fn run(chat: Chat, history: &HistoryFile) -> Result<(), Failure> {
    let broken = |error: ReadlineError| Failure::usage(format!("cannot use this terminal: {error}"));
    let model = model(&chat);
    let situation = Arc::new(Situation { here: chat.here.clone(), link: chat.link.clone(), ..Situation::default() });
    let _quiet = NoEcho::new().map_err(|error| Failure::usage(format!("cannot use this terminal: {error}")))?;
    let mut editor = editor(&chat, &situation, history).map_err(broken)?;
    history.load(&mut editor);
    let printer = editor.create_external_printer().map_err(broken)?;
    let output = Output::AbovePrompt(Box::new(printer), model, Arc::clone(&situation.redraw));
    let (screen, _printer) =
        Screen::start(output, chat.live.clone(), chat.name()).map_err(|error| Failure::usage(format!("cannot start: {error}")))?;
    let private = chat.private.clone();
    if let Some(private) = &private {
        private.show_on(Some(screen.clone()));
    }
    let (typed, lines) = async_channel::bounded(TYPED_MAX);
    let prompt = Prompt {
        private: private.clone(),
        knowledge: chat.knowledge.clone(),
        leave: chat.leave.clone(),
        reading: Arc::default(),
        typed,
        name: chat.name().to_owned(),
        live: chat.live.clone(),
        link: chat.link.clone(),
        situation,
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
    let read = {
        let _keys = KeysOnly::new().map_err(|error| Failure::usage(format!("cannot use this terminal: {error}")))?;
        prompt.read(&mut editor, history)
    };
    prompt.leave.now();
    drop(prompt);
    let end = session.join();
    if let Some(private) = private {
        private.show_on(None);
    }
    let end = end.unwrap_or_else(|_| Err(Failure::no_link("the session ended by a fault of this program")));
    end.and(read.map_err(broken))
}

/// The text of the prompt: `alice> `, `alice [den]> ` in a room, `alice [@bob]> ` while one talks with bob, or `alice! ` while the link is lost. It changes while somebody types, so both are equally
/// wide; the editor asks for it whenever it paints.
struct Text {
    linked: (String, String),
    lost: (String, String),
    link: LinkState,
}

impl Text {
    fn new(name: &str, addressee: Option<&str>, look: &Look, link: LinkState) -> Text {
        let name = match addressee.map(|addressee| (addressee, addressee.strip_prefix('#'))) {
            None => name.to_owned(),
            Some((_, Some(room))) => format!("{name} [{room}]"),
            Some((person, None)) => format!("{name} [@{person}]"),
        };
        let text = |sign, paint| (format!("{name}{sign} "), format!("{} ", look.painted(paint, &format!("{name}{sign}"))));
        Text { linked: text('>', look.theme.prompt), lost: text('!', look.theme.no_link), link }
    }

    fn now(&self) -> &(String, String) {
        if self.link.is_up() { &self.linked } else { &self.lost }
    }
}

impl rustyline::Prompt for Text {
    fn raw(&self) -> &str {
        &self.now().0
    }

    fn styled(&self) -> &str {
        &self.now().1
    }
}

fn editor(chat: &Chat, situation: &Arc<Situation>, history: &HistoryFile) -> rustyline::Result<LineEditor> {
    let config = history
        .rules(Config::builder())?
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .bell_style(BellStyle::None)
        // The mask over a secret is no decoration: it must be there without colours too.
        .color_mode(ColorMode::Forced)
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Assistant::new(chat.knowledge.clone(), chat.live.clone(), Arc::clone(situation))));
    let none = Keys { bindings: Bindings(BTreeMap::new()), ..Keys::default() };
    bind(&mut editor, &none, &chat.live.now().keys, situation, chat.private.as_ref());
    Ok(editor)
}

/// Lets the keys do what they are to do, and not what they did.
fn bind(editor: &mut LineEditor, old: &Keys, new: &Keys, situation: &Arc<Situation>, private: Option<&Private>) {
    editor.set_edit_mode(new.mode.into());
    old.bindings.0.keys().for_each(|key| {
        editor.unbind_sequence(key.0);
    });
    let interrupt = Key(KeyEvent::ctrl('C'));
    if !new.bindings.0.contains_key(&interrupt) {
        editor.bind_sequence(interrupt.0, EventHandler::Conditional(Box::new(GiveUp(Arc::clone(situation)))));
    }
    for (key, action) in &new.bindings.0 {
        let handler = match (action, private) {
            (Action::Reply, _) => EventHandler::Conditional(Box::new(Reply(Arc::clone(situation)))),
            (Action::Accept, Some(private)) => EventHandler::Conditional(Box::new(Accept(private.clone()))),
            (action, _) => EventHandler::Simple(action.command()),
        };
        editor.bind_sequence(key.0, handler);
    }
}

/// Puts the one who wrote last in front of the line; again, the one before. The editor's own way to replace text leaves the cursor
/// behind, so this is a completion, with one candidate.
struct Reply(Arc<Situation>);

impl ConditionalEventHandler for Reply {
    fn handle(&self, _: &rustyline::Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.replying.store(true, Ordering::SeqCst);
        Some(Cmd::Complete)
    }
}

/// Throws away what is typed, as people are used to from their shell; where nothing is typed, it is a first step to leave.
struct GiveUp(Arc<Situation>);

impl ConditionalEventHandler for GiveUp {
    fn handle(&self, _: &rustyline::Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let mut given_up = self.0.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        let thrown_away = *given_up == Some(GivenUp::Line);
        *given_up = Some(match context.line() {
            "" if thrown_away => GivenUp::NothingMore,
            "" => GivenUp::Nothing,
            _ => GivenUp::Line,
        });
        // In vi mode the next reading begins with inserting, as a shell's does. Else it goes on: the line comes back with Ctrl-Y, and with undo.
        let goes_on = context.mode() == EditMode::Emacs && *given_up == Some(GivenUp::Line) && !self.0.asking.load(Ordering::SeqCst);
        Some(if goes_on { Cmd::Kill(Movement::WholeBuffer) } else { Cmd::Interrupt })
    }
}

/// Says yes to what somebody asks. What is typed stays as it is.
struct Accept(Private);

impl ConditionalEventHandler for Accept {
    fn handle(&self, _: &rustyline::Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.press();
        Some(Cmd::Noop)
    }
}

struct Prompt {
    /// Where lines go that are for private chats.
    private: Option<Private>,
    knowledge: SharedKnowledge,
    leave: Leave,
    /// Whether this thread waits at the prompt.
    reading: Arc<AtomicBool>,
    typed: Sender<Typed>,
    name: String,
    live: Live,
    link: LinkState,
    /// What the assistant has to know.
    situation: Arc<Situation>,
}

impl Prompt {
    /// Reads lines until somebody wants to leave or the session is over.
    fn read(&self, editor: &mut LineEditor, history: &HistoryFile) -> rustyline::Result<()> {
        // What the line begins with, before the cursor and behind it.
        let mut again = (String::new(), String::new());
        let mut interface = self.live.now();
        // What looks like a command with a secret and is said all the same: asked about once.
        let mut said_already = VecDeque::new();
        // Ctrl-C has just thrown a line away: pressed twice for that, it ends nothing.
        let mut thrown_away = false;
        loop {
            let now = self.live.now();
            if now.keys != interface.keys {
                bind(editor, &interface.keys, &now.keys, &self.situation, self.private.as_ref());
            }
            history.resize(editor, now.history)?;
            interface = now;
            let addressee = self.knowledge.lock().addressee();
            addressee.clone_into(&mut self.situation.addressee.lock().unwrap_or_else(PoisonError::into_inner));
            let text = Text::new(&self.name, addressee.as_deref(), &interface.look, self.link.clone());
            self.situation.prompt_columns.store(wrap::width(&text.linked.0), Ordering::Relaxed);
            let (before, behind) = std::mem::take(&mut again);
            let read = self.line(editor, &text, (&before, &behind));
            let painted = self.situation.redraw.broken_off();
            if let (Err(ReadlineError::Interrupted), Some(painted)) = (&read, &painted) {
                // The room has changed: the same line again, under the new prompt.
                let all = format!("{}{}{}", text.linked.0, painted.line, painted.hint);
                self.put(&redraw::wiped(&all, columns()));
                let (before, behind) = painted.line.split_at(painted.line.floor_char_boundary(painted.cursor));
                again = (before.to_owned(), behind.to_owned());
            }
            self.situation.redraw.end();
            let given_up = self.situation.given_up.lock().unwrap_or_else(PoisonError::into_inner).take();
            let line = match (read, given_up) {
                (Ok(line), _) => line.trim_end().to_owned(),
                (Err(ReadlineError::Interrupted), _) if painted.is_some() => continue,
                // Its own wish to leave goes first: this is how the session wakes whoever sits at a prompt.
                (Err(ReadlineError::Interrupted), Some(given_up)) if !self.leave.is_over() => {
                    match given_up {
                        GivenUp::Nothing if !thrown_away => return Ok(()),
                        GivenUp::Nothing | GivenUp::NothingMore => self.put("* Ctrl-C once more leaves, and so do Ctrl-D and /quit\n"),
                        GivenUp::Line => {}
                    }
                    thrown_away = given_up == GivenUp::Line;
                    continue;
                }
                (Err(ReadlineError::Eof | ReadlineError::Interrupted), _) => return Ok(()),
                (Err(error), _) => return Err(error),
            };
            thrown_away = false;
            if split::line_in_room(&line) == Asked::Nothing {
                // Whoever presses Enter before a lost link wants it back now.
                self.link.hurry();
                continue;
            }
            if line.contains('\n') {
                // They come from a paste, and a paste is easily the wrong one.
                let question = format!("send these {} lines as one message? [y/N] ", line.lines().count());
                if !self.means_it(editor, &question)? {
                    again.0 = line;
                    continue;
                }
            }
            if !said_already.contains(&line)
                && let Some(showing) = self.showing_a_secret(&line)
            {
                if !self.means_it(editor, &format!("{showing}. Say it to them? [y/N] "))? {
                    // It stands there as what it was meant to be, and nothing has been done.
                    again.0 = format!("/{}", line.trim_start());
                    continue;
                }
                said_already.truncate(SAID_ALREADY_MAX - 1);
                said_already.push_front(line.clone());
            }
            if interface.keeps_private || !private::is_unrecorded(&line, &self.knowledge.lock()) {
                history.remember(editor, &line, &self.knowledge.lock());
            }
            if let Err(line) = self.send(line, addressee.as_deref()) {
                println!("* not sent: {TYPED_MAX} lines wait for the link already");
                again.0 = line;
            }
        }
    }

    /// Reads one line; the session wakes us when it is over.
    fn line(
        &self,
        editor: &mut LineEditor,
        prompt: &(impl rustyline::Prompt + ?Sized),
        initial: (&str, &str),
    ) -> rustyline::Result<String> {
        self.reading.store(true, Ordering::SeqCst);
        // Checked after `reading` is set: either the session sees that it has to wake us, or we see that it is over.
        let line = if self.leave.is_over() { Err(ReadlineError::Eof) } else { editor.readline_with_initial(prompt, initial) };
        self.reading.store(false, Ordering::SeqCst);
        line
    }

    // The lock is not held while somebody is asked.
    fn showing_a_secret(&self, line: &str) -> Option<String> {
        showing_a_secret(line, &self.knowledge.lock())
    }

    /// Whether somebody says yes.
    fn means_it(&self, editor: &mut LineEditor, question: &str) -> rustyline::Result<bool> {
        self.situation.asking.store(true, Ordering::SeqCst);
        let answer = self.line(editor, question, ("", ""));
        self.situation.asking.store(false, Ordering::SeqCst);
        match answer {
            Ok(answer) => Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")),
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => {
                self.situation.given_up.lock().unwrap_or_else(PoisonError::into_inner).take();
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Hands a line to the session, and waits a little for its answer. Gives it back if too many wait.
    fn send(&self, line: String, addressee: Option<&str>) -> Result<(), String> {
        if self.link.waiting() >= TYPED_MAX {
            return Err(line);
        }
        let (settled, answered) = mpsc::sync_channel(1);
        let typed = Typed { settled: Settled(settled), waits: Some(self.link.wait()), ..Typed::line(line) }.meant_for(addressee);
        let taken = match &self.private {
            Some(private) => private.take(typed, &self.knowledge, addressee),
            None => Err(typed),
        };
        let typed = match taken {
            Err(typed) => typed,
            Ok(()) => {
                // Needs no link to the server.
                let _ = answered.recv_timeout(ANSWER_PATIENCE);
                return Ok(());
            }
        };
        let is_own = typed.meant.as_deref().is_some_and(|line| self.is_own(line));
        match self.typed.try_send(typed) {
            Ok(()) => {
                if self.link.is_up() || is_own {
                    // Whether it came or is late: the next prompt is due.
                    let _ = answered.recv_timeout(ANSWER_PATIENCE);
                }
                Ok(())
            }
            Err(TrySendError::Full(back)) => Err(back.line),
            Err(TrySendError::Closed(_)) => Ok(()),
        }
    }
}

impl Prompt {
    /// Writes to the terminal, while nobody reads a line.
    fn put(&self, text: &str) {
        let mut out = io::stdout().lock();
        // A terminal that is gone is found out by the next reading.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Whether the client obeys `line` itself, link or no link.
    fn is_own(&self, line: &str) -> bool {
        matches!(split::line(line), Asked::Command { name, .. } if self.knowledge.lock().is_own(name))
    }
}

/// What there is to consider before a line shows those whom it is said to what may be a secret.
fn showing_a_secret(line: &str, knowledge: &Knowledge) -> Option<String> {
    let (card, whom) = (secrets::slip(line, knowledge)?, knowledge.addressed()?);
    Some(format!("this may show a secret to {whom}; the command is /{}", card.name))
}

/// Ends the wait at the prompt: the line editor takes an interrupt for Ctrl-C, puts the terminal in order and
/// returns. Says whether that could be done.
pub(crate) fn wake() -> bool {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::INT).is_ok()
}
