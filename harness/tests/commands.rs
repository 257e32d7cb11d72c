//! The commands as a contributor types them: what they print, what they leave behind, how they end.

#![allow(clippy::unwrap_used, reason = "a test that cannot have what it needs fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use chinwag_harness::server::SERVE;
use tempfile::TempDir;

const HARNESS: &str = env!("CARGO_BIN_EXE_chinwag-harness");

/// Fails, and most of it has nothing to do with that.
const FAILING: &str = r#"// Whatever.
Scenario(
    about: "a failure with much around it",
    tags: ["any"],
    timeout: "60s",
    cast: (alice: "pw-a", bob: "pw-b", carol: "pw-c", dave: Text("pw-d")),
    steps: [
        Send(carol: ["whoelse", "blocked"]), // not needed
        See(carol: ["online: alice, bob, dave", "blocked: nobody"]),
        All([Send(carol: "message dave (x], y"), Send(dave: "message carol hi")]),
        See(carol: AnyOrder(["sent", "dave: hi"]), dave: AnyOrder(["sent", "carol: (x], y"])),
        Send(alice: "message bob hello there dear bob"),
        See(alice: "sent", bob: "alice: hello there my bob", carol: Nothing),
        Send(bob: "whoami"),
        See(bob: Any),
    ],
)
"#;

const PASSING: &str = r#"Scenario(
    about: "nothing special",
    timeout: "60s",
    cast: (alice: "pw-a"),
    steps: [Send(alice: "whoelse"), See(alice: "online: nobody else")],
)
"#;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn harness(folder: &Path, args: &[&str]) -> Output {
    // Wherever the tests themselves run, this run is not GitHub's.
    Command::new(HARNESS).args(args).current_dir(folder).env_remove("GITHUB_ACTIONS").env_remove("GITHUB_STEP_SUMMARY").output().unwrap()
}

/// Runs it and gives what it printed; it must end with this code.
fn ends(folder: &Path, args: &[&str], code: i32) -> String {
    let output = harness(folder, args);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}:\n{said}");
    said
}

#[test]
fn shrink_leaves_what_is_needed() {
    let folder = folder(&[("fails.ron", FAILING), ("passes.ron", PASSING), ("wrong.ron", "Scenario(abaut: \"x\")")]);
    let said = ends(folder.path(), &["shrink", "fails.ron"], 4);
    let small = fs::read_to_string(folder.path().join("fails.min.ron")).unwrap();
    // Two users; the message, and what the one it was for did not see.
    assert!(
        small.contains("Send(alice: \"message bob")
            && small.contains("bob: \"alice: ")
            && !small.contains("carol")
            && !small.contains("dave"),
        "{small}"
    );
    assert!(!small.contains("whoelse") && !small.contains("whoami") && !small.contains("tags"), "{small}");
    assert!(said.contains("8 steps, now 2"), "{said}\n{small}");
    // It fails by itself, at the same place.
    let again = ends(folder.path(), &["run", "fails.min.ron"], 4);
    assert!(again.contains("`bob` did not see what step 2 expects"), "{again}");

    assert!(ends(folder.path(), &["shrink", "passes.ron"], 0).contains("nothing to make smaller"));
    ends(folder.path(), &["shrink", "wrong.ron"], 2);
    ends(folder.path(), &["shrink", "missing.ron"], 2);
    ends(folder.path(), &["shrink", "fails.ron", "--server", "/nonexistent/chinwagd"], 3);
    ends(folder.path(), &["shrink", "fails.ron", "--out", "no/such/folder/x.ron"], 1);
}

/// A server that is another one every third time.
fn moody(folder: &Path) -> String {
    let script = folder.join("moody.sh");
    let text = format!(
        "count=$(cat count 2>/dev/null || echo 0)\necho $((count + 1)) >count\n\
         [ $((count % 3)) = 1 ] && set -- \"$@\" --sessions NewerWins\nexec \"{HARNESS}\" \"$@\"\n"
    );
    fs::write(&script, text).unwrap();
    format!("env {SERVE}=1 sh {}", script.display())
}

const SECOND_LOGIN: &str = r#"Scenario(
    about: "a second session is refused",
    timeout: "60s",
    cast: (alice: "pw-a"),
    steps: [Connect("x"), Send(x: "login alice pw-a"), See(x: Err("session-exists"), alice: Nothing)],
)
"#;

