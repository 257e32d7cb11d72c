//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use chinwag_wire::time::read_duration;
use clap::{Parser, Subcommand};

use crate::address::Address;
use crate::config::ConfigArgs;
use crate::connection::Wire;
use crate::failure::exit_codes_help;
use crate::generate::GenerateArgs;
use crate::password;
use crate::report::Form;
use crate::send::SendArgs;
use crate::tail::TailArgs;
use crate::theme::When;
use crate::trial::TryArgs;
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

    /// The server's port [default: 2461; with --wire s4: 2464].
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..), global = true)]
    pub(crate) port: Option<u16>,

    /// Talk to a server that speaks another protocol: `s4`, length and JSON over TLS. Its names have no passwords; who gives one (--password-fd,
    /// --password-command) logs in to an account of a Chinwag server that speaks it.
    #[arg(long, value_name = "WIRE", value_enum, ignore_case = true, hide_possible_values = true, global = true)]
    pub(crate) wire: Option<Wire>,

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

    /// The invite code, for servers where one is needed to sign up.
    #[arg(long, value_name = "CODE", global = true, value_parser = read_invite)]
    pub(crate) invite: Option<String>,

    /// Read the password from this file descriptor (its first line), for scripts.
    #[arg(long, value_name = "N", conflicts_with = "password_command", global = true)]
    pub(crate) password_fd: Option<u32>,

    /// Run this in a shell and take the first line it prints as the password, for scripts.
    #[arg(long, value_name = "COMMAND", global = true)]
    pub(crate) password_command: Option<String>,

    /// When to use colours: `auto` is on a terminal that knows them, unless NO_COLOR is set [default: auto].
    #[arg(long, value_name = "WHEN", value_enum, ignore_case = true, hide_possible_values = true, global = true)]
    pub(crate) color: Option<When>,

    /// How long to try to get a lost link back before giving up: 90s, 15m, 2h, or 0 for not at all [default: 7d at a terminal, 15m for programs].
    #[arg(long, value_name = "TIME", value_parser = read_duration, global = true)]
    pub(crate) reconnect_for: Option<Duration>,

    /// Where the settings come from.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,

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
    Try(TryArgs),
    Trust(TrustArgs),
    /// Print the settings in force, or tell every mistake in them.
    Config,
    Generate(GenerateArgs),
}

impl Args {
    /// How events are printed where a program reads them.
    pub(crate) fn form(&self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

fn read_invite(code: &str) -> Result<String, String> {
    password::check(code).map(|()| code.to_owned()).map_err(|why| why.replace("passwords here are", "a code is"))
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
    fn an_address_may_stand_before_an_errand() {
        let parse = |words: &[&str]| Args::try_parse_from([&["chinwag"], words].concat()).expect("parses");
        let args = parse(&["alice@x:7", "send", "--plain", "--json", "bob", "hi", "--you", "-1"]);
        assert_eq!((args.address.and_then(|address| address.user).as_deref(), args.plain, args.json), (Some("alice"), true, true));
        assert!(matches!(&args.errand, Some(Errand::Send(send)) if format!("{send:?}").contains(r#"["hi", "--you", "-1"]"#)));
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
