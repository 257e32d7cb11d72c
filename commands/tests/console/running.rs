//! A server process, its data, and `chinwagd ctl` on it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// The program under test.
pub(crate) fn chinwagd() -> Command {
    Command::new(env!("CARGO_BIN_EXE_chinwagd"))
}

/// A server for tests: its clock stands, its stdin is the control channel.
pub(crate) struct Running {
    pub(crate) data: TempDir,
    pub(crate) address: SocketAddr,
    child: Child,
    control: ChildStdin,
    told: BufReader<ChildStdout>,
}

/// What `chinwagd ctl` said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Running {
        Running::start_on(tempfile::tempdir().expect("there is room for a folder"), args)
    }

    pub(crate) fn start_on(data: TempDir, args: &[&str]) -> Running {
        let mut command = chinwagd();
        command.args(["--test", "--host", "127.0.0.1", "--port", "0", "--data"]).arg(data.path()).args(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the server starts");
        let control = child.stdin.take().expect("its stdin is ours");
        let mut told = BufReader::new(child.stdout.take().expect("its stdout is ours"));
        let mut ready = String::new();
        told.read_line(&mut ready).expect("it says that it is ready");
        let ready: serde_json::Value = serde_json::from_str(&ready).expect("in JSON");
        let address = ready["listening"][0].as_str().and_then(|address| address.parse().ok()).expect("and where it listens");
        Running { data, address, child, control, told }
    }

    /// One command on the control channel.
    pub(crate) fn control(&mut self, command: &str) -> serde_json::Value {
        writeln!(self.control, "{command}").expect("it takes commands");
        let mut answer = String::new();
        self.told.read_line(&mut answer).expect("and answers");
        serde_json::from_str(&answer).expect("in JSON")
    }

    pub(crate) fn ctl(&self, words: &[&str]) -> Said {
        ctl(self.data.path(), words)
    }

    /// A connection that speaks text.
    pub(crate) fn telnet(&self) -> Telnet {
        let stream = TcpStream::connect(self.address).expect("it accepts");
        Telnet::over(stream)
    }

    /// A connection from this address of this machine.
    pub(crate) fn telnet_from(&self, address: [u8; 4]) -> Telnet {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there is a socket");
        socket.bind(&SocketAddr::from((address, 0)).into()).expect("the address is this machine's");
        socket.connect(&self.address.into()).expect("the server accepts");
        Telnet::over(socket.into())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it is there");
    }

    /// Ends it as a crash does; the data stay.
    pub(crate) fn crash(self) -> TempDir {
        let Running { data, mut child, .. } = self;
        child.kill().expect("it can be killed");
        child.wait().expect("and waited for");
        data
    }
}

pub(crate) fn ctl(data: &Path, words: &[&str]) -> Said {
    said(chinwagd().arg("ctl").arg("--data").arg(data).args(words).stdin(Stdio::null()).output())
}

pub(crate) fn said(output: std::io::Result<Output>) -> Said {
    let output = output.expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what it says is text").trim_end().to_owned();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Somebody with nc.
pub(crate) struct Telnet {
    lines: BufReader<TcpStream>,
}

impl Telnet {
    fn over(stream: TcpStream) -> Telnet {
        // A test that waits for what does not come should fail, and not hang.
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("it can be set");
        Telnet { lines: BufReader::new(stream) }
    }

    /// Says a line and returns the first line that comes.
    pub(crate) fn say(&mut self, line: &str) -> String {
        writeln!(self.lines.get_mut(), "{line}").expect("the server reads");
        self.hear()
    }

    /// The next line; empty at the end.
    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the server writes");
        line.trim_end().to_owned()
    }

    /// Everything up to the end.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("the server writes");
        rest.trim_end().to_owned()
    }
}
