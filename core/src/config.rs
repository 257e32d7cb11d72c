//! The configuration: one list of settings, from which come the file's keys, the flags, the defaults and the
//! reference (docs/config.md).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use chinwag_wire::{suggest, time};
use ron::extensions::Extensions;
use ron::value::RawValue;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// One kind of value that a setting can have.
pub trait Value: DeserializeOwned + fmt::Debug {
    /// What `--help` calls it.
    const PLACEHOLDER: &'static str;

    /// Reads it from the command line. Where it is not a plain word, as in the file.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    fn from_flag(text: &str) -> Result<Self, String> {
        options().from_str(text).map_err(|error| error.code.to_string())
    }

    /// As it stands in the file.
    fn shown(&self) -> String;
}

macro_rules! settings {
    ($($(#[doc = $help:literal])+ $name:ident: $kind:ty = $default:expr;)+) => {
        /// Everything that an operator can decide. `docs/config.md` is made from this list.
        #[derive(Clone, Debug)]
        pub struct Config {
            $($(#[doc = $help])+ pub $name: $kind,)+
        }

        impl Default for Config {
            fn default() -> Config {
                Config { $($name: $default),+ }
            }
        }

        impl Config {
            /// All settings: key, value's placeholder, default as it stands in a file, help.
            #[must_use]
            pub fn reference() -> Vec<(&'static str, &'static str, String, String)> {
                let default = Config::default();
                vec![$((stringify!($name), <$kind as Value>::PLACEHOLDER, Value::shown(&default.$name), [$($help.trim()),+].join(" "))),+]
            }

            /// Sets `key` from the command line.
            ///
            /// # Errors
            /// A sentence that names the flag.
            pub fn set_from_flag(&mut self, key: &str, text: &str) -> Result<(), String> {
                match key {
                    $(stringify!($name) => self.$name = Value::from_flag(text).map_err(|why| format!("--{}: {why}", key.replace('_', "-")))?,)+
                    other => return Err(format!("there is no setting `{other}`")),
                }
                Ok(())
            }

            fn set_from_file(&mut self, key: &str, raw: &RawValue) -> Result<(), ron::error::SpannedError> {
                match key {
                    $(stringify!($name) => self.$name = options().from_str(raw.get_ron())?,)+
                    _ => unreachable!("unknown keys have been found before"),
                }
                Ok(())
            }
        }
    };
}

settings! {
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
    /// How many connections there can be at all. More cost memory (one to two kilobytes each) and file handles.
    connections: usize = 65_536;
    /// How many connections one address (of IPv6, one /64) can have: a household or an office behind one router.
    connections_per_address: usize = 64;
    /// How long a connection may be without a login: time to type a password twice.
    login_deadline: Seconds = Seconds(Duration::from_secs(120));
    /// How many bytes wait for a connection that does not read before it is cut off: half a minute of a busy room.
    outbox_bytes: usize = 1024 * 1024;
    /// How many commands a second a connection may give for long; more are read later, not refused. 0: any number.
    commands_per_second: u32 = 50;
    /// How many commands it may give at once before that counts: a paste, a script's beginning.
    command_burst: u32 = 500;
    /// Whether the limits on connections of one address and on commands a second hold for this machine's own
    /// addresses too: what runs here is the operator's, or came through the operator's proxy.
    limit_loopback: bool = false;
    /// How many threads serve connections. 0: one for each core.
    shards: usize = 0;
    /// How many threads hash passwords: each takes 20 MB and, in a rush of logins, a core.
    password_threads: usize = 2;
    /// What is logged to stderr: `error`, `warn`, `info`, `debug` or `trace`.
    log: String = "info".to_owned();
    /// How: `Human` or `Json`, one object a line.
    log_format: LogFormat = LogFormat::Human;
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

/// A length of time: seconds, or text such as `"15m"`, `"1h"`, `"2d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SecondsVisitor;
        impl Visitor<'_> for SecondsVisitor {
            type Value = Seconds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds, or a length of time such as \"15m\"")
            }
            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Seconds, E> {
                Ok(Seconds(Duration::from_secs(seconds)))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Seconds, E> {
                time::read_duration(text).map(Seconds).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(SecondsVisitor)
    }
}

impl Value for Seconds {
    const PLACEHOLDER: &'static str = "TIME";
    fn from_flag(text: &str) -> Result<Self, String> {
        time::read_duration(text).map(Seconds)
    }
    fn shown(&self) -> String {
        self.0.as_secs().to_string()
    }
}

impl Value for String {
    const PLACEHOLDER: &'static str = "TEXT";
    fn from_flag(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

impl Value for Option<PathBuf> {
    const PLACEHOLDER: &'static str = "PATH";
    fn from_flag(text: &str) -> Result<Self, String> {
        Ok(Some(text.into()))
    }
    fn shown(&self) -> String {
        self.as_ref().map_or("None".to_owned(), |path| format!("{path:?}"))
    }
}

macro_rules! plain_values {
    ($($kind:ty: $placeholder:literal),+) => {
        $(impl Value for $kind {
            const PLACEHOLDER: &'static str = $placeholder;
            fn shown(&self) -> String {
                format!("{self:?}")
            }
        })+
    };
}

plain_values! {
    u16: "NUMBER", u32: "NUMBER", usize: "NUMBER", bool: "true|false", Plain: "Loopback|Anywhere|Never", Durability: "Full|Off",
    Sessions: "One|NewerWins|Several(N)", Registration: "Open|Invited([CODES])|Closed", LogFormat: "Human|Json"
}

fn options() -> ron::Options {
    ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_NEWTYPES)
}

/// A field of the file: its key and its value, not yet read.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor<'de>(PhantomData<&'de ()>);
        impl<'de> Visitor<'de> for FieldsVisitor<'de> {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("(key: value, ...)")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    fields.push((Cow::Owned(key), map.next_value()?));
                }
                Ok(Fields(fields))
            }
        }
        // No name and no field names given: RON then takes any.
        deserializer.deserialize_struct("", &[], FieldsVisitor(PhantomData))
    }
}

