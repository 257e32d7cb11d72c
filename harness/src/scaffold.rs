//! The first scenarios of a command, made from its card: the good case, each argument missing, a user who is not there, away
//! or hidden, and nobody logged in. What everybody sees of them is what the server says now: to be read before it is kept.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use chinwag_wire::dialect::{Line, Marks, json};
use chinwag_wire::split;
use chinwag_wire::{Card, Complete, Event, Shape};

use crate::holes;
use crate::play::{self, EPOCH, End, Options, SEED};
use crate::ron_text::quoted;
use crate::scenario;
use crate::scratch::Scratch;
use crate::server::{Launch, Server, Settings};
use crate::source::Source;

/// How long a server may take to start, and to tell what it can.
const PATIENCE: Duration = Duration::from_secs(20);
/// A word of at least so many letters and digits may be random: only its place is expected.
const RANDOM_MIN: usize = 16;

/// A scenario that has been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What the file is called.
    pub file: String,
    /// What stands in it.
    pub text: String,
}

/// Why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server did not come up.
    NotStarted(String),
    /// It has no such command; what it has.
    NoSuchCommand(Vec<String>),
    /// It cannot be talked to, or not as the protocol says.
    Wire(String),
}

/// The card of a command, with examples, as a server tells it.
///
/// # Errors
/// When there is no server, or no such command.
pub fn card(launch: &Launch, name: &str) -> Result<Card, Trouble> {
    let data = Scratch::new().map_err(|error| Trouble::NotStarted(format!("a data directory: {error}")))?;
    let settings = Settings { data: data.path(), port: 0, seed: SEED, epoch: EPOCH, args: &[] };
    let started = smol::block_on(smol::future::or(async { Some(Server::start(launch, &settings).await) }, async {
        smol::Timer::after(PATIENCE).await;
        None
    }));
    let mut server = match started {
        Some(Ok(server)) => server,
        Some(Err(crate::server::Trouble::NotStarted(why))) => return Err(Trouble::NotStarted(why)),
        Some(Err(trouble)) => return Err(Trouble::NotStarted(trouble.to_string())),
        None => return Err(Trouble::NotStarted(format!("no ready line within {PATIENCE:?}"))),
    };
    let cards = ask(server.address, name).map_err(|error| Trouble::Wire(error.to_string()));
    smol::block_on(server.crash());
    let (cards, help) = cards?;
    // `help` shows an alias too, by the name of its command.
    help.into_iter().next().ok_or_else(|| Trouble::NoSuchCommand(cards.iter().map(|card| card.name.to_string()).collect()))
}

/// The cards of what one can do who is logged in, and what `help NAME` shows.
fn ask(address: std::net::SocketAddr, name: &str) -> io::Result<(Vec<Card>, Vec<Card>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let line = |text: &str| json::encode_line(&Line { text: text.into(), marks: Marks::default() });
    let lines = ["/register zoe secret", &format!("/help {name}"), "/ping end"].map(line).concat();
    stream.write_all(&[&b"dialect json\n"[..], &lines].concat())?;
    let (mut cards, mut help) = (Vec::new(), Vec::new());
    for line in BufReader::new(stream).lines() {
        let line = line?;
        // The greeting, before the switch, is for people.
        let Ok(said) = json::decode_server_line(&line) else { continue };
        match said.event {
            Event::Cards { cards: known } => cards = known,
            Event::Help { cards: shown } => help = shown,
            Event::Pong { .. } => return Ok((cards, help)),
            _ => {}
        }
    }
    Err(io::Error::other("the server ended the connection"))
}

/// The scenarios of a command, with what everybody sees of them on this server.
///
/// # Errors
/// When they cannot be played.
pub fn scaffold(card: &Card, launch: &Launch) -> Result<Vec<Made>, Trouble> {
    drafts(card).into_iter().map(|draft| draft.made(launch)).collect()
}

/// A scenario before it is known what comes of it.
struct Draft {
    file: String,
    about: String,
    cast: &'static [&'static str],
    /// What leads to it, with what is seen of that.
    before: Vec<String>,
    who: &'static str,
    line: String,
}

