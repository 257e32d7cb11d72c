//! The server under test: a process of its own, with its data, its control channel and what it wrote to stderr.

use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use smol::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use smol::process::{Child, ChildStdin, ChildStdout, Command};

use crate::cast::TimedOut;
use crate::log::Log;
use crate::scratch::Mortal;

/// With this in its environment the harness is the server: scenarios need no other program to be built first.
pub const SERVE: &str = "CHINWAG_HARNESS_SERVE";

/// How many of the last lines of stderr are kept for a failure report.
const STDERR_LINES: usize = 30;

/// How long a line of the control channel may be: many times what a server with all faults and a full digest says.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// How long a line of the control channel may be in a message.
const ANSWER_SHOWN: usize = 200;

/// How to start a server.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its first arguments.
    pub args: Vec<OsString>,
    /// More environment.
    pub env: Vec<(OsString, OsString)>,
    /// Named faults to switch on, in a build that has them (feature `faults`). Whoever starts it does, when it is time.
    pub faults: Vec<String>,
}

impl Launch {
    /// This program itself, as the server.
    ///
    /// # Errors
    /// When the system does not say where this program is.
    pub fn itself() -> std::io::Result<Launch> {
        Ok(Launch { program: std::env::current_exe()?, args: Vec::new(), env: vec![(SERVE.into(), "1".into())], faults: Vec::new() })
    }

    /// What a command line of ours needs to start it like this.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if !self.env.iter().any(|(name, _)| name == SERVE) {
            let words = std::iter::once(self.program.as_os_str()).chain(self.args.iter().map(OsString::as_os_str));
            let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
            flags.push(format!("--server {}", quoted(&words.join(" "))));
        }
        flags.extend(self.faults.iter().map(|fault| format!("--fault {}", quoted(fault))));
        flags
    }

    /// Another program, with arguments separated by spaces.
    #[must_use]
    pub fn command(line: &str) -> Launch {
        let mut words = line.split_whitespace().map(OsString::from);
        Launch { program: words.next().unwrap_or_default().into(), args: words.collect(), env: Vec::new(), faults: Vec::new() }
    }
}

/// What one start of a server needs to know.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// Where it keeps its data.
    pub data: &'a Path,
    /// Where it listens; 0 for anywhere.
    pub port: u16,
    /// Where its randomness begins.
    pub seed: u64,
    /// Where its clock begins, in milliseconds.
    pub epoch: i64,
    /// What the scenario adds.
    pub args: &'a [String],
}

/// What keeps a scenario from going on that is not an expectation.
#[derive(Debug)]
pub enum Trouble {
    /// The server did not come up.
    NotStarted(String),
    /// The deadline passed.
    TimedOut,
    /// The control channel did not do as the protocol says.
    Control(String),
}

impl From<TimedOut> for Trouble {
    fn from(_: TimedOut) -> Trouble {
        Trouble::TimedOut
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NotStarted(why) => write!(f, "the server did not start: {why}"),
            Trouble::TimedOut => f.write_str("the scenario's time is up"),
            Trouble::Control(why) => write!(f, "the control channel: {why}"),
        }
    }
}

/// A server, running or ended.
pub struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// What it writes to stderr.
    pub log: Log,
    status: Option<ExitStatus>,
    /// Until its end is known.
    mortal: Option<Mortal>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it speaks which wire.
    pub wires: Vec<(String, SocketAddr)>,
}

impl Server {
    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// When it does not.
    pub async fn start(launch: &Launch, settings: &Settings<'_>) -> Result<Server, Trouble> {
        let log = Log::new().map_err(|error| Trouble::NotStarted(format!("a pipe for its log: {error}")))?;
        Server::start_again(launch, settings, log).await
    }

