//! Completion and hints from the cards the server sent and the people it told of.

use std::borrow::Cow;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chinwag_settings::{Seconds, Setting, Value};
use chinwag_wire::split::{self, Asked, Spot};
use chinwag_wire::{ArgCard, Card, Complete, SafeText, Shape, name, suggest, time};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use unicode_width::UnicodeWidthStr;

use crate::here::Here;
use crate::interface::Live;
use crate::keys::Mode;
use crate::knowledge::{Knowledge, SharedKnowledge};
use crate::local;
use crate::private::files::{Folder, path};
use crate::prompt;
use crate::redraw::Redraw;
use crate::screen::{Look, columns, now};
use crate::secrets;
use crate::session::LinkState;
use crate::theme::{Paint, Theme};

/// How many candidates are offered: more than a screen holds helps nobody.
const CANDIDATES_MAX: usize = 300;
/// How many entries of a folder are looked at: enough for any folder people keep files to send in.
const ENTRIES_MAX: usize = 10_000;
/// The longest line that has colours while it is typed; a longer one was pasted, and is for others to read.
const PAINTED_BYTES_MAX: usize = 2000;
/// What stands between usage and help.
const HELP_GAP: &str = "  ";
/// Says everybody, after `@`.
const ALL: &str = "all";

/// What the assistant has to know of the prompt it helps at.
#[derive(Debug, Default)]
pub(crate) struct Situation {
    /// What is typed is the answer to a question of the client: nothing helps.
    pub(crate) asking: AtomicBool,
    /// The next completion is that of the key to reply with.
    pub(crate) replying: AtomicBool,
    /// How wide the prompt is.
    pub(crate) prompt_columns: AtomicUsize,
    /// Whom the prompt names as the one that words go to.
    pub(crate) addressee: Mutex<Option<String>>,
    /// When somebody last did something at the prompt.
    pub(crate) here: Here,
    /// Ctrl-C has ended the reading: what it threw away.
    pub(crate) given_up: Mutex<Option<GivenUp>>,
    /// Whether the link is there; who types while it is not waits for it.
    pub(crate) link: LinkState,
    /// What is painted, and may have to be wiped away for another prompt.
    pub(crate) redraw: Arc<Redraw>,
    /// What is painted at the moment has the prompt itself in front, and not what the editor asks.
    pub(crate) at_prompt: AtomicBool,
}

/// What Ctrl-C threw away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// What was typed.
    Line,
    /// Nothing was typed.
    Nothing,
    /// Nothing any more: it has just thrown a line away in the same reading.
    NothingMore,
}

/// What helps while somebody types: completions, hints, and a mask over secrets.
pub(crate) struct Assistant {
    knowledge: SharedKnowledge,
    live: Live,
    situation: Arc<Situation>,
}

impl Assistant {
    /// An assistant that knows what `knowledge` holds at any time.
    pub(crate) fn new(knowledge: SharedKnowledge, live: Live, situation: Arc<Situation>) -> Assistant {
        Assistant { knowledge, live, situation }
    }

    /// Whether the prompt names a room that one is not in any more, or not the one to whom words go, and can be changed now. In vi mode a
    /// new reading begins with inserting, whatever was being done: there it waits until nothing is typed.
    fn is_outdated(&self, line: &str) -> bool {
        let at_prompt = self.situation.at_prompt.load(Ordering::Relaxed) && !self.is_asking();
        at_prompt
            && (line.is_empty() || self.live.now().keys.mode == Mode::Emacs)
            && *self.situation.addressee.lock().unwrap_or_else(PoisonError::into_inner) != self.knowledge.lock().addressee()
    }

    /// Takes note of what is typed; says whether it was not so before.
    fn note(&self, line: &str, cursor: usize) -> bool {
        let mut changed = false;
        self.situation.redraw.note(|painted| {
            changed = painted.line != line || painted.cursor != cursor;
            (painted.line, painted.cursor) = (line.to_owned(), cursor);
        });
        changed
    }

    /// Somebody is at the keyboard; before a lost link they wait for it.
    fn somebody_is_here(&self) {
        self.situation.here.at(now());
        self.situation.link.hurry();
    }

    fn is_asking(&self) -> bool {
        self.situation.asking.load(Ordering::SeqCst)
    }
}

