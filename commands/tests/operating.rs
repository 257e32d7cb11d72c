//! What an operator's day brings besides commands: mistakes in files, few file handles.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn chinwagd(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chinwagd")).args(args).stdin(Stdio::null()).output().expect("it runs")
}

fn check(folder: &Path, settings: &str) -> (Option<i32>, String) {
    let file = folder.join("chinwag.ron");
    fs::write(&file, settings).expect("there is room for a file");
    let output = chinwagd(&["--check", "--config", file.to_str().expect("a plain name")]);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_check_reads_the_certificate_too() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    // The server's own, as it makes it.
    let data = path("data");
    assert!(chinwagd(&["cert", "--data", &data, "export", &path("copy.pem")]).status.success());
    let settings = |key: &str| format!("(certificate: {:?}, key: {key:?})", path("copy.pem"));
    assert_eq!(check(folder.path(), &settings(&path("data/key.pem"))), (Some(0), String::new()));
    let (code, told) = check(folder.path(), &settings(&path("gone.pem")));
    assert_eq!(code, Some(2));
    assert!(told.contains("cannot read the key") && told.contains("gone.pem"), "{told}");
}

/// Starts a server that has so many file handles, and gives where it listens.
fn start_with_few_handles(handles: u32, data: &Path) -> (Child, String) {
    let mut command = Command::new("sh");
    // The shell becomes the server, so that ending the one ends the other.
    command.args(["-c", &format!("ulimit -n {handles} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_chinwagd")]);
    command.args(["--host", "127.0.0.1", "--port", "0", "--data"]).arg(data);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the server starts");
    let mut first = String::new();
    BufReader::new(child.stdout.as_mut().expect("its stdout is ours")).read_line(&mut first).expect("it says that it is ready");
    let address = first.split("listening on ").nth(1).and_then(|rest| rest.split(' ').next()).expect("it says where");
    (child, address.to_owned())
}

#[test]
fn who_takes_all_connections_takes_neither_the_servers_own_handles_nor_the_operators() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let (mut child, address) = start_with_few_handles(128, folder.path());
    let connections: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(&address).expect("it accepts")).collect();
    let mut told = String::new();
    (&connections[99]).read_to_string(&mut told).expect("it is told, and the connection ends");
    assert!(told.contains("error[too-many-connections]"), "{told}");
    // The first is one of those that had room.
    (&connections[0]).write_all(b"ping\n").expect("takes it");
    let mut answer = String::new();
    BufReader::new(&connections[0]).read_line(&mut answer).expect("answers");
    assert!(answer.contains("pong") || answer.contains("not-logged-in"), "{answer}");
    let data = folder.path().to_str().expect("a plain name");
    let stats = chinwagd(&["ctl", "--data", data, "stats"]);
    let shown = String::from_utf8_lossy(&stats.stdout).into_owned();
    assert!(stats.status.success() && shown.contains("64 connections"), "{shown}");
    let backup = folder.path().join("copy.db");
    assert!(chinwagd(&["ctl", "--data", data, "backup", backup.to_str().expect("a plain name")]).status.success());
    child.kill().expect("it is ours");
    child.wait().expect("ends");
}
