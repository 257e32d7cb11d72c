//! Named faults, for harnesses that prove their scenarios would notice. Only in debug builds with the feature `faults`, and
//! only switched on through the control channel; in all others every fault is off, and costs nothing.
//!
//! Each is one mistake that somebody could make, in one line at the place where it would be made.

#[cfg(all(feature = "faults", debug_assertions))]
use std::sync::atomic::{AtomicBool, Ordering};

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $fault:ident = $name:literal,)+) => {
        /// A way for the server to be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault {
            $($(#[doc = $doc])+ $fault,)+
        }

        #[cfg(all(feature = "faults", debug_assertions))]
        const ALL: &[(&str, &str, Fault)] = &[$(($name, concat!($($doc),+), Fault::$fault),)+];
    };
}

faults! {
    /// Anybody may come into a room, without an invitation or the password.
    AccessNotChecked = "access-not-checked",
    /// Answers do not wait for what they answer for.
    AckBeforeEffects = "ack-before-effects",
    /// A message to one user gets through to whoever blocks its sender.
    BlockNotChecked = "block-not-checked",
    /// A block is not stored.
    BlockNotKept = "block-not-kept",
    /// Only who blocks does not see the other; the other still sees them.
    BlockOneWay = "block-one-way",
    /// What is said to all reaches those who block its sender.
    BroadcastToBlockers = "broadcast-to-blockers",
    /// What is said to all comes back to its sender.
    BroadcastToSelf = "broadcast-to-self",
    /// Hashing has too much to do: every password has to wait, and is told so.
    BusyHashing = "busy-hashing",
    /// The command `whoami` panics.
    CommandPanics = "command-panics",
    /// The command `whoami` never ends.
    CommandStuck = "command-stuck",
    /// An acknowledgement counts for everything said so far.
    CursorTooFar = "cursor-too-far",
    /// The third message of a page of kept mail is lost.
    DropThirdMail = "drop-third-mail",
    /// What an author changes is heard, and not kept.
    EditNotKept = "edit-not-kept",
    /// What somebody has had forgotten stays in the index of words and in the write-ahead log.
    ForgetKeepsWords = "forget-keeps-words",
    /// A resend is taken for a new message.
    ForgetKeys = "forget-keys",
    /// Wrong passwords are counted, and nothing comes of it.
    ForgetLockOut = "forget-lock-out",
    /// What guests left behind in rooms when the server was killed stays: rooms that nobody belongs to or owns.
    GuestRoomsStay = "guest-rooms-stay",
    /// A guest who has left keeps the name.
    GuestStays = "guest-stays",
    /// The past shows what was hidden when it was said.
    HistoryShowsHidden = "history-shows-hidden",
    /// The idle timeout comes a second late.
    IdleTooLate = "idle-too-late",
    /// Tokens outlive a change of the password.
    KeepTokens = "keep-tokens",
    /// Who leaves a kept room belongs to it no more.
    KeptRoomForgets = "kept-room-forgets",
    /// Comings and goings are announced to those they are hidden from.
    LeakPresence = "leak-presence",
    /// Who has left a room hears it still.
    LeaverHears = "leaver-hears",
    /// A lock-out ends a second early.
    LockTooShort = "lock-too-short",
    /// Lines are logged as they are.
    LogLines = "log-lines",
    /// Kept mail looks as if it had just been said.
    MailNotMarked = "mail-not-marked",
    /// The last message that was seen comes again at the next login.
    MailTwice = "mail-twice",
    /// Who is muted in a room may speak all the same.
    MutedSpeaks = "muted-speaks",
    /// A name is only itself in the case in which it was registered.
    NamesByCase = "names-by-case",
    /// Nobody inherits a room.
    NoHeir = "no-heir",
    /// Lines that are no command keep the idle timeout away.
    NonsenseIsActivity = "nonsense-is-activity",
    /// An offer of a private chat can be accepted when its time is over.
    OfferForEver = "offer-for-ever",
    /// An offer of a private chat is told whole to the one who is asked, who has not agreed.
    OfferRevealed = "offer-revealed",
    /// Every session of a user is announced.
    PresencePerSession = "presence-per-session",
    /// A private chat outlives the visit of those who have it.
    PrivateStays = "private-stays",
    /// A block does not keep anybody from asking for a private chat.
    PrivateWhileBlocked = "private-while-blocked",
    /// What programs say by themselves counts as something that somebody does.
    ProgramsAreActive = "programs-are-active",
    /// A relay gives what it is sent back to its sender.
    RelayBack = "relay-back",
    /// A relay outlives the private chat that it was for.
    RelayStays = "relay-stays",
    /// A relay takes as much as it is sent.
    RelayUnbounded = "relay-unbounded",
    /// A link that comes back counts as something that somebody does.
    ResumeIsActivity = "resume-is-activity",
    /// A ban keeps nobody out of a room.
    RoomBanForgotten = "room-ban-forgotten",
    /// Who belongs to a room may read what was said before they came.
    RoomPastForAll = "room-past-for-all",
    /// One session more than allowed.
    SessionTooMany = "session-too-many",
    /// Nobody is told that the server ends.
    ShutdownUnsaid = "shutdown-unsaid",
    /// What is committed is not.
    SkipCommit = "skip-commit",
    /// What is said in a room reaches those who block its sender.
    SpeaksToBlockers = "speaks-to-blockers",
    /// What was read is taken for whole letters.
    SplitLetters = "split-letters",
    /// The store refuses every commit, as on a full disk.
    StoreFull = "store-full",
    /// Of two messages to one user that wait, the later one overtakes.
    SwapMessages = "swap-messages",
    /// Of two messages of different senders to one user that wait, the later one overtakes.
    SwapSenders = "swap-senders",
    /// The longest text is one byte shorter.
    TextTooShort = "text-too-short",
    /// A ticket for the relay can be used twice.
    TicketTwice = "ticket-twice",
    /// Tokens are good for ever.
    TokenForEver = "token-for-ever",
    /// Mail goes when it is old, though nobody has read it.
    UnreadExpires = "unread-expires",
    /// A whisper reaches everyone in the room.
    WhisperToRoom = "whisper-to-room",
}

