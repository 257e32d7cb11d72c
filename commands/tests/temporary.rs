//! `chinwagd --temporary`: a server that another program started for itself leaves nothing behind.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// Starts one whose temporary folders are in `temp`, and gives what it says when it is ready.
fn start(temp: &Path) -> (Child, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    command.args(["--temporary", "--host", "127.0.0.1", "--port", "0"]).env("TMPDIR", temp);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the server starts");
    let mut ready = String::new();
    BufReader::new(child.stdout.as_mut().expect("its stdout is ours")).read_line(&mut ready).expect("it says that it is ready");
    (child, serde_json::from_str(&ready).expect("in JSON"))
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).expect("a folder").count()
}

#[test]
fn it_serves_until_its_stdin_is_closed_and_then_its_folder_is_gone() {
    let temp = tempfile::tempdir().expect("there is room for a folder");
    let (mut child, ready) = start(temp.path());
    assert_eq!(entries(temp.path()), 1);
    let address = ready["listening"][0].as_str().expect("it says where it listens");
    let mut stream = TcpStream::connect(address).expect("it accepts");
    stream.write_all(b"register alice secret\n").expect("takes it");
    // What comes on stdin is not for it.
    child.stdin.as_mut().expect("open").write_all(b"shutdown\nnow\n").expect("takes it");
    let mut lines = BufReader::new(stream);
    let mut welcome = String::new();
    lines.read_line(&mut welcome).expect("it answers");
    assert!(welcome.contains("welcome, alice"), "{welcome}");
    drop(child.stdin.take());
    let mut last = String::new();
    lines.read_to_string(&mut last).expect("it ends in order");
    assert!(last.contains("error[shutdown]"), "{last}");
    assert!(child.wait().expect("ends").success());
    assert_eq!(entries(temp.path()), 0);
}

#[test]
fn it_takes_no_other_folder() {
    let temp = tempfile::tempdir().expect("there is room for a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    let output = command.args(["--temporary", "--data"]).arg(temp.path()).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(entries(temp.path()), 0, "it must not remove what it did not make");
}
