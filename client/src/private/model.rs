//! Who asks whom, what is open, and what may be said: the state machine of private chats (`README.md` draws it). Pure: no
//! I/O, no clock, no randomness. What somebody types, what the server says and what channels tell comes in; what is to be
//! done comes out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chinwag_private::{Ask, Ended, File, Missed, News, Origin, Side};
use chinwag_settings::plain_values;
use chinwag_wire::name::folded;
use chinwag_wire::private::{Fingerprint, Offer, PrivateEnd, Token};
use chinwag_wire::{Card, Event, Millis, Refusal, SafeText, code, split};
use serde::{Deserialize, Serialize};

use super::cards::{self, Choices, Verb};
use super::peers::Known;

/// How long a question has to have been on the screen before a key answers it: nobody means what came just now.
const READ_AFTER: i64 = 1000;
/// After how long an invitation without any answer is forgotten, in milliseconds. The server says much sooner that it has
/// expired, unless it was started anew meanwhile and knows of none.
const FORGOTTEN_AFTER: i64 = 75_000;
/// How often the server is told at most that somebody is active on a private chat, in milliseconds.
const ACTIVE_EVERY: i64 = 10_000;
/// The shortest time between two lines about the progress of a file, in milliseconds.
const PROGRESS_EVERY: i64 = 2000;
/// How many files may wait for a private chat to open: as many as somebody names while the other makes up their mind.
const WAITING_FILES_MAX: usize = 16;
/// How many ways that were tried in vain are shown.
const TRIED_SHOWN: usize = 3;

/// Whether and how private chats may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum P2p {
    /// Directly, with addresses told to whoever agrees; through the server only if the reader says so.
    Ask,
    /// Through the server only; nobody is told an address.
    Relay,
    /// Not at all.
    Off,
}

plain_values! { P2p: "Ask|Relay|Off" }

/// Something to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Show it.
    Show(Told),
    /// Prepare a meeting under this number and send its offer: `startprivate NAME OFFER`, `accept NAME OFFER`.
    Invite {
        /// The number, by which everything about it is told later.
        meeting: u64,
        /// Which of the two.
        verb: Invitation,
        /// To whom.
        name: String,
        /// Whether the other may come directly.
        listen: bool,
    },
    /// Send a line to the server.
    Order(Order),
    /// Hold the meeting: connect directly.
    Hold {
        /// Which.
        meeting: u64,
        /// Which side of it.
        side: Side,
        /// What the other offers.
        theirs: Offer,
    },
    /// Hold the meeting through the server.
    Over {
        /// Which.
        meeting: u64,
        /// Which side of it.
        side: Side,
        /// What the other offers.
        theirs: Offer,
        /// What opens the relay.
        ticket: Token,
    },
    /// Ask a channel.
    Ask {
        /// Which meeting it came from.
        meeting: u64,
        /// For what.
        ask: Ask,
    },
    /// Take a file of a channel into the folder for files.
    Take {
        /// Which meeting the channel came from.
        meeting: u64,
        /// Which file.
        file: File,
    },
    /// Close whatever came of the meeting.
    End {
        /// Which.
        meeting: u64,
    },
    /// Remember a key.
    Remember {
        /// Whose.
        name: String,
        /// What of it.
        known: Known,
    },
    /// Keep what was said, if that is asked for.
    Keep {
        /// With whom.
        with: String,
        /// Whether the reader said it.
        mine: bool,
        /// What.
        text: String,
    },
}

/// How an offer goes to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Invitation {
    /// The reader asks.
    Ask,
    /// The reader says yes.
    Accept,
}

/// A line for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The reader does not want what this one asks.
    Decline(String),
    /// The reader wants the relay.
    Relay(String),
    /// The reader takes back an invitation, or a private chat is over.
    Stop(String),
    /// The reader ends what this client knows nothing of: what another terminal has, or had before it crashed.
    StopElsewhere(String),
    /// The reader is active.
    Active,
}

/// What was sent to the server, for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// An invitation, or the answer to one.
    Invitation(u64, Invitation),
    /// Anything else.
    Order(Order),
}

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Something said, by the other.
    Talk {
        /// Who.
        from: String,
        /// What, as it came.
        text: String,
        /// Whether the key is not the one that was verified.
        doubtful: bool,
    },
    /// What the reader said has gone out.
    Said {
        /// To whom.
        to: String,
    },
    /// By the way.
    Note(String),
    /// Somebody wants to know something: worth a bell.
    Question(String),
    /// What must not be missed: a line or a few.
    Warning(String),
    /// Something cannot be done.
    Refused(Refusal),
}

/// What the key of somebody is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Never seen before.
    New,
    /// The one of the last time.
    Same,
    /// The one that was verified.
    Verified,
    /// Not the one of the last time, which was never verified.
    Other,
    /// Not the one that was verified: nothing is said before the reader has verified this one.
    Changed,
}

impl Trust {
    fn of(fingerprint: Fingerprint, known: Option<Known>) -> Trust {
        match known {
            None => Trust::New,
            Some(known) if known.fingerprint == fingerprint && known.verified => Trust::Verified,
            Some(known) if known.fingerprint == fingerprint => Trust::Same,
            Some(known) if known.verified => Trust::Changed,
            Some(_) => Trust::Other,
        }
    }
}

/// What both have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Agreed {
    meeting: u64,
    side: Side,
    theirs: Offer,
    trust: Trust,
    /// Who wants to go through the server.
    relay: Wanted,
}

/// Who wants to go through the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wanted {
    by_me: bool,
    by_them: bool,
}

/// An open channel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    meeting: u64,
    fingerprint: Fingerprint,
    sas: String,
    trust: Trust,
    relayed: bool,
    files: BTreeMap<u32, Moving>,
    /// The number of the next file.
    next: u32,
}

/// A file of an open channel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Moving {
    file: File,
    name: String,
    size: u64,
    /// How many bytes are at the receiver, once it moves.
    done: Option<u64>,
    /// Since when it moves, from which byte.
    since: (Millis, u64),
    /// When and at which byte it was last told of.
    told: (Millis, u64),
    /// When it came up, if it waits for the reader.
    asked: Option<Millis>,
}

/// How it stands between the reader and one other.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// The reader asks. `listens`: the other may come directly.
    Asking { meeting: u64, at: Millis, listens: bool },
    /// The other asks.
    Asked { direct: bool, at: Millis, trust: Trust },
    /// The reader has said yes. `relay`: to the relay, too, because the other has no other way.
    Accepting { meeting: u64, at: Millis, listens: bool, relay: bool },
    /// Both agree; a direct way is looked for, or the relay connected to.
    Meeting { agreed: Agreed, through_server: bool },
    /// There is no direct way.
    Stranded { agreed: Agreed, asked: Option<Millis> },
    /// They talk.
    Open(Open),
}

/// Another person.
#[derive(Clone, Debug)]
struct Peer {
    name: String,
    stage: Stage,
    /// Files to be offered when it opens.
    waiting: Vec<PathBuf>,
}

