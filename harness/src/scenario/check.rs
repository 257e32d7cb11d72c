//! What can be known to be wrong with a scenario before it runs: it is walked through as if it were played.

use std::collections::BTreeMap;
use std::time::Duration;

use chinwag_wire::refusal::code;
use chinwag_wire::{name, suggest};

use super::{By, Capture, Items, Keyed, Length, Name, OneOrMany, Op, Pat, Role, Scenario, Spanned, Step, Weather};
use crate::diagnostic::Mistake;
use crate::holes;
use crate::source::Span;

/// Arguments that the harness gives itself.
const OWN_ARGS: &[&str] = &["--test", "--host", "--port", "--data", "--seed", "--epoch"];

/// How many times a `Repeat` may repeat, so that a slip of the finger does not run for hours.
const REPEAT_MAX: u32 = 100_000;

/// How late a connection may be made at most, in real time: more belongs to virtual time.
const DELAY_MAX: Duration = Duration::from_millis(250);

/// How many lines a `Storm` may have: looking through it takes the square of them.
const STORM_MAX: u32 = 20_000;

/// How long an `Until` may wait at most, in real time.
const WITHIN_MAX: Duration = Duration::from_secs(10);

/// The levels of the server's log.
pub(super) const LEVELS: &[&str] = &["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

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
        walk.role(user, role);
    }
    for redaction in &scenario.redact.0 {
        if let Err(why) = regex_lite::Regex::new(&redaction.value.0) {
            walk.wrong(Mistake::new(redaction.span.clone(), format!("not a regular expression: {why}")));
        }
    }
    if scenario.steps.0.is_empty() {
        walk.wrong(Mistake::new(0..1, "nothing happens: `steps` is empty"));
    }
    walk.steps(&scenario.steps);
    // Whoever connects later can be left out as well.
    for user in &scenario.omit.0 {
        if !walk.users.contains_key(&user.value) {
            let mistake = Mistake::new(user.span.clone(), format!("there is no `{}` here", user.value));
            let names: Vec<String> = walk.users.keys().cloned().collect();
            walk.wrong(mistake.meant(&user.value, names.iter().map(String::as_str)));
        }
    }
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
    cut: Vec<String>,
    holes: Vec<String>,
    stopped: bool,
    mistakes: Vec<Mistake>,
}

