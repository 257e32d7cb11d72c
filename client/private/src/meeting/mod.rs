//! From two offers to a channel: who dials whom, who is let in, and which of several connections it will be.

mod proof;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::settled_pair;
mod tls;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::Sender;
use futures_rustls::TlsStream;
use smol::future::or;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use smol::lock::{Semaphore, SemaphoreGuardArc};
use smol::net::TcpStream;
use smol::{Async, Executor};
use socket2::SockRef;

use crate::channel::{Channel, Engine};
use crate::frame::{Decoder, Frame};
use crate::identity::Identity;
use crate::terms::Terms;
use chinwag_wire::private::ADDRESSES_MAX;
use chinwag_wire::{Fingerprint, Offer, Token};
use proof::{Bond, commitment};
use tls::{End, Tls};

/// How many that have not proved themselves yet are let in at a time; others wait in the system's queue. Twice what the
/// other can come with, each for as long as [`Terms::prove`] at most.
const UNPROVEN_MAX: usize = 2 * ADDRESSES_MAX;
/// How many times the asked answers in one meeting with its number. The other comes once by each of its and our addresses;
/// somebody in between, who needs answers to try digits with, has this many tries at one in a million.
const ANSWERS_MAX: u32 = 2 * ADDRESSES_MAX as u32;
/// How many failures are kept to be told: each address once, and some strangers.
const TRIED_MAX: usize = 2 * ADDRESSES_MAX;
/// How much may wait in the system to be sent. What waits there cannot be overtaken by talk.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 * 1024;

/// What TLS runs over.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}
/// Any such thing.
pub(crate) type BoxedStream = Box<dyn Duplex>;

/// Which side of a meeting this is. The server says it to both (`PrivateAgreed`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who invited.
    Asker,
    /// Who was invited.
    Asked,
}

/// A short authentication string: six digits. `Display` shows them as `123 456`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sas(pub(crate) u32);

impl fmt::Display for Sas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// Why there is no channel. `Display` gives a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// No connection came about in time: no address, all of them unreachable, or nothing answered. A relay may help.
    NoWay {
        /// What was tried and what came of it.
        tried: Vec<String>,
    },
    /// Whoever is at the other end of the stream given to [`Meeting::over`] is not the other, or lacks the token: what was
    /// wrong. (Strangers on a direct way are lines of `tried`: another machine may have that address here.)
    Impostor(String),
    /// The meeting has given a channel already: its token is used up.
    Spent,
    /// Our own certificate and key, or our sockets, cannot be used: why.
    Ours(String),
}

/// A meeting that is prepared: a one-time token, and sockets that nobody is let in from before [`hold`](Meeting::hold).
/// Dropping it closes them; so does the channel that comes out of it.
#[derive(Debug)]
pub struct Meeting {
    identity: Identity,
    offer: Offer,
    listeners: Mutex<Vec<TcpListener>>,
    answers: Arc<AtomicU32>,
    spent: AtomicBool,
    terms: Terms,
}

