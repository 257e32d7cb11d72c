//! `keep on`, `keep off`: whether the room stays when everyone has left.

use chinwag_core::prelude::*;

use crate::switch::OnOff;

/// Has the room stay, or not.
pub struct Keep;

args! {
    pub struct Args {
        /// whether it stays
        state: Choice<OnOff>,
    }
}

impl Command for Keep {
    const SPEC: Spec = Spec {
        name: "keep",
        summary: "Have your room stay when everyone has left, or not; members of one that stays find what was said meanwhile.",
        examples: "
            in den: alice, bob
            alice> /keep on
            alice, bob | * [den] alice keeps the room: it stays when everyone has left
            alice | ok
            alice> /keep off
            alice, bob | * [den] alice keeps the room no more: it ends when everyone has left
            alice | ok
            bob> /keep on
            bob | error[not-permitted]: only owners of `den` may do this; `members` lists them
            alice> /keep
            alice | error[usage]: `state` is missing: one of on and off; usage: keep <state>
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { state }: Args) -> Outcome {
        let room = ctx.view(|view| view.my_room().map(|(id, ..)| id))?;
        ctx.submit(Act::ChangeRoom { room, change: RoomChange::Kept(state.word == "on") }).map(drop)
    }
}
