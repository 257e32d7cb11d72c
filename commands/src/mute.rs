//! `mute bob 10m`: have somebody be quiet in the room.

use chinwag_core::prelude::*;

/// Has somebody be quiet.
pub struct Mute;

args! {
    pub struct Args {
        /// who
        nick: Member,
        /// for how long
        term: Term,
    }
}

impl Command for Mute {
    const SPEC: Spec = Spec {
        name: "mute",
        summary: "Have somebody say nothing in your room for a while.",
        examples: "
            in den: alice, bob, carol
            alice> /mute bob 10m
            alice, bob, carol | * [den] bob was muted by alice until 2026-01-01 00:10:00Z
            alice | ok
            bob> /mute alice 1m
            bob | error[not-permitted]: only moderators of `den` may do this; `members` lists them
            alice> /mute carol
            alice | error[usage]: `term` is missing: a length of time like 15m, 1h, 2d, or `forever`; usage: mute <nick> <term>
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { nick, term }: Args) -> Outcome {
        let until = term.0.map(|term| ctx.now().plus(term));
        ctx.submit(Act::ChangeRoom { room: nick.room, change: RoomChange::Mute { who: nick.id, until } }).map(drop)
    }
}