/// All private chats of the reader.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    p2p: P2p,
    /// What says yes without a line being typed.
    key: Option<String>,
    peers: BTreeMap<String, Peer>,
    meetings: u64,
    /// When the server was told last that the reader is active.
    active: Option<Millis>,
}

impl Model {
    /// No chats yet. `key` is what the reader can press to say yes.
    pub(crate) fn new(p2p: P2p, key: Option<String>) -> Model {
        Model { p2p, key, peers: BTreeMap::new(), meetings: 0, active: None }
    }

    /// From here on other settings are in force: for what begins; what is agreed on stays agreed on.
    pub(crate) fn set(&mut self, p2p: P2p, key: Option<String>) {
        (self.p2p, self.key) = (p2p, key);
    }

    /// What can be chosen from, for the cards.
    pub(crate) fn cards(&self) -> Vec<Card> {
        let names = |fits: &dyn Fn(&Stage) -> bool| -> Vec<String> {
            self.peers.values().filter(|peer| fits(&peer.stage)).map(|peer| SafeText::new(&peer.name).to_string()).collect()
        };
        cards::all(&Choices {
            asked: names(&|stage| matches!(stage, Stage::Asked { .. })),
            open: names(&|stage| matches!(stage, Stage::Open(_))),
            stranded: names(&|stage| matches!(stage, Stage::Stranded { .. } | Stage::Meeting { .. })),
            all: names(&|stage| !matches!(stage, Stage::Asked { .. })),
            offered: names(&|stage| matches!(stage, Stage::Open(open) if open.files.values().any(|moving| moving.asked.is_some()))),
            files: names(&|stage| matches!(stage, Stage::Open(open) if !open.files.is_empty())),
        })
    }

    /// Whether there is a private chat with `name` that something can be said in.
    #[cfg(test)]
    fn is_open(&self, name: &str) -> bool {
        self.peers.get(&folded(name)).is_some_and(|peer| matches!(peer.stage, Stage::Open(_)))
    }

    /// What comes of a line that somebody typed: the command, and what follows its name.
    pub(crate) fn typed(&mut self, verb: Verb, rest: &str, now: Millis) -> Vec<Deed> {
        let (first, after) = split::word(rest);
        let after = after.trim_end();
        let spare = match verb {
            Verb::Private | Verb::SendFile => false,
            Verb::GetFile | Verb::CancelFile => after.contains(char::is_whitespace),
            Verb::Privates => !first.is_empty(),
            _ => !after.is_empty(),
        };
        if spare {
            return vec![usage(verb, "there is a word too many")];
        }
        match verb {
            Verb::StartPrivate if first.is_empty() => vec![usage(verb, "`user` is missing")],
            Verb::StartPrivate => self.start(first, now),
            Verb::Private | Verb::SendFile if after.is_empty() => {
                let second = if verb == Verb::Private { "`text` is missing" } else { "`path` is missing" };
                vec![usage(verb, if first.is_empty() { "`user` is missing" } else { second })]
            }
            Verb::StopPrivate if !first.is_empty() && !self.peers.contains_key(&folded(first)) => {
                vec![Deed::Order(Order::StopElsewhere(first.to_owned()))]
            }
            Verb::Private => self.say(first, after, now),
            Verb::SendFile => self.send_file(first, after, now),
            Verb::Privates => self.list(),
            // `getfile 2`, where it can only be from one.
            Verb::GetFile | Verb::CancelFile if after.is_empty() && first.parse::<u32>().is_ok() && !self.peers.contains_key(first) => {
                match self.one_for(verb, "") {
                    Ok(key) => self.with_one(verb, &key, first, now),
                    Err(refusal) => vec![refused(refusal)],
                }
            }
            _ => match self.one_for(verb, first) {
                Ok(key) => self.with_one(verb, &key, after, now),
                Err(refusal) => vec![refused(refusal)],
            },
        }
    }

    /// Whom a command is for that names nobody, or names somebody.
    fn one_for(&self, verb: Verb, typed: &str) -> Result<String, Refusal> {
        let fits = |stage: &Stage| match verb {
            Verb::Accept | Verb::Decline => matches!(stage, Stage::Asked { .. }),
            Verb::Relay => matches!(stage, Stage::Stranded { .. } | Stage::Meeting { .. }),
            Verb::StopPrivate => !matches!(stage, Stage::Asked { .. }),
            _ => matches!(stage, Stage::Open(_)),
        };
        let nobody = || match verb {
            Verb::Accept | Verb::Decline => (code::NO_OFFER, "has not asked you for a private chat, or not any more"),
            _ => (code::NO_PRIVATE, "and you have no private chat"),
        };
        if !typed.is_empty() {
            let key = folded(typed);
            if self.peers.get(&key).is_some_and(|peer| fits(&peer.stage)) {
                return Ok(key);
            }
            let (code, what) = nobody();
            let hint = match verb {
                Verb::Accept | Verb::Decline => format!("`startprivate {}` asks", SafeText::new(typed)),
                _ if self.peers.contains_key(&key) => "`privates` says how it stands".to_owned(),
                _ => format!("`startprivate {}` asks for one", SafeText::new(typed)),
            };
            return Err(Refusal::new(code, format!("{} {what}", SafeText::new(typed))).hint(hint));
        }
        let mut fitting = self.peers.iter().filter(|(_, peer)| fits(&peer.stage));
        match (fitting.next(), fitting.next()) {
            (Some((key, _)), None) => Ok(key.clone()),
            (None, _) if nobody().0 == code::NO_OFFER => Err(Refusal::new(code::NO_OFFER, "nobody asks you for a private chat")),
            (None, _) => Err(Refusal::new(code::NO_PRIVATE, "you have no private chat that this could be for")),
            (Some((_, one)), Some((_, other))) => {
                let (one, other) = (SafeText::new(&one.name), SafeText::new(&other.name));
                Err(Refusal::new(code::USAGE, format!("this may be for {one} or for {other}"))
                    .hint(format!("usage: /{}", cards::usage(verb))))
            }
        }
    }

    fn with_one(&mut self, verb: Verb, key: &str, after: &str, now: Millis) -> Vec<Deed> {
        match verb {
            Verb::Accept => self.accept(key, now),
            Verb::Decline => {
                let Some(peer) = self.peers.remove(key) else { return Vec::new() };
                let told = format!("you have declined a private chat with {}", SafeText::new(&peer.name));
                vec![Deed::Order(Order::Decline(peer.name)), Deed::Show(Told::Note(told))]
            }
            Verb::StopPrivate => self.stop(key),
            Verb::Verify => self.verify(key, now),
            Verb::Relay => self.relay(key),
            _ => self.one_file(verb, key, after, now),
        }
    }

