//! The configuration: one list of settings, from which come the file's keys, the flags, the defaults and the
//! reference (docs/config.md).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chinwag_settings::{Value, plain_values, settings};
use chinwag_wire::dialect::{self, wire};
use serde::{Deserialize, Serialize};

use crate::store::Limits;

pub use chinwag_settings::{Seconds, Setting, Settings};

settings! {
    /// Everything that an operator can decide. `docs/config.md` is made from this list.
    pub struct Config("`chinwagd --help` lists all settings");
    /// Where to listen: a name or an address. `localhost` and `127.0.0.1` are for this machine only, `::` and
    /// `0.0.0.0` for everyone.
    host: String = "localhost".to_owned();
    /// The port, for TLS and plain connections alike. 0 takes a free one and says which.
    port: u16 = 2461;
    /// The folder where everything is kept. Without it: `chinwag` in the user's data folder.
    data: Option<PathBuf> = None;
    /// The certificate (a PEM file) and, beside it, its key. Without them the server makes its own on first start.
    certificate: Option<PathBuf> = None;
    /// The key of the certificate (a PEM file).
    key: Option<PathBuf> = None;
    /// From where plain connections are accepted, without TLS: passwords and talk can be read on the way.
    plain: Plain = Plain::Loopback;
    /// Which other wires are spoken, and where: `[(wire: "s4", port: 2464)]`. An entry may say `host`, `plain` (true: without
    /// TLS too) and `options`, which the wire's own README explains. `--WIRE PORT` adds an entry.
    listen: Doors = Doors::default();
    /// Whether what is acknowledged survives a loss of power (`Full`) or only the end of the process (`Off`).
    durability: Durability = Durability::Full;
    /// For how long a name is locked out from an address after too many wrong passwords.
    block_duration: Seconds = Seconds(Duration::from_secs(60));
    /// How many wrong passwords in a row are too many.
    attempts: u32 = 3;
    /// After how long without a valid command a user is logged out. 0: never; dead connections are found by TCP.
    timeout: Seconds = Seconds(Duration::ZERO);
    /// How many sessions a user may have at a time: `One`, `NewerWins` (one, and a second login ends the first) or
    /// `Several(n)`.
    sessions: Sessions = Sessions::One;
    /// Who may make an account: `Open` (everyone), `Invited(["code", ...])` or `Closed` (nobody).
    registration: Registration = Registration::Open;
    /// The names of operators (separated by commas as a flag). Whoever registers such a name is one; from elsewhere
    /// than this machine nobody can. `operator add NAME` makes others operators, for good.
    operators: Names = Names(Vec::new());
    /// Whether one may come in without an account.
    guests: bool = false;
    /// Whether what is said to all is kept for those who are away.
    broadcast_offline: bool = true;
    /// How many characters a new password has at least. Guessing is throttled and hashes are slow; raise it where
    /// strangers can connect.
    password_chars: usize = 1;
    /// For how long a session token is good: a month's holiday does not ask for the password again.
    token_life: Seconds = Seconds(Duration::from_secs(30 * 24 * 3600));
    /// The longest line, in bytes: a text, its command and, in JSON, its escapes.
    line_bytes: usize = 8192;
    /// The longest text of a message, in bytes: a page; longer things are files.
    text_bytes: usize = 4096;
    /// In how many rooms a user can be at a time. In more than one, what is typed goes to the last that was joined.
    rooms_at_once: usize = 1;
    /// Above so many people, online or in a room, comings and goings are told in sums: n people who are told of n others
    /// are n² lines. (Of those with whom one has lately exchanged messages, one hears all the same.)
    notices_max: usize = crate::hall::NOTICES_MAX;
    /// For how long somebody has done nothing before lists of people tell others so (`idle 12m`). 0: they never do.
    idle_after: Seconds = Seconds(crate::hall::IDLE_AFTER);
    /// Whether there can be private chats: the server carries the invitations, and nothing of what is said.
    private: bool = true;
    /// How many private chats, and offers of them, a user can have at a time: more than anybody talks to at once.
    private_at_once: usize = 16;
    /// Whether a private chat can go through the server if both want it: as bytes that mean nothing to it.
    relay: bool = true;
    /// How many bytes a second the server carries for one private chat, both ways together: a picture in a few seconds. 0:
    /// any number.
    relay_rate: u32 = 1024 * 1024;
    /// How many private chats it carries at a time. Each costs two connections and up to a third of a megabyte.
    relays: usize = 64;
    /// How many connections there can be at all. More cost memory (one to two kilobytes each) and file handles.
    connections: usize = 65_536;
    /// How many connections one address (of IPv6, one /64) can have: a household or an office behind one router.
    connections_per_address: usize = 64;
    /// How long a connection may be without a login: time to type a password twice.
    login_deadline: Seconds = Seconds(Duration::from_secs(120));
    /// How many bytes wait for a connection that does not read before it is cut off: half a minute of a busy room.
    outbox_bytes: usize = 1024 * 1024;
    /// How many commands a second a user, and a connection, may give for long; more are read later, not refused. Some
    /// count as several (docs/protocol.md). 0: any number.
    commands_per_second: u32 = 50;
    /// How many commands it may give at once before that counts: a paste, a script's beginning.
    command_burst: u32 = 500;
    /// How long a connection may be behind with its commands before it is cut off: a script of three thousand lines at
    /// the usual speed. 0: any time.
    command_delay_max: Seconds = Seconds(Duration::from_secs(60));
    /// Whether the limits on connections of one address and on commands a second hold for this machine's own
    /// addresses too: what runs here is the operator's, or came through the operator's proxy.
    limit_loopback: bool = false;
    /// For how long what is said is kept; what is older goes for good. 0: for ever.
    keep_for: Seconds = Seconds(Duration::ZERO);
    /// How many bytes of messages are kept, each counted as its text and 200 bytes; above that the oldest go for good. 0: any number.
    keep_bytes: usize = 0;
    /// Whether what was said to one user stays beyond these limits until they have seen it.
    keep_unread: bool = true;
    /// How many threads serve connections. 0: one for each core.
    shards: usize = 0;
    /// How many threads hash passwords: each takes 20 MB and, in a rush of logins, a core.
    password_threads: usize = 2;
    /// What is logged to stderr: `error`, `warn`, `info`, `debug` or `trace`.
    log: String = "info".to_owned();
    /// How: `Human` or `Json`, one object a line.
    log_format: LogFormat = LogFormat::Human;
}

