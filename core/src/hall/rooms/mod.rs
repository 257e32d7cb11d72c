//! Rooms: who belongs to one, who is in it, what they are called there, and what becomes of it.
//!
//! Somebody *belongs* to a room from joining it to leaving it, and is entitled to what is said in it meanwhile. Somebody
//! is *in* a room (it is *tuned in*) while it is the room, or one of the rooms, that their lines go to and that they hear:
//! that goes on when the link drops, so that nothing is lost. They are *here* while they are in it and online.
//!
//! ```text
//!             join                    link drops, times out
//!   waiting ───────► in it and here ────────────────────────► in it, away ──► in it and here (next login)
//!      ▲                 │ leave, logout
//!      ├─────────────────┤  the room is not kept: no member any more
//!      └─────────────────┘  the room is kept: a member still, who finds at the next join what was said
//! ```
//!
//! A room that is not kept ends when nobody is in it any more; if the last ones did not leave but lost their links,
//! [`LINGER`] later.

mod coming;
mod order;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chinwag_wire::{RoomAccess, RoomDeed, RoomNews, RoomRole};

use super::*;
use crate::spoken::Spoken;

pub use order::RoomChange;

/// Where rooms begin among the audiences of what is said: far above the number of any account.
const ROOMS_FROM: i64 = 1 << 40;

/// For how long a room that is not kept waits for those whose links have dropped: a walk through a tunnel, a restart of
/// a laptop.
pub const LINGER: Duration = Duration::from_secs(10 * 60);

/// How many people may belong to one room: twice what the largest public servers count in one.
pub const MEMBERS_MAX: usize = 20_000;

/// How many rooms there may be, for memory: each is about a kilobyte, and its members.
pub const ROOMS_MAX: usize = 50_000;

/// How many rooms one user may belong to: more than anybody follows, and a bound for what a login looks through.
pub const BELONGS_MAX: usize = 500;

/// How many names of those in a room somebody is told who comes in: three lines of a terminal; `members` lists more. A
/// full list for each of thousands who come at once would cost the square of their number.
pub const ENTERED_MAX: usize = 100;

/// How many names a room may hold as banned or invited, each.
pub const LISTED_MAX: usize = 10_000;

/// The longest topic, reason or description, in bytes: a line or two.
pub const TOPIC_BYTES: usize = 512;

/// What a guest without a name is called in a room.
pub const UNKNOWN: &str = "Unknown";

/// A room, for ever: numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomId(pub i64);

impl RoomId {
    /// The audience that means everyone who belongs to the room, in rows.
    #[must_use]
    pub fn audience(self) -> UserId {
        UserId(ROOMS_FROM + self.0)
    }

    /// The room that an audience means, if it means one.
    #[must_use]
    pub fn of_audience(audience: UserId) -> Option<RoomId> {
        (audience.0 > ROOMS_FROM).then(|| RoomId(audience.0 - ROOMS_FROM))
    }
}

/// A room as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    /// Its number.
    pub room: RoomId,
    /// Its name, as it was made.
    pub name: String,
    /// What it is about at the moment.
    pub topic: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Who may come in.
    pub access: RoomAccess,
    /// Its password, as an argon2id PHC string.
    pub password: Option<String>,
    /// It stays when its last member has left.
    pub kept: bool,
    /// Nothing can be said in it any more.
    pub archived: bool,
    /// When it was made.
    pub created: Millis,
}

/// Somebody who belongs to a room, as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// To which room.
    pub room: RoomId,
    /// Who.
    pub user: UserId,
    /// What they are called in it.
    pub nick: String,
    /// What they may do in it.
    pub role: RoomRole,
    /// Until when they may not say anything.
    pub muted_until: Option<Millis>,
    /// They belong to it from here on in the order.
    pub since: u64,
    /// They are in it.
    pub tuned_in: bool,
    /// If they are not: they have heard it up to here. If they are: since when what they type goes to it, which puts the
    /// rooms that somebody is in at a time in their order.
    pub heard: u64,
}

