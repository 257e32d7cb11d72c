//! Through pipes: login, sign-up, lost links, exit codes.

use crate::scripted::{Client, Server, message, refusal, welcome};
use serde_json::json;

#[test]
fn a_script_logs_in_chats_and_logs_out() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &[]);
    client.types_last("message bob hi\n\n  \nwhoelse\n");
    let mut link = server.accept();
    link.let_in();
    let hi = link.expect("message bob hi");
    assert!(hi.key.is_some() && hi.tag.is_some());
    assert!(!link.something_waits(), "the next line waits for the answer to this one");
    link.say(json!({"type": "message", "seq": 3, "at": 0, "from": "bob", "to": {"user": "alice"}, "text": "are you \u{1b}[2J there?", "offline": true}));
    link.say(message(11, "carol", "hello"));
    link.answer(&hi, json!({"type": "sent", "seq": 12, "at": 0, "to": {"user": "bob"}}));
    let who = link.expect("whoelse");
    assert_ne!(who.key, hi.key);
    link.answer_first(&who, json!({"type": "fact", "kind": "x", "text": "wait"}));
    link.answer(&who, json!({"type": "people", "of": "online", "names": ["bob", "carol"]}));
    link.see_off();
    assert_eq!(link.acked, Some(11), "what was shown is acknowledged before the logout");
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert_eq!(
        ended.out,
        "* welcome back, alice\n\
         (offline 1970-01-01 00:00:00Z) bob: are you ␛[2J there?\n\
         carol: hello\n\
         sent\n\
         wait\n\
         online: bob, carol\n\
         * goodbye\n"
    );
    assert_eq!(ended.err, "");
}

#[test]
fn a_new_name_is_signed_up_when_the_command_line_says_so() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &["--sign-up"]);
    client.types_last("");
    let mut link = server.accept();
    let login = link.expect("login alice secret");
    link.answer(&login, refusal("no-such-user", "nobody called `alice` has an account"));
    let register = link.expect("register alice secret");
    link.answer(&register, json!({"type": "welcome", "name": "alice", "registered": true, "seq": 0}));
    let token = link.expect("/token");
    link.answer(&token, refusal("unknown-command", "there is no command `token`"));
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert!(ended.out.starts_with("* welcome, alice: you are registered"), "{}", ended.out);
    assert!(!ended.out.contains("token"), "{}", ended.out);
}

#[test]
fn a_sign_up_whose_answer_is_lost_is_a_login() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &["--sign-up"]);
    client.types_last("");
    let mut link = server.accept();
    let login = link.expect("login alice secret");
    link.answer(&login, refusal("no-such-user", "nobody called `alice` has an account"));
    link.expect("register alice secret");
    drop(link);
    let mut link = server.accept();
    let register = link.expect("register alice secret");
    link.answer(&register, refusal("name-taken", "the name `alice` is taken"));
    link.let_in();
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
}

#[test]
fn an_invite_code_comes_from_the_command_line() {
    for (words, register, said) in [
        (&["--sign-up", "--invite", "sesame"][..], "register alice secret sesame", None),
        (&["--sign-up"], "register alice secret", Some("--invite CODE")),
        (&["--sign-up", "--invite", "wrong"], "register alice secret wrong", Some("needs an invite")),
    ] {
        let server = Server::listen();
        let mut client = Client::alice(&server, words);
        client.types_last("");
        let mut link = server.accept();
        let login = link.expect("login alice secret");
        link.answer(&login, refusal("no-such-user", "nobody called `alice` has an account"));
        let register = link.expect(register);
        if let Some(said) = said {
            link.answer(&register, refusal("invite", "this server needs an invite code"));
            let ended = client.ends();
            assert_eq!(ended.exit, Some(3), "{ended:?}");
            assert!(ended.err.contains(said), "{}", ended.err);
        } else {
            link.answer(&register, json!({"type": "welcome", "name": "alice", "registered": true, "seq": 0}));
            let token = link.expect("/token");
            link.answer(&token, json!({"type": "token", "token": "tok-1", "expires": 0}));
            link.see_off();
            assert_eq!(client.ends().exit, Some(0));
        }
    }
}

