//! A terminal for a client to run in: a real one of the system (a pty) with an emulator behind it, so that a test sees what a
//! person would. Tests wait until the screen shows something; [`LIMIT`] only turns a test that hangs into one that
//! fails.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::blocking::{Command, Pty};
use tempfile::TempDir;

use crate::scripted::Server;

/// How long anything may take before the test fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// How many rows above the screen are kept.
const SCROLLBACK: usize = 100_000;

/// What reached the emulator that moves no text.
#[derive(Debug, Default)]
pub(crate) struct Signs {
    pub(crate) bells: usize,
    /// Whatever else acts on a terminal: titles, clipboards, unknown sequences.
    pub(crate) others: Vec<String>,
}

impl vt100::Callbacks for Signs {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.bells += 1;
    }

    fn visual_bell(&mut self, _: &mut vt100::Screen) {
        self.others.push("visual bell".into());
    }

    fn resize(&mut self, _: &mut vt100::Screen, size: (u16, u16)) {
        self.others.push(format!("resize to {size:?}"));
    }

    fn set_window_icon_name(&mut self, _: &mut vt100::Screen, name: &[u8]) {
        self.others.push(format!("icon name {}", String::from_utf8_lossy(name)));
    }

    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.others.push(format!("title {}", String::from_utf8_lossy(title)));
    }

    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], data: &[u8]) {
        self.others.push(format!("copy {}", String::from_utf8_lossy(data)));
    }

    fn paste_from_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8]) {
        self.others.push("paste".into());
    }

    fn unhandled_char(&mut self, _: &mut vt100::Screen, c: char) {
        self.others.push(format!("character {c:?}"));
    }

    fn unhandled_control(&mut self, _: &mut vt100::Screen, byte: u8) {
        self.others.push(format!("control {byte:#x}"));
    }

    fn unhandled_escape(&mut self, _: &mut vt100::Screen, first: Option<u8>, second: Option<u8>, byte: u8) {
        self.others.push(format!("escape {first:?} {second:?} {byte:#x}"));
    }

    fn unhandled_csi(&mut self, _: &mut vt100::Screen, first: Option<u8>, second: Option<u8>, params: &[&[u16]], c: char) {
        // The editor asks the terminal to show its repaints at once; this emulator always does.
        if (first, params, c) != (Some(b'?'), &[&[2026]], 'h') && (first, params, c) != (Some(b'?'), &[&[2026]], 'l') {
            self.others.push(format!("sequence {first:?} {second:?} {params:?} {c}"));
        }
    }

    fn unhandled_osc(&mut self, _: &mut vt100::Screen, params: &[&[u8]]) {
        let params: Vec<_> = params.iter().map(|param| String::from_utf8_lossy(param)).collect();
        self.others.push(format!("command {}", params.join(";")));
    }
}

struct Seen {
    parser: vt100::Parser<Signs>,
    /// The client has gone.
    over: bool,
}

/// A terminal, and the client in it.
pub(crate) struct Terminal {
    pty: Arc<Pty>,
    child: Child,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    home: Arc<TempDir>,
}

/// How a client is run.
pub(crate) struct Setup {
    columns: u16,
    rows: u16,
    env: Vec<(String, String)>,
    words: Vec<String>,
    config: String,
    asked: bool,
    plain: bool,
    name: String,
    home: Option<Arc<TempDir>>,
}

