//! `chinwagd --generate`: completions for shells and the manual page, from the one definition of the command line.

use std::io::{self, Write};

use clap::Command;
use clap_complete::Shell;

/// What can be made.
pub(crate) const KINDS: [&str; 4] = ["bash", "zsh", "fish", "man"];

/// Prints what `kind`, one of [`KINDS`], stands for.
///
/// # Errors
/// Nobody reads it.
pub(crate) fn print(kind: &str, command: Command) -> io::Result<()> {
    io::stdout().lock().write_all(&made(kind, command)?)
}

fn made(kind: &str, mut command: Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    match kind.parse::<Shell>() {
        Ok(shell) => {
            let name = command.get_name().to_owned();
            clap_complete::generate(shell, &mut command, name, &mut text);
        }
        Err(_) => clap_mangen::Man::new(command).render(&mut text)?,
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::command_line;

    #[test]
    fn every_kind_tells_of_the_settings_and_not_of_what_is_for_tests() {
        for kind in KINDS {
            let text = String::from_utf8(made(kind, command_line()).unwrap()).unwrap().replace('\\', "");
            for expected in ["block-duration", "temporary", "ctl"] {
                assert!(text.contains(expected), "{kind}: {expected}");
            }
            if kind == "man" {
                assert!(!text.contains("--epoch"), "{text}");
            }
        }
    }
}
