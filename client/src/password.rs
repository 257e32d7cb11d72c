//! Where passwords come from: the keyboard without echo, a file descriptor, or a command. Never the command line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::process::{Command, Stdio};

use crate::args::Args;
use crate::failure::Failure;

/// The longest password that is read: longer than any passphrase, shorter than a line may be.
const PASSWORD_BYTES_MAX: u64 = 1024;

/// Where the password comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// From the one at the keyboard, who can also be asked again.
    Keyboard,
    /// From the first line of a file descriptor.
    Descriptor(u32),
    /// From the first line that a command prints.
    Command(String),
    /// There is none, and none is asked for: names of a foreign wire are whoever takes them first.
    Nobody,
    /// Made up by this program itself, for an account that nobody else needs.
    Given(String),
}

impl Source {
    /// The source the command line asks for.
    ///
    /// # Errors
    /// None is given and nobody is at the keyboard.
    pub(crate) fn of(args: &Args) -> Result<Source, Failure> {
        match (&args.password_fd, &args.password_command) {
            (Some(fd), _) => Ok(Source::Descriptor(*fd)),
            (None, Some(command)) => Ok(Source::Command(command.clone())),
            (None, None) if args.wire.is_some() => Ok(Source::Nobody),
            (None, None) if io::stdin().is_terminal() => Ok(Source::Keyboard),
            (None, None) => Err(Failure::usage(
                "input is not a terminal, so nobody can be asked for the password: say --password-fd N or --password-command COMMAND",
            )),
        }
    }

    /// Whether it gives the password as often as it is asked, without anybody at the keyboard.
    pub(crate) fn gives_again(&self) -> bool {
        matches!(self, Source::Command(_) | Source::Given(_))
    }

    /// Reads a password that needs nobody at the keyboard; `None` if this source does.
    ///
    /// # Errors
    /// The descriptor or the command gives none, or one that cannot be used.
    pub(crate) fn read(&self) -> Result<Option<String>, Failure> {
        // A password manager may want to ask at the keyboard, but must not eat the lines of a script.
        self.read_with(if io::stdin().is_terminal() { Stdio::inherit() } else { Stdio::null() })
    }

    /// The same while somebody types: a command that wants to ask at the keyboard gets no answer.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub(crate) fn read_unattended(&self) -> Result<Option<String>, Failure> {
        self.read_with(Stdio::null())
    }

    fn read_with(&self, input: Stdio) -> Result<Option<String>, Failure> {
        let (password, whence) = match self {
            Source::Keyboard | Source::Nobody => return Ok(None),
            Source::Given(password) => return Ok(Some(password.clone())),
            Source::Descriptor(fd) => (from_descriptor(*fd), format!("file descriptor {fd}")),
            Source::Command(command) => (from_command(command, input), "the password command".to_owned()),
        };
        let password = password.map_err(|error| Failure::usage(format!("cannot read the password from {whence}: {error}")))?;
        check(&password).map_err(|why| Failure::usage(format!("the password from {whence} cannot be used: {why}")))?;
        Ok(Some(password))
    }
}

/// Whether `password` can travel in a line of words.
///
/// # Errors
/// Why not, as half a sentence.
pub(crate) fn check(password: &str) -> Result<(), &'static str> {
    if password.is_empty() {
        return Err("it is empty");
    }
    if password.contains(char::is_whitespace) {
        return Err("it has a space in it, and passwords here are one word");
    }
    if password.contains(char::is_control) {
        return Err("it has a control character in it");
    }
    Ok(())
}

fn from_descriptor(fd: u32) -> io::Result<String> {
    if fd == 0 {
        // Through the buffer that the lines to send are read from later, so that none of them is lost in another.
        return first_line(io::stdin().lock());
    }
    first_line(BufReader::new(File::open(format!("/dev/fd/{fd}"))?))
}

fn from_command(command: &str, input: Stdio) -> io::Result<String> {
    let mut child = Command::new("sh").arg("-c").arg(command).stdin(input).stdout(Stdio::piped()).spawn()?;
    let line = match child.stdout.take() {
        Some(output) => first_line(BufReader::new(output)),
        None => Ok(String::new()),
    };
    let status = child.wait()?;
    // One that writes on after its first line ends by a broken pipe; what counts then is the line.
    match line {
        Ok(line) if !line.is_empty() || status.success() => Ok(line),
        Ok(_) => Err(io::Error::other(format!("it failed ({status})"))),
        Err(error) => Err(error),
    }
}

fn first_line(reader: impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.take(PASSWORD_BYTES_MAX).read_line(&mut line)?;
    if line.len() as u64 == PASSWORD_BYTES_MAX {
        return Err(io::Error::other(format!("it is longer than {PASSWORD_BYTES_MAX} bytes")));
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_word() {
        for (password, usable) in
            [("hunter2", true), ("žluťoučký", true), ("", false), ("two words", false), ("tab\there", false), ("bell\x07", false)]
        {
            assert_eq!(check(password).is_ok(), usable, "{password:?}");
        }
    }

    #[test]
    fn the_first_line_is_the_password() {
        for (input, password) in [("secret\nmore\n", "secret"), ("secret", "secret"), ("secret\r\n", "secret"), ("", "")] {
            assert_eq!(first_line(input.as_bytes()).expect("reads"), password);
        }
        assert!(first_line(vec![b'x'; 5000].as_slice()).is_err());
    }

    #[test]
    fn a_command_gives_its_first_line() {
        let read = |command: &str| Source::Command(command.to_owned()).read();
        assert_eq!(read("echo secret; echo more"), Ok(Some("secret".to_owned())));
        for failing in ["exit 7", "echo 'two words'", "true"] {
            assert!(read(failing).is_err(), "{failing}");
        }
    }
}
