//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use chinwag_wire::time::read_duration;
use clap::{Parser, Subcommand};

use crate::address::{Address, DEFAULT_PORT, Place};
use crate::failure::{Failure, exit_codes_help};
use crate::generate::GenerateArgs;
use crate::report::Form;
use crate::send::SendArgs;
use crate::tail::TailArgs;
use crate::trusting::TrustArgs;

/// Chat in the terminal, with the people of a Chinwag server.
///
/// In a terminal it is a chat; with piped input it sends each line, prints what arrives, and logs out at the end.
#[derive(Clone, Debug, Parser)]
#[command(name = "chinwag", version, after_help = exit_codes_help(), max_term_width = 100, subcommand_value_name = "COMMAND")]
pub(crate) struct Args {
    /// The server, and whom to log in as: alice@chat.example.org:2461, or [::1]:2461. Without it: this machine.
    #[arg(value_name = "[USER@]HOST[:PORT]")]
    pub(crate) address: Option<Address>,

    /// The server's port [default: 2461].
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..), global = true)]
    pub(crate) port: Option<u16>,

    /// Trust what these certificates (PEM) vouch for, instead of the fingerprint remembered at the first visit.
    #[arg(long, value_name = "FILE", conflicts_with = "plain", global = true)]
    pub(crate) ca: Option<PathBuf>,

    /// The server has a new certificate: remember its new fingerprint instead of the old one, whatever it is. Safer: `chinwag trust accept`.
    #[arg(long, conflicts_with_all = ["plain", "ca"], global = true)]
    pub(crate) accept_new_fingerprint: bool,

    /// Talk without encryption; only to this machine.
    #[arg(long, global = true)]
    pub(crate) plain: bool,

    /// Make the account if the name is new, without asking.
    #[arg(long, global = true)]
    pub(crate) sign_up: bool,

    /// Read the password from this file descriptor (its first line), for scripts.
    #[arg(long, value_name = "N", conflicts_with = "password_command", global = true)]
    pub(crate) password_fd: Option<u32>,

    /// Run this in a shell and take the first line it prints as the password, for scripts.
    #[arg(long, value_name = "COMMAND", global = true)]
    pub(crate) password_command: Option<String>,

    /// How long to try to get a lost link back before giving up: 90s, 15m, 2h, or 0 for not at all.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = read_duration, global = true)]
    pub(crate) reconnect_for: Duration,

    /// For programs: print events as JSON, one object a line. Input comes from a pipe, then.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// What to do instead of chatting.
    #[command(subcommand)]
    pub(crate) errand: Option<Errand>,
}

/// What else the program can do.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Errand {
    Send(SendArgs),
    Tail(TailArgs),
    Trust(TrustArgs),
    Generate(GenerateArgs),
}

impl Args {
    /// Whom to log in as, if the command line says so.
    pub(crate) fn user(&self) -> Option<String> {
        self.address.as_ref().and_then(|address| address.user.clone())
    }

    /// How events are printed where a program reads them.
    pub(crate) fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }

    /// Where the server is.
    ///
    /// # Errors
    /// Two different ports.
    pub(crate) fn place(&self) -> Result<Place, Failure> {
        let address = self.address.clone().unwrap_or_default();
        let port = match (address.port, self.port) {
            (Some(one), Some(other)) if one != other => {
                return Err(Failure::usage(format!("the address says port {one}, --port says {other}")));
            }
            (one, other) => one.or(other).unwrap_or(DEFAULT_PORT),
        };
        Ok(Place { host: address.host, port })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_port_comes_from_either_side() {
        let place = |words: &[&str]| {
            let args = Args::try_parse_from([&["chinwag"], words].concat()).expect("parses");
            args.place().map(|place| place.to_string()).map_err(|failure| failure.message)
        };
        assert_eq!(place(&[]), Ok("127.0.0.1:2461".into()));
        assert_eq!(place(&["::1", "-p", "7"]), Ok("[::1]:7".into()));
        assert_eq!(place(&["x:7", "-p", "7"]), Ok("x:7".into()));
        assert!(place(&["x:7", "--port", "8"]).is_err());
    }

    #[test]
    fn an_address_may_stand_before_an_errand() {
        let parse = |words: &[&str]| Args::try_parse_from([&["chinwag"], words].concat()).expect("parses");
        let args = parse(&["alice@x:7", "send", "--plain", "--json", "bob", "hi", "--you", "-1"]);
        assert_eq!((args.user().as_deref(), args.plain, args.json), (Some("alice"), true, true));
        assert!(matches!(&args.errand, Some(Errand::Send(send)) if format!("{send:?}").contains(r#"["hi", "--you", "-1"]"#)), "{args:?}");
        assert!(matches!(parse(&["tail", "--count", "1"]).errand, Some(Errand::Tail(_))));
        // A host that is called like an errand is named with its port.
        assert!(parse(&["send:2461"]).errand.is_none());
    }

    #[test]
    fn a_password_cannot_be_given_as_an_argument() {
        assert!(Args::try_parse_from(["chinwag", "--password", "secret"]).is_err());
        assert!(Args::try_parse_from(["chinwag", "alice:secret@host"]).is_err());
    }
}
