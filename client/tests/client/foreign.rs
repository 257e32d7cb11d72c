//! Servers that speak S4, of several authors: what they are told, and what comes of what they say.

use serde_json::{Value, json};

use crate::scripted::{Client, Connection, Server};
use crate::terminal::{Setup, last_row};

/// Runs as alice, who has no password, against `server`.
fn alice(server: &Server, more: &[&str]) -> Client {
    let address = format!("alice@{}", server.address);
    Client::run(&[&[address.as_str(), "--plain", "--wire", "s4"], more].concat())
}

/// Lets alice in.
fn let_in(server: &Server, answer: &Value) -> Connection {
    let mut link = server.accept_silently();
    assert_eq!(link.frame(), json!({"USERNAME": "alice"}));
    link.say_frame(answer);
    link
}

fn accepted() -> Value {
    json!({"USERNAME_ACCEPTED": true, "INFO": "Welcome!", "USER_LIST": ["alice", "bob"], "MESSAGES": []})
}

/// What one message says, without the time: it is the client's clock.
fn said(frame: &Value) -> [&str; 3] {
    let [entry] = &frame["MESSAGES"].as_array().expect("messages")[..] else { panic!("one message: {frame}") };
    assert!(entry[2].as_i64().is_some_and(|seconds| seconds > 1_700_000_000), "{frame}");
    [0, 1, 3].map(|part| entry[part].as_str().expect("a text"))
}

#[test]
fn a_script_on_a_server_that_says_little() {
    let server = Server::listen();
    let mut client = alice(&server, &[]);
    client.types_last("@bob žofie\n@all tea\nwhoami\n");
    let mut link = let_in(
        &server,
        &json!({"USERNAME_ACCEPTED": true, "INFO": "Welcome!", "USER_LIST": ["alice", "bob"], "MESSAGES": [["bob", "alice", 60, "old"]]}),
    );
    assert_eq!(said(&link.frame()), ["alice", "bob", "žofie"]);
    assert_eq!(said(&link.frame()), ["alice", "ALL", "tea"]);
    assert_eq!(said(&link.frame()), ["alice", "alice", "/Name"]);
    link.say_frame(
        &json!({"MESSAGES": [["alice", "ALL", 61, "tea"], ["bob", "alice", 62, "hi"], ["alice", "alice", 63, "you are alice"]]}),
    );
    link.closes_with_the_client();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert_eq!(
        ended.out,
        "* welcome, alice: you are a guest; `help` lists what you can do\n\
         * Welcome!\n\
         (offline 1970-01-01 00:01:00Z) bob: old\n\
         sent\n\
         sent\n\
         bob: hi\n\
         you are alice\n\
         * goodbye\n"
    );
    assert_eq!(ended.err, "");
}

#[test]
fn a_server_of_another_mind_gives_the_same_events() {
    let server = Server::listen();
    let mut client = alice(&server, &["--json"]);
    let accepted =
        json!({"INFO": "hi", "x": {}, "USERNAME_ACCEPTED": "true", "USER_LIST": {"bob": {"status": "online"}, "carol": "offline"}});
    let mut link = let_in(&server, &accepted);
    let mut event = |kind: &str| loop {
        let event: Value = serde_json::from_str(&client.prints_line()).expect("an event");
        if event["type"] == kind {
            return event;
        }
    };
    assert_eq!(event("welcome")["name"], "alice");
    assert_eq!(event("roster")["names"], json!(["bob"]));
    link.say_frame(&json!({"INFO": "dave has joined the chat"}));
    link.say_frame(&json!({"INFO": "User bob left."}));
    link.say_frame(&json!({"MESSAGES": [["dave", "ALL", "1700000000", "one"], ["dave", "alice", "2023-11-14 22:13:21", "two"]]}));
    link.say_frame(&json!("something is wrong"));
    let (dave, bob) = (event("presence"), event("presence"));
    assert_eq!(
        (&dave["name"], &dave["what"], &bob["name"], &bob["what"]),
        (&json!("dave"), &json!("logged-in"), &json!("bob"), &json!("logged-out"))
    );
    let (one, two) = (event("message"), event("message"));
    assert_eq!(
        (&one["to"], &one["at"], &two["to"], &two["at"]),
        (&json!("everyone"), &json!(1_700_000_000_000_u64), &json!({"user": "alice"}), &json!(1_700_000_001_000_u64))
    );
    assert_eq!(event("refusal")["text"], "something is wrong");
}

