//! A store that keeps nothing beyond its own life: for the stage, and as the reference for the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chinwag_wire::{Deed, Millis, Said};

use super::{
    AROUND, Bound, DeedLine, Found, Limits, PAGE_MAX, Page, PastOf, Question, Reader, Search, StoreError, Which, Writer, shortened, size,
};
use crate::hall::{RoomId, Row, SaidRow, UserId};
use crate::spoken::Spoken;

/// Everything said, in order, and every deed. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    said: Vec<SaidRow>,
    belonged: Vec<Stay>,
    heard: Vec<Stay>,
    reactions: BTreeMap<(u64, UserId), String>,
    deleted: BTreeSet<u64>,
    head: u64,
    deeds: Vec<DeedLine>,
    /// Up to where accounts have seen what was said to them.
    cursors: BTreeMap<UserId, u64>,
    limits: Limits,
    /// Up to here everything has gone, or is held; and when that was said.
    expired: (u64, Option<Millis>),
    /// Held mail.
    held: BTreeSet<(UserId, u64)>,
    sweep_at: Millis,
    /// Up to where what was said to whom has gone.
    gone_to: BTreeMap<UserId, u64>,
}

impl Kept {
    /// Does to an earlier message what is said about it.
    fn amend(&mut self, row: &SaidRow) {
        let Some((said, about)) = row.spoken.said().and_then(|said| Some((said, said.about.as_ref()?))) else { return };
        match about.deed {
            Deed::React => drop(self.reactions.insert((about.seq, row.from), said.text.clone())),
            Deed::Unreact => drop(self.reactions.remove(&(about.seq, row.from))),
            Deed::Delete => drop(self.deleted.insert(about.seq)),
            Deed::Edit | Deed::Reply | Deed::Unknown => {}
        }
        for other in &mut self.said {
            let Some(old) = other.spoken.said() else { continue };
            let mut new = old.clone();
            if about.deed == Deed::Delete && new.about.as_ref().is_some_and(|of| of.seq == about.seq && of.deed == Deed::Edit) {
                self.deleted.insert(new.seq);
            }
            if old.seq == about.seq && about.deed == Deed::Edit {
                new = Said { text: said.text.clone(), mentions: Vec::new(), edited: true, ..new };
            }
            if let Some(of) = new.about.as_mut().filter(|of| of.seq == about.seq) {
                match about.deed {
                    Deed::Edit => of.text = shortened(&said.text),
                    Deed::Delete => of.text.clear(),
                    _ => {}
                }
            }
            if new != *old {
                other.spoken = Arc::new(Spoken::kept(new));
            }
        }
    }

    fn has(&self, seq: u64) -> bool {
        self.said.iter().any(|row| row.spoken.seq() == Some(seq))
    }

    /// Nobody sees any more of these messages, not even where they were quoted.
    fn erase(&mut self, is_going: impl Fn(&SaidRow) -> bool) {
        let going: BTreeSet<u64> = self.said.iter().filter(|row| is_going(row)).filter_map(|row| row.spoken.seq()).collect();
        self.said.retain(|row| row.spoken.seq().is_none_or(|seq| !going.contains(&seq)));
        self.reactions.retain(|(seq, _), _| !going.contains(seq));
        self.held.retain(|(_, seq)| !going.contains(seq));
        for row in &mut self.said {
            let Some(said) = row.spoken.said().filter(|said| said.about.as_ref().is_some_and(|about| going.contains(&about.seq))) else {
                continue;
            };
            row.spoken = Arc::new(Spoken::kept(about_nothing(said.clone())));
        }
    }

    fn bytes(&self) -> u64 {
        let text = |row: &SaidRow| if self.is_deleted(row) { AROUND } else { row.spoken.said().map_or(0, |said| size(&said.text)) };
        self.said.iter().map(text).sum()
    }

    fn is_unread(&self, row: &SaidRow) -> bool {
        self.cursors.get(&row.audience).is_some_and(|cursor| row.spoken.seq() > Some(*cursor))
    }

    /// Lets a message go, because of its age or its size.
    fn expire(&mut self, seq: u64) {
        let Some(audience) = self.said.iter().find(|row| row.spoken.seq() == Some(seq)).map(|row| row.audience) else { return };
        self.erase(|row| row.spoken.seq() == Some(seq));
        let gone = self.gone_to.entry(audience).or_default();
        *gone = (*gone).max(seq);
    }

