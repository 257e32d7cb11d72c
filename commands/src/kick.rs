//! `kick bob too loud`: put somebody out of the room.

use chinwag_core::prelude::*;

/// Puts somebody out of the room.
pub struct Kick;

args! {
    pub struct Args {
        /// who has to go
        nick: Member,
        /// why
        reason: Option<Text>,
    }
}

impl Command for Kick {
    const SPEC: Spec = Spec {
        name: "kick",
        summary: "Put somebody out of your room; they may come back.",
        examples: "
            in den: alice, bob, carol
            alice> /kick bob too loud
            alice, bob, carol | * [den] bob was put out by alice: too loud
            alice | ok
            carol> /kick alice
            carol | error[not-permitted]: only moderators of `den` may do this; `members` lists them
            alice> /kick alice
            alice | error[yourself]: you cannot do this to yourself; leave, if you want to go
            alice> /kick dave
            alice | error[not-in-room]: nobody in `den` is called `dave`; `members` lists who is

            alice> kick bob
            alice | error[no-room]: you are in no room; join ROOM, or create ROOM; `rooms` lists those there are
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { nick, reason }: Args) -> Outcome {
        ctx.submit(Act::ChangeRoom { room: nick.room, change: RoomChange::Kick { who: nick.id, reason: reason.map(|reason| reason.0) } })
            .map(drop)
    }
}
