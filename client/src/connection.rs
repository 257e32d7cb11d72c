//! One connection: names to addresses, TCP, TLS, the switch to the dialect of programs, and then lines both ways. Where
//! the server speaks a foreign wire, lines are translated on their way; nobody else notices.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chinwag_wire::dialect::json::{ServerLine, decode_server_line, encode_line};
use chinwag_wire::dialect::s4::{self, client::Visitor};
use chinwag_wire::private::Token;
use chinwag_wire::{Event, Line, Millis, SafeText};
use clap::ValueEnum;
use futures_rustls::TlsConnector;
use futures_rustls::pki_types::ServerName;
use futures_rustls::rustls::client::danger::ServerCertVerifier;
use futures_rustls::rustls::crypto::{CryptoProvider, ring};
use futures_rustls::rustls::version::{TLS12, TLS13};
use futures_rustls::rustls::{self, ClientConfig, SupportedProtocolVersion};
use smol::Timer;
use smol::future::or;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Cursor};
use smol::net::TcpStream;
use socket2::{SockRef, TcpKeepalive};

use crate::address::Place;
use crate::failure::{Exit, Failure};
use crate::machinery;
use crate::trust::{self, Fingerprint, KnownHosts, Pin, Verifier, Vouchers};

/// The longest line a server may send: a long history page fits many times over, a server gone mad does not.
const LINE_BYTES_MAX: usize = 1 << 20;
/// How many bytes one read takes: several hundred chat lines.
const READ_BYTES: usize = 32 * 1024;
/// How long one address may take to answer: longer than any round trip, short enough to try the next.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long the handshake and the greeting may take: a loaded server needs a second or two.
const GREETING_PATIENCE: Duration = Duration::from_secs(20);
/// How long the server may take no byte of what we say before the link counts as lost.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);
/// How many addresses of one name are tried: more is a misconfigured name.
const ADDRESSES_MAX: usize = 16;
/// How many lines that are not JSON may come before the greeting; a refusal to newcomers is one.
const FOREIGN_LINES_MAX: usize = 16;
/// How long a server of a foreign wire may take to end the connection when it has been told that nothing more comes.
const ENDING_PATIENCE: Duration = Duration::from_secs(2);
/// What is wrong with a key that nothing but TLS 1.2 can be checked with.
const SHORT_KEY: &str = "its RSA key is shorter than 2048 bits";
/// The longest answer to whoever wants something carried: a refusal with its hint.
const CARRY_BYTES_MAX: usize = 1024;
/// How much of a foreign line is shown.
const FOREIGN_CHARS_MAX: usize = 200;
/// Silence after which the system asks whether the other side is still there, and how often it asks again: a dead
/// link is noticed within a minute even when nobody types.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);

/// Which TLS is spoken: to our servers the newest, to others also the one before it, or only that one.
const NEW: &[&SupportedProtocolVersion] = &[&TLS13];
const NEW_OR_OLD: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const OLD: &[&SupportedProtocolVersion] = &[&TLS12];

fn versions(server: &Server, short_key: bool) -> &'static [&'static SupportedProtocolVersion] {
    match server.wire {
        None => NEW,
        // A foreign wire is as old as its server.
        Some(_) if short_key => OLD,
        Some(_) => NEW_OR_OLD,
    }
}

/// How to be sure of the server.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    /// Not at all: no encryption, loopback only.
    Plain,
    /// By the fingerprint remembered at the first visit.
    Pinned {
        /// Where it is remembered.
        known: KnownHosts,
        /// Whether a changed fingerprint is to be remembered instead of refused.
        accept_new: bool,
    },
    /// By certificates from a file.
    Vouched(Arc<Vouchers>),
}

/// Where the server is and how to be sure of it: all that is needed to connect, and to connect again.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Where it is.
    pub(crate) place: Place,
    /// How to be sure of it.
    pub(crate) security: Security,
    /// The foreign wire it speaks, if it does not speak ours.
    pub(crate) wire: Option<Wire>,
}

