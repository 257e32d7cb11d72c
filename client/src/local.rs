//! Commands of the client itself: what was said while one looked away, settings, and paging. They have cards like the
//! server's, so they complete, hint and stand in the help beside them; a command of the server's with the same name
//! goes before them.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;

use chinwag_settings::{Seconds, Setting, Settings};
use chinwag_wire::name::folded;
use chinwag_wire::split::{self, Asked};
use chinwag_wire::{Addressee, ArgCard, Card, Code, Complete, Event, Fact, Kind, Millis, Refusal, SafeText, Said, Shape, code};
use jiff::tz::TimeZone;

use crate::config::Config;
use crate::connection::in_words;
use crate::here::Here;
use crate::private;
use crate::replace;
use crate::screen::model::{calls, long_ago};
use crate::wrap;

/// How many messages are remembered for `mentions` and `unread`: a busy day. The server's history has them all.
const SAID_MAX: usize = 5000;
/// How many people are remembered for `recent`.
const PEOPLE_MAX: usize = 100;
/// How many messages of one answer are held back to be paged: many times what a server gives at once.
const HELD_MAX: usize = 10_000;
/// How many lines `mentions` shows if no number is given, and `recent`: about a screenful.
const SHOWN: usize = 20;
/// How many people and rooms `unread` counts one by one: about a row.
const PLACES_SHOWN: usize = 6;
/// How much of what was said last stands in `recent`.
const START_CHARS: usize = 40;
/// The kind of facts that the client makes itself.
const FACT: &str = "chinwag.client";
/// The command that changes a setting.
pub(crate) const SET: &str = "set";
/// The command that chooses to whom what is typed is said.
const TALK: &str = "talk";
/// The name after `@` that means everybody.
const ALL: &str = "all";
/// The command that explains commands, the client's own too.
const HELP: &str = "help";

/// What the client knows of the past of this visit, and what it obeys itself.
pub(crate) struct Local {
    config: Config,
    /// Where settings are kept, if anywhere.
    file: Option<PathBuf>,
    me: String,
    here: Here,
    /// Since when the reader had done nothing when what is new was marked last.
    marked: Option<Millis>,
    /// Where the reader's clock is.
    zone: TimeZone,
    /// What was said to the reader, the last at the end.
    said: VecDeque<Said>,
    /// How many of the last have come since the reader typed something.
    unread: usize,
    /// With whom the reader spoke, the last first: when, and what was said.
    people: VecDeque<(String, Millis, String)>,
    /// Of the answer that comes in at the moment.
    held: Vec<Said>,
    /// What was not shown of the last answer, the last at the end.
    earlier: Vec<Said>,
}

/// What comes of a line that the client obeys itself.
#[derive(Debug)]
pub(crate) enum Answer {
    /// This is shown.
    Events(Vec<Event>),
    /// From here on these settings are in force, and this is shown.
    Set {
        /// All settings.
        config: Box<Config>,
        /// What is shown.
        events: Vec<Event>,
    },
    /// From here on what is typed is said to them, or to nobody in particular; and this is shown.
    Talk {
        /// A person, or with a `#` a room.
        whom: Option<String>,
        /// What is shown.
        events: Vec<Event>,
    },
    /// The reader leaves.
    Leave,
}

