//! What a scenario says: the types that a `.ron` file is read into. `scenarios/README.md` is their reference.

mod check;
mod read;

use std::time::Duration;

use serde::Deserialize;

pub use read::{By, Items, OneOrMany, Spanned};

use crate::diagnostic::Mistake;
use crate::source::Source;

/// A user's name, and where it is written.
pub type Name = Spanned<String>;

/// A whole scenario, free of mistakes that can be seen without running it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it shows, in one sentence.
    pub about: String,
    /// Words to choose scenarios by; `slow` is left out of a plain `cargo test`.
    pub tags: Vec<String>,
    /// Why it is not run.
    pub skip: Option<String>,
    /// Where its randomness begins, unless the command line says otherwise.
    pub seed: Option<u64>,
    /// How much real time it may take before it counts as stuck.
    pub timeout: Duration,
    /// How its server is started.
    pub server: ServerSetup,
    /// Who is logged in when it begins, in this order.
    pub cast: By<Role>,
    /// What happens.
    pub steps: Items<Step>,
}

/// How the server of a scenario is started.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSetup {
    /// More arguments for it.
    #[serde(default)]
    pub args: Items<String>,
}

/// One member of the cast.
#[derive(Clone, Debug)]
pub struct Role {
    /// The password of the account, which has the same name as the connection.
    pub password: String,
    /// Whether the connection stays in the dialect of people.
    pub text: bool,
}

/// One thing that happens. The doc comments are repeated, with examples, in `scenarios/README.md`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Step {
    /// Opens connections in the json dialect that are not logged in.
    Connect(OneOrMany<String>),
    /// Opens connections and logs them in to accounts of the cast; what they are told is to be seen.
    ConnectAs(By<String>),
    /// Opens connections that stay in the text dialect, as from nc.
    Telnet(OneOrMany<String>),
    /// Says lines, as people type them.
    Send(By<OneOrMany<String>>),
    /// Says lines under keys, so that a repeat is known as one.
    SendKeyed(By<OneOrMany<Keyed>>),
    /// Sends bytes as they are.
    Raw(By<OneOrMany<Bytes>>),
    /// Says what users have received since they were last looked at: this, in this order, and nothing else.
    See(By<OneOrMany<Pat>>),
    /// Says that users have received nothing.
    Hush(OneOrMany<String>),
    /// Remembers parts of what was received, for `{holes}` in what follows.
    Let(By<Capture>),
    /// Lets virtual time pass.
    Advance(Length),
    /// Kills the server without warning (SIGKILL).
    Crash,
    /// Asks the server to stop (SIGTERM) and expects exit code 0.
    Stop,
    /// Starts the server again: same data, same port, later in virtual time.
    Start,
    /// Closes connections without a word.
    Drop(OneOrMany<String>),
    /// Stops reading from connections.
    Pause(OneOrMany<String>),
    /// Reads from paused connections again.
    Resume(OneOrMany<String>),
    /// Sends of several users with nothing waited for in between, in an order that the seed decides.
    All(Items<Step>),
    /// Expectations that are all looked at, even if one fails.
    Check(Items<Step>),
    /// The same steps several times; `{var}` counts from 1.
    Repeat {
        /// How often.
        times: u32,
        /// What the count is called.
        var: Spanned<String>,
        /// What is repeated.
        steps: Items<Step>,
    },
    /// Waits until the server has nothing left to do.
    Quiesce,
    /// Compares the durable state with the last `Digest` before the server was last started.
    Digest,
    /// Looks into a file in the server's data directory.
    File {
        /// Which, relative to the data directory.
        path: Spanned<String>,
        /// What must be in it.
        #[serde(default)]
        has: Option<OneOrMany<String>>,
        /// What must not be in it.
        #[serde(default)]
        lacks: Option<OneOrMany<String>>,
    },
}

/// A line with the key that makes a resend recognisable.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyed {
    /// The key.
    pub key: Spanned<String>,
    /// What is said.
    pub line: Spanned<String>,
}

/// A part of something received: a field of an event, or what stands between two texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Who received it; the newest that fits is taken.
    pub from: Name,
    /// Only from events of this type.
    #[serde(default, rename = "type")]
    pub kind: Option<Spanned<String>>,
    /// The field of the event.
    #[serde(default)]
    pub field: Option<Spanned<String>>,
    /// The text in front of it.
    #[serde(default)]
    pub after: Option<Spanned<String>>,
    /// The text behind it; without it, everything to the end.
    #[serde(default)]
    pub until: Option<Spanned<String>>,
}