/// Somebody who may not come into a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomBan {
    /// Until when; `None` for ever.
    pub until: Option<Millis>,
    /// By whom.
    pub by: String,
    /// Why, if that was said.
    pub reason: Option<String>,
}

/// A room.
#[derive(Debug)]
pub struct Room {
    /// What the store keeps of it.
    pub row: RoomRow,
    /// Who belongs to it.
    pub members: BTreeMap<UserId, MemberRow>,
    /// What members are called, folded.
    nicks: HashMap<Box<str>, UserId>,
    /// Who may not come in: folded names of accounts and guests.
    pub bans: BTreeMap<Box<str>, RoomBan>,
    /// Which accounts have been invited and have not come yet.
    invited: BTreeSet<UserId>,
    /// The members who are in it and online.
    present: BTreeSet<UserId>,
    /// Since when nobody is, if it is not kept.
    empty_since: Option<Millis>,
    /// The last thing said in it (it may be too high, never too low).
    pub(super) newest: u64,
    /// Comings and goings that nobody has been told of.
    crowd: Crowd,
}

impl Room {
    fn new(row: RoomRow, newest: u64) -> Room {
        Room {
            row,
            members: BTreeMap::new(),
            nicks: HashMap::new(),
            bans: BTreeMap::new(),
            invited: BTreeSet::new(),
            present: BTreeSet::new(),
            empty_since: None,
            newest,
            crowd: Crowd::default(),
        }
    }

    /// How many members are in it and online.
    #[must_use]
    pub fn here(&self) -> usize {
        self.present.len()
    }

    /// The members who are in it and online.
    pub fn present(&self) -> impl Iterator<Item = &MemberRow> {
        self.present.iter().filter_map(|user| self.members.get(user))
    }

    /// The member who is called `nick` here, in any case.
    #[must_use]
    pub fn called(&self, nick: &str) -> Option<&MemberRow> {
        self.members.get(self.nicks.get(name::folded(nick).as_str())?)
    }

    /// Whether it is over: nobody will come back to it in time. It is only waiting to be cleared away.
    #[must_use]
    pub fn is_over(&self, now: Millis) -> bool {
        !self.row.kept && self.here() == 0 && self.empty_since.is_some_and(|since| now.since(since) > LINGER)
    }

    /// Whether `who` has been invited and has not come yet.
    #[must_use]
    pub fn invites(&self, who: UserId) -> bool {
        self.invited.contains(&who)
    }

    /// Why `folded` may not come in, if a ban is in force.
    #[must_use]
    pub fn ban(&self, folded: &str, now: Millis) -> Option<&RoomBan> {
        self.bans.get(folded).filter(|ban| ban.until.is_none_or(|until| until > now))
    }
}

/// Everything about rooms that the store knows and the hall needs.
#[derive(Clone, Debug, Default)]
pub struct LoadedRooms {
    /// The greatest number given out, ended ones included.
    pub last: i64,
    /// All that have not ended.
    pub rooms: Vec<RoomRow>,
    /// Who belongs to them.
    pub members: Vec<MemberRow>,
    /// Who may not come in: folded names.
    pub bans: Vec<(RoomId, String, RoomBan)>,
    /// Who is invited.
    pub invited: Vec<(RoomId, UserId)>,
}

/// All rooms.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    all: HashMap<RoomId, Room>,
    /// The number that the next one gets.
    next: i64,
    /// Those that are not kept and have nobody here, since when. The store does not keep that: after a restart it is
    /// counted from the first look.
    empty: BTreeSet<(Option<Millis>, RoomId)>,
    /// All of them, those first where most are here: whoever lists rooms looks at no more than are listed.
    by_size: BTreeSet<(Reverse<usize>, RoomId)>,
    /// Those that the store has without an owner, because that was a guest: looked after before anybody comes.
    without_owner: Vec<RoomId>,
    /// Into which rooms somebody is invited, for those who are into any: who goes is not looked for in all rooms.
    inviting: HashMap<UserId, BTreeSet<RoomId>>,
}

