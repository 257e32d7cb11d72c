//! `text`: a person with nc or telnet. A line is a command as typed; an answer is a line, or a few, to read.

use std::collections::BTreeMap;

use super::{Dialect, Line, Marks, Partial, Refused};
use crate::card::Card;
use crate::event::{
    Addressee, Arrival, Deed, Event, MemberLine, PeopleOf, Person, RoomAccess, RoomDeed, RoomLine, RoomNews, RoomRole, Said,
};
use crate::private::PrivateEnd;
use crate::refusal::Refusal;
use crate::safe_text::SafeText;
use crate::time::show_duration;

/// The dialect of people.
pub struct Text;

impl Dialect for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn decode<'a>(&self, partial: &'a mut Partial, input: &'a [u8], limit: usize) -> (usize, Option<Result<Line<'a>, Refused>>) {
        let (taken, line) = partial.line(input, limit);
        let read = |text: &'a str| Line { text: text.into(), marks: Marks::default() };
        (taken, line.map(|line| line.map(read).map_err(Refused::from)))
    }

    fn event(&self, event: &Event, out: &mut Vec<u8>) {
        say(event, out);
    }

    fn answer(&self, event: &Event, _: &Marks, _: bool, out: &mut Vec<u8>) {
        say(event, out);
    }

    fn acknowledges(&self) -> bool {
        false
    }

    fn wants_cards(&self) -> bool {
        false
    }

    fn hears_private(&self) -> bool {
        true
    }
}

/// One event as the line, or lines, that a person reads, without the last line ending. Empty for what only
/// programs need.
#[must_use]
pub fn shown(event: &Event) -> String {
    let mut out = Vec::new();
    say(event, &mut out);
    let mut text = String::from_utf8(out).expect("every line is made of strings");
    text.pop();
    text
}

fn say(event: &Event, out: &mut Vec<u8>) {
    // The one thing said a thousand times a second gets no intermediate strings when it needs none.
    if let Event::Message(said) = event {
        return message(said, false, out);
    }
    let text = match event {
        Event::Hello { .. } | Event::Cards { .. } | Event::Roster { .. } | Event::Unknown => return,
        Event::Message(said) => return message(said, false, out),
        Event::Own(said) => return message(said, true, out),
        Event::Past(said) => return past(said, out),
        Event::PastEnd { count: 0, .. } => "* nothing was said".to_owned(),
        Event::PastEnd { count, more: false, .. } => format!("* {}", counted(*count, "message")),
        Event::PastEnd { count, next: None, .. } => format!("* {}, and there is more before them", counted(*count, "message")),
        Event::PastEnd { count, next: Some(next), .. } => {
            format!("* {}, and there is more before them (before:{next})", counted(*count, "message"))
        }
        Event::Dialect { name } => format!("* this connection speaks {name} now"),
        Event::Welcome { name, registered: true, .. } => {
            format!("* welcome, {name}: you are registered and logged in; `help` lists what you can do")
        }
        Event::Welcome { name, guest: true, .. } => format!("* welcome, {name}: you are a guest; `help` lists what you can do"),
        Event::Welcome { name, .. } => format!("* welcome back, {name}"),
        Event::Sent { kept, missed, again, .. } => sent(*kept, *missed, *again).to_owned(),
        Event::Presence { name, what, .. } => format!("* {name} {}", arrival(*what)),
        Event::Crowd { came, went, online, .. } => format!("* {came} logged in, {went} logged out; {online} are online"),
        Event::People { of, names, idle, more } => format!("{}{}", people(*of, names, idle), if *more { " and more" } else { "" }),
        Event::Directory { users, more } => return directory(users, *more, out),
        Event::Me { name, since, guest, .. } => {
            format!("* you are {name}{}, logged in since {since}", if *guest { " (a guest)" } else { "" })
        }
        Event::Help { cards } => return help(cards, out),
        Event::Token { token, expires } => format!("* token {token} (until {expires}); keep it as you keep a password"),
        Event::Pong { token } => format!("pong {token}"),
        Event::Done => "ok".to_owned(),
        Event::Refusal(refusal) => refused(refusal),
        Event::Closing(refusal) => format!("* disconnected: {}", refused(refusal)),
        Event::Goodbye => "* goodbye".to_owned(),
        Event::Entered { room, nick, topic, others, more, created, heard_only } => {
            let entered = entered(room, nick, topic.as_deref(), others, *more, *created);
            let goes = if *heard_only {
                "you hear it, and what you type goes elsewhere"
            } else {
                "what you type is said to all in it, commands begin with /"
            };
            format!("{entered}; {goes}")
        }
        Event::Left { room } => format!("* you have left {room}"),
        Event::Room(news) => room_news(news),
        Event::Rooms { rooms, more } => return list_rooms(rooms, *more, out),
        Event::Members { room, members, more } => return list_members(room, members, *more, out),
        Event::PrivateAsked { from, direct, expires, .. } => {
            let how = if *direct { "" } else { " through the server" };
            format!("* {from} asks you for a private chat{how}: accept {from}, or decline {from} (until {expires})")
        }
        Event::PrivateAgreed { with, .. } => format!("* {with} and you have agreed on a private chat"),
        Event::PrivateRelay { with, ticket: None } => {
            format!("* {with} wants the private chat with you to go through the server: relay {with}, or stopprivate {with}")
        }
        Event::PrivateRelay { with, ticket: Some(_) } => format!("* the private chat with {with} can go through the server now"),
        Event::PrivateEnded { with, why } => private_ended(with, *why),
        Event::Fact(fact) => fact.text.clone(),
    };
    line(text.trim_end(), out);
}