fn drafts(card: &Card) -> Vec<Draft> {
    let name = &card.name;
    let user = card.args.iter().position(|arg| matches!(arg.kind.complete, Complete::KnownUsers | Complete::OnlineUsers));
    let words = arguments(card);
    let line = |words: &[String]| std::iter::once(name.to_string()).chain(words.iter().cloned()).collect::<Vec<_>>().join(" ");
    let with_user = |who: &str| {
        let mut words = words.clone();
        if let Some(place) = user {
            words[place] = who.to_owned();
        }
        line(&words)
    };
    let draft = |file: &str, about: String, line: String| Draft {
        file: format!("{file}.ron"),
        about,
        cast: &["alice", "bob"],
        before: Vec::new(),
        who: "alice",
        line,
    };
    let mut drafts = vec![draft("works", format!("{name}, as it is meant"), line(&words))];
    for (place, arg) in card.args.iter().enumerate().filter(|(_, arg)| !arg.kind.optional) {
        let about = format!("{name} without `{}` is refused", arg.name);
        drafts.push(draft(&format!("without-{}", arg.name.replace(' ', "-")), about, line(&words[..place])));
    }
    if user.is_some() {
        drafts.push(draft("unknown", format!("{name} with a user that there is not"), with_user("nobody")));
        drafts.push(Draft {
            cast: &["alice", "dave"],
            before: vec!["Drop(\"dave\")".to_owned(), "See(alice: \"* dave logged out\")".to_owned()],
            ..draft("away", format!("{name} with somebody who is away"), with_user("dave"))
        });
        drafts.push(Draft {
            cast: &["alice", "erin"],
            before: vec!["Send(erin: \"block alice\")".to_owned(), "See(erin: \"alice is blocked\", alice: Nothing)".to_owned()],
            ..draft("blocked", format!("{name} with somebody who blocks you"), with_user("erin"))
        });
    }
    drafts.push(Draft {
        before: vec!["Connect(\"x\")".to_owned()],
        who: "x",
        ..draft("logged-out", format!("{name} before login"), line(&words))
    });
    drafts
}

/// One word, or text, for each argument: from the first example that is not refused, or made up.
fn arguments(card: &Card) -> Vec<String> {
    let lines: Vec<&str> = card.examples.lines().collect();
    let good = lines.windows(2).find_map(|pair| {
        let (_, said) = pair[0].split_once("> ")?;
        let refused = pair[1].split_once(" | ").is_some_and(|(_, answer)| answer.starts_with("error["));
        let (first, rest) = split::word(said.trim_start());
        (card.answers_to(first) && !refused).then_some(rest)
    });
    let mut rest = good.unwrap_or_default();
    let mut words = Vec::new();
    for arg in &card.args {
        let (word, after) = match arg.kind.shape {
            Shape::Rest => (rest.trim(), ""),
            Shape::Word => split::word(rest),
        };
        if word.is_empty() {
            if arg.kind.optional {
                break;
            }
            words.push(made_up(arg.kind.shape, &arg.kind.complete));
        } else {
            // Whoever is in the example is not in the cast: bob is.
            let is_user = matches!(arg.kind.complete, Complete::KnownUsers | Complete::OnlineUsers);
            words.push(if is_user { "bob".to_owned() } else { word.to_owned() });
        }
        rest = after;
    }
    // `with_user` puts somebody else there.
    if let Some(place) = card.args.iter().position(|arg| matches!(arg.kind.complete, Complete::KnownUsers | Complete::OnlineUsers))
        && words.len() <= place
    {
        words.resize_with(place + 1, || "bob".to_owned());
    }
    words
}

fn made_up(shape: Shape, complete: &Complete) -> String {
    match (shape, complete) {
        (Shape::Rest, _) => "hello there".to_owned(),
        (_, Complete::KnownUsers | Complete::OnlineUsers) => "bob".to_owned(),
        (_, Complete::OneOf(all)) => all.first().map_or_else(|| "1".to_owned(), ToString::to_string),
        (_, Complete::Commands) => "help".to_owned(),
        _ => "1".to_owned(),
    }
}

impl Draft {
    /// Plays it and writes down what everybody sees.
    fn made(self, launch: &Launch) -> Result<Made, Trouble> {
        let without = self.text(None);
        let mut source = Source::new(self.file.clone(), without);
        let scenario = scenario::load(&mut source).map_err(|mistakes| Trouble::Wire(crate::diagnostic::render_all(&source, &mistakes)))?;
        let played = play::play(&scenario, &Options { launch: launch.clone(), seed: None, keep_data: false });
        if let End::NotStarted(why) | End::Skipped(why) = &played.end {
            return Err(Trouble::NotStarted(why.clone()));
        }
        let step = (self.before.len() + 1).to_string();
        let names = played.transcript.names();
        let seen: Vec<String> = names
            .iter()
            .enumerate()
            .map(|(column, name)| {
                let rows = played.transcript.rows.iter().filter(|row| row.step == step && row.mark == '<' && row.column == Some(column));
                let lines: Vec<String> = rows.map(|row| expectation(&row.text)).collect();
                format!(
                    "{name}: {}",
                    match lines.as_slice() {
                        [] => "Nothing".to_owned(),
                        [one] => one.clone(),
                        several => format!("[{}]", several.join(", ")),
                    }
                )
            })
            .collect();
        Ok(Made { text: self.text(Some(&seen)), file: self.file })
    }

