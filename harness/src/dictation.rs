//! Steps that are given one by one, and what everybody sees of each: how scenarios are typed, and how they are recorded.
//!
//! What is seen is never taken from hearsay: the steps are played, each with a barrier behind it, and what the players see
//! is written down.

use std::fmt::Write;

use crate::diagnostic;
use crate::play::{self, End, Options};
use crate::report;
use crate::ron_text::quoted;
use crate::scaffold::expectation;
use crate::scenario::{self, Scenario, Step};
use crate::server::Launch;
use crate::source::Source;

/// Fits whatever comes, but for the end of a connection, which does not stop a scenario that is played through.
const WHATEVER: &str = "AtLeast(0, Any)";
/// How much real time a long session may take: many times what it takes.
const TIMEOUT: &str = "60s";

/// One step that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// As it is written.
    pub text: String,
    /// Who saw what of it, as expectations; `None` until it has been played.
    pub seen: Option<Vec<(String, Vec<String>)>>,
}

/// A scenario that grows.
#[derive(Clone, Debug, Default)]
pub struct Dictation {
    /// What it shows.
    pub about: String,
    /// More arguments for the server.
    pub args: Vec<String>,
    /// What has been given.
    pub steps: Vec<Given>,
}

/// Why a step cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is not a step, or not here.
    Mistaken(String),
    /// It was played, and something was not as it says.
    Failed(String),
    /// The server did not come up.
    NotStarted(String),
}

impl Dictation {
    /// With one more step.
    pub fn push(&mut self, text: impl Into<String>) {
        self.steps.push(Given { text: text.into(), seen: None });
    }

    /// Plays it all and fills in what everybody sees of the steps that have not been played.
    ///
    /// # Errors
    /// When it cannot be read or played. Nothing is filled in then.
    pub fn fill(&mut self, launch: &Launch) -> Result<(), Trouble> {
        let opened = self.opened()?;
        let text = self.render(|at, given| match (&given.seen, &opened[at]) {
            (Some(seen), _) => see(seen),
            (None, None) => None,
            (None, Some(names)) if names.is_empty() => None,
            (None, Some(names)) => {
                Some(format!("See({})", names.iter().map(|name| format!("{name}: {WHATEVER}")).collect::<Vec<_>>().join(", ")))
            }
        });
        let (source, scenario, places) = load(&text.0, &text.1)?;
        let played = play::play_through(&scenario, &Options { launch: launch.clone(), seed: None, keep_data: false });
        match &played.end {
            End::Passed => {}
            End::NotStarted(why) | End::Skipped(why) => return Err(Trouble::NotStarted(why.clone())),
            End::Failed(_) => return Err(Trouble::Failed(report::failure(&source, &scenario, &played))),
        }
        let names = played.transcript.names();
        for (given, place) in self.steps.iter_mut().zip(places) {
            if given.seen.is_some() {
                continue;
            }
            let mut seen: Vec<(String, Vec<String>)> = names.iter().map(|name| (name.clone(), Vec::new())).collect();
            for row in played.transcript.rows.iter().filter(|row| row.mark == '<' && row.step.split('.').next() == Some(place.as_str())) {
                if let Some(column) = row.column {
                    seen[column].1.push(expectation(&row.text));
                }
            }
            seen.retain(|(_, lines)| !lines.is_empty());
            given.seen = Some(seen);
        }
        Ok(())
    }

    /// Leaves out the drops of connections that the server had ended before: in a live session nobody can tell which of the two
    /// was first.
    pub fn forget_late_drops(&mut self) {
        let mut gone: Vec<String> = Vec::new();
        self.steps.retain(|given| {
            if gone.contains(&given.text) {
                return false;
            }
            let seen = given.seen.iter().flatten().filter(|(_, lines)| lines.iter().any(|line| line == "Closed"));
            gone.extend(seen.map(|(name, _)| format!("Drop({})", quoted(name))));
            true
        });
    }

    /// The scenario as it stands.
    #[must_use]
    pub fn text(&self) -> String {
        self.render(|_, given| given.seen.as_ref().and_then(|seen| see(seen))).0
    }