impl Helper for Assistant {}
impl Validator for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        if self.is_asking() {
            return Ok((pos, Vec::new()));
        }
        let typed = line.get(..pos).unwrap_or(line);
        if self.situation.replying.swap(false, Ordering::SeqCst) {
            let reply = reply(typed, &self.knowledge.lock().writers().collect::<Vec<_>>());
            return Ok((0, reply.map(|text| Pair { display: text.clone(), replacement: text }).into_iter().collect()));
        }
        Ok(candidates(typed, &self.knowledge.lock()))
    }
}

impl Hinter for Assistant {
    type Hint = Remark;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Remark> {
        self.situation.redraw.note(|painted| painted.hint.clear());
        // Without colours a hint looks like something typed.
        if !self.live.now().look.has_colours() || pos < line.len() || self.is_asking() {
            return None;
        }
        let remark = remark(line, &self.knowledge.lock())?;
        // Help that would go into the next row is no help.
        let columns = columns();
        let needs = self.situation.prompt_columns.load(Ordering::Relaxed) + line.width() + remark.shown.width();
        match remark.shown.split_once(HELP_GAP) {
            Some((usage, _)) if columns > 0 && needs >= columns => shown(usage.to_owned()),
            _ => Some(remark),
        }
    }
}

impl Highlighter for Assistant {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, default: bool) -> Cow<'b, str> {
        self.situation.at_prompt.store(default, Ordering::Relaxed);
        Cow::Borrowed(prompt)
    }

    fn highlight<'l>(&self, line: &'l str, pos: usize) -> Cow<'l, str> {
        // The same once more is painted because something was printed above it.
        if self.note(line, pos) {
            self.somebody_is_here();
        }
        if self.is_outdated(line) && self.situation.redraw.begin() {
            prompt::wake();
        }
        if self.is_asking() {
            return Cow::Borrowed(line);
        }
        painted(line, &self.knowledge.lock(), &self.live.now().look)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        self.situation.redraw.note(|painted| hint.clone_into(&mut painted.hint));
        let look = &self.live.now().look;
        Cow::Owned(look.painted(look.theme.hint, hint))
    }

    fn highlight_char(&self, line: &str, pos: usize, kind: CmdKind) -> bool {
        // Asked about a key, before anything is painted.
        self.somebody_is_here();
        self.note(line, pos);
        // What is typed may change the colour of what stands before it.
        let colours = self.live.now().look.has_colours() && kind != CmdKind::MoveCursor;
        colours || !secrets::hidden(line, &self.knowledge.lock()).is_empty()
    }
}

/// A hint: what is shown behind the cursor, and what the right arrow takes over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    shown: String,
    taken: Option<String>,
}

impl Hint for Remark {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        self.taken.as_deref()
    }
}

/// How what is `typed` becomes an answer to one of `writers`, who wrote last first; again, to the one before.
fn reply(typed: &str, writers: &[&str]) -> Option<String> {
    let (to, text) = typed.strip_prefix('@').and_then(|rest| rest.split_once(' ')).map_or((None, typed), |(to, text)| (Some(to), text));
    let next = to.and_then(|to| writers.iter().position(|name| *name == to)).map_or(0, |at| (at + 1) % writers.len());
    writers.get(next).map(|name| format!("@{name} {text}"))
}

/// What stands at the end of `typed`: in a room, or while one talks with somebody, what has no `/` and no `@` in front is said.
fn spot<'a>(typed: &'a str, knowledge: &'a Knowledge) -> Spot<'a> {
    match split::line_in_room(typed) {
        Asked::Say(_) if knowledge.addressee().is_some() => Spot::Text,
        _ => split::spot(typed, &knowledge.cards),
    }
}

