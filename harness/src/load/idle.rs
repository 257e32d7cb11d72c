//! Memory of connections that do nothing, and what it costs that many people come at once.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use super::crowd::Crowd;
use super::plan::Bench;
use super::process::{Process, System};

/// How many come before memory is counted from: what a server allocates once is not a connection's.
const FIRST: usize = 100;

/// Who the connections are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Each has asked for a `pong` and is not logged in.
    Plain,
    /// Each is logged in, and has seen all others come.
    Guests,
    /// As `Plain`, encrypted.
    Tls,
}

/// One round of all that this module measures.
pub(crate) fn round(bench: &mut Bench) -> io::Result<()> {
    let few = |count: usize, quick: usize| if bench.quick { quick } else { count };
    let kinds =
        [(Kind::Plain, few(10_000, 10_000), "plain"), (Kind::Guests, few(4000, 1000), "logged in"), (Kind::Tls, few(2000, 300), "TLS")];
    for (kind, count, what) in kinds {
        let name = format!("memory of an idle connection, {what}, of {count}");
        if !bench.wants(&name) {
            continue;
        }
        for &system in bench.systems() {
            if kind != Kind::Tls || system == System::Chinwag {
                let bytes = memory(bench, system, kind, count)?;
                bench.figure(&name, "KiB", system, bytes / 1024.0);
            }
        }
    }
    let name = "1,000 guests come at once";
    if bench.wants(name) {
        for &system in bench.systems() {
            let seconds = storm(bench, system)?;
            bench.figure(name, "CPU s", system, seconds);
        }
    }
    Ok(())
}

fn memory(bench: &Bench, system: System, kind: Kind, count: usize) -> io::Result<f64> {
    let mut process = bench.start(system, &["--guests", "true"])?;
    let mut idle = Idle { kind, crowd: Crowd::new()?, encrypted: Vec::new() };
    idle.add(&process, FIRST)?;
    let before = settled(&mut process)?;
    idle.add(&process, count)?;
    let after = settled(&mut process)?;
    Ok((after as f64 - before as f64) / count as f64)
}

/// The resident memory when it has not changed for a while.
fn settled(process: &mut Process) -> io::Result<u64> {
    process.ask("quiesce")?;
    let mut last = process.resident()?;
    for _ in 0..50 {
        thread::sleep(Duration::from_millis(100));
        let now = process.resident()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}

struct Idle {
    kind: Kind,
    crowd: Crowd,
    encrypted: Vec<(ClientConnection, TcpStream)>,
}

impl Idle {
    fn add(&mut self, process: &Process, count: usize) -> io::Result<()> {
        let from = self.crowd.len();
        match self.kind {
            Kind::Plain => {
                self.crowd.connect(process.address, count)?;
                self.crowd.ask_each(from, from + count, 1000, |_| "ping here\n".to_owned(), b"pong here")
            }
            Kind::Guests => {
                self.crowd.connect(process.address, count)?;
                self.crowd.ask_each(from, from + count, 1000, |who| format!("guest g{who:05}\n"), b"* welcome")?;
                self.crowd.barrier()
            }
            Kind::Tls => {
                let config = Arc::new(pinned(process)?);
                for _ in 0..count {
                    self.encrypted.push(greet(process.address, &config)?);
                }
                Ok(())
            }
        }
    }
}

/// One encrypted connection that has said something. One after the other: what a client costs is not measured.
fn greet(address: SocketAddr, config: &Arc<ClientConfig>) -> io::Result<(ClientConnection, TcpStream)> {
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut both = rustls::Stream::new(&mut tls, &mut stream);
    both.write_all(b"ping here\n")?;
    let mut answer = [0; 10];
    both.read_exact(&mut answer)?;
    if answer != *b"pong here\n" {
        return Err(io::Error::other("no pong through TLS"));
    }
    Ok((tls, stream))
}

/// One encrypted connection to a server that speaks lines.
pub(crate) fn encrypted(process: &Process) -> io::Result<(ClientConnection, TcpStream)> {
    greet(process.address, &Arc::new(pinned(process)?))
}

/// Trusts the certificate that the server has made, and no other.
fn pinned(process: &Process) -> io::Result<ClientConfig> {
    use rustls::pki_types::pem::PemObject;
    let pem = fs::read(process.data().join("certificate.pem"))?;
    let certificate = CertificateDer::from_pem_slice(&pem).map_err(io::Error::other)?;
    Ok(ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(certificate)))
        .with_no_client_auth())
}

#[derive(Debug)]
struct Pinned(CertificateDer<'static>);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *certificate == self.0 { Ok(ServerCertVerified::assertion()) } else { Err(rustls::Error::General("another certificate".into())) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &default_provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &default_provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// What it costs that a thousand come at once and everyone sees everyone who comes later.
fn storm(bench: &Bench, system: System) -> io::Result<f64> {
    const GUESTS: usize = 1000;
    let process = bench.start(system, &["--guests", "true"])?;
    let mut crowd = Crowd::new()?;
    crowd.connect(process.address, GUESTS)?;
    crowd.barrier()?;
    let before = process.usage()?;
    let began = Instant::now();
    crowd.ask_each(0, GUESTS, GUESTS, |who| format!("guest g{who:05}\n"), b"* welcome")?;
    crowd.barrier()?;
    let used = process.usage()?.since(before).processor;
    eprintln!("  1,000 guests: everyone has seen everyone after {:.2} s", began.elapsed().as_secs_f64());
    Ok(used.as_secs_f64())
}
