//! What goes for good in the store of a server: what is too old or too much, and what somebody has had forgotten.
//!
//! A message leaves everything that knows it, in slices of [`SLICE`] when there is nothing to commit; nobody sees half of it, because what
//! is being forgotten is not shown from the moment it is asked for, and the end of what is kept is one number. What an index of words
//! (FTS5, contentless) has lost it only marks; so when something has gone, its segments are merged, in slices too, and the write-ahead
//! log is emptied. With `secure_delete` on, what is freed in the file is overwritten. See README.md.

use chinwag_wire::{Deed, Millis};
use rusqlite::{Transaction, TransactionBehavior, params};

use super::sqlite::{SqliteWriter, number, word};
use super::{AROUND, Limits, StoreError};
use crate::fault::Fault;
use crate::hall::UserId;

/// How many messages go at once. For so long what is said meanwhile waits: a few milliseconds (`benches/past.rs` measures it).
pub(super) const SLICE: usize = 64;

/// How many held messages are looked at in one slice: each is two lookups.
const LOOKED_AT: usize = 512;

/// How many pages of the index of words are written in one slice of a merge: 128 KiB. At least a whole word is merged at a time: FTS5
/// stops between two of them only, and one that is in each of a million messages takes a fifth of a second.
const MERGED_PAGES: i32 = 32;

/// After how long held mail is looked through again: what was read late goes a day late.
const SWEEP_EVERY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// How often the index of words is rid of what was taken back, replaced or let go, where nobody asked for it to be forgotten: to
/// merge it is to write it anew.
const PURGE_EVERY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// How long a write-ahead log that somebody is reading is left alone.
const BUSY_FOR: std::time::Duration = std::time::Duration::from_secs(60);

/// How far the writer has come with what goes. What a restart has to know stands in the store; see there.
#[derive(Debug, Default)]
pub(super) struct Retention {
    pub(super) limits: Limits,
    /// Everything up to here has gone, or is held because it has not been read.
    pub(super) expired: u64,
    /// When the first behind that was said.
    pub(super) oldest: Option<Millis>,
    /// How much there is, as [`super::size`] counts it, what is held included.
    pub(super) bytes: u64,
    /// Something is held.
    pub(super) holds: bool,
    /// Held mail is looked through from here on.
    pub(super) sweep: Option<(i64, i64)>,
    /// Not before this moment.
    pub(super) sweep_at: Millis,
    /// Who is being forgotten.
    pub(super) forgetting: Vec<UserId>,
    pub(super) purge: Purge,
    /// Not before this moment.
    pub(super) purge_at: Millis,
}

/// What is to be done so that nothing of what has gone is left in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Purge {
    /// Nothing.
    #[default]
    Done,
    /// The index of words is to be merged.
    Merge,
    /// The write-ahead log is to be emptied.
    Empty,
}

impl Purge {
    pub(super) fn from_number(number: i64) -> Purge {
        match number {
            1 => Purge::Merge,
            2 => Purge::Empty,
            _ => Purge::Done,
        }
    }
}

impl Retention {
    pub(super) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
        self.sweep_at = Millis(0);
    }

    /// Something has become stale in the index of words; with `at_once`, somebody has asked for it to be gone.
    pub(super) fn wants_purge(&mut self, at_once: bool) {
        self.purge = Purge::Merge;
        if at_once {
            self.purge_at = Millis(0);
        }
    }

    fn is_over(&self, said: Millis, now: Millis) -> bool {
        self.limits.are_over(said, self.bytes, now)
    }

    /// When there is something to do, though nothing is committed until then.
    pub(super) fn due(&self) -> Option<Millis> {
        let expires = self.limits.age.and_then(|age| Some(self.oldest?.plus(age)));
        let sweeps = (self.holds && self.limits.are_any()).then_some(self.sweep_at);
        let purges = (self.purge != Purge::Done).then_some(self.purge_at);
        [expires, sweeps, purges].into_iter().flatten().min()
    }
}

