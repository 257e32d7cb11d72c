//! Who listens to a session: people at a screen, or a program that reads standard output.

use chinwag_wire::{Event, Millis};

use crate::report::Report;
use crate::screen::{Gone, Screen, Settled};

/// Where a session shows what happens.
pub(crate) enum Audience {
    /// People.
    Screen(Screen),
    /// A program.
    Report(Report),
}

impl Audience {
    /// Shows an event, if there is anything to show of it. `settled` is dropped when that is done.
    ///
    /// # Errors
    /// Nobody takes it any more.
    pub(crate) async fn event(&self, event: &Event, settled: Option<Settled>) -> Result<(), Gone> {
        match self {
            Audience::Screen(screen) => screen.event(event, settled).await,
            Audience::Report(report) => report.event(event, settled).await,
        }
    }

    /// Shows what the client itself has to say.
    ///
    /// # Errors
    /// Nobody takes it any more.
    pub(crate) async fn notice(&self, text: &str) -> Result<(), Gone> {
        match self {
            Audience::Screen(screen) => screen.notice(text).await,
            Audience::Report(report) => report.notice(text).await,
        }
    }

    /// Marks that what comes next, and was said at `at`, is new since the reader last did something. A program does without.
    ///
    /// # Errors
    /// Nobody takes it any more.
    pub(crate) async fn new_since(&self, since: Millis, at: Millis) -> Result<(), Gone> {
        match self {
            Audience::Screen(screen) => screen.new_since(since, at).await,
            Audience::Report(_) => Ok(()),
        }
    }

    /// The highest number of a message that was shown for sure.
    pub(crate) fn shown(&self) -> u64 {
        match self {
            Audience::Screen(screen) => screen.shown(),
            Audience::Report(report) => report.shown(),
        }
    }

    /// Returns when everything so far is shown, or will not be.
    pub(crate) async fn flush(&self) {
        match self {
            Audience::Screen(screen) => screen.flush().await,
            Audience::Report(report) => report.flush().await,
        }
    }
}