#[test]
fn what_the_server_has_against_a_message_makes_the_errand_fail() {
    for (objection, exit) in
        [(None, 0), (Some(json!("no such user")), 5), (Some(json!({"ERROR": "no-such-user: there is no user `bob`"})), 5)]
    {
        let server = Server::listen();
        let client = alice(&server, &["send", "bob", "are you there?"]);
        let mut link = let_in(&server, &accepted());
        assert_eq!(said(&link.frame()), ["alice", "bob", "are you there?"]);
        if let Some(objection) = &objection {
            link.say_frame(objection);
        }
        link.closes_with_the_client();
        let ended = client.ends();
        assert_eq!(ended.exit, Some(exit), "{objection:?}: {ended:?}");
        assert_eq!(ended.err.contains("no such user") || ended.err.contains("error[no-such-user]"), objection.is_some(), "{ended:?}");
    }
}

#[test]
fn what_is_said_is_printed_until_it_is_enough() {
    let server = Server::listen();
    let client = alice(&server, &["tail", "--count", "2"]);
    let mut link = let_in(&server, &accepted());
    link.say_frame(&json!({"USERS_JOINED": ["carol"], "MESSAGES": [["carol", "ALL", 1, "one"], ["bob", "alice", 2, "two"]]}));
    link.closes_with_the_client();
    let ended = client.ends();
    assert_eq!((ended.exit, ended.out.as_str()), (Some(0), "carol to all: one\nbob: two\n"), "{ended:?}");
}

#[test]
fn a_name_that_is_refused_is_refused() {
    let server = Server::listen();
    let client = alice(&server, &[]);
    let _link = let_in(&server, &json!({"USERNAME_ACCEPTED": "false", "INFO": "alice is here already"}));
    let ended = client.ends();
    assert_eq!(ended.exit, Some(3), "{ended:?}");
    assert!(ended.err.contains("alice is here already"), "{ended:?}");
}

#[test]
fn a_server_that_speaks_something_else_is_found_out() {
    let server = Server::listen();
    let client = alice(&server, &["--reconnect-for", "0"]);
    // A link that breaks before the login is tried once more.
    for _ in 0..2 {
        server.accept_silently().say_raw(b"220 mail.example ESMTP\r\n");
    }
    let ended = client.ends();
    assert_eq!(ended.exit, Some(1), "{ended:?}");
    assert!(ended.err.contains("is it a server of S4?"), "{ended:?}");
}

#[test]
fn a_password_is_for_our_own_pair() {
    let server = Server::listen();
    let mut client = alice(&server, &["--password-command", "echo secret"]);
    client.types_last("@bob hi\n@nobody hi\n");
    let mut link = server.accept_silently();
    assert_eq!(link.frame(), json!({"USERNAME": "alice", "PASSWORD": "secret", "ACCEPT": ["deflate", "receipts", "private"]}));
    link.say_frame(&json!({"USERNAME_ACCEPTED": true, "INFO": "", "USER_LIST": [], "MESSAGES": [], "SEQ": [], "ACCEPTED": ["receipts"]}));
    assert_eq!(said(&link.frame()), ["alice", "bob", "hi"]);
    assert!(!link.something_waits(), "the next line waits for the answer to this one");
    link.say_frame(&json!({"RECEIPT": {"SEQ": 7, "TIMESTAMP": 1, "KEPT": true, "MISSED": false}}));
    assert_eq!(said(&link.frame()), ["alice", "nobody", "hi"]);
    link.say_frame(&json!({"RECEIPT": null, "ERROR": "no-such-user: there is no user `nobody`"}));
    link.closes_with_the_client();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(5), "{ended:?}");
    assert!(ended.out.contains("* welcome back, alice\nsent; they are away") && ended.out.contains("error[no-such-user]"), "{}", ended.out);
}

