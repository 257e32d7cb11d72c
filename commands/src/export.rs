//! `export`, `export after:812`: everything that the server has about you.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chinwag_core::hall::{Hall, User};
use chinwag_core::prelude::*;
use chinwag_core::wire::Millis;
use chinwag_core::wire::name::{folded, shortened};

use crate::listing::{LISTED_MAX, first};

/// Gives out what there is about the asker.
pub struct Export;

args! {
    pub struct Args {
        /// go on there, as `after:812`, `blocks:bob` or `rooms:den`: the answer before tells where, as long as there is more
        after: Option<After>,
    }
}

/// Where an answer goes on: only what comes after this. What is about the account comes first, then what was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Messages with a greater number.
    Message(u64),
    /// Whom they block, behind this folded name.
    Block(String),
    /// Rooms behind this folded name.
    Room(String),
}

impl Arg for After {
    const KIND: Kind = Kind { label: Cow::Borrowed("`after:812`, `blocks:NAME` or `rooms:NAME`"), ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        let wrong = || Refusal::new(code::USAGE, format!("`{}` is not like `after:812`, `blocks:NAME` or `rooms:NAME`", shortened(word)));
        match word.split_once(':') {
            Some(("after", number)) => Number::read(number, view).map(|Number(after)| After::Message(after)).map_err(|_| wrong()),
            Some(("blocks", name)) => Ok(After::Block(folded(name))),
            Some(("rooms", name)) => Ok(After::Room(folded(name))),
            _ => Err(wrong()),
        }
    }
}

impl Command for Export {
    const SPEC: Spec = Spec {
        name: "export",
        summary: "Give you all that the server has about you, without secrets: your account, then page by page what you said and were told.",
        needs: &[Need::Account],
        examples: "
            alice> export
            alice | * account alice, made 2026-01-01 00:00:00Z
            alice | * session since 2026-01-01 00:00:00Z, from 192.0.2.1
            alice | * 0 messages: that is all

            in den: erin, bob
            erin> /export
            erin | * account erin, made 2026-01-01 00:00:00Z
            erin | * session since 2026-01-01 00:00:00Z, from 192.0.2.1
            erin | * blocks alice
            erin | * belongs to den, as erin: owner
            erin | * 0 messages: that is all

            alice> export after:812
            alice | * 0 messages: that is all
            alice> export 812
            alice | error[usage]: `812` is not like `after:812`, `blocks:NAME` or `rooms:NAME`; usage: export [after]
            someone> export
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 10,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { after }: Args) -> Outcome {
        let user = ctx.user()?;
        let seq = if let Some(After::Message(seq)) = after { Some(seq) } else { None };
        if seq.is_none() {
            let About { facts, next } = ctx.view(|view| about(view.hall(), view.now, user, after.as_ref(), LISTED_MAX));
            for fact in facts {
                ctx.reply(Event::Fact(fact));
            }
            if let Some(next) = next {
                let rest = Fact::new("export.rest", format!("* there is more about you; it goes on: export {next}")).with("next", next);
                ctx.reply(Event::Fact(rest));
                return Ok(());
            }
        }
        let page = ctx.onward(seq.unwrap_or(0)).await?;
        if let Some(gone) = page.gone.filter(|_| seq.is_none()) {
            ctx.reply(Event::Fact(gone_up_to(gone)));
        }
        let count = page.said.len();
        for said in page.said {
            ctx.reply(Event::Past(said));
        }
        let messages = format!("{count} message{}", if count == 1 { "" } else { "s" });
        let end = if page.more {
            Fact::new("export.more", format!("* {messages}; it goes on: export after:{}", page.through)).with("next", page.through)
        } else {
            Fact::new("export.end", format!("* {messages}: that is all"))
        };
        ctx.reply(Event::Fact(end.with("count", count)));
        Ok(())
    }
}

/// A page of what there is of somebody besides what was said.
struct About {
    /// Each a line.
    facts: Vec<Fact>,
    /// Where the next page begins, if there is one.
    next: Option<String>,
}

/// What there is of somebody behind `after`: the account, then at most `most` of whom they block and the rooms that concern them.
fn about(hall: &Hall, now: Millis, id: UserId, after: Option<&After>, most: usize) -> About {
    let Some(user) = hall.user(id) else { return About { facts: Vec::new(), next: None } };
    let mut facts = if after.is_none() { account(hall, now, id, user) } else { Vec::new() };
    let mut left = most;
    if !matches!(after, Some(After::Room(_))) {
        let is_behind = |name: &str| if let Some(After::Block(after)) = after { folded(name) > *after } else { true };
        let blocks = user.blocks.iter().filter_map(|other| Some((*other, hall.user(*other)?)));
        let (blocks, more) = first(blocks.filter(|(_, other)| is_behind(&other.name)).map(|(_, other)| (folded(&other.name), other)), left);
        left -= blocks.len();
        let last = blocks.last().map(|other| format!("blocks:{}", other.name));
        let told = |name: &str| Fact::new("export.block", format!("* blocks {name}")).with("name", name);
        facts.extend(blocks.into_iter().map(|other| told(&other.name)));
        if more {
            return About { facts, next: last };
        }
    }
    // With none behind the last of whom they block, the rooms begin with the next page: every name is greater than none.
    let behind = if let Some(After::Room(after)) = after { after.as_str() } else { "" };
    let own_name = folded(&user.name);
    let banned = hall.rooms(now).filter(|(_, room)| room.ban(&own_name, now).is_some());
    let concern = hall.rooms_of(id).chain(hall.rooms_inviting(id)).filter(|(_, room)| !room.is_over(now)).chain(banned);
    let concern: BTreeMap<RoomId, &Room> = concern.collect();
    let concern = concern.into_values().map(|room| (folded(&room.row.name), room)).filter(|(name, _)| name.as_str() > behind);
    let (rooms, more) = first(concern, left);
    let next = more.then(|| format!("rooms:{}", rooms.last().map_or(behind, |room| &room.row.name)));
    facts.extend(rooms.into_iter().flat_map(|room| in_room(room, id, &own_name, now)));
    About { facts, next }
}