/// Where the word at the end of `typed` begins, and what it may become.
fn candidates(typed: &str, knowledge: &Knowledge) -> (usize, Vec<Pair>) {
    let everybody = || knowledge.ranked(knowledge.members().chain(knowledge.seen()));
    let (word, words) = match spot(typed, knowledge) {
        Spot::Name(word) => (word, command_names(word, knowledge)),
        Spot::Addressee(word) => (word, people(word, [everybody(), vec![ALL]].concat())),
        Spot::Argument { card, index, typed: word } => match card.args.get(index) {
            Some(_) if index == 1 && card.name == local::SET && knowledge.is_own(local::SET) => {
                let (_, arguments) = split::word(typed);
                (word, local::setting(split::word(arguments).0).map_or_else(Vec::new, |setting| values(&setting, word)))
            }
            Some(arg) if arg.kind.complete == Complete::Nothing => mention(word, everybody()),
            Some(arg) => (word, argument(arg, word, knowledge)),
            None => (word, Vec::new()),
        },
        Spot::Text => mention(typed, everybody()),
        Spot::UnknownCommand(_) => ("", Vec::new()),
    };
    (typed.len() - word.len(), words)
}

/// What `setting` may be changed to.
fn values(setting: &Setting, word: &str) -> Vec<Pair> {
    match setting.placeholder {
        Seconds::PLACEHOLDER => durations(word),
        Folder::PLACEHOLDER => files(word, Shape::Rest),
        _ => fitting(word, setting.choices().collect(), begins),
    }
}

/// Within a text, names are completed behind an `@`.
fn mention<'a>(text: &'a str, everybody: Vec<&str>) -> (&'a str, Vec<Pair>) {
    let word = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    word.strip_prefix('@').map_or(("", Vec::new()), |word| (word, people(word, everybody)))
}

fn argument(arg: &ArgCard, word: &str, knowledge: &Knowledge) -> Vec<Pair> {
    match &arg.kind.complete {
        Complete::OnlineUsers => people(word, knowledge.ranked(knowledge.online())),
        Complete::KnownUsers => people(word, knowledge.ranked(knowledge.seen())),
        Complete::Rooms => people(word, knowledge.rooms().collect()),
        Complete::Members => people(word, knowledge.ranked(knowledge.members())),
        Complete::Commands => command_names(word, knowledge),
        Complete::Files => files(word, arg.kind.shape),
        Complete::OneOf(words) => fitting(word, words.iter().map(AsRef::as_ref).collect(), begins),
        Complete::Durations => durations(word),
        _ => Vec::new(),
    }
}

/// Names first; aliases only where no name fits, so that a list does not show everything twice.
fn command_names(word: &str, knowledge: &Knowledge) -> Vec<Pair> {
    let names = || knowledge.cards.iter().map(|card| card.name.as_ref());
    let aliases = || knowledge.cards.iter().flat_map(|card| card.aliases.iter()).map(AsRef::as_ref);
    let first = |all: &mut dyn Iterator<Item = &str>| offered(all.filter(|name| begins(name, word)));
    let found = first(&mut names());
    let found = if found.is_empty() { first(&mut aliases()) } else { found };
    if found.is_empty() && word.is_ascii() { fitting(word, names().collect(), begins) } else { found }
}

/// Those of `all` that begin with `word` as names are compared: `e` begins no `Émilie`, but `é` does however it is typed.
fn people(word: &str, all: Vec<&str>) -> Vec<Pair> {
    let mut seen = Vec::new();
    let once = all.into_iter().filter(|name| {
        let new = !seen.contains(name);
        if new && seen.len() < CANDIDATES_MAX {
            seen.push(name);
        }
        new
    });
    fitting(word, once.collect(), name::begins)
}

/// Those of `all` that begin with `word`; if there are none, those that hold it; if there are none, those that hold its letters in this
/// order.
fn fitting(word: &str, all: Vec<&str>, begins: fn(&str, &str) -> bool) -> Vec<Pair> {
    let found = offered(all.iter().copied().filter(|candidate| begins(candidate, word)));
    // One letter is in everything.
    if !found.is_empty() || word.chars().nth(1).is_none() {
        return found;
    }
    let typed = name::folded(word);
    let found = offered(all.iter().copied().filter(|candidate| name::folded(candidate).contains(&typed)));
    if !found.is_empty() {
        return found;
    }
    let in_order = |candidate: &&str| {
        let candidate = name::folded(candidate);
        let mut letters = candidate.chars();
        typed.chars().all(|wanted| letters.any(|letter| letter == wanted))
    };
    offered(all.iter().copied().filter(in_order))
}

