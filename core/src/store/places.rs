//! Places in the order, along the indexes by audience and by sender: read in pieces, so that somebody who belongs to many
//! rooms pays for each of them with a short look, and nothing is held open.

use std::collections::VecDeque;

use rusqlite::{Transaction, params};

use super::StoreError;
use crate::hall::UserId;

/// How many places are read at first: as many as one of many rooms has on a page, and more.
const FIRST_PIECE: i64 = 16;

/// How many are read at a time at most: more than a page, for those who look for something rare.
const PIECE_MAX: i64 = 256;

/// Which index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Along {
    /// What was said to this audience.
    To(UserId),
    /// What this one said.
    By(UserId),
}

impl Along {
    fn sql(self, newest_first: bool) -> &'static str {
        match (self, newest_first) {
            (Along::To(_), true) => "SELECT seq FROM said_to WHERE audience = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq DESC LIMIT ?4",
            (Along::To(_), false) => "SELECT seq FROM said_to WHERE audience = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4",
            (Along::By(_), true) => "SELECT seq FROM said_by WHERE sender = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq DESC LIMIT ?4",
            (Along::By(_), false) => "SELECT seq FROM said_by WHERE sender = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq LIMIT ?4",
        }
    }

    fn id(self) -> i64 {
        let (Along::To(UserId(id)) | Along::By(UserId(id))) = self;
        id
    }
}

/// The places that are in all of one or two indexes, behind one number and up to another.
pub(super) struct Places {
    lists: Vec<List>,
    newest_first: bool,
}

struct List {
    along: Along,
    after: i64,
    until: i64,
    ahead: VecDeque<i64>,
    piece: i64,
    ended: bool,
}

impl Places {
    pub(super) fn new(along: &[Along], after: i64, until: i64, newest_first: bool) -> Places {
        let list = |along: &Along| List { along: *along, after, until, ahead: VecDeque::new(), piece: FIRST_PIECE, ended: false };
        Places { lists: along.iter().map(list).collect(), newest_first }
    }

    /// The next one.
    pub(super) fn next(&mut self, transaction: &Transaction<'_>) -> Result<Option<i64>, StoreError> {
        let newest_first = self.newest_first;
        loop {
            let mut furthest: Option<i64> = None;
            for list in &mut self.lists {
                let Some(next) = list.peek(transaction, newest_first)? else { return Ok(None) };
                furthest = Some(furthest.map_or(next, |other| if newest_first { other.min(next) } else { other.max(next) }));
            }
            let Some(place) = furthest else { return Ok(None) };
            if self.lists.iter().all(|list| list.ahead.front() == Some(&place)) {
                for list in &mut self.lists {
                    list.ahead.pop_front();
                }
                return Ok(Some(place));
            }
            // What one of them does not have the other need not look at.
            for list in &mut self.lists {
                list.skip_to(place, newest_first);
            }
        }
    }
}

impl List {
    fn peek(&mut self, transaction: &Transaction<'_>, newest_first: bool) -> Result<Option<i64>, StoreError> {
        if self.ahead.is_empty() && !self.ended {
            let mut statement = transaction.prepare_cached(self.along.sql(newest_first))?;
            let places = statement.query_map(params![self.along.id(), self.after, self.until, self.piece], |row| row.get(0))?;
            self.ahead = places.collect::<Result<_, _>>()?;
            self.ended = i64::try_from(self.ahead.len()).is_ok_and(|found| found < self.piece);
            self.piece = (2 * self.piece).min(PIECE_MAX);
            match self.ahead.back() {
                Some(last) if newest_first => self.until = last - 1,
                Some(last) => self.after = *last,
                None => {}
            }
        }
        Ok(self.ahead.front().copied())
    }

    /// Leaves out what comes before `place`.
    fn skip_to(&mut self, place: i64, newest_first: bool) {
        let is_before = |other: &i64| if newest_first { *other > place } else { *other < place };
        while self.ahead.front().is_some_and(is_before) {
            self.ahead.pop_front();
        }
        if self.ahead.is_empty() {
            self.piece = FIRST_PIECE;
            if newest_first {
                self.until = self.until.min(place);
            } else {
                self.after = self.after.max(place - 1);
            }
        }
    }
}
