//! `chinwagd`: from the command line to a running server, and to its end.

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use async_signal::{Signal, Signals};
use chinwag_wire::dialect::{Line, Marks, text};
use chinwag_wire::{Event, Millis, Refusal, dialect};
use clap::{Arg, ArgAction, ArgMatches};
use etcetera::BaseStrategy;
use smol::stream::StreamExt;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{self, Config, Door, Durability, LogFormat, Plain, Seconds, Sessions, Setting, Settings as _};
use crate::console;
use crate::control;
use crate::ctl;
use crate::ctx::Caller;
use crate::generate;
use crate::hall::{Hall, Policy};
use crate::net::census::Census;
use crate::net::flood::Flood;
use crate::net::listener;
use crate::net::relay::Relays;
use crate::net::shard::{self, ShardParts, ShardSenders, Told};
use crate::net::tls;
use crate::passwords::{Cost, Passwords};
use crate::registry::Registry;
use crate::reload;
use crate::sequencer::Sequencer;
use crate::server::{Library, Parts, Server, Settings, unreadable};
use crate::store::sqlite::{self, SqliteReader};
use crate::store::{DeedLine, Page, Question, Reader, StoreError, Writer};
use crate::tally::Tally;
use crate::written::Written;

/// How many threads read the past: one long search does not hold up the mail of all who log in.
const READERS: usize = 2;

/// How many questions about the past may wait. Each belongs to one connection, which waits for it.
const QUESTIONS_MAX: usize = 4096;

/// The lock file in the data folder: two servers on one store would each miss what the other accepts.
const LOCK: &str = "lock";

/// When a virtual clock starts, unless told otherwise: 2026-01-01 00:00:00Z.
const EPOCH: Millis = Millis(1_767_225_600_000);

/// Runs a server with these commands, as the command line says, until it is told to end.
pub fn main_with(registry: Registry, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command_line().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    if let Some(kind) = matches.get_one::<String>("generate") {
        return if generate::print(kind, command_line()).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let (mut config, test) = match configured(&matches) {
        Ok(configured) => configured,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return ExitCode::from(2);
        }
    };
    if let Some(("cert", asked)) = matches.subcommand() {
        let file = asked.subcommand().and_then(|(_, asked)| asked.get_one::<PathBuf>("FILE"));
        return match export_certificate(&config, file.map(PathBuf::as_path)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("error: {why}");
                ExitCode::FAILURE
            }
        };
    }
    if let Some((_, asked)) = matches.subcommand() {
        let words: Vec<String> = asked.get_many::<String>("COMMAND").into_iter().flatten().cloned().collect();
        return match data_path(&config) {
            Ok(folder) => ctl::ask(&folder, &words, asked.get_flag("json")),
            Err(why) => {
                eprintln!("error: {why}");
                ExitCode::from(2)
            }
        };
    }
    if matches.get_flag("check") {
        // One that is not named is made at the first start.
        if let Some(given) = config.certificate.as_deref().zip(config.key.as_deref())
            && let Err(why) = tls::load(Path::new("."), Some(given), &config.host)
        {
            eprintln!("error: {why}");
            return ExitCode::from(2);
        }
        println!("the configuration is fine");
        return ExitCode::SUCCESS;
    }
    let temporary = match matches.get_flag("temporary").then(TemporaryFolder::make).transpose() {
        Ok(temporary) => temporary,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(TemporaryFolder(path)) = &temporary {
        config.data = Some(path.clone());
    }
    let (data, held) = (config.data.clone(), temporary.is_some());
    // As it was read now, but for the folder, which may be one that was made now.
    let read = move || configured(&matches).map(|(config, _)| if held { Config { data: data.clone(), ..config } } else { config });
    match serve(config, Box::new(read), test, held, registry) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// A data folder that goes, with all that is in it, when the server ends.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn make() -> Result<TemporaryFolder, String> {
        let path = std::env::temp_dir().join(format!("chinwagd-{}", Chance::System.hex(8)));
        // Not recursive: a folder that is there already is somebody else's.
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| format!("cannot make the folder {}: {error}", path.display()))?;
        Ok(TemporaryFolder(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "cannot remove the folder {}", self.0.display());
        }
    }
}

