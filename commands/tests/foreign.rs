//! A live server that speaks S4, and the client's side of S4 against it: what one says the other understands.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chinwag_core::wire::dialect::s4::client::Visitor;
use chinwag_core::wire::dialect::{Marks, text};
use chinwag_core::wire::{Line, Millis};
use serde_json::Value;

/// How long anything may take before the test fails.
const LIMIT: Duration = Duration::from_secs(30);

/// A server, ended when this is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// Somebody who speaks S4 as the client does.
struct Somebody {
    stream: TcpStream,
    visitor: Visitor,
    /// What has come and has not been taken.
    unread: Vec<u8>,
}

impl Somebody {
    fn comes_to(address: &str) -> Somebody {
        let stream = TcpStream::connect(address).expect("it accepts");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        Somebody { stream, visitor: Visitor::default(), unread: Vec::new() }
    }

    /// Says a line and hears up to its last answer, which is given; what came before it was about others.
    fn says(&mut self, line: &str) -> String {
        let line = Line { text: line.into(), marks: Marks { tag: Some("1".into()), key: None } };
        for frame in self.visitor.say(&line, Millis(0)) {
            self.stream.write_all(&frame).expect("takes it");
        }
        loop {
            let (shown, is_last) = self.hears_next();
            if is_last {
                return shown;
            }
        }
    }

    /// Hears until something of this text is said.
    fn hears(&mut self, text: &str) {
        while self.hears_next().0 != text {}
    }

    /// What is heard next, as people read it; and whether it is the last answer to a line.
    fn hears_next(&mut self) -> (String, bool) {
        loop {
            if let Some(line) = self.visitor.next_line() {
                return (text::shown(&line.event), line.done);
            }
            let mut chunk = [0; 4096];
            if self.unread.is_empty() {
                let count = self.stream.read(&mut chunk).expect("something comes in time");
                assert!(count > 0, "the server has ended the connection");
                self.unread.extend_from_slice(&chunk[..count]);
            }
            let taken = self.visitor.hear(&self.unread, Millis(0)).expect("frames");
            self.unread.drain(..taken);
        }
    }
}

#[test]
fn the_clients_side_of_s4_and_the_servers_understand_each_other() {
    let temp = tempfile::tempdir().expect("there is room for a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    command.args(["--temporary", "--host", "127.0.0.1", "--port", "0", "--listen", r#"[(wire: "s4", port: 0, plain: true)]"#]);
    command.env("TMPDIR", temp.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Server(command.spawn().expect("the server starts"));
    let mut ready = String::new();
    BufReader::new(server.0.stdout.as_mut().expect("its stdout is ours")).read_line(&mut ready).expect("it says that it is ready");
    let ready: Value = serde_json::from_str(&ready).expect("in JSON");
    let address = |at: &Value| at.as_str().expect("an address").to_owned();
    let (lines, s4) = (address(&ready["listening"][0]), address(&ready["wires"][0]["address"]));

    let mut account = TcpStream::connect(lines).expect("it accepts");
    account.write_all(b"register alice secret\nlogout\n").expect("takes it");
    let mut said = String::new();
    account.read_to_string(&mut said).expect("it ends in order");
    assert!(said.contains("welcome, alice"), "{said}");

    // A guest says what the protocol has, and no more.
    let mut guest = Somebody::comes_to(&s4);
    assert_eq!(guest.says("guest alice"), "error[name-taken]: the name `alice` is taken; choose another name, or log in if it is yours");
    assert_eq!(guest.says("guest gus"), "* welcome, gus: you are a guest; `help` lists what you can do");
    assert_eq!(guest.says("@alice for later"), "sent");
    assert_eq!(guest.says("whoelse"), "online: nobody else");
    // Somebody with an account has all extensions.
    let mut alice = Somebody::comes_to(&s4);
    assert_eq!(alice.says("login alice wrong"), "error[wrong-password]: the password for `alice` is wrong; try again");
    assert_eq!(alice.says("login alice secret"), "* welcome back, alice");
    guest.hears("* alice logged in");
    let (mail, _) = std::iter::repeat_with(|| alice.hears_next()).find(|(shown, _)| shown.starts_with("(offline")).expect("mail");
    assert!(mail.ends_with(") gus: for later"), "{mail}");
    assert_eq!(alice.says("@nobody hi"), "error[no-such-user]: there is no user `nobody`; `users` lists everyone");
    let long = "lorem ipsum ".repeat(200).trim_end().to_owned();
    assert_eq!(alice.says(&format!("@gus {long}")), "sent");
    guest.hears(&format!("alice: {}", long));
    assert_eq!(guest.says(&format!("@all {long}")), "sent");
    alice.hears(&format!("gus to all: {}", long));
    assert_eq!(alice.says("/blocked"), "blocked: nobody");
    drop(alice);
    guest.hears("* alice logged out");
}
