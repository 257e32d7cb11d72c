//! `login bob secret`: log in with a password.

use chinwag_core::prelude::*;

/// Logs in with a password.
pub struct Login;

args! {
    pub struct Args {
        /// the name of your account
        name: Word,
        /// its password
        password: Secret,
    }
}

impl Command for Login {
    const SPEC: Spec = Spec {
        name: "login",
        summary: "Log in with your password.",
        // Whoever is logged in under this name already hears so, which is no reason to be refused.
        needs: &[],
        offered: &[Need::LoggedOut],
        examples: "
            dave> login dave secret
            alice, bob, carol, erin | * dave logged in
            dave | * welcome back, dave

            someone> login alice secret
            someone | error[session-exists]: `alice` is logged in already; log out there first, or log in with another name

            someone> login davee secret
            someone | error[no-such-user]: there is no user `davee`; to sign up: register davee PASSWORD
            someone> login dave
            someone | error[usage]: `password` is missing: a secret word, without spaces; usage: login <name> <password>
            alice> login bob secret
            alice | error[already-logged-in]: you are logged in already; logout first
            alice> login alice secret
            alice | * welcome back, alice

            someone> login dave Secret
            someone | error[wrong-password]: the password for `dave` is wrong; try again
            someone> login dave password
            someone | error[wrong-password]: the password for `dave` is wrong; try again
            someone> login dave 12345
            someone | error[locked-out]: too many wrong passwords: `dave` is locked out for 60 seconds from here; wait, or log in from where you usually do
        ",
        cost: 20,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { name, password }: Args) -> Outcome {
        ctx.log_in(&name.0, &password.0).await
    }
}