/// Lengths of time: usual ones, or the number that is typed with its unit.
fn durations(word: &str) -> Vec<Pair> {
    let number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let with_unit: Vec<String> = ["s", "m", "h", "d"].iter().map(|unit| format!("{word}{unit}")).collect();
    let lengths = if number { with_unit.iter().map(String::as_str).collect() } else { vec!["15m", "1h", "1d", "7d"] };
    offered(lengths.into_iter().filter(|length| begins(length, word)))
}

fn offered<'a>(fitting: impl Iterator<Item = &'a str>) -> Vec<Pair> {
    fitting.take(CANDIDATES_MAX).map(|candidate| Pair { display: candidate.to_owned(), replacement: format!("{candidate} ") }).collect()
}

fn begins(candidate: &str, word: &str) -> bool {
    candidate.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Files and folders that begin with `word`; a folder gets a `/` behind it, to go on into it.
fn files(word: &str, shape: Shape) -> Vec<Pair> {
    let (folder, start) = word.rsplit_once('/').map_or(("", word), |(folder, _)| (&word[..=folder.len()], &word[folder.len() + 1..]));
    // `~/` is understood where a file is named, so it is here.
    let Ok(entries) = fs::read_dir(if folder.is_empty() { PathBuf::from(".") } else { path(folder) }) else {
        return Vec::new();
    };
    let mut found: Vec<Pair> = entries
        .take(ENTRIES_MAX)
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let hidden = name.starts_with('.') && !start.starts_with('.');
            let splits = shape == Shape::Word && name.contains(char::is_whitespace);
            if hidden || splits || !name.starts_with(start) || SafeText::new(&name).as_str() != name {
                return None;
            }
            // Through a link, too: what it points at decides whether one can go on.
            let end = if entry.path().is_dir() { "/" } else { "" };
            Some(Pair { display: format!("{name}{end}"), replacement: format!("{folder}{name}{end}") })
        })
        .collect();
    found.sort_by(|a, b| a.display.cmp(&b.display));
    found.truncate(CANDIDATES_MAX);
    found
}

/// What is left of the usage after what is typed, and what the next argument is for; or what would become of the line.
fn remark(typed: &str, knowledge: &Knowledge) -> Option<Remark> {
    match spot(typed, knowledge) {
        Spot::Name("") => None,
        Spot::Name(word) => {
            let mut fitting = knowledge.cards.iter().filter(|card| begins(&card.name, word));
            let card = match knowledge.cards.iter().find(|card| card.answers_to(word)) {
                Some(card) => return shown(format!(" {}", usages(&card.args))),
                None => match fitting.next() {
                    Some(card) => card,
                    None => return no_such(word, knowledge),
                },
            };
            // Two that fit are a question for the tabulator key.
            if fitting.next().is_some() {
                return None;
            }
            let rest = &card.name[word.len()..];
            Some(Remark { shown: format!("{rest} {}", usages(&card.args)).trim_end().to_owned(), taken: Some(format!("{rest} ")) })
        }
        Spot::Argument { card, index, typed: "" } => {
            let left = card.args.get(index..)?;
            shown(format!("{}{HELP_GAP}{}", usages(left), left.first()?.help))
        }
        Spot::Argument { card, index, .. } => shown(format!(" {}", usages(card.args.get(index + 1..)?))),
        Spot::UnknownCommand(word) => no_such(word, knowledge),
        Spot::Text => {
            let word = typed.trim();
            let is_command = knowledge.cards.iter().any(|card| card.answers_to(word));
            let command = if is_command { word } else { &secrets::slip(typed, knowledge)?.name };
            let whom = knowledge.addressed()?;
            shown(format!("{HELP_GAP}said to {whom}; the command is /{command}"))
        }
        Spot::Addressee(_) => None,
    }
}

/// Nothing will come of the line, unless it is changed.
fn no_such(word: &str, knowledge: &Knowledge) -> Option<Remark> {
    // Aliases are whole, or not meant.
    let began = |card: &Card| card.aliases.iter().any(|alias| begins(alias, word));
    if !knowledge.knows_commands() || knowledge.cards.iter().any(began) || word.is_empty() {
        return None;
    }
    let nearest = suggest::nearest(word, knowledge.cards.iter().map(|card| card.name.as_ref()));
    let what = nearest.map_or_else(|| "@NAME TEXT says something".to_owned(), |name| format!("did you mean {name}?"));
    shown(format!("{HELP_GAP}no such command; {what}"))
}

