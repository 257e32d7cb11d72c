//! What is said and shown: who gets it, who does not, and what the sender learns.

use chinwag_wire::{Fact, Said};

use super::*;
use crate::spoken::Spoken;

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
        let from = self.speaker(origin)?;
        if let Some(key) = &key
            && let Some((_, receipt)) = self.users.get(&from).and_then(|user| user.keys.iter().find(|(known, _)| **known == **key))
        {
            return Ok(Applied { receipt: Receipt { again: true, ..*receipt }, ..Applied::default() });
        }
        if text.len() + usize::from(Fault::TextTooShort.is_on()) > self.policy.text_bytes {
            let text = format!("the text is longer than {} bytes", self.policy.text_bytes);
            return Err(Refusal::new(code::TEXT_TOO_LONG, text).hint("say it in several messages"));
        }
        let mut applied = match to {
            Recipient::User(whom) => self.say_to(seq, now, origin, from, whom, text)?,
            Recipient::Everyone => self.say_to_all(seq, now, from, text)?,
        };
        if let (Some(key), Some(user)) = (key, self.users.get_mut(&from)) {
            user.remember_key(&key, applied.receipt);
            if let Some(Row::Said(said)) = applied.rows.first_mut() {
                said.key = Some(key);
            }
        }
        applied.durable = true;
        Ok(applied)
    }

    fn say_to(&mut self, seq: u64, now: Millis, origin: SessionId, from: UserId, whom: UserId, text: String) -> Result<Applied, Refusal> {
        let (_, to) = self.pair(origin, whom, "message")?;
        let to = to.to_owned();
        self.check_open_to(from, whom, &to)?;
        let from_name = self.users.get(&from).map_or_else(String::new, |user| user.name.to_string());
        let said = Said { seq, at: now, from: from_name, to: Addressee::User(to), text, ..Said::default() };
        let spoken = Arc::new(Spoken::kept(said));
        let user = self.users.get_mut(&whom).ok_or_else(gone)?;
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

    fn say_to_all(&mut self, seq: u64, now: Millis, from: UserId, text: String) -> Result<Applied, Refusal> {
        let user = self.users.get(&from).ok_or_else(gone)?;
        let missed = user.blocked_by.iter().any(|id| self.policy.broadcast_offline || self.online.contains(id));
        let said = Said { seq, at: now, from: user.name.to_string(), to: Addressee::Everyone, text, ..Said::default() };
        let spoken = Arc::new(Spoken::kept(said));
        let mut hidden = self.hidden_from(from);
        hidden.retain(|id| !(Fault::BroadcastToSelf.is_on() && *id == from || Fault::BroadcastToBlockers.is_on() && *id != from));
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
    fn check_open_to(&self, from: UserId, whom: UserId, name: &str) -> Result<(), Refusal> {
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
    SaidRow { spoken: Arc::clone(spoken), from, audience, hidden_from, key: None }
}
