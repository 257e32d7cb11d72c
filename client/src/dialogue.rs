//! Questions to the one at the keyboard, before the chat begins.

use std::io::{self, Write};

use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor};

use crate::echo;
use crate::failure::Failure;
use crate::prompt;

/// An answer; `None` when the one at the keyboard wants to leave (Ctrl-C, Ctrl-D).
pub(crate) type Answer<T> = Result<Option<T>, Failure>;

/// Asks for one line.
pub(crate) fn ask(question: &str) -> Answer<String> {
    // The terminal even where output goes elsewhere: a question in a log file would wait for ever.
    let config = Config::builder().behavior(Behavior::PreferTerm).max_history_size(0).map_err(|error| broken(&error))?.build();
    let mut editor = DefaultEditor::with_config(config).map_err(|error| broken(&error))?;
    // A terminal that can only print shows what is typed by itself, or nobody does.
    let read = if prompt::is_possible() { editor.readline(question) } else { echo::as_it_was(|| editor.readline(question)) };
    match read {
        Ok(line) => Ok(Some(line.trim().to_owned())),
        Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
        Err(error) => Err(broken(&error)),
    }
}

/// Asks a question that is answered with yes or no, and again if it was not; nothing is yes.
pub(crate) fn confirm(question: &str) -> Answer<bool> {
    loop {
        let Some(answer) = ask(&format!("{question} [Y/n] "))? else { return Ok(None) };
        match answer.to_lowercase().as_str() {
            "" | "y" | "yes" => return Ok(Some(true)),
            "n" | "no" => return Ok(Some(false)),
            _ => say("please say y or n"),
        }
    }
}

/// Asks for one line and does not show it.
pub(crate) fn ask_secretly(question: &str) -> Answer<String> {
    match rpassword::prompt_password(question) {
        Ok(secret) => Ok(Some(secret)),
        Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof) => {
            // The cursor still stands behind the question.
            say("");
            Ok(None)
        }
        Err(error) => Err(Failure::usage(format!("cannot ask for a password: {error}"))),
    }
}

/// Says something beside the chat, on standard error. Who closed that does not want to hear it.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn broken(error: &ReadlineError) -> Failure {
    Failure::usage(format!("cannot ask at the terminal: {error}"))
}
