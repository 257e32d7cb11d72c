//! The listener: binds, accepts, counts, and hands connections to the shards in turn.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use chinwag_wire::{Event, Refusal, code, dialect};
use smol::Async;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::census::Census;
use super::shard::{ShardSenders, Told};

/// How many connections may wait to be accepted: a storm of reconnects after a restart fits.
const BACKLOG: i32 = 4096;

/// How many are accepted before others have a turn.
const ACCEPTED_AT_ONCE: usize = 64;

/// Binds every address that `host` stands for. `localhost` is usually two.
///
/// # Errors
/// When none can be bound: the first reason.
pub(crate) fn bind(host: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let mut port = port;
    let mut bound: Vec<TcpListener> = Vec::new();
    let mut failed = None;
    let mut addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    // The same order on every machine: a free port is chosen for the first, and the others follow.
    addresses.sort_by_key(|address| address.is_ipv6());
    addresses.dedup();
    for mut address in addresses {
        address.set_port(port);
        match listen(address) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                bound.push(listener);
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    match (bound.is_empty(), failed) {
        (true, Some(error)) => Err(error),
        (true, None) => Err(io::Error::new(io::ErrorKind::NotFound, "the name stands for no address")),
        (false, Some(error)) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        (false, _) => Ok(bound),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the last run's connections to be forgotten.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `::` is for both, on every system.
        socket.set_only_v6(address.ip().is_loopback())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The `listen` entry that a listener belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    /// Its place in the configuration.
    pub(crate) index: usize,
    /// The shard that has all its connections, if one has to have them all.
    pub(crate) only_shard: Option<usize>,
}

/// Accepts connections for as long as the shards live.
pub(crate) async fn accept_all(listener: TcpListener, door: Option<Opened>, census: Arc<Census>, shards: ShardSenders) {
    let listener = match Async::new(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "cannot listen"),
    };
    let mut next = 0;
    // Told once, not ten times a second: the log is on a disk, too.
    let mut is_told = false;
    loop {
        if let Err(error) = listener.readable().await {
            return tracing::error!(%error, "cannot listen any more");
        }
        for _ in 0..ACCEPTED_AT_ONCE {
            match listener.get_ref().accept() {
                Ok((stream, address)) => {
                    is_told = false;
                    next = (next + 1) % shards.0.len();
                    admit(stream, address, door, &census, &shards, next);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
                Err(error) => {
                    // Out of file handles, most likely: those who leave make room.
                    if !is_told {
                        tracing::warn!(%error, "cannot accept a connection; trying again until it works");
                    }
                    is_told = true;
                    smol::Timer::after(Duration::from_millis(100)).await;
                    break;
                }
            }
        }
        smol::future::yield_now().await;
    }
}

fn admit(stream: TcpStream, address: SocketAddr, door: Option<Opened>, census: &Arc<Census>, shards: &ShardSenders, shard: usize) {
    let ip = address.ip().to_canonical();
    // A cable that was pulled says nothing: the system asks after a minute of silence, and gives up after another.
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15)).with_retries(4);
    if let Err(error) = SockRef::from(&stream).set_tcp_keepalive(&keepalive) {
        tracing::debug!(%error, "cannot ask for keep-alives");
    }
    match census.admit(ip) {
        Some(place) => {
            let shard = door.and_then(|door| door.only_shard).unwrap_or(shard);
            shards.tell(shard, Told::Accept(stream, ip, place, door.map(|door| door.index)));
        }
        None if door.is_some() => {
            tracing::info!(%address, "refused: too many connections");
            census.tally.ends(&code::TOO_MANY_CONNECTIONS);
        }
        None => {
            tracing::info!(%address, "refused: too many connections");
            census.tally.ends(&code::TOO_MANY_CONNECTIONS);
            // A new socket takes a line without waiting; whoever speaks TLS sees the connection close.
            let _ = stream.set_nonblocking(true);
            let refusal = Refusal::new(code::TOO_MANY_CONNECTIONS, "there are too many connections, in all or from your address");
            let mut bytes = Vec::new();
            dialect::ALL[0].event(&Event::Closing(refusal.hint("try again later")), &mut bytes);
            let _ = (&stream).write_all(&bytes);
        }
    }
}
