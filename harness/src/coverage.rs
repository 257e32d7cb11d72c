//! What the scenarios provoke of what a server can do: commands, refusals, kinds of arguments. Read from the files and from
//! their snapshots; nothing is played.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use chinwag_wire::refusal::code;
use chinwag_wire::split::{self, Asked};
use chinwag_wire::{Card, Shape};

use crate::scenario::{Items, Op, Pat, Scenario, Spanned, Step};

/// Who provokes something: the names of scenarios.
type By = BTreeSet<String>;

/// What is provoked.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// By the name of the command: who sends it.
    pub commands: BTreeMap<String, By>,
    /// By the name of the command: the codes that it was refused with, as far as a transcript tells.
    pub refused: BTreeMap<String, BTreeSet<String>>,
    /// By code: who provokes or expects it.
    pub codes: BTreeMap<String, By>,
    /// By what a kind of argument is called: the commands that take it.
    pub kinds: BTreeMap<String, BTreeSet<String>>,
    /// By what a kind of argument is called: who gives one.
    pub given: BTreeMap<String, By>,
}

impl Coverage {
    /// Nothing is provoked of what these cards, and the codes of all refusals, promise.
    #[must_use]
    pub fn new(cards: &[Card]) -> Coverage {
        let mut coverage = Coverage::default();
        for card in cards {
            coverage.commands.entry(card.name.to_string()).or_default();
            coverage.refused.entry(card.name.to_string()).or_default();
            for arg in &card.args {
                coverage.kinds.entry(arg.kind.label.to_string()).or_default().insert(card.name.to_string());
                coverage.given.entry(arg.kind.label.to_string()).or_default();
            }
        }
        for (code, _) in code::ALL {
            coverage.codes.entry((*code).to_string()).or_default();
        }
        coverage
    }

    /// Adds a scenario, with its snapshot if it has one.
    pub fn add(&mut self, name: &str, scenario: &Scenario, snapshot: Option<&str>, cards: &[Card]) {
        let mut lines = Vec::new();
        // The cast is registered, and logged in, without a step that says so.
        for (_, role) in &scenario.cast.0 {
            let how = if role.value.account.is_some() { "login" } else { "register" };
            self.commands.get_mut(how).map(|by| by.insert(name.to_owned()));
        }
        self.steps(name, &scenario.steps, &mut lines);
        for line in &lines {
            self.line(name, line, cards);
        }
        if let Some(snapshot) = snapshot {
            self.snapshot(name, snapshot, cards);
        }
    }

    fn steps(&mut self, name: &str, steps: &Items<Step>, lines: &mut Vec<String>) {
        for step in &steps.0 {
            match &step.value {
                Step::Send(by) => lines.extend(by.0.iter().flat_map(|(_, said)| said.value.0.iter().map(|line| line.value.clone()))),
                Step::SendKeyed(by) => {
                    lines.extend(by.0.iter().flat_map(|(_, said)| said.value.0.iter().map(|keyed| keyed.value.line.value.clone())));
                }
                Step::Raw(by) => {
                    let said = by.0.iter().flat_map(|(_, chunks)| chunks.value.0.iter());
                    lines.extend(
                        said.flat_map(|chunk| String::from_utf8_lossy(&chunk.value.0).lines().map(str::to_owned).collect::<Vec<_>>()),
                    );
                }
                Step::ConnectAs(_) => lines.push("login a b".to_owned()),
                Step::See(by) => by.0.iter().flat_map(|(_, pats)| &pats.value.0).for_each(|pat| self.pat(name, pat)),
                Step::All(steps)
                | Step::Unsynced(steps)
                | Step::Check(steps)
                | Step::Repeat { steps, .. }
                | Step::Each { steps, .. }
                | Step::Included { steps, .. } => self.steps(name, steps, lines),
                _ => {}
            }
        }
    }

    fn pat(&mut self, name: &str, pat: &Spanned<Pat>) {
        match &pat.value {
            Pat::Op(Op::Err(code)) => self.code(name, code),
            Pat::Op(Op::Not(inner) | Op::AtLeast(_, inner)) => self.pat(name, inner),
            Pat::Op(Op::OneOf(pats) | Op::AnyOrder(pats)) => pats.0.iter().for_each(|pat| self.pat(name, pat)),
            Pat::Text(text) => {
                if let Some(code) = code_in(text) {
                    self.code(name, code);
                }
            }
            Pat::Op(_) => {}
        }
    }

    fn code(&mut self, name: &str, code: &str) {
        self.codes.entry(code.to_owned()).or_default().insert(name.to_owned());
    }

    fn line(&mut self, name: &str, line: &str, cards: &[Card]) {
        let Some((card, rest)) = asked(line, cards) else { return };
        self.commands.entry(card.name.to_string()).or_default().insert(name.to_owned());
        let mut rest = rest.as_ref();
        for arg in &card.args {
            let (word, after) = match arg.kind.shape {
                Shape::Rest => (rest.trim(), ""),
                Shape::Word => split::word(rest),
            };
            if word.is_empty() {
                return;
            }
            self.given.entry(arg.kind.label.to_string()).or_default().insert(name.to_owned());
            rest = after;
        }
    }

