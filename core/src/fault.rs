//! Named faults, for harnesses that prove their scenarios would notice. Only in builds with the feature `faults`, and
//! only switched on through the control channel; in all others every fault is off, and costs nothing.

#[cfg(feature = "faults")]
use std::sync::atomic::{AtomicBool, Ordering};

/// A way for the server to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answers do not wait for what they answer for.
    AckBeforeEffects,
    /// The third message of a page of kept mail is lost.
    DropThirdMail,
    /// Comings and goings are announced to those they are hidden from.
    LeakPresence,
    /// The store refuses every commit, as on a full disk.
    StoreFull,
    /// A resend is taken for a new message.
    ForgetKeys,
}

impl Fault {
    /// Whether it is switched on.
    #[cfg(not(feature = "faults"))]
    #[allow(clippy::unused_self, reason = "the same call in both builds")]
    pub(crate) const fn is_on(self) -> bool {
        false
    }

    /// Whether it is switched on.
    #[cfg(feature = "faults")]
    pub(crate) fn is_on(self) -> bool {
        ON[self as usize].load(Ordering::Relaxed)
    }
}

#[cfg(feature = "faults")]
const ALL: [(&str, Fault); 5] = [
    ("ack-before-effects", Fault::AckBeforeEffects),
    ("drop-third-mail", Fault::DropThirdMail),
    ("leak-presence", Fault::LeakPresence),
    ("store-full", Fault::StoreFull),
    ("forget-keys", Fault::ForgetKeys),
];

#[cfg(feature = "faults")]
static ON: [AtomicBool; ALL.len()] = [const { AtomicBool::new(false) }; ALL.len()];

/// Obeys `NAME` or `NAME off`.
///
/// # Errors
/// When there is no such fault, or there are none in this build.
#[cfg(feature = "faults")]
pub(crate) fn switch(text: &str) -> Result<(), String> {
    let (name, off) = text.split_once(' ').map_or((text, false), |(name, rest)| (name, rest.trim() == "off"));
    match ALL.iter().find(|(known, _)| *known == name) {
        Some((_, fault)) => {
            ON[*fault as usize].store(!off, Ordering::Relaxed);
            Ok(())
        }
        None => Err(format!("there is no fault `{name}`; there are {}", ALL.map(|(name, _)| name).join(", "))),
    }
}

/// Obeys `NAME` or `NAME off`.
///
/// # Errors
/// When there is no such fault, or there are none in this build.
#[cfg(not(feature = "faults"))]
pub(crate) fn switch(_: &str) -> Result<(), String> {
    Err("this server was built without faults".to_owned())
}

/// The names of all faults.
///
/// # Errors
/// When there are none in this build.
#[cfg(feature = "faults")]
pub(crate) fn names() -> Result<Vec<&'static str>, String> {
    Ok(ALL.map(|(name, _)| name).to_vec())
}

/// The names of all faults.
///
/// # Errors
/// When there are none in this build.
#[cfg(not(feature = "faults"))]
pub(crate) fn names() -> Result<Vec<&'static str>, String> {
    Err("this server was built without faults".to_owned())
}
