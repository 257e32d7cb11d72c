//! What the client has learnt from the server: which commands there are, and who is around.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chinwag_wire::event::{RoomDeed, RoomNews};
use chinwag_wire::name::folded;
use chinwag_wire::{Addressee, ArgCard, Arrival, Card, Complete, Event, Kind, PeopleOf, SafeText, Said};

use crate::machinery;

/// How many names are kept for completion: more than anybody completes among.
const NAMES_MAX: usize = 10_000;
/// How many people are remembered in the order one spoke with them: more than anybody has in mind.
const SPOKEN_MAX: usize = 100;
/// How many commands with a secret argument are kept in mind; a server has two or three.
const GUARDED_MAX: usize = 100;

/// What is known. Starts empty, and learns from every event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Knowledge {
    /// The commands one may run now.
    pub(crate) cards: Vec<Card>,
    /// Those of them that the server has.
    served: Vec<Card>,
    /// Every command ever heard of that takes a secret: after login the server no longer lists `login`, but a
    /// password typed after it is a secret all the same.
    guarded: Vec<Card>,
    /// The commands of the client itself, where the server has none of the same name.
    own: Vec<Card>,
    /// Commands of the client that go before the server's, where the server has the first of them.
    before: Vec<Card>,
    online: BTreeSet<String>,
    /// Who of them, or of a room by what they are called there, had done nothing for a while when that was last told.
    idle: BTreeSet<String>,
    seen: BTreeSet<String>,
    /// Who wrote to the reader, the last first.
    writers: VecDeque<String>,
    /// Whom the reader spoke with, either way, the last first.
    spoken: VecDeque<String>,
    /// Who has said something where the reader heard it.
    heard: BTreeSet<String>,
    /// Rooms that have come up.
    rooms: BTreeSet<String>,
    /// The room that the reader's lines go to.
    stay: Option<Stay>,
    /// To whom what is typed is said, wherever the reader is.
    partner: Option<String>,
    /// It is from before a login, whose answer has not told yet where the reader is.
    stale: bool,
}

/// A room that the reader's lines go to.
#[derive(Clone, Debug)]
struct Stay {
    room: String,
    /// What the reader is called in it.
    nick: String,
    /// What the others in it are called.
    members: BTreeSet<String>,
}

