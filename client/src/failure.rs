//! How the program ends: every way has an exit code that scripts can rely on and a sentence for people.

use std::fmt;

use chinwag_wire::Refusal;

use crate::connection::sentence;

macro_rules! exits {
    ($($(#[doc = $meaning:literal])+ $name:ident = $code:literal;)+) => {
        /// How the program can end, but for the good way, which is 0. The codes are a contract: none is ever
        /// renumbered. `--help`, the manual and client/README.md list them from here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Exit {
            $($(#[doc = $meaning])+ $name = $code,)+
        }

        impl Exit {
            /// Every code but 0, and what it means.
            const ALL: &[(u8, &str)] = &[$(($code, concat!($($meaning),+)),)+];
        }
    };
}

exits! {
    /// no server there, the link is lost for good, or the server ended the session
    NoLink = 1;
    /// called wrongly, or the configuration has mistakes
    Usage = 2;
    /// the server refused the login or the sign-up
    LoginRefused = 3;
    /// the server's certificate is not the one to trust
    CertificateRefused = 4;
    /// the server refused something that was to be said or done; its code is on standard error
    Refused = 5;
    /// nobody takes the output any more: the pipe's reader or the terminal is gone
    OutputGone = 6;
    /// interrupted (Ctrl-C, or asked to end) before all was done
    Interrupted = 130;
}

/// What 0 means.
const DONE: &str = "all is done, and what was said is acknowledged by the server";

/// Every exit code with what it means, in order.
pub(crate) fn exit_codes() -> impl Iterator<Item = (u8, &'static str)> {
    [(0, DONE)].into_iter().chain(Exit::ALL.iter().map(|(code, meaning)| (*code, meaning.trim())))
}

/// What `--help` says of exit codes.
pub(crate) fn exit_codes_help() -> String {
    exit_codes().fold("Exit codes:".to_owned(), |help, (code, meaning)| format!("{help}\n  {code:>3}  {meaning}"))
}

/// Why the program cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What a script learns.
    pub(crate) exit: Exit,
    /// What a person learns; one sentence, or a few lines where there is something to decide.
    pub(crate) message: String,
}

impl Failure {
    /// Without a link there is nothing to talk to.
    pub(crate) fn no_link(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::NoLink, message: message.into() }
    }

    /// Called wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, message: message.into() }
    }

    /// Not let in.
    pub(crate) fn login(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::LoginRefused, message: message.into() }
    }

    /// Not let in by the server, with its code.
    pub(crate) fn login_refused(refusal: &Refusal) -> Failure {
        Failure { exit: Exit::LoginRefused, ..Failure::refused(refusal) }
    }

    /// Not the server it should be.
    pub(crate) fn certificate(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::CertificateRefused, message: message.into() }
    }

    /// The server does not do what it was asked for.
    pub(crate) fn refused(refusal: &Refusal) -> Failure {
        Failure { exit: Exit::Refused, message: format!("error[{}]: {}", refusal.code, sentence(refusal)) }
    }

    /// Nobody sees what is printed.
    pub(crate) fn output_gone() -> Failure {
        Failure { exit: Exit::OutputGone, message: "nobody takes the output any more".to_owned() }
    }

    /// Somebody wanted to end before all was done.
    pub(crate) fn interrupted(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::Interrupted, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_lists_every_exit_code_as_it_is() {
        let readme = include_str!("../README.md");
        let rows: Vec<String> = exit_codes().map(|(code, meaning)| format!("| {code} | {meaning} |")).collect();
        assert!(readme.contains(&rows.join("\n")), "client/README.md should have this table:\n{}", rows.join("\n"));
    }

    #[test]
    fn codes_grow_and_leave_room_for_the_shell() {
        let codes: Vec<u8> = exit_codes().map(|(code, _)| code).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        // 126 and 127 are the shell's; 128 and above mean a signal, and 130 is what Ctrl-C gives.
        assert!(codes.iter().all(|code| *code < 126 || *code == 130), "{codes:?}");
    }
}
