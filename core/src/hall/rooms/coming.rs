//! Making rooms, coming in, going out, and what happens to rooms when people come and go at the door of the house.

use super::*;

impl Hall {
    pub(in crate::hall) fn create_room(
        &mut self,
        seq: u64,
        now: Millis,
        origin: SessionId,
        wanted: &str,
        nick: Option<&str>,
    ) -> Result<Applied, Refusal> {
        let who = self.speaker(origin)?;
        let old = self.room_named(wanted, now);
        // Where nobody is any more, and only those could come back whose links have dropped, the name is free.
        if let Some((_, room)) = old.filter(|(_, room)| room.row.kept || room.here() > 0 || room.members.contains_key(&who)) {
            return Err(Refusal::new(code::ROOM_EXISTS, format!("there is a room `{}` already", room.row.name))
                .hint(format!("join {}", room.row.name)));
        }
        if self.rooms.all.len() >= ROOMS_MAX {
            return Err(Refusal::new(code::TOO_MANY_ROOMS, "there are as many rooms as there can be").hint("join one of them: rooms"));
        }
        self.check_room_left(who)?;
        let id = RoomId(self.rooms.next);
        let wanted = &self.check_free_of_empty(wanted)?;
        let row = RoomRow {
            room: id,
            name: wanted.to_owned(),
            topic: None,
            description: None,
            access: RoomAccess::Public,
            password: None,
            kept: false,
            archived: false,
            created: now,
        };
        let nick = self.nick_for(&Room::new(row.clone(), 0), who, nick)?;
        // Nothing is changed before all of it has been found right.
        let mut applied = Applied { durable: true, ..Applied::default() };
        self.end_what_is_over(now, &mut applied);
        if let Some(Holder::Room(old)) = self.names.holder(wanted) {
            self.forget_room(RoomId(old), &mut applied);
        }
        self.rooms.next += 1;
        self.names.take(wanted, Holder::Room(id.0));
        applied.rows.push(Row::Room(row.clone()));
        self.rooms.add(Room::new(row, seq));
        applied.receipt = Receipt { seq, at: now, ..Receipt::default() };
        self.come_in(seq, now, id, who, nick, RoomRole::Owner, &mut applied);
        Ok(applied)
    }

    /// Whether a room can be called so: also if one is that has only been waiting for its end.
    fn check_free_of_empty(&mut self, wanted: &str) -> Result<String, Refusal> {
        let holder = self.names.holder(wanted);
        let old = match holder {
            Some(Holder::Room(old)) => self.rooms.get(RoomId(old)).map(|room| room.row.name.clone()),
            _ => None,
        };
        let (Some(holder), Some(old)) = (holder, old) else { return self.check_free(wanted, NameOf::Room) };
        self.names.give_back(&old, holder);
        let checked = self.check_free(wanted, NameOf::Room);
        self.names.take(&old, holder);
        checked
    }

    /// `password` is the hash that the given password was found right against.
    pub(in crate::hall) fn join_room(
        &mut self,
        now: Millis,
        origin: SessionId,
        id: RoomId,
        nick: Option<&str>,
        password: Option<&str>,
    ) -> Result<Applied, Refusal> {
        let who = self.speaker(origin)?;
        let mut applied = Applied { gated: true, ..Applied::default() };
        let room = self.rooms.all.get(&id).filter(|room| !room.is_over(now)).ok_or_else(no_such_room)?;
        let user = self.users.get(&who).ok_or_else(gone)?;
        applied.receipt = Receipt { seq: self.head, at: now, ..Receipt::default() };
        if user.rooms.contains(&id) {
            if user.rooms.last() == Some(&id) && nick.is_none() && !user.adrift {
                return Err(Refusal::new(code::ALREADY_IN_ROOM, format!("you are in `{}` already", room.row.name))
                    .hint("what you type is said to all in it"));
            }
            return self.turn_to(now, id, who, nick, applied);
        }
        self.check_room_left(who)?;
        let folded = name::folded(&user.name);
        let member = room.members.get(&who);
        if let Some(ban) = room.ban(&folded, now).filter(|_| !Fault::RoomBanForgotten.is_on()) {
            return Err(banned(&room.row.name, ban));
        }
        if member.is_none() {
            let invited = room.invited.contains(&who) || Fault::AccessNotChecked.is_on();
            match room.row.access {
                RoomAccess::Invited if !invited => {
                    return Err(Refusal::new(code::INVITED_ONLY, format!("one comes into `{}` by invitation only", room.row.name))
                        .hint("ask a moderator of the room to invite you"));
                }
                RoomAccess::Password if !invited && password != room.row.password.as_deref() => {
                    return Err(Refusal::new(code::ROOM_PASSWORD, format!("`{}` has a password, and this is not it", room.row.name))
                        .hint("join ROOM NICK PASSWORD"));
                }
                _ => {}
            }
            if room.members.len() >= MEMBERS_MAX {
                return Err(Refusal::new(code::ROOM_FULL, format!("`{}` is full", room.row.name)).hint("try again later"));
            }
            if user.belongs.len() >= BELONGS_MAX {
                return Err(Refusal::new(code::TOO_MANY_ROOMS, format!("you belong to {BELONGS_MAX} rooms already"))
                    .hint("resign from one of them first"));
            }
        }
        let role = member.map_or(RoomRole::Member, |member| member.role);
        let nick = match (nick, member) {
            (None, Some(member)) => member.nick.clone(),
            (nick, _) => self.nick_for(room, who, nick)?,
        };
        self.end_what_is_over(now, &mut applied);
        self.come_in(self.head, now, id, who, nick, role, &mut applied);
        Ok(applied)
    }