/// The cards of what the client obeys itself.
pub(crate) fn cards() -> Vec<Card> {
    let number = || Kind { label: "a number".into(), optional: true, ..Kind::WORD };
    let arg = |name: &'static str, help: &'static str, kind| ArgCard { name: name.into(), help: help.into(), kind };
    let card = |name: &'static str, aliases: &[&'static str], summary: &'static str, args, examples: &'static str| Card {
        name: name.into(),
        aliases: aliases.iter().map(|alias| (*alias).into()).collect::<Vec<_>>().into(),
        summary: summary.into(),
        args,
        examples: examples.into(),
    };
    let settings = Config::reference();
    let names = settings.iter().map(|setting| setting.key.into()).collect::<Vec<_>>();
    let mut values: Vec<_> = settings.iter().flat_map(|setting| setting.choices().map(Into::into)).collect();
    values.sort();
    values.dedup();
    let name = Kind { label: "a setting".into(), complete: Complete::OneOf(names.into()), optional: true, ..Kind::WORD };
    let value =
        Kind { label: "its new value".into(), shape: Shape::Rest, complete: Complete::OneOf(values.into()), optional: true, ..Kind::WORD };
    vec![
        card(
            "mentions",
            &[],
            "Show what was said to you alone, of you, or with a word you have as a highlight, since you came.",
            vec![arg("count", "how many of the newest, 20 if not given", number())],
            "",
        ),
        card(
            TALK,
            &["query"],
            "Say all you type to one person from here on, without @NAME in front; without a name, no more.",
            vec![arg(
                "whom",
                "to whom: somebody, or a room you are in with # in front",
                Kind { label: "a user".into(), complete: Complete::KnownUsers, optional: true, ..Kind::WORD },
            )],
            "alice> /talk bob\nalice | * what you type is said to bob from here on; commands begin with /, and /talk ends it",
        ),
        card("unread", &[], "Show what was said since you last typed something.", vec![], ""),
        card("recent", &[], "List whom you spoke with since you came, the last first.", vec![], ""),
        card("more", &[], "Show what came before the messages shown last.", vec![], ""),
        card(
            SET,
            &[],
            "List the settings, explain one, or change one for good.",
            vec![arg("name", "which setting", name), arg("value", "what to change it to", value)],
            "alice> /set page 10\nalice | * page is 10",
        ),
        card("quit", &["exit"], "Log out and end this client.", vec![], ""),
    ]
}

/// The setting that somebody calls `key`.
pub(crate) fn setting(key: &str) -> Option<Setting> {
    let key = key.to_lowercase().replace('-', "_");
    Config::reference().into_iter().find(|setting| setting.key == key)
}

impl Local {
    /// For the reader `me`, who does something where `here` says; what is set is written to `file`.
    pub(crate) fn new(me: &str, config: Config, file: Option<PathBuf>, here: Here) -> Local {
        Local {
            config,
            file,
            me: me.to_owned(),
            here,
            marked: None,
            zone: TimeZone::system(),
            said: VecDeque::new(),
            unread: 0,
            people: VecDeque::new(),
            held: Vec::new(),
            earlier: Vec::new(),
        }
    }

    /// Remembers what `event` tells.
    pub(crate) fn learn(&mut self, event: &Event) {
        match event {
            Event::Message(said) => {
                if let Addressee::User(_) = said.to {
                    self.spoke(&said.from, said.at, &said.text);
                }
                if self.said.len() == SAID_MAX {
                    self.said.pop_front();
                }
                self.said.push_back(said.clone());
                self.unread = (self.unread + 1).min(self.said.len());
            }
            // Said on another device: no news to whoever said it.
            Event::Own(Said { to: Addressee::User(name), at, text, .. }) => self.spoke(name, *at, text),
            Event::Sent { to: Addressee::User(name), at, .. } => self.spoke(name, *at, ""),
            _ => {}
        }
    }

    /// Whether a mark belongs in front of what is `said` and comes at `now`: the reader has done nothing for a while, and this is the
    /// first since. When they last did something.
    pub(crate) fn mark(&mut self, said: &Said, now: Millis) -> Option<Millis> {
        let (since, Seconds(after)) = (self.here.last(), self.config.mark_after);
        // Kept mail has a mark of its own.
        if said.offline || after.is_zero() || now.since(since) < after || self.marked == Some(since) {
            return None;
        }
        self.marked = Some(since);
        Some(since)
    }

    fn spoke(&mut self, name: &str, at: Millis, text: &str) {
        self.people.retain(|(known, ..)| folded(known) != folded(name));
        self.people.push_front((name.to_owned(), at, text.chars().take(START_CHARS).collect()));
        self.people.truncate(PEOPLE_MAX);
    }

