//! What there is to see, before it has a width or a colour: events become lines of named parts. Nothing here reads a
//! clock, a terminal or the environment; the same events are always the same lines.

use chinwag_wire::dialect::text;
use chinwag_wire::event::RoomNews;
use chinwag_wire::name::{folded, readings, words};
use chinwag_wire::{Addressee, Event, Millis, SafeText, Said};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::backlog::Skipped;
use crate::highlights::Highlights;
use crate::interface::Times;
use crate::private::Told;
use crate::wrap;

/// The sign of a message that names the reader; it says without colour what the colour says.
const SIGN: &str = "! ";
/// What the reader is called in what they said themselves.
const YOU: &str = "you";
/// The sign of what is said in a private chat.
const PRIVATE_SIGN: &str = "~ ";
/// The sign of a warning.
const ALARM_SIGN: &str = "!!! ";
/// How much of one message is shown: many times what a server takes by default. What is beyond stays in the history.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Something to show.
#[derive(Clone, Debug)]
pub(crate) enum Show {
    /// What the server says.
    Event(Box<Event>),
    /// What the client itself has to say.
    Notice {
        /// In one line or a few.
        text: String,
        /// When.
        at: Millis,
    },
    /// What there is to tell of private chats.
    Private {
        /// What.
        told: Told,
        /// When.
        at: Millis,
    },
    /// What comes next is new to somebody who has done nothing for a while.
    NewSince {
        /// When they last did something, by the clock of this machine.
        since: Millis,
        /// When it was said, by that of the server.
        at: Millis,
    },
    /// What came too fast to be shown.
    Skipped(Skipped),
}

/// What a part of a line is, which decides how it is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Words.
    Plain,
    /// The time in front.
    Time,
    /// Somebody's name.
    Name,
    /// The reader's own.
    Me,
    /// The reader's name in what somebody else says, and the sign for it.
    Mention,
    /// What is said by the way.
    Quiet,
    /// From the client itself.
    Notice,
    /// What was refused.
    Refusal,
    /// What marks words of a private chat.
    Private,
    /// A warning that must not be missed.
    Alarm,
}

/// One line, which becomes one row of the terminal or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its parts, in order.
    pub(crate) parts: Vec<(Part, String)>,
    /// How far its second row stands in, and those after it.
    pub(crate) indent: usize,
    /// Whether it is worth a bell: for whom, and what.
    pub(crate) calls: bool,
}

impl Line {
    fn new(part: Part, text: impl Into<String>) -> Line {
        Line { parts: vec![(part, text.into())], indent: wrap::INDENT, calls: false }
    }

    /// The line whose further rows stand in as far as its words do.
    fn indented(self) -> Line {
        Line { indent: wrap::column(&self.text()), ..self }
    }

    /// The line without anything but its words.
    pub(crate) fn text(&self) -> String {
        self.parts.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// What the lines to come depend on.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    me: String,
    zone: TimeZone,
    times: Times,
    /// What calls the reader, besides their name.
    highlights: Highlights,
    /// The day of the last line that had one.
    day: Option<Date>,
    /// How much mail has come in a row that was kept while the reader was away.
    mail: u64,
}

impl Model {
    /// For a reader called `me`, who sees times of `zone` and starts at `now`.
    pub(crate) fn new(me: &str, zone: TimeZone, times: Times, now: Millis) -> Model {
        let day = moment(now, &zone).map(|moment| moment.date());
        Model { me: me.to_owned(), zone, times, highlights: Highlights::default(), day, mail: 0 }
    }

    /// From here on times are so exact.
    pub(crate) fn set_times(&mut self, times: Times) {
        self.times = times;
    }

    /// From here on these words call the reader, too.
    pub(crate) fn set_highlights(&mut self, highlights: &Highlights) {
        if self.highlights != *highlights {
            self.highlights = highlights.clone();
        }
    }

    /// What comes next answers something that the reader has typed: that stands between the kept mail and it, and nothing has to say
    /// where the mail ends.
    pub(crate) fn answers(&mut self) {
        self.mail = 0;
    }

