use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::dialect::text::shown;
use crate::dialect::wire::{Effect, Effects, Peer, Protocol, Setup, Wire};
use crate::event::Person;
use crate::private::{Fingerprint, Offer, PrivateEnd};

const NOW: Millis = Millis(1_767_225_600_999);

/// A visitor, and what a server says to it.
struct Stage(Visitor);

impl Stage {
    fn new() -> Stage {
        Stage(Visitor::default())
    }

    /// alice, let in by a server that says no more than it has to.
    fn alice() -> Stage {
        let mut stage = Stage::new();
        stage.says("guest alice");
        stage.hears(&json!({"USERNAME_ACCEPTED": true, "INFO": "", "USER_LIST": ["alice", "bob"], "MESSAGES": []}));
        stage
    }

    /// The objects that are sent for a line with the tag `1`.
    fn says(&mut self, line: &str) -> Vec<Value> {
        let line = Line { text: line.into(), marks: Marks { tag: Some("1".into()), key: None } };
        let frames = self.0.say(&line, NOW);
        frames.iter().map(|frame| serde_json::from_slice(&frame[frame::HEADER..]).unwrap()).collect()
    }

    /// What is heard, as people read it; answers to the tag `1` with a `>` in front, and those that are not the last with a `.` behind.
    fn heard(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(line) = self.0.next_line() {
            let mark = if line.tag.is_some() { "> " } else { "" };
            let more = if line.tag.is_some() && !line.done { "." } else { "" };
            let text = shown(&line.event);
            if !text.is_empty() {
                all.push(format!("{mark}{text}{more}"));
            }
        }
        all
    }

    fn hears_bytes(&mut self, mut bytes: &[u8]) -> Vec<String> {
        while !bytes.is_empty() {
            bytes = &bytes[self.0.hear(bytes, NOW).unwrap()..];
        }
        self.heard()
    }

    fn hears(&mut self, value: &Value) -> Vec<String> {
        self.hears_bytes(&frame::encode(value))
    }

    fn hears_text(&mut self, text: &str) -> Vec<String> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        self.hears_bytes(&[&length[..], text.as_bytes()].concat())
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.0.next_line()).map(|line| line.event).collect()
    }
}

#[test]
fn a_visit_as_the_protocol_means_it() {
    let mut stage = Stage::new();
    assert_eq!(stage.says("whoami"), [] as [Value; 0]);
    assert_eq!(stage.heard(), ["> error[not-logged-in]: you are not logged in"]);
    assert_eq!(stage.says("guest alice"), [json!({"USERNAME": "alice"})]);
    assert_eq!(stage.hears(&json!({"USERNAME_ACCEPTED": false, "INFO": "Somebody has it."})), ["> error[name-taken]: Somebody has it."]);
    assert_eq!(stage.says("guest alice2"), [json!({"USERNAME": "alice2"})]);
    let accepted = json!({"USERNAME_ACCEPTED": true, "INFO": "Welcome!", "USER_LIST": ["bob"], "MESSAGES": [["bob", "alice2", 60, "old"], ["bob", "ALL", 61, "news"]]});
    assert_eq!(
        stage.hears(&accepted),
        [
            "> * welcome, alice2: you are a guest; `help` lists what you can do",
            "* Welcome!",
            "(offline 1970-01-01 00:01:00Z) bob: old",
            "(offline 1970-01-01 00:01:01Z) bob to all: news",
        ]
    );
    assert_eq!(stage.says("@bob hi"), [json!({"MESSAGES": [["alice2", "bob", 1_767_225_600, "hi"]]})]);
    assert_eq!(stage.says("@all tea\nor coffee"), [json!({"MESSAGES": [["alice2", "ALL", 1_767_225_600, "tea\nor coffee"]]})]);
    assert_eq!(stage.heard(), ["> sent", "> sent"]);
    // Some send a broadcast back, and some a message too.
    assert_eq!(stage.hears(&json!({"MESSAGES": [["alice2", "ALL", 1, "tea\nor coffee"], ["alice2", "bob", 1, "hi"]]})), [] as [&str; 0]);
    assert_eq!(
        stage.hears(&json!({"MESSAGES": [["alice2", "ALL", 1, "from my other device"], ["alice2", "bob", 1, "there, too"]]})),
        ["alice2 to all: from my other device", "* you to bob: there, too"]
    );
    assert_eq!(
        stage.hears(&json!({"MESSAGES": [["bob", "den", 1, "x"]], "USERS_JOINED": ["carol"], "USERS_LEFT": ["bob"]})),
        ["* carol logged in", "* bob logged out", "[den] bob: x"]
    );
    assert_eq!(stage.says("logout"), [] as [Value; 0]);
    assert!(stage.0.is_leaving() && stage.0.ended());
    assert_eq!(stage.heard(), ["> * goodbye"]);
    assert!(!stage.0.ended(), "a server that ends it by itself is lost");
}

