//! What a scenario says: the types that a `.ron` file is read into.
//!
//! The doc comments of these types are the reference of the language: `scenarios/README.md` is made from them (see
//! [`reference`]). A line of a doc comment that stands in backquotes is an example, which a test reads.

mod check;
mod include;
mod read;
pub mod reference;

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

pub use include::EXTENSION as STEPS_EXTENSION;
pub use read::{By, Items, OneOrMany, Spanned};

use crate::diagnostic::Mistake;
use crate::source::Source;
use crate::wire::Wire;

/// A user's name, and where it is written.
pub type Name = Spanned<String>;

/// A whole scenario, free of mistakes that can be seen without running it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it shows, in one sentence. Needed.
    /// `about: "who is blocked is refused"`
    pub about: String,
    /// Words to choose scenarios by, as in `--tags "dm and not slow"`; `slow` is left out of a plain `cargo test`.
    /// `tags: ["dm", "slow"]`
    pub tags: Vec<String>,
    /// Why it is not run.
    /// `skip: "not before the server can do this"`
    pub skip: Option<String>,
    /// Where its randomness begins, unless the command line says otherwise.
    /// `seed: 7`
    pub seed: Option<u64>,
    /// How much real time it may take before it counts as stuck (30 seconds if it does not say).
    /// `timeout: "20s"`
    pub timeout: Duration,
    /// More arguments for chinwagd, and more environment.
    /// `server: (args: ["--guests", "true"], env: (LANG: "C"))`
    pub server: ServerSetup,
    /// Who is there when it begins, in this order (see below).
    /// `cast: (alice: "pw-a", nc: Text("pw-n"))`
    pub cast: By<Role>,
    /// What the transcript shows of what differs from run to run: regular expressions, and what stands in their place.
    /// `redact: [(r"pid \d+", "pid N")]`
    pub redact: Items<(String, String)>,
    /// Whose lines the transcript leaves out, because how many come depends on the machine; they are compared all the same.
    /// `omit: ["bob"]`
    pub omit: Items<String>,
    /// What happens. Needed.
    /// `steps: [Send(alice: "whoami")]`
    pub steps: Items<Step>,
    /// Faults that are switched on when the cast is there. No file says so: it is how faults are shown to be noticed.
    #[doc(hidden)]
    pub faults: Vec<String>,
}

/// How the server of a scenario is started.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSetup {
    /// More arguments for it.
    #[serde(default)]
    pub args: Items<String>,
    /// More environment for it.
    #[serde(default)]
    pub env: By<String>,
}

/// One member of the cast.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// The password of the account, which has the same name as the connection; none with `account`.
    pub password: String,
    /// Whether the connection stays in the dialect of people.
    pub text: bool,
    /// Another device of this member of the cast.
    pub account: Option<String>,
    /// The address it comes from, if not the usual one.
    pub from: Option<IpAddr>,
    /// Comes in on this wire, under its own name and without an account.
    pub wire: Option<Wire>,
}

/// How a member of the cast is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) enum Shorthand {
    /// Reads what people read: the connection stays in the text dialect.
    /// `nc: Text("pw-n")`
    Text(String),
    /// Another device of somebody above, logged in to the same account (the server must allow several sessions).
    /// `phone: As("alice")`
    As(String),
    /// Comes from another address of this machine: from another household, for limits and lock-outs.
    /// `eve: From("127.0.0.2", "pw-e")`
    From(IpAddr, String),
}

/// A member of the cast with everything that can be said of one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FullRole {
    #[serde(default)]
    pub(crate) password: String,
    #[serde(default)]
    pub(crate) text: bool,
    #[serde(default, rename = "as")]
    pub(crate) account: Option<String>,
    #[serde(default)]
    pub(crate) from: Option<IpAddr>,
    #[serde(default)]
    pub(crate) wire: Option<Wire>,
}

