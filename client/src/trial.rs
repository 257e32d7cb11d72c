//! `chinwag try`: a server for one visit, with somebody on it who shows around. However this program ends, the
//! server ends with it and removes what it kept: it holds on to a pipe that only this program holds open.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use chinwag_wire::name;
use clap::Args;
use serde::Deserialize;

use crate::address::Place;
use crate::connection::{Security, Server};
use crate::failure::Failure;
use crate::login::Applicant;
use crate::password::Source;
use crate::tour::GUIDE;

/// The server program.
const PROGRAM: &str = "chinwagd";
/// What a visitor is called whose name at this machine cannot be one, or is taken.
const VISITOR: &str = "visitor";
/// The longest line with which a server says that it is ready; it has some hundred bytes.
const READY_BYTES_MAX: u64 = 64 * 1024;
/// How much of what a server says before it gives up is passed on.
const WHY_BYTES_MAX: u64 = 4096;
/// How long the server may take to end in order: longer than the seven seconds it gives itself to see everybody off. One that is
/// killed leaves its folder behind.
const END_PATIENCE: Duration = Duration::from_secs(15);

/// Try it out: a private server for this visit, and somebody on it who shows around. It leaves nothing behind.
#[derive(Args, Clone, Debug)]
pub(crate) struct TryArgs {
    /// The server program, if it is neither beside this one nor in the PATH.
    #[arg(long, value_name = "PATH")]
    chinwagd: Option<PathBuf>,
}

/// A server that ends with its visitor.
pub(crate) struct TrialServer {
    child: Option<Child>,
    /// It ends when this is closed.
    held: Option<ChildStdin>,
    place: Place,
}

/// What a server says when it is ready, as far as it matters here.
#[derive(Deserialize)]
struct Ready {
    listening: Vec<std::net::SocketAddr>,
}

impl TrialServer {
    /// Starts one, and returns when it is ready.
    ///
    /// # Errors
    /// There is no server program, or it does not start.
    pub(crate) fn start(args: &TryArgs) -> Result<TrialServer, Failure> {
        let program = match &args.chinwagd {
            Some(path) => path.clone(),
            None => find(env::current_exe().ok().as_deref(), env::var_os("PATH").as_deref()).ok_or_else(|| {
                Failure::usage(format!("there is no `{PROGRAM}` beside this program or in the PATH; --chinwagd PATH says where it is"))
            })?,
        };
        let cannot = |why: String| Failure::no_link(format!("cannot start {}: {why}", program.display()));
        let mut command = Command::new(&program);
        command.args(["--temporary", "--host", "127.0.0.1", "--port", "0", "--log", "error"]);
        // A group of its own: Ctrl-C is for the chat, and the chat decides when the server goes.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|error| cannot(error.to_string()))?;
        let held = child.stdin.take();
        let (complaints, complained) = mpsc::sync_channel(1);
        if let Some(errors) = child.stderr.take() {
            thread::spawn(move || {
                let mut why = Vec::new();
                let mut errors = BufReader::new(errors);
                let _ = errors.by_ref().take(WHY_BYTES_MAX).read_to_end(&mut why);
                let _ = complaints.send(String::from_utf8_lossy(&why).trim().to_owned());
                // Read on, or a server that has much to complain of would wait for ever.
                let _ = std::io::copy(&mut errors, &mut std::io::sink());
            });
        }
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            let _ = BufReader::new(output).take(READY_BYTES_MAX).read_line(&mut line);
        }
        // From here on, whatever happens, it is seen off.
        let mut server = TrialServer { child: Some(child), held, place: Place { host: String::new(), port: 0 } };
        let address = serde_json::from_str::<Ready>(&line).ok().and_then(|ready| ready.listening.first().copied());
        let Some(address) = address else {
            server.end();
            let why = complained.recv_timeout(END_PATIENCE).unwrap_or_default();
            let why =
                if why.is_empty() { "it ends without a word, or does not say what a server of this version says".to_owned() } else { why };
            return Err(cannot(why));
        };
        server.place = Place { host: address.ip().to_string(), port: address.port() };
        Ok(server)
    }

    /// How to get there.
    pub(crate) fn server(&self) -> Server {
        // It is on this machine, for this visit.
        Server { place: self.place.clone(), security: Security::Plain, wire: None }
    }

    /// Ends it, and waits for that.
    fn end(&mut self) {
        drop(self.held.take());
        let Some(mut child) = self.child.take() else { return };
        let id = rustix::process::Pid::from_child(&child);
        let (ended, end) = mpsc::channel();
        thread::spawn(move || ended.send(child.wait()));
        if end.recv_timeout(END_PATIENCE).is_err() {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
            let _ = end.recv();
        }
    }
}

impl Drop for TrialServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// The server program beside this one, or else the first in the PATH.
fn find(this: Option<&Path>, path: Option<&OsStr>) -> Option<PathBuf> {
    let beside = this.and_then(Path::parent).map(Path::to_owned);
    let folders = path.map(|path| env::split_paths(path).collect::<Vec<_>>()).unwrap_or_default();
    beside.into_iter().chain(folders).map(|folder| folder.join(PROGRAM)).find(|file| file.is_file())
}

/// The visitor: as at this machine, if that can be a name.
///
/// # Errors
/// This machine has no randomness.
pub(crate) fn visitor() -> Result<Applicant, Failure> {
    let named = env::var("USER").ok().filter(|user| name::check(user).is_ok() && !user.eq_ignore_ascii_case(GUIDE));
    Ok(Applicant {
        name: Some(named.unwrap_or_else(|| VISITOR.to_owned())),
        source: Source::Given(password()?),
        sign_up: true,
        invite: None,
    })
}

/// A password that nobody has to know.
///
/// # Errors
/// This machine has no randomness.
pub(crate) fn password() -> Result<String, Failure> {
    let random = getrandom::u64().map_err(|error| Failure::no_link(format!("this machine has no randomness: {error}")))?;
    Ok(format!("{random:016x}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_server_beside_this_program_goes_before_those_in_the_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        fs::create_dir_all(&here).expect("makes");
        fs::create_dir_all(there.join("bin")).expect("makes");
        let path = env::join_paths([folder.path().join("nowhere"), there.join("bin")]).expect("a PATH");
        let found = || find(Some(&here.join("chinwag")), Some(&path));
        assert_eq!(found(), None);
        fs::write(there.join("bin").join(PROGRAM), "").expect("writes");
        assert_eq!(found(), Some(there.join("bin").join(PROGRAM)));
        fs::write(here.join(PROGRAM), "").expect("writes");
        assert_eq!(found(), Some(here.join(PROGRAM)));
        assert_eq!(find(None, None), None);
    }
}
