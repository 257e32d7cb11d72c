//! `record`: a live session as a scenario.

use std::io::{self, BufRead};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use chinwag_harness::dictation::Trouble;
use chinwag_harness::play::{EPOCH, SEED};
use chinwag_harness::record::{self, Tape};
use chinwag_harness::scratch::Scratch;
use chinwag_harness::server::{Server, Settings};

use super::Target;
use crate::Exit;

/// How often what was recorded has to play before it is written.
const TIMES: usize = 2;

/// Stands between clients and a server, and makes a scenario of what they say.
///
/// Connect to the address that is printed, with nc or with `chinwag`, with TLS or without; press Enter (or end the input) when it
/// is over.
/// Time stands still meanwhile. Numbers and tokens are remembered instead of written. The scenario is played twice before it is
/// written.
#[derive(clap::Args)]
pub(crate) struct Record {
    /// Where the scenario goes.
    file: PathBuf,
    /// The port to listen on; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Replaces names, passwords and texts by others.
    #[arg(long)]
    pseudonyms: bool,
    /// What the scenario is about.
    #[arg(long, value_name = "TEXT", default_value = "what was recorded")]
    about: String,
    /// Writes over a file that is there.
    #[arg(long)]
    force: bool,
    /// An argument for the server; may be repeated.
    #[arg(long = "arg", value_name = "ARG", allow_hyphen_values = true)]
    args: Vec<String>,
    #[command(flatten)]
    target: Target,
}

impl Record {
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        if self.file.exists() && !self.force {
            return Err(io::Error::other(format!("{} is there already; --force writes over it", self.file.display())));
        }
        let launch = self.target.launch()?;
        let listener = TcpListener::bind(("127.0.0.1", self.port))
            .map_err(|error| io::Error::new(error.kind(), format!("port {}: {error}", self.port)))?;
        let data = Scratch::new()?;
        let settings = Settings { data: data.path(), port: 0, seed: SEED, epoch: EPOCH, args: &self.args };
        let mut server = match smol::block_on(Server::start(&launch, &settings)) {
            Ok(server) => server,
            Err(trouble) => {
                eprintln!("error: {trouble}");
                return Ok(Exit::NotStarted.into());
            }
        };
        println!("connect to {}; Enter ends it", listener.local_addr()?);
        let tape = Tape::default();
        let over = smol::unblock(|| io::stdin().lock().read_line(&mut String::new()));
        let recorded = smol::block_on(smol::future::or(tape.record(listener, server.address, record::encryption(data.path())), async {
            over.await.map(drop)
        }));
        // What the clients said is in the server's hands: it has to be done with it before it goes.
        let _ = smol::block_on(server.ask("quiesce"));
        smol::block_on(server.crash());
        recorded?;
        if tape.is_empty() {
            return Err(io::Error::other("nobody said anything"));
        }
        let cards = chinwag_commands::stock().cards();
        let dictation = tape.dictation(&self.about, &self.args, self.pseudonyms.then_some(cards.as_slice()));
        let mut dictation = dictation.map_err(|why| io::Error::other(why.0))?;
        let played = dictation.fill(&launch).and_then(|()| {
            dictation.forget_late_drops();
            dictation.verify(&launch, TIMES)
        });
        match played {
            Ok(()) => {}
            Err(Trouble::NotStarted(why)) => {
                eprintln!("error: the server did not start: {why}");
                return Ok(Exit::NotStarted.into());
            }
            Err(Trouble::Mistaken(why) | Trouble::Failed(why)) => {
                println!("{why}\nwhat was recorded does not play; nothing is written");
                return Ok(Exit::Failed.into());
            }
        }
        std::fs::write(&self.file, dictation.text())
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.file.display())))?;
        println!("{} steps, played {TIMES} times: {}", dictation.steps.len(), self.file.display());
        Ok(ExitCode::SUCCESS)
    }
}