/// A foreign wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wire {
    /// Length and JSON, over TLS.
    S4,
}

/// The provider of cryptography for everything here.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection that speaks lines.
pub(crate) struct Link {
    stream: Box<dyn Duplex>,
    /// What was read and not yet taken; `taken` bytes of it are spent, the next `scanned` hold no line end.
    unread: Vec<u8>,
    taken: usize,
    scanned: usize,
    /// Where reads land.
    chunk: Vec<u8>,
    /// What translates, where the server speaks a foreign wire.
    visitor: Option<Box<Visitor>>,
}

/// What came in.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A line of the dialect.
    Said(Box<ServerLine>),
    /// Something else, made safe and shortened.
    Foreign(String),
}

/// The link is gone; why, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost(pub(crate) String);

/// A fresh link, and what was said on it so far.
pub(crate) struct Opened {
    /// The link; it speaks JSON from here on.
    pub(crate) link: Link,
    /// The greeting: `hello` and what came with it.
    pub(crate) greeting: Vec<Event>,
    /// What people should know, such as a fingerprint that is remembered from now on.
    pub(crate) notices: Vec<String>,
}

/// Connects, makes sure of the server, and switches to the dialect of programs.
///
/// # Errors
/// Nobody there (or not a Chinwag server), or not the server it should be.
pub(crate) async fn open(server: &Server) -> Result<Opened, Failure> {
    let place = &server.place;
    let silent = || Err(Failure::no_link(format!("{place} accepts connections but does not answer")).into());
    let mut short_key = false;
    let (stream, notices) = loop {
        let tcp = reach(server).await?;
        match within(GREETING_PATIENCE, secure(server, tcp, short_key)).await.unwrap_or_else(silent) {
            Ok(secured) => break secured,
            // The key is good enough for nothing but TLS 1.2.
            Err(Insecure { short_key: true, .. }) if server.wire.is_some() && !short_key => short_key = true,
            Err(Insecure { failure, .. }) if short_key && failure.exit == Exit::NoLink => {
                return Err(Failure::certificate(format!(
                    "{place} cannot prove who it is ({SHORT_KEY}, and it speaks no TLS 1.2), so nothing was sent to it"
                )));
            }
            Err(Insecure { failure, .. }) => return Err(failure),
        }
    };
    let mut link = Link::over(stream);
    if server.wire == Some(Wire::S4) {
        // Nothing is said there before the login.
        link.visitor = Some(Box::default());
        return Ok(Opened { link, greeting: Vec::new(), notices });
    }
    match within(GREETING_PATIENCE, greet(place, &mut link)).await {
        Some(greeting) => Ok(Opened { link, greeting: greeting?, notices }),
        None => Err(Failure::no_link(format!("{place} does not answer as a Chinwag server does"))),
    }
}

/// A connection that the server makes one end of a private chat: raw bytes from here on.
///
/// # Errors
/// Nobody there, not the server it should be, or it does not take the ticket.
pub(crate) async fn carried(server: &Server, ticket: Token) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, Failure> {
    let place = &server.place;
    let lost = |error: io::Error| Failure::no_link(format!("{place} is gone ({})", in_words(&error)));
    let tcp = reach(server).await?;
    // Whoever gives tickets is a server of ours, and needs no older TLS.
    let (mut stream, _) = secure(server, tcp, false).await.map_err(|insecure| insecure.failure)?;
    let carry = match server.wire {
        None => machinery::carry(ticket),
        Some(Wire::S4) => s4::client::carry(ticket),
    };
    stream.write_all(&carry).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    let refused = |why: &str| Failure::no_link(format!("{place} does not carry it: {}", SafeText::new(why)));
    if server.wire == Some(Wire::S4) {
        let mut header = [0; s4::frame::HEADER];
        stream.read_exact(&mut header).await.map_err(lost)?;
        let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
        if length > s4::client::CARRIED_MAX {
            return Err(refused("it answers with something else"));
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer).await.map_err(lost)?;
        return s4::client::carried(&answer).map(|()| stream).map_err(|why| refused(&why));
    }
    // Byte by byte: what comes after the line is not the server's.
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while answer.len() < CARRY_BYTES_MAX {
        stream.read_exact(&mut byte).await.map_err(lost)?;
        if byte[0] == b'\n' {
            break;
        }
        answer.push(byte[0]);
    }
    let answer = String::from_utf8_lossy(&answer);
    match answer.trim_end() {
        machinery::CARRIED => Ok(stream),
        why => Err(refused(why)),
    }
}

