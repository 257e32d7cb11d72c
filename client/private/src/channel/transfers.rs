//! The files of a channel, both ways, without I/O or clock: what the client asks, what the other says and what disks have done
//! come in; frames, news and jobs for disks go out. `README.md` has the states.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use chinwag_wire::Fingerprint;

use super::session::broken;
use super::window::{WINDOW_BYTES_MAX, Window};
use super::{Ended, File, News, Origin, Why};
use crate::FILES_MAX;
use crate::files::{BLOCK_BYTES, Done, Job, Part, Source, Wanted, kind, safe};
use crate::frame::{CHUNK_BYTES_MAX, DropCode, Frame, Whose};

/// How many bytes of answers may wait: who asks without end and reads no answers is no peer.
const ANSWERS_BYTES_MAX: usize = 64 * 1024;
/// How many pieces of progress are told of a file.
const PROGRESS_STEPS: u64 = 100;

/// All files of one channel.
pub(super) struct Transfers {
    peer: Fingerprint,
    /// The last number given to a file, for people; and on the wire, for ours and for theirs.
    last_file: u32,
    last_ours: u32,
    last_theirs: u32,
    /// By number on the wire.
    outgoing: BTreeMap<u32, Outgoing>,
    incoming: BTreeMap<u32, Incoming>,
    /// Files that are being looked at, to be offered.
    looking: usize,
    /// Whose chunk went out last.
    turn: u32,
    window: Window,
    /// What has come and is not written yet, of all files.
    unwritten: u64,
    /// Frames that wait to be sent.
    answers: Vec<u8>,
    jobs: Vec<Job>,
}

/// A file of ours.
struct Outgoing {
    file: u32,
    path: PathBuf,
    size: u64,
    cancelled: Arc<AtomicBool>,
    state: OutState,
}

enum OutState {
    /// It is for the other to take it.
    Offered,
    /// Its beginning is verified.
    Opening,
    /// It goes.
    Moving(Box<Sending>),
}

struct Sending {
    /// Not here while it is being read.
    source: Option<Box<Source>>,
    /// What is sent now, from `at` on, and what was read ahead.
    block: Vec<u8>,
    at: usize,
    ahead: Option<Vec<u8>>,
    /// A buffer to read into.
    spare: Vec<u8>,
    /// How far it is sent and confirmed.
    sent: u64,
    got: u64,
    /// Known when all has been read.
    hash: Option<[u8; 32]>,
    is_ended: bool,
    /// Where each chunk on its way ends, and when it was sent.
    flying: VecDeque<(u64, Instant)>,
    steps: u64,
}

/// A file of theirs.
struct Incoming {
    file: u32,
    name: String,
    size: u64,
    cancelled: Arc<AtomicBool>,
    state: InState,
}

enum InState {
    /// It is for us to take it.
    Offered,
    /// Its part is opened.
    Taking,
    /// The other knows from where on we want it.
    Wanted(Box<Part>),
    /// It comes.
    Moving(Box<Receiving>),
    /// It is checked.
    Finishing,
    /// It is dropped, as soon as its part is closed.
    Closing(Why),
}

struct Receiving {
    /// Not here while it is being written to.
    part: Option<Box<Part>>,
    /// What has come meanwhile.
    pending: Vec<u8>,
    /// A buffer for that.
    spare: Vec<u8>,
    restart: bool,
    received: u64,
    written: u64,
    confirmed: u64,
    hash: Option<[u8; 32]>,
    steps: u64,
}

impl Transfers {
    pub(super) fn new(peer: Fingerprint) -> Transfers {
        Transfers {
            peer,
            last_file: 0,
            last_ours: 0,
            last_theirs: 0,
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            looking: 0,
            turn: 0,
            window: Window::new(),
            unwritten: 0,
            answers: Vec::new(),
            jobs: Vec::new(),
        }
    }

    /// The jobs that have come up.
    pub(super) fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    /// The channel is over: nothing more is begun, what takes long stops, and the parts that are here are given out to be closed.
    pub(super) fn end(&mut self) -> Vec<Part> {
        let cancelled = self.outgoing.values().map(|file| &file.cancelled).chain(self.incoming.values().map(|file| &file.cancelled));
        cancelled.for_each(|cancelled| cancelled.store(true, Ordering::Relaxed));
        self.jobs.clear();
        let incoming = std::mem::take(&mut self.incoming).into_values();
        let part = |file: Incoming| match file.state {
            InState::Wanted(part) => Some(*part),
            InState::Moving(receiving) => receiving.part.map(|part| *part),
            _ => None,
        };
        incoming.filter_map(part).collect()
    }