/// A message that is to go.
struct Going {
    seq: i64,
    sender: i64,
    audience: i64,
    /// As [`super::size`] counts it.
    size: u64,
    /// The message that it is a reaction to.
    reacts_to: Option<i64>,
}

/// What a [`Going`] is read from.
const GOING: &str = "s.seq, s.sender, s.audience, octet_length(s.text), s.about, s.deed";

fn going(row: &rusqlite::Row<'_>) -> Result<Going, rusqlite::Error> {
    let deed: Option<String> = row.get(5)?;
    Ok(Going {
        seq: row.get(0)?,
        sender: row.get(1)?,
        audience: row.get(2)?,
        size: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0) + AROUND,
        reacts_to: if deed.is_some_and(|deed| deed == word(Deed::React)) { row.get(4)? } else { None },
    })
}

/// Takes messages out of everything that knows them. They are all indexed; where the words have not come yet, they will not find them.
fn erase(transaction: &Transaction<'_>, all: &[Going], head: u64) -> Result<u64, StoreError> {
    let mut size = 0;
    for Going { seq, sender, audience, size: bytes, .. } in all {
        let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| transaction.prepare_cached(sql)?.execute(values);
        run("DELETE FROM said_words WHERE rowid = ?1 AND ?1 <= (SELECT searchable FROM progress)", params![seq])?;
        run("DELETE FROM said_to WHERE audience = ?1 AND seq = ?2", params![audience, seq])?;
        run("DELETE FROM said_by WHERE sender = ?1 AND seq = ?2", params![sender, seq])?;
        run("DELETE FROM held WHERE audience = ?1 AND seq = ?2", params![audience, seq])?;
        run("DELETE FROM reactions WHERE seq = ?1", params![seq])?;
        run("UPDATE said SET quoted = '' WHERE about = ?1 AND quoted <> ''", params![seq])?;
        run("DELETE FROM said WHERE seq = ?1", params![seq])?;
        size += bytes;
    }
    // Nothing may say any more how far the order has come but this; and no number is given out twice.
    transaction
        .prepare_cached("UPDATE progress SET head = max(head, ?1), bytes = bytes - ?2, purge = 1")?
        .execute([number(head), number(size)])?;
    Ok(size)
}

impl SqliteWriter {
    /// Does a slice of what there is to do about what goes, and says whether there is more of it.
    pub(super) fn tend_what_goes(&mut self, now: Millis) -> Result<bool, StoreError> {
        if let Some(user) = self.retention.forgetting.last().copied() {
            self.forget(user)?;
            return Ok(true);
        }
        if self.retention.limits.are_any() {
            if self.retention.holds && now >= self.retention.sweep_at {
                self.sweep(now)?;
                return Ok(true);
            }
            if self.retention.oldest.is_some_and(|oldest| self.retention.is_over(oldest, now)) {
                self.expire(now)?;
                return Ok(true);
            }
        }
        if self.retention.purge == Purge::Done || now < self.retention.purge_at || Fault::ForgetKeepsWords.is_on() {
            return Ok(false);
        }
        self.purge(now)
    }