    /// Plays what stands there, as often as asked, and says what is not the same.
    ///
    /// # Errors
    /// When it fails, or everybody does not see the same each time.
    pub fn verify(&self, launch: &Launch, times: usize) -> Result<(), Trouble> {
        let (source, scenario, _) = load(&self.text(), &[])?;
        let mut first: Option<String> = None;
        for _ in 0..times {
            let played = play::play(&scenario, &Options { launch: launch.clone(), seed: None, keep_data: false });
            if played.end != End::Passed {
                return Err(Trouble::Failed(report::failure(&source, &scenario, &played)));
            }
            let transcript = played.transcript.render(None);
            if *first.get_or_insert_with(|| transcript.clone()) != transcript {
                return Err(Trouble::Failed("it is not the same every time it is played".to_owned()));
            }
        }
        Ok(())
    }

    /// Who is, or was, connected when each step is over; `None` for steps that only look.
    fn opened(&self) -> Result<Vec<Option<Vec<String>>>, Trouble> {
        let (text, starts) = self.render(|_, given| given.seen.as_ref().and_then(|seen| see(seen)));
        let (_, scenario, places) = load(&text, &starts)?;
        let mut known: Vec<String> = Vec::new();
        let mut all = Vec::new();
        for (given, place) in self.steps.iter().zip(places) {
            let step = place.parse::<usize>().ok().and_then(|place| scenario.steps.0.get(place - 1));
            let Some(step) = step else { return Err(Trouble::Mistaken(format!("`{}` is not one step", given.text))) };
            let new: Vec<String> = match &step.value {
                Step::Connect(names) | Step::Telnet(names) => names.0.iter().map(|name| name.value.clone()).collect(),
                Step::ConnectAs(by) => by.0.iter().map(|(name, _)| name.value.clone()).collect(),
                Step::ConnectFrom(by) => by.0.iter().map(|(name, _)| name.value.clone()).collect(),
                _ => Vec::new(),
            };
            for name in new {
                if !known.contains(&name) {
                    known.push(name);
                }
            }
            let looks = matches!(
                step.value,
                Step::See(_)
                    | Step::Hush(_)
                    | Step::Check(_)
                    | Step::Let(_)
                    | Step::File { .. }
                    | Step::Log { .. }
                    | Step::Metric { .. }
                    | Step::Digest
                    | Step::Pause(_)
            );
            all.push((!looks).then(|| known.clone()));
        }
        Ok(all)
    }

    /// The text, and the number of each given step among all.
    fn render(&self, see: impl Fn(usize, &Given) -> Option<String>) -> (String, Vec<String>) {
        let mut steps = String::new();
        let (mut places, mut count) = (Vec::new(), 0);
        for (at, given) in self.steps.iter().enumerate() {
            count += 1;
            places.push(count.to_string());
            let _ = writeln!(steps, "        {},", given.text);
            if let Some(see) = see(at, given) {
                count += 1;
                let _ = writeln!(steps, "        {see},");
            }
        }
        let mut text = format!("Scenario(\n    about: {},\n    timeout: \"{TIMEOUT}\",\n", quoted(&self.about));
        if !self.args.is_empty() {
            let args: Vec<String> = self.args.iter().map(|arg| quoted(arg)).collect();
            let _ = writeln!(text, "    server: (args: [{}]),", args.join(", "));
        }
        // What is random is not the same in a snapshot of another seed.
        if steps.contains("Like(") {
            text.push_str("    redact: [(r\"[0-9A-Za-z]{16,}\", \"RANDOM\")],\n");
        }
        let _ = write!(text, "    steps: [\n{steps}    ],\n)\n");
        (text, places)
    }
}

fn see(seen: &[(String, Vec<String>)]) -> Option<String> {
    let one = |lines: &[String]| if let [line] = lines { line.clone() } else { format!("[{}]", lines.join(", ")) };
    let all: Vec<String> = seen.iter().map(|(name, lines)| format!("{name}: {}", one(lines))).collect();
    (!all.is_empty()).then(|| format!("See({})", all.join(", ")))
}

fn load(text: &str, places: &[String]) -> Result<(Source, Scenario, Vec<String>), Trouble> {
    let mut source = Source::new("what was given", text);
    match scenario::load(&mut source) {
        Ok(scenario) => Ok((source, scenario, places.to_vec())),
        Err(mistakes) => Err(Trouble::Mistaken(diagnostic::render_all(&source, &mistakes))),
    }
}