/// One line, made safe.
fn line(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(SafeText::new(text).as_str().as_bytes());
    out.push(b'\n');
}

/// `alice: hi`, `alice to all: hi`, `[den] alice: hi`, `(whisper) alice : hi`, `(offline 2026-11-21 10:00:03Z) alice: hi`;
/// what is the reader's `own`, `you to bob: hi`, `you to all: hi`, `[den] you: hi`.
fn message(said: &Said, own: bool, out: &mut Vec<u8>) {
    if said.offline {
        out.extend_from_slice(format!("(offline {}) ", said.at).as_bytes());
    }
    if let Addressee::Room(room) = &said.to {
        out.push(b'[');
        out.extend_from_slice(SafeText::new(room).as_str().as_bytes());
        out.extend_from_slice(b"] ");
    }
    if said.whisper {
        out.extend_from_slice(b"(whisper) ");
    }
    let from = SafeText::new(if own { "you" } else { said.nick.as_ref().unwrap_or(&said.from) });
    if said.about.is_none() && !said.edited {
        out.extend_from_slice(from.as_str().as_bytes());
    } else {
        let (about, ends) = about(said, from.as_str(), own);
        out.extend_from_slice(about.as_bytes());
        if ends {
            return out.push(b'\n');
        }
    }
    if let (Addressee::User(to), true) = (&said.to, own) {
        out.extend_from_slice(b" to ");
        out.extend_from_slice(SafeText::new(to).as_str().as_bytes());
    }
    out.extend_from_slice(match said.to {
        Addressee::Everyone => b" to all: ",
        // As it has been since there were rooms to whisper in.
        Addressee::User(_) if said.whisper => b" : ",
        Addressee::User(_) | Addressee::Room(_) => b": ",
    });
    line(&said.text, out);
}

/// Who says it, and what it is to an earlier message; and whether that says it all.
fn about(said: &Said, from: &str, own: bool) -> (String, bool) {
    let Some(about) = &said.about else {
        return (if said.edited { format!("{from} (edited)") } else { from.to_owned() }, false);
    };
    let whose = match about.from == said.from {
        true if own => "your own".to_owned(),
        true => "their own".to_owned(),
        false => format!("{}'s", SafeText::new(&about.from).as_str()),
    };
    let s = if own { "" } else { "s" };
    let quoted = SafeText::new(&about.text);
    // Kept no longer, or forgotten: nobody knows whose it was.
    let what = if about.from.is_empty() {
        "a message that is gone".to_owned()
    } else if about.text.is_empty() {
        format!("{whose} message")
    } else {
        format!("{whose} \"{}\"", quoted.as_str())
    };
    match about.deed {
        Deed::Reply => (format!("{from} (on {what})"), false),
        Deed::Edit => (format!("{from} (edited)"), false),
        Deed::Delete => (format!("* {from} took back a message"), true),
        Deed::React => (format!("* {from} react{s} to {what} with {}", SafeText::new(&said.text).as_str()), true),
        Deed::Unreact => (format!("* {from} take{s} back a reaction to {what}"), true),
        Deed::Unknown => (from.to_owned(), false),
    }
}

