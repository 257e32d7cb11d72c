//! What drives a channel: bytes in, bytes out, time. It decides nothing; that is the session's.

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_channel::{Receiver, Sender, TrySendError};
use futures_rustls::TlsStream;
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};

use super::session::Session;
use super::{ASKS_MAX, Ask, Channel, Ended, NEWS_MAX, News};
use crate::FILES_MAX;
use crate::clock::Clock;
use crate::files::Done;
use crate::frame::{Decoder, Frame};
use crate::meeting::{BoxedStream, Settled, Side, in_words};
use crate::terms::Terms;
use chinwag_wire::Fingerprint;

/// How long the goodbye may take: what was said before it goes out, and the other closes its end.
const GOODBYE: Duration = Duration::from_secs(2);
/// How much news may wait in the session before no more is read from the other.
const UNTOLD_MAX: usize = 64;
/// How many jobs may be on disks at a time: each file has one at most, and files are bounded, those that are closed included.
const JOBS_MAX: usize = 4 * FILES_MAX;

type Stream = TlsStream<BoxedStream>;

/// What drives a channel. Has to be run, on any executor or a thread of its own; ends when the channel has.
#[must_use = "a channel moves only while its engine runs"]
pub struct Engine {
    stream: Stream,
    decoder: Decoder,
    terms: Terms,
    peer: Fingerprint,
    asks: Receiver<Ask>,
    news: Sender<News>,
}

/// A channel over a connection that both have agreed on.
pub(crate) fn open(settled: Settled, side: Side, peer: Fingerprint, terms: Terms) -> (Channel, Engine) {
    let Settled { stream, decoder, sas } = settled;
    let (asks, asked) = async_channel::bounded(ASKS_MAX);
    let (told, news) = async_channel::bounded(NEWS_MAX);
    (Channel { asks, news, sas, peer, side }, Engine { stream, decoder, terms, peer, asks: asked, news: told })
}

/// Wakes one loop. Ringing twice before it looks is ringing once.
struct Bell(Sender<()>, Receiver<()>);

impl Bell {
    fn new() -> Bell {
        let (ring, rung) = async_channel::bounded(1);
        Bell(ring, rung)
    }

    fn ring(&self) {
        let _ = self.0.try_send(());
    }

    async fn rung(&self) {
        // Both ends are here, so it is never closed.
        let _ = self.1.recv().await;
    }
}

/// What the loops of an engine share. All of them are polled by one task.
struct Shared {
    session: Mutex<Session>,
    clock: Clock,
    /// There may be something to write; to tell; room for news.
    to_write: Bell,
    to_tell: Bell,
    told: Bell,
    /// What disks have done, and how much of that is yet to come.
    done: (Sender<Done>, Receiver<Done>),
    working: AtomicUsize,
}

impl Shared {
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After the session has been given something.
    fn stir(&self) {
        self.set_to_work();
        self.to_write.ring();
        self.to_tell.ring();
    }
}

impl Shared {
    /// Gives the session's jobs to threads that may wait for disks.
    fn set_to_work(&self) {
        for job in self.session().take_jobs() {
            self.working.fetch_add(1, Ordering::Relaxed);
            let done = self.done.0.clone();
            // There is room for all of them. When nobody takes it any more, it is dropped, and so is the file in it.
            smol::unblock(move || drop(done.send_blocking(job.run()))).detach();
        }
    }
}

/// What is being written; it outlives the loop that writes.
#[derive(Default)]
struct Outgoing {
    bytes: Vec<u8>,
    at: usize,
}

impl Engine {
    /// Drives the channel to its end.
    pub async fn run(self) {
        let Engine { stream, mut decoder, terms, peer, asks, news } = self;
        let clock = terms.clock.clone();
        let session = Mutex::new(Session::new(terms.ping, terms.gone, peer, clock.now()));
        let (done, working) = (async_channel::bounded(JOBS_MAX), AtomicUsize::new(0));
        let shared = Shared { session, clock, to_write: Bell::new(), to_tell: Bell::new(), told: Bell::new(), done, working };
        let (mut source, mut sink) = split(stream);
        let (mut outgoing, mut telling) = (Outgoing::default(), None);
        let why = {
            let reading = listen(&shared, &mut source, &mut decoder);
            let writing = speak(&shared, &mut sink, &mut outgoing);
            let serving = or(serve(&shared, &asks), or(watch(&shared), work(&shared)));
            or(serving, or(or(reading, writing), tell(&shared, &news, &mut telling))).await
        };
        // What the client asks for from here on comes back to it.
        asks.close();
        let parts = shared.session().end();
        let closing = smol::unblock(move || drop(parts));
        let goodbye = leave(&shared, &why, &mut source, &mut sink, &mut outgoing);
        shared.clock.within(GOODBYE, goodbye).await;
        drop((source, sink));
        // When the end is told, another attempt finds all files as this one leaves them.
        closing.await;
        while shared.working.load(Ordering::Relaxed) > 0 {
            let Ok(done) = shared.done.1.recv().await else { break };
            shared.working.fetch_sub(1, Ordering::Relaxed);
            smol::unblock(move || drop(done)).await;
        }
        let (rest, unheard) = {
            let mut session = shared.session();
            let rest: Vec<News> = std::iter::from_fn(|| session.take_news()).collect();
            (rest, session.unheard())
        };
        for piece in telling.into_iter().chain(rest).chain([News::Ended { why, unheard }]) {
            if news.send(piece).await.is_err() {
                return;
            }
        }
    }
}

