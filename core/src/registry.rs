//! The registry: which commands a server has, in which order, and that no two want the same name.

use std::borrow::Cow;
use std::sync::Arc;

use chinwag_wire::Card;

use crate::arg::CommandName;
use crate::arguments::Arguments;
use crate::command::{AnyCommand, Command, Spec, assert_well_formed};

/// The commands of a server. An explicit list: it has an order, it greps, and nothing is lost at link time.
#[derive(Default)]
pub struct Registry {
    commands: Vec<Arc<dyn AnyCommand>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.commands.iter().map(|command| command.spec().name)).finish()
    }
}

impl Registry {
    /// No commands.
    #[must_use]
    pub fn new() -> Registry {
        Registry::default()
    }

    /// With one more. A command that nobody could use or document does not build.
    #[must_use]
    pub fn with<C: Command>(mut self, command: C) -> Registry {
        const { assert_well_formed(&C::SPEC, C::Args::SPECS) };
        self.commands.push(Arc::new(command));
        self
    }

    /// Without the command called `name`.
    #[must_use]
    pub fn without(mut self, name: &str) -> Registry {
        self.commands.retain(|command| command.spec().name != name);
        self
    }

    /// Every clash of names, naming both sides; a server with one does not start.
    ///
    /// # Errors
    /// One line for each name that two commands want.
    pub fn check(&self) -> Result<(), Vec<String>> {
        let mut clashes = Vec::new();
        let mut taken: Vec<(&str, &str)> = Vec::new();
        for command in &self.commands {
            let spec = command.spec();
            for name in std::iter::once(spec.name).chain(spec.aliases.iter().copied()) {
                match taken.iter().find(|(other, _)| *other == name) {
                    Some((_, owner)) => {
                        clashes.push(format!("the command name `{name}` is taken: {owner} and {} both want it", command.type_name()))
                    }
                    None => taken.push((name, command.type_name())),
                }
            }
        }
        if clashes.is_empty() { Ok(()) } else { Err(clashes) }
    }

    /// What the commands say of themselves besides their cards, in the order of registration.
    pub fn specs(&self) -> impl Iterator<Item = &'static Spec> {
        self.commands.iter().map(|command| command.spec())
    }

    /// All cards, without examples, in the order of registration.
    #[must_use]
    pub fn cards(&self) -> Vec<Card> {
        self.commands.iter().map(|command| command.card()).collect()
    }

    /// All cards with their examples: for help and for the generated documents.
    #[must_use]
    pub fn cards_with_examples(&self) -> Vec<Card> {
        self.commands.iter().map(|command| Card { examples: Cow::Owned(unindented(command.spec().examples)), ..command.card() }).collect()
    }

    /// The same commands once more, for a stage of their own.
    pub(crate) fn again(&self) -> Registry {
        Registry { commands: self.commands.clone() }
    }

    pub(crate) fn commands(&self) -> impl Iterator<Item = &dyn AnyCommand> {
        self.commands.iter().map(|command| &**command)
    }

    /// The command that answers to `name`, in any case.
    pub(crate) fn find(&self, name: &str) -> Result<&dyn AnyCommand, chinwag_wire::Refusal> {
        self.known(name).ok_or_else(|| CommandName::unknown(name, self.commands().flat_map(names_of)))
    }

    /// The same, for whom it is no mistake if there is none.
    pub(crate) fn known(&self, name: &str) -> Option<&dyn AnyCommand> {
        self.commands().find(|command| names_of(*command).any(|known| known.eq_ignore_ascii_case(name)))
    }
}

fn names_of(command: &dyn AnyCommand) -> impl Iterator<Item = &'static str> {
    std::iter::once(command.spec().name).chain(command.spec().aliases.iter().copied())
}

/// Examples without the indentation of the source they stand in.
#[must_use]
pub fn unindented(examples: &str) -> String {
    let lines: Vec<&str> = examples.lines().map(str::trim).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}