    /// A slice of what is too old or too much, from where it ended last time.
    fn expire(&mut self, now: Millis) -> Result<(), StoreError> {
        self.sync(false)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Retention { limits, mut expired, mut bytes, mut holds, .. } = self.retention;
        let mut last_said = None;
        let (mut all, mut to) = (Vec::new(), std::collections::BTreeMap::new());
        {
            let sql = format!(
                "SELECT {GOING}, s.at, EXISTS (SELECT 1 FROM accounts AS a WHERE a.id = s.audience AND a.gone = 0 AND a.cursor < s.seq)
                 FROM said AS s WHERE s.seq > ?1 AND s.seq <= ?2 ORDER BY s.seq LIMIT ?3"
            );
            let mut oldest = transaction.prepare_cached(&sql)?;
            let mut rows = oldest.query([number(expired), number(self.indexed), number(SLICE as u64)])?;
            while let Some(row) = rows.next()? {
                let (going, at, is_unread) = (going(row)?, Millis(row.get(6)?), row.get(7)?);
                if !limits.are_over(at, bytes, now) {
                    break;
                }
                expired = u64::try_from(going.seq).unwrap_or(expired);
                last_said = Some(at);
                if limits.holds(is_unread) {
                    holds = true;
                    let keep = "INSERT OR IGNORE INTO held (audience, seq) VALUES (?1, ?2)";
                    transaction.prepare_cached(keep)?.execute([going.audience, going.seq])?;
                    continue;
                }
                bytes -= going.size.min(bytes);
                to.insert(going.audience, going.seq);
                all.push(going);
            }
        }
        if !all.is_empty() {
            erase(&transaction, &all, self.head)?;
            note_gone(&transaction, &to)?;
        }
        let mut far = transaction.prepare_cached("UPDATE progress SET expired = ?1, expired_at = coalesce(?2, expired_at)")?;
        far.execute(params![number(expired), last_said.map(|at| at.0)])?;
        drop(far);
        let oldest = transaction
            .prepare_cached("SELECT (SELECT at FROM said WHERE seq > ?1 ORDER BY seq LIMIT 1)")?
            .query_row([number(expired)], |row| Ok(row.get::<_, Option<i64>>(0)?.map(Millis)))?;
        transaction.commit()?;
        (self.retention.expired, self.retention.oldest) = (expired, oldest);
        (self.retention.bytes, self.retention.holds) = (bytes, holds);
        if !all.is_empty() {
            self.retention.wants_purge(false);
        }
        if last_said.is_none() && self.indexed < self.head {
            // What is too old, or too much, lies behind what is indexed.
            self.index()?;
        }
        Ok(())
    }

    /// A slice of the held mail: what has been read in the meantime goes.
    fn sweep(&mut self, now: Millis) -> Result<(), StoreError> {
        self.sync(false)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Retention { limits, mut bytes, .. } = self.retention;
        let mut place = self.retention.sweep.unwrap_or((i64::MIN, i64::MIN));
        let (mut all, mut to) = (Vec::new(), std::collections::BTreeMap::new());
        let mut looked_at = 0;
        {
            let sql = format!(
                "SELECT {GOING}, s.at, EXISTS (SELECT 1 FROM accounts AS a WHERE a.id = s.audience AND a.gone = 0 AND a.cursor < s.seq)
                 FROM held AS h CROSS JOIN said AS s ON s.seq = h.seq WHERE (h.audience, h.seq) > (?1, ?2) ORDER BY h.audience, h.seq LIMIT ?3"
            );
            let mut held = transaction.prepare_cached(&sql)?;
            let mut rows = held.query([place.0, place.1, number(LOOKED_AT as u64)])?;
            while all.len() < SLICE
                && let Some(row) = rows.next()?
            {
                let (going, at, is_unread) = (going(row)?, Millis(row.get(6)?), row.get(7)?);
                looked_at += 1;
                place = (going.audience, going.seq);
                if limits.are_over(at, bytes, now) && !limits.holds(is_unread) {
                    bytes -= going.size.min(bytes);
                    to.insert(going.audience, going.seq);
                    all.push(going);
                }
            }
        }
        if !all.is_empty() {
            erase(&transaction, &all, self.head)?;
            note_gone(&transaction, &to)?;
        }
        let is_through = looked_at < LOOKED_AT && all.len() < SLICE;
        let holds = transaction.prepare_cached("SELECT EXISTS (SELECT 1 FROM held)")?.query_row([], |row| row.get(0))?;
        transaction.commit()?;
        self.retention.sweep = (!is_through).then_some(place);
        if is_through {
            self.retention.sweep_at = now.plus(SWEEP_EVERY);
        }
        (self.retention.bytes, self.retention.holds) = (bytes, holds);
        if !all.is_empty() {
            self.retention.wants_purge(false);
        }
        Ok(())
    }

