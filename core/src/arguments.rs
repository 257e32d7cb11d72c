//! Arguments: declared once, with their help, as the fields of a struct.

use std::borrow::Cow;

use chinwag_wire::{ArgCard, Kind, Refusal, Shape, code, split};

use crate::view::View;

/// One kind of argument: how a word is read, what it is called, where its completions come from.
///
/// Implement it for a type of your own and use that type in [`args!`](crate::args).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a command argument",
    label = "use Text, Word, Number, Choice, Seconds, Term, Secret, OnlineUser, KnownUser, RoomName, Member, UserOrAddress, Option of one, or implement `Arg`"
)]
pub trait Arg: Sized + Send + 'static {
    /// What it is, for usage, completion and documents.
    const KIND: Kind;

    /// Whether it may be left out. Only for [`Option`] to override.
    const OPTIONAL: bool = false;

    /// Reads it. `word` is one word, or the rest of the line if the kind takes it; empty only
    /// where it came apart from the line ([`Order::body`](chinwag_wire::dialect::wire::Order::body)).
    ///
    /// # Errors
    /// A refusal that names the value and says what was expected.
    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal>;

    /// The word as the audit log has it.
    #[must_use]
    fn audited(word: &str) -> Cow<'_, str> {
        if Self::KIND.secret { Cow::Borrowed("…") } else { Cow::Borrowed(word) }
    }

    /// What it is when it is left out; `None` if it must not be. Only for [`Option`] to override.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }
}

/// Absent, or right: an optional argument that is there and wrong is refused like any other.
impl<A: Arg> Arg for Option<A> {
    const KIND: Kind = A::KIND;
    const OPTIONAL: bool = true;

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        A::read(word, view).map(Some)
    }

    fn audited(word: &str) -> Cow<'_, str> {
        A::audited(word)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// All arguments of a command: made by [`args!`](crate::args).
#[diagnostic::on_unimplemented(message = "`{Self}` is not a list of arguments", label = "declare it with `args!`, or use `NoArgs`")]
pub trait Arguments: Sized + Send + 'static {
    /// The cards of the arguments, in order.
    const SPECS: &'static [ArgSpec];

    /// Reads them, in order.
    ///
    /// # Errors
    /// The first refusal.
    fn read(words: &mut WordList<'_>) -> Result<Self, Refusal>;
}

/// What `args!` notes of one argument.
#[derive(Debug)]
pub struct ArgSpec {
    /// The field's name.
    pub name: &'static str,
    /// The field's doc comment.
    pub help: &'static str,
    /// The kind of the field's type.
    pub kind: Kind,
    /// Whether the field's type is an `Option`.
    pub optional: bool,
    /// See [`Arg::audited`].
    pub audited: fn(&str) -> Cow<'_, str>,
}

impl ArgSpec {
    pub(crate) fn card(&self) -> ArgCard {
        ArgCard {
            name: Cow::Borrowed(self.name),
            help: Cow::Borrowed(self.help.trim_ascii()),
            kind: Kind { optional: self.optional, ..self.kind.clone() },
        }
    }
}

/// A command that takes nothing.
#[derive(Debug)]
pub struct NoArgs;

impl Arguments for NoArgs {
    const SPECS: &'static [ArgSpec] = &[];

    fn read(_: &mut WordList<'_>) -> Result<Self, Refusal> {
        Ok(NoArgs)
    }
}

/// The words after a command's name, being read.
#[derive(Debug)]
pub struct WordList<'a> {
    rest: &'a str,
    /// What the last argument is, whatever is in it, where it did not come as part of a line.
    body: Option<&'a str>,
    view: &'a View<'a>,
}

impl<'a> WordList<'a> {
    pub(crate) fn new(rest: &'a str, body: Option<&'a str>, view: &'a View<'a>) -> WordList<'a> {
        WordList { rest, body, view }
    }

    pub(crate) fn read_all<A: Arguments>(mut self) -> Result<A, Refusal> {
        let args = A::read(&mut self)?;
        let (extra, _) = split::word(self.rest);
        let extra = if extra.is_empty() { self.body.unwrap_or_default() } else { extra };
        if extra.is_empty() {
            return Ok(args);
        }
        // A secret may be what is too much: it is not repeated.
        let secret = A::SPECS.iter().any(|spec| spec.kind.secret);
        let text = if secret {
            "there is a word too many".to_owned()
        } else {
            format!("`{}` is a word too many", chinwag_wire::name::shortened(extra))
        };
        Err(Refusal::new(code::USAGE, text))
    }

    /// Reads the next argument, called `name`.
    ///
    /// # Errors
    /// `usage` if it is missing; whatever its kind refuses.
    pub fn next<A: Arg>(&mut self, name: &str) -> Result<A, Refusal> {
        if split::word(self.rest).0.is_empty()
            && let Some(body) = self.body.take()
        {
            return A::read(body, self.view);
        }
        let (word, rest) = match A::KIND.shape {
            Shape::Word => split::word(self.rest),
            Shape::Rest => (self.rest.trim_start_matches([' ', '\t']), ""),
        };
        self.rest = rest;
        if word.trim_ascii().is_empty() {
            return A::absent().ok_or_else(|| Refusal::new(code::USAGE, format!("`{name}` is missing: {}", A::KIND.label)));
        }
        A::read(word, self.view)
    }
}

/// Declares the arguments of a command: names become usage, types become kinds, doc comments become help.
/// Leaving a doc comment out does not compile.
///
/// A macro because neither names nor doc comments can be had from types.
#[macro_export]
macro_rules! args {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $(#[doc = $help:literal] $arg:ident: $kind:ty),+ $(,)? }) => {
        $(#[$meta])*
        /// What follows the name of the command.
        $vis struct $name {
            $(#[doc = $help] $vis $arg: $kind),+
        }

        impl $crate::arguments::Arguments for $name {
            const SPECS: &'static [$crate::arguments::ArgSpec] = &[$($crate::arguments::ArgSpec {
                name: stringify!($arg),
                help: $help,
                kind: <$kind as $crate::arguments::Arg>::KIND,
                optional: <$kind as $crate::arguments::Arg>::OPTIONAL,
                audited: <$kind as $crate::arguments::Arg>::audited,
            }),+];

            fn read(words: &mut $crate::arguments::WordList<'_>) -> ::core::result::Result<Self, $crate::prelude::Refusal> {
                ::core::result::Result::Ok($name { $($arg: words.next(stringify!($arg))?),+ })
            }
        }
    };
}
