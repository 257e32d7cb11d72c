//! What was said in private chats, kept on this machine if somebody wants that: a file for each person, readable by
//! its owner only.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chinwag_wire::name::folded;
use chinwag_wire::{Millis, SafeText};

/// How long a file may be, in bytes: years of talk. Then it becomes `NAME.old`, in the place of the one before.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// The folder of them.
#[derive(Clone, Debug)]
pub(crate) struct Transcripts {
    folder: PathBuf,
}

impl Transcripts {
    /// In this folder, which is made when something is said.
    pub(crate) fn at(folder: PathBuf) -> Transcripts {
        Transcripts { folder }
    }

    /// Adds a line to what was said with `with`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn add(&self, with: &str, mine: bool, text: &str, at: Millis) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.folder.join(file_name(&folded(with)));
        if fs::metadata(&path).is_ok_and(|file| file.len() > FILE_BYTES_MAX) {
            fs::rename(&path, old(&path))?;
        }
        let who = if mine { "you".into() } else { SafeText::new(with).to_string() };
        // A line each, whatever is in it.
        let line = format!("{at} {who}: {}\n", SafeText::new(text));
        fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?.write_all(line.as_bytes())
    }
}

fn old(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    PathBuf::from(name)
}

/// A file name for a word of any kind: what a file name should not have is written as `%41`.
pub(crate) fn file_name(word: &str) -> String {
    let mut name = String::with_capacity(word.len());
    for (at, byte) in word.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':') || (byte == b'.' && at > 0);
        if plain { name.push(char::from(byte)) } else { name.push_str(&format!("%{byte:02x}")) }
    }
    name
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_line_is_a_line_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Transcripts::at(folder.path().join("deep"));
        kept.add("Bob", true, "one\ntwo\u{1b}[2J", Millis(0)).expect("writes");
        kept.add("bob", false, "three", Millis(0)).expect("writes");
        let path = folder.path().join("deep/bob");
        assert_eq!(
            fs::read_to_string(&path).expect("reads"),
            format!("{0} you: {1}\n{0} bob: three\n", Millis(0), SafeText::new("one\ntwo\u{1b}[2J"))
        );
        assert_eq!(fs::read_to_string(&path).expect("reads").lines().count(), 2);
        assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path().join("deep")).expect("is there").permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn no_file_grows_for_ever() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = Transcripts::at(folder.path().to_owned());
        fs::File::create(folder.path().join("bob")).and_then(|file| file.set_len(FILE_BYTES_MAX + 1)).expect("a long file");
        kept.add("bob", true, "new", Millis(0)).expect("writes");
        assert!(fs::metadata(folder.path().join("bob")).expect("is there").len() < 100);
        assert!(fs::metadata(folder.path().join("bob.old")).expect("is there").len() > FILE_BYTES_MAX);
    }

    #[test]
    fn no_word_leaves_the_folder_and_no_two_are_one() {
        for (word, name) in
            [("bob", "bob"), ("..", "%2e."), ("a/b", "a%2fb"), ("é", "%c3%a9"), ("%2f", "%252f"), ("[::1]:2461", "%5b::1%5d:2461")]
        {
            assert_eq!(file_name(word), name);
        }
    }
}
