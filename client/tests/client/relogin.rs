//! At a terminal, a session whose token is refused goes on after a login.

use serde_json::json;

use crate::scripted::{Connection, Server, message, refusal, welcome};
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
