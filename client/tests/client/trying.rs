//! `chinwag try`: whatever happens, the server that was started ends, and says why if it did not start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::scripted::{Client, Connection, Server, message};

/// A server program of a few lines of shell, which says that it is ready at `server`, and leaves a note when its stdin is closed.
fn program(folder: &Path, server: &Server) -> PathBuf {
    let ready = json!({"listening": [server.address.to_string()], "pid": 1, "version": "0.1.0"});
    script(folder, &format!("echo '{ready}'; echo \"$*\" > {0}/called; cat; echo ended > {0}/ended", folder.display()))
}

fn script(folder: &Path, lines: &str) -> PathBuf {
    let path = folder.join("chinwagd");
    fs::write(&path, format!("#!/bin/sh\n{lines}\n")).expect("writes");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("may run");
    path
}

fn run(program: &Path) -> Client {
    Client::run(&["try", "--chinwagd", &program.display().to_string()])
}

/// The commands that the tour of these tests is about.
fn cards() -> serde_json::Value {
    let card = |name: &str| json!({"name": name, "summary": "X.", "args": []});
    json!({"type": "cards", "cards": [card("message"), card("whoelse")]})
}

/// The guide comes in.
fn guide_arrives(server: &Server) -> Connection {
    let mut guide = server.accept();
    let register = guide.line();
    assert!(register.text.starts_with("register guide "), "{}", register.text);
    guide.answer(&register, json!({"type": "welcome", "name": "guide", "registered": true, "seq": 0}));
    guide.say(cards());
    guide
}

/// The visitor comes in after that, under this name.
fn visitor_arrives(server: &Server) -> (Connection, String) {
    let mut visitor = server.accept();
    let login = visitor.line();
    let name = login.text.split(' ').nth(1).expect("a name").to_owned();
    visitor.answer(&login, crate::scripted::refusal("no-such-user", "nobody has this name"));
    let register = visitor.line();
    assert_eq!(register.text, login.text.replacen("login", "register", 1));
    visitor.answer(&register, json!({"type": "welcome", "name": name, "registered": true, "seq": 0}));
    let token = visitor.expect("/token");
    visitor.answer(&token, json!({"type": "token", "token": "tok-1", "expires": 0}));
    (visitor, name)
}

#[test]
fn the_guide_says_what_to_type_and_reacts_and_all_ends_with_the_visitor() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::listen();
    let mut client = run(&program(folder.path(), &server));
    let mut guide = guide_arrives(&server);
    let (mut visitor, name) = visitor_arrives(&server);
    guide.say(json!({"type": "presence", "name": name, "what": "logged-in", "at": 0}));
    let said = |guide: &mut Connection, part: &str| {
        let line = guide.line().text;
        assert!(line.starts_with(&format!("@{name} ")) && line.contains(part), "{line:?} has no {part:?}");
    };
    said(&mut guide, "Hello!");
    said(&mut guide, "@guide hello");
    // What is refused is asked for once more.
    client.types("@giude hello\n");
    let line = visitor.expect("@giude hello");
    visitor.answer(&line, crate::scripted::refusal("no-such-user", "there is no user `giude`"));
    said(&mut guide, "refused (there is no user `giude`)");
    said(&mut guide, "Hello!");
    said(&mut guide, "@guide hello");
    guide.say(json!({"type": "message", "seq": 5, "at": 0, "from": name, "to": {"user": "guide"}, "text": "hello\u{1b}"}));
    said(&mut guide, "I got it: “hello ”");
    assert_eq!(guide.acked, Some(5));
    said(&mut guide, "whoelse");
    client.types("whoelse\n");
    let line = visitor.expect("whoelse");
    visitor.answer(&line, json!({"type": "people", "of": "online", "names": ["guide"]}));
    said(&mut guide, "the two of us");
    // This server has no `broadcast`, so the tour goes on with mail.
    said(&mut guide, "I am leaving now");
    guide.see_off_as("/logout");
    client.types_last("@guide later\n");
    let line = visitor.expect("@guide later");
    visitor.answer(&line, json!({"type": "sent", "seq": 9, "at": 0, "to": {"user": "guide"}, "kept": true}));
    let mut guide = server.accept();
    let login = guide.line();
    assert!(login.text.starts_with("login guide "), "{}", login.text);
    guide.answer(&login, json!({"type": "welcome", "name": "guide", "seq": 9}));
    guide.say(cards());
    guide.say(json!({"type": "message", "seq": 9, "at": 0, "from": name, "to": {"user": "guide"}, "text": "later", "offline": true}));
    said(&mut guide, "Here I am again, and “later”");
    said(&mut guide, "That was all");
    visitor.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(5), "one line was refused: {ended:?}");
    assert!(folder.path().join("ended").exists(), "the server was waited for");
    let called = fs::read_to_string(folder.path().join("called")).expect("it was called");
    assert!(called.starts_with("--temporary --host 127.0.0.1 --port 0"), "{called}");
}

#[test]
fn a_killed_client_takes_its_server_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::listen();
    // A pipe that somebody can wait for the other end of.
    let note = folder.path().join("note");
    assert!(std::process::Command::new("mkfifo").arg(&note).status().expect("runs").success());
    let ready = json!({"listening": [server.address.to_string()]});
    let client = run(&script(folder.path(), &format!("echo '{ready}'; cat; echo ended > {}", note.display())));
    let _guide = guide_arrives(&server);
    let (_visitor, _) = visitor_arrives(&server);
    client.signal("KILL");
    assert_eq!(fs::read_to_string(&note).expect("a note"), "ended\n");
}

#[test]
fn a_server_that_does_not_start_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    for (lines, said) in [
        ("echo 'error: unexpected argument --temporary' >&2; exit 2", "unexpected argument --temporary"),
        ("echo 'no JSON'", "ends without a word"),
        ("echo '{\"listening\":[]}'", "ends without a word"),
    ] {
        let ended = run(&script(folder.path(), lines)).ends();
        assert_eq!(ended.exit, Some(1), "{lines}: {ended:?}");
        assert!(ended.err.contains("cannot start") && ended.err.contains(said), "{lines}: {}", ended.err);
    }
    let ended = run(Path::new("/no/such/chinwagd")).ends();
    assert_eq!(ended.exit, Some(1), "{ended:?}");
    assert!(ended.err.contains("cannot start /no/such/chinwagd"), "{}", ended.err);
}

#[test]
fn the_visitors_session_goes_on_without_the_guide() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::listen();
    let mut client = run(&program(folder.path(), &server));
    let guide = guide_arrives(&server);
    let (mut visitor, _) = visitor_arrives(&server);
    drop(guide);
    visitor.say(message(11, "bob", "hello"));
    client.types_last("whoelse\n");
    let line = visitor.expect("whoelse");
    visitor.answer(&line, json!({"type": "done"}));
    visitor.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert!(ended.out.contains("bob: hello"), "{}", ended.out);
}
