use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;
use serde_json::json;

use super::super::wire::Order;
use super::*;
use crate::refusal::code;

const PEER: Peer = Peer(1);

/// One connection, and what is to be done about it.
struct Stage {
    protocol: Box<dyn Protocol>,
}

impl Stage {
    fn set() -> Stage {
        let mut protocol = S4.start(&Setup { text_bytes: 4096, options: BTreeMap::new() }).unwrap();
        protocol.opened(PEER, Ipv4Addr::LOCALHOST.into(), &mut now());
        Stage { protocol }
    }

    /// alice, let in, with bob.
    fn alice() -> Stage {
        let mut stage = Stage::set();
        stage.hears(&json!({"USERNAME": "alice"}));
        let welcome = Event::Welcome { name: "alice".into(), registered: false, guest: true, seq: 7 };
        stage.does(|protocol, out| {
            protocol.answer(
                PEER,
                &[welcome, Event::Roster { names: vec!["bob".into()], rooms: Vec::new(), idle: BTreeMap::new(), more: false }],
                out,
            )
        });
        stage.does(|protocol, out| protocol.caught_up(PEER, out));
        stage
    }

    fn does(&mut self, what: impl FnOnce(&mut dyn Protocol, &mut Effects)) -> Vec<Effect> {
        let mut out = now();
        what(&mut *self.protocol, &mut out);
        out.into_list()
    }

    fn hears(&mut self, object: &Value) -> Vec<Effect> {
        self.hears_bytes(&frame::encode(object))
    }

    fn hears_bytes(&mut self, mut bytes: &[u8]) -> Vec<Effect> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let mut out = now();
            let taken = self.protocol.heard(PEER, bytes, &mut out);
            bytes = &bytes[taken..];
            all.extend(out.into_list());
        }
        all
    }
}

fn now() -> Effects {
    Effects::new(Duration::ZERO, Millis(1_767_225_600_999))
}

/// The objects among the effects.
fn objects(effects: &[Effect]) -> Vec<Value> {
    let json = |effect: &Effect| match effect {
        Effect::Frame(_, bytes) => Some(serde_json::from_slice(&bytes[frame::HEADER..]).unwrap()),
        _ => None,
    };
    effects.iter().filter_map(json).collect()
}

fn order(line: &str, body: Option<&str>) -> Effect {
    Effect::Order(PEER, Order { line: line.into(), body: body.map(str::to_owned) })
}

#[test]
fn a_frame_of_thousands_of_mistakes_is_answered_with_a_few() {
    let mut stage = Stage::alice();
    let told = objects(&stage.hears(&json!({"MESSAGES": vec![1; 9000]})));
    assert_eq!(told.len(), ERRORS_MAX + 1);
    assert_eq!(told.last(), Some(&json!({"ERROR": "8980 more of these messages are wrong"})));
    // What is right among them is said.
    let mut some = vec![json!(1); 100];
    some[99] = json!(["alice", "bob", 0, "hi"]);
    assert!(stage.hears(&json!({"MESSAGES": some})).contains(&order("message bob", Some("hi"))));
}

#[test]
fn a_key_with_nothing_is_no_key_and_a_byte_order_mark_is_nothing() {
    let mut stage = Stage::set();
    let hello = json!({"USERNAME": "alice", "MESSAGES": null, "PASSWORD": null, "SINCE": null, "ACCEPT": null, "ERROR": null});
    assert_eq!(stage.hears(&hello), [order("guest", Some("alice")), Effect::Hold(PEER)]);
    let mut stage = Stage::alice();
    let json = b"\xef\xbb\xbf{\"USERNAME\": null, \"MESSAGES\": [[\"alice\", \"bob\", null, \"hi\"]]}";
    let frame = [&u32::try_from(json.len()).unwrap().to_be_bytes()[..], json].concat();
    assert_eq!(stage.hears_bytes(&frame), [order("message bob", Some("hi"))]);
    // Nothing but nothing is nothing of ours.
    let errors = objects(&stage.hears(&json!({"USERNAME": null})));
    assert_eq!(errors, [json!({"ERROR": "an object has USERNAME or MESSAGES"})]);
}