#[test]
fn stress_keeps_both_transcripts_of_a_flake() {
    let folder = folder(&[("second.ron", SECOND_LOGIN), ("passes.ron", PASSING), ("fails.ron", FAILING)]);
    let server = moody(folder.path());
    let said = ends(folder.path(), &["stress", "second.ron", "--runs", "6", "--jobs", "1", "--load", "1", "--server", &server], 5);
    assert!(said.contains("FLAKY second.ron  2 of 6 runs differ"), "{said}");
    assert!(said.contains("-") && said.contains("session-exists"), "{said}");
    let usual = fs::read_to_string(folder.path().join("second.usual.txt")).unwrap();
    let other = fs::read_to_string(folder.path().join("second.other.txt")).unwrap();
    assert!(usual.contains("passed") && other.contains("failed") && other.contains("session-replaced"), "{usual}\n{other}");

    assert!(ends(folder.path(), &["stress", "passes.ron", "--runs", "5"], 0).contains("ok   passes.ron  5 times"));
    assert!(ends(folder.path(), &["stress", "fails.ron", "--runs", "3", "--load", "0"], 4).contains("fails every time, 3 times"));
    ends(folder.path(), &["stress", "passes.ron", "--runs", "2", "--server", "/nonexistent/chinwagd"], 3);
    ends(folder.path(), &["stress", "missing.ron"], 1);
    ends(folder.path(), &["stress", "passes.ron", "--runs", "0"], 1);
}

#[test]
fn reports_are_written_for_good_and_bad() {
    let folder = folder(&[("fails.ron", FAILING), ("passes.ron", PASSING)]);
    ends(folder.path(), &["bless", "passes.ron"], 0);
    let reports = "junit=r.xml,tap=r.tap,json=r.json,html=r.html";
    let said = ends(folder.path(), &["run", ".", "--report", reports, "--github"], 4);
    let annotation = said.lines().find(|line| line.starts_with("::error ")).unwrap();
    assert!(annotation.contains("file=fails.ron,line=13,col=33,title="), "{annotation}");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("r.xml").contains("tests=\"2\" failures=\"1\""));
    assert!(read("r.tap").contains("not ok 1 - ./fails.ron") && read("r.tap").contains("ok 2 - ./passes.ron"));
    let json: serde_json::Value = serde_json::from_str(&read("r.json")).unwrap();
    assert_eq!(json["scenarios"][1]["verdict"], "passed");
    assert!(read("r.html").contains("<svg"));

    // Known before anything is played.
    assert!(ends(folder.path(), &["run", "passes.ron", "--report", "tap=no/such/folder/x"], 1).contains("no/such/folder/x"));
    assert!(ends(folder.path(), &["run", "passes.ron", "--report", "xml=x"], 1).contains("there are junit, tap, json, html"));
    // What is annotated where GitHub runs it, without being asked for.
    let github = Command::new(HARNESS)
        .args(["run", "fails.ron"])
        .current_dir(folder.path())
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", folder.path().join("summary.md"))
        .output()
        .unwrap();
    assert!(String::from_utf8(github.stdout).unwrap().contains("::error file=fails.ron,line=13"));
    assert!(read("summary.md").contains("1 of 1 failed"));
}

#[test]
#[cfg(target_os = "linux")]
fn load_measures_or_says_why_not() {
    let folder = folder(&[]);
    let short = ["load", "--quick", "--seconds", "0.1", "--no-pin", "--no-limit", "--only", "broadcast to 50, 1", "--data", "."];
    let said = ends(folder.path(), &short, 0);
    assert!(said.contains("broadcast to 50, 1 in flight"), "{said}");
    ends(folder.path(), &[&short[..], &["--server", "/nonexistent/chinwagd"]].concat(), 3);
    ends(folder.path(), &["load", "--quick", "--data", "no/such/folder"], 1);
    ends(folder.path(), &["load", "--rounds", "many"], 1);
}

