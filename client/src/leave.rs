//! Wanting to leave: Ctrl-C, Ctrl-D and the signals that ask a program to end all mean a logout.

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use async_channel::{Receiver, Sender};
use async_signal::{Signal, Signals};
use smol::stream::StreamExt;

use crate::echo;
use crate::failure::Exit;

/// One wish, which anybody may state and anybody may hear.
#[derive(Clone)]
pub(crate) struct Leave {
    wish: Sender<()>,
    heard: Receiver<()>,
    /// The session is over: there is nothing left to leave.
    over: Arc<AtomicBool>,
    /// The wish came from outside, as a signal.
    interrupted: Arc<AtomicBool>,
}

impl Leave {
    /// Nobody wants to leave yet. From here on signals say so instead of ending the program where it stands.
    ///
    /// # Errors
    /// The system does not let us listen to signals.
    pub(crate) fn listen() -> io::Result<Leave> {
        let (wish, heard) = async_channel::bounded(1);
        let leave = Leave { wish, heard, over: Arc::default(), interrupted: Arc::default() };
        let mut signals = Signals::new([Signal::Int, Signal::Term, Signal::Hup])?;
        let listening = leave.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            while let Some(signal) = smol::block_on(signals.next()) {
                if listening.over.load(Ordering::SeqCst) {
                    continue;
                }
                // `close` says whether this was the first time. Who presses Ctrl-C twice does not want to wait for a
                // goodbye; and since the line editor takes it as a key, the terminal is not the editor's at the moment.
                // Said before the wish: whoever hears the one can ask for the other.
                listening.interrupted.store(true, Ordering::SeqCst);
                let first = listening.wish.close();
                if !first && matches!(signal, Ok(Signal::Int)) {
                    echo::restore();
                    process::exit(Exit::Interrupted as i32);
                }
            }
        })?;
        Ok(leave)
    }

    /// States the wish.
    pub(crate) fn now(&self) {
        self.wish.close();
    }

    /// Ends when the wish is stated.
    pub(crate) fn heard(&self) -> Receiver<()> {
        self.heard.clone()
    }

    /// Waits for the wish.
    pub(crate) async fn wished(&self) {
        // Nothing is ever sent: that it ends is the message.
        let _ = self.heard.recv().await;
    }

    /// Whether a signal said it, and not the program's own work that was done.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }

    /// The session is over; later signals mean nothing.
    pub(crate) fn over(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Whether the session is over.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}