/// The first address that answers.
async fn reach(server: &Server) -> Result<TcpStream, Failure> {
    let place = &server.place;
    let (host, port) = (place.host.clone(), place.port);
    // getaddrinfo blocks, and knows /etc/hosts, mDNS and whatever else this machine is set up for.
    let resolved =
        smol::unblock(move || (host.as_str(), port).to_socket_addrs().map(|all| all.take(ADDRESSES_MAX).collect::<Vec<_>>())).await;
    let addresses = resolved.map_err(|error| Failure::no_link(format!("cannot find the host `{}`: {}", place.host, in_words(&error))))?;
    if matches!(server.security, Security::Plain)
        && let Some(far) = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback())
    {
        return Err(Failure::usage(format!("--plain is for this machine only, and `{}` is {}", place.host, far.ip())));
    }
    let mut last = format!("the host `{}` has no address", place.host);
    for address in addresses {
        match dial(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = format!("no server answers at {} ({})", spelled(place, address), in_words(&error)),
        }
    }
    Err(Failure::no_link(last))
}

/// The place as it was typed, and the address if that was a name.
fn spelled(place: &Place, address: SocketAddr) -> String {
    let (place, address) = (place.to_string(), address.to_string());
    if place == address { place } else { format!("{place}, {address}") }
}

async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let late = || io::Error::from(ErrorKind::TimedOut);
    let tcp = within(CONNECT_PATIENCE, TcpStream::connect(address)).await.ok_or_else(late)??;
    // Before the handshake: Nagle and delayed acknowledgements together would cost it 40 ms.
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(&tcp);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
    // A system that cannot is no reason not to chat: a dead link is then noticed at the next line.
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(KEEPALIVE_AFTER));
    Ok(tcp)
}

/// Why a connection is not secure.
struct Insecure {
    failure: Failure,
    /// Because the certificate is trusted, and its key too short for TLS 1.3.
    short_key: bool,
}

impl From<Failure> for Insecure {
    fn from(failure: Failure) -> Insecure {
        Insecure { failure, short_key: false }
    }
}

async fn secure(server: &Server, tcp: TcpStream, short_key: bool) -> Result<(Box<dyn Duplex>, Vec<String>), Insecure> {
    let place = &server.place;
    let versions = versions(server, short_key);
    match &server.security {
        Security::Plain => Ok((Box::new(tcp), Vec::new())),
        Security::Vouched(vouchers) => match handshake(place, tcp, Arc::clone(vouchers) as _, versions).await {
            Ok(stream) => Ok((stream, Vec::new())),
            Err(refused) => Err(Insecure { failure: refused.for_vouched(place), short_key: vouchers.saw_short_key() }),
        },
        Security::Pinned { known, accept_new } => {
            let remembered = known.find(place)?;
            let expected = remembered.map(|(fingerprint, _)| fingerprint).filter(|_| !accept_new);
            let pin = Arc::new(Pin::new(expected, provider()).of_short_key(short_key));
            let stream = match handshake(place, tcp, Arc::clone(&pin) as _, versions).await {
                Ok(stream) => stream,
                Err(refused) => {
                    let failure = match (remembered, pin.seen()) {
                        (Some((expected, line)), Some(shown)) if expected != shown => trust::changed(place, known, line, expected, shown),
                        _ => refused.for_pinned(place),
                    };
                    return Err(Insecure { failure, short_key: pin.saw_short_key() });
                }
            };
            // Only now, when the handshake has proved that the server has the key.
            let notices = match pin.seen() {
                Some(shown) => remember(place, known, remembered.map(|(old, _)| old), shown)?,
                None => Vec::new(),
            };
            Ok((stream, notices))
        }
    }
}

