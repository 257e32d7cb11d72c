//! Over TLS: which servers it takes for the right one, and which it does not.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use crate::scripted::{Client, Ended, Server, welcome};
use crate::terminal::Setup;
use futures_rustls::TlsAcceptor;
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::crypto::ring;
use futures_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use futures_rustls::rustls::sign::CertifiedKey;
use futures_rustls::rustls::{ServerConfig, SupportedProtocolVersion, version};
use serde_json::json;
use smol::io::{copy, split};
use smol::net::TcpStream;

/// Shows a certificate, and signs with a key, which may be that of another one.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl Shows {
    fn certificate_and_key(certificate: &str, key: &str) -> Shows {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let certificate = std::fs::read(data.join(format!("{certificate}.cert.der"))).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(data.join(format!("{key}.test-key.pem"))).expect("a key");
        let key = ring::sign::any_supported_type(&key).expect("a usable key");
        Shows(Arc::new(CertifiedKey::new(vec![CertificateDer::from(certificate)], key)))
    }
}

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A way into `server` through TLS, at an address that stays the same while what it shows changes.
struct Entrance {
    listener: TcpListener,
    address: SocketAddr,
    inside: SocketAddr,
}

impl Entrance {
    fn to(server: &Server) -> Entrance {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        Entrance { listener, address, inside: server.address }
    }

    /// Lets one connection through.
    fn let_one_through(&self, shows: Shows) {
        self.let_one_through_by(shows, &version::TLS13);
    }

    fn let_one_through_by(&self, shows: Shows, version: &'static SupportedProtocolVersion) {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .expect("a version of TLS")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shows));
        let (listener, inside) = (self.listener.try_clone().expect("a second handle"), self.inside);
        thread::spawn(move || {
            let (outer, _) = listener.accept().expect("a connection");
            smol::block_on(async {
                let outer = TcpStream::try_from(outer).expect("a socket");
                // Who does not like what it is shown ends the handshake; that is the client's to tell.
                let Ok(outer) = TlsAcceptor::from(Arc::new(config)).accept(outer).await else { return };
                let inner = TcpStream::connect(inside).await.expect("is there");
                let (outer_read, outer_write) = split(outer);
                let (inner_read, inner_write) = split(inner);
                let _ = smol::future::or(copy(outer_read, inner_write), copy(inner_read, outer_write)).await;
            });
        });
    }
}

/// One visit of alice that should succeed.
fn visit(server: &Server, entrance: &Entrance, home: &Path, shows: Shows, more: &[&str]) -> Ended {
    entrance.let_one_through(shows);
    let mut client = start(entrance, home, more);
    client.types_last("");
    let mut link = server.accept();
    link.let_in();
    link.see_off();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    ended
}

/// One visit that should end before anything is said.
fn turn_away(entrance: &Entrance, home: &Path, shows: Shows, more: &[&str]) -> Ended {
    entrance.let_one_through(shows);
    let ended = start(entrance, home, more).ends();
    assert_eq!(ended.exit, Some(4), "{ended:?}");
    assert!(ended.err.contains("nothing was sent to it"), "{}", ended.err);
    ended
}

fn start(entrance: &Entrance, home: &Path, more: &[&str]) -> Client {
    let address = format!("alice@{}", entrance.address);
    Client::run_at(home, &[&[address.as_str(), "--password-command", "echo secret"], more].concat())
}

#[test]
fn the_first_visit_is_remembered_and_a_changed_certificate_is_refused_until_accepted() {
    let home = tempfile::tempdir().expect("a home");
    let server = Server::listen();
    let entrance = Entrance::to(&server);
    let (one, two) = (|| Shows::certificate_and_key("server-one", "server-one"), || Shows::certificate_and_key("server-two", "server-two"));

    let first = visit(&server, &entrance, home.path(), one(), &[]);
    assert!(first.err.contains("first visit") && first.err.contains("SHA256:"), "{}", first.err);
    let again = visit(&server, &entrance, home.path(), one(), &[]);
    assert_eq!(again.err, "");

    let changed = turn_away(&entrance, home.path(), two(), &[]);
    assert!(changed.err.contains("line 1"), "{}", changed.err);

    let accepted = visit(&server, &entrance, home.path(), two(), &["--accept-new-fingerprint"]);
    assert!(accepted.err.contains("new certificate"), "{}", accepted.err);
    visit(&server, &entrance, home.path(), two(), &[]);

    let changed_back = turn_away(&entrance, home.path(), one(), &[]);
    // The explanation names the very command that accepts it.
    let command = changed_back.err.lines().find_map(|line| line.trim().strip_prefix("chinwag ")).expect("a command");
    let words: Vec<&str> = command.split(' ').collect();
    let ended = Client::run_at(home.path(), &words).ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    visit(&server, &entrance, home.path(), one(), &[]);
    turn_away(&entrance, home.path(), two(), &[]);

    let address = entrance.address.to_string();
    let listed = Client::run_at(home.path(), &["trust", "list"]).ends();
    assert!(listed.out.starts_with(&format!("{address} SHA256:")), "{listed:?}");
    for (exit, said) in [(0, "is forgotten"), (2, "nothing is remembered")] {
        let forgotten = Client::run_at(home.path(), &["trust", "forget", &address]).ends();
        assert_eq!(forgotten.exit, Some(exit), "{forgotten:?}");
        assert!(forgotten.out.contains(said) || forgotten.err.contains(said), "{forgotten:?}");
    }
    let wrong = Client::run_at(home.path(), &["trust", "accept", &address, "SHA256:beef"]).ends();
    assert_eq!(wrong.exit, Some(2), "{wrong:?}");
}