#[test]
fn new_makes_scenarios_that_pass() {
    let folder = folder(&[]);
    ends(folder.path(), &["new", "message"], 0);
    let text = fs::read_to_string(folder.path().join("scenarios/message/blocked.ron")).unwrap();
    assert!(text.contains("Send(erin: \"block alice\")") && text.contains("See(alice: Err(\"blocked\"), erin: Nothing)"), "{text}");
    // Under any name that it has; with words that are random; where nothing is sent back.
    ends(folder.path(), &["new", "tell", "--folder", "again"], 0);
    ends(folder.path(), &["new", "token"], 0);
    ends(folder.path(), &["new", "logout"], 0);
    ends(folder.path(), &["bless", "scenarios"], 0);
    ends(folder.path(), &["run", "scenarios", "--seed", "99"], 0);

    assert!(ends(folder.path(), &["new", "message"], 1).contains("is there already"));
    assert!(ends(folder.path(), &["new", "mesage"], 1).contains("did you mean `message`?"));
    ends(folder.path(), &["new", "message", "--server", "/nonexistent/chinwagd"], 3);
    fs::write(folder.path().join("file"), "").unwrap();
    ends(folder.path(), &["new", "whoelse", "--folder", "file/x"], 1);
}

#[test]
fn coverage_tells_what_is_missing() {
    let folder = folder(&[("passes.ron", PASSING), ("fails.ron", FAILING)]);
    let said = ends(folder.path(), &["coverage", "."], 0);
    assert!(said.contains("| `message` | 1 |") && said.contains("| `whoelse` | 2 |"), "{said}");
    let missing = said.lines().find(|line| line.starts_with("commands that no scenario sends: ")).unwrap();
    assert!(missing.contains(" broadcast,") && !missing.contains(" register,"), "{missing}");
    ends(folder.path(), &["coverage", "--strict", "passes.ron"], 4);
    ends(folder.path(), &["coverage", "missing"], 1);
    fs::write(folder.path().join("wrong.ron"), "Scenario(").unwrap();
    ends(folder.path(), &["coverage", "."], 2);
}

#[test]
fn schema_has_every_word_in_every_form() {
    let folder = folder(&[]);
    let json: serde_json::Value = serde_json::from_str(&ends(folder.path(), &["schema", "--format", "json"], 0)).unwrap();
    let names =
        |part: &str| json[part].as_array().unwrap().iter().map(|word| word["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let (steps, expectations) = (names("steps"), names("expectations"));
    assert!(
        steps.contains(&"Send".to_owned()) && expectations.contains(&"AnyOrder".to_owned()) && names("fields").contains(&"cast".to_owned())
    );
    let markdown = ends(folder.path(), &["schema"], 0);
    let snippets: serde_json::Value = serde_json::from_str(&ends(folder.path(), &["schema", "--format", "snippets"], 0)).unwrap();
    for name in steps.iter().chain(&expectations) {
        assert!(markdown.contains(&format!("`{name}")), "{name}");
        assert!(snippets[name]["body"][0].as_str().unwrap().starts_with(name.as_str()), "{name}");
    }
    ends(folder.path(), &["schema", "--format", "xml"], 1);
}

/// Runs it with this on its input.
fn typed(folder: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(HARNESS)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn repl_plays_what_is_typed_and_saves_it() {
    let folder = folder(&[]);
    let input = "+alice\nalice: register alice pw\n+nc text\nnc: register bob pw\nalice: message bob hi {i}\nnc: nonsense\nSned(alice: \"x\")\n\
                 .undo\nCrash\nalice: whoami\n.undo\nStart\n.wrong\n.save s.ron\n.quit\n";
    let output = typed(folder.path(), &["repl"], input);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    for wanted in [
        "alice < \"* bob logged in\"",
        "nc < \"alice: hi {{i}}\"",
        "nc < Err(\"unknown-command\")",
        "did you mean `Send`?",
        "forgotten: Send(nc: \"nonsense\")",
        "the server is not running here",
        "there is no `.wrong`",
    ] {
        assert!(said.contains(wanted), "{wanted}:\n{said}");
    }
    let saved = fs::read_to_string(folder.path().join("s.ron")).unwrap();
    assert!(
        saved.contains("See(alice: \"sent\", nc: \"alice: hi {{i}}\")") && !saved.contains("nonsense") && !saved.contains("whoami"),
        "{saved}"
    );
    ends(folder.path(), &["bless", "s.ron"], 0);
    ends(folder.path(), &["run", "s.ron"], 0);
    assert_eq!(typed(folder.path(), &["repl", "--server", "/nonexistent/chinwagd"], "+a\n").status.code(), Some(3));
}

/// Starts a recording; gives where to connect.
fn recording(folder: &Path, args: &[&str]) -> (Child, SocketAddr) {
    let mut child = Command::new(HARNESS)
        .arg("record")
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    // A byte at a time: what follows is for whoever waits for the end.
    let out = child.stdout.as_mut().unwrap();
    while !line.ends_with('\n') {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "it ended: {line}");
        line.push(char::from(byte[0]));
    }
    let address = line.strip_prefix("connect to ").and_then(|rest| rest.split(';').next()).unwrap().parse().unwrap();
    (child, address)
}

/// What a client speaks through.
trait Way: Read + Write {}
impl<T: Read + Write> Way for T {}

/// A client that says one thing after another and reads until each has an answer.
struct Client(BufReader<Box<dyn Way>>);

impl Client {
    fn new(address: SocketAddr) -> Client {
        Client(BufReader::new(Box::new(Client::stream(address))))
    }

    /// The same with TLS, whatever certificate is shown.
    fn with_tls(address: SocketAddr) -> Client {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))).with_no_client_auth();
        let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        Client(BufReader::new(Box::new(StreamOwned::new(connection, Client::stream(address)))))
    }

    fn stream(address: SocketAddr) -> TcpStream {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// Says it, and reads to a line with this in it, which it gives.
    fn says(&mut self, line: &str, until: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
        self.reads(until)
    }

    fn reads(&mut self, until: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "no {until}");
            if line.contains(until) {
                return line;
            }
        }
    }
}

