//! What has been written to sockets, kept across a crash.
//!
//! Readers of the `text` dialect acknowledge nothing: what was written to the socket counts as seen. Committing a
//! row for each reader and message would cost more than the message; losing track would show them old lines
//! again after a crash. So each shard keeps one number in a small file beside the store: everything up to it that
//! concerns this shard's live readers is in their sockets. Eight bytes into the page cache survive the end of
//! the process; after a loss of power the number may be older, and readers see a few lines twice rather than none.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The name of the file in the data folder.
pub const FILE: &str = "written";

/// The most shards there can be: the low byte of a session's number says which.
pub const SLOTS: usize = 256;

/// The file, open for writing.
#[derive(Debug)]
pub struct Written(File);

impl Written {
    /// Reads what the last run left (nothing, if there was none).
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub fn open(folder: &Path) -> io::Result<(Written, Vec<u64>)> {
        let file = crate::program::private_file(&folder.join(FILE))?;
        let mut bytes = vec![0; SLOTS * 8];
        let mut filled = 0;
        loop {
            let read = file.read_at(&mut bytes[filled..], filled as u64)?;
            filled += read;
            if read == 0 {
                break;
            }
        }
        let slots = bytes.as_chunks::<8>().0.iter().map(|slot| u64::from_le_bytes(*slot)).collect();
        Ok((Written(file), slots))
    }

    /// Notes that `shard` has written everything up to `seq`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn note(&self, shard: usize, seq: u64) -> io::Result<()> {
        self.0.write_all_at(&seq.to_le_bytes(), (shard * 8) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_survives_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let (written, slots) = Written::open(folder.path()).unwrap();
        assert_eq!(slots, vec![0; SLOTS]);
        written.note(3, 77).unwrap();
        drop(written);
        let (_, slots) = Written::open(folder.path()).unwrap();
        assert_eq!((slots[2], slots[3]), (0, 77));
    }
}
