//! A store that keeps nothing beyond its own life: for the stage, and as the reference for the other.

use std::sync::{Arc, Mutex, PoisonError};

use chinwag_wire::Said;

use super::{PAGE_MAX, Page, Question, Reader, StoreError, Writer};
use crate::hall::{Row, SaidRow, UserId};

/// Everything said, in order. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<(Vec<SaidRow>, u64)>>);

impl Writer for Memory {
    fn commit(&mut self, rows: &[Row], head: u64, _durable: bool) -> Result<(), StoreError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.0.extend(rows.iter().filter_map(|row| if let Row::Said(said) = row { Some(said.clone()) } else { None }));
        kept.1 = head;
        Ok(())
    }
}

impl Reader for Memory {
    fn read(&mut self, question: &Question) -> Result<Page, StoreError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (rows, head) = &*kept;
        Ok(match *question {
            Question::Owed { user, after } => {
                let mut owed = rows.iter().filter(|row| row.spoken.seq() > Some(after) && row.from != user && for_user(row, user));
                let said: Vec<Said> = owed.by_ref().take(PAGE_MAX).filter_map(said).map(|said| Said { offline: true, ..said }).collect();
                let more = owed.next().is_some();
                let through = if more { said.last().map_or(after, |last| last.seq) } else { *head };
                Page { said, through, more }
            }
            Question::Past { user, joined, with, count } => {
                let mine = |row: &&SaidRow| row.from == user || (row.spoken.seq() > Some(joined) && for_user(row, user));
                let between = |row: &&SaidRow| {
                    with.is_none_or(|with| (row.from, row.audience) == (user, with) || (row.from, row.audience) == (with, user))
                };
                let mut past = rows.iter().rev().filter(mine).filter(between);
                let mut said: Vec<Said> = past.by_ref().take(count.min(PAGE_MAX)).filter_map(said).collect();
                said.reverse();
                Page { said, through: *head, more: past.next().is_some() }
            }
        })
    }
}

fn for_user(row: &SaidRow, user: UserId) -> bool {
    row.audience == user || (row.audience == UserId::EVERYONE && !row.hidden_from.contains(&user))
}

fn said(row: &SaidRow) -> Option<Said> {
    row.spoken.said().cloned()
}