fn shown(text: String) -> Option<Remark> {
    (!text.trim().is_empty()).then_some(Remark { shown: text, taken: None })
}

fn usages(args: &[ArgCard]) -> String {
    args.iter().map(ArgCard::usage).collect::<Vec<_>>().join(" ")
}

/// The line as it is shown while it is typed: with stars for secrets, as wide as it was, and with colours.
fn painted<'l>(line: &'l str, knowledge: &Knowledge, look: &Look) -> Cow<'l, str> {
    let mut marks: Vec<(Range<usize>, Option<Paint>)> = secrets::hidden(line, knowledge).into_iter().map(|span| (span, None)).collect();
    if look.has_colours() && line.len() <= PAINTED_BYTES_MAX {
        marks.extend(coloured(line, knowledge, &look.theme).into_iter().map(|(span, paint)| (span, Some(paint))));
    }
    if marks.is_empty() {
        return Cow::Borrowed(line);
    }
    // Where two overlap, the secret goes first.
    marks.sort_by_key(|(span, paint)| (span.start, paint.is_some()));
    let mut out = String::with_capacity(line.len() + 32);
    let mut copied = 0;
    for (span, paint) in marks {
        if span.start < copied {
            continue;
        }
        out.push_str(&line[copied..span.start]);
        match paint {
            Some(paint) => out.push_str(&look.painted(paint, &line[span.clone()])),
            None => out.push_str(&"*".repeat(line[span.clone()].width())),
        }
        copied = span.end;
    }
    out.push_str(&line[copied..]);
    Cow::Owned(out)
}

/// Which bytes of the line have which colour: the command, whoever is spoken to or of, and what cannot be understood.
fn coloured(line: &str, knowledge: &Knowledge, theme: &Theme) -> Vec<(Range<usize>, Paint)> {
    let mut marks = Vec::new();
    let start = line.len() - line.trim_start().len();
    let first_end = line[start..].find(char::is_whitespace).map_or(line.len(), |end| start + end);
    let first = &line[start..first_end];
    let finished = first_end < line.len();
    if spot(line, knowledge) == Spot::Text || first.starts_with('@') {
        mentions(line, 0, knowledge, theme, &mut marks);
        return marks;
    }
    let name = first.strip_prefix('/').unwrap_or(first);
    let Some(card) = knowledge.cards.iter().find(|card| card.answers_to(name)) else {
        let may_become = !finished
            && knowledge.cards.iter().any(|card| begins(&card.name, name) || card.aliases.iter().any(|alias| begins(alias, name)));
        // A command that takes a secret is known even where it cannot be given now.
        if !may_become && !first.is_empty() && knowledge.knows_commands() {
            marks.push((start..first_end, theme.wrong));
        }
        return marks;
    };
    marks.push((start..first_end, theme.command));
    let mut at = first_end;
    for index in 0.. {
        at += line[at..].len() - line[at..].trim_start().len();
        if at >= line.len() {
            break;
        }
        let Some(arg) = card.args.get(index) else {
            marks.push((at..line.trim_end().len(), theme.wrong));
            break;
        };
        if arg.kind.shape == Shape::Rest {
            mentions(line, at, knowledge, theme, &mut marks);
            break;
        }
        let end = line[at..].find(char::is_whitespace).map_or(line.len(), |end| at + end);
        if !arg.kind.secret && !is_possible(arg, &line[at..end], end < line.len(), knowledge) {
            marks.push((at..end, theme.wrong));
        }
        at = end;
    }
    marks
}

/// Whether `word` can be meant for `arg`, or become so while it is not `finished`.
fn is_possible(arg: &ArgCard, word: &str, finished: bool, knowledge: &Knowledge) -> bool {
    let is_one = |other: &str| if finished { other.eq_ignore_ascii_case(word) } else { begins(other, word) };
    match &arg.kind.complete {
        Complete::OneOf(words) => words.iter().any(|other| is_one(other)),
        Complete::Commands => {
            let word = word.strip_prefix('/').unwrap_or(word);
            knowledge.cards.iter().any(|card| card.answers_to(word) || (!finished && begins(&card.name, word)))
        }
        Complete::Durations => time::read_duration(word).is_ok() || (!finished && word.starts_with(|c: char| c.is_ascii_digit())),
        _ => true,
    }
}

