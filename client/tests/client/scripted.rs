//! A server that does what a test tells it to, and a client run against it. Nothing here waits for time to pass;
//! [`LIMIT`] only turns a test that hangs into one that fails.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything may take before the test fails.
const LIMIT: Duration = Duration::from_secs(30);

/// Listens; the test decides what is said.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Receiver<TcpStream>,
}

impl Server {
    pub(crate) fn listen() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, connections) = mpsc::channel();
        thread::spawn(move || listener.incoming().flatten().all(|stream| sender.send(stream).is_ok()));
        Server { address, connections }
    }

    /// The next connection, on which nothing was said yet.
    pub(crate) fn accept_silently(&self) -> Connection {
        let stream = self.connections.recv_timeout(LIMIT).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        let reader = BufReader::new(stream.try_clone().expect("a second handle"));
        Connection { stream, reader, acked: None }
    }

    /// The next connection, greeted as the protocol says.
    pub(crate) fn accept(&self) -> Connection {
        self.accept_silently().greeted()
    }
}

/// One connection, from the server's side.
pub(crate) struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    /// The number the client acknowledged last. When it does is up to it, so tests only look at what comes of it.
    pub(crate) acked: Option<u64>,
}

/// A line that the client sent.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) tag: Option<String>,
    pub(crate) key: Option<String>,
}

impl Connection {
    /// Greets the client as the protocol says.
    pub(crate) fn greeted(mut self) -> Connection {
        assert_eq!(self.raw_line(), "dialect json");
        self.say(json!({"type": "hello", "server": "scripted", "log": "log-1", "now": 0}));
        self.say(json!({"type": "dialect", "name": "json", "done": true}));
        self.say(json!({"type": "cards", "cards": []}));
        self
    }

    pub(crate) fn raw_line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a line in time");
        assert!(line.ends_with('\n'), "the client left instead of sending a line");
        line.trim_end().to_owned()
    }

    /// The next line that is no acknowledgement.
    pub(crate) fn line(&mut self) -> Line {
        loop {
            let raw = self.raw_line();
            let line: Value = serde_json::from_str(&raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
            let mark = |name: &str| line[name].as_str().map(str::to_owned);
            let line = Line { text: line["line"].as_str().expect("a text").to_owned(), tag: mark("tag"), key: mark("key") };
            let Some(number) = line.text.strip_prefix("/ack ") else {
                return line;
            };
            self.acked = Some(number.parse().expect("a number"));
            self.answer(&line, json!({"type": "done"}));
        }
    }

    /// The next line, which must be this one. A bare command is sent with its `/`.
    pub(crate) fn expect(&mut self, text: &str) -> Line {
        let line = self.line();
        assert!(line.text == text || line.text.strip_prefix('/') == Some(text), "`{}` came instead of `{text}`", line.text);
        line
    }

    pub(crate) fn say(&mut self, event: Value) {
        self.say_raw(format!("{event}\n").as_bytes());
    }

    /// Says it, unless the client is gone.
    pub(crate) fn could_say(&mut self, event: &Value) -> bool {
        self.stream.write_all(format!("{event}\n").as_bytes()).is_ok()
    }

    pub(crate) fn say_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the client takes it");
    }

    /// The JSON of the next frame of S4.
    pub(crate) fn frame(&mut self) -> Value {
        let mut length = [0; 4];
        self.reader.read_exact(&mut length).expect("a frame in time");
        let mut json = vec![0; u32::from_be_bytes(length) as usize];
        self.reader.read_exact(&mut json).expect("all of it");
        serde_json::from_slice(&json).expect("JSON")
    }

    /// Says it as a frame of S4.
    pub(crate) fn say_frame(&mut self, value: &Value) {
        let json = value.to_string();
        let length = u32::try_from(json.len()).expect("short").to_be_bytes();
        self.say_raw(&[&length[..], json.as_bytes()].concat());
    }

    /// Reads up to the end of what the client sends, which is nothing, and ends the connection.
    pub(crate) fn closes_with_the_client(mut self) {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).expect("the end in time");
        assert_eq!(rest, b"", "it says nothing more");
    }

    /// The last answer to `line`.
    pub(crate) fn answer(&mut self, line: &Line, event: Value) {
        let mut event = self.marked(line, event);
        event["done"] = json!(true);
        self.say(event);
    }

    /// An answer to `line` that is not the last.
    pub(crate) fn answer_first(&mut self, line: &Line, event: Value) {
        let event = self.marked(line, event);
        self.say(event);
    }

    fn marked(&self, line: &Line, mut event: Value) -> Value {
        if let Some(tag) = &line.tag {
            event["tag"] = json!(tag);
        }
        if let Some(key) = &line.key {
            event["key"] = json!(key);
        }
        event
    }

    /// Lets `alice` in, and gives her a token.
    pub(crate) fn let_in(&mut self) {
        let login = self.expect("login alice secret");
        self.answer(&login, welcome());
        let token = self.expect("/token");
        self.answer(&token, json!({"type": "token", "token": "tok-1", "expires": 0}));
    }

    /// Sees the client off.
    pub(crate) fn see_off(&mut self) {
        self.see_off_as("/logout");
    }

    /// Sees off whoever says goodbye like this.
    pub(crate) fn see_off_as(&mut self, goodbye: &str) {
        let logout = self.expect(goodbye);
        self.answer(&logout, json!({"type": "goodbye"}));
    }

    /// Whether the client has sent something that was not read yet, besides acknowledgements, which come when they come.
    pub(crate) fn something_waits(&mut self) -> bool {
        self.stream.set_nonblocking(true).expect("can look");
        let mut peeked = [0; 4096];
        let count = match self.stream.peek(&mut peeked) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(_) => return true,
        };
        self.stream.set_nonblocking(false).expect("can wait");
        let waiting = [self.reader.buffer(), &peeked[..count]].concat();
        String::from_utf8_lossy(&waiting).lines().any(|line| !line.contains("\"/ack "))
    }
}

