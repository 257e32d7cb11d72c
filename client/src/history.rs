//! The lines one typed before, a file for each server: bounded, private, and without secrets.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustyline::config::{Builder, Configurer};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Editor, Helper};

use crate::address::Place;
use crate::connection::in_words;
use crate::dialogue;
use crate::knowledge::Knowledge;
use crate::secrets;

/// How many lines are remembered where there is no file: a long visit.
const LINES_WITHOUT_FILE: usize = 1000;
/// The longest line that is kept: a page of text pasted into a chat is nothing to scroll through later.
const LINE_BYTES_MAX: usize = 4096;

/// Whether `line` may be kept.
pub(crate) fn keeps(line: &str, knowledge: &Knowledge) -> bool {
    line.len() <= LINE_BYTES_MAX && !line.starts_with([' ', '\t']) && !secrets::holds_one(line, knowledge)
}

/// The history file of one server. Where there can be none, lines are remembered until the end only.
#[derive(Clone, Debug)]
pub(crate) struct HistoryFile {
    path: Option<PathBuf>,
    lines: Arc<AtomicUsize>,
    /// Whether a line could not be written.
    failed: Arc<AtomicBool>,
}

impl HistoryFile {
    /// The file for `place` in `folder`, which is made if need be.
    /// At most `lines` are kept; 0 is no file at all.
    pub(crate) fn open(folder: Option<PathBuf>, place: &Place, lines: usize) -> HistoryFile {
        let file = HistoryFile {
            path: folder.map(|folder| folder.join(file_name(place))),
            lines: Arc::new(AtomicUsize::new(lines)),
            failed: Arc::default(),
        };
        file.make_folder();
        file
    }

    fn make_folder(&self) {
        if let Some(folder) = self.path().and_then(Path::parent) {
            // Where it cannot be made, the first line says so.
            let _ = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        }
    }

    /// From here on at most `lines` are kept.
    ///
    /// # Errors
    /// The editor's.
    pub(crate) fn resize<H: Helper>(&self, editor: &mut Editor<H, FileHistory>, lines: usize) -> rustyline::Result<()> {
        if self.lines.swap(lines, Ordering::Relaxed) != lines && self.path.is_some() {
            self.make_folder();
            editor.set_max_history_size(lines)?;
        }
        Ok(())
    }

    /// No file: what is typed is remembered until the end.
    pub(crate) fn none() -> HistoryFile {
        HistoryFile { path: None, lines: Arc::new(AtomicUsize::new(LINES_WITHOUT_FILE)), failed: Arc::default() }
    }

    /// Sets the rules that the editor itself can keep: so many lines, none twice in a row, none that begins with a space.
    pub(crate) fn rules(&self, config: Builder) -> rustyline::Result<Builder> {
        Ok(config.max_history_size(self.lines.load(Ordering::Relaxed))?.history_ignore_dups(true)?.history_ignore_space(true))
    }

    /// Reads what was kept.
    pub(crate) fn load<H: Helper>(&self, editor: &mut Editor<H, FileHistory>) {
        if let Some(path) = self.path() {
            // There is none before the first line; and a damaged one is no reason not to chat.
            let _ = editor.load_history(path);
        }
    }

    /// Remembers `line` if it may be kept, at once, so that a lost terminal does not lose it.
    pub(crate) fn remember<H: Helper>(&self, editor: &mut Editor<H, FileHistory>, line: &str, knowledge: &Knowledge) {
        if !keeps(line, knowledge) {
            return;
        }
        if let (Ok(true), Some(path)) = (editor.add_history_entry(line), self.path())
            && let Err(error) = editor.append_history(path)
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            // A full disk is no reason not to chat. Said once: whoever reads it knows.
            let why = match error {
                ReadlineError::Io(error) => in_words(&error),
                other => other.to_string(),
            };
            dialogue::say(&format!("* what you type is not remembered in {} any more ({why}); the chat goes on", path.display()));
        }
    }

    /// Where it is, if it is anywhere.
    fn path(&self) -> Option<&Path> {
        self.path.as_deref().filter(|_| self.lines.load(Ordering::Relaxed) > 0)
    }
}

