//! `unlock bob`: let bob try his password again.

use chinwag_core::prelude::*;

/// Ends lock-outs.
pub struct Unlock;

args! {
    pub struct Args {
        /// who may try their password again, from wherever they are
        user: KnownUser,
    }
}

impl Command for Unlock {
    const SPEC: Spec = Spec {
        name: "unlock",
        summary: "Let a user who gave too many wrong passwords try again at once.",
        needs: &[Need::Operator],
        examples: "
            carol> unlock dave
            carol | dave was not locked out

            carol> unlock davee
            carol | error[no-such-user]: there is no user `davee`; did you mean `dave`?
            alice> unlock dave
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> unlock dave
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { user }: Args) -> Outcome {
        let locked = ctx.view(|view| view.hall().lock_outs(&user.name, view.now));
        ctx.submit(Act::Unlock { name: user.name.clone() })?;
        let told = match locked {
            0 => format!("{} was not locked out", user.name),
            1 => format!("{} can log in again (was locked out from one address)", user.name),
            more => format!("{} can log in again (was locked out from {more} addresses)", user.name),
        };
        ctx.reply(Event::Fact(Fact::new("unlocked", told).with("name", user.name).with("addresses", locked)));
        Ok(())
    }
}
