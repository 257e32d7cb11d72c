//! Completion and hints from the cards the server sent and the people it told of.

use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chinwag_wire::split::{self, Spot};
use chinwag_wire::{ArgCard, Complete, SafeText, Shape, name};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use unicode_width::UnicodeWidthStr;

use crate::knowledge::{Knowledge, SharedKnowledge};
use crate::screen::Look;
use crate::secrets;

/// How many candidates are offered: more than a screen holds helps nobody.
const CANDIDATES_MAX: usize = 300;
/// How many entries of a folder are looked at: enough for any folder people keep files to send in.
const ENTRIES_MAX: usize = 10_000;
/// Says everybody, after `@`.
const ALL: &str = "all";

/// What helps while somebody types: completions, hints, and a mask over secrets.
pub(crate) struct Assistant {
    knowledge: SharedKnowledge,
    look: Look,
    /// What is typed is the answer to a question of the client: nothing helps.
    asking: Arc<AtomicBool>,
    /// The next completion is that of the key to reply with.
    replying: Arc<AtomicBool>,
}

impl Assistant {
    /// An assistant that knows what `knowledge` holds at any time.
    pub(crate) fn new(knowledge: SharedKnowledge, look: Look, asking: Arc<AtomicBool>, replying: Arc<AtomicBool>) -> Assistant {
        Assistant { knowledge, look, asking, replying }
    }

    fn is_asking(&self) -> bool {
        self.asking.load(Ordering::SeqCst)
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
        if self.replying.swap(false, Ordering::SeqCst) {
            let reply = reply(typed, &self.knowledge.lock().writers().collect::<Vec<_>>());
            return Ok((0, reply.map(|text| Pair { display: text.clone(), replacement: text }).into_iter().collect()));
        }
        Ok(candidates(typed, &self.knowledge.lock()))
    }
}

impl Hinter for Assistant {
    type Hint = Remark;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Remark> {
        // Without colours a hint looks like something typed.
        if !self.look.has_colours() || pos < line.len() || self.is_asking() {
            return None;
        }
        remark(line, &self.knowledge.lock())
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        masked(line, &self.knowledge.lock())
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(self.look.painted(self.look.theme.hint, hint))
    }

