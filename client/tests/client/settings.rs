//! The configuration, as somebody meets it who wrote one.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::scripted::{Client, Connection, Server, message};
use crate::terminal::{Setup, Terminal};

fn configured(home: &Path, source: &str) {
    let folder = home.join(".config/chinwag");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("config.ron"), source).expect("writes");
}

#[test]
fn a_short_name_leads_to_the_server() {
    let home = tempfile::tempdir().expect("a home");
    let server = Server::listen();
    configured(home.path(), &format!("(servers: {{\"work\": \"alice@{}\"}}, server: \"work\")", server.address));
    for words in [&["work"][..], &[]] {
        let mut client = Client::run_at(home.path(), &[words, &["--plain", "--password-command", "echo secret"]].concat());
        client.types_last("");
        let mut link = server.accept();
        link.let_in();
        link.see_off();
        assert_eq!(client.ends().exit, Some(0));
    }
}

#[test]
fn all_mistakes_are_told_at_once_wherever_they_are() {
    let home = tempfile::tempdir().expect("a home");
    configured(home.path(), "(\n    histry: 3,\n    reconnect_for: \"soon\",\n)");
    for words in [&["--set", "server=a b", "config"][..], &["alice@", "--plain", "--set", "server=a b"]] {
        let ended = Client::run_at(home.path(), words).ends();
        assert_eq!(ended.exit, Some(2), "{ended:?}");
        for expected in
            ["config.ron:2:5", "did you mean `history`", "config.ron:3", "`soon` is not a length of time", "`server` is neither"]
        {
            assert!(ended.err.contains(expected), "{expected} is not in:\n{}", ended.err);
        }
    }
    let ended = Client::run_at(home.path(), &["--config", "/no/such/file.ron", "config"]).ends();
    assert_eq!(ended.exit, Some(2), "{ended:?}");
    assert!(ended.err.contains("cannot read /no/such/file.ron"), "{}", ended.err);
    let ended = Client::run_at(home.path(), &["generate", "man"]).ends();
    assert_eq!(ended.exit, Some(0), "packagers need no configuration: {ended:?}");
}

#[test]
fn what_is_in_force_is_printed_as_a_file() {
    let home = tempfile::tempdir().expect("a home");
    configured(home.path(), "(history: 7)");
    let listed = Client::run_at(home.path(), &["config", "--set", "reconnect-for=1m"]).ends();
    assert_eq!(listed.exit, Some(0), "{listed:?}");
    assert!(
        listed.out.starts_with("// ") && listed.out.contains("history: 7,") && listed.out.contains("reconnect_for: 60,"),
        "{}",
        listed.out
    );
    configured(home.path(), &listed.out);
    assert_eq!(Client::run_at(home.path(), &["config"]).ends().out, listed.out);
}

#[test]
fn nothing_is_written_for_a_script() {
    let home = tempfile::tempdir().expect("a home");
    let ended = Client::run_at(home.path(), &["config"]).ends();
    assert!(ended.out.contains("not there"), "{ended:?}");
    assert!(!home.path().join(".config").exists());
}

/// Where a setting is tried: a client whose server is the test.
struct Stage {
    terminal: Terminal,
    link: Option<Connection>,
}

impl Stage {
    fn link(&mut self) -> &mut Connection {
        self.link.as_mut().expect("a link")
    }

    /// Bob says something to alice, which is shown like this.
    fn bob_says(&mut self, seq: u64, text: &str, shown: &str) {
        self.link().say(message(seq, "bob", text));
        self.terminal.shows(shown);
    }

    /// Bob says something to all.
    fn everyone_hears(&mut self, seq: u64, text: &str) {
        self.link().say(json!({"type": "message", "seq": seq, "at": 0, "from": "bob", "to": "everyone", "text": text}));
        self.terminal.shows(text);
    }

