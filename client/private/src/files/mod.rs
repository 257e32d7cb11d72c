//! Files on disk, and the work on them that blocks: a [`Job`] is done on a thread for disks and comes back as [`Done`]. A
//! transfer has one job at a time, and the file goes with it.

mod name;
mod part;
mod source;

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sha2::{Digest, Sha256};

pub(crate) use name::{kind, safe};
pub(crate) use part::{Part, Wanted};
pub(crate) use source::{BLOCK_BYTES, Source};

use crate::channel::Why;
use crate::meeting::in_words;

/// Something to do that blocks. `number` says for which file, as the wire counts.
pub(crate) enum Job {
    /// Look at a file that is to be offered.
    Look { path: PathBuf },
    /// Open it, and verify that it begins as the other says.
    Open { number: u32, path: PathBuf, size: u64, from: u64, hash: [u8; 32], cancelled: Arc<AtomicBool> },
    /// Read the next block of it.
    Read { number: u32, source: Box<Source>, block: Vec<u8> },
    /// Open the part of a file that is wanted.
    Take { number: u32, wanted: Wanted, cancelled: Arc<AtomicBool> },
    /// Write to it, from the beginning if it says so.
    Write { number: u32, part: Box<Part>, bytes: Vec<u8>, restart: bool },
    /// Check it, and give it its name.
    Finish { number: u32, part: Box<Part>, hash: [u8; 32] },
    /// Leave it for another attempt.
    Close { number: u32, part: Box<Part> },
}

/// What came of it.
pub(crate) enum Done {
    Looked {
        path: PathBuf,
        found: Result<(String, u64), String>,
    },
    Opened {
        number: u32,
        source: Result<Box<Source>, Why>,
    },
    /// The hash comes with the last block.
    Read {
        number: u32,
        source: Box<Source>,
        block: Vec<u8>,
        read: Result<Option<[u8; 32]>, Why>,
    },
    Taken {
        number: u32,
        part: Result<Box<Part>, Why>,
    },
    /// The bytes come back as a buffer.
    Written {
        number: u32,
        part: Box<Part>,
        buffer: Vec<u8>,
        written: Result<(), Why>,
    },
    Finished {
        number: u32,
        path: Result<PathBuf, Why>,
    },
    Closed {
        number: u32,
    },
}

impl Job {
    /// Does it. Blocks.
    pub(crate) fn run(self) -> Done {
        match self {
            Job::Look { path } => {
                let found = source::look(&path);
                Done::Looked { path, found }
            }
            Job::Open { number, path, size, from, hash, cancelled } => {
                Done::Opened { number, source: Source::open(&path, size, from, hash, &cancelled).map(Box::new) }
            }
            Job::Read { number, mut source, mut block } => {
                let read = source.read(&mut block).and_then(|()| source.whole());
                Done::Read { number, source, block, read }
            }
            Job::Take { number, wanted, cancelled } => Done::Taken { number, part: Part::open(wanted, &cancelled).map(Box::new) },
            Job::Write { number, mut part, bytes, restart } => {
                let written = if restart { part.restart() } else { Ok(()) }.and_then(|()| part.write(&bytes));
                let written = written.map_err(|error| Why::Disk(format!("cannot write it: {}", in_words(&error))));
                let mut buffer = bytes;
                buffer.clear();
                Done::Written { number, part, buffer, written }
            }
            Job::Finish { number, part, hash } => Done::Finished { number, path: part.finish(hash) },
            Job::Close { number, part } => {
                drop(part);
                Done::Closed { number }
            }
        }
    }
}

/// The hash of the first `length` bytes of `file`, still open for more. Fails if there are fewer, or if it is cancelled.
fn hash_of(file: &mut File, length: u64, cancelled: &AtomicBool) -> io::Result<Sha256> {
    file.rewind()?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    let mut left = length;
    while left > 0 {
        part::go_on(cancelled)?;
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        file.read_exact(&mut block[..most])?;
        hasher.update(&block[..most]);
        left -= most as u64;
    }
    Ok(hasher)
}