    fn highlight_char(&self, line: &str, _: usize, _: CmdKind) -> bool {
        !secrets::spans(line, self.knowledge.lock().guarded()).is_empty()
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

/// Where the word at the end of `typed` begins, and what it may become.
fn candidates(typed: &str, knowledge: &Knowledge) -> (usize, Vec<Pair>) {
    let (word, words) = match split::spot(typed, &knowledge.cards) {
        Spot::Name(word) => (word, command_names(word, knowledge)),
        Spot::Addressee(word) => (word, people(word, knowledge.ranked(knowledge.seen().chain([ALL])).into_iter())),
        Spot::Argument { card, index, typed: word } => match card.args.get(index) {
            Some(arg) => (word, argument(arg, word, knowledge)),
            None => (word, Vec::new()),
        },
        Spot::UnknownCommand(_) | Spot::Text => ("", Vec::new()),
    };
    (typed.len() - word.len(), words)
}

fn argument(arg: &ArgCard, word: &str, knowledge: &Knowledge) -> Vec<Pair> {
    match &arg.kind.complete {
        Complete::OnlineUsers => people(word, knowledge.ranked(knowledge.online()).into_iter()),
        Complete::KnownUsers => people(word, knowledge.ranked(knowledge.seen()).into_iter()),
        Complete::Commands => command_names(word, knowledge),
        Complete::Files => files(word, arg.kind.shape),
        Complete::OneOf(words) => matching(word, words.iter().map(AsRef::as_ref)),
        _ => Vec::new(),
    }
}

/// Names first; aliases only where no name fits, so that a list does not show everything twice.
fn command_names(word: &str, knowledge: &Knowledge) -> Vec<Pair> {
    let names = matching(word, knowledge.cards.iter().map(|card| card.name.as_ref()));
    if names.is_empty() { matching(word, knowledge.cards.iter().flat_map(|card| card.aliases.iter()).map(AsRef::as_ref)) } else { names }
}

/// Those of `all` that begin with `word`, in upper or lower case, each with a space behind it.
fn matching<'a>(word: &str, all: impl Iterator<Item = &'a str>) -> Vec<Pair> {
    offered(all.filter(|candidate| begins(candidate, word)))
}

/// Those of `all` that begin with `word` as names are compared: `e` begins no `Émilie`, but `é` does however it is typed.
fn people<'a>(word: &str, all: impl Iterator<Item = &'a str>) -> Vec<Pair> {
    offered(all.filter(|candidate| name::begins(candidate, word)))
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
    let Ok(entries) = fs::read_dir(if folder.is_empty() { Path::new(".") } else { Path::new(folder) }) else {
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

/// What is left of the usage, after what is typed.
fn remark(typed: &str, knowledge: &Knowledge) -> Option<Remark> {
    match split::spot(typed, &knowledge.cards) {
        Spot::Name("") => None,
        Spot::Name(word) => {
            let mut fitting = knowledge.cards.iter().filter(|card| begins(&card.name, word));
            let card = match knowledge.cards.iter().find(|card| card.answers_to(word)) {
                Some(card) => return shown(format!(" {}", usages(&card.args))),
                None => fitting.next()?,
            };
            // Two that fit are a question for the tabulator key.
            if fitting.next().is_some() {
                return None;
            }
            let rest = &card.name[word.len()..];
            Some(Remark { shown: format!("{rest} {}", usages(&card.args)).trim_end().to_owned(), taken: Some(format!("{rest} ")) })
        }
        Spot::Argument { card, index, typed: "" } => shown(usages(card.args.get(index..)?)),
        Spot::Argument { card, index, .. } => shown(format!(" {}", usages(card.args.get(index + 1..)?))),
        Spot::Addressee(_) | Spot::UnknownCommand(_) | Spot::Text => None,
    }
}

fn shown(text: String) -> Option<Remark> {
    (!text.trim().is_empty()).then_some(Remark { shown: text, taken: None })
}

fn usages(args: &[ArgCard]) -> String {
    args.iter().map(ArgCard::usage).collect::<Vec<_>>().join(" ")
}

/// The line with stars for secrets, as wide as it was.
fn masked<'l>(line: &'l str, knowledge: &Knowledge) -> Cow<'l, str> {
    let spans = secrets::spans(line, knowledge.guarded());
    if spans.is_empty() {
        return Cow::Borrowed(line);
    }
    let mut masked = String::with_capacity(line.len());
    let mut copied = 0;
    for span in spans {
        masked.push_str(&line[copied..span.start]);
        masked.push_str(&"*".repeat(line[span.clone()].width()));
        copied = span.end;
    }
    masked.push_str(&line[copied..]);
    Cow::Owned(masked)
}

#[cfg(test)]
mod tests {
    use chinwag_wire::Event;

    use super::*;
    use crate::knowledge::for_tests;

    fn completed(typed: &str) -> (usize, Vec<String>) {
        let (start, pairs) = candidates(typed, &for_tests());
        (start, pairs.into_iter().map(|pair| pair.replacement).collect())
    }

    #[test]
    fn people_are_found_however_they_are_typed() {
        let mut knowledge = for_tests();
        knowledge.learn(&Event::Roster { names: vec!["Émilie".into(), "emil".into(), "жанна".into()], more: false });
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
            ("message bob b", 12, vec![]),
            ("block d", 6, vec!["dave "]),
            ("@c", 1, vec!["Carol "]),
            ("@a", 1, vec!["all "]),
            ("help mes", 5, vec!["message "]),
            ("dialect ", 8, vec!["text ", "json "]),
            ("blocked x", 8, vec![]),
            ("frob x", 6, vec![]),
            ("//b", 3, vec![]),
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
            ("message ", Some("<to> <text...>")),
            ("message b", Some(" <text...>")),
            ("message bob ", Some("<text...>")),
            ("message bob hi", None),
            ("@bob ", Some("<text...>")),
            ("help ", Some("[command]")),
            ("b", None),
            ("blocked", None),
            ("blocked x", None),
            ("", None),
            ("frob ", None),
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
            assert_eq!(masked(line, &for_tests()), shown);
        }
    }

    #[test]
    fn nothing_typed_makes_it_stumble() {
        let knowledge = for_tests();
        for typed in ["@", "/", "  ", "message\t", "žž žž", "@žofie: x", "passwd \u{301}", "message \u{1f469}\u{200d}\u{1f4bb}"] {
            let (start, _) = candidates(typed, &knowledge);
            assert!(typed.is_char_boundary(start), "{typed:?}");
            let _ = (remark(typed, &knowledge), masked(typed, &knowledge));
        }
    }
}
