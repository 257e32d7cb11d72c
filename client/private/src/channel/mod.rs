//! An open channel, as the client sees it: what it asks for, and what it hears.

mod engine;
mod session;
#[cfg(test)]
mod tests;
mod transfers;
mod window;

use std::fmt;
use std::path::PathBuf;

use async_channel::{Receiver, Sender, TrySendError};

pub use engine::Engine;
pub(crate) use engine::open;

use crate::meeting::{Sas, Side};
use chinwag_wire::Fingerprint;

/// How many things may be asked for before the engine has taken them: a page of pasted lines. An engine that runs takes
/// them at once; [`Channel::ask`] never waits.
const ASKS_MAX: usize = 1024;
/// How much news may wait for the client. When it is full the engine reads no more from the other, who is made to wait by
/// the network; nothing is lost. (Only [`News::Progress`] is left out, because the next one says it all.)
const NEWS_MAX: usize = 256;

/// One end of a private channel. Dropping it stops the channel, as [`Ask::Stop`] does.
#[derive(Debug)]
pub struct Channel {
    asks: Sender<Ask>,
    news: Receiver<News>,
    sas: Sas,
    peer: Fingerprint,
    side: Side,
}

impl Channel {
    /// What the two compare by voice: equal on both ends, unless somebody is between them.
    #[must_use]
    pub fn sas(&self) -> Sas {
        self.sas
    }

    /// Whose key the other has proved to have.
    #[must_use]
    pub fn peer(&self) -> Fingerprint {
        self.peer
    }

    /// Which side of the meeting this was.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Asks the engine for something. Never waits; what comes of it is told as [`News`].
    ///
    /// # Errors
    /// The ask comes back: the channel has ended, or 1024 asks wait for an engine that nobody drives.
    #[allow(clippy::result_large_err, reason = "the caller gets back what it gave")]
    pub fn ask(&self, ask: Ask) -> Result<(), Ask> {
        self.asks.try_send(ask).map_err(TrySendError::into_inner)
    }

    /// What happened, in order. The last is [`News::Ended`]; after it the receiver is closed. Receivers may be cloned, but
    /// each piece of news goes to one of them.
    #[must_use]
    pub fn news(&self) -> &Receiver<News> {
        &self.news
    }
}

/// What a client asks of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Say this: at most [`TEXT_BYTES_MAX`](crate::TEXT_BYTES_MAX) bytes, any text. Answered only if it cannot be:
    /// [`News::NotSaid`].
    Say(String),
    /// Offer the file at this path. Answered by [`News::Offering`] or [`News::CannotOffer`].
    Offer(PathBuf),
    /// Take a file that the other offers into this folder, which has to be there. Answered by [`News::Started`] or
    /// [`News::Dropped`]. What was left of an earlier attempt is used.
    Accept {
        /// Which.
        file: File,
        /// Where to. It is never overwritten in there.
        folder: PathBuf,
    },
    /// Decline what is offered, take back what was offered, or cancel what moves. What has come so far is kept for another
    /// attempt. Answered by [`News::Dropped`].
    Drop(File),
    /// Close the channel. The other is told. Answered by [`News::Ended`].
    Stop,
}

