//! `members`, `members den`: who is in a room.

use chinwag_core::hall::rooms::no_room;
use chinwag_core::prelude::*;
use chinwag_core::wire::MemberLine;

use crate::listing::LISTED_MAX;

/// Lists who is in a room.
pub struct Members;

args! {
    pub struct Args {
        /// which room; yours if not given
        room: Option<RoomName>,
    }
}

impl Command for Members {
    const SPEC: Spec = Spec {
        name: "members",
        summary: "List who is in your room, or in another you may know of.",
        examples: "
            in den: bob, carol as Caz
            alice> members den
            alice | bob: here, owner
            alice | Caz (carol): here
            alice | * 2 members in den

            in den: bob, alice, erin
            alice> /members
            alice | alice: here
            alice | bob: here, owner
            alice | * 2 members in den

            alice> members
            alice | error[no-room]: you are in no room; join ROOM, or create ROOM; `rooms` lists those there are
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { room }: Args) -> Outcome {
        let members = ctx.view(|view| {
            let (room, mine) = match &room {
                Some(named) => (view.hall().room(named.id), false),
                None => (Some(view.my_room()?.1), true),
            };
            let Some(room) = room else { return Err(no_room()) };
            let me = view.me();
            if !mine && room.row.access != RoomAccess::Public && !me.is_some_and(|me| room.members.contains_key(&me)) {
                let text = format!("only those who belong to `{}` may know who does", room.row.name);
                return Err(Refusal::new(code::NOT_PERMITTED, text).hint("join it first"));
            }
            let listed = room.members.values().filter(|member| Some(member.user) == me || view.sees(member.user));
            let mut members: Vec<MemberLine> = listed
                .filter_map(|member| {
                    let user = view.hall().user(member.user)?;
                    let here = member.tuned_in && user.is_online();
                    Some(MemberLine {
                        nick: member.nick.clone(),
                        name: (*user.name != *member.nick).then(|| user.name.to_string()),
                        role: member.role,
                        here,
                        idle: view.idle(member.user).filter(|_| here),
                        muted_until: member.muted_until.filter(|until| *until > view.now),
                    })
                })
                .collect();
            members.sort_by(|a, b| b.here.cmp(&a.here).then_with(|| a.nick.to_lowercase().cmp(&b.nick.to_lowercase())));
            let more = members.len() > LISTED_MAX;
            members.truncate(LISTED_MAX);
            Ok(Event::Members { room: room.row.name.clone(), members, more })
        })?;
        ctx.reply(members);
        Ok(())
    }
}
