//! The process under test: this very program in another role, so that whoever measures has built all that is measured.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use serde_json::Value;

use super::machine::{self, Usage};
use super::yardstick;
use crate::scratch::Scratch;

/// Says in the environment what this program is to be: `chinwag`, `limit`, or the path of another server.
pub(crate) const ROLE: &str = "CHINWAG_BENCH_SERVE";

/// Says in the environment which core it is to stay on.
const CORE: &str = "CHINWAG_BENCH_CORE";

/// Is what the environment asks for.
pub(crate) fn play(role: &str) -> ExitCode {
    if let Some(core) = std::env::var(CORE).ok().and_then(|core| core.parse().ok())
        && let Err(error) = machine::pin(core)
    {
        eprintln!("cannot stay on core {core}: {error}");
    }
    match role {
        "chinwag" => chinwag_commands::main_with(std::env::args_os()),
        "limit" => match yardstick::serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("limit: {error}");
                ExitCode::FAILURE
            }
        },
        program => {
            let error = Command::new(program).args(std::env::args_os().skip(1)).exec();
            eprintln!("cannot run {program}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The error of a server that does not come up, or has ended.
fn no_server(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, why)
}

/// Whether this is the error of a server that does not come up, or has ended.
#[must_use]
pub fn is_no_server(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotConnected
}

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// The one under test.
    Chinwag,
    /// The yardstick.
    Limit,
}

/// How servers are started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// Another program than the one built with the benchmark.
    pub(crate) program: Option<PathBuf>,
    /// More arguments for it.
    pub(crate) args: Vec<OsString>,
    /// The core it stays on.
    pub(crate) core: Option<usize>,
    /// Where its data goes: on a disk, for durability to cost what it costs.
    pub(crate) folder: PathBuf,
}

/// A running server; killed when dropped.
pub(crate) struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    data: Scratch,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts one with a virtual clock and cheap passwords, and waits until it listens.
    pub(crate) fn start(launch: &Launch, system: System, args: &[&str]) -> io::Result<Process> {
        let mut args = args.to_vec();
        args.push("--test");
        let mut process = Process::spawn(launch, system, &args)?;
        let ready: Value = serde_json::from_str(&process.line()?)?;
        process.address = ready["listening"][0]
            .as_str()
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| no_server(&format!("it does not say where it listens: {ready}")))?;
        Ok(process)
    }

    /// Starts one as it is for users, with real passwords.
    pub(crate) fn start_real(launch: &Launch, system: System, args: &[&str]) -> io::Result<Process> {
        if system == System::Limit {
            return Process::start(launch, system, args);
        }
        let mut process = Process::spawn(launch, system, args)?;
        let said = process.line()?;
        process.address = said
            .split_whitespace()
            .find_map(|word| word.parse().ok())
            .ok_or_else(|| no_server(&format!("it does not say where it listens: {said}")))?;
        Ok(process)
    }

    fn spawn(launch: &Launch, system: System, args: &[&str]) -> io::Result<Process> {
        let data = Scratch::in_folder(&launch.folder, "load-")?;
        let mut command = Command::new(std::env::current_exe()?);
        match (system, &launch.program) {
            (System::Limit, _) => command.env(ROLE, "limit"),
            (System::Chinwag, None) => command.env(ROLE, "chinwag"),
            (System::Chinwag, Some(program)) => command.env(ROLE, program),
        };
        if let Some(core) = launch.core {
            command.env(CORE, core.to_string());
        }
        command.args(["--host", "127.0.0.1", "--port", "0", "--log", "warn", "--data"]).arg(data.path()).args(&launch.args).args(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the server has no pipes"));
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Ok(Process { child, stdin, stdout: BufReader::new(stdout), data, address })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line)? == 0 {
            return Err(no_server("it ended"));
        }
        Ok(line)
    }

    /// Asks the control channel of a server that was started with [`Process::start`].
    pub(crate) fn ask(&mut self, what: &str) -> io::Result<Value> {
        self.stdin.write_all(format!("{what}\n").as_bytes())?;
        Ok(serde_json::from_str(&self.line()?)?)
    }

    /// How many commits it has made; 0 if it keeps nothing.
    pub(crate) fn commits(&mut self) -> io::Result<u64> {
        Ok(self.ask("dump")?["commits"].as_u64().unwrap_or(0))
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> io::Result<Usage> {
        Usage::of(self.child.id())
    }

    /// Its resident memory, in bytes.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        machine::resident(self.child.id())
    }

    /// Its process number, for profilers.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it keeps its data.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Refused only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