/// The addresses this machine would go out from, one for each family: what to listen on when nobody says better. Asks the
/// routing table; sends nothing.
#[must_use]
pub fn ways_out() -> Vec<IpAddr> {
    // Addresses for documentation: anywhere out there. To connect a UDP socket is only to choose a route.
    let targets: [(IpAddr, IpAddr); 2] = [
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
        (Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
    ];
    let way = |(any, target): (IpAddr, IpAddr)| {
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((target, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
    };
    targets.into_iter().filter_map(way).collect()
}

impl Meeting {
    /// Makes a token and listens on each address of `listen` (port 0: any), at most eight. None: not directly.
    ///
    /// # Errors
    /// An address cannot be listened on or offered, or there is no randomness.
    pub fn prepare(identity: &Identity, listen: &[SocketAddr], terms: Terms) -> io::Result<Meeting> {
        if listen.len() > ADDRESSES_MAX || listen.iter().any(|address| address.ip().is_unspecified() || address.ip().is_multicast()) {
            let most = format!("at most {ADDRESSES_MAX} addresses can be offered, each of one interface");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, most));
        }
        let listeners = listen.iter().map(TcpListener::bind).collect::<io::Result<Vec<_>>>()?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let token = Token(random()?);
        let offer = Offer { fingerprint: identity.fingerprint(), token, addresses };
        let (answers, spent) = (Arc::new(AtomicU32::new(0)), AtomicBool::new(false));
        Ok(Meeting { identity: identity.clone(), offer, listeners: Mutex::new(listeners), answers, spent, terms })
    }

    /// What the other has to get, through the server.
    #[must_use]
    pub fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Meets the other directly: dials what `theirs` names, lets in who comes, and takes the first connection that is proved
    /// (the asker does; the asked is told). Both addresses become known to the other. Dropping the future gives up.
    ///
    /// # Errors
    /// See [`Missed`]. After [`Missed::NoWay`] the same meeting may be held again, or [`over`](Meeting::over) a relay.
    pub async fn hold(&self, side: Side, theirs: &Offer) -> Result<(Channel, Engine), Missed> {
        let attempt = Arc::new(self.attempt(side, theirs)?);
        let ours = |error: io::Error| Missed::Ours(in_words(&error));
        let listeners: Vec<TcpListener> = self.listeners().iter().map(TcpListener::try_clone).collect::<io::Result<_>>().map_err(ours)?;
        let listeners: Vec<Async<TcpListener>> = listeners.into_iter().map(Async::new).collect::<io::Result<_>>().map_err(ours)?;
        let is_local = self.offer.addresses.iter().any(|address| address.ip().is_loopback());
        let ways: Vec<SocketAddr> =
            theirs.addresses.iter().copied().filter(|address| may_dial(*address, is_local)).take(ADDRESSES_MAX).collect();
        let settled = meet(&attempt, listeners, ways).await.map_err(|tried| Missed::NoWay { tried })?;
        self.open(&attempt, settled)
    }

    /// Meets the other over a connection that somebody else made, such as a relay. Nothing about it is trusted.
    ///
    /// # Errors
    /// See [`Missed`].
    pub async fn over<S>(&self, side: Side, theirs: &Offer, stream: S) -> Result<(Channel, Engine), Missed>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let attempt = self.attempt(side, theirs)?;
        // Nobody dialled, so somebody has to be TLS's client.
        let end = if side == Side::Asker { End::Client } else { End::Server };
        let meeting = async { attempt.choose(attempt.prove(end, Box::new(stream)).await?).await };
        // The other may have to make its connection first.
        let met = self.terms.clock.within(self.terms.meet, meeting).await;
        match met.unwrap_or_else(|| Err(Failed::link("it does not answer"))) {
            Ok(settled) => self.open(&attempt, settled),
            Err(failed) if failed.is_impostor => Err(Missed::Impostor(failed.why)),
            Err(failed) => Err(Missed::NoWay { tried: vec![failed.why] }),
        }
    }

    fn attempt(&self, side: Side, theirs: &Offer) -> Result<Attempt, Missed> {
        if self.spent.load(Ordering::Acquire) {
            return Err(Missed::Spent);
        }
        let tls = Tls::new(&self.identity, theirs.fingerprint).map_err(|error| Missed::Ours(error.to_string()))?;
        let (tokens, fingerprints) = match side {
            Side::Asker => ([self.offer.token, theirs.token], [self.offer.fingerprint, theirs.fingerprint]),
            Side::Asked => ([theirs.token, self.offer.token], [theirs.fingerprint, self.offer.fingerprint]),
        };
        let (answers, terms) = (Arc::clone(&self.answers), self.terms.clone());
        Ok(Attempt { tls, side, tokens, fingerprints, answers, terms })
    }

    fn open(&self, attempt: &Attempt, settled: Settled) -> Result<(Channel, Engine), Missed> {
        if self.spent.swap(true, Ordering::AcqRel) {
            return Err(Missed::Spent);
        }
        self.listeners().clear();
        let peer = attempt.fingerprints[if attempt.side == Side::Asker { 1 } else { 0 }];
        Ok(crate::channel::open(settled, attempt.side, peer, attempt.terms.clone()))
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<TcpListener>> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an address that the other named is dialled: what it names is its own word, and must not make us knock at doors
/// of this machine that are open to this machine only. `is_local`: we listen there ourselves.
fn may_dial(address: SocketAddr, is_local: bool) -> bool {
    let ip = address.ip().to_canonical();
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast && (!ip.is_loopback() || is_local)
}

/// All that one attempt to meet knows.
struct Attempt {
    tls: Tls,
    side: Side,
    /// The asker's first.
    tokens: [Token; 2],
    fingerprints: [Fingerprint; 2],
    answers: Arc<AtomicU32>,
    terms: Terms,
}

/// Why one connection was not the one.
pub(crate) struct Failed {
    why: String,
    /// Somebody was there, and it was not the other.
    is_impostor: bool,
}

impl Failed {
    fn link(why: impl Into<String>) -> Failed {
        Failed { why: why.into(), is_impostor: false }
    }

    fn impostor(why: impl Into<String>) -> Failed {
        Failed { why: why.into(), is_impostor: true }
    }
}

/// A connection on which the other has proved itself.
struct Proven {
    settled: Settled,
    /// What the asker has to open to take this one; the asked has been told already.
    opening: Option<[u8; 32]>,
}

/// The connection that both have agreed on.
pub(crate) struct Settled {
    pub(crate) stream: TlsStream<BoxedStream>,
    /// What came behind the last frame of the meeting is the channel's.
    pub(crate) decoder: Decoder,
    pub(crate) sas: Sas,
}

impl Attempt {
    /// Handshake and proofs on one connection. As the asked, this ends when the asker has chosen this connection.
    async fn prove(&self, end: End, stream: BoxedStream) -> Result<Proven, Failed> {
        let (mut stream, exporter) = self.tls.shake(end, stream).await?;
        let mut decoder = Decoder::new();
        match self.proofs(&mut stream, &mut decoder, &exporter).await {
            Ok((sas, opening)) => Ok(Proven { settled: Settled { stream, decoder, sas }, opening }),
            Err(failed) => {
                // Closed, not cut: so the other knows that it was refused.
                let _ = stream.close().await;
                Err(failed)
            }
        }
    }

    /// The digits, and what has to be opened yet.
    async fn proofs(
        &self,
        stream: &mut TlsStream<BoxedStream>,
        decoder: &mut Decoder,
        exporter: &[u8; 32],
    ) -> Result<(Sas, Option<[u8; 32]>), Failed> {
        let bond = Bond::new([&self.tokens[0], &self.tokens[1]], [&self.fingerprints[0], &self.fingerprints[1]], exporter);
        let mine = random().map_err(|error| Failed::link(in_words(&error)))?;
        let stranger = || Failed::impostor("it does not know the tokens of this meeting");
        match self.side {
            Side::Asker => {
                let commitment = commitment(&mine);
                let proof = bond.proof(Side::Asker, &commitment, &[0; 32]);
                say(stream, Frame::Claim { proof, commitment }).await?;
                let answer = |frame: Frame<'_>| match frame {
                    Frame::Answer { proof, nonce } => Some((proof, nonce)),
                    _ => None,
                };
                let (proof, theirs) = hear(stream, decoder, answer).await?;
                if !bond.is_proof(Side::Asked, &commitment, &theirs, &proof) {
                    return Err(stranger());
                }
                Ok((bond.sas(&mine, &theirs), Some(mine)))
            }
            Side::Asked => {
                let claim = |frame: Frame<'_>| match frame {
                    Frame::Claim { proof, commitment } => Some((proof, commitment)),
                    _ => None,
                };
                let (proof, committed) = hear(stream, decoder, claim).await?;
                if !bond.is_proof(Side::Asker, &committed, &[0; 32], &proof) {
                    return Err(stranger());
                }
                if self.answers.fetch_add(1, Ordering::AcqRel) >= ANSWERS_MAX {
                    return Err(Failed::impostor("it has come too often"));
                }
                let proof = bond.proof(Side::Asked, &committed, &mine);
                say(stream, Frame::Answer { proof, nonce: mine }).await?;
                let chosen = |frame: Frame<'_>| match frame {
                    Frame::Chosen { nonce } => Some(nonce),
                    _ => None,
                };
                let theirs = hear(stream, decoder, chosen).await?;
                if commitment(&theirs) != committed {
                    return Err(Failed::impostor("it has changed its number"));
                }
                Ok((bond.sas(&theirs, &mine), None))
            }
        }
    }

    /// Takes this connection: says so, if that is for us to say.
    async fn choose(&self, proven: Proven) -> Result<Settled, Failed> {
        let Proven { mut settled, opening } = proven;
        if let Some(nonce) = opening {
            say(&mut settled.stream, Frame::Chosen { nonce }).await?;
        }
        Ok(settled)
    }

    /// [`prove`](Attempt::prove), as long as that may take.
    async fn prove_in_time(&self, end: End, stream: TcpStream) -> Result<Proven, Failed> {
        tune(&stream);
        let proving = self.prove(end, Box::new(stream));
        let late = || Err(Failed::link("it does not prove who it is in time"));
        self.terms.clock.within(self.terms.prove, proving).await.unwrap_or_else(late)
    }

    async fn dial(&self, address: SocketAddr) -> Result<Proven, Failed> {
        let connecting = self.terms.clock.within(self.terms.connect, TcpStream::connect(address));
        let connected = connecting.await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()));
        self.prove_in_time(End::Client, connected.map_err(|error| Failed::link(in_words(&error)))?).await
    }
}