/// `chat.example.org:2461`, with whatever a file name should not have made harmless.
fn file_name(place: &Place) -> String {
    place.to_string().chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_') { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustyline::Config;
    use rustyline::history::{History, SearchDirection};

    use super::*;
    use crate::knowledge::for_tests;

    fn place(host: &str) -> Place {
        Place { host: host.to_owned(), port: 2461 }
    }

    /// Enough for what a test types.
    const LINES: usize = 50;

    fn editor_of(file: &HistoryFile) -> Editor<(), FileHistory> {
        Editor::with_config(file.rules(Config::builder()).expect("rules").build()).expect("an editor")
    }

    fn lines(editor: &Editor<(), FileHistory>) -> Vec<String> {
        let history = editor.history();
        (0..history.len()).filter_map(|i| Some(history.get(i, SearchDirection::Forward).ok()??.entry.into_owned())).collect()
    }

    #[test]
    fn what_is_kept_and_what_is_not() {
        let knowledge = for_tests();
        for (line, kept) in [
            ("message bob hi", true),
            ("whoelse", true),
            (" message bob psst", false),
            ("passwd old new", false),
            ("login alice hunter2", false),
            ("LOGIN alice hunter2", false),
            ("logni alice hunter2", false),
        ] {
            assert_eq!(keeps(line, &knowledge), kept, "{line:?}");
        }
        assert!(!keeps(&"x".repeat(LINE_BYTES_MAX + 1), &knowledge));
    }

    #[test]
    fn a_history_survives_in_a_private_file_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = |host: &str| HistoryFile::open(Some(folder.path().join("history")), &place(host), LINES);
        let (file, knowledge) = (open("a.example"), for_tests());
        let mut typing = editor_of(&file);
        for line in ["message bob hi", "whoelse", "whoelse", " secret", "passwd a b", "two\nlines"] {
            file.remember(&mut typing, line, &knowledge);
        }
        let mut later = editor_of(&file);
        file.load(&mut later);
        assert_eq!(lines(&later), ["message bob hi", "whoelse", "two\nlines"]);
        let path = file.path().expect("a file");
        assert_eq!(fs::metadata(path).expect("is there").permissions().mode() & 0o777, 0o600);
        let mut elsewhere = editor_of(&file);
        open("b.example").load(&mut elsewhere);
        assert!(lines(&elsewhere).is_empty());
    }

    #[test]
    fn the_file_has_a_bound() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = HistoryFile::open(Some(folder.path().to_owned()), &place("a.example"), LINES);
        let (mut typing, knowledge) = (editor_of(&file), for_tests());
        for n in 0..LINES + 20 {
            file.remember(&mut typing, &format!("broadcast {n}"), &knowledge);
        }
        let text = fs::read_to_string(file.path().expect("a file")).expect("reads");
        assert!(text.lines().count() <= LINES + 1, "{} lines", text.lines().count());
        assert!(text.ends_with(&format!("broadcast {}\n", LINES + 19)));
    }

    #[test]
    fn no_lines_are_no_file_and_a_file_that_cannot_be_written_stops_nobody() {
        let folder = tempfile::tempdir().expect("a folder");
        let none = HistoryFile::open(Some(folder.path().join("none")), &place("a.example"), 0);
        assert!(none.path().is_none() && !folder.path().join("none").exists());
        let file = HistoryFile::open(Some(folder.path().join("history")), &place("a.example"), LINES);
        // Nothing can be appended to a folder, whoever one is.
        fs::create_dir(file.path().expect("a file")).expect("makes");
        let mut typing = editor_of(&file);
        file.remember(&mut typing, "whoelse", &for_tests());
        assert!(file.failed.load(Ordering::Relaxed));
        assert_eq!(lines(&typing), ["whoelse"], "it is remembered until the end");
    }

    #[test]
    fn no_place_name_leaves_the_folder() {
        for (host, name) in [("fe80::1%eth0", "_fe80::1_eth0_:2461"), ("a/../b", "a_.._b:2461")] {
            assert_eq!(file_name(&place(host)), name);
        }
    }
}
