//! What somebody wants to have their own way about, always: one list, from which come the keys of the file, `--set`,
//! `/set`, the defaults, and the commented file that is written at the first visit.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chinwag_settings::{Seconds, Settings, Value, settings};
use chinwag_wire::suggest;
use clap::Args;
use serde::{Deserialize, Deserializer};

use crate::address::{Address, DEFAULT_HOST, DEFAULT_PORT, Place, S4_PORT};
use crate::connection::Wire;
use crate::failure::Failure;
use crate::highlights::Highlights;
use crate::interface::{Arrivals, Attention, Times};
use crate::keys::{Bindings, Mode};
use crate::private::P2p;
use crate::private::addresses::Addresses;
use crate::private::files::Folder;
use crate::replace;
use crate::theme::{Theme, When};

/// The file's name, in the folder of this program's configuration.
const FILE: &str = "config.ron";
/// What stands at the head of a fresh file.
const OPENING: &str = "Settings of chinwag, the chat client (RON, https://github.com/ron-rs/ron).\n\
    Each stands here with its default: take the `//` away in front of its last line to change it.\n\
    `chinwag config` shows what is in force, and tells every mistake.";

settings! {
    /// Everything that can be set.
    pub(crate) struct Config("`chinwag config` lists all settings");
    /// Where to go without an address: an address as on the command line, or a short name.
    server: String = DEFAULT_HOST.to_owned();
    /// Short names for addresses: {"work": "alice@chat.example.org", "lab": "[::1]:7000"}, so that `chinwag work` is enough.
    servers: Servers = Servers::default();
    /// How long to try to get a lost link back before giving up. 0: not at all. Programs try for 15 minutes at most, unless --reconnect-for
    /// says otherwise.
    reconnect_for: Seconds = Seconds(Duration::from_secs(7 * 24 * 3600));
    /// How many of the lines typed before are kept, for each server. 0: none, and no file is written.
    history: usize = 1000;
    /// How many messages of an answer about the past are shown at once; `/more` shows those before them. 0: all.
    page: usize = 40;
    /// After how long a silence to ask the server whether it is still there. If it says nothing for as long again, the link is lost. 0: never.
    ping_after: Seconds = Seconds(Duration::from_secs(30));
    /// When to use colours: Auto is on a terminal that knows them, unless NO_COLOR is set.
    color: When = When::Auto;
    /// Which colours: (mention: (colour: Rgb(255, 128, 0), bold: true), names: [Cyan, Green, Indexed(208)]). What is left out stays as it is.
    theme: Theme = Theme::default();
    /// How exactly the time stands in front of what is said.
    times: Times = Times::Minutes;
    /// For how long you have typed nothing before a mark stands in front of what is said then: where to read on from. 0: there is none.
    mark_after: Seconds = Seconds(Duration::from_secs(300));
    /// What happens when somebody speaks to you, or of you. Notification: by the desktop, in terminals that know OSC 9.
    attention: Attention = Attention::Bell;
    /// Words that are marked wherever somebody says them, and call you as your name does: ["deploy", "outage"].
    highlights: Highlights = Highlights::default();
    /// Whose coming and going is shown. Familiar: of those who have said something since you came, or with whom you have spoken.
    arrivals: Arrivals = Arrivals::All;
    /// After which editor lines are edited.
    editing: Mode = Mode::Emacs;
    /// What keys do besides what they do in that editor: {"F5": Insert("/whoelse"), "Ctrl-O": Undo}. Others are Reply, Accept, Complete,
    /// TakeHint, Search, Previous, Next, Clear, DeleteLine, Nothing.
    keys: Bindings = Bindings::default();
    /// How private chats go. Ask: directly; when both have agreed, each learns the other's addresses. Relay: yours are told to nobody, and
    /// what is said goes through the server, which cannot read it. Off: not at all.
    p2p: P2p = P2p::Ask;
    /// The addresses at which others reach this machine for a direct private chat: "203.0.113.7:4000, 2001:db8::7"; without a port it is any.
    /// Empty: those that it has on the way to the server and to the rest of the world.
    p2p_addresses: Addresses = Addresses::default();
    /// Whether what is said in private chats is kept in files on this machine, and what you say there among the lines typed before.
    private_history: bool = false;
    /// Where files go that others send.
    downloads: Folder = Folder::default();
}

