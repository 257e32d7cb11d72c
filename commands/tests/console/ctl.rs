//! `chinwagd ctl`.

use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::Stdio;

use crate::running::{Running, Said, chinwagd, ctl, said};

fn done(out: &str) -> Said {
    Said { code: Some(0), out: out.to_owned(), err: String::new() }
}

fn refused(err: &str) -> Said {
    Said { code: Some(1), out: String::new(), err: err.to_owned() }
}

#[test]
fn a_command_is_obeyed_and_its_outcome_is_the_exit_code() {
    let server = Running::start(&[]);
    let mut bob = server.telnet();
    assert!(bob.say("register bob pw").starts_with("* welcome, bob"));
    assert_eq!(server.ctl(&["operator", "add", "bob"]), done("bob is an operator now"));
    assert_eq!(bob.hear(), "* you are an operator now; `help` lists what you can do");
    assert_eq!(
        server.ctl(&["operator", "add", "bob"]),
        refused("error[already-operator]: `bob` is an operator already; `operators` lists them")
    );
    assert_eq!(server.ctl(&["users"]), done("bob: online\n* 1 user"));
    let json = server.ctl(&["--json", "operators"]);
    assert_eq!(json, done(r#"{"type":"people","of":"operators","names":["bob"],"tag":"ctl","done":true}"#));
    // The console has no account: it is never logged in, and says nothing as anybody.
    for line in ["login bob pw", "register x y", "broadcast hi", "whoami", "passwd a b", "dialect text"] {
        let told = server.ctl(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(told, refused("error[not-permitted]: the console is nobody's account; log in with a client for this"), "{line}");
    }
}

#[test]
fn without_words_every_line_of_stdin_is_a_command() {
    let server = Running::start(&[]);
    let mut child = chinwagd();
    child.args(["ctl", "--data"]).arg(server.data.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("it starts");
    let script = b"operators\n\nfrobnicate\nping 7\n";
    child.stdin.take().expect("its stdin is ours").write_all(script).expect("it reads");
    let told = said(child.wait_with_output());
    assert_eq!(told.out, "operators: nobody\npong 7");
    assert_eq!(told.err, "error[unknown-command]: there is no command `frobnicate`; `help` lists the commands");
    assert_eq!(told.code, Some(1), "one of them was refused");
}

#[test]
fn the_socket_is_for_its_owner_and_goes_with_the_server() {
    let server = Running::start(&[]);
    let path = server.data.path().join("ctl");
    let kept = std::fs::symlink_metadata(&path).expect("there is a socket");
    assert!(kept.file_type().is_socket());
    assert_eq!(kept.permissions().mode() & 0o777, 0o600);
    // What a crash leaves behind is not taken for a server, and not in the way of the next.
    let data = server.crash();
    let none = ctl(data.path(), &["operators"]);
    assert_eq!(none.code, Some(1));
    assert!(none.err.starts_with("error: no server runs on ") && none.err.contains("--data"), "{}", none.err);
    let server = Running::start_on(data, &[]);
    assert_eq!(server.ctl(&["operators"]).code, Some(0));
}

#[test]
fn a_wrong_command_line_is_told() {
    let told = said(chinwagd().args(["ctl", "--config", "/nowhere/chinwag.ron", "operators"]).output());
    assert_eq!(told.code, Some(2));
    assert!(told.err.contains("/nowhere/chinwag.ron"), "{}", told.err);
}
