//! Proof that the suite would notice: for each named fault of the server (`core/src/fault.rs`), scenarios are played against
//! a server that has it, until one fails. A fault that none of them notices is a hole in the suite.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chinwag_harness::play::Options;
use chinwag_harness::server::{Launch, Server, Settings};
use chinwag_harness::suite::{self, Verdict};
use chinwag_harness::{serve_if_asked, snapshot};
use libtest_mimic::{Arguments, Failed, Trial};

/// What notices each fault: scenarios, or folders of them, in the order in which they are tried.
const NOTICED_BY: &[(&str, &[&str])] = &[
    ("access-not-checked", &["rooms"]),
    ("ack-before-effects", &["dm", "broadcast", "net"]),
    ("block-not-checked", &["block", "dm"]),
    ("block-not-kept", &["block", "server"]),
    ("block-one-way", &["block", "lists"]),
    ("broadcast-to-blockers", &["block", "broadcast"]),
    ("broadcast-to-self", &["broadcast"]),
    ("cursor-too-far", &["dm", "sessions"]),
    ("drop-third-mail", &["dm", "sessions"]),
    ("edit-not-kept", &["dm"]),
    ("forget-keeps-words", &["forget"]),
    ("forget-keys", &["dm"]),
    ("forget-lock-out", &["login"]),
    ("guest-rooms-stay", &["rooms", "guests"]),
    ("guest-stays", &["guests"]),
    ("history-shows-hidden", &["history"]),
    ("idle-too-late", &["sessions", "net"]),
    ("keep-tokens", &["sessions", "accounts"]),
    ("kept-room-forgets", &["rooms"]),
    ("leak-presence", &["block", "sessions"]),
    ("leaver-hears", &["rooms"]),
    ("lock-too-short", &["login"]),
    ("log-lines", &["server"]),
    ("mail-not-marked", &["dm"]),
    ("mail-twice", &["dm", "sessions"]),
    ("muted-speaks", &["rooms"]),
    ("names-by-case", &["login", "accounts"]),
    ("no-heir", &["rooms"]),
    ("nonsense-is-activity", &["sessions"]),
    ("offer-for-ever", &["private"]),
    ("offer-revealed", &["private"]),
    ("presence-per-session", &["login", "net"]),
    ("private-stays", &["private"]),
    ("private-while-blocked", &["private"]),
    ("programs-are-active", &["lists"]),
    ("relay-back", &["private"]),
    ("relay-stays", &["private"]),
    ("relay-unbounded", &["private"]),
    ("resume-is-activity", &["lists"]),
    ("room-ban-forgotten", &["rooms"]),
    ("room-past-for-all", &["history"]),
    ("session-too-many", &["login"]),
    ("shutdown-unsaid", &["server"]),
    ("skip-commit", &["server", "dm"]),
    ("speaks-to-blockers", &["rooms"]),
    ("split-letters", &["input"]),
    ("swap-messages", &["dm", "broadcast"]),
    ("swap-senders", &["storm"]),
    ("text-too-short", &["dm"]),
    ("ticket-twice", &["private"]),
    ("token-for-ever", &["sessions"]),
    ("unread-expires", &["retention"]),
    ("whisper-to-room", &["rooms", "history"]),
];

/// Circumstances, not mistakes: scenarios switch them on and say what the server does about it.
const CIRCUMSTANCES: &[&str] = &["busy-hashing", "command-panics", "command-stuck", "store-full"];

/// What noticed a fault, and how long it took.
type Noticed = Arc<Mutex<BTreeMap<&'static str, (String, Duration)>>>;

fn main() -> ExitCode {
    if let Some(code) = serve_if_asked() {
        return code;
    }
    // What is found is compared, never written.
    snapshot::prepare(Some("no"));
    let folder = snapshot::root().join("scenarios");
    let noticed = Noticed::default();
    let mut trials: Vec<Trial> = NOTICED_BY
        .iter()
        .map(|(fault, places)| {
            let (folder, noticed) = (folder.clone(), Arc::clone(&noticed));
            Trial::test(*fault, move || notice(fault, places, &folder, &noticed))
        })
        .collect();
    trials.push(Trial::test("every-fault-is-tried", every_fault_is_tried));
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    let noticed = noticed.lock().unwrap_or_else(PoisonError::into_inner);
    for (fault, (by, after)) in &*noticed {
        println!("{fault:22} {:>6.1}s  {by}", after.as_secs_f64());
    }
    conclusion.exit_code()
}

/// Plays scenarios against a server with the fault until one fails.
fn notice(fault: &'static str, places: &[&str], folder: &Path, noticed: &Noticed) -> Result<(), Failed> {
    let began = Instant::now();
    let options = Options { launch: Launch::itself()?, seed: None, keep_data: false };
    let mut played = 0;
    for file in places.iter().map(|place| suite::find(&folder.join(place), "ron")).collect::<Result<Vec<Vec<PathBuf>>, _>>()?.concat() {
        let (source, mut scenario) = suite::load(&file)?;
        scenario.faults = vec![fault.to_owned()];
        let tried = suite::try_one(&file, &source, &scenario, &options);
        match tried.verdict {
            Verdict::Passed | Verdict::Skipped => played += 1,
            Verdict::NotStarted => return Err(Failed::from(tried.text)),
            Verdict::Failed | Verdict::Flaky => {
                // The line below the headline says what is wrong.
                let why = tried.text.lines().nth(1).unwrap_or_default().trim_start_matches("error: ").to_owned();
                let by = format!("{}: {why}", file.strip_prefix(folder).unwrap_or(&file).display());
                noticed.lock().unwrap_or_else(PoisonError::into_inner).insert(fault, (by, began.elapsed()));
                return Ok(());
            }
        }
    }
    Err(Failed::from(format!("none of {played} scenarios in {places:?} notices a server with this fault")))
}

/// The table has every fault that the server has, and no other.
fn every_fault_is_tried() -> Result<(), Failed> {
    let data = tempfile::tempdir()?;
    let settings = Settings { data: data.path(), port: 0, seed: 1, epoch: 0, args: &[] };
    let launch = Launch::itself()?;
    let answer = smol::block_on(async {
        let mut server = Server::start(&launch, &settings).await?;
        server.ask("fault").await
    });
    let answer = answer.map_err(|trouble| trouble.to_string())?;
    let known: Vec<&str> = answer["faults"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect();
    let mut tried: Vec<&str> = NOTICED_BY.iter().map(|(fault, _)| *fault).chain(CIRCUMSTANCES.iter().copied()).collect();
    tried.sort_unstable();
    if known == tried { Ok(()) } else { Err(Failed::from(format!("the server has {known:?}\nhere are    {tried:?}"))) }
}
