//! `operators`: who looks after this server.

use chinwag_core::prelude::*;
use chinwag_core::wire::PeopleOf;

use crate::listing;

/// Lists the operators.
pub struct Operators;

impl Command for Operators {
    const SPEC: Spec = Spec {
        name: "operators",
        summary: "List who looks after this server, online or not.",
        needs: &[Need::LoggedInOrConsole],
        examples: "
            alice> operators
            alice | operators: carol
            console> operators
            console | operators: carol

            someone> operators
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        let operators = ctx.view(|view| {
            let hall = view.hall();
            listing::names(PeopleOf::Operators, hall.users().filter(|(id, _)| hall.is_operator(*id)))
        });
        ctx.reply(operators);
        Ok(())
    }
}