#[test]
fn a_login_that_is_refused_is_exit_3() {
    for (code, text, said) in [
        ("no-such-user", "nobody called `alice` has an account", "--sign-up makes one"),
        ("wrong-password", "the password is wrong", "the password is wrong"),
        ("locked-out", "three wrong passwords: wait 60s", "wait 60s"),
        ("session-exists", "`alice` is logged in already", "logged in already"),
    ] {
        let server = Server::listen();
        let client = Client::alice(&server, &[]);
        let mut link = server.accept();
        let login = link.expect("login alice secret");
        link.answer(&login, refusal(code, text));
        let ended = client.ends();
        assert_eq!(ended.exit, Some(3), "{code}: {ended:?}");
        assert!(ended.err.starts_with(&format!("chinwag: error[{code}]: ")) && ended.err.contains(said), "{code}: {}", ended.err);
        assert_eq!(ended.err.lines().count(), 1, "{code}: {}", ended.err);
    }
}

#[test]
fn after_a_lost_link_nothing_is_lost_and_nothing_comes_twice() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &[]);
    client.types_last("message bob one\nmessage bob two\n");
    let mut link = server.accept();
    link.let_in();
    link.say(message(11, "bob", "eleven"));
    let one = link.expect("message bob one");
    link.answer(&one, json!({"type": "sent", "seq": 12, "at": 0, "to": {"user": "bob"}}));
    link.say(message(13, "bob", "thirteen"));
    let two = link.expect("message bob two");
    drop(link);

    let mut link = server.accept();
    let resume = link.expect("resume tok-1 13");
    link.answer(&resume, welcome());
    // As after a crash between the two: what was seen comes again, and something new with it.
    link.say(message(13, "bob", "thirteen"));
    link.say(message(14, "bob", "fourteen"));
    let again = link.expect("message bob two");
    assert_eq!(again.key, two.key, "a resend is the same message");
    assert_ne!(again.key, one.key);
    link.answer(&again, json!({"type": "sent", "seq": 15, "at": 0, "to": {"user": "bob"}, "again": true}));
    link.see_off();
    assert_eq!(link.acked, Some(14));
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert_eq!(
        ended.out,
        "* welcome back, alice\nbob: eleven\nsent\nbob: thirteen\nbob: fourteen\nsent (it had been sent before)\n* goodbye\n"
    );
    assert!(ended.err.contains("* the link is lost") && ended.err.contains("* the link is back"), "{}", ended.err);
}

#[test]
fn a_link_lost_before_the_token_came_is_got_back_with_the_password() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &[]);
    let mut link = server.accept();
    let login = link.expect("login alice secret");
    link.answer(&login, welcome());
    link.expect("/token");
    drop(link);
    // The broken link may look like a session to the server for a moment.
    let mut link = server.accept();
    let login = link.expect("login alice secret");
    link.answer(&login, refusal("session-exists", "`alice` is logged in already"));
    drop(link);
    let mut link = server.accept();
    link.let_in();
    client.types_last("");
    link.see_off();
    assert_eq!(client.ends().exit, Some(0));
}

#[test]
fn a_session_that_is_not_taken_back_is_exit_3() {
    let server = Server::listen();
    let client = Client::alice(&server, &[]);
    let mut link = server.accept();
    link.let_in();
    drop(link);
    let mut link = server.accept();
    let resume = link.expect("resume tok-1");
    link.answer(&resume, refusal("bad-token", "the token has expired"));
    // The command that gave the password gives it again; but meanwhile it has been changed.
    let mut link = server.accept();
    let login = link.expect("login alice secret");
    link.answer(&login, refusal("wrong-password", "this is not the password of alice"));
    let ended = client.ends();
    assert_eq!(ended.exit, Some(3), "{ended:?}");
    assert!(ended.err.contains("this is not the password of alice"), "{}", ended.err);
}

#[test]
fn a_link_that_is_lost_for_good_is_exit_1() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &["--reconnect-for", "0"]);
    client.types("message bob hi\n");
    let mut link = server.accept();
    link.let_in();
    link.expect("message bob hi");
    drop(link);
    let ended = client.ends();
    assert_eq!(ended.exit, Some(1), "{ended:?}");
    assert!(ended.err.contains("the link is lost"), "{}", ended.err);
}

#[test]
fn a_server_that_ends_the_session_is_exit_1_and_not_bothered_again() {
    let server = Server::listen();
    let client = Client::alice(&server, &[]);
    let mut link = server.accept();
    link.let_in();
    link.say(json!({"type": "closing", "code": "idle", "text": "no valid command for 300s"}));
    let ended = client.ends();
    assert_eq!(ended.exit, Some(1), "{ended:?}");
    assert!(ended.out.contains("error[idle]"), "{}", ended.out);
    assert!(ended.err.contains("the server ended the session (idle)"), "{}", ended.err);
}