    /// What `show` looks like.
    pub(crate) fn lines(&mut self, show: &Show) -> Vec<Line> {
        let mut lines = Vec::new();
        match show {
            Show::Event(event) => self.event(event, &mut lines),
            Show::Notice { text, at } => {
                self.end_of_mail(&mut lines);
                for text in text.lines() {
                    lines.push(self.timed(*at, vec![(Part::Notice, format!("* {}", SafeText::new(text)))]));
                }
            }
            Show::Private { told, at } => self.private(told, *at, &mut lines),
            Show::NewSince { since, at } => {
                self.end_of_mail(&mut lines);
                self.new_day(*at, &mut lines);
                lines.push(Line::new(Part::Notice, format!("* new since you last typed something, {}:", self.then(*since, *at))));
            }
            Show::Skipped(skipped) => lines.push(Line::new(Part::Notice, skipped.to_string())),
        }
        lines
    }

    fn event(&mut self, event: &Event, lines: &mut Vec<Line>) {
        match event {
            // The reader's own, from another device, says `you`: the one who spoke is the reader.
            Event::Message(said) | Event::Own(said) => return self.message(said, lines),
            Event::Past(said) => return lines.push(self.past(said)),
            _ => {}
        }
        let text = text::shown(event);
        if text.is_empty() {
            return;
        }
        self.end_of_mail(lines);
        let part = match event {
            Event::Refusal(_) | Event::Closing(_) => Part::Refusal,
            Event::Sent { .. } | Event::Done | Event::Presence { .. } | Event::Crowd { .. } | Event::Room(_) => Part::Quiet,
            _ => Part::Plain,
        };
        match event {
            Event::Sent { at, .. } | Event::Presence { at, .. } | Event::Crowd { at, .. } | Event::Room(RoomNews { at, .. }) => {
                self.new_day(*at, lines);
                lines.push(self.timed(*at, vec![(part, text)]));
            }
            _ => {
                let rows = text.lines().enumerate();
                lines.extend(rows.map(|(row, line)| Line { parts: listed(event, row, line, part), ..Line::new(part, "") }.indented()));
            }
        }
    }

    fn message(&mut self, said: &Said, lines: &mut Vec<Line>) {
        if said.offline && self.mail == 0 {
            lines.push(Line::new(Part::Notice, "* while you were away:"));
        }
        if !said.offline {
            self.end_of_mail(lines);
        }
        self.mail += u64::from(said.offline);
        self.new_day(said.at, lines);
        let own = self.is_me(&said.from);
        let named = !own && calls(said, &self.me, &self.highlights);
        let mut parts = Vec::new();
        if said.offline {
            parts.push((Part::Quiet, "(offline) ".to_owned()));
        }
        if named {
            parts.push((Part::Mention, SIGN.to_owned()));
        }
        let bare = Said { offline: false, ..said.clone() };
        let event = if own { Event::Own(bare) } else { Event::Message(bare) };
        self.spoken(&text::shown(&event), said, own, &mut parts);
        let calls = !own && (named || matches!(said.to, Addressee::User(_)));
        lines.push(Line { calls, ..self.timed(said.at, parts) });
    }

    fn past(&self, said: &Said) -> Line {
        let text = text::shown(&Event::Past(said.clone()));
        let text = text.strip_prefix(&format!("[{}] ", said.at)).unwrap_or(&text);
        let mut parts = vec![(Part::Time, format!("{} ", long_ago(said.at, &self.zone)))];
        self.spoken(text, said, false, &mut parts);
        Line { parts, indent: wrap::INDENT, calls: false }
    }

