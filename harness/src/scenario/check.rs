//! What can be known to be wrong with a scenario before it runs: it is walked through as if it were played.

use std::collections::BTreeMap;

use chinwag_wire::refusal::code;
use chinwag_wire::{name, suggest};

use super::{By, Capture, Items, Keyed, Name, OneOrMany, Op, Pat, Scenario, Spanned, Step};
use crate::diagnostic::Mistake;
use crate::holes;
use crate::source::Span;

/// Arguments that the harness gives itself.
const OWN_ARGS: &[&str] = &["--test", "--host", "--port", "--data", "--seed", "--epoch"];

/// How many times a `Repeat` may repeat, so that a slip of the finger does not run for hours.
const REPEAT_MAX: u32 = 100_000;

/// Everything wrong with `scenario`.
pub(super) fn check(scenario: &Scenario) -> Vec<Mistake> {
    let mut walk = Walk::default();
    if scenario.about.trim().is_empty() {
        walk.wrong(Mistake::new(0..1, "`about` says nothing").help("say in a sentence what the scenario shows"));
    }
    for arg in &scenario.server.args.0 {
        let flag = arg.value.split('=').next().unwrap_or_default();
        if OWN_ARGS.contains(&flag) {
            walk.wrong(Mistake::new(arg.span.clone(), format!("the harness sets `{flag}` itself")));
        }
    }
    for (user, role) in &scenario.cast.0 {
        if let Err(refusal) = name::check(&user.value) {
            walk.wrong(Mistake::new(user.span.clone(), refusal.text).help(refusal.hint.unwrap_or_default()));
        }
        let state = if role.value.text { State::Text } else { State::Json };
        walk.users.insert(user.value.clone(), state);
        walk.accounts.push(user.value.clone());
    }
    if scenario.steps.0.is_empty() {
        walk.wrong(Mistake::new(0..1, "nothing happens: `steps` is empty"));
    }
    walk.steps(&scenario.steps);
    walk.mistakes
}

/// What is known of a connection at some step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Json,
    Text,
    /// It was dropped, or its server is gone: there is nothing to send to, but what it received can be looked at.
    Gone,
}

#[derive(Default)]
struct Walk {
    users: BTreeMap<String, State>,
    accounts: Vec<String>,
    paused: Vec<String>,
    holes: Vec<String>,
    stopped: bool,
    mistakes: Vec<Mistake>,
}