    /// `startprivate NAME`: asks, or says yes to somebody who asks.
    fn start(&mut self, typed: &str, now: Millis) -> Vec<Deed> {
        let key = folded(typed);
        let name = SafeText::new(typed);
        if self.p2p == P2p::Off {
            let refusal = Refusal::new(code::PRIVATE_OFF, "private chats are switched off in your settings");
            return vec![refused(refusal.hint("`/set p2p Ask` switches them on"))];
        }
        match self.peers.get(&key).map(|peer| &peer.stage) {
            Some(Stage::Asked { .. }) => return self.accept(&key, now),
            Some(Stage::Asking { .. } | Stage::Accepting { .. }) => {
                let refusal = Refusal::new(code::ALREADY_ASKED, format!("you have asked {name} for a private chat already"));
                return vec![refused(refusal.hint(format!("wait for the answer, or take it back: `stopprivate {name}`")))];
            }
            Some(Stage::Meeting { .. } | Stage::Open(_)) => {
                let refusal = Refusal::new(code::ALREADY_OPEN, format!("there is a private chat with {name} already"));
                return vec![refused(refusal.hint(format!("say something: `private {name} TEXT`")))];
            }
            Some(Stage::Stranded { .. }) => {
                let refusal = Refusal::new(code::ALREADY_OPEN, format!("{name} and you have agreed, and found no direct way"));
                return vec![refused(refusal.hint(format!("go through the server, `relay {name}`, or give up, `stopprivate {name}`")))];
            }
            None => {}
        }
        self.invite(&key, typed, Invitation::Ask, now, false)
    }

    fn invite(&mut self, key: &str, name: &str, verb: Invitation, now: Millis, relay: bool) -> Vec<Deed> {
        self.meetings += 1;
        let meeting = self.meetings;
        // Who goes through the server for want of another way has no use for our addresses.
        let listens = self.p2p == P2p::Ask && !relay;
        let stage = match verb {
            Invitation::Ask => Stage::Asking { meeting, at: now, listens },
            Invitation::Accept => Stage::Accepting { meeting, at: now, listens, relay },
        };
        let waiting = self.peers.remove(key).map(|peer| peer.waiting).unwrap_or_default();
        self.peers.insert(key.to_owned(), Peer { name: name.to_owned(), stage, waiting });
        vec![Deed::Invite { meeting, verb, name: name.to_owned(), listen: listens }]
    }

    /// Nobody can come here directly: the machine has no address to offer.
    pub(crate) fn unreachable(&mut self, meeting: u64) {
        let stages = self.peers.values_mut().map(|peer| &mut peer.stage);
        for stage in stages.filter(|stage| stage.meeting() == Some(meeting)) {
            if let Stage::Asking { listens, .. } | Stage::Accepting { listens, .. } = stage {
                *listens = false;
            }
        }
    }

    fn accept(&mut self, key: &str, now: Millis) -> Vec<Deed> {
        let Some(Peer { name, stage: Stage::Asked { direct, .. }, .. }) = self.peers.get(key) else { return Vec::new() };
        let (name, relay) = (name.clone(), !direct);
        self.invite(key, &name, Invitation::Accept, now, relay)
    }

    /// What the server says of an invitation or an order; `Err`: it could not be sent at all.
    pub(crate) fn answered(&mut self, sent: &Sent, answer: Result<&Event, String>) -> Vec<Deed> {
        let refusal = match answer {
            Ok(Event::Refusal(refusal)) => refusal.clone(),
            Err(why) => Refusal::new(code::INTERNAL, why),
            Ok(_) => {
                return match sent {
                    Sent::Invitation(meeting, Invitation::Ask) => match self.with(*meeting) {
                        Some(Peer { name, stage: Stage::Asking { .. }, .. }) => {
                            let told = format!("{} is asked for a private chat; go on meanwhile", SafeText::new(name));
                            vec![Deed::Show(Told::Note(told))]
                        }
                        _ => Vec::new(),
                    },
                    Sent::Order(Order::StopElsewhere(name)) => {
                        let told = format!("the private chat with {} that another terminal has, or had, is over", SafeText::new(name));
                        vec![Deed::Show(Told::Note(told))]
                    }
                    _ => Vec::new(),
                };
            }
        };
        match sent {
            Sent::Invitation(meeting, _) => {
                let mut deeds = vec![Deed::End { meeting: *meeting }, refused(refusal)];
                if let Some(key) = self.key_of(*meeting) {
                    if self.peers.get(&key).is_some_and(|peer| peer.stage.is_open_or_agreed()) {
                        // Asked again after a lost link, and the other has said yes meanwhile.
                        return Vec::new();
                    }
                    let waiting = self.peers.remove(&key).map_or(0, |peer| peer.waiting.len());
                    if waiting > 0 {
                        deeds.push(Deed::Show(Told::Note("nothing was sent".to_owned())));
                    }
                }
                deeds
            }
            Sent::Order(Order::Relay(name)) => {
                if let Some(Peer { stage: Stage::Stranded { agreed, .. } | Stage::Meeting { agreed, .. }, .. }) =
                    self.peers.get_mut(&folded(name))
                {
                    agreed.relay.by_me = false;
                }
                vec![refused(refusal)]
            }
            // That it is over already is as well.
            Sent::Order(Order::Stop(_) | Order::Active) => Vec::new(),
            Sent::Order(Order::StopElsewhere(_)) => vec![refused(refusal)],
            Sent::Order(Order::Decline(_)) if refusal.code == code::NO_OFFER => Vec::new(),
            Sent::Order(Order::Decline(_)) => vec![refused(refusal)],
        }
    }

    /// What the server says about private chats. `known` is what is remembered of whom it is about, or why nobody can say.
    pub(crate) fn event(&mut self, event: &Event, known: Result<Option<Known>, String>, now: Millis) -> Vec<Deed> {
        match event {
            Event::PrivateAsked { from, fingerprint, direct, .. } => self.asked(from, *fingerprint, *direct, known, now),
            Event::PrivateAgreed { with, asker, offer } => self.agreed(with, *asker, offer, known),
            Event::PrivateRelay { with, ticket: None } => self.relay_wanted(with, now),
            Event::PrivateRelay { with, ticket: Some(ticket) } => self.relay_ready(with, *ticket),
            Event::PrivateEnded { with, why } => self.ended(with, *why),
            _ => Vec::new(),
        }
    }

    fn asked(
        &mut self,
        from: &str,
        fingerprint: Fingerprint,
        direct: bool,
        known: Result<Option<Known>, String>,
        now: Millis,
    ) -> Vec<Deed> {
        let (key, name) = (folded(from), SafeText::new(from));
        if self.p2p == P2p::Off {
            return vec![Deed::Show(Told::Note(format!("{name} asks for a private chat; your settings switch them off (p2p)")))];
        }
        let known = match known {
            Ok(known) => known,
            Err(why) => return vec![Deed::Show(Told::Warning(format!("{name} asks for a private chat, which cannot be safe: {why}")))],
        };
        // Of two who ask at the same time the server makes one, and says so; anything else that stands is not to be replaced.
        if self.peers.get(&key).is_some_and(|peer| !matches!(peer.stage, Stage::Asked { .. })) {
            return Vec::new();
        }
        let trust = Trust::of(fingerprint, known);
        self.peers.insert(key, Peer { name: from.to_owned(), stage: Stage::Asked { direct, at: now, trust }, waiting: Vec::new() });
        let way = if direct { "" } else { " through the server, which cannot read it" };
        let yes = match &self.key {
            Some(key) if trust != Trust::Changed => format!("{key} or `accept {name}`"),
            _ => format!("`accept {name}`"),
        };
        let question = format!("{name} asks you for a private chat{way}: {yes}, or `decline {name}`");
        let mut deeds = Vec::new();
        if let (Trust::Changed | Trust::Other, Some(known)) = (trust, known) {
            deeds.push(Deed::Show(Told::Warning(changed(&name, known, fingerprint))));
        }
        deeds.push(Deed::Show(Told::Question(question)));
        deeds
    }