/// What happens while two try to meet.
enum Step {
    /// Somebody came to one of our addresses.
    Came(TcpStream, SocketAddr, SemaphoreGuardArc),
    /// One of our addresses lets nobody in any more.
    Shut(io::Error),
    /// A connection has come to something, or not.
    Tried(SocketAddr, Result<Box<Proven>, Failed>, End),
}

/// Tries all ways at once; the first one that stands is taken, and all others are closed.
async fn meet(attempt: &Arc<Attempt>, listeners: Vec<Async<TcpListener>>, ways: Vec<SocketAddr>) -> Result<Settled, Vec<String>> {
    // Dropping it drops whatever is still being tried. `steps` is bounded by what runs: each task waits for its own step.
    let executor = Executor::new();
    let (steps, stepped) = async_channel::bounded(1);
    let (mut dialling, mut listening) = (ways.len(), listeners.len());
    let places = Arc::new(Semaphore::new(UNPROVEN_MAX));
    for listener in listeners {
        executor.spawn(let_in(listener, Arc::clone(&places), steps.clone())).detach();
    }
    for address in ways {
        let (attempt, steps) = (Arc::clone(attempt), steps.clone());
        executor.spawn(async move { report(&steps, address, attempt.dial(address).await, End::Client).await }).detach();
    }
    let mut tried = Vec::new();
    let mut note = |line: String| {
        if tried.len() < TRIED_MAX {
            tried.push(line);
        }
    };
    let until = attempt.terms.clock.now() + attempt.terms.meet;
    let settled = executor.run(async {
        while dialling + listening > 0 {
            let step = or(async { stepped.recv().await.ok() }, async {
                attempt.terms.clock.until(until).await;
                None
            });
            match step.await {
                Some(Step::Came(stream, from, place)) => {
                    let (attempt, steps) = (Arc::clone(attempt), steps.clone());
                    let proving = async move {
                        let proven = attempt.prove_in_time(End::Server, stream).await;
                        drop(place);
                        report(&steps, from, proven, End::Server).await;
                    };
                    executor.spawn(proving).detach();
                }
                Some(Step::Shut(error)) => {
                    listening -= 1;
                    note(format!("nobody can be let in ({})", in_words(&error)));
                }
                Some(Step::Tried(address, outcome, end)) => {
                    dialling -= usize::from(end == End::Client);
                    let settled = match outcome {
                        Ok(proven) => match attempt.terms.clock.within(attempt.terms.prove, attempt.choose(*proven)).await {
                            Some(settled) => settled,
                            None => Err(Failed::link("it takes no word")),
                        },
                        Err(failed) => Err(failed),
                    };
                    match settled {
                        Ok(settled) => return Some(settled),
                        Err(failed) => note(format!("{address}: {}", failed.why)),
                    }
                }
                None => {
                    note("nobody has come in time".to_owned());
                    return None;
                }
            }
        }
        None
    });
    let settled = settled.await;
    settled.ok_or(tried)
}

