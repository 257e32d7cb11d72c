//! Outside of the line editor the terminal would show what is typed by itself: between two prompts, where the next prompt would show it
//! again, and before a password is asked for, where nobody may see it. So it shows nothing until the end.

use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// How the terminal was, and how many want it to be silent. A static, because the program may end on another thread than the one that
/// changed it.
static BEFORE: Mutex<Option<(Termios, usize)>> = Mutex::new(None);

/// While one lives, the terminal does not show what is typed by itself.
pub(crate) struct NoEcho(());

impl NoEcho {
    /// From here on.
    ///
    /// # Errors
    /// Standard input is no terminal, or not one's own.
    pub(crate) fn new() -> io::Result<NoEcho> {
        let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, living)) = before.as_mut() {
            *living += 1;
            return Ok(NoEcho(()));
        }
        let found = tcgetattr(stdin())?;
        tcsetattr(stdin(), OptionalActions::Now, &silent(&found))?;
        *before = Some((found, 1));
        Ok(NoEcho(()))
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((found, living)) = before.as_mut() {
            *living -= 1;
            if *living == 0 {
                // A terminal that is gone needs no order.
                let _ = tcsetattr(stdin(), OptionalActions::Now, found);
                *before = None;
            }
        }
    }
}

fn silent(found: &Termios) -> Termios {
    let mut silent = found.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent
}

/// While one lives, Ctrl-C and Ctrl-Z are keys between two prompts, too, as they are at one: what is pressed a moment too early waits for the
/// next prompt, and ends nothing.
pub(crate) struct KeysOnly(());

impl KeysOnly {
    /// From here on.
    ///
    /// # Errors
    /// Standard input is no terminal, or not one's own.
    pub(crate) fn new() -> io::Result<KeysOnly> {
        let mut modes = tcgetattr(stdin())?;
        modes.local_modes.remove(LocalModes::ISIG);
        tcsetattr(stdin(), OptionalActions::Now, &modes)?;
        Ok(KeysOnly(()))
    }
}

impl Drop for KeysOnly {
    fn drop(&mut self) {
        // A terminal that is gone needs no order.
        let _ = tcgetattr(stdin()).and_then(|mut modes| {
            modes.local_modes.insert(LocalModes::ISIG);
            tcsetattr(stdin(), OptionalActions::Now, &modes)
        });
    }
}

/// Does `what` with the terminal as it was: another program asks there.
pub(crate) fn as_it_was<T>(what: impl FnOnce() -> T) -> T {
    let found = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(found, _)| found.clone());
    let set = |modes: &Termios| tcsetattr(stdin(), OptionalActions::Now, modes);
    // A terminal that is gone needs no order.
    let _ = found.as_ref().map(set);
    let done = what();
    let _ = found.as_ref().map(|found| set(&silent(found)));
    done
}

/// Puts the terminal in order, if it is not.
pub(crate) fn restore() {
    if let Some((found, _)) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // A terminal that is gone needs no order.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &found);
    }
}
