//! What is said and shown: who gets it, who does not, and what the sender learns.

use chinwag_wire::{About, Deed, Fact, Said};

use super::*;
use crate::spoken::Spoken;

/// How many users one message can name: more is a list, not a word to somebody.
const MENTIONS_MAX: usize = 16;

/// The longest reaction, in bytes: a family of emoji, a short word.
const REACTION_BYTES: usize = 48;

/// What is said, and what it is to an earlier message.
struct Words {
    text: String,
    about: Option<About>,
}

impl Hall {
    pub(super) fn say(
        &mut self,
        seq: u64,
        now: Millis,
        origin: SessionId,
        to: Recipient,
        text: String,
        key: Option<String>,
    ) -> Result<Applied, Refusal> {
        self.say_once(seq, now, origin, to, Words { text, about: None }, key)
    }

    /// Says something about an earlier message, to those who could hear that.
    pub(super) fn amend(
        &mut self,
        seq: u64,
        now: Millis,
        origin: SessionId,
        amend: Amend,
        key: Option<String>,
    ) -> Result<Applied, Refusal> {
        let from = self.speaker(origin)?;
        let Amend { seq: earlier, by, by_name, audience, quoted, deed, text } = amend;
        if matches!(deed, Deed::Edit | Deed::Delete) && by != from {
            return Err(Refusal::new(code::NO_SUCH_MESSAGE, "this is somebody else's message").hint("you can change your own"));
        }
        if deed == Deed::React && (text.len() > REACTION_BYTES || text.contains(char::is_whitespace)) {
            let text = format!("a reaction is one word or emoji of at most {REACTION_BYTES} bytes");
            return Err(Refusal::new(code::TEXT_TOO_LONG, text).hint("reply N TEXT says more"));
        }
        let to = match RoomId::of_audience(audience) {
            Some(room) => Recipient::Room(room),
            None if audience == UserId::EVERYONE || audience == UserId::PRESENT => Recipient::Everyone,
            None => Recipient::User(if by == from { audience } else { by }),
        };
        let about = About { seq: earlier, from: by_name, text: quoted, deed };
        self.say_once(seq, now, origin, to, Words { text, about: Some(about) }, key)
    }

    fn say_once(
        &mut self,
        seq: u64,
        now: Millis,
        origin: SessionId,
        to: Recipient,
        words: Words,
        key: Option<String>,
    ) -> Result<Applied, Refusal> {
        let from = self.speaker(origin)?;
        if let Some(key) = &key
            && let Some((_, receipt)) = self.users.get(&from).and_then(|user| user.keys.iter().find(|(known, _)| **known == **key))
        {
            return Ok(Applied { receipt: Receipt { again: true, ..*receipt }, ..Applied::default() });
        }
        if words.text.len() + usize::from(Fault::TextTooShort.is_on()) > self.policy.text_bytes {
            let text = format!("the text is longer than {} bytes", self.policy.text_bytes);
            return Err(Refusal::new(code::TEXT_TOO_LONG, text).hint("say it in several messages"));
        }
        let mut applied = match to {
            Recipient::User(whom) => self.say_to(seq, now, origin, from, whom, words)?,
            Recipient::Everyone => self.say_to_all(seq, now, from, words)?,
            Recipient::Room(room) => self.say_in_room(seq, now, from, room, words)?,
            Recipient::Member { room, user } => self.whisper(seq, now, origin, from, room, user, words)?,
        };
        applied.durable = true;
        let (Some(user), Some(Row::Said(said))) = (self.users.get_mut(&from), applied.rows.first_mut()) else { return Ok(applied) };
        user.spoke = seq;
        said.device = self.sessions.get(&origin).map(|session| session.device).filter(|_| !from.is_guest());
        let others: Vec<SessionId> = user.sessions.iter().copied().filter(|session| *session != origin).collect();
        if let (false, Some(own)) = (others.is_empty(), said.spoken.said()) {
            let spoken = Arc::new(Spoken::own(own.clone()));
            applied.deliveries.push(Delivery::See { spoken, reach: Reach::Sessions(others) });
        }
        if let Some(key) = key {
            user.remember_key(&key, applied.receipt);
            said.key = Some(key);
        }
        Ok(applied)
    }

    fn say_to(&mut self, seq: u64, now: Millis, origin: SessionId, from: UserId, whom: UserId, words: Words) -> Result<Applied, Refusal> {
        let (_, to) = self.pair(origin, whom, "message")?;
        let to = to.to_owned();
        self.check_open_to(from, whom, &to)?;
        let from_name = self.users.get(&from).map_or_else(String::new, |user| user.name.to_string());
        let mentions = self.mentions(&words, |id| id == whom);
        let Words { text, about } = words;
        let said = Said { seq, at: now, from: from_name, to: Addressee::User(to), text, mentions, about, ..Said::default() };
        self.hand_to(seq, now, from, whom, said)
    }

