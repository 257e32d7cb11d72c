//! `chinwag send` and `chinwag tail`: what scripts call, and the exit codes they rely on.

use crate::scripted::{Client, Connection, Line, Server, message, refusal};
use serde_json::json;

fn sent(link: &mut Connection, line: &Line) {
    link.answer(line, json!({"type": "sent", "seq": 12, "at": 0, "to": {"user": "bob"}}));
}

#[test]
fn send_says_it_and_ends_when_it_is_acknowledged() {
    let server = Server::listen();
    let client = Client::alice(&server, &["send", "bob", "hi", "--json", "-1"]);
    let mut link = server.accept();
    link.let_in();
    // Kept mail: neither shown nor taken for read.
    link.say(message(11, "carol", "are you there?"));
    let line = link.expect("@bob hi --json -1");
    assert!(line.key.is_some());
    sent(&mut link, &line);
    link.see_off();
    assert_eq!(link.acked, None);
    let ended = client.ends();
    assert_eq!((ended.exit, ended.out.as_str(), ended.err.as_str()), (Some(0), "", ""));
}

#[test]
fn send_tells_the_code_of_a_refusal() {
    let server = Server::listen();
    let client = Client::alice(&server, &["send", "bobb", "hi"]);
    let mut link = server.accept();
    link.let_in();
    let line = link.expect("@bobb hi");
    link.answer(
        &line,
        json!({"type": "refusal", "code": "no-such-user", "text": "there is no user `bobb`", "hint": "did you mean `bob`?"}),
    );
    link.see_off();
    let ended = client.ends();
    assert_eq!((ended.exit, ended.out.as_str()), (Some(5), ""), "{ended:?}");
    assert_eq!(ended.err, "chinwag: error[no-such-user]: there is no user `bobb`; did you mean `bob`?\n");
}

#[test]
fn send_takes_lines_until_one_is_refused() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &["send", "--key", "job-7", "@bob"]);
    client.types_last("one\n\n  two\nthree\n");
    let mut link = server.accept();
    link.let_in();
    let one = link.expect("@bob one");
    assert_eq!(one.key.as_deref(), Some("job-7-1"));
    sent(&mut link, &one);
    let two = link.expect("@bob   two");
    assert_eq!(two.key.as_deref(), Some("job-7-3"), "the number is the line's");
    link.answer(&two, refusal("blocked", "bob does not take messages from you"));
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(5), "{ended:?}");
    assert!(ended.err.contains("error[blocked]") && ended.err.contains("this was line 3; 1 before it"), "{}", ended.err);
}

#[test]
fn send_takes_the_whole_input() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &["send", "--whole", "--key", "k", "all"]);
    client.types_last("one\n\n  two\n\n");
    let mut link = server.accept();
    link.let_in();
    let whole = link.expect("@all one\n\n  two");
    assert_eq!(whole.key.as_deref(), Some("k"));
    sent(&mut link, &whole);
    link.see_off();
    assert_eq!(client.ends().exit, Some(0));
}

#[test]
fn send_stops_at_what_is_no_text() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &["send", "bob"]);
    client.types_last("one\n");
    let mut link = server.accept();
    link.let_in();
    let one = link.expect("@bob one");
    sent(&mut link, &one);
    link.see_off();
    assert_eq!(client.ends().exit, Some(0));

    for (words, said) in [(&["send", "bob"][..], "error[not-utf8]"), (&["send", "--whole", "bob"], "not UTF-8")] {
        let server = Server::listen();
        let mut client = Client::alice(&server, words);
        client.types_bytes_last(b"\xff\xfe\n");
        let mut link = server.accept();
        let login = link.expect("login alice secret");
        link.answer(&login, crate::scripted::welcome());
        if words.len() == 2 {
            link.expect("/token");
            link.see_off();
        }
        let ended = client.ends();
        assert!(matches!(ended.exit, Some(5 | 2)) && ended.err.contains(said), "{words:?}: {ended:?}");
    }
}

#[test]
fn send_after_a_lost_link_says_it_once() {
    let server = Server::listen();
    let client = Client::alice(&server, &["send", "bob", "hi"]);
    let mut link = server.accept();
    link.let_in();
    let first = link.expect("@bob hi");
    drop(link);
    let mut link = server.accept();
    let resume = link.expect("resume tok-1");
    link.answer(&resume, crate::scripted::welcome());
    let again = link.expect("@bob hi");
    assert_eq!(again.key, first.key);
    link.answer(&again, json!({"type": "sent", "seq": 12, "at": 0, "to": {"user": "bob"}, "again": true}));
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
}

#[test]
fn send_without_an_acknowledgement_fails() {
    let server = Server::listen();
    let client = Client::alice(&server, &["send", "--reconnect-for", "0", "bob", "hi"]);
    let mut link = server.accept();
    link.let_in();
    link.expect("@bob hi");
    drop(link);
    assert_eq!(client.ends().exit, Some(1));

    let server = Server::listen();
    let mut client = Client::alice(&server, &["send", "bob"]);
    client.types("one\n");
    let mut link = server.accept();
    link.let_in();
    let one = link.expect("@bob one");
    sent(&mut link, &one);
    client.signal("INT");
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(130), "{ended:?}");
    assert!(ended.err.contains("interrupted before all was sent"), "{}", ended.err);
}