impl Walk {
    fn wrong(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    fn role(&mut self, user: &Name, role: &Spanned<Role>) {
        let Role { password, text, account, from, wire } = &role.value;
        match account {
            _ if wire.is_some() => {
                if account.is_some() || from.is_some() || *text || !password.is_empty() {
                    self.wrong(Mistake::new(role.span.clone(), "on a wire one is a guest, and nothing else can be said of it"));
                }
            }
            Some(account) if !self.accounts.contains(account) => {
                let mistake = Mistake::new(role.span.clone(), format!("`{account}` does not stand above in the cast"));
                let accounts = self.accounts.clone();
                self.wrong(mistake.meant(account, accounts.iter().map(String::as_str)));
            }
            Some(_) if !password.is_empty() => self.wrong(Mistake::new(role.span.clone(), "another device has no password of its own")),
            None if password.is_empty() => self.wrong(Mistake::new(role.span.clone(), "an account needs a password")),
            Some(_) => {}
            None => self.accounts.push(user.value.clone()),
        }
        if from.is_some_and(|from| !from.is_loopback()) {
            self.wrong(Mistake::new(role.span.clone(), "the address must be one of this machine").help("such as 127.0.0.2"));
        }
        self.users.insert(user.value.clone(), if *text || wire.is_some() { State::Text } else { State::Json });
    }

    fn steps(&mut self, steps: &Items<Step>) {
        for step in &steps.0 {
            self.step(&step.value, &step.span);
        }
    }

    fn step(&mut self, step: &Step, span: &Span) {
        let needs_server = !matches!(
            step,
            Step::See(_)
                | Step::Hush(_)
                | Step::Let(_)
                | Step::Start
                | Step::Wipe
                | Step::File { .. }
                | Step::Log { .. }
                | Step::Check(_)
                | Step::Repeat { .. }
                | Step::Each { .. }
                | Step::Included { .. }
        );
        if self.stopped && needs_server {
            self.wrong(Mistake::new(span.clone(), "the server is not running here").help("`Start` it first"));
            return;
        }
        match step {
            Step::Connect(names) => names.0.iter().for_each(|name| self.connect(name, State::Json)),
            Step::Telnet(names) => names.0.iter().for_each(|name| self.connect(name, State::Text)),
            Step::ConnectAs(by) => self.connect_as(by),
            Step::Dial(by) => by.0.iter().for_each(|(name, _)| self.connect(name, State::Text)),
            Step::Carry(by) => {
                for (name, ticket) in &by.0 {
                    self.connect(name, State::Text);
                    self.text(&ticket.value, &ticket.span);
                }
            }
            Step::ConnectFrom(by) => {
                for (user, from) in &by.0 {
                    self.connect(user, State::Json);
                    if !from.value.is_loopback() {
                        let mistake = Mistake::new(from.span.clone(), "the address must be one of this machine");
                        self.wrong(mistake.help("such as 127.0.0.2"));
                    }
                }
            }
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
                self.cut.clear();
            }
            Step::Wipe if !self.stopped => {
                self.wrong(Mistake::new(span.clone(), "the server is running").help("`Crash` or `Stop` it first"));
            }
            Step::Wipe => {}
            Step::Start if !self.stopped => {
                self.wrong(Mistake::new(span.clone(), "the server is running already").help("`Crash` or `Stop` it first"));
            }
            Step::Start => self.stopped = false,
            Step::Drop(names) | Step::HalfOpen(names) => names.0.iter().for_each(|name| self.drop_connection(name)),
            Step::Partition(names) => names.0.iter().for_each(|name| self.partition(name)),
            Step::Heal if self.cut.is_empty() => {
                self.wrong(Mistake::new(span.clone(), "nothing is cut off here").help("`Partition` it first"))
            }
            Step::Heal => self.cut.clear(),
            Step::Net(by) => by.0.iter().for_each(|(user, weather)| self.net(user, weather)),
            Step::Pause(names) => names.0.iter().for_each(|name| self.pause(name)),
            Step::Resume(names) => names.0.iter().for_each(|name| self.resume(name)),
            Step::All(steps) | Step::Unsynced(steps) => {
                let name = if matches!(step, Step::All(_)) { "All" } else { "Unsynced" };
                for step in &steps.0 {
                    if !matches!(step.value, Step::Send(_) | Step::SendKeyed(_) | Step::Raw(_)) {
                        let title = format!("`{name}` takes `Send`, `SendKeyed` and `Raw` only");
                        self.wrong(Mistake::new(step.span.clone(), title));
                    }
                }
                self.steps(steps);
            }
            Step::Check(steps) => {
                for step in &steps.0 {
                    let looks = matches!(
                        step.value,
                        Step::See(_) | Step::Hush(_) | Step::File { .. } | Step::Log { .. } | Step::Metric { .. } | Step::Digest
                    );
                    if !looks {
                        let title = "`Check` takes `See`, `Hush`, `File`, `Log`, `Metric` and `Digest` only";
                        self.wrong(Mistake::new(step.span.clone(), title));
                    }
                }
                self.steps(steps);
            }
            Step::Repeat { times, var, steps } => {
                if *times == 0 || *times > REPEAT_MAX {
                    self.wrong(Mistake::new(span.clone(), format!("`times` is from 1 to {REPEAT_MAX}")));
                }
                self.looped(&[var], steps);
            }
            Step::Each { var, of, steps } => {
                for text in &of.0 {
                    self.text(&text.value, &text.span);
                }
                if of.0.is_empty() {
                    self.wrong(Mistake::new(span.clone(), "`of` is empty: nothing happens"));
                }
                self.looped(&[var], steps);
            }
            Step::Included { vars, steps } => {
                for (_, text) in &vars.0 {
                    self.text(&text.value, &text.span);
                }
                let names: Vec<&Name> = vars.0.iter().map(|(name, _)| name).collect();
                self.looped(&names, steps);
            }
            // Replaced before this is looked at, or recorded as a mistake.
            Step::Include(_) | Step::With { .. } => {}
            Step::File { path, has, lacks, mode } => {
                self.file(path);
                self.texts([has, lacks]);
                if has.is_none() && lacks.is_none() && mode.is_none() {
                    self.wrong(Mistake::new(span.clone(), "nothing is asked of the file").help("give `has`, `lacks` or `mode`"));
                }
            }
            Step::Log { level, has, lacks } => {
                self.level(level.as_ref());
                self.texts([has, lacks]);
                if has.is_none() && lacks.is_none() {
                    self.wrong(Mistake::new(span.clone(), "nothing is asked of the log").help("give `has` or `lacks`"));
                }
            }
            Step::Metric { is, at_least, at_most, .. } => self.bounds(*is, *at_least, *at_most, span),
            Step::Until { within, metric, at_least, at_most, log } => match (metric, log) {
                (Some(_), None) => {
                    self.bounds(None, *at_least, *at_most, span);
                    self.real_time(within, span);
                }
                (None, Some(log)) => {
                    self.text(&log.value, &log.span);
                    self.real_time(within, span);
                }
                _ => self.wrong(Mistake::new(span.clone(), "it waits for one thing").help("give either `metric` or `log`")),
            },
            Step::Fault(name) => self.text(&name.value, &name.span),
            Step::Storm { users, lines, blocks } => self.storm(users, *lines, *blocks, span),
        }
    }

