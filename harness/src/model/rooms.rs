//! Rooms in the reference model: a list of rooms, a list of members each, gone through from end to end.
//!
//! What is said in a room remembers who was in it and who belonged to it at that moment; so nothing has to be known of
//! when somebody came or went to say what they may read of it later.

use std::collections::{BTreeMap, BTreeSet};

use super::reference::{Expect, Going, Id, Impossible, Reference, Said, Seen, To, When, counted, listed, past};
use super::session::RoomDeed;

/// How long a room that is not kept waits for the last who were in it, in seconds.
const LINGER: i64 = 600;
/// How long a mute and a ban last, in seconds.
const MUTED: i64 = 600;
const BANNED: i64 = 3600;
/// How many of the messages missed in a room are shown to who comes back to it.
const MISSED_SHOWN: usize = 50;

/// What somebody may do in a room: each may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the words of the command `role`")]
pub enum Role {
    Member,
    Moderator,
    Owner,
}

impl Role {
    /// As the command says it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Role::Member => "member",
            Role::Moderator => "moderator",
            Role::Owner => "owner",
        }
    }
}

/// Who may come into a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of the command `access`")]
pub enum Access {
    Public,
    Invited,
    Password,
}

impl Access {
    /// As the command says it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Access::Public => "public",
            Access::Invited => "invited",
            Access::Password => "password",
        }
    }
}

#[derive(Clone)]
pub(super) struct Room {
    /// No two rooms ever have the same, whatever they are called.
    pub(super) number: usize,
    name: &'static str,
    access: Access,
    kept: bool,
    members: Vec<Member>,
    invited: BTreeSet<Id>,
    bans: BTreeMap<&'static str, i64>,
    /// Since when nobody is here, if it is not kept and that is known.
    empty_since: Option<i64>,
}

#[derive(Clone)]
pub(super) struct Member {
    id: Id,
    name: &'static str,
    role: Role,
    /// How much had been said when they came to belong to it.
    pub(super) since: usize,
    /// They are in it, here or away.
    tuned_in: bool,
    /// How much had been said when they were last in it.
    heard: usize,
    muted_until: Option<i64>,
}

impl Room {
    fn member(&self, id: Id) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }
}

impl Reference {
    /// Whether whoever is logged in on it is in a room.
    #[must_use]
    pub fn is_in_room(&self, at: &str) -> bool {
        self.room_of(at).is_some()
    }

