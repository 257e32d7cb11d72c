//! Cards: what a command is called, takes and does, for help, hints, completion and documents.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

type Str = Cow<'static, str>;

/// Everything a reader of the wire knows of one command. The server sends the cards of what this user may run;
/// the client completes and hints from them and knows no server command by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// What it is called: lowercase ASCII.
    pub name: Str,
    /// Other names for it.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub aliases: Cow<'static, [Str]>,
    /// One sentence with a full stop.
    pub summary: Str,
    /// What follows the name, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<ArgCard>,
    /// A chat log that shows it, good cases and bad; empty where only the outline is sent.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub examples: Str,
}

/// One argument of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgCard {
    /// What usage calls it.
    pub name: Str,
    /// What it is for: a phrase without capital and full stop.
    pub help: Str,
    /// How it is read and completed.
    pub kind: Kind,
}

/// How one argument is read, named, completed and kept. A record of independent facts, not a closed list:
/// an argument kind of your own fills in what differs from [`Kind::WORD`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kind {
    /// What it is, with its article: `a user`, `some text`.
    pub label: Str,
    /// How much of the line it takes.
    #[serde(default)]
    pub shape: Shape,
    /// Where its completions come from.
    #[serde(default)]
    pub complete: Complete,
    /// Whether it may be left out.
    #[serde(default)]
    pub optional: bool,
    /// Whether it must be kept from echo, log and history.
    #[serde(default)]
    pub secret: bool,
}

impl Kind {
    /// A required word with no completions: the base that other kinds are declared from.
    pub const WORD: Kind =
        Kind { label: Cow::Borrowed("a word"), shape: Shape::Word, complete: Complete::Nothing, optional: false, secret: false };
}

/// How much of the line an argument takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// One word, up to the next space.
    #[default]
    Word,
    /// All that is left, raw: no quotes, no escapes. Only the last argument may.
    Rest,
}

/// Where the completions of an argument come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Complete {
    /// From nowhere.
    #[default]
    Nothing,
    /// From who is online.
    OnlineUsers,
    /// From everyone whose name has been seen.
    KnownUsers,
    /// From the rooms whose names have been seen.
    Rooms,
    /// From what those are called who are in the room.
    Members,
    /// From lengths of time, as people write them.
    Durations,
    /// From the cards.
    Commands,
    /// From the file system of the one who types.
    Files,
    /// From this list.
    OneOf(Cow<'static, [Str]>),
    /// From a source that this reader is too old to know.
    #[serde(other)]
    Unknown,
}

impl Card {
    /// `message <to> <text...>`, `history [with] [count]`.
    #[must_use]
    pub fn usage(&self) -> String {
        let mut usage = self.name.to_string();
        for arg in &self.args {
            usage.push(' ');
            usage.push_str(&arg.usage());
        }
        usage
    }

    /// Whether `word` is the name or an alias; upper and lower case are the same.
    #[must_use]
    pub fn answers_to(&self, word: &str) -> bool {
        std::iter::once(&self.name).chain(self.aliases.iter()).any(|name| name.eq_ignore_ascii_case(word))
    }
}

impl ArgCard {
    /// `<to>`, `<text...>`, `[count]`.
    #[must_use]
    pub fn usage(&self) -> String {
        let dots = if self.kind.shape == Shape::Rest { "..." } else { "" };
        if self.kind.optional { format!("[{}{dots}]", self.name) } else { format!("<{}{dots}>", self.name) }
    }
}
