//! Private chats: two real clients in real terminals, on a real server; and a lying server, or a stranger, where there is one.

use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use chinwag_private::{Identity, Meeting, Side, Terms};
use chinwag_wire::private::{Fingerprint, Offer, Token};
use serde_json::json;

use crate::scripted::{Connection, Server};
use crate::served::{Proxy, Served, holds};
use crate::terminal::{LIMIT, Setup, Terminal};

/// Nobody says this by chance.
const SECRET: &str = "the-harvest-is-hidden-in-the-old-barn";
/// Alt-a.
const YES: &str = "\u{1b}a";

fn client(address: SocketAddr, name: &str) -> Terminal {
    client_with(address, name, "()")
}

fn client_with(address: SocketAddr, name: &str, config: &str) -> Terminal {
    comes(Setup::new(200).plain().name(name).config(config), address, name)
}

fn comes(setup: Setup, address: SocketAddr, name: &str) -> Terminal {
    let terminal = setup.run_at(address);
    terminal.shows(&format!("welcome back, {name}"));
    terminal.ends_with(&format!("{name}>"));
    terminal
}

/// Alice and bob, logged in.
fn two(address: SocketAddr) -> (Terminal, Terminal) {
    let alice = client(address, "alice");
    let bob = client(address, "bob");
    alice.shows("bob logged in");
    (alice, bob)
}

/// Types a line when the prompt is there.
fn types(terminal: &Terminal, line: &str) {
    terminal.types(&format!("{line}\r"));
}

/// Bob agrees to what alice asks.
fn opened(alice: &Terminal, bob: &Terminal) {
    types(alice, "startprivate bob");
    bob.shows("alice asks you for a private chat");
    types(bob, "accept alice");
    for terminal in [alice, bob] {
        terminal.shows("is open, directly, past the server");
        terminal.shows("is nobody between you?");
    }
}

fn pair() -> (Served, Terminal, Terminal) {
    let served = Served::start().register(&["alice", "bob"]);
    let (alice, bob) = two(served.address);
    opened(&alice, &bob);
    (served, alice, bob)
}

/// The digits that somebody is to compare.
fn digits(terminal: &Terminal) -> String {
    let all = terminal.all().replace('\n', " ");
    let after = all.split("digits are shown there: ").nth(1).expect("digits");
    after.split(';').next().expect("an end").to_owned()
}

#[test]
fn two_agree_and_talk_and_check_and_end_it() {
    let served = Served::start().register(&["alice", "bob"]);
    let proxy = Proxy::start(served.address);
    let (alice, bob) = two(proxy.address);
    types(&alice, "startprivate bob");
    alice.shows("bob is asked for a private chat; go on meanwhile");
    bob.types("half a li");
    bob.shows("alice asks you for a private chat: Alt-a or `accept alice`, or `decline alice`");
    bob.ends_with("bob> half a li");
    // The key is taken as an answer only once the question could be read.
    let mut pressed = 0;
    while !bob.all().contains("is open") {
        bob.types(YES);
        pressed += 1;
        bob.wait("pressed", |screen| {
            let text = screen.contents();
            text.contains("agree on a private chat") || text.matches("this came just now").count() >= pressed
        });
        if bob.all().contains("agree on a private chat") {
            bob.shows("is open, directly, past the server");
        }
    }
    bob.ends_with("bob> half a li");
    alice.shows("is open, directly, past the server");
    bob.shows("is nobody between you?");
    alice.shows("is nobody between you?");
    assert_eq!(digits(&alice), digits(&bob), "{}", alice.all());
    assert_eq!(digits(&alice).len(), "123 456".len());
    types(&alice, &format!("private bob {SECRET}"));
    bob.shows(&format!("~ alice privately: {SECRET}"));
    alice.shows("~ said to bob privately");
    bob.ends_with("bob> half a li");
    assert_eq!(bob.signs(|signs| (signs.bells >= 2, signs.others.len())), (true, 0));
    bob.types("\u{15}");
    types(&bob, &format!("private alice {SECRET} indeed"));
    alice.shows(&format!("~ bob privately: {SECRET} indeed"));
    types(&bob, "verify alice");
    bob.shows("alice is verified");
    let peers = fs::read_to_string(bob.home().join(".config/chinwag/known-peers")).expect("is kept");
    assert!(peers.contains(" alice SHA256:") && peers.trim_end().ends_with(" verified"), "{peers}");
    types(&alice, "privates");
    alice.shows("bob: open, directly, not verified, digits ");
    types(&alice, "stopprivate");
    alice.shows("the private chat with bob is over: you stopped it");
    bob.shows("the private chat with alice is over: ");
    types(&bob, "private alice hello");
    bob.shows("error[no-private]");
    // All that the server could know.
    assert!(holds(&proxy.passed(), "startprivate bob") && !holds(&proxy.passed(), SECRET));
    assert!(!holds(&served.kept(), SECRET));
    let history = |terminal: &Terminal| {
        let folder = terminal.home().join(".local/state/chinwag/history");
        fs::read_dir(folder).expect("a folder").flatten().map(|file| fs::read_to_string(file.path()).expect("reads")).collect::<String>()
    };
    assert!(history(&alice).contains("startprivate bob") && !history(&alice).contains(SECRET), "nor do the lines typed before");
}