#[test]
fn an_acceptance_has_everything_in_one_frame() {
    let mut stage = Stage::set();
    assert_eq!(stage.hears(&json!({"USERNAME": "alice"})), [order("guest", Some("alice")), Effect::Hold(PEER)]);
    let welcome = Event::Welcome { name: "alice".into(), registered: false, guest: true, seq: 7 };
    let roster = Event::Roster { names: vec!["carol".into(), "Bob".into()], rooms: Vec::new(), idle: BTreeMap::new(), more: false };
    assert_eq!(stage.does(|protocol, out| protocol.answer(PEER, &[welcome, roster], out)), [Effect::Release(PEER)]);
    let mail =
        Said { seq: 5, at: Millis(1_000), from: "bob".into(), to: Addressee::User("alice".into()), text: "hi".into(), ..Said::default() };
    assert_eq!(stage.does(|protocol, out| protocol.event(PEER, &Event::Message(mail), out)), []);
    let dave = Event::Presence { name: "dave".into(), what: Arrival::LoggedIn, at: Millis(0) };
    assert_eq!(stage.does(|protocol, out| protocol.event(PEER, &dave, out)), []);
    let greeted = stage.does(|protocol, out| protocol.caught_up(PEER, out));
    assert_eq!(
        objects(&greeted),
        [
            json!({"USERNAME_ACCEPTED": true, "INFO": "Welcome!", "USER_LIST": ["alice", "Bob", "carol"], "MESSAGES": [["bob", "alice", 1, "hi"]]}),
            json!({"USERS_JOINED": ["dave"]}),
        ]
    );
}

#[test]
fn what_the_user_says_on_another_device_is_from_the_user() {
    let mut stage = Stage::alice();
    let said = |to, seq| Said { seq, at: Millis(2_000), from: "alice".into(), to, text: "hi".into(), ..Said::default() };
    let to_all = stage.does(|protocol, out| protocol.event(PEER, &Event::Own(said(Addressee::Everyone, 8)), out));
    assert_eq!(objects(&to_all), [json!({"MESSAGES": [["alice", "ALL", 2, "hi"]]})]);
    let to_bob = stage.does(|protocol, out| protocol.event(PEER, &Event::Own(said(Addressee::User("bob".into()), 9)), out));
    assert_eq!(objects(&to_bob), [json!({"MESSAGES": [["alice", "bob", 2, "hi"]]})]);
}

#[test]
fn a_refused_name_may_be_followed_by_another() {
    let mut stage = Stage::set();
    stage.hears(&json!({"USERNAME": "a b"}));
    let refusal = Event::Refusal(Refusal::new(code::BAD_NAME, "`a b` cannot be a name"));
    let answer = stage.does(|protocol, out| protocol.answer(PEER, &[refusal], out));
    assert_eq!(objects(&answer), [json!({"USERNAME_ACCEPTED": false, "INFO": "bad-name: `a b` cannot be a name"})]);
    assert_eq!(answer[1], Effect::Release(PEER));
    assert_eq!(stage.hears(&json!({"USERNAME": "alice"}))[0], order("guest", Some("alice")));
}

#[test]
fn messages_are_orders_and_lies_are_errors() {
    let mut stage = Stage::alice();
    let said = stage.hears(&json!({"MESSAGES": [
        ["alice", "bob", 0, "  two\nlines"], ["ALICE", "all", "now", "hi"], ["bob", "alice", 0, "x"], ["alice", "bob x", 0, "y"],
        ["alice", "bob"], 7, ["alice", "alice", 0, "/Name"],
    ]}));
    let orders: Vec<&Effect> = said.iter().filter(|effect| matches!(effect, Effect::Order(..))).collect();
    assert_eq!(orders, [&order("message bob", Some("  two\nlines")), &order("broadcast", Some("hi")), &order("/Name", None)]);
    assert_eq!(objects(&said).iter().filter(|object| object.get("ERROR").is_some()).count(), 4);
}

