//! At a terminal, a session whose token is refused goes on after a login.

use serde_json::json;

use crate::scripted::{Client, Connection, Server, message, refusal, welcome};
use crate::terminal::Setup;

/// The server's side of a token that has expired while the link was down.
fn refuses_the_token(server: &Server) {
    let mut link = server.accept();
    let resume = link.expect("resume tok-1 11");
    link.answer(&resume, refusal("bad-token", "this token has expired"));
}

/// And of the login after that.
fn lets_in_again(mut link: Connection) -> Connection {
    let login = link.expect("login alice secret");
    link.answer(&login, welcome());
    // Kept mail, as far as the server knows: one of them was seen before.
    link.say(message(11, "bob", "seen before"));
    link.say(message(12, "bob", "and this is new"));
    let token = link.expect("/token");
    link.answer(&token, json!({"type": "token", "token": "tok-2", "expires": 0}));
    link
}

#[test]
fn the_password_is_asked_for_and_the_chat_goes_on_where_it_was() {
    let server = Server::listen();
    let mut terminal = Setup::new(100).asked().run(&server);
    let mut link = server.accept();
    terminal.ends_with("Password for alice:");
    terminal.types("secret\r");
    link.let_in();
    terminal.ends_with("alice>");
    link.say(message(11, "bob", "seen before"));
    terminal.shows("seen before");
    terminal.types("message bob hi\r");
    let first = link.expect("message bob hi");
    drop(link);
    refuses_the_token(&server);
    terminal.shows("this token has expired");
    let link = server.accept();
    terminal.ends_with("Password for alice:");
    terminal.types("secret\r");
    let mut link = lets_in_again(link);
    let again = link.expect("message bob hi");
    assert_eq!(again.key, first.key, "what waited is said once");
    link.answer(&again, json!({"type": "sent", "seq": 13, "at": 0, "to": {"user": "bob"}}));
    terminal.shows("and this is new");
    terminal.ends_with("alice>");
    terminal.types("whoami\r");
    let line = link.expect("whoami");
    assert_ne!(line.key, first.key);
    link.answer(&line, json!({"type": "fact", "kind": "x", "text": "you are you"}));
    terminal.shows("you are you");
    terminal.ends_with("alice>");
    terminal.types("\u{4}");
    link.see_off();
    assert_eq!(terminal.ends(), Some(0));
    assert_eq!(terminal.all().matches("seen before").count(), 1, "{}", terminal.all());
    let history = terminal.home().join(format!(".local/state/chinwag/history/{}", server.address));
    let kept = std::fs::read_to_string(history).expect("a history");
    assert!(kept.contains("message bob hi") && !kept.contains("secret"), "{kept}");
}

#[test]
fn a_command_that_gives_the_password_gives_it_again() {
    let server = Server::listen();
    let mut terminal = Setup::new(100).run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    link.say(message(11, "bob", "seen before"));
    terminal.shows("seen before");
    drop(link);
    refuses_the_token(&server);
    let mut link = lets_in_again(server.accept());
    terminal.shows("and this is new");
    terminal.ends_with("alice>");
    terminal.types("\u{4}");
    link.see_off();
    assert_eq!(terminal.ends(), Some(0));
}

/// Sits before a terminal that can only print, or runs from a script: the command is asked again, and nobody else.
#[test]
fn without_a_prompt_the_command_gives_the_password_again() {
    let server = Server::listen();
    let terminal = Setup::new(100).env("TERM", "dumb").run(&server);
    let mut link = server.accept();
    link.let_in();
    terminal.shows("* welcome back, alice");
    link.say(message(11, "bob", "seen before"));
    terminal.shows("seen before");
    drop(link);
    refuses_the_token(&server);
    let mut link = lets_in_again(server.accept());
    terminal.shows("logging in again");
    terminal.shows("and this is new");
    terminal.types("whoami\n");
    link.expect("whoami");
    assert_eq!(terminal.all().matches("seen before").count(), 1, "{}", terminal.all());

    let server = Server::listen();
    let mut client = Client::alice(&server, &[]);
    client.types("message bob hi\n");
    let mut link = server.accept();
    link.let_in();
    link.say(message(11, "bob", "seen before"));
    let first = link.expect("message bob hi");
    while !client.prints_line().contains("seen before") {}
    drop(link);
    refuses_the_token(&server);
    let mut link = lets_in_again(server.accept());
    let again = link.expect("message bob hi");
    assert_eq!(again.key, first.key);
    link.answer(&again, json!({"type": "sent", "seq": 13, "at": 0, "to": {"user": "bob"}}));
    client.types_last("");
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert!(!ended.out.contains("seen before") && ended.out.contains("and this is new"), "{}", ended.out);
}