#[test]
fn the_key_of_before_is_known_again() {
    let (served, alice, bob) = pair();
    types(&alice, "verify bob");
    alice.shows("bob is verified");
    let home = alice.keeps_home();
    types(&alice, "quit");
    bob.shows("the private chat with alice is over: ");
    bob.shows("alice logged out");
    let alice = comes(Setup::new(200).plain().home(home), served.address, "alice");
    types(&bob, "startprivate alice");
    alice.shows("bob asks you for a private chat");
    types(&alice, "accept");
    alice.shows("bob has the key that you have verified");
    bob.shows("is nobody between you?");
}

#[test]
fn another_key_cannot_be_missed_and_nothing_is_said_to_it() {
    let (served, alice, bob) = pair();
    types(&alice, "verify bob");
    alice.shows("bob is verified");
    drop(bob);
    alice.shows("the private chat with bob is over: ");
    // Somebody with bob's password, at another machine. Alice's client may not have told the server yet that it is over.
    let bob = client(served.address, "bob");
    let mut refused = 0;
    loop {
        types(&bob, "startprivate alice");
        let refusals = |screen: &vt100::Screen| screen.contents().matches("error[already-open]").count();
        bob.wait("an answer", |screen| screen.contents().contains("go on meanwhile") || refusals(screen) > refused);
        if bob.all().contains("go on meanwhile") {
            break;
        }
        refused += 1;
    }
    alice.shows("!!! WARNING: bob has another key than the one you verified");
    alice.types(YES);
    alice.shows("what needs a closer look is typed");
    types(&alice, "accept bob");
    alice.shows("!!! bob has another key than the one you verified: nothing is said before you are sure");
    types(&alice, &format!("private bob {SECRET}"));
    alice.shows("not sent: bob has another key than the one you verified");
    bob.shows("is open");
    types(&bob, "private alice it is me");
    alice.shows("~ (another key!) bob privately: it is me");
    types(&alice, "verify bob");
    alice.shows("bob is verified");
    types(&alice, "private bob welcome home");
    bob.shows("~ alice privately: welcome home");
    assert!(!bob.all().contains(SECRET));
}

