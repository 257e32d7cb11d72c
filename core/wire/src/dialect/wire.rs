//! Wires: protocols that were fixed elsewhere, with frames and rules of their own, on addresses of their own.
//!
//! A line-mode [`Dialect`](super::Dialect) is a way of writing, without memory. A wire is more: a state machine that
//! hears bytes and events and says what is to be done about them. It does no I/O and reads no clock: whoever runs it
//! tells it what came and what time it is, and carries out the [`Effect`]s. What its users do goes through the same
//! commands as every line: a wire only ever asks for command lines ([`Order`]) and hears the events they are answered
//! with.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::event::Event;
use crate::time::Millis;

/// A protocol that connections can be heard in from the start, on an address of its own.
pub trait Wire: Send + Sync {
    /// What `listen` entries and the flag call it: lowercase.
    fn name(&self) -> &'static str;

    /// What it is, for `--help`: one sentence without a full stop.
    fn about(&self) -> &'static str;

    /// Whether its programs speak without TLS. Where they do not, only a `listen` entry that says so lets them.
    fn plain(&self) -> bool;

    /// Whether its users come without accounts, so that an operator who opens it allows guests there.
    fn guests(&self) -> bool;

    /// Whether its connections have to do with one another beyond what all users have: then one state machine, on
    /// one shard, serves all connections of an entry. Else each shard has its own.
    fn gathers(&self) -> bool;

    /// See [`Dialect::acknowledges`](super::Dialect::acknowledges).
    fn acknowledges(&self) -> bool;

    /// Whether its users want the names of those who are online after login.
    fn wants_roster(&self) -> bool;

    /// What an entry may switch: name and meaning.
    fn options(&self) -> &'static [(&'static str, &'static str)];

    /// A state machine without connections.
    ///
    /// # Errors
    /// A sentence about the option that is wrong.
    fn start(&self, setup: &Setup) -> Result<Box<dyn Protocol>, String>;
}

impl std::fmt::Debug for dyn Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wire({})", self.name())
    }
}

/// What an operator decided that a wire has to know.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The longest text of a message, in bytes.
    pub text_bytes: usize,
    /// What the entry switches. The wire refuses what it does not know.
    pub options: BTreeMap<String, String>,
}

/// One connection of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer(pub u64);

/// The state machine of a wire. All of its connections that have to do with one another are in one.
pub trait Protocol {
    /// A connection was opened.
    fn opened(&mut self, peer: Peer, address: IpAddr, out: &mut Effects);

    /// Takes what `peer` has sent, up to and including one frame; says how many bytes it took, at least one. It is
    /// asked again for the rest when the orders of this frame have been carried out, and not before a [`Effect::Hold`]
    /// of the peer has been released. What it keeps of an unfinished frame has a bound.
    fn heard(&mut self, peer: Peer, input: &[u8], out: &mut Effects) -> usize;

    /// Something to see for whoever is logged in on `peer`, or the last word of the server.
    fn event(&mut self, peer: Peer, event: &Event, out: &mut Effects);

    /// The whole answer to the oldest order of `peer` that has not been answered: at least one event. Whatever the
    /// order caused for others has been given to [`Protocol::event`] before.
    fn answer(&mut self, peer: Peer, events: &[Event], out: &mut Effects);

    /// All kept mail has been given to [`Protocol::event`]: what comes now is live.
    fn caught_up(&mut self, peer: Peer, out: &mut Effects);

    /// The connection is no more, and its session, if it had one, has ended.
    fn gone(&mut self, peer: Peer, out: &mut Effects);

    /// When [`Protocol::time`] has to be called, in time since the server's start.
    fn due(&self) -> Option<Duration>;

    /// It is so late now.
    fn time(&mut self, out: &mut Effects);

    /// How many bytes of unfinished frames are held for `peer`.
    fn held(&self, peer: Peer) -> usize;

    /// Whether `peer` can be told of private chats: asked when an order of it is carried out, and what it is then when a
    /// login is holds for the whole session. Who cannot be told cannot ask for one either, and counts as offline to who does.
    fn hears_private(&self, peer: Peer) -> bool;
}

/// What is to be done, in this order.
#[derive(Debug)]
pub struct Effects {
    /// Time since the server's start, which only goes forward: for deadlines.
    pub now: Duration,
    /// The time of day.
    pub at: Millis,
    list: Vec<Effect>,
}

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send one frame: in one write, and in one TLS record if a record takes it (16 KiB).
    Frame(Peer, Vec<u8>),
    /// Have a command line obeyed on this connection.
    Order(Peer, Order),
    /// From here on `part` is a part of the session on `of`: it needs no login of its own, and when one of the two
    /// ends, so does the other.
    Join {
        /// The one without a session.
        part: Peer,
        /// The one with it.
        of: Peer,
    },
    /// Do not hear this connection any further.
    Hold(Peer),
    /// Hear it again.
    Release(Peer),
    /// A frame of this connection has been refused without an order: it counts like a line that is refused, for whoever
    /// measures how much somebody sends.
    Wasted(Peer),
    /// End this connection when it has been sent what there is to send.
    Close(Peer),
}

/// A command line that a wire wants obeyed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The line as a person would type it.
    pub line: String,
    /// What its last argument is, whatever is in it: `line` ends before that argument.
    pub body: Option<String>,
}

impl Effects {
    /// Nothing yet, at this time.
    #[must_use]
    pub fn new(now: Duration, at: Millis) -> Effects {
        Effects { now, at, list: Vec::new() }
    }

    /// Sends one frame to `peer`.
    pub fn frame(&mut self, peer: Peer, bytes: impl Into<Vec<u8>>) {
        self.list.push(Effect::Frame(peer, bytes.into()));
    }

    /// Has `line` obeyed on the connection of `peer`.
    pub fn order(&mut self, peer: Peer, line: impl Into<String>, body: Option<String>) {
        self.list.push(Effect::Order(peer, Order { line: line.into(), body }));
    }

    /// Whatever else is to be done.
    pub fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }

    /// What is to be done.
    #[must_use]
    pub fn into_list(self) -> Vec<Effect> {
        self.list
    }
}

/// Reads `option`, which has to be one of these words.
///
/// # Errors
/// A sentence that names them.
pub fn choice<'a>(setup: &Setup, option: &str, words: &[&'a str]) -> Result<Option<&'a str>, String> {
    let Some(given) = setup.options.get(option) else { return Ok(None) };
    match words.iter().find(|word| word.eq_ignore_ascii_case(given)) {
        Some(word) => Ok(Some(word)),
        None => Err(format!("`{option}` is {}", words.join(" or "))),
    }
}

/// Refuses options that `wire` does not know: their names, or the part of them before a `.`.
///
/// # Errors
/// A sentence that names the option.
pub fn check_options(wire: &dyn Wire, setup: &Setup) -> Result<(), String> {
    let known = |option: &str| {
        let family = option.split_once('.').map(|(family, _)| family);
        wire.options().iter().any(|(name, _)| *name == option || (family.is_some() && name.strip_suffix(".NAME") == family))
    };
    match setup.options.keys().find(|option| !known(option)) {
        None => Ok(()),
        Some(option) => {
            let names: Vec<&str> = wire.options().iter().map(|(name, _)| *name).collect();
            let there_are = if names.is_empty() { "it has none".to_owned() } else { format!("there are {}", names.join(", ")) };
            Err(format!("{} has no option `{option}`; {there_are}", wire.name()))
        }
    }
}
