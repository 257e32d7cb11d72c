//! What people see at a terminal, at several widths, with colours, without, and where a terminal can only print.

use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::scripted::{Connection, Server, message, refusal};
use crate::terminal::{Setup, Terminal};

/// 2024-02-29 10:00:00 UTC.
pub(crate) const TEN: i64 = 1_709_200_800_000;
const MINUTE: i64 = 60_000;

fn at(minutes: i64, mut event: Value) -> Value {
    event["at"] = json!(TEN + minutes * MINUTE);
    event
}

fn to_all(seq: u64, from: &str, text: &str) -> Value {
    json!({"type": "message", "seq": seq, "at": TEN, "from": from, "to": "everyone", "text": text})
}

/// A morning's talk: mail, a mention, what is long and what is wide, a refusal, an answer of several lines, midnight.
fn talk(link: &mut Connection, terminal: &Terminal) {
    let arg = |name: &str, label: &str, help: &str, more: Value| {
        let mut kind = json!({"label": label});
        kind.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json!({"name": name, "help": help, "kind": kind})
    };
    let to = arg("to", "a user", "who gets it, now or at the next login", json!({"complete": "known-users"}));
    let text = arg("text", "some text", "what to say", json!({"shape": "rest"}));
    let card =
        json!({"name": "message", "summary": "Say something to one user, who gets it at the next login if away.", "args": [to, text]});
    let command = arg("command", "a command", "which one to explain", json!({"complete": "commands", "optional": true}));
    link.say(json!({"type": "cards", "cards": [card, {"name": "help", "summary": "Explain.", "args": [command]}]}));
    let mut kept = at(-14 * 60, message(3, "bob", "are you coming tomorrow?"));
    kept["offline"] = json!(true);
    link.say(kept);
    link.say(at(0, json!({"type": "presence", "name": "bob", "what": "logged-in"})));
    link.say(at(1, message(11, "bob", "good morning")));
    link.say(at(
        1,
        to_all(12, "carol", "Alice, the harvest is in: forty-one crates of apples, nine of pears, and a box of quinces that nobody wants"),
    ));
    link.say(at(2, to_all(13, "dave", "漢字を読める人はいますか 👩\u{200d}💻 e\u{301}e\u{301} привет, see https://example.org/orchard/2024/harvest/crates?sort=weight&page=2#quinces")));
    terminal.shows("#quinces");
    terminal.types("message carol\r");
    let line = link.expect("message carol");
    link.answer(&line, json!({"type": "refusal", "code": "usage", "text": "`text` is missing", "hint": "usage: message <to> <text...>"}));
    terminal.shows("error[usage]");
    terminal.types("help message\r");
    let line = link.expect("help message");
    link.answer(&line, json!({"type": "help", "cards": [card]}));
    terminal.shows("what to say");
    terminal.types("@bob good morning!\r");
    let line = link.expect("@bob good morning!");
    link.answer(&line, at(3, json!({"type": "sent", "seq": 14, "to": {"user": "bob"}})));
    terminal.shows("sent");
    link.say(at(16 * 60, message(15, "bob", "good night")));
    link.say(at(16 * 60, json!({"type": "presence", "name": "bob", "what": "timed-out"})));
    terminal.shows("timed out");
    terminal.types("@carol half a li");
    terminal.ends_with("alice> @carol half a li");
}

/// After the talk. The link is held: without it the next thing on the screen would be that it is lost.
fn talked(setup: Setup) -> (Terminal, Connection) {
    let server = Server::listen();
    let terminal = setup.run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    talk(&mut link, &terminal);
    (terminal, link)
}

#[test]
fn forty_columns() {
    let (terminal, _link) = talked(Setup::new(40).plain());
    assert_snapshot!(terminal.all());
}

#[test]
fn eighty_columns() {
    let (terminal, _link) = talked(Setup::new(80).plain());
    assert_snapshot!(terminal.all());
    assert!(terminal.signs(|signs| signs.others.is_empty()));
    recorded(&terminal.all());
}

/// The README shows this very screen: what stands there between the marks is what was seen, or is made so by `CHINWAG_BLESS=1`.
fn recorded(seen: &str) {
    const BEGIN: &str = "<!-- generated: conversation -->\n";
    const END: &str = "<!-- /generated -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = fs::read_to_string(path).expect("is there");
    let (before, rest) = readme.split_once(BEGIN).expect("the marks are there");
    let (_, after) = rest.split_once(END).expect("the marks are there");
    let fresh = format!("{before}{BEGIN}```text\n{}\n```\n{END}{after}", seen.trim_end());
    if std::env::var_os("CHINWAG_BLESS").is_some() {
        fs::write(path, fresh).expect("writes");
    } else {
        assert!(readme == fresh, "README.md shows another screen; CHINWAG_BLESS=1 makes it this one:\n{seen}");
    }
}