#[test]
fn no_is_an_answer_and_so_is_silence() {
    let mut served = Served::start().register(&["alice", "bob"]);
    let (alice, bob) = two(served.address);
    types(&alice, "startprivate bob");
    bob.shows("alice asks you for a private chat");
    types(&bob, "decline");
    bob.shows("you have declined a private chat with alice");
    alice.shows("bob declines a private chat");
    types(&alice, "startprivate bob");
    bob.wait("asked again", |screen| screen.contents().matches("asks you for a private chat").count() == 2);
    served.control("advance 61s");
    alice.shows("bob has not answered in time");
    bob.shows("alice does not wait for a private chat any more");
    types(&bob, "accept alice");
    bob.shows("error[no-offer]");
    types(&alice, "startprivate bob");
    bob.wait("asked a third time", |screen| screen.contents().matches("asks you for a private chat").count() == 3);
    types(&alice, "stopprivate bob");
    alice.shows("you do not ask bob for a private chat any more");
    bob.shows("alice does not want a private chat any more");
    for (line, refusal) in [
        ("startprivate alice", "error[yourself]"),
        ("startprivate nobody-at-all", "error[no-such-user]"),
        ("private bob hello", "error[no-private]"),
    ] {
        types(&alice, line);
        alice.shows(refusal);
    }
}

#[test]
fn both_who_ask_at_once_have_one() {
    let served = Served::start().register(&["alice", "bob"]);
    let (alice, bob) = two(served.address);
    alice.types("startprivate bob");
    bob.types("startprivate alice");
    alice.types("\r");
    bob.types("\r");
    for terminal in [&alice, &bob] {
        terminal.shows("is open, directly, past the server");
    }
    types(&alice, "private bob one");
    bob.shows("~ alice privately: one");
    types(&bob, "private alice two");
    alice.shows("~ bob privately: two");
}

#[test]
fn a_block_ends_nothing_private_but_asks() {
    let (_served, alice, bob) = pair();
    types(&alice, "block bob");
    alice.shows("the private chat with bob goes on, for it does not go by the server; `stopprivate bob` ends it");
    types(&bob, "private alice still here");
    alice.shows("~ bob privately: still here");
    types(&alice, "stopprivate bob");
    bob.shows("the private chat with alice is over: ");
}

#[test]
fn who_logs_out_ends_it_and_who_is_killed_is_missed_at_once() {
    let (served, alice, mut bob) = pair();
    types(&bob, "logout");
    alice.shows("the private chat with bob is over: ");
    assert_eq!(bob.ends(), Some(0));
    let bob = client(served.address, "bob");
    types(&alice, "startprivate bob");
    bob.shows("alice asks you for a private chat");
    types(&bob, "accept");
    alice.wait("open again", |screen| screen.contents().matches("is open, directly").count() == 2);
    bob.signal("KILL");
    alice.wait("over again", |screen| screen.contents().matches("the private chat with bob is over: ").count() == 2);
    types(&alice, "private bob are you there?");
    alice.shows("error[no-private]");
}

#[test]
fn it_goes_on_while_the_server_is_dead() {
    let (served, alice, bob) = pair();
    let (data, address) = served.kill();
    alice.ends_with("alice!");
    bob.ends_with("bob!");
    types(&alice, "private bob the server is gone");
    bob.shows("~ alice privately: the server is gone");
    types(&bob, "@alice this waits");
    types(&bob, "private alice and this does not");
    alice.shows("~ bob privately: and this does not");
    let served = Served::start_on(data, address.port());
    alice.ends_with("alice>");
    alice.shows("bob: this waits");
    types(&alice, "private bob it is back");
    bob.shows("~ alice privately: it is back");
    types(&bob, "stopprivate");
    alice.shows("the private chat with bob is over: ");
    // Nothing of before is in the way.
    opened(&alice, &bob);
    drop(served);
}

/// Opens a private chat that bob asks for and alice wants to go through the server.
fn opened_at_the_relay(alice: &Terminal, bob: &Terminal) {
    types(bob, "startprivate alice");
    alice.shows("bob asks you for a private chat");
    types(alice, "accept");
    bob.shows("alice would go through the server; go through the server, which cannot read it: Alt-a or `relay alice`");
    types(bob, "relay");
    for terminal in [alice, bob] {
        terminal.shows("is open, through the server, which cannot read it");
        terminal.shows("is nobody between you?");
    }
    assert_eq!(digits(alice), digits(bob));
}

