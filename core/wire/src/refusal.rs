//! Refusals: a stable code for programs, a sentence for people, a hint at what to do next.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A stable, kebab-case name of one way to be refused. Never renamed once released.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(Cow<'static, str>);

impl Code {
    /// A code of your own, for a command of your own. Prefix it (`acme-no-dice`): stock codes have no prefix.
    #[must_use]
    pub const fn new(name: &'static str) -> Code {
        Code(Cow::Borrowed(name))
    }

    /// The code as it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a line had no effect (or, in [`Event::Closing`](crate::Event::Closing), why a connection ends).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people: a sentence without capital and full stop that names the value it is about.
    pub text: String,
    /// What to do instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal without a hint; the dispatcher adds the usage if none is given.
    #[must_use]
    pub fn new(code: Code, text: impl Into<String>) -> Refusal {
        Refusal { code, text: text.into(), hint: None }
    }

    /// With a hint.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Refusal {
        Refusal { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)+) => {
        /// Every code of the stock server, with what it means.
        pub mod code {
            use super::Code;
            $($(#[doc = $doc])+ pub const $name: Code = Code::new($text);)+
            /// All of the above, for the generated table and for tests: the code and its meaning.
            pub const ALL: &[(&str, &str)] = &[$(($text, concat!($($doc),+))),+];
        }
    };
}

codes! {
    /// The account was deleted while it was logged in.
    ACCOUNT_DELETED = "account-deleted";
    /// You have asked them for a private chat, and they have not answered yet.
    ALREADY_ASKED = "already-asked";
    /// Already blocked.
    ALREADY_BLOCKED = "already-blocked";
    /// You are in a room already: one at a time, unless the operator allows more.
    ALREADY_IN_ROOM = "already-in-room";
    /// This connection is already logged in.
    ALREADY_LOGGED_IN = "already-logged-in";
    /// There is a private chat between you already.
    ALREADY_OPEN = "already-open";
    /// They are an operator already.
    ALREADY_OPERATOR = "already-operator";
    /// The room is archived: it can be read, and nothing can be said in it.
    ARCHIVED = "archived";
    /// No backup was made, and why; the store itself is as it was.
    BACKUP_FAILED = "backup-failed";
    /// The configuration has mistakes, or the certificate cannot be read; nothing was changed.
    BAD_CONFIGURATION = "bad-configuration";
    /// The line is not what the dialect expects, for example not a JSON object.
    BAD_FRAME = "bad-frame";
    /// The name has characters that names cannot have, mixes scripts, or is too long.
    BAD_NAME = "bad-name";
    /// The ticket for the relay is unknown, used or over.
    BAD_TICKET = "bad-ticket";
    /// The session token is unknown, expired or revoked.
    BAD_TOKEN = "bad-token";
    /// You may not come in here.
    BANNED = "banned";
    /// The other one does not take messages from you.
    BLOCKED = "blocked";
    /// The server has too much to do right now; nothing happened.
    BUSY = "busy";
    /// The command took too long and was given up.
    DEADLINE = "deadline";
    /// An operator ended the connection.
    DISCONNECTED = "disconnected";
    /// You sent more commands than are taken, for too long; what was acknowledged is kept.
    FLOODING = "flooding";
    /// Guests are not allowed here, or not for this.
    GUESTS = "guests";
    /// No valid command for too long.
    IDLE = "idle";
    /// A command failed by a fault of its own; the session goes on.
    INTERNAL = "internal";
    /// The invite code is unknown or used up.
    INVITE = "invite";
    /// One comes into this room by invitation only.
    INVITED_ONLY = "invited-only";
    /// The only owner of a room cannot stop being one: somebody else has to be one first.
    LAST_OWNER = "last-owner";
    /// The line has more bytes than a line may have; it was skipped.
    LINE_TOO_LONG = "line-too-long";
    /// Too many wrong passwords for this name from this address.
    LOCKED_OUT = "locked-out";
    /// The name looks like one that is taken.
    LOOK_ALIKE = "look-alike";
    /// You may not say anything in this room for now.
    MUTED = "muted";
    /// A guest who is here has this name.
    NAME_IN_USE = "name-in-use";
    /// An account has this name.
    NAME_TAKEN = "name-taken";
    /// A private chat takes a client that can have one.
    NEEDS_CLIENT = "needs-client";
    /// They have offered you no private chat, or not any more.
    NO_OFFER = "no-offer";
    /// There is no private chat between you.
    NO_PRIVATE = "no-private";
    /// There is no room to say it in.
    NO_ROOM = "no-room";
    /// There is no such ban: nobody is kept out by it.
    NO_SUCH_BAN = "no-such-ban";
    /// There is no such invite, or it is used up or over.
    NO_SUCH_INVITE = "no-such-invite";
    /// There is no such message, or you may not do this with it.
    NO_SUCH_MESSAGE = "no-such-message";
    /// There is no room with this name.
    NO_SUCH_ROOM = "no-such-room";
    /// Nobody has this name.
    NO_SUCH_USER = "no-such-user";
    /// You have not blocked them.
    NOT_BLOCKED = "not-blocked";
    /// You are in no room, or the one you mean is not in yours.
    NOT_IN_ROOM = "not-in-room";
    /// The command can only be given after login.
    NOT_LOGGED_IN = "not-logged-in";
    /// The command needs somebody who is online.
    NOT_ONLINE = "not-online";
    /// They are no operator.
    NOT_OPERATOR = "not-operator";
    /// You may not do this.
    NOT_PERMITTED = "not-permitted";
    /// The line is not valid UTF-8; it was skipped.
    NOT_UTF8 = "not-utf8";
    /// The line has a NUL character; it was skipped.
    NUL = "nul";
    /// Private chats are switched off here.
    PRIVATE_OFF = "private-off";
    /// Registration is closed here.
    REGISTRATION_CLOSED = "registration-closed";
    /// Nobody logged in on this connection in time.
    REGISTRATION_TIMEOUT = "registration-timeout";
    /// The server carries no private chats.
    RELAY_OFF = "relay-off";
    /// The name is kept for the server itself.
    RESERVED_NAME = "reserved-name";
    /// There is a room with this name already.
    ROOM_EXISTS = "room-exists";
    /// There can be no more people in this room.
    ROOM_FULL = "room-full";
    /// The room has a password, and this is not it.
    ROOM_PASSWORD = "room-password";
    /// This user is logged in already, and one session a user is allowed.
    SESSION_EXISTS = "session-exists";
    /// A newer session of the same user took over.
    SESSION_REPLACED = "session-replaced";
    /// The server is shutting down.
    SHUTDOWN = "shutdown";
    /// The server cannot write to its store (is the disk full?); what was acknowledged is safe.
    STORE_FAILING = "store-failing";
    /// The text has more bytes than a message may have.
    TEXT_TOO_LONG = "text-too-long";
    /// Plain connections are accepted from this machine only: use TLS.
    TLS_REQUIRED = "tls-required";
    /// There can be no more bans: end some, or let them end by themselves.
    TOO_MANY_BANS = "too-many-bans";
    /// Too many connections, in all or from one address.
    TOO_MANY_CONNECTIONS = "too-many-connections";
    /// There can be no more invites: end some, or wait until some are over.
    TOO_MANY_INVITES = "too-many-invites";
    /// There can be no more private chats and offers of them: yours, theirs, or in all.
    TOO_MANY_PRIVATE = "too-many-private";
    /// There can be no more rooms, or you can be in no more of them.
    TOO_MANY_ROOMS = "too-many-rooms";
    /// This connection does not read what it is sent; nothing is lost, log in again.
    TOO_SLOW = "too-slow";
    /// There is no command with that name.
    UNKNOWN_COMMAND = "unknown-command";
    /// There is no dialect with that name.
    UNKNOWN_DIALECT = "unknown-dialect";
    /// An argument is missing, malformed or too much.
    USAGE = "usage";
    /// The password cannot be used: empty, too long or too short.
    WEAK_PASSWORD = "weak-password";
    /// The password is wrong.
    WRONG_PASSWORD = "wrong-password";
    /// You cannot do this to yourself.
    YOURSELF = "yourself";
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn codes_are_unique_kebab_case_and_explained() {
        let mut seen = std::collections::BTreeSet::new();
        for (text, meaning) in code::ALL {
            assert!(seen.insert(text), "{text} is listed twice");
            assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{text}");
            assert!(meaning.trim().ends_with('.'), "{text}: the meaning is a sentence");
        }
        assert!(code::ALL.is_sorted(), "the list is in the order of the alphabet");
    }
}