    fn agreed(&mut self, with: &str, asker: bool, theirs: &Offer, known: Result<Option<Known>, String>) -> Vec<Deed> {
        let (key, name) = (folded(with), SafeText::new(with));
        let over = |meeting| vec![Deed::End { meeting }, Deed::Order(Order::Stop(with.to_owned()))];
        let (meeting, listens, relay, warned) = match self.peers.get(&key).map(|peer| &peer.stage) {
            Some(Stage::Asking { meeting, listens, .. }) => (*meeting, *listens, false, false),
            Some(Stage::Accepting { meeting, listens, relay, .. }) => (*meeting, *listens, *relay, true),
            // Agreed on something that this client knows nothing of, or not any more: it cannot keep the promise.
            Some(_) => return Vec::new(),
            None => return vec![Deed::Order(Order::Stop(with.to_owned()))],
        };
        let known = match known {
            Ok(known) => known,
            Err(why) => {
                self.peers.remove(&key);
                let warning = Told::Warning(format!("the private chat with {name} cannot be safe, so there is none: {why}"));
                return [vec![Deed::Show(warning)], over(meeting)].concat();
            }
        };
        let trust = Trust::of(theirs.fingerprint, known);
        let side = if asker { Side::Asker } else { Side::Asked };
        let mut deeds = Vec::new();
        if let (false, Trust::Changed | Trust::Other, Some(known)) = (warned, trust, known) {
            deeds.push(Deed::Show(Told::Warning(changed(&name, known, theirs.fingerprint))));
        }
        let agreed = Agreed { meeting, side, theirs: theirs.clone(), trust, relay: Wanted::default() };
        let Some(peer) = self.peers.get_mut(&key) else { return deeds };
        with.clone_into(&mut peer.name);
        // Who offers no address does not dial either.
        let direct = listens && !theirs.addresses.is_empty();
        if direct {
            deeds.push(Deed::Show(Told::Note(format!("{name} and you agree on a private chat; looking for a way"))));
            deeds.push(Deed::Hold { meeting, side, theirs: theirs.clone() });
            peer.stage = Stage::Meeting { agreed, through_server: false };
            return deeds;
        }
        peer.stage = Stage::Stranded { agreed, asked: None };
        if relay || !listens {
            deeds.push(Deed::Show(Told::Note(format!("{name} and you agree on a private chat, through the server"))));
            deeds.extend(self.relay(&key));
        }
        // Else the other has no address, and wants the relay: that is about to come, and to be asked.
        deeds
    }

    /// A direct way was looked for.
    pub(crate) fn met(&mut self, meeting: u64, met: Result<Met, Missed>, now: Millis) -> Vec<Deed> {
        let Some(key) = self.key_of(meeting) else { return vec![Deed::End { meeting }] };
        let Some(peer) = self.peers.get_mut(&key) else { return Vec::new() };
        let Stage::Meeting { agreed, through_server } = &peer.stage else { return Vec::new() };
        let (agreed, through_server) = (agreed.clone(), *through_server);
        let name = SafeText::new(&peer.name).to_string();
        match met {
            Ok(met) => self.opened(&key, agreed, through_server, &met, now),
            Err(missed @ Missed::NoWay { .. }) if !through_server => {
                let why = match missed {
                    Missed::NoWay { tried } if !tried.is_empty() => {
                        let shown: Vec<_> = tried.iter().take(TRIED_SHOWN).map(|line| SafeText::new(line).to_string()).collect();
                        format!(" ({})", shown.join("; "))
                    }
                    _ => String::new(),
                };
                let by_me = agreed.relay.by_me;
                peer.stage = Stage::Stranded { agreed, asked: (!by_me).then_some(now) };
                if by_me {
                    return vec![Deed::Show(Told::Note(format!("there is no direct way to {name}{why}")))];
                }
                let question = self.relay_question(&name, &format!("there is no direct way to {name}{why}"));
                vec![Deed::Show(Told::Question(question))]
            }
            Err(missed) => {
                let told = match &missed {
                    Missed::Impostor(what) => Told::Warning(format!(
                        "somebody answers in the place of {name} ({}), so there is no private chat",
                        SafeText::new(what)
                    )),
                    _ => Told::Note(format!("the private chat with {name} did not come about: {}", SafeText::new(&missed.to_string()))),
                };
                self.over(&key, Some(told), true)
            }
        }
    }

    fn relay_question(&self, name: &str, why: &str) -> String {
        let key = self.key.as_ref().map_or(String::new(), |key| format!("{key} or "));
        format!("{why}; go through the server, which cannot read it: {key}`relay {name}`; or `stopprivate {name}`")
    }

    fn opened(&mut self, key: &str, agreed: Agreed, relayed: bool, met: &Met, now: Millis) -> Vec<Deed> {
        let Some(peer) = self.peers.get_mut(key) else { return Vec::new() };
        let name = SafeText::new(&peer.name).to_string();
        let Agreed { meeting, theirs, trust, .. } = agreed;
        let way = if relayed { "through the server, which cannot read it" } else { "directly, past the server" };
        let mut deeds = vec![Deed::Show(Told::Note(format!(
            "the private chat with {name} is open, {way}: `private {name} TEXT`; `stopprivate {name}` ends it"
        )))];
        let compare = format!("ask {name} by voice which digits are shown there: {}; if they are the same, `verify {name}`", met.sas);
        deeds.push(Deed::Show(match trust {
            Trust::Verified => Told::Note(format!("{name} has the key that you have verified")),
            Trust::New | Trust::Same | Trust::Other => Told::Note(format!("is nobody between you? {compare}")),
            Trust::Changed => {
                Told::Warning(format!("{name} has another key than the one you verified: nothing is said before you are sure\n{compare}"))
            }
        }));
        if matches!(trust, Trust::New | Trust::Other) {
            deeds.push(Deed::Remember { name: peer.name.clone(), known: Known { fingerprint: theirs.fingerprint, verified: false } });
        }
        let waiting = std::mem::take(&mut peer.waiting);
        let open = Open { meeting, fingerprint: theirs.fingerprint, sas: met.sas.clone(), trust, relayed, files: BTreeMap::new(), next: 1 };
        peer.stage = Stage::Open(open);
        if trust == Trust::Changed && !waiting.is_empty() {
            deeds.push(Deed::Show(Told::Note("no file was offered".to_owned())));
        } else {
            deeds.extend(waiting.into_iter().map(|path| Deed::Ask { meeting, ask: Ask::Offer(path) }));
        }
        deeds.extend(self.is_active(now));
        deeds
    }

