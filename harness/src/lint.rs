//! What is not wrong with a scenario, and not right either. No server is needed to see it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::diagnostic::Mistake;
use crate::scenario::{self, Items, Scenario, Spanned, Step};
use crate::source::{Source, Span};
use crate::{format, holes, pattern, snapshot, suite};

/// A password shorter than this is part of many words.
const PASSWORD_MIN: usize = 5;

/// Everything about one scenario.
#[must_use]
pub fn one(source: &Source, scenario: &Scenario) -> Vec<Mistake> {
    let mut walk = Walk { source, used: BTreeSet::new(), said: String::new(), looks: false, found: Vec::new() };
    walk.steps(&scenario.steps);
    walk.let_is_used(&scenario.steps);
    if !walk.looks {
        walk.warn(0..1, "nothing is expected: whatever the server does, this passes").help = Some("`See` what it shows".to_owned());
    }
    for (user, role) in &scenario.cast.0 {
        let about = [walk.said.as_str(), &scenario.about].concat();
        if !walk.used.contains(&user.value) && !about.contains(&user.value) {
            walk.warn(user.span.clone(), format!("`{}` is in the cast and in no step", user.value));
        }
        let password = &role.value.password;
        if password.len() >= PASSWORD_MIN {
            walk.password_is_seen(&scenario.steps, password);
        }
    }
    if scenario.tags.is_empty() {
        walk.warn(0..1, "the scenario has no tags").help = Some("give one, to choose it by: `tags: [\"dm\"]`".to_owned());
    }
    if format::format(source.main()) != source.main() {
        walk.warn(0..1, "this is not how scenarios are written").help = Some("chinwag-harness fmt".to_owned());
    }
    walk.found.sort_by_key(|mistake| mistake.span.start);
    walk.found
}

/// What only shows when all scenarios of some folders are looked at together: as text, one for each.
///
/// # Errors
/// When a folder cannot be read.
pub fn all(folders: &[PathBuf], scenarios: &[(PathBuf, Source, Scenario)]) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut abouts: BTreeMap<String, &str> = BTreeMap::new();
    for (path, source, scenario) in scenarios {
        if let Some(other) = abouts.insert(scenario.about.to_lowercase(), &source.name) {
            found.push(format!("warning: {} and {other} are about the same: {}", source.name, scenario.about));
        }
        if scenario.skip.is_none() && !snapshot::path_of(path).exists() {
            found.push(format!("warning: {} has no snapshot yet: chinwag-harness bless {}", source.name, source.name));
        }
    }
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for orphan in suite::orphans(folder)? {
            found.push(format!("warning: {} is the snapshot of no scenario", crate::source::shown(&orphan)));
        }
        for steps in suite::find_steps(folder)? {
            let included = |source: &Source| source.parts().any(|part| same(part.path, &steps));
            if !scenarios.iter().any(|(_, source, _)| included(source)) {
                found.push(format!("warning: {} is included by no scenario", crate::source::shown(&steps)));
            }
        }
    }
    Ok(found)
}

fn same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

struct Walk<'a> {
    source: &'a Source,
    /// Names of users that a step names, and of holes.
    used: BTreeSet<String>,
    /// Everything anybody says.
    said: String,
    /// There is an expectation.
    looks: bool,
    found: Vec<Mistake>,
}

