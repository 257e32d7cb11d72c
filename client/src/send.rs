//! `chinwag send`: says something and ends. Nothing that arrives is shown or counts as read.

use std::io::{self, IsTerminal, Read, Write};
use std::ops::ControlFlow;
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use async_channel::Sender;
use chinwag_wire::split::{self, Asked};
use chinwag_wire::{Code, Event, Refusal, code};
use clap::Args;

use crate::address::check_name;
use crate::chat::Chat;
use crate::dialogue;
use crate::failure::Failure;
use crate::machinery;
use crate::report::{Form, Of, Report, json};
use crate::script::{LINE_BYTES_MAX, lines};
use crate::session::Typed;

/// The longest key that can be given: a server takes 64 bytes, and the number of a line has to fit behind it.
const KEY_BYTES_MAX: usize = 40;
/// What stands for everyone.
const ALL: &str = "all";
/// What a server cannot read at all.
const UNREADABLE: Code = code::LINE_TOO_LONG;

/// Say something to somebody or in a room, and end when the server has acknowledged it.
///
/// To be heard in a room one comes into it: whoever is not in it yet joins it first. In a room that is kept one stays, and is there at once the
/// next time.
///
/// Without TEXT it is read from standard input, each line as a message of its own (blank lines are skipped), or with --whole all
/// of it as one. The first message that is refused ends it: those before it are said, those after it are not. A message that waits for
/// its acknowledgement when the link is lost is sent again, and said once. Options stand before TO.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct SendArgs {
    /// Send all of standard input as one message, line breaks and all.
    #[arg(long, conflicts_with = "text")]
    whole: bool,

    /// Say it once, however often this is run: the key makes it the same message. Lines of standard input get KEY-1, KEY-2 and so on. The
    /// server remembers the last keys of each user.
    #[arg(long, value_parser = read_key)]
    key: Option<String>,

    /// Who gets it: a user, a room (`#room` says that it is one; in a shell it has to be quoted), or `all` for everyone.
    #[arg(value_parser = read_addressee)]
    to: String,

    /// What to say.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    text: Vec<String>,
}

fn read_key(key: &str) -> Result<String, String> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX || key.contains(char::is_control) {
        return Err(format!("expected 1 to {KEY_BYTES_MAX} bytes without control characters, such as a UUID"));
    }
    Ok(key.to_owned())
}

/// The beginning of a line that is said to `who`, by the short forms of the one splitter.
fn read_addressee(who: &str) -> Result<String, String> {
    let who = who.strip_prefix('@').unwrap_or(who);
    if !who.eq_ignore_ascii_case(ALL) {
        check_name(who.strip_prefix('#').unwrap_or(who))?;
    }
    Ok(format!("@{who}"))
}

/// How the messages fared.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fared {
    sent: usize,
    refused: Option<(usize, Refusal)>,
}

/// Sends what `args` say, and logs out.
///
/// # Errors
/// Something was refused, or could not be sent.
pub(crate) fn run(chat: Chat, args: &SendArgs, form: Form) -> Result<(), Failure> {
    let cannot = |error: io::Error| Failure::usage(format!("cannot start: {error}"));
    let (report, _writer) = Report::start(form, Of::Nothing).map_err(cannot)?;
    let (typed, waiting) = async_channel::bounded(1);
    let leave = chat.leave.clone();
    let session = chat.report_session(report, waiting)?.without_acknowledging();
    let (done, fared) = mpsc::sync_channel(1);
    let source = Source::of(args)?;
    let line_numbers = !matches!(source, Source::Given(_));
    let mouth = Mouth { to: args.to.clone(), key: args.key.clone(), form, typed };
    // Nobody waits for this thread: it may sit in a read that never ends.
    thread::Builder::new().name("input".to_owned()).spawn(move || source.say_all(mouth, &done)).map_err(cannot)?;
    let end = session.run_to_end();
    match fared.try_recv() {
        Ok(Fared { refused: None, .. }) => end,
        Ok(Fared { sent, refused: Some((number, refusal)) }) => {
            let mut failure = Failure::refused(&refusal);
            if line_numbers {
                failure.message.push_str(&format!("\nthis was line {number}; {sent} before it were sent, and none after it"));
            }
            Err(failure)
        }
        Err(_) if leave.was_interrupted() => Err(Failure::interrupted(match end {
            Err(failure) => format!("interrupted: {failure}"),
            Ok(()) => "interrupted before all was sent".to_owned(),
        })),
        Err(_) => end.and(Err(Failure::no_link("the session ended before all was sent"))),
    }
}

/// Where the messages come from.
enum Source {
    Given(String),
    Lines,
    Whole(String),
}