    /// The name of the room that they are in.
    #[must_use]
    pub fn room_of(&self, at: &str) -> Option<&'static str> {
        let id = self.accounts.get(self.who(at)?)?.id;
        self.room_and_member(id).map(|(room, _)| room.name)
    }

    pub(super) fn room_and_member(&self, id: Id) -> Option<(&Room, &Member)> {
        self.rooms.iter().find_map(|room| Some((room, room.member(id).filter(|member| member.tuned_in)?)))
    }

    fn is_over(&self, room: &Room) -> bool {
        !room.kept && self.here(room) == 0 && room.empty_since.is_some_and(|since| self.now - since > LINGER)
    }

    fn room_called(&self, name: &str) -> Option<usize> {
        self.rooms.iter().position(|room| room.name == name && !self.is_over(room))
    }

    fn is_member_here(&self, member: &Member) -> bool {
        member.tuned_in && self.is_here(member.name)
    }

    fn here(&self, room: &Room) -> usize {
        room.members.iter().filter(|member| self.is_member_here(member)).count()
    }

    pub(super) fn owns_a_room(&self, id: Id) -> bool {
        self.rooms.iter().any(|room| room.member(id).is_some_and(|member| member.role == Role::Owner))
    }

    /// Whether somebody is the only owner of a kept room that others belong to.
    pub(super) fn would_leave_a_room_alone(&self, name: &str) -> bool {
        let id = self.accounts.get(name).map(|account| account.id);
        let owns = |room: &Room, id: Id| room.member(id).is_some_and(|member| member.role == Role::Owner);
        let alone =
            |id: Id| self.rooms.iter().any(|room| room.kept && room.members.len() > 1 && owns(room, id) && !another_owner(room, id));
        id.is_some_and(alone)
    }

    /// Why a line about rooms gets nowhere: it names what is not there.
    pub(super) fn misunderstood_in_room(&self, me: &str, deed: &RoomDeed) -> Option<&'static str> {
        let mine = self.accounts.get(me).and_then(|account| self.room_and_member(account.id));
        let is_member = |whom: &str| {
            let id = self.accounts.get(whom).map(|account| account.id);
            mine.is_some_and(|(room, _)| id.is_some_and(|id| room.member(id).is_some()))
        };
        match deed {
            RoomDeed::Join { room, .. } if self.room_called(room).is_none() => Some("no-such-room"),
            RoomDeed::Invite(whom) | RoomDeed::Ban(whom) if !self.accounts.contains_key(whom) => Some("no-such-user"),
            RoomDeed::Whisper { whom, .. }
            | RoomDeed::Kick(whom)
            | RoomDeed::Mute(whom)
            | RoomDeed::Unmute(whom)
            | RoomDeed::Role(whom, _) => {
                if mine.is_none() {
                    Some("no-room")
                } else {
                    (!is_member(whom)).then_some("not-in-room")
                }
            }
            _ => None,
        }
    }

    pub(super) fn in_rooms(&mut self, at: &'static str, me: &'static str, deed: &RoomDeed, seen: &mut Seen) -> Result<(), Impossible> {
        match self.done(at, me, deed, seen)? {
            // The answer comes behind what oneself hears of it.
            Ok(answer) => {
                // A room one is in is one that all of one's devices are in.
                let moves = matches!(deed, RoomDeed::Create(_) | RoomDeed::Join { .. } | RoomDeed::Leave | RoomDeed::Resign);
                if let Some(last) = answer.last().filter(|_| moves) {
                    for (other, _) in self.sessions_of(me).into_iter().filter(|(other, _)| *other != at) {
                        seen.entry(other).or_default().push(last.clone());
                    }
                }
                seen.entry(at).or_default().extend(answer);
            }
            Err(code) => drop(seen.insert(at, vec![Expect::Refused(code)])),
        }
        Ok(())
    }

    /// What it is answered with, or the code of the refusal.
    #[allow(clippy::type_complexity, reason = "impossible is not the same as refused")]
    fn done(
        &mut self,
        at: &'static str,
        me: &'static str,
        deed: &RoomDeed,
        seen: &mut Seen,
    ) -> Result<Result<Vec<Expect>, &'static str>, Impossible> {
        let id = self.accounts.get(me).ok_or(Impossible)?.id;
        match deed {
            RoomDeed::Create(name) => return self.create(me, id, name),
            RoomDeed::Join { room, password } => return self.join(me, id, room, *password, seen),
            RoomDeed::Rooms => return Ok(Ok(self.lines(at, self.list_rooms(id)))),
            _ => {}
        }
        let Some(place) = self.rooms.iter().position(|room| room.member(id).is_some_and(|member| member.tuned_in)) else {
            return Ok(Err("no-room"));
        };
        let (room, name) = (self.rooms[place].clone(), self.rooms[place].name);
        let my = room.member(id).ok_or(Impossible)?.clone();
        match deed {
            RoomDeed::Say { text, mark } => return self.say_in(at, me, id, &room, text, *mark, seen),
            RoomDeed::Whisper { whom, text, mark } => return self.whisper(at, me, &room, whom, text, *mark, seen),
            RoomDeed::Members => return Ok(Ok(self.lines(at, self.list_members(me, &room)))),
            RoomDeed::Leave => {
                let belongs_still = room.kept && !self.accounts.get(me).ok_or(Impossible)?.guest;
                self.out_of_room(me, id, room.number, belongs_still, true, seen)?;
                return Ok(Ok(vec![Expect::Line(format!("* you have left {name}"))]));
            }
            RoomDeed::Resign => {
                if room.kept && my.role == Role::Owner && room.members.len() > 1 && !another_owner(&room, id) {
                    return Ok(Err("last-owner"));
                }
                self.out_of_room(me, id, room.number, false, true, seen)?;
                return Ok(Ok(vec![Expect::Line(format!("* you have left {name}"))]));
            }
            _ => {}
        }
        Ok(self.rule(me, &my, place, &room, deed, seen)?.map(|()| vec![Expect::Line("ok".to_owned())]))
    }

    /// What takes a role.
    fn rule(
        &mut self,
        me: &'static str,
        my: &Member,
        place: usize,
        room: &Room,
        deed: &RoomDeed,
        seen: &mut Seen,
    ) -> Result<Result<(), &'static str>, Impossible> {
        let least = match deed {
            RoomDeed::Invite(_) if room.access == Access::Public => Role::Member,
            RoomDeed::Kick(_) | RoomDeed::Ban(_) | RoomDeed::Unban(_) | RoomDeed::Mute(_) | RoomDeed::Unmute(_) | RoomDeed::Invite(_) => {
                Role::Moderator
            }
            _ => Role::Owner,
        };
        if my.role < least {
            return Ok(Err("not-permitted"));
        }
        if let RoomDeed::Kick(whom) | RoomDeed::Ban(whom) | RoomDeed::Mute(whom) | RoomDeed::Unmute(whom) = deed {
            let other = self.accounts.get(whom).ok_or(Impossible)?.id;
            if other == my.id {
                return Ok(Err("yourself"));
            }
            if my.role != Role::Owner && room.member(other).is_some_and(|other| other.role >= my.role) {
                return Ok(Err("not-permitted"));
            }
        }
        let now = self.now;
        match deed {
            RoomDeed::Kick(whom) => self.put_out(room, whom, &format!("{whom} was put out by {me}"), seen)?,
            RoomDeed::Ban(whom) => {
                let other = self.accounts.get(whom).ok_or(Impossible)?.id;
                let bans = &mut self.rooms[place].bans;
                bans.retain(|_, until| *until > now);
                bans.insert(whom, now + BANNED);
                self.rooms[place].invited.remove(&other);
                let told = format!("{whom} was banned by {me} until {}", When(now + BANNED));
                match room.member(other) {
                    Some(_) => self.put_out(room, whom, &told, seen)?,
                    None => self.tell_room(room, &told, None, seen),
                }
            }
            RoomDeed::Unban(whom) => {
                if self.rooms[place].bans.remove(whom).is_none() {
                    return Ok(Err("not-in-room"));
                }
                self.tell_room(room, &format!("{whom} may come in again by {me}"), None, seen);
            }
            RoomDeed::Mute(whom) | RoomDeed::Unmute(whom) => {
                let until = matches!(deed, RoomDeed::Mute(_)).then_some(now + MUTED);
                self.rooms[place].members.iter_mut().filter(|member| member.name == *whom).for_each(|member| member.muted_until = until);
                let told = match until {
                    Some(until) => format!("{whom} was muted by {me} until {}", When(until)),
                    None => format!("{whom} may speak again by {me}"),
                };
                self.tell_room(room, &told, None, seen);
            }
            RoomDeed::Invite(whom) => {
                let other = self.accounts.get(whom).ok_or(Impossible)?.id;
                if other == my.id {
                    return Ok(Err("yourself"));
                }
                if !self.sees(me, whom) {
                    return Ok(Err("blocked"));
                }
                if room.member(other).is_some() {
                    return Ok(Err("already-in-room"));
                }
                self.rooms[place].invited.insert(other);
                for (session, _) in self.sessions_of(whom) {
                    let told = format!("* {me} invites you to {}: join {}", room.name, room.name);
                    seen.entry(session).or_default().push(Expect::Line(told));
                }
            }
            RoomDeed::Role(whom, role) => {
                let other = self.accounts.get(whom).ok_or(Impossible)?;
                if other.id == my.id && *role != Role::Owner && !another_owner(room, my.id) {
                    return Ok(Err("last-owner"));
                }
                if other.guest && *role != Role::Member {
                    return Ok(Err("guests"));
                }
                if room.member(other.id).is_some_and(|member| member.role == *role) {
                    return Ok(Ok(()));
                }
                self.rooms[place].members.iter_mut().filter(|member| member.name == *whom).for_each(|member| member.role = *role);
                let told = if *whom == me { format!("{me} is {} now", role.word()) } else { format!("{me} made {whom} {}", role.word()) };
                self.tell_room(room, &told, None, seen);
            }
            RoomDeed::Access(access) => {
                self.rooms[place].access = *access;
                let whom = match access {
                    Access::Public => "everyone",
                    Access::Invited => "those who are invited",
                    Access::Password => "those who know the password",
                };
                self.tell_room(room, &format!("{me} opened the room to {whom}"), None, seen);
            }
            RoomDeed::Keep(kept) => {
                self.rooms[place].kept = *kept;
                let told = if *kept { "keeps the room: it stays" } else { "keeps the room no more: it ends" };
                self.tell_room(room, &format!("{me} {told} when everyone has left"), None, seen);
            }
            RoomDeed::Close => {
                self.tell_room(room, &format!("the room was ended by {me}"), None, seen);
                self.rooms.remove(place);
            }
            _ => return Err(Impossible),
        }
        Ok(Ok(()))
    }

    #[allow(clippy::type_complexity, reason = "see `done`")]
    fn create(&mut self, me: &'static str, id: Id, name: &'static str) -> Result<Result<Vec<Expect>, &'static str>, Impossible> {
        let old = self.room_called(name).map(|place| &self.rooms[place]);
        if old.is_some_and(|old| old.kept || self.here(old) > 0 || old.member(id).is_some()) {
            return Ok(Err("room-exists"));
        }
        if self.room_and_member(id).is_some() {
            return Ok(Err("already-in-room"));
        }
        self.end_what_is_over();
        self.rooms.retain(|room| room.name != name);
        let owner = Member { id, name: me, role: Role::Owner, since: self.log.len(), tuned_in: true, heard: 0, muted_until: None };
        self.rooms.push(Room {
            number: self.next_room,
            name,
            access: Access::Public,
            kept: false,
            members: vec![owner],
            invited: BTreeSet::new(),
            bans: BTreeMap::new(),
            empty_since: None,
        });
        self.next_room += 1;
        Ok(Ok(vec![Expect::Line(format!(
            "* you have made {name}, as {me}; nobody else is here; what you type is said to all in it, commands begin with /"
        ))]))
    }

    #[allow(clippy::type_complexity, reason = "see `done`")]
    fn join(
        &mut self,
        me: &'static str,
        id: Id,
        name: &str,
        password: bool,
        seen: &mut Seen,
    ) -> Result<Result<Vec<Expect>, &'static str>, Impossible> {
        let place = self.room_called(name).ok_or(Impossible)?;
        let room = self.rooms[place].clone();
        let known = room.member(id).cloned();
        if known.as_ref().is_some_and(|known| known.tuned_in) {
            // Who says what they want to be called as well is told where they are.
            return Ok(if password { Ok(self.where_they_are(me)) } else { Err("already-in-room") });
        }
        if self.room_and_member(id).is_some() {
            return Ok(Err("already-in-room"));
        }
        if room.bans.get(me).is_some_and(|until| *until > self.now) {
            return Ok(Err("banned"));
        }
        if known.is_none() && !room.invited.contains(&id) {
            match room.access {
                Access::Invited => return Ok(Err("invited-only")),
                Access::Password if !password => return Ok(Err("room-password")),
                _ => {}
            }
        }
        let missed: Vec<Expect> = known.as_ref().map_or_else(Vec::new, |known| {
            let of_room = |said: &&Said| said.is_of(room.number) && said.may_be_read_by(id);
            let missed: Vec<&Said> = self.log.iter().skip(known.heard).filter(of_room).collect();
            if missed.is_empty() { Vec::new() } else { past(&missed, MISSED_SHOWN) }
        });
        self.end_what_is_over();
        let since = self.log.len();
        let Some(room) = self.rooms.iter_mut().find(|other| other.number == room.number) else { return Err(Impossible) };
        room.invited.remove(&id);
        match room.members.iter_mut().find(|member| member.id == id) {
            Some(member) => member.tuned_in = true,
            None => room.members.push(Member { id, name: me, role: Role::Member, since, tuned_in: true, heard: 0, muted_until: None }),
        }
        room.empty_since = None;
        let room = room.clone();
        self.tell_room(&room, &format!("{me} came in"), Some(me), seen);
        Ok(Ok(missed.into_iter().chain(self.where_they_are(me)).collect()))
    }

    #[allow(clippy::too_many_arguments, clippy::type_complexity, reason = "what a message is made of; see `done`")]
    fn say_in(
        &mut self,
        at: &'static str,
        me: &'static str,
        id: Id,
        room: &Room,
        text: &str,
        mark: usize,
        seen: &mut Seen,
    ) -> Result<Result<Vec<Expect>, &'static str>, Impossible> {
        if self.is_muted(id, room) {
            return Ok(Err("muted"));
        }
        let heard = room.members.iter().filter(|member| member.tuned_in).map(|member| member.id).collect();
        let belonged = room.members.iter().map(|member| member.id).collect();
        let blocks_me = |member: &Member| self.accounts.get(member.name).is_some_and(|other| other.blocks.contains(&id));
        let sent = if room.members.iter().any(blocks_me) { "sent; some people could not be reached" } else { "sent" };
        self.spread(at, me, To::Room { room: room.number, name: room.name, heard, belonged }, text, mark, seen)?;
        Ok(Ok(vec![Expect::Line(sent.to_owned())]))
    }

    #[allow(clippy::too_many_arguments, clippy::type_complexity, reason = "what a whisper is made of; see `done`")]
    fn whisper(
        &mut self,
        at: &'static str,
        me: &'static str,
        room: &Room,
        whom: &'static str,
        text: &str,
        mark: usize,
        seen: &mut Seen,
    ) -> Result<Result<Vec<Expect>, &'static str>, Impossible> {
        let (id, other) = (self.accounts.get(me).ok_or(Impossible)?.id, self.accounts.get(whom).ok_or(Impossible)?.id);
        if id == other {
            return Ok(Err("yourself"));
        }
        if self.is_muted(id, room) {
            return Ok(Err("muted"));
        }
        if !room.member(other).is_some_and(|member| self.is_member_here(member)) {
            return Ok(Err("not-in-room"));
        }
        if !self.sees(me, whom) {
            return Ok(Err("blocked"));
        }
        self.spread(at, me, To::Whisper(other, whom), text, mark, seen)?;
        Ok(Ok(vec![Expect::Line("sent".to_owned())]))
    }

    fn is_muted(&self, id: Id, room: &Room) -> bool {
        room.member(id).and_then(|member| member.muted_until).is_some_and(|until| until > self.now)
    }

    /// Everyone in the room sees it; if it is about who came or went, neither they nor who does not see them.
    fn tell_room(&self, room: &Room, what: &str, about: Option<&str>, seen: &mut Seen) {
        for member in room.members.iter().filter(|member| member.tuned_in) {
            if about.is_some_and(|about| about == member.name || !self.sees(about, member.name)) {
                continue;
            }
            for (at, _) in self.sessions_of(member.name) {
                seen.entry(at).or_default().push(Expect::Line(format!("* [{}] {what}", room.name)));
            }
        }
    }

    /// Who has to go hears it with the others, or alone if they are not in it.
    fn put_out(&mut self, room: &Room, whom: &'static str, what: &str, seen: &mut Seen) -> Result<(), Impossible> {
        let id = self.accounts.get(whom).ok_or(Impossible)?.id;
        if room.member(id).is_some_and(|member| !member.tuned_in) {
            for (at, _) in self.sessions_of(whom) {
                seen.entry(at).or_default().push(Expect::Line(format!("* [{}] {what}", room.name)));
            }
        }
        self.tell_room(room, what, None, seen);
        self.out_of_room(whom, id, room.number, false, false, seen)
    }

    /// In it no more, and belonging to it no more unless they do still.
    fn out_of_room(
        &mut self,
        name: &'static str,
        id: Id,
        number: usize,
        belongs_still: bool,
        told: bool,
        seen: &mut Seen,
    ) -> Result<(), Impossible> {
        let (said, now) = (self.log.len(), self.now);
        let Some(place) = self.rooms.iter().position(|room| room.number == number) else { return Ok(()) };
        let room = &mut self.rooms[place];
        let Some(gone) = room.members.iter().position(|member| member.id == id) else { return Ok(()) };
        let before = room.members[gone].clone();
        if belongs_still {
            (room.members[gone].tuned_in, room.members[gone].heard) = (false, said);
        } else {
            room.members.remove(gone);
        }
        let room = room.clone();
        if told && before.tuned_in && self.is_here(name) {
            self.tell_room(&room, &format!("{name} left"), Some(name), seen);
        }
        if belongs_still {
            return Ok(());
        }
        if room.members.is_empty() {
            self.rooms.remove(place);
            return Ok(());
        }
        if self.here(&room) == 0 && !room.kept {
            self.rooms[place].empty_since = Some(now);
        }
        if before.role == Role::Owner && !another_owner(&room, id) {
            let heir = heir(&room)?;
            self.rooms[place].members.iter_mut().filter(|member| member.name == heir).for_each(|member| member.role = Role::Owner);
            self.tell_room(&room, &format!("{heir} is owner now"), None, seen);
        }
        Ok(())
    }

    /// Of whoever is no more.
    pub(super) fn out_of_all_rooms(&mut self, name: &'static str, seen: &mut Seen) -> Result<(), Impossible> {
        let Some(id) = self.accounts.get(name).map(|account| account.id) else { return Ok(()) };
        let all: Vec<usize> = self.rooms.iter().filter(|room| room.member(id).is_some()).map(|room| room.number).collect();
        for number in all {
            self.out_of_room(name, id, number, false, true, seen)?;
        }
        self.rooms.iter_mut().for_each(|room| room.invited.retain(|invited| *invited != id));
        Ok(())
    }

    /// The last session has ended: who says goodbye leaves a room that is not kept, whose link drops does not.
    pub(super) fn gone_from_rooms(&mut self, name: &'static str, how: Going, seen: &mut Seen) -> Result<(), Impossible> {
        let account = self.accounts.get(name).ok_or(Impossible)?;
        let (id, guest, now) = (account.id, account.guest, self.now);
        let Some(room) = self.room_and_member(id).map(|(room, _)| room.clone()) else { return Ok(()) };
        if guest || (how == Going::LoggedOut && !room.kept) {
            return self.out_of_room(name, id, room.number, false, false, seen);
        }
        if self.here(&room) == 0 && !room.kept {
            self.rooms.iter_mut().filter(|other| other.number == room.number).for_each(|room| room.empty_since = Some(now));
        }
        Ok(())
    }

    /// Somebody is about to be here: their room, if it has waited, waits no longer.
    pub(super) fn is_here_again(&mut self, name: &str) {
        let Some(id) = self.accounts.get(name).map(|account| account.id) else { return };
        for room in &mut self.rooms {
            if room.member(id).is_some_and(|member| member.tuned_in) {
                room.empty_since = None;
            }
        }
    }

    pub(super) fn end_what_is_over(&mut self) {
        let now = self.now;
        let empty: Vec<usize> = self.rooms.iter().filter(|room| !room.kept && self.here(room) == 0).map(|room| room.number).collect();
        for room in self.rooms.iter_mut().filter(|room| empty.contains(&room.number)) {
            room.empty_since.get_or_insert(now);
        }
        let over: Vec<usize> = self.rooms.iter().filter(|room| self.is_over(room)).map(|room| room.number).collect();
        self.rooms.retain(|room| !over.contains(&room.number));
    }

    /// A server that was started again knows not since when a room is empty: from the next who comes on it counts anew.
    pub(super) fn empty_rooms_wait_anew(&mut self) {
        self.rooms.iter_mut().for_each(|room| room.empty_since = None);
    }

    /// What somebody is told of the room they are in.
    pub(super) fn where_they_are(&self, name: &str) -> Vec<Expect> {
        let room = self.accounts.get(name).and_then(|account| self.room_and_member(account.id));
        room.into_iter()
            .map(|(room, _)| {
                let here = |member: &&Member| member.name != name && self.is_member_here(member) && self.sees(name, member.name);
                let mut others: Vec<&'static str> = room.members.iter().filter(here).map(|member| member.name).collect();
                others.sort_unstable();
                let with = if others.is_empty() { String::new() } else { "with ".to_owned() };
                Expect::Line(format!(
                    "* you are in {}, as {name}; {with}{}; what you type is said to all in it, commands begin with /",
                    room.name,
                    listed(others.into_iter(), "nobody else is here")
                ))
            })
            .collect()
    }

    fn list_members(&self, me: &str, room: &Room) -> Vec<String> {
        let mut members: Vec<&Member> = room.members.iter().filter(|member| member.name == me || self.sees(me, member.name)).collect();
        members.sort_by_key(|member| (!self.is_member_here(member), member.name));
        let mut lines: Vec<String> = members
            .iter()
            .map(|member| {
                let here = if self.is_member_here(member) { format!("here{}", self.idle(me, member.name)) } else { "away".to_owned() };
                let role = if member.role == Role::Member { String::new() } else { format!(", {}", member.role.word()) };
                let muted = member.muted_until.filter(|until| *until > self.now);
                let muted = muted.map_or(String::new(), |until| format!(", muted until {}", When(until)));
                format!("{}: {here}{role}{muted}", member.name)
            })
            .collect();
        lines.push(format!("{} in {}", counted(lines.len(), "member"), room.name));
        lines
    }

    fn list_rooms(&self, id: Id) -> Vec<String> {
        let is_listed = |room: &&Room| {
            let is_open = room.access != Access::Invited && (self.here(room) > 0 || room.kept);
            !self.is_over(room) && (is_open || room.member(id).is_some() || room.invited.contains(&id))
        };
        let mut rooms: Vec<&Room> = self.rooms.iter().filter(is_listed).collect();
        rooms.sort_by_key(|room| room.name);
        let mut lines: Vec<String> = rooms
            .iter()
            .map(|room| {
                let mine = room.member(id).map(|member| if member.tuned_in { "you are in it" } else { "you belong to it" });
                let access = match room.access {
                    Access::Public => None,
                    Access::Invited => Some("by invitation"),
                    Access::Password => Some("with a password"),
                };
                let marks: Vec<&str> = mine.into_iter().chain(access).collect();
                let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
                format!("{}: {} here{marks}", room.name, self.here(room))
            })
            .collect();
        lines.push(counted(lines.len(), "room"));
        lines
    }

    /// Lines of one answer: a program hears them as one event.
    pub(super) fn lines(&self, at: &str, lines: Vec<String>) -> Vec<Expect> {
        if self.is_text(at) { lines.into_iter().map(Expect::Line).collect() } else { vec![Expect::Line(lines.join("\n"))] }
    }
}

fn another_owner(room: &Room, id: Id) -> bool {
    room.members.iter().any(|member| member.role == Role::Owner && member.id != id)
}

/// Who owns the room after its last owner: the highest role, then the longest stay. Of two who came with nothing said in
/// between, the model does not know.
fn heir(room: &Room) -> Result<&'static str, Impossible> {
    let highest = room.members.iter().map(|member| member.role).max().ok_or(Impossible)?;
    let of_role = || room.members.iter().filter(|member| member.role == highest);
    let earliest = of_role().map(|member| member.since).min().ok_or(Impossible)?;
    let mut heirs = of_role().filter(|member| member.since == earliest);
    match (heirs.next(), heirs.next()) {
        (Some(heir), None) => Ok(heir.name),
        _ => Err(Impossible),
    }
}
