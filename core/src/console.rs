//! The console: the terminal that the server was started from. What is typed there is obeyed with an operator's
//! authority, by the same commands as everywhere.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use chinwag_wire::dialect::{self, Line, Partial};
use chinwag_wire::{Event, dialect::text};
use rustix::event::{PollFd, PollFlags, poll};

use crate::ctx::Caller;
use crate::dispatch::{Answer, dispatch};
use crate::server::Server;

/// The dialect of people: see [`dialect::ALL`].
const TEXT: usize = 0;

/// The longest line, in bytes: what a terminal gives at most, in its ordinary mode.
const LINE_BYTES: usize = 4096;

/// How often a server in the background looks whether it is in the foreground again, when something is typed.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Obeys one line at the console. Everything it caused is kept, and on its way to those who see it, before this returns.
pub(crate) async fn obey(server: &Arc<Server>, caller: &mut Caller, line: &Line<'_>) -> Option<Answer> {
    let answer = dispatch(server, caller, line).await;
    server.sequencer.settled().await;
    answer
}

/// Obeys the terminal on stdin until it is closed. Returns at once if stdin is none.
pub(crate) fn obey_terminal(server: &Arc<Server>) {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return;
    }
    // Unbuffered: nothing may be read before it is known that it is meant for this process.
    let Ok(owned) = stdin.as_fd().try_clone_to_owned() else { return };
    if let Err(error) = obey_lines(server, &File::from(owned)) {
        tracing::debug!(%error, "the console is closed");
    }
}

fn obey_lines(server: &Arc<Server>, mut terminal: &File) -> io::Result<()> {
    let (mut caller, mut partial) = (Caller::console(TEXT), Partial::default());
    let mut read = vec![0; LINE_BYTES];
    loop {
        wait_for_input(terminal)?;
        let count = terminal.read(&mut read)?;
        if count == 0 {
            return say("the console is closed; the server goes on");
        }
        let mut input = &read[..count];
        while !input.is_empty() {
            let (taken, line) = dialect::ALL[TEXT].decode(&mut partial, input, LINE_BYTES);
            input = &input[taken..];
            let answer = match line {
                None => continue,
                // Not the block_on of the reactor: the shards turn it, and whoever else does takes turns with them.
                Some(Ok(line)) => smol::future::block_on(obey(server, &mut caller, &line)),
                Some(Err(refused)) => Some(Answer::refused(refused.refusal)),
            };
            for event in answer.iter().flat_map(|answer| &answer.events) {
                if !matches!(event, Event::Goodbye) {
                    say(&text::shown(event))?;
                }
            }
            if caller.leaving.is_some() {
                return say("the console is closed; the server goes on, Ctrl-C ends it");
            }
        }
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Waits until something has been typed, and typed to this server. One that was put in the background (`chinwagd &`)
/// and reads from the terminal all the same is stopped by the system, connections and all.
fn wait_for_input(terminal: &File) -> io::Result<()> {
    loop {
        poll(&mut [PollFd::new(terminal, PollFlags::IN)], None)?;
        match rustix::termios::tcgetpgrp(terminal) {
            Ok(group) if group == rustix::process::getpgrp() => return Ok(()),
            Ok(_) => std::thread::sleep(LOOK_AGAIN),
            // No terminal of this process's session: then nobody is stopped for reading it.
            Err(_) => return Ok(()),
        }
    }
}