    /// What is shown in the place of `event`, which answers a line; `None` for itself. What is said about the past is held back
    /// until all of it is there, and what is too much for once waits for `more`.
    pub(crate) fn instead(&mut self, event: &Event) -> Option<Vec<Event>> {
        match event {
            Event::Past(said) => {
                if self.held.len() < HELD_MAX {
                    self.held.push(said.clone());
                }
                Some(Vec::new())
            }
            Event::PastEnd { .. } => {
                let held = std::mem::take(&mut self.held);
                Some(self.paged(held, event.clone()))
            }
            Event::Help { cards } if cards.len() > 1 => {
                let has = |cards: &[Card], card: &Card| cards.iter().any(|known| known.answers_to(&card.name));
                let private = private::cards();
                let private = if private.first().is_some_and(|first| has(cards, first)) { private } else { Vec::new() };
                let served = cards.iter().filter(|card| !has(&private, card)).cloned();
                let own = self::cards().into_iter().filter(|card| !has(cards, card));
                Some(vec![Event::Help { cards: served.chain(private.iter().cloned().chain(own).map(slashed)).collect() }])
            }
            Event::Help { cards } if self.held.is_empty() => {
                let [card] = &cards[..] else { return None };
                let examples = of_what_works(&card.examples);
                (examples != card.examples).then(|| vec![Event::Help { cards: vec![Card { examples: examples.into(), ..card.clone() }] }])
            }
            _ if self.held.is_empty() => None,
            // Broken off, or of another line: what came of it is shown.
            event => Some(std::mem::take(&mut self.held).into_iter().map(Event::Past).chain([event.clone()]).collect()),
        }
    }

    /// What was held back belongs to an answer that will come again from its beginning.
    pub(crate) fn link_lost(&mut self) {
        self.held.clear();
    }

    /// The newest of `said` that are shown at once, and `end`.
    fn paged(&mut self, mut said: Vec<Said>, end: Event) -> Vec<Event> {
        let shown = match self.config.page {
            0 => said.len(),
            page => page.min(said.len()),
        };
        let newest = said.split_off(said.len() - shown);
        self.earlier = said;
        newest.into_iter().map(Event::Past).chain([end]).chain(self.more_notice()).collect()
    }

    fn more_notice(&self) -> Option<Event> {
        let left = self.earlier.len();
        (left > 0).then(|| fact(format!("* {left} of them were before these: `/more`")))
    }

    /// What comes of `line`, if it is for the client; it says by itself what it means. `is_mine` tells which commands are the client's, and not the server's.
    pub(crate) fn answer(&mut self, line: &str, is_mine: impl Fn(&str) -> bool) -> Option<Answer> {
        let Asked::Command { name, rest } = split::line(line) else {
            self.unread = 0;
            return None;
        };
        let (first, after) = split::word(&rest);
        let card = if is_mine(name) {
            cards().into_iter().find(|card| card.answers_to(name))?
        } else {
            let explained = cards().into_iter().chain(private::cards()).find(|card| card.answers_to(first.trim_start_matches('/')));
            return match explained {
                Some(card) if name.eq_ignore_ascii_case(HELP) && after.is_empty() && is_mine(&card.name) => {
                    Some(Answer::Events(vec![Event::Help { cards: vec![slashed(card)] }]))
                }
                _ => {
                    self.unread = 0;
                    None
                }
            };
        };
        let takes_rest = card.args.iter().any(|arg| arg.kind.shape == Shape::Rest);
        let words = rest.split_whitespace().count();
        let event = if words > card.args.len() && !takes_rest {
            vec![usage(&card, "there is a word too many")]
        } else {
            match card.name.as_ref() {
                "quit" => return Some(Answer::Leave),
                "mentions" => match count(first) {
                    Ok(count) => self.mentions(count.unwrap_or(SHOWN)),
                    Err(why) => vec![usage(&card, &why)],
                },
                TALK => return Some(talk(&card, first)),
                "unread" => self.unread_messages(),
                "recent" => self.recent(),
                "more" => self.more(),
                _ => {
                    let events = self.set(first, after.trim());
                    return Some(Answer::Set { config: Box::new(self.config.clone()), events });
                }
            }
        };
        Some(Answer::Events(event))
    }

    fn mentions(&mut self, count: usize) -> Vec<Event> {
        let mine = |said: &&Said| matches!(said.to, Addressee::User(_)) || calls(said, &self.me, &self.config.highlights);
        let mut said: Vec<Said> = self.said.iter().rev().filter(mine).take(count).cloned().collect();
        said.reverse();
        let end = Event::PastEnd { count: said.len(), more: false, next: None };
        self.paged(said, end)
    }

