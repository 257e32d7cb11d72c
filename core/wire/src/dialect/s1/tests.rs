use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::super::wire::Order;
use super::*;
use crate::event::Addressee;
use crate::time::Millis;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Sockets, what they were sent, and what is to be done.
struct Stage {
    protocol: Box<dyn Protocol>,
    now: Duration,
    sent: Vec<(Peer, String)>,
    rest: Vec<Effect>,
    seq: u64,
}

impl Stage {
    fn set(options: &[(&str, &str)]) -> Stage {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<BTreeMap<_, _>>();
        let protocol = S1.start(&Setup { text_bytes: 4096, options }).unwrap();
        Stage { protocol, now: Duration::ZERO, sent: Vec::new(), rest: Vec::new(), seq: 0 }
    }

    fn does(&mut self, what: impl FnOnce(&mut dyn Protocol, &mut Effects)) {
        let mut out = Effects::new(self.now, Millis(0));
        what(&mut *self.protocol, &mut out);
        for effect in out.into_list() {
            match effect {
                Effect::Frame(to, bytes) => self.sent.push((to, String::from_utf8(bytes).unwrap())),
                other => self.rest.push(other),
            }
        }
    }

    fn opens(&mut self, peer: u64) {
        self.does(|protocol, out| protocol.opened(Peer(peer), HOME, out));
    }

    fn hears(&mut self, peer: u64, bytes: &str) {
        let mut bytes = bytes.as_bytes();
        while !bytes.is_empty() {
            let mut taken = 0;
            self.does(|protocol, out| taken = protocol.heard(Peer(peer), bytes, out));
            bytes = &bytes[taken..];
        }
    }

    fn let_in(&mut self, session: u64, name: &str) {
        let welcome = Event::Welcome { name: name.into(), registered: false, guest: true, seq: 0 };
        self.does(|protocol, out| protocol.answer(Peer(session), &[welcome], out));
    }

    /// A user with two sockets, the first of which has the session.
    fn user(&mut self, first: u64, second: u64, name: &str) {
        self.opens(first);
        self.hears(first, &format!("REGISTER TOSEND {name}\n\n"));
        self.let_in(first, name);
        self.opens(second);
        self.hears(second, &format!("REGISTER TORECV {name}\n\n"));
        self.take();
    }

    /// `session` said something to these sessions.
    fn said(&mut self, session: u64, from: &str, to: &[u64], text: &str) {
        self.seq += 1;
        let said = Said { seq: self.seq, from: from.into(), to: Addressee::Everyone, text: text.into(), ..Said::default() };
        for to in to {
            self.does(|protocol, out| protocol.event(Peer(*to), &Event::Message(said.clone()), out));
        }
        let sent = Event::Sent { seq: self.seq, at: Millis(0), to: Addressee::Everyone, kept: false, missed: false, again: false };
        self.does(|protocol, out| protocol.answer(Peer(session), &[sent], out));
    }

    fn passes(&mut self, seconds: u64) {
        let target = self.now + Duration::from_secs(seconds);
        while let Some(due) = self.protocol.due().filter(|due| *due <= target) {
            self.now = due;
            self.does(|protocol, out| protocol.time(out));
        }
        self.now = target;
    }

    /// What has been sent since the last look.
    fn take(&mut self) -> Vec<(u64, String)> {
        self.rest.clear();
        std::mem::take(&mut self.sent).into_iter().map(|(Peer(peer), text)| (peer, text)).collect()
    }
}

fn sent(all: &[(u64, &str)]) -> Vec<(u64, String)> {
    all.iter().map(|(peer, text)| (*peer, (*text).to_owned())).collect()
}

#[test]
fn two_sockets_in_either_order_are_one_user() {
    for (first, second) in [("TOSEND", "TORECV"), ("TORECV", "TOSEND")] {
        let mut stage = Stage::set(&[]);
        stage.opens(1);
        stage.opens(2);
        stage.hears(1, &format!("REGISTER {first} alice \n \n"));
        assert_eq!(stage.rest, [Effect::Order(Peer(1), Order { line: "guest".into(), body: Some("alice".into()) }), Effect::Hold(Peer(1))]);
        // The other comes before the first is let in; what is behind it has to wait.
        stage.hears(2, &format!("REGISTER {second} alice\n\n"));
        assert_eq!((&stage.sent[..], stage.rest.last()), (&[][..], Some(&Effect::Hold(Peer(2)))));
        stage.let_in(1, "alice");
        assert_eq!(
            stage.rest[2..],
            [Effect::Hold(Peer(2)), Effect::Release(Peer(1)), Effect::Release(Peer(2)), Effect::Join { part: Peer(2), of: Peer(1) }]
        );
        assert_eq!(stage.take(), sent(&[(1, &format!("REGISTERED {first} alice \n \n")), (2, &format!("REGISTERED {second} alice\n\n"))]));
    }
}