impl Knowledge {
    /// Learns what `event` tells.
    pub(crate) fn learn(&mut self, event: &Event) {
        match event {
            Event::Cards { cards } => self.learn_cards(cards),
            Event::Roster { names, rooms, idle, .. } => {
                rooms.iter().for_each(|room| insert(&mut self.rooms, room));
                self.online.clear();
                self.idle.clear();
                names.iter().for_each(|name| self.met(name, true));
                idle.keys().for_each(|name| self.is_idle(name, true));
            }
            Event::Presence { name, what: Arrival::LoggedIn, .. } => {
                self.met(name, true);
                self.is_idle(name, false);
            }
            Event::Presence { name, .. } => {
                self.online.remove(name);
                self.is_idle(name, false);
                self.met(name, false);
            }
            Event::Message(said) => {
                self.met(&said.from, !said.offline);
                if !said.offline {
                    // Who says something is not idle, whatever the last list said.
                    self.is_idle(&said.from, false);
                    said.nick.iter().for_each(|nick| self.is_idle(nick, false));
                }
                insert(&mut self.heard, &folded(said.nick.as_ref().unwrap_or(&said.from)));
                if let Addressee::Room(room) = &said.to {
                    insert(&mut self.rooms, room);
                }
                if matches!(said.to, Addressee::User(_)) && self.seen.contains(&said.from) {
                    to_front(&mut self.writers, &said.from);
                    to_front(&mut self.spoken, &said.from);
                }
            }
            Event::Own(Said { to: Addressee::User(name), .. }) | Event::Sent { to: Addressee::User(name), .. } => {
                self.met(name, false);
                if self.seen.contains(name) {
                    to_front(&mut self.spoken, name);
                }
            }
            Event::Past(said) => self.met(&said.from, false),
            Event::Entered { room, heard_only: true, .. } => insert(&mut self.rooms, room),
            // Until it is known otherwise, one is where one was.
            Event::Welcome { .. } => self.stale = true,
            Event::Entered { room, nick, others, .. } => {
                self.stale = false;
                insert(&mut self.rooms, room);
                // A name that cannot be shown as it is stands in no prompt.
                let mut stay = Stay { room: SafeText::new(room).to_string(), nick: nick.clone(), members: BTreeSet::new() };
                others.iter().for_each(|nick| insert(&mut stay.members, nick));
                self.stay = Some(stay);
            }
            Event::Left { room } => self.leave_room(room),
            Event::Room(news) => self.learn_news(news),
            Event::Rooms { rooms, .. } => rooms.iter().for_each(|room| insert(&mut self.rooms, &room.name)),
            Event::Members { room, members, .. } => {
                if let Some(stay) = self.stay_in(room) {
                    members.iter().for_each(|member| insert(&mut stay.members, &member.nick));
                }
                for member in members {
                    self.is_idle(&member.nick, member.idle.is_some());
                    member.name.iter().for_each(|name| self.is_idle(name, member.idle.is_some()));
                }
            }
            Event::People { of: PeopleOf::Online, names, idle, .. } => {
                for name in names {
                    self.met(name, true);
                    self.is_idle(name, idle.contains_key(name));
                }
            }
            Event::People { names, .. } => names.iter().for_each(|name| self.met(name, false)),
            Event::Directory { users, .. } => {
                for user in users {
                    self.met(&user.name, user.online);
                    self.is_idle(&user.name, user.idle.is_some());
                }
            }
            _ => {}
        }
    }

    /// From here on the client obeys these commands itself, where the server has none of the same name.
    pub(crate) fn obey(&mut self, cards: Vec<Card>) {
        self.own = cards;
        self.put_together();
    }

    /// The client obeys these commands itself, whatever the server calls by the same names, as long as the server has the first of them:
    /// it does the part of them that a server cannot do.
    pub(crate) fn go_before(&mut self, cards: Vec<Card>) {
        self.before = cards;
        self.put_together();
    }

    /// Whether `name` is a command that does nothing but leave.
    pub(crate) fn says_goodbye(&self, name: &str) -> bool {
        let goodbye = machinery::LOGOUT.trim_start_matches('/');
        let is_ours = |card: &&Card| card.name == goodbye && card.answers_to(name);
        name.eq_ignore_ascii_case(goodbye) || self.cards.iter().any(|card| is_ours(&card))
    }