#[test]
fn who_hides_addresses_goes_through_the_server_which_reads_nothing() {
    let served = Served::start().register(&["alice", "bob"]);
    let proxy = Proxy::start(served.address);
    let alice = client_with(proxy.address, "alice", "(p2p: Relay)");
    let bob = client(proxy.address, "bob");
    opened_at_the_relay(&alice, &bob);
    let before = proxy.passed().len();
    types(&alice, &format!("private bob {SECRET}"));
    bob.shows(&format!("~ alice privately: {SECRET}"));
    assert!(proxy.passed().len() > before + SECRET.len(), "it went through the server");
    assert!(!holds(&proxy.passed(), SECRET) && !holds(&served.kept(), SECRET));
    types(&bob, "stopprivate");
    alice.shows("the private chat with bob is over: ");
}

#[test]
fn where_there_is_no_direct_way_both_are_asked_and_one_key_is_enough() {
    let served = Served::start().register(&["alice", "bob"]);
    // Nobody has such an address; it is for documents only.
    let nowhere = "(p2p_addresses: \"192.0.2.1\")";
    let alice = client_with(served.address, "alice", nowhere);
    let bob = client_with(served.address, "bob", nowhere);
    types(&alice, "startprivate bob");
    bob.shows("alice asks you for a private chat");
    types(&bob, "accept");
    for terminal in [&alice, &bob] {
        terminal.wait("it is asked", |screen| {
            screen.contents().replace('\n', "").contains("go through the server, which cannot read it: Alt-a or `relay ")
        });
    }
    types(&alice, "relay bob");
    types(&bob, "relay alice");
    for terminal in [&alice, &bob] {
        terminal.shows("is open, through the server, which cannot read it");
    }
    types(&alice, "private bob hello");
    bob.shows("~ alice privately: hello");
}

#[test]
fn who_wants_none_is_left_alone() {
    let served = Served::start().register(&["alice", "bob"]);
    let alice = client_with(served.address, "alice", "(p2p: Off)");
    let bob = client(served.address, "bob");
    types(&bob, "startprivate alice");
    alice.shows("bob asks for a private chat; your settings switch them off (p2p)");
    types(&alice, "startprivate bob");
    alice.shows("error[private-off]");
}

#[test]
fn names_are_completed_where_they_make_sense_and_a_room_hears_no_secrets() {
    let (_served, alice, bob) = pair();
    alice.types("private \t");
    alice.ends_with("alice> private bob");
    alice.types("\u{15}verify b\t");
    alice.ends_with("alice> verify bob");
    alice.types("\u{15}accept b\t");
    alice.ends_with("alice> accept b");
    alice.types("\u{15}");
    types(&alice, "create den");
    alice.ends_with("alice [den]>");
    types(&alice, &format!("private bob {SECRET}"));
    alice.shows("not said: others would have read it; `/private bob TEXT` says it to bob alone");
    types(&alice, &format!("/private bob {SECRET}"));
    bob.shows(&format!("~ alice privately: {SECRET}"));
    types(&alice, "/help private");
    alice.shows("Say something in a private chat");
    types(&alice, "/help startprivate");
    alice.shows("startprivate <user>\n");
}