#[test]
fn commands_are_said_to_oneself_and_answered_by_oneself() {
    let mut stage = Stage::alice();
    stage.heard();
    for (typed, sent) in [
        ("whoami", "/Name"),
        ("/Block bob", "/Block bob"),
        ("UNBLOCK bob", "/UnBlock bob"),
        ("/blocked", "/Blocked"),
        ("whoelse", "/DisplayUsers"),
        ("users", "/DisplayAllUsers"),
        ("/acme roll 6", "/acme roll 6"),
    ] {
        assert_eq!(stage.says(typed), [json!({"MESSAGES": [["alice", "alice", 1_767_225_600, sent]]})]);
    }
    assert_eq!(
        stage.hears(&json!({"MESSAGES": [["alice", "alice", 1, "you are alice"], ["alice", "alice", 1, "one\ntwo"]]})),
        ["> you are alice", "> one.", "> two"]
    );
    assert_eq!(stage.hears(&json!({"ERROR": "no such user"})), ["> error[s4-error]: no such user"]);
    assert_eq!(
        stage.hears(&json!({"MESSAGES": [["alice", "alice", 1, "error[no-such-user]: there is no user `x`"]]})),
        ["> error[no-such-user]: there is no user `x`"]
    );
    assert_eq!(
        stage.hears(&json!({"MESSAGES": [["alice", "alice", 1, "/DisplayUsers"]]})),
        ["> error[s4-error]: the server does not obey `/DisplayUsers`: it sends the line back"]
    );
    // Who is asked for a sign of life says so, and gives up what has no answer.
    stage.says("/ping x");
    let no_answer = "> error[deadline]: the server says nothing to this; it may not know it, or answer later";
    assert_eq!(stage.heard(), [no_answer, no_answer, "> pong x"]);
    assert_eq!(stage.hears(&json!({"MESSAGES": [["alice", "alice", 1, "a notice"]]})), ["a notice"]);
    // What nobody knows goes to no stranger.
    for (typed, answer) in [
        (
            "hello there",
            "> error[unknown-command]: there is no command `hello`; `@NAME TEXT` says something to one, `@all TEXT` to everyone; `/hello` asks the server",
        ),
        ("blokced", "> error[unknown-command]: there is no command `blokced`; did you mean `blocked`?"),
        (
            "//x",
            "> error[no-such-room]: servers of this protocol have no rooms to say something in; `@NAME TEXT` says it to one, `@all TEXT` to everyone",
        ),
        ("@bob", "> error[usage]: there is nothing to say, or nobody to say it to; `@NAME TEXT` says it to one, `@all TEXT` to everyone"),
        ("@ALICE hi", "> error[yourself]: you cannot message yourself; name somebody else"),
        ("login alice x", "> error[already-logged-in]: you are alice here already"),
        ("help nonsense", "> error[unknown-command]: there is no command `nonsense`; `help` lists all"),
    ] {
        assert_eq!(stage.says(typed), [] as [Value; 0], "{typed}");
        assert_eq!(stage.heard(), [answer]);
    }
    stage.says("help whoelse");
    assert!(stage.heard()[0].starts_with("> displayusers\n  List who is online.\n  also: whoelse"));
    stage.says("help");
    assert!(stage.heard()[0].contains("displayallusers"));
}

