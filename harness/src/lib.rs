//! Plays scenarios against a live Chinwag server and compares what everyone saw.
//!
//! A scenario is a `.ron` file that reads like a play (`scenarios/README.md`). Each gets a server process and a data
//! directory of its own. After every step a barrier proves that all that the step caused has arrived, so that a
//! scenario never waits for "long enough" and silence can be asserted.
//!
//! From file to verdict: [`source`] and [`scenario`] read it and find its mistakes ([`diagnostic`]); [`play`] drives
//! a [`server`] and a [`cast`] of [`connection`]s with a [`barrier`] behind each step; [`pattern`] compares;
//! [`transcript`] and [`snapshot`] keep what everyone saw; [`suite`] and [`report`] do it for many.

pub mod barrier;
pub mod bless;
pub mod cast;
pub mod check;
pub mod connection;
pub mod coverage;
pub mod diagnostic;
pub mod dictation;
pub mod export;
pub mod format;
pub mod holes;
pub mod link;
pub mod lint;
#[cfg(target_os = "linux")]
pub mod load;
pub mod log;
pub mod model;
pub mod pattern;
pub mod play;
pub mod record;
pub mod report;
pub mod ron_text;
pub mod scaffold;
pub mod scenario;
pub mod scratch;
pub mod select;
pub mod server;
pub mod shrink;
pub mod snapshot;
pub mod source;
pub mod storm;
pub mod stress;
pub mod suite;
pub mod tls;
pub mod transcript;
pub mod wire;

use std::process::ExitCode;

/// Whether this process was started to be the server under test; if so, it is, until its end.
///
/// The first thing every program does that plays scenarios with [`server::Launch::itself`].
#[must_use]
pub fn serve_if_asked() -> Option<ExitCode> {
    std::env::var_os(server::SERVE)?;
    Some(chinwag_commands::main_with(std::env::args_os()))
}