#[test]
fn a_sender_hears_when_the_recipient_has_it() {
    let mut stage = Stage::set(&[]);
    stage.user(1, 2, "alice");
    stage.user(3, 4, "bob");
    stage.hears(1, "SEND bob\nContent-length: 3\n \na\nb");
    assert_eq!(
        stage.rest,
        [Effect::Order(Peer(1), Order { line: "message bob".into(), body: Some("a\nb".into()) }), Effect::Hold(Peer(1))]
    );
    stage.said(1, "alice", &[3], "a\nb");
    assert_eq!(stage.take(), sent(&[(4, "FORWARD alice\nContent-length: 3\n\na\nb")]));
    stage.hears(4, "RECEIVED carol\n\n");
    assert_eq!(stage.take(), []);
    stage.hears(4, "RECEIVED alice\n\n");
    assert!(stage.rest.contains(&Effect::Release(Peer(1))));
    assert_eq!(stage.take(), sent(&[(1, "SEND bob\n \n")]));
}

#[test]
fn one_forward_at_a_time_and_nobody_waits_for_another() {
    let mut stage = Stage::set(&[]);
    for (first, name) in [(1, "alice"), (3, "bob"), (5, "carol"), (7, "dave")] {
        stage.user(first, first + 1, name);
    }
    for (from, name, to) in [(1, "alice", "bob"), (5, "carol", "bob"), (7, "dave", "alice")] {
        stage.hears(from, &format!("SEND {to}\nContent-length: 1\n\nx"));
        stage.said(from, name, &[if to == "bob" { 3 } else { 1 }], "x");
    }
    // bob is dead. alice has what dave sent all the same, and dave hears of it.
    assert_eq!(stage.take(), sent(&[(4, "FORWARD alice\nContent-length: 1\n\nx"), (2, "FORWARD dave\nContent-length: 1\n\nx")]));
    stage.hears(2, "RECEIVED dave\n\n");
    assert_eq!(stage.take(), sent(&[(7, "SEND alice\n\n")]));
    stage.passes(9);
    assert_eq!(stage.take(), []);
    stage.passes(1);
    // Both have waited long enough. What has not been forwarded is not forwarded any more.
    let mut told = stage.take();
    told.sort();
    let unable = "ERROR 102 Unable to send\n\n";
    assert!(told.contains(&(1, unable.into())) && told.contains(&(5, unable.into())), "{told:?}");
    // An acknowledgement that comes now is of no use to anybody.
    stage.hears(4, "RECEIVED alice\n\nRECEIVED carol\n\n");
    assert_eq!(stage.take(), []);
    stage.hears(1, "SEND bob\nContent-length: 1\n\ny");
    stage.said(1, "alice", &[3], "y");
    stage.hears(4, "RECEIVED alice\n\n");
    assert_eq!(stage.take(), sent(&[(4, "FORWARD alice\nContent-length: 1\n\ny"), (1, "SEND bob\n\n")]));
}

#[test]
fn a_broadcast_has_to_reach_all() {
    for (answer, told) in [("RECEIVED alice\n\n", "SEND ALL\n\n"), ("ERROR 103 Header Incomplete\n\n", "ERROR 102 Unable to send\n\n")] {
        let mut stage = Stage::set(&[]);
        for (first, name) in [(1, "alice"), (3, "bob"), (5, "carol")] {
            stage.user(first, first + 1, name);
        }
        stage.hears(1, "SEND ALL\nContent-length: 1\n\nx");
        assert!(matches!(&stage.rest[0], Effect::Order(_, order) if order.line == "broadcast"));
        stage.said(1, "alice", &[3, 5], "x");
        stage.hears(4, "RECEIVED alice\n\n");
        assert_eq!(stage.take().len(), 2);
        stage.hears(6, answer);
        assert_eq!(stage.take(), sent(&[(1, told)]));
    }
}

