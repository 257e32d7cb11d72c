//! What a run leaves behind while it lasts, data directories and servers, and that none of it stays when somebody interrupts it.
//!
//! Whoever drops a [`Scratch`] removes its directory. A process that is ended by a signal drops nothing: [`watch`] then does it,
//! and kills the servers, which could hang. Against SIGKILL nothing helps; what it left is removed by a later run.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use async_signal::{Signal, Signals};
use rustix::process::{Pid, Signal as Kill, kill_process};
use smol::stream::StreamExt;
use tempfile::TempDir;

/// Where data directories are, if there is such a place: in memory, where a sync costs nothing. The server syncs all the
/// same, and a disk that is busy with something else does not make scenarios wait.
const MEMORY: &str = "/dev/shm";
/// How the names of all of them begin.
const PREFIX: &str = "chinwag-scenario-";
/// How old what lies in memory has to be to belong to nobody: longer than any run takes.
const FORGOTTEN: Duration = Duration::from_secs(24 * 60 * 60);

static LEFT: Mutex<Left> = Mutex::new(Left { folders: BTreeSet::new(), servers: BTreeSet::new() });

struct Left {
    folders: BTreeSet<PathBuf>,
    servers: BTreeSet<u32>,
}

fn left() -> MutexGuard<'static, Left> {
    // Nothing that holds this lock can panic half way through a change.
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory that goes when this is dropped, or when the process is interrupted.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// One where files stay, if somebody wants to look at it later.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> io::Result<Scratch> {
        Scratch::in_folder(&std::env::temp_dir(), PREFIX)
    }

    /// One in memory, if the machine has such a place.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn in_memory() -> io::Result<Scratch> {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| remove_forgotten(Path::new(MEMORY), SystemTime::now()));
        Scratch::in_folder(Path::new(MEMORY), PREFIX).or_else(|_| Scratch::new())
    }

    /// One in a folder of the caller's.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn in_folder(folder: &Path, prefix: &str) -> io::Result<Scratch> {
        // Under the lock: whoever cleans up sees it, or it is not made any more.
        let mut left = left();
        let made = tempfile::Builder::new().prefix(prefix).tempdir_in(folder)?;
        left.folders.insert(made.path().to_owned());
        Ok(Scratch(made))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves it behind.
    #[must_use]
    pub fn keep(mut self) -> PathBuf {
        self.0.disable_cleanup(true);
        self.path().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        left().folders.remove(self.0.path());
    }
}

/// A process that is killed when this one is interrupted.
#[derive(Debug)]
pub struct Mortal(u32);

impl Mortal {
    /// From now on, until this is dropped: at the latest when the process has been waited for, since the number is then another's.
    #[must_use]
    pub fn new(pid: u32) -> Mortal {
        left().servers.insert(pid);
        Mortal(pid)
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        left().servers.remove(&self.0);
    }
}

/// From now on a signal that asks to end kills the servers and removes the directories first. Without this it ends the process
/// where it stands: servers notice that and end, but directories stay, in memory.
///
/// # Errors
/// When the system does not let us listen to signals.
pub fn watch() -> io::Result<()> {
    let mut signals = Signals::new([Signal::Int, Signal::Term, Signal::Hup])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let Some(Ok(signal)) = smol::block_on(signals.next()) else { return };
        // Held until the end: nothing new begins.
        let left = left();
        for pid in left.servers.iter().filter_map(|pid| i32::try_from(*pid).ok().and_then(Pid::from_raw)) {
            let _ = kill_process(pid, Kill::KILL);
        }
        for folder in &left.folders {
            let _ = std::fs::remove_dir_all(folder);
        }
        // As a shell says it: 128 and the number of the signal.
        process::exit(match signal {
            Signal::Hup => 129,
            Signal::Int => 130,
            _ => 143,
        });
    })?;
    Ok(())
}

/// Removes directories of runs that were killed.
fn remove_forgotten(folder: &Path, now: SystemTime) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let is_old = || entry.metadata()?.modified().map(|at| now.duration_since(at).is_ok_and(|age| age > FORGOTTEN));
        if is_ours && is_old().unwrap_or(false) {
            // Of another user's nothing can be removed, and that is as well.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_goes_unless_it_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let gone = Scratch::in_folder(folder.path(), PREFIX).unwrap().path().to_owned();
        assert!(!gone.exists());
        let kept = Scratch::in_folder(folder.path(), PREFIX).unwrap().keep();
        assert!(kept.is_dir());
        assert!(!left().folders.contains(&kept) && !left().folders.contains(&gone));
    }

    #[test]
    fn what_killed_runs_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["chinwag-scenario-a", "somebodys"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let there = || std::fs::read_dir(folder.path()).unwrap().count();
        remove_forgotten(folder.path(), SystemTime::now());
        assert_eq!(there(), 2);
        remove_forgotten(folder.path(), SystemTime::now() + 2 * FORGOTTEN);
        assert!(there() == 1 && folder.path().join("somebodys").is_dir());
    }
}
