//! `disconnect bob`: end somebody's sessions.

use chinwag_core::hall::Banned;
use chinwag_core::prelude::*;

use crate::reason;

/// Ends all sessions of a user.
pub struct Disconnect;

args! {
    pub struct Args {
        /// whose sessions to end
        user: KnownUser,
        /// why: they are told
        reason: Option<Text>,
    }
}

impl Command for Disconnect {
    const SPEC: Spec = Spec {
        name: "disconnect",
        summary: "End all sessions of a user, who may log in again.",
        needs: &[Need::Operator],
        examples: "
            carol> disconnect bob please update your client
            bob | * disconnected: error[disconnected]: an operator ended this connection: please update your client; log in again if you may
            alice, carol, erin | * bob logged out
            carol | bob is disconnected

            console> disconnect alice
            alice | * disconnected: error[disconnected]: an operator ended this connection; log in again if you may
            bob, carol | * alice logged out
            console | alice is disconnected

            carol> disconnect carol
            carol | error[yourself]: you cannot disconnect yourself; `logout` ends this session
            carol> disconnect dave
            carol | error[not-online]: `dave` is not online; `whoelse` lists who is
            carol> disconnect bobb
            carol | error[no-such-user]: there is no user `bobb`; did you mean `bob`?
            alice> disconnect bob
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> disconnect bob
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { user, reason }: Args) -> Outcome {
        let reason = reason::checked(reason.map(|text| text.0))?;
        let sessions = ctx.view(|view| view.hall().sessions_of(Banned::User(user.id)));
        ctx.put_out(Act::Disconnect { user: user.id, reason }, sessions).await?;
        ctx.reply(Event::Fact(Fact::new("disconnected", format!("{} is disconnected", user.name)).with("name", user.name)));
        Ok(())
    }
}
