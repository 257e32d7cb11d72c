//! Links that drop, die without a word, or are outlived by a computer that sleeps: nothing is lost and nothing comes twice.

use serde_json::json;

use crate::scripted::{Connection, Server, message, refusal, welcome};
use crate::terminal::{Setup, Terminal};

fn begin(server: &Server, setup: Setup) -> (Terminal, Connection) {
    let terminal = setup.run(server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    (terminal, link)
}

/// The client comes back, having seen `seen`.
fn resumed(server: &Server, seen: &str) -> Connection {
    let mut link = server.accept();
    let resume = link.expect(&format!("resume tok-1{seen}"));
    link.answer(&resume, welcome());
    link
}

fn sent(seq: u64) -> serde_json::Value {
    json!({"type": "sent", "seq": seq, "at": 0, "to": {"user": "bob"}})
}

#[test]
fn a_server_that_says_nothing_any_more_is_found_out() {
    let server = Server::listen();
    let (terminal, mut link) = begin(&server, Setup::new(80).word("--set").word("ping_after=1"));
    // As long as it answers, all is well.
    let ping = link.expect("/ping");
    link.answer(&ping, json!({"type": "pong", "token": ""}));
    terminal.types("half a li");
    link.expect("/ping");
    // From here on it is silent, and the connection stays open: a cable was pulled.
    terminal.ends_with("alice! half a li");
    terminal.shows("does not answer any more");
    let _back = resumed(&server, "");
    terminal.shows("the link is back");
    terminal.ends_with("alice> half a li");
    drop(link);
}

#[test]
fn what_is_typed_without_a_link_is_sent_once() {
    let server = Server::listen();
    let (terminal, mut link) = begin(&server, Setup::new(80));
    link.say(message(11, "bob", "eleven"));
    terminal.shows("eleven");
    drop(link);
    terminal.ends_with("alice!");
    for word in ["one", "two"] {
        terminal.types(&format!("@bob {word}\r"));
        terminal.ends_with("alice!");
    }
    terminal.types("half a li");
    let mut link = resumed(&server, " 11");
    terminal.shows("the link is back");
    let one = link.expect("@bob one");
    link.answer(&one, sent(12));
    let two = link.expect("@bob two");
    // It breaks again, before the answer.
    drop(link);
    let mut link = resumed(&server, " 11");
    // As after a crash: what was seen comes once more, and something new.
    link.say(message(11, "bob", "eleven"));
    link.say(message(13, "bob", "thirteen"));
    let again = link.expect("@bob two");
    assert_eq!(again.key, two.key, "a resend is the same message");
    link.answer(&again, sent(14));
    terminal.wait("both are sent", |screen| screen.contents().matches(" sent\n").count() == 2);
    terminal.ends_with("alice> half a li");
    let all = terminal.all();
    for once in ["eleven", "thirteen", "alice! @bob one", "alice! @bob two"] {
        assert_eq!(all.matches(once).count(), 1, "{once}:\n{all}");
    }
    assert!(!link.something_waits());
}

#[test]
fn an_answer_of_several_lines_is_not_shown_again() {
    let server = Server::listen();
    let (terminal, mut link) = begin(&server, Setup::new(80));
    let fact = |text: &str| json!({"type": "fact", "kind": "acme.count", "text": text});
    terminal.types("count\r");
    let line = link.expect("count");
    for text in ["one", "two", "two"] {
        link.answer_first(&line, fact(text));
    }
    terminal.shows("two\ntwo");
    drop(link);
    let mut link = resumed(&server, "");
    let line = link.expect("count");
    for text in ["one", "two", "two", "two"] {
        link.answer_first(&line, fact(text));
    }
    link.answer(&line, fact("over"));
    terminal.shows("over");
    let all = terminal.all();
    assert_eq!((all.matches("\none\n").count(), all.matches("two").count()), (1, 3), "{all}");
}

#[test]
fn a_computer_that_sleeps_comes_back() {
    let server = Server::listen();
    let (terminal, mut link) = begin(&server, Setup::new(80));
    terminal.types("half a li");
    terminal.ends_with("alice> half a li");
    terminal.signal("STOP");
    link.say(message(11, "bob", "good night"));
    drop(link);
    terminal.signal("CONT");
    let mut link = resumed(&server, " 11");
    link.say(message(12, "bob", "good morning"));
    terminal.shows("good morning");
    terminal.ends_with("alice> half a li");
    assert_eq!(terminal.all().matches("good night").count(), 1);
}

#[test]
fn what_was_meant_for_a_room_goes_there_or_comes_back() {
    let server = Server::listen();
    let (terminal, mut link) = begin(&server, Setup::new(80));
    let entered = json!({"type": "entered", "room": "den", "nick": "alice", "others": ["bob"]});
    link.say(entered.clone());
    terminal.ends_with("alice [den]>");
    terminal.types("hello\r");
    let hello = link.expect("@#den hello");
    drop(link);
    terminal.ends_with("alice [den]!");
    for line in ["logout you fools", "/whoelse", "//shrug"] {
        terminal.types(&format!("{line}\r"));
        terminal.ends_with("alice [den]!");
    }
    let mut link = server.accept();
    let resume = link.expect("resume tok-1");
    link.answer_first(&resume, welcome());
    link.say(json!({"type": "cards", "cards": []}));
    terminal.shows("the link is back");
    // Where one is now is not known before the login is answered to its end.
    assert!(!link.something_waits());
    link.answer(&resume, entered);
    let again = link.expect("@#den hello");
    assert_eq!(again.key, hello.key);
    link.answer(&again, json!({"type": "sent", "seq": 12, "at": 0, "to": {"room": "den"}, "again": true}));
    let fools = link.expect("@#den logout you fools");
    let whoelse = link.expect("/whoelse");
    drop(link);

    // This time the room has ended meanwhile.
    terminal.ends_with("alice [den]!");
    let mut link = server.accept();
    let resume = link.expect("resume tok-1");
    link.answer(&resume, welcome());
    terminal.shows("you are not in den any more");
    let again = link.expect("@#den logout you fools");
    assert_eq!(again.key, fools.key);
    link.answer(&again, refusal("no-such-room", "there is no room `den`"));
    let again = link.expect("/whoelse");
    assert_eq!(again.key, whoelse.key);
    link.answer(&again, json!({"type": "people", "of": "online", "names": ["bob"]}));
    let shrug = link.expect("@#den /shrug");
    link.answer(&shrug, refusal("no-such-room", "there is no room `den`"));
    terminal.shows("so this was not said or done: logout you fools");
    terminal.shows("so this was not said or done: //shrug");
    terminal.ends_with("alice>");
    terminal.types("whoami\r");
    link.expect("/whoami");
}

#[test]
fn the_client_obeys_without_a_link() {
    let server = Server::listen();
    let (mut terminal, mut link) = begin(&server, Setup::new(80));
    link.say(message(11, "bob", "are you there?"));
    terminal.shows("are you there?");
    drop(link);
    terminal.ends_with("alice!");
    terminal.types("@bob yes\r");
    terminal.types("/mentions\r");
    terminal.shows("1970-01-01 00:00 bob to alice: are you there?");
    terminal.shows("1 message");
    terminal.types("set page 7\r");
    terminal.shows("page is 7");
    terminal.ends_with("alice!");
    let mut link = resumed(&server, " 11");
    let yes = link.expect("@bob yes");
    link.answer(&yes, sent(12));
    terminal.ends_with("alice>");
    drop(link);
    terminal.ends_with("alice!");
    terminal.types("/quit\r");
    assert_eq!(terminal.ends(), Some(0));
}

#[test]
fn no_more_lines_wait_than_can_be_kept() {
    let server = Server::listen();
    let (terminal, link) = begin(&server, Setup::new(80));
    drop(link);
    terminal.ends_with("alice!");
    for number in 1..=256 {
        terminal.types(&format!("@bob {number}\r"));
    }
    terminal.shows("@bob 256");
    terminal.types("@bob too many\r");
    terminal.shows("* not sent: 256 lines wait for the link already");
    // What was typed is still there, to be sent later.
    terminal.ends_with("alice! @bob too many");
    let mut link = resumed(&server, "");
    for number in 1..=256 {
        let line = link.expect(&format!("@bob {number}"));
        link.answer(&line, sent(number));
    }
    terminal.ends_with("alice> @bob too many");
    assert!(!link.something_waits());
}

#[test]
fn a_logout_without_a_link_ends_the_client() {
    for goodbye in ["logout", "/LOGOUT"] {
        let server = Server::listen();
        let (mut terminal, link) = begin(&server, Setup::new(80));
        drop(link);
        terminal.ends_with("alice!");
        terminal.types(&format!("{goodbye}\r"));
        assert_eq!(terminal.ends(), Some(0));
    }
}

#[test]
fn a_logout_without_a_link_tells_what_was_not_said_and_waits_for_it() {
    let server = Server::listen();
    let (mut terminal, link) = begin(&server, Setup::new(200));
    drop(link);
    terminal.ends_with("alice!");
    for line in ["@bob one", "@bob two", "logout"] {
        terminal.types(&format!("{line}\r"));
    }
    terminal.shows("2 lines have no answer yet (@bob one | @bob two): when the link is back, all is sent and you are logged out");
    // Who goes on typing wants that said, too.
    terminal.types("@bob three\r");
    terminal.shows("alice! @bob three");
    let mut link = resumed(&server, "");
    for (number, line) in ["@bob one", "@bob two", "@bob three"].into_iter().enumerate() {
        let line = link.expect(line);
        link.answer(&line, sent(12 + number as u64));
    }
    link.see_off();
    assert_eq!(terminal.ends(), Some(0));
}

#[test]
fn a_second_logout_without_a_link_ends_the_client_at_once() {
    let server = Server::listen();
    let (mut terminal, link) = begin(&server, Setup::new(200));
    drop(link);
    terminal.ends_with("alice!");
    terminal.types("@bob one\rlogout\r");
    terminal.shows("1 line has no answer yet (@bob one)");
    terminal.types("logout\r");
    terminal.shows("1 line was not answered; it may not have arrived");
    assert_eq!(terminal.ends(), Some(1));
}

#[test]
fn a_logout_that_was_on_its_way_when_the_link_was_lost_ends_the_client() {
    let server = Server::listen();
    let (mut terminal, mut link) = begin(&server, Setup::new(200));
    terminal.types("logout\r");
    link.expect("/logout");
    drop(link);
    assert_eq!(terminal.ends(), Some(0));
}

/// An attempt to come back, read to its end, so that it ends in the same way each time.
fn unheard(server: &Server) -> Connection {
    let mut attempt = server.accept_silently();
    assert_eq!(attempt.raw_line(), "dialect json");
    attempt
}

#[test]
fn whoever_waits_for_the_link_is_told_once_why_there_is_none() {
    let server = Server::listen();
    let (terminal, link) = begin(&server, Setup::new(200));
    drop(link);
    terminal.ends_with("alice!");
    // Nobody has asked.
    drop(unheard(&server));
    for _ in 0..3 {
        let attempt = unheard(&server);
        terminal.types("\r");
        terminal.ends_with("alice!");
        drop(attempt);
    }
    terminal.shows("no link yet: 127.0.0.1:");
    let _link = resumed(&server, "");
    terminal.shows("the link is back");
    assert_eq!(terminal.all().matches("no link yet").count(), 1, "{}", terminal.all());
}