    fn relay(&mut self, key: &str) -> Vec<Deed> {
        let Some(Peer { name, stage: Stage::Stranded { agreed, .. } | Stage::Meeting { agreed, .. }, .. }) = self.peers.get_mut(key) else {
            return Vec::new();
        };
        let shown = SafeText::new(name).to_string();
        if agreed.relay.by_me {
            return vec![Deed::Show(Told::Note(format!("{shown} has not agreed yet to go through the server")))];
        }
        agreed.relay.by_me = true;
        let name = name.clone();
        if let Some(Peer { stage: Stage::Stranded { asked, .. }, .. }) = self.peers.get_mut(key) {
            *asked = None;
        }
        vec![Deed::Order(Order::Relay(name)), Deed::Show(Told::Note(format!("you agree to go through the server with {shown}")))]
    }

    /// The other wants to go through the server.
    fn relay_wanted(&mut self, with: &str, now: Millis) -> Vec<Deed> {
        let (key, name) = (folded(with), SafeText::new(with).to_string());
        let why = match self.peers.get_mut(&key).map(|peer| &mut peer.stage) {
            Some(Stage::Stranded { agreed, asked }) if !agreed.relay.by_me => {
                agreed.relay.by_them = true;
                *asked = Some(now);
                format!("{name} would go through the server")
            }
            Some(Stage::Meeting { agreed, .. }) => {
                // Our own attempt goes on; if it fails, the reader is asked then.
                agreed.relay.by_them = true;
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        vec![Deed::Show(Told::Question(self.relay_question(&name, &why)))]
    }

    fn relay_ready(&mut self, with: &str, ticket: Token) -> Vec<Deed> {
        let Some(peer) = self.peers.get_mut(&folded(with)) else { return Vec::new() };
        let (Stage::Stranded { agreed, .. } | Stage::Meeting { agreed, .. }) = &peer.stage else { return Vec::new() };
        if !agreed.relay.by_me {
            // Nobody is taken through the server without having said so.
            return Vec::new();
        }
        let agreed = agreed.clone();
        let deed = Deed::Over { meeting: agreed.meeting, side: agreed.side, theirs: agreed.theirs.clone(), ticket };
        peer.stage = Stage::Meeting { agreed, through_server: true };
        vec![deed]
    }

    fn ended(&mut self, with: &str, why: PrivateEnd) -> Vec<Deed> {
        let (key, name) = (folded(with), SafeText::new(with).to_string());
        let Some(peer) = self.peers.get(&key) else { return Vec::new() };
        let agreed = peer.stage.is_open_or_agreed();
        let told = match why {
            // Of an invitation long answered.
            PrivateEnd::Declined | PrivateEnd::Expired | PrivateEnd::Withdrawn if agreed => return Vec::new(),
            PrivateEnd::Declined => format!("{name} declines a private chat"),
            PrivateEnd::Expired if matches!(peer.stage, Stage::Asked { .. }) => format!("{name} does not wait for a private chat any more"),
            PrivateEnd::Expired => format!("{name} has not answered in time: there is no private chat"),
            PrivateEnd::Withdrawn => format!("{name} does not want a private chat any more"),
            // A yes of this client is under way, or agreed on: the word is for its other sessions.
            PrivateEnd::AnsweredElsewhere if !matches!(peer.stage, Stage::Asked { .. }) => return Vec::new(),
            PrivateEnd::AnsweredElsewhere => format!("you have answered {name} at another terminal"),
            // In the words of the channel that ends at the same time, whichever is heard first.
            PrivateEnd::Stopped => format!("the private chat with {name} is over: {name} stopped it"),
            PrivateEnd::LoggedOut if agreed => format!("the private chat with {name} is over: {name} logged out"),
            PrivateEnd::LoggedOut => format!("there is no private chat with {name}, who logged out"),
            PrivateEnd::TimedOut if agreed => format!("the private chat with {name} is over: {name} timed out"),
            PrivateEnd::TimedOut => format!("there is no private chat with {name}, who timed out"),
            PrivateEnd::SwitchedOff => format!("the private chat with {name} is over: the server's operators have switched them off"),
            PrivateEnd::Unknown => format!("the private chat with {name} is over"),
        };
        self.over(&key, Some(Told::Note(told)), false)
    }

    /// Forgets somebody, and what was going on with them.
    fn over(&mut self, key: &str, told: Option<Told>, tell_server: bool) -> Vec<Deed> {
        let Some(peer) = self.peers.remove(key) else { return Vec::new() };
        let mut deeds: Vec<Deed> = peer.stage.meeting().map(|meeting| Deed::End { meeting }).into_iter().collect();
        if tell_server {
            deeds.push(Deed::Order(Order::Stop(peer.name.clone())));
        }
        deeds.extend(told.map(Deed::Show));
        if !peer.waiting.is_empty() {
            deeds.push(Deed::Show(Told::Note("nothing was sent".to_owned())));
        }
        // What was on its way ends with the chat, and nothing else says so.
        if let Stage::Open(open) = &peer.stage {
            deeds.extend(open.files.iter().map(|(number, moving)| Deed::Show(Told::Note(moving.cut(*number)))));
        }
        deeds
    }

    fn stop(&mut self, key: &str) -> Vec<Deed> {
        let Some(peer) = self.peers.get(key) else { return Vec::new() };
        let name = SafeText::new(&peer.name);
        let told = match peer.stage {
            Stage::Asking { .. } => format!("you do not ask {name} for a private chat any more"),
            _ => format!("the private chat with {name} is over: you stopped it"),
        };
        self.over(key, Some(Told::Note(told)), true)
    }

    fn verify(&mut self, key: &str, now: Millis) -> Vec<Deed> {
        let Some(Peer { name, stage: Stage::Open(open), .. }) = self.peers.get_mut(key) else { return Vec::new() };
        let shown = SafeText::new(name);
        if open.trust == Trust::Verified {
            return vec![Deed::Show(Told::Note(format!("{shown} is verified already")))];
        }
        open.trust = Trust::Verified;
        let told = format!("{shown} is verified: if the key is ever another, you are warned");
        let known = Known { fingerprint: open.fingerprint, verified: true };
        let deeds = vec![Deed::Remember { name: name.clone(), known }, Deed::Show(Told::Note(told))];
        deeds.into_iter().chain(self.is_active(now)).collect()
    }

    /// The open channel with somebody, if something may be said in it.
    fn sure(&mut self, typed: &str) -> Result<(String, &mut Open), Refusal> {
        let shown = SafeText::new(typed).to_string();
        match self.peers.get_mut(&folded(typed)) {
            Some(Peer { name, stage: Stage::Open(open), .. }) if open.trust == Trust::Changed => {
                let refusal =
                    Refusal::new(code::USAGE, format!("not sent: {} has another key than the one you verified", SafeText::new(name)));
                Err(refusal.hint(format!("compare the digits {}, then `verify {shown}`; or `stopprivate {shown}`", open.sas)))
            }
            Some(Peer { name, stage: Stage::Open(open), .. }) => Ok((name.clone(), open)),
            Some(peer) => {
                let what = match peer.stage {
                    Stage::Asking { .. } => format!("{shown} has not answered yet"),
                    Stage::Asked { .. } => format!("{shown} asks you: `accept {shown}` first"),
                    Stage::Stranded { .. } => format!("`relay {shown}` goes through the server"),
                    _ => format!("a way to {shown} is looked for"),
                };
                Err(Refusal::new(code::NO_PRIVATE, format!("not sent: there is no private chat with {shown} yet")).hint(what))
            }
            None => {
                let refusal = Refusal::new(code::NO_PRIVATE, format!("not sent: there is no private chat with {shown}"));
                Err(refusal.hint(format!("`startprivate {shown}` asks for one")))
            }
        }
    }

    fn say(&mut self, typed: &str, text: &str, now: Millis) -> Vec<Deed> {
        let (name, meeting) = match self.sure(typed) {
            Ok((name, open)) => (name, open.meeting),
            Err(refusal) => return vec![refused(refusal)],
        };
        let mut deeds = vec![
            Deed::Ask { meeting, ask: Ask::Say(text.to_owned()) },
            Deed::Keep { with: name.clone(), mine: true, text: text.to_owned() },
            Deed::Show(Told::Said { to: name }),
        ];
        deeds.extend(self.is_active(now));
        deeds
    }

    fn send_file(&mut self, typed: &str, path: &str, now: Millis) -> Vec<Deed> {
        let key = folded(typed);
        match self.peers.get_mut(&key) {
            Some(Peer { stage: Stage::Open(_), .. }) => {}
            Some(peer) if !matches!(peer.stage, Stage::Asked { .. }) => {
                if peer.waiting.len() == WAITING_FILES_MAX {
                    return vec![refused(Refusal::new(
                        code::USAGE,
                        format!("{WAITING_FILES_MAX} files wait for this private chat already"),
                    ))];
                }
                peer.waiting.push(PathBuf::from(path));
                let told = format!("it is offered when the private chat with {} is open", SafeText::new(&peer.name));
                return vec![Deed::Show(Told::Note(told))];
            }
            _ => {
                let deeds = self.start(typed, now);
                if let Some(peer) = self.peers.get_mut(&key).filter(|peer| !matches!(peer.stage, Stage::Open(_))) {
                    peer.waiting.push(PathBuf::from(path));
                }
                return deeds;
            }
        }
        let meeting = match self.sure(typed) {
            Ok((_, open)) => open.meeting,
            Err(refusal) => return vec![refused(refusal)],
        };
        [vec![Deed::Ask { meeting, ask: Ask::Offer(PathBuf::from(path)) }], self.is_active(now)].concat()
    }

    /// `getfile NAME [NUMBER]`, `cancelfile NAME [NUMBER]`.
    fn one_file(&mut self, verb: Verb, key: &str, number: &str, now: Millis) -> Vec<Deed> {
        let Some(Peer { name, stage: Stage::Open(open), .. }) = self.peers.get(key) else { return Vec::new() };
        let name = SafeText::new(name).to_string();
        let fits = |moving: &Moving| verb == Verb::CancelFile || moving.asked.is_some();
        let fitting: Vec<u32> = open.files.iter().filter(|(_, moving)| fits(moving)).map(|(number, _)| *number).collect();
        let what = if verb == Verb::CancelFile { "no file is on its way" } else { "no file waits for your answer" };
        let number = match (number, fitting.as_slice()) {
            ("", []) => return vec![refused(Refusal::new(code::USAGE, format!("{what} in the private chat with {name}")))],
            ("", [one]) => *one,
            ("", _) => {
                let numbers: Vec<_> = fitting.iter().map(u32::to_string).collect();
                return vec![usage(verb, &format!("this may be for any of the files {}", numbers.join(", ")))];
            }
            (typed, _) => match typed.parse() {
                Ok(number) if fitting.contains(&number) => number,
                _ => {
                    let refusal = Refusal::new(code::USAGE, format!("{what} under the number {}", SafeText::new(typed)));
                    return vec![refused(refusal.hint("`privates` lists them"))];
                }
            },
        };
        if verb == Verb::CancelFile {
            return self.ask_about(key, number, Ask::Drop);
        }
        if let Err(refusal) = self.sure(&name) {
            return vec![refused(refusal)];
        }
        let deeds = self.take(key, number);
        deeds.into_iter().chain(self.is_active(now)).collect()
    }

    fn take(&mut self, key: &str, number: u32) -> Vec<Deed> {
        let Some(Peer { stage: Stage::Open(open), .. }) = self.peers.get_mut(key) else { return Vec::new() };
        let Some(moving) = open.files.get_mut(&number) else { return Vec::new() };
        moving.asked = None;
        vec![Deed::Take { meeting: open.meeting, file: moving.file }]
    }

    /// A file that the reader wants cannot be taken; it may be asked for again.
    pub(crate) fn not_taken(&mut self, meeting: u64, file: File, now: Millis) {
        let stages = self.peers.values_mut().map(|peer| &mut peer.stage);
        for stage in stages.filter(|stage| stage.meeting() == Some(meeting)) {
            if let Stage::Open(open) = stage
                && let Some((_, moving)) = open.of(file)
            {
                moving.asked = Some(now);
            }
        }
    }

    fn ask_about(&mut self, key: &str, number: u32, ask: impl Fn(File) -> Ask) -> Vec<Deed> {
        let Some(Peer { stage: Stage::Open(open), .. }) = self.peers.get_mut(key) else { return Vec::new() };
        let Some(moving) = open.files.get_mut(&number) else { return Vec::new() };
        vec![Deed::Ask { meeting: open.meeting, ask: ask(moving.file) }]
    }

    /// What a channel tells.
    pub(crate) fn news(&mut self, meeting: u64, news: News, now: Millis) -> Vec<Deed> {
        let Some(key) = self.key_of(meeting) else { return Vec::new() };
        let Some(Peer { name, stage: Stage::Open(open), .. }) = self.peers.get_mut(&key) else { return Vec::new() };
        let (name, shown) = (name.clone(), SafeText::new(name).to_string());
        match news {
            News::Said(text) => {
                let doubtful = open.trust == Trust::Changed;
                vec![
                    Deed::Keep { with: name.clone(), mine: false, text: text.clone() },
                    Deed::Show(Told::Talk { from: name, text, doubtful }),
                ]
            }
            News::NotSaid { why, .. } => {
                vec![refused(Refusal::new(code::USAGE, format!("not sent to {shown}: {why}")))]
            }
            News::Ended { why, unheard } => {
                let by_me = why == Ended::ByUs;
                let unheard = match unheard {
                    0 => String::new(),
                    1 => "; what you said last may not have arrived".to_owned(),
                    count => format!("; the last {count} things you said may not have arrived"),
                };
                let why = match why {
                    Ended::ByThem => format!("{shown} stopped it"),
                    why => SafeText::new(&why.to_string()).to_string(),
                };
                let told = Told::Note(format!("the private chat with {shown} is over: {why}{unheard}"));
                self.over(&key, (!by_me).then_some(told), true)
            }
            news => {
                let deeds = open.file_news(&shown, news, self.key.as_deref(), now);
                let moved = deeds.1;
                let active = if moved { self.is_active(now) } else { Vec::new() };
                [deeds.0, active].concat()
            }
        }
    }

    /// The key that says yes: to the one question there is.
    pub(crate) fn pressed(&mut self, now: Millis) -> Vec<Deed> {
        enum Question {
            Chat(String),
            Relay(String),
            File(String, u32),
        }
        let mut questions = Vec::new();
        for (key, peer) in &self.peers {
            match &peer.stage {
                // What needs a look at a warning is typed.
                Stage::Asked { at, trust, .. } if *trust != Trust::Changed => questions.push((*at, Question::Chat(key.clone()))),
                Stage::Stranded { asked: Some(at), .. } => questions.push((*at, Question::Relay(key.clone()))),
                Stage::Open(open) if open.trust != Trust::Changed => {
                    let asked = open.files.iter().filter_map(|(number, moving)| Some((moving.asked?, *number)));
                    questions.extend(asked.map(|(at, number)| (at, Question::File(key.clone(), number))));
                }
                _ => {}
            }
        }
        let refuse = |text: &str, hint: &str| vec![refused(Refusal::new(code::NO_OFFER, text).hint(hint))];
        match questions.as_slice() {
            [] => refuse("nobody asks you anything that a key could answer", "what needs a closer look is typed: `accept USER`"),
            [(at, _)] if now.0.saturating_sub(at.0) < READ_AFTER => refuse("this came just now", "read it, and press the key again"),
            [(_, Question::Chat(key))] => self.accept(key, now),
            [(_, Question::Relay(key))] => self.relay(key),
            [(_, Question::File(key, number))] => {
                let deeds = self.take(key, *number);
                deeds.into_iter().chain(self.is_active(now)).collect()
            }
            _ => refuse("there is more than one thing to say yes to", "type which: `accept USER`, `getfile USER NUMBER`, `relay USER`"),
        }
    }

    /// The server has taken a block of `name`.
    pub(crate) fn blocked(&self, name: &str) -> Vec<Deed> {
        let Some(peer) = self.peers.get(&folded(name)).filter(|peer| peer.stage.is_open_or_agreed()) else { return Vec::new() };
        let name = SafeText::new(&peer.name);
        let told = format!("the private chat with {name} goes on, for it does not go by the server; `stopprivate {name}` ends it");
        vec![Deed::Show(Told::Question(told))]
    }

    /// When [`tick`](Model::tick) is due.
    pub(crate) fn due(&self) -> Option<Millis> {
        self.peers.values().filter_map(|peer| peer.stage.invited_at()).map(|at| Millis(at.0.saturating_add(FORGOTTEN_AFTER))).min()
    }

    /// Forgets invitations that nobody will answer.
    pub(crate) fn tick(&mut self, now: Millis) -> Vec<Deed> {
        let old = |peer: &Peer| peer.stage.invited_at().is_some_and(|at| now.0.saturating_sub(at.0) >= FORGOTTEN_AFTER);
        let old: Vec<(String, String)> = self
            .peers
            .iter()
            .filter(|(_, peer)| old(peer))
            .map(|(key, peer)| (key.clone(), SafeText::new(&peer.name).to_string()))
            .collect();
        let forget = |(key, name): (String, String)| {
            self.over(&key, Some(Told::Note(format!("nothing came of the invitation between {name} and you"))), false)
        };
        old.into_iter().flat_map(forget).collect()
    }

    /// The reader leaves: everything ends, and nothing is said of it.
    pub(crate) fn leave(&mut self) -> Vec<Deed> {
        let all: Vec<String> = self.peers.keys().cloned().collect();
        all.iter().flat_map(|key| self.over(key, None, false)).filter(|deed| matches!(deed, Deed::End { .. })).collect()
    }

    fn list(&self) -> Vec<Deed> {
        if self.peers.is_empty() {
            return vec![Deed::Show(Told::Note("there is no private chat; `startprivate USER` asks for one".to_owned()))];
        }
        let mut lines = Vec::new();
        for peer in self.peers.values() {
            let name = SafeText::new(&peer.name);
            match &peer.stage {
                Stage::Asking { .. } => lines.push(format!("{name}: asked, no answer yet")),
                Stage::Asked { .. } => lines.push(format!("{name}: asks you")),
                Stage::Accepting { .. } | Stage::Meeting { .. } => lines.push(format!("{name}: agreed, looking for a way")),
                Stage::Stranded { agreed, .. } if agreed.relay.by_me => {
                    lines.push(format!("{name}: has not agreed yet to go through the server"))
                }
                Stage::Stranded { .. } => lines.push(format!("{name}: no direct way; `relay {name}` goes through the server")),
                Stage::Open(open) => {
                    let way = if open.relayed { "through the server" } else { "directly" };
                    let sure = match open.trust {
                        Trust::Verified => "verified",
                        Trust::Changed => "ANOTHER KEY THAN THE ONE YOU VERIFIED",
                        _ => "not verified",
                    };
                    lines.push(format!("{name}: open, {way}, {sure}, digits {}", open.sas));
                    lines.extend(open.files.iter().map(|(number, moving)| format!("  {}", moving.listed(*number))));
                }
            }
        }
        lines.into_iter().map(|line| Deed::Show(Told::Note(line))).collect()
    }

    /// Something was done: the server may have to know.
    fn is_active(&mut self, now: Millis) -> Vec<Deed> {
        if self.active.is_some_and(|last| (0..ACTIVE_EVERY).contains(&now.0.saturating_sub(last.0))) {
            return Vec::new();
        }
        self.active = Some(now);
        vec![Deed::Order(Order::Active)]
    }

    fn key_of(&self, meeting: u64) -> Option<String> {
        self.peers.iter().find(|(_, peer)| peer.stage.meeting() == Some(meeting)).map(|(key, _)| key.clone())
    }

    fn with(&self, meeting: u64) -> Option<&Peer> {
        self.peers.values().find(|peer| peer.stage.meeting() == Some(meeting))
    }
}

/// What came of a meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Met {
    /// What the two compare.
    pub(crate) sas: String,
}

impl Stage {
    fn meeting(&self) -> Option<u64> {
        match self {
            Stage::Asked { .. } => None,
            Stage::Asking { meeting, .. } | Stage::Accepting { meeting, .. } => Some(*meeting),
            Stage::Meeting { agreed, .. } | Stage::Stranded { agreed, .. } => Some(agreed.meeting),
            Stage::Open(open) => Some(open.meeting),
        }
    }