    /// What somebody said, in the words of the dialect of people: `alice: hi`, `alice to all: hi`. What stands in front of the
    /// text holds the name.
    fn spoken(&self, shown: &str, said: &Said, own: bool, parts: &mut Vec<(Part, String)>) {
        let name = SafeText::new(said.nick.as_ref().unwrap_or(&said.from));
        let text = SafeText::new(&said.text);
        let head = shown.strip_suffix(text.as_str()).unwrap_or(shown);
        // Said by the reader on another device: nobody says `alice: hi` to alice. A room may have the word in its name, or be called
        // like somebody.
        let speaker = if own { YOU } else { name.as_str() };
        let room = match &said.to {
            Addressee::Room(room) if head.starts_with('[') => SafeText::new(room).as_str().len(),
            _ => 0,
        };
        let (before, mut after) = match head.get(room..).and_then(|rest| rest.find(speaker)) {
            Some(at) => (&head[..room + at], &head[room + at + speaker.len()..]),
            None => (head, ""),
        };
        let plain = |text: &str| (Part::Plain, text.to_owned());
        parts.push(plain(before));
        if own {
            parts.push((Part::Me, YOU.to_owned()));
            let to = if let Addressee::User(to) = &said.to { SafeText::new(to).to_string() } else { String::new() };
            if let Some(rest) = after.strip_prefix(" to ").and_then(|rest| rest.strip_prefix(to.as_str())).filter(|_| !to.is_empty()) {
                parts.push(plain(" to "));
                parts.push((Part::Name, to));
                after = rest;
            }
        } else if head.contains(name.as_str()) {
            parts.push((if self.is_me(&said.from) { Part::Me } else { Part::Name }, name.to_string()));
        }
        parts.push(plain(after));
        self.body(&shown[head.len()..], !self.is_me(&said.from), parts);
    }

    /// The text of what was said, with the reader's name marked if it is `by_other`.
    fn body(&self, body: &str, by_other: bool, parts: &mut Vec<(Part, String)>) {
        let plain = |text: &str| (Part::Plain, text.to_owned());
        let (body, rest) = body.split_at(body.floor_char_boundary(MESSAGE_BYTES_MAX));
        let mut at = 0;
        if by_other {
            for name in self.highlights.found(body, &self.me) {
                parts.push(plain(&body[at..name.start]));
                parts.push((Part::Mention, body[name.clone()].to_owned()));
                at = name.end;
            }
        }
        parts.push(plain(&body[at..]));
        if !rest.is_empty() {
            parts.push((Part::Notice, format!("… ({} bytes more)", rest.len())));
        }
        parts.retain(|(_, text)| !text.is_empty());
    }

    /// What is said in a private chat has a sign, a word and a colour of its own: nothing that the server says looks like it.
    fn private(&mut self, told: &Told, at: Millis, lines: &mut Vec<Line>) {
        self.end_of_mail(lines);
        self.new_day(at, lines);
        let of = |part: Part, sign: &str, text: &str| vec![(part, format!("{sign}{}", SafeText::new(text)))];
        match told {
            Told::Talk { from, text, doubtful } => {
                let name = SafeText::new(from).to_string();
                let mut parts = vec![(Part::Private, PRIVATE_SIGN.to_owned())];
                if *doubtful {
                    parts.push((Part::Alarm, "(another key!) ".to_owned()));
                }
                parts.extend([(Part::Name, name), (Part::Private, " privately".to_owned()), (Part::Plain, ": ".to_owned())]);
                self.body(SafeText::new(text).as_str(), true, &mut parts);
                lines.push(Line { calls: true, ..self.timed(at, parts) });
            }
            Told::Said { to } => lines.push(self.timed(at, of(Part::Quiet, PRIVATE_SIGN, &format!("said to {to} privately")))),
            Told::Note(text) => lines.extend(text.lines().map(|text| self.timed(at, of(Part::Notice, "* ", text)))),
            Told::Question(text) => {
                let asked = text.lines().map(|text| Line { calls: true, ..self.timed(at, of(Part::Private, "* ", text)) });
                lines.extend(asked);
            }
            Told::Warning(text) => {
                let warned = text.lines().map(|text| Line { calls: true, ..self.timed(at, of(Part::Alarm, ALARM_SIGN, text)) });
                lines.extend(warned);
            }
            Told::Refused(refusal) => self.event(&Event::Refusal(refusal.clone()), lines),
        }
    }

    fn is_me(&self, name: &str) -> bool {
        same(name, &self.me)
    }

    /// A line with its time in front.
    fn timed(&self, at: Millis, parts: Vec<(Part, String)>) -> Line {
        let form = match self.times {
            Times::Off => return Line { parts, indent: wrap::INDENT, calls: false },
            Times::Minutes => "%H:%M ",
            Times::Seconds => "%H:%M:%S ",
        };
        let time = moment(at, &self.zone).map_or_else(|| "--:-- ".to_owned(), |moment| moment.strftime(form).to_string());
        let indent = time.len();
        Line { parts: [vec![(Part::Time, time)], parts].concat(), indent, calls: false }
    }