    fn unread_messages(&mut self) -> Vec<Event> {
        let said: Vec<Said> = self.said.iter().skip(self.said.len() - self.unread).cloned().collect();
        let end = Event::PastEnd { count: said.len(), more: false, next: None };
        self.unread = 0;
        let tally = tally(&said);
        self.paged(said, end).into_iter().chain(tally.map(fact)).collect()
    }

    fn recent(&self) -> Vec<Event> {
        if self.people.is_empty() {
            return facts("* you have spoken with nobody yet; `mentions` and `recent` begin anew with each visit");
        }
        let width = self.people.iter().map(|(name, ..)| wrap::width(name)).max().unwrap_or(0);
        let lines = self.people.iter().take(SHOWN).map(|(name, at, text)| {
            let said = if text.is_empty() { "(you)".to_owned() } else { text.replace(char::is_control, " ") };
            format!("{name}{:pad$}  {}  {said}", "", long_ago(*at, &self.zone), pad = width - wrap::width(name))
        });
        facts(&lines.collect::<Vec<_>>().join("\n"))
    }

    fn more(&mut self) -> Vec<Event> {
        if self.earlier.is_empty() {
            return vec![fact("* nothing waits to be shown; ask the server for more".to_owned())];
        }
        let at = self.earlier.len().saturating_sub(self.config.page.max(1));
        let page = self.earlier.split_off(at);
        page.into_iter().map(Event::Past).chain(self.more_notice()).collect()
    }

    fn set(&mut self, key: &str, value: &str) -> Vec<Event> {
        let key = key.replace('-', "_");
        let settings = Config::reference();
        if key.is_empty() {
            let lines = settings.iter().map(|setting| format!("{}: {}", setting.key, self.config.value(setting.key).unwrap_or_default()));
            let lines = lines.chain(["* `/set NAME` explains one, `/set NAME VALUE` changes it".to_owned()]);
            return facts(&lines.collect::<Vec<_>>().join("\n"));
        }
        if value.is_empty() {
            let Some(setting) = settings.into_iter().find(|setting| setting.key == key) else {
                return vec![refused(self.config.set_checked(&key, "").err().unwrap_or_default())];
            };
            let value = self.config.value(&key).unwrap_or_default();
            return facts(&format!("{key}: {value}\n  {}\n  {}; the default is {}", setting.help, setting.placeholder, setting.default));
        }
        if let Err(why) = self.config.set_checked(&key, value) {
            return vec![refused(why)];
        }
        let value = self.config.value(&key).unwrap_or_default();
        let when = if Config::is_live(&key) { "" } else { " from the next start on: it says where to go" };
        match self.keep(&key, &value) {
            Ok(()) => facts(&format!("* {key} is {value}{when}")),
            Err(why) if when.is_empty() => facts(&format!("* {key} is {value}, for this visit only: {why}")),
            Err(why) => vec![refused(why)],
        }
    }

    /// Writes a setting to the file, and leaves all else in it as it is.
    fn keep(&self, key: &str, value: &str) -> Result<(), String> {
        let file = self.file.as_deref().ok_or("there is no file to keep settings in")?;
        let cannot = |why: String| format!("cannot write {}: {why}", file.display());
        let source = match fs::read_to_string(file) {
            Ok(source) => source,
            Err(error) if error.kind() == io::ErrorKind::NotFound => "()\n".to_owned(),
            Err(error) => return Err(cannot(in_words(&error))),
        };
        let changed = chinwag_settings::edited::<Config>(&source, key, value).map_err(cannot)?;
        replace::file(file, &changed).map_err(|error| cannot(in_words(&error)))
    }
}

/// Those of the examples, each of some lines with an empty one between, that show how it is done. The others show how it is refused, for
/// whoever reads the reference; who asks for help at a prompt would have to look for what helps. If all are like that, all of them.
fn of_what_works(examples: &str) -> String {
    let works = |example: &&str| !example.contains("error[");
    let all = || examples.split("\n\n");
    if all().any(|example| works(&example)) { all().filter(works).collect::<Vec<_>>().join("\n\n") } else { examples.to_owned() }
}