    /// Whether the client obeys `name` itself.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        self.cards.iter().find(|card| card.answers_to(name)).is_some_and(|card| self.own.contains(card))
    }

    /// Whether `name` is one of the commands that go before the server's.
    pub(crate) fn goes_before(&self, name: &str) -> bool {
        self.cards.iter().find(|card| card.answers_to(name)).is_some_and(|card| self.before.contains(card))
    }

    /// Whether `name` is what the server's command `command` is called, or one of its aliases.
    pub(crate) fn is(&self, name: &str, command: &str) -> bool {
        self.served.iter().find(|card| card.answers_to(name)).is_some_and(|card| card.name == command)
    }

    /// Whether the server has said which commands it has.
    pub(crate) fn knows_commands(&self) -> bool {
        !self.served.is_empty()
    }

    /// Whether the server has said which commands it has for somebody who is logged in.
    pub(crate) fn knows_commands_inside(&self) -> bool {
        self.knows_commands() && !self.served.iter().any(|card| card.answers_to(machinery::LOGIN))
    }

    /// Names of people who are online.
    pub(crate) fn online(&self) -> impl Iterator<Item = &str> {
        self.online.iter().map(String::as_str)
    }

    /// All names that have come up.
    pub(crate) fn seen(&self) -> impl Iterator<Item = &str> {
        self.seen.iter().map(String::as_str)
    }

    /// Whether somebody of that name has come up.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.seen.contains(name) || self.members().any(|nick| nick == name) || self.seen.iter().any(|seen| seen.eq_ignore_ascii_case(name))
    }

    /// Rooms that have come up.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &str> {
        self.rooms.iter().map(String::as_str)
    }

    /// The room that the reader is in.
    pub(crate) fn room(&self) -> Option<&str> {
        self.stay.as_ref().map(|stay| stay.room.as_str())
    }

    /// From here on what is typed is said to `whom`: to a person, or with a `#` to a room; to nobody in particular, if there is none.
    pub(crate) fn talk_to(&mut self, whom: Option<&str>) {
        self.partner = whom.map(|whom| self.seen.iter().find(|name| folded(name) == folded(whom)).map_or(whom, |name| name).to_owned());
    }

    /// With whom the reader has chosen to talk.
    pub(crate) fn partner(&self) -> Option<&str> {
        self.partner.as_deref()
    }

    /// To whom what is typed without a `/` or an `@` is said, as it stands after an `@`: the one the reader talks with, or else the
    /// room. If there is none, it is a command.
    pub(crate) fn addressee(&self) -> Option<String> {
        self.partner.clone().or_else(|| self.room().map(|room| format!("#{room}")))
    }

    /// The same in words: `bob`, `all in den`.
    pub(crate) fn addressed(&self) -> Option<String> {
        self.addressee().map(|whom| whom.strip_prefix('#').map_or_else(|| whom.clone(), |room| format!("all in {room}")))
    }

    /// What the others in that room are called.
    pub(crate) fn members(&self) -> impl Iterator<Item = &str> {
        self.stay.iter().flat_map(|stay| stay.members.iter().map(String::as_str))
    }

    /// All that a login tells has been told.
    pub(crate) fn settle(&mut self) {
        if std::mem::take(&mut self.stale) {
            self.stay = None;
        }
    }

    fn leave_room(&mut self, room: &str) {
        self.stay = self.stay.take().filter(|stay| folded(&stay.room) != folded(room));
    }

    fn stay_in(&mut self, room: &str) -> Option<&mut Stay> {
        self.stay.as_mut().filter(|stay| stay.room == room)
    }

    fn learn_news(&mut self, news: &RoomNews) {
        insert(&mut self.rooms, &news.room);
        let whom = news.whom.as_deref().unwrap_or_default();
        let Some(stay) = self.stay_in(&news.room) else { return };
        match news.what {
            RoomDeed::Arrived => insert(&mut stay.members, whom),
            RoomDeed::Kicked | RoomDeed::Banned if folded(&stay.nick) == folded(whom) => self.leave_room(&news.room),
            RoomDeed::Ended => self.leave_room(&news.room),
            RoomDeed::Left | RoomDeed::Kicked | RoomDeed::Banned => {
                stay.members.remove(whom);
            }
            RoomDeed::Renamed => {
                let new = news.text.as_deref().unwrap_or_default();
                if folded(&stay.nick) == folded(whom) {
                    new.clone_into(&mut stay.nick);
                } else if stay.members.remove(whom) {
                    insert(&mut stay.members, new);
                }
            }
            _ => {}
        }
    }

    /// Whether somebody has said something where the reader heard it, or was spoken with.
    pub(crate) fn is_familiar(&self, name: &str) -> bool {
        let name = folded(name);
        self.heard.contains(&name) || self.spoken.iter().any(|spoken| folded(spoken) == name)
    }

    /// Who wrote to the reader, the last first.
    pub(crate) fn writers(&self) -> impl Iterator<Item = &str> {
        self.writers.iter().map(String::as_str)
    }

    /// `names` in the order they are most likely meant: those whom the reader spoke with, the last first, then the others, and
    /// of these the idle ones last.
    pub(crate) fn ranked<'a>(&self, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let mut names: Vec<&str> = names.collect();
        if !self.spoken.is_empty() || !self.idle.is_empty() {
            let spoken = |name: &str| self.spoken.iter().position(|spoken| spoken == name).unwrap_or(usize::MAX);
            names.sort_by_cached_key(|name| (spoken(name), self.idle.contains(*name)));
        }
        names
    }

    /// The commands that take a secret, whether or not they can be run now.
    pub(crate) fn guarded(&self) -> &[Card] {
        &self.guarded
    }

    fn met(&mut self, name: &str, online: bool) {
        insert(&mut self.seen, name);
        if online {
            insert(&mut self.online, name);
        }
    }

    fn is_idle(&mut self, name: &str, idle: bool) {
        if idle {
            insert(&mut self.idle, name);
        } else {
            self.idle.remove(name);
        }
    }

    fn learn_cards(&mut self, cards: &[Card]) {
        self.served = cards.iter().map(safe).collect();
        self.put_together();
        for card in &self.cards {
            let guards = card.args.iter().any(|arg| arg.kind.secret);
            if guards && self.guarded.len() < GUARDED_MAX && !self.guarded.contains(card) {
                self.guarded.push(card.clone());
            }
        }
    }

    /// Which commands there are, now that one of the lists is another.
    fn put_together(&mut self) {
        let has = |cards: &[Card], card: &Card| cards.iter().any(|known| known.answers_to(&card.name));
        let before: &[Card] = if self.before.first().is_some_and(|first| has(&self.served, first)) { &self.before } else { &[] };
        self.cards = self.served.iter().filter(|card| !has(before, card)).cloned().collect();
        self.cards.extend(before.iter().cloned());
        let own: Vec<Card> = self.own.iter().filter(|card| !has(&self.cards, card)).cloned().collect();
        self.cards.extend(own);
    }
}

