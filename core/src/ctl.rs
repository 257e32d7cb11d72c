//! `chinwagd ctl COMMAND`: the console from elsewhere on the server's machine, through a socket in the data folder.
//!
//! Whoever may open the socket is an operator: it has mode 0600, so that these are the server's own user and root. What is
//! spoken on it is the dialect json, one line a command, as docs/protocol.md tells it.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chinwag_wire::dialect::json::{decode_server_line, encode_line};
use chinwag_wire::dialect::{self, Line, Marks, Partial, text};
use chinwag_wire::{Event, Refusal, code};
use smol::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::console::obey;
use crate::ctx::Caller;
use crate::dispatch::Answer;
use crate::net::shard;
use crate::server::Server;

/// The name of the socket in the data folder.
pub(crate) const SOCKET: &str = "ctl";

/// The longest line, in bytes: an announcement, a reason.
const LINE_BYTES: usize = 64 * 1024;

/// How many may be connected at a time: a script that forgets to end its children does not use up the file handles.
const CONNECTIONS_MAX: usize = 64;

/// How many lines of commands may wait for a listener's turn.
const BACKLOG: i32 = 16;

/// Binds the socket. The data folder's lock is held: what is there already was left by a server that is no more.
///
/// # Errors
/// When it cannot be made, for example because the path is longer than a socket's may be (a hundred bytes).
pub(crate) fn bind(folder: &Path) -> io::Result<UnixListener> {
    let path = folder.join(SOCKET);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(&path)?)?;
    // Before anybody can connect: nobody can until it listens.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts and obeys for as long as the server lives. Runs on a shard.
pub(crate) async fn serve(listener: UnixListener, server: Arc<Server>) {
    let listener = match Async::new(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "`chinwagd ctl` does not work"),
    };
    let connected = Arc::new(AtomicUsize::new(0));
    let mut is_told = false;
    loop {
        let accepted = listener.accept().await;
        let told_before = std::mem::replace(&mut is_told, accepted.is_err());
        match accepted {
            Ok((stream, _)) if connected.load(Ordering::Relaxed) < CONNECTIONS_MAX => {
                let (server, connected) = (Arc::clone(&server), Arc::clone(&connected));
                connected.fetch_add(1, Ordering::Relaxed);
                shard::spawn(async move {
                    if let Err(error) = hear(stream, &server).await {
                        tracing::debug!(%error, "`chinwagd ctl` was cut off");
                    }
                    connected.fetch_sub(1, Ordering::Relaxed);
                });
            }
            Ok((mut stream, _)) => {
                let refusal = Refusal::new(code::TOO_MANY_CONNECTIONS, "too many of `chinwagd ctl` are running").hint("end some");
                let answer = Answer::refused(refusal).bytes(json(), &Marks::default());
                let _ = stream.write_all(&answer).await;
            }
            Err(error) => {
                if !told_before {
                    tracing::warn!(%error, "cannot accept `chinwagd ctl`; trying again until it works");
                }
                smol::Timer::after(Duration::from_millis(100)).await;
            }
        }
    }
}

fn json() -> usize {
    dialect::index_of("json").unwrap_or(0)
}

async fn hear(mut stream: Async<UnixStream>, server: &Arc<Server>) -> io::Result<()> {
    let json = json();
    let (mut caller, mut partial) = (Caller::console(json), Partial::default());
    let mut read = vec![0; 4096];
    loop {
        let count = stream.read(&mut read).await?;
        if count == 0 {
            return Ok(());
        }
        let mut input = &read[..count];
        while !input.is_empty() {
            let (taken, line) = dialect::ALL[json].decode(&mut partial, input, LINE_BYTES);
            input = &input[taken..];
            let (answer, marks) = match line {
                None => continue,
                Some(Ok(line)) => (obey(server, &mut caller, &line).await, line.marks),
                Some(Err(refused)) => (Some(Answer::refused(refused.refusal)), refused.marks),
            };
            if let Some(answer) = answer {
                stream.write_all(&answer.bytes(json, &marks)).await?;
            }
            if caller.leaving.is_some() {
                return Ok(());
            }
        }
    }
}

/// Has the server that keeps its data in `folder` obey `words`, or, if there are none, each line of stdin. Prints what it
/// answers: for people, or (`json`) as it is. The exit code says whether everything was done.
pub(crate) fn ask(folder: &Path, words: &[String], json: bool) -> ExitCode {
    match try_ask(folder, words, json) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn try_ask(folder: &Path, words: &[String], json: bool) -> Result<bool, String> {
    let path = folder.join(SOCKET);
    let stream = UnixStream::connect(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            format!("no server runs on {}: start it, or say with --data or --config which one you mean", folder.display())
        }
        io::ErrorKind::PermissionDenied => {
            format!("{} is for the server's own user: run this as that user, or as root", path.display())
        }
        _ => format!("cannot reach the server through {}: {error}", path.display()),
    })?;
    let mut answers = BufReader::new(&stream);
    if !words.is_empty() {
        return exchange(&stream, &mut answers, &words.join(" "), json);
    }
    let mut all_done = true;
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| format!("cannot read stdin: {error}"))?;
        if !line.trim().is_empty() {
            all_done &= exchange(&stream, &mut answers, &line, json)?;
        }
    }
    Ok(all_done)
}

/// One line and its answers. Says whether it was done.
fn exchange(mut stream: &UnixStream, answers: &mut impl BufRead, line: &str, json: bool) -> Result<bool, String> {
    let cut_off = |error: io::Error| format!("the server was cut off: {error}");
    let line = Line { text: line.into(), marks: Marks { tag: Some("ctl".to_owned()), key: None } };
    stream.write_all(&encode_line(&line)).map_err(cut_off)?;
    let mut done = true;
    loop {
        let mut answer = String::new();
        if answers.read_line(&mut answer).map_err(cut_off)? == 0 {
            return Err("the server ended before it had answered".to_owned());
        }
        let told = decode_server_line(&answer).map_err(|error| format!("the server said something that is no answer: {error}"))?;
        let refused = matches!(told.event, Event::Refusal(_) | Event::Closing(_));
        done &= !refused;
        // A closed pipe behind us is no failure of the command.
        let shown = text::shown(&told.event);
        let _ = match (json, refused) {
            (true, _) => io::stdout().write_all(answer.as_bytes()),
            (false, true) => writeln!(io::stderr(), "{shown}"),
            (false, false) if shown.is_empty() => Ok(()),
            (false, false) => writeln!(io::stdout(), "{shown}"),
        };
        if told.done {
            return Ok(done);
        }
    }
}
