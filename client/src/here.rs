//! When the reader last did something at the keyboard: what the prompt's thread and the session's know of each other about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chinwag_wire::Millis;

use crate::screen::now;

/// The moment when the reader last did something: began, typed, moved the cursor.
#[derive(Clone, Debug)]
pub(crate) struct Here(Arc<AtomicI64>);

impl Default for Here {
    /// Now.
    fn default() -> Here {
        Here(Arc::new(AtomicI64::new(now().0)))
    }
}

impl Here {
    /// The reader does something at `now`.
    pub(crate) fn at(&self, now: Millis) {
        self.0.store(now.0, Ordering::Relaxed);
    }

    /// When they last did.
    pub(crate) fn last(&self) -> Millis {
        Millis(self.0.load(Ordering::Relaxed))
    }
}