#[test]
fn nobody_there_is_one_clear_line_and_exit_1() {
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    for more in [&["--plain"][..], &[]] {
        let place = format!("alice@{address}");
        let words = [&[place.as_str(), "--password-command", "echo secret"], more].concat();
        let ended = Client::run(&words).ends();
        assert_eq!(ended.exit, Some(1), "{ended:?}");
        assert_eq!(ended.err, format!("chinwag: no server answers at {address} (connection refused)\n"));
        assert_eq!(ended.out, "");
    }
}

#[test]
fn what_is_called_wrongly_is_exit_2() {
    for (words, said) in [
        (&["127.0.0.1:1", "--plain"][..], "--password-fd"),
        (&["127.0.0.1:1", "-p", "2"], "--port says 2"),
        (&["alice@192.0.2.1", "--plain", "--password-command", "echo secret"], "--plain is for this machine only"),
        (&["127.0.0.1:1", "--password-command", "echo secret"], "say USER@HOST"),
        (&["host:port"], "is not a port"),
        (&["--password", "secret"], "unexpected argument"),
        (&["--ca", "/no/such/file.pem", "alice@", "--password-command", "echo secret"], "cannot read certificates"),
    ] {
        let ended = Client::run(words).ends();
        assert_eq!(ended.exit, Some(2), "{words:?}: {ended:?}");
        assert!(ended.err.contains(said), "{words:?}: {}", ended.err);
    }
    let server = Server::listen();
    for command in ["echo two words", "exit 1"] {
        let address = format!("alice@{}", server.address);
        let client = Client::run(&[&address, "--plain", "--password-command", command]);
        drop(server.accept());
        let ended = client.ends();
        assert_eq!(ended.exit, Some(2), "{command}: {ended:?}");
    }
}

#[test]
fn the_password_may_come_first_on_standard_input() {
    let server = Server::listen();
    let mut client = Client::run(&[&format!("alice@{}", server.address), "--plain", "--password-fd", "0"]);
    client.types_last("secret\nmessage bob hi\n");
    let mut link = server.accept();
    link.let_in();
    let hi = link.expect("message bob hi");
    link.answer(&hi, json!({"type": "sent", "seq": 12, "at": 0, "to": {"user": "bob"}}));
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert!(!ended.out.contains("secret") && !ended.err.contains("secret"));
}

#[test]
fn a_line_without_end_ends_the_link() {
    let server = Server::listen();
    let client = Client::alice(&server, &["--reconnect-for", "0"]);
    let mut link = server.accept();
    link.let_in();
    // The client leaves before all of it is through, and then the rest has nowhere to go.
    let pusher = std::thread::spawn(move || std::panic::catch_unwind(move || (0..64).for_each(|_| link.say_raw(&[b'x'; 1 << 16]))));
    let ended = client.ends();
    assert_eq!(ended.exit, Some(1), "{ended:?}");
    assert!(ended.err.contains("sent a line longer than 1048576 bytes"), "{}", ended.err);
    let _ = pusher.join();
}

#[test]
fn nonsense_from_the_server_does_no_harm() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &[]);
    let mut link = server.accept();
    link.let_in();
    link.say_raw(b"\x1b[2J not json\n\n[]\n{\"type\":\"message\",\"seq\":-1}\n\xff\xfe\x00\n{\"type\":\"hologram\",\"depth\":3}\n");
    link.say(json!({"type": "cards", "cards": [{"name": "", "summary": "", "args": []}]}));
    link.say(json!({"type": "roster", "names": ["", "\u{1b}[2J", "a b"]}));
    client.types_last("hello\n");
    let hello = link.expect("hello");
    link.answer(&hello, json!({"type": "done"}));
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert!(ended.err.contains("␛[2J not json") && !ended.err.contains('\u{1b}'), "{}", ended.err);
}

#[test]
fn a_server_that_has_no_room_says_so_in_the_dialect_of_people() {
    let server = Server::listen();
    let client = Client::alice(&server, &[]);
    let mut link = server.accept_silently();
    link.raw_line();
    link.say_raw(b"* disconnected: error[too-many-connections]: too many connections\n");
    drop(link);
    let ended = client.ends();
    assert_eq!(ended.exit, Some(1), "{ended:?}");
    assert!(ended.err.contains("sends you away") && ended.err.contains("too many connections"), "{}", ended.err);
}

