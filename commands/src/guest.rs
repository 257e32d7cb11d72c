//! `guest fred`: come in without an account.

use chinwag_core::prelude::*;

/// Comes in without an account.
pub struct Guest;

args! {
    pub struct Args {
        /// the name you want to be known by until you log out; one is found for you if not given
        name: Option<Word>,
    }
}

impl Command for Guest {
    const SPEC: Spec = Spec {
        name: "guest",
        summary: "Come in without an account, where guests are allowed.",
        needs: &[Need::LoggedOut, Need::GuestsAllowed],
        examples: "
            fred> guest fred
            alice, bob, carol, erin | * fred logged in
            fred | * welcome, fred: you are a guest; `help` lists what you can do

            fred> guest alice
            fred | error[name-taken]: the name `alice` is taken; choose another name, or log in if it is yours
            fred> guest all
            fred | error[reserved-name]: the name `all` is reserved; choose another name
            alice> guest fred
            alice | error[already-logged-in]: you are logged in already; logout first
        ",
        cost: 5,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { name }: Args) -> Outcome {
        ctx.come_as_guest(name.map(|name| name.0))
    }
}