/// What says where to go: the next start goes there. All else takes effect at once.
const FOR_THE_NEXT_START: &[&str] = &["server", "servers"];

/// How long a program tries to get a lost link back: whoever waits for it would rather know.
const PROGRAMS_RECONNECT_FOR: Duration = Duration::from_secs(15 * 60);

/// The most lines that are kept: a file that loads at once.
const HISTORY_MAX: usize = 100_000;

/// Addresses by short names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Servers(BTreeMap<String, (String, Address)>);

impl<'de> Deserialize<'de> for Servers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Servers, D::Error> {
        let read = |(name, typed): (String, String)| {
            let address = typed.parse().map_err(|why| format!("the address of `{name}`: {why}"))?;
            Ok((name, (typed, address)))
        };
        let typed = BTreeMap::<String, String>::deserialize(deserializer)?;
        typed.into_iter().map(read).collect::<Result<_, String>>().map(Servers).map_err(serde::de::Error::custom)
    }
}

impl Value for Servers {
    const PLACEHOLDER: &'static str = "{NAME: ADDRESS}";
    fn shown(&self) -> String {
        let entries: Vec<String> = self.0.iter().map(|(name, (typed, _))| format!("{name:?}: {typed:?}")).collect();
        format!("{{{}}}", entries.join(", "))
    }
}

/// The part of the command line that is about settings.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ConfigArgs {
    /// Read the settings from this file instead of chinwag/config.ron in the user's configuration folder.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    /// Set this for once, whatever the file says: history=0. `chinwag config` lists the settings.
    #[arg(long, value_name = "NAME=VALUE", global = true)]
    set: Vec<String>,
}

/// Where somebody goes, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// Whom to log in as, if that is known.
    pub(crate) user: Option<String>,
    /// The server.
    pub(crate) place: Place,
}

impl Config {
    /// How long a program tries to get a lost link back, or somebody at a terminal.
    pub(crate) fn reconnect_for(&self, is_program: bool) -> Duration {
        if is_program { self.reconnect_for.0.min(PROGRAMS_RECONNECT_FOR) } else { self.reconnect_for.0 }
    }

    /// The settings in force: defaults, then the file, then the command line.
    ///
    /// # Errors
    /// Every mistake there is.
    pub(crate) fn read(args: &ConfigArgs, folder: Option<&Path>) -> Result<Config, Failure> {
        let mut mistakes = Vec::new();
        let read = match (&args.config, folder) {
            (Some(file), _) => chinwag_settings::read(file),
            (None, Some(folder)) if folder.join(FILE).exists() => chinwag_settings::read(&folder.join(FILE)),
            (None, _) => Ok(Config::default()),
        };
        let mut config = read.unwrap_or_else(|told| {
            mistakes.push(told);
            Config::default()
        });
        for words in &args.set {
            if let Err(why) = config.set_by_words(words) {
                mistakes.push(format!("error: --set {words}: {why}"));
            }
        }
        mistakes.extend(config.contradictions().into_iter().map(|why| format!("error: {why}")));
        if mistakes.is_empty() {
            Ok(config)
        } else {
            Err(Failure::usage(format!("the configuration has mistakes\n{}", mistakes.join("\n\n"))))
        }
    }

    /// Sets what `NAME=VALUE` says.
    fn set_by_words(&mut self, words: &str) -> Result<(), String> {
        let (key, text) = words.split_once('=').ok_or("expected NAME=VALUE")?;
        let key = key.trim().replace('-', "_");
        self.set_checked(&key, text.trim())
    }

    /// Sets `key` to what somebody typed.
    ///
    /// # Errors
    /// A sentence that says what was expected; then nothing has changed.
    pub(crate) fn set_checked(&mut self, key: &str, text: &str) -> Result<(), String> {
        let known = Config::reference();
        if !known.iter().any(|setting| setting.key == key) {
            let nearest = suggest::nearest(key, known.iter().map(|setting| setting.key));
            let help = nearest.map_or(Config::LISTED.to_owned(), |nearest| format!("did you mean `{nearest}`?"));
            return Err(format!("there is no setting `{key}`; {help}"));
        }
        let mut changed = self.clone();
        changed.set(key, text)?;
        if let Some(why) = changed.contradictions().into_iter().next() {
            return Err(why);
        }
        *self = changed;
        Ok(())
    }

