//! Named faults, for harnesses that prove their scenarios would notice. Only in builds with the feature `faults`,
//! and only switched on through the control channel.

use std::sync::atomic::{AtomicBool, Ordering};

/// Every fault there is.
const NAMES: [&str; 5] = ["ack-before-effects", "drop-third-mail", "leak-presence", "store-full", "forget-keys"];

static ON: [AtomicBool; NAMES.len()] = [const { AtomicBool::new(false) }; NAMES.len()];

/// Whether the fault called `name` is switched on.
pub(crate) fn is_on(name: &str) -> bool {
    NAMES.iter().position(|known| *known == name).is_some_and(|at| ON[at].load(Ordering::Relaxed))
}

/// Obeys `NAME` or `NAME off`.
///
/// # Errors
/// When there is no such fault.
pub(crate) fn switch(text: &str) -> Result<(), String> {
    let (name, off) = text.split_once(' ').map_or((text, false), |(name, rest)| (name, rest.trim() == "off"));
    match NAMES.iter().position(|known| *known == name) {
        Some(at) => {
            ON[at].store(!off, Ordering::Relaxed);
            Ok(())
        }
        None => Err(format!("there is no fault `{name}`; there are {}", NAMES.join(", "))),
    }
}