    /// Types a line that the server answers.
    fn says(&mut self, line: &str) {
        self.terminal.types(&format!("{line}\r"));
        let asked = self.link().expect(line);
        self.link().answer(&asked, json!({"type": "done"}));
        self.terminal.ends_with("alice>");
    }

    /// The server has what private chats need.
    fn offers_private_chats(&mut self) {
        let arg =
            |name: &str| json!({"name": name, "help": "x", "kind": {"label": "x", "optional": name == "offer", "secret": name == "offer"}});
        let card = json!({"name": "startprivate", "summary": "X.", "args": [arg("user"), arg("offer")]});
        self.link().say(json!({"type": "cards", "cards": [card]}));
        self.bob_says(11, "hi", "bob: hi");
    }

    /// How often the bell has rung for all that was said so far.
    fn bells(&mut self) -> usize {
        self.link().say(json!({"type": "fact", "kind": "x", "text": "all of it"}));
        self.terminal.shows("all of it");
        self.terminal.signs(|signs| signs.bells)
    }
}

/// How the prompt, in the last row, looks.
fn prompt(screen: &vt100::Screen) -> Option<&vt100::Cell> {
    (0..screen.size().0.get()).rev().map(|row| screen.cell(row, 0)).find_map(|cell| cell.filter(|cell| cell.has_contents()))
}

/// A setting, a value for it, what is no value for it, and how it is seen that it is in force at once. With `before` it is made sure that it was not.
struct Trial {
    key: &'static str,
    value: &'static str,
    wrong: Option<&'static str>,
    before: fn(&mut Stage),
    effect: fn(&mut Stage),
}

const NOTHING: fn(&mut Stage) = |_| {};