    pub(super) fn offer(&mut self, path: PathBuf, news: &mut VecDeque<News>) {
        if self.outgoing.len() + self.looking >= FILES_MAX {
            news.push_back(News::CannotOffer { path, why: Why::TooMany.to_string() });
        } else {
            self.looking += 1;
            self.jobs.push(Job::Look { path });
        }
    }

    pub(super) fn accept(&mut self, file: File, folder: PathBuf, news: &mut VecDeque<News>) {
        let peer = self.peer;
        match self.incoming_by_file(file) {
            Some((number, incoming)) if matches!(incoming.state, InState::Offered) => {
                incoming.state = InState::Taking;
                let wanted = Wanted { folder, name: incoming.name.clone(), size: incoming.size, peer };
                let cancelled = Arc::clone(&incoming.cancelled);
                self.jobs.push(Job::Take { number, wanted, cancelled });
            }
            _ => news.push_back(News::Dropped { file, why: Why::Unknown }),
        }
    }

    /// Declines, takes back or cancels.
    pub(super) fn drop_file(&mut self, file: File, news: &mut VecDeque<News>) {
        if let Some((number, incoming)) = self.incoming_by_file(file) {
            // What is being checked is here already; what is being closed is as good as dropped.
            if !matches!(incoming.state, InState::Finishing | InState::Closing(_)) {
                self.answer(Frame::Drop { whose: Whose::Yours, number, why: DropCode::Unwanted });
                self.drop_incoming(number, Why::ByUs, news);
            }
            return;
        }
        let number = self.outgoing.iter().find(|(_, outgoing)| file == ours(outgoing.file)).map(|(number, _)| *number);
        match number {
            Some(number) => {
                self.answer(Frame::Drop { whose: Whose::Mine, number, why: DropCode::Unwanted });
                self.drop_outgoing(number, Why::ByUs, news);
            }
            None => news.push_back(News::Dropped { file, why: Why::Unknown }),
        }
    }

    fn incoming_by_file(&mut self, file: File) -> Option<(u32, &mut Incoming)> {
        self.incoming.iter_mut().find(|(_, incoming)| file == theirs(incoming.file)).map(|(number, incoming)| (*number, incoming))
    }

    /// Takes a frame that is about a file.
    pub(super) fn hear(&mut self, frame: Frame<'_>, news: &mut VecDeque<News>, now: Instant) -> Result<(), Ended> {
        match frame {
            Frame::Offer { number, size, name } => self.heard_offer(number, size, name, news)?,
            Frame::Want { number, from, hash } => self.heard_want(number, from, hash)?,
            Frame::Begin { number, from } => self.heard_begin(number, from, news)?,
            Frame::Chunk { number, bytes } => self.heard_chunk(number, bytes)?,
            Frame::Got { number, upto } => self.heard_got(number, upto, news, now)?,
            Frame::End { number, hash } => self.heard_end(number, hash)?,
            Frame::Kept { number } => self.heard_kept(number, news)?,
            Frame::Drop { whose: Whose::Mine, number, why } => {
                self.their_file(number)?;
                self.drop_incoming(number, told(why), news);
            }
            Frame::Drop { whose: Whose::Yours, number, why } => {
                self.our_file(number)?;
                self.drop_outgoing(number, told(why), news);
            }
            _ => {}
        }
        if self.answers.len() > ANSWERS_BYTES_MAX { Err(broken("it asks without reading the answers")) } else { Ok(()) }
    }

    /// A file of theirs; nothing if it is over, which they may not know yet.
    fn their_file(&mut self, number: u32) -> Result<Option<&mut Incoming>, Ended> {
        if number == 0 || number > self.last_theirs { Err(broken("a file was never offered")) } else { Ok(self.incoming.get_mut(&number)) }
    }

    fn our_file(&mut self, number: u32) -> Result<Option<&mut Outgoing>, Ended> {
        if number == 0 || number > self.last_ours { Err(broken("a file was never offered")) } else { Ok(self.outgoing.get_mut(&number)) }
    }