impl Walk {
    fn wrong(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    fn steps(&mut self, steps: &Items<Step>) {
        for step in &steps.0 {
            self.step(&step.value, &step.span);
        }
    }

    fn step(&mut self, step: &Step, span: &Span) {
        let needs_server = !matches!(
            step,
            Step::See(_) | Step::Hush(_) | Step::Let(_) | Step::Start | Step::File { .. } | Step::Check(_) | Step::Repeat { .. }
        );
        if self.stopped && needs_server {
            self.wrong(Mistake::new(span.clone(), "the server is not running here").help("`Start` it first"));
            return;
        }
        match step {
            Step::Connect(names) => names.0.iter().for_each(|name| self.connect(name, State::Json)),
            Step::Telnet(names) => names.0.iter().for_each(|name| self.connect(name, State::Text)),
            Step::ConnectAs(by) => self.connect_as(by),
            Step::Send(by) => by.0.iter().for_each(|(user, lines)| self.send(user, &lines.value)),
            Step::SendKeyed(by) => by.0.iter().for_each(|(user, lines)| self.send_keyed(user, &lines.value)),
            Step::Raw(by) => {
                for (user, _) in &by.0 {
                    self.connected(user);
                }
            }
            Step::See(by) => by.0.iter().for_each(|(user, pats)| self.see(user, pats)),
            Step::Hush(names) => {
                for name in &names.0 {
                    self.looked_at(name);
                }
            }
            Step::Let(by) => by.0.iter().for_each(|(hole, capture)| self.capture(hole, &capture.value, &capture.span)),
            Step::Advance(_) | Step::Quiesce | Step::Digest => {}
            Step::Crash | Step::Stop => {
                self.stopped = true;
                self.users.values_mut().for_each(|state| *state = State::Gone);
                self.paused.clear();
            }
            Step::Start if !self.stopped => {
                self.wrong(Mistake::new(span.clone(), "the server is running already").help("`Crash` or `Stop` it first"));
            }
            Step::Start => self.stopped = false,
            Step::Drop(names) => names.0.iter().for_each(|name| self.drop_connection(name)),
            Step::Pause(names) => names.0.iter().for_each(|name| self.pause(name)),
            Step::Resume(names) => names.0.iter().for_each(|name| self.resume(name)),
            Step::All(steps) => {
                for step in &steps.0 {
                    if !matches!(step.value, Step::Send(_) | Step::SendKeyed(_) | Step::Raw(_)) {
                        self.wrong(Mistake::new(step.span.clone(), "`All` takes `Send`, `SendKeyed` and `Raw` only"));
                    }
                }
                self.steps(steps);
            }
            Step::Check(steps) => {
                for step in &steps.0 {
                    if !matches!(step.value, Step::See(_) | Step::Hush(_) | Step::File { .. } | Step::Digest) {
                        self.wrong(Mistake::new(step.span.clone(), "`Check` takes `See`, `Hush`, `File` and `Digest` only"));
                    }
                }
                self.steps(steps);
            }
            Step::Repeat { times, var, steps } => self.repeat(*times, var, steps, span),
            Step::File { path, has, lacks } => {
                self.file(path);
                for text in has.iter().chain(lacks).flat_map(|texts| &texts.0) {
                    self.text(&text.value, &text.span);
                }
            }
        }
    }

    /// The state of a connection that can be sent to.
    fn connected(&mut self, user: &Name) -> Option<State> {
        match self.looked_at(user)? {
            State::Gone => {
                self.wrong(Mistake::new(user.span.clone(), format!("`{}` is not connected here", user.value)).help("`Connect` it again"));
                None
            }
            state => Some(state),
        }
    }

    /// The state of a connection that there is or was.
    fn looked_at(&mut self, user: &Name) -> Option<State> {
        let state = self.users.get(&user.value).copied();
        if state.is_none() {
            let mistake = Mistake::new(user.span.clone(), format!("there is no user `{}` here", user.value));
            let names: Vec<String> = self.users.keys().cloned().collect();
            let mistake = mistake.meant(&user.value, names.iter().map(String::as_str));
            self.wrong(if mistake.help.is_none() { mistake.help("put it in the cast, or `Connect` it") } else { mistake });
        }
        state
    }

    fn connect(&mut self, user: &Name, state: State) {
        if self.users.get(&user.value).is_some_and(|state| *state != State::Gone) {
            self.wrong(
                Mistake::new(user.span.clone(), format!("`{}` is connected already", user.value))
                    .help("`Drop` it first, or use another name"),
            );
        }
        self.users.insert(user.value.clone(), state);
    }

    fn connect_as(&mut self, by: &By<String>) {
        for (user, account) in &by.0 {
            self.connect(user, State::Json);
            if !self.accounts.contains(&account.value) {
                let mistake = Mistake::new(account.span.clone(), format!("`{}` is not in the cast", account.value));
                let mistake = mistake.meant(&account.value, self.accounts.iter().map(String::as_str));
                self.wrong(mistake);
            }
        }
    }

    fn send(&mut self, user: &Name, lines: &OneOrMany<String>) {
        self.connected(user);
        for line in &lines.0 {
            self.text(&line.value, &line.span);
        }
    }

    fn send_keyed(&mut self, user: &Name, lines: &OneOrMany<Keyed>) {
        if self.connected(user) == Some(State::Text) {
            self.wrong(Mistake::new(user.span.clone(), "the text dialect has no keys").help("`Connect` it instead of `Telnet`"));
        }
        for Keyed { key, line } in lines.0.iter().map(|keyed| &keyed.value) {
            self.text(&key.value, &key.span);
            self.text(&line.value, &line.span);
        }
    }

    fn see(&mut self, user: &Name, pats: &Spanned<OneOrMany<Pat>>) {
        let state = self.looked_at(user);
        if self.paused.contains(&user.value) {
            self.wrong(Mistake::new(user.span.clone(), format!("`{}` is paused and sees nothing", user.value)).help("`Resume` it first"));
        }
        for pat in &pats.value.0 {
            if matches!(pat.value, Pat::Op(Op::Nothing)) && pats.value.0.len() > 1 {
                self.wrong(Mistake::new(pat.span.clone(), "`Nothing` stands alone"));
            }
            self.pat(pat, state, false);
            if matches!(pat.value, Pat::Op(Op::Closed)) {
                self.users.insert(user.value.clone(), State::Gone);
            }
        }
    }

    fn pat(&mut self, pat: &Spanned<Pat>, state: Option<State>, inner: bool) {
        let op = match &pat.value {
            Pat::Text(text) => return self.text(text, &pat.span),
            Pat::Op(op) => op,
        };
        if inner && matches!(op, Op::Nothing | Op::Closed | Op::AnyOrder(_) | Op::AtLeast(..)) {
            self.wrong(Mistake::new(
                pat.span.clone(),
                "this is about more than one thing received, and cannot stand inside another expectation",
            ));
        }
        match op {
            Op::Any | Op::Nothing | Op::Closed => {}
            Op::Has(text) | Op::Starts(text) | Op::Ends(text) | Op::Like(text) => self.text(text, &pat.span),
            Op::Not(inner) | Op::AtLeast(_, inner) => self.pat(inner, state, true),
            Op::OneOf(pats) | Op::AnyOrder(pats) => pats.0.iter().for_each(|pat| self.pat(pat, state, true)),
            Op::Err(wanted) => self.code(wanted, &pat.span),
            Op::Event(fields) => {
                if state == Some(State::Text) {
                    self.wrong(Mistake::new(pat.span.clone(), "the text dialect has lines, not events"));
                }
                for (_, value) in &fields.0 {
                    if let serde_json::Value::String(text) = &value.value {
                        self.text(text, &value.span);
                    }
                }
            }
        }
    }

    /// A code that is nearly a stock code is a slip; any other may belong to a command that is not stock.
    fn code(&mut self, wanted: &str, span: &Span) {
        let known = || code::ALL.iter().map(|(code, _)| *code);
        if !known().any(|code| code == wanted)
            && let Some(near) = suggest::nearest(wanted, known())
        {
            self.wrong(Mistake::new(span.clone(), format!("no refusal has the code `{wanted}`")).help(format!("did you mean `{near}`?")));
        }
    }

    fn capture(&mut self, hole: &Name, capture: &Capture, span: &Span) {
        let state = self.looked_at(&capture.from);
        match (&capture.field, &capture.after) {
            (None, None) => {
                self.wrong(Mistake::new(span.clone(), "nothing says what to take").help("give `field`, or `after` and `until`"))
            }
            (Some(_), Some(_)) => self.wrong(Mistake::new(span.clone(), "`field` and `after` exclude each other")),
            (Some(field), None) if state == Some(State::Text) => {
                self.wrong(Mistake::new(field.span.clone(), "the text dialect has no fields").help("use `after` and `until`"));
            }
            _ => {}
        }
        if !self.holes.contains(&hole.value) {
            self.holes.push(hole.value.clone());
        }
    }

    fn drop_connection(&mut self, user: &Name) {
        if self.connected(user).is_some() {
            self.users.insert(user.value.clone(), State::Gone);
            self.paused.retain(|name| *name != user.value);
        }
    }

    fn pause(&mut self, user: &Name) {
        if self.connected(user).is_some() {
            if self.paused.contains(&user.value) {
                self.wrong(Mistake::new(user.span.clone(), format!("`{}` is paused already", user.value)));
            }
            self.paused.push(user.value.clone());
        }
    }

    fn resume(&mut self, user: &Name) {
        if self.looked_at(user).is_some() && !self.paused.contains(&user.value) {
            self.wrong(Mistake::new(user.span.clone(), format!("`{}` is not paused here", user.value)));
        }
        self.paused.retain(|name| *name != user.value);
    }

    fn repeat(&mut self, times: u32, var: &Name, steps: &Items<Step>, span: &Span) {
        if times == 0 || times > REPEAT_MAX {
            self.wrong(Mistake::new(span.clone(), format!("`times` is from 1 to {REPEAT_MAX}")));
        }
        if self.holes.contains(&var.value) {
            self.wrong(Mistake::new(var.span.clone(), format!("`{}` has a meaning already", var.value)));
        }
        self.holes.push(var.value.clone());
        self.steps(steps);
        self.holes.retain(|hole| *hole != var.value);
    }

    fn file(&mut self, path: &Name) {
        let outside = |part: std::path::Component<'_>| !matches!(part, std::path::Component::Normal(_));
        if path.value.is_empty() || std::path::Path::new(&path.value).components().any(outside) {
            self.wrong(Mistake::new(path.span.clone(), "the path must stay inside the data directory"));
        }
    }

    fn text(&mut self, text: &str, span: &Span) {
        for hole in holes::names(text) {
            if !self.holes.iter().any(|known| known == hole) {
                let mistake = Mistake::new(span.clone(), format!("nothing has been remembered as `{hole}`"));
                let mistake = mistake.meant(hole, self.holes.iter().map(String::as_str));
                self.wrong(if mistake.help.is_none() { mistake.help("`Let` it first, or write `{{` for a brace") } else { mistake });
            }
        }
    }
}
