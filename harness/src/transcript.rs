//! What everyone said and heard, a column each. The text is stable by construction: rows are numbered by step,
//! never by the clock, and within a step they stand in the order of the cast.

use std::fmt::Write;

use chinwag_wire::SafeText;
use regex_lite::Regex;

use crate::connection::Heard;
use crate::scenario::{Items, Scenario, Step};

/// How wide all columns together should be at most; longer texts run over to the right, where nothing stands.
const WIDTH: usize = 96;
/// The narrowest column, so that columns can be told apart.
const COLUMN_MIN: usize = 12;
/// The widest column, so that few users stand together.
const COLUMN_MAX: usize = 28;

/// What is at least as long may be random, such as a token; numbers and names are shorter.
const RANDOM_MIN: usize = 16;
/// More of one line than this nobody reads. What is compared is all of it.
const SHOWN_MAX: usize = 200;

/// How many of the things said in one step are listed as what may have caused something.
const CAUSES_SHOWN: usize = 4;

/// One line of the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number of the step.
    pub step: String,
    /// Whose column; nobody's for what concerns all.
    pub column: Option<usize>,
    /// `>` said, `<` heard, `-` happened.
    pub mark: char,
    /// What.
    pub text: String,
}

/// All rows so far.
#[derive(Clone, Debug)]
pub struct Transcript {
    names: Vec<String>,
    /// In the order of the steps.
    pub rows: Vec<Row>,
    /// The rows of the step that is being played.
    open: Vec<Row>,
    /// What was remembered and differs from seed to seed, with the name it was remembered by.
    named: Vec<(String, String)>,
    /// What stands in place of what, as the scenario says.
    redact: Vec<(Regex, String)>,
    /// Whose lines are left out.
    omit: Vec<String>,
}