    fn heard_offer(&mut self, number: u32, size: u64, name: &str, news: &mut VecDeque<News>) -> Result<(), Ended> {
        if Some(number) != self.last_theirs.checked_add(1) {
            return Err(broken("files are not counted one by one"));
        }
        self.last_theirs = number;
        if self.incoming.len() >= FILES_MAX {
            self.answer(Frame::Drop { whose: Whose::Yours, number, why: DropCode::TooMany });
            return Ok(());
        }
        let (file, name) = (self.next_file(), safe(name));
        let cancelled = Arc::default();
        self.incoming.insert(number, Incoming { file, name: name.clone(), size, cancelled, state: InState::Offered });
        let kind = kind(&name);
        news.push_back(News::Offered { file: theirs(file), name, size, kind });
        Ok(())
    }

    fn heard_want(&mut self, number: u32, from: u64, hash: [u8; 32]) -> Result<(), Ended> {
        let Some(outgoing) = self.our_file(number)? else { return Ok(()) };
        if !matches!(outgoing.state, OutState::Offered) || from > outgoing.size {
            return Err(broken("a file is wanted that cannot be"));
        }
        outgoing.state = OutState::Opening;
        let (path, size, cancelled) = (outgoing.path.clone(), outgoing.size, Arc::clone(&outgoing.cancelled));
        self.jobs.push(Job::Open { number, path, size, from, hash, cancelled });
        Ok(())
    }

    fn heard_begin(&mut self, number: u32, from: u64, news: &mut VecDeque<News>) -> Result<(), Ended> {
        let Some(incoming) = self.their_file(number)? else { return Ok(()) };
        match std::mem::replace(&mut incoming.state, InState::Finishing) {
            InState::Wanted(part) if from == part.written() || from == 0 => {
                let restart = from != part.written();
                let steps = step(from, incoming.size);
                incoming.state = InState::Moving(Box::new(Receiving {
                    part: Some(part),
                    pending: Vec::new(),
                    spare: Vec::new(),
                    restart,
                    received: from,
                    written: from,
                    confirmed: from,
                    hash: None,
                    steps,
                }));
                news.push_back(News::Started { file: theirs(incoming.file), from });
                Ok(())
            }
            state @ InState::Closing(_) => {
                incoming.state = state;
                Ok(())
            }
            state => {
                // It is given back, so that a part in it is closed with the others.
                incoming.state = state;
                Err(broken("a file comes that is not wanted"))
            }
        }
    }

    fn heard_chunk(&mut self, number: u32, bytes: &[u8]) -> Result<(), Ended> {
        let unwritten = self.unwritten + bytes.len() as u64;
        let Some(incoming) = self.their_file(number)? else { return Ok(()) };
        let receiving = match &mut incoming.state {
            InState::Moving(receiving) => receiving,
            InState::Closing(_) => return Ok(()),
            _ => return Err(broken("a file comes that is not wanted")),
        };
        if receiving.hash.is_some() || incoming.size - receiving.received < bytes.len() as u64 {
            return Err(broken("more of a file comes than there is"));
        }
        if unwritten > WINDOW_BYTES_MAX + CHUNK_BYTES_MAX as u64 {
            return Err(broken("more comes than may be on its way"));
        }
        receiving.received += bytes.len() as u64;
        receiving.pending.extend_from_slice(bytes);
        self.unwritten = unwritten;
        self.write_on(number);
        Ok(())
    }

    fn heard_end(&mut self, number: u32, hash: [u8; 32]) -> Result<(), Ended> {
        let Some(incoming) = self.their_file(number)? else { return Ok(()) };
        match &mut incoming.state {
            InState::Moving(receiving) if receiving.hash.is_none() && receiving.received == incoming.size => {
                receiving.hash = Some(hash);
                self.write_on(number);
                Ok(())
            }
            InState::Closing(_) => Ok(()),
            _ => Err(broken("a file ends before its end")),
        }
    }

    /// Gives the part of a file its next job, if it is here: to write what has come, or to be finished.
    fn write_on(&mut self, number: u32) {
        let Some(incoming) = self.incoming.get_mut(&number) else { return };
        let InState::Moving(receiving) = &mut incoming.state else { return };
        let Some(part) = receiving.part.take() else { return };
        if !receiving.pending.is_empty() || receiving.restart {
            let bytes = std::mem::replace(&mut receiving.pending, std::mem::take(&mut receiving.spare));
            let restart = std::mem::take(&mut receiving.restart);
            self.jobs.push(Job::Write { number, part, bytes, restart });
        } else if let Some(hash) = receiving.hash {
            incoming.state = InState::Finishing;
            self.jobs.push(Job::Finish { number, part, hash });
        } else {
            receiving.part = Some(part);
        }
    }