/// Remembers a name, unless it could not be completed: it would have to be changed to be shown, or is no single word.
fn insert(names: &mut BTreeSet<String>, name: &str) {
    let fit = !name.is_empty() && !name.contains(char::is_whitespace) && SafeText::new(name).as_str() == name;
    if fit && names.len() < NAMES_MAX {
        names.insert(name.to_owned());
    }
}

fn to_front(names: &mut VecDeque<String>, name: &str) {
    names.retain(|other| !other.eq_ignore_ascii_case(name));
    names.truncate(SPOKEN_MAX - 1);
    names.push_front(name.to_owned());
}

/// The card with nothing in it that acts on a terminal: hints and completions show it as it is.
fn safe(card: &Card) -> Card {
    let made_safe = |text: &str| SafeText::new(text).to_string();
    let args = card.args.iter().map(|arg| ArgCard {
        name: made_safe(&arg.name).into(),
        help: made_safe(&arg.help).into(),
        kind: Kind {
            label: made_safe(&arg.kind.label).into(),
            complete: match &arg.kind.complete {
                Complete::OneOf(words) => Complete::OneOf(words.iter().map(|word| made_safe(word).into()).collect::<Vec<_>>().into()),
                other => other.clone(),
            },
            ..arg.kind
        },
    });
    Card {
        name: made_safe(&card.name).into(),
        aliases: card.aliases.iter().map(|alias| made_safe(alias).into()).collect::<Vec<_>>().into(),
        summary: made_safe(&card.summary).into(),
        args: args.collect(),
        examples: "".into(),
    }
}

/// Knowledge that the session fills and the prompt reads. The lock is held for a few map look-ups, never across
/// a wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedKnowledge(Arc<Mutex<Knowledge>>);

