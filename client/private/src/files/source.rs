//! A file that goes out.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::hash_of;
use super::name::safe;
use crate::channel::Why;
use crate::frame::{CHUNK_BYTES_MAX, FILE_BYTES_MAX};
use crate::meeting::in_words;

/// How much is read at a time: whole chunks, so that all but the last of a file are full. Three of these are held for each
/// file that moves at most.
pub(crate) const BLOCK_BYTES: usize = 8 * CHUNK_BYTES_MAX;

/// A file that goes out. Blocking: for the threads that disks are waited for on.
pub(crate) struct Source {
    file: File,
    size: u64,
    modified: Option<SystemTime>,
    read: u64,
    hasher: Sha256,
}

/// What is offered when the file at `path` is: its name and its length.
///
/// # Errors
/// It is no file that can be read: a sentence for people.
pub(crate) fn look(path: &Path) -> Result<(String, u64), String> {
    let cannot = |error: io::Error| format!("cannot read {}: {}", path.display(), in_words(&error));
    let found = open(path).and_then(|file| file.metadata()).map_err(cannot)?;
    if found.is_dir() {
        return Err(format!("{} is a folder; only files can be sent", path.display()));
    }
    if !found.is_file() || found.len() > FILE_BYTES_MAX {
        return Err(format!("{} is no file that can be sent", path.display()));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok((safe(&name), found.len()))
}

/// Does not wait for the other end of a pipe.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)
}

impl Source {
    /// Opens what was offered, from byte `from` on if what is before it has this hash, else from the beginning.
    ///
    /// # Errors
    /// It cannot be read, or is not what was offered any more.
    pub(crate) fn open(path: &Path, size: u64, from: u64, hash: [u8; 32], cancelled: &AtomicBool) -> Result<Source, Why> {
        let cannot = |error: io::Error| Why::Disk(format!("cannot read {}: {}", path.display(), in_words(&error)));
        let mut file = open(path).map_err(cannot)?;
        let found = file.metadata().map_err(cannot)?;
        if !found.is_file() || found.len() != size {
            return Err(Why::Changed);
        }
        let mut source =
            Source { size, modified: found.modified().ok(), read: 0, hasher: Sha256::new(), file: file.try_clone().map_err(cannot)? };
        let hasher = hash_of(&mut file, from, cancelled).map_err(cannot)?;
        if <[u8; 32]>::from(hasher.clone().finalize()) == hash {
            (source.hasher, source.read) = (hasher, from);
        }
        source.file.seek(io::SeekFrom::Start(source.read)).map_err(cannot)?;
        Ok(source)
    }

    /// How far it has been read.
    pub(crate) fn read_so_far(&self) -> u64 {
        self.read
    }

    /// Reads the next block into `block`: nothing at the end.
    ///
    /// # Errors
    /// It cannot be read, or has changed meanwhile.
    pub(crate) fn read(&mut self, block: &mut Vec<u8>) -> Result<(), Why> {
        let most = (self.size - self.read).min(BLOCK_BYTES as u64);
        block.clear();
        (&mut self.file).take(most).read_to_end(block).map_err(|error| Why::Disk(format!("cannot read it: {}", in_words(&error))))?;
        if block.len() as u64 != most {
            return Err(Why::Changed);
        }
        self.hasher.update(&*block);
        self.read += most;
        Ok(())
    }

    /// The hash of the whole, once all has been read and nothing has changed.
    ///
    /// # Errors
    /// It has changed meanwhile.
    pub(crate) fn whole(&self) -> Result<Option<[u8; 32]>, Why> {
        if self.read < self.size {
            return Ok(None);
        }
        let found = self.file.metadata().map_err(|_| Why::Changed)?;
        if found.len() != self.size || found.modified().ok() != self.modified {
            return Err(Why::Changed);
        }
        Ok(Some(self.hasher.clone().finalize().into()))
    }
}
