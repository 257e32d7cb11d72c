//! What is typed at the terminal that the server was started from.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::running::chinwagd;

/// Both ends of a terminal: what is typed goes into the first, and comes out of the second.
fn terminal() -> (File, File) {
    let typed = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there is a terminal");
    grantpt(&typed).expect("it is ours");
    unlockpt(&typed).expect("it opens");
    let name = ptsname(&typed, Vec::new()).expect("it has a name");
    let read = OpenOptions::new().read(true).write(true).open(OsStr::from_bytes(name.as_bytes())).expect("it opens");
    (typed.into(), read)
}

#[test]
fn what_is_typed_at_the_terminal_is_obeyed() {
    let data = tempfile::tempdir().expect("there is room for a folder");
    let (mut typed, read) = terminal();
    let mut command = chinwagd();
    command.args(["--host", "127.0.0.1", "--port", "0", "--data"]).arg(data.path());
    let mut server = command.stdin(read).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the server starts");
    drop(command);
    let mut told = BufReader::new(server.stdout.take().expect("its stdout is ours")).lines().map(|line| line.expect("it is text"));
    assert!(told.any(|line| line.contains("what you type here is obeyed")), "it says so");
    // The second was pasted: two lines at once.
    typed.write_all(b"operators\n").expect("it is typed");
    assert_eq!(told.next().as_deref(), Some("operators: nobody"));
    typed.write_all(b"operator add nobody-here\nping 7\n").expect("it is typed");
    assert_eq!(told.next().as_deref(), Some("error[no-such-user]: there is no user `nobody-here`; `users` lists everyone"));
    assert_eq!(told.next().as_deref(), Some("pong 7"));
    // Ctrl-D: the end of the console, not of the server.
    typed.write_all(&[4]).expect("it is typed");
    assert_eq!(told.next().as_deref(), Some("the console is closed; the server goes on"));
    assert_eq!(server.try_wait().expect("it can be asked"), None);
    server.kill().expect("it can be killed");
    server.wait().expect("and waited for");
}
