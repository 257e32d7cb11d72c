//! `chinwag`, the client: chat in a terminal, or through pipes.
//!
//! The life of it: [`args`] say where to and who; [`connection`] gets there and makes sure of the server
//! ([`trust`]); [`login`] gets in; then a [`session`] lives between the server and a [`prompt`] or a [`script`],
//! and the [`screen`] shows what arrives. The client knows no command of the server by name, but for the few that
//! its own [`machinery`] sends: completion, hints and history go by the cards that the server sends.

mod address;
mod args;
mod audience;
mod backoff;
mod certificate;
mod chat;
mod complete;
mod config;
mod connection;
mod dialogue;
mod echo;
mod failure;
mod generate;
mod here;
mod highlights;
mod history;
mod interface;
mod keys;
mod knowledge;
mod leave;
mod local;
mod login;
mod machinery;
mod meaning;
mod password;
mod private;
mod prompt;
mod redraw;
mod replace;
mod report;
mod screen;
mod script;
mod secrets;
mod send;
mod session;
mod tail;
mod theme;
mod tour;
mod trial;
mod trust;
mod trusting;
mod wrap;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use chinwag_wire::SafeText;
use clap::Parser;
use etcetera::{AppStrategy, AppStrategyArgs, choose_app_strategy};
use smol::future::or;

use crate::args::{Args, Errand};
use crate::chat::Chat;
use crate::config::{Config, Destination};
use crate::connection::{Security, Server};
use crate::failure::Failure;
use crate::here::Here;
use crate::history::HistoryFile;
use crate::interface::Live;
use crate::knowledge::SharedKnowledge;
use crate::leave::Leave;
use crate::login::{Applicant, login};
use crate::private::{Folders, Private};
use crate::report::Form;
use crate::session::{Carried, LinkState};
use crate::theme::When;
use crate::tour::Guide;
use crate::trial::{TrialServer, TryArgs};
use crate::trust::{KnownHosts, Vouchers};

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for (number, line) in failure.message.lines().enumerate() {
                // What a server had to say is among it.
                let line = SafeText::new(line);
                dialogue::say(&if number == 0 { format!("chinwag: {line}") } else { line.to_string() });
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    if let Some(Errand::Generate(generate)) = &args.errand {
        return generate::run(generate);
    }
    let folder = folders().map(|folders| folders.config_dir());
    let config = Config::read(&args.config, folder.as_deref())?;
    match &args.errand {
        None if args.json && io::stdin().is_terminal() => {
            Err(Failure::usage("--json is for programs: pipe what to say into it, or say `chinwag tail --json` to read only"))
        }
        None => {
            let people = !args.json && prompt::is_possible();
            let _silent = people.then(echo::NoEcho::new);
            if people && let Some(file) = config::begin(&args.config, folder.as_deref()) {
                dialogue::say(&format!("* settings can be changed in {}", file.display()));
            }
            // From here on it is a setting like any other: `/set color` goes before it.
            let config = Config { color: args.color.unwrap_or(config.color), ..config };
            let at_a_terminal = people || !args.json && prompt::is_plain_terminal();
            match arrive(args, &config, !at_a_terminal)? {
                Some((chat, history)) if people => {
                    let file = config::file(&args.config, folder.as_deref());
                    chat_with_people(chat.of_people(config, file, private_folders())?, &history, args)
                }
                Some((chat, _)) if at_a_terminal => {
                    let file = config::file(&args.config, folder.as_deref());
                    prompt::run_plain(chat.of_people(config, file, private_folders())?)
                }
                Some((chat, _)) => script::run(chat, args.form(), config.color),
                None => Ok(()),
            }
        }
        Some(Errand::Send(send)) => with_chat(args, &config, |chat| send::run(chat, send, args.form())),
        Some(Errand::Tail(tail)) => with_chat(args, &config, |chat| tail::run(chat, tail, args.form())),
        Some(Errand::Trust(trust)) => {
            trusting::run(trust, &known_hosts()?, |address| config.destination(Some(address), args.port, args.wire))
        }
        Some(Errand::Try(trial)) => try_out(trial, config, args.form(), args.color),
        Some(Errand::Config) => config::print(&config, &args.config, folder.as_deref()),
        Some(Errand::Generate(generate)) => generate::run(generate),
    }
}

/// Logs in for an errand that has to be done.
fn with_chat(args: &Args, config: &Config, errand: impl FnOnce(Chat) -> Result<(), Failure>) -> Result<(), Failure> {
    match arrive(args, config, true)? {
        Some((chat, _)) => errand(chat),
        None => Err(Failure::interrupted("interrupted before the login")),
    }
}

/// Connects and logs in as the command line says, for a program or for people; `None` if the one at the keyboard leaves.
fn arrive(args: &Args, config: &Config, is_program: bool) -> Result<Option<(Chat, HistoryFile)>, Failure> {
    let Destination { user, place } = config.destination(args.address.as_ref(), args.port, args.wire)?;
    let applicant = Applicant::of(args, user)?;
    let history = HistoryFile::open(history_folder(), &place, config.history);
    let server = Server { security: security(args)?, place, wire: args.wire };
    let reconnect_for = args.reconnect_for.unwrap_or_else(|| config.reconnect_for(is_program));
    let chat = go_in(server, applicant, reconnect_for, config.ping_after.0, SharedKnowledge::default())?;
    Ok(chat.map(|chat| (chat, history)))
}