#[test]
fn an_error_is_about_what_was_said_just_before_it() {
    let mut stage = Stage::alice();
    stage.says("/name");
    stage.says("@bob one");
    stage.says("/blocked");
    stage.heard();
    let error = json!({"ERROR": "no"});
    assert_eq!(stage.hears(&error), ["> error[s4-error]: no"], "the first command was asked before anything was said");
    assert_eq!(stage.hears(&error), ["> error[s4-error]: no"]);
    stage.says("@bob two");
    stage.says("/name");
    stage.heard();
    assert_eq!(stage.hears(&error), ["error[s4-error]: no"]);
    assert_eq!(stage.hears(&json!({"MESSAGES": [["alice", "alice", 1, "alice"]]})), ["> alice"]);
    assert_eq!(stage.hears(&error), ["error[s4-error]: no"]);
    // What came back has passed.
    stage.says("@all three");
    stage.says("/name");
    stage.heard();
    stage.hears(&json!({"MESSAGES": [["alice", "ALL", 1, "three"]]}));
    assert_eq!(stage.hears(&error), ["> error[s4-error]: no"]);
}

#[test]
fn servers_of_all_tempers_are_understood() {
    for accepted in [json!("true"), json!("True"), json!(1), json!("yes")] {
        let mut stage = Stage::new();
        stage.says("guest alice");
        assert_eq!(stage.hears(&json!({"username_accepted": accepted, "X": {"y": []}})).len(), 1, "{accepted}");
    }
    for refused in [
        json!({"USERNAME_ACCEPTED": "false", "INFO": "no"}),
        json!({"USERNAME_ACCEPTED": 0, "ERROR": "no"}),
        json!({"ERROR": "no"}),
        json!("no"),
    ] {
        let mut stage = Stage::new();
        stage.says("guest alice");
        let heard = stage.hears(&refused);
        assert!(heard.len() == 1 && heard[0].starts_with("> error[") && heard[0].ends_with("]: no"), "{refused}: {heard:?}");
    }
    for list in [
        json!(["alice", "bob", "carol"]),
        json!("alice, bob,carol"),
        json!([{"USERNAME": "bob"}, {"name": "carol", "online": "true"}, {"user": "dave", "status": "offline"}]),
        json!([{"x": "bob"}, ["carol", 7], 7, null]),
        json!({"bob": true, "carol": {"since": 7}, "dave": false, "erin": "offline", "alice": {"online": true}}),
    ] {
        let mut stage = Stage::new();
        stage.says("guest alice");
        stage.hears_bytes(&[]);
        stage.0.hear(&frame::encode(&json!({"USERNAME_ACCEPTED": true, "USER_LIST": list})), NOW).unwrap();
        let events = stage.events();
        assert!(
            events.iter().any(|event| matches!(event, Event::Roster { names, .. } if *names == ["bob", "carol"])),
            "{list}: {events:?}"
        );
    }
    for (time, at) in [
        (json!(1_700_000_000), 1_700_000_000_000),
        (json!("1700000000"), 1_700_000_000_000),
        (json!(1_700_000_000.5), 1_700_000_000_500),
        (json!("1700000000.5"), 1_700_000_000_500),
        (json!(1_700_000_000_123_i64), 1_700_000_000_123),
        (json!("2023-11-14 22:13:20"), 1_700_000_000_000),
        (json!("2023-11-14T22:13:20.123456+00:00"), 1_700_000_000_000),
        (json!("half past nine"), NOW.0),
        (json!("NaN"), NOW.0),
        (json!(null), NOW.0),
        (json!(-1e300), i64::MIN),
    ] {
        let mut stage = Stage::alice();
        stage.heard();
        stage.0.hear(&frame::encode(&json!({"MESSAGES": [["bob", "alice", time, "x"]]})), NOW).unwrap();
        assert!(matches!(&stage.events()[..], [Event::Message(said)] if said.at.0 == at), "{time}");
    }
    let mut stage = Stage::alice();
    stage.heard();
    for messages in [
        json!({"MESSAGES": ["bob", "all", 1, "x"]}),
        json!({"MESSAGES": [{"from": "bob", "to": "ALL", "time": 1, "text": "x"}]}),
        json!([{"MESSAGES": [["bob", "ALL", 1, "x", "more"], ["bob"], 7]}]),
    ] {
        assert_eq!(stage.hears(&messages), ["bob to all: x"], "{messages}");
    }
    // Several objects in one frame, with or without anything between them; and what is not JSON.
    assert_eq!(
        stage.hears_text("{\"MESSAGES\":[[\"bob\",\"ALL\",1,\"a\"]]}{\"ERROR\":\"b\"}\n \"c\" "),
        ["bob to all: a", "error[s4-error]: b", "error[s4-error]: c"]
    );
    assert_eq!(stage.hears_text("Error: you are odd"), ["error[s4-error]: Error: you are odd"]);
    assert_eq!(stage.hears(&json!({"ERROR": ["one", "two"]})), ["error[s4-error]: one; two"]);
    assert_eq!(
        stage.hears(&json!({"ERROR": "no-such-user: there is no user `x`; `users` lists everyone"})),
        ["error[no-such-user]: there is no user `x`; `users` lists everyone"]
    );
}