    /// In the room already: its lines go there now, and perhaps under another name.
    fn turn_to(&mut self, now: Millis, id: RoomId, who: UserId, nick: Option<&str>, mut applied: Applied) -> Result<Applied, Refusal> {
        let goes_there = self.users.get(&who).is_some_and(|user| user.rooms.last() == Some(&id));
        let latest = self.latest_turn(who).filter(|_| !goes_there);
        let (room, member) = self.member(id, who)?;
        let (old, muted) = (member.nick.clone(), member.muted_until.is_some_and(|until| until > now));
        let new = nick.map(|nick| self.nick_for(room, who, Some(nick))).transpose()?.filter(|new| *new != old);
        if new.is_some() && muted {
            return Err(Refusal::new(code::MUTED, "you are muted here, and keep your name until that is over").hint("wait"));
        }
        if let Some(user) = self.users.get_mut(&who) {
            user.rooms.retain(|other| *other != id);
            user.rooms.push(id);
            user.adrift = false;
        }
        if let (Some(member), Some(latest)) = (self.room_mut(id)?.members.get_mut(&who), latest) {
            member.heard = latest + 1;
            applied.rows.extend((!who.is_guest()).then(|| Row::Member(member.clone())));
        }
        if let Some(new) = new {
            let but = self.hidden_from(who);
            let room = self.room_mut(id)?;
            let mut news = news(room, RoomDeed::Renamed, now);
            news.whom = Some(old.clone());
            news.text = Some(new.clone());
            room.nicks.remove(name::folded(&old).as_str());
            room.nicks.insert(name::folded(&new).into(), who);
            let renamed = new.clone();
            if let Some(member) = room.members.get_mut(&who) {
                member.nick = new;
                if !who.is_guest() {
                    applied.rows.push(Row::Member(member.clone()));
                }
            }
            self.give_nick_back(who, &old);
            self.take_nick(who, &renamed);
            self.tell_room(id, news, but, &mut applied);
        }
        Ok(applied)
    }

    /// When `user` last turned to one of the rooms they are in, as [`MemberRow::heard`] has it.
    fn latest_turn(&self, user: UserId) -> Option<u64> {
        let last = self.users.get(&user)?.rooms.last()?;
        Some(self.rooms.get(*last)?.members.get(&user)?.heard)
    }

    /// `who` goes by this name.
    fn take_nick(&mut self, who: UserId, nick: &str) {
        // What is given out to whoever has no name is nobody's.
        let is_given_out = |user: &User| user.nameless && nick.starts_with(UNKNOWN);
        if self.users.get(&who).is_some_and(|user| !is_given_out(user) && name::folded(&user.name) != name::folded(nick)) {
            self.names.take(nick, Holder::Nickname(who));
        }
    }

