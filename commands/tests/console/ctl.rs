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

#[test]
fn an_address_is_banned_from_where_it_connects_and_for_as_long_as_the_clock_says() {
    let mut server = Running::start(&["--guests", "true"]);
    // All of 127.0.0.0/8 is this machine.
    let (mut bad, mut good) = (server.telnet_from([127, 0, 0, 7]), server.telnet_from([127, 0, 0, 8]));
    let mut silent = server.telnet_from([127, 0, 0, 7]);
    assert!(bad.say("guest mallory").starts_with("* welcome, mallory"));
    assert!(good.say("register bob pw").starts_with("* welcome, bob"));
    assert_eq!(bad.hear(), "* bob logged in");
    assert_eq!(server.ctl(&["ban", "127.0.0.7", "1h", "too", "loud"]), done("127.0.0.7 is banned until 2026-01-01 01:00:00Z"));
    let told = "* disconnected: error[banned]: you are banned here until 2026-01-01 01:00:00Z: too loud; ask an operator";
    assert_eq!(bad.rest(), told);
    assert_eq!(silent.rest(), told, "whether logged in or not");
    assert_eq!(good.hear(), "* mallory logged out");
    assert_eq!(server.telnet_from([127, 0, 0, 7]).say("help"), told);
    // It outlives a crash, and it ends by itself.
    let data = server.crash();
    server = Running::start_on(data, &["--guests", "true"]);
    assert_eq!(server.telnet_from([127, 0, 0, 7]).say("help"), told);
    assert_eq!(server.ctl(&["bans"]).out, "127.0.0.7 until 2026-01-01 01:00:00Z, by console at 2026-01-01 00:00:00Z: too loud\n* 1 ban");
    server.control("advance 1h");
    assert!(server.telnet_from([127, 0, 0, 7]).say("guest mallory").starts_with("* welcome, mallory"));
    assert_eq!(server.ctl(&["bans"]).out, "* 0 bans");
}

#[test]
fn the_console_may_ban_an_operator() {
    let server = Running::start(&["--operators", "alice"]);
    let mut alice = server.telnet();
    assert!(alice.say("register alice pw").starts_with("* welcome, alice"));
    assert_eq!(server.ctl(&["ban", "alice", "enough"]), done("alice is banned"));
    assert_eq!(alice.rest(), "* disconnected: error[banned]: you are banned here: enough; ask an operator");
    assert_eq!(server.ctl(&["unban", "alice"]), done("alice is not banned any more"));
    assert!(server.telnet().say("login alice pw").starts_with("* welcome back, alice"));
}

#[test]
fn no_secret_reaches_the_audit_log_or_the_store() {
    let server = Running::start(&["--registration", "Invited([])"]);
    let made = server.ctl(&["newcode", "2"]);
    let code = made.out.strip_prefix("* invite code ").and_then(|rest| rest.split(':').next()).expect("there is a code").to_owned();
    let secret = code.split('-').nth(1).expect("it has a secret").to_owned();
    let mut bob = server.telnet();
    assert!(bob.say(&format!("register bob sesame-{secret} {code}")).starts_with("* welcome, bob"));
    assert_eq!(server.ctl(&["endcode", &code]), done("ok"));
    let audit = server.ctl(&["audit"]);
    assert_eq!(audit.out.lines().count(), 4, "{}", audit.out);
    assert!(audit.out.contains("console: newcode 2 (done: code 2)"), "{}", audit.out);
    assert!(audit.out.contains("bob: registers with invite code 2 (done)"), "{}", audit.out);
    assert!(audit.out.contains("console: endcode 2 (done)"), "{}", audit.out);
    assert!(!audit.out.contains(&secret));
    let data = server.crash();
    for file in std::fs::read_dir(data.path()).expect("the folder is there") {
        let file = file.expect("it can be listed");
        if file.file_type().expect("it is something").is_file() {
            let bytes = std::fs::read(file.path()).expect("it can be read");
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} has the secret", file.path().display());
        }
    }
}
