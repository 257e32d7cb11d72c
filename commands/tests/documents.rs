//! The documents that are made from the code: they are committed, and a test fails when they are stale.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use chinwag_core::command::{Need, Spec};
use chinwag_core::wire::dialect::Dialect as _;
use chinwag_core::wire::dialect::json::Json;
use chinwag_core::wire::refusal::code;
use chinwag_core::wire::{
    Addressee, Arrival, Card, Event, Fact, Fingerprint, MemberLine, Millis, Offer, PeopleOf, Person, PrivateEnd, Refusal, RoomAccess,
    RoomDeed, RoomLine, RoomNews, RoomRole, Said, Token,
};

const HOW: &str = "CHINWAG_BLESS=1 cargo test -p chinwag-commands --test documents";

/// Compares a document with what it should be; or, if asked, writes it. Never in CI, which would hide what is stale.
fn check(path: &str, should_be: &str) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let is = fs::read_to_string(&full).unwrap_or_default();
    if is == should_be {
        return;
    }
    if env::var_os("CHINWAG_BLESS").is_some_and(|wish| wish == "1") && env::var_os("CI").is_none() {
        fs::write(&full, should_be).expect("the document can be written");
        return;
    }
    let mut lines = is.lines().zip(should_be.lines()).enumerate();
    let differing = lines.find(|(_, (is, should_be))| is != should_be).map_or_else(
        || format!("it has {} lines, not {}", is.lines().count(), should_be.lines().count()),
        |(at, (is, should_be))| format!("line {} is\n  {is}\nand should be\n  {should_be}", at + 1),
    );
    panic!("{path} is stale: {differing}\nTo write it anew: {HOW}");
}

fn cards() -> Vec<Card> {
    chinwag_commands::stock().cards_with_examples()
}

#[test]
fn the_list_of_commands_is_fresh() {
    let mut text = format!(
        "# Commands\n\n\
         Made from the commands themselves; to write it anew: `{HOW}`.\n\n\
         Upper and lower case are the same in the name of a command, and a `/` before it may be left out: `/Help` is \
         `help`. `<so>` must be given, `[so]` may be left out, and what ends in `...` is the rest of the line as it is, \
         spaces and quotes included. `@bob hi` is short for `message bob hi`, `@all hi` for `broadcast hi`.\n\n\
         The examples are chat logs, and each of them is run as a test: `alice>` is what alice types, `bob |` what bob \
         sees. They play on a small stage: alice, bob, carol and erin are online, dave is away, erin blocks alice, \
         carol is an operator, `console` is the server's console, and \
         everyone's password is `secret`. A blank line sets the stage anew.\n\n\
         | what to type | what it does |\n|---|---|\n"
    );
    for card in cards() {
        let _ = writeln!(text, "| [`{}`](#{}) | {} |", card.usage(), card.name, card.summary);
    }
    for (card, spec) in cards().iter().zip(chinwag_commands::stock().specs()) {
        tell(card, spec, &mut text);
    }
    check("commands/COMMANDS.md", &text);
}

/// All there is to know of one command.
fn tell(card: &Card, spec: &Spec, text: &mut String) {
    let _ = writeln!(text, "\n## {}\n\n`{}`\n\n{}", card.name, card.usage(), card.summary);
    let needs: Vec<&str> = spec.needs.iter().map(|need| in_words(*need)).collect();
    let when = if needs.is_empty() { "At any time".to_owned() } else { needs.join(", ") };
    let _ = write!(text, "{when}.");
    if !card.aliases.is_empty() {
        let also: Vec<String> = card.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let _ = write!(text, " Also called {}.", also.join(", "));
    }
    match spec.cost {
        0 => text.push_str(" Ten of it count as one command."),
        1 => {}
        cost => {
            let _ = write!(text, " Counts as {cost} commands.");
        }
    }
    text.push('\n');
    if !card.args.is_empty() {
        text.push('\n');
    }
    for arg in &card.args {
        let _ = writeln!(text, "- `{}`, {}: {}", arg.usage(), arg.kind.label, arg.help);
    }
    let _ = writeln!(text, "\n```text\n{}\n```", card.examples);
}

fn in_words(need: Need) -> &'static str {
    match need {
        Need::LoggedIn => "When logged in",
        Need::Account => "When logged in with an account, not as a guest",
        Need::LoggedOut => "Before login",
        Need::GuestsAllowed => "Where guests are allowed",
        Need::RegistrationOpen => "Where registration is not closed",
        Need::PrivateAllowed => "Where private chats are not switched off",
        Need::RelayAllowed => "Where private chats can go through the server",
        Need::LoggedInOrConsole => "When logged in, or at the server's console",
        Need::Operator => "For operators, and at the server's console",
        Need::Console => "At the server's console (`chinwagd ctl`) only",
    }
}