    fn tend(&mut self, now: Millis) {
        let is_over = |kept: &Kept, row: &SaidRow| {
            let at = row.spoken.said().map(|said| said.at);
            at.is_some_and(|at| kept.limits.are_over(at, kept.bytes(), now))
        };
        loop {
            if !self.limits.are_any() {
                return;
            }
            if !self.held.is_empty() && now >= self.sweep_at {
                for (_, seq) in self.held.clone() {
                    let Some(row) = self.said.iter().find(|row| row.spoken.seq() == Some(seq)) else { continue };
                    if is_over(self, row) && !self.limits.holds(self.is_unread(row)) {
                        self.expire(seq);
                    }
                }
                self.sweep_at = now.plus(std::time::Duration::from_secs(24 * 3600));
                continue;
            }
            let Some(oldest) = self.said.iter().find(|row| row.spoken.seq() > Some(self.expired.0)) else { return };
            let Some(said) = oldest.spoken.said().filter(|_| is_over(self, oldest)) else { return };
            let (seq, audience) = (said.seq, oldest.audience);
            self.expired = (seq, Some(said.at));
            if self.limits.holds(self.is_unread(oldest)) {
                self.held.insert((audience, seq));
            } else {
                self.expire(seq);
            }
        }
    }

    /// Up to when is gone what an answer about the past would begin with.
    fn gone(&self, user: UserId, after: u64, of: PastOf) -> Option<Millis> {
        let (expired, at) = self.expired;
        let is_older = match of {
            PastOf::All | PastOf::With(_) => true,
            PastOf::RoomSince(_, since) => since < expired,
            PastOf::Room(room) => self.belonged.iter().any(|stay| stay.user == user && stay.room == room && stay.since < expired),
        };
        at.filter(|_| after < expired && is_older)
    }

    /// Up to when is gone what somebody was to see who has seen everything up to `after`.
    fn missed(&self, user: UserId, after: u64) -> Option<Millis> {
        let gone = |audience: UserId| self.gone_to.get(&audience).copied().unwrap_or_default();
        let mut heard = self.heard.iter().filter(|stay| stay.user == user && stay.until.is_none_or(|until| until > after));
        let is_missed =
            gone(user) > after || gone(UserId::EVERYONE) > after || heard.any(|stay| gone(stay.room.audience()) > stay.since.max(after));
        self.expired.1.filter(|_| self.expired.0 > after && is_missed)
    }

    /// As it has become.
    fn said(&self, row: &SaidRow) -> Option<Said> {
        let mut said = row.spoken.said()?.clone();
        for ((_, _), reaction) in self.reactions.iter().filter(|((seq, _), _)| *seq == said.seq) {
            *said.reactions.entry(reaction.clone()).or_insert(0) += 1;
        }
        Some(said)
    }

    fn is_deleted(&self, row: &SaidRow) -> bool {
        row.spoken.seq().is_some_and(|seq| self.deleted.contains(&seq))
    }

    /// What is `of` a user and is shown.
    fn is_of(&self, row: &SaidRow, user: UserId, after: u64, of: PastOf) -> bool {
        self.is_entitled(row, user, after, of) && !amends(row)
    }

    /// What is `of` a user.
    fn is_entitled(&self, row: &SaidRow, user: UserId, after: u64, of: PastOf) -> bool {
        let in_time = |row: &SaidRow| row.spoken.seq() > Some(after);
        let in_room = |row: &SaidRow| in_time(row) && self.belonged.iter().any(|stay| stay.holds(user, row));
        let is_mine = match of {
            PastOf::All => row.from == user || (in_time(row) && for_user(row, user)) || in_room(row),
            PastOf::With(with) => (row.from, row.audience) == (user, with) || (in_time(row) && (row.from, row.audience) == (with, user)),
            PastOf::Room(room) => row.audience == room.audience() && in_room(row),
            PastOf::RoomSince(room, since) => row.audience == room.audience() && in_time(row) && row.spoken.seq() > Some(since),
        };
        is_mine && !self.is_deleted(row) && (row.from == user || !row.hidden_from.contains(&user))
    }
}

/// From where to where somebody was something to a room.
#[derive(Debug)]
struct Stay {
    room: RoomId,
    user: UserId,
    since: u64,
    until: Option<u64>,
}

impl Stay {
    fn holds(&self, user: UserId, row: &SaidRow) -> bool {
        self.user == user
            && self.room.audience() == row.audience
            && row.spoken.seq().is_some_and(|seq| seq > self.since && self.until.is_none_or(|until| seq <= until))
    }
}