#[test]
fn a_broadcast_comes_back_and_a_command_is_answered_by_oneself() {
    let mut stage = Stage::alice();
    stage.hears(&json!({"MESSAGES": [["alice", "ALL", 0, "žofie \u{7f}"], ["alice", "alice", 0, "/name"]]}));
    let sent = Event::Sent { seq: 8, at: Millis(2_500), to: Addressee::Everyone, kept: false, missed: false, again: false };
    let echo = stage.does(|protocol, out| protocol.answer(PEER, &[sent], out));
    let [Effect::Frame(PEER, bytes)] = &echo[..] else { panic!("one frame") };
    assert_eq!(std::str::from_utf8(&bytes[4..]).unwrap(), r#"{"MESSAGES":[["alice","ALL",2,"\u017eofie \u007f"]]}"#);
    let answer = stage.does(|protocol, out| protocol.answer(PEER, &[Event::Done, Event::Done], out));
    assert_eq!(objects(&answer), [json!({"MESSAGES": [["alice", "alice", 1_767_225_600, "ok\nok"]]})]);
}

#[test]
fn what_is_in_the_field_is_understood() {
    let mut stage = Stage::alice();
    let hi = [order("message bob", Some("hi"))];
    assert_eq!(stage.hears(&json!({"MESSAGES": ["alice", "bob", 0, "hi"]})), hi, "one, without a list around it");
    assert_eq!(stage.hears_bytes(b"\0\0\0\x26{\"MESSAGES\":[[\"alice\",\"bob\",0,\"hi\"]]}\0"), hi, "the end of a string of C");
    assert_eq!(stage.hears(&json!({"MESSAGES": [["alice", "bob", "2023-11-14", "hi", "more"]], "X": 1})), hi);
}

#[test]
fn what_is_no_object_of_the_protocol_is_an_error_and_no_more() {
    let mut stage = Stage::alice();
    for wrong in
        [&b"\0\0\0\0"[..], b"\0\0\0\x02[]", b"\0\0\0\x02{}", b"\0\0\0\x01{", b"\0\0\0\x02\xff\xff", b"\0\0\0\x11{\"MESSAGES\": \"x\"}"]
    {
        let heard = stage.hears_bytes(wrong);
        assert!(
            objects(&heard).len() == 1 && objects(&heard)[0].get("ERROR").is_some() && heard[1..] == [Effect::Wasted(PEER)],
            "{wrong:?}: {heard:?}"
        );
    }
    assert_eq!(stage.hears(&json!({"MESSAGES": [["alice", "bob", 0, "still here"]]})).len(), 1);
}

#[test]
fn a_frame_that_claims_too_much_is_the_last() {
    let mut stage = Stage::alice();
    let heard = stage.hears_bytes(&[0xff, 0xff, 0xff, 0xff, b'{', b'}']);
    assert!(objects(&heard)[0]["ERROR"].as_str().unwrap().contains("4294967295"));
    assert_eq!(heard[1..], [Effect::Close(PEER)]);
}

#[test]
fn a_long_roster_a_month_of_mail_and_a_long_answer_come_in_records() {
    let mut stage = Stage::set();
    stage.hears(&json!({"USERNAME": "alice", "SINCE": 3}));
    stage.does(|protocol, out| protocol.answer(PEER, &[Event::Done], out));
    let welcome = Event::Welcome { name: "alice".into(), registered: false, guest: true, seq: 7 };
    let names: Vec<String> = (0..1000).map(|n| format!("{n:0>32}")).collect();
    stage.does(|protocol, out| {
        protocol.answer(PEER, &[welcome, Event::Roster { names, rooms: Vec::new(), idle: BTreeMap::new(), more: false }], out)
    });
    let mut frames = Vec::new();
    for seq in 0..50 {
        let mail = Said { seq, from: "bob".into(), to: Addressee::Everyone, text: "x".repeat(500), ..Said::default() };
        frames.extend(stage.does(|protocol, out| protocol.event(PEER, &Event::Message(mail), out)));
    }
    frames.extend(stage.does(|protocol, out| protocol.caught_up(PEER, out)));
    let fact = Event::Fact(crate::event::Fact::new("x", "é".repeat(10_000)));
    frames.extend(stage.does(|protocol, out| protocol.event(PEER, &fact, out)));
    for frame in &frames {
        assert!(matches!(frame, Effect::Frame(_, bytes) if bytes.len() <= 16_384), "a record takes it");
    }
    let objects = objects(&frames);
    let of = |key: &str| objects.iter().filter_map(|object| object.get(key)?.as_array()).flatten().count();
    assert_eq!((of("USER_LIST") + of("USERS_JOINED"), of("SEQ")), (1001, 50));
    assert_eq!(objects[0]["USERNAME_ACCEPTED"], true);
}

fn ended() -> Event {
    Event::PrivateEnded { with: "bob".into(), why: crate::private::PrivateEnd::Declined }
}

#[test]
fn private_chats_are_told_to_who_asks_for_it_and_not_before_it_is_let_in() {
    let mut stage = Stage::alice();
    stage.protocol.opened(Peer(2), Ipv4Addr::LOCALHOST.into(), &mut now());
    assert!(!stage.protocol.hears_private(PEER) && !stage.protocol.hears_private(Peer(2)) && !stage.protocol.hears_private(Peer(3)));
    let mut stage = Stage::set();
    stage.hears(&json!({"USERNAME": "alice", "PASSWORD": "a secret", "ACCEPT": ["private", "telepathy"]}));
    assert!(stage.protocol.hears_private(PEER), "it counts when the login is carried out");
    let welcome = Event::Welcome { name: "alice".into(), registered: false, guest: false, seq: 7 };
    stage.does(|protocol, out| protocol.answer(PEER, &[welcome], out));
    assert_eq!(stage.does(|protocol, out| protocol.event(PEER, &ended(), out)), []);
    let greeted = stage.does(|protocol, out| protocol.caught_up(PEER, out));
    let told = json!({"PRIVATE": {"type": "private-ended", "with": "bob", "why": "declined"}});
    assert_eq!(objects(&greeted)[0]["ACCEPTED"], json!(["private"]));
    assert_eq!(&objects(&greeted)[1..], std::slice::from_ref(&told));
    assert_eq!(objects(&stage.does(|protocol, out| protocol.event(PEER, &ended(), out))), [told]);
}

#[test]
fn each_message_has_one_receipt_in_order_and_what_is_by_the_way_is_no_answer() {
    let mut stage = Stage::set();
    stage.hears(&json!({"USERNAME": "alice", "PASSWORD": "a secret", "ACCEPT": ["receipts"]}));
    let welcome = Event::Welcome { name: "alice".into(), registered: false, guest: false, seq: 7 };
    stage.does(|protocol, out| protocol.answer(PEER, &[welcome], out));
    stage.does(|protocol, out| protocol.caught_up(PEER, out));
    let lie = json!(["bob", "alice", 0, "x"]);
    let is_lie = json!({"ERROR": "SRC is alice on this connection", "RECEIPT": null});
    let said = stage.hears(&json!({"MESSAGES": [lie, ["alice", "alice", 0, "/name"], lie, 7]}));
    assert_eq!(objects(&said), std::slice::from_ref(&is_lie), "the others wait for the command");
    let news = Event::Fact(crate::event::Fact::new("x", "by the way"));
    let by_the_way = stage.does(|protocol, out| protocol.event(PEER, &news, out));
    assert_eq!(objects(&by_the_way), [json!({"MESSAGES": [["alice", "alice", 1_767_225_600, "by the way"]]})]);
    let answered = stage.does(|protocol, out| protocol.answer(PEER, &[Event::Done], out));
    assert_eq!(
        objects(&answered),
        [
            json!({"MESSAGES": [["alice", "alice", 1_767_225_600, "ok"]], "ANSWER": true}),
            json!({"RECEIPT": null}),
            is_lie,
            json!({"ERROR": "a message is [SRC, DEST, TIMESTAMP, CONTENT]", "RECEIPT": null}),
        ]
    );
}

#[test]
fn a_ticket_needs_no_name_and_is_answered_once() {
    let mut stage = Stage::set();
    assert_eq!(stage.hears(&json!({"CARRY": "a ticket", "USERNAME": "alice"})), [order("carry", Some("a ticket"))]);
    let refusal = Event::Refusal(Refusal::new(code::BAD_TICKET, "this is no ticket"));
    let refused = stage.does(|protocol, out| protocol.answer(PEER, &[refusal], out));
    assert_eq!(objects(&refused), [json!({"ERROR": "bad-ticket: this is no ticket"})]);
    assert_eq!(objects(&stage.hears(&json!({"CARRY": 7}))), [json!({"ERROR": "CARRY is a text"})]);
    stage.hears(&json!({"CARRY": "another"}));
    let carried = stage.does(|protocol, out| protocol.answer(PEER, &[Event::Done], out));
    assert_eq!(objects(&carried), [json!({"CARRIED": true})]);
    assert_eq!(stage.protocol.held(PEER), 0, "what comes next is for the other end");
}

proptest! {
    #[test]
    fn any_bytes_in_any_split_are_survived(
        bytes in prop::collection::vec(prop_oneof![4 => Just(0u8), 2 => 0u8..40, 1 => any::<u8>()], 0..300),
        objects in prop::collection::vec(prop_oneof![Just(r#"{"USERNAME":"a"}"#), Just(r#"{"MESSAGES":[["alice","ALL",1,"x"]]}"#), Just("{}")], 0..3),
        chunk in 1usize..50,
    ) {
        let mut stage = Stage::alice();
        let mut all: Vec<u8> = objects.iter().flat_map(|object| frame::encode(&serde_json::from_str::<Value>(object).unwrap())).collect();
        all.extend(bytes);
        for chunk in all.chunks(chunk) {
            stage.hears_bytes(chunk);
            prop_assert!(stage.protocol.held(PEER) <= 64 * 1024 + 4);
        }
    }
}
