//! `operator add bob`, `operator remove bob`: who looks after this server.

use std::borrow::Cow;

use chinwag_core::prelude::*;

/// Makes somebody an operator, or no operator any more.
pub struct Operator;

/// Which of the two.
pub struct AddOrRemove;

impl Words for AddOrRemove {
    const LABEL: &'static str = "`add` or `remove`";
    const WORDS: &'static [Cow<'static, str>] = &[Cow::Borrowed("add"), Cow::Borrowed("remove")];
}

args! {
    pub struct Args {
        /// whether to make them an operator or to end it
        what: Choice<AddOrRemove>,
        /// who, online or not; they are told if they are here
        user: KnownUser,
    }
}

impl Command for Operator {
    const SPEC: Spec = Spec {
        name: "operator",
        summary: "Make a user an operator, or no operator any more.",
        needs: &[Need::Operator],
        examples: "
            console> operator add bob
            bob | * you are an operator now; `help` lists what you can do
            console | bob is an operator now

            carol> operator add dave
            carol | dave is an operator now
            carol> operator remove carol
            carol | * you are no operator any more
            carol | carol is no operator any more
            carol> operator add carol
            carol | error[not-permitted]: only operators may do this; `operators` lists whom to ask

            console> operator add carol
            console | error[already-operator]: `carol` is an operator already; `operators` lists them
            console> operator remove bob
            console | error[not-operator]: `bob` is no operator; `operators` lists them
            console> operator ad bob
            console | error[usage]: `ad` is not `add` or `remove`; did you mean `add`?
            console> operator add
            console | error[usage]: `user` is missing: a user; usage: operator <what> <user>
            alice> operator add alice
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> operator add alice
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { what, user }: Args) -> Outcome {
        let operator = what.word == "add";
        ctx.submit(Act::SetOperator { user: user.id, operator })?;
        ctx.refresh_cards(user.id);
        let now = if operator { "an operator now" } else { "no operator any more" };
        ctx.reply(Event::Fact(Fact::new("operator", format!("{} is {now}", user.name)).with("name", user.name).with("operator", operator)));
        Ok(())
    }
}