impl Rooms {
    pub(super) fn get(&self, id: RoomId) -> Option<&Room> {
        self.all.get(&id)
    }

    fn add(&mut self, room: Room) {
        let id = room.row.room;
        self.by_size.insert((Reverse(room.here()), id));
        self.all.insert(id, room);
    }

    fn remove(&mut self, id: RoomId) -> Option<Room> {
        let room = self.all.remove(&id)?;
        self.by_size.remove(&(Reverse(room.here()), id));
        for who in &room.invited {
            self.invites_no_more(id, *who);
        }
        if room.empty_since.is_some() || !room.row.kept {
            self.empty.remove(&(room.empty_since, id));
        }
        Some(room)
    }

    /// `who` may come into the room once. Says whether that is new.
    fn invite(&mut self, id: RoomId, who: UserId) -> bool {
        let Some(room) = self.all.get_mut(&id) else { return false };
        self.inviting.entry(who).or_default().insert(id);
        room.invited.insert(who)
    }

    /// And may not, or need not, any more. Says whether that is new.
    fn uninvite(&mut self, id: RoomId, who: UserId) -> bool {
        let was_invited = self.all.get_mut(&id).is_some_and(|room| room.invited.remove(&who));
        if was_invited {
            self.invites_no_more(id, who);
        }
        was_invited
    }

    fn invites_no_more(&mut self, id: RoomId, who: UserId) {
        if let Some(rooms) = self.inviting.get_mut(&who) {
            rooms.remove(&id);
            if rooms.is_empty() {
                self.inviting.remove(&who);
            }
        }
    }

    /// `who` is in the room and online.
    fn comes(&mut self, id: RoomId, who: UserId) {
        self.change_here(id, |present| present.insert(who));
        self.set_empty_since(id, None);
    }

    /// And is not any more.
    fn goes(&mut self, id: RoomId, who: UserId) {
        self.change_here(id, |present| present.remove(&who));
    }

    fn change_here(&mut self, id: RoomId, change: impl FnOnce(&mut BTreeSet<UserId>) -> bool) {
        let Some(room) = self.all.get_mut(&id) else { return };
        let before = room.here();
        if change(&mut room.present) {
            self.by_size.remove(&(Reverse(before), id));
            self.by_size.insert((Reverse(room.here()), id));
        }
    }

    /// Since when nobody is here, if it is so.
    fn set_empty_since(&mut self, id: RoomId, since: Option<Millis>) {
        let Some(room) = self.all.get_mut(&id) else { return };
        self.empty.remove(&(room.empty_since, id));
        room.empty_since = since;
        if since.is_some() {
            self.empty.insert((since, id));
        }
    }
}

impl Hall {
    pub(super) fn load_rooms(&mut self, loaded: LoadedRooms) {
        self.rooms.next = loaded.last + 1;
        for row in loaded.rooms {
            let id = row.room;
            self.names.take(&row.name, Holder::Room(id.0));
            if !row.kept {
                self.rooms.empty.insert((None, id));
            }
            self.rooms.add(Room::new(row, self.head));
        }
        for member in loaded.members {
            let (Some(room), Some(user)) = (self.rooms.all.get_mut(&member.room), self.users.get_mut(&member.user)) else { continue };
            if member.tuned_in {
                user.rooms.push(member.room);
            }
            user.belongs.insert(member.room);
            if name::folded(&member.nick) != name::folded(&user.name) {
                self.names.take(&member.nick, Holder::Nickname(member.user));
            }
            room.nicks.insert(name::folded(&member.nick).into(), member.user);
            room.members.insert(member.user, member);
        }
        for (id, user) in self.users.iter_mut().filter(|(_, user)| user.rooms.len() > 1) {
            let turned_to = |room: &RoomId| self.rooms.all.get(room).and_then(|room| room.members.get(id)).map(|member| member.heard);
            user.rooms.sort_by_key(turned_to);
        }
        let has_owner = |room: &Room| room.members.values().any(|member| member.role == RoomRole::Owner);
        self.rooms.without_owner = self.rooms.all.iter().filter(|(_, room)| !has_owner(room)).map(|(id, _)| *id).collect();
        self.rooms.without_owner.sort_unstable();
        for (id, folded, ban) in loaded.bans {
            if let Some(room) = self.rooms.all.get_mut(&id) {
                room.bans.insert(folded.into(), ban);
            }
        }
        for (id, user) in loaded.invited {
            self.rooms.invite(id, user);
        }
    }