/// How much of `said` came from where, the most first; nothing where all came from one place, as everybody sees.
fn tally(said: &[Said]) -> Option<String> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for said in said {
        let place = match &said.to {
            Addressee::Room(room) => format!("[{room}]"),
            Addressee::Everyone => "to all".to_owned(),
            _ => said.from.clone(),
        };
        match counts.iter_mut().find(|(known, _)| *known == place) {
            Some((_, count)) => *count += 1,
            None => counts.push((place, 1)),
        }
    }
    // What came first stays first among equals.
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let others = counts.iter().skip(PLACES_SHOWN).map(|(_, count)| count).sum::<usize>();
    let more = if others > 0 { format!(", elsewhere {others}") } else { String::new() };
    let places: Vec<String> = counts.iter().take(PLACES_SHOWN).map(|(place, count)| format!("{place} {count}")).collect();
    (counts.len() > 1).then(|| format!("* of them: {}{more}", places.join(", ")))
}

/// What comes of choosing to talk with `whom`. Whether there is somebody of that name the server says, when something is said.
fn talk(card: &Card, whom: &str) -> Answer {
    let whom = whom.strip_prefix('@').unwrap_or(whom);
    if folded(whom) == ALL {
        return Answer::Events(vec![usage(card, "everybody is called `@all` each time")]);
    }
    let (whom, text) = match whom.strip_prefix('#').map_or(whom, |room| room) {
        "" => (
            None,
            "* you talk with nobody in particular now: in a room what you type is said to all in it, elsewhere it is a command".to_owned(),
        ),
        name => {
            let end = format!("from here on; commands begin with /, and /{TALK} ends it");
            let to = if whom.starts_with('#') { format!("all in {name}") } else { name.to_owned() };
            (Some(whom.to_owned()), format!("* what you type is said to {to} {end}"))
        }
    };
    Answer::Talk { whom, events: facts(&text) }
}

fn count(word: &str) -> Result<Option<usize>, String> {
    match word.parse() {
        _ if word.is_empty() => Ok(None),
        Ok(count) if count > 0 => Ok(Some(count)),
        _ => Err(format!("`{}` is not a number of messages", SafeText::new(word))),
    }
}

/// As it is always understood, in a room too.
fn slashed(card: Card) -> Card {
    Card { name: format!("/{}", card.name).into(), ..card }
}

fn fact(text: String) -> Event {
    Event::Fact(Fact::new(FACT, text))
}

/// Each line of `text` for itself: a fact is one line.
fn facts(text: &str) -> Vec<Event> {
    text.lines().map(|line| fact(line.to_owned())).collect()
}

fn refused(why: String) -> Event {
    const CODE: Code = code::USAGE;
    Event::Refusal(Refusal::new(CODE, why))
}

fn usage(card: &Card, why: &str) -> Event {
    Event::Refusal(Refusal::new(code::USAGE, why).hint(format!("usage: /{}", card.usage())))
}

#[cfg(test)]
mod tests {
    use chinwag_wire::dialect::text;

    use super::*;

    fn said(seq: u64, from: &str, to: &str, text: &str) -> Said {
        let to = if to == "all" { serde_json::json!("everyone") } else { serde_json::json!({ "user": to }) };
        serde_json::from_value(serde_json::json!({"seq": seq, "at": 0, "from": from, "to": to, "text": text})).expect("said")
    }

    fn local() -> Local {
        Local::new("alice", Config::default(), None, Here::default())
    }

    /// What is shown for `line`; `None` if it goes to the server.
    fn shown(local: &mut Local, line: &str) -> Option<String> {
        let mine = |name: &str| cards().iter().any(|card| card.answers_to(name));
        match local.answer(line, mine)? {
            Answer::Events(events) | Answer::Set { events, .. } | Answer::Talk { events, .. } => {
                Some(events.iter().map(text::shown).collect::<Vec<_>>().join("\n"))
            }
            Answer::Leave => Some("leaves".to_owned()),
        }
    }

    #[test]
    fn what_is_for_the_server_goes_there() {
        let mut local = local();
        for line in ["message bob /set", "@bob mentions", "help", "help message", "/whoelse", "", "//set page 3"] {
            assert_eq!(shown(&mut local, line), None, "{line}");
        }
        assert!(local.answer("/quit", |_| false).is_none(), "the server has one of its own");
        assert_eq!(shown(&mut local, "/EXIT").as_deref(), Some("leaves"));
    }