/// Takes what the client asks for. Never waits for anything else, so that asking never waits.
async fn serve(shared: &Shared, asks: &Receiver<Ask>) -> Ended {
    while let Ok(ask) = asks.recv().await {
        let asked = shared.session().ask(ask);
        shared.stir();
        if let Err(why) = asked {
            return why;
        }
    }
    Ended::ByUs
}

/// Takes what disks have done.
async fn work(shared: &Shared) -> Ended {
    loop {
        // Both ends are here, so it is never closed.
        if let Ok(done) = shared.done.1.recv().await {
            shared.working.fetch_sub(1, Ordering::Relaxed);
            shared.session().done(done);
            shared.stir();
        }
    }
}

/// Looks at the time when it is due.
async fn watch(shared: &Shared) -> Ended {
    loop {
        let (next, is_due) = {
            let mut session = shared.session();
            match session.tick(shared.clock.now()) {
                Ok(next) => (next, session.is_ping_due()),
                Err(why) => return why,
            }
        };
        if is_due {
            shared.to_write.ring();
        }
        shared.clock.until(next).await;
    }
}

/// Reads frames, as long as the news of them can be told.
async fn listen(shared: &Shared, source: &mut ReadHalf<Stream>, decoder: &mut Decoder) -> Ended {
    loop {
        loop {
            while shared.session().news_waiting() >= UNTOLD_MAX {
                shared.session().set_paused(true);
                shared.stir();
                shared.told.rung().await;
            }
            let mut session = shared.session();
            session.set_paused(false);
            let heard = match decoder.next() {
                Ok(Some(frame)) => session.hear(frame, shared.clock.now()),
                Ok(None) => break,
                Err(broken) => Err(broken.into()),
            };
            if let Err(why) = heard {
                return why;
            }
        }
        shared.stir();
        match source.read(decoder.room()).await {
            Ok(0) => return Ended::Lost("the other side has closed it".to_owned()),
            Ok(count) => decoder.filled(count),
            Err(error) => return Ended::Lost(in_words(&error)),
        }
    }
}

/// Writes what there is to write.
async fn speak(shared: &Shared, sink: &mut WriteHalf<Stream>, outgoing: &mut Outgoing) -> Ended {
    loop {
        if let Err(error) = send(shared, sink, outgoing).await {
            return Ended::Lost(in_words(&error));
        }
        shared.to_write.rung().await;
    }
}

/// Writes until there is nothing left to write. May be dropped at any point and called again.
async fn send(shared: &Shared, sink: &mut WriteHalf<Stream>, outgoing: &mut Outgoing) -> io::Result<()> {
    loop {
        if outgoing.at == outgoing.bytes.len() {
            outgoing.bytes.clear();
            outgoing.at = 0;
            shared.session().fill(&mut outgoing.bytes, shared.clock.now());
            // What was sent makes room to read ahead.
            shared.set_to_work();
            if outgoing.bytes.is_empty() {
                // Without it TLS keeps the end of what was written to itself.
                return sink.flush().await;
            }
        }
        while outgoing.at < outgoing.bytes.len() {
            match sink.write(&outgoing.bytes[outgoing.at..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => outgoing.at += count,
            }
        }
    }
}

/// Tells the client what happened, in order. What is being told stays in `telling` until it has been: this may be dropped
/// while a client that does not listen is waited for.
async fn tell(shared: &Shared, news: &Sender<News>, telling: &mut Option<News>) -> Ended {
    loop {
        let Some(piece) = shared.session().take_news() else {
            shared.to_tell.rung().await;
            continue;
        };
        let is_told = match news.try_send(piece) {
            Ok(()) => true,
            Err(TrySendError::Full(piece)) => {
                *telling = Some(piece.clone());
                let sent = news.send(piece).await;
                *telling = None;
                sent.is_ok()
            }
            Err(TrySendError::Closed(_)) => false,
        };
        if !is_told {
            return Ended::ByUs;
        }
        shared.told.ring();
    }
}

/// Says goodbye: what was said before is sent first, and TLS is closed, so that the other knows that nothing was cut off.
/// Then the other's end is waited for: a socket closed with something unread in it would take our last words back.
async fn leave(shared: &Shared, why: &Ended, source: &mut ReadHalf<Stream>, sink: &mut WriteHalf<Stream>, outgoing: &mut Outgoing) {
    let farewell: &[Frame<'_>] = match why {
        Ended::ByUs => &[Frame::Stop],
        Ended::ByThem | Ended::Broken(_) => &[],
        Ended::Lost(_) | Ended::Silent => return,
    };
    let said = async {
        if !farewell.is_empty() {
            send(shared, sink, outgoing).await?;
            let mut bytes = Vec::new();
            farewell.iter().for_each(|frame| frame.encode(&mut bytes));
            sink.write_all(&bytes).await?;
        }
        sink.close().await
    };
    let mut rest = vec![0; 16 * 1024];
    let drained = async { while matches!(source.read(&mut rest).await, Ok(1..)) {} };
    // Reading goes on while writing: the other may have to be read from before it reads.
    both(async { drop(said.await) }, drained).await;
}

async fn both(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    smol::future::zip(one, other).await;
}