    fn text(&self, seen: Option<&[String]>) -> String {
        let cast: Vec<String> = self.cast.iter().map(|name| format!("{name}: \"pw-{name}\"")).collect();
        let command = self.line.split(' ').next().unwrap_or_default();
        // What is random is not the same in the snapshot of another seed.
        let redact = match seen {
            Some(seen) if seen.iter().any(|seen| seen.contains("Like(")) => {
                format!("    redact: [(r\"[0-9A-Za-z]{{{RANDOM_MIN},}}\", \"RANDOM\")],\n")
            }
            _ => String::new(),
        };
        let mut text = format!(
            "Scenario(\n    about: {},\n    tags: [{}],\n    cast: ({}),\n{redact}    steps: [\n",
            quoted(&self.about),
            quoted(command),
            cast.join(", ")
        );
        for step in &self.before {
            let _ = writeln!(text, "        {step},");
        }
        let _ = writeln!(text, "        Send({}: {}),", self.who, quoted(&holes::escaped(&self.line)));
        if let Some(seen) = seen {
            let _ = writeln!(text, "        See({}),", seen.join(", "));
        }
        text + "    ],\n)\n"
    }
}

/// A line as it is expected: a refusal by its code, what may be random by its place.
pub(crate) fn expectation(line: &str) -> String {
    if line == "(the connection ends)" {
        return "Closed".to_owned();
    }
    if let Some((code, _)) = line.strip_prefix("error[").and_then(|rest| rest.split_once(']')) {
        return format!("Err({})", quoted(code));
    }
    let is_random = |word: &str| word.len() >= RANDOM_MIN && word.chars().all(|c| c.is_ascii_alphanumeric());
    if line.split(' ').any(is_random) {
        let words: Vec<&str> = line.split(' ').map(|word| if is_random(word) { "*" } else { word }).collect();
        return format!("Like({})", quoted(&holes::escaped(&words.join(" "))));
    }
    quoted(&holes::escaped(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stock_command_has_drafts_that_can_be_read() {
        for card in chinwag_commands::stock().cards_with_examples() {
            let drafts = drafts(&card);
            for draft in &drafts {
                let mut source = Source::new(draft.file.clone(), draft.text(Some(&["alice: Any".to_owned()])));
                scenario::load(&mut source).map_err(|mistakes| crate::diagnostic::render_all(&source, &mistakes)).unwrap();
            }
            let required = card.args.iter().filter(|arg| !arg.kind.optional).count();
            let without = drafts.iter().filter(|draft| draft.file.starts_with("without-")).count();
            assert_eq!(without, required, "{}", card.name);
        }
    }

    #[test]
    fn a_message_has_all_cases() {
        let card = chinwag_commands::stock().cards_with_examples().into_iter().find(|card| card.name == "message").unwrap();
        let drafts: Vec<(String, String)> = drafts(&card).into_iter().map(|draft| (draft.file, draft.line)).collect();
        let expected = [
            ("works.ron", "message bob don't be late"),
            ("without-to.ron", "message"),
            ("without-text.ron", "message bob"),
            ("unknown.ron", "message nobody don't be late"),
            ("away.ron", "message dave don't be late"),
            ("blocked.ron", "message erin don't be late"),
            ("logged-out.ron", "message bob don't be late"),
        ];
        assert_eq!(drafts, expected.map(|(file, line)| (file.to_owned(), line.to_owned())));
    }

    #[test]
    fn what_may_be_random_is_not_expected() {
        assert_eq!(expectation("* token 86461af303bb583db0e16f4d76de63c7 (until x); keep"), "Like(\"* token * (until x); keep\")");
        assert_eq!(expectation("error[blocked]: `erin` does"), "Err(\"blocked\")");
        assert_eq!(expectation("{i}"), "\"{{i}}\"");
    }
}
