//! The configuration, as somebody meets it who wrote one.

use std::fs;
use std::path::Path;

use crate::scripted::{Client, Server};

fn configured(home: &Path, source: &str) {
    let folder = home.join(".config/chinwag");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("config.ron"), source).expect("writes");
}

#[test]
fn a_short_name_leads_to_the_server() {
    let home = tempfile::tempdir().expect("a home");
    let server = Server::listen();
    configured(home.path(), &format!("(servers: {{\"work\": \"alice@{}\"}}, server: \"work\")", server.address));
    for words in [&["work"][..], &[]] {
        let mut client = Client::run_at(home.path(), &[words, &["--plain", "--password-command", "echo secret"]].concat());
        client.types_last("");
        let mut link = server.accept();
        link.let_in();
        link.see_off();
        assert_eq!(client.ends().exit, Some(0));
    }
}

#[test]
fn all_mistakes_are_told_at_once_wherever_they_are() {
    let home = tempfile::tempdir().expect("a home");
    configured(home.path(), "(\n    histry: 3,\n    reconnect_for: \"soon\",\n)");
    for words in [&["--set", "server=a b", "config"][..], &["alice@", "--plain", "--set", "server=a b"]] {
        let ended = Client::run_at(home.path(), words).ends();
        assert_eq!(ended.exit, Some(2), "{ended:?}");
        for expected in
            ["config.ron:2:5", "did you mean `history`", "config.ron:3", "`soon` is not a length of time", "`server` is neither"]
        {
            assert!(ended.err.contains(expected), "{expected} is not in:\n{}", ended.err);
        }
    }
    let ended = Client::run_at(home.path(), &["--config", "/no/such/file.ron", "config"]).ends();
    assert_eq!(ended.exit, Some(2), "{ended:?}");
    assert!(ended.err.contains("cannot read /no/such/file.ron"), "{}", ended.err);
    let ended = Client::run_at(home.path(), &["generate", "man"]).ends();
    assert_eq!(ended.exit, Some(0), "packagers need no configuration: {ended:?}");
}

#[test]
fn what_is_in_force_is_printed_as_a_file() {
    let home = tempfile::tempdir().expect("a home");
    configured(home.path(), "(history: 7)");
    let listed = Client::run_at(home.path(), &["config", "--set", "reconnect-for=1m"]).ends();
    assert_eq!(listed.exit, Some(0), "{listed:?}");
    assert!(
        listed.out.starts_with("// ") && listed.out.contains("history: 7,") && listed.out.contains("reconnect_for: 60,"),
        "{}",
        listed.out
    );
    configured(home.path(), &listed.out);
    assert_eq!(Client::run_at(home.path(), &["config"]).ends().out, listed.out);
}

#[test]
fn nothing_is_written_for_a_script() {
    let home = tempfile::tempdir().expect("a home");
    let ended = Client::run_at(home.path(), &["config"]).ends();
    assert!(ended.out.contains("not there"), "{ended:?}");
    assert!(!home.path().join(".config").exists());
}