/// What happens on a channel. All text and all names come from the other as they are: they have to be made safe for a
/// terminal (`SafeText`), except where it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The other says this.
    Said(String),
    /// This was not sent.
    NotSaid {
        /// What was to be said.
        text: String,
        /// Why not.
        why: Unsaid,
    },
    /// The other offers a file.
    Offered {
        /// How to name it in an [`Ask`].
        file: File,
        /// What it would be called here: safe as a file name (no path, no control or invisible characters, nothing reserved).
        name: String,
        /// How long it is, in bytes.
        size: u64,
        /// What its name says it is: `image`, `program`, …; `file` if it says nothing.
        kind: &'static str,
    },
    /// A file of ours was offered to the other.
    Offering {
        /// How to name it in an [`Ask`].
        file: File,
        /// Where it is.
        path: PathBuf,
        /// What it is called there.
        name: String,
        /// How long it is, in bytes.
        size: u64,
    },
    /// A file of ours cannot be offered.
    CannotOffer {
        /// Where it should be.
        path: PathBuf,
        /// Why not, for people.
        why: String,
    },
    /// A file begins to move, either way.
    Started {
        /// Which.
        file: File,
        /// From which byte on: more than 0 when an earlier attempt is continued.
        from: u64,
    },
    /// A file moves. Comes about a hundred times for a file, and may be left out.
    Progress {
        /// Which.
        file: File,
        /// How many bytes are at the receiver.
        done: u64,
        /// Of how many.
        size: u64,
    },
    /// A file is whole at the receiver, its hash checked.
    Finished {
        /// Which.
        file: File,
        /// Where it is now, if it came to us.
        path: Option<PathBuf>,
    },
    /// A file is not, or no longer, on its way.
    Dropped {
        /// Which.
        file: File,
        /// Why.
        why: Why,
    },
    /// The channel is over; nothing comes after this. Files that were on their way are dropped with it, without news of
    /// their own; what has come of them is kept for another attempt.
    Ended {
        /// Why.
        why: Ended,
        /// How many of the texts we said last the other has not confirmed: they may or may not have arrived.
        unheard: u64,
    },
}

/// A file of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct File {
    /// Who offered it.
    pub origin: Origin,
    /// Counts from 1, for files of both origins together: a number is one file of this channel. The other end has numbers of
    /// its own.
    pub number: u32,
}

/// Which way a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// From us to the other.
    Ours,
    /// From the other to us.
    Theirs,
}

/// Why something was not said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsaid {
    /// Nothing to say.
    Empty,
    /// Longer than [`TEXT_BYTES_MAX`](crate::TEXT_BYTES_MAX).
    TooLong,
    /// The other takes nothing at the moment, and much waits already.
    Stuck,
}

/// Why a file is not on its way. `Display` gives a phrase for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// We declined, took back or cancelled it.
    ByUs,
    /// The other declined, took back or cancelled it.
    ByThem,
    /// Too many files are offered or moving already (see [`FILES_MAX`](crate::FILES_MAX)).
    TooMany,
    /// There is no file of this number to do this with.
    Unknown,
    /// There is not enough space in the folder: so many bytes are missing.
    NoSpace {
        /// How many.
        missing: u64,
    },
    /// The same file is being received already.
    Busy,
    /// Our folder or file cannot be used: why, for people.
    Disk(String),
    /// The other's folder, file or space is the reason.
    TheirDisk,
    /// The file was changed while it was sent.
    Changed,
    /// What arrived is not what was sent, by its hash. It has been removed.
    Damaged,
}

/// Why a channel ended. `Display` gives a phrase for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// We stopped it.
    ByUs,
    /// The other stopped it.
    ByThem,
    /// The connection broke: the other's program ended, or the network did. Why, for people.
    Lost(String),
    /// The other has been silent for too long.
    Silent,
    /// The other does not keep to the protocol: what it did.
    Broken(&'static str),
}

impl fmt::Display for Unsaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsaid::Empty => f.write_str("there is nothing to say"),
            Unsaid::TooLong => write!(f, "it is longer than {} bytes", crate::TEXT_BYTES_MAX),
            Unsaid::Stuck => f.write_str("the other side takes nothing at the moment"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::ByUs => f.write_str("you do not want it"),
            Why::ByThem => f.write_str("the other side does not want it"),
            Why::TooMany => write!(f, "there are {} files on their way already", crate::FILES_MAX),
            Why::Unknown => f.write_str("there is no such file on offer"),
            Why::NoSpace { missing } => write!(f, "there is not enough space; {missing} bytes are missing"),
            Why::Busy => f.write_str("the same file is being received already"),
            Why::Disk(why) => f.write_str(why),
            Why::TheirDisk => f.write_str("the other side cannot read or keep it"),
            Why::Changed => f.write_str("it was changed while it was sent"),
            Why::Damaged => f.write_str("what arrived is not what was sent, and was removed"),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::ByUs => f.write_str("you stopped it"),
            Ended::ByThem => f.write_str("the other side stopped it"),
            Ended::Lost(why) => write!(f, "the connection broke ({why})"),
            Ended::Silent => f.write_str("the other side has been silent for too long"),
            Ended::Broken(what) => write!(f, "the other side does not keep to the protocol ({what})"),
        }
    }
}