    /// To one member of a room: a message like any other, but for how it is shown.
    #[allow(clippy::too_many_arguments, reason = "who says what to whom, and where")]
    fn whisper(
        &mut self,
        seq: u64,
        now: Millis,
        origin: SessionId,
        from: UserId,
        room: RoomId,
        whom: UserId,
        words: Words,
    ) -> Result<Applied, Refusal> {
        let (_, to) = self.pair(origin, whom, "whisper to")?;
        let to = to.to_owned();
        let (nick, _) = self.voice_in(room, from, now)?;
        let is_here = self.room(room).and_then(|room| room.members.get(&whom)).is_some_and(|member| member.tuned_in)
            && self.users.get(&whom).is_some_and(User::is_online);
        if !is_here {
            return Err(Refusal::new(code::NOT_IN_ROOM, format!("`{to}` is not in your room"))
                .hint(format!("message {to} TEXT reaches them anywhere")));
        }
        self.check_open_to(from, whom, &to)?;
        let from_name = self.users.get(&from).map_or_else(String::new, |user| user.name.to_string());
        let nick = (nick != from_name).then_some(nick);
        let Words { text, about } = words;
        let said = Said { seq, at: now, from: from_name, nick, to: Addressee::User(to), text, about, whisper: true, ..Said::default() };
        let mut applied = self.hand_to(seq, now, from, whom, said)?;
        if let Some(Delivery::See { reach, .. }) = applied.deliveries.first_mut().filter(|_| Fault::WhisperToRoom.is_on()) {
            *reach = Reach::Room { room, but: vec![from] };
        }
        Ok(applied)
    }

    /// What `who` is called in a room that they are in and may speak in, and the room's name.
    fn voice_in(&self, room: RoomId, who: UserId, now: Millis) -> Result<(String, String), Refusal> {
        let room = self.room(room).ok_or_else(rooms::no_room)?;
        let member = room.members.get(&who).filter(|member| member.tuned_in).ok_or_else(rooms::no_room)?;
        if room.row.archived {
            return Err(Refusal::new(code::ARCHIVED, format!("`{}` is archived: it can be read, nothing can be said", room.row.name))
                .hint("leave, and join another room"));
        }
        if let Some(until) = member.muted_until.filter(|until| *until > now && !Fault::MutedSpeaks.is_on()) {
            return Err(Refusal::new(code::MUTED, format!("you are muted in `{}` until {until}", room.row.name))
                .hint("a moderator can unmute you; @NAME TEXT reaches one"));
        }
        Ok((member.nick.clone(), room.row.name.clone()))
    }

    fn say_in_room(&mut self, seq: u64, now: Millis, from: UserId, id: RoomId, words: Words) -> Result<Applied, Refusal> {
        let (nick, name) = self.voice_in(id, from, now)?;
        let user = self.users.get(&from).ok_or_else(gone)?;
        let room = self.room(id).ok_or_else(rooms::no_room)?;
        let missed = user.blocked_by.iter().any(|other| room.members.contains_key(other));
        let nick = (*nick != *user.name).then_some(nick);
        let mut hidden = self.hidden_from(from);
        hidden.retain(|other| !Fault::SpeaksToBlockers.is_on() || *other == from);
        let mentions = self.mentions(&words, |other| room.members.contains_key(&other) && hidden.binary_search(&other).is_err());
        let Words { text, about } = words;
        let from_name = user.name.to_string();
        let said = Said { seq, at: now, from: from_name, nick, to: Addressee::Room(name), text, mentions, about, ..Said::default() };
        let spoken = Arc::new(Spoken::kept(said));
        self.note_said_in(id, seq);
        Ok(Applied {
            receipt: Receipt { seq, at: now, missed, ..Receipt::default() },
            rows: vec![Row::Said(row(&spoken, from, id.audience(), hidden.iter().copied().filter(|other| *other != from).collect()))],
            deliveries: vec![Delivery::See { spoken, reach: Reach::Room { room: id, but: hidden } }],
            ..Applied::default()
        })
    }