impl Fault {
    /// Whether it is switched on.
    #[cfg(not(all(feature = "faults", debug_assertions)))]
    #[allow(clippy::unused_self, reason = "the same call in both builds")]
    pub(crate) const fn is_on(self) -> bool {
        false
    }

    /// Whether it is switched on.
    #[cfg(all(feature = "faults", debug_assertions))]
    pub(crate) fn is_on(self) -> bool {
        ON[self as usize].load(Ordering::Relaxed)
    }
}

#[cfg(all(feature = "faults", debug_assertions))]
static ON: [AtomicBool; ALL.len()] = [const { AtomicBool::new(false) }; ALL.len()];

/// Obeys `NAME` or `NAME off`.
///
/// # Errors
/// When there is no such fault, or there are none in this build.
#[cfg(all(feature = "faults", debug_assertions))]
pub(crate) fn switch(text: &str) -> Result<(), String> {
    let (name, off) = text.split_once(' ').map_or((text, false), |(name, rest)| (name, rest.trim() == "off"));
    match ALL.iter().find(|(known, ..)| *known == name) {
        Some((_, _, fault)) => {
            ON[*fault as usize].store(!off, Ordering::Relaxed);
            Ok(())
        }
        None => Err(format!("there is no fault `{name}`; there are {}", ALL.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", "))),
    }
}

/// Obeys `NAME` or `NAME off`.
///
/// # Errors
/// When there is no such fault, or there are none in this build.
#[cfg(not(all(feature = "faults", debug_assertions)))]
pub(crate) fn switch(_: &str) -> Result<(), String> {
    names().map(drop)
}

/// The names of all faults, and what each does.
///
/// # Errors
/// When there are none in this build.
#[cfg(all(feature = "faults", debug_assertions))]
pub(crate) fn names() -> Result<Vec<(&'static str, &'static str)>, String> {
    Ok(ALL.iter().map(|(name, what, _)| (*name, what.trim())).collect())
}

/// The names of all faults, and what each does.
///
/// # Errors
/// When there are none in this build.
#[cfg(not(all(feature = "faults", debug_assertions)))]
pub(crate) fn names() -> Result<Vec<(&'static str, &'static str)>, String> {
    Err("this server was built without faults".to_owned())
}