#[test]
fn who_leaves_has_not_received_it() {
    let mut stage = Stage::set(&[]);
    stage.user(1, 2, "alice");
    stage.user(3, 4, "bob");
    stage.hears(1, "SEND bob\nContent-length: 1\n\nx");
    stage.said(1, "alice", &[3], "x");
    stage.does(|protocol, out| protocol.gone(Peer(4), out));
    stage.does(|protocol, out| protocol.gone(Peer(3), out));
    assert_eq!(stage.take().pop(), Some((1, "ERROR 102 Unable to send\n\n".to_owned())));
    // Before the sender was told that it is stored, too.
    stage.user(3, 4, "bob");
    stage.hears(1, "SEND bob\nContent-length: 1\n\nx");
    let said = Said { seq: 9, from: "alice".into(), text: "x".into(), ..Said::default() };
    stage.does(|protocol, out| protocol.event(Peer(3), &Event::Message(said), out));
    stage.does(|protocol, out| protocol.gone(Peer(3), out));
    stage.take();
    let sent = Event::Sent { seq: 9, at: Millis(0), to: Addressee::Everyone, kept: false, missed: false, again: false };
    stage.does(|protocol, out| protocol.answer(Peer(1), &[sent], out));
    assert_eq!(stage.take(), [(1, "ERROR 102 Unable to send\n\n".to_owned())]);
    assert_eq!(stage.protocol.due(), None);
}

#[test]
fn errors_have_their_numbers() {
    let mut stage = Stage::set(&[]);
    stage.opens(1);
    for early in ["SEND bob\nContent-length: 1\n\nx", "RECEIVED x\n\n", "HELLO\n"] {
        stage.hears(1, early);
        assert_eq!(stage.take(), sent(&[(1, "ERROR 101 No user registered\n\n")]), "{early}");
    }
    for name in ["a b", "žofie", "ALL", "a_b"] {
        stage.hears(1, &format!("REGISTER TOSEND {name}\n\n"));
        assert_eq!(stage.take(), sent(&[(1, "ERROR 100 Malformed username\n\n")]), "{name}");
    }
    for (code, told) in [(code::NAME_TAKEN, MALFORMED), (code::NAME_IN_USE, TAKEN), (code::BUSY, UNABLE)] {
        stage.hears(1, "REGISTER TOSEND alice\n\n");
        stage.does(|protocol, out| protocol.answer(Peer(1), &[Event::Refusal(Refusal::new(code, "x"))], out));
        assert_eq!(stage.take(), sent(&[(1, &format!("{told}\n\n"))]));
    }
    stage.hears(1, "REGISTER TOSEND alice\n\n");
    stage.let_in(1, "alice");
    stage.hears(1, "SEND bob\nContent-length: 1\n\nx");
    assert_eq!(stage.take()[1], (1, "ERROR 101 No user registered\n\n".to_owned()));
    stage.opens(2);
    stage.hears(2, "REGISTER TORECV alice\n\n");
    stage.opens(3);
    stage.hears(3, "REGISTER TORECV ALICE\n\n");
    assert_eq!(stage.take()[1..], sent(&[(3, "ERROR 104 Username taken\n\n")]));
    stage.hears(1, "SEND bob\n\n");
    assert_eq!(stage.rest, [Effect::Close(Peer(1))]);
    assert_eq!(stage.take(), sent(&[(1, "ERROR 103 Header Incomplete\n\n")]));
}

#[test]
fn what_is_refused_without_an_order_counts() {
    let mut stage = Stage::set(&[]);
    stage.opens(1);
    stage.hears(1, "HELLO\nREGISTER TOSEND a_b\n\nRECEIVED x\n\n");
    assert_eq!(stage.rest, [Effect::Wasted(Peer(1)), Effect::Wasted(Peer(1)), Effect::Wasted(Peer(1))]);
}