    /// Those whom the words name with `@`, as far as they hear it.
    fn mentions(&self, words: &Words, hears: impl Fn(UserId) -> bool) -> Vec<String> {
        let mut mentioned: Vec<String> = Vec::new();
        let text = &words.text;
        // Nearly all texts name nobody.
        if !text.contains('@') {
            return mentioned;
        }
        for (_, word) in name::behind_at(text) {
            if mentioned.len() == MENTIONS_MAX {
                break;
            }
            let Some((id, user)) = name::readings(word).find_map(|name| self.named(name)) else { continue };
            if hears(id) && !mentioned.iter().any(|known| **known == *user.name) {
                mentioned.push(user.name.to_string());
            }
        }
        mentioned
    }

    /// Gives one user what is said to them alone.
    fn hand_to(&mut self, seq: u64, now: Millis, from: UserId, whom: UserId, said: Said) -> Result<Applied, Refusal> {
        let spoken = Arc::new(Spoken::kept(said));
        if let Some(sender) = self.users.get_mut(&from) {
            sender.talked_with(whom);
        }
        let user = self.users.get_mut(&whom).ok_or_else(gone)?;
        user.talked_with(from);
        user.newest = seq;
        let reached = user.sessions.clone();
        let kept = reached.is_empty();
        Ok(Applied {
            receipt: Receipt { seq, at: now, kept, ..Receipt::default() },
            rows: vec![Row::Said(row(&spoken, from, whom, Vec::new()))],
            deliveries: vec![Delivery::See { spoken, reach: Reach::Sessions(reached) }],
            ..Applied::default()
        })
    }

    fn say_to_all(&mut self, seq: u64, now: Millis, from: UserId, words: Words) -> Result<Applied, Refusal> {
        let user = self.users.get(&from).ok_or_else(gone)?;
        let missed = user.blocked_by.iter().any(|id| self.policy.broadcast_offline || self.online.contains(id));
        let mut hidden = self.hidden_from(from);
        hidden.retain(|id| !(Fault::BroadcastToSelf.is_on() && *id == from || Fault::BroadcastToBlockers.is_on() && *id != from));
        let mentions = self.mentions(&words, |other| hidden.binary_search(&other).is_err());
        let Words { text, about } = words;
        let said = Said { seq, at: now, from: user.name.to_string(), to: Addressee::Everyone, text, mentions, about, ..Said::default() };
        let spoken = Arc::new(Spoken::kept(said));
        let audience = if self.policy.broadcast_offline { UserId::EVERYONE } else { UserId::PRESENT };
        if self.policy.broadcast_offline {
            self.newest_to_all = seq;
        }
        Ok(Applied {
            receipt: Receipt { seq, at: now, missed, ..Receipt::default() },
            rows: vec![Row::Said(row(&spoken, from, audience, hidden.iter().copied().filter(|id| *id != from).collect()))],
            deliveries: vec![Delivery::See { spoken, reach: Reach::EveryoneBut(hidden) }],
            ..Applied::default()
        })
    }

    pub(super) fn show(&mut self, origin: SessionId, to: ShowTo, fact: Fact) -> Result<Applied, Refusal> {
        let from = self.speaker(origin)?;
        let reach = match to {
            ShowTo::Everyone => {
                let mut hidden = self.hidden_from(from);
                hidden.retain(|id| *id != from);
                Reach::EveryoneBut(hidden)
            }
            ShowTo::User(whom) => {
                let user = self.users.get(&whom).ok_or_else(gone)?;
                self.check_open_to(from, whom, &user.name)?;
                if !user.is_online() {
                    return Err(Refusal::new(code::NOT_ONLINE, format!("`{}` is not online", user.name)));
                }
                Reach::Sessions(user.sessions.clone())
            }
        };
        Ok(Applied {
            deliveries: vec![Delivery::See { spoken: Arc::new(Spoken::fleeting(Event::Fact(fact))), reach }],
            ..Applied::default()
        })
    }

    /// Whether `from` can reach `whom` at all.
    pub(super) fn check_open_to(&self, from: UserId, whom: UserId, name: &str) -> Result<(), Refusal> {
        let Some(user) = self.users.get(&from) else { return Err(gone()) };
        if user.blocks.contains(&whom) {
            return Err(Refusal::new(code::BLOCKED, format!("you have blocked `{name}`")).hint(format!("unblock {name} first")));
        }
        if user.blocked_by.contains(&whom) && !Fault::BlockNotChecked.is_on() {
            return Err(Refusal::new(code::BLOCKED, format!("`{name}` does not take messages from you")).hint("the message was not sent"));
        }
        Ok(())
    }
}

fn row(spoken: &Arc<Spoken>, from: UserId, audience: UserId, hidden_from: Vec<UserId>) -> SaidRow {
    SaidRow { spoken: Arc::clone(spoken), from, audience, hidden_from, key: None, device: None }
}
