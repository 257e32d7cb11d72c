//! What an argument kind or a command may look at: who exists, who is here, what time it is. Nothing can be
//! changed through it.

use chinwag_wire::{Card, Event, Millis, Refusal, RoomAccess, code, name, suggest};

use crate::hall::rooms::{ENTERED_MAX, no_room};
use crate::hall::{Hall, MemberRow, Room, RoomId, Session, SessionId, User, UserId};
use crate::server::Settings;

/// With how many names a wrong one is compared to find the nearest, of each kind: a millisecond in which nobody else does
/// anything. Where there are more, those that are in use at the moment come first.
const COMPARED_MAX: usize = 2000;

/// A read-only look at the hall, on behalf of one connection.
pub struct View<'a> {
    hall: &'a Hall,
    session: SessionId,
    /// The clock when the look was taken.
    pub now: Millis,
    pub(crate) cards: &'a [Card],
    pub(crate) settings: &'a Settings,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("session", &self.session).field("now", &self.now).finish_non_exhaustive()
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(hall: &'a Hall, session: SessionId, now: Millis, cards: &'a [Card], settings: &'a Settings) -> View<'a> {
        View { hall, session, now, cards, settings }
    }

    /// Who looks, if logged in.
    #[must_use]
    pub fn me(&self) -> Option<UserId> {
        self.hall.session(self.session).map(|session| session.user)
    }

    /// Whether this is the server's console, or `chinwagd ctl`.
    #[must_use]
    pub fn is_console(&self) -> bool {
        self.session == SessionId::CONSOLE
    }

    /// Whether the one who looks may do what only operators may.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.hall.has_authority(self.session)
    }

    /// The session of the one who looks, if logged in.
    #[must_use]
    pub fn my_session(&self) -> Option<&'a Session> {
        self.hall.session(self.session)
    }

    /// The hall itself.
    #[must_use]
    pub fn hall(&self) -> &'a Hall {
        self.hall
    }

    /// Whether the one who looks may see that `other` is here, or was.
    #[must_use]
    pub fn sees(&self, other: UserId) -> bool {
        self.me().is_none_or(|me| !self.hall.hidden(me, other))
    }

    /// For how many seconds `other` has done nothing, if that is worth telling and for the one who looks to know.
    #[must_use]
    pub fn idle(&self, other: UserId) -> Option<u64> {
        let user = self.hall.user(other).filter(|_| self.sees(other))?;
        self.hall.idle(user, self.now).map(|idle| idle.as_secs())
    }

    /// Everybody else who is online, as far as the one who looks may see them.
    pub fn others_online(&self) -> impl Iterator<Item = (UserId, &'a User)> {
        let me = self.me();
        self.hall.online().filter(move |(id, _)| Some(*id) != me && self.sees(*id))
    }

    /// The room that what I type goes to, and what I am in it.
    ///
    /// # Errors
    /// `no-room`.
    pub fn my_room(&self) -> Result<(RoomId, &'a Room, &'a MemberRow), Refusal> {
        self.me().and_then(|me| self.hall.room_of(me)).ok_or_else(|| self.why_no_room())
    }

    /// The room that what I typed went to has put me out, and it goes to none of those I am in still.
    #[must_use]
    pub fn is_adrift(&self) -> bool {
        self.me().and_then(|me| self.hall.user(me)).is_some_and(|user| user.adrift)
    }

    fn why_no_room(&self) -> Refusal {
        let user = self.me().and_then(|me| self.hall.user(me)).filter(|user| user.adrift);
        let Some(room) = user.and_then(|user| user.rooms.last()).and_then(|id| self.hall.room(*id)) else { return no_room() };
        let text = "you have been put out of the room that your lines went to";
        Refusal::new(code::NO_ROOM, text).hint(format!("join {}, or another that you are in, and they go there", room.row.name))
    }

    /// Whether the one who looks may know of `room` without being told its name.
    #[must_use]
    pub fn lists(&self, room: &Room) -> bool {
        if self.is_operator() {
            return true;
        }
        let belongs = |me: UserId| room.members.contains_key(&me) || room.invites(me);
        // A room that nobody is in is only worth mentioning if it stays.
        (room.row.access != RoomAccess::Invited && (room.here() > 0 || room.row.kept)) || self.me().is_some_and(belongs)
    }

    /// The room called `word`.
    ///
    /// # Errors
    /// `no-such-room`, with the nearest name there is.
    pub fn room(&self, word: &str) -> Result<(RoomId, &'a Room), Refusal> {
        // People write the sign that marks rooms elsewhere.
        let word = word.strip_prefix('#').filter(|name| !name.is_empty()).unwrap_or(word);
        if let Some(found) = self.hall.room_named(word, self.now) {
            return Ok(found);
        }
        let refusal = Refusal::new(code::NO_SUCH_ROOM, format!("there is no room `{}`", name::shortened(word)));
        let listed = self.hall.rooms(self.now).take(COMPARED_MAX).map(|(_, room)| room).filter(|room| self.lists(room));
        let nearest =
            if word.chars().count() <= name::NAME_MAX { suggest::nearest(word, listed.map(|room| &*room.row.name)) } else { None };
        Err(match nearest {
            Some(nearest) => refusal.hint(format!("did you mean `{nearest}`?")),
            None => refusal.hint(format!("`rooms` lists those there are; create {} makes it", name::shortened(word))),
        })
    }

    /// The member of my room who is called `word` there, or whose name it is.
    ///
    /// # Errors
    /// `no-room`; `not-in-room` for somebody who is not in mine.
    pub fn member(&self, word: &str) -> Result<&'a MemberRow, Refusal> {
        let (_, room, _) = self.my_room()?;
        let word = word.strip_suffix(':').filter(|name| !name.is_empty()).unwrap_or(word);
        let by_name = || self.hall.named(word).and_then(|(id, _)| room.members.get(&id));
        if let Some(member) = room.called(word).or_else(by_name) {
            return Ok(member);
        }
        let refusal = Refusal::new(code::NOT_IN_ROOM, format!("nobody in `{}` is called `{}`", room.row.name, name::shortened(word)));
        let visible = room.members.values().filter(|member| self.sees(member.user)).map(|member| &*member.nick);
        let nearest = if word.chars().count() <= name::NAME_MAX { suggest::nearest(word, visible) } else { None };
        Err(match nearest {
            Some(nearest) => refusal.hint(format!("did you mean `{nearest}`?")),
            None => refusal.hint("`members` lists who is"),
        })
    }

    /// What I am told on coming into the room that my lines go to.
    #[must_use]
    pub fn entered(&self, created: bool) -> Option<Event> {
        self.my_room().ok().map(|(_, room, me)| self.entered_room(room, me, created, false))
    }

    /// The same for all rooms that I am in.
    #[must_use]
    pub(crate) fn all_entered(&self) -> Vec<Event> {
        let Some(me) = self.me() else { return Vec::new() };
        let Some(user) = self.hall.user(me) else { return Vec::new() };
        let goes_to = user.rooms.last().filter(|_| !user.adrift);
        let rooms = user.rooms.iter().filter_map(|id| Some((self.hall.room(*id)?, goes_to != Some(id))));
        rooms.filter_map(|(room, heard_only)| Some(self.entered_room(room, room.members.get(&me)?, false, heard_only))).collect()
    }

    fn entered_room(&self, room: &Room, me: &MemberRow, created: bool, heard_only: bool) -> Event {
        let others = room.present().filter(|member| member.user != me.user && self.sees(member.user));
        let mut others: Vec<String> = others.take(ENTERED_MAX + 1).map(|member| member.nick.clone()).collect();
        let more = others.len() > ENTERED_MAX;
        others.truncate(ENTERED_MAX);
        others.sort_by_cached_key(|nick| name::folded(nick));
        let (room, topic) = (room.row.name.clone(), room.row.topic.clone());
        Event::Entered { room, nick: me.nick.clone(), topic, others, more, created, heard_only }
    }

    /// The user called `word`.
    ///
    /// # Errors
    /// `no-such-user`, with the nearest name there is.
    pub fn user(&self, word: &str) -> Result<(UserId, &'a User), Refusal> {
        // `message bob: hi`: people write the colon as they do after `@bob`.
        let word = word.strip_suffix(':').filter(|name| !name.is_empty()).unwrap_or(word);
        if let Some(found) = self.hall.named(word) {
            return Ok(found);
        }
        let refusal = Refusal::new(code::NO_SUCH_USER, format!("there is no user `{}`", name::shortened(word)));
        // A long word is no slip of the fingers, and comparing it with everyone is work.
        let nearest = if word.chars().count() <= name::NAME_MAX {
            let compared = self.hall.online().take(COMPARED_MAX).chain(self.hall.users().take(COMPARED_MAX));
            suggest::nearest(word, compared.map(|(_, user)| &*user.name))
        } else {
            None
        };
        Err(match nearest {
            Some(nearest) => refusal.hint(format!("did you mean `{nearest}`?")),
            None => refusal.hint("`users` lists everyone"),
        })
    }
}
