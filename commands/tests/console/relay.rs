//! The relay under load, over TLS, and when it is switched off: what takes more bytes, or another file, than a scenario has.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::running::Running;

/// More than all buffers on the way hold together.
const MUCH: usize = 48 << 20;

/// Somebody's client.
struct Client {
    lines: BufReader<TcpStream>,
    offer: String,
}

impl Client {
    fn register(server: &Running, name: &str) -> Client {
        let stream = connect(server);
        let mut client = Client { lines: BufReader::new(stream), offer: format!("{}:{}", "a1".repeat(32), "5e".repeat(32)) };
        client.lines.get_mut().write_all(b"dialect json\n").expect("the server reads");
        client.until("cards");
        client.say(&format!("register {name} secret"));
        client.until("roster");
        client
    }

    fn say(&mut self, line: &str) {
        let line = serde_json::json!({ "line": line });
        writeln!(self.lines.get_mut(), "{line}").expect("the server reads");
    }

    /// The next event of this type; what comes before it is passed over.
    fn until(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).expect("the server writes") > 0, "the connection ended before `{kind}` came");
            // Before the switch of the dialect it is no JSON.
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// The next relay's ticket.
    fn ticket(&mut self) -> String {
        loop {
            if let Some(ticket) = self.until("private-relay")["ticket"].as_str() {
                return ticket.to_owned();
            }
        }
    }
}

fn connect(server: &Running) -> TcpStream {
    let stream = TcpStream::connect(server.address).expect("it accepts");
    // A test that waits for what does not come should fail, and not hang.
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("it can be set");
    stream.set_write_timeout(Some(Duration::from_secs(60))).expect("it can be set");
    stream
}

/// Two who have agreed on a private chat that goes through the server, and their tickets.
fn agree(server: &Running, one: &str, other: &str) -> ([Client; 2], [String; 2]) {
    let (mut asker, mut asked) = (Client::register(server, one), Client::register(server, other));
    let offer = asker.offer.clone();
    asker.say(&format!("startprivate {other} {offer}"));
    asked.until("private-asked");
    asked.say(&format!("accept {one} {offer}"));
    asker.until("private-agreed");
    asked.until("private-agreed");
    asker.say(&format!("relay {other}"));
    asked.until("private-relay");
    asked.say(&format!("relay {one}"));
    let tickets = [asker.ticket(), asked.ticket()];
    ([asker, asked], tickets)
}

/// Presents a ticket, with the first bytes of what is to go through in the same write.
fn carry(stream: &mut (impl Read + Write), ticket: &str, early: &[u8]) {
    stream.write_all(&[b"carry ", ticket.as_bytes(), b"\n", early].concat()).expect("the server reads");
    let mut answer = [0; 3];
    stream.read_exact(&mut answer).expect("the server answers");
    assert_eq!(&answer, b"ok\n");
}

/// Bytes that are not the same again soon.
fn noise() -> impl Iterator<Item = u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
}