fn remember(place: &Place, known: &KnownHosts, old: Option<Fingerprint>, shown: Fingerprint) -> Result<Vec<String>, Failure> {
    if old == Some(shown) {
        return Ok(Vec::new());
    }
    known.remember(place, shown)?;
    let file = known.path().display();
    let what = if old.is_some() { "new certificate of" } else { "first visit to" };
    Ok(vec![format!("{what} {place}: from now on it has to show the certificate"), format!("{shown}"), format!("as remembered in {file}")])
}

/// Why a handshake failed.
enum HandshakeRefused {
    Certificate(rustls::Error),
    NotTls,
    Link(io::Error),
}

impl HandshakeRefused {
    fn for_vouched(self, place: &Place) -> Failure {
        match self {
            HandshakeRefused::Certificate(error) => Failure::certificate(format!(
                "the certificate of {place} is not vouched for by the file given with --ca ({}), so nothing was sent to it",
                trust::in_words(&error)
            )),
            other => other.for_pinned(place),
        }
    }

    fn for_pinned(self, place: &Place) -> Failure {
        match self {
            HandshakeRefused::Certificate(error) => {
                Failure::certificate(format!("{place} cannot prove who it is ({}), so nothing was sent to it", trust::in_words(&error)))
            }
            HandshakeRefused::NotTls => Failure::no_link(format!("{place} does not speak TLS; is it a Chinwag server?")),
            HandshakeRefused::Link(error) => {
                Failure::no_link(format!("{place} ended the connection before it was secured ({})", in_words(&error)))
            }
        }
    }
}

async fn handshake(
    place: &Place,
    tcp: TcpStream,
    verifier: Arc<dyn ServerCertVerifier>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<Box<dyn Duplex>, HandshakeRefused> {
    let general = |error: rustls::Error| HandshakeRefused::Link(io::Error::other(error));
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(general)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    // A zone (`%eth0`) is for this machine to find the way, not for the server's name.
    let host = place.host.split('%').next().unwrap_or_default().to_owned();
    let name = ServerName::try_from(host).map_err(|error| HandshakeRefused::Link(io::Error::other(error)))?;
    match TlsConnector::from(Arc::new(config)).connect(name, tcp).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidMessage(_)) => HandshakeRefused::NotTls,
            Some(refused @ (rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)) => {
                HandshakeRefused::Certificate(refused.clone())
            }
            _ => HandshakeRefused::Link(error),
        }),
    }
}

/// Switches to JSON and reads up to the answer.
async fn greet(place: &Place, link: &mut Link) -> Result<Vec<Event>, Failure> {
    link.send(machinery::SPEAK_JSON).await.map_err(|Lost(why)| Failure::no_link(format!("{place} {why}")))?;
    let mut greeting = Vec::new();
    let mut foreign = String::new();
    for _ in 0..FOREIGN_LINES_MAX {
        match link.next().await {
            Ok(Heard::Foreign(line)) => foreign = line,
            Ok(Heard::Said(line)) => match line.event {
                Event::Dialect { .. } => return Ok(greeting),
                Event::Closing(refusal) | Event::Refusal(refusal) => {
                    return Err(Failure::no_link(format!("{place} sends you away: {}", sentence(&refusal))));
                }
                event => greeting.push(event),
            },
            // What a server says to newcomers it has no room for comes in the dialect of people.
            Err(Lost(why)) if foreign.is_empty() => {
                return Err(Failure::no_link(format!("{place} {why}")));
            }
            Err(Lost(_)) => {
                return Err(Failure::no_link(format!("{place} sends you away: {foreign}")));
            }
        }
    }
    Err(Failure::no_link(format!("{place} does not speak as a Chinwag server does: {foreign}")))
}