/// Chats until logout. When the server does not know the session any more (its token has expired, or was revoked), the one at the
/// keyboard is asked to log in again, and the chat goes on where it was.
fn chat_with_people(mut chat: Chat, history: &HistoryFile, args: &Args) -> Result<(), Failure> {
    let _private = chat.private.as_ref().map(Private::until_left);
    loop {
        let (server, name, knowledge) = (chat.server.clone(), chat.name().to_owned(), chat.knowledge.clone());
        let (reconnect_for, ping_after, live, private) = (chat.reconnect_for, chat.ping_after, chat.live.clone(), chat.private.clone());
        let here = chat.here.clone();
        let carried = Carried::default();
        // What is left there by the session before is taken by this one.
        let carried = chat.carried.get_or_insert(carried).clone();
        let Err(failure) = prompt::run(chat, history) else { return Ok(()) };
        if carried.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return Err(failure);
        }
        dialogue::say(&format!("* {}", SafeText::new(&failure.message)));
        let applicant = Applicant::again(args, name)?;
        match go_in(server, applicant, reconnect_for, ping_after, knowledge)? {
            Some(next) => chat = Chat { carried: Some(carried), live, here, private, ..next },
            None => return Err(failure),
        }
    }
}

/// Connects and logs in; `None` if the one at the keyboard leaves.
fn go_in(
    server: Server,
    applicant: Applicant,
    reconnect_for: Duration,
    ping_after: Duration,
    knowledge: SharedKnowledge,
) -> Result<Option<Chat>, Failure> {
    // What is typed before the password is asked for may be the password. (Without a terminal there is nothing to hide.)
    let _silent = echo::NoEcho::new();
    let leave = Leave::listen().map_err(|error| Failure::usage(format!("cannot listen to signals: {error}")))?;
    let arrival = enter(server, applicant, &knowledge);
    let left = async {
        leave.wished().await;
        Ok(None)
    };
    let Some((server, inside, greeting)) = smol::block_on(or(arrival, left))? else {
        return Ok(None);
    };
    Ok(Some(Chat {
        server,
        inside,
        greeting,
        reconnect_for,
        knowledge,
        leave,
        link: LinkState::default(),
        ping_after,
        local: None,
        live: Live::default(),
        here: Here::default(),
        private: None,
        carried: None,
        watcher: None,
    }))
}

/// `chinwag try`: chats on a server of one's own, shown around by the guide.
fn try_out(args: &TryArgs, config: Config, form: Form, color: Option<When>) -> Result<(), Failure> {
    let trial = TrialServer::start(args)?;
    dialogue::say("* this is a server of your own, for this visit: when you leave, it is gone, and so is all that was said on it");
    let visitor = trial::visitor()?;
    let guide = smol::block_on(Guide::arrive(&trial.server(), visitor.name.as_deref().unwrap_or_default()))?;
    let Some(chat) = go_in(trial.server(), visitor, Duration::ZERO, config.ping_after.0, SharedKnowledge::default())? else {
        return Ok(());
    };
    let (watcher, answers) = async_channel::bounded(tour::ANSWERS_MAX);
    thread::spawn(move || smol::block_on(guide.show_around(answers)));
    let chat = Chat { watcher: Some(watcher), ..chat };
    let config = Config { color: color.unwrap_or(config.color), ..config };
    // The trial server is seen off when this returns.
    if prompt::is_possible() {
        let chat = chat.of_people(config, None, None)?;
        let _private = chat.private.as_ref().map(Private::until_left);
        prompt::run(chat, &HistoryFile::none())
    } else {
        script::run(chat, form, config.color)
    }
}

type Arrived = (Server, login::LoggedIn, Vec<chinwag_wire::Event>);

/// Connects and logs in; `None` if the one at the keyboard leaves.
async fn enter(mut server: Server, applicant: Applicant, knowledge: &SharedKnowledge) -> Result<Option<Arrived>, Failure> {
    let opened = connection::open(&server).await?;
    opened.notices.iter().for_each(|notice| dialogue::say(&format!("* {notice}")));
    opened.greeting.iter().for_each(|event| knowledge.lock().learn(event));
    if let Security::Pinned { accept_new, .. } = &mut server.security {
        // It was said of the certificate shown now, not of any that may come after it.
        *accept_new = false;
    }
    let inside = login(&server, opened.link, applicant, knowledge).await?;
    Ok(inside.map(|inside| (server, inside, opened.greeting)))
}

fn security(args: &Args) -> Result<Security, Failure> {
    if args.plain {
        return Ok(Security::Plain);
    }
    if let Some(file) = &args.ca {
        return Ok(Security::Vouched(Arc::new(Vouchers::read(file, connection::provider())?)));
    }
    Ok(Security::Pinned { known: known_hosts()?, accept_new: args.accept_new_fingerprint })
}

fn known_hosts() -> Result<KnownHosts, Failure> {
    let known = folders().map(|folders| KnownHosts::at(folders.in_config_dir("known-hosts")));
    known.ok_or_else(|| Failure::usage("there is no home folder to remember the server's fingerprint in: set HOME, or say --ca FILE"))
}

/// Where private chats keep what lasts; without a home they keep nothing.
fn private_folders() -> Option<Folders> {
    let folders = folders()?;
    Some(Folders { config: folders.config_dir(), state: folders.state_dir()? })
}

fn history_folder() -> Option<PathBuf> {
    folders().and_then(|folders| folders.in_state_dir("history"))
}

/// The folders of this program, by the XDG rules.
fn folders() -> Option<impl AppStrategy> {
    let names = AppStrategyArgs { top_level_domain: String::new(), author: String::new(), app_name: "chinwag".to_owned() };
    choose_app_strategy(names).ok()
}