impl Source {
    fn of(args: &SendArgs) -> Result<Source, Failure> {
        if !args.text.is_empty() {
            return Ok(Source::Given(args.text.join(" ")));
        }
        if io::stdin().is_terminal() {
            dialogue::say("* type what to say; Ctrl-D ends it");
        }
        if !args.whole {
            return Ok(Source::Lines);
        }
        let mut all = Vec::new();
        let cannot = |why: String| Failure::usage(format!("cannot read what to say: {why}"));
        io::stdin().lock().take(LINE_BYTES_MAX as u64 + 1).read_to_end(&mut all).map_err(|error| cannot(error.to_string()))?;
        if all.len() > LINE_BYTES_MAX {
            return Err(cannot(format!("it is longer than {LINE_BYTES_MAX} bytes")));
        }
        let all = String::from_utf8(all).map_err(|_| cannot("it is not UTF-8".to_owned()))?;
        let all = all.trim_end_matches(['\n', '\r']);
        if all.trim().is_empty() {
            return Err(cannot("there is nothing".to_owned()));
        }
        Ok(Source::Whole(all.to_owned()))
    }

    /// Says all, and tells how that went, if it went to its end.
    fn say_all(self, mouth: Mouth, done: &SyncSender<Fared>) {
        let mut fared = Fared::default();
        let ended = match self {
            Source::Given(text) | Source::Whole(text) => mouth.say(&text, 1, mouth.key.clone(), &mut fared).is_continue(),
            Source::Lines => {
                let whole = lines(io::stdin().lock(), |number, line| match line {
                    Ok(text) if split::line(text) == Asked::Nothing => ControlFlow::Continue(()),
                    Ok(text) => mouth.say(text, number, mouth.key.as_ref().map(|key| format!("{key}-{number}")), &mut fared),
                    Err(refusal) => {
                        fared.refused = Some((number, refusal));
                        ControlFlow::Break(())
                    }
                });
                match whole {
                    Ok(flow) => flow.is_continue(),
                    Err((number, error)) => {
                        let text = format!("cannot read on after line {number}: {error}");
                        fared.refused = Some((number + 1, Refusal::new(UNREADABLE, text)));
                        true
                    }
                }
            }
        };
        if ended || fared.refused.is_some() {
            // Before `mouth` is dropped, which ends the session.
            let _ = done.try_send(fared);
        }
    }
}

/// What says one message after the other.
struct Mouth {
    to: String,
    key: Option<String>,
    form: Form,
    typed: Sender<Typed>,
}

impl Mouth {
    /// The last answer to `line`.
    fn ask(&self, line: String, key: Option<String>) -> Option<Event> {
        let (answers, answered) = async_channel::bounded(1);
        self.typed.send_blocking(Typed { key, answers: Some(answers), ..Typed::line(line) }).ok()?;
        answered.recv_blocking().ok()
    }

    /// Says one message and waits for what the server answers; breaks off when nothing more is to be said.
    fn say(&self, text: &str, number: usize, key: Option<String>, fared: &mut Fared) -> ControlFlow<()> {
        // `None`: the session is over, and says why.
        let line = format!("{} {text}", self.to);
        let Some(mut answer) = self.ask(line.clone(), key.clone()) else { return ControlFlow::Break(()) };
        if matches!(&answer, Event::Refusal(refusal) if refusal.code == code::NO_ROOM) {
            let Some(joined) = self.ask(machinery::join(self.to.trim_start_matches('@')), None) else { return ControlFlow::Break(()) };
            answer = match joined {
                Event::Refusal(_) => joined,
                _ => match self.ask(line, key) {
                    Some(answer) => answer,
                    None => return ControlFlow::Break(()),
                },
            };
        }
        if self.form == Form::Json {
            let mut out = io::stdout().lock();
            // What is said is said, whether or not anybody reads the receipt.
            let _ = out.write_all(&json(&answer)).and_then(|()| out.flush());
        }
        match answer {
            Event::Refusal(refusal) => {
                fared.refused = Some((number, refusal));
                ControlFlow::Break(())
            }
            _ => {
                fared.sent += 1;
                ControlFlow::Continue(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_addressee_is_a_user_or_everyone() {
        for (typed, said) in
            [("bob", "@bob"), ("@bob", "@bob"), ("ALL", "@ALL"), ("#den", "@#den"), ("@#den", "@#den"), ("admin", "@admin")]
        {
            assert_eq!(read_addressee(typed).as_deref(), Ok(said));
        }
        for wrong in ["", "@", "#", "##den", "two words", "bob:", "a/b", "\u{1b}[2J"] {
            assert!(read_addressee(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_key_leaves_room_for_a_number() {
        assert_eq!(read_key("0192-af").as_deref(), Ok("0192-af"));
        assert!(read_key("").is_err() && read_key(&"x".repeat(KEY_BYTES_MAX + 1)).is_err() && read_key("a\nb").is_err());
        let longest = format!("{}-{}", "x".repeat(KEY_BYTES_MAX), usize::MAX);
        assert!(longest.len() <= chinwag_wire::dialect::MARK_MAX);
    }
}