    /// In a transcript what is refused stands in the column of who said it, in the same step.
    fn snapshot(&mut self, name: &str, snapshot: &str, cards: &[Card]) {
        let mut said: Vec<(String, usize, String)> = Vec::new();
        for row in snapshot.lines() {
            let Some((step, rest)) = row.split_once(" | ") else { continue };
            let column = rest.len() - rest.trim_start().len();
            let text = rest.trim_start();
            if let Some(line) = text.strip_prefix("> ") {
                if let Some((card, _)) = asked(line, cards) {
                    said.push((step.trim().to_owned(), column, card.name.to_string()));
                }
            } else if let Some(code) = text.strip_prefix("< ").and_then(code_in) {
                self.code(name, code);
                let mut here = said.iter().filter(|(at, place, _)| at == step.trim() && *place == column);
                // Of several lines in one step nobody knows which was refused.
                if let (Some((.., command)), None) = (here.next(), here.next()) {
                    self.refused.entry(command.clone()).or_default().insert(code.to_owned());
                }
            }
        }
    }

    /// What nothing provokes: commands, codes, kinds of arguments.
    #[must_use]
    pub fn gaps(&self) -> [Vec<&str>; 3] {
        [missing_of(&self.commands), missing_of(&self.codes), missing_of(&self.given)]
    }

    /// Tables for people, and what is missing at the end.
    #[must_use]
    pub fn report(&self) -> String {
        let mut out = String::from("| command | scenarios | refused with |\n|---|---|---|\n");
        for (command, by) in &self.commands {
            let codes = self.refused.get(command).into_iter().flatten().map(|code| format!("`{code}`")).collect::<Vec<_>>();
            let _ = writeln!(out, "| `{command}` | {} | {} |", by.len(), codes.join(", "));
        }
        out.push_str("\n| refusal | scenarios |\n|---|---|\n");
        for (code, by) in &self.codes {
            let _ = writeln!(out, "| `{code}` | {} |", by.len());
        }
        out.push_str("\n| argument | taken by | scenarios that give one |\n|---|---|---|\n");
        for (kind, commands) in &self.kinds {
            let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
            let _ = writeln!(out, "| {kind} | {} | {} |", commands.join(", "), self.given.get(kind).map_or(0, BTreeSet::len));
        }
        out.push('\n');
        for (what, gaps) in
            ["commands that no scenario sends", "refusals that none provokes", "arguments that none gives"].iter().zip(self.gaps())
        {
            let _ = writeln!(out, "{what}: {}", if gaps.is_empty() { "none".to_owned() } else { gaps.join(", ") });
        }
        out
    }
}

fn missing_of(map: &BTreeMap<String, By>) -> Vec<&str> {
    map.iter().filter(|(_, by)| by.is_empty()).map(|(name, _)| name.as_str()).collect()
}

/// The command that a line means, and what follows its name.
fn asked<'l, 'c>(line: &'l str, cards: &'c [Card]) -> Option<(&'c Card, Cow<'l, str>)> {
    match split::line(line) {
        Asked::Command { name, rest } => Some((cards.iter().find(|card| card.answers_to(name))?, rest)),
        _ => None,
    }
}

/// The code of a refusal, in either place where one can stand.
fn code_in(text: &str) -> Option<&str> {
    let text = text.strip_prefix("* disconnected: ").unwrap_or(text);
    text.strip_prefix("error[")?.split_once(']').map(|(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;
    use crate::{scenario, snapshot, suite};

    fn stock() -> Vec<Card> {
        chinwag_commands::stock().cards()
    }

    #[test]
    fn every_stock_command_has_a_scenario() {
        let cards = stock();
        let mut coverage = Coverage::new(&cards);
        for path in suite::find(&snapshot::root().join("scenarios"), "ron").unwrap() {
            let (source, scenario) = suite::load(&path).unwrap();
            let transcript = std::fs::read_to_string(snapshot::path_of(&path)).ok();
            coverage.add(&source.name, &scenario, transcript.as_deref(), &cards);
        }
        let [commands, ..] = coverage.gaps();
        assert_eq!(commands, [""; 0], "commands without a scenario: `chinwag-harness new NAME` begins some");
    }

    #[test]
    fn what_is_said_expected_and_seen_counts() {
        let cards = stock();
        let mut coverage = Coverage::new(&cards);
        let text = "Scenario(about: \"x\", cast: (alice: \"a\"), steps: [Send(alice: \"@bob hi\"), See(alice: OneOf([Err(\"blocked\"), \"sent\"])),\
                    Repeat(times: 2, var: \"i\", steps: [Send(alice: \"HISTORY 5\"), See(alice: Any)])])";
        let mut source = Source::new("x.ron", text);
        let scenario = scenario::load(&mut source).unwrap();
        coverage.add(
            "x.ron",
            &scenario,
            Some("   1 | > message bob hi\n   1 | < error[no-such-user]: x\n   2 |      < error[usage]: y\n"),
            &cards,
        );
        let provoked = |map: &BTreeMap<String, By>, name: &str| map[name].contains("x.ron");
        for command in ["register", "message", "history"] {
            assert!(provoked(&coverage.commands, command), "{command}");
        }
        for code in ["blocked", "no-such-user", "usage"] {
            assert!(provoked(&coverage.codes, code), "{code}");
        }
        assert!(coverage.refused["message"].contains("no-such-user") && coverage.refused["message"].len() == 1);
        let [commands, codes, _] = coverage.gaps();
        assert!(commands.contains(&"broadcast") && codes.contains(&"busy"));
        assert!(coverage.report().contains("| `message` | 1 | `no-such-user` |"));
    }
}
