//! `create den`, `create den Bobby`: make a room.

use chinwag_core::prelude::*;

/// Makes a room and comes in.
pub struct Create;

args! {
    pub struct Args {
        /// what it is to be called
        room: Word,
        /// what you want to be called in it; your name if not given
        nick: Option<Word>,
    }
}

impl Command for Create {
    const SPEC: Spec = Spec {
        name: "create",
        summary: "Make a room and come in; it ends when everyone has left, unless you keep it.",
        examples: "
            alice> create den
            alice | * you have made den, as alice; nobody else is here; what you type is said to all in it, commands begin with /

            alice> create den Ally
            alice | * you have made den, as Ally; nobody else is here; what you type is said to all in it, commands begin with /

            in den: bob
            alice> create den
            alice | error[room-exists]: there is a room `den` already; join den

            alice> create den bob
            alice | error[name-taken]: the name `bob` is taken; choose another name
            alice> create all
            alice | error[reserved-name]: the name `all` is reserved; choose another name
            alice> create no:good
            alice | error[bad-name]: `no:good` cannot be a name; use up to 32 letters, digits, `_`, `-` or `.`, beginning with a letter or digit

            in den: alice
            alice> /create attic
            alice | error[already-in-room]: you are in `den` already; leave first
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { room, nick }: Args) -> Outcome {
        let name = room.0.strip_prefix('#').unwrap_or(&room.0);
        ctx.create_room(name, nick.map(|nick| nick.0))
    }
}