/// The account itself, its sessions and its tokens: each has a bound of its own.
fn account(hall: &Hall, now: Millis, id: UserId, user: &User) -> Vec<Fact> {
    let operator = if hall.is_operator(id) { "; an operator" } else { "" };
    let account = Fact::new("export.account", format!("* account {}, made {}{operator}", user.name, user.created));
    let account = account.with("name", &*user.name).with("created", user.created.0).with("cursor", user.cursor);
    let mut facts = vec![account.with("operator", hall.is_operator(id))];
    for session in user.sessions.iter().filter_map(|session| hall.session(*session)) {
        let told = Fact::new("export.session", format!("* session since {}, from {}", session.since, session.address));
        facts.push(told.with("since", session.since.0).with("address", session.address.to_string()));
    }
    for expires in hall.tokens_of(id, now) {
        facts.push(Fact::new("export.token", format!("* a session token, good until {expires}")).with("expires", expires.0));
    }
    facts
}

/// What there is of somebody in a room: they know it, having been in it or asked into it.
fn in_room(room: &Room, id: UserId, folded_name: &str, now: Millis) -> Vec<Fact> {
    let about = |kind: &str, text: String| Fact::new(kind, text).with("room", &*room.row.name);
    let room_name = &room.row.name;
    let mut facts = Vec::new();
    if let Some(member) = room.members.get(&id) {
        let muted = member.muted_until.filter(|until| *until > now);
        let until = muted.map_or(String::new(), |until| format!(", muted until {until}"));
        let told = about("export.room", format!("* belongs to {room_name}, as {}: {}{until}", member.nick, member.role.word()));
        let told =
            told.with("nick", &*member.nick).with("role", member.role.word()).with("since", member.since).with("in", member.tuned_in);
        facts.push(match muted {
            Some(until) => told.with("muted_until", until.0),
            None => told,
        });
    }
    if room.invites(id) {
        facts.push(about("export.invited", format!("* invited into {room_name}")));
    }
    if let Some(ban) = room.ban(folded_name, now) {
        let until = ban.until.map_or(String::new(), |until| format!(" until {until}"));
        let reason = ban.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        let told = about("export.banned", format!("* may not come into {room_name}{until}{reason}"));
        let told = ban.until.map_or(told.clone(), |until| told.with("until", until.0));
        facts.push(ban.reason.as_ref().map_or(told.clone(), |reason| told.with("reason", &**reason)));
    }
    facts
}

#[cfg(test)]
mod tests {
    use chinwag_core::hall::rooms::LoadedRooms;
    use chinwag_core::hall::{AccountRow, Loaded, Policy, RoomRow};

    use super::*;

    /// A hall where the first blocks the nine others and is invited into five rooms.
    fn hall() -> Hall {
        let account = |id: i64| AccountRow {
            user: UserId(id),
            name: format!("User{id:02}"),
            password: String::new(),
            joined: 0,
            cursor: 0,
            last_seen: None,
            operator: false,
            created: Millis(0),
        };
        let room = |id: i64| RoomRow {
            room: RoomId(id),
            name: format!("Room{id}"),
            topic: None,
            description: None,
            access: RoomAccess::Invited,
            password: None,
            kept: true,
            archived: false,
            created: Millis(0),
        };
        let rooms = LoadedRooms {
            last: 5,
            rooms: (1..=5).map(room).collect(),
            invited: (1..=5).map(|id| (RoomId(id), UserId(1))).collect(),
            ..LoadedRooms::default()
        };
        let blocks = (2..=10).map(|other| (UserId(1), UserId(other))).collect();
        Hall::load(
            Policy::default(),
            Loaded { last_account: 10, accounts: (1..=10).map(account).collect(), blocks, rooms, ..Loaded::default() },
        )
    }

    #[test]
    fn every_page_is_bounded_and_together_they_are_all_there_is() {
        let hall = hall();
        let lines = |about: &About| about.facts.iter().map(|fact| fact.text.clone()).collect::<Vec<_>>();
        let whole = lines(&about(&hall, Millis(0), UserId(1), None, usize::MAX));
        assert_eq!(whole.len(), 1 + 9 + 5);
        for most in 1..=whole.len() {
            let mut page = about(&hall, Millis(0), UserId(1), None, most);
            let mut pages = lines(&page);
            assert!(pages.len() <= most + 1, "the account, and {most}: {pages:?}");
            while let Some(next) = page.next {
                let after = match next.split_once(':') {
                    Some(("blocks", name)) => After::Block(folded(name)),
                    Some(("rooms", name)) => After::Room(folded(name)),
                    _ => panic!("{next}"),
                };
                page = about(&hall, Millis(0), UserId(1), Some(&after), most);
                assert!(page.facts.len() <= most, "{most}: {:?}", lines(&page));
                pages.extend(lines(&page));
            }
            assert_eq!(pages, whole, "{most}");
        }
    }
}
