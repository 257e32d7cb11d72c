//! A store that keeps nothing beyond its own life: for the stage, and as the reference for the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chinwag_wire::{Deed, Said};

use super::{Bound, DeedLine, Found, PAGE_MAX, Page, PastOf, Question, Reader, Search, StoreError, Which, Writer, shortened};
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

    /// What is `of` a user.
    fn is_of(&self, row: &SaidRow, user: UserId, after: u64, of: PastOf) -> bool {
        let in_time = |row: &SaidRow| row.spoken.seq() > Some(after);
        let in_room = |row: &SaidRow| in_time(row) && self.belonged.iter().any(|stay| stay.holds(user, row));
        let is_mine = match of {
            PastOf::All => row.from == user || (in_time(row) && for_user(row, user)) || in_room(row),
            PastOf::With(with) => (row.from, row.audience) == (user, with) || (in_time(row) && (row.from, row.audience) == (with, user)),
            PastOf::Room(room) => row.audience == room.audience() && in_room(row),
            PastOf::RoomSince(room, since) => row.audience == room.audience() && in_time(row) && row.spoken.seq() > Some(since),
        };
        let amends =
            row.spoken.said().and_then(|said| said.about.as_ref()).is_some_and(|about| !matches!(about.deed, Deed::Reply | Deed::Unknown));
        is_mine && !amends && !self.is_deleted(row) && (row.from == user || !row.hidden_from.contains(&user))
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
                    kept.said.push(row.clone());
                    kept.amend(row);
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
            Question::Owed { user, after } => {
                let comes = |row: &SaidRow| for_user(row, user) || kept.heard.iter().any(|stay| stay.holds(user, row));
                let is_done_already = |row: &SaidRow| {
                    let about = row.spoken.said().and_then(|said| said.about.as_ref());
                    about.is_some_and(|about| about.deed != Deed::Reply && about.seq > after)
                };
                let mut owed = kept.said.iter().filter(|row| {
                    let is_new = row.spoken.seq() > Some(after) && row.from != user && !kept.is_deleted(row);
                    is_new && comes(row) && !row.hidden_from.contains(&user) && !is_done_already(row)
                });
                let said = owed.by_ref().take(PAGE_MAX).filter_map(|row| kept.said(row));
                let said: Vec<Said> = said.map(|said| Said { offline: true, ..said }).collect();
                let more = owed.next().is_some();
                let through = if more { said.last().map_or(after, |last| last.seq) } else { kept.head };
                Page { said, through, more, found: None }
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
                Page { said, through: kept.head, more: past.next().is_some(), found: None }
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
                Page { said: row.and_then(|row| kept.said(row)).into_iter().collect(), through: kept.head, more: false, found }
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
                Page { said, through: kept.head, more: past.next().is_some(), ..Page::default() }
            }
        })
    }
}

fn for_user(row: &SaidRow, user: UserId) -> bool {
    row.audience == user || row.audience == UserId::EVERYONE
}