    /// Whether a change of `key` takes effect at once.
    pub(crate) fn is_live(key: &str) -> bool {
        !FOR_THE_NEXT_START.contains(&key)
    }

    /// What does not fit together, each as one sentence.
    fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.servers.0.contains_key(&self.server)
            && let Err(why) = self.server.parse::<Address>()
        {
            found.push(format!("`server` is neither one of `servers` nor an address: {why}"));
        }
        if self.history > HISTORY_MAX {
            found.push(format!("`history` is at most {HISTORY_MAX}"));
        }
        found
    }

    /// Where `address` leads, by short names and defaults, to a server that speaks `wire`. What it says itself goes before what its short name stands for.
    ///
    /// # Errors
    /// Two different ports.
    pub(crate) fn destination(&self, address: Option<&Address>, port: Option<u16>, wire: Option<Wire>) -> Result<Destination, Failure> {
        let typed = address.cloned().unwrap_or_default();
        let named = match &typed.host {
            Some(host) => self.servers.0.get(host).map(|(_, address)| address.clone()),
            None => self.servers.0.get(&self.server).map(|(_, address)| address.clone()).or_else(|| self.server.parse().ok()),
        };
        let port = match (typed.port, port) {
            (Some(one), Some(other)) if one != other => {
                return Err(Failure::usage(format!("the address says port {one}, --port says {other}")));
            }
            (one, other) => one.or(other),
        };
        let stands_for = named.unwrap_or_else(|| Address { host: typed.host.clone(), ..Address::default() });
        let place = Place {
            host: stands_for.host.unwrap_or_else(|| DEFAULT_HOST.to_owned()),
            port: port.or(stands_for.port).unwrap_or(match wire {
                None => DEFAULT_PORT,
                Some(Wire::S4) => S4_PORT,
            }),
        };
        Ok(Destination { user: typed.user.or(stands_for.user), place })
    }

    /// The settings in force, as they would stand in a file.
    pub(crate) fn listed(&self) -> String {
        let lines = Config::reference()
            .into_iter()
            .map(|setting| format!("    {}: {},\n", setting.key, self.value(setting.key).unwrap_or_default()));
        format!("(\n{})\n", lines.collect::<String>())
    }
}

/// Where the settings are kept, if anywhere.
pub(crate) fn file(args: &ConfigArgs, folder: Option<&Path>) -> Option<PathBuf> {
    args.config.clone().or_else(|| folder.map(|folder| folder.join(FILE)))
}

/// Writes a file to begin with, unless there is one; says where, if it wrote one.
pub(crate) fn begin(args: &ConfigArgs, folder: Option<&Path>) -> Option<PathBuf> {
    let folder = folder.filter(|_| args.config.is_none())?;
    let path = folder.join(FILE);
    let write = || {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        replace::file(&path, &chinwag_settings::template::<Config>(OPENING))
    };
    if path.symlink_metadata().is_ok() {
        return None;
    }
    // Where it cannot be written there are the defaults, and they are fine.
    write().ok().map(|()| path)
}