/// Names behind an `@`, from `start` on, each in the colour of whom it names, if that is somebody known.
fn mentions(line: &str, start: usize, knowledge: &Knowledge, theme: &Theme, marks: &mut Vec<(Range<usize>, Paint)>) {
    for (offset, word) in name::behind_at(&line[start..]) {
        let at = start + offset;
        let known = |name: &&str| name.eq_ignore_ascii_case(ALL) || knowledge.knows(name);
        if let Some(name) = name::readings(word).find(known) {
            marks.push((at..at + 1 + name.len(), theme.name(name)));
        }
    }
}

#[cfg(test)]
mod tests {
    use chinwag_settings::Settings;
    use chinwag_wire::Event;

    use super::*;
    use crate::config::Config;
    use crate::knowledge::for_tests;
    use crate::theme::Depth;

    fn completed(typed: &str) -> (usize, Vec<String>) {
        let (start, pairs) = candidates(typed, &for_tests());
        (start, pairs.into_iter().map(|pair| pair.replacement).collect())
    }

    #[test]
    fn people_are_found_however_they_are_typed() {
        let mut knowledge = for_tests();
        knowledge.learn(&Event::Roster {
            names: vec!["Émilie".into(), "emil".into(), "жанна".into()],
            rooms: Vec::new(),
            idle: Default::default(),
            more: false,
        });
        for (typed, start, word) in [("@é", 1, "Émilie "), ("message e\u{301}M", 8, "Émilie "), ("@ЖА", 1, "жанна "), ("@ｅｍ", 1, "emil ")]
        {
            let (at, pairs) = candidates(typed, &knowledge);
            assert_eq!((at, pairs.into_iter().map(|pair| pair.replacement).collect::<Vec<_>>()), (start, vec![word.to_owned()]), "{typed}");
        }
        assert!(candidates("ｍｅ", &knowledge).1.is_empty(), "commands are ASCII");
    }

    #[test]
    fn completions() {
        for (typed, start, words) in [
            ("me", 0, vec!["message "]),
            ("/ME", 1, vec!["message "]),
            ("te", 0, vec!["tell "]),
            ("bl", 0, vec!["block ", "blocked "]),
            ("message ", 8, vec!["Carol ", "bob ", "bobby "]),
            ("msg BO", 4, vec!["bob ", "bobby "]),
            ("message bob b", 13, vec![]),
            ("block d", 6, vec!["dave "]),
            ("@c", 1, vec!["Carol "]),
            ("@a", 1, vec!["all "]),
            ("help mes", 5, vec!["message "]),
            ("dialect ", 8, vec!["text ", "json "]),
            ("blocked x", 8, vec![]),
            ("frob x", 6, vec![]),
            ("//b", 3, vec![]),
            ("@obb", 1, vec!["bobby "]),
            ("message crl", 8, vec!["Carol "]),
            ("message bob hi @ca", 16, vec!["Carol "]),
            ("sage", 0, vec!["message "]),
        ] {
            assert_eq!(completed(typed), (start, words.into_iter().map(str::to_owned).collect()), "{typed:?}");
        }
        assert_eq!(completed("").1.len(), 8, "an empty line offers every command");
    }

    #[test]
    fn the_reply_key_goes_through_those_who_wrote() {
        for (typed, writers, replied) in [
            ("", &[][..], None),
            ("", &["bob", "carol"], Some("@bob ")),
            ("@bob ", &["bob", "carol"], Some("@carol ")),
            ("@carol see you", &["bob", "carol"], Some("@bob see you")),
            ("see you", &["bob"], Some("@bob see you")),
            ("@somebody else", &["bob"], Some("@bob else")),
        ] {
            assert_eq!(reply(typed, writers).as_deref(), replied, "{typed:?}");
        }
    }