#[test]
fn two_hundred_columns() {
    let (terminal, _link) = talked(Setup::new(200).plain());
    assert_snapshot!(terminal.all());
}

#[test]
fn in_colour() {
    let (terminal, _link) = talked(Setup::new(80));
    assert_snapshot!(terminal.painted());
}

#[test]
fn colours_go_by_the_command_line_before_the_environment() {
    let painted = |setup: Setup| {
        let (terminal, _link) = talked(setup);
        terminal.painted().contains('{')
    };
    assert!(!painted(Setup::new(80).word("--color").word("never")));
    assert!(painted(Setup::new(80).plain().word("--color=always")));
}

#[test]
fn a_terminal_that_can_only_print_gets_lines_and_no_prompt() {
    let server = Server::listen();
    let mut terminal = Setup::new(80).env("TERM", "dumb").run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.shows("* welcome back, alice");
    link.say(at(1, to_all(12, "carol", "Alice, the harvest is in")));
    link.say(at(1, message(13, "bob", "\u{1b}[2Jgood morning")));
    terminal.shows("good morning");
    terminal.types("@bob hi\n");
    let line = link.expect("@bob hi");
    link.answer(&line, refusal("no-such-user", "there is no user `bob`"));
    terminal.shows("no-such-user");
    terminal.types("\u{4}");
    link.see_off();
    assert_eq!(terminal.ends(), Some(0));
    assert_snapshot!(terminal.all().trim_end());
    assert!(terminal.signs(|signs| signs.bells == 0 && signs.others.is_empty()), "{:?}", terminal.signs(|signs| format!("{signs:?}")));
}

#[test]
fn what_comes_in_leaves_alone_what_is_typed() {
    let server = Server::listen();
    let terminal = Setup::new(60).run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    // Longer than a row, with the cursor in the middle of it.
    terminal.types("@bob the quick brown fox jumps over the lazy dog, again and again and");
    terminal.types("\u{1b}b\u{1b}b");
    let whole = |screen: &vt100::Screen| {
        screen.contents().replace('\n', "").contains("alice> @bob the quick brown fox jumps over the lazy dog, again and again and")
    };
    terminal.wait("typed", whole);
    let column = ("alice> ".len() + "@bob the quick brown fox jumps over the lazy dog, again and ".len()) % 60;
    let is_there = |screen: &vt100::Screen| usize::from(screen.cursor_position().1) == column;
    terminal.wait("the cursor is in the middle", is_there);
    for seq in 11..=1010 {
        link.say(to_all(seq, "carol", &format!("line {seq}")));
    }
    terminal.shows("line 1010");
    terminal.wait("as it was", whole);
    terminal.wait("the cursor is where it was", is_there);
    terminal.types("oh ");
    terminal.wait("typed on", |screen| screen.contents().replace('\n', "").contains("dog, again and oh again and"));
    terminal.types("\r");
    link.expect("@bob the quick brown fox jumps over the lazy dog, again and oh again and");
    let all = terminal.all();
    let mut at = 0;
    for seq in 11..=1010 {
        let line = format!("carol to all: line {seq}\n");
        at += all[at..].find(&line).unwrap_or_else(|| panic!("{line}is there, once and in order:\n{all}")) + line.len();
    }
    assert!(!all[at..].contains("carol"), "nothing came twice");
}

#[test]
fn a_new_width_is_used_at_once() {
    let server = Server::listen();
    let terminal = Setup::new(80).plain().run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    terminal.types("half a li");
    terminal.ends_with("alice> half a li");
    terminal.resize(40);
    link.say(at(1, to_all(12, "carol", "forty-one crates of apples, nine of pears, a box of quinces")));
    terminal.shows("10:01 carol to all: forty-one crates of");
    terminal.shows("\n      apples, nine of pears, a box of\n      quinces\n");
    terminal.ends_with("alice> half a li");
}

#[test]
fn a_bell_rings_for_what_is_meant_for_one() {
    let server = Server::listen();
    let terminal = Setup::new(80).run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    link.say(to_all(11, "carol", "nobody in particular"));
    terminal.shows("particular");
    assert_eq!(terminal.signs(|signs| signs.bells), 0);
    link.say(to_all(12, "carol", "alice in particular"));
    terminal.shows("alice in particular");
    assert_eq!(terminal.signs(|signs| signs.bells), 1);
    link.say(message(13, "bob", "psst"));
    terminal.shows("psst");
    assert_eq!(terminal.signs(|signs| signs.bells), 2);
}