/// The addresses on which wires are spoken.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Doors(pub Vec<Door>);

/// As in a file.
impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// An address on which a wire is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Door {
    /// Which wire.
    pub wire: String,
    /// The port. 0: any free one.
    pub port: u16,
    /// Where, if not where the server listens itself.
    #[serde(default)]
    pub host: Option<String>,
    /// Whether connections without TLS are accepted. Without a word: if the wire never had any.
    #[serde(default)]
    pub plain: Option<bool>,
    /// What the wire lets an operator switch.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl Door {
    /// For this wire on this port.
    #[must_use]
    pub fn new(wire: &str, port: u16) -> Door {
        Door { wire: wire.to_owned(), port, host: None, plain: None, options: BTreeMap::new() }
    }

    /// What the wire has to know.
    #[must_use]
    pub fn setup(&self, config: &Config) -> wire::Setup {
        wire::Setup { text_bytes: config.text_bytes, options: self.options.clone() }
    }

    /// Why it cannot be opened, if it cannot.
    fn mistake(&self, config: &Config) -> Option<String> {
        match dialect::wire_named(&self.wire) {
            Some(wire) => wire.start(&self.setup(config)).err().map(|why| format!("`listen`: {why}")),
            None => {
                let known: Vec<&str> = dialect::WIRES.iter().map(|wire| wire.name()).collect();
                Some(format!("`listen`: there is no wire `{}`; there are {}", self.wire, known.join(", ")))
            }
        }
    }
}

/// From where plain connections are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Plain {
    /// From this machine.
    Loopback,
    /// From everywhere.
    Anywhere,
    /// From nowhere.
    Never,
}

/// What an acknowledged message survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Durability {
    /// A loss of power.
    Full,
    /// The end of the process.
    Off,
}

/// How many sessions a user may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sessions {
    /// One; a second login is refused.
    One,
    /// One; a second login ends the first.
    NewerWins,
    /// So many.
    Several(usize),
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogFormat {
    /// For reading.
    Human,
    /// One JSON object a line.
    Json,
}

pub use crate::server::Registration;

/// Names of users: in the file a list, as a flag separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Names(pub Vec<String>);

impl Value for Names {
    const PLACEHOLDER: &'static str = "NAMES";
    fn from_flag(text: &str) -> Result<Self, String> {
        Ok(Names(text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()))
    }
    fn shown(&self) -> String {
        format!("{:?}", self.0)
    }
}

plain_values! {
    Plain: "Loopback|Anywhere|Never", Durability: "Full|Off", Sessions: "One|NewerWins|Several(N)", Registration: "Open|Invited([CODES])|Closed", LogFormat: "Human|Json",
    Doors: "[(wire: NAME, port: NUMBER)]"
}

/// Reads the file at `path`.
///
/// # Errors
/// Every mistake there is, with line and column, ready to print.
pub fn read(path: &Path) -> Result<Config, String> {
    chinwag_settings::read(path)
}

