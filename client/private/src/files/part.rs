//! A file that comes in: what is there of it, what of that is verified, and how it gets its name in the end.
//!
//! Beside `NAME.KEY.part` stands `NAME.KEY.part.json`: how many bytes of the part are verified, and their hash. What is
//! verified is hashed again before it is built on, so that nothing has to be forced to the disk while a file comes: a part
//! that a crash left behind is either what its notes say or is begun anew. A part whose file is not offered again goes when
//! it is [`KEPT`] old and another file comes into its folder.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use chinwag_wire::Fingerprint;
use rustix::fs::{CWD, OFlags, RenameFlags};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::hash_of;
use crate::channel::Why;
use crate::meeting::in_words;

/// How often the notes are written: what is lost of a file when a machine stops at once. (When only the channel ends,
/// nothing is.)
const NOTE_EVERY: u64 = 16 << 20;
/// The largest notes that are read: ten times what is written.
const NOTES_BYTES_MAX: u64 = 4096;
/// What has to be left free in a folder: nobody's disk is filled to the last byte.
const SPARE_BYTES: u64 = 16 << 20;
/// How many names are tried before a file is left under its part's name.
const NAMES_MAX: u32 = 999;

/// How long a part waits for its file to be offered again, since it last grew: longer than a holiday week, shorter than it
/// takes to forget what it was.
const KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How many names of a folder are looked at for parts that are too old: nobody waits for a folder of a million.
const LOOKED_AT_MAX: usize = 20_000;

/// What is written beside a part.
#[derive(Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Notes {
    /// From whom, what, and how long: whether it is this file at all.
    peer: Fingerprint,
    name: String,
    size: u64,
    /// So many bytes were written, and this is their SHA-256.
    verified: u64,
    sha256: Fingerprint,
}

impl Notes {
    fn read(path: &Path) -> Option<Notes> {
        let file = OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path).ok()?;
        let mut text = String::new();
        file.take(NOTES_BYTES_MAX).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }
}

/// Which file it is.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) folder: PathBuf,
    /// Safe.
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) peer: Fingerprint,
}

impl Wanted {
    /// The same for each attempt, and another for each peer and each length.
    fn part(&self) -> PathBuf {
        let size = self.size.to_be_bytes();
        let key = Sha256::new().chain_update(self.peer.0).chain_update(size).chain_update(&self.name).finalize();
        let key = Fingerprint(key.into()).to_string();
        self.folder.join(format!("{}.{}.part", self.name, &key[..12]))
    }
}

/// A file that comes in. Blocking: for the threads that disks are waited for on. Dropping it notes what is there.
pub(crate) struct Part {
    wanted: Wanted,
    path: PathBuf,
    file: File,
    written: u64,
    noted: u64,
    hasher: Sha256,
    is_over: bool,
}

impl Part {
    /// Opens the part, which is then ours alone, and verifies what is there.
    ///
    /// # Errors
    /// The folder cannot be used, has no space, or somebody is writing this part.
    pub(crate) fn open(wanted: Wanted, cancelled: &AtomicBool) -> Result<Part, Why> {
        let folder = wanted.folder.display().to_string();
        let cannot = |error: io::Error| Why::Disk(format!("cannot write into {folder}: {}", in_words(&error)));
        if !fs::metadata(&wanted.folder).map_err(cannot)?.is_dir() {
            return Err(Why::Disk(format!("{folder} is not a folder")));
        }
        let path = wanted.part();
        remove_old(&wanted.folder, &path);
        let file = options().create(true).truncate(false).mode(0o600).open(&path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Why::Busy),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        let (ours, named) = (file.metadata().map_err(cannot)?, fs::symlink_metadata(&path).map_err(cannot)?);
        // Whoever had the lock before us may have given the file its name: then this is not a part any more.
        if !ours.is_file() || (ours.dev(), ours.ino()) != (named.dev(), named.ino()) {
            return Err(Why::Busy);
        }
        let mut part = Part { wanted, path, file, written: 0, noted: 0, hasher: Sha256::new(), is_over: false };
        part.build_on(ours.len(), cancelled).map_err(cannot)?;
        let stat = rustix::fs::statvfs(&part.wanted.folder).map_err(|error| cannot(error.into()))?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let needed = part.wanted.size - part.written + SPARE_BYTES;
        if free < needed {
            return Err(Why::NoSpace { missing: needed - free });
        }
        part.note().map_err(cannot)?;
        Ok(part)
    }

    /// Verifies what the notes say, and goes on behind it, or from the beginning.
    fn build_on(&mut self, length: u64, cancelled: &AtomicBool) -> io::Result<()> {
        if let Some(notes) = Notes::read(&self.notes_path())
            && notes.verified <= length.min(self.wanted.size)
            && (notes.peer, notes.size, &notes.name) == (self.wanted.peer, self.wanted.size, &self.wanted.name)
        {
            let hasher = hash_of(&mut self.file, notes.verified, cancelled)?;
            if <[u8; 32]>::from(hasher.clone().finalize()) == notes.sha256.0 {
                (self.hasher, self.written, self.noted) = (hasher, notes.verified, notes.verified);
            }
        }
        self.file.set_len(self.written)?;
        self.file.seek(io::SeekFrom::Start(self.written))?;
        Ok(())
    }

