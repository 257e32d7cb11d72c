//! What is done to a server after its first day: another configuration, another certificate, a backup.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::running::{Running, chinwagd, said};

#[test]
fn a_reload_tells_what_holds_now_and_changes_nothing_if_there_is_a_mistake() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = folder.path().join("chinwag.ron");
    let write = |text: &str| fs::write(&path, text).expect("the file can be written");
    write("()");
    let server = Running::start(&["--config", path.to_str().expect("the path is text")]);
    assert!(server.telnet().say("guest eve").starts_with("error[guests]"));
    assert_eq!(server.ctl(&["reload"]).out, "* nothing has changed");

    write("( guests: true, timeout: \"30m\", shards: 3, registration: Invited([\"sesame\"]), text_bytes: 5 )");
    let told = server.ctl(&["reload"]);
    let lines: Vec<&str> = told.out.lines().collect();
    assert_eq!(
        lines,
        [
            "timeout: 0 -> 1800 (now)",
            "registration: (not shown) -> (not shown) (now)",
            "guests: false -> true (now)",
            "text_bytes: 4096 -> 5 (now)",
            "shards: 0 -> 3 (after a restart)",
        ]
    );
    let mut eve = server.telnet();
    assert!(eve.say("guest eve").starts_with("* welcome, eve"));
    assert!(eve.say("@all too long").starts_with("error[text-too-long]"));
    assert!(server.telnet().say("register bob pw").starts_with("error[invite]"));
    // What waits for a restart is told again; what holds is not.
    assert_eq!(server.ctl(&["reload"]).out, "shards: 0 -> 3 (after a restart)");

    write("(\n    guests: maybe,\n    frobnicate: 1,\n    timeout: 0,\n)");
    let told = server.ctl(&["reload"]);
    assert_eq!(told.code, Some(1));
    assert!(told.out.contains("chinwag.ron:2:13") && told.out.contains("there is no setting `frobnicate`"), "{}", told.out);
    assert_eq!(told.err, "error[bad-configuration]: the configuration has mistakes: nothing was changed; correct them, then reload again");
    assert!(server.telnet().say("guest ann").starts_with("* welcome, ann"), "nothing was changed");
    let checked = said(chinwagd().args(["--check", "--config"]).arg(&path).output());
    assert_eq!(checked.code, Some(2), "the same file is refused by --check");
}

#[test]
fn sighup_is_a_reload() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = folder.path().join("chinwag.ron");
    fs::write(&path, "()").expect("the file can be written");
    let server = Running::start(&["--config", path.to_str().expect("the path is text")]);
    fs::write(&path, "(guests: true)").expect("the file can be written");
    server.signal(Signal::HUP);
    // Nobody answers a signal: the audit log tells when it has been heard.
    let give_up = Instant::now() + Duration::from_secs(60);
    while !server.ctl(&["audit"]).out.contains("console: reload (done)") {
        assert!(Instant::now() < give_up, "the signal is heard");
    }
    assert!(server.telnet().say("guest eve").starts_with("* welcome, eve"));
}

#[test]
fn another_certificate_takes_the_place_of_the_old_one_and_a_broken_one_does_not() {
    let other = Running::start(&[]).crash();
    let server = Running::start(&[]);
    let fingerprint = |server: &Running| {
        let stats = server.ctl(&["stats"]).out;
        let line = stats.lines().find(|line| line.starts_with("* certificate SHA256:")).expect("it has a certificate").to_owned();
        assert!(line.contains(", until "), "{line}");
        line
    };
    let first = fingerprint(&server);
    let certificate = server.data.path().join("certificate.pem");
    fs::copy(other.path().join("certificate.pem"), &certificate).expect("it can be copied");
    let told = server.ctl(&["reload"]);
    assert_eq!(told.code, Some(1), "the key is that of another certificate");
    assert!(told.out.contains("certificate.pem"), "{}", told.out);
    assert_eq!(fingerprint(&server), first);
    fs::copy(other.path().join("key.pem"), server.data.path().join("key.pem")).expect("it can be copied");
    let told = server.ctl(&["reload"]);
    assert!(told.out.starts_with("certificate itself: SHA256:") && told.out.ends_with(" (now)"), "{}", told.out);
    assert_ne!(fingerprint(&server), first);
    fs::remove_file(&certificate).expect("it can be removed");
    let told = server.ctl(&["reload"]);
    assert!(told.out.contains("is gone"), "no new one is made behind the clients' backs: {}", told.out);
}

