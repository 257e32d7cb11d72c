//! `chinwag generate`: completions for shells and the manual, from the one definition of the command line.

use std::io::{self, Write};

use clap::{Args, CommandFactory, Subcommand};
use clap_complete::Shell;

use crate::args;
use crate::failure::{Failure, exit_codes};

/// Print completions for a shell, or the manual page: for packagers.
#[derive(Args, Clone, Debug)]
#[command(hide = true)]
pub(crate) struct GenerateArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum What {
    /// Completions, such as for ~/.local/share/bash-completion/completions/chinwag.
    Completions {
        /// For which shell.
        shell: Shell,
    },
    /// The manual page, in roff.
    Man,
}

/// Prints what `args` ask for.
///
/// # Errors
/// Nobody reads it.
pub(crate) fn run(args: &GenerateArgs) -> Result<(), Failure> {
    let text = match args.what {
        What::Completions { shell } => completions(shell),
        What::Man => manual().map_err(|error| Failure::usage(format!("cannot make the manual: {error}")))?,
    };
    io::stdout().lock().write_all(&text).map_err(|_| Failure::output_gone())
}

fn completions(shell: Shell) -> Vec<u8> {
    let mut text = Vec::new();
    let mut command = args::Args::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut text);
    text
}

/// The page, with the commands' own sections and the exit codes as a table.
fn manual() -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut command = args::Args::command().after_help("");
    command.build();
    let page = clap_mangen::Man::new(command.clone());
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    for errand in command.get_subcommands().filter(|errand| !errand.is_hide_set() && errand.get_name() != "help") {
        writeln!(text, ".SH {}", errand.get_name().to_uppercase())?;
        subcommand(errand, &mut text)?;
    }
    writeln!(text, ".SH EXIT STATUS")?;
    for (code, meaning) in exit_codes() {
        writeln!(text, ".TP\n.B {code}\n{meaning}")?;
    }
    page.render_version_section(&mut text)?;
    Ok(text)
}

/// One command's synopsis, description and own options, without those that all have.
fn subcommand(command: &clap::Command, text: &mut Vec<u8>) -> io::Result<()> {
    let own = command.clone().mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
    let page = clap_mangen::Man::new(own.clone());
    let mut sections = Vec::new();
    page.render_description_section(&mut sections)?;
    page.render_options_section(&mut sections)?;
    for inner in own.get_subcommands().filter(|inner| inner.get_name() != "help") {
        let usage = inner.clone().mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg }).render_usage().to_string();
        writeln!(
            sections,
            ".TP\n.B {}\n{}",
            usage.trim_start_matches("Usage: ").replace('-', "\\-"),
            inner.get_about().cloned().unwrap_or_default()
        )?;
    }
    let usage = own.clone().render_usage().to_string();
    writeln!(text, ".B {}\n.PP", usage.trim_start_matches("Usage: ").replace('-', "\\-"))?;
    // Its sections are parts of one section here.
    let sections = String::from_utf8(sections).map_err(io::Error::other)?;
    let heading = |line: &&str| !line.starts_with(".SH DESCRIPTION") && !line.starts_with(".SH OPTIONS");
    sections.lines().filter(heading).try_for_each(|line| writeln!(text, "{line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_tells_of_every_errand_option_and_exit_code() {
        let page = String::from_utf8(manual().expect("renders")).expect("UTF-8").replace('\\', "");
        for expected in [
            "--password-command",
            "--reconnect-for",
            ".SH SEND",
            "--whole",
            ".SH TAIL",
            "--count",
            ".SH TRUST",
            "forget",
            ".SH EXIT STATUS",
        ] {
            assert!(page.contains(expected), "{expected} is not in:\n{page}");
        }
        for (code, meaning) in exit_codes() {
            assert!(page.contains(&format!(".B {code}\n{meaning}")), "{code}");
        }
        assert!(!page.contains("generate"), "packagers find it in the readme");
    }

    #[test]
    fn every_shell_has_completions() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = String::from_utf8(completions(shell)).expect("UTF-8");
            for expected in ["send", "tail", "trust", "password-fd"] {
                assert!(text.contains(expected), "{shell}: {expected}");
            }
        }
    }
}