    fn notes_path(&self) -> PathBuf {
        with(&self.path, ".json")
    }

    /// How far it is written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The hash of what is written.
    pub(crate) fn hash(&self) -> [u8; 32] {
        self.hasher.clone().finalize().into()
    }

    /// Begins anew: what is there is not the beginning of what comes.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        (self.hasher, self.written, self.noted) = (Sha256::new(), 0, 0);
        self.note()?;
        self.file.set_len(0)?;
        self.file.rewind()
    }

    /// Appends.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        if self.written - self.noted >= NOTE_EVERY { self.note() } else { Ok(()) }
    }

    /// Notes what is written, in one step: a crash leaves the old notes or the new.
    fn note(&mut self) -> io::Result<()> {
        let notes = Notes {
            peer: self.wanted.peer,
            name: self.wanted.name.clone(),
            size: self.wanted.size,
            verified: self.written,
            sha256: Fingerprint(self.hash()),
        };
        let new = with(&self.path, ".json.new");
        // What is in the way under our own name is no file of anybody's, nor a link to one.
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(serde_json::to_string(&notes)?.as_bytes())?;
        fs::rename(&new, self.notes_path())?;
        self.noted = self.written;
        Ok(())
    }

    /// Checks the hash of the whole, and gives the file its name: its own, or one with a number if that is taken.
    ///
    /// # Errors
    /// The hash is wrong, and the part has been removed; or the disk fails, and it is kept.
    pub(crate) fn finish(mut self, hash: [u8; 32]) -> Result<PathBuf, Why> {
        if self.hash() != hash {
            self.remove();
            return Err(Why::Damaged);
        }
        let placed = self.file.sync_all().and_then(|()| self.place());
        let path = placed.map_err(|error| Why::Disk(format!("cannot keep {}: {}", self.path.display(), in_words(&error))))?;
        self.is_over = true;
        let _ = fs::remove_file(self.notes_path());
        Ok(path)
    }

    fn place(&self) -> io::Result<PathBuf> {
        for number in 1..=NAMES_MAX {
            let path = self.wanted.folder.join(numbered(&self.wanted.name, number));
            match rename_new(&self.path, &path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    fn remove(&mut self) {
        self.is_over = true;
        // If they cannot be removed, they are still no more than a part by name.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.notes_path());
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.is_over {
        } else if self.written == 0 {
            self.remove();
        } else {
            // The older notes are still true.
            let _ = self.note();
        }
    }
}

/// How a part is opened: itself and nothing that its name points to, and without waiting for anybody.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    options
}

/// Removes the parts in a folder that nobody will go on with, except `wanted`. What cannot be looked at stays: this is no reason
/// not to take a file.
fn remove_old(folder: &Path, wanted: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.take(LOOKED_AT_MAX).flatten() {
        let notes = entry.path();
        // With its notes beside it, which give it this very name, it is ours and no file of the user's that is called like it.
        if notes.to_str().is_some_and(|name| name.ends_with(".part.json"))
            && let Some(Notes { peer, name, size, .. }) = Notes::read(&notes)
            && let part = (Wanted { folder: folder.to_owned(), name, size, peer }).part()
            && part != wanted
            && with(&part, ".json") == notes
            && let Ok(file) = options().open(&part)
            && file.try_lock().is_ok()
            && let Ok(stat) = file.metadata()
            && stat.is_file()
            && stat.modified().is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > KEPT))
        {
            let _ = fs::remove_file(&part);
            let _ = fs::remove_file(notes);
        }
    }
}

/// Renames without ever replacing anything.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Some file systems and old systems cannot. A second name is refused if there is such a file, and then the first goes.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => fs::hard_link(from, to).and_then(|()| fs::remove_file(from)),
        Err(error) => Err(error.into()),
    }
}