/// One mistake in the file.
struct Mistake {
    what: String,
    help: Option<String>,
    at: std::ops::Range<usize>,
}

/// Reads the file at `path`.
///
/// # Errors
/// Every mistake there is, with line and column, ready to print.
pub fn read(path: &Path) -> Result<Config, String> {
    let source = std::fs::read_to_string(path).map_err(|error| format!("error: cannot read {}: {error}", path.display()))?;
    parse(&source, &path.display().to_string())
}

/// Reads a configuration from `source`; `origin` names it in errors.
///
/// # Errors
/// Every mistake there is, with line and column, ready to print.
pub fn parse(source: &str, origin: &str) -> Result<Config, String> {
    let mut config = Config::default();
    let mut mistakes = Vec::new();
    match options().from_str::<Fields<'_>>(source) {
        Err(error) => mistakes.push(mistake(source, 0, &error)),
        Ok(Fields(fields)) => {
            let known = Config::reference();
            let mut seen: Vec<&str> = Vec::new();
            for (key, raw) in &fields {
                // The value is a slice of the source: its place is where its key ends.
                let value_at = raw.get_ron().as_ptr() as usize - source.as_ptr() as usize;
                let key_at = source[..value_at].rfind(&**key).map_or(value_at..value_at, |at| at..at + key.len());
                if !known.iter().any(|(name, ..)| name == key) {
                    let nearest = suggest::nearest(key, known.iter().map(|(name, ..)| *name));
                    let help =
                        nearest.map_or("`chinwagd --help` lists all settings".to_owned(), |nearest| format!("did you mean `{nearest}`?"));
                    mistakes.push(Mistake { what: format!("there is no setting `{key}`"), help: Some(help), at: key_at });
                } else if seen.contains(&&**key) {
                    mistakes.push(Mistake { what: format!("`{key}` is set twice"), help: None, at: key_at });
                } else {
                    seen.push(key);
                    if let Err(error) = config.set_from_file(key, raw) {
                        mistakes.push(mistake(source, value_at, &error));
                    }
                }
            }
        }
    }
    if mistakes.is_empty() {
        Ok(config)
    } else {
        Err(mistakes.iter().map(|mistake| rendered(mistake, source, origin)).collect::<Vec<_>>().join("\n\n"))
    }
}

/// The mistake that `error` speaks of, in a part of `source` that begins at `base`.
fn mistake(source: &str, base: usize, error: &ron::error::SpannedError) -> Mistake {
    let part = &source[base..];
    let offset = |position: &ron::error::Position| {
        let line_start: usize = part.split_inclusive('\n').take(position.line.saturating_sub(1)).map(str::len).sum();
        let line = &part[line_start.min(part.len())..];
        let column: usize = line.chars().take(position.col.saturating_sub(1)).map(char::len_utf8).sum();
        (base + line_start + column).min(source.len())
    };
    let (start, end) = (offset(&error.span.start), offset(&error.span.end));
    // The position of a value that begins with blanks is that of the blanks.
    let start = start + source[start..].len() - source[start..].trim_start().len();
    Mistake { what: error.code.to_string(), help: None, at: start..end.max(start) }
}

fn rendered(mistake: &Mistake, source: &str, origin: &str) -> String {
    let snippet = Snippet::source(source).path(origin).annotation(AnnotationKind::Primary.span(mistake.at.clone()));
    let mut group = Level::ERROR.primary_title(mistake.what.as_str()).element(snippet);
    if let Some(help) = &mistake.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    Renderer::plain().render(&[group])
}

impl Config {
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
        refuse(self.text_bytes == 0 || self.text_bytes > self.line_bytes, "`text_bytes` is at least 1 and at most `line_bytes`");
        refuse(self.outbox_bytes < 64 * 1024, "`outbox_bytes` is at least 65536: a page of kept mail has to fit");
        refuse(self.shards > crate::written::SLOTS - 1, "`shards` is at most 255");
        refuse(self.password_threads == 0, "`password_threads` is at least 1");
        refuse(self.commands_per_second > 0 && self.command_burst == 0, "`command_burst` is at least 1");
        refuse(self.log.parse::<tracing::Level>().is_err(), "`log` is error, warn, info, debug or trace");
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
    fn a_broken_file_is_told_too() {
        let told = parse("(\n    port 5,\n)", "chinwag.ron").unwrap_err();
        assert!(told.contains("chinwag.ron:2:10"), "{told}");
    }

    #[test]
    fn flags_read_as_people_type() {
        let mut config = Config::default();
        for (key, text) in
            [("host", "::"), ("port", "1"), ("timeout", "1h"), ("sessions", "NewerWins"), ("guests", "true"), ("data", "/x y")]
        {
            config.set_from_flag(key, text).unwrap();
        }
        assert_eq!((config.host.as_str(), config.port, config.guests, config.sessions), ("::", 1, true, Sessions::NewerWins));
        assert_eq!(config.set_from_flag("port", "99999").unwrap_err().split(':').next(), Some("--port"));
        assert_eq!(Config::default().contradictions(), Vec::<String>::new());
    }
}