impl SharedKnowledge {
    /// Looks or learns.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Knowledge> {
        // Knowledge is never half-changed in a way that matters, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A few commands and people, for the tests of completion, hints and history.
#[cfg(test)]
pub(crate) fn for_tests() -> Knowledge {
    use chinwag_wire::{Millis, Shape};

    let kind = |complete| Kind { complete, ..Kind::WORD };
    let text = Kind { shape: Shape::Rest, ..Kind::WORD };
    let secret = Kind { secret: true, ..Kind::WORD };
    let optional = |kind| Kind { optional: true, ..kind };
    let arg = |name: &'static str, kind| ArgCard { name: name.into(), help: "x".into(), kind };
    let card = |name: &'static str, aliases: &[&'static str], args: Vec<ArgCard>| Card {
        name: name.into(),
        aliases: aliases.iter().map(|alias| (*alias).into()).collect::<Vec<_>>().into(),
        summary: "Does.".into(),
        args,
        examples: "".into(),
    };
    let mut knowledge = Knowledge::default();
    let login = card("login", &[], vec![arg("name", Kind::WORD), arg("password", secret.clone())]);
    knowledge.learn(&Event::Cards { cards: vec![login] });
    let cards = vec![
        card("message", &["msg", "tell"], vec![arg("to", kind(Complete::OnlineUsers)), arg("text", text.clone())]),
        card("broadcast", &[], vec![arg("text", text.clone())]),
        card("block", &[], vec![arg("user", kind(Complete::KnownUsers))]),
        card("blocked", &[], vec![]),
        card("help", &[], vec![arg("command", optional(kind(Complete::Commands)))]),
        card("dialect", &[], vec![arg("name", kind(Complete::OneOf(vec!["text".into(), "json".into()].into())))]),
        card("passwd", &[], vec![arg("old", secret.clone()), arg("new", secret)]),
        card(
            "sendfile",
            &[],
            vec![arg("to", kind(Complete::OnlineUsers)), arg("path", Kind { shape: Shape::Rest, ..kind(Complete::Files) })],
        ),
    ];
    knowledge.learn(&Event::Cards { cards });
    knowledge.learn(&Event::Roster {
        names: vec!["bob".into(), "bobby".into(), "Carol".into()],
        rooms: Vec::new(),
        idle: Default::default(),
        more: false,
    });
    knowledge.learn(&Event::Presence { name: "dave".into(), what: Arrival::LoggedOut, at: Millis(0) });
    knowledge
}

#[cfg(test)]
mod tests {
    use chinwag_wire::Millis;

    use super::*;

    #[test]
    fn people_come_and_go_but_are_not_forgotten() {
        let mut knowledge = for_tests();
        let online = |knowledge: &Knowledge| knowledge.online().collect::<Vec<_>>().join(" ");
        assert_eq!(online(&knowledge), "Carol bob bobby");
        knowledge.learn(&Event::Presence { name: "bob".into(), what: Arrival::TimedOut, at: Millis(0) });
        knowledge.learn(&Event::Presence { name: "erin".into(), what: Arrival::LoggedIn, at: Millis(0) });
        assert_eq!(online(&knowledge), "Carol bobby erin");
        assert_eq!(knowledge.seen().collect::<Vec<_>>().join(" "), "Carol bob bobby dave erin");
    }

    #[test]
    fn who_is_idle_comes_behind_who_is_not_and_in_front_of_nobody_one_spoke_with() {
        let ranked = |knowledge: &Knowledge| knowledge.ranked(["bob", "bobby", "Carol"].into_iter()).join(" ");
        let mut knowledge = for_tests();
        assert_eq!(ranked(&knowledge), "bob bobby Carol");
        let online = |idle: &[&str]| Event::People {
            of: PeopleOf::Online,
            names: vec!["bob".into(), "bobby".into(), "Carol".into()],
            idle: idle.iter().map(|name| ((*name).to_owned(), 300)).collect(),
            more: false,
        };
        knowledge.learn(&online(&["bob", "bobby"]));
        assert_eq!(ranked(&knowledge), "Carol bob bobby");
        let said = |from: &str, offline| Event::Message(Said { from: from.into(), offline, ..Said::default() });
        knowledge.learn(&said("bob", true));
        assert_eq!(ranked(&knowledge), "Carol bob bobby", "what was said long ago is no sign of life");
        knowledge.learn(&said("bob", false));
        assert_eq!(ranked(&knowledge), "bob Carol bobby");
        knowledge.learn(&Event::Own(Said { to: Addressee::User("bobby".into()), ..Said::default() }));
        assert_eq!(ranked(&knowledge), "bobby bob Carol", "who is spoken with is meant, idle or not");
        knowledge.learn(&online(&["bob"]));
        assert_eq!(ranked(&knowledge), "bobby Carol bob");
        knowledge.learn(&online(&[]));
        assert_eq!(ranked(&knowledge), "bobby bob Carol");
    }