    pub(in crate::hall) fn leave_room(&mut self, now: Millis, origin: SessionId, id: RoomId) -> Result<Applied, Refusal> {
        let who = self.speaker(origin)?;
        let (_, member) = self.member(id, who)?;
        if !member.tuned_in {
            return Err(not_in(&self.member(id, who)?.0.row.name));
        }
        let mut applied = Applied { gated: true, receipt: Receipt { seq: self.head, at: now, ..Receipt::default() }, ..Applied::default() };
        self.go_out(now, id, who, true, &mut applied);
        Ok(applied)
    }

    /// Belongs to it no more, kept or not.
    pub(in crate::hall) fn resign(&mut self, seq: u64, now: Millis, origin: SessionId, id: RoomId) -> Result<Applied, Refusal> {
        let who = self.speaker(origin)?;
        let (room, member) = self.member(id, who)?;
        if room.row.kept && member.role == RoomRole::Owner && room.members.len() > 1 {
            self.check_another_owner(id, who)?;
        }
        let mut applied = Applied { durable: true, receipt: Receipt { seq, at: now, ..Receipt::default() }, ..Applied::default() };
        self.drop_member(now, id, who, true, &mut applied);
        Ok(applied)
    }

    /// `who` belongs to the room and is in it, from `since` on.
    #[allow(clippy::too_many_arguments, reason = "what a membership is made of")]
    fn come_in(&mut self, since: u64, now: Millis, id: RoomId, who: UserId, nick: String, role: RoomRole, applied: &mut Applied) {
        let latest = self.latest_turn(who);
        let was_invited = !who.is_guest() && self.rooms.uninvite(id, who);
        let (Some(room), Some(user)) = (self.rooms.all.get_mut(&id), self.users.get_mut(&who)) else { return };
        let known = room.members.get(&who);
        let belonged = known.is_some();
        let member = MemberRow {
            room: id,
            user: who,
            nick: nick.clone(),
            role,
            muted_until: known.and_then(|known| known.muted_until),
            since: known.map_or(since, |known| known.since),
            tuned_in: true,
            heard: latest.map_or(since, |latest| since.max(latest + 1)),
        };
        if let Some(known) = known {
            room.nicks.remove(name::folded(&known.nick).as_str());
        }
        room.nicks.insert(name::folded(&nick).into(), who);
        if !who.is_guest() {
            if was_invited {
                applied.rows.push(Row::NotInvited { room: id, user: who });
            }
            applied.rows.push(Row::Member(member.clone()));
            if !belonged {
                let since = if Fault::RoomPastForAll.is_on() { 0 } else { since };
                applied.rows.push(Row::Belongs { room: id, user: who, since });
            }
            applied.rows.push(Row::Hears { room: id, user: who, since });
        }
        room.members.insert(who, member);
        user.belongs.insert(id);
        user.rooms.push(id);
        user.adrift = false;
        let sessions = user.sessions.clone();
        self.rooms.comes(id, who);
        self.take_nick(who, &nick);
        // First the others, then who comes: they hear it from the answer.
        self.tell_of_coming(id, now, who, &nick, RoomDeed::Arrived, applied);
        applied.deliveries.push(Delivery::Enter { sessions, room: id });
    }

    /// `who` is in the room no more. `told`: whether the others hear that it was by their own wish.
    fn go_out(&mut self, now: Millis, id: RoomId, who: UserId, told: bool, applied: &mut Applied) {
        if self.rooms.all.get(&id).is_none_or(|room| !room.row.kept || Fault::KeptRoomForgets.is_on()) || who.is_guest() {
            return self.drop_member(now, id, who, told, applied);
        }
        self.tune_out(now, id, who, told, applied);
    }

    /// Not in it any more, but a member still.
    fn tune_out(&mut self, now: Millis, id: RoomId, who: UserId, told: bool, applied: &mut Applied) {
        let head = self.head;
        let (Some(room), Some(user)) = (self.rooms.all.get_mut(&id), self.users.get_mut(&who)) else { return };
        let Some(member) = room.members.get_mut(&who).filter(|member| member.tuned_in) else { return };
        member.tuned_in = false;
        member.heard = head;
        let nick = member.nick.clone();
        if !who.is_guest() {
            applied.rows.push(Row::Member(member.clone()));
            applied.rows.push(Row::HearsNoMore { room: id, user: who, until: head });
        }
        user.is_in_no_more(id, told);
        user.newest = user.newest.max(room.newest);
        if user.is_online() {
            let sessions = user.sessions.clone();
            self.rooms.goes(id, who);
            if !Fault::LeaverHears.is_on() {
                applied.deliveries.push(Delivery::Exit { sessions, room: id });
            }
            if told {
                self.tell_of_coming(id, now, who, &nick, RoomDeed::Left, applied);
            }
        }
    }