/// How many commands the table of refusals names for a code: some codes are everybody's.
const NAMED: usize = 6;

#[test]
fn the_list_of_refusals_is_fresh() {
    let mut text = format!(
        "# Refusals\n\n\
         Made from the codes and from the examples of the commands; to write it anew: `{HOW}`.\n\n\
         A line that has no effect is answered with a refusal: a code, which stays the same for ever, a sentence, and a \
         hint at what to do instead. In the dialect text it reads `error[CODE]: SENTENCE; HINT`; in json it is \
         `{{\"type\":\"refusal\",\"code\":\"CODE\",\"text\":\"SENTENCE\",\"hint\":\"HINT\"}}`. Where the server ends the \
         connection, the same stands in `closing`.\n\n\
         | code | meaning | shown by the examples of |\n|---|---|---|\n"
    );
    let cards = cards();
    let mut codes = code::ALL.to_vec();
    codes.sort_unstable();
    for (code, meaning) in codes {
        let shown = format!("| error[{code}]: ");
        let mut by: Vec<String> = cards
            .iter()
            .filter(|card| card.examples.contains(&shown))
            .map(|card| format!("[{0}](../commands/COMMANDS.md#{0})", card.name))
            .collect();
        if by.len() > NAMED {
            by[NAMED - 1] = format!("and {} more", by.len() - (NAMED - 1));
            by.truncate(NAMED);
        }
        let _ = writeln!(text, "| `{code}` | {} | {} |", meaning.trim(), by.join(", "));
    }
    check("docs/refusals.md", &text);
}

const BEGIN: &str = "<!-- generated: events -->\n";
const END: &str = "<!-- /generated -->";

#[test]
fn the_samples_of_events_are_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    let text = fs::read_to_string(path).expect("the protocol is written down");
    let (before, rest) = text.split_once(BEGIN).expect("the protocol has a place for samples");
    let (_, after) = rest.split_once(END).expect("the place for samples has an end");
    let mut lines = Vec::new();
    for event in samples() {
        Json.event(&event, &mut lines);
    }
    let lines = String::from_utf8(lines).expect("JSON is UTF-8");
    check("docs/protocol.md", &format!("{before}{BEGIN}```json\n{lines}```\n{END}{after}"));
}

#[test]
fn the_protocol_names_what_is_no_sign_of_anybody() {
    let registry = chinwag_commands::stock();
    let mut names: Vec<&str> = registry.specs().filter(|spec| !spec.by_hand).map(|spec| spec.name).collect();
    names.sort_unstable();
    for spec in registry.specs().filter(|spec| spec.by_hand) {
        assert!(spec.activity, "{}: what somebody does keeps the idle timeout away", spec.name);
        // Who logs out has done that.
        assert!(spec.cost > 0 || spec.name == "logout", "{}: what programs say by themselves is not by hand", spec.name);
    }
    let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let protocol =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md")).expect("the protocol is written down");
    let told = protocol.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(&format!("give by themselves ({list})")), "docs/protocol.md does not list {list}");
}

#[test]
fn every_kind_of_event_has_one_sample() {
    let kinds: Vec<_> = samples().iter().map(std::mem::discriminant).collect();
    for (at, kind) in kinds.iter().enumerate() {
        assert!(!kinds[..at].contains(kind), "the sample {:?} is the second of its kind", samples()[at]);
    }
    for event in samples() {
        // A kind that is new does not compile here: name it, and add a sample below.
        match event {
            Event::Hello { .. } | Event::Dialect { .. } | Event::Welcome { .. } | Event::Cards { .. } => {}
            Event::Roster { .. } | Event::Message(_) | Event::Past(_) | Event::PastEnd { .. } => {}
            Event::Own(_)
            | Event::Sent { .. }
            | Event::Presence { .. }
            | Event::Crowd { .. }
            | Event::People { .. }
            | Event::Directory { .. } => {}
            Event::Me { .. } | Event::Help { .. } | Event::Token { .. } | Event::Pong { .. } => {}
            Event::Entered { .. } | Event::Left { .. } | Event::Room(_) | Event::Rooms { .. } | Event::Members { .. } => {}
            Event::Done | Event::Refusal(_) | Event::Closing(_) | Event::Goodbye | Event::Fact(_) => {}
            Event::PrivateAsked { .. } | Event::PrivateAgreed { .. } | Event::PrivateRelay { .. } | Event::PrivateEnded { .. } => {}
            Event::Unknown => panic!("what a reader does not know is never sent"),
        }
    }
}