impl Default for Link {
    /// One that is lost.
    fn default() -> Link {
        Link::over(Box::new(Cursor::new(Vec::new())))
    }
}

impl Link {
    fn over(stream: Box<dyn Duplex>) -> Link {
        Link { stream, unread: Vec::new(), taken: 0, scanned: 0, chunk: vec![0; READ_BYTES], visitor: None }
    }

    /// Closes the connection at once: a server that said goodbye does not have to wait for us. From here on the
    /// link is lost.
    pub(crate) fn hang_up(&mut self) {
        let visitor = self.visitor.take();
        *self = Link { visitor, ..Link::over(Box::new(Cursor::new(Vec::new()))) };
        if let Some(visitor) = &mut self.visitor {
            visitor.begin_again();
        }
    }

    /// Whether the server speaks a foreign wire.
    pub(crate) fn is_foreign(&self) -> bool {
        self.visitor.is_some()
    }

    /// Goes on over `fresh`, after it was hung up: what was heard before is not heard again.
    pub(crate) fn go_on_over(&mut self, fresh: Link) {
        let visitor = self.visitor.take();
        *self = fresh;
        self.visitor = visitor.or(self.visitor.take());
    }

    /// Sends one line.
    ///
    /// # Errors
    /// The link is gone.
    pub(crate) async fn say(&mut self, line: &Line<'_>) -> Result<(), Lost> {
        let Some(visitor) = &mut self.visitor else { return self.send(&encode_line(line)).await };
        let frames = visitor.say(line, now());
        let is_leaving = visitor.is_leaving();
        for frame in frames {
            // One write for each: there are servers that take what they read at once for one frame.
            self.send(&frame).await?;
        }
        if is_leaving {
            // A server that is gone has ended it, too.
            let _ = within(WRITE_PATIENCE, self.stream.close()).await;
        }
        Ok(())
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        let sending = async {
            self.stream.write_all(bytes).await?;
            // Without it TLS keeps the end of what was written to itself.
            self.stream.flush().await
        };
        match within(WRITE_PATIENCE, sending).await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(Lost(format!("is gone ({})", in_words(&error)))),
            None => Err(Lost("does not take what is sent".to_owned())),
        }
    }

    /// The next line. May be dropped and called again without losing a byte.
    ///
    /// # Errors
    /// The link is gone, or the server sends a line without end.
    pub(crate) async fn next(&mut self) -> Result<Heard, Lost> {
        if self.visitor.is_some() {
            return self.next_of_foreign().await;
        }
        loop {
            if let Some(line) = self.take_line() {
                return Ok(understood(&line));
            }
            if self.unread.len() - self.taken > LINE_BYTES_MAX {
                return Err(Lost(format!("sent a line longer than {LINE_BYTES_MAX} bytes")));
            }
            self.unread.drain(..self.taken);
            self.taken = 0;
            match self.stream.read(&mut self.chunk).await {
                Ok(0) => return Err(Lost("ended the connection".to_owned())),
                Ok(count) => self.unread.extend_from_slice(&self.chunk[..count]),
                Err(error) => return Err(Lost(format!("is gone ({})", in_words(&error)))),
            }
        }
    }

    /// What a server of a foreign wire says, as ours would.
    async fn next_of_foreign(&mut self) -> Result<Heard, Lost> {
        loop {
            let Some(visitor) = &mut self.visitor else { return Err(Lost("is gone".to_owned())) };
            if let Some(line) = visitor.next_line() {
                return Ok(Heard::Said(Box::new(line)));
            }
            if self.taken < self.unread.len() {
                self.taken += visitor.hear(&self.unread[self.taken..], now()).map_err(Lost)?;
                continue;
            }
            self.unread.clear();
            self.taken = 0;
            let read = self.stream.read(&mut self.chunk);
            let read = if visitor.is_leaving() { within(ENDING_PATIENCE, read).await.unwrap_or(Ok(0)) } else { read.await };
            match read {
                Ok(count) if count > 0 => self.unread.extend_from_slice(&self.chunk[..count]),
                // Some end it without the last word of TLS.
                Ok(_) | Err(_) if visitor.ended() => {}
                Ok(_) => return Err(Lost("ended the connection".to_owned())),
                Err(error) => return Err(Lost(format!("is gone ({})", in_words(&error)))),
            }
        }
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let rest = &self.unread[self.taken..];
        let Some(end) = rest[self.scanned..].iter().position(|byte| *byte == b'\n') else {
            self.scanned = rest.len();
            return None;
        };
        let line = rest[..self.scanned + end].to_vec();
        self.taken += line.len() + 1;
        self.scanned = 0;
        Some(line)
    }
}

