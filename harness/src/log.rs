//! What the server under test writes to stderr, with the step in which it wrote it. No waiting: the harness holds the
//! other end of the same pipe and writes marks into it, and what stands before a mark was written before it.

use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use smol::Async;
use smol::channel::{Sender, bounded};
use smol::io::{AsyncBufReadExt, BufReader};
use smol::stream::StreamExt;

/// How many lines are kept: more than any scenario should cause, and no more memory than a failure report is worth.
const LINES_MAX: usize = 20_000;

/// Begins a mark. A log has no such character: the server makes control characters visible.
const MARK: char = '\u{1}';

/// One line that the server wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The step in which it was written.
    pub step: String,
    /// What.
    pub text: String,
}

impl LogLine {
    /// Whether it is of this level: the levels are words of their own, near the beginning.
    #[must_use]
    pub fn is_of(&self, level: &str) -> bool {
        self.text.split_whitespace().take(3).any(|word| word == level)
    }
}

/// All that the servers of one scenario wrote. Clones are of the same.
#[derive(Clone, Debug)]
pub struct Log {
    pipe: Arc<PipeWriter>,
    read: Arc<Mutex<Read>>,
}

#[derive(Debug, Default)]
struct Read {
    step: String,
    lines: VecDeque<LogLine>,
    /// Who waits for their mark, in the order of the marks.
    waiting: VecDeque<Sender<()>>,
}

impl Log {
    /// An empty one.
    ///
    /// # Errors
    /// When the system gives no pipe.
    pub fn new() -> io::Result<Log> {
        let (reader, writer) = io::pipe()?;
        let reader = Async::new(reader)?;
        let read = Arc::new(Mutex::new(Read { step: "0".to_owned(), ..Read::default() }));
        smol::spawn(read_all(reader, Arc::clone(&read))).detach();
        Ok(Log { pipe: Arc::new(writer), read })
    }

    /// The end to write to, for a process.
    pub(crate) fn stdio(&self) -> io::Result<Stdio> {
        Ok(self.pipe.try_clone()?.into())
    }

    /// What is written from here on is written in this step.
    pub fn begin(&self, step: &str) {
        self.mark(&format!("step {step}"));
    }

    /// Waits until all that has been written by now has been read.
    pub async fn sync(&self) {
        let (waiter, done) = bounded(1);
        self.lock().waiting.push_back(waiter);
        self.mark("sync");
        // Closed only if the pipe cannot be read: then there is nothing to wait for.
        let _ = done.recv().await;
    }

    /// What has been read by now.
    #[must_use]
    pub fn lines(&self) -> Vec<LogLine> {
        self.lock().lines.iter().cloned().collect()
    }

    fn mark(&self, what: &str) {
        // The reader never waits for anybody, so that there is room; without a mark only the steps are less exact.
        let _ = (&*self.pipe).write_all(format!("{MARK}{what}\n").as_bytes());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read_all(pipe: Async<PipeReader>, read: Arc<Mutex<Read>>) {
    let mut lines = BufReader::new(pipe).split(b'\n');
    while let Some(Ok(line)) = lines.next().await {
        read.lock().unwrap_or_else(PoisonError::into_inner).take(&String::from_utf8_lossy(&line));
    }
    read.lock().unwrap_or_else(PoisonError::into_inner).waiting.clear();
}

impl Read {
    fn take(&mut self, line: &str) {
        let (text, mark) = line.split_once(MARK).map_or((line, None), |(text, mark)| (text, Some(mark)));
        if !text.is_empty() || mark.is_none() {
            if self.lines.len() == LINES_MAX {
                self.lines.pop_front();
            }
            self.lines.push_back(LogLine { step: self.step.clone(), text: text.to_owned() });
        }
        match mark.map(|mark| mark.split_once(' ').unwrap_or((mark, ""))) {
            Some(("step", step)) => step.clone_into(&mut self.step),
            Some(_) => {
                if let Some(waiter) = self.waiting.pop_front() {
                    let _ = waiter.try_send(());
                }
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_belong_to_the_step_they_were_written_in() {
        smol::block_on(async {
            let log = Log::new().unwrap();
            let write = |text: &str| (&*log.pipe).write_all(text.as_bytes()).unwrap();
            write("starts\n");
            log.begin("1");
            write("2026 WARN odd\nhalf a ");
            log.begin("2.1");
            write("line\n");
            log.sync().await;
            let lines: Vec<(String, String)> = log.lines().into_iter().map(|line| (line.step, line.text)).collect();
            let expected = [("0", "starts"), ("1", "2026 WARN odd"), ("1", "half a "), ("2.1", "line")];
            assert_eq!(lines, expected.map(|(step, text)| (step.to_owned(), text.to_owned())));
            assert!(log.lines()[1].is_of("WARN") && !log.lines()[0].is_of("WARN"));
        });
    }
}