#[test]
fn the_page_about_it_shows_what_happens() {
    let served = Served::start().register(&["alice", "bob"]);
    let config = "(times: Off)";
    let alice = Setup::new(100).name("alice").config(config).plain().run_at(served.address);
    alice.ends_with("alice>");
    let bob = Setup::new(100).name("bob").config(config).plain().run_at(served.address);
    alice.shows("bob logged in");
    bob.ends_with("bob>");
    types(&alice, "startprivate bob");
    bob.shows("alice asks you");
    alice.shows("go on meanwhile");
    types(&bob, "accept alice");
    alice.shows("verify bob`");
    bob.shows("verify alice`");
    types(&alice, "private bob the harvest is in the old barn");
    bob.shows("old barn");
    alice.shows("said to bob");
    types(&bob, "private alice I will fetch it tonight");
    alice.shows("tonight");
    types(&alice, "verify bob");
    alice.shows("you are warned");
    types(&bob, "stopprivate");
    alice.shows("is over");
    alice.ends_with("alice>");
    let all = alice.all().replace(&digits(&alice), "123 456");
    // The server's clock of a test is not the client's, so each begins days of its own.
    const DAYS: [&str; 7] = ["* Mon", "* Tue", "* Wed", "* Thu", "* Fri", "* Sat", "* Sun"];
    let seen: Vec<&str> = all.lines().filter(|line| !DAYS.iter().any(|day| line.starts_with(day))).collect();
    recorded(seen.join("\n").trim_end().trim_end_matches("alice>"));
}

/// Bytes that are not all the same, and the same every time.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| u8::try_from((at * 7 + at / 251) % 256).expect("fits")).collect()
}

#[test]
fn a_file_goes_with_the_same_consent_and_arrives_whole() {
    let served = Served::start().register(&["alice", "bob"]);
    let proxy = Proxy::start(served.address);
    let (alice, bob) = two(proxy.address);
    let content = [SECRET.as_bytes(), &bytes(3_000_000)].concat();
    let path = alice.home().join("the harvest.jpg");
    fs::write(&path, &content).expect("writes");
    types(&alice, "sendfile bob ~/the harvest.jpg");
    bob.shows("alice asks you for a private chat");
    types(&bob, "accept");
    alice.shows("bob is offered file 1: the harvest.jpg (3.0 MB)");
    bob.shows("alice offers file 1: the harvest.jpg (image, 3.0 MB): Alt-a or `getfile alice 1`, or `cancelfile alice 1`");
    types(&bob, "getfile alice");
    bob.types("half a li");
    bob.shows("file 1 from alice is here, whole and checked: ");
    alice.shows("file 1, the harvest.jpg, is with bob, whole and checked");
    bob.ends_with("bob> half a li");
    bob.types("\u{15}");
    let folder = bob.home().join("Downloads");
    assert_eq!(fs::read(folder.join("the harvest.jpg")).expect("is there"), content);
    // The same name again: nothing is written over, and talk goes on.
    fs::write(&path, "another one").expect("writes");
    types(&alice, "sendfile bob ~/the harvest.jpg");
    bob.shows("alice offers file 2: the harvest.jpg");
    types(&alice, "private bob take that, too");
    bob.shows("~ alice privately: take that, too");
    types(&bob, "getfile 2");
    bob.shows("file 2 from alice is here, whole and checked: ");
    assert_eq!(fs::read(folder.join("the harvest.jpg")).expect("is there"), content);
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 2);
    assert!(!holds(&proxy.passed(), SECRET) && !holds(&proxy.passed(), "harvest.jpg") && !holds(&served.kept(), "harvest.jpg"));
}

#[test]
fn files_go_where_the_setting_says_at_once() {
    let (_served, alice, bob) = pair();
    fs::write(alice.home().join("a.txt"), "a").expect("writes");
    types(&alice, "sendfile bob ~/a.txt");
    bob.shows("alice offers file 1: a.txt");
    types(&bob, "/set downloads ~/from others");
    bob.shows("* downloads is \"~/from others\"");
    types(&bob, "getfile alice");
    bob.shows("file 1 from alice is here, whole and checked: ");
    assert_eq!(fs::read_to_string(bob.home().join("from others/a.txt")).expect("is there"), "a");
    assert!(!bob.home().join("Downloads").exists());
}