#[test]
fn options_decide() {
    let mut stage = Stage::set(&[("acknowledgement", "sent"), ("offline", "accept"), ("account.Alice", "pw"), ("taken", "replace")]);
    stage.opens(1);
    stage.hears(1, "REGISTER TOSEND alice\n\n");
    assert_eq!(stage.rest[0], Effect::Order(Peer(1), Order { line: "login alice".into(), body: Some("pw".into()) }));
    let welcome = Event::Welcome { name: "alice".into(), registered: false, guest: false, seq: 0 };
    stage.does(|protocol, out| protocol.answer(Peer(1), &[welcome], out));
    stage.opens(2);
    stage.hears(2, "REGISTER TORECV alice\n\n");
    stage.take();
    // What it has read is noted.
    let mail = Said { seq: 5, from: "bob".into(), text: "x".into(), ..Said::default() };
    stage.does(|protocol, out| protocol.event(Peer(1), &Event::Message(mail), out));
    stage.hears(2, "RECEIVED bob\n\n");
    assert_eq!(stage.rest, [Effect::Order(Peer(1), Order { line: "ack 5".into(), body: None })]);
    stage.does(|protocol, out| protocol.answer(Peer(1), &[Event::Done], out));
    stage.take();
    stage.hears(1, "SEND dave\nContent-length: 0\n\n");
    let sent_event = Event::Sent { seq: 6, at: Millis(0), to: Addressee::User("dave".into()), kept: true, missed: false, again: false };
    stage.does(|protocol, out| protocol.answer(Peer(1), &[sent_event], out));
    assert_eq!(stage.take(), sent(&[(1, "SENT dave\n\n")]));
    stage.opens(3);
    stage.hears(3, "REGISTER TOSEND alice\n\n");
    assert_eq!(stage.rest, [Effect::Hold(Peer(3)), Effect::Close(Peer(1))]);
    stage.take();
    stage.does(|protocol, out| protocol.gone(Peer(1), out));
    assert!(
        matches!(&stage.rest[..], [Effect::Release(Peer(3)), Effect::Order(Peer(3), order), Effect::Hold(Peer(3))] if order.line == "login alice")
    );
    let setup = |option: &str, value: &str| Setup { text_bytes: 1, options: BTreeMap::from([(option.to_owned(), value.to_owned())]) };
    for (option, value) in [("takn", "replace"), ("taken", "maybe"), ("patience", "5 fortnights"), ("account", "x")] {
        assert!(S1.start(&setup(option, value)).is_err(), "{option}: {value}");
    }
}

#[test]
fn half_a_user_is_not_kept_for_ever() {
    let mut stage = Stage::set(&[]);
    stage.opens(1);
    stage.hears(1, "REGISTER TOSEND alice\n\n");
    stage.let_in(1, "alice");
    stage.take();
    stage.passes(60);
    assert_eq!(stage.rest, [Effect::Close(Peer(1))]);
}

#[test]
fn nobody_waits_for_half_a_user() {
    let mut stage = Stage::set(&[]);
    stage.user(1, 2, "alice");
    stage.user(3, 4, "bob");
    stage.opens(5);
    stage.hears(5, "REGISTER TOSEND carol\n\n");
    stage.let_in(5, "carol");
    stage.take();
    stage.hears(1, "SEND ALL\nContent-length: 1\n\nx");
    stage.said(1, "alice", &[3, 5], "x");
    stage.hears(4, "RECEIVED alice\n\n");
    assert_eq!(stage.take().pop(), Some((1, "SEND ALL\n\n".to_owned())));
    // Said to it alone, it is not there.
    stage.hears(1, "SEND carol\nContent-length: 1\n\nx");
    let to = Addressee::User("carol".into());
    let said = Said { seq: 9, from: "alice".into(), to: to.clone(), text: "x".into(), ..Said::default() };
    stage.does(|protocol, out| protocol.event(Peer(5), &Event::Message(said), out));
    let stored = Event::Sent { seq: 9, at: Millis(0), to, kept: false, missed: false, again: false };
    stage.does(|protocol, out| protocol.answer(Peer(1), &[stored], out));
    assert_eq!(stage.take(), sent(&[(1, "ERROR 102 Unable to send\n\n")]));
    // And nothing comes when it is whole.
    stage.opens(6);
    stage.hears(6, "REGISTER TORECV carol\n\n");
    assert_eq!(stage.take(), sent(&[(6, "REGISTERED TORECV carol\n\n")]));
}