#[test]
fn something_else_that_listens_there_is_named_as_such() {
    let server = Server::listen();
    let client = Client::run(&[&format!("alice@{}", server.address), "--password-command", "echo secret"]);
    let mut link = server.accept_silently();
    link.say_raw(b"220 mail.example.org ESMTP\r\n");
    let ended = client.ends();
    assert_eq!(ended.exit, Some(1), "{ended:?}");
    assert!(ended.err.contains("does not speak TLS"), "{}", ended.err);
}

#[test]
fn an_interrupt_is_a_logout_and_tells_that_the_input_had_not_ended() {
    for signal in ["INT", "TERM"] {
        let server = Server::listen();
        let client = Client::alice(&server, &[]);
        let mut link = server.accept();
        link.let_in();
        client.signal(signal);
        link.see_off();
        let ended = client.ends();
        assert_eq!(ended.exit, Some(130), "{signal}: {ended:?}");
    }
}

#[test]
fn a_script_learns_that_a_line_was_refused() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &[]);
    client.types_last("message bobb hi\nwhoami\n");
    let mut link = server.accept();
    link.let_in();
    let line = link.expect("message bobb hi");
    link.answer(&line, refusal("no-such-user", "there is no user `bobb`"));
    let line = link.expect("whoami");
    link.answer(&line, json!({"type": "done"}));
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(5), "{ended:?}");
    assert_eq!(ended.err, "chinwag: 1 line was refused\n");
    assert!(ended.out.contains("error[no-such-user]"), "{}", ended.out);
}

#[test]
fn a_program_gets_events() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &["--json"]);
    client.types_last("message bob hi\n");
    let mut link = server.accept();
    link.let_in();
    let line = link.expect("message bob hi");
    link.say(message(11, "bob", "\u{1b}[2J"));
    link.answer(&line, json!({"type": "sent", "seq": 12, "at": 0, "to": {"user": "bob"}}));
    link.see_off();
    assert_eq!(link.acked, Some(11));
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    let events: Vec<serde_json::Value> = ended.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(types, ["welcome", "message", "sent", "goodbye"], "{}", ended.out);
    assert!(!ended.out.contains("tag") && !ended.out.contains("tok-1"), "{}", ended.out);
}

#[test]
fn a_line_may_ask_for_the_goodbye_itself() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &[]);
    client.types("quit\n");
    let mut link = server.accept();
    link.let_in();
    let quit = link.expect("quit");
    link.answer(&quit, json!({"type": "goodbye"}));
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert!(ended.out.ends_with("* goodbye\n"), "{}", ended.out);
}

#[test]
fn a_line_that_the_server_cannot_read_is_answered_too() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &[]);
    client.types_last("message bob far too long\nwhoami\n");
    let mut link = server.accept();
    link.let_in();
    link.expect("message bob far too long");
    // The tag is in the part that was skipped.
    link.say(refusal("line-too-long", "the line is longer than 20 bytes"));
    let next = link.expect("whoami");
    link.answer(&next, json!({"type": "done"}));
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(5), "{ended:?}");
    assert!(ended.out.contains("error[line-too-long]"), "{}", ended.out);
}

#[test]
fn nobody_talks_the_server_out_of_its_dialect() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &[]);
    client.types_last("/Dialect text\nwhoami\n");
    let mut link = server.accept();
    link.let_in();
    let next = link.expect("whoami");
    link.answer(&next, json!({"type": "done"}));
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert!(ended.err.contains("* not sent"), "{}", ended.err);
}

#[test]
fn a_changed_password_may_end_the_token_so_a_new_one_is_asked_for() {
    let server = Server::listen();
    let mut client = Client::alice(&server, &[]);
    let mut link = server.accept();
    link.let_in();
    let secret = |name: &str| json!({"name": name, "help": "x", "kind": {"label": "a secret", "secret": true}});
    let card = json!({"name": "passwd", "summary": "Changes.", "args": [secret("old"), secret("new")]});
    link.say(json!({"type": "cards", "cards": [card]}));
    // Answered after the cards: when the next line comes, they are known.
    client.types("whoami\n");
    let known = link.expect("whoami");
    link.answer(&known, json!({"type": "done"}));
    client.types("passwd secret other\n");
    let changed = link.expect("passwd secret other");
    link.answer(&changed, json!({"type": "done"}));
    let token = link.expect("/token");
    link.answer(&token, json!({"type": "token", "token": "tok-2", "expires": 0}));
    drop(link);
    let mut link = server.accept();
    let resume = link.expect("resume tok-2");
    link.answer(&resume, welcome());
    client.types_last("");
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert!(!ended.out.contains("tok-"), "{}", ended.out);
}
