//! Whatever a server or its people say, the terminal stays as it was: shown as text, or not at all.

use serde_json::{Value, json};

use crate::scripted::{Server, welcome};
use crate::terminal::Setup;

/// What acts on terminals, each with a part that must be seen.
const CORPUS: &[&str] = &[
    "\u{1b}[2J\u{1b}[H clear",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;title\u{7} title",
    "\u{1b}]52;c;aGVsbG8=\u{7} clipboard",
    "\u{1b}]8;;http://example.org\u{1b}\\link",
    "\u{1b}P+q544e\u{1b}\\ DCS",
    "\u{1b}_apc\u{1b}\\ APC",
    "\u{1b}[?1049h alternate",
    "\u{1b}[?1000h\u{1b}[?1006h mouse",
    "\u{1b}[?25l cursor",
    "\u{1b}[?2004l paste",
    "\u{1b}c reset",
    "\u{1b}(0 lines",
    "\u{1b}[5;10r region",
    "\u{1b}[6n report",
    "\u{9b}2J C1",
    "\u{9d}0;title\u{9c} OSC in C1",
    "\u{90}q\u{9c} DCS in C1",
    "over\rwritten",
    "back\u{8}\u{8}\u{8}space",
    "bell\u{7}\u{7}\u{7}",
    "up\u{b}and\u{c}down",
    "shift\u{e}out\u{f}",
    "line\nfeed\u{85}next\u{2028}line",
    "nul\u{0}byte",
    "\u{202e}sdrawkcab",
    "\u{2066}isolated",
    "zero\u{200b}\u{2060}\u{feff}width",
    "tag\u{e0041}\u{e007f}",
    "soft\u{ad}hyphen",
];

fn events(text: &str) -> Vec<Value> {
    let user = json!({"user": text});
    vec![
        json!({"type": "message", "seq": 1, "at": 0, "from": "bob", "to": "everyone", "text": text}),
        json!({"type": "message", "seq": 1, "at": 0, "from": text, "to": user, "text": text}),
        json!({"type": "message", "seq": 1, "at": 0, "from": "bob", "to": {"room": text}, "nick": text, "text": text}),
        json!({"type": "presence", "name": text, "what": "logged-in", "at": 0}),
        json!({"type": "fact", "kind": "x", "text": text}),
        json!({"type": "refusal", "code": text, "text": text, "hint": text}),
        json!({"type": "people", "of": "online", "names": [text]}),
        json!({"type": "cards", "cards": [{"name": text, "summary": text}]}),
        json!({"type": "help", "cards": [{"name": "x", "summary": text, "aliases": [text], "examples": text, "args": [{"name": text, "help": text, "kind": {"label": text}}]}]}),
        json!({"type": text}),
    ]
}

#[test]
fn nothing_that_is_said_acts_on_the_terminal() {
    let notified = Setup::new(80).config("(attention: Notification)");
    for setup in [40, 80, 200].into_iter().flat_map(|columns| [Setup::new(columns), Setup::new(columns).plain()]).chain([notified]) {
        let server = Server::listen();
        let terminal = setup.run(&server);
        let mut link = server.accept();
        link.let_in();
        terminal.ends_with("alice>");
        terminal.types("half a li");
        // What is typed when the server has named commands is looked at in another way than what stood there before.
        terminal.ends_with("alice> half a li");
        let mut seq = 100;
        for text in CORPUS {
            for mut event in events(text) {
                seq += 1;
                if event["type"] == "message" {
                    event["seq"] = json!(seq);
                }
                link.say(event);
            }
        }
        // Not even lines of the protocol.
        for text in CORPUS {
            link.say_raw(format!("{}\n", text.replace('\n', " ")).as_bytes());
        }
        link.say_raw(b"\xff\xfe\x9b2J\xc3(\n");
        link.say(json!({"type": "fact", "kind": "x", "text": "the end of it"}));
        terminal.shows("the end of it");
        terminal.ends_with("alice> half a li");
        terminal.wait("as it was", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
                && screen.fgcolor() == vt100::Color::Default
        });
        let others = terminal.signs(|signs| signs.others.clone());
        let calls = |sign: &String| sign.starts_with("command 9;chinwag: ") && !sign.contains(|c: char| c.is_control());
        // What is no UTF-8 is shown as U+FFFD, which this emulator thinks worth a word.
        assert!(others.iter().all(|sign| calls(sign) || sign == "character '\u{fffd}'"), "{others:?}");
        let all = terminal.all();
        for visible in ["␛[2J␛[H clear", "over␍written", "<U+009B>2J C1", "<U+202E>sdrawkcab", "␛]52;c;aGVsbG8=␇ clipboard"] {
            assert!(squeezed(&all).contains(&squeezed(visible)), "{visible} is not in:\n{all}");
        }
        assert!(!all.contains('\u{202e}') && !all.contains('\u{200b}'));
    }
}

/// Without what breaking into rows changes.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn nothing_that_is_said_acts_on_a_terminal_that_can_only_print() {
    let server = Server::listen();
    let terminal = Setup::new(80).env("TERM", "dumb").run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.shows("* welcome back, alice");
    let mut seq = 100;
    for text in CORPUS {
        for mut event in events(text) {
            seq += 1;
            if event["type"] == "message" {
                event["seq"] = json!(seq);
            }
            link.say(event);
        }
    }
    link.say(json!({"type": "fact", "kind": "x", "text": "the end of it"}));
    terminal.shows("the end of it");
    assert!(terminal.signs(|signs| signs.bells == 0 && signs.others.is_empty()), "{:?}", terminal.signs(|signs| format!("{signs:?}")));
    let all = squeezed(&terminal.all());
    assert!(all.contains("␛[2J␛[Hclear") && !all.contains(['\u{202e}', '\u{200b}']), "{all}");
}

#[test]
fn a_line_as_long_as_can_be_does_no_harm() {
    let server = Server::listen();
    let terminal = Setup::new(80).run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    terminal.types("half a li");
    let text = "x".repeat(1_000_000);
    link.say(json!({"type": "message", "seq": 11, "at": 0, "from": "bob", "to": "everyone", "text": text}));
    terminal.shows("more)");
    terminal.ends_with("alice> half a li");
    // Longer than a line may be: that is no server any more.
    link.say_raw("y".repeat(2_000_000).as_bytes());
    let mut link = server.accept();
    let resume = link.expect("resume tok-1 11");
    link.answer(&resume, welcome());
    terminal.shows("the link is back");
    terminal.ends_with("alice> half a li");
}
