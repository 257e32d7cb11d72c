use std::collections::BTreeSet;

use chinwag_private::{Unsaid, Why};
use proptest::prelude::*;

use super::*;

const SECOND: i64 = 1000;

/// The reader is alice; the others are whoever is named.
struct Alice {
    model: Model,
    now: Millis,
    known: Result<Option<Known>, String>,
}

fn key(byte: u8) -> Fingerprint {
    Fingerprint([byte; 32])
}

fn offer(byte: u8, direct: bool) -> Offer {
    let addresses = if direct { vec!["192.0.2.7:5000".parse().expect("an address")] } else { Vec::new() };
    Offer { fingerprint: key(byte), token: Token([9; 32]), addresses }
}

fn verified(byte: u8) -> Result<Option<Known>, String> {
    Ok(Some(Known { fingerprint: key(byte), verified: true }))
}

fn seen(byte: u8) -> Result<Option<Known>, String> {
    Ok(Some(Known { fingerprint: key(byte), verified: false }))
}

impl Alice {
    fn new(p2p: P2p) -> Alice {
        Alice { model: Model::new(p2p, Some("Alt-a".to_owned())), now: Millis(1_000_000), known: Ok(None) }
    }

    /// Types a line; the command is one of the client's.
    fn types(&mut self, line: &str) -> Vec<Deed> {
        let (name, rest) = split::word(line);
        self.model.typed(Verb::called(name).expect(line), rest, self.now)
    }

    /// What is shown for a line.
    fn reads(&mut self, line: &str) -> String {
        shown(&self.types(line))
    }

    fn hears(&mut self, event: Event) -> Vec<Deed> {
        self.model.event(&event, self.known.clone(), self.now)
    }

    fn asked_by(&mut self, from: &str, byte: u8, direct: bool) -> Vec<Deed> {
        self.hears(Event::PrivateAsked { from: from.into(), fingerprint: key(byte), direct, expires: Millis(0) })
    }

    fn agreed(&mut self, with: &str, asker: bool, offer: Offer) -> Vec<Deed> {
        self.hears(Event::PrivateAgreed { with: with.into(), asker, offer })
    }

    fn ended(&mut self, with: &str, why: PrivateEnd) -> Vec<Deed> {
        self.hears(Event::PrivateEnded { with: with.into(), why })
    }

    fn met(&mut self, meeting: u64) -> Vec<Deed> {
        self.model.met(meeting, Ok(Met { sas: "123 456".into() }), self.now)
    }

    fn tells(&mut self, meeting: u64, news: News) -> Vec<Deed> {
        self.model.news(meeting, news, self.now)
    }

    /// A private chat with bob, whose key is 1, under the number 1.
    fn open(p2p: P2p) -> Alice {
        let mut alice = Alice::new(p2p);
        alice.types("startprivate bob");
        alice.agreed("bob", true, offer(1, true));
        alice.met(1);
        assert!(alice.model.is_open("BOB"));
        alice
    }

    fn stage(&self, name: &str) -> Option<&Stage> {
        self.model.peers.get(&folded(name)).map(|peer| &peer.stage)
    }
}

