//! Keeping order: topics, roles, who may come in, who has to go out.

use super::*;

/// What is to be otherwise in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomChange {
    /// What it is about at the moment; `None` takes it away.
    Topic(Option<String>),
    /// What it is for; `None` takes it away.
    Description(Option<String>),
    /// Who may come in, with the hash of the password if that is asked for.
    Access(RoomAccess, Option<String>),
    /// Whether it stays when everyone has left.
    Kept(bool),
    /// Whether it can only be read.
    Archived(bool),
    /// What somebody may do.
    Role {
        /// Who.
        who: UserId,
        /// What.
        role: RoomRole,
    },
    /// Somebody else is the owner now, in place of whoever says so.
    Transfer {
        /// Who.
        to: UserId,
    },
    /// Somebody has to go out.
    Kick {
        /// Who.
        who: UserId,
        /// Why.
        reason: Option<String>,
    },
    /// Somebody has to go out and may not come in again.
    Ban {
        /// Who.
        who: UserId,
        /// Until when; `None` for ever.
        until: Option<Millis>,
        /// Why.
        reason: Option<String>,
    },
    /// Somebody may come in again.
    Unban {
        /// The name.
        name: String,
    },
    /// Somebody may not say anything.
    Mute {
        /// Who.
        who: UserId,
        /// Until when; `None` for ever.
        until: Option<Millis>,
    },
    /// Somebody may say something again.
    Unmute {
        /// Who.
        who: UserId,
    },
    /// Somebody may come in.
    Invite {
        /// Who.
        who: UserId,
    },
    /// The room is no more.
    End {
        /// Why.
        reason: Option<String>,
    },
}

/// For ever, where a time is kept: nobody is muted until the year 10000.
const FOR_EVER: Millis = Millis(253_402_300_800_000);

impl RoomChange {
    /// The least role that may do it.
    fn needs(&self, room: &Room) -> RoomRole {
        match self {
            RoomChange::Invite { .. } if room.row.access == RoomAccess::Public => RoomRole::Member,
            RoomChange::Topic(_) | RoomChange::Kick { .. } | RoomChange::Ban { .. } | RoomChange::Unban { .. } => RoomRole::Moderator,
            RoomChange::Mute { .. } | RoomChange::Unmute { .. } | RoomChange::Invite { .. } => RoomRole::Moderator,
            RoomChange::Description(_) | RoomChange::Access(..) | RoomChange::Kept(_) | RoomChange::Archived(_) => RoomRole::Owner,
            RoomChange::Role { .. } | RoomChange::Transfer { .. } | RoomChange::End { .. } => RoomRole::Owner,
        }
    }

    /// Whom it is done to, if that has to be somebody of a lower role.
    fn whom(&self) -> Option<UserId> {
        match self {
            RoomChange::Kick { who, .. } | RoomChange::Ban { who, .. } | RoomChange::Mute { who, .. } | RoomChange::Unmute { who } => {
                Some(*who)
            }
            _ => None,
        }
    }
}

impl Hall {
    pub(in crate::hall) fn change_room(
        &mut self,
        seq: u64,
        now: Millis,
        origin: SessionId,
        id: RoomId,
        change: RoomChange,
    ) -> Result<Applied, Refusal> {
        let who = self.speaker(origin)?;
        let (room, member) = self.member(id, who)?;
        let (role, by) = (member.role, member.nick.clone());
        let least = change.needs(room);
        if role < least {
            let text = format!("only {}s of `{}` may do this", least.word(), room.row.name);
            return Err(Refusal::new(code::NOT_PERMITTED, text).hint("`members` lists them"));
        }
        if let Some(whom) = change.whom() {
            if whom == who {
                return Err(Refusal::new(code::YOURSELF, "you cannot do this to yourself").hint("leave, if you want to go"));
            }
            if role != RoomRole::Owner && room.members.get(&whom).is_some_and(|member| member.role >= role) {
                let text = "somebody with your role, or a higher one, is not yours to judge";
                return Err(Refusal::new(code::NOT_PERMITTED, text).hint("ask an owner of the room"));
            }
        }
        let mut applied = Applied { durable: true, receipt: Receipt { seq, at: now, ..Receipt::default() }, ..Applied::default() };
        self.apply_change(now, id, Some((who, by)), change, &mut applied)?;
        Ok(applied)
    }

    /// By an operator, who need not belong to it.
    pub(in crate::hall) fn end_room(
        &mut self,
        seq: u64,
        now: Millis,
        origin: SessionId,
        id: RoomId,
        reason: Option<String>,
    ) -> Result<Applied, Refusal> {
        self.authority(origin)?;
        let mut applied = Applied { durable: true, receipt: Receipt { seq, at: now, ..Receipt::default() }, ..Applied::default() };
        self.apply_change(now, id, None, RoomChange::End { reason }, &mut applied)?;
        Ok(applied)
    }