#[test]
fn whoever_cannot_be_asked_again_is_told_what_to_do() {
    let server = Server::listen();
    let mut terminal = Setup::new(100).env("TERM", "dumb").asked().run(&server);
    let mut link = server.accept();
    terminal.shows("Password for alice:");
    terminal.types("secret\n");
    link.let_in();
    terminal.shows("* welcome back, alice");
    link.say(message(11, "bob", "seen before"));
    terminal.shows("seen before");
    terminal.types("message bob hi\n");
    link.expect("message bob hi");
    drop(link);
    refuses_the_token(&server);
    assert_eq!(terminal.ends(), Some(3));
    let all = terminal.all().replace('\n', " ");
    for told in ["this token has expired; log in again", "--password-command", "1 line was not answered; it may not have arrived"] {
        assert!(all.contains(told), "{told} is not in:\n{all}");
    }
}

#[test]
fn a_password_typed_before_it_is_asked_for_is_not_shown() {
    for term in ["xterm-256color", "dumb"] {
        let server = Server::listen();
        let mut terminal = Setup::new(80).env("TERM", term).asked().run(&server);
        // The client is on its way in, and stays there until the greeting has come: nobody asks for a password yet.
        let link = server.accept_silently();
        terminal.types("secret\r");
        let mut link = link.greeted();
        terminal.shows("Password for alice:");
        link.let_in();
        terminal.shows("* welcome back, alice");
        if term != "dumb" {
            // A Ctrl-D from before the editor has the terminal is an end of input to the system, and nothing to the editor.
            terminal.ends_with("alice>");
        }
        terminal.types("\u{4}");
        link.see_off();
        assert_eq!(terminal.ends(), Some(0));
        assert!(!terminal.all().contains("secret"), "{term}:\n{}", terminal.all());
    }
}

#[test]
fn what_waits_for_a_login_goes_out_no_faster_than_the_server_can_remember() {
    const WAITING: u64 = 100;
    /// As many as are without an answer at a time.
    const AT_ONCE: u64 = 32;
    let server = Server::listen();
    let terminal = Setup::new(100).asked().run(&server);
    let mut link = server.accept();
    terminal.ends_with("Password for alice:");
    terminal.types("secret\r");
    link.let_in();
    terminal.ends_with("alice>");
    link.say(message(11, "bob", "seen before"));
    terminal.shows("seen before");
    drop(link);
    terminal.ends_with("alice!");
    let link = server.accept_silently();
    for number in 1..=WAITING {
        terminal.types(&format!("@bob {number}\r"));
    }
    terminal.shows(&format!("@bob {WAITING}"));
    let mut link = link.greeted();
    let resume = link.expect("resume tok-1 11");
    link.answer(&resume, refusal("bad-token", "this token has expired"));
    let link = server.accept();
    terminal.ends_with("Password for alice:");
    terminal.types("secret\r");
    let mut link = lets_in_again(link);
    let first: Vec<_> = (1..=AT_ONCE).map(|number| link.expect(&format!("@bob {number}"))).collect();
    // Whatever else was sent is there by the time the client has shown something that was said after it.
    link.say(message(12_000, "bob", "a word between"));
    terminal.shows("a word between");
    assert!(!link.something_waits(), "more than {AT_ONCE} lines are without an answer");
    for (number, line) in (1..).zip(&first) {
        link.answer(line, json!({"type": "sent", "seq": 12_000 + number, "at": 0, "to": {"user": "bob"}}));
    }
    for number in AT_ONCE + 1..=WAITING {
        let line = link.expect(&format!("@bob {number}"));
        link.answer(&line, json!({"type": "sent", "seq": 12_000 + number, "at": 0, "to": {"user": "bob"}}));
    }
    terminal.ends_with("alice>");
}
