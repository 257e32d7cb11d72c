//! `roll 2d6`: roll dice for everyone to see.

use std::borrow::Cow;

use chinwag_core::prelude::*;
use chinwag_core::wire::name::shortened;

/// How many dice may be rolled at once: what still fits in a line.
pub(crate) const DICE_MAX: u32 = 100;

/// How many sides a die may have: more than any that is sold.
pub(crate) const SIDES_MAX: u32 = 1000;

/// Rolls dice.
pub(crate) struct Roll;

args! {
    pub(crate) struct Args {
        /// how many dice, and of how many sides
        dice: Dice,
    }
}

impl Command for Roll {
    const SPEC: Spec = Spec {
        name: "roll",
        summary: "Roll dice for everyone to see.",
        examples: "
            alice> roll 2d6
            alice, bob, carol | alice rolled 2d6: 3 + 5 = 8
            alice | ok

            erin> roll 1D20
            bob, carol, erin | erin rolled 1d20: 19
            erin | ok

            alice> roll 101d6
            alice | error[usage]: `101d6` is out of bounds: up to 100 dice of 2 to 1000 sides; usage: roll <dice>
            alice> roll 2d1
            alice | error[usage]: `2d1` is out of bounds: up to 100 dice of 2 to 1000 sides; usage: roll <dice>
            alice> roll six
            alice | error[usage]: `six` is not a number of dice such as `2d6`; usage: roll <dice>
            alice> roll
            alice | error[usage]: `dice` is missing: dice, like 2d6; usage: roll <dice>
            someone> roll 2d6
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { dice }: Args) -> Outcome {
        let rolled: Vec<u32> = (0..dice.count).map(|_| ctx.roll(dice.sides)).collect();
        let total: u32 = rolled.iter().sum();
        let mut sum = rolled.iter().map(u32::to_string).collect::<Vec<_>>().join(" + ");
        if rolled.len() > 1 {
            sum.push_str(&format!(" = {total}"));
        }
        let text = format!("{} rolled {}d{}: {sum}", ctx.name(), dice.count, dice.sides);
        ctx.show_everyone(Fact::new("acme.roll", text).with("total", total))
    }
}

/// So many dice of so many sides: `2d6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dice {
    count: u32,
    sides: u32,
}

impl Arg for Dice {
    const KIND: Kind = Kind { label: Cow::Borrowed("dice, like 2d6"), ..Kind::WORD };

    fn read(word: &str, _: &View<'_>) -> Result<Self, Refusal> {
        let numbers = word.split_once(['d', 'D']);
        let dice = numbers.and_then(|(count, sides)| Some((count.parse().ok()?, sides.parse().ok()?)));
        let word = shortened(word);
        let wrong = match dice {
            Some((count @ 1..=DICE_MAX, sides @ 2..=SIDES_MAX)) => {
                return Ok(Dice { count, sides });
            }
            Some(_) => format!("`{word}` is out of bounds: up to {DICE_MAX} dice of 2 to {SIDES_MAX} sides"),
            None => format!("`{word}` is not a number of dice such as `2d6`"),
        };
        // Without a hint of its own, a refusal is given the usage.
        Err(Refusal::new(code::USAGE, wrong))
    }
}