    fn is_open_or_agreed(&self) -> bool {
        matches!(self, Stage::Meeting { .. } | Stage::Stranded { .. } | Stage::Open(_))
    }

    fn invited_at(&self) -> Option<Millis> {
        match self {
            Stage::Asking { at, .. } | Stage::Asked { at, .. } | Stage::Accepting { at, .. } => Some(*at),
            _ => None,
        }
    }
}

impl Open {
    /// What there is to do about a file, and whether that counts as activity.
    fn file_news(&mut self, name: &str, news: News, key: Option<&str>, now: Millis) -> (Vec<Deed>, bool) {
        let told = match news {
            News::Offered { file, name: called, size, kind } => {
                let number = self.add(file, &called, size, Some(now), now);
                let called = SafeText::new(&called);
                let yes = key.filter(|_| self.trust != Trust::Changed).map_or(String::new(), |key| format!("{key} or "));
                Told::Question(format!(
                    "{name} offers file {number}: {called} ({kind}, {}): {yes}`getfile {name} {number}`, or `cancelfile {name} {number}`",
                    bytes(size)
                ))
            }
            News::Offering { file, name: called, size, .. } => {
                let number = self.add(file, &called, size, None, now);
                Told::Note(format!("{name} is offered file {number}: {} ({})", SafeText::new(&called), bytes(size)))
            }
            News::CannotOffer { path, why } => {
                let path = SafeText::new(&path.display().to_string()).to_string();
                Told::Refused(Refusal::new(code::USAGE, format!("{path} is not offered to {name}: {}", SafeText::new(&why))))
            }
            News::Started { file, from } => {
                let Some((number, moving)) = self.of(file) else { return (Vec::new(), false) };
                (moving.done, moving.asked, moving.since, moving.told) = (Some(from), None, (now, from), (now, from));
                let from = if from == 0 { String::new() } else { format!(", from {} on, where it stopped", bytes(from)) };
                Told::Note(format!("file {number}, {}, {}{from}", SafeText::new(&moving.name), moving.way(name)))
            }
            News::Progress { file, done, size } => {
                let Some((number, moving)) = self.of(file) else { return (Vec::new(), false) };
                (moving.done, moving.size) = (Some(done), size);
                return (moving.progress(number, now).map(|line| Deed::Show(Told::Note(line))).into_iter().collect(), true);
            }
            News::Finished { file, path } => {
                let Some((number, moving)) = self.remove(file) else { return (Vec::new(), false) };
                let called = SafeText::new(&moving.name);
                match path {
                    Some(path) => {
                        let path = SafeText::new(&path.display().to_string()).to_string();
                        Told::Note(format!("file {number} from {name} is here, whole and checked: {path}"))
                    }
                    None => Told::Note(format!("file {number}, {called}, is with {name}, whole and checked")),
                }
            }
            News::Dropped { file, why } => {
                let Some((number, moving)) = self.remove(file) else { return (Vec::new(), false) };
                let why = SafeText::new(&why.to_string()).to_string();
                let again = match (moving.done, file.origin) {
                    (Some(done), _) if done > 0 && done < moving.size => "; offered again, it goes on where it stopped",
                    _ => "",
                };
                Told::Note(format!("file {number}, {}, is not sent: {why}{again}", SafeText::new(&moving.name)))
            }
            News::Said(_) | News::NotSaid { .. } | News::Ended { .. } => return (Vec::new(), false),
        };
        (vec![Deed::Show(told)], false)
    }

