//! `endcode 17`: end an invite code.

use std::borrow::Cow;

use chinwag_core::prelude::*;
use chinwag_core::wire::name;

/// Ends an invite code.
pub struct Endcode;

args! {
    pub struct Args {
        /// which: its number, or its whole code, which begins with it
        code: InviteNumber,
    }
}

/// The number of an invite. Whoever has the whole code at hand may give that; its secret is dropped at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InviteNumber(u64);

impl Arg for InviteNumber {
    const KIND: Kind = Kind { label: Cow::Borrowed("the number of an invite code"), ..Kind::WORD };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        let number = without_secret(word);
        let wrong = |_| Refusal::new(code::USAGE, format!("`{}` is not the number of an invite code", name::shortened(number)));
        number.parse().map(InviteNumber).map_err(wrong)
    }

    fn audited(word: &str) -> Cow<'_, str> {
        Cow::Borrowed(without_secret(word))
    }
}

fn without_secret(code: &str) -> &str {
    code.split('-').next().unwrap_or_default()
}

impl Command for Endcode {
    const SPEC: Spec = Spec {
        name: "endcode",
        summary: "End an invite code: nobody can register with it any more.",
        needs: &[Need::Operator],
        examples: "
            carol> endcode 17
            carol | error[no-such-invite]: there is no invite code 17; `codes` lists those that are good
            carol> endcode 17-9c81d0e7b3kx24mz
            carol | error[no-such-invite]: there is no invite code 17; `codes` lists those that are good
            carol> endcode bob
            carol | error[usage]: `bob` is not the number of an invite code; usage: endcode <code>
            carol> endcode
            carol | error[usage]: `code` is missing: the number of an invite code; usage: endcode <code>
            alice> endcode 17
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> endcode 17
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { code: InviteNumber(number) }: Args) -> Outcome {
        ctx.submit(Act::Uninvite { number }).map(drop)
    }
}