async fn report(steps: &Sender<Step>, address: SocketAddr, outcome: Result<Proven, Failed>, end: End) {
    // Nobody listens any more when another one was taken.
    let _ = steps.send(Step::Tried(address, outcome.map(Box::new), end)).await;
}

/// Lets in who comes, as long as there are places.
async fn let_in(listener: Async<TcpListener>, places: Arc<Semaphore>, steps: Sender<Step>) {
    loop {
        let place = places.acquire_arc().await;
        let step = match listener.accept().await {
            Ok((stream, from)) => Step::Came(TcpStream::from(stream), from, place),
            // It has thought better of it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => Step::Shut(error),
        };
        let is_shut = matches!(step, Step::Shut(_));
        if steps.send(step).await.is_err() || is_shut {
            return;
        }
    }
}

fn tune(stream: &TcpStream) {
    // A system that cannot do one of these is no reason not to meet: talk is then a little slower.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES);
}

async fn say(stream: &mut TlsStream<BoxedStream>, frame: Frame<'_>) -> Result<(), Failed> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    stream.write_all(&bytes).await.map_err(tls::why)?;
    stream.flush().await.map_err(tls::why)
}

/// The next frame, which has to be the one that `expected` takes.
async fn hear<T>(
    stream: &mut TlsStream<BoxedStream>,
    decoder: &mut Decoder,
    expected: impl Fn(Frame<'_>) -> Option<T>,
) -> Result<T, Failed> {
    loop {
        match decoder.next() {
            Ok(Some(frame)) => return expected(frame).ok_or_else(|| Failed::impostor("it says something else than it should")),
            Ok(None) => {}
            Err(broken) => return Err(Failed::impostor(format!("it does not keep to the protocol: {}", broken.0))),
        }
        match stream.read(decoder.room()).await.map_err(tls::why)? {
            0 => return Err(Failed::impostor("it does not take us for who we are")),
            count => decoder.filled(count),
        }
    }
}

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Whether TLS takes this key with this certificate.
pub(crate) fn usable(identity: &Identity) -> Result<(), String> {
    Tls::new(identity, identity.fingerprint()).map(|_| ()).map_err(|error| error.to_string())
}

/// The system's words without its numbers.
pub(crate) fn in_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "the connection was cut".to_owned(),
        io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::UnexpectedEof => "the connection ended".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missed::NoWay { tried } if tried.is_empty() => f.write_str("there is no direct way to the other side"),
            Missed::NoWay { tried } => write!(f, "there is no way to the other side: {}", tried.join("; ")),
            Missed::Impostor(what) => write!(f, "this is not the other side: {what}"),
            Missed::Spent => f.write_str("this meeting has been held"),
            Missed::Ours(why) => write!(f, "this side cannot meet anybody: {why}"),
        }
    }
}

impl std::error::Error for Missed {}
