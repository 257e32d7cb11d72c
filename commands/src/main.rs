//! `chinwagd`: the server with the stock commands.
//!
//! A server of your own is this file with another list: see `examples/acme-chat`.

use std::process::ExitCode;

fn main() -> ExitCode {
    chinwag_commands::main_with(std::env::args_os())
}