#[test]
fn send_gives_programs_the_answers() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &["--json", "send", "bob"]);
    client.types_last("one\ntwo\n");
    let mut link = server.accept();
    link.let_in();
    let one = link.expect("@bob one");
    link.say(message(11, "carol", "not an answer"));
    sent(&mut link, &one);
    let two = link.expect("@bob two");
    link.answer(&two, refusal("busy", "the server has too much to do"));
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(5), "{ended:?}");
    let kinds: Vec<String> =
        ended.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["type"].to_string()).collect();
    assert_eq!(kinds, [r#""sent""#, r#""refusal""#]);
}

#[test]
fn tail_prints_what_is_said_and_acknowledges_it() {
    let server = Server::listen();
    let client = Client::alice(&server, &["tail", "--count", "2"]);
    let mut link = server.accept();
    link.let_in();
    link.say(json!({"type": "message", "seq": 3, "at": 0, "from": "bob", "to": {"user": "alice"}, "text": "\u{1b}[2J", "offline": true}));
    link.say(json!({"type": "presence", "name": "carol", "what": "logged-in", "at": 0}));
    link.say(message(11, "carol", "hello"));
    link.say(message(12, "carol", "too many"));
    link.see_off();
    assert_eq!(link.acked, Some(11), "what was not printed is not read");
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert_eq!(ended.out, "(offline 1970-01-01 00:00:00Z) bob: ␛[2J\ncarol: hello\n");
}

#[test]
fn tail_ends_when_interrupted_and_may_leave_everything_unread() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &["tail", "--json", "--peek"]);
    let mut link = server.accept();
    link.let_in();
    link.say(message(11, "carol", "hello"));
    while !client.prints_line().contains("hello") {}
    client.signal("TERM");
    link.see_off();
    assert_eq!(link.acked, None);
    assert_eq!(client.ends().exit, Some(0), "to be interrupted is how it ends");

    let server = Server::listen();
    let client = Client::alice(&server, &["tail", "--count", "1"]);
    let mut link = server.accept();
    link.let_in();
    client.signal("INT");
    link.see_off();
    assert_eq!(client.ends().exit, Some(130), "one message was wanted");
}

#[test]
fn tail_into_a_closed_pipe_ends() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &["tail"]);
    let mut link = server.accept();
    link.let_in();
    client.closes_output();
    // The client learns of it when it prints, and leaves.
    assert!((11..).any(|seq| !link.could_say(&message(seq, "carol", "hello"))));
    let ended = client.ends();
    assert_eq!(ended.exit, Some(6), "{ended:?}");
    assert!(ended.err.contains("nobody takes the output"), "{}", ended.err);
}

#[test]
fn errands_called_wrongly_are_exit_2() {
    let server = Server::listen();
    for (words, said) in [
        (&["send"][..], "TO"),
        (&["send", "two words", "hi"], "cannot be a name"),
        (&["send", "--whole", "bob", "hi"], "cannot be used with"),
        (&["send", "--key", "", "bob", "hi"], "--key"),
        (&["tail", "--count", "0"], "--count"),
        (&["trust"], "trust"),
        (&["generate", "completions", "tcsh-9"], "tcsh-9"),
    ] {
        let ended = Client::alice(&server, words).ends();
        assert_eq!(ended.exit, Some(2), "{words:?}: {ended:?}");
        assert!(ended.err.contains(said), "{words:?}: {}", ended.err);
    }
}

#[test]
fn send_speaks_in_rooms_and_comes_in_where_it_is_not() {
    let server = Server::listen();
    let client = Client::alice(&server, &["send", "#den", "the build is done"]);
    let mut link = server.accept();
    link.let_in();
    let line = link.expect("@#den the build is done");
    link.answer(&line, refusal("no-room", "you are not in `den`"));
    let join = link.expect("/join #den");
    link.answer(&join, json!({"type": "entered", "room": "den", "nick": "alice", "others": []}));
    let line = link.expect("@#den the build is done");
    sent(&mut link, &line);
    link.see_off();
    let ended = client.ends();
    assert_eq!((ended.exit, ended.out.as_str(), ended.err.as_str()), (Some(0), "", ""));

    let server = Server::listen();
    let mut client = Client::alice(&server, &["send", "den"]);
    client.types_last("one\ntwo\n");
    let mut link = server.accept();
    link.let_in();
    let one = link.expect("@den one");
    sent(&mut link, &one);
    let two = link.expect("@den two");
    link.answer(&two, refusal("no-room", "you are not in `den`"));
    let join = link.expect("/join den");
    link.answer(&join, refusal("banned", "you are banned from `den`"));
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(5), "{ended:?}");
    assert!(ended.err.contains("error[banned]") && ended.err.contains("this was line 2; 1 before it"), "{}", ended.err);
}

#[test]
fn tail_of_a_room_or_a_user_prints_that_and_leaves_all_unread() {
    let to_room =
        |seq, room: &str, text: &str| json!({"type": "message", "seq": seq, "at": 0, "from": "carol", "to": {"room": room}, "text": text});
    for (of, printed) in [("#Den", "[den] carol: in the den\n"), ("bob", "bob: from bob\n")] {
        let server = Server::listen();
        let client = Client::alice(&server, &["tail", "--count", "1", of]);
        let mut link = server.accept();
        link.let_in();
        link.say(message(11, "carol", "den and bob"));
        link.say(to_room(12, "attic", "in the attic"));
        link.say(to_room(13, "den", "in the den"));
        link.say(message(14, "bob", "from bob"));
        link.see_off();
        assert_eq!(link.acked, None);
        let ended = client.ends();
        assert_eq!((ended.exit, ended.out.as_str()), (Some(0), printed), "{ended:?}");
    }
}