    fn add(&mut self, file: File, name: &str, size: u64, asked: Option<Millis>, now: Millis) -> u32 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.files.insert(number, Moving { file, name: name.to_owned(), size, done: None, since: (now, 0), told: (now, 0), asked });
        number
    }

    fn of(&mut self, file: File) -> Option<(u32, &mut Moving)> {
        self.files.iter_mut().find(|(_, moving)| moving.file == file).map(|(number, moving)| (*number, moving))
    }

    fn remove(&mut self, file: File) -> Option<(u32, Moving)> {
        let number = self.of(file)?.0;
        self.files.remove(&number).map(|moving| (number, moving))
    }
}

impl Moving {
    /// What is told of it when the chat ends before it has.
    fn cut(&self, number: u32) -> String {
        let again = if self.done.is_some() { "; offered again, it goes on where it stopped" } else { "" };
        format!("file {number}, {}, is not sent: the private chat is over{again}", SafeText::new(&self.name))
    }

    fn way(&self, name: &str) -> String {
        match self.file.origin {
            Origin::Ours => format!("goes to {name}"),
            Origin::Theirs => format!("comes from {name}"),
        }
    }

    /// A line for every quarter, unless the file is fast.
    fn progress(&mut self, number: u32, now: Millis) -> Option<String> {
        let (last, told) = self.told;
        let done = self.done?;
        let quarter = |done: u64| u128::from(done) * 4 / u128::from(self.size.max(1));
        let passed = now.0.saturating_sub(last.0);
        if quarter(done) == quarter(told) || quarter(done) >= 4 || passed < PROGRESS_EVERY {
            return None;
        }
        self.told = (now, done);
        Some(format!("file {number}, {}: {}", SafeText::new(&self.name), self.state(now)))
    }

