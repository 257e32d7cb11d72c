//! `rooms`: which rooms there are.

use chinwag_core::prelude::*;
use chinwag_core::wire::RoomLine;

use crate::listing::LISTED_MAX;

/// Lists the rooms.
pub struct Rooms;

impl Command for Rooms {
    const SPEC: Spec = Spec {
        name: "rooms",
        aliases: &["ls"],
        summary: "List the rooms and how many are in each.",
        needs: &[Need::LoggedInOrConsole],
        examples: "
            alice> rooms
            alice | * 0 rooms

            in den: bob, carol
            console> rooms
            console | den: 2 here
            console | * 1 room
            alice> ls
            alice | den: 2 here
            alice | * 1 room
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        let (mut rooms, more) = ctx.view(|view| {
            let me = view.me();
            let listed = view.hall().rooms(view.now).map(|(_, room)| room).filter(|room| view.lists(room));
            let mut rooms: Vec<RoomLine> = listed
                .map(|room| {
                    let membership = me.and_then(|me| room.members.get(&me));
                    RoomLine {
                        name: room.row.name.clone(),
                        here: room.here,
                        topic: room.row.topic.clone(),
                        access: room.row.access,
                        mine: membership.is_some_and(|member| member.tuned_in),
                        member: membership.is_some(),
                        archived: room.row.archived,
                    }
                })
                .collect();
            // Of too many, those where most is going on.
            rooms.sort_by(|a, b| b.here.cmp(&a.here).then_with(|| a.name.cmp(&b.name)));
            let more = rooms.len() > LISTED_MAX;
            rooms.truncate(LISTED_MAX);
            (rooms, more)
        });
        rooms.sort_by_key(|room| room.name.to_lowercase());
        ctx.reply(Event::Rooms { rooms, more });
        Ok(())
    }
}