impl Setup {
    /// In a terminal with 256 colours, so wide.
    pub(crate) fn new(columns: u16) -> Setup {
        let env = [("TERM", "xterm-256color"), ("TZ", "UTC")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        Setup {
            columns,
            rows: 40,
            env: env.into(),
            words: Vec::new(),
            config: "()".to_owned(),
            asked: false,
            plain: true,
            name: "alice".to_owned(),
            home: None,
        }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Setup {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn word(mut self, word: &str) -> Setup {
        self.words.push(word.to_owned());
        self
    }

    /// With these settings.
    pub(crate) fn config(mut self, config: &str) -> Setup {
        self.config = config.to_owned();
        self
    }

    /// The password is typed, and not given by a command.
    pub(crate) fn asked(self) -> Setup {
        Setup { asked: true, ..self }
    }

    /// Over TLS.
    pub(crate) fn secured(self) -> Setup {
        Setup { plain: false, ..self }
    }

    /// As somebody else.
    pub(crate) fn name(self, name: &str) -> Setup {
        Setup { name: name.to_owned(), ..self }
    }

    /// At home where somebody was before.
    pub(crate) fn home(self, home: Arc<TempDir>) -> Setup {
        Setup { home: Some(home), ..self }
    }

    pub(crate) fn plain(self) -> Setup {
        self.env("NO_COLOR", "1")
    }

    /// Runs against `server`.
    pub(crate) fn run(self, server: &Server) -> Terminal {
        self.run_at(server.address)
    }

    /// Runs against the server at `address`.
    pub(crate) fn run_at(self, address: SocketAddr) -> Terminal {
        let home = self.home.unwrap_or_else(|| Arc::new(tempfile::tempdir().expect("a home")));
        let folder = home.path().join(".config/chinwag");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("config.ron"), &self.config).expect("writes");
        let (pty, pts) = pty_process::blocking::open().expect("a pty");
        pty.resize(pty_process::Size::new(self.rows, self.columns)).expect("a size");
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"))
            .arg(format!("{}@{address}", self.name))
            .args(self.plain.then_some("--plain"))
            .args(if self.asked { &[][..] } else { &["--password-command", "echo secret"] })
            .args(&self.words)
            .env("HOME", home.path());
        for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "NO_COLOR", "COLORTERM", "TERM_PROGRAM"] {
            command = command.env_remove(name);
        }
        let child = command.envs(self.env).spawn(pts).expect("runs");
        let pty = Arc::new(pty);
        let seen = Seen { parser: parser(self.rows, self.columns), over: false };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        let (reader, sees) = (Arc::clone(&pty), Arc::clone(&seen));
        thread::spawn(move || {
            let mut chunk = [0; 64 * 1024];
            loop {
                // When the client goes, the system says so with an error.
                let count = (&*reader).read(&mut chunk).unwrap_or(0);
                let mut seen = sees.0.lock().unwrap_or_else(PoisonError::into_inner);
                seen.parser.process(&chunk[..count]);
                seen.over = count == 0;
                sees.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Terminal { pty, child, seen, home }
    }
}

fn parser(rows: u16, columns: u16) -> vt100::Parser<Signs> {
    let size = |length| NonZeroU16::new(length).expect("not empty");
    vt100::Parser::new_with_callbacks(size(rows), size(columns), SCROLLBACK, Signs::default())
}

impl Terminal {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.0.lock().expect("no panic")
    }

    /// The home folder of whoever sits there.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// To come back to.
    pub(crate) fn keeps_home(&self) -> Arc<TempDir> {
        Arc::clone(&self.home)
    }

    /// Presses keys.
    pub(crate) fn types(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("takes it");
    }

    /// Waits until the screen is so.
    pub(crate) fn wait(&self, what: &str, is: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + LIMIT;
        let mut seen = self.lock();
        while !is(seen.parser.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || seen.over {
                panic!("never: {what}. The screen:\n{}", seen.parser.screen().contents());
            }
            seen = self.seen.1.wait_timeout(seen, left).expect("no panic").0;
        }
    }

    /// Waits until this stands somewhere on the screen.
    pub(crate) fn shows(&self, text: &str) {
        self.wait(text, |screen| screen.contents().contains(text));
    }

    /// Waits until the last row that is not empty is this, up to spaces at its end.
    pub(crate) fn ends_with(&self, row: &str) {
        self.wait(row, |screen| last_row(screen).trim_end() == row.trim_end());
    }

    /// All rows, also those that have left the screen.
    pub(crate) fn all(&self) -> String {
        let mut seen = self.lock();
        let screen = seen.parser.screen_mut();
        let (rows, columns) = screen.size();
        let mut all = Vec::new();
        let mut above = screen.scrollback_len();
        while above > 0 {
            screen.set_scrollback(above);
            let take = above.min(usize::from(rows.get()));
            all.extend(screen.rows(0, columns.get()).take(take));
            above -= take;
        }
        screen.set_scrollback(0);
        all.push(screen.contents());
        all.join("\n")
    }

    /// The rows of the screen, with marks where something is painted: `{3:alice}` is in colour 3, `{1b:x}` bold too.
    pub(crate) fn painted(&self) -> String {
        let seen = self.lock();
        let screen = seen.parser.screen();
        let (rows, columns) = screen.size();
        let mut out = String::new();
        for row in 0..rows.get() {
            let mut line = String::new();
            let mut last = String::new();
            for column in 0..columns.get() {
                let Some(cell) = screen.cell(row, column) else { continue };
                if cell.is_wide_continuation() {
                    continue;
                }
                let mut style = match cell.fgcolor() {
                    vt100::Color::Default => String::new(),
                    vt100::Color::Idx(index) => index.to_string(),
                    vt100::Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
                };
                if cell.bold() {
                    style.push('b');
                }
                if style != last {
                    line.push_str(if last.is_empty() { "" } else { "}" });
                    if !style.is_empty() {
                        let _ = write!(line, "{{{style}:");
                    }
                    last = style;
                }
                line.push_str(if cell.has_contents() { cell.contents() } else { " " });
            }
            line.push_str(if last.is_empty() { "" } else { "}" });
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out.trim_end().to_owned()
    }

    /// What reached the terminal that moves no text.
    pub(crate) fn signs<T>(&self, look: impl FnOnce(&Signs) -> T) -> T {
        look(self.lock().parser.callbacks())
    }

    /// Makes it this wide.
    pub(crate) fn resize(&self, columns: u16) {
        let mut seen = self.lock();
        let rows = seen.parser.screen().size().0;
        seen.parser.set_size(rows, NonZeroU16::new(columns).expect("not empty"));
        drop(seen);
        self.pty.resize(pty_process::Size::new(rows.get(), columns)).expect("a size");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends the client a signal.
    pub(crate) fn signal(&self, name: &str) {
        let status = std::process::Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &self.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()));
    }

    /// Waits for the client's end, and says how it ended.
    pub(crate) fn ends(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LIMIT;
        let mut seen = self.lock();
        while !seen.over {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the client does not end. The screen:\n{}", seen.parser.screen().contents());
            seen = self.seen.1.wait_timeout(seen, left).expect("no panic").0;
        }
        drop(seen);
        self.child.wait().expect("ends").code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// The last row that is not empty.
pub(crate) fn last_row(screen: &vt100::Screen) -> String {
    screen.rows(0, screen.size().1.get()).filter(|row| !row.trim().is_empty()).last().unwrap_or_default()
}