    /// The room with this number, if there is one.
    #[must_use]
    pub fn room(&self, id: RoomId) -> Option<&Room> {
        self.rooms.all.get(&id)
    }

    /// The room called `name`, in any case, unless it is over.
    #[must_use]
    pub fn room_named(&self, name: &str, now: Millis) -> Option<(RoomId, &Room)> {
        let Holder::Room(id) = self.names.holder(name)? else { return None };
        let id = RoomId(id);
        self.rooms.all.get(&id).filter(|room| !room.is_over(now)).map(|room| (id, room))
    }

    /// All rooms that are not over, those first where most are here.
    pub fn rooms(&self, now: Millis) -> impl Iterator<Item = (RoomId, &Room)> {
        let all = self.rooms.by_size.iter().filter_map(|(_, id)| Some((*id, self.rooms.all.get(id)?)));
        all.filter(move |(_, room)| !room.is_over(now))
    }

    /// How many rooms there are, those included that are over and wait to be cleared away.
    #[must_use]
    pub fn room_count(&self) -> usize {
        self.rooms.all.len()
    }

    /// The rooms that `user` belongs to.
    pub fn rooms_of(&self, user: UserId) -> impl Iterator<Item = (RoomId, &Room)> {
        let belongs = self.users.get(&user).into_iter().flat_map(|user| &user.belongs);
        belongs.filter_map(|id| Some((*id, self.rooms.all.get(id)?)))
    }

    /// The rooms that `user` is invited into.
    pub fn rooms_inviting(&self, user: UserId) -> impl Iterator<Item = (RoomId, &Room)> {
        let inviting = self.rooms.inviting.get(&user).into_iter().flatten();
        inviting.filter_map(|id| Some((*id, self.rooms.all.get(id)?)))
    }

    /// What `user` is called in the room that their lines go to, and that room.
    #[must_use]
    pub fn room_of(&self, user: UserId) -> Option<(RoomId, &Room, &MemberRow)> {
        let user_of = self.users.get(&user).filter(|user| !user.adrift)?;
        let id = *user_of.rooms.last()?;
        let room = self.rooms.all.get(&id)?;
        Some((id, room, room.members.get(&user)?))
    }

    /// Something was said in it.
    pub(super) fn note_said_in(&mut self, id: RoomId, seq: u64) {
        if let Some(room) = self.rooms.all.get_mut(&id) {
            room.newest = seq;
        }
    }

    /// Clears away what is over.
    pub(super) fn end_what_is_over(&mut self, now: Millis, applied: &mut Applied) {
        for id in std::mem::take(&mut self.rooms.without_owner) {
            if !Fault::GuestRoomsStay.is_on() {
                self.look_after(now, id, true, applied);
            }
        }
        while let Some((None, id)) = self.rooms.empty.first().copied() {
            self.rooms.empty.remove(&(None, id));
            self.rooms.set_empty_since(id, Some(now));
        }
        // In the order of time: nobody looks at those that wait still.
        while let Some((_, id)) =
            self.rooms.empty.first().copied().filter(|(since, _)| since.is_some_and(|since| now.since(since) > LINGER))
        {
            self.rooms.empty.pop_first();
            if self.rooms.get(id).is_some_and(|room| room.is_over(now)) {
                self.forget_room(id, applied);
            }
        }
    }

