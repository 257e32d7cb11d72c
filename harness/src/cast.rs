//! All connections of a scenario, read together: whoever is waited for, nobody's socket fills up meanwhile.

use std::future::{Future, poll_fn};
use std::net::TcpStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use smol::{Async, Timer};

use crate::connection::Connection;

/// What was waited for did not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

/// The connections, in the order of the scenario's cast and then of their first mention.
pub struct Cast {
    /// All there are, ended ones included.
    pub all: Vec<Connection>,
    /// When to give up.
    pub deadline: Instant,
    /// Connections that were lost: they stay open, and nothing is done with them.
    lost: Vec<Arc<Async<TcpStream>>>,
}

impl Cast {
    /// Nobody yet.
    #[must_use]
    pub fn new(deadline: Instant) -> Cast {
        Cast { all: Vec::new(), deadline, lost: Vec::new() }
    }

    /// The connection with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Connection> {
        self.all.iter().find(|connection| connection.name == name)
    }

    /// The connection with this name.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Connection> {
        self.all.iter_mut().find(|connection| connection.name == name)
    }

    /// Loses a connection without the server being told.
    pub fn lose(&mut self, name: &str) {
        let stream = self.get_mut(name).and_then(Connection::lose);
        self.lost.extend(stream);
    }

    /// Takes a new connection; one with the same name that has ended gives way to it, but what nobody looked at stays.
    pub fn add(&mut self, mut connection: Connection) {
        match self.all.iter_mut().find(|old| old.name == connection.name) {
            Some(old) => {
                old.unread.append(&mut connection.unread);
                std::mem::swap(&mut connection.unread, &mut old.unread);
                old.fresh.append(&mut connection.fresh);
                std::mem::swap(&mut connection.fresh, &mut old.fresh);
                *old = connection;
            }
            None => self.all.push(connection),
        }
    }

    /// Writes to everyone what is due and reads what there is. Says whether anything went or came.
    fn poll_all(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        for connection in &mut self.all {
            any |= connection.poll(cx);
        }
        any
    }

    /// Reads from everyone what has arrived by now.
    pub async fn drain(&mut self) {
        poll_fn(|cx| {
            while self.poll_all(cx) {}
            Poll::Ready(())
        })
        .await;
    }

    /// Waits until everything that was posted is on its way to the server, as far as it can be.
    ///
    /// # Errors
    /// When the deadline comes first.
    pub async fn flush(&mut self) -> Result<(), TimedOut> {
        self.until(|all| all.iter().all(Connection::is_flushed)).await
    }

    /// Reads from everyone until `enough`.
    ///
    /// # Errors
    /// When the deadline comes first.
    pub async fn until(&mut self, mut enough: impl FnMut(&[Connection]) -> bool) -> Result<(), TimedOut> {
        let mut timer = Timer::at(self.deadline);
        poll_fn(|cx| {
            while self.poll_all(cx) {}
            if enough(&self.all) {
                return Poll::Ready(Ok(()));
            }
            Pin::new(&mut timer).poll(cx).map(|_| Err(TimedOut))
        })
        .await
    }

    /// Reads from everyone until `future` is done.
    ///
    /// # Errors
    /// When the deadline comes first.
    pub async fn during<T>(&mut self, future: impl Future<Output = T>) -> Result<T, TimedOut> {
        let mut future = pin!(future);
        let mut timer = Timer::at(self.deadline);
        poll_fn(|cx| {
            while self.poll_all(cx) {}
            if let Poll::Ready(done) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            Pin::new(&mut timer).poll(cx).map(|_| Err(TimedOut))
        })
        .await
    }
}