    fn heard_got(&mut self, number: u32, upto: u64, news: &mut VecDeque<News>, now: Instant) -> Result<(), Ended> {
        let Some(outgoing) = self.our_file(number)? else { return Ok(()) };
        let OutState::Moving(sending) = &mut outgoing.state else { return Err(broken("it has what was not sent")) };
        if upto < sending.got || upto > sending.sent {
            return Err(broken("it has what was not sent"));
        }
        let bytes = upto - sending.got;
        sending.got = upto;
        let mut sent_at = None;
        while let Some((_, at)) = sending.flying.pop_front_if(|(end, _)| *end <= upto) {
            sent_at = Some(at);
        }
        if let Some(progress) = progress(ours(outgoing.file), upto, outgoing.size, &mut sending.steps) {
            tell_progress(news, progress);
        }
        match sent_at {
            Some(at) => self.window.confirmed(bytes, now.saturating_duration_since(at), now),
            None => self.window.forget(bytes),
        }
        Ok(())
    }

    fn heard_kept(&mut self, number: u32, news: &mut VecDeque<News>) -> Result<(), Ended> {
        let Some(outgoing) = self.our_file(number)? else { return Ok(()) };
        if !matches!(&outgoing.state, OutState::Moving(sending) if sending.is_ended) {
            return Err(broken("it has what was not sent"));
        }
        let file = ours(outgoing.file);
        self.forget_outgoing(number);
        news.push_back(News::Finished { file, path: None });
        Ok(())
    }

    /// Takes what a disk has done.
    pub(super) fn done(&mut self, done: Done, news: &mut VecDeque<News>) {
        match done {
            Done::Looked { path, found } => self.looked(path, found, news),
            Done::Opened { number, source } => self.opened(number, source, news),
            Done::Read { number, source, block, read } => self.read(number, source, block, read, news),
            Done::Taken { number, part } => self.taken(number, part, news),
            Done::Written { number, part, buffer, written } => self.written(number, part, buffer, written, news),
            Done::Finished { number, path } => self.finished(number, path, news),
            Done::Closed { number } => {
                if let Some(Incoming { file, state: InState::Closing(why), .. }) = self.incoming.remove(&number) {
                    news.push_back(News::Dropped { file: theirs(file), why });
                }
            }
        }
    }

    fn looked(&mut self, path: PathBuf, found: Result<(String, u64), String>, news: &mut VecDeque<News>) {
        self.looking -= 1;
        match (found, self.last_ours.checked_add(1)) {
            (Ok((name, size)), Some(number)) => {
                self.last_ours = number;
                let file = self.next_file();
                self.answer(Frame::Offer { number, size, name: &name });
                let outgoing = Outgoing { file, path: path.clone(), size, cancelled: Arc::default(), state: OutState::Offered };
                self.outgoing.insert(number, outgoing);
                news.push_back(News::Offering { file: ours(file), path, name, size });
            }
            (Ok(_), None) => news.push_back(News::CannotOffer { path, why: Why::TooMany.to_string() }),
            (Err(why), _) => news.push_back(News::CannotOffer { path, why }),
        }
    }

    fn opened(&mut self, number: u32, source: Result<Box<Source>, Why>, news: &mut VecDeque<News>) {
        let Some(outgoing) = self.outgoing.get_mut(&number) else { return };
        let source = match source {
            Ok(source) => source,
            Err(why) => return self.fail_outgoing(number, why, news),
        };
        let from = source.read_so_far();
        outgoing.state = OutState::Moving(Box::new(Sending {
            source: None,
            block: Vec::new(),
            at: 0,
            ahead: None,
            spare: Vec::with_capacity(BLOCK_BYTES),
            sent: from,
            got: from,
            hash: None,
            is_ended: false,
            flying: VecDeque::new(),
            steps: step(from, outgoing.size),
        }));
        news.push_back(News::Started { file: ours(outgoing.file), from });
        self.answer(Frame::Begin { number, from });
        self.jobs.push(Job::Read { number, source, block: Vec::with_capacity(BLOCK_BYTES) });
    }

    fn read(&mut self, number: u32, source: Box<Source>, block: Vec<u8>, read: Result<Option<[u8; 32]>, Why>, news: &mut VecDeque<News>) {
        let Some(Outgoing { state: OutState::Moving(sending), .. }) = self.outgoing.get_mut(&number) else { return };
        match read {
            Ok(hash) => sending.hash = hash,
            Err(why) => return self.fail_outgoing(number, why, news),
        }
        sending.source = Some(source);
        sending.ahead = Some(block);
        self.read_on(number);
    }