fn past(said: &Said, out: &mut Vec<u8>) {
    let from = SafeText::new(said.nick.as_ref().unwrap_or(&said.from)).as_str().to_owned();
    let (about, ends) = about(said, &from, false);
    let to = match &said.to {
        Addressee::Everyone => "all".to_owned(),
        Addressee::User(name) => name.clone(),
        Addressee::Room(name) => format!("[{name}]"),
    };
    let how = if said.whisper { " (whisper)" } else { "" };
    let reactions: String = said.reactions.iter().map(|(with, count)| format!(" {{{with} {count}}}")).collect();
    if ends {
        return line(&format!("[{}] {about} (to {to})", said.at), out);
    }
    line(&format!("[{}] {about} to {to}{how}: {}{reactions}", said.at, said.text), out);
}

fn entered(room: &str, nick: &str, topic: Option<&str>, others: &[String], more: bool, created: bool) -> String {
    let done = if created { "have made" } else { "are in" };
    let topic = topic.map_or(String::new(), |topic| format!(", about: {topic}"));
    let with = match others {
        [] => "nobody else is here".to_owned(),
        others => format!("with {}{}", others.join(", "), if more { " and more" } else { "" }),
    };
    format!("* you {done} {room}, as {nick}{topic}; {with}")
}

fn room_news(news: &RoomNews) -> String {
    let RoomNews { room, what, whom, by, text, until, .. } = news;
    let whom = whom.as_deref().unwrap_or("somebody");
    let by_whom = by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
    let ending = until.map_or(String::new(), |until| format!(" until {until}"));
    let reason = text.as_ref().map_or(String::new(), |text| format!(": {text}"));
    let text = text.as_deref().unwrap_or_default();
    let actor = by.as_deref().unwrap_or(whom);
    let said = match what {
        RoomDeed::Arrived => format!("{whom} came in"),
        RoomDeed::Left => format!("{whom} left"),
        RoomDeed::Renamed => format!("{whom} is called {text} now"),
        RoomDeed::Crowd => text.to_owned(),
        RoomDeed::Topic if text.is_empty() => format!("{actor} took the topic away"),
        RoomDeed::Topic => format!("{actor} set the topic: {text}"),
        RoomDeed::Description if text.is_empty() => format!("{actor} took the description away"),
        RoomDeed::Description => format!("{actor} described the room: {text}"),
        RoomDeed::Access => format!("{actor} opened the room to {text}"),
        RoomDeed::Kept => format!("{actor} keeps the room: it stays when everyone has left"),
        RoomDeed::NotKept => format!("{actor} keeps the room no more: it ends when everyone has left"),
        RoomDeed::Archived => format!("{actor} archived the room: it can be read, nothing can be said"),
        RoomDeed::Unarchived => format!("{actor} opened the room again: something can be said"),
        RoomDeed::Role if actor == whom => format!("{whom} is {text} now"),
        RoomDeed::Role => format!("{actor} made {whom} {text}"),
        RoomDeed::Kicked => format!("{whom} was put out{by_whom}{reason}"),
        RoomDeed::Banned => format!("{whom} was banned{by_whom}{ending}{reason}"),
        RoomDeed::Unbanned => format!("{whom} may come in again{by_whom}"),
        RoomDeed::Muted => format!("{whom} was muted{by_whom}{ending}"),
        RoomDeed::Unmuted => format!("{whom} may speak again{by_whom}"),
        RoomDeed::Invited => return format!("* {actor} invites you to {room}: join {room}"),
        RoomDeed::Ended => format!("the room was ended{by_whom}{reason}"),
        RoomDeed::Unknown => format!("something happened: {whom} {text}"),
    };
    format!("* [{room}] {said}")
}

fn list_rooms(rooms: &[RoomLine], more: bool, out: &mut Vec<u8>) {
    for room in rooms {
        let mut marks = Vec::new();
        if room.mine {
            marks.push("you are in it");
        } else if room.member {
            marks.push("you belong to it");
        }
        match room.access {
            RoomAccess::Invited => marks.push("by invitation"),
            RoomAccess::Password => marks.push("with a password"),
            RoomAccess::Public | RoomAccess::Unknown => {}
        }
        if room.archived {
            marks.push("archived");
        }
        let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
        let topic = room.topic.as_ref().map_or(String::new(), |topic| format!(": {topic}"));
        line(&format!("{}: {} here{marks}{topic}", room.name, room.here), out);
    }
    line(&format!("* {}{}", counted(rooms.len(), "room"), if more { ", and more that are not listed" } else { "" }), out);
}

