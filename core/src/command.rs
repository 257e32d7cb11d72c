//! The contract of a command: one file that says what it is called, takes, needs and does.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use chinwag_wire::{Card, Refusal, Shape, split};

use crate::arguments::{ArgSpec, Arguments, WordList};
use crate::ctx::Ctx;
use crate::view::View;

/// How a line ends: with whatever was replied, or refused.
pub type Outcome = Result<(), Refusal>;

/// Something a user can type.
///
/// ```
/// use chinwag_core::prelude::*;
///
/// /// Waves to everyone.
/// pub struct Wave;
///
/// args! {
///     pub struct Args {
///         /// how to wave
///         how: Text,
///     }
/// }
///
/// impl Command for Wave {
///     const SPEC: Spec = Spec {
///         name: "wave",
///         summary: "Wave to everyone.",
///         examples: "
///             alice> /wave with both hands
///             alice, bob, carol | alice waves with both hands
///             alice | ok
///         ",
///         ..Spec::DEFAULT
///     };
///     type Args = Args;
///
///     async fn run(&self, ctx: &mut Ctx, Args { how }: Args) -> Outcome {
///         let wave = Fact::new("acme.wave", format!("{} waves {how}", ctx.name()));
///         ctx.show_everyone(wave)
///     }
/// }
///
/// chinwag_core::stage::check_examples(&Registry::new().with(Wave)).unwrap();
/// ```
pub trait Command: Send + Sync + 'static {
    /// Name, summary, needs, examples. Help, documents, completion and tests are made from it.
    const SPEC: Spec;

    /// What follows the name: declare it with [`args!`](crate::args), or use [`NoArgs`](crate::arguments::NoArgs).
    type Args: Arguments;

    /// Obeys one line. May be dropped at any `.await` when the user disconnects.
    fn run(&self, ctx: &mut Ctx, args: Self::Args) -> impl Future<Output = Outcome> + Send;
}

/// What there is to know of a command besides its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// What it is called: lowercase ASCII letters.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// One sentence with a full stop.
    pub summary: &'static str,
    /// Checked before the arguments are read; help and cards leave out what one may not do.
    pub needs: &'static [Need],
    /// Not checked, but help and cards leave it out unless this is so too: for what would work and makes no sense.
    pub offered: &'static [Need],
    /// A chat log on the stage (see [`crate::stage`]): shown in help, and run as a test. What is not listed must not
    /// be seen.
    pub examples: &'static str,
    /// How many ordinary commands it counts as against `commands_per_second`. 0 for what programs say by themselves to
    /// stay in step: ten of them count as one. With a password that might be left out, it is [`PASSWORD_COST`] at least.
    pub cost: u32,
    /// Whether giving it counts against the idle timeout; programs give some by themselves.
    pub activity: bool,
    /// Whether it is given by hand: then it ends what others are told of how long somebody has done nothing. Programs give
    /// some by themselves, to come back or to keep a connection.
    pub by_hand: bool,
    /// Whether it only looks. What operators do with commands that need one and do more is noted in the audit log.
    pub only_looks: bool,
    /// How long it may take.
    pub deadline: Duration,
    /// Makes `..Spec::DEFAULT` survive new fields.
    #[doc(hidden)]
    pub _more: (),
}

/// How many ordinary commands it counts as to have a password hashed or checked: a few milliseconds of a core, and 20 MB.
pub const PASSWORD_COST: u32 = 20;

/// How long a command may take. Hashing a password behind a full queue takes a second; nothing ordinary takes longer.
pub const DEADLINE: Duration = Duration::from_secs(10);

impl Spec {
    /// What most commands are.
    pub const DEFAULT: Spec = Spec {
        name: "",
        aliases: &[],
        summary: "",
        needs: &[Need::LoggedIn],
        offered: &[],
        examples: "",
        cost: 1,
        activity: true,
        by_hand: true,
        only_looks: false,
        deadline: DEADLINE,
        _more: (),
    };

    /// Whether it is noted in the audit log.
    #[must_use]
    pub fn is_deed(&self) -> bool {
        !self.only_looks && self.needs.iter().any(|need| matches!(need, Need::Operator | Need::Console))
    }
}

/// What has to be so before a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Logged in, with an account or as a guest.
    LoggedIn,
    /// Logged in with an account.
    Account,
    /// Not logged in.
    LoggedOut,
    /// The operator allows guests.
    GuestsAllowed,
    /// The operator has not closed registration.
    RegistrationOpen,
    /// The operator has not switched private chats off.
    PrivateAllowed,
    /// The operator lets private chats go through the server.
    RelayAllowed,
    /// Logged in, or at the server's console: for what one looks at.
    LoggedInOrConsole,
    /// An operator, or the server's console.
    Operator,
    /// The server's console, or `chinwagd ctl`: for what reaches beyond the server.
    Console,
}

pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// The object-safe twin of [`Command`]: what the registry holds.
pub(crate) trait AnyCommand: Send + Sync {
    fn spec(&self) -> &'static Spec;
    fn card(&self) -> Card;
    /// How many ordinary commands a line counts as.
    fn cost(&self, rest: &str) -> u32;
    fn type_name(&self) -> &'static str;
    fn read(&self, rest: &str, body: Option<&str>, view: &View<'_>) -> Result<Ready, Refusal>;
    /// The line as the audit log has it.
    fn audited(&self, rest: &str, body: Option<&str>) -> String;
    fn start<'a>(&'a self, ctx: &'a mut Ctx, ready: Ready) -> Running<'a>;
}

/// How much of a line the audit log keeps: who and why, not a page of it.
const AUDITED_CHARS: usize = 400;

/// Arguments that have been read, on their way to the command they belong to.
pub(crate) struct Ready(Box<dyn std::any::Any + Send>);

impl<C: Command> AnyCommand for C {
    fn spec(&self) -> &'static Spec {
        &C::SPEC
    }

    fn card(&self) -> Card {
        Card {
            name: Cow::Borrowed(C::SPEC.name),
            aliases: C::SPEC.aliases.iter().map(|alias| Cow::Borrowed(*alias)).collect(),
            summary: Cow::Borrowed(C::SPEC.summary),
            args: C::Args::SPECS.iter().map(ArgSpec::card).collect(),
            examples: Cow::Borrowed(""),
        }
    }

    fn cost(&self, rest: &str) -> u32 {
        let optional = C::Args::SPECS.iter().position(|arg| arg.kind.secret && arg.optional);
        match optional {
            // Where none is given, there is no work with it.
            Some(place) if rest.split_whitespace().nth(place).is_some() => C::SPEC.cost.max(PASSWORD_COST),
            _ => C::SPEC.cost,
        }
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<C>()
    }

    fn read(&self, rest: &str, body: Option<&str>, view: &View<'_>) -> Result<Ready, Refusal> {
        Ok(Ready(Box::new(WordList::new(rest, body, view).read_all::<C::Args>()?)))
    }

    fn audited(&self, rest: &str, body: Option<&str>) -> String {
        let mut line = C::SPEC.name.to_owned();
        let mut rest = rest;
        for arg in C::Args::SPECS {
            let (word, after) = match arg.kind.shape {
                Shape::Word => split::word(rest),
                Shape::Rest => (body.unwrap_or(rest).trim(), ""),
            };
            if word.is_empty() {
                break;
            }
            rest = after;
            line.push(' ');
            line.push_str(&(arg.audited)(word));
        }
        if let Some((cut, _)) = line.char_indices().nth(AUDITED_CHARS) {
            line.truncate(cut);
            line.push('…');
        }
        line
    }

    fn start<'a>(&'a self, ctx: &'a mut Ctx, ready: Ready) -> Running<'a> {
        match ready.0.downcast::<C::Args>() {
            Ok(args) => Box::pin(self.run(ctx, *args)),
            Err(_) => unreachable!("a command is started with what it has read itself"),
        }
    }
}

/// Refuses to build a command that nobody could use or document. Called by [`crate::Registry::with`] in a constant.
pub(crate) const fn assert_well_formed(spec: &Spec, args: &[ArgSpec]) {
    assert!(is_lowercase_word(spec.name), "command names are lowercase ASCII letters");
    let mut i = 0;
    while i < spec.aliases.len() {
        assert!(is_lowercase_word(spec.aliases[i]), "aliases are lowercase ASCII letters");
        i += 1;
    }
    assert!(ends_with_full_stop(spec.summary), "a summary is a sentence with a full stop");
    assert!(contains_example(spec.examples), "a command needs at least one example");
    let mut i = 0;
    while i < args.len() {
        assert!(!args[i].help.is_empty(), "every argument needs help");
        if i + 1 < args.len() {
            assert!(matches!(args[i].kind.shape, Shape::Word), "only the last argument may take the rest of the line");
            assert!(!args[i].optional || args[i + 1].optional, "what follows an optional argument is optional");
        }
        i += 1;
    }
}

const fn is_lowercase_word(word: &str) -> bool {
    let bytes = word.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if !bytes[i].is_ascii_lowercase() {
            return false;
        }
        i += 1;
    }
    !bytes.is_empty()
}

const fn ends_with_full_stop(text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty() && bytes[bytes.len() - 1] == b'.'
}

const fn contains_example(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'>' {
            return true;
        }
        i += 1;
    }
    false
}