#[test]
fn a_certificate_without_its_key_proves_nothing() {
    let home = tempfile::tempdir().expect("a home");
    let server = Server::listen();
    let entrance = Entrance::to(&server);
    let thief = || Shows::certificate_and_key("server-one", "server-two");

    let first = turn_away(&entrance, home.path(), thief(), &[]);
    assert!(first.err.contains("cannot prove who it is"), "{}", first.err);
    assert!(!home.path().join(".config/chinwag/known-hosts").exists(), "what was not proved is not remembered");
    visit(&server, &entrance, home.path(), Shows::certificate_and_key("server-one", "server-one"), &[]);
    turn_away(&entrance, home.path(), thief(), &[]);

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/server-one.cert.pem");
    turn_away(&entrance, home.path(), thief(), &["--ca", &file.display().to_string()]);
}

#[test]
fn certificates_from_a_file_take_the_place_of_what_is_remembered() {
    let home = tempfile::tempdir().expect("a home");
    let server = Server::listen();
    let entrance = Entrance::to(&server);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let (one, authority) = (data.join("server-one.cert.pem").display().to_string(), data.join("authority.cert.pem").display().to_string());

    visit(&server, &entrance, home.path(), Shows::certificate_and_key("server-one", "server-one"), &["--ca", &one]);
    for (certificate, file) in [("server-two", &one), ("server-one", &authority)] {
        let ended = turn_away(&entrance, home.path(), Shows::certificate_and_key(certificate, certificate), &["--ca", file]);
        assert!(ended.err.contains("not vouched for") && !ended.err.contains("OtherError"), "{}", ended.err);
    }
}

/// One visit of alice to a server of S4, whose TLS and certificate are as old as they like.
fn visit_foreign(
    server: &Server,
    entrance: &Entrance,
    home: &Path,
    shows: Shows,
    version: &'static SupportedProtocolVersion,
    more: &[&str],
) {
    entrance.let_one_through_by(shows, version);
    let address = format!("alice@{}", entrance.address);
    let mut client = Client::run_at(home, &[&[address.as_str(), "--wire", "s4"], more].concat());
    client.types_last("");
    let mut link = server.accept_silently();
    assert_eq!(link.frame(), json!({"USERNAME": "alice"}));
    link.say_frame(&json!({"USERNAME_ACCEPTED": true}));
    link.closes_with_the_client();
    let ended = client.ends();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
}

#[test]
fn a_certificate_that_no_verifier_likes_can_be_the_one_to_trust() {
    let home = tempfile::tempdir().expect("a home");
    let server = Server::listen();
    let old = || Shows::certificate_and_key("old-v1-md5", "old-v1-md5");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let file = data.join("old-v1-md5.cert.pem").display().to_string();
    for version in [&version::TLS13, &version::TLS12] {
        // Remembered at the first visit, and known again; or from a file.
        let entrance = Entrance::to(&server);
        visit_foreign(&server, &entrance, home.path(), old(), version, &[]);
        visit_foreign(&server, &entrance, home.path(), old(), version, &[]);
        visit_foreign(&server, &entrance, home.path(), old(), version, &["--ca", &file]);
        // Not another one, and not without its key.
        for shows in [Shows::certificate_and_key("server-one", "server-one"), Shows::certificate_and_key("old-v1-md5", "server-one")] {
            entrance.let_one_through_by(shows, version);
            let ended = Client::run_at(home.path(), &[&format!("alice@{}", entrance.address), "--wire", "s4"]).ends();
            assert_eq!(ended.exit, Some(4), "{ended:?}");
            assert!(ended.err.contains("nothing was sent to it"), "{}", ended.err);
        }
    }
}

#[test]
fn a_certificate_that_changes_in_the_middle_of_a_chat_costs_nothing_that_was_typed() {
    let server = Server::listen();
    let entrance = Entrance::to(&server);
    entrance.let_one_through(Shows::certificate_and_key("server-one", "server-one"));
    let terminal = Setup::new(200).secured().run_at(entrance.address);
    let mut link = server.accept();
    link.let_in();
    terminal.ends_with("alice>");
    let changed = || entrance.let_one_through(Shows::certificate_and_key("server-two", "server-two"));
    drop(link);
    changed();
    terminal.shows("shows another certificate than before, so nothing was sent to it");
    terminal.shows("until then the link stays lost, and lines wait");
    terminal.types("@bob one\r");
    terminal.shows("alice! @bob one");
    // It is shown a second time, and that is nothing new.
    changed();
    let accept = terminal.all().lines().find_map(|line| line.split_once("chinwag trust accept ").map(|(_, rest)| rest.trim().to_owned()));
    let accept = accept.expect("it says how to accept it");
    let words: Vec<&str> = ["trust", "accept"].into_iter().chain(accept.split(' ')).collect();
    let accepted = Client::run_at(terminal.home(), &words).ends();
    assert_eq!(accepted.exit, Some(0), "{accepted:?}");
    // The first may be an attempt that began before that.
    (0..3).for_each(|_| changed());
    let mut link = server.accept();
    let resume = link.expect("resume tok-1");
    link.answer(&resume, welcome());
    let one = link.expect("@bob one");
    link.answer(&one, json!({"type": "sent", "seq": 12, "at": 0, "to": {"user": "bob"}}));
    terminal.shows("the link is back");
    terminal.ends_with("alice>");
    assert_eq!(terminal.all().matches("shows another certificate").count(), 1, "{}", terminal.all());
}
