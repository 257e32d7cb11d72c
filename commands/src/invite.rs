//! `invite dave`: tell somebody of the room and let them in.

use chinwag_core::prelude::*;

/// Invites somebody into the room.
pub struct Invite;

args! {
    pub struct Args {
        /// who may come in
        user: KnownUser,
    }
}

impl Command for Invite {
    const SPEC: Spec = Spec {
        name: "invite",
        summary: "Invite somebody into your room: they may come in, whatever it takes otherwise.",
        examples: "
            in den: alice, bob
            alice> /invite carol
            carol | * alice invites you to den: join den
            alice | ok
            alice> /invite bob
            alice | error[already-in-room]: `bob` belongs to `den` already; `members` lists who does
            alice> /invite alice
            alice | error[yourself]: you are in it already; name somebody else
            alice> /invite erin
            alice | error[blocked]: `erin` does not take messages from you; the message was not sent
            alice> /invite nobody
            alice | error[no-such-user]: there is no user `nobody`; `users` lists everyone

            alice> invite bob
            alice | error[no-room]: you are in no room; join ROOM, or create ROOM; `rooms` lists those there are
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { user }: Args) -> Outcome {
        let room = ctx.view(|view| view.my_room().map(|(id, ..)| id))?;
        ctx.submit(Act::ChangeRoom { room, change: RoomChange::Invite { who: user.id } }).map(drop)
    }
}
