//! `register bob secret`: make an account and be logged in.

use chinwag_core::prelude::*;

/// Makes an account and logs in.
pub struct Register;

args! {
    pub struct Args {
        /// the name you want to be known by
        name: Word,
        /// what you will log in with
        password: Secret,
        /// the code you were given, where one is asked for
        invite: Option<Word>,
    }
}

impl Command for Register {
    const SPEC: Spec = Spec {
        name: "register",
        summary: "Make an account and log in.",
        needs: &[Need::LoggedOut, Need::RegistrationOpen],
        examples: "
            fred> register fred secret
            alice, bob, carol, erin | * fred logged in
            fred | * welcome, fred: you are registered and logged in; `help` lists what you can do

            fred> register alice secret
            fred | error[name-taken]: the name `alice` is taken; choose another name, or log in if it is yours
            fred> register all secret
            fred | error[reserved-name]: the name `all` is reserved; choose another name
            fred> register fred/2 secret
            fred | error[bad-name]: `fred/2` cannot be a name; use up to 32 letters, digits, `_`, `-` or `.`, beginning with a letter or digit
            fred> register fred
            fred | error[usage]: `password` is missing: a secret word, without spaces; usage: register <name> <password> [invite]
            fred> register fred my secret word
            fred | error[usage]: there is a word too many; usage: register <name> <password> [invite]

            alice> register fred secret
            alice | error[already-logged-in]: you are logged in already; logout first
        ",
        cost: 20,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { name, password, invite }: Args) -> Outcome {
        ctx.register(&name.0, &password.0, invite.as_ref().map(|code| code.0.as_str())).await
    }
}
