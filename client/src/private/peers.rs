//! Whose key is whose: what was seen at the last private chat with somebody, and what was verified.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chinwag_wire::name::folded;
use chinwag_wire::private::Fingerprint;

use crate::address::Place;
use crate::connection::in_words;

/// The largest file that is read: some ten thousand people.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// What stands in front of a fingerprint, as in `known-hosts`.
const PREFIX: &str = "SHA256:";
/// What stands behind the fingerprint of somebody whose words were compared.
const VERIFIED: &str = "verified";
/// What stands behind any other.
const SEEN: &str = "seen";

/// What is remembered of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The key of the last private chat; once one was verified, that one.
    pub(crate) fingerprint: Fingerprint,
    /// Whether the two have compared words.
    pub(crate) verified: bool,
}

/// The file that remembers keys: a line `HOST:PORT NAME SHA256:… verified` (or `seen`) for each person; `#` begins a comment.
#[derive(Clone, Debug)]
pub(crate) struct KnownPeers {
    path: PathBuf,
    place: String,
}

impl KnownPeers {
    /// The file at `path`, as far as it is about people at `place`. It need not exist yet.
    pub(crate) fn at(path: PathBuf, place: &Place) -> KnownPeers {
        KnownPeers { path, place: place.to_string() }
    }

    /// What is remembered of `name`.
    ///
    /// # Errors
    /// Why nobody can say, as half a sentence: the file cannot be read, or the line is damaged. Better no private chat than an
    /// unchecked one.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Known>, String> {
        for (number, line) in self.read()?.lines().enumerate() {
            let mut words = line.split_whitespace();
            if !self.is_of(line, name) {
                continue;
            }
            let damaged = || format!("line {} of {} is damaged; mend or delete it", number + 1, self.path.display());
            let fingerprint = words.nth(2).and_then(|word| word.strip_prefix(PREFIX)?.parse().ok()).ok_or_else(damaged)?;
            let verified = match words.next() {
                Some(VERIFIED) => true,
                Some(SEEN) => false,
                _ => return Err(damaged()),
            };
            return Ok(Some(Known { fingerprint, verified }));
        }
        Ok(None)
    }

    /// Remembers the key of `name`, in the place of an older one.
    ///
    /// # Errors
    /// The file cannot be written; half a sentence.
    pub(crate) fn remember(&self, name: &str, known: Known) -> Result<(), String> {
        let mut new: String = self.read()?.lines().filter(|line| !self.is_of(line, name)).flat_map(|line| [line, "\n"]).collect();
        let state = if known.verified { VERIFIED } else { SEEN };
        new.push_str(&format!("{} {name} {PREFIX}{} {state}\n", self.place, known.fingerprint));
        write(&self.path, &new).map_err(|error| format!("cannot write {}: {}", self.path.display(), in_words(&error)))
    }

    fn is_of(&self, line: &str, name: &str) -> bool {
        let mut words = line.split_whitespace();
        words.next() == Some(self.place.as_str()) && words.next().is_some_and(|word| folded(word) == folded(name))
    }

    fn read(&self) -> Result<String, String> {
        let cannot = |why: String| format!("cannot read {}: {why}", self.path.display());
        match fs::metadata(&self.path) {
            Ok(file) if file.len() > FILE_BYTES_MAX => Err(cannot(format!("it is larger than {FILE_BYTES_MAX} bytes"))),
            Ok(_) => fs::read_to_string(&self.path).map_err(|error| cannot(in_words(&error))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(cannot(in_words(&error))),
        }
    }
}

/// A new file takes the place of the old one in one step: a crash leaves the one or the other.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn peers(folder: &Path, host: &str) -> KnownPeers {
        KnownPeers::at(folder.join("deep/known-peers"), &Place { host: host.to_owned(), port: 2461 })
    }

    #[test]
    fn keys_are_remembered_for_each_server_and_name_and_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, two) = (Fingerprint([1; 32]), Fingerprint([2; 32]));
        let (here, there) = (peers(folder.path(), "a.example"), peers(folder.path(), "b.example"));
        assert_eq!(here.find("bob"), Ok(None));
        here.remember("bob", Known { fingerprint: one, verified: false }).expect("writes");
        there.remember("Émilie", Known { fingerprint: two, verified: true }).expect("writes");
        assert_eq!(here.find("BOB"), Ok(Some(Known { fingerprint: one, verified: false })));
        assert_eq!(there.find("e\u{301}milie"), Ok(Some(Known { fingerprint: two, verified: true })));
        assert_eq!((there.find("bob"), here.find("bo")), (Ok(None), Ok(None)));
        here.remember("Bob", Known { fingerprint: two, verified: true }).expect("writes");
        assert_eq!(here.find("bob"), Ok(Some(Known { fingerprint: two, verified: true })));
        let text = fs::read_to_string(folder.path().join("deep/known-peers")).expect("reads");
        assert_eq!(text.lines().count(), 2, "{text}");
        let mode = fs::metadata(folder.path().join("deep/known-peers")).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn comments_stay_and_a_damaged_line_is_no_licence() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = peers(folder.path(), "a.example");
        let path = folder.path().join("deep/known-peers");
        fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
        let good = "ab".repeat(32);
        for damaged in ["SHA256:beef seen".to_owned(), format!("SHA256:{good}"), format!("SHA256:{good} trusted"), format!("{good} seen")] {
            fs::write(&path, format!("# mine\na.example:2461 bob {damaged}\n")).expect("writes");
            let why = here.find("bob").expect_err("damaged");
            assert!(why.contains("line 2 of"), "{why}");
            here.remember("carol", Known { fingerprint: Fingerprint([1; 32]), verified: false }).expect("writes");
            assert!(fs::read_to_string(&path).expect("reads").starts_with("# mine\n"));
        }
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("deep/known-peers")).expect("makes");
        assert!(peers(folder.path(), "a.example").find("bob").is_err(), "what cannot be read is no licence either");
    }
}