    #[test]
    fn what_concerns_the_reader_is_found_again() {
        let mut local = local();
        for (seq, from, to, text) in [
            (1, "bob", "all", "hello all"),
            (2, "bob", "alice", "psst"),
            (3, "carol", "all", "has Alice left?"),
            (4, "carol", "all", "malice"),
        ] {
            local.learn(&Event::Message(said(seq, from, to, text)));
        }
        let mentions = shown(&mut local, "mentions").expect("an answer");
        assert!(mentions.contains("psst") && mentions.contains("has Alice left?") && mentions.contains("2 messages"), "{mentions}");
        assert!(!mentions.contains("malice"), "{mentions}");
        assert!(!shown(&mut local, "/mentions 1").expect("an answer").contains("psst"));
        assert!(shown(&mut local, "/mentions none").expect("an answer").contains("usage: /mentions [count]"));
        assert!(shown(&mut local, "/mentions 1 2").expect("an answer").contains("too many"));

        assert!(shown(&mut local, "unread").expect("an answer").contains("4 messages"));
        local.learn(&Event::Message(said(5, "dave", "all", "new")));
        assert!(shown(&mut local, "unread").expect("an answer").contains("1 message"));
        local.learn(&Event::Message(said(6, "dave", "all", "newer")));
        shown(&mut local, "whoelse");
        assert!(shown(&mut local, "unread").expect("an answer").contains("nothing was said"), "who types has read");

        local.learn(&serde_json::from_value(serde_json::json!({"type": "sent", "seq": 7, "at": 0, "to": {"user": "erin"}})).expect("sent"));
        let recent = shown(&mut local, "recent").expect("an answer");
        assert!(recent.find("erin") < recent.find("bob ") && !recent.contains("carol"), "{recent}");
    }

    #[test]
    fn what_comes_first_after_a_while_is_marked_once() {
        let mut local = local();
        let here = local.here.clone();
        let news = said(1, "bob", "alice", "hi");
        let mail = Said { offline: true, ..news.clone() };
        let began = Millis(1_000);
        here.at(began);
        for (after, event, marked) in
            [(299_999, &news, None), (300_000, &mail, None), (300_000, &news, Some(began)), (300_001, &news, None), (900_000, &news, None)]
        {
            assert_eq!(local.mark(event, Millis(1_000 + after)), marked, "{after} {event:?}");
        }
        here.at(Millis(900_000));
        assert_eq!(local.mark(&news, Millis(900_001)), None);
        // A clock that was put back is no reason for a mark.
        assert_eq!(local.mark(&news, Millis(0)), None);
        assert_eq!(local.mark(&news, Millis(1_200_000)), Some(Millis(900_000)));
        here.at(Millis(1_200_000));
        shown(&mut local, "/set mark_after 0");
        assert_eq!(local.mark(&news, Millis(i64::MAX)), None);
    }

    #[test]
    fn what_is_unread_is_counted_by_where_it_came_from() {
        let mut local = local();
        local.learn(&Event::Message(said(1, "bob", "alice", "one")));
        assert!(!shown(&mut local, "unread").expect("an answer").contains("of them"), "all from one");
        for (seq, to) in ["alice", "all", "all", "alice", "all"].into_iter().enumerate() {
            local.learn(&Event::Message(said(seq as u64, "bob", to, "more")));
        }
        local.learn(&Event::Message(Said { to: Addressee::Room("den".into()), ..said(9, "carol", "all", "hi") }));
        let unread = shown(&mut local, "unread").expect("an answer");
        assert!(unread.ends_with("* 6 messages\n* of them: to all 3, bob 2, [den] 1"), "{unread}");
        for seq in 10..20 {
            local.learn(&Event::Message(said(seq, &format!("user{seq}"), "alice", "hi")));
        }
        let unread = shown(&mut local, "unread").expect("an answer");
        assert!(unread.ends_with("user14 1, user15 1, elsewhere 4"), "{unread}");
    }