fn list_members(room: &str, members: &[MemberLine], more: bool, out: &mut Vec<u8>) {
    for member in members {
        let name = member.name.as_ref().map_or(String::new(), |name| format!(" ({name})"));
        let role = if member.role == RoomRole::Member { String::new() } else { format!(", {}", member.role.word()) };
        let muted = member.muted_until.map_or(String::new(), |until| format!(", muted until {until}"));
        let idle = idle_for(member.idle);
        line(&format!("{}{name}: {}{idle}{role}{muted}", member.nick, if member.here { "here" } else { "away" }), out);
    }
    line(&format!("* {} in {room}{}", counted(members.len(), "member"), if more { ", and more that are not listed" } else { "" }), out);
}

fn private_ended(with: &str, why: PrivateEnd) -> String {
    match why {
        PrivateEnd::Declined => format!("* {with} declines a private chat"),
        PrivateEnd::Expired => format!("* a private chat with {with} was offered, and nobody answered in time"),
        PrivateEnd::Withdrawn => format!("* {with} has taken back the offer of a private chat"),
        PrivateEnd::AnsweredElsewhere => format!("* you have answered {with} on another connection"),
        PrivateEnd::Stopped => format!("* the private chat with {with} has been stopped"),
        PrivateEnd::LoggedOut => format!("* the private chat with {with} is over: {with} logged out"),
        PrivateEnd::TimedOut => format!("* the private chat with {with} is over: {with} timed out"),
        PrivateEnd::SwitchedOff => format!("* the private chat with {with} is over: they have been switched off here"),
        PrivateEnd::Unknown => format!("* the private chat with {with} is over"),
    }
}

fn sent(kept: bool, missed: bool, again: bool) -> &'static str {
    match (kept, missed, again) {
        (_, _, true) => "sent (it had been sent before)",
        (true, ..) => "sent; they are away and get it at their next login",
        (_, true, _) => "sent; some people could not be reached",
        _ => "sent",
    }
}

fn arrival(what: Arrival) -> &'static str {
    match what {
        Arrival::LoggedIn => "logged in",
        Arrival::LoggedOut => "logged out",
        Arrival::TimedOut => "timed out",
    }
}

/// ` (idle 12m)`, or nothing for somebody who has lately done something.
fn idle_for(seconds: Option<u64>) -> String {
    const DAY: u64 = 86_400;
    let Some(seconds) = seconds else { return String::new() };
    // After days nobody counts the minutes.
    let about = seconds - seconds % if seconds < DAY { 60 } else { 3600 };
    format!(" (idle {})", show_duration(std::time::Duration::from_secs(about)))
}

fn people(of: PeopleOf, names: &[String], idle: &BTreeMap<String, u64>) -> String {
    let shown = |name: &String| format!("{name}{}", idle_for(idle.get(name).copied()));
    let names_or = |none: &str| if names.is_empty() { none.to_owned() } else { names.iter().map(shown).collect::<Vec<_>>().join(", ") };
    match of {
        PeopleOf::Online => format!("online: {}", names_or("nobody else")),
        PeopleOf::Since(seconds) => {
            format!("online within the last {}: {}", show_duration(std::time::Duration::from_secs(seconds)), names_or("nobody else"))
        }
        PeopleOf::Blocked => format!("blocked: {}", names_or("nobody")),
        PeopleOf::Operators => format!("operators: {}", names_or("nobody")),
    }
}

fn directory(users: &[Person], more: bool, out: &mut Vec<u8>) {
    for user in users {
        let state = match (user.online, user.last_seen) {
            (true, _) => format!("online{}", idle_for(user.idle)),
            (false, Some(at)) => format!("offline, last seen {at}"),
            (false, None) => "offline".to_owned(),
        };
        line(&format!("{}: {state}", user.name), out);
    }
    line(&format!("* {}{}", counted(users.len(), "user"), if more { ", and more that are not listed" } else { "" }), out);
}

fn help(cards: &[Card], out: &mut Vec<u8>) {
    if let [card] = cards {
        line(&card.usage(), out);
        line(&format!("  {}", card.summary), out);
        if !card.aliases.is_empty() {
            line(&format!("  also: {}", card.aliases.join(", ")), out);
        }
        for arg in &card.args {
            line(&format!("  {} {}: {}", arg.usage(), arg.kind.label, arg.help), out);
        }
        for example in card.examples.lines() {
            line(format!("  | {example}").trim_end(), out);
        }
        return;
    }
    let width = cards.iter().map(|card| card.usage().len()).max().unwrap_or(0);
    for card in cards {
        line(&format!("{:width$}  {}", card.usage(), card.summary), out);
    }
    line("* `help COMMAND` says more; `@NAME TEXT` is short for message, `@all TEXT` for broadcast", out);
}