/// The time of day.
fn now() -> Millis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn understood(line: &[u8]) -> Heard {
    let text = String::from_utf8_lossy(line);
    match decode_server_line(&text) {
        Ok(line) => Heard::Said(Box::new(line)),
        Err(_) => {
            let start: String = text.trim().chars().take(FOREIGN_CHARS_MAX).collect();
            Heard::Foreign(SafeText::new(&start).to_string())
        }
    }
}

/// What the server refuses, as a sentence for people.
pub(crate) fn sentence(refusal: &chinwag_wire::Refusal) -> String {
    let text = match &refusal.hint {
        Some(hint) => format!("{}; {hint}", refusal.text),
        None => refusal.text.clone(),
    };
    SafeText::new(&text).to_string()
}

/// What `future` gives, or nothing if it takes longer than `patience`.
pub(crate) async fn within<T>(patience: Duration, future: impl Future<Output = T>) -> Option<T> {
    or(async { Some(future.await) }, async {
        Timer::after(patience).await;
        None
    })
    .await
}

/// The system's words without its numbers.
pub(crate) fn in_words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::TimedOut => "no answer in time".to_owned(),
        ErrorKind::UnexpectedEof => "the connection ended".to_owned(),
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or(&text);
            text.strip_prefix("failed to lookup address information: ").unwrap_or(text).to_lowercase()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link whose other side has said `bytes` and left.
    fn link(bytes: Vec<u8>) -> Link {
        Link::over(Box::new(Cursor::new(bytes)))
    }

    #[test]
    fn lines_come_whole_and_strange_ones_do_no_harm() {
        let said = b"{\"type\":\"done\",\"tag\":\"1\",\"done\":true}\n{\"type\":\"hologram\"}\n\x1b[2J nonsense\n\xff\xfe\n{\"type\":\"message\"}\n".to_vec();
        let mut link = link(said);
        smol::block_on(async {
            assert!(matches!(link.next().await, Ok(Heard::Said(line)) if line.event == Event::Done && line.done));
            assert!(matches!(link.next().await, Ok(Heard::Said(line)) if line.event == Event::Unknown));
            assert!(matches!(link.next().await, Ok(Heard::Foreign(text)) if text == "␛[2J nonsense"));
            assert!(matches!(link.next().await, Ok(Heard::Foreign(_))));
            assert!(matches!(link.next().await, Ok(Heard::Foreign(_))));
            assert!(matches!(link.next().await, Err(Lost(why)) if why == "ended the connection"));
        });
    }

    #[test]
    fn a_line_without_end_ends_the_link() {
        let mut link = link(vec![b'x'; 3 * LINE_BYTES_MAX]);
        let lost = smol::block_on(link.next()).expect_err("too long");
        assert!(lost.0.contains("longer than"), "{}", lost.0);
        assert!(link.unread.len() <= LINE_BYTES_MAX + READ_BYTES, "no more than the bound is kept");
    }

    #[test]
    fn a_name_that_is_no_host_is_one_clear_sentence() {
        let place = Place { host: "no-such-host.invalid".to_owned(), port: 1 };
        let failure = smol::block_on(open(&Server { place, security: Security::Plain, wire: None })).err().expect("fails");
        assert!(failure.message.starts_with("cannot find the host `no-such-host.invalid`"), "{failure}");
        assert!(!failure.message.contains("os error"), "{failure}");
    }
}