    /// Moves on to the next block if one is used up, and reads ahead.
    fn read_on(&mut self, number: u32) {
        let Some(Outgoing { state: OutState::Moving(sending), .. }) = self.outgoing.get_mut(&number) else { return };
        if sending.at == sending.block.len()
            && let Some(ahead) = sending.ahead.take()
        {
            sending.spare = std::mem::replace(&mut sending.block, ahead);
            sending.at = 0;
        }
        if sending.ahead.is_none()
            && sending.hash.is_none()
            && let Some(source) = sending.source.take()
        {
            let block = std::mem::take(&mut sending.spare);
            self.jobs.push(Job::Read { number, source, block });
        }
    }

    fn taken(&mut self, number: u32, part: Result<Box<Part>, Why>, news: &mut VecDeque<News>) {
        // An entry stays as long as it has a job.
        let Some(incoming) = self.incoming.get_mut(&number) else { return };
        let is_closing = matches!(incoming.state, InState::Closing(_));
        match part {
            Ok(part) if is_closing => self.jobs.push(Job::Close { number, part }),
            Ok(part) => {
                let (from, hash) = (part.written(), part.hash());
                incoming.state = InState::Wanted(part);
                self.answer(Frame::Want { number, from, hash });
            }
            Err(why) => {
                if !is_closing {
                    self.answer(Frame::Drop { whose: Whose::Yours, number, why: DropCode::Disk });
                }
                self.forget_incoming(number, why, news);
            }
        }
    }

    fn written(&mut self, number: u32, part: Box<Part>, buffer: Vec<u8>, written: Result<(), Why>, news: &mut VecDeque<News>) {
        let Some(incoming) = self.incoming.get_mut(&number) else { return };
        let InState::Moving(receiving) = &mut incoming.state else {
            self.jobs.push(Job::Close { number, part });
            return;
        };
        if let Err(why) = written {
            receiving.part = Some(part);
            self.answer(Frame::Drop { whose: Whose::Yours, number, why: DropCode::Disk });
            self.drop_incoming(number, why, news);
            return;
        }
        self.unwritten -= part.written() - receiving.written;
        receiving.written = part.written();
        receiving.part = Some(part);
        receiving.spare = buffer;
        if let Some(progress) = progress(theirs(incoming.file), receiving.written, incoming.size, &mut receiving.steps) {
            tell_progress(news, progress);
        }
        self.write_on(number);
    }

    fn finished(&mut self, number: u32, path: Result<PathBuf, Why>, news: &mut VecDeque<News>) {
        let Some(incoming) = self.incoming.remove(&number) else { return };
        match path {
            Ok(path) => {
                self.answer(Frame::Kept { number });
                news.push_back(News::Finished { file: theirs(incoming.file), path: Some(path) });
            }
            Err(why) => {
                let code = if why == Why::Damaged { DropCode::Damaged } else { DropCode::Disk };
                self.answer(Frame::Drop { whose: Whose::Yours, number, why: code });
                news.push_back(News::Dropped { file: theirs(incoming.file), why });
            }
        }
    }