#[test]
fn what_is_for_one_reader_only_goes_to_no_server_that_knows_nothing_of_it() {
    let server = Server::listen();
    let terminal = Setup::new(200).asked().word("--wire").word("s4").run(&server);
    let mut link = let_in(&server, &accepted());
    terminal.shows("* Welcome!");
    terminal.ends_with("alice>");
    for (nth, typed) in ["startprivate bob", "/private bob a-secret", "sendfile bob ~/a.txt", "/privates"].iter().enumerate() {
        terminal.types(&format!("{typed}\r"));
        terminal.wait("it is refused", |screen| {
            screen.contents().matches("error[private-off]: there are no private chats on this server, so nothing was sent").count()
                == nth + 1
        });
    }
    terminal.types("@bob hi\r");
    assert_eq!(said(&link.frame()), ["alice", "bob", "hi"], "nothing before it");
    // Nor is it kept among the lines typed before.
    terminal.types("\u{1b}[A\u{1b}[A");
    terminal.wait("the line before", |screen| last_row(screen).starts_with("alice> /privates"));
    terminal.types("\u{1b}[A\u{1b}[A");
    terminal.wait("not the secret", |screen| last_row(screen).starts_with("alice> startprivate bob"));
}

#[test]
fn somebody_at_a_terminal_has_all_they_are_used_to() {
    let server = Server::listen();
    let terminal = Setup::new(80).asked().word("--wire").word("s4").run(&server);
    let mut link = let_in(&server, &json!({"USERNAME_ACCEPTED": false, "INFO": "somebody has it"}));
    terminal.shows("somebody has it");
    terminal.ends_with("Name: ");
    terminal.types("alice2\r");
    assert_eq!(link.frame(), json!({"USERNAME": "alice2"}));
    link.say_frame(
        &json!({"USERNAME_ACCEPTED": true, "INFO": "Welcome!", "USER_LIST": [{"NAME": "bobby"}, {"NAME": "alice2"}], "MESSAGES": []}),
    );
    terminal.shows("* Welcome!");
    terminal.ends_with("alice2>");
    // Names and commands complete.
    terminal.types("/unbl\t");
    terminal.shows("alice2> /unblock <user>");
    terminal.types("bo\t\r");
    assert_eq!(said(&link.frame()), ["alice2", "alice2", "/UnBlock bobby"]);
    link.say_frame(&json!({"MESSAGES": [["alice2", "alice2", 1, "bobby is not blocked any more"]]}));
    terminal.shows("bobby is not blocked any more");
    // It goes, and comes back; what is said meanwhile is sent then, and what was there before is not shown again.
    link.say_frame(&json!({"MESSAGES": [["bobby", "ALL", 1_700_000_000, "before"]]}));
    terminal.shows("before");
    drop(link);
    terminal.ends_with("alice2!");
    terminal.types("@bobby still there?\r");
    let mut link = server.accept_silently();
    assert_eq!(link.frame(), json!({"USERNAME": "alice2"}));
    link.say_frame(&json!({"USERNAME_ACCEPTED": false, "INFO": "alice2 is here already"}));
    let mut link = server.accept_silently();
    assert_eq!(link.frame(), json!({"USERNAME": "alice2"}));
    let history = json!([["bobby", "ALL", 1_700_000_000, "before"], ["bobby", "ALL", 1_700_000_009, "meanwhile"]]);
    link.say_frame(&json!({"USERNAME_ACCEPTED": true, "INFO": "Welcome!", "USER_LIST": ["bobby"], "MESSAGES": history}));
    terminal.shows("the link is back");
    terminal.shows("meanwhile");
    assert_eq!(said(&link.frame()), ["alice2", "bobby", "still there?"]);
    terminal.shows("sent");
    for once in ["before", "* Welcome!"] {
        assert_eq!(terminal.all().matches(once).count(), 1, "{once}: {}", terminal.all());
    }
}
