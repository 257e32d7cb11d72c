//! Between two prompts the terminal would show what is typed by itself, and the next prompt would show it again. So
//! it shows nothing until the end.

use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// How the terminal was. A static, because the program may end on another thread than the one that changed it.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// While it lives, the terminal does not show what is typed by itself.
pub(crate) struct NoEcho(());

impl NoEcho {
    /// From here on.
    ///
    /// # Errors
    /// Standard input is no terminal, or not one's own.
    pub(crate) fn new() -> io::Result<NoEcho> {
        let before = tcgetattr(stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        tcsetattr(stdin(), OptionalActions::Now, &quiet)?;
        Ok(NoEcho(()))
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        restore();
    }
}

/// Puts the terminal in order, if it is not.
pub(crate) fn restore() {
    if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // A terminal that is gone needs no order.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
    }
}