/// What the server says to whoever is let in.
pub(crate) fn welcome() -> Value {
    json!({"type": "welcome", "name": "alice", "seq": 10})
}

/// A message to alice.
pub(crate) fn message(seq: u64, from: &str, text: &str) -> Value {
    json!({"type": "message", "seq": seq, "at": 0, "from": from, "to": {"user": "alice"}, "text": text})
}

/// A refusal.
pub(crate) fn refusal(code: &str, text: &str) -> Value {
    json!({"type": "refusal", "code": code, "text": text})
}

/// A running client, with a home of its own.
pub(crate) struct Client {
    child: Option<Child>,
    input: Option<ChildStdin>,
    /// Goes when the client goes, unless somebody else keeps it.
    _home: Option<TempDir>,
}

/// How a client ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Client {
    /// Runs with `words`; its input stays open.
    pub(crate) fn run(words: &[&str]) -> Client {
        let home = tempfile::tempdir().expect("a home");
        let mut client = Client::run_at(home.path(), words);
        client._home = Some(home);
        client
    }

    /// Runs in a home that others use too.
    pub(crate) fn run_at(home: &Path, words: &[&str]) -> Client {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chinwag"))
            .args(words)
            .env("HOME", home)
            .env("USER", "alice")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_STATE_HOME")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("runs");
        let input = child.stdin.take();
        Client { child: Some(child), input, _home: None }
    }

    /// Runs as alice against `server`.
    pub(crate) fn alice(server: &Server, more: &[&str]) -> Client {
        let address = format!("alice@{}", server.address);
        Client::run(&[&[address.as_str(), "--plain", "--password-command", "echo secret"], more].concat())
    }

    /// Reads no more of what the client prints.
    pub(crate) fn closes_output(&mut self) {
        drop(self.child.as_mut().expect("runs").stdout.take());
    }

    /// Types `lines`.
    pub(crate) fn types(&mut self, lines: &str) {
        self.input.as_mut().expect("open").write_all(lines.as_bytes()).expect("takes it");
    }

    /// Types `bytes` and nothing more.
    pub(crate) fn types_bytes_last(&mut self, bytes: &[u8]) {
        self.input.take().expect("open").write_all(bytes).expect("takes it");
    }

    /// The next line that it prints. What is read here is not in what it said when it ends.
    pub(crate) fn prints_line(&mut self) -> String {
        let output = self.child.as_mut().expect("runs").stdout.as_mut().expect("open");
        let mut line = Vec::new();
        let mut byte = [0];
        // One by one: what comes after the line is left where it is.
        while output.read_exact(&mut byte).is_ok() && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        assert!(byte[0] == b'\n', "it ended instead of printing a line");
        String::from_utf8(line).expect("UTF-8")
    }

    /// Types `lines` and nothing more.
    pub(crate) fn types_last(&mut self, lines: &str) {
        self.types(lines);
        self.input = None;
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("runs").id().to_string();
        let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id]).status();
        assert!(status.is_ok_and(|status| status.success()));
    }

    /// Waits for the end.
    pub(crate) fn ends(mut self) -> Ended {
        let child = self.child.take().expect("runs");
        let (sender, ended) = mpsc::channel();
        let id = child.id();
        // Keeps the input open, if it is: the client must end without that.
        let input = self.input.take();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = ended.recv_timeout(LIMIT) else {
            let _ = Command::new("sh").args(["-c", "kill -KILL \"$0\"", &id.to_string()]).status();
            panic!("the client does not end");
        };
        drop(input);
        let output = output.expect("ends");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Ended { exit: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = (child.kill(), child.wait());
        }
    }
}