    #[test]
    fn files_complete_into_folders() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["notes.txt", "not this.txt", ".hidden", "other", "\u{1b}[2J"] {
            fs::write(folder.path().join(name), "").expect("writes");
        }
        fs::create_dir(folder.path().join("notebooks")).expect("makes");
        let path = folder.path().display();
        let names = |word: &str, shape| files(&format!("{path}/{word}"), shape).into_iter().map(|pair| pair.display).collect::<Vec<_>>();
        assert_eq!(names("not", Shape::Rest), ["not this.txt", "notebooks/", "notes.txt"]);
        assert_eq!(names("not", Shape::Word), ["notebooks/", "notes.txt"]);
        assert_eq!(names("", Shape::Word), ["notebooks/", "notes.txt", "other"]);
        assert_eq!(names(".h", Shape::Word), [".hidden"]);
        assert_eq!(files(&format!("{path}/note"), Shape::Word)[0].replacement, format!("{path}/notebooks/"));
        assert!(files("/no/such/folder/x", Shape::Word).is_empty());
    }

    #[test]
    fn hints_say_what_is_left() {
        let hint = |typed: &str| remark(typed, &for_tests());
        for (typed, left) in [
            ("mess", Some("age <to> <text...>")),
            ("message", Some(" <to> <text...>")),
            ("msg", Some(" <to> <text...>")),
            ("message ", Some("<to> <text...>  x")),
            ("message b", Some(" <text...>")),
            ("message bob ", Some("<text...>  x")),
            ("message bob hi", None),
            ("@bob ", Some("<text...>  x")),
            ("help ", Some("[command]  x")),
            ("b", None),
            ("blocked", None),
            ("blocked x", None),
            ("", None),
            ("frob ", Some("  no such command; @NAME TEXT says something")),
            ("mesage bob", Some("  no such command; did you mean message?")),
        ] {
            assert_eq!(hint(typed).map(|remark| remark.shown).as_deref(), left, "{typed:?}");
        }
        assert_eq!(hint("mess").and_then(|remark| remark.taken).as_deref(), Some("age "));
        assert_eq!(hint("message ").and_then(|remark| remark.taken), None, "usage is not text");
    }

    #[test]
    fn secrets_are_masked_at_their_width() {
        for (line, shown) in
            [("message bob hi", "message bob hi"), ("passwd old 漢字 ", "passwd *** **** "), ("login alice hunter2", "login alice *******")]
        {
            assert_eq!(painted(line, &for_tests(), &Look::default()), shown);
        }
    }

    #[test]
    fn whom_one_spoke_with_last_comes_first() {
        let mut knowledge = for_tests();
        for name in ["bob", "bobby"] {
            let to = chinwag_wire::Addressee::User(name.into());
            let at = chinwag_wire::Millis(0);
            knowledge.learn(&Event::Sent { seq: 1, at, to, kept: false, missed: false, again: false });
        }
        let words: Vec<String> = candidates("message ", &knowledge).1.into_iter().map(|pair| pair.display).collect();
        assert_eq!(words, ["bobby", "bob", "Carol"]);
    }

    #[test]
    fn in_a_room_words_are_said_and_its_people_complete() {
        let mut knowledge = for_tests();
        let others = vec!["Zed".into()];
        knowledge.learn(&Event::Entered {
            room: "den".into(),
            nick: "me".into(),
            topic: None,
            others,
            more: false,
            created: false,
            heard_only: false,
        });
        let words = |typed: &str| candidates(typed, &knowledge).1.into_iter().map(|pair| pair.display).collect::<Vec<_>>();
        assert!(words("me").is_empty());
        assert_eq!(words("/me"), ["message"]);
        assert_eq!(words("hello @z"), ["Zed"]);
        assert_eq!(
            remark("blocked", &knowledge).map(|remark| remark.shown).as_deref(),
            Some("  said to all in den; the command is /blocked")
        );
        assert_eq!(remark("frob", &knowledge), None);
        let news = |what, whom: &str| {
            let (room, whom, at) = ("den".into(), Some(whom.into()), chinwag_wire::Millis(0));
            Event::Room(chinwag_wire::event::RoomNews { room, what, whom, by: None, text: None, until: None, at })
        };
        knowledge.learn(&news(chinwag_wire::event::RoomDeed::Kicked, "zed"));
        assert_eq!(knowledge.room(), Some("den"));
        knowledge.learn(&news(chinwag_wire::event::RoomDeed::Kicked, "Me"));
        assert_eq!(knowledge.room(), None);
        assert_eq!(knowledge.rooms().collect::<Vec<_>>(), ["den"]);
    }

    #[test]
    fn a_setting_is_offered_its_own_values() {
        let mut knowledge = for_tests();
        knowledge.obey(local::cards());
        let words = |typed: &str| candidates(typed, &knowledge).1.into_iter().map(|pair| pair.display).collect::<Vec<_>>();
        assert_eq!(words("/set att"), ["attention"]);
        assert_eq!(words("/set attention "), ["Nothing", "Bell", "Notification"]);
        assert_eq!(words("set Times se"), ["Seconds"]);
        assert!(words("/set page ").is_empty() && words("/set frob ").is_empty());
        assert_eq!(words("/set ping-after "), ["15m", "1h", "1d", "7d"]);
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("from others")).expect("makes");
        assert_eq!(words(&format!("/set downloads {}/fr", folder.path().display())), ["from others/"]);
    }

    #[test]
    fn every_setting_completes_and_so_does_every_word_it_can_have() {
        let mut knowledge = for_tests();
        knowledge.obey(local::cards());
        let completed = |typed: &str| {
            let (_, pairs) = candidates(typed, &knowledge);
            pairs.into_iter().map(|pair| pair.replacement.trim_end().to_owned()).collect::<Vec<_>>()
        };
        for setting in Config::reference() {
            let key = setting.key;
            assert!(completed("/set ").contains(&key.to_owned()) && completed(&format!("/set {key}")).contains(&key.to_owned()), "{key}");
            let choices: Vec<String> = setting.choices().map(str::to_owned).collect();
            for choice in &choices {
                assert_eq!(completed(&format!("/set {key} {}", choice.to_lowercase())), [choice.as_str()], "{key}");
            }
            if !choices.is_empty() {
                assert_eq!(completed(&format!("/set {key} ")), choices, "{key}");
            }
        }
    }

    #[test]
    fn lengths_of_time_complete_with_their_units() {
        let words = |word: &str| durations(word).into_iter().map(|pair| pair.display).collect::<Vec<_>>();
        assert_eq!(words(""), ["15m", "1h", "1d", "7d"]);
        assert_eq!(words("90"), ["90s", "90m", "90h", "90d"]);
        assert!(words("x").is_empty());
    }

    #[test]
    fn what_is_typed_shows_whether_it_is_understood() {
        let (knowledge, theme) = (for_tests(), Theme::default());
        let marked = |line: &str| {
            let kind = |paint: Paint| match paint {
                paint if paint == theme.command => "command",
                paint if paint == theme.wrong => "wrong",
                _ => "name",
            };
            coloured(line, &knowledge, &theme)
                .into_iter()
                .map(|(span, paint)| format!("{} {}", kind(paint), &line[span]))
                .collect::<Vec<_>>()
        };
        for (line, marks) in [
            ("", vec![]),
            ("mess", vec![]),
            ("message bob hi @bob and @nobody, x@bob.", vec!["command message", "name @bob"]),
            ("/MSG bob", vec!["command /MSG"]),
            ("hello", vec!["wrong hello"]),
            ("mess bob", vec!["wrong mess"]),
            ("dialect te", vec!["command dialect"]),
            ("dialect x", vec!["command dialect", "wrong x"]),
            ("dialect te ", vec!["command dialect", "wrong te"]),
            ("help frob", vec!["command help", "wrong frob"]),
            ("blocked by whom", vec!["command blocked", "wrong by whom"]),
            ("@bob: hi @all", vec!["name @bob", "name @all"]),
        ] {
            assert_eq!(marked(line), marks, "{line:?}");
        }
        let look = Look::new(Depth::Sixteen, theme.clone());
        assert_eq!(painted("passwd old new", &knowledge, &look), "\u{1b}[1mpasswd\u{1b}[0m *** ***");
    }

    #[test]
    fn nothing_typed_makes_it_stumble() {
        let knowledge = for_tests();
        for typed in ["@", "/", "  ", "message\t", "žž žž", "@žofie: x", "passwd \u{301}", "message \u{1f469}\u{200d}\u{1f4bb}"] {
            let (start, _) = candidates(typed, &knowledge);
            assert!(typed.is_char_boundary(start), "{typed:?}");
            let look = Look::new(Depth::Sixteen, Theme::default());
            let _ = (remark(typed, &knowledge), painted(typed, &knowledge, &look));
        }
    }
}