/// One thing that happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Step {
    /// Opens connections in the json dialect that are not logged in.
    /// `Connect("x")`
    /// `Connect(["x", "y"])`
    Connect(OneOrMany<String>),
    /// Opens connections and logs them in to accounts of the cast; what they are told is to be seen.
    /// `ConnectAs(phone: "alice")`
    ConnectAs(By<String>),
    /// Opens connections that come from other addresses of this machine; they are not logged in.
    /// `ConnectFrom(x: "127.0.0.2")`
    ConnectFrom(By<IpAddr>),
    /// Opens connections to where the server speaks a wire. What they receive is shown as bytes, a frame at a time, and
    /// nothing is answered for them; `Send` makes a frame of a line. The wires are `S1`, `S4` without TLS, and `S4Tls`: over TLS, where
    /// what one record has is shown as one frame.
    /// `Dial(x: S1)`
    /// `Dial(x: S4Tls)`
    Dial(By<Wire>),
    /// Opens connections that present a ticket for the relay. Behind the server's `ok` they carry what others send: what comes
    /// is shown a line at a time, and what they `Send` is passed on as it is.
    /// `Carry(x: "{ticket}")`
    Carry(By<String>),
    /// Opens connections that stay in the text dialect, as from nc.
    /// `Telnet("x")`
    Telnet(OneOrMany<String>),
    /// Says lines as people type them; several users of one step speak one after the other.
    /// `Send(alice: "message bob hi")`
    /// `Send(alice: ["message bob one", "message bob two"])`
    Send(By<OneOrMany<String>>),
    /// Says a line under a key, so that the server knows a resend.
    /// `SendKeyed(alice: (key: "k1", line: "message bob hi"))`
    SendKeyed(By<OneOrMany<Keyed>>),
    /// Sends bytes as they are.
    /// `Raw(x: b"\xff\n")`
    Raw(By<OneOrMany<Bytes>>),
    /// Sends with nothing waited for in between, in an order that the seed decides.
    /// `All([Send(alice: "broadcast a"), Send(bob: "broadcast b")])`
    All(Items<Step>),
    /// Sends, and no barrier behind it: what it causes may come in this step or in a later one. The only way to skip the
    /// barrier, for what races on purpose; `lint` asks for a reason beside it.
    /// `Unsynced([Send(alice: "broadcast a")])`
    Unsynced(Items<Step>),
    /// Users talk all at once: so many lines in all, to each other and to everyone, and so many blocks and ends of blocks, as
    /// the seed decides; each has a few unanswered at a time. All of it must have been answered and have arrived where it
    /// belongs: once, in one order that is also that of real time, and nothing across a block. What they hear of it need not
    /// be expected, and nobody may block another of them before it.
    /// `Storm(users: ["alice", "bob", "carol"], lines: 300)`
    /// `Storm(users: ["alice", "bob"], lines: 300, blocks: 20)`
    Storm {
        /// Who, each with an account of their own, in json.
        users: Items<String>,
        /// How many lines.
        lines: u32,
        /// How many of them are blocks.
        #[serde(default)]
        blocks: u32,
    },
    /// The users have received this since they were last looked at, in this order, and nothing else.
    /// `See(bob: ["alice: hi", Any], carol: Nothing)`
    See(By<OneOrMany<Pat>>),
    /// The users have received nothing.
    /// `Hush("bob")`
    Hush(OneOrMany<String>),
    /// Looks at all of it, even if one fails (`See`, `Hush`, `File`, `Log`, `Metric`, `Digest`).
    /// `Check([Hush("alice"), Hush("bob")])`
    Check(Items<Step>),
    /// Remembers a part of the newest thing received that has it, for `{holes}` in what follows: a field of an event
    /// (`to.user` for one in another; `type: "token"` to choose the event), what stands between two texts, or what a regular
    /// expression captures, in the group of that name or in its only one.
    /// `Let(tok: (from: "alice", field: "token"))`
    /// `Let(word: (from: "nc", after: "* token ", until: " "))`
    /// `Let(seq: (from: "alice", re: r"number (?P<seq>\d+)"))`
    Let(By<Capture>),
    /// Virtual time passes; real time does not.
    /// `Advance("59s")`
    Advance(Length),
    /// Kills the server without warning (SIGKILL). Everyone connects anew after it.
    /// `Crash`
    Crash,
    /// Asks the server to stop (SIGTERM), which must end with code 0.
    /// `Stop`
    Stop,
    /// Starts the server again: on the same data and port, later in virtual time.
    /// `Start`
    Start,
    /// Deletes everything in the data directory. The server must not run.
    /// `Wipe`
    Wipe,
    /// Closes the connections without a word.
    /// `Drop("bob")`
    Drop(OneOrMany<String>),
    /// The connections are lost without anybody being told: nothing comes or goes any more, and the server does not know.
    /// The names can connect again.
    /// `HalfOpen("bob")`
    HalfOpen(OneOrMany<String>),
    /// Stops reading from the connections.
    /// `Pause("bob")`
    Pause(OneOrMany<String>),
    /// Reads from paused connections again.
    /// `Resume("bob")`
    Resume(OneOrMany<String>),
    /// Nothing gets through to these connections or from them, until `Heal`; what they say meanwhile is kept and sent then.
    /// `Partition(["bob"])`
    Partition(OneOrMany<String>),
    /// Everything gets through again.
    /// `Heal`
    Heal,
    /// Makes the way of some connections bad: each thing late by `delay` and up to `jitter` more, at most so many bytes a
    /// second each way (`rate`), written in pieces of so many bytes (`split`). Order is kept, others are not touched, and the
    /// barrier waits for it. Real time: keep it to milliseconds.
    /// `Net(alice: (split: 1))`
    /// `Net(bob: (delay: "5ms", jitter: "3ms", rate: 20000))`
    Net(By<Weather>),
    /// The same steps several times; `{i}` is 1, 2, 3.
    /// `Repeat(times: 3, var: "i", steps: [Send(alice: "broadcast {i}")])`
    Repeat {
        /// How often.
        times: u32,
        /// What the count is called.
        var: Spanned<String>,
        /// What is repeated.
        steps: Items<Step>,
    },
    /// The same steps for each of these texts.
    /// `Each(var: "word", of: ["one", "two"], steps: [Send(alice: "broadcast {word}")])`
    Each {
        /// What the text is called.
        var: Spanned<String>,
        /// The texts.
        of: Items<String>,
        /// What is repeated.
        steps: Items<Step>,
    },
    /// The steps of another file, whose name ends in `.steps.ron` and which holds a list: `[Send(…), See(…)]`. The path is
    /// relative to the file it is written in.
    /// `Include("common/relogin.steps.ron")`
    Include(Spanned<String>),
    /// The same, with texts for its holes.
    /// `With(file: "common/wrong.steps.ron", vars: (name: "bob"))`
    With {
        /// The file.
        file: Spanned<String>,
        /// What fills its holes.
        vars: By<String>,
    },
    /// Included steps, after loading: what [`Step::Include`] and [`Step::With`] become. It cannot be written.
    #[serde(skip)]
    Included {
        /// What fills their holes.
        vars: By<String>,
        /// They.
        steps: Items<Step>,
    },
    /// Waits until the server has nothing to do; needed only after what no barrier can see.
    /// `Quiesce`
    Quiesce,
    /// Waits in real time until one of the server's numbers is so large, or its log has a text: only for what no barrier can
    /// see. `lint` asks for a reason beside it.
    /// `Until(within: "2s", metric: "connections", at_least: 1)`
    /// `Until(within: "2s", log: "cut off")`
    Until {
        /// How long at most, in real time.
        within: Length,
        /// The number.
        #[serde(default)]
        metric: Option<Spanned<String>>,
        /// How large.
        #[serde(default)]
        at_least: Option<u64>,
        /// How small.
        #[serde(default)]
        at_most: Option<u64>,
        /// The text in the log.
        #[serde(default)]
        log: Option<Spanned<String>>,
    },
    /// The durable state is that of the last `Digest` before `Start`.
    /// `Digest`
    Digest,
    /// Looks into a file in the data directory: what is in it, what is not, which permissions it has.
    /// `File(path: "chinwag.db", lacks: ["pw-a"], mode: 0o600)`
    File {
        /// Which, relative to the data directory.
        path: Spanned<String>,
        /// What must be in it.
        #[serde(default)]
        has: Option<OneOrMany<String>>,
        /// What must not be in it.
        #[serde(default)]
        lacks: Option<OneOrMany<String>>,
        /// Its permissions.
        #[serde(default)]
        mode: Option<Spanned<u32>>,
    },
    /// Looks through what the server has logged since it was first started; with a `level`, only through such lines.
    /// `Log(level: "WARN", has: "trying again")`
    /// `Log(lacks: ["pw-a", "pw-b"])`
    Log {
        /// Only lines of this level.
        #[serde(default)]
        level: Option<Spanned<String>>,
        /// What must be in one of them.
        #[serde(default)]
        has: Option<OneOrMany<String>>,
        /// What must be in none of them.
        #[serde(default)]
        lacks: Option<OneOrMany<String>>,
    },
    /// One of the numbers that the server counts (`metrics` on its control channel, docs/protocol.md).
    /// `Metric(name: "connections", is: 2)`
    /// `Metric(name: "commits", at_least: 1, at_most: 9)`
    Metric {
        /// Which.
        name: Spanned<String>,
        /// Exactly so much.
        #[serde(default)]
        is: Option<u64>,
        /// At least so much.
        #[serde(default)]
        at_least: Option<u64>,
        /// At most so much.
        #[serde(default)]
        at_most: Option<u64>,
    },
    /// Switches a named fault of the server on, or off again. A server that was built without faults skips the scenario.
    /// `Fault("store-full")`
    /// `Fault("store-full off")`
    Fault(Spanned<String>),
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
    /// A regular expression with one group, or one of the name that is remembered.
    #[serde(default)]
    pub re: Option<Spanned<String>>,
}

