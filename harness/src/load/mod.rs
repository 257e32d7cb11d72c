//! Load: a server in a process of its own, a light load generator in this one, and the yardstick `limit` beside it.
//! `benches/README.md` says what each row means. Linux only: it reads processor time and memory from /proc.

mod broadcast;
mod crowd;
mod direct;
mod idle;
mod join;
mod logins;
mod machine;
mod plan;
mod process;
mod relay;
mod table;
mod yardstick;

use std::process::ExitCode;

pub use plan::{Options, measure};
pub use process::is_no_server;

/// Whether this process was started to be a server that is measured; if so, it is, until its end.
///
/// The first thing every program does that calls [`measure`].
#[must_use]
pub fn play_if_asked() -> Option<ExitCode> {
    std::env::var(process::ROLE).ok().map(|role| process::play(&role))
}
