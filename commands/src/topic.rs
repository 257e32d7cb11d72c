//! `topic`, `topic tea at five`, `topic -`: what the room is about.

use chinwag_core::prelude::*;

/// Shows or sets what the room is about.
pub struct Topic;

args! {
    pub struct Args {
        /// what it is about; `-` for nothing any more
        text: Option<Text>,
    }
}

impl Command for Topic {
    const SPEC: Spec = Spec {
        name: "topic",
        summary: "Show what your room is about at the moment, or set it; - takes it away.",
        examples: "
            in den: alice, bob
            alice> /topic tea at five
            alice, bob | * [den] alice set the topic: tea at five
            alice | ok
            bob> /topic
            bob | * den is about: tea at five
            bob> /topic coffee
            bob | error[not-permitted]: only moderators of `den` may do this; `members` lists them
            alice> /topic -
            alice, bob | * [den] alice took the topic away
            alice | ok
            alice> /topic
            alice | * den has no topic

            alice> topic
            alice | error[no-room]: you are in no room; join ROOM, or create ROOM; `rooms` lists those there are
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { text }: Args) -> Outcome {
        let (room, name, topic) =
            ctx.view(|view| view.my_room().map(|(id, room, _)| (id, room.row.name.clone(), room.row.topic.clone())))?;
        let Some(Text(text)) = text else {
            let text = topic.as_ref().map_or(format!("* {name} has no topic"), |topic| format!("* {name} is about: {topic}"));
            ctx.reply(Event::Fact(Fact::new("topic", text).with("room", name).with("topic", topic)));
            return Ok(());
        };
        ctx.submit(Act::ChangeRoom { room, change: RoomChange::Topic((text != "-").then_some(text)) }).map(drop)
    }
}