    /// Appends answers: they come before anything else.
    pub(super) fn fill_answers(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.answers);
        for (number, incoming) in &mut self.incoming {
            if let InState::Moving(receiving) = &mut incoming.state
                && receiving.written > receiving.confirmed
            {
                receiving.confirmed = receiving.written;
                Frame::Got { number: *number, upto: receiving.written }.encode(out);
            }
        }
    }

    /// Appends chunks, one of each file in turn, as long as `out` is shorter than `most` and the window has room.
    pub(super) fn fill_chunks(&mut self, out: &mut Vec<u8>, most: usize, now: Instant) {
        while out.len() < most && self.window.has_room() {
            let is_ready = |(number, outgoing): (&u32, &Outgoing)| match &outgoing.state {
                OutState::Moving(sending) if sending.at < sending.block.len() => Some(*number),
                _ => None,
            };
            let mut round = self.outgoing.range(self.turn.saturating_add(1)..).chain(self.outgoing.range(..=self.turn));
            let Some(number) = round.find_map(is_ready) else { break };
            self.turn = number;
            let Some(Outgoing { state: OutState::Moving(sending), .. }) = self.outgoing.get_mut(&number) else { break };
            let end = sending.block.len().min(sending.at + CHUNK_BYTES_MAX);
            let bytes = &sending.block[sending.at..end];
            Frame::Chunk { number, bytes }.encode(out);
            sending.sent += bytes.len() as u64;
            sending.flying.push_back((sending.sent, now));
            self.window.sent(bytes.len() as u64);
            sending.at = end;
            self.read_on(number);
        }
        for (number, outgoing) in &mut self.outgoing {
            if let OutState::Moving(sending) = &mut outgoing.state
                && let Some(hash) = sending.hash
                && sending.sent == outgoing.size
                && !sending.is_ended
            {
                sending.is_ended = true;
                Frame::End { number: *number, hash }.encode(out);
            }
        }
    }

    fn answer(&mut self, frame: Frame<'_>) {
        frame.encode(&mut self.answers);
    }

    fn next_file(&mut self) -> u32 {
        // More than four thousand million files in one channel are some others' turn again.
        self.last_file = self.last_file.wrapping_add(1);
        self.last_file
    }

    /// Drops a file of theirs, if that can be done: what is being checked is here already, and what is being closed is as good
    /// as dropped.
    fn drop_incoming(&mut self, number: u32, why: Why, news: &mut VecDeque<News>) {
        let Some(incoming) = self.incoming.get_mut(&number) else { return };
        incoming.cancelled.store(true, Ordering::Relaxed);
        match std::mem::replace(&mut incoming.state, InState::Finishing) {
            InState::Offered => self.forget_incoming(number, why, news),
            InState::Wanted(part) => {
                incoming.state = InState::Closing(why);
                self.jobs.push(Job::Close { number, part });
            }
            InState::Moving(mut receiving) => {
                incoming.state = InState::Closing(why);
                self.unwritten -= receiving.received - receiving.written;
                self.jobs.extend(receiving.part.take().map(|part| Job::Close { number, part }));
            }
            InState::Taking => incoming.state = InState::Closing(why),
            state @ (InState::Finishing | InState::Closing(_)) => incoming.state = state,
        }
    }

    fn forget_incoming(&mut self, number: u32, why: Why, news: &mut VecDeque<News>) {
        if let Some(incoming) = self.incoming.remove(&number) {
            let why = if let InState::Closing(earlier) = incoming.state { earlier } else { why };
            news.push_back(News::Dropped { file: theirs(incoming.file), why });
        }
    }

    fn fail_outgoing(&mut self, number: u32, why: Why, news: &mut VecDeque<News>) {
        let code = if why == Why::Changed { DropCode::Changed } else { DropCode::Disk };
        self.answer(Frame::Drop { whose: Whose::Mine, number, why: code });
        self.drop_outgoing(number, why, news);
    }

    fn drop_outgoing(&mut self, number: u32, why: Why, news: &mut VecDeque<News>) {
        if let Some(file) = self.forget_outgoing(number) {
            news.push_back(News::Dropped { file, why });
        }
    }

    fn forget_outgoing(&mut self, number: u32) -> Option<File> {
        let outgoing = self.outgoing.remove(&number)?;
        outgoing.cancelled.store(true, Ordering::Relaxed);
        if let OutState::Moving(sending) = &outgoing.state {
            self.window.forget(sending.sent - sending.got);
        }
        Some(ours(outgoing.file))
    }
}

fn ours(number: u32) -> File {
    File { origin: Origin::Ours, number }
}

fn theirs(number: u32) -> File {
    File { origin: Origin::Theirs, number }
}

/// What the other says of why.
fn told(why: DropCode) -> Why {
    match why {
        DropCode::Unwanted => Why::ByThem,
        DropCode::TooMany => Why::TooMany,
        DropCode::Disk => Why::TheirDisk,
        DropCode::Changed => Why::Changed,
        DropCode::Damaged => Why::Damaged,
    }
}

fn step(done: u64, size: u64) -> u64 {
    // Sizes are bounded far below where this could overflow.
    (done * PROGRESS_STEPS).checked_div(size).unwrap_or(PROGRESS_STEPS)
}

/// What is to be told of a file that is at `done`, if that is a step.
fn progress(file: File, done: u64, size: u64, steps: &mut u64) -> Option<News> {
    let now = step(done, size);
    (now > std::mem::replace(steps, now)).then_some(News::Progress { file, done, size })
}

/// The newer takes the place of the older that nobody has heard yet.
fn tell_progress(news: &mut VecDeque<News>, progress: News) {
    let is_of = |file: &File, other: &News| matches!(other, News::Progress { file: other, .. } if other == file);
    if let News::Progress { file, .. } = &progress
        && let Some(older) = news.iter_mut().find(|other| is_of(file, other))
    {
        *older = progress;
        return;
    }
    news.push_back(progress);
}