    /// By `by`, who may; by nobody of the room if it is the server's operator.
    pub(in crate::hall) fn apply_change(
        &mut self,
        now: Millis,
        id: RoomId,
        by: Option<(UserId, String)>,
        change: RoomChange,
        applied: &mut Applied,
    ) -> Result<(), Refusal> {
        let by_name = by.as_ref().map_or_else(|| "an operator".to_owned(), |(_, name)| name.clone());
        let room = self.room_mut(id)?;
        let mut told = news(room, RoomDeed::Topic, now);
        told.by = Some(by_name.clone());
        match change {
            RoomChange::Topic(text) => {
                told.text = check_short(text)?;
                room.row.topic.clone_from(&told.text);
            }
            RoomChange::Description(text) => {
                told.what = RoomDeed::Description;
                told.text = check_short(text)?;
                room.row.description.clone_from(&told.text);
            }
            RoomChange::Access(access, password) => {
                told.what = RoomDeed::Access;
                told.text = Some(
                    match access {
                        RoomAccess::Public | RoomAccess::Unknown => "everyone",
                        RoomAccess::Invited => "those who are invited",
                        RoomAccess::Password => "those who know the password",
                    }
                    .to_owned(),
                );
                (room.row.access, room.row.password) = (access, password);
            }
            RoomChange::Kept(kept) => {
                told.what = if kept { RoomDeed::Kept } else { RoomDeed::NotKept };
                room.row.kept = kept;
            }
            RoomChange::Archived(archived) => {
                told.what = if archived { RoomDeed::Archived } else { RoomDeed::Unarchived };
                room.row.archived = archived;
            }
            RoomChange::Role { who, role } => return self.give_role(now, id, by.map(|(by, _)| by), &by_name, who, role, applied),
            RoomChange::Transfer { to } => {
                if by.as_ref().is_some_and(|(by, _)| *by == to) {
                    return Err(Refusal::new(code::YOURSELF, "the room is yours already").hint("name somebody else"));
                }
                self.give_role(now, id, None, &by_name, to, RoomRole::Owner, applied)?;
                let Some((by, _)) = by else { return Ok(()) };
                // A guest who made the room has nothing else to be.
                let role = if by.is_guest() { RoomRole::Member } else { RoomRole::Moderator };
                return self.give_role(now, id, None, &by_name, by, role, applied);
            }
            RoomChange::Kick { who, reason } => {
                (told.what, told.text) = (RoomDeed::Kicked, check_short(reason)?);
                return self.put_out(now, id, who, told, applied);
            }
            RoomChange::Ban { who, until, reason } => {
                (told.what, told.text, told.until) = (RoomDeed::Banned, check_short(reason)?, until);
                let user = self.users.get(&who).ok_or_else(gone)?;
                let (name, folded) = (user.name.to_string(), name::folded(&user.name));
                let room = self.room_mut(id)?;
                room.bans.retain(|_, ban| ban.until.is_none_or(|until| until > now));
                if room.bans.len() >= LISTED_MAX {
                    return Err(Refusal::new(code::NOT_PERMITTED, format!("{LISTED_MAX} are banned here already")).hint("unban some first"));
                }
                let ban = RoomBan { until, by: by_name, reason: told.text.clone() };
                applied.rows.push(Row::RoomBan { room: id, name: folded.clone(), ban: ban.clone() });
                room.bans.insert(folded.into(), ban);
                let is_member = room.members.contains_key(&who);
                if self.rooms.uninvite(id, who) {
                    applied.rows.push(Row::NotInvited { room: id, user: who });
                }
                if is_member {
                    return self.put_out(now, id, who, told, applied);
                }
                told.whom = Some(name);
                self.tell_room(id, told, Vec::new(), applied);
                return Ok(());
            }
            RoomChange::Unban { name } => {
                let folded = name::folded(&name);
                if room.bans.remove(folded.as_str()).is_none() {
                    return Err(Refusal::new(code::NOT_IN_ROOM, format!("`{}` is not banned here", name::shortened(&name)))
                        .hint("`roombans` lists who is"));
                }
                applied.rows.push(Row::RoomBanGone { room: id, name: folded });
                (told.what, told.whom) = (RoomDeed::Unbanned, Some(name));
                self.tell_room(id, told, Vec::new(), applied);
                return Ok(());
            }
            RoomChange::Mute { who, until } => {
                told.what = RoomDeed::Muted;
                told.until = until;
                return self.set_muted(id, who, Some(until.unwrap_or(FOR_EVER)), told, applied);
            }
            RoomChange::Unmute { who } => {
                told.what = RoomDeed::Unmuted;
                return self.set_muted(id, who, None, told, applied);
            }
            RoomChange::Invite { who } => return self.invite(id, by.map(|(by, _)| by), who, told, applied),
            RoomChange::End { reason } => {
                (told.what, told.text) = (RoomDeed::Ended, check_short(reason)?);
                self.tell_room(id, told, Vec::new(), applied);
                self.forget_room(id, applied);
                return Ok(());
            }
        }
        applied.rows.push(Row::Room(room.row.clone()));
        self.tell_room(id, told, Vec::new(), applied);
        // It may be empty, now that it is not kept.
        self.note_if_empty(now, id);
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "who gives what to whom")]
    fn give_role(
        &mut self,
        now: Millis,
        id: RoomId,
        by: Option<UserId>,
        by_name: &str,
        who: UserId,
        role: RoomRole,
        applied: &mut Applied,
    ) -> Result<(), Refusal> {
        if by == Some(who) && role != RoomRole::Owner {
            self.check_another_owner(id, who)?;
        }
        if who.is_guest() && role != RoomRole::Member {
            return Err(Refusal::new(code::GUESTS, "a guest has no role that lasts").hint("give it to somebody with an account"));
        }
        let room = self.room_mut(id)?;
        let mut told = news(room, RoomDeed::Role, now);
        let name = room.row.name.clone();
        let member = room.members.get_mut(&who).ok_or_else(|| not_a_member(&name))?;
        if member.role == role {
            return Ok(());
        }
        member.role = role;
        told.whom = Some(member.nick.clone());
        told.text = Some(role.word().to_owned());
        told.by = Some(by_name.to_owned());
        if !who.is_guest() {
            applied.rows.push(Row::Member(member.clone()));
        }
        self.tell_room(id, told, Vec::new(), applied);
        Ok(())
    }

    pub(super) fn check_another_owner(&self, id: RoomId, who: UserId) -> Result<(), Refusal> {
        let another = self
            .rooms
            .all
            .get(&id)
            .is_some_and(|room| room.members.values().any(|member| member.role == RoomRole::Owner && member.user != who));
        if another {
            return Ok(());
        }
        Err(Refusal::new(code::LAST_OWNER, "you are the only owner of this room").hint("transfer NICK first, or end the room: close"))
    }

    /// The others hear it, and so does who has to go: before, while they still hear the room.
    fn put_out(&mut self, now: Millis, id: RoomId, who: UserId, mut told: RoomNews, applied: &mut Applied) -> Result<(), Refusal> {
        let room = self.room_mut(id)?;
        let name = room.row.name.clone();
        let member = room.members.get(&who).ok_or_else(|| not_a_member(&name))?;
        told.whom = Some(member.nick.clone());
        // Who belongs to it and is not in it hears it all the same.
        let elsewhere = (!member.tuned_in).then(|| self.users.get(&who).map(|user| user.sessions.clone())).flatten();
        if let Some(sessions) = elsewhere.filter(|sessions| !sessions.is_empty()) {
            let spoken = Arc::new(Spoken::fleeting(Event::Room(told.clone())));
            applied.deliveries.push(Delivery::See { spoken, reach: Reach::Sessions(sessions) });
        }
        self.tell_room(id, told, Vec::new(), applied);
        self.drop_member(now, id, who, false, applied);
        Ok(())
    }

    fn set_muted(
        &mut self,
        id: RoomId,
        who: UserId,
        until: Option<Millis>,
        mut told: RoomNews,
        applied: &mut Applied,
    ) -> Result<(), Refusal> {
        let room = self.room_mut(id)?;
        let name = room.row.name.clone();
        let member = room.members.get_mut(&who).ok_or_else(|| not_a_member(&name))?;
        member.muted_until = until;
        told.whom = Some(member.nick.clone());
        if !who.is_guest() {
            applied.rows.push(Row::Member(member.clone()));
        }
        self.tell_room(id, told, Vec::new(), applied);
        Ok(())
    }

    fn invite(&mut self, id: RoomId, by: Option<UserId>, who: UserId, mut told: RoomNews, applied: &mut Applied) -> Result<(), Refusal> {
        let user = self.users.get(&who).ok_or_else(gone)?;
        let (name, sessions) = (user.name.to_string(), user.sessions.clone());
        if let Some(by) = by {
            if by == who {
                return Err(Refusal::new(code::YOURSELF, "you are in it already").hint("name somebody else"));
            }
            self.check_open_to(by, who, &name)?;
        }
        let room = self.room_mut(id)?;
        if room.members.contains_key(&who) {
            return Err(Refusal::new(code::ALREADY_IN_ROOM, format!("`{name}` belongs to `{}` already", room.row.name))
                .hint("`members` lists who does"));
        }
        if room.invited.len() >= LISTED_MAX {
            return Err(Refusal::new(code::NOT_PERMITTED, format!("{LISTED_MAX} are invited already")).hint("wait until some have come"));
        }
        // A guest is gone before long: whoever has a number like theirs then is somebody else.
        if self.rooms.invite(id, who) && !who.is_guest() {
            applied.rows.push(Row::Invited { room: id, user: who });
        }
        told.what = RoomDeed::Invited;
        let spoken = Arc::new(Spoken::fleeting(Event::Room(told)));
        applied.deliveries.push(Delivery::See { spoken, reach: Reach::Sessions(sessions) });
        Ok(())
    }
}

fn not_a_member(room: &str) -> Refusal {
    Refusal::new(code::NOT_IN_ROOM, format!("they do not belong to `{room}`")).hint("`members` lists who does")
}

fn check_short(text: Option<String>) -> Result<Option<String>, Refusal> {
    let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if text.as_ref().is_some_and(|text| text.len() > TOPIC_BYTES) {
        return Err(Refusal::new(code::TEXT_TOO_LONG, format!("this is longer than {TOPIC_BYTES} bytes")).hint("say it in fewer words"));
    }
    Ok(text)
}