#[test]
fn comings_and_goings_are_told_in_words_by_some() {
    for (info, expected) in [
        ("bob joined", Some(("bob", true))),
        ("User 'bob' has joined the chat.", Some(("bob", true))),
        ("* bob has left the server!", Some(("bob", false))),
        ("bob_2 logged in", Some(("bob_2", true))),
        ("bob logged out", Some(("bob", false))),
        ("bob went offline", Some(("bob", false))),
        ("User joined: bob", Some(("bob", true))),
        ("bob disconnected", Some(("bob", false))),
        ("Welcome!", None),
        ("You have joined the chat", None),
        ("You left", None),
        ("bob and carol joined", None),
        ("", None),
        ("the meeting that bob wanted to be at has left no time to join it", None),
    ] {
        assert_eq!(told(info), expected.map(|(name, arrives)| (name.to_owned(), arrives)), "{info}");
    }
    let mut stage = Stage::alice();
    stage.heard();
    assert_eq!(stage.hears(&json!({"INFO": "carol joined", "USERS_JOINED": ["carol"]})), ["* carol logged in"], "once");
    assert_eq!(stage.hears(&json!({"INFO": "bob left"})), ["* bob logged out"]);
    assert_eq!(stage.hears(&json!({"INFO": "bob left"})), [] as [&str; 0]);
    assert_eq!(stage.hears(&json!({"INFO": "alice joined"})), ["* alice joined"]);
    assert_eq!(stage.hears(&json!({"INFO": "The server goes down at noon"})), ["* The server goes down at noon"]);
    assert_eq!(stage.hears(&json!({"USERS_JOINED": {"dave": true, "alice": true}})), ["* dave logged in"]);
}