/// Takes any certificate: the recorder's is made anew for each recording.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A person and a program talk; the program resumes with a token and a number.
fn a_session(address: SocketAddr, alice_comes: fn(SocketAddr) -> Client) {
    let (mut alice, mut bob) = (alice_comes(address), Client::new(address));
    alice.says("register alice hunter2", "welcome");
    bob.says("dialect json", "\"cards\"");
    bob.says(r#"{"line":"register bob hunter2"}"#, "roster");
    let token: serde_json::Value = serde_json::from_str(&bob.says(r#"{"line":"token"}"#, "\"token\"")).unwrap();
    alice.says("@bob see you at nine", "sent");
    let message: serde_json::Value = serde_json::from_str(&bob.reads("\"message\"")).unwrap();
    bob.says(&format!(r#"{{"line":"ack {}"}}"#, message["seq"]), "\"done\":true");
    drop(bob);
    alice.reads("bob logged out");
    alice.says("@bob and bring cake", "sent");
    let mut bob = Client::new(address);
    bob.says("dialect json", "\"cards\"");
    let resume = format!(r#"{{"line":"resume {} {}"}}"#, token["token"].as_str().unwrap(), message["seq"]);
    bob.says(&resume, "bring cake");
    alice.says("logout", "goodbye");
}

#[test]
fn record_makes_a_scenario_of_a_session() {
    let folder = folder(&[("there.ron", PASSING)]);
    let all = [
        ("plain.ron", &["plain.ron"][..], Client::new as fn(SocketAddr) -> Client),
        ("tls.ron", &["tls.ron"], Client::with_tls),
        ("masked.ron", &["masked.ron", "--pseudonyms"], Client::new),
    ];
    for (name, args, alice_comes) in all {
        let (child, address) = recording(folder.path(), args);
        a_session(address, alice_comes);
        // Its input ends: the session is over.
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success() && said.contains("played 2 times"), "{said}");
        let text = fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(text.contains("field: \"token\"") && text.contains("resume {given"), "{text}");
        let hidden = ["hunter2", "nine", "cake", "alice"].iter().all(|word| !text.contains(word));
        assert_eq!(hidden, name == "masked.ron", "{text}");
        ends(folder.path(), &["bless", name], 0);
        // With other tokens too.
        ends(folder.path(), &["run", name, "--seed", "77"], 0);
    }

    assert!(ends(folder.path(), &["record", "there.ron"], 1).contains("is there already"));
    ends(folder.path(), &["record", "x.ron", "--server", "/nonexistent/chinwagd"], 3);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(ends(folder.path(), &["record", "x.ron", "--port", &port], 1).contains(&port));
    let nothing = typed(folder.path(), &["record", "x.ron"], "\n");
    assert_eq!(nothing.status.code(), Some(1));
    assert!(!folder.path().join("x.ron").exists());
}

#[test]
fn what_is_told_can_be_typed() {
    let folder = folder(&[("fails.ron", FAILING), ("passes.ron", PASSING)]);
    // Played again on the same server, as it was started.
    let said = ends(folder.path(), &["run", "fails.ron", "--server", "sh -c 'no such'"], 3);
    let rerun = said.lines().find_map(|line| line.strip_prefix("rerun:  ")).unwrap();
    assert_eq!(rerun, r"chinwag-harness run fails.ron --seed 1 --keep-data --server 'sh -c '\''no such'\'''");
    // A filter that fits nothing passes for ever.
    let said = ends(folder.path(), &["run", ".", "--filter", "pases"], 1);
    assert!(said.contains("no scenario fits --filter pases"), "{said}");
    let said = ends(folder.path(), &["run", ".", "--tags", "any and not any", "--filter", "s"], 1);
    assert!(said.contains("no scenario fits --tags (any and not any) and --filter s"), "{said}");
    // A share may be empty.
    ends(folder.path(), &["bless", "passes.ron"], 0);
    let shares: Vec<String> =
        (1..=4).map(|share| ends(folder.path(), &["run", "passes.ron", "--shard", &format!("{share}/4")], 0)).collect();
    assert_eq!(shares.iter().filter(|said| said.contains("0 passed")).count(), 3, "{shares:?}");
    // A file that is no text says so, and where.
    fs::write(folder.path().join("bytes.ron"), b"Scenario(\n\xff\xfe").unwrap();
    assert!(ends(folder.path(), &["run", "bytes.ron"], 2).contains("bytes.ron: line 2 is not UTF-8"));
}

#[test]
fn a_fault_that_there_is_not_is_no_finding() {
    let folder = folder(&[("passes.ron", PASSING)]);
    for args in [["run", "passes.ron"], ["model", "--cases=2"]] {
        let output = harness(folder.path(), &[args.as_slice(), &["--fault", "leak-presense"]].concat());
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        // A server without faults plays nothing that needs them.
        if said.contains("built without faults") {
            continue;
        }
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("the server has no fault `leak-presense`; did you mean `leak-presence`?"), "{said}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no scenario is left of a finding that is none");
}

#[test]
fn whoever_interrupts_leaves_nothing_behind() {
    // The server says where it listens and then nothing any more, not even at the end of its input.
    let server = "exec 3<>alive; echo \"$@\" > started.new; mv started.new started\nexec sleep 1000\n";
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let folder = folder(&[("passes.ron", PASSING), ("server.sh", server)]);
        // What the server holds open, so that its end can be seen.
        let alive = folder.path().join("alive");
        assert!(Command::new("mkfifo").arg(&alive).status().unwrap().success());
        let mut command = Command::new(HARNESS);
        command.args(["run", "passes.ron", "--keep-data", "--server", "sh server.sh"]).current_dir(folder.path());
        let mut harness = command.env("TMPDIR", folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = folder.path().join("started");
        // Not by any clock: whoever hangs here is ended with all the others.
        while !started.exists() {
            assert!(harness.try_wait().unwrap().is_none(), "it has ended by itself");
            std::thread::yield_now();
        }
        let mut alive = fs::File::open(alive).unwrap();
        let args = fs::read_to_string(started).unwrap();
        let data = args.split_whitespace().skip_while(|word| *word != "--data").nth(1).unwrap();
        assert!(Path::new(data).is_dir(), "{data}");
        let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", signal, &harness.id().to_string()]).status();
        assert!(status.unwrap().success());
        assert_eq!(harness.wait().unwrap().code(), Some(code), "{signal}");
        assert!(!Path::new(data).exists(), "{signal}: the data of {data} stays");
        // Comes when the server is dead.
        assert_eq!(alive.read_to_end(&mut Vec::new()).unwrap(), 0);
    }
}