/// Returns when nobody can write to stdin any more: whoever started this server has closed it, or is gone.
fn wait_for_the_end_of_stdin() {
    // What comes is not for this server.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
}

/// What a test harness asks for.
struct TestMode {
    seed: u64,
    epoch: Millis,
}

pub(crate) fn command_line() -> clap::Command {
    let mut command = clap::Command::new("chinwagd")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A chat server. Without arguments: for this machine only, with everything kept in the user's data folder.")
        .arg(Arg::new("PORT").help("The port (short for --port)"))
        .arg(Arg::new("BLOCK_DURATION").help("For how long too many wrong passwords lock out (short for --block-duration)"))
        .arg(Arg::new("TIMEOUT").help("After how long without a command a user is logged out (short for --timeout)"))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .global(true)
                .help("Read the settings below from this file first (RON: `( port: 2461, guests: true )`)"),
        )
        .arg(Arg::new("check").long("check").action(ArgAction::SetTrue).help("Check the configuration, tell every mistake, and end"))
        .arg(Arg::new("temporary").long("temporary").action(ArgAction::SetTrue).conflicts_with_all(["data", "test"]).help(
            "For programs that start a server for themselves: keep everything in a folder that goes when the server ends, end when stdin \
             is closed, and say on stdout when it is ready as one line of JSON (as in docs/protocol.md)",
        ))
        .arg(Arg::new("generate").long("generate").value_parser(generate::KINDS).hide(true))
        .arg(Arg::new("test").long("test").action(ArgAction::SetTrue).hide(true))
        .arg(Arg::new("seed").long("seed").requires("test").value_parser(clap::value_parser!(u64)).hide(true))
        .arg(Arg::new("epoch").long("epoch").requires("test").value_parser(clap::value_parser!(i64)).hide(true));
    for Setting { key, placeholder, default, help } in Config::reference() {
        let flag = key.replace('_', "-");
        let help = if default == "None" { help } else { format!("{help} [default: {default}]") };
        let setting = Arg::new(key).long(flag).value_name(placeholder).help(help).help_heading("Settings").allow_hyphen_values(true);
        command = command.arg(setting.global(key == "data"));
    }
    for wire in dialect::WIRES {
        let help = format!("Speak {} on this port", wire.about());
        command = command.arg(Arg::new(wire.name()).long(wire.name()).value_name("PORT").help(help).help_heading("Other wires"));
    }
    let export = clap::Command::new("export")
        .about("Write the certificate as PEM, for programs that are told by a file whom to trust")
        .arg(Arg::new("FILE").value_parser(clap::value_parser!(PathBuf)).help("Where to; without it, to stdout"));
    let certificate = clap::Command::new("cert").about("The certificate of the server").subcommand_required(true).subcommand(export);
    command.subcommand(certificate).subcommand(
        clap::Command::new("ctl")
            .about("Give a command to the server that runs on this machine: `chinwagd ctl help` lists them")
            .long_about(
                "Give a command to the server that runs on this machine, with an operator's authority: `chinwagd ctl help` lists \
                 them. Without one, each line of stdin is a command. Ends with 0 if everything was done, with 1 if not. Which \
                 server is meant is said as when it was started: with --data or --config.",
            )
            .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print the answers as they come, one JSON object a line"))
            .arg(Arg::new("COMMAND").num_args(0..).trailing_var_arg(true).allow_hyphen_values(true).help("The command and its arguments")),
    )
}

/// Writes the certificate to a file, or to stdout. Where there is none, it is made: the server that starts next uses it.
fn export_certificate(config: &Config, file: Option<&Path>) -> Result<(), String> {
    let folder = data_folder(config)?;
    let pem = tls::export(&folder, config.certificate.as_deref().zip(config.key.as_deref()), &config.host)?;
    match file {
        Some(file) => fs::write(file, pem).map_err(|error| format!("cannot write {}: {error}", file.display())),
        None => io::stdout().write_all(&pem).map_err(|error| format!("cannot write the certificate: {error}")),
    }
}

