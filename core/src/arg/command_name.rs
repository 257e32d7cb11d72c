//! The name of a command.

use std::borrow::Cow;

use chinwag_wire::{Complete, Kind, Refusal, code, name, suggest};

use crate::arguments::Arg;
use crate::view::View;

/// The name or an alias of a command, with or without its `/`; kept as the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandName(pub String);

impl Arg for CommandName {
    const KIND: Kind = Kind { label: Cow::Borrowed("a command"), complete: Complete::Commands, ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        let word = word.strip_prefix('/').unwrap_or(word);
        match view.cards.iter().find(|card| card.answers_to(word)) {
            Some(card) => Ok(CommandName(card.name.to_string())),
            None => Err(CommandName::unknown(
                word,
                view.cards.iter().flat_map(|card| std::iter::once(&card.name).chain(&*card.aliases)).map(|name| &**name),
            )),
        }
    }
}

impl CommandName {
    /// `unknown-command`, with the nearest of `names`.
    pub(crate) fn unknown<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Refusal {
        if word.is_empty() {
            return Refusal::new(code::UNKNOWN_COMMAND, "a `/` is followed by the name of a command").hint("`help` lists the commands");
        }
        let refusal = Refusal::new(code::UNKNOWN_COMMAND, format!("there is no command `{}`", name::shortened(word)));
        let nearest = if word.chars().count() <= name::NAME_MAX { suggest::nearest(word, names) } else { None };
        match nearest {
            Some(nearest) => refusal.hint(format!("did you mean `{nearest}`?")),
            None => refusal.hint("`help` lists the commands"),
        }
    }
}