/// `name.txt`, `name (2).txt`, …
fn numbered(name: &str, number: u32) -> String {
    match name.rsplit_once('.') {
        _ if number == 1 => name.to_owned(),
        Some((stem, extension)) => format!("{stem} ({number}).{extension}"),
        None => format!("{name} ({number})"),
    }
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Whether a file is still wanted: what takes long looks now and then.
pub(crate) fn go_on(cancelled: &AtomicBool) -> io::Result<()> {
    if cancelled.load(Ordering::Relaxed) { Err(io::Error::other("it is not wanted any more")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    static NOT_CANCELLED: AtomicBool = AtomicBool::new(false);

    fn wanted(folder: &Path, size: u64) -> Wanted {
        Wanted { folder: folder.to_owned(), name: "a.txt".to_owned(), size, peer: Fingerprint([1; 32]) }
    }

    fn open(folder: &Path, size: u64) -> Result<Part, Why> {
        Part::open(wanted(folder, size), &NOT_CANCELLED)
    }

    fn sha256(bytes: &[u8]) -> [u8; 32] {
        Sha256::digest(bytes).into()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_gets_its_name_when_it_is_whole_and_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for expected in ["a.txt", "a (2).txt", "a (3).txt"] {
            let mut part = open(folder.path(), 5).unwrap();
            part.write(b"hello").unwrap();
            assert!(!folder.path().join(expected).exists());
            let path = part.finish(sha256(b"hello")).unwrap();
            assert_eq!(path, folder.path().join(expected));
            assert_eq!(fs::read(&path).unwrap(), b"hello");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(names(folder.path()).len(), 3);
    }

    #[test]
    fn a_wrong_hash_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut part = open(folder.path(), 5).unwrap();
        part.write(b"hellO").unwrap();
        assert_eq!(part.finish(sha256(b"hello")), Err(Why::Damaged));
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn what_was_noted_is_built_on_if_it_is_still_so() {
        let folder = tempfile::tempdir().unwrap();
        let write = |bytes: &[u8]| open(folder.path(), 100).unwrap().write(bytes).unwrap();
        write(b"hello");
        assert_eq!(open(folder.path(), 100).unwrap().written(), 5);
        assert_eq!(open(folder.path(), 100).unwrap().hash(), sha256(b"hello"));
        // Of another length it is another file.
        assert_eq!(open(folder.path(), 99).unwrap().written(), 0);
        let part = wanted(folder.path(), 100).part();
        // What stands behind what is verified is not.
        fs::OpenOptions::new().append(true).open(&part).unwrap().write_all(b"garbage").unwrap();
        assert_eq!(open(folder.path(), 100).unwrap().written(), 5);
        assert_eq!(fs::read(&part).unwrap(), b"hello");
        for damage in [b"hellO".as_slice(), b"hell", b""] {
            fs::write(&part, damage).unwrap();
            assert_eq!(open(folder.path(), 100).unwrap().written(), 0, "{damage:?}");
            write(b"hello");
        }
        for notes in ["", "{}", "null", &"x".repeat(1 << 16)] {
            fs::write(with(&part, ".json"), notes).unwrap();
            assert_eq!(open(folder.path(), 100).unwrap().written(), 0);
            write(b"hello");
        }
    }

    #[test]
    fn nothing_is_left_of_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path(), 5).unwrap());
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn a_part_that_nobody_goes_on_with_goes_when_another_file_comes() {
        let folder = tempfile::tempdir().unwrap();
        let aged = |path: &Path, age: Duration| {
            File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        };
        let part = |size| {
            open(folder.path(), size).unwrap().write(b"hello").unwrap();
            wanted(folder.path(), size).part()
        };
        let day = Duration::from_secs(24 * 60 * 60);
        let (old, young, in_use) = (part(100), part(101), part(102));
        let user = open(folder.path(), 102).unwrap();
        // Called like a part, and notes that are those of another.
        let strange = [folder.path().join("b.txt.0123456789ab.part"), folder.path().join("mine.part")];
        for strange in &strange {
            fs::write(strange, "precious").unwrap();
            fs::copy(with(&old, ".json"), with(strange, ".json")).unwrap();
        }
        for (path, age) in [(&old, KEPT + day), (&young, KEPT - day), (&in_use, KEPT + day)] {
            aged(path, age);
        }
        strange.iter().for_each(|path| aged(path, KEPT + day));
        // The one that is offered again is gone on with, however old it is.
        assert_eq!(open(folder.path(), 100).unwrap().written(), 5);
        aged(&old, KEPT + day);
        drop(open(folder.path(), 7).unwrap());
        drop(user);
        let mut left = vec![young.clone(), with(&young, ".json"), in_use.clone(), with(&in_use, ".json")];
        left.extend(strange.iter().flat_map(|path| [path.clone(), with(path, ".json")]));
        let mut left: Vec<String> = left.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        left.sort();
        assert_eq!(names(folder.path()), left);
    }

    #[test]
    fn a_part_has_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path(), 5).unwrap();
        assert_eq!(open(folder.path(), 5).err(), Some(Why::Busy));
        drop(first);
        assert!(open(folder.path(), 5).is_ok());
    }

    #[test]
    fn no_link_is_followed_and_no_folder_made() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, wanted(folder.path(), 5).part()).unwrap();
        assert!(matches!(open(folder.path(), 5), Err(Why::Disk(_))));
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        for no_folder in [victim, folder.path().join("not there")] {
            assert!(matches!(open(&no_folder, 5), Err(Why::Disk(_))));
        }
    }

    #[test]
    fn what_does_not_fit_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let refused = open(folder.path(), crate::frame::FILE_BYTES_MAX).err();
        assert!(matches!(refused, Some(Why::NoSpace { missing }) if missing > 0), "{refused:?}");
        assert_eq!(names(folder.path()), [""; 0]);
    }
}
