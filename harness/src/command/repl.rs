//! `repl`: steps typed one by one.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use chinwag_harness::dictation::{Dictation, Trouble};
use chinwag_harness::holes::escaped;
use chinwag_harness::ron_text::quoted;

use super::Target;
use crate::Exit;

/// What can be typed.
const HELP: &str = "\
+alice            alice connects (json)         alice: whoami     alice says a line
+nc text          nc connects, in text          -alice            alice's connection is dropped
Advance(\"59s\")    any step of the language (scenarios/README.md)
.show             the scenario so far           .save FILE        write it
.undo             forget the last step          .quit             end (so does the end of the input)
";

/// Plays steps as they are typed, with a barrier after each, and shows what everybody sees.
///
/// What was typed can be saved as a scenario. Each step is played on a fresh server with all that came before, so that the last
/// can be taken back.
#[derive(clap::Args)]
pub(crate) struct Repl {
    /// An argument for the server; may be repeated.
    #[arg(long = "arg", value_name = "ARG", allow_hyphen_values = true)]
    args: Vec<String>,
    #[command(flatten)]
    target: Target,
}

impl Repl {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let launch = self.target.launch()?;
        let mut dictation = Dictation { about: "what was typed".to_owned(), args: self.args.clone(), steps: Vec::new() };
        let is_terminal = io::stdin().is_terminal();
        if is_terminal {
            println!("{HELP}");
        }
        let mut lines = io::stdin().lock().lines();
        loop {
            if is_terminal {
                print!("> ");
                io::stdout().flush()?;
            }
            let Some(line) = lines.next() else { return Ok(ExitCode::SUCCESS) };
            let line = line?;
            let line = line.trim();
            match line.split_once(' ').map_or((line, ""), |(first, rest)| (first, rest.trim())) {
                ("", _) => {}
                (".quit", _) => return Ok(ExitCode::SUCCESS),
                (".help", _) => println!("{HELP}"),
                (".show", _) => print!("{}", dictation.text()),
                (".undo", _) => match dictation.steps.pop() {
                    Some(given) => println!("forgotten: {}", given.text),
                    None => println!("there is nothing to forget"),
                },
                (".save", "") => println!("say where: .save FILE"),
                (".save", file) => match std::fs::write(file, dictation.text()) {
                    Ok(()) => println!("{} steps: {file}", dictation.steps.len()),
                    Err(error) => println!("error: {file}: {error}"),
                },
                (command, _) if command.starts_with('.') => println!("there is no `{command}`; .help tells what there is"),
                _ => {
                    let before = dictation.clone();
                    dictation.push(step(line));
                    match dictation.fill(&launch) {
                        Ok(()) => show(&dictation),
                        Err(Trouble::NotStarted(why)) => {
                            eprintln!("error: the server did not start: {why}");
                            return Ok(Exit::NotStarted.into());
                        }
                        Err(Trouble::Mistaken(why) | Trouble::Failed(why)) => {
                            println!("{why}");
                            dictation = before;
                        }
                    }
                }
            }
        }
    }
}

fn show(dictation: &Dictation) {
    let seen = dictation.steps.last().and_then(|given| given.seen.as_ref());
    for (name, lines) in seen.into_iter().flatten() {
        for line in lines {
            println!("{name} < {line}");
        }
    }
}

/// The step that a line stands for.
fn step(line: &str) -> String {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if let Some(name) = line.strip_prefix('+') {
        return match name.split_once(' ') {
            Some((name, "text")) => format!("Telnet({})", quoted(name)),
            _ => format!("Connect({})", quoted(name.trim())),
        };
    }
    if let Some(name) = line.strip_prefix('-') {
        return format!("Drop({})", quoted(name.trim()));
    }
    match line.split_once(": ") {
        // A brace stands for itself: whoever wants a hole writes the step.
        Some((name, said)) if is_name(name) => format!("Send({name}: {})", quoted(&escaped(said))),
        _ => line.trim_end_matches(',').to_owned(),
    }
}
