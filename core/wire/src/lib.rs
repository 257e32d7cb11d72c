//! What is said between Chinwag's server and its clients.
//!
//! Events and refusals ([`Event`], [`Refusal`]), the cards that describe commands ([`Card`]), the one
//! splitter that server, client and harness read lines with ([`split`]), and the [`dialect`]s that turn
//! all of it into bytes and back. No I/O, no runtime, no state beyond half a line.

pub mod card;
pub mod dialect;
pub mod event;
pub mod name;
pub mod private;
pub mod refusal;
pub mod safe_text;
pub mod split;
pub mod suggest;
pub mod time;

pub use card::{ArgCard, Card, Complete, Kind, Shape};
pub use dialect::{Dialect, Line, Partial};
pub use event::{
    About, Addressee, Arrival, Deed, Event, Fact, MemberLine, PeopleOf, Person, RoomAccess, RoomDeed, RoomLine, RoomNews, RoomRole, Said,
};
pub use private::{Fingerprint, Offer, PrivateEnd, Token};
pub use refusal::{Code, Refusal, code};
pub use safe_text::SafeText;
pub use time::Millis;