/// One of each, in the order a program is likely to meet them. Flags that are not set are left out on the wire.
fn samples() -> Vec<Event> {
    let at = Millis(1_767_225_600_000);
    let message = chinwag_commands::stock().cards().into_iter().find(|card| card.name == "message");
    let message = message.expect("one can say something to somebody");
    let said = |from: &str, to| Said { seq: 1042, at, from: from.to_owned(), to, text: "don't be late".to_owned(), ..Said::default() };
    let bob = || Addressee::User("bob".to_owned());
    let idle = |name: &str| BTreeMap::from([(name.to_owned(), 720)]);
    vec![
        Event::Hello { server: "chinwag 0.1.0".to_owned(), log: "5d41402abc4b2a76".to_owned(), now: at },
        Event::Dialect { name: "json".to_owned() },
        Event::Cards { cards: vec![message.clone()] },
        Event::Welcome { name: "bob".to_owned(), registered: true, guest: false, seq: 1041 },
        Event::Roster {
            names: vec!["alice".to_owned(), "carol".to_owned()],
            rooms: vec!["den".to_owned()],
            idle: idle("carol"),
            more: false,
        },
        Event::Message(Said { offline: true, ..said("alice", bob()) }),
        Event::Own(said("bob", Addressee::User("alice".to_owned()))),
        Event::Sent { seq: 1042, at, to: bob(), kept: true, missed: false, again: false },
        Event::Presence { name: "carol".to_owned(), what: Arrival::LoggedIn, at },
        Event::Crowd { came: 20, went: 5, online: 240, at },
        Event::People { of: PeopleOf::Since(90), names: vec!["alice".to_owned(), "dave".to_owned()], idle: BTreeMap::new(), more: false },
        Event::Directory {
            users: vec![
                Person { name: "alice".to_owned(), online: true, last_seen: None, idle: None },
                Person { name: "carol".to_owned(), online: true, last_seen: None, idle: Some(720) },
                Person { name: "dave".to_owned(), online: false, last_seen: Some(at), idle: None },
            ],
            more: true,
        },
        Event::Me { name: "bob".to_owned(), since: at, guest: false, cursor: 1042 },
        Event::Past(said("alice", Addressee::Everyone)),
        Event::PastEnd { count: 1, more: true, next: Some(1042) },
        Event::Help { cards: vec![Card { examples: "alice> message bob hi\nbob | alice: hi".into(), ..message }] },
        Event::Token { token: "86461af303bb583db0e16f4d76de63c7".to_owned(), expires: at.plus(Duration::from_secs(30 * 24 * 3600)) },
        Event::Pong { token: "7".to_owned() },
        Event::Entered {
            room: "den".to_owned(),
            nick: "Bobby".to_owned(),
            topic: Some("tea at five".to_owned()),
            others: vec!["alice".to_owned()],
            more: false,
            created: false,
            heard_only: false,
        },
        Event::Room(RoomNews {
            room: "den".to_owned(),
            what: RoomDeed::Muted,
            whom: Some("carol".to_owned()),
            by: Some("alice".to_owned()),
            text: None,
            until: Some(at.plus(Duration::from_secs(600))),
            at,
        }),
        Event::Members {
            room: "den".to_owned(),
            members: vec![
                MemberLine { nick: "alice".to_owned(), name: None, role: RoomRole::Owner, here: true, idle: None, muted_until: None },
                MemberLine {
                    nick: "Bobby".to_owned(),
                    name: Some("bob".to_owned()),
                    role: RoomRole::Member,
                    here: true,
                    idle: Some(720),
                    muted_until: None,
                },
            ],
            more: false,
        },
        Event::Rooms {
            rooms: vec![RoomLine {
                name: "den".to_owned(),
                here: 2,
                topic: Some("tea at five".to_owned()),
                access: RoomAccess::Public,
                mine: true,
                member: true,
                archived: false,
            }],
            more: false,
        },
        Event::Left { room: "den".to_owned() },
        Event::PrivateAsked {
            from: "alice".to_owned(),
            fingerprint: Fingerprint([0xa1; 32]),
            direct: true,
            expires: at.plus(Duration::from_secs(60)),
        },
        Event::PrivateAgreed {
            with: "alice".to_owned(),
            asker: false,
            offer: Offer {
                fingerprint: Fingerprint([0xa1; 32]),
                token: Token([0x5e; 32]),
                addresses: vec![([192, 0, 2, 7], 40712).into(), ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7], 40712).into()],
            },
        },
        Event::PrivateRelay { with: "alice".to_owned(), ticket: Some(Token([0x71; 32])) },
        Event::PrivateEnded { with: "alice".to_owned(), why: PrivateEnd::Stopped },
        Event::Done,
        Event::Fact(Fact::new("acme.roll", "alice rolled 2d6: 4 + 1 = 5").with("total", 5)),
        Event::Refusal(Refusal::new(code::NO_SUCH_USER, "there is no user `bobb`").hint("did you mean `bob`?")),
        Event::Closing(Refusal::new(code::SESSION_REPLACED, "you logged in from somewhere else").hint("log in again to take over")),
        Event::Goodbye,
    ]
}
