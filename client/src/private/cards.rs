//! The commands of private chats, as people type them. Those that the server has too take its place: it carries what
//! the client makes of them.

use chinwag_wire::{ArgCard, Card, Complete, Kind, Shape};

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    StartPrivate,
    Accept,
    Decline,
    Private,
    StopPrivate,
    Verify,
    Relay,
    SendFile,
    GetFile,
    CancelFile,
    Privates,
}

/// All, in the order in which they are met. The first is the one that a server has to have.
const VERBS: &[(Verb, &str)] = &[
    (Verb::StartPrivate, "startprivate"),
    (Verb::Accept, "accept"),
    (Verb::Decline, "decline"),
    (Verb::Private, "private"),
    (Verb::StopPrivate, "stopprivate"),
    (Verb::Verify, "verify"),
    (Verb::Relay, "relay"),
    (Verb::SendFile, "sendfile"),
    (Verb::GetFile, "getfile"),
    (Verb::CancelFile, "cancelfile"),
    (Verb::Privates, "privates"),
];

/// Whom there is to choose from at the moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choices {
    /// Who asks.
    pub(crate) asked: Vec<String>,
    /// With whom a chat is open.
    pub(crate) open: Vec<String>,
    /// With whom there is no way yet.
    pub(crate) stranded: Vec<String>,
    /// With whom something is going on that can be ended.
    pub(crate) all: Vec<String>,
    /// Who offers a file.
    pub(crate) offered: Vec<String>,
    /// With whom a file is on its way, or offered.
    pub(crate) files: Vec<String>,
}

impl Verb {
    /// The command that is called so.
    pub(crate) fn called(name: &str) -> Option<Verb> {
        VERBS.iter().find(|(_, called)| called.eq_ignore_ascii_case(name)).map(|(verb, _)| *verb)
    }

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        VERBS.iter().find(|(verb, _)| *verb == self).map_or("", |(_, name)| name)
    }
}

/// The usage of a command.
pub(crate) fn usage(verb: Verb) -> String {
    card(verb, &Choices::default()).usage()
}

/// All cards.
pub(crate) fn all(choices: &Choices) -> Vec<Card> {
    VERBS.iter().map(|(verb, _)| card(*verb, choices)).collect()
}

fn card(verb: Verb, choices: &Choices) -> Card {
    let one_of = |names: &[String]| Complete::OneOf(names.iter().map(|name| name.clone().into()).collect::<Vec<_>>().into());
    let user = |complete| Kind { label: "a user".into(), complete, ..Kind::WORD };
    let only = |names: &[String]| Kind { optional: true, ..user(one_of(names)) };
    let arg = |name: &'static str, help: &'static str, kind| ArgCard { name: name.into(), help: help.into(), kind };
    let number = || Kind { label: "a number".into(), optional: true, ..Kind::WORD };
    let rest = |label: &'static str, complete| Kind { label: label.into(), shape: Shape::Rest, complete, ..Kind::WORD };
    let (summary, args, examples) = match verb {
        Verb::StartPrivate => (
            "Ask somebody for a private chat, which the server cannot read.",
            vec![arg("user", "whom to ask", user(Complete::OnlineUsers))],
            "alice> startprivate bob\nalice | * bob is asked for a private chat; go on meanwhile",
        ),
        Verb::Accept => (
            "Say yes to somebody who asks you for a private chat.",
            vec![arg("user", "who asks; may be left out if it is only one", only(&choices.asked))],
            "bob> accept alice",
        ),
        Verb::Decline => (
            "Say no to somebody who asks you for a private chat.",
            vec![arg("user", "who asks; may be left out if it is only one", only(&choices.asked))],
            "",
        ),
        Verb::Private => (
            "Say something in a private chat: only the other one can read it, and nobody keeps it.",
            vec![arg("user", "to whom", user(one_of(&choices.open))), arg("text", "what to say", rest("some text", Complete::Nothing))],
            "alice> private bob nobody else can read this",
        ),
        Verb::StopPrivate => (
            "End a private chat, or take back what you asked.",
            vec![arg("user", "with whom; may be left out if it is only one", only(&choices.all))],
            "",
        ),
        Verb::Verify => (
            "Remember that the digits of a private chat are the same on both sides: nobody is between you.",
            vec![arg("user", "with whom; may be left out if it is only one", only(&choices.open))],
            "alice> verify bob\nalice | * bob is verified: if the key is ever another, you are warned",
        ),
        Verb::Relay => (
            "Go through the server, which cannot read it, where two have found no direct way.",
            vec![arg("user", "with whom; may be left out if it is only one", only(&choices.stranded))],
            "",
        ),
        Verb::SendFile => (
            "Offer somebody a file in a private chat; without one, ask for one first.",
            vec![arg("user", "to whom", user(Complete::OnlineUsers)), arg("path", "where the file is", rest("a path", Complete::Files))],
            "alice> sendfile bob ~/photos/harvest.jpg",
        ),
        Verb::GetFile => (
            "Take a file that somebody offers.",
            vec![
                arg("user", "from whom; may be left out if it is only one", only(&choices.offered)),
                arg("number", "which; may be left out if it is only one", number()),
            ],
            "",
        ),
        Verb::CancelFile => (
            "Say no to a file that somebody offers, or stop one that is on its way; offered again, it goes on where it stopped.",
            vec![
                arg("user", "with whom; may be left out if it is only one", only(&choices.files)),
                arg("number", "which; may be left out if it is only one", number()),
            ],
            "",
        ),
        Verb::Privates => ("List private chats, and the files in them.", Vec::new(), ""),
    };
    Card { name: verb.name().into(), aliases: Vec::new().into(), summary: summary.into(), args, examples: examples.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_card_of_its_name() {
        for (card, (verb, name)) in all(&Choices::default()).iter().zip(VERBS) {
            assert_eq!((card.name.as_ref(), Verb::called(&name.to_uppercase())), (*name, Some(*verb)));
            assert!(card.summary.ends_with('.'), "{}", card.summary);
        }
        assert_eq!(usage(Verb::Private), "private <user> <text...>");
        assert_eq!(usage(Verb::GetFile), "getfile [user] [number]");
    }

    #[test]
    fn what_is_typed_for_private_chats_goes_to_no_stranger() {
        let names: Vec<&str> = VERBS.iter().map(|(_, name)| *name).collect();
        let mut kept = chinwag_wire::dialect::s4::client::PRIVATE_COMMANDS.to_vec();
        kept.sort_by_key(|kept| names.iter().position(|name| name == kept));
        assert_eq!(kept, names);
    }

    #[test]
    fn only_those_are_offered_with_whom_it_makes_sense() {
        let choices = Choices { open: vec!["bob".to_owned()], ..Choices::default() };
        let offered = |verb: Verb| card(verb, &choices).args[0].kind.complete.clone();
        assert_eq!(offered(Verb::Private), Complete::OneOf(vec!["bob".into()].into()));
        assert_eq!(offered(Verb::Accept), Complete::OneOf(vec![].into()));
        assert_eq!(offered(Verb::StartPrivate), Complete::OnlineUsers);
    }
}