    /// The room is no more, and nobody is told.
    fn forget_room(&mut self, id: RoomId, applied: &mut Applied) {
        let Some(room) = self.rooms.remove(id) else { return };
        self.names.give_back(&room.row.name, Holder::Room(id.0));
        for (member, row) in &room.members {
            self.give_nick_back(*member, &row.nick);
            let Some(user) = self.users.get_mut(member) else { continue };
            user.belongs.remove(&id);
            user.is_in_no_more(id, false);
            user.newest = user.newest.max(room.newest);
            if row.tuned_in {
                applied.deliveries.push(Delivery::Exit { sessions: user.sessions.clone(), room: id });
            }
        }
        applied.rows.push(Row::RoomGone { room: id, at: self.head });
    }

    /// Tells everyone in the room, but those that hide from `about` and `about` itself if so wished.
    fn tell_room(&self, room: RoomId, news: RoomNews, but: Vec<UserId>, applied: &mut Applied) {
        let spoken = Arc::new(Spoken::fleeting(Event::Room(news)));
        applied.deliveries.push(Delivery::See { spoken, reach: Reach::Room { room, but } });
    }

    /// Tells of somebody who came or went; in sums, where there are many.
    fn tell_of_coming(&mut self, id: RoomId, now: Millis, who: UserId, nick: &str, what: RoomDeed, applied: &mut Applied) {
        let each_up_to = self.policy.notices_max;
        let Some(room) = self.rooms.all.get_mut(&id) else { return };
        let mut news = news(room, what, now);
        let here = room.here();
        match room.crowd.note(what == RoomDeed::Arrived, here, each_up_to) {
            Notice::Each => {
                news.whom = Some(nick.to_owned());
                self.tell_room(id, news, self.hidden_from(who), applied);
            }
            Notice::Later => {}
            Notice::Sum { came, went } => {
                news.what = RoomDeed::Crowd;
                news.text = Some(format!("{came} came in, {went} left; {here} are here"));
                self.tell_room(id, news, Vec::new(), applied);
            }
        }
    }

    /// `who` goes by this name in one room less.
    fn give_nick_back(&mut self, who: UserId, nick: &str) {
        let Some(user) = self.users.get(&who) else { return };
        let is_used =
            |room: &RoomId| self.rooms.all.get(room).and_then(|room| room.members.get(&who)).is_some_and(|member| member.nick == nick);
        if !user.rooms.iter().any(is_used) {
            self.names.give_back(nick, Holder::Nickname(who));
        }
    }

    fn room_mut(&mut self, id: RoomId) -> Result<&mut Room, Refusal> {
        self.rooms.all.get_mut(&id).ok_or_else(no_such_room)
    }

    /// The room, and the one who belongs to it.
    fn member(&self, id: RoomId, user: UserId) -> Result<(&Room, &MemberRow), Refusal> {
        let room = self.rooms.all.get(&id).ok_or_else(no_such_room)?;
        Ok((room, room.members.get(&user).ok_or_else(|| not_in(&room.row.name))?))
    }
}

/// News of a room that says only what and where.
fn news(room: &Room, what: RoomDeed, at: Millis) -> RoomNews {
    RoomNews { room: room.row.name.clone(), what, whom: None, by: None, text: None, until: None, at }
}

/// The refusal of what needs a room to be in.
#[must_use]
pub fn no_room() -> Refusal {
    Refusal::new(code::NO_ROOM, "you are in no room").hint("join ROOM, or create ROOM; `rooms` lists those there are")
}

fn no_such_room() -> Refusal {
    Refusal::new(code::NO_SUCH_ROOM, "this room does not exist any more").hint("`rooms` lists those there are")
}

fn not_in(room: &str) -> Refusal {
    Refusal::new(code::NOT_IN_ROOM, format!("you are not in `{room}`")).hint(format!("join {room} first"))
}
