//! The Chinwag server as a library.
//!
//! A line becomes a command, a command submits intents, intents get one order, the hall applies them in that
//! order, the store makes them durable, and only then do people see them and the sender hear "sent".
//! ARCHITECTURE.md tells the life of a line; `core/README.md` shows one, step by step.

pub mod arg;
pub mod arguments;
pub mod chance;
pub mod clock;
pub mod command;
pub mod config;
mod console;
mod control;
mod ctl;
pub mod ctx;
pub mod dispatch;
mod fault;
mod generate;
pub mod hall;
pub mod naming;
mod net;
pub mod network;
pub mod passwords;
pub mod program;
pub mod registry;
pub mod reload;
pub mod sequencer;
pub mod server;
pub mod spoken;
pub mod stage;
pub mod store;
pub mod tally;
pub mod view;
pub mod written;

pub use chinwag_wire as wire;
pub use registry::Registry;

/// All that a command file needs.
pub mod prelude {
    pub use crate::arg::{
        Choice, CommandName, KnownUser, Member, MessageRef, Number, OnlineUser, PrivateOffer, RoomName, Seconds, Secret, Term, Text,
        Ticket, UserOrAddress, UserOrRoom, Word, Words,
    };
    pub use crate::args;
    pub use crate::arguments::{Arg, NoArgs};
    pub use crate::command::{Command, Need, Outcome, Spec};
    pub use crate::ctx::{Ctx, gone_up_to};
    pub use crate::hall::{Act, Recipient, Room, RoomChange, RoomId, UserId};
    pub use crate::registry::Registry;
    pub use crate::store::Which;
    pub use crate::view::View;
    pub use chinwag_wire::{Addressee, Complete, Deed, Event, Fact, Kind, Refusal, RoomAccess, RoomRole, Said, Shape, code};
}