/// What the reader gets to see.
fn shown(deeds: &[Deed]) -> String {
    let lines = deeds.iter().filter_map(|deed| match deed {
        Deed::Show(Told::Talk { from, text, doubtful }) => Some(format!("{}{from}: {text}", if *doubtful { "?" } else { "" })),
        Deed::Show(Told::Said { to }) => Some(format!("said to {to}")),
        Deed::Show(Told::Note(text)) => Some(format!("* {text}")),
        Deed::Show(Told::Question(text)) => Some(format!("? {text}")),
        Deed::Show(Told::Warning(text)) => Some(format!("! {text}")),
        Deed::Show(Told::Refused(refusal)) => Some(refusal.to_string()),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What is done besides.
fn done(deeds: &[Deed]) -> Vec<&Deed> {
    deeds.iter().filter(|deed| !matches!(deed, Deed::Show(_) | Deed::Order(Order::Active))).collect()
}

fn stop(name: &str) -> Deed {
    Deed::Order(Order::Stop(name.into()))
}

#[test]
fn one_asks_and_the_other_agrees_and_they_talk() {
    let mut alice = Alice::new(P2p::Ask);
    let deeds = alice.types("startprivate bob");
    assert_eq!(done(&deeds), [&Deed::Invite { meeting: 1, verb: Invitation::Ask, name: "bob".into(), listen: true }]);
    let taken = alice.model.answered(&Sent::Invitation(1, Invitation::Ask), Ok(&Event::Done));
    assert_eq!(shown(&taken), "* bob is asked for a private chat; go on meanwhile");
    assert!(alice.reads("startprivate BOB").contains("already-asked"));
    assert!(alice.reads("private bob hi").contains("bob has not answered yet"));
    let deeds = alice.agreed("Bob", true, offer(1, true));
    assert_eq!(done(&deeds), [&Deed::Hold { meeting: 1, side: Side::Asker, theirs: offer(1, true) }]);
    assert!(alice.reads("private bob hi").contains("a way to bob is looked for"));
    let deeds = alice.met(1);
    assert!(shown(&deeds).contains("is open, directly") && shown(&deeds).contains("123 456"), "{}", shown(&deeds));
    assert_eq!(done(&deeds), [&Deed::Remember { name: "Bob".into(), known: Known { fingerprint: key(1), verified: false } }]);
    let deeds = alice.types("private bob  two  words ");
    assert_eq!(deeds[0], Deed::Ask { meeting: 1, ask: Ask::Say("two  words".into()) });
    assert_eq!(shown(&deeds), "said to Bob");
    let deeds = alice.tells(1, News::Said("hello".into()));
    assert_eq!(shown(&deeds), "Bob: hello");
    assert!(alice.reads("startprivate bob").contains("already-open"));
    let deeds = alice.types("stopprivate");
    assert_eq!(done(&deeds), [&Deed::End { meeting: 1 }, &stop("Bob")]);
    assert!(alice.model.peers.is_empty());
    assert_eq!(alice.tells(1, News::Ended { why: Ended::ByUs, unheard: 0 }), [], "what comes late means nothing");
    assert!(alice.reads("private bob hi").contains("no-private"));
}

#[test]
fn the_other_asks_and_a_key_says_yes_once_it_could_be_read() {
    let mut alice = Alice::new(P2p::Ask);
    let deeds = alice.asked_by("bob", 1, true);
    assert_eq!(shown(&deeds), "? bob asks you for a private chat: Alt-a or `accept bob`, or `decline bob`");
    assert!(shown(&alice.model.pressed(alice.now)).contains("this came just now"));
    alice.now.0 += READ_AFTER;
    let deeds = alice.model.pressed(alice.now);
    assert_eq!(done(&deeds), [&Deed::Invite { meeting: 1, verb: Invitation::Accept, name: "bob".into(), listen: true }]);
    assert!(shown(&alice.model.pressed(alice.now)).contains("nobody asks you anything"));
    let deeds = alice.agreed("bob", false, offer(1, true));
    assert_eq!(done(&deeds), [&Deed::Hold { meeting: 1, side: Side::Asked, theirs: offer(1, true) }]);
    // A second one, and a third: a key cannot tell which is meant.
    alice.asked_by("carol", 2, true);
    alice.asked_by("dave", 3, true);
    alice.now.0 += READ_AFTER;
    assert!(shown(&alice.model.pressed(alice.now)).contains("more than one thing"));
    assert!(alice.reads("accept").contains("this may be for carol or for dave"));
    assert_eq!(done(&alice.types("decline carol")), [&Deed::Order(Order::Decline("carol".into()))]);
    assert!(alice.reads("accept carol").contains("no-offer"));
    assert_eq!(done(&alice.types("startprivate dave")).len(), 1, "to ask back is to say yes");
    assert!(matches!(alice.stage("dave"), Some(Stage::Accepting { .. })));
}

#[test]
fn both_who_ask_at_once_have_one() {
    let mut alice = Alice::new(P2p::Ask);
    alice.types("startprivate bob");
    // Bob's question, on its way while ours was sent.
    assert_eq!(alice.asked_by("bob", 1, true), []);
    let deeds = alice.agreed("bob", false, offer(1, true));
    assert_eq!(done(&deeds), [&Deed::Hold { meeting: 1, side: Side::Asked, theirs: offer(1, true) }]);
    assert_eq!(alice.model.answered(&Sent::Invitation(1, Invitation::Ask), Ok(&Event::Done)), []);
}

#[test]
fn what_is_refused_is_gone_and_what_is_asked_again_is_not() {
    let mut alice = Alice::new(P2p::Ask);
    alice.types("startprivate bob");
    let refusal = Event::Refusal(Refusal::new(code::NOT_ONLINE, "bob is not online"));
    let deeds = alice.model.answered(&Sent::Invitation(1, Invitation::Ask), Ok(&refusal));
    assert_eq!(done(&deeds), [&Deed::End { meeting: 1 }]);
    assert!(shown(&deeds).contains("bob is not online") && alice.model.peers.is_empty());
    // The link was lost, bob has said yes, and the line is sent again.
    let mut alice = Alice::open(P2p::Ask);
    let refusal = Event::Refusal(Refusal::new(code::ALREADY_OPEN, "there is one"));
    assert_eq!(alice.model.answered(&Sent::Invitation(1, Invitation::Ask), Ok(&refusal)), []);
    assert!(alice.model.is_open("bob"));
    // What cannot be prepared is told, and forgotten.
    let mut alice = Alice::new(P2p::Ask);
    alice.types("sendfile bob x");
    let deeds = alice.model.answered(&Sent::Invitation(1, Invitation::Ask), Err("no randomness".into()));
    assert!(shown(&deeds).contains("no randomness") && shown(&deeds).contains("nothing was sent"), "{}", shown(&deeds));
    assert!(alice.model.peers.is_empty());
}

#[test]
fn every_end_is_told_once_in_its_words() {
    for (why, asking, asked, open) in [
        (PrivateEnd::Declined, "bob declines a private chat", "bob declines a private chat", ""),
        (PrivateEnd::Expired, "bob has not answered in time", "bob does not wait", ""),
        (PrivateEnd::Withdrawn, "bob does not want", "bob does not want", ""),
        (PrivateEnd::AnsweredElsewhere, "", "you have answered bob at another terminal", ""),
        (PrivateEnd::Stopped, "bob stopped it", "bob stopped it", "bob stopped it"),
        (PrivateEnd::LoggedOut, "who logged out", "who logged out", "bob logged out"),
        (PrivateEnd::TimedOut, "who timed out", "who timed out", "bob timed out"),
        (PrivateEnd::SwitchedOff, "operators", "operators", "operators"),
        (PrivateEnd::Unknown, "is over", "is over", "is over"),
    ] {
        let mut one = Alice::new(P2p::Ask);
        one.types("startprivate bob");
        let mut two = Alice::new(P2p::Ask);
        two.asked_by("bob", 1, true);
        let mut three = Alice::open(P2p::Ask);
        for (alice, expected) in [(&mut one, asking), (&mut two, asked), (&mut three, open)] {
            let deeds = alice.ended("bob", why);
            let text = shown(&deeds);
            assert!(text.contains(expected) && text.is_empty() == expected.is_empty(), "{why:?}: {text}");
            assert_eq!(alice.model.peers.is_empty(), !expected.is_empty(), "{why:?}");
            assert!(!deeds.contains(&stop("bob")), "the server knows");
            if !expected.is_empty() {
                assert_eq!(alice.ended("bob", why), [], "{why:?}: once is enough");
            }
        }
    }
}

#[test]
fn a_channel_that_ends_says_why_and_what_may_be_lost() {
    for (why, unheard, expected) in [
        (Ended::ByThem, 0, "bob stopped it"),
        (Ended::Lost("reset".into()), 1, "the connection broke (reset); what you said last may not have arrived"),
        (Ended::Silent, 3, "silent for too long; the last 3 things you said may not have arrived"),
        (Ended::Broken("a frame without end"), 0, "protocol (a frame without end)"),
    ] {
        let mut alice = Alice::open(P2p::Ask);
        let deeds = alice.tells(1, News::Ended { why, unheard });
        assert!(shown(&deeds).contains(expected), "{}", shown(&deeds));
        assert_eq!(done(&deeds), [&Deed::End { meeting: 1 }, &stop("bob")]);
        assert_eq!(alice.ended("bob", PrivateEnd::LoggedOut), [], "told once");
    }
}

#[test]
fn no_way_is_told_and_the_relay_is_offered_and_never_taken_by_itself() {
    let mut alice = Alice::new(P2p::Ask);
    alice.types("startprivate bob");
    alice.agreed("bob", true, offer(1, true));
    let deeds = alice.model.met(1, Err(Missed::NoWay { tried: vec!["192.0.2.7:5000: refused".into()] }), alice.now);
    assert_eq!(
        shown(&deeds),
        "? there is no direct way to bob (192.0.2.7:5000: refused); go through the server, which cannot read it: Alt-a or `relay bob`; or `stopprivate bob`"
    );
    let ready = || Event::PrivateRelay { with: "bob".into(), ticket: Some(Token([5; 32])) };
    assert_eq!(alice.hears(ready()), [], "nobody has said yes here");
    assert_eq!(done(&alice.types("relay")), [&Deed::Order(Order::Relay("bob".into()))]);
    assert!(alice.reads("relay bob").contains("has not agreed yet"));
    let deeds = alice.hears(ready());
    assert_eq!(deeds, [Deed::Over { meeting: 1, side: Side::Asker, theirs: offer(1, true), ticket: Token([5; 32]) }]);
    let deeds = alice.met(1);
    assert!(shown(&deeds).contains("through the server, which cannot read it"), "{}", shown(&deeds));
    // Somebody else at the other end of the relay, such as the server.
    let mut alice = Alice::new(P2p::Relay);
    alice.types("startprivate bob");
    alice.agreed("bob", true, offer(1, false));
    alice.hears(ready());
    let deeds = alice.model.met(1, Err(Missed::Impostor("another certificate".into())), alice.now);
    assert!(shown(&deeds).starts_with("! somebody answers in the place of bob"), "{}", shown(&deeds));
    assert_eq!(done(&deeds), [&Deed::End { meeting: 1 }, &stop("bob")]);
}

#[test]
fn who_hides_addresses_tells_and_dials_none() {
    let mut alice = Alice::new(P2p::Relay);
    let deeds = alice.types("startprivate bob");
    assert_eq!(done(&deeds), [&Deed::Invite { meeting: 1, verb: Invitation::Ask, name: "bob".into(), listen: false }]);
    let deeds = alice.agreed("bob", true, offer(1, true));
    assert_eq!(done(&deeds), [&Deed::Order(Order::Relay("bob".into()))], "its setting has said yes to the relay");
    // The other side of this: bob would go directly, alice does not.
    let mut bob = Alice::new(P2p::Ask);
    let deeds = bob.asked_by("alice", 1, false);
    assert!(shown(&deeds).contains("through the server, which cannot read it: Alt-a or `accept alice`"), "{}", shown(&deeds));
    let deeds = bob.types("accept");
    assert_eq!(done(&deeds), [&Deed::Invite { meeting: 1, verb: Invitation::Accept, name: "alice".into(), listen: false }]);
    let deeds = bob.agreed("alice", false, offer(1, false));
    assert_eq!(done(&deeds), [&Deed::Order(Order::Relay("alice".into()))], "yes was said to that");
    // Bob asked, and alice who said yes goes through the server only: bob is asked, when she says so.
    let mut bob = Alice::new(P2p::Ask);
    bob.types("startprivate alice");
    assert_eq!(done(&bob.agreed("alice", true, offer(1, false))), [] as [&Deed; 0]);
    let deeds = bob.hears(Event::PrivateRelay { with: "alice".into(), ticket: None });
    assert!(shown(&deeds).starts_with("? alice would go through the server"), "{}", shown(&deeds));
    bob.now.0 += READ_AFTER;
    assert_eq!(done(&bob.model.pressed(bob.now)), [&Deed::Order(Order::Relay("alice".into()))]);
    // A machine without any address cannot be reached, and is as one that hides it.
    let mut bob = Alice::new(P2p::Ask);
    bob.types("startprivate alice");
    bob.model.unreachable(1);
    assert_eq!(done(&bob.agreed("alice", true, offer(1, true))), [&Deed::Order(Order::Relay("alice".into()))]);
}

#[test]
fn who_wants_none_is_asked_for_none() {
    let mut alice = Alice::new(P2p::Off);
    assert!(alice.reads("startprivate bob").contains("private-off"));
    assert!(alice.reads("sendfile bob x").contains("private-off"));
    let deeds = alice.asked_by("bob", 1, true);
    assert!(shown(&deeds).starts_with("* ") && done(&deeds).is_empty());
    assert!(alice.reads("accept bob").contains("no-offer"));
}

#[test]
fn a_verified_key_is_good_and_another_one_stops_everything_but_a_look() {
    let mut alice = Alice { known: verified(1), ..Alice::new(P2p::Ask) };
    alice.types("startprivate bob");
    alice.agreed("bob", true, offer(1, true));
    let deeds = alice.met(1);
    assert!(shown(&deeds).contains("bob has the key that you have verified"));
    assert_eq!(done(&deeds), [] as [&Deed; 0], "there is nothing new to remember");

    let mut alice = Alice { known: verified(2), ..Alice::new(P2p::Ask) };
    alice.types("sendfile bob secret.txt");
    let deeds = alice.agreed("bob", true, offer(1, true));
    let (before, after) = (format!("before: SHA256:{}", key(2)), format!("now:    SHA256:{}", key(1)));
    let text = shown(&deeds);
    assert!(
        text.starts_with("! WARNING: bob has another key than the one you verified") && text.contains(&before) && text.contains(&after)
    );
    let deeds = alice.met(1);
    assert!(shown(&deeds).contains("! bob has another key") && shown(&deeds).contains("no file was offered"), "{}", shown(&deeds));
    assert_eq!(done(&deeds), [] as [&Deed; 0], "the old one stays, and nothing is sent");
    for line in ["private bob hi", "sendfile bob x"] {
        let deeds = alice.types(line);
        assert!(done(&deeds).is_empty() && shown(&deeds).contains("another key"), "{line}: {}", shown(&deeds));
    }
    assert_eq!(shown(&alice.tells(1, News::Said("it is me".into()))), "?bob: it is me");
    let file = File { origin: Origin::Theirs, number: 1 };
    alice.tells(1, News::Offered { file, name: "x".into(), size: 1, kind: "file" });
    alice.now.0 += READ_AFTER;
    assert!(done(&alice.model.pressed(alice.now)).is_empty(), "a key is too quick for that");
    assert!(alice.reads("getfile bob 1").contains("another key"));
    let deeds = alice.types("verify bob");
    assert_eq!(done(&deeds), [&Deed::Remember { name: "bob".into(), known: Known { fingerprint: key(1), verified: true } }]);
    assert_eq!(shown(&alice.types("private bob hi")), "said to bob");
    assert!(alice.reads("verify").contains("already"));
}

#[test]
fn a_key_that_was_never_verified_is_warned_of_and_replaced() {
    let mut alice = Alice { known: seen(2), ..Alice::new(P2p::Ask) };
    let deeds = alice.asked_by("bob", 1, true);
    assert!(shown(&deeds).starts_with("! WARNING: bob has another key than the last time"));
    alice.types("accept");
    let deeds = alice.agreed("bob", false, offer(1, true));
    assert!(!shown(&deeds).contains("WARNING"), "once is enough");
    let deeds = alice.met(1);
    assert_eq!(done(&deeds), [&Deed::Remember { name: "bob".into(), known: Known { fingerprint: key(1), verified: false } }]);
    assert_eq!(shown(&alice.types("private bob hi")), "said to bob");
}

#[test]
fn an_offer_with_a_changed_key_is_not_taken_by_a_key_and_a_damaged_file_is_no_licence() {
    let mut alice = Alice { known: verified(2), ..Alice::new(P2p::Ask) };
    let deeds = alice.asked_by("bob", 1, true);
    assert!(shown(&deeds).contains("? bob asks you for a private chat: `accept bob`, or"), "{}", shown(&deeds));
    alice.now.0 += READ_AFTER;
    assert!(done(&alice.model.pressed(alice.now)).is_empty());
    let mut alice = Alice { known: Err("line 3 is damaged".into()), ..Alice::new(P2p::Ask) };
    let deeds = alice.asked_by("bob", 1, true);
    assert!(shown(&deeds).starts_with("! ") && shown(&deeds).contains("line 3 is damaged") && alice.model.peers.is_empty());
    alice.types("startprivate bob");
    let deeds = alice.agreed("bob", true, offer(1, true));
    assert_eq!(done(&deeds), [&Deed::End { meeting: 1 }, &stop("bob")]);
}

#[test]
fn an_agreement_nobody_here_knows_of_is_taken_back() {
    let mut alice = Alice::new(P2p::Ask);
    assert_eq!(alice.agreed("bob", true, offer(1, true)), [stop("bob")]);
    let mut alice = Alice::open(P2p::Ask);
    assert_eq!(alice.agreed("bob", true, offer(2, true)), [], "what is open stays");
    assert_eq!(alice.asked_by("bob", 2, true), []);
}

#[test]
fn what_another_terminal_has_or_had_can_be_ended() {
    let mut alice = Alice::new(P2p::Ask);
    let order = Order::StopElsewhere("bob".into());
    assert_eq!(alice.types("stopprivate bob"), [Deed::Order(order.clone())]);
    let sent = Sent::Order(order);
    assert!(shown(&alice.model.answered(&sent, Ok(&Event::Done))).contains("that another terminal has, or had, is over"));
    let refusal = Event::Refusal(Refusal::new(code::NO_PRIVATE, "there is none"));
    assert!(shown(&alice.model.answered(&sent, Ok(&refusal))).contains("there is none"));
    assert!(alice.reads("stopprivate").contains("no-private"));
}

#[test]
fn an_invitation_that_nobody_answers_is_forgotten() {
    let mut alice = Alice::new(P2p::Ask);
    assert_eq!(alice.model.due(), None);
    alice.types("startprivate bob");
    alice.now.0 += SECOND;
    alice.asked_by("carol", 1, true);
    let due = alice.model.due().expect("something is due");
    assert_eq!(shown(&alice.model.tick(due)), "* nothing came of the invitation between bob and you");
    assert!(alice.stage("bob").is_none() && alice.stage("carol").is_some());
    alice.model.tick(alice.model.due().expect("the other is due"));
    assert_eq!((alice.model.due(), alice.model.peers.len()), (None, 0));
    let alice = Alice::open(P2p::Ask);
    assert_eq!(alice.model.due(), None, "what is open stays");
}

fn theirs(number: u32) -> File {
    File { origin: Origin::Theirs, number }
}

fn ours(number: u32) -> File {
    File { origin: Origin::Ours, number }
}

#[test]
fn a_file_goes_with_the_invitation() {
    let mut alice = Alice::new(P2p::Ask);
    alice.types("sendfile bob /tmp/a b.txt");
    assert!(alice.reads("sendfile bob /tmp/c").contains("it is offered when the private chat with bob is open"));
    alice.agreed("bob", true, offer(1, true));
    let deeds = alice.met(1);
    let asks: Vec<_> = done(&deeds).into_iter().filter(|deed| matches!(deed, Deed::Ask { .. })).collect();
    let ask = |path: &str| Deed::Ask { meeting: 1, ask: Ask::Offer(PathBuf::from(path)) };
    assert_eq!(asks, [&ask("/tmp/a b.txt"), &ask("/tmp/c")]);
    assert_eq!(done(&alice.types("sendfile bob /tmp/d")), [&ask("/tmp/d")]);
    let mut alice = Alice::new(P2p::Ask);
    alice.types("sendfile bob x");
    for _ in 1..WAITING_FILES_MAX {
        alice.types("sendfile bob x");
    }
    assert!(alice.reads("sendfile bob x").contains("files wait for this private chat already"));
    assert!(shown(&alice.ended("bob", PrivateEnd::Declined)).contains("nothing was sent"));
}

#[test]
fn files_have_one_number_each_and_are_taken_by_it() {
    let mut alice = Alice::open(P2p::Ask);
    assert!(alice.reads("getfile bob").contains("no file waits for your answer"));
    let offered = |number, name: &str| News::Offered { file: theirs(number), name: name.into(), size: 1_500_000, kind: "image" };
    let deeds = alice.tells(1, offered(1, "a.jpg"));
    assert_eq!(shown(&deeds), "? bob offers file 1: a.jpg (image, 1.5 MB): Alt-a or `getfile bob 1`, or `cancelfile bob 1`");
    alice.tells(1, News::Offering { file: ours(1), path: "/x/b.jpg".into(), name: "b.jpg".into(), size: 10 });
    alice.tells(1, offered(2, "c.jpg"));
    assert!(alice.reads("getfile bob").contains("any of the files 1, 3"));
    assert!(alice.reads("getfile bob 2").contains("no file waits for your answer under the number 2"));
    assert_eq!(done(&alice.types("getfile 3")), [&Deed::Take { meeting: 1, file: theirs(2) }]);
    assert_eq!(done(&alice.types("getfile")), [&Deed::Take { meeting: 1, file: theirs(1) }]);
    assert!(alice.reads("getfile bob 1").contains("no file waits"));
    alice.model.not_taken(1, theirs(1), alice.now);
    assert_eq!(done(&alice.types("getfile bob 1")).len(), 1, "it can be asked for again");
    assert_eq!(done(&alice.types("cancelfile bob 2")), [&Deed::Ask { meeting: 1, ask: Ask::Drop(ours(1)) }]);
    let list = alice.reads("privates");
    assert!(list.contains("file 2, to there: b.jpg (10 bytes, not begun)"), "{list}");
    for _ in 0..2 {
        alice.tells(1, News::Dropped { file: ours(1), why: Why::ByThem });
    }
    let deeds = alice.tells(1, News::Finished { file: theirs(2), path: Some("/home/alice/Downloads/c.jpg".into()) });
    assert_eq!(shown(&deeds), "* file 3 from bob is here, whole and checked: /home/alice/Downloads/c.jpg");
    assert_eq!(alice.tells(1, News::Finished { file: theirs(2), path: None }), [], "what is gone is gone");
}

#[test]
fn progress_is_a_line_now_and_then() {
    let mut alice = Alice::open(P2p::Ask);
    let size = 100_000_000;
    alice.tells(1, News::Offered { file: theirs(1), name: "film".into(), size, kind: "film" });
    alice.types("getfile");
    assert!(shown(&alice.tells(1, News::Started { file: theirs(1), from: 0 })).contains("file 1, film, comes from bob"));
    let mut lines = Vec::new();
    for percent in 1..=100 {
        alice.now.0 += 100;
        let told = shown(&alice.tells(1, News::Progress { file: theirs(1), done: size / 100 * percent, size }));
        lines.extend((!told.is_empty()).then_some(told));
    }
    assert_eq!(
        lines,
        [
            "* file 1, film: 25% of 100 MB, 10.0 MB/s",
            "* file 1, film: 50% of 100 MB, 10.0 MB/s",
            "* file 1, film: 75% of 100 MB, 10.0 MB/s"
        ]
    );
    // Too fast to be told of.
    let mut alice = Alice::open(P2p::Ask);
    alice.tells(1, News::Offered { file: theirs(1), name: "film".into(), size, kind: "film" });
    alice.tells(1, News::Started { file: theirs(1), from: 0 });
    for percent in 1..=100 {
        alice.now.0 += 10;
        assert_eq!(shown(&alice.tells(1, News::Progress { file: theirs(1), done: size / 100 * percent, size })), "");
    }
    // Broken off, and gone on with.
    let deeds = alice.tells(1, News::Dropped { file: theirs(1), why: Why::ByUs });
    assert!(!shown(&deeds).contains("goes on"), "all of it had come: {}", shown(&deeds));
    alice.tells(1, News::Offered { file: theirs(2), name: "film".into(), size, kind: "film" });
    assert!(shown(&alice.tells(1, News::Started { file: theirs(2), from: 50_000_000 })).contains("from 50.0 MB on, where it stopped"));
    assert!(shown(&alice.tells(1, News::Dropped { file: theirs(2), why: Why::ByThem })).contains("it goes on where it stopped"));
}

#[test]
fn numbers_of_bytes_are_said_as_people_say_them() {
    for (count, text) in [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (99_999, "99.9 kB"),
        (100_000, "100 kB"),
        (999_999_999, "999 MB"),
        (10_000_000_000, "10.0 GB"),
        (u64::MAX, "18.4 EB"),
    ] {
        assert_eq!(bytes(count), text);
    }
}

#[test]
fn the_server_is_told_now_and_then_that_somebody_is_there() {
    let mut alice = Alice::open(P2p::Ask);
    let active = |deeds: &[Deed]| deeds.contains(&Deed::Order(Order::Active));
    alice.now.0 += 5 * SECOND;
    assert!(!active(&alice.types("private bob one")), "it was told at the opening");
    alice.now.0 += 5 * SECOND;
    assert!(active(&alice.types("private bob two")));
    assert!(!active(&alice.types("private bob three")));
    alice.now.0 += ACTIVE_EVERY;
    assert!(!active(&alice.tells(1, News::Said("hi".into()))), "what the other says is the other's");
    alice.tells(1, News::Offering { file: ours(1), path: "/x".into(), name: "x".into(), size: 100 });
    assert!(active(&alice.tells(1, News::Progress { file: ours(1), done: 1, size: 100 })), "who waits for a file is there");
    alice.now.0 -= 3600 * SECOND;
    assert!(active(&alice.types("private bob four")), "a clock that was put back is no reason to be quiet for an hour");
}

#[test]
fn a_block_offers_to_stop_and_stops_nothing() {
    let alice = Alice::open(P2p::Ask);
    assert!(shown(&alice.model.blocked("BOB")).contains("`stopprivate bob` ends it"));
    assert_eq!(alice.model.blocked("carol"), []);
    assert!(alice.model.is_open("bob"));
    let mut alice = Alice::new(P2p::Ask);
    alice.types("startprivate bob");
    assert_eq!(alice.model.blocked("bob"), [], "the server ends that");
}

#[test]
fn lines_that_are_wrong_say_how_they_are_right() {
    let mut alice = Alice::open(P2p::Ask);
    for (line, expected) in [
        ("startprivate", "`user` is missing"),
        ("startprivate bob carol", "a word too many; usage: /startprivate <user>"),
        ("private", "`user` is missing"),
        ("private bob", "`text` is missing; usage: /private <user> <text...>"),
        ("sendfile bob ", "`path` is missing"),
        ("getfile bob 1 2", "a word too many"),
        ("privates now", "a word too many"),
        ("verify carol", "carol and you have no private chat"),
        ("relay bob", "`privates` says how it stands"),
        ("accept", "nobody asks you"),
        ("private carol hi", "`startprivate carol` asks for one"),
    ] {
        let told = alice.reads(line);
        assert!(told.contains(expected), "{line}: {told}");
    }
    let why = Unsaid::TooLong;
    assert!(shown(&alice.tells(1, News::NotSaid { text: "x".into(), why })).contains("not sent to bob: it is longer than"));
}

#[test]
fn completion_offers_only_those_it_can_be() {
    let mut alice = Alice::open(P2p::Ask);
    alice.asked_by("carol", 2, true);
    alice.types("startprivate dave");
    let offered = |model: &Model, verb: Verb| {
        let cards = model.cards();
        let card = cards.iter().find(|card| card.name == verb.name()).expect("a card").clone();
        match &card.args[0].kind.complete {
            chinwag_wire::Complete::OneOf(names) => names.join(" "),
            other => format!("{other:?}"),
        }
    };
    for (verb, names) in [
        (Verb::Accept, "carol"),
        (Verb::Decline, "carol"),
        (Verb::Private, "bob"),
        (Verb::Verify, "bob"),
        (Verb::StopPrivate, "bob dave"),
        (Verb::Relay, ""),
        (Verb::GetFile, ""),
        (Verb::StartPrivate, "OnlineUsers"),
    ] {
        assert_eq!(offered(&alice.model, verb), names, "{verb:?}");
    }
    alice.tells(1, News::Offered { file: theirs(1), name: "x".into(), size: 1, kind: "file" });
    assert_eq!(offered(&alice.model, Verb::GetFile), "bob");
}

#[test]
fn nothing_of_another_acts_on_a_terminal_or_looks_like_ours() {
    let nasty = "\u{1b}[2J\r\n";
    let mut alice = Alice::new(P2p::Ask);
    let mut deeds = alice.asked_by(nasty, 1, true);
    deeds.extend(alice.types("accept"));
    deeds.extend(alice.agreed(nasty, false, offer(1, true)));
    deeds.extend(alice.met(1));
    deeds.extend(alice.tells(1, News::Offered { file: theirs(1), name: nasty.into(), size: u64::MAX, kind: "file" }));
    deeds.extend(alice.types("privates"));
    deeds.extend(alice.tells(1, News::Dropped { file: theirs(1), why: Why::Disk(nasty.into()) }));
    deeds.extend(alice.tells(1, News::Ended { why: Ended::Lost(nasty.into()), unheard: 0 }));
    for deed in &deeds {
        if let Deed::Show(Told::Note(text) | Told::Question(text)) = deed {
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
}

/// What may happen, in any order.
#[derive(Clone, Debug)]
enum Step {
    Types(&'static str),
    Presses,
    Asked(usize, u8, bool),
    Agreed(usize, bool, bool),
    Relay(usize, bool),
    Ended(usize, PrivateEnd),
    Refused,
    Met(bool),
    Said,
    Over,
    Passes,
}

const NAMES: [&str; 3] = ["bob", "Carol", "dave"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let lines = prop::sample::select(vec![
        "startprivate bob",
        "startprivate carol",
        "startprivate dave",
        "accept bob",
        "accept",
        "decline carol",
        "private bob hi",
        "private carol hi",
        "stopprivate bob",
        "stopprivate",
        "verify bob",
        "relay bob",
        "relay",
        "sendfile bob x",
        "getfile bob",
        "cancelfile bob",
        "privates",
    ]);
    let ends = prop::sample::select(vec![
        PrivateEnd::Declined,
        PrivateEnd::Expired,
        PrivateEnd::AnsweredElsewhere,
        PrivateEnd::Stopped,
        PrivateEnd::LoggedOut,
    ]);
    let step = prop_oneof![
        8 => lines.prop_map(Step::Types),
        1 => Just(Step::Presses),
        3 => (0..3_usize, 1..3_u8, any::<bool>()).prop_map(|(who, key, direct)| Step::Asked(who, key, direct)),
        4 => (0..3_usize, any::<bool>(), any::<bool>()).prop_map(|(who, asker, direct)| Step::Agreed(who, asker, direct)),
        2 => (0..3_usize, any::<bool>()).prop_map(|(who, ticket)| Step::Relay(who, ticket)),
        1 => (0..3_usize, ends).prop_map(|(who, why)| Step::Ended(who, why)),
        1 => Just(Step::Refused),
        4 => any::<bool>().prop_map(Step::Met),
        2 => Just(Step::Said),
        1 => Just(Step::Over),
        1 => Just(Step::Passes),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    /// Whatever happens in whatever order: nothing is said on a channel that is not open or whose key is doubtful, nobody is taken through the
    /// server without having said so, addresses are told and dialled only where the settings let them, and in the end all is closed.
    #[test]
    fn promises_are_kept(steps in steps(), p2p in prop::sample::select(vec![P2p::Ask, P2p::Relay]), known in prop::option::of((1..3_u8, any::<bool>()))) {
        let mut alice = Alice::new(p2p);
        alice.known = Ok(known.map(|(byte, verified)| Known { fingerprint: key(byte), verified }));
        let (mut made, mut open, mut wanted, mut told) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut last = 0;
        for step in steps {
            let before = alice.model.clone();
            let meetings: Vec<u64> = made.iter().copied().collect();
            let meeting = meetings.last().copied().unwrap_or(0);
            let deeds = match step {
                Step::Types(line) => alice.types(line),
                Step::Presses => alice.model.pressed(alice.now),
                Step::Asked(who, byte, direct) => alice.asked_by(NAMES[who], byte, direct),
                Step::Agreed(who, asker, direct) => alice.agreed(NAMES[who], asker, offer(1, direct)),
                Step::Relay(who, ticket) => alice.hears(Event::PrivateRelay { with: NAMES[who].into(), ticket: ticket.then_some(Token([1; 32])) }),
                Step::Ended(who, why) => alice.ended(NAMES[who], why),
                Step::Refused => {
                    let refusal = Event::Refusal(Refusal::new(code::NOT_ONLINE, "no"));
                    alice.model.answered(&Sent::Invitation(meeting, Invitation::Ask), Ok(&refusal))
                }
                Step::Met(true) if told.contains(&meeting) => {
                    let deeds = alice.met(meeting);
                    if alice.model.peers.values().any(|peer| matches!(&peer.stage, Stage::Open(open) if open.meeting == meeting)) {
                        open.insert(meeting);
                    }
                    deeds
                }
                Step::Met(_) => alice.model.met(meeting, Err(Missed::NoWay { tried: Vec::new() }), alice.now),
                Step::Said => alice.tells(meeting, News::Said("hi".into())),
                Step::Over => {
                    open.remove(&meeting);
                    alice.tells(meeting, News::Ended { why: Ended::ByThem, unheard: 0 })
                }
                Step::Passes => {
                    alice.now.0 += FORGOTTEN_AFTER / 2;
                    alice.model.tick(alice.now)
                }
            };
            for deed in &deeds {
                match deed {
                    Deed::Invite { meeting, listen, .. } => {
                        prop_assert!(made.insert(*meeting) && *meeting > last, "a number is given once");
                        prop_assert!(!listen || p2p == P2p::Ask, "addresses are told though they are hidden");
                        last = *meeting;
                    }
                    Deed::Hold { meeting, .. } => {
                        prop_assert!(p2p == P2p::Ask && made.contains(meeting));
                        told.insert(*meeting);
                    }
                    Deed::Order(Order::Relay(name)) => {
                        wanted.insert(folded(name));
                    }
                    Deed::Over { meeting, .. } => {
                        let whose = before.with(*meeting).map(|peer| folded(&peer.name)).unwrap_or_default();
                        prop_assert!(wanted.contains(&whose), "taken through the server without a word");
                        told.insert(*meeting);
                    }
                    Deed::Ask { meeting, ask } => {
                        prop_assert!(open.contains(meeting), "said on a channel that is not open");
                        let stage = &alice.model.with(*meeting).expect("is there").stage;
                        let doubtful = matches!(stage, Stage::Open(open) if open.trust == Trust::Changed);
                        prop_assert!(!doubtful || matches!(ask, Ask::Drop(_)), "said to a key that is not the verified one");
                    }
                    Deed::End { meeting } => {
                        made.remove(meeting);
                        open.remove(meeting);
                    }
                    _ => {}
                }
            }
            alice.now.0 += 1;
        }
        for deed in alice.model.leave() {
            if let Deed::End { meeting } = deed {
                made.remove(&meeting);
            }
        }
        prop_assert!(made.is_empty(), "left open: {made:?}");
    }
}