impl Walk<'_> {
    fn warn(&mut self, span: Span, title: impl Into<String>) -> &mut Mistake {
        self.found.push(Mistake::new(span, title));
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    fn steps(&mut self, steps: &Items<Step>) {
        for step in &steps.0 {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Spanned<Step>) {
        self.used.extend(users(&step.value).into_iter().map(str::to_owned));
        for text in texts(&step.value) {
            self.used.extend(holes::names(text).map(str::to_owned));
            self.said.push_str(text);
            self.said.push('\n');
        }
        let races = matches!(step.value, Step::Unsynced(_) | Step::Until { .. });
        if races && !self.is_explained(&step.span) {
            let mistake = self.warn(step.span.clone(), "this depends on real time, and nobody says why");
            mistake.help = Some("say in a comment above it what no barrier can see".to_owned());
        }
        self.looks |= matches!(
            step.value,
            Step::See(_)
                | Step::Hush(_)
                | Step::File { .. }
                | Step::Log { .. }
                | Step::Metric { .. }
                | Step::Digest
                | Step::Until { .. }
                | Step::Storm { .. }
        );
        if let Some(steps) = inner(&step.value) {
            self.steps(steps);
        }
    }

    /// Whether there is a comment on the line, or above it or above the steps that follow each other without a blank line.
    fn is_explained(&self, span: &Span) -> bool {
        let part = self.source.part(span.start);
        let (before, rest) = part.text.split_at(span.start - part.start);
        let line = rest.lines().next().unwrap_or_default();
        let above = before.lines().rev().skip(1).take_while(|line| !line.trim().is_empty());
        line.contains("//") || above.into_iter().any(|line| line.trim_start().starts_with("//"))
    }

    fn let_is_used(&mut self, steps: &Items<Step>) {
        for step in &steps.0 {
            if let Step::Let(by) = &step.value {
                for (name, _) in by.0.iter().filter(|(name, _)| !self.used.contains(&name.value)).collect::<Vec<_>>() {
                    self.warn(name.span.clone(), format!("`{}` is remembered and never used", name.value));
                }
            }
            if let Some(steps) = inner(&step.value) {
                self.let_is_used(steps);
            }
        }
    }

    fn password_is_seen(&mut self, steps: &Items<Step>, password: &str) {
        for step in &steps.0 {
            if let Step::See(by) = &step.value {
                for pat in by.0.iter().flat_map(|(_, pats)| &pats.value.0) {
                    if pattern::texts(&pat.value).iter().any(|text| text.contains(password)) {
                        self.warn(pat.span.clone(), "a password is expected to be seen");
                    }
                }
            }
            if let Some(steps) = inner(&step.value) {
                self.password_is_seen(steps, password);
            }
        }
    }
}

/// The steps that a step holds.
fn inner(step: &Step) -> Option<&Items<Step>> {
    match step {
        Step::All(steps) | Step::Unsynced(steps) | Step::Check(steps) => Some(steps),
        Step::Repeat { steps, .. } | Step::Each { steps, .. } | Step::Included { steps, .. } => Some(steps),
        _ => None,
    }
}

/// The users that a step names.
fn users(step: &Step) -> Vec<&str> {
    fn keys<T>(by: &scenario::By<T>) -> Vec<&str> {
        by.0.iter().map(|(name, _)| name.value.as_str()).collect()
    }
    match step {
        Step::Send(by) => keys(by),
        Step::SendKeyed(by) => keys(by),
        Step::Raw(by) => keys(by),
        Step::See(by) => keys(by),
        Step::Net(by) => keys(by),
        Step::ConnectFrom(by) => keys(by),
        Step::Dial(by) => keys(by),
        Step::Carry(by) => keys(by),
        Step::ConnectAs(by) => keys(by).into_iter().chain(by.0.iter().map(|(_, account)| account.value.as_str())).collect(),
        Step::Let(by) => by.0.iter().map(|(_, capture)| capture.value.from.value.as_str()).collect(),
        Step::Connect(names) | Step::Telnet(names) | Step::Hush(names) | Step::Drop(names) | Step::HalfOpen(names) => {
            names.0.iter().map(|name| name.value.as_str()).collect()
        }
        Step::Storm { users, .. } => users.0.iter().map(|name| name.value.as_str()).collect(),
        Step::Pause(names) | Step::Resume(names) | Step::Partition(names) => names.0.iter().map(|name| name.value.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// The texts of a step, in which there may be holes.
fn texts(step: &Step) -> Vec<&str> {
    fn all(texts: &Option<scenario::OneOrMany<String>>) -> impl Iterator<Item = &str> {
        texts.iter().flat_map(|texts| &texts.0).map(|text| text.value.as_str())
    }
    match step {
        Step::Send(by) => by.0.iter().flat_map(|(_, lines)| &lines.value.0).map(|line| line.value.as_str()).collect(),
        Step::SendKeyed(by) => {
            by.0.iter()
                .flat_map(|(_, lines)| &lines.value.0)
                .flat_map(|line| [line.value.key.value.as_str(), &line.value.line.value])
                .collect()
        }
        Step::See(by) => by.0.iter().flat_map(|(_, pats)| &pats.value.0).flat_map(|pat| pattern::texts(&pat.value)).collect(),
        Step::Let(by) => {
            let parts = by.0.iter().flat_map(|(_, capture)| [&capture.value.re, &capture.value.after]);
            parts.flatten().map(|text| text.value.as_str()).collect()
        }
        Step::Carry(by) => by.0.iter().map(|(_, ticket)| ticket.value.as_str()).collect(),
        Step::Each { of, .. } => of.0.iter().map(|text| text.value.as_str()).collect(),
        Step::Included { vars, .. } => vars.0.iter().map(|(_, text)| text.value.as_str()).collect(),
        Step::File { has, lacks, .. } | Step::Log { has, lacks, .. } => all(has).chain(all(lacks)).collect(),
        Step::Until { log: Some(text), .. } | Step::Fault(text) => vec![&text.value],
        _ => Vec::new(),
    }
}
