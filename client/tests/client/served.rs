//! A real server, as a process that can be killed, with a clock that a test turns; and a proxy in front of it that keeps all that passes.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// With its arguments in this variable, this test program is the server.
const SERVE: &str = "CHINWAG_CLIENT_TESTS_SERVE";
/// What stands between them there.
const BETWEEN: char = '\u{1f}';

/// No test of its own, but the way to a server without another program that would have to be built before.
#[test]
fn this_program_is_a_server_if_it_is_asked() {
    let Some(args) = env::var_os(SERVE) else { return };
    let args = args.into_string().expect("UTF-8");
    let code = chinwag_commands::main_with(args.split(BETWEEN).map(Into::into));
    std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
}

/// A server with a clock that stands until it is turned.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    /// Where it speaks S4.
    pub(crate) s4: SocketAddr,
    pub(crate) data: Arc<TempDir>,
    child: Child,
    control: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Served {
    pub(crate) fn start() -> Served {
        Served::start_on(Arc::new(tempfile::tempdir().expect("a folder")), 0)
    }

    /// On data that are there, at this port (0: any).
    pub(crate) fn start_on(data: Arc<TempDir>, port: u16) -> Served {
        let (folder, port) = (data.path().display().to_string(), port.to_string());
        let s4 = r#"[(wire: "s4", port: 0, plain: true)]"#;
        let args = ["chinwagd", "--test", "--host", "127.0.0.1", "--port", &port, "--listen", s4, "--data", &folder, "--log", "debug"];
        let log = fs::OpenOptions::new().append(true).create(true).open(data.path().join("stderr.log")).expect("a log");
        let mut child = Command::new(env::current_exe().expect("there is one"))
            .args(["served::this_program_is_a_server_if_it_is_asked", "--exact", "--nocapture", "--test-threads=1"])
            .env(SERVE, args.join(&BETWEEN.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("runs");
        let control = child.stdin.take().expect("its stdin is ours");
        let mut told = BufReader::new(child.stdout.take().expect("its stdout is ours"));
        let ready = loop {
            let mut line = String::new();
            assert!(told.read_line(&mut line).expect("reads") > 0, "the server does not start: {}", log_of(&data));
            // What the test program says comes first, and perhaps in the same line.
            let from = line.find('{').unwrap_or(0);
            if let Ok(ready) = serde_json::from_str::<Value>(&line[from..]) {
                break ready;
            }
        };
        let read = |address: &Value| address.as_str().and_then(|address| address.parse().ok()).expect("it says where it listens");
        let (address, s4) = (read(&ready["listening"][0]), read(&ready["wires"][0]["address"]));
        Served { address, s4, data, child, control, told }
    }

    /// One command on the control channel.
    pub(crate) fn control(&mut self, command: &str) -> Value {
        writeln!(self.control, "{command}").expect("it takes commands");
        let mut answer = String::new();
        self.told.read_line(&mut answer).expect("and answers");
        let answer: Value = serde_json::from_str(&answer).expect("in JSON");
        assert!(answer.get("error").is_none(), "{command}: {answer}");
        answer
    }

    /// Makes accounts with the password `secret`.
    pub(crate) fn register(self, names: &[&str]) -> Served {
        for name in names {
            let mut stream = TcpStream::connect(self.address).expect("connects");
            stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
            stream.write_all(format!("register {name} secret\nlogout\n").as_bytes()).expect("says it");
            let mut said = String::new();
            stream.read_to_string(&mut said).expect("hears");
            assert!(said.contains("welcome"), "{said}");
        }
        self
    }

    /// Ends it as a loss of power would.
    pub(crate) fn kill(mut self) -> (Arc<TempDir>, SocketAddr) {
        self.child.kill().expect("is killed");
        self.child.wait().expect("is gone");
        (Arc::clone(&self.data), self.address)
    }

    /// Everything that it has kept and logged.
    pub(crate) fn kept(&self) -> Vec<u8> {
        let mut all = Vec::new();
        gather(self.data.path(), &mut all);
        all
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

fn log_of(data: &TempDir) -> String {
    fs::read_to_string(data.path().join("stderr.log")).unwrap_or_default()
}

fn gather(folder: &Path, all: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            gather(&entry.path(), all);
        } else if let Ok(bytes) = fs::read(entry.path()) {
            all.extend(bytes);
        }
    }
}

/// Passes on what clients and a server say to each other, and keeps it.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    passed: Arc<Mutex<Vec<u8>>>,
    cables: Arc<Mutex<Vec<Arc<Cable>>>>,
}

/// One connection. What is cut swallows what goes in, and nobody is told: as a cable that was pulled.
#[derive(Default)]
struct Cable {
    to_server_cut: AtomicBool,
    to_client_cut: AtomicBool,
}

impl Cable {
    fn cut(&self, to_server: bool) -> &AtomicBool {
        if to_server { &self.to_server_cut } else { &self.to_client_cut }
    }
}

impl Proxy {
    /// In front of the server at `to`.
    pub(crate) fn start(to: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let passed = Arc::new(Mutex::new(Vec::new()));
        let keeps = Arc::clone(&passed);
        let cables = Arc::new(Mutex::new(Vec::new()));
        let lays = Arc::clone(&cables);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(to) else { continue };
                let (nearer, farther) = (near.try_clone().expect("a handle"), far.try_clone().expect("a handle"));
                let cable = Arc::new(Cable::default());
                lays.lock().expect("no panic").push(Arc::clone(&cable));
                for (to_server, from, to) in [(true, near, farther), (false, far, nearer)] {
                    let (keeps, cable) = (Arc::clone(&keeps), Arc::clone(&cable));
                    thread::spawn(move || pass(from, to, cable.cut(to_server), &keeps));
                }
            }
        });
        Proxy { address, passed, cables }
    }

    /// Pulls the cable of all who are connected: what is sent from now on arrives nowhere, and no end of the connection either. Who connects
    /// from now on gets through.
    pub(crate) fn cut(&self) {
        self.cut_to_clients();
        self.cables().for_each(|cable| cable.to_server_cut.store(true, Ordering::SeqCst));
    }

    /// The same, but what clients say still arrives: only the answers are lost.
    pub(crate) fn cut_to_clients(&self) {
        self.cables().for_each(|cable| cable.to_client_cut.store(true, Ordering::SeqCst));
    }

    fn cables(&self) -> impl Iterator<Item = Arc<Cable>> {
        self.cables.lock().expect("no panic").clone().into_iter()
    }

    /// All that has passed, either way.
    pub(crate) fn passed(&self) -> Vec<u8> {
        self.passed.lock().expect("no panic").clone()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool, keeps: &Mutex<Vec<u8>>) {
    let mut chunk = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        if cut.load(Ordering::SeqCst) {
            continue;
        }
        keeps.lock().expect("no panic").extend(&chunk[..count]);
        if to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    if !cut.load(Ordering::SeqCst) {
        let _ = to.shutdown(Shutdown::Write);
    }
}

/// Whether `bytes` hold `part`.
pub(crate) fn holds(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}
