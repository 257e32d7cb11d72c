//! How the program ends: every way has an exit code that scripts can rely on and a sentence for people.

use std::fmt;

/// Exit codes, as `--help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// No server there, the link is lost for good, or the server ended the session.
    NoLink = 1,
    /// The program was called wrongly.
    Usage = 2,
    /// The server refused the login or the sign-up.
    LoginRefused = 3,
    /// The server's certificate is not the one to trust.
    CertificateRefused = 4,
}

/// What `--help` says of exit codes.
pub(crate) const EXIT_CODES: &str = "Exit codes:
  0  all is well: logged out
  1  no server there, the link is lost for good, or the server ended the session
  2  called wrongly
  3  login or sign-up refused
  4  the server's certificate is not to be trusted";

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

    /// Not the server it should be.
    pub(crate) fn certificate(message: impl Into<String>) -> Failure {
        Failure { exit: Exit::CertificateRefused, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