fn refused(refusal: &Refusal) -> String {
    match &refusal.hint {
        Some(hint) => format!("error[{}]: {}; {hint}", refusal.code, refusal.text),
        None => format!("error[{}]: {}", refusal.code, refusal.text),
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{About, Fact};
    use crate::refusal::code;
    use crate::time::Millis;

    #[test]
    fn an_event_is_a_line_whatever_is_in_it() {
        let said =
            Said { seq: 1, at: Millis(0), from: "alice".into(), to: Addressee::Everyone, text: "a\nb\x1b[2J".into(), ..Said::default() };
        let hi = Said { text: "hi".into(), ..said.clone() };
        let about = |from: &str, deed| Some(About { seq: 1, from: from.into(), text: "ho".into(), deed });
        for (event, expected) in [
            (Event::Message(said.clone()), "alice to all: a↵b␛[2J"),
            (
                Event::Message(Said { offline: true, to: Addressee::User("bob".into()), ..said }),
                "(offline 1970-01-01 00:00:00Z) alice: a↵b␛[2J",
            ),
            (
                Event::Refusal(Refusal::new(code::USAGE, "`to` is missing").hint("usage: message <to> <text...>")),
                "error[usage]: `to` is missing; usage: message <to> <text...>",
            ),
            (Event::Own(Said { to: Addressee::User("bob".into()), ..hi.clone() }), "you to bob: hi"),
            (Event::Own(hi.clone()), "you to all: hi"),
            (Event::Own(Said { to: Addressee::Room("den".into()), nick: Some("Al".into()), ..hi.clone() }), "[den] you: hi"),
            (Event::Own(Said { to: Addressee::User("bob".into()), whisper: true, ..hi.clone() }), "(whisper) you to bob : hi"),
            (Event::Own(Said { about: about("alice", Deed::React), ..hi.clone() }), "* you react to your own \"ho\" with hi"),
            (
                Event::Own(Said { about: about("bob", Deed::Reply), offline: true, ..hi.clone() }),
                "(offline 1970-01-01 00:00:00Z) you (on bob's \"ho\") to all: hi",
            ),
            (Event::Own(Said { about: about("alice", Deed::Delete), ..hi }), "* you took back a message"),
            (Event::Fact(Fact::new("x", "one\ntwo")), "one↵two"),
            (Event::People { of: PeopleOf::Online, names: vec![], idle: BTreeMap::new(), more: false }, "online: nobody else"),
            (Event::Cards { cards: vec![] }, ""),
            (
                Event::PrivateRelay { with: "bob".into(), ticket: Some(crate::private::Token([7; 32])) },
                "* the private chat with bob can go through the server now",
            ),
        ] {
            assert_eq!(shown(&event), expected);
        }
    }

    #[test]
    fn who_has_done_nothing_for_a_while_is_named_so() {
        let bob = |seconds| Event::People {
            of: PeopleOf::Online,
            names: vec!["alice".into(), "bob".into()],
            idle: BTreeMap::from([("bob".into(), seconds)]),
            more: true,
        };
        for (seconds, told) in [
            (0, "0s"),
            (300, "5m"),
            (719, "11m"),
            (5400, "1h 30m"),
            (86_399, "23h 59m"),
            (86_400 + 7260, "1d 2h"),
            (u64::MAX, "213503982334601d 7h"),
        ] {
            assert_eq!(shown(&bob(seconds)), format!("online: alice, bob (idle {told}) and more"));
        }
        let person = Person { name: "bob".into(), online: true, last_seen: None, idle: Some(720) };
        assert_eq!(shown(&Event::Directory { users: vec![person], more: false }), "bob: online (idle 12m)\n* 1 user");
        let member = MemberLine {
            nick: "Bobby".into(),
            name: Some("bob".into()),
            role: RoomRole::Owner,
            here: true,
            idle: Some(60),
            muted_until: None,
        };
        let members = Event::Members { room: "den".into(), members: vec![member], more: false };
        assert_eq!(shown(&members), "Bobby (bob): here (idle 1m), owner\n* 1 member in den");
    }
}