/// The settings: defaults, then the file, then the flags.
fn configured(matches: &ArgMatches) -> Result<(Config, Option<TestMode>), String> {
    let mut mistakes = Vec::new();
    let mut config = match matches.get_one::<String>("config") {
        Some(file) => config::read(Path::new(file)).unwrap_or_else(|told| {
            mistakes.push(told);
            Config::default()
        }),
        None => Config::default(),
    };
    let test = matches.get_flag("test").then(|| TestMode {
        seed: matches.get_one("seed").copied().unwrap_or(0),
        epoch: matches.get_one("epoch").copied().map_or(EPOCH, Millis),
    });
    for Setting { key, .. } in Config::reference() {
        let positional = match key {
            "port" => matches.get_one::<String>("PORT"),
            "block_duration" => matches.get_one::<String>("BLOCK_DURATION"),
            "timeout" => matches.get_one::<String>("TIMEOUT"),
            _ => None,
        };
        // The flag wins: it says what it means.
        if let Some(text) = matches.get_one::<String>(key).or(positional)
            && let Err(why) = config.set(key, text)
        {
            mistakes.push(format!("error: --{}: {why}", key.replace('_', "-")));
        }
    }
    for wire in dialect::WIRES {
        match matches.get_one::<String>(wire.name()).map(|port| port.parse()) {
            None => {}
            Some(Ok(port)) => config.listen.0.push(Door::new(wire.name(), port)),
            Some(Err(error)) => mistakes.push(format!("error: --{}: {error}", wire.name())),
        }
    }
    mistakes.extend(config.contradictions().into_iter().map(|why| format!("error: {why}")));
    if mistakes.is_empty() { Ok((config, test)) } else { Err(mistakes.join("\n\n")) }
}

/// Where everything is kept.
fn data_path(config: &Config) -> Result<PathBuf, String> {
    Ok(match &config.data {
        Some(folder) => folder.clone(),
        None => etcetera::choose_base_strategy().map_err(|error| format!("{error}; say where with --data"))?.data_dir().join("chinwag"),
    })
}

fn data_folder(config: &Config) -> Result<PathBuf, String> {
    let folder = data_path(config)?;
    // What is said here is nobody else's business. A folder that was there before keeps its mode: it may have other uses.
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    made.map_err(|error| format!("cannot make the data folder {}: {error}", folder.display()))?;
    Ok(folder)
}

fn start_log(config: &Config) {
    let level = config.log.parse().unwrap_or(tracing::Level::INFO);
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).with_target(false);
    // A log that nobody reads any more is no reason to stop: by default a failed write is reported to the same closed
    // stderr, and that panics.
    let log = log.log_internal_errors(false);
    // Refused when the program that embeds this one has a log already: then that one is used.
    let _ = match config.log_format {
        LogFormat::Human => tracing::subscriber::set_global_default(log.with_ansi(io::stderr().is_terminal()).finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(log.json().finish()),
    };
}

/// Everything that runs, for the end of it.
pub(crate) struct Running {
    pub(crate) server: Arc<Server>,
    pub(crate) shards: ShardSenders,
    pub(crate) census: Arc<Census>,
    pub(crate) relays: Relays,
    pub(crate) log: String,
    ending: AtomicBool,
    data: PathBuf,
    _lock: fs::File,
}

