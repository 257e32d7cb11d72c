//! What people want to be told of, and what not; and that what they have seen is not told again.

use serde_json::json;

use crate::scripted::{Server, message};
use crate::terminal::Setup;

fn to_all(seq: u64, from: &str, text: &str) -> serde_json::Value {
    json!({"type": "message", "seq": seq, "at": 0, "from": from, "to": "everyone", "text": text})
}

fn presence(name: &str, what: &str) -> serde_json::Value {
    json!({"type": "presence", "name": name, "what": what, "at": 0})
}

#[test]
fn words_call_as_the_name_does() {
    let server = Server::listen();
    let terminal = Setup::new(80).plain().config("(highlights: [\"deploy\"], times: Off)").run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    link.say(to_all(11, "bob", "nothing to see"));
    link.say(to_all(12, "bob", "the Deploy is done"));
    terminal.shows("! bob to all: the Deploy is done");
    link.say(to_all(13, "bob", "the deployment is done"));
    terminal.shows("the deployment is done");
    assert!(!terminal.all().contains("! bob to all: nothing") && !terminal.all().contains("! bob to all: the deployment"));
    terminal.wait("one bell", |_| true);
    assert_eq!(terminal.signs(|signs| signs.bells), 1);
    terminal.types("/set highlights deployment see\r");
    terminal.shows("* highlights is [\"deployment\",\"see\"]");
    link.say(to_all(14, "bob", "deploy? I see."));
    terminal.shows("! bob to all: deploy? I see.");
    terminal.types("/mentions\r");
    terminal.shows("* 3 messages");
}

#[test]
fn who_wants_to_know_of_nobody_or_of_few_is_told_no_more() {
    let server = Server::listen();
    let terminal = Setup::new(80).plain().config("(arrivals: Familiar, times: Off)").run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    link.say(presence("carol", "logged-in"));
    link.say(presence("dave", "logged-in"));
    link.say(to_all(11, "carol", "hello"));
    link.say(presence("dave", "logged-out"));
    link.say(presence("carol", "logged-out"));
    terminal.shows("* carol logged out");
    assert!(!terminal.all().contains("dave") && !terminal.all().contains("carol logged in"), "{}", terminal.all());
    terminal.types("/set arrivals Nobody\r");
    terminal.shows("* arrivals is Nobody");
    link.say(presence("carol", "logged-in"));
    link.say(to_all(12, "bob", "still here"));
    terminal.shows("still here");
    assert!(!terminal.all().contains("carol logged in"));
    // What nobody is told of is known nevertheless.
    terminal.types("@ca\t");
    terminal.ends_with("alice> @carol");
    terminal.types("\u{15}/set arrivals All\r");
    terminal.shows("* arrivals is All");
    link.say(presence("dave", "logged-in"));
    terminal.shows("* dave logged in");
}

#[test]
fn what_was_shown_is_acknowledged_before_a_logout_that_is_typed() {
    let server = Server::listen();
    let mut terminal = Setup::new(80).run(&server);
    let mut link = server.accept();
    link.let_in();
    let card = json!({"name": "logout", "aliases": ["quit", "exit"], "summary": "X."});
    link.say(json!({"type": "cards", "cards": [card]}));
    link.say(message(11, "bob", "good night"));
    terminal.shows("good night");
    terminal.types("/quit\r");
    link.see_off_as("/quit");
    assert_eq!(link.acked, Some(11), "it would come again");
    assert_eq!(terminal.ends(), Some(0));
}