    /// A slice of what somebody who is to be forgotten said, or was told.
    fn forget(&mut self, user: UserId) -> Result<(), StoreError> {
        // They say nothing any more, and nobody can say anything to them.
        if self.indexed < self.head {
            self.index()?;
        }
        self.sync(false)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut all = Vec::new();
        for found in [
            "said_by AS i CROSS JOIN said AS s ON s.seq = i.seq WHERE i.sender = ?1",
            "said_to AS i CROSS JOIN said AS s ON s.seq = i.seq WHERE i.audience = ?1",
        ] {
            // What somebody said to themselves there is not: nothing is in both.
            let sql = format!("SELECT {GOING} FROM {found} ORDER BY i.seq LIMIT ?2");
            let mut found = transaction.prepare_cached(&sql)?;
            let rows = found.query_map([user.0, number((SLICE - all.len()) as u64)], going)?;
            for row in rows {
                all.push(row?);
            }
        }
        for (seq, sender) in all.iter().filter_map(|going| Some((going.reacts_to?, going.sender))) {
            transaction.prepare_cached("DELETE FROM reactions WHERE seq = ?1 AND user = ?2")?.execute([seq, sender])?;
        }
        let size = erase(&transaction, &all, self.head)?;
        let is_through = all.len() < SLICE;
        if is_through {
            transaction.execute("DELETE FROM gone_to WHERE audience = ?1", [user.0])?;
            transaction.execute("DELETE FROM forgetting WHERE user = ?1", [user.0])?;
        }
        let oldest = transaction
            .prepare_cached("SELECT (SELECT at FROM said WHERE seq > ?1 ORDER BY seq LIMIT 1)")?
            .query_row([number(self.retention.expired)], |row| Ok(row.get::<_, Option<i64>>(0)?.map(Millis)))?;
        transaction.commit()?;
        self.retention.bytes -= size.min(self.retention.bytes);
        self.retention.oldest = oldest;
        self.retention.wants_purge(true);
        if is_through {
            self.retention.forgetting.retain(|other| *other != user);
        }
        Ok(())
    }

    /// A slice of the work of having nothing left of what has gone.
    fn purge(&mut self, now: Millis) -> Result<bool, StoreError> {
        self.sync(false)?;
        match self.retention.purge {
            Purge::Done => {}
            Purge::Merge => {
                let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let before = transaction.total_changes();
                // FTS5, section 6.8: negative begins with putting all segments together, and goes on with that.
                transaction.prepare_cached("INSERT INTO said_words (said_words, rank) VALUES ('merge', ?1)")?.execute([-MERGED_PAGES])?;
                // Itself, and whatever it did.
                let is_merged = transaction.total_changes() - before < 2;
                if is_merged {
                    transaction.execute("UPDATE progress SET purge = 2", [])?;
                }
                transaction.commit()?;
                if is_merged {
                    self.retention.purge = Purge::Empty;
                }
            }
            Purge::Empty => {
                // Whoever reads is not waited for.
                self.connection.busy_timeout(std::time::Duration::ZERO)?;
                let emptied = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
                self.connection.busy_timeout(super::sqlite::BUSY_TIMEOUT)?;
                if emptied? != 0 {
                    self.retention.purge_at = now.plus(BUSY_FOR);
                    return Ok(false);
                }
                self.connection.execute("UPDATE progress SET purge = 0 WHERE purge = 2", [])?;
                self.retention.purge = Purge::Done;
                self.retention.purge_at = now.plus(PURGE_EVERY);
            }
        }
        Ok(true)
    }
}

/// Notes up to where what was said to whom has gone, for those who come back and would look for it.
fn note_gone(transaction: &Transaction<'_>, to: &std::collections::BTreeMap<i64, i64>) -> Result<(), StoreError> {
    let mut note = transaction.prepare_cached(
        "INSERT INTO gone_to (audience, seq) VALUES (?1, ?2) ON CONFLICT (audience) DO UPDATE SET seq = max(seq, excluded.seq)",
    )?;
    for (audience, seq) in to {
        note.execute([audience, seq])?;
    }
    Ok(())
}
