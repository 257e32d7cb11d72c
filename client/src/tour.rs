//! Somebody who shows a visitor around: a user of the trial server like any other, who says what to type, sees what
//! comes of it, and goes on. What cannot be seen from outside, such as a list that only the visitor gets, is told by
//! the visitor's session.

use async_channel::Receiver;
use chinwag_wire::{Addressee, Arrival, Card, Event, SafeText};
use smol::future::race;

use crate::connection::{self, Heard, Link, Lost, Server};
use crate::failure::Failure;
use crate::knowledge::SharedKnowledge;
use crate::login::{Outcome, attempt};
use crate::machinery;
use crate::trial;

/// What the guide is called.
pub(crate) const GUIDE: &str = "guide";
/// What marks the guide's lines.
const TAG: &str = "tour";
/// How many answers may wait for the guide: more than anybody gets while one message is sent.
pub(crate) const ANSWERS_MAX: usize = 256;
/// How much of what the visitor said is said back.
const QUOTED_CHARS_MAX: usize = 40;

/// Something that may be what a step waits for.
#[derive(Debug)]
enum Seen<'a> {
    /// The visitor said this to the guide.
    ToGuide { text: &'a str, kept: bool },
    /// The visitor said this to everyone.
    ToAll,
    /// The visitor got this for an answer, the last to a line.
    Answer(&'a Event),
}

/// One thing to try.
struct Step {
    /// The command it is about: a server without it goes without this step.
    about: &'static str,
    /// What the guide says first.
    says: &'static [&'static str],
    /// Whether this is what was to be tried; if so, what the guide says to it.
    done: fn(&Seen<'_>) -> Option<String>,
    /// Whether the guide leaves after the words.
    leaves: bool,
}

/// The tour. One thing at a time, each with what to type at the end of its last line.
const STEPS: &[Step] = &[
    Step {
        about: "message",
        says: &[
            "Hello! This server is yours alone, and gone when you leave, so nothing can go wrong.",
            "I say what you could type, and you type it. First, an answer for me:   @guide hello",
        ],
        done: |seen| match seen {
            Seen::ToGuide { text, .. } => {
                Some(format!("I got it: {}. The `sent` under your line means that it is stored: no crash takes it back.", quoted(text)))
            }
            _ => None,
        },
        leaves: false,
    },
    Step {
        about: "whoelse",
        says: &[
            "Press TAB anywhere: commands, names and files complete, and what is to follow stands in grey. Type who, press TAB, and see who is here:   whoelse",
        ],
        done: |seen| matches!(seen, Seen::Answer(Event::People { .. })).then(|| "That is the two of us.".to_owned()),
        leaves: false,
    },
    Step {
        about: "broadcast",
        says: &["Everyone at once hears what you say to all:   @all good morning"],
        done: |seen| matches!(seen, Seen::ToAll).then(|| "Good morning!".to_owned()),
        leaves: false,
    },
    Step {
        about: "message",
        says: &["Who is away gets mail. I am leaving now; write to me while I am gone:   @guide see you tomorrow"],
        done: |seen| match seen {
            Seen::ToGuide { text, kept: true } => Some(format!("Here I am again, and {} was waiting for me.", quoted(text))),
            _ => None,
        },
        leaves: true,
    },
    Step {
        about: "history",
        says: &["What was said can be read again. What the two of us said:   history guide"],
        done: |seen| {
            matches!(seen, Seen::Answer(Event::PastEnd { .. })).then(|| "The arrow up key brings back what you typed yourself.".to_owned())
        },
        leaves: false,
    },
    Step {
        about: "help",
        says: &["And everything else that there is, with what it takes:   help"],
        done: |seen| {
            matches!(seen, Seen::Answer(Event::Help { .. })).then(|| "`help message` explains one of them, with examples.".to_owned())
        },
        leaves: false,
    },
];

/// What the guide says at the end.
const FAREWELL: &[&str] = &[
    "That was all. Look around as long as you like; Ctrl-D ends it, and this server with all that was said on it is gone.",
    "A server for you and your friends is started with `chinwagd`, and `chinwag` goes there.",
];

/// The guide, on the way around.
pub(crate) struct Guide {
    server: Server,
    password: String,
    visitor: String,
    link: Link,
    /// The steps that this server can show.
    steps: Vec<&'static Step>,
    at: usize,
    /// Whether the guide has left, as the step wants.
    away: bool,
    begun: bool,
}

impl Guide {
    /// Comes in to show `visitor` around, before the visitor is there.
    ///
    /// # Errors
    /// The server does not let the guide in.
    pub(crate) async fn arrive(server: &Server, visitor: &str) -> Result<Guide, Failure> {
        let password = trial::password()?;
        let (link, cards) = enter(server, &machinery::register(GUIDE, &password, None)).await?;
        let steps = STEPS.iter().filter(|step| cards.iter().any(|card| card.name == step.about)).collect();
        Ok(Guide { server: server.clone(), password, visitor: visitor.to_owned(), link, steps, at: 0, away: false, begun: false })
    }

    /// Shows around until the visitor's session, which tells of `answers`, is over. What goes wrong with the guide's own
    /// link ends the tour and nothing else.
    pub(crate) async fn show_around(mut self, answers: Receiver<Event>) {
        while let Ok(true) = self.turn(&answers).await {}
    }

    /// Waits for something and reacts; false when the visitor is gone.
    async fn turn(&mut self, answers: &Receiver<Event>) -> Result<bool, Lost> {
        enum Turn {
            Heard(Result<Heard, Lost>),
            Answer(Option<Box<Event>>),
        }
        let answer = async { Turn::Answer(answers.recv().await.ok().map(Box::new)) };
        let turn = if self.away { answer.await } else { race(async { Turn::Heard(self.link.next().await) }, answer).await };
        match turn {
            Turn::Answer(None) => return Ok(false),
            Turn::Answer(Some(event)) => self.see(&event).await?,
            Turn::Heard(heard) => {
                if let Heard::Said(said) = heard? {
                    self.hear(&said.event).await?;
                }
            }
        }
        Ok(true)
    }

    /// The visitor got `event` for an answer.
    async fn see(&mut self, event: &Event) -> Result<(), Lost> {
        match event {
            Event::Sent { to: Addressee::User(name), kept: true, .. } if self.away && name.eq_ignore_ascii_case(GUIDE) => {
                // What was kept comes right after the login, and is heard there.
                let back = enter(&self.server, &machinery::login(GUIDE, &self.password)).await;
                self.link = back.map_err(|failure| Lost(failure.message))?.0;
                self.away = false;
                Ok(())
            }
            Event::Refusal(refusal) if self.begun && !self.away => {
                let text = format!("That was refused ({}), and nothing has happened. Once more:", SafeText::new(&refusal.text));
                self.say(&text).await?;
                self.say_step().await
            }
            event => self.react(&Seen::Answer(event)).await,
        }
    }

    async fn hear(&mut self, event: &Event) -> Result<(), Lost> {
        match event {
            Event::Presence { name, what: Arrival::LoggedIn, .. } if !self.begun && name.eq_ignore_ascii_case(&self.visitor) => {
                self.begun = true;
                self.say_step().await
            }
            Event::Message(said) => {
                // Or it would be waiting still when the guide comes back.
                self.link.say(&machinery::line(&machinery::ack(said.seq), TAG, None)).await?;
                match &said.to {
                    _ if !said.from.eq_ignore_ascii_case(&self.visitor) => Ok(()),
                    Addressee::Everyone => self.react(&Seen::ToAll).await,
                    Addressee::User(_) => self.react(&Seen::ToGuide { text: &said.text, kept: said.offline }).await,
                    Addressee::Room(_) => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Goes on if this is what the step waits for.
    async fn react(&mut self, seen: &Seen<'_>) -> Result<(), Lost> {
        let Some(words) = self.steps.get(self.at).and_then(|step| (step.done)(seen)) else { return Ok(()) };
        self.say(&words).await?;
        self.at += 1;
        if self.at < self.steps.len() { self.say_step().await } else { self.say_all(FAREWELL).await }
    }

    async fn say_step(&mut self) -> Result<(), Lost> {
        let Some(step) = self.steps.get(self.at).copied() else { return Ok(()) };
        self.say_all(step.says).await?;
        if step.leaves {
            self.link.say(&machinery::line(machinery::LOGOUT, TAG, None)).await?;
            // Gone for everybody when the server has said goodbye.
            while let Ok(Heard::Said(said)) = self.link.next().await
                && said.event != Event::Goodbye
            {}
            self.link.hang_up();
            self.away = true;
        }
        Ok(())
    }

    async fn say_all(&mut self, lines: &[&str]) -> Result<(), Lost> {
        for line in lines {
            self.say(line).await?;
        }
        Ok(())
    }

    async fn say(&mut self, text: &str) -> Result<(), Lost> {
        let line = format!("@{} {text}", self.visitor);
        self.link.say(&machinery::line(&line, TAG, None)).await
    }
}

/// A link on which the guide is logged in by `line`, and the commands there are.
async fn enter(server: &Server, line: &str) -> Result<(Link, Vec<Card>), Failure> {
    let mut link = connection::open(server).await?.link;
    let refused = |refusal| Failure::refused(&refusal);
    match attempt(&mut link, line, &SharedKnowledge::default()).await {
        Ok(Outcome::Welcome { .. }) => {}
        Ok(Outcome::Refused(refusal) | Outcome::Closed(refusal)) => return Err(refused(refusal)),
        Err(Lost(why)) => return Err(Failure::no_link(format!("{} {why}", server.place))),
    }
    // The cards of whoever is logged in come right after the welcome.
    loop {
        match link.next().await {
            Ok(Heard::Said(said)) => match said.event {
                Event::Cards { cards } => return Ok((link, cards)),
                Event::Closing(refusal) => return Err(refused(refusal)),
                _ => {}
            },
            Ok(Heard::Foreign(_)) => {}
            Err(Lost(why)) => return Err(Failure::no_link(format!("{} {why}", server.place))),
        }
    }
}

/// The beginning of what somebody said, between quotation marks.
fn quoted(text: &str) -> String {
    let start: String = text.chars().take(QUOTED_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let more = if text.chars().count() > QUOTED_CHARS_MAX { "…" } else { "" };
    format!("“{start}{more}”")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_ends_with_what_to_type() {
        for step in STEPS {
            let last = step.says.last().expect("a step says something");
            let (_, typed) = last.rsplit_once(":   ").unwrap_or_else(|| panic!("{last}"));
            assert!(!typed.is_empty() && typed.trim() == typed, "{last}");
        }
    }

    #[test]
    fn what_somebody_said_is_said_back_in_short() {
        assert_eq!(quoted("hi\nyou"), "“hi you”");
        assert_eq!(quoted(&"x".repeat(50)), format!("“{}…”", "x".repeat(QUOTED_CHARS_MAX)));
    }
}