#[test]
fn a_backup_is_a_whole_store_that_a_server_starts_from() {
    let server = Running::start(&["--operators", "alice"]);
    let mut alice = server.telnet();
    assert!(alice.say("register alice pw").starts_with("* welcome, alice"));
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("chinwag.db");
    let name = file.to_str().expect("the path is text");
    assert!(alice.say(&format!("backup {name}")).starts_with("error[not-permitted]: only the server's console"));
    for number in 1..=50 {
        assert_eq!(alice.say(&format!("@all {number}")), "sent");
    }
    let made = server.ctl(&["backup", name]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!(fs::metadata(&file).expect("there is a file").permissions().mode() & 0o777, 0o600);
    let again = server.ctl(&["backup", name]);
    assert!(again.err.starts_with("error[backup-failed]") && again.code == Some(1), "{}", again.err);
    assert!(server.ctl(&["backup", "here.db"]).err.contains("does not begin with `/`"));
    assert!(server.ctl(&["backup", "/nowhere/at/all.db"]).err.starts_with("error[backup-failed]"));
    // Said after it: not in it.
    assert_eq!(alice.say("@all late"), "sent");
    drop(server.crash());
    let server = Running::start_on(folder, &[]);
    let mut alice = server.telnet();
    assert!(alice.say("login alice pw").starts_with("* welcome back, alice"));
    assert!(alice.say("history 1").ends_with("alice to all: 50"));
}

#[test]
fn stats_count_whom_the_server_sent_away_by_what_they_were_told() {
    let mut server = Running::start(&["--timeout", "30"]);
    let (mut alice, mut bob) = (server.telnet(), server.telnet());
    assert!(alice.say("register alice pw").starts_with("* welcome, alice"));
    assert!(bob.say("register bob pw").starts_with("* welcome, bob"));
    assert_eq!(alice.hear(), "* bob logged in");
    assert_eq!(bob.say("@alice hi"), "sent");
    let mut guess = server.telnet();
    for password in ["1", "2"] {
        assert!(guess.say(&format!("login bob {password}")).starts_with("error[wrong-password]"));
    }
    assert!(guess.say("login bob 3").starts_with("error[locked-out]"));
    assert_eq!(guess.hear(), "", "the connection ends");
    assert_eq!(server.ctl(&["disconnect", "alice"]).code, Some(0));
    server.control("advance 30s");
    assert_eq!(bob.rest().lines().last(), Some("* disconnected: error[idle]: you gave no command for 30s; log in again"));
    let told = server.ctl(&["stats"]).out;
    for line in [
        "* up for 30s, since 2026-01-01 00:00:00Z",
        "; 0 sessions of 0 users; 2 accounts, 0 guests, 0 rooms",
        "; 1 message since the start",
        "* the store works; ",
        "* ended by the server since the start: 1 disconnected, 1 idle, 1 locked-out",
    ] {
        assert!(told.contains(line), "{line} is not in\n{told}");
    }
    let metrics = server.control("metrics");
    assert_eq!(metrics["ended"], serde_json::json!({ "disconnected": 1, "idle": 1, "locked-out": 1 }));
    let json = server.ctl(&["--json", "stats"]).out;
    assert!(json.lines().any(|line| line.contains(r#""fields":{"disconnected":1,"idle":1,"locked-out":1}"#)), "{json}");
}