    #[test]
    fn a_hostile_name_is_not_offered_and_a_hostile_card_is_made_safe() {
        let mut knowledge = for_tests();
        knowledge.learn(&Event::Roster {
            names: vec!["\x1b[2J".into(), "two words".into(), String::new(), "ok".into()],
            rooms: Vec::new(),
            idle: Default::default(),
            more: false,
        });
        assert_eq!(knowledge.online().collect::<Vec<_>>(), ["ok"]);
        let card = Card { name: "x\x1b[2J".into(), aliases: vec![].into(), summary: "X.".into(), args: vec![], examples: "".into() };
        knowledge.learn(&Event::Cards { cards: vec![card] });
        assert_eq!(knowledge.cards[0].name, "x␛[2J");
    }

    fn card(name: &'static str, summary: &'static str) -> Card {
        Card { name: name.into(), aliases: vec![].into(), summary: summary.into(), args: vec![], examples: "".into() }
    }

    #[test]
    fn a_command_of_the_server_goes_before_one_of_the_client() {
        let mut knowledge = Knowledge::default();
        knowledge.obey(vec![card("set", "Mine."), card("quit", "Mine.")]);
        assert!(knowledge.is_own("SET") && knowledge.is_own("quit") && !knowledge.is_own("other"));
        knowledge.learn(&Event::Cards { cards: vec![card("quit", "The server's."), card("who", "X.")] });
        assert!(knowledge.is_own("set") && !knowledge.is_own("quit") && !knowledge.is_own("who"));
        assert_eq!(knowledge.cards.len(), 3);
        knowledge.learn(&Event::Cards { cards: vec![card("who", "X.")] });
        assert!(knowledge.is_own("quit"), "the server has taken it back");
    }

    #[test]
    fn some_commands_of_the_client_go_before_the_servers_where_the_server_has_the_first_of_them() {
        let mut knowledge = Knowledge::default();
        knowledge.obey(vec![card("set", "Mine.")]);
        knowledge.go_before(vec![card("startprivate", "Mine."), card("private", "Mine.")]);
        assert!(!knowledge.goes_before("startprivate") && !knowledge.knows_commands());
        let served = vec![card("startprivate", "The server's."), card("who", "X.")];
        knowledge.learn(&Event::Cards { cards: served.clone() });
        assert!(knowledge.goes_before("STARTPRIVATE") && knowledge.goes_before("private"));
        assert!(knowledge.is_own("set") && !knowledge.is_own("private") && !knowledge.goes_before("who"));
        let names = |knowledge: &Knowledge| knowledge.cards.iter().map(|card| card.name.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(names(&knowledge), "who startprivate private set");
        knowledge.go_before(vec![card("startprivate", "Mine."), card("verify", "Mine, now.")]);
        assert_eq!(names(&knowledge), "who startprivate verify set", "the list may change");
        knowledge.learn(&Event::Cards { cards: served[1..].to_vec() });
        assert_eq!(names(&knowledge), "who set", "a server without them has none of them");
    }

    #[test]
    fn names_have_a_bound() {
        let mut knowledge = Knowledge::default();
        knowledge.learn(&Event::Roster {
            names: (0..2 * NAMES_MAX).map(|n| format!("user{n}")).collect(),
            rooms: Vec::new(),
            idle: Default::default(),
            more: false,
        });
        assert_eq!(knowledge.online().count(), NAMES_MAX);
    }
}
