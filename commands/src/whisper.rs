//! `whisper bob psst`: say something to one in the room.

use chinwag_core::prelude::*;

/// Says something to one in the room.
pub struct Whisper;

args! {
    pub struct Args {
        /// who is to hear it
        nick: Member,
        /// what to say
        text: Text,
    }
}

impl Command for Whisper {
    const SPEC: Spec = Spec {
        name: "whisper",
        summary: "Say something to one in your room, and nobody else.",
        examples: "
            in den: bob as Bobby, alice, carol
            alice> /whisper bobby psst
            bob | (whisper) alice : psst
            alice | sent
            alice> /whisper dave psst
            alice | error[not-in-room]: nobody in `den` is called `dave`; `members` lists who is
            alice> /whisper Bobbi psst
            alice | error[not-in-room]: nobody in `den` is called `Bobbi`; did you mean `Bobby`?
            alice> /whisper alice psst
            alice | error[yourself]: you cannot whisper to yourself; name somebody else
            alice> /whisper carol
            alice | error[usage]: `text` is missing: some text; usage: whisper <nick> <text...>

            in den: erin, alice
            alice> /whisper erin psst
            alice | error[blocked]: `erin` does not take messages from you; the message was not sent

            alice> whisper bob psst
            alice | error[no-room]: you are in no room; join ROOM, or create ROOM; `rooms` lists those there are
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { nick, text }: Args) -> Outcome {
        ctx.say(Recipient::Member { room: nick.room, user: nick.id }, Addressee::User(nick.name), text.0)
    }
}
