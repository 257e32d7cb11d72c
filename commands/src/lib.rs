//! The stock commands: what a Chinwag user can type, one file each.
//!
//! Adding one is a file and two lines here: `pub mod`, and its place in [`stock`]. Help, completion, documents and
//! a test follow from it. The one file that is no command is `listing`, which those that list people share.

pub mod ack;
pub mod block;
pub mod blocked;
pub mod broadcast;
pub mod dialect;
pub mod guest;
pub mod help;
pub mod history;
mod listing;
pub mod login;
pub mod logout;
pub mod message;
pub mod operator;
pub mod operators;
pub mod passwd;
pub mod ping;
pub mod register;
pub mod resume;
pub mod since;
pub mod token;
pub mod unblock;
pub mod unregister;
pub mod users;
pub mod whoami;
pub mod whoelse;
pub mod whoelsesince;

use std::ffi::OsString;
use std::process::ExitCode;

use chinwag_core::Registry;

/// The stock commands, in the order that help lists them.
#[must_use]
pub fn stock() -> Registry {
    Registry::new()
        .with(register::Register)
        .with(login::Login)
        .with(resume::Resume)
        .with(since::Since)
        .with(guest::Guest)
        .with(token::Token)
        .with(passwd::Passwd)
        .with(unregister::Unregister)
        .with(message::Message)
        .with(broadcast::Broadcast)
        .with(whoelse::Whoelse)
        .with(whoelsesince::Whoelsesince)
        .with(users::Users)
        .with(block::Block)
        .with(unblock::Unblock)
        .with(blocked::Blocked)
        .with(whoami::Whoami)
        .with(history::History)
        .with(operators::Operators)
        .with(operator::Operator)
        .with(help::Help)
        .with(logout::Logout)
        .with(ping::Ping)
        .with(ack::Ack)
        .with(dialect::Dialect)
}

/// Runs the stock server as the command line says, until it is told to end.
pub fn main_with(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    chinwag_core::program::main_with(stock(), args)
}