    fn storm(&mut self, users: &Items<String>, lines: u32, blocks: u32, span: &Span) {
        for (at, user) in users.0.iter().enumerate() {
            if self.connected(user) == Some(State::Text) {
                self.wrong(Mistake::new(user.span.clone(), "the text dialect does not say what is answered"));
            }
            if !self.accounts.contains(&user.value) {
                self.wrong(Mistake::new(user.span.clone(), format!("`{}` has no account of its own", user.value)));
            }
            if users.0[..at].iter().any(|other| other.value == user.value) {
                self.wrong(Mistake::new(user.span.clone(), format!("`{}` is named twice", user.value)));
            }
        }
        if users.0.len() < 2 || lines == 0 || lines > STORM_MAX || blocks > lines {
            let title = format!("a storm has two users or more, and 1 to {STORM_MAX} lines, not all of them blocks");
            self.wrong(Mistake::new(span.clone(), title));
        }
    }

    fn texts(&mut self, lists: [&Option<OneOrMany<String>>; 2]) {
        for text in lists.into_iter().flatten().flat_map(|texts| &texts.0) {
            self.text(&text.value, &text.span);
        }
    }

    fn level(&mut self, level: Option<&Name>) {
        if let Some(level) = level
            && !LEVELS.contains(&level.value.as_str())
        {
            let mistake = Mistake::new(level.span.clone(), format!("the log has no level `{}`", level.value));
            self.wrong(mistake.meant(&level.value, LEVELS.iter().copied()));
        }
    }

    fn bounds(&mut self, is: Option<u64>, at_least: Option<u64>, at_most: Option<u64>, span: &Span) {
        if is.is_none() && at_least.is_none() && at_most.is_none() {
            self.wrong(Mistake::new(span.clone(), "nothing is asked of the number").help("give `is`, `at_least` or `at_most`"));
        }
        if let (Some(least), Some(most)) = (at_least, at_most)
            && least > most
        {
            self.wrong(Mistake::new(span.clone(), "no number is as large as `at_least` and as small as `at_most`"));
        }
    }

