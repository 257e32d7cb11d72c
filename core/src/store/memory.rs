//! A store that keeps nothing beyond its own life: for the stage, and as the reference for the other.

use std::sync::{Arc, Mutex, PoisonError};

use chinwag_wire::Said;

use super::{DeedLine, PAGE_MAX, Page, PastOf, Question, Reader, StoreError, Writer};
use crate::arg::MyMessage;
use crate::hall::{RoomId, Row, SaidRow, UserId};

/// Everything said, in order, and every deed. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    said: Vec<SaidRow>,
    belonged: Vec<Stay>,
    heard: Vec<Stay>,
    head: u64,
    deeds: Vec<DeedLine>,
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
                Row::Said(ref said) => kept.said.push(said.clone()),
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
                let mut owed = kept
                    .said
                    .iter()
                    .filter(|row| row.spoken.seq() > Some(after) && row.from != user && comes(row) && !row.hidden_from.contains(&user));
                let said: Vec<Said> = owed.by_ref().take(PAGE_MAX).filter_map(said).map(|said| Said { offline: true, ..said }).collect();
                let more = owed.next().is_some();
                let through = if more { said.last().map_or(after, |last| last.seq) } else { kept.head };
                Page { said, through, more, ..Page::default() }
            }
            Question::Past { user, after, before, of, count } => {
                let in_time = |row: &SaidRow| row.spoken.seq() > Some(after);
                let in_room = |row: &SaidRow| in_time(row) && kept.belonged.iter().any(|stay| stay.holds(user, row));
                let mine = |row: &&SaidRow| match of {
                    PastOf::All => row.from == user || (in_time(row) && for_user(row, user)) || in_room(row),
                    PastOf::With(with) => {
                        (row.from, row.audience) == (user, with) || (in_time(row) && (row.from, row.audience) == (with, user))
                    }
                    PastOf::Room(room) => row.audience == room.audience() && in_room(row),
                    PastOf::RoomSince(room, since) => row.audience == room.audience() && in_time(row) && row.spoken.seq() > Some(since),
                };
                let mut past = kept
                    .said
                    .iter()
                    .rev()
                    .filter(|row| before.is_none_or(|before| row.spoken.seq() < Some(before)))
                    .filter(mine)
                    .filter(|row| row.from == user || !row.hidden_from.contains(&user));
                let mut said: Vec<Said> = past.by_ref().take(count.min(PAGE_MAX)).filter_map(said).collect();
                said.reverse();
                Page { said, through: kept.head, more: past.next().is_some(), ..Page::default() }
            }
            Question::Mine { user, which } => {
                let mut mine = kept.said.iter().rev().filter(|row| row.from == user);
                let row = match which {
                    MyMessage::Back(back) => mine.nth(back.saturating_sub(1)),
                    MyMessage::Number(seq) => mine.find(|row| row.spoken.seq() == Some(seq)),
                };
                Page {
                    said: row.and_then(said).into_iter().collect(),
                    through: kept.head,
                    audience: row.map(|row| (row.audience, row.hidden_from.clone())),
                    ..Page::default()
                }
            }
        })
    }
}

fn for_user(row: &SaidRow, user: UserId) -> bool {
    row.audience == user || row.audience == UserId::EVERYONE
}

fn said(row: &SaidRow) -> Option<Said> {
    row.spoken.said().cloned()
}