/// Reads a configuration from `source`; `origin` names it in errors.
///
/// # Errors
/// Every mistake there is, with line and column, ready to print.
pub fn parse(source: &str, origin: &str) -> Result<Config, String> {
    chinwag_settings::parse(source, origin)
}

impl Config {
    /// What is kept of what is said.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            age: Some(self.keep_for.0).filter(|age| !age.is_zero()),
            bytes: Some(self.keep_bytes as u64).filter(|bytes| *bytes > 0),
            unread_stays: self.keep_unread,
        }
    }

    /// What does not fit together, each as one sentence.
    #[must_use]
    pub fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut refuse = |wrong: bool, why: &str| {
            if wrong {
                found.push(why.to_owned());
            }
        };
        refuse(self.certificate.is_some() != self.key.is_some(), "`certificate` and `key` belong together: set both or neither");
        refuse(self.attempts == 0, "`attempts` is at least 1");
        refuse(matches!(self.sessions, Sessions::Several(0)), "`sessions` is at least Several(1)");
        refuse(self.line_bytes < 512, "`line_bytes` is at least 512: a login has to fit");
        refuse(self.rooms_at_once == 0 || self.rooms_at_once > 100, "`rooms_at_once` is at least 1 and at most 100");
        let a_moment = self.idle_after.0 > Duration::ZERO && self.idle_after.0 < Duration::from_secs(60);
        refuse(a_moment, "`idle_after` is at least a minute, or 0: never");
        refuse(self.private_at_once == 0 || self.private_at_once > 1000, "`private_at_once` is at least 1 and at most 1000");
        refuse(self.relay_rate > 0 && self.relay_rate < 4096, "`relay_rate` is 0 or at least 4096: a chat has to get through");
        refuse(self.text_bytes == 0 || self.text_bytes > self.line_bytes, "`text_bytes` is at least 1 and at most `line_bytes`");
        refuse(self.outbox_bytes < 64 * 1024, "`outbox_bytes` is at least 65536: a page of kept mail has to fit");
        refuse(self.shards > crate::written::SLOTS - 1, "`shards` is at most 255");
        let briefly = |kept: Duration| kept > Duration::ZERO && kept < Duration::from_secs(60);
        refuse(briefly(self.keep_for.0), "`keep_for` is at least a minute, or 0: for ever");
        refuse(self.keep_bytes > 0 && self.keep_bytes < 64 * 1024, "`keep_bytes` is at least 65536, or 0: any number");
        refuse(self.password_threads == 0, "`password_threads` is at least 1");
        refuse(self.commands_per_second > 0 && self.command_burst == 0, "`command_burst` is at least 1");
        refuse(self.log.parse::<tracing::Level>().is_err(), "`log` is error, warn, info, debug or trace");
        found.extend(self.listen.0.iter().filter_map(|door| door.mistake(self)));
        for name in &self.operators.0 {
            if let Err(refusal) = crate::naming::check(name) {
                found.push(format!("`operators`: {}", refusal.text));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_sets_what_it_names() {
        let config = parse(
            r#"( port: 7000, timeout: "15m", block_duration: 5, sessions: Several(3), registration: Invited(["x"]), data: "somewhere" )"#,
            "x",
        )
        .unwrap();
        assert_eq!((config.port, config.timeout.0.as_secs(), config.block_duration.0.as_secs()), (7000, 900, 5));
        assert_eq!((config.sessions, config.registration), (Sessions::Several(3), Registration::Invited(vec!["x".into()])));
        assert_eq!(config.data, Some("somewhere".into()));
        assert_eq!(config.attempts, 3);
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_places() {
        let told =
            parse("(\n    prot: 1,\n    port: \"x\",\n    guests: maybe,\n    timeout: \"5 fortnights\",\n)", "chinwag.ron").unwrap_err();
        for expected in ["chinwag.ron:2:5", "did you mean `port`", "chinwag.ron:3:11", "chinwag.ron:4:13", "chinwag.ron:5:15"] {
            assert!(told.contains(expected), "{expected} is not in:\n{told}");
        }
    }

    #[test]
    fn flags_read_as_people_type() {
        let mut config = Config::default();
        for (key, text) in
            [("host", "::"), ("port", "1"), ("timeout", "1h"), ("sessions", "NewerWins"), ("guests", "true"), ("data", "/x y")]
        {
            config.set(key, text).unwrap();
        }
        assert_eq!((config.host.as_str(), config.port, config.guests, config.sessions), ("::", 1, true, Sessions::NewerWins));
        assert!(config.set("port", "99999").is_err());
        assert_eq!(Config::default().contradictions(), Vec::<String>::new());
    }
}