    /// A moment of the day, and of which, if it is another than that of `now`.
    fn then(&self, moment: Millis, now: Millis) -> String {
        let (then, now) = (self::moment(moment, &self.zone), self::moment(now, &self.zone));
        let form = if then.as_ref().map(Zoned::date) == now.as_ref().map(Zoned::date) { "at %H:%M" } else { "on %A, %-d %B, at %H:%M" };
        then.map_or_else(|| "long ago".to_owned(), |then| then.strftime(form).to_string())
    }

    fn new_day(&mut self, at: Millis, lines: &mut Vec<Line>) {
        let Some(moment) = moment(at, &self.zone) else { return };
        if self.day != Some(moment.date()) {
            self.day = Some(moment.date());
            lines.push(Line::new(Part::Notice, moment.strftime("* %A, %-d %B %Y").to_string()));
        }
    }

    fn end_of_mail(&mut self, lines: &mut Vec<Line>) {
        let mail = match std::mem::take(&mut self.mail) {
            0 => return,
            1 => "1 message".to_owned(),
            mail => format!("{mail} messages"),
        };
        lines.push(Line::new(Part::Notice, format!("* that was what came while you were away: {mail}")));
    }
}

/// A row of what lists `event`, with those who are idle as what is said by the way: the words say it too.
fn listed(event: &Event, row: usize, line: &str, part: Part) -> Vec<(Part, String)> {
    let is_idle = match event {
        Event::Directory { users, .. } => users.get(row).is_some_and(|user| user.idle.is_some()),
        Event::Members { members, .. } => members.get(row).is_some_and(|member| member.idle.is_some()),
        _ => false,
    };
    if is_idle {
        return vec![(Part::Quiet, line.to_owned())];
    }
    let (mut parts, mut rest) = (Vec::new(), line);
    if let Event::People { names, idle, .. } = event {
        for name in names.iter().filter(|name| idle.contains_key(*name)) {
            // In the order of the list, so that the first there is of what looks like it is it.
            let shown = format!("{} (idle ", SafeText::new(name));
            let Some(start) = rest.find(&shown) else { continue };
            let end = rest[start + shown.len()..].find(')').map_or(rest.len(), |end| start + shown.len() + end + 1);
            parts.extend([(part, rest[..start].to_owned()), (Part::Quiet, rest[start..end].to_owned())]);
            rest = &rest[end..];
        }
    }
    parts.push((part, rest.to_owned()));
    parts.retain(|(_, text)| !text.is_empty());
    parts
}

/// The moment in the zone; nothing for one that no calendar has.
fn moment(at: Millis, zone: &TimeZone) -> Option<Zoned> {
    Timestamp::from_millisecond(at.0).ok().map(|at| at.to_zoned(zone.clone()))
}

/// When something was that may have been on another day, for somebody in `zone`.
pub(crate) fn long_ago(at: Millis, zone: &TimeZone) -> String {
    moment(at, zone).map_or_else(|| at.to_string(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
}

/// Whether a message names `me`, as its text has it or as the server found it in there, or has one of the words.
pub(crate) fn calls(said: &Said, me: &str, highlights: &Highlights) -> bool {
    said.mentions.iter().any(|name| same(name, me)) || names(&said.text, me).next().is_some() || highlights.are_in(&said.text)
}

/// Whether two names are one.
fn same(one: &str, other: &str) -> bool {
    // The usual case is cheap: this is asked of every word that anybody says.
    one.eq_ignore_ascii_case(other) || (!one.is_ascii() && folded(one) == folded(other))
}

/// Where `text` calls `name`, as a word of its own: `@bob`, `Bob:`, `hi bob.`, but not `bobby` and not `bob.smith`.
pub(crate) fn names(text: &str, name: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    words(text).filter_map(move |(start, word)| {
        let called = readings(word).find(|word| same(word, name))?;
        Some(start..start + called.len())
    })
}

#[cfg(test)]
mod tests {
    use chinwag_wire::{Arrival, MemberLine, PeopleOf, Person, Refusal, RoomRole, code};
    use insta::assert_snapshot;

    use super::*;

    /// 2026-11-21 10:00:00 UTC.
    const TEN: i64 = 1_795_255_200_000;
    const MINUTE: i64 = 60_000;
    const DAY: i64 = 24 * 60 * MINUTE;

    fn said(at: i64, from: &str, to: Addressee, text: &str) -> Said {
        Said { seq: 1, at: Millis(at), from: from.into(), to, text: text.into(), ..Said::default() }
    }

    fn to_me(at: i64, from: &str, text: &str) -> Said {
        said(at, from, Addressee::User("alice".into()), text)
    }

    fn to_all(at: i64, from: &str, text: &str) -> Said {
        said(at, from, Addressee::Everyone, text)
    }

    fn model() -> Model {
        Model::new("alice", TimeZone::UTC, Times::Minutes, Millis(TEN))
    }

    /// Lines as a reviewer can read them: every part that is more than words in brackets with its kind.
    fn written(model: &mut Model, shows: &[Show]) -> String {
        let lines = shows.iter().flat_map(|show| model.lines(show)).map(|line| {
            let parts = line.parts.iter().map(|(part, text)| match part {
                Part::Plain => text.clone(),
                part => format!("[{part:?} {text}]"),
            });
            let bell = if line.calls { " (bell)" } else { "" };
            format!("{}{bell}\n", parts.collect::<String>())
        });
        lines.collect()
    }

    fn event(event: Event) -> Show {
        Show::Event(Box::new(event))
    }

    #[test]
    fn what_the_reader_says_on_another_device_is_said_by_you_and_calls_nobody() {
        let in_room = |room: &str| said(TEN, "alice", Addressee::Room(room.into()), "hi alice");
        let to_bob = said(TEN, "alice", Addressee::User("bob".into()), "hi");
        for (own, shown, name) in [
            (in_room("youth"), "[youth] you: hi alice", None),
            (Said { whisper: true, ..to_bob.clone() }, "(whisper) you to bob : hi", Some("bob")),
            (to_bob, "you to bob: hi", Some("bob")),
        ] {
            let lines = model().lines(&event(Event::Own(own)));
            let [line] = &lines[..] else { panic!("{lines:?}") };
            assert!(line.text().ends_with(shown), "{}", line.text());
            assert!(!line.calls && line.parts.contains(&(Part::Me, "you".to_owned())), "{line:?}");
            assert_eq!(line.parts.iter().find(|(part, _)| *part == Part::Name).map(|(_, name)| name.as_str()), name);
        }
    }

    #[test]
    fn a_room_that_is_called_like_somebody_is_no_name() {
        let to = || Addressee::Room("bob".into());
        let nick = Said { nick: Some("Bo".into()), ..said(TEN, "bob", to(), "hi") };
        let shows = [said(TEN, "bob", to(), "hi bob"), nick, Said { to: Addressee::User("alice".into()), ..said(TEN, "bob", to(), "bob") }];
        let mut shows = shows.map(|said| event(Event::Message(said))).to_vec();
        shows.push(event(Event::Past(said(TEN, "bob", to(), "hi"))));
        let expected = "[Time 10:00 ][bob] [Name bob]: hi bob\n\
                        [Time 10:00 ][bob] [Name Bo]: hi\n\
                        [Time 10:00 ][Name bob]: bob (bell)\n\
                        [Time 2026-11-21 10:00 ][Name bob] to [bob]: hi\n";
        assert_eq!(written(&mut model(), &shows), expected);
    }

    #[test]
    fn a_conversation() {
        let shows = [
            event(Event::Welcome { name: "alice".into(), registered: false, guest: false, seq: 9 }),
            event(Event::Message(Said { offline: true, ..to_me(TEN - DAY, "bob", "see you tomorrow?") })),
            event(Event::Message(Said { offline: true, ..to_all(TEN - 5 * MINUTE, "carol", "morning all") })),
            event(Event::Presence { name: "bob".into(), what: Arrival::LoggedIn, at: Millis(TEN) }),
            event(Event::Message(to_me(TEN, "bob", "hi"))),
            event(Event::Message(to_all(TEN + MINUTE, "carol", "has anyone seen Alice? @alice!"))),
            event(Event::Sent { seq: 4, at: Millis(TEN + MINUTE), to: Addressee::Everyone, kept: false, missed: false, again: false }),
            event(Event::Message(to_all(TEN + MINUTE, "alice", "here, alice speaking, from my phone"))),
            event(Event::Message(said(TEN + MINUTE, "Alice", Addressee::User("bob".into()), "me too"))),
            event(Event::Refusal(Refusal::new(code::USAGE, "`to` is missing").hint("usage: message <to> <text...>"))),
            event(Event::Past(to_all(TEN - DAY, "bob", "alice is away"))),
            event(Event::PastEnd { count: 1, more: false, next: None }),
            Show::Notice { text: "the link is lost\nreally".into(), at: Millis(TEN + 2 * MINUTE) },
            Show::Skipped(Skipped { messages: 4321, mine: 2, news: 0, seq: 0 }),
            event(Event::Message(to_all(TEN + DAY, "dave", "good night"))),
            event(Event::Unknown),
        ];
        assert_snapshot!(written(&mut model(), &shows));
    }

    #[test]
    fn what_is_new_to_somebody_who_was_idle_stands_behind_a_mark() {
        let mark = |since, at| Show::NewSince { since: Millis(since), at: Millis(at) };
        let shows = [
            event(Event::Message(Said { offline: true, ..to_me(TEN - MINUTE, "bob", "mail") })),
            mark(TEN - 7 * MINUTE, TEN),
            event(Event::Message(to_me(TEN, "bob", "hi"))),
            mark(TEN, TEN + DAY),
            mark(i64::MIN, TEN + DAY),
        ];
        let expected = "[Notice * while you were away:]\n\
                        [Time 09:59 ][Quiet (offline) ][Name bob]: mail (bell)\n\
                        [Notice * that was what came while you were away: 1 message]\n\
                        [Notice * new since you last typed something, at 09:53:]\n\
                        [Time 10:00 ][Name bob]: hi (bell)\n\
                        [Notice * Sunday, 22 November 2026]\n\
                        [Notice * new since you last typed something, on Saturday, 21 November, at 10:00:]\n\
                        [Notice * new since you last typed something, long ago:]\n";
        assert_eq!(written(&mut model(), &shows), expected);
    }

    #[test]
    fn an_answer_shows_by_itself_where_the_mail_ends() {
        let mut model = model();
        let mail = event(Event::Message(Said { offline: true, ..to_me(TEN - MINUTE, "bob", "mail") }));
        written(&mut model, &[mail]);
        model.answers();
        assert_eq!(written(&mut model, &[event(Event::Done), event(Event::Message(to_me(TEN, "bob", "hi")))]).matches("away").count(), 0);
    }

    #[test]
    fn who_is_idle_is_painted_so_and_the_words_say_it() {
        let names: Vec<String> = ["bob", "bobby", "carol"].map(str::to_owned).to_vec();
        let idle = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 720)).collect();
        let people = |idle| event(Event::People { of: PeopleOf::Online, names: names.clone(), idle, more: true });
        let person = |name: &str, idle| Person { name: name.into(), online: true, last_seen: None, idle };
        let member =
            |nick: &str, idle| MemberLine { nick: nick.into(), name: None, role: RoomRole::Member, here: true, idle, muted_until: None };
        let shows = [
            people(idle(&["bob", "carol"])),
            people(idle(&["bobby"])),
            people(idle(&[])),
            people(idle(&["nobody"])),
            event(Event::Directory { users: vec![person("alice", None), person("bob", Some(300))], more: false }),
            event(Event::Members { room: "den".into(), members: vec![member("Bob", Some(7200)), member("carol", None)], more: false }),
        ];
        let expected = "online: [Quiet bob (idle 12m)], bobby, [Quiet carol (idle 12m)] and more\n\
                        online: bob, [Quiet bobby (idle 12m)], carol and more\n\
                        online: bob, bobby, carol and more\n\
                        online: bob, bobby, carol and more\n\
                        alice: online\n\
                        [Quiet bob: online (idle 5m)]\n\
                        * 2 users\n\
                        [Quiet Bob: here (idle 2h)]\n\
                        carol: here\n\
                        * 2 members in den\n";
        assert_eq!(written(&mut model(), &shows), expected);
    }

    #[test]
    fn times_are_of_the_zone_and_as_exact_as_one_likes() {
        let zone = TimeZone::posix("<+0530>-5:30").expect("a zone");
        for (times, time) in [(Times::Off, ""), (Times::Minutes, "15:30 "), (Times::Seconds, "15:30:00 ")] {
            let mut model = Model::new("alice", zone.clone(), times, Millis(TEN));
            let lines = model.lines(&event(Event::Message(to_me(TEN, "bob", "hi"))));
            assert_eq!(lines[0].text(), format!("{time}bob: hi"));
        }
        let mut model = model();
        for extreme in [i64::MIN, i64::MAX] {
            let lines = model.lines(&event(Event::Message(to_me(extreme, "bob", "hi"))));
            assert_eq!(lines[0].text(), "--:-- bob: hi");
            model.lines(&event(Event::Past(to_me(extreme, "bob", "hi"))));
        }
    }

    #[test]
    fn a_name_is_called_as_a_word() {
        for (text, called) in [
            ("bob", vec!["bob"]),
            ("@Bob: hi", vec!["Bob"]),
            ("hi bob.", vec!["bob"]),
            ("(BOB's) and bob...", vec!["BOB", "bob"]),
            ("bobby", vec![]),
            ("bob.smith, bob-2, abob, bobé", vec![]),
            ("žlutý bob, 漢bob 漢 bob", vec!["bob", "bob"]),
            ("bob\u{301} bob", vec!["bob"]),
            ("", vec![]),
        ] {
            assert_eq!(names(text, "bob").map(|at| &text[at]).collect::<Vec<_>>(), called, "{text}");
        }
        assert_eq!(names("a b", "").count(), 0);
    }

    #[test]
    fn a_message_without_end_is_cut_and_says_so() {
        let text = "漢".repeat(MESSAGE_BYTES_MAX);
        let lines = model().lines(&event(Event::Message(to_me(TEN, "bob", &text))));
        let shown = lines[0].text();
        assert!(shown.len() < MESSAGE_BYTES_MAX + 100, "{}", shown.len());
        assert!(shown.ends_with("… (131073 bytes more)"), "{}", &shown[shown.len() - 40..]);
    }

    #[test]
    fn a_private_chat_looks_like_nothing_else() {
        let private = |minute: i64, told| Show::Private { told, at: Millis(TEN + minute * MINUTE) };
        let talk = |text: &str, doubtful| Told::Talk { from: "bob".into(), text: text.into(), doubtful };
        let shows = [
            event(Event::Message(to_me(TEN, "bob", "~ bob privately: not really"))),
            private(1, Told::Question("bob asks you for a private chat: Alt-a or `accept bob`, or `decline bob`".into())),
            private(2, Told::Note("the private chat with bob is open".into())),
            private(2, talk("hi alice", false)),
            private(3, Told::Said { to: "bob".into() }),
            private(4, Told::Warning("WARNING: bob has another key\n  before: x".into())),
            private(4, talk("* not\nreally", true)),
            private(5, Told::Refused(Refusal::new(code::NO_PRIVATE, "there is none").hint("ask"))),
        ];
        assert_snapshot!(written(&mut model(), &shows));
    }

    #[test]
    fn nothing_the_server_says_acts_on_the_terminal() {
        let nasty = "\x1b[2J\x07\r\u{9b}2J\u{202e}x\n";
        let mut shows = vec![Show::Notice { text: nasty.into(), at: Millis(TEN) }];
        for from in ["bob", nasty] {
            let said = Said { to: Addressee::User(nasty.into()), ..to_me(TEN, from, nasty) };
            shows.extend([event(Event::Message(said.clone())), event(Event::Past(said))]);
        }
        shows.push(event(Event::Message(said(TEN, "alice", Addressee::User(nasty.into()), nasty))));
        shows.push(event(Event::Fact(chinwag_wire::Fact::new("x", nasty))));
        let told = [
            Told::Talk { from: nasty.into(), text: nasty.into(), doubtful: true },
            Told::Said { to: nasty.into() },
            Told::Note(nasty.into()),
            Told::Question(nasty.into()),
            Told::Warning(nasty.into()),
        ];
        shows.extend(told.map(|told| Show::Private { told, at: Millis(TEN) }));
        let mut model = model();
        for show in &shows {
            for line in model.lines(show) {
                let text = line.text();
                assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
            }
        }
    }
}