#[test]
fn after_a_lost_link_nothing_is_shown_twice() {
    let mut stage = Stage::alice();
    let all = json!([["bob", "ALL", 1, "one"], ["alice", "bob", 2, "mine"], ["bob", "alice", 3, "two"]]);
    stage.hears(&json!({"MESSAGES": [all[0], all[2]]}));
    stage.says("@bob mine");
    stage.says("/name");
    stage.hears_bytes(b"\0\0\0\x09{\"MESS");
    stage.0.begin_again();
    assert_eq!((stage.0.held(), stage.heard()), (0, Vec::new()));
    assert_eq!(stage.says("guest alice"), [json!({"USERNAME": "alice"})]);
    let more =
        json!({"USERNAME_ACCEPTED": true, "INFO": "Welcome back!", "MESSAGES": [all[0], all[1], all[2], ["bob", "alice", 3, "three"]]});
    assert_eq!(stage.hears(&more)[1..], ["(offline 1970-01-01 00:00:03Z) bob: three"]);
}

#[test]
fn a_server_that_is_none_is_lost() {
    let mut visitor = Visitor::default();
    let lost = visitor.hear(b"HTTP/1.1 400 Bad Request\r\n", NOW).expect_err("a length of HTTP");
    assert!(lost.contains("1213486160 bytes"), "{lost}");
    assert_eq!(visitor.held(), 0);
}

const PEER: Peer = Peer(1);

/// Both ends of the protocol, ours. Whatever is asked for is granted.
struct Pair {
    server: Box<dyn Protocol>,
    stage: Stage,
    /// Whether the server has ever sent something deflated.
    deflated: bool,
    /// The lines that the server has had obeyed.
    obeyed: Vec<String>,
}

impl Pair {
    fn new() -> Pair {
        let mut server = super::super::S4.start(&Setup { text_bytes: 4096, options: Default::default() }).unwrap();
        server.opened(PEER, std::net::Ipv4Addr::LOCALHOST.into(), &mut Effects::new(Duration::ZERO, NOW));
        Pair { server, stage: Stage::new(), deflated: false, obeyed: Vec::new() }
    }