/// Serves until it is told to end; if it is `held`, until nobody holds its stdin any more.
fn serve(
    config: Config,
    read: Box<dyn Fn() -> Result<Config, String> + Send + Sync>,
    test: Option<TestMode>,
    held: bool,
    registry: Registry,
) -> Result<(), String> {
    registry.check().map_err(|clashes| clashes.join("\nerror: "))?;
    start_log(&config);
    // Each connection is a file handle; the default is often a thousand.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "cannot raise the limit on file handles");
    }
    let connections = reload::limits(&config).most;
    if connections < config.connections {
        tracing::info!(wanted = config.connections, "the limit on file handles leaves room for {connections} connections");
    }
    let folder = data_folder(&config)?;
    let lock = lock(&folder)?;
    let listeners = listener::bind(&config.host, config.port)
        .map_err(|error| format!("cannot listen on {} port {}: {error}", config.host, config.port))?;
    let addresses: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let mut doors = Vec::new();
    for door in &config.listen.0 {
        let host = door.host.as_ref().unwrap_or(&config.host);
        let bound = listener::bind(host, door.port)
            .map_err(|error| format!("cannot listen for {} on {host} port {}: {error}", door.wire, door.port))?;
        doors.push(bound);
    }
    let on_wires: Vec<(&str, SocketAddr)> = config
        .listen
        .0
        .iter()
        .zip(&doors)
        .flat_map(|(door, bound)| bound.iter().filter_map(|listener| Some((door.wire.as_str(), listener.local_addr().ok()?))))
        .collect();
    if test.is_some() && addresses.iter().chain(on_wires.iter().map(|(_, address)| address)).any(|address| !address.ip().is_loopback()) {
        return Err("--test is for this machine only: choose a loopback address".to_owned());
    }
    let identity = tls::load(&folder, config.certificate.as_deref().zip(config.key.as_deref()), &config.host)?;

    let chance = Arc::new(test.as_ref().map_or(Chance::System, |test| Chance::seeded(test.seed)));
    let clock = Arc::new(test.as_ref().map_or_else(Clock::machine, |test| Clock::standing_at(test.epoch)));
    let cost = if test.is_some() { Cost::CHEAP } else { Cost::RECOMMENDED };

    let (written, last_run) =
        Written::open(&folder).map_err(|error| format!("cannot open {}: {error}", folder.join(crate::written::FILE).display()))?;
    let opened = sqlite::open(&folder, &chance.hex(8), &last_run)
        .map_err(|error| format!("cannot open the store {}: {error}", folder.join(sqlite::FILE).display()))?;
    let head = opened.loaded.head;
    for slot in 0..crate::written::SLOTS {
        // The file may be older or newer than a store that was put back from a backup.
        written.note(slot, head).map_err(|error| format!("cannot write {}: {error}", folder.join(crate::written::FILE).display()))?;
    }
    let accounts = opened.loaded.accounts.len();

    let shard_count = match config.shards {
        0 => thread::available_parallelism().map_or(1, std::num::NonZero::get).min(crate::written::SLOTS - 1),
        count => count,
    };
    let (senders, inboxes): (Vec<_>, Vec<_>) = (0..shard_count).map(|_| async_channel::unbounded()).unzip();
    let shards = ShardSenders(senders);
    let hall = Hall::load(policy(&config), opened.loaded);
    let durable = config.durability == Durability::Full;
    let sequencer = Arc::new(Sequencer::new(hall, durable, Arc::clone(&clock), shard_count, Box::new(shards.clone())));
    let tally = Arc::new(Tally::default());
    let server = Arc::new(Server::new(Parts {
        registry,
        sequencer: Arc::clone(&sequencer),
        library: Box::new(ReadingRoom::open(&opened.file, Arc::clone(&sequencer))?),
        passwords: Passwords::start(config.password_threads, cost, &chance).map_err(|error| format!("cannot start threads: {error}"))?,
        clock,
        chance,
        settings: settings(&config),
        log: opened.log.clone(),
        tally: Arc::clone(&tally),
    }));

    let mut writer = opened.writer;
    writer.limit(config.limits());
    let commits = Arc::clone(&sequencer);
    let store_thread = start_thread("store".to_owned(), move || {
        commits.commit_until_end(&mut writer);
        writer.finish();
    })?;
    let census = Arc::new(Census::new(reload::limits(&config), Arc::clone(&tally)));
    let flood = Flood::new(config.commands_per_second, config.command_burst, config.command_delay_max.0, tally).map(Arc::new);
    let (relays, carry) = Relays::new(Arc::clone(&server), config.relay_rate);
    start_thread("relay".to_owned(), carry)?;
    let written = Arc::new(written);
    // Those of one wire that have to do with one another are on one shard: each entry has its turn of the shards.
    let door_of = |index: usize| {
        let gathers = dialect::wire_named(&config.listen.0[index].wire).is_some_and(dialect::wire::Wire::gathers);
        listener::Opened { index, only_shard: gathers.then_some(index % shard_count) }
    };
    let on_doors = doors.into_iter().enumerate().flat_map(|(index, bound)| bound.into_iter().map(move |listener| (listener, Some(index))));
    let all: Vec<_> = listeners.into_iter().map(|listener| (listener, None)).chain(on_doors).collect();
    let mut listeners = all.into_iter().map(|(listener, index)| (listener, index.map(door_of)));
    let mut ctl = match ctl::bind(&folder) {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::warn!(%error, "cannot make {}: `chinwagd ctl` will not reach this server", folder.join(ctl::SOCKET).display());
            None
        }
    };
    let (asked_to_end, end) = async_channel::bounded(1);
    // Before anybody is told that it serves: from then on a signal ends it in order.
    let mut signals = Some(Signals::new([Signal::Int, Signal::Term, Signal::Hup]));
    for (index, inbox) in inboxes.into_iter().enumerate() {
        let parts = ShardParts {
            index,
            server: Arc::clone(&server),
            senders: shards.clone(),
            inbox,
            tls: identity.config.clone(),
            written: Arc::clone(&written),
            flood: flood.clone(),
            relays: relays.clone(),
            config: config.clone(),
        };
        // The first shard accepts for all: accepting is rare, and a shard more would be a thread more.
        let here: Vec<_> = if index == 0 { listeners.by_ref().collect() } else { Vec::new() };
        let ctl = ctl.take().map(|listener| ctl::serve(listener, Arc::clone(&server)));
        let (census, shards, asked_to_end) = (Arc::clone(&census), shards.clone(), asked_to_end.clone());
        let (signals, server) = (signals.take(), Arc::clone(&server));
        let store = (index == 0).then(|| Arc::clone(&sequencer));
        start_thread(format!("shard-{index}"), move || {
            let accept = async move {
                if let Some(signals) = signals {
                    shard::spawn(watch_signals(signals, asked_to_end, server));
                }
                if let Some(ctl) = ctl {
                    shard::spawn(ctl);
                }
                if let Some(store) = store {
                    shard::spawn(async move { store.look_after_the_store().await });
                }
                for (listener, door) in here {
                    shard::spawn(listener::accept_all(listener, door, Arc::clone(&census), shards.clone()));
                }
            };
            shard::run(parts, accept);
        })?;
    }

    let (fingerprint, durable_enough) = (identity.fingerprint.clone(), !durability_is_less(&config));
    server.set_host(Arc::new(reload::Program {
        read,
        in_force: Mutex::new(reload::InForce { config: config.clone(), identity }),
        data: folder.clone(),
        server: Arc::downgrade(&server),
        shards: shards.clone(),
        census: Arc::clone(&census),
        relays: relays.clone(),
        policy,
        settings,
    }));
    let running =
        Arc::new(Running { server, shards, census, relays, log: opened.log, ending: AtomicBool::new(false), data: folder, _lock: lock });
    tracing::info!(?addresses, accounts, head, shards = shard_count, durable = durable_enough, "serving");
    if !durable_enough {
        tracing::warn!("durability is Off: what is acknowledged survives the end of the process, but not a loss of power");
    }
    announce(&addresses, &on_wires, &fingerprint, test.is_some() || held, config.plain, &running);
    if held {
        start_thread("holder".to_owned(), move || {
            wait_for_the_end_of_stdin();
            let _ = asked_to_end.try_send(());
        })?;
    } else if test.is_some() {
        let running = Arc::clone(&running);
        start_thread("control".to_owned(), move || control::obey_stdin(&running))?;
    } else {
        let server = Arc::clone(&running.server);
        start_thread("console".to_owned(), move || console::obey_terminal(&server))?;
    }
    let _ = end.recv_blocking();
    running.end();
    let _ = store_thread.join();
    if sequencer.is_failing() {
        return Err("the store failed until the end: is the disk full? What was acknowledged is kept".to_owned());
    }
    Ok(())
}