    fn state(&self, now: Millis) -> String {
        let done = self.done.unwrap_or(0);
        let percent = u128::from(done) * 100 / u128::from(self.size.max(1));
        let (since, from) = self.since;
        let passed = u64::try_from(now.0.saturating_sub(since.0)).unwrap_or(0);
        let speed = match u128::from(done.saturating_sub(from)) * 1000 / u128::from(passed.max(1)) {
            _ if passed == 0 => String::new(),
            speed => format!(", {}/s", bytes(u64::try_from(speed).unwrap_or(u64::MAX))),
        };
        format!("{percent}% of {}{speed}", bytes(self.size))
    }

    fn listed(&self, number: u32) -> String {
        let way = if self.file.origin == Origin::Ours { "to there" } else { "to here" };
        let state = match (self.done, self.asked) {
            (Some(done), _) => format!("{}% of {}", u128::from(done) * 100 / u128::from(self.size.max(1)), bytes(self.size)),
            (None, Some(_)) => format!("{}, waits for your answer", bytes(self.size)),
            (None, None) => format!("{}, not begun", bytes(self.size)),
        };
        format!("file {number}, {way}: {} ({state})", SafeText::new(&self.name))
    }
}

/// A key that is not the one of before.
fn changed(name: &SafeText, known: Known, shown: Fingerprint) -> String {
    let before = if known.verified { "the one you verified" } else { "the last time" };
    format!(
        "WARNING: {name} has another key than {before}\n\
         \x20 before: SHA256:{}\n\
         \x20 now:    SHA256:{shown}\n\
         either {name} uses another machine, or somebody pretends to be {name}; ask in another way before you say anything",
        known.fingerprint
    )
}

fn refused(refusal: Refusal) -> Deed {
    Deed::Show(Told::Refused(refusal))
}

fn usage(verb: Verb, why: &str) -> Deed {
    refused(Refusal::new(code::USAGE, why).hint(format!("usage: /{}", cards::usage(verb))))
}

/// A number of bytes as people say it: `1.2 GB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: &[&str] = &["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} bytes");
    }
    // In tenths of the unit, rounded down: nothing seems whole before it is.
    let (mut tenths, mut unit) = (count / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    if tenths >= 1000 { format!("{} {}", tenths / 10, UNITS[unit]) } else { format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]) }
}

#[cfg(test)]
mod tests;
