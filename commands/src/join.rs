//! `join den`, `join den Bobby`: come into a room.

use chinwag_core::prelude::*;

/// Comes into a room.
pub struct Join;

args! {
    pub struct Args {
        /// which room
        room: RoomName,
        /// what you want to be called in it; your name if not given
        nick: Option<Word>,
        /// the password, if the room has one
        password: Option<Secret>,
    }
}

impl Command for Join {
    const SPEC: Spec = Spec {
        name: "join",
        summary: "Come into a room; what you type there is said to all in it.",
        examples: "
            in den: bob, carol as Caz
            alice> join den
            bob, carol | * [den] alice came in
            alice | * you are in den, as alice; with bob, Caz; what you type is said to all in it, commands begin with /

            in den: bob, carol as Caz
            alice> join #den Ally
            bob, carol | * [den] Ally came in
            alice | * you are in den, as Ally; with bob, Caz; what you type is said to all in it, commands begin with /

            in den: bob
            alice> join dne
            alice | error[no-such-room]: there is no room `dne`; did you mean `den`?
            alice> join den bob
            alice | error[name-taken]: the name `bob` is taken; choose another name

            in den: bob, alice
            alice> /join den
            alice | error[already-in-room]: you are in `den` already; what you type is said to all in it
            alice> /join den Ally
            bob | * [den] alice is called Ally now
            alice | * you are in den, as Ally; with bob; what you type is said to all in it, commands begin with /

            in attic: bob
            in den: alice
            alice> /join attic
            alice | error[already-in-room]: you are in `den` already; leave first
        ",
        // What was missed is read.
        cost: 5,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { room, nick, password }: Args) -> Outcome {
        ctx.join_room(room.id, nick.map(|nick| nick.0), password.as_ref().map(|password| password.0.as_str())).await
    }
}