    /// The same, for one whose log goes on where another's ended.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(launch: &Launch, settings: &Settings<'_>, log: Log) -> Result<Server, Trouble> {
        let not_started = |why: String| Trouble::NotStarted(why);
        let mut command = Command::new(&launch.program);
        command.args(&launch.args).arg("--test").args(["--host", "127.0.0.1"]);
        command.args(["--port", &settings.port.to_string()]).arg("--data").arg(settings.data);
        command.args(["--seed", &settings.seed.to_string(), "--epoch", &settings.epoch.to_string()]).args(settings.args);
        // Where it panicked is in the log; how it got there would push everything else out of a report.
        command.env("RUST_BACKTRACE", "0");
        command.envs(launch.env.iter().map(|(name, value)| (name, value)));
        let stderr = log.stdio().map_err(|error| not_started(format!("a pipe for its log: {error}")))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| not_started(format!("`{}`: {error}", launch.program.display())))?;
        let mortal = Some(Mortal::new(child.id()));
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(not_started("it has no standard streams".to_owned()));
        };
        let address = SocketAddr::from(([127, 0, 0, 1], settings.port));
        let mut server = Server { child, stdin, stdout: BufReader::new(stdout), log, status: None, mortal, address, wires: Vec::new() };
        match server.ready().await {
            Ok((address, wires)) => Ok(Server { address, wires, ..server }),
            Err(why) => {
                let _ = server.child.kill();
                let ended = server.ended().await;
                let tail = server.tail();
                let said = if tail.is_empty() { String::new() } else { format!("; it said:\n  {}", tail.join("\n  ")) };
                Err(not_started(format!("{why} ({ended}){said}")))
            }
        }
    }

    /// Reads the first line: where it listens.
    async fn ready(&mut self) -> Result<(SocketAddr, Vec<(String, SocketAddr)>), String> {
        let line = self.line().await?;
        let ready: Value =
            serde_json::from_str(&line).map_err(|_| format!("its first line is not the ready line but {}", shortened(&line)))?;
        let address = ready["listening"].as_array().and_then(|all| all.first()).and_then(Value::as_str);
        let on_wire = |entry: &Value| Some((entry["wire"].as_str()?.to_owned(), entry["address"].as_str()?.parse().ok()?));
        let wires = ready["wires"].as_array().into_iter().flatten().filter_map(on_wire).collect();
        let address = address.and_then(|address| address.parse().ok());
        address.map(|address| (address, wires)).ok_or_else(|| format!("its ready line names no address: {}", shortened(&line)))
    }

    /// One line of stdout.
    async fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match (&mut self.stdout).take(LINE_BYTES_MAX).read_line(&mut line).await {
            Ok(0) => Err("it ended its output".to_owned()),
            Ok(count) if count as u64 == LINE_BYTES_MAX && !line.ends_with('\n') => {
                Err(format!("a line of its output does not end within {} MiB: {}", LINE_BYTES_MAX >> 20, shortened(&line)))
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => Err("what it writes to its output is no text (not UTF-8)".to_owned()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(format!("reading its output: {error}")),
        }
    }

    /// Gives one command on the control channel and returns the answer.
    ///
    /// # Errors
    /// When there is no answer, or it is a refusal.
    pub async fn ask(&mut self, command: &str) -> Result<Value, Trouble> {
        let failed = |why: String| Trouble::Control(format!("`{command}`: {why}"));
        self.stdin.write_all(format!("{command}\n").as_bytes()).await.map_err(|error| failed(error.to_string()))?;
        self.stdin.flush().await.map_err(|error| failed(error.to_string()))?;
        let line = self.line().await.map_err(failed)?;
        let answer: Value = serde_json::from_str(&line).map_err(|_| failed(format!("not an object: {}", shortened(&line))))?;
        match answer["error"].as_str() {
            Some(error) => Err(failed(error.to_owned())),
            None => Ok(answer),
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it without warning and waits until it is gone.
    pub async fn crash(&mut self) {
        // Whoever is dead already cannot be killed, and that is as well.
        let _ = self.child.kill();
        self.ended().await;
    }

    /// Asks it to stop, as a service manager does, and waits until it has.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn stop(&mut self) -> std::io::Result<ExitStatus> {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.ok_or_else(|| std::io::Error::other("the server has no process number"))?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let status = self.child.status().await?;
        self.ended().await;
        Ok(status)
    }

    /// How it ended, if it has.
    pub fn poll_end(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_status().ok().flatten();
            self.mortal = self.mortal.take().filter(|_| self.status.is_none());
        }
        self.status
    }

    /// Whether it still answers; if it does not, waits for its end. A process that dies closes its connections before
    /// anybody can be told that it has died: only its control channel knows which of the two a closed connection is.
    ///
    /// # Errors
    /// How it ended.
    pub async fn check_alive(&mut self) -> Result<(), String> {
        match self.ask("now").await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.ended().await),
        }
    }

    /// Waits for its end and for the last of what it wrote; says how it ended.
    async fn ended(&mut self) -> String {
        self.status = self.child.status().await.ok();
        self.mortal = None;
        self.log.sync().await;
        self.status.map_or_else(|| "its end is unknown".to_owned(), |status| status.to_string())
    }

    /// The last lines that it wrote to stderr.
    #[must_use]
    pub fn tail(&self) -> Vec<String> {
        let mut lines = self.log.lines();
        lines.drain(..lines.len().saturating_sub(STDERR_LINES));
        lines.into_iter().map(|line| line.text).collect()
    }
}

/// As one word for a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn shortened(line: &str) -> String {
    if line.chars().count() <= ANSWER_SHOWN {
        return format!("`{line}`");
    }
    format!("`{}…`", line.chars().take(ANSWER_SHOWN).collect::<String>())
}
