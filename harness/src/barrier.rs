//! The proof that everything caused so far has arrived, and so the proof of silence. No waiting for "long enough".
//!
//! It rests on two promises of the protocol: all that goes to one connection goes through one queue, and what a line
//! causes is in everyone's queue before the `pong` of a later `ping` is. First those who sent something are
//! pinged: their pongs say that the effects are queued. Then the others are: their pongs come behind the effects.
//! If several sent, the first phase proves nothing about what they caused each other, so they too are in the second.
//! Whoever cannot be pinged (paused, in the middle of a line) is covered by the server's own word that it is quiet.

use std::time::{Duration, Instant};

use crate::cast::{Cast, TimedOut};
use crate::server::{Server, Trouble};

/// Numbers the pings of a scenario and counts what they cost.
#[derive(Debug, Default)]
pub struct Barrier {
    pings: u64,
    /// Somebody was dropped, or sent what may not be a line: only the server can say when it has noticed.
    pub ask_server: bool,
    /// Real time spent so far.
    pub spent: Duration,
}

impl Barrier {
    /// Waits until everything caused so far has arrived.
    ///
    /// # Errors
    /// When the server cannot be asked, or somebody's pong does not come.
    pub async fn pass(&mut self, cast: &mut Cast, server: &mut Server) -> Result<(), Trouble> {
        let began = Instant::now();
        let passed = self.phases(cast, server).await;
        self.spent += began.elapsed();
        passed
    }

    async fn phases(&mut self, cast: &mut Cast, server: &mut Server) -> Result<(), Trouble> {
        let unpingable = cast.all.iter().any(|connection| connection.is_open() && !connection.can_ping());
        if std::mem::take(&mut self.ask_server) || unpingable {
            loop {
                // What the server has not been sent it cannot have done.
                cast.flush().await?;
                cast.during(server.ask("quiesce")).await??;
                cast.drain().await;
                // What comes on a wire may be acknowledged, and that may cause more.
                let acknowledged = cast.all.iter_mut().map(|connection| std::mem::take(&mut connection.has_acknowledged));
                if acknowledged.filter(|acknowledged| *acknowledged).count() == 0 {
                    break;
                }
            }
        }
        let dirty: Vec<bool> = cast.all.iter().map(|connection| connection.dirty).collect();
        let several = dirty.iter().filter(|dirty| **dirty).count() > 1;
        self.ping(cast, |at| dirty[at]).await?;
        self.ping(cast, |at| !dirty[at] || several).await?;
        // What somebody said who is cut off has still to be said.
        cast.all.iter_mut().filter(|connection| !connection.link.cut).for_each(|connection| connection.dirty = false);
        Ok(())
    }

    /// Waits until the server has answered all that one connection said, which proves nothing about the others.
    ///
    /// # Errors
    /// When its pong does not come.
    pub async fn answered(&mut self, cast: &mut Cast, name: &str) -> Result<(), TimedOut> {
        let place = cast.all.iter().position(|connection| connection.name == name);
        self.ping(cast, |at| Some(at) == place).await
    }

    /// Pings those chosen by their place, all at once, and waits for all their pongs or their ends.
    async fn ping(&mut self, cast: &mut Cast, chosen: impl Fn(usize) -> bool) -> Result<(), TimedOut> {
        for at in 0..cast.all.len() {
            if !chosen(at) || !cast.all[at].can_ping() {
                continue;
            }
            self.pings += 1;
            let token = format!("barrier-{}", self.pings);
            let connection = &mut cast.all[at];
            let line = connection.encoded(&format!("/ping {token}"), None);
            connection.awaited = Some(token);
            connection.post(line);
        }
        cast.until(|all| all.iter().all(|connection| connection.awaited.is_none())).await
    }
}