    /// `who` belongs to the room no more.
    pub(super) fn drop_member(&mut self, now: Millis, id: RoomId, who: UserId, told: bool, applied: &mut Applied) {
        self.tune_out(now, id, who, told, applied);
        let head = self.head;
        let Some(room) = self.rooms.all.get_mut(&id) else { return };
        let Some(member) = room.members.remove(&who) else { return };
        room.nicks.remove(name::folded(&member.nick).as_str());
        if let Some(user) = self.users.get_mut(&who) {
            user.belongs.remove(&id);
        }
        self.give_nick_back(who, &member.nick);
        if !who.is_guest() {
            applied.rows.push(Row::MemberGone { room: id, user: who });
            applied.rows.push(Row::BelongsNoMore { room: id, user: who, until: head });
        }
        self.look_after(now, id, member.role == RoomRole::Owner, applied);
    }

    /// After somebody has gone: ends the room if it is empty, finds it an owner if it has none.
    pub(super) fn look_after(&mut self, now: Millis, id: RoomId, owner_left: bool, applied: &mut Applied) {
        let Some(room) = self.rooms.all.get_mut(&id) else { return };
        if room.members.is_empty() {
            return self.forget_room(id, applied);
        }
        self.note_if_empty(now, id);
        let Some(room) = self.rooms.all.get_mut(&id) else { return };
        if !owner_left || Fault::NoHeir.is_on() || room.members.values().any(|member| member.role == RoomRole::Owner) {
            return;
        }
        // The highest role, then the longest stay.
        let heir = room.members.values_mut().max_by_key(|member| (member.role, std::cmp::Reverse((member.since, member.user.0.abs()))));
        let Some(heir) = heir else { return };
        heir.role = RoomRole::Owner;
        let (nick, row) = (heir.nick.clone(), (!heir.user.is_guest()).then(|| Row::Member(heir.clone())));
        applied.rows.extend(row);
        let mut news = news(room, RoomDeed::Role, now);
        news.whom = Some(nick);
        news.text = Some(RoomRole::Owner.word().to_owned());
        self.tell_room(id, news, Vec::new(), applied);
    }

    pub(super) fn note_if_empty(&mut self, now: Millis, id: RoomId) {
        if self.rooms.get(id).is_some_and(|room| room.here() == 0 && !room.row.kept) {
            self.rooms.set_empty_since(id, Some(now));
        }
    }

    /// A session of `who` begins: it hears the rooms they are in. `first`: it is the first, and whether everyone has been
    /// told their name.
    pub(in crate::hall) fn rooms_at_login(
        &mut self,
        now: Millis,
        who: UserId,
        session: SessionId,
        first: Option<bool>,
        applied: &mut Applied,
    ) {
        self.end_what_is_over(now, applied);
        let Some(user) = self.users.get_mut(&who) else { return };
        // The greeting says where what they type goes.
        user.adrift &= first.is_none();
        let (rooms, name) = (user.rooms.clone(), user.name.clone());
        for id in rooms {
            applied.deliveries.push(Delivery::Enter { sessions: vec![session], room: id });
            let Some(by_name) = first else { continue };
            self.rooms.comes(id, who);
            // Who goes by the name that everyone has been told is not told of twice.
            let member = self.rooms.get(id).and_then(|room| room.members.get(&who));
            let nick = member.map(|member| member.nick.clone()).filter(|nick| !by_name || **nick != *name);
            if let Some(nick) = nick {
                self.tell_of_coming(id, now, who, &nick, RoomDeed::Arrived, applied);
            }
        }
    }

    /// The last session of `who` has ended. `by_name`: whether everyone has been told their name.
    pub(in crate::hall) fn rooms_at_logout(&mut self, now: Millis, who: UserId, how: Departure, by_name: bool, applied: &mut Applied) {
        let Some(user) = self.users.get(&who) else { return };
        let (rooms, name) = (user.rooms.clone(), user.name.clone());
        for id in rooms {
            self.rooms.goes(id, who);
            let Some(room) = self.rooms.get(id) else { continue };
            let nick = room.members.get(&who).map(|member| member.nick.clone()).unwrap_or_default();
            if (!by_name || nick != *name) && how != Departure::Shutdown {
                self.tell_of_coming(id, now, who, &nick, RoomDeed::Left, applied);
            }
            let kept = self.rooms.all.get(&id).is_some_and(|room| room.row.kept);
            if who.is_guest() || (how == Departure::LoggedOut && !kept) {
                self.drop_member(now, id, who, false, applied);
            } else {
                self.note_if_empty(now, id);
            }
        }
    }

