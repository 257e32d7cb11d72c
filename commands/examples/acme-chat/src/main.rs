//! Somebody else's server: the stock commands without `block`, and with `roll`.

mod roll;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use chinwag_core::Registry;

/// What one can type here.
fn registry() -> Registry {
    chinwag_commands::stock().without("block").with(roll::Roll)
}

fn main() -> ExitCode {
    chinwag_core::program::main_with(registry(), std::env::args_os())
}