const TRIALS: &[Trial] = &[
    Trial {
        key: "reconnect_for",
        value: "0",
        wrong: Some("soon"),
        before: NOTHING,
        effect: |stage| {
            stage.link = None;
            assert_eq!(stage.terminal.ends(), Some(1), "{}", stage.terminal.all());
        },
    },
    Trial {
        key: "history",
        value: "0",
        wrong: Some("1000000"),
        before: |stage| {
            stage.says("whoelse");
            stage.terminal.types("\u{1b}[A");
            stage.terminal.ends_with("alice> whoelse");
            stage.terminal.types("\u{15}");
        },
        effect: |stage| {
            stage.says("whoami");
            stage.terminal.types("\u{1b}[Ax");
            stage.terminal.ends_with("alice> x");
        },
    },
    Trial {
        key: "page",
        value: "1",
        wrong: Some("x"),
        before: NOTHING,
        effect: |stage| {
            stage.terminal.types("history\r");
            let line = stage.link().expect("history");
            for text in ["one", "two"] {
                let past = json!({"type": "past", "seq": 1, "at": 0, "from": "bob", "to": {"user": "alice"}, "text": text});
                stage.link().answer_first(&line, past);
            }
            stage.link().answer(&line, json!({"type": "past-end", "count": 2, "more": false}));
            stage.terminal.shows("* 1 of them were before these: `/more`");
            assert!(!stage.terminal.all().contains(": one"));
        },
    },
    Trial {
        key: "ping_after",
        value: "1s",
        wrong: Some("never"),
        before: NOTHING,
        effect: |stage| {
            stage.link().expect("ping");
        },
    },
    Trial {
        key: "color",
        value: "Never",
        wrong: Some("Sometimes"),
        before: |stage| stage.terminal.wait("a bold prompt", |screen| prompt(screen).is_some_and(vt100::Cell::bold)),
        effect: |stage| stage.terminal.wait("no bold prompt", |screen| prompt(screen).is_some_and(|cell| !cell.bold())),
    },
    Trial {
        key: "theme",
        value: "(prompt: (colour: Red))",
        wrong: Some("(prompt: (colour: Reddish))"),
        before: NOTHING,
        effect: |stage| {
            let is_red = |cell: &vt100::Cell| cell.fgcolor() == vt100::Color::Idx(1);
            stage.terminal.wait("a red prompt", |screen| prompt(screen).is_some_and(is_red));
        },
    },
    Trial {
        key: "times",
        value: "Seconds",
        wrong: Some("Hours"),
        before: |stage| stage.bob_says(11, "one", "00:00 bob: one"),
        effect: |stage| stage.bob_says(12, "two", "00:00:00 bob: two"),
    },
    Trial {
        key: "mark_after",
        value: "1ms",
        wrong: Some("soon"),
        before: |stage| stage.bob_says(11, "one", "bob: one"),
        effect: |stage| {
            let mut seq = 11;
            while !stage.terminal.all().contains("* new since you last typed something") {
                seq += 1;
                stage.bob_says(seq, &format!("message {seq}."), &format!("message {seq}."));
            }
        },
    },
    Trial {
        key: "attention",
        value: "Nothing",
        wrong: Some("Trumpet"),
        before: |stage| {
            stage.bob_says(11, "one", "bob: one");
            assert_eq!(stage.bells(), 1);
        },
        effect: |stage| {
            stage.bob_says(12, "two", "bob: two");
            stage.bob_says(13, "three", "bob: three");
            assert_eq!(stage.bells(), 1);
        },
    },
    Trial {
        key: "highlights",
        value: r#"["harvest"]"#,
        wrong: None,
        before: |stage| {
            stage.everyone_hears(11, "the harvest, one");
            assert_eq!(stage.bells(), 0);
        },
        effect: |stage| {
            stage.everyone_hears(12, "the harvest, two");
            stage.everyone_hears(13, "three");
            assert_eq!(stage.bells(), 1);
        },
    },
    Trial {
        key: "arrivals",
        value: "Nobody",
        wrong: Some("Strangers"),
        before: |stage| {
            stage.link().say(json!({"type": "presence", "name": "zoe", "what": "logged-in", "at": 0}));
            stage.terminal.shows("zoe logged in");
        },
        effect: |stage| {
            stage.link().say(json!({"type": "presence", "name": "zoe", "what": "logged-out", "at": 0}));
            stage.everyone_hears(11, "is anybody here?");
            assert!(!stage.terminal.all().contains("zoe logged out"));
        },
    },
    Trial {
        key: "editing",
        value: "Vi",
        wrong: Some("Ed"),
        before: NOTHING,
        effect: |stage| {
            stage.terminal.types("xfoo\u{1b}0x");
            stage.terminal.ends_with("alice> foo");
        },
    },
    Trial {
        key: "keys",
        value: r#"{"F5": Insert("whoelse")}"#,
        wrong: Some(r#"{"F99": Undo}"#),
        before: NOTHING,
        effect: |stage| {
            stage.terminal.types("\u{1b}[15~");
            stage.terminal.ends_with("alice> whoelse");
        },
    },
    Trial {
        key: "p2p",
        value: "Off",
        wrong: Some("Maybe"),
        before: Stage::offers_private_chats,
        effect: |stage| {
            stage.terminal.types("startprivate bob\r");
            stage.terminal.shows("`/set p2p Ask` switches them on");
        },
    },
    Trial {
        key: "p2p_addresses",
        value: "203.0.113.7",
        wrong: Some("here"),
        before: Stage::offers_private_chats,
        effect: |stage| {
            stage.terminal.types("startprivate bob\r");
            let line = stage.link().line();
            assert!(line.text.starts_with("/startprivate bob ") && line.text.contains("@203.0.113.7:"), "{}", line.text);
        },
    },
    Trial {
        key: "private_history",
        value: "true",
        wrong: Some("maybe"),
        before: |stage| {
            stage.offers_private_chats();
            stage.terminal.types("private bob one\r");
            stage.terminal.shows("error[no-private]");
            // The line before it.
            stage.terminal.types("\u{1b}[A");
            stage.terminal.ends_with("alice> /set private_history maybe");
            stage.terminal.types("\u{15}");
        },
        effect: |stage| {
            stage.terminal.types("private bob two\r");
            stage.terminal.wait("refused again", |screen| screen.contents().matches("error[no-private]").count() == 2);
            stage.terminal.types("\u{1b}[A");
            stage.terminal.ends_with("alice> private bob two");
        },
    },
];

/// What is shown in other tests.
const ELSEWHERE: &[(&str, &str)] = &[("downloads", "private::files_go_where_the_setting_says_at_once")];

/// What says where the next start goes, and a value for it.
const FOR_THE_NEXT_START: &[(&str, &str)] = &[("server", "chat.example:7"), ("servers", r#"{"work": "alice@chat.example"}"#)];

/// Names all settings there are.
fn all_settings() -> Vec<String> {
    let listed = Client::run(&["config"]).ends().out;
    let names = listed.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// A client at its prompt, with a setting in its file and a comment.
fn stage() -> Stage {
    let server = Server::listen();
    let terminal = Setup::new(100).config("(\n    // mine\n    page: 39,\n    history: 900, // mine too\n)\n").run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    Stage { terminal, link: Some(link) }
}

fn config_of(stage: &Stage) -> String {
    fs::read_to_string(stage.terminal.home().join(".config/chinwag/config.ron")).expect("reads")
}

fn try_out(trial: &Trial) {
    let Trial { key, value, wrong, before, effect } = trial;
    let mut stage = stage();
    let as_it_was = config_of(&stage);
    if let Some(wrong) = wrong {
        stage.terminal.types(&format!("/set {key} {wrong}\r"));
        stage.terminal.shows("error[usage]: ");
        stage.terminal.ends_with("alice>");
        assert_eq!(config_of(&stage), as_it_was, "{key}");
    }
    before(&mut stage);
    stage.terminal.types(&format!("/set {} {value}\r", key.replace('_', "-")));
    stage.terminal.shows(&format!("* {key} is "));
    stage.terminal.ends_with("alice>");
    assert!(!stage.terminal.all().contains("for this visit only"), "{}", stage.terminal.all());
    effect(&mut stage);
    let kept = config_of(&stage);
    assert!(kept.contains("    // mine\n") && kept.contains(", // mine too\n") && kept.contains(&format!("    {key}: ")), "{key}:\n{kept}");
    let told = Client::run_at(stage.terminal.home(), &["config"]).ends();
    assert_eq!(told.exit, Some(0), "{key}: {told:?}");
    let now = |line: &str| line.trim_start().starts_with(&format!("{key}: "));
    let shown = stage.terminal.all();
    let shown = shown.lines().find_map(|line| line.strip_prefix(&format!("* {key} is "))).expect("is told");
    assert!(told.out.lines().any(|line| now(line) && line.contains(shown)), "{key}: {shown}\n{}", told.out);
}

#[test]
fn every_setting_is_changed_at_once_and_kept() {
    for name in all_settings() {
        let tried = TRIALS.iter().filter(|trial| trial.key == name).count();
        let excused = ELSEWHERE.iter().chain(FOR_THE_NEXT_START).filter(|(key, _)| *key == name).count();
        assert_eq!(tried + excused, 1, "`{name}` is tried in none of these lists, or in several");
    }
    TRIALS.iter().for_each(try_out);
}

#[test]
fn where_to_go_next_is_kept_for_the_next_start() {
    let stage = stage();
    for (key, value) in FOR_THE_NEXT_START {
        stage.terminal.types(&format!("/set {key} {value}\r"));
        stage.terminal.wait(key, |screen| {
            screen.contents().lines().any(|row| row.starts_with(&format!("* {key} is ")) && row.contains("next start"))
        });
        stage.terminal.ends_with("alice>");
    }
    let kept = config_of(&stage);
    assert!(kept.contains("server: \"chat.example:7\"") && kept.contains("alice@chat.example\"}") && kept.contains("// mine\n"), "{kept}");
    stage.terminal.types("/set server two words\r");
    stage.terminal.shows("error[usage]: `server` is neither one of `servers` nor an address");
}