    fn real_time(&mut self, within: &Length, span: &Span) {
        if within.length > WITHIN_MAX {
            self.wrong(Mistake::new(span.clone(), format!("`within` is real time: at most {WITHIN_MAX:?}")));
        }
    }

    fn partition(&mut self, user: &Name) {
        if self.connected(user).is_some() {
            if self.cut.contains(&user.value) {
                self.wrong(Mistake::new(user.span.clone(), format!("`{}` is cut off already", user.value)));
            }
            self.cut.push(user.value.clone());
        }
    }

    fn net(&mut self, user: &Name, weather: &Spanned<Weather>) {
        self.connected(user);
        let Weather { delay, jitter, rate, split } = &weather.value;
        for length in [delay, jitter].into_iter().flatten() {
            if length.length > DELAY_MAX {
                self.wrong(
                    Mistake::new(weather.span.clone(), format!("`{}` is real time: at most {DELAY_MAX:?}", length.written))
                        .help("virtual time passes with `Advance`"),
                );
            }
        }
        for (name, span) in [("rate", rate.as_ref().filter(|rate| rate.value == 0).map(|rate| &rate.span))]
            .into_iter()
            .chain([("split", split.as_ref().filter(|split| split.value == 0).map(|split| &split.span))])
        {
            if let Some(span) = span {
                self.wrong(Mistake::new(span.clone(), format!("with a `{name}` of 0 nothing gets through")).help("`Partition` does that"));
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
        let seen_nothing = matches!(pats.value.0.as_slice(), [Spanned { value: Pat::Op(Op::Nothing), .. }]);
        if self.cut.contains(&user.value) && !seen_nothing {
            self.wrong(Mistake::new(user.span.clone(), format!("`{}` is cut off and sees nothing", user.value)).help("`Heal` first"));
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
            Op::Re(expression) => {
                self.text(expression, &pat.span);
                self.regex(expression, &pat.span);
            }
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
        match (&capture.field, &capture.after, &capture.re) {
            (None, None, None) => {
                self.wrong(Mistake::new(span.clone(), "nothing says what to take").help("give `field`, `re`, or `after` and `until`"));
            }
            (None, None, Some(expression)) => {
                self.text(&expression.value, &expression.span);
                if let Some(expression_read) = self.regex(&expression.value, &expression.span)
                    && !expression_read.capture_names().flatten().any(|group| group == hole.value)
                    && expression_read.captures_len() != 2
                {
                    let title = format!("no group of the expression is called `{}`", hole.value);
                    self.wrong(Mistake::new(expression.span.clone(), title).help(format!("write it as (?P<{}>…)", hole.value)));
                }
            }
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                self.wrong(Mistake::new(span.clone(), "`field`, `after` and `re` exclude each other"));
            }
            (Some(field), None, None) if state == Some(State::Text) => {
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
            self.cut.retain(|name| *name != user.value);
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

    /// Steps in which some holes have a meaning that they have nowhere else.
    fn looped(&mut self, vars: &[&Name], steps: &Items<Step>) {
        for var in vars {
            if self.holes.contains(&var.value) {
                self.wrong(Mistake::new(var.span.clone(), format!("`{}` has a meaning already", var.value)));
            }
            self.holes.push(var.value.clone());
        }
        self.steps(steps);
        self.holes.retain(|hole| vars.iter().all(|var| var.value != *hole));
    }

    /// The expression as it is when its holes are filled, if it is one.
    fn regex(&mut self, expression: &str, span: &Span) -> Option<regex_lite::Regex> {
        let filling = self.holes.iter().map(|hole| (hole.clone(), "x".to_owned())).collect();
        match regex_lite::Regex::new(&holes::fill(expression, &filling)) {
            Ok(read) => Some(read),
            Err(why) => {
                self.wrong(Mistake::new(span.clone(), format!("not a regular expression: {why}")));
                None
            }
        }
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