    /// Whether no room that stays would be left without an owner of its members' choice if `who` were no more.
    pub(in crate::hall) fn check_leaves_owners(&self, who: UserId) -> Result<(), Refusal> {
        let is_only_owner = |room: &&Room| {
            let is_owner = |member: &MemberRow| member.role == RoomRole::Owner;
            let is_theirs = room.members.get(&who).is_some_and(is_owner);
            is_theirs && room.row.kept && room.members.len() > 1 && room.members.values().filter(|member| is_owner(member)).nth(1).is_none()
        };
        // By name: of several always the same is told.
        let Some(room) = self.rooms_of(who).map(|(_, room)| room).filter(is_only_owner).min_by_key(|room| &room.row.name) else {
            return Ok(());
        };
        let text = format!("you are the only owner of `{}`, where others are members", room.row.name);
        Err(Refusal::new(code::LAST_OWNER, text).hint("there, transfer NICK hands it over; close ends it"))
    }

    /// The account is no more.
    pub(in crate::hall) fn rooms_at_deletion(&mut self, now: Millis, who: UserId, applied: &mut Applied) {
        let belongs: Vec<RoomId> = self.rooms_of(who).map(|(id, _)| id).collect();
        for id in belongs {
            self.drop_member(now, id, who, true, applied);
        }
        let inviting: Vec<RoomId> = self.rooms_inviting(who).map(|(id, _)| id).collect();
        for id in inviting {
            self.rooms.uninvite(id, who);
        }
    }

    fn check_room_left(&self, who: UserId) -> Result<(), Refusal> {
        let user = self.users.get(&who).ok_or_else(gone)?;
        if user.rooms.len() < self.policy.rooms_at_once {
            return Ok(());
        }
        if self.policy.rooms_at_once > 1 {
            let text = format!("you are in {} rooms already, as many as one can be in at a time", user.rooms.len());
            return Err(Refusal::new(code::ALREADY_IN_ROOM, text).hint("leave ROOM first"));
        }
        let name = user.rooms.last().and_then(|id| self.rooms.all.get(id)).map_or("a room", |room| &room.row.name);
        Err(Refusal::new(code::ALREADY_IN_ROOM, format!("you are in `{name}` already")).hint("leave first"))
    }

    /// What `who` is to be called in `room`: as they wish, or by their name.
    fn nick_for(&self, room: &Room, who: UserId, wanted: Option<&str>) -> Result<String, Refusal> {
        let user = self.users.get(&who).ok_or_else(gone)?;
        let is_free = |nick: &str| room.nicks.get(name::folded(nick).as_str()).is_none_or(|other| *other == who);
        let taken = |nick: &str| {
            Refusal::new(code::NAME_TAKEN, format!("somebody in the room is called `{}`", name::shortened(nick)))
                .hint("choose another nick")
        };
        let own = |name: &str| if is_free(name) { Ok(user.name.to_string()) } else { Err(taken(name)) };
        match wanted {
            Some(wanted) if name::folded(wanted) == name::folded(&user.name) => own(&user.name),
            // Nobody goes by the name of somebody else, or by one that looks like it.
            Some(wanted) => {
                self.check_free(wanted, NameOf::Nickname(who)).and_then(|nick| if is_free(&nick) { Ok(nick) } else { Err(taken(&nick)) })
            }
            None if !user.nameless => own(&user.name),
            None => {
                let mut nick = UNKNOWN.to_owned();
                let mut count = 1;
                while !is_free(&nick) {
                    count += 1;
                    nick = format!("{UNKNOWN}-{count}");
                }
                Ok(nick)
            }
        }
    }
}

fn banned(room: &str, ban: &RoomBan) -> Refusal {
    let until = ban.until.map_or(String::new(), |until| format!(" until {until}"));
    let reason = ban.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    Refusal::new(code::BANNED, format!("you may not come into `{room}`{until}{reason}")).hint("ask a moderator of the room")
}