fn end(stays: &mut [Stay], room: RoomId, user: Option<UserId>, until: u64) {
    for stay in stays.iter_mut().filter(|stay| stay.room == room && user.is_none_or(|user| stay.user == user)) {
        stay.until.get_or_insert(until);
    }
}

impl Writer for Memory {
    fn commit(&mut self, rows: &[Row], head: u64, _durable: bool) -> Result<(), StoreError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            match *row {
                Row::Said(ref row) => {
                    let mut row = row.clone();
                    let about = row.spoken.said().and_then(|said| said.about.as_ref()).map(|about| about.seq);
                    if about.is_none_or(|earlier| kept.has(earlier)) {
                        kept.said.push(row.clone());
                        kept.amend(&row);
                    } else if let Some(said) = row.spoken.said() {
                        row.spoken = Arc::new(Spoken::kept(about_nothing(said.clone())));
                        kept.said.push(row);
                    }
                }
                Row::Account { user, joined, .. } => drop(kept.cursors.insert(user, joined)),
                Row::Cursor { user, seen } => drop(kept.cursors.insert(user, seen)),
                Row::AccountGone { user } => drop(kept.cursors.remove(&user)),
                Row::Forgotten { user } => {
                    kept.erase(|row| row.from == user || row.audience == user);
                    kept.reactions.retain(|(_, by), _| *by != user);
                    kept.belonged.retain(|stay| stay.user != user);
                    kept.heard.retain(|stay| stay.user != user);
                    kept.gone_to.remove(&user);
                }
                Row::Belongs { room, user, since } => kept.belonged.push(Stay { room, user, since, until: None }),
                Row::BelongsNoMore { room, user, until } => end(&mut kept.belonged, room, Some(user), until),
                Row::Hears { room, user, since } => kept.heard.push(Stay { room, user, since, until: None }),
                Row::HearsNoMore { room, user, until } => end(&mut kept.heard, room, Some(user), until),
                Row::RoomGone { room, at } => {
                    end(&mut kept.belonged, room, None, at);
                    end(&mut kept.heard, room, None, at);
                }
                Row::Deed { deed, at, ref by, ref what, ref outcome } => {
                    kept.deeds.push(DeedLine { deed, at, by: by.clone(), what: what.clone(), outcome: outcome.clone() });
                }
                Row::DeedOutcome { deed, ref outcome } => {
                    if let Some(line) = kept.deeds.iter_mut().find(|line| line.deed == deed) {
                        line.outcome = Some(outcome.clone());
                    }
                }
                _ => {}
            }
        }
        kept.head = head;
        Ok(())
    }

    fn tend(&mut self, now: Millis) -> Result<bool, StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tend(now);
        Ok(false)
    }

    fn limit(&mut self, limits: Limits) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.limits, kept.sweep_at) = (limits, Millis(0));
    }

    fn due(&self) -> Option<Millis> {
        None
    }
}

/// Whether it only changes an earlier message, which shows it.
fn amends(row: &SaidRow) -> bool {
    row.spoken.said().and_then(|said| said.about.as_ref()).is_some_and(|about| !matches!(about.deed, Deed::Reply | Deed::Unknown))
}

/// Said about something that has gone.
fn about_nothing(mut said: Said) -> Said {
    if let Some(about) = &mut said.about {
        about.text.clear();
        about.from.clear();
    }
    said
}

