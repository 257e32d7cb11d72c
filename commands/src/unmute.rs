//! `unmute bob`: let somebody speak again.

use chinwag_core::prelude::*;

/// Lets somebody speak again.
pub struct Unmute;

args! {
    pub struct Args {
        /// who
        nick: Member,
    }
}

impl Command for Unmute {
    const SPEC: Spec = Spec {
        name: "unmute",
        summary: "Let somebody speak in your room again.",
        examples: "
            in den: alice, bob
            alice> /unmute bob
            alice, bob | * [den] bob may speak again by alice
            alice | ok
            bob> /unmute bob
            bob | error[not-permitted]: only moderators of `den` may do this; `members` lists them
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { nick }: Args) -> Outcome {
        ctx.submit(Act::ChangeRoom { room: nick.room, change: RoomChange::Unmute { who: nick.id } }).map(drop)
    }
}