#[test]
fn a_file_that_was_cut_in_the_middle_goes_on_where_it_stopped() {
    let (served, alice, bob) = pair();
    // So long that it cannot be over before the sender is killed; it takes no room, for nothing is in it.
    let file = fs::File::create(alice.home().join("long.bin")).expect("creates");
    file.set_len(2 << 30).expect("takes no room");
    types(&alice, "sendfile bob ~/long.bin");
    bob.shows("alice offers file 1: long.bin");
    types(&bob, "getfile alice");
    let folder = bob.home().join("Downloads");
    let part = || {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|ending| ending == "part"))
    };
    let deadline = Instant::now() + LIMIT;
    while part().is_none_or(|part| fs::metadata(part).map_or(0, |part| part.len()) == 0) {
        assert!(Instant::now() < deadline, "nothing comes");
        thread::yield_now();
    }
    alice.signal("KILL");
    bob.shows("file 1, long.bin, is not sent: the private chat is over; offered again, it goes on where it stopped");
    let home = alice.keeps_home();
    drop(alice);
    let alice = comes(Setup::new(200).plain().home(home), served.address, "alice");
    types(&alice, "startprivate bob");
    bob.wait("asked again", |screen| screen.contents().matches("alice asks you for a private chat").count() == 2);
    types(&bob, "accept");
    alice.shows("is open, directly, past the server");
    types(&alice, "sendfile bob ~/long.bin");
    bob.wait("offered again", |screen| screen.contents().matches("alice offers file ").count() == 2);
    types(&bob, "getfile alice");
    for terminal in [&alice, &bob] {
        terminal.shows(" on, where it stopped");
    }
    // What has come of it waits for another time.
    types(&bob, "cancelfile alice");
    alice.shows("is not sent: ");
    assert!(part().is_some_and(|part| fs::metadata(part).is_ok_and(|part| part.len() > 0)));
}

#[test]
fn a_file_is_refused_or_taken_back_and_what_is_no_file_is_told() {
    let (_served, alice, bob) = pair();
    fs::write(alice.home().join("a.txt"), "a").expect("writes");
    types(&alice, "sendfile bob ~/a.txt");
    bob.shows("alice offers file 1: a.txt (text, 1 bytes)");
    types(&bob, "cancelfile");
    alice.shows("file 1, a.txt, is not sent: ");
    types(&alice, "sendfile bob ~/a.txt");
    bob.shows("alice offers file 2: a.txt");
    types(&alice, "cancelfile bob 2");
    bob.shows("file 2, a.txt, is not sent: ");
    types(&bob, "getfile alice");
    bob.shows("no file waits for your answer");
    for path in ["~/nothing.txt", "~", "/dev/zero"] {
        types(&alice, &format!("sendfile bob {path}"));
    }
    alice.wait("all three are refused", |screen| screen.contents().matches("is not offered to bob: ").count() == 3);
    types(&alice, "private bob still here");
    bob.shows("~ alice privately: still here");
    assert!(!bob.home().join("Downloads").exists(), "nothing was taken");
}

/// At the port where the server speaks S4.
fn over_s4(address: SocketAddr, name: &str, config: &str) -> Terminal {
    comes(Setup::new(200).plain().name(name).config(config).word("--wire").word("s4"), address, name)
}