impl Reader for Memory {
    fn deeds(&mut self, count: usize) -> Result<Vec<DeedLine>, StoreError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let deeds = &kept.deeds;
        Ok(deeds[deeds.len().saturating_sub(count.min(PAGE_MAX))..].to_vec())
    }

    fn read(&mut self, question: &Question) -> Result<Page, StoreError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match *question {
            Question::Owed { user, after, elsewhere } => {
                let comes = |row: &SaidRow| for_user(row, user) || kept.heard.iter().any(|stay| stay.holds(user, row));
                let is_done_already = |row: &SaidRow| {
                    let about = row.spoken.said().and_then(|said| said.about.as_ref());
                    about.is_some_and(|about| about.deed != Deed::Reply && (about.seq > after || (amends(row) && about.from.is_empty())))
                };
                let mut owed = kept.said.iter().filter(|row| {
                    let is_own = row.from == user;
                    let is_elsewhere =
                        row.device.is_some_and(|device| device != elsewhere.than) && row.spoken.seq() > Some(elsewhere.after);
                    let is_new = row.spoken.seq() > Some(after) && !kept.is_deleted(row) && !is_done_already(row);
                    is_new && if is_own { is_elsewhere } else { comes(row) && !row.hidden_from.contains(&user) }
                });
                let page: Vec<&SaidRow> = owed.by_ref().take(PAGE_MAX).collect();
                let own = page.iter().filter(|row| row.from == user).filter_map(|row| row.spoken.seq()).collect();
                let said: Vec<Said> = page.iter().filter_map(|row| kept.said(row)).map(|said| Said { offline: true, ..said }).collect();
                let more = owed.next().is_some();
                let through = if more { said.last().map_or(after, |last| last.seq) } else { kept.head };
                Page { said, through, more, own, found: None, gone: kept.missed(user, after) }
            }
            Question::Onward { user, after, count } => {
                let mut onward = kept.said.iter().filter(|row| {
                    let is_shown = row.from == user || !amends(row);
                    row.spoken.seq() > Some(after) && is_shown && kept.is_entitled(row, user, after, PastOf::All)
                });
                let said: Vec<Said> = onward.by_ref().take(count.min(PAGE_MAX)).filter_map(|row| kept.said(row)).collect();
                let more = onward.next().is_some();
                let through = if more { said.last().map_or(after, |last| last.seq) } else { kept.head };
                Page { said, through, more, gone: kept.gone(user, after, PastOf::All), ..Page::default() }
            }
            Question::Past { user, after, before, of, count } => {
                let mut past = kept
                    .said
                    .iter()
                    .rev()
                    .filter(|row| before.is_none_or(|before| row.spoken.seq() < Some(before)))
                    .filter(|row| kept.is_of(row, user, after, of));
                let mut said: Vec<Said> = past.by_ref().take(count.min(PAGE_MAX)).filter_map(|row| kept.said(row)).collect();
                said.reverse();
                let more = past.next().is_some();
                let gone = kept.gone(user, after, of).filter(|_| !more);
                Page { said, through: kept.head, more, gone, ..Page::default() }
            }
            Question::Find { user, after, of, which } => {
                let mut past = kept.said.iter().rev().filter(|row| kept.is_of(row, user, after, of));
                let back = |count: u64| usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
                let row = match which {
                    Which::Numbered(seq) => past.find(|row| row.spoken.seq() == Some(seq)),
                    Which::Back(count) => past.nth(back(count)),
                    Which::OwnBack(count) => past.filter(|row| row.from == user).nth(back(count)),
                };
                let reacted = |row: &SaidRow| row.spoken.seq().is_some_and(|seq| kept.reactions.contains_key(&(seq, user)));
                let found = row.map(|row| Found {
                    from: row.from,
                    audience: row.audience,
                    hidden_from: row.hidden_from.clone(),
                    reacted: reacted(row),
                });
                let is_older = !matches!(which, Which::Numbered(seq) if seq > kept.expired.0);
                let gone = kept.gone(user, after, of).filter(|_| row.is_none() && is_older);
                Page { said: row.and_then(|row| kept.said(row)).into_iter().collect(), through: kept.head, found, gone, ..Page::default() }
            }
            Question::Search(ref search) => {
                let Search { user, after, of, before, since, .. } = *search;
                let is_looked_for = |row: &SaidRow| {
                    row.spoken.said().is_some_and(|said| {
                        let (seq, at) = (said.seq, said.at);
                        let is_in_time = before.is_none_or(|bound| match bound {
                            Bound::Number(number) => seq < number,
                            Bound::Moment(moment) => at < moment,
                        }) && since.is_none_or(|bound| match bound {
                            Bound::Number(number) => seq > number,
                            Bound::Moment(moment) => at >= moment,
                        });
                        is_in_time && search.is_for(said, row.from)
                    })
                };
                let mut past = kept.said.iter().rev().filter(|row| kept.is_of(row, user, after, of) && is_looked_for(row));
                let mut said: Vec<Said> = past.by_ref().take(search.count.min(PAGE_MAX)).filter_map(|row| kept.said(row)).collect();
                said.reverse();
                let more = past.next().is_some();
                let gone = kept.gone(user, after, of).filter(|_| !more);
                Page { said, through: kept.head, more, gone, ..Page::default() }
            }
        })
    }
}

fn for_user(row: &SaidRow, user: UserId) -> bool {
    row.audience == user || row.audience == UserId::EVERYONE
}