/// `chinwag config`: prints what is in force, as a file that says so.
///
/// # Errors
/// Nobody reads it.
pub(crate) fn print(config: &Config, args: &ConfigArgs, folder: Option<&Path>) -> Result<(), Failure> {
    let file = file(args, folder);
    let whence = match file {
        Some(file) => {
            let there = match fs::metadata(&file) {
                Ok(_) => "",
                Err(error) if error.kind() == ErrorKind::NotFound => " (not there; a chat at a terminal writes one to begin with)",
                Err(_) => " (not readable)",
            };
            format!("// {}{there}\n", file.display())
        }
        None => "// no home folder, no file\n".to_owned(),
    };
    io::stdout().lock().write_all(format!("{whence}{}", config.listed()).as_bytes()).map_err(|_| Failure::output_gone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(source: &str) -> Config {
        chinwag_settings::parse(source, "x").expect("a configuration")
    }

    fn went(config: &Config, typed: &[&str], port: Option<u16>) -> (Option<String>, String) {
        let address = typed.first().map(|typed| typed.parse().expect("an address"));
        let destination = config.destination(address.as_ref(), port, None).expect("leads somewhere");
        (destination.user, destination.place.to_string())
    }

    #[test]
    fn an_address_leads_where_the_names_say() {
        let config = config(r#"(server: "work", servers: {"work": "alice@chat.example:7", "lab": "[::1]"})"#);
        for (typed, port, user, place) in [
            (&[][..], None, Some("alice"), "chat.example:7"),
            (&["work"], None, Some("alice"), "chat.example:7"),
            (&["bob@work"], None, Some("bob"), "chat.example:7"),
            (&["bob@"], None, Some("bob"), "chat.example:7"),
            (&["work:9"], None, Some("alice"), "chat.example:9"),
            (&["work"], Some(9), Some("alice"), "chat.example:9"),
            (&["lab"], None, None, "[::1]:2461"),
            (&["other.example"], None, None, "other.example:2461"),
        ] {
            assert_eq!(went(&config, typed, port), (user.map(str::to_owned), place.to_owned()), "{typed:?}");
        }
        assert_eq!(went(&Config::default(), &[], None), (None, "127.0.0.1:2461".to_owned()));
        let address: Address = "x:7".parse().expect("an address");
        assert!(config.destination(Some(&address), Some(8), None).is_err());
        let foreign = Config::default().destination(None, None, Some(Wire::S4)).expect("leads somewhere");
        assert_eq!(foreign.place.to_string(), "127.0.0.1:2464");
        assert_eq!(went(&config, &["x:7"], Some(7)).1, "x:7");
    }

    #[test]
    fn the_command_line_goes_before_the_file_and_all_mistakes_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("mine.ron");
        fs::write(&file, "(history: 5, reconnect_for: \"1m\")").expect("writes");
        let args = |set: &[&str]| ConfigArgs { config: Some(file.clone()), set: set.iter().map(|words| (*words).to_owned()).collect() };
        let config = Config::read(&args(&["history=7"]), None).expect("reads");
        assert_eq!((config.history, config.reconnect_for.0), (7, Duration::from_secs(60)));
        let failure = Config::read(&args(&["histry=7", "history", "reconnect-for=x", "history=1000000"]), None).expect_err("mistakes");
        for expected in ["did you mean `history`", "expected NAME=VALUE", "`x` is not a length of time", "at most 100000"] {
            assert!(failure.message.contains(expected), "{expected} is not in:\n{failure}");
        }
        fs::write(&file, "(\n    servers: {\"work\": \"a b\"},\n    server: \"two words\",\n    histry: 3,\n)").expect("writes");
        let failure = Config::read(&args(&[]), None).expect_err("mistakes");
        for expected in ["mine.ron:2", "the address of `work`", "mine.ron:4", "did you mean `history`"] {
            assert!(failure.message.contains(expected), "{expected} is not in:\n{failure}");
        }
    }

    #[test]
    fn a_fresh_file_is_written_once_and_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("deep/chinwag");
        let args = ConfigArgs::default();
        assert_eq!(begin(&args, Some(&inside)), Some(inside.join(FILE)));
        let read = Config::read(&args, Some(&inside)).expect("reads");
        assert_eq!(read.listed(), Config::default().listed());
        fs::write(inside.join(FILE), "(history: 3)").expect("writes");
        assert_eq!(begin(&args, Some(&inside)), None, "it is not written over");
        assert_eq!(Config::read(&args, Some(&inside)).expect("reads").history, 3);
        assert_eq!(begin(&args, None), None);
    }

    #[test]
    fn what_is_listed_can_stand_in_a_file() {
        let source = r#"(server: "lab", servers: {"lab": "[::1]:7000"}, history: 3)"#;
        assert_eq!(config(&config(source).listed()).listed(), config(source).listed());
    }
}
