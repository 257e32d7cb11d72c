//! A private channel between two Chinwag clients, which no server can read, join or record.
//!
//! The way of it, with what each step is good for (`README.md` has the protocol and its promises):
//!
//! 1. [`Identity::open`]: the key and certificate that the others know this client by.
//! 2. [`Meeting::prepare`]: a one-time token and the sockets on which the other may come; its [`Offer`] travels through
//!    the server.
//! 3. [`Meeting::hold`] (directly) or [`Meeting::over`] (through a relay), once both have consented: mutual TLS 1.3 with both
//!    certificates pinned and both tokens proved. What comes out is a [`Channel`] and the [`Engine`] that drives it.
//! 4. [`Channel`]: [`Ask`]s in, [`News`] out: talk and files. Its [`Sas`] is what the two compare by voice.
//!
//! No terminal, no server, no printing: what to show, and what to remember, is the client's.

mod channel;
mod clock;
mod files;
mod frame;
mod identity;
mod meeting;
mod terms;

pub use channel::{Ask, Channel, Ended, Engine, File, News, Origin, Unsaid, Why};
pub use chinwag_wire::{Fingerprint, Offer, Token};
pub use clock::{Clock, Hand};
pub use identity::{Identity, IdentityError};
pub use meeting::{Meeting, Missed, Sas, Side, ways_out};
pub use terms::Terms;

/// The longest text that can be said at once, in bytes. The server takes 4 KiB by default.
pub const TEXT_BYTES_MAX: usize = frame::TEXT_BYTES_MAX;
/// How many files may be on their way, offered or moving, in each direction. More than anybody looks after; it bounds
/// what an offering peer can make us remember.
pub const FILES_MAX: usize = 32;
