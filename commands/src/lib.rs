//! The stock commands: what a Chinwag user can type, one file each.
//!
//! Adding one is a file and two lines here: `pub mod`, and its place in [`stock`]. Help, completion, documents and
//! a test follow from it. The files that are no commands are `listing`, which those that list something share, `switch`,
//! for those that take `on` or `off`, and `reason`, for those that operators give reasons with.

pub mod accept;
pub mod access;
pub mod ack;
pub mod active;
pub mod announce;
pub mod archive;
pub mod audit;
pub mod backup;
pub mod ban;
pub mod bans;
pub mod block;
pub mod blocked;
pub mod broadcast;
pub mod carry;
pub mod close;
pub mod codes;
pub mod create;
pub mod decline;
pub mod delete;
pub mod describe;
pub mod dialect;
pub mod disconnect;
pub mod edit;
pub mod endcode;
pub mod export;
pub mod forget;
pub mod guest;
pub mod help;
pub mod history;
pub mod invite;
pub mod join;
pub mod keep;
pub mod kick;
pub mod kill;
pub mod leave;
mod listing;
pub mod login;
pub mod logout;
pub mod members;
pub mod message;
pub mod metrics;
pub mod mute;
pub mod newcode;
pub mod operator;
pub mod operators;
pub mod passwd;
pub mod ping;
pub mod react;
mod reason;
pub mod register;
pub mod relay;
pub mod reload;
pub mod reply;
pub mod resign;
pub mod resume;
pub mod role;
pub mod roomban;
pub mod roombans;
pub mod rooms;
pub mod say;
pub mod search;
pub mod since;
pub mod startprivate;
pub mod stats;
pub mod stopprivate;
mod switch;
pub mod token;
pub mod topic;
pub mod transfer;
pub mod unban;
pub mod unblock;
pub mod unlock;
pub mod unmute;
pub mod unreact;
pub mod unregister;
pub mod unroomban;
pub mod users;
pub mod whisper;
pub mod whoami;
pub mod whoelse;
pub mod whoelsesince;
pub mod why;

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
        .with(export::Export)
        .with(unregister::Unregister)
        .with(forget::Forget)
        .with(message::Message)
        .with(broadcast::Broadcast)
        .with(reply::Reply)
        .with(react::React)
        .with(unreact::Unreact)
        .with(edit::Edit)
        .with(delete::Delete)
        .with(rooms::Rooms)
        .with(create::Create)
        .with(join::Join)
        .with(leave::Leave)
        .with(say::Say)
        .with(whisper::Whisper)
        .with(members::Members)
        .with(topic::Topic)
        .with(describe::Describe)
        .with(invite::Invite)
        .with(access::Access)
        .with(keep::Keep)
        .with(archive::Archive)
        .with(role::Role)
        .with(transfer::Transfer)
        .with(kick::Kick)
        .with(roomban::Roomban)
        .with(unroomban::Unroomban)
        .with(roombans::Roombans)
        .with(mute::Mute)
        .with(unmute::Unmute)
        .with(resign::Resign)
        .with(close::Close)
        .with(whoelse::Whoelse)
        .with(whoelsesince::Whoelsesince)
        .with(users::Users)
        .with(block::Block)
        .with(unblock::Unblock)
        .with(blocked::Blocked)
        .with(whoami::Whoami)
        .with(history::History)
        .with(search::Search)
        .with(why::Why)
        .with(startprivate::Startprivate)
        .with(accept::Accept)
        .with(decline::Decline)
        .with(stopprivate::Stopprivate)
        .with(relay::Relay)
        .with(operators::Operators)
        .with(kill::Kill)
        .with(operator::Operator)
        .with(disconnect::Disconnect)
        .with(ban::Ban)
        .with(unban::Unban)
        .with(bans::Bans)
        .with(unlock::Unlock)
        .with(announce::Announce)
        .with(newcode::Newcode)
        .with(endcode::Endcode)
        .with(codes::Codes)
        .with(audit::Audit)
        .with(stats::Stats)
        .with(metrics::Metrics)
        .with(reload::Reload)
        .with(backup::Backup)
        .with(help::Help)
        .with(logout::Logout)
        .with(ping::Ping)
        .with(ack::Ack)
        .with(active::Active)
        .with(carry::Carry)
        .with(dialect::Dialect)
}

/// Runs the stock server as the command line says, until it is told to end.
pub fn main_with(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    chinwag_core::program::main_with(stock(), args)
}
