//! `roombans`: who has to stay out of the room.

use chinwag_core::hall::RoomBan;
use chinwag_core::prelude::*;

use crate::listing::LISTED_MAX;

/// Lists who has to stay out.
pub struct Roombans;

impl Command for Roombans {
    const SPEC: Spec = Spec {
        name: "roombans",
        summary: "List who has to stay out of your room.",
        examples: "
            in den: alice, bob
            bob> /roombans
            bob | * nobody is banned from den

            alice> roombans
            alice | error[no-room]: you are in no room; join ROOM, or create ROOM; `rooms` lists those there are
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        let (room, bans) = ctx.view(|view| {
            let (_, room, _) = view.my_room()?;
            let in_force = room.bans.iter().filter(|(_, ban)| ban.until.is_none_or(|until| until > view.now));
            let bans: Vec<(String, RoomBan)> = in_force.take(LISTED_MAX).map(|(name, ban)| (name.to_string(), ban.clone())).collect();
            Ok::<_, Refusal>((room.row.name.clone(), bans))
        })?;
        let mut text = if bans.is_empty() { format!("* nobody is banned from {room}") } else { format!("* banned from {room}:") };
        let mut listed = Vec::new();
        for (name, ban) in &bans {
            let until = ban.until.map_or("forever".to_owned(), |until| format!("until {until}"));
            let reason = ban.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
            text += &format!("{} {name} {until}, by {}{reason}", if listed.is_empty() { "" } else { ";" }, ban.by);
            listed.push(name.clone());
        }
        ctx.reply(Event::Fact(Fact::new("roombans", text).with("room", room).with("bans", listed)));
        Ok(())
    }
}