fn durability_is_less(config: &Config) -> bool {
    config.durability != Durability::Full
}

fn start_thread<T: Send + 'static>(name: String, life: impl FnOnce() -> T + Send + 'static) -> Result<thread::JoinHandle<T>, String> {
    thread::Builder::new().name(name).spawn(life).map_err(|error| format!("cannot start a thread: {error}"))
}

/// Makes a file that only the server's user can read, where there is none.
pub(crate) fn new_private_file(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Opens a file that only the server's user can read, making it if there is none.
pub(crate) fn private_file(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn lock(folder: &Path) -> Result<fs::File, String> {
    let path = folder.join(LOCK);
    let file = private_file(&path).map_err(|error| format!("cannot open {}: {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err(format!("another server uses {}: stop it, or choose another folder with --data", folder.display()))
        }
        Err(fs::TryLockError::Error(error)) => Err(format!("cannot lock {}: {error}", path.display())),
    }
}

fn policy(config: &Config) -> Policy {
    Policy {
        attempts: config.attempts,
        block_duration: config.block_duration.0,
        sessions_per_user: match config.sessions {
            Sessions::One | Sessions::NewerWins => 1,
            Sessions::Several(count) => count,
        },
        broadcast_offline: config.broadcast_offline,
        text_bytes: config.text_bytes,
        operators: config.operators.0.iter().map(|name| chinwag_wire::name::folded(name)).collect(),
        rooms_at_once: config.rooms_at_once,
        notices_max: config.notices_max,
        private: config.private,
        private_at_once: config.private_at_once,
        relay: config.relay,
        relays: config.relays,
        idle_after: config.idle_after.0,
    }
}

fn settings(config: &Config) -> Settings {
    let Seconds(token_life) = config.token_life;
    Settings {
        registration: config.registration.clone(),
        guests: config.guests,
        newer_session_wins: config.sessions == Sessions::NewerWins,
        password_chars: config.password_chars,
        token_life,
    }
}

/// Says on stdout that the server is there, and how to get to it.
fn announce(
    addresses: &[SocketAddr],
    on_wires: &[(&str, SocketAddr)],
    fingerprint: &str,
    to_program: bool,
    plain: Plain,
    running: &Running,
) {
    let mut out = io::stdout().lock();
    // A closed stdout is no reason to stop.
    let _ = if to_program {
        let listening: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let wires: Vec<_> =
            on_wires.iter().map(|(wire, address)| serde_json::json!({ "wire": wire, "address": address.to_string() })).collect();
        let ready = serde_json::json!({ "listening": listening, "wires": wires, "pid": std::process::id(), "version": env!("CARGO_PKG_VERSION"), "fingerprint": fingerprint });
        writeln!(out, "{ready}")
    } else {
        let wires: String = on_wires.iter().map(|(wire, address)| format!("{wire} is spoken on {address}\n")).collect();
        let list = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        let (host, port) = addresses.first().map_or(("localhost".to_owned(), 0), |first| (first.ip().to_string(), first.port()));
        let (spoken, by_hand) = match plain {
            Plain::Loopback => ("TLS, and plain from this machine", format!("or, from this machine:  nc {host} {port}")),
            Plain::Anywhere => ("TLS, and plain from anywhere", format!("or, from anywhere:  nc {host} {port}")),
            Plain::Never => ("TLS", String::new()),
        };
        let by_hand = if by_hand.is_empty() { by_hand } else { format!("{by_hand}   (then: register NAME PASSWORD)\n") };
        writeln!(
            out,
            "chinwagd {} is listening on {list} ({spoken})\n\
             everything is kept in {}\n\
             certificate {fingerprint}\n\
             {wires}connect with:  chinwag {host}:{port}\n\
             {by_hand}{}Ctrl-C ends it",
            env!("CARGO_PKG_VERSION"),
            running.data.display(),
            if io::stdin().is_terminal() { "what you type here is obeyed: `help` lists the commands; " } else { "" },
        )
    };
    let _ = out.flush();
}

/// Passes the first signal to end on, and ends at once at the second. Lives on a shard: every thread that waits for
/// something of its own in the reactor would take turns with the shards in waiting for everything.
async fn watch_signals(signals: std::io::Result<Signals>, asked_to_end: async_channel::Sender<()>, server: Arc<Server>) {
    let mut signals = match signals {
        Ok(signals) => signals,
        Err(error) => return tracing::error!(%error, "cannot wait for signals: a signal ends the server at once"),
    };
    let mut ending = false;
    while let Some(signal) = signals.next().await {
        if let Ok(Signal::Hup) = signal {
            reload_for_signal(&server).await;
        } else if ending {
            tracing::warn!("ended at once");
            std::process::exit(130);
        } else {
            ending = true;
            tracing::info!("ending: everyone is told, everything accepted is kept; once more ends at once");
            let _ = asked_to_end.try_send(());
        }
    }
}

/// SIGHUP is `reload`, typed at the console; its answers are in the log.
async fn reload_for_signal(server: &Arc<Server>) {
    let line = Line { text: "reload".into(), marks: Marks::default() };
    let answer = console::obey(server, &mut Caller::console(0), &line).await;
    for event in answer.iter().flat_map(|answer| &answer.events) {
        match event {
            Event::Refusal(_) => tracing::error!("SIGHUP: {}", text::shown(event)),
            // The mistakes quote the file, and what is in it may be a secret: `chinwagd --check` tells them.
            Event::Fact(fact) if fact.kind == "mistake" => {}
            event => tracing::info!("SIGHUP: {}", text::shown(event)),
        }
    }
}

impl Running {
    /// Ends in order: everyone is told, everything accepted is committed, all sessions end.
    pub(crate) fn end(&self) {
        /// How long those who do not read have: longer than a connection's own patience.
        const WAITED_FOR: std::time::Duration = std::time::Duration::from_secs(7);
        if self.ending.swap(true, Ordering::SeqCst) {
            return;
        }
        for shard in 0..self.shards.0.len() {
            self.shards.tell(shard, Told::ShutDown);
        }
        self.relays.shut_down();
        let gone = async {
            while self.census.count() > 0 {
                smol::Timer::after(std::time::Duration::from_millis(5)).await;
            }
        };
        smol::block_on(smol::future::or(gone, async { _ = smol::Timer::after(WAITED_FOR).await }));
        let _ = fs::remove_file(self.data.join(ctl::SOCKET));
        self.server.sequencer.end();
    }
}

/// What the reading threads are asked.
enum Asked {
    /// About what was said.
    Past(Question, async_channel::Sender<Result<Page, Refusal>>),
    /// About what operators did.
    Deeds(usize, async_channel::Sender<Result<Vec<DeedLine>, Refusal>>),
}

/// The threads that read the past.
struct ReadingRoom {
    sequencer: Arc<Sequencer>,
    questions: async_channel::Sender<Asked>,
}

impl ReadingRoom {
    fn open(file: &Path, sequencer: Arc<Sequencer>) -> Result<ReadingRoom, String> {
        let (questions, asked) = async_channel::bounded::<Asked>(QUESTIONS_MAX);
        for number in 0..READERS {
            let asked = asked.clone();
            let mut reader = SqliteReader::open(file).map_err(|error| format!("cannot read the store {}: {error}", file.display()))?;
            start_thread(format!("reader-{number}"), move || {
                while let Ok(question) = asked.recv_blocking() {
                    // Whoever asked may be gone by now.
                    match question {
                        Asked::Past(question, answer) => drop(answer.try_send(reader.read(&question).map_err(cannot_read))),
                        Asked::Deeds(count, answer) => drop(answer.try_send(reader.deeds(count).map_err(cannot_read))),
                    }
                }
            })?;
        }
        Ok(ReadingRoom { sequencer, questions })
    }

    async fn ask<T>(&self, asked: impl FnOnce(async_channel::Sender<Result<T, Refusal>>) -> Asked) -> Result<T, Refusal> {
        let (answer, answered) = async_channel::bounded(1);
        self.questions.send(asked(answer)).await.map_err(|_| unreadable())?;
        answered.recv().await.map_err(|_| unreadable())?
    }
}

fn cannot_read(error: StoreError) -> Refusal {
    tracing::error!(%error, "cannot read the store");
    unreadable()
}

impl Library for ReadingRoom {
    fn read(&self, question: Question) -> Pin<Box<dyn Future<Output = Result<Page, Refusal>> + Send + '_>> {
        Box::pin(async move {
            if !matches!(question, Question::Owed { .. }) {
                // Who asks has said things, or has heard of things, that may be on their way to the store.
                self.sequencer.settled().await;
            }
            self.ask(|answer| Asked::Past(question, answer)).await
        })
    }

    fn deeds(&self, count: usize) -> Pin<Box<dyn Future<Output = Result<Vec<DeedLine>, Refusal>> + Send + '_>> {
        Box::pin(async move {
            self.sequencer.settled().await;
            self.ask(|answer| Asked::Deeds(count, answer)).await
        })
    }
}