/// Bytes that need not be text.
#[derive(Clone, Debug)]
pub struct Bytes(pub Vec<u8>);

/// A length of virtual or real time.
#[derive(Clone, Debug)]
pub struct Length {
    /// As it is written.
    pub written: String,
    /// How long that is.
    pub length: Duration,
}

/// What something received must be.
#[derive(Clone, Debug)]
pub enum Pat {
    /// Exactly this text.
    Text(String),
    /// Something else.
    Op(Op),
}

/// Every expectation that is not an exact text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Op {
    /// Anything, once.
    Any,
    /// Nothing at all.
    Nothing,
    /// The end of the connection.
    Closed,
    /// A text with this in it.
    Has(String),
    /// A text that begins like this.
    Starts(String),
    /// A text that ends like this.
    Ends(String),
    /// A text in which each `*` stands for anything.
    Like(String),
    /// What does not fit this.
    Not(Box<Spanned<Pat>>),
    /// What fits one of these.
    OneOf(Items<Pat>),
    /// All of these, in whatever order they came.
    AnyOrder(Items<Pat>),
    /// So many that fit, or more.
    AtLeast(usize, Box<Spanned<Pat>>),
    /// A refusal with this code.
    Err(String),
    /// An event with these fields, whatever else it has.
    Event(By<serde_json::Value>),
}

/// Reads a scenario and looks for everything that is wrong with it.
///
/// # Errors
/// All mistakes that can be seen without running it.
pub fn load(source: &Source) -> Result<Scenario, Vec<Mistake>> {
    let (scenario, mut mistakes) = read::read(source);
    match scenario {
        Some(scenario) if mistakes.is_empty() => {
            mistakes = check::check(&scenario);
            if mistakes.is_empty() { Ok(scenario) } else { Err(mistakes) }
        }
        _ => Err(mistakes),
    }
}

/// The names of all steps, as they are written.
#[must_use]
pub fn step_names() -> &'static [&'static str] {
    read::variants::<Step>()
}

/// The names of all expectations other than plain text, as they are written.
#[must_use]
pub fn expectation_names() -> &'static [&'static str] {
    read::variants::<Op>()
}

/// The fields of a scenario.
pub const FIELDS: &[&str] = &["about", "tags", "skip", "seed", "timeout", "server", "cast", "steps"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_every_word_of_the_language() {
        let readme = crate::snapshot::root().join("scenarios/README.md");
        let readme = std::fs::read_to_string(readme).unwrap();
        for name in step_names().iter().chain(expectation_names()) {
            assert!(readme.contains(&format!("`{name}")), "scenarios/README.md does not explain `{name}`");
        }
        for field in FIELDS {
            assert!(readme.contains(&format!("{field}:")), "scenarios/README.md does not show the field `{field}`");
        }
        assert!(step_names().len() > 20 && expectation_names().len() > 10);
    }

    #[test]
    fn the_example_of_the_reference_has_no_mistakes() {
        let readme = std::fs::read_to_string(crate::snapshot::root().join("scenarios/README.md")).unwrap();
        let (_, rest) = readme.split_once("```ron\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let source = Source { name: "README.md".into(), text: example.into() };
        load(&source).map_err(|mistakes| crate::diagnostic::render_all(&source, &mistakes)).unwrap();
    }

    #[test]
    fn everything_knows_where_it_stands() {
        let text =
            "Scenario(\n    about: \"x\",\n    cast: (žofie_: \"pw\" /* why */),\n    steps: [Send(žofie_: [ \"a\" , /* b */ \"ž\"]) ],\n)";
        let source = Source { name: "x".into(), text: text.into() };
        let (scenario, mistakes) = read::read(&source);
        assert_eq!(mistakes, []);
        let steps = scenario.unwrap().steps.0;
        assert_eq!(&text[steps[0].span.clone()], "Send(žofie_: [ \"a\" , /* b */ \"ž\"])");
        let Step::Send(by) = &steps[0].value else { panic!("a Send") };
        let (name, lines) = &by.0[0];
        assert_eq!((name.value.as_str(), &text[name.span.clone()]), ("žofie_", "žofie_"));
        assert_eq!(lines.value.0.iter().map(|line| &text[line.span.clone()]).collect::<Vec<_>>(), ["\"a\"", "\"ž\""]);
    }
}
