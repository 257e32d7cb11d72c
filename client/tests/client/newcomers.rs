//! Somebody who has never been here.

use serde_json::json;

use crate::scripted::{Server, refusal, welcome};
use crate::terminal::Setup;

#[test]
fn nobody_is_signed_up_who_did_not_say_yes() {
    let server = Server::listen();
    let terminal = Setup::new(80).asked().run(&server);
    let mut link = server.accept();
    terminal.ends_with("Password for alice:");
    terminal.types("secret\r");
    let login = link.expect("login alice secret");
    link.answer(&login, refusal("no-such-user", "there is no user `alice`"));
    terminal.ends_with("alice is new here. Sign up? [Y/n]");
    // What is typed at the wrong moment is no answer.
    terminal.types("whoelse\r");
    terminal.shows("please say y or n");
    terminal.ends_with("alice is new here. Sign up? [Y/n]");
    terminal.types("Yes\r");
    terminal.ends_with("The password again:");
    terminal.types("secre\r");
    terminal.shows("the two differ");
    terminal.ends_with("Choose a password:");
    terminal.types("better\r");
    terminal.ends_with("The password again:");
    terminal.types("better\r");
    let register = link.expect("register alice better");
    link.answer(&register, welcome());
    let token = link.expect("/token");
    link.answer(&token, json!({"type": "token", "token": "tok-1", "expires": 0}));
    terminal.ends_with("alice>");
    assert!(!terminal.all().contains("secre") && !terminal.all().contains("better"), "{}", terminal.all());
}