fn over_tls(server: &Running) -> StreamOwned<ClientConnection, TcpStream> {
    let certificate = CertificateDer::from_pem_file(server.data.path().join("certificate.pem")).expect("the server has one");
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("it can be trusted");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("there is TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("it can begin"), connect(server))
}

#[test]
fn what_comes_out_is_what_went_in_over_tls_and_plain_at_once_both_ways() {
    const LENGTH: usize = 3 << 20;
    let server = Running::start(&["--relay-rate", "0"]);
    let (clients, tickets) = agree(&server, "alice", "bob");
    let sent: Vec<u8> = noise().take(LENGTH).collect();
    let mut sealed = over_tls(&server);
    carry(&mut sealed, &tickets[0], &sent[..5000]);
    let mut plain = connect(&server);
    carry(&mut plain, &tickets[1], b"");
    let mut back = plain.try_clone().expect("it can be shared");
    let echo = thread::spawn(move || io::copy(&mut plain, &mut back).expect("both go on"));
    let mut received = Vec::new();
    let mut at = 5000;
    while received.len() < LENGTH {
        let end = LENGTH.min(at + 100_000);
        sealed.write_all(&sent[at..end]).expect("it goes in");
        let from = received.len();
        received.resize(end, 0);
        sealed.read_exact(&mut received[from..]).expect("it comes out");
        at = end;
    }
    assert!(received == sent, "every byte is what it was");
    // The end of one is the end of the other.
    sealed.conn.send_close_notify();
    sealed.flush().expect("it is told");
    sealed.sock.shutdown(std::net::Shutdown::Write).expect("it ends");
    assert_eq!(echo.join().expect("no panic"), LENGTH as u64);
    drop(clients);
}

#[test]
fn who_does_not_read_holds_up_the_other_end_and_nobody_else() {
    let mut server = Running::start(&["--relay-rate", "0"]);
    let (mut clients, tickets) = agree(&server, "alice", "bob");
    let (mut writer, mut reader) = (connect(&server), connect(&server));
    carry(&mut writer, &tickets[0], b"");
    carry(&mut reader, &tickets[1], b"");
    writer.set_nonblocking(true).expect("it can be set");
    let chunk: Vec<u8> = noise().take(64 << 10).collect();
    let mut went_in = 0;
    loop {
        let before = went_in;
        while let Ok(taken) = writer.write(&chunk[went_in % chunk.len()..]) {
            went_in += taken;
        }
        // Everything that can go on has gone on: then nothing more goes in.
        server.control("quiesce");
        if went_in == before {
            break;
        }
        assert!(went_in < MUCH, "the server takes what nobody reads");
    }
    let passed = server.control("metrics")["relayed_bytes"].as_u64().expect("it is counted");

    // Others have what they always have: talk, and a relay of their own.
    clients[0].say("message bob still there?");
    assert_eq!(clients[1].until("message")["text"], "still there?");
    let (others, tickets) = agree(&server, "carol", "dave");
    let (mut carol, mut dave) = (connect(&server), connect(&server));
    carry(&mut carol, &tickets[0], b"hello");
    carry(&mut dave, &tickets[1], b"");
    let mut hello = [0; 5];
    dave.read_exact(&mut hello).expect("it comes out");
    assert_eq!(&hello, b"hello");
    drop(others);
    assert_eq!(server.control("metrics")["relayed_bytes"].as_u64(), Some(passed + 5), "one buffer is all that is kept of what waits");

    // Nothing of it is lost.
    writer.set_nonblocking(false).expect("it can be set");
    writer.shutdown(std::net::Shutdown::Write).expect("it ends");
    let mut came_out = Vec::new();
    reader.read_to_end(&mut came_out).expect("it comes out, and ends");
    assert_eq!(came_out.len(), went_in);
    assert!(came_out.iter().enumerate().all(|(at, byte)| *byte == chunk[at % chunk.len()]), "in its order");
}

#[test]
fn a_reload_switches_off_what_there_is() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = folder.path().join("chinwag.ron");
    let write = |text: &str| fs::write(&path, text).expect("the file can be written");
    write("( relay_rate: 4096 )");
    let mut server = Running::start(&["--config", path.to_str().expect("the path is text")]);
    let (mut clients, tickets) = agree(&server, "alice", "bob");
    let (mut alice, mut bob) = (connect(&server), connect(&server));
    carry(&mut alice, &tickets[0], &[b'x'; 20_000]);
    carry(&mut bob, &tickets[1], b"");
    server.control("quiesce");
    let passed = server.control("metrics")["relayed_bytes"].as_u64().expect("it is counted");
    assert!((3000..=6000).contains(&passed), "a second's worth: {passed}");
    // Another rate holds for those that run, from their next bytes on.
    write("( relay_rate: 0 )");
    assert_eq!(server.ctl(&["reload"]).out, "relay_rate: 4096 -> 0 (now)");
    server.control("advance 1s");
    bob.read_exact(&mut [0; 20_000]).expect("the rest comes at once");

    write("( relay: false )");
    assert_eq!(server.ctl(&["reload"]).out, "relay: true -> false (now)\nrelay_rate: 0 -> 1048576 (now)");
    let mut nothing = Vec::new();
    assert_eq!((alice.read_to_end(&mut nothing).ok(), bob.read_to_end(&mut nothing).ok()), (Some(0), Some(0)), "both are closed");
    let metrics = server.control("metrics");
    assert_eq!((&metrics["relays"], &metrics["private_open"]), (&0.into(), &1.into()));
    clients[0].say("relay bob");
    assert_eq!(clients[0].until("refusal")["code"], "relay-off");

    write("( private: false )");
    server.ctl(&["reload"]);
    for client in &mut clients {
        assert_eq!(client.until("private-ended")["why"], "switched-off");
        client.say("startprivate alice");
        assert_eq!(client.until("refusal")["code"], "private-off");
    }
}