#[test]
fn two_over_s4_have_all_of_it_and_the_server_reads_none() {
    let served = Served::start().register(&["alice", "bob"]);
    let proxy = Proxy::start(served.s4);
    let alice = over_s4(proxy.address, "alice", "()");
    let bob = over_s4(proxy.address, "bob", "()");
    alice.shows("bob logged in");
    opened(&alice, &bob);
    assert_eq!(digits(&alice), digits(&bob), "{}", alice.all());
    types(&alice, &format!("private bob {SECRET}"));
    bob.shows(&format!("~ alice privately: {SECRET}"));
    types(&bob, "verify alice");
    bob.shows("alice is verified");
    let content = [SECRET.as_bytes(), &bytes(300_000)].concat();
    fs::write(alice.home().join("the harvest.jpg"), &content).expect("writes");
    types(&alice, "sendfile bob ~/the harvest.jpg");
    bob.shows("alice offers file 1: the harvest.jpg");
    types(&bob, "getfile");
    bob.shows("file 1 from alice is here, whole and checked: ");
    assert_eq!(fs::read(bob.home().join("Downloads/the harvest.jpg")).expect("is there"), content);
    types(&bob, "stopprivate");
    alice.shows("the private chat with bob is over: ");
    // Nothing of before is in the way; and a word of the server comes in time.
    types(&bob, "startprivate alice");
    alice.wait("asked", |screen| screen.contents().contains("bob asks you for a private chat"));
    types(&alice, "decline");
    bob.shows("alice declines a private chat");
    assert!(holds(&proxy.passed(), r#"{"PRIVATE":{"type":"private-asked""#));
    assert!(!holds(&proxy.passed(), SECRET) && !holds(&proxy.passed(), "harvest.jpg") && !holds(&served.kept(), SECRET));
}

#[test]
fn one_over_s4_and_one_over_the_usual_protocol_meet_directly_or_at_the_relay() {
    let served = Served::start().register(&["alice", "bob"]);
    let proxy = Proxy::start(served.s4);
    let alice = over_s4(proxy.address, "alice", "(p2p: Relay)");
    let bob = client(served.address, "bob");
    opened_at_the_relay(&alice, &bob);
    let before = proxy.passed().len();
    types(&bob, &format!("private alice {SECRET}"));
    alice.shows(&format!("~ bob privately: {SECRET}"));
    assert!(proxy.passed().len() > before + SECRET.len(), "it went through the server");
    let content = bytes(200_000);
    fs::write(alice.home().join("a.bin"), &content).expect("writes");
    types(&alice, "sendfile bob ~/a.bin");
    bob.shows("alice offers file 1: a.bin");
    types(&bob, "getfile");
    bob.shows("file 1 from alice is here, whole and checked: ");
    assert_eq!(fs::read(bob.home().join("Downloads/a.bin")).expect("is there"), content);
    assert!(holds(&proxy.passed(), r#"{"CARRIED":true}"#) && !holds(&proxy.passed(), SECRET) && !holds(&served.kept(), SECRET));
    types(&alice, "stopprivate");
    bob.shows("the private chat with alice is over: ");
    types(&alice, "set p2p Ask");
    alice.shows("p2p");
    types(&alice, "startprivate bob");
    bob.shows("alice asks you for a private chat");
    types(&bob, "accept");
    for terminal in [&alice, &bob] {
        terminal.shows("is open, directly, past the server");
    }
}

/// docs/private.md shows this very screen, but for the digits, which are never the same; `CHINWAG_BLESS=1` makes it so.
fn recorded(seen: &str) {
    const BEGIN: &str = "<!-- generated: private -->\n";
    const END: &str = "<!-- /generated -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/private.md");
    let page = fs::read_to_string(path).expect("is there");
    let (before, rest) = page.split_once(BEGIN).expect("the marks are there");
    let (_, after) = rest.split_once(END).expect("the marks are there");
    let fresh = format!("{before}{BEGIN}```text\n{}\n```\n{END}{after}", seen.trim_end());
    if std::env::var_os("CHINWAG_BLESS").is_some() {
        fs::write(path, fresh).expect("writes");
    } else {
        assert!(page == fresh, "docs/private.md shows another screen; CHINWAG_BLESS=1 makes it this one:\n{seen}");
    }
}

/// A client whose server is the test, and bob's part with it.
fn deceived() -> (Terminal, Connection) {
    let server = Server::listen();
    let terminal = Setup::new(200).run(&server);
    let mut link = server.accept();
    link.let_in();
    let card = |name: &str| json!({"name": name, "summary": "X."});
    link.say(json!({"type": "cards", "cards": [card("startprivate"), card("accept")]}));
    link.say(json!({"type": "presence", "name": "bob", "what": "logged-in", "at": 0}));
    terminal.shows("bob logged in");
    (terminal, link)
}

/// Alice invites bob; her offer is what the server gets.
fn invites(terminal: &Terminal, link: &mut Connection) -> Offer {
    types(terminal, "startprivate bob");
    let line = link.line();
    let offer = line.text.strip_prefix("/startprivate bob ").expect("an invitation").parse().expect("an offer");
    link.answer(&line, json!({"type": "done"}));
    offer
}

/// Somebody at this machine who waits for a connection.
fn somebody() -> Meeting {
    let here = "127.0.0.1:0".parse().expect("an address");
    Meeting::prepare(&Identity::fleeting().expect("randomness"), &[here], Terms::default()).expect("a meeting")
}

fn agreed(link: &mut Connection, offer: &Offer) {
    link.say(json!({"type": "private-agreed", "with": "bob", "asker": true, "offer": offer}));
}

#[test]
fn who_has_the_token_but_another_certificate_is_nobody() {
    let (terminal, mut link) = deceived();
    let mine = invites(&terminal, &mut link);
    let mallory = somebody();
    // Bob's fingerprint and bob's token, at mallory's address.
    let bobs = Offer { fingerprint: Fingerprint([7; 32]), ..mallory.offer().clone() };
    agreed(&mut link, &bobs);
    let met = smol::block_on(mallory.hold(Side::Asked, &mine));
    assert!(met.is_err(), "mallory is not met");
    terminal.shows("there is no direct way to bob");
    assert!(!terminal.all().contains("is open"));
    types(&terminal, &format!("private bob {SECRET}"));
    terminal.shows("not sent: there is no private chat with bob yet");
}

#[test]
fn who_has_the_certificate_but_not_the_token_is_nobody() {
    let (terminal, mut link) = deceived();
    let mine = invites(&terminal, &mut link);
    let bob = somebody();
    agreed(&mut link, bob.offer());
    // Bob, but with another token than alice's: what was told to somebody else, or at another time.
    let met = smol::block_on(bob.hold(Side::Asked, &Offer { token: Token([7; 32]), ..mine }));
    assert!(met.is_err(), "nobody is met");
    terminal.shows("there is no direct way to bob");
}

#[test]
fn an_offer_is_good_once() {
    let (terminal, mut link) = deceived();
    let mine = invites(&terminal, &mut link);
    let bob = somebody();
    agreed(&mut link, bob.offer());
    let (channel, engine) = smol::block_on(bob.hold(Side::Asked, &mine)).expect("bob is met");
    let running = std::thread::spawn(move || smol::block_on(engine.run()));
    terminal.shows("is open, directly");
    types(&terminal, "private bob hello");
    assert_eq!(smol::block_on(channel.news().recv()), Ok(chinwag_private::News::Said("hello".to_owned())));
    // The server says it again, with somebody else at the end of it.
    agreed(&mut link, somebody().offer());
    types(&terminal, "private bob still you");
    assert_eq!(smol::block_on(channel.news().recv()), Ok(chinwag_private::News::Said("still you".to_owned())));
    drop(channel);
    terminal.shows("the private chat with bob is over: bob stopped it");
    running.join().expect("ends");
    // And after it: the meeting is over, and the old offer opens nothing.
    let mut stops = 0;
    while stops < 2 {
        let line = link.line();
        link.answer(&line, json!({"type": "done"}));
        if line.text == "/stopprivate bob" {
            stops += 1;
            if stops == 1 {
                agreed(&mut link, bob.offer());
            }
        }
    }
    assert_eq!(terminal.all().matches("is open").count(), 1);
}