/// How bad the way of a connection is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weather {
    /// How late everything comes, each way.
    #[serde(default)]
    pub delay: Option<Length>,
    /// How much later at most, by chance.
    #[serde(default)]
    pub jitter: Option<Length>,
    /// How many bytes a second get through, each way.
    #[serde(default)]
    pub rate: Option<Spanned<u64>>,
    /// How many bytes are written at once.
    #[serde(default)]
    pub split: Option<Spanned<usize>>,
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
    /// `Any`
    Any,
    /// Nothing at all.
    /// `Nothing`
    Nothing,
    /// The end of the connection.
    /// `Closed`
    Closed,
    /// A text with this in it.
    /// `Has("are blocked")`
    Has(String),
    /// A text that begins like this.
    /// `Starts("* welcome")`
    Starts(String),
    /// A text that ends like this.
    /// `Ends("hi")`
    Ends(String),
    /// A text in which each `*` stands for anything.
    /// `Like("locked for * seconds")`
    Like(String),
    /// A text in which this regular expression is found (`^` and `$` for all of it); what fills a hole is taken literally.
    /// `Re(r"^sent \d+$")`
    Re(String),
    /// What does not fit this.
    /// `Not(Has("pw"))`
    Not(Box<Spanned<Pat>>),
    /// What fits one of these.
    /// `OneOf(["alice: hi", "carol: hi"])`
    OneOf(Items<Pat>),
    /// All of these, in whatever order they came.
    /// `AnyOrder(["alice: hi", "carol: hi"])`
    AnyOrder(Items<Pat>),
    /// So many that fit, or more.
    /// `AtLeast(3, Starts("alice: "))`
    AtLeast(usize, Box<Spanned<Pat>>),
    /// A refusal with this code ([refusals.md](../docs/refusals.md)).
    /// `Err("blocked")`
    Err(String),
    /// In json: an event with these fields, whatever else it has.
    /// `Event(type: "message", from: "alice")`
    Event(By<serde_json::Value>),
}

/// Reads a scenario, with all that it includes, and looks for everything that is wrong with it. What is included is
/// appended to the source, so that its mistakes have places too.
///
/// # Errors
/// All mistakes that can be seen without running it.
pub fn load(source: &mut Source) -> Result<Scenario, Vec<Mistake>> {
    let (scenario, mut mistakes) = read::read(source);
    let Some(mut scenario) = scenario else { return Err(mistakes) };
    mistakes.extend(include::resolve(source, &mut scenario.steps));
    if mistakes.is_empty() {
        mistakes = check::check(&scenario);
    }
    if mistakes.is_empty() { Ok(scenario) } else { Err(mistakes) }
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
pub const FIELDS: &[&str] = &["about", "tags", "skip", "seed", "timeout", "server", "cast", "redact", "omit", "steps"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_knows_where_it_stands() {
        let text =
            "Scenario(\n    about: \"x\",\n    cast: (žofie_: \"pw\" /* why */),\n    steps: [Send(žofie_: [ \"a\" , /* b */ \"ž\"]) ],\n)";
        let source = Source::new("x", text);
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