#[test]
fn characters_counted_for_bytes_may_come_slowly_and_who_counts_bytes_is_heard_in_a_moment() {
    let mut stage = Stage::set(&[]);
    stage.user(1, 2, "alice");
    let heard = |stage: &mut Stage| match stage.rest.first() {
        Some(Effect::Order(_, Order { body: Some(body), .. })) => body.clone(),
        _ => String::new(),
    };
    // Six bytes that are five characters.
    for byte in "SEND bob\nContent-length: 5\n\nh\u{e9}ll".as_bytes().chunks(1) {
        stage.does(|protocol, out| _ = protocol.heard(Peer(1), byte, out));
    }
    assert_eq!((heard(&mut stage), stage.protocol.due()), (String::new(), Some(Duration::from_millis(200))));
    stage.hears(1, "o");
    assert_eq!((heard(&mut stage), stage.protocol.due()), ("h\u{e9}llo".into(), None));
    stage.said(1, "alice", &[], "x");
    stage.take();
    // Another program: what it has said when nothing more comes, and it is asked for once.
    stage.user(3, 4, "bob");
    stage.hears(3, "SEND alice\nContent-length: 5\n\nh\u{e9}ll");
    assert_eq!(heard(&mut stage), "");
    stage.passes(1);
    assert_eq!(heard(&mut stage), "h\u{e9}ll");
    // It is gone before.
    stage.user(5, 6, "carol");
    stage.hears(5, "SEND alice\nContent-length: 2\n\n\u{e9}");
    assert!(stage.protocol.due().is_some());
    stage.does(|protocol, out| protocol.gone(Peer(5), out));
    assert_eq!(stage.protocol.due(), None);
}

#[test]
fn what_cannot_be_read_cannot_be_sent_and_the_next_can() {
    let mut stage = Stage::set(&[]);
    stage.user(1, 2, "alice");
    stage.does(|protocol, out| _ = protocol.heard(Peer(1), b"SEND bob\nContent-length: 4\n \n\xe9t\xe9!", out));
    assert_eq!(stage.take(), sent(&[(1, "ERROR 102 Unable to send\n \n")]));
    stage.hears(1, "SEND bob\nContent-length: 1\n\nx");
    assert!(matches!(&stage.rest[0], Effect::Order(_, order) if order.line == "message bob"));
}

#[test]
fn some_acknowledge_in_their_own_name() {
    let mut stage = Stage::set(&[]);
    stage.user(1, 2, "alice");
    stage.user(3, 4, "bob");
    stage.hears(1, "SEND bob\nContent-length: 1\n\nx");
    stage.said(1, "alice", &[3], "x");
    stage.hears(4, "RECEIVED bob\n\nRECEIVED bob\n\n");
    assert_eq!(stage.take(), sent(&[(4, "FORWARD alice\nContent-length: 1\n\nx"), (1, "SEND bob\n\n")]));
}

proptest! {
    #[test]
    fn any_bytes_in_any_split_are_survived(
        pieces in prop::collection::vec((0u64..4, prop_oneof![
            prop::sample::select(vec![
                "REGISTER TOSEND a\n\n", "REGISTER TORECV a\n\n", "SEND a\nContent-length: 2\n\nhi", "SEND ALL\nContent-", "length: 3\n\n", "RECEIVED a\n\n",
                "ERROR 103 Header Incomplete\n\n", "\n", "é",
            ]).prop_map(|text| text.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..20),
        ]), 0..60),
    ) {
        let mut stage = Stage::set(&[]);
        for peer in 0..4 {
            stage.opens(peer);
        }
        for (peer, bytes) in pieces {
            let mut bytes = &bytes[..];
            while !bytes.is_empty() {
                let mut taken = 0;
                stage.does(|protocol, out| taken = protocol.heard(Peer(peer), bytes, out));
                prop_assert!(taken > 0 && stage.protocol.held(Peer(peer)) <= frame::HEADER_MAX + 4 * 4096);
                bytes = &bytes[taken..];
            }
            // Whoever asks to come in is let in, and whatever is sent reaches everyone.
            for effect in std::mem::take(&mut stage.rest) {
                match effect {
                    Effect::Order(Peer(session), order) if order.line == "guest" => stage.let_in(session, &order.body.unwrap()),
                    Effect::Order(Peer(session), order) if order.body.is_some() => stage.said(session, "a", &[0, 1, 2, 3], &order.body.unwrap()),
                    Effect::Order(Peer(session), _) => stage.does(|protocol, out| protocol.answer(Peer(session), &[Event::Done], out)),
                    Effect::Close(peer) => stage.does(|protocol, out| protocol.gone(peer, out)),
                    _ => {}
                }
            }
        }
        stage.passes(100);
    }
}