    #[test]
    fn a_long_past_comes_in_pages_from_its_end() {
        let mut local = local();
        assert_eq!(
            shown(&mut local, "set page 2").as_deref(),
            Some("* page is 2, for this visit only: there is no file to keep settings in")
        );
        let past = |seq: u64| Event::Past(said(seq, "bob", "alice", &format!("line {seq}")));
        for seq in 1..=5 {
            assert_eq!(local.instead(&past(seq)), Some(Vec::new()));
        }
        let end = Event::PastEnd { count: 5, more: true, next: None };
        let page = local.instead(&end).expect("a page");
        assert_eq!(&page[..3], &[past(4), past(5), end]);
        assert_eq!(text::shown(&page[3]), "* 3 of them were before these: `/more`");
        let more = shown(&mut local, "more").expect("an answer");
        assert!(more.contains("line 2") && more.contains("line 3") && more.contains("1 of them were before"), "{more}");
        assert!(shown(&mut local, "more").expect("an answer").ends_with("line 1"));
        assert!(shown(&mut local, "more").expect("an answer").contains("nothing waits"));
        // What is broken off is shown as far as it came.
        local.instead(&past(1));
        assert_eq!(local.instead(&Event::Done), Some(vec![past(1), Event::Done]));
        assert_eq!(local.instead(&Event::Done), None);
    }

    #[test]
    fn help_tells_of_both() {
        let mut local = local();
        let server = Card { name: "quit".into(), aliases: vec![].into(), summary: "Ends it.".into(), args: vec![], examples: "".into() };
        let outline = Event::Help { cards: vec![server.clone(), Card { name: "who".into(), ..server.clone() }] };
        let shown_instead = local.instead(&outline).expect("more than the server's");
        let text = text::shown(&shown_instead[0]);
        assert!(text.contains("/set [name] [value...]") && text.contains("/unread") && !text.contains("/quit"), "{text}");
        assert_eq!(local.instead(&Event::Help { cards: vec![server.clone()] }), None);
        let (done, refused) = ("alice> wave\nbob | alice waves", "alice> wave wave\nalice | error[usage]: no");
        let explained = |examples: &[&str]| {
            let card = Card { examples: examples.join("\n\n").into(), ..server.clone() };
            let shown = Local::instead(&mut self::local(), &Event::Help { cards: vec![card] });
            shown.map(|shown| text::shown(&shown[0]).matches("alice>").count())
        };
        assert_eq!(explained(&[done, refused, done]), Some(2), "what helps");
        assert_eq!((explained(&[done]), explained(&[refused])), (None, None), "as it is");
        let explained = shown(&mut local, "help /set").expect("an answer");
        assert!(explained.starts_with("/set [name] [value...]\n  List the settings"), "{explained}");
    }

    #[test]
    fn settings_are_listed_explained_changed_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.ron");
        fs::write(&file, "(\n    // mine\n    history: 7,\n)\n").expect("writes");
        let config = chinwag_settings::read(&file).expect("reads");
        let mut local = Local::new("alice", config, Some(file.clone()), Here::default());
        let listed = shown(&mut local, "/set").expect("an answer");
        assert!(listed.contains("history: 7\n") && listed.contains("page: 40"), "{listed}");
        let explained = shown(&mut local, "/set history").expect("an answer");
        assert!(explained.contains("lines typed before") && explained.contains("the default is 1000"), "{explained}");
        assert_eq!(shown(&mut local, "/set page 3").as_deref(), Some("* page is 3"));
        assert_eq!(
            shown(&mut local, "/set server  chat.example:7").as_deref(),
            Some("* server is \"chat.example:7\" from the next start on: it says where to go")
        );
        let kept = fs::read_to_string(&file).expect("reads");
        assert!(kept.contains("// mine") && kept.contains("history: 7") && kept.contains("page: 3"), "{kept}");
        for (line, why) in [
            ("/set pag", "did you mean `page`"),
            ("/set pag 3", "did you mean `page`"),
            ("/set page x", "error[usage]"),
            ("/set history 1000000", "at most"),
        ] {
            let answer = shown(&mut local, line).expect("an answer");
            assert!(answer.contains(why), "{line}: {answer}");
        }
        assert_eq!(fs::read_to_string(&file).expect("reads"), kept);
        fs::write(&file, "(page 3)").expect("writes");
        assert!(shown(&mut local, "/set page 5").expect("an answer").contains("mend them first"));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left lying about");
    }
}