impl Transcript {
    /// An empty one, with a column for everyone the scenario ever connects.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Transcript {
        let mut names: Vec<String> = scenario.cast.0.iter().map(|(name, _)| name.value.clone()).collect();
        connected(&scenario.steps, &mut names);
        let omit = scenario.omit.0.iter().map(|name| name.value.clone()).collect();
        // What is no expression was told when the scenario was checked.
        let redact = scenario.redact.0.iter().filter_map(|item| Some((Regex::new(&item.value.0).ok()?, item.value.1.clone())));
        Transcript { names, rows: Vec::new(), open: Vec::new(), named: Vec::new(), redact: redact.collect(), omit }
    }

    /// Who has a column, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A value was remembered under a name. One that is long enough to be random is shown by that name from here on,
    /// and where it was first seen.
    pub fn remember(&mut self, name: &str, value: &str) {
        if value.len() >= RANDOM_MIN {
            self.named.push((value.to_owned(), format!("{{{name}}}")));
        }
    }

    /// A text with the names of what was remembered in place of what may be random.
    #[must_use]
    pub fn with_holes(&self, text: &str) -> String {
        self.named.iter().fold(text.to_owned(), |text, (value, name)| text.replace(value, name))
    }

    /// A text as the transcript shows it: harmless to a terminal, short enough to read, the same for every seed.
    fn shown(&self, text: &str) -> String {
        let text = self.with_holes(text);
        let text = self.redact.iter().fold(text, |text, (regex, shown)| regex.replace_all(&text, shown.as_str()).into_owned());
        let safe = SafeText::new(&text);
        let length = safe.as_str().chars().count();
        if length <= SHOWN_MAX {
            return safe.as_str().to_owned();
        }
        let begin: String = safe.as_str().chars().take(SHOWN_MAX).collect();
        format!("{begin}… ({length} characters)")
    }

    /// Something happened to all.
    pub fn happened(&mut self, step: &str, text: impl Into<String>) {
        self.open.push(Row { step: step.to_owned(), column: None, mark: '-', text: text.into() });
    }

    /// A user did something.
    pub fn did(&mut self, step: &str, user: &str, mark: char, text: impl Into<String>) {
        self.open.push(Row { step: step.to_owned(), column: self.column(user), mark, text: text.into() });
    }

    /// A user heard something.
    pub fn heard(&mut self, step: &str, user: &str, heard: &Heard) {
        if self.omit.iter().any(|name| name == user) {
            return;
        }
        self.did(step, user, '<', said(heard));
    }

    /// Ends a step, or a part of one: what has gathered is put in order. In a group whose order is left open, what
    /// each user heard is sorted, because its order may differ from run to run.
    pub fn close(&mut self, any_order: bool) {
        if any_order {
            self.open.sort_by(|a, b| key(a).cmp(&key(b)));
        } else {
            self.open.sort_by_key(|row| row.column);
        }
        self.rows.append(&mut self.open);
    }

    /// Forgets what came before the scenario began.
    pub fn forget(&mut self) {
        self.rows.clear();
        self.open.clear();
    }

    fn column(&self, user: &str) -> Option<usize> {
        self.names.iter().position(|name| name == user)
    }

    /// Who else heard exactly `text`, and in which step.
    #[must_use]
    pub fn elsewhere(&self, user: &str, text: &str) -> Option<(&str, &str)> {
        let column = self.column(user);
        let found = self.rows.iter().rev().find(|row| row.mark == '<' && row.column != column && row.text == text)?;
        Some((self.names.get(found.column?)?, &found.step))
    }

    /// Puts what the server logged behind the last row of the step in which it did.
    pub fn insert_log<'a>(&mut self, lines: impl Iterator<Item = (&'a str, &'a str)>) {
        for (step, text) in lines {
            // A step in which nothing else happened stands behind the steps before it.
            let number = |step: &str| step.split('.').map(|part| part.parse::<u64>().unwrap_or(0)).collect::<Vec<_>>();
            let at = self.rows.iter().rposition(|row| number(&row.step) <= number(step)).map_or(0, |at| at + 1);
            self.rows.insert(at, Row { step: step.to_owned(), column: None, mark: '!', text: text.to_owned() });
        }
    }

    /// The last step in which `user` heard exactly `text`, and what others said in it.
    #[must_use]
    pub fn cause(&self, user: &str, text: &str) -> Option<(&str, Vec<String>)> {
        let column = self.column(user);
        let heard = self.rows.iter().rev().find(|row| row.mark == '<' && row.column == column && row.text == text)?;
        let said = self.rows.iter().filter(|row| row.step == heard.step && row.mark != '<').filter_map(|row| match row.column {
            Some(column) => Some(format!("{} {} {}", self.names.get(column)?, row.mark, self.shown(&row.text))),
            None => Some(row.text.clone()),
        });
        Some((&heard.step, said.take(CAUSES_SHOWN).collect()))
    }

    /// As text: all of it, or the last rows.
    #[must_use]
    pub fn render(&self, last: Option<usize>) -> String {
        let width = (WIDTH / self.names.len().max(1)).clamp(COLUMN_MIN, COLUMN_MAX);
        let steps = self.rows.iter().map(|row| row.step.len()).max().unwrap_or(0).max(4);
        let mut out = format!("{:>steps$} | ", "step");
        for name in &self.names {
            let _ = write!(out, "{name:width$}");
        }
        let mut lines = vec![out.trim_end().to_owned()];
        let skipped = last.map_or(0, |last| self.rows.len().saturating_sub(last));
        for row in &self.rows[skipped..] {
            let indent = row.column.unwrap_or(0) * width;
            for (at, text) in row.text.split('\n').enumerate() {
                let mark = if at == 0 { row.mark } else { ' ' };
                lines.push(format!("{:>steps$} | {:indent$}{mark} {}", row.step, "", self.shown(text)).trim_end().to_owned());
            }
        }
        lines.join("\n")
    }
}

/// What the transcript shows of something heard.
#[must_use]
pub fn said(heard: &Heard) -> String {
    heard.said().map_or_else(|| "(the connection ends)".to_owned(), Clone::clone)
}

/// Whoever spoke, spoke in this order; what was heard has none.
fn key(row: &Row) -> (Option<usize>, Option<&str>) {
    (row.column, (row.mark == '<').then_some(&row.text))
}

fn connected(steps: &Items<Step>, names: &mut Vec<String>) {
    let mut add = |name: &String| {
        if !names.contains(name) {
            names.push(name.clone());
        }
    };
    for step in &steps.0 {
        match &step.value {
            Step::Connect(new) | Step::Telnet(new) => new.0.iter().for_each(|name| add(&name.value)),
            Step::ConnectAs(by) | Step::Carry(by) => by.0.iter().for_each(|(name, _)| add(&name.value)),
            Step::Dial(by) => by.0.iter().for_each(|(name, _)| add(&name.value)),
            Step::ConnectFrom(by) => by.0.iter().for_each(|(name, _)| add(&name.value)),
            _ => {}
        }
    }
    for step in &steps.0 {
        if let Step::Repeat { steps, .. } | Step::Each { steps, .. } | Step::Included { steps, .. } = &step.value {
            connected(steps, names);
        }
    }
}
