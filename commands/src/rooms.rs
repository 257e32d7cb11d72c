//! `rooms`: which rooms there are.

use std::collections::BTreeMap;

use chinwag_core::hall::Room;
use chinwag_core::prelude::*;
use chinwag_core::wire::RoomLine;

use crate::listing::LISTED_MAX;

/// How many rooms are looked at for one list: most may be listed, and nobody else does anything meanwhile.
const LOOKED_AT_MAX: usize = 8 * LISTED_MAX;

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
            let (me, hall) = (view.me(), view.hall());
            // Of too many, those where most is going on, and one's own.
            let others = hall.rooms(view.now).take(LOOKED_AT_MAX).filter(|(_, room)| view.lists(room)).take(LISTED_MAX + 1);
            let mine = me.into_iter().flat_map(|me| hall.rooms_of(me)).filter(|(_, room)| !room.is_over(view.now));
            let listed: BTreeMap<RoomId, &Room> = others.chain(mine).collect();
            let more = listed.len() > LISTED_MAX || hall.room_count() > LOOKED_AT_MAX;
            let mut rooms: Vec<RoomLine> = listed
                .into_values()
                .map(|room| {
                    let membership = me.and_then(|me| room.members.get(&me));
                    RoomLine {
                        name: room.row.name.clone(),
                        here: room.here(),
                        topic: room.row.topic.clone(),
                        access: room.row.access,
                        mine: membership.is_some_and(|member| member.tuned_in),
                        member: membership.is_some(),
                        archived: room.row.archived,
                    }
                })
                .collect();
            rooms.sort_by(|a, b| b.mine.cmp(&a.mine).then_with(|| b.here.cmp(&a.here)).then_with(|| a.name.cmp(&b.name)));
            rooms.truncate(LISTED_MAX);
            (rooms, more)
        });
        rooms.sort_by_cached_key(|room| room.name.to_lowercase());
        ctx.reply(Event::Rooms { rooms, more });
        Ok(())
    }
}