    /// What comes of a line.
    fn says(&mut self, line: &str) -> Vec<String> {
        let line = Line { text: line.into(), marks: Marks { tag: Some("1".into()), key: None } };
        let bytes = self.stage.0.say(&line, NOW).concat();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let mut out = Effects::new(Duration::ZERO, NOW);
            rest = &rest[self.server.heard(PEER, rest, &mut out)..];
            self.carry(out);
        }
        self.stage.heard()
    }

    fn does(&mut self, what: impl FnOnce(&mut dyn Protocol, &mut Effects)) -> Vec<String> {
        let mut out = Effects::new(Duration::ZERO, NOW);
        what(&mut *self.server, &mut out);
        self.carry(out);
        self.stage.heard()
    }

    fn carry(&mut self, out: Effects) {
        for effect in out.into_list() {
            match effect {
                Effect::Frame(_, bytes) => {
                    self.deflated |= bytes[0] & 0x80 != 0;
                    let taken = self.stage.0.hear(&bytes, NOW).unwrap();
                    assert_eq!(taken, bytes.len());
                }
                Effect::Order(_, order) => {
                    self.obeyed.push(order.line.clone());
                    let answer = match &*order.line {
                        "login alice" => Event::Welcome { name: "alice".into(), registered: false, guest: false, seq: 7 },
                        "message nobody" => Event::Refusal(Refusal::new(code::NO_SUCH_USER, "there is no user `nobody`")),
                        "/acme" => Event::Directory {
                            users: ["bob", "carol"]
                                .map(|name| Person { name: name.into(), online: true, last_seen: None, idle: None })
                                .to_vec(),
                            more: false,
                        },
                        line if line.starts_with("since") => Event::Done,
                        "message bob" => {
                            Event::Sent { seq: 9, at: NOW, to: Addressee::User("bob".into()), kept: true, missed: false, again: false }
                        }
                        _ => Event::Sent { seq: 8, at: NOW, to: Addressee::Everyone, kept: false, missed: true, again: false },
                    };
                    let is_welcome = matches!(answer, Event::Welcome { .. });
                    let mut out = Effects::new(Duration::ZERO, NOW);
                    self.server.answer(PEER, &[answer], &mut out);
                    if is_welcome {
                        self.server.caught_up(PEER, &mut out);
                    }
                    self.carry(out);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn our_own_pair_tells_more_and_says_less() {
    let mut pair = Pair::new();
    assert_eq!(pair.says("login alice secret"), ["> * welcome back, alice", "* Welcome!"]);
    assert_eq!(pair.says("@bob hi"), ["> sent; they are away and get it at their next login"]);
    assert_eq!(pair.says("@nobody hi"), ["> error[no-such-user]: there is no user `nobody`"]);
    assert_eq!(pair.says("@all hi"), ["> sent; some people could not be reached"]);
    // Any command of the server, in however few letters.
    assert_eq!(pair.says("acme"), ["> bob: online.", "> carol: online.", "> * 2 users"]);
    assert!(!pair.deflated, "what is short is sent as it is");
    let long = Said { seq: 11, from: "bob".into(), to: Addressee::Everyone, text: "la".repeat(1000), ..Said::default() };
    let heard = pair.does(|server, out| server.event(PEER, &Event::Message(long), out));
    assert_eq!(heard, [format!("bob to all: {}", "la".repeat(1000))]);
    assert!(pair.deflated);
    let sung = pair.says(&format!("@all {}", "la".repeat(2000)));
    assert_eq!(sung, ["> sent; some people could not be reached"]);
    assert_eq!(pair.obeyed, ["login alice", "message bob", "message nobody", "broadcast", "/acme", "broadcast"]);
    // It comes back behind the last number.
    pair.stage.0.begin_again();
    let mut again = Pair { stage: pair.stage, ..Pair::new() };
    again.says("login alice secret");
    assert_eq!(again.obeyed, ["since 11", "login alice"]);
}

#[test]
fn a_server_that_answers_everything_is_waited_for_and_what_is_by_the_way_is_told_at_once() {
    let mut stage = Stage::new();
    stage.says("login alice secret");
    stage.hears(&json!({"USERNAME_ACCEPTED": true, "INFO": "", "USER_LIST": [], "MESSAGES": [], "ACCEPTED": ["receipts"]}));
    let note = |text: &str| json!({"MESSAGES": [["alice", "alice", 1, text]]});
    let answer = |text: &str| json!({"MESSAGES": [["alice", "alice", 1, text]], "ANSWER": true});
    stage.says("/startprivate");
    stage.heard();
    stage.says("/acme");
    assert_eq!(stage.says("/ping x"), [json!({"MESSAGES": [["alice", "alice", 1_767_225_600, "/ping"]]})]);
    assert_eq!(stage.hears(&note("you are fast")), ["you are fast"]);
    assert_eq!(stage.hears(&answer("error[blocked]: no")), [] as [&str; 0]);
    assert_eq!(stage.hears(&json!({"RECEIPT": null})), ["> error[blocked]: no"]);
    assert_eq!(stage.hears(&answer("pong")), [] as [&str; 0]);
    assert_eq!(stage.hears(&json!({"RECEIPT": null})), ["> pong x"]);
    // The same words from another device are no echo.
    stage.says("@all ok");
    stage.hears(&json!({"RECEIPT": {"SEQ": 8, "TIMESTAMP": 1, "KEPT": false, "MISSED": false}}));
    assert_eq!(stage.hears(&json!({"MESSAGES": [["alice", "ALL", 1, "ok"]], "SEQ": [9]})), ["alice to all: ok"]);
}

#[test]
fn strangers_are_told_nothing_of_private_chats_and_cannot_tell_of_any() {
    let mut stage = Stage::alice();
    stage.heard();
    for typed in PRIVATE_COMMANDS {
        for slash in ["", "/"] {
            assert_eq!(stage.says(&format!("{slash}{} bob a-secret", typed.to_uppercase())), [] as [Value; 0]);
            let heard = stage.heard();
            assert!(
                heard.len() == 1 && heard[0].starts_with("> error[private-off]: there are no private chats on this server"),
                "{heard:?}"
            );
        }
    }
    stage.hears(&json!({"PRIVATE": {"type": "private-ended", "with": "bob", "why": "stopped"}}));
    assert_eq!(stage.events(), []);
    assert_eq!(stage.says("help startprivate"), [] as [Value; 0]);
    assert!(stage.heard()[0].starts_with("> error[unknown-command]"));
}

#[test]
fn private_chats_are_asked_for_by_commands_and_told_by_events_and_nothing_else_is() {
    let mut pair = Pair::new();
    pair.says("login alice secret");
    assert_eq!(pair.says("/startprivate bob AN-OFFER"), ["> sent; some people could not be reached"]);
    assert_eq!(pair.obeyed, ["login alice", "/startprivate bob AN-OFFER"]);
    let help = pair.says("help startprivate");
    assert!(help[0].contains("startprivate <user> [offer]"), "{help:?}");
    for no in
        [json!({"type": "goodbye"}), json!({"type": "hologram"}), json!({"type": "private-ended"}), json!("private-ended"), json!(null)]
    {
        pair.stage.hears(&json!({ "PRIVATE": no }));
        assert_eq!(pair.stage.events(), [], "{no}");
    }
    // On the next connection it has to be agreed on anew.
    pair.stage.0.begin_again();
    pair.stage.says("login alice secret");
    pair.stage.hears(&json!({"USERNAME_ACCEPTED": true, "INFO": "", "USER_LIST": [], "MESSAGES": [], "ACCEPTED": ["receipts"]}));
    assert_eq!(pair.stage.says("/startprivate bob AN-OFFER"), [] as [Value; 0]);
}

#[test]
fn a_ticket_is_answered_with_yes_or_why_not() {
    let frame = carry(Token([0xab; 32]));
    assert_eq!(serde_json::from_slice::<Value>(&frame[frame::HEADER..]).unwrap(), json!({"CARRY": "ab".repeat(32)}));
    assert_eq!(carried(br#"{"CARRIED":true}"#), Ok(()));
    assert_eq!(carried(br#"{"ERROR":"bad-ticket: this is no ticket"}"#), Err("bad-ticket: this is no ticket".to_owned()));
    for strange in [&b"{}"[..], b"", b"[]", b"\xff", br#"{"CARRIED":false}"#] {
        assert!(carried(strange).is_err());
    }
}

/// Any event of private chats.
fn private_event() -> impl Strategy<Value = Event> {
    let word = || any::<[u8; 32]>();
    let address = || {
        let ip = prop_oneof![
            any::<[u8; 4]>().prop_map(|ip| std::net::IpAddr::from([ip[0] % 223 + 1, ip[1], ip[2], ip[3]])),
            any::<[u8; 15]>().prop_map(|ip| {
                let mut whole = [0x20; 16];
                whole[1..].copy_from_slice(&ip);
                std::net::IpAddr::from(whole)
            }),
        ];
        (ip, 1u16..).prop_map(std::net::SocketAddr::from)
    };
    let offer = (word(), word(), prop::collection::vec(address(), 0..=crate::private::ADDRESSES_MAX))
        .prop_map(|(fingerprint, token, addresses)| Offer { fingerprint: Fingerprint(fingerprint), token: Token(token), addresses });
    let ends = [
        PrivateEnd::Declined,
        PrivateEnd::Expired,
        PrivateEnd::Withdrawn,
        PrivateEnd::AnsweredElsewhere,
        PrivateEnd::Stopped,
        PrivateEnd::LoggedOut,
        PrivateEnd::TimedOut,
        PrivateEnd::SwitchedOff,
    ];
    prop_oneof![
        (any::<String>(), word(), any::<bool>(), any::<i64>()).prop_map(|(from, fingerprint, direct, expires)| Event::PrivateAsked {
            from,
            fingerprint: Fingerprint(fingerprint),
            direct,
            expires: Millis(expires)
        }),
        (any::<String>(), any::<bool>(), offer).prop_map(|(with, asker, offer)| Event::PrivateAgreed { with, asker, offer }),
        (any::<String>(), prop::option::of(word())).prop_map(|(with, ticket)| Event::PrivateRelay { with, ticket: ticket.map(Token) }),
        (any::<String>(), prop::sample::select(ends.to_vec())).prop_map(|(with, why)| Event::PrivateEnded { with, why }),
    ]
}

proptest! {
    #[test]
    fn whatever_is_told_of_private_chats_is_heard_as_it_was_told(events in prop::collection::vec(private_event(), 1..5)) {
        let mut pair = Pair::new();
        pair.says("login alice secret");
        let mut out = Effects::new(Duration::ZERO, NOW);
        events.iter().for_each(|event| pair.server.event(PEER, event, &mut out));
        let frames = out.into_list().into_iter().map(|effect| match effect {
            Effect::Frame(PEER, bytes) => bytes,
            other => panic!("only frames: {other:?}"),
        });
        for frame in frames {
            prop_assert!(frame.len() < 16 * 1024);
            pair.stage.0.hear(&frame, NOW).unwrap();
        }
        prop_assert_eq!(pair.stage.events(), events);
    }

    #[test]
    fn any_split_of_any_frames_is_heard_the_same(
        texts in prop::collection::vec(prop_oneof![
            Just(r#"{"USERNAME_ACCEPTED":"true","USER_LIST":{"bob":1}}"#.to_owned()),
            Just(r#"{"MESSAGES":[["bob","alice","7","x"],["alice","alice",1,"y"]],"INFO":"carol joined"}"#.to_owned()),
            Just(r#"{"ERROR":"blocked: no"}"#.to_owned()),
            Just("\"no\"".to_owned()),
            "[\\[\\]{}\",:0-9A-Z ]{0,30}",
            ".{0,30}",
        ], 0..8),
        cuts in prop::collection::vec(0usize..400, 0..8),
    ) {
        let bytes: Vec<u8> = texts.iter().flat_map(|text| [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text.as_bytes()].concat()).collect();
        let start = || {
            let mut stage = Stage::new();
            stage.says("guest alice");
            stage.says("/name");
            stage
        };
        let whole = start().hears_bytes(&bytes);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.min(&bytes.len())).collect();
        cuts.sort_unstable();
        let (mut stage, mut from, mut parts) = (start(), 0, Vec::new());
        for cut in cuts.into_iter().chain([bytes.len()]) {
            parts.extend(stage.hears_bytes(&bytes[from..cut]));
            from = cut;
        }
        prop_assert_eq!(parts, whole);
    }

    #[test]
    fn any_json_and_any_bytes_are_survived(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        value in json_value(),
        lines in prop::collection::vec(".{0,20}", 0..5),
    ) {
        let mut stage = Stage::alice();
        stage.hears(&value);
        for line in &lines {
            stage.says(line);
        }
        let object: Map<String, Value> = ["USERNAME_ACCEPTED", "USER_LIST", "MESSAGES", "INFO", "ERROR", "SEQ", "RECEIPT", "ACCEPTED", "PRIVATE"].map(|key| (key.to_owned(), value.clone())).into_iter().collect();
        stage.hears(&Value::Object(object));
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let Ok(taken) = stage.0.hear(rest, NOW) else { break };
            prop_assert!(taken > 0 && stage.0.held() <= FRAME_MAX + frame::HEADER);
            rest = &rest[taken..];
        }
    }
}

/// Any JSON, with what the protocol knows in it more often than by chance.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec!["true", "alice", "bob", "ALL", "x: y", "bob joined", "/Name", "deflate", "é"]).prop_map(Value::from),
    ];
    let key = prop::sample::select(vec!["USERNAME", "status", "FROM", "TO", "TEXT", "SEQ", "x"]);
    leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}
