//! Search in the store of a server: the words of what was said, in an index that holds nothing but places (FTS5, contentless).
//!
//! With the words of a message stand two of another kind, which no text has: to whom it was said (`_a7`), by whom (`_f9`). So who
//! may see it is part of the question, and somebody rare who looks for something common is not led through what is not theirs. The
//! index follows in slices when there is nothing else to do; what it has not yet is looked through.

use rusqlite::{Transaction, params};

use super::sqlite::{NO_END, Run, amends, belonged, merged, number};
use super::words::words;
use super::{Bound, PAGE_MAX, Page, PastOf, Search, StoreError};
use crate::hall::UserId;

/// A word for an audience.
fn to(audience: UserId) -> String {
    place('a', audience)
}

/// A word for a sender.
fn from(sender: UserId) -> String {
    place('f', sender)
}

fn place(kind: char, id: UserId) -> String {
    // The sign is none that words may have.
    format!("_{kind}{}{}", if id.0 < 0 { "n" } else { "" }, id.0.unsigned_abs())
}

/// Puts the words of at most `count` messages behind `after` into the index. Says how far it came; `None`: up to the head.
pub(super) fn index(transaction: &Transaction<'_>, after: u64, count: usize) -> Result<Option<u64>, StoreError> {
    let mut said = transaction.prepare_cached("SELECT seq, sender, audience, text FROM said WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let mut keep = transaction.prepare_cached(KEEP_WORDS)?;
    let mut rows = said.query(params![number(after), number(count as u64)])?;
    let (mut last, mut found) = (after, 0);
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        keep.execute(params![seq, indexed_text(UserId(row.get(1)?), UserId(row.get(2)?), row.get_ref(3)?.as_str().unwrap_or_default())])?;
        last = u64::try_from(seq).unwrap_or(after);
        found += 1;
    }
    Ok((found == count).then_some(last))
}

/// Puts the words of a message that has become another into the index, instead of those it had; if it is there already.
pub(super) fn index_anew(transaction: &Transaction<'_>, seq: i64) -> Result<(), StoreError> {
    let dropped = transaction
        .prepare_cached("DELETE FROM said_words WHERE rowid = ?1 AND ?1 <= (SELECT searchable FROM progress)")?
        .execute([seq])?;
    if dropped == 0 {
        return Ok(());
    }
    let mut said = transaction.prepare_cached("SELECT sender, audience, text FROM said WHERE seq = ?1 AND deleted IS NULL")?;
    let mut rows = said.query([seq])?;
    if let Some(row) = rows.next()? {
        let text = indexed_text(UserId(row.get(0)?), UserId(row.get(1)?), row.get_ref(2)?.as_str().unwrap_or_default());
        transaction.prepare_cached(KEEP_WORDS)?.execute(params![seq, text])?;
    }
    Ok(())
}

const KEEP_WORDS: &str = "INSERT INTO said_words (rowid, words) VALUES (?1, ?2)";

fn indexed_text(sender: UserId, audience: UserId, text: &str) -> String {
    format!("{} {} {}", to(audience), from(sender), words(text).join(" "))
}

pub(super) fn search(transaction: &Transaction<'_>, head: u64, search: &Search) -> Result<Page, StoreError> {
    let Search { user, of, .. } = *search;
    let before = search.before.map(|bound| first_behind(transaction, bound, false)).transpose()?;
    let since = search.since.map(|bound| first_behind(transaction, bound, true)).transpose()?;
    let until = before.map_or(NO_END, |before| before.saturating_sub(1));
    let since = since.map_or(0, |since| since.saturating_sub(1));
    let after = number(search.after).max(since);
    let searchable: i64 = transaction.prepare_cached("SELECT searchable FROM progress")?.query_row([], |row| row.get(0))?;
    let mut also = search.wanted.expression();
    if let Some((sender, _)) = &search.from {
        also = format!("\"{}\" AND {also}", from(*sender));
    }
    let mut runs = Vec::new();
    let mut run = |places: String, what: &'static str, ids: [i64; 2], after: i64, until: i64| {
        if after < until {
            runs.push(Run::worded(format!("({places}) AND {also}"), after, until.min(searchable)));
            runs.push(Run::along(what, ids, after.max(searchable), until));
        }
    };
    match of {
        PastOf::All => {
            let mine = format!("\"{}\" OR \"{}\"", to(user), to(UserId::EVERYONE));
            run(mine, "s.audience IN (?1, 0)", [user.0, 0], after, until);
            run(format!("\"{}\"", from(user)), "s.sender = ?1", [user.0, 0], since, until);
        }
        PastOf::With(with) => {
            for (by, with, after) in [(user, with, since), (with, user, after)] {
                let places = format!("\"{}\" AND \"{}\"", from(by), to(with));
                run(places, "s.sender = ?1 AND s.audience = ?2", [by.0, with.0], after, until);
            }
        }
        PastOf::Room(_) | PastOf::RoomSince(..) => {}
    }
    let stays = match of {
        PastOf::All => belonged(transaction, user, None, after, until)?,
        PastOf::Room(room) => belonged(transaction, user, Some(room), after, until)?,
        PastOf::RoomSince(room, since) => vec![(room, number(since).max(after), until)],
        PastOf::With(_) => Vec::new(),
    };
    for (room, since, to_here) in stays {
        run(format!("\"{}\"", to(room.audience())), "s.audience = ?1", [room.audience().0, 0], since, to_here);
    }
    let mut page = Page { through: head, ..Page::default() };
    merged(transaction, &runs, true, |said, from, hidden| {
        // What the index finds may have changed since.
        if (from != user && hidden.contains(&user.0)) || amends(&said) || !search.is_for(&said, from) {
            return true;
        }
        if page.said.len() == search.count.min(PAGE_MAX) {
            page.more = true;
            return false;
        }
        page.said.push(said);
        true
    })?;
    page.said.reverse();
    Ok(page)
}

/// The first number that is not before `bound`; where it begins behind it, the one that may come first.
fn first_behind(transaction: &Transaction<'_>, bound: Bound, begins: bool) -> Result<i64, StoreError> {
    let moment = match bound {
        Bound::Number(seq) => return Ok(number(seq.saturating_add(u64::from(begins)))),
        Bound::Moment(moment) => moment.0,
    };
    // Numbers and times grow together, and half of what is left is left out with each look.
    let mut look = transaction.prepare_cached("SELECT seq, at FROM said WHERE seq >= ?1 ORDER BY seq LIMIT 1")?;
    let newest = transaction.prepare_cached("SELECT coalesce(max(seq), 0) FROM said")?.query_row([], |row| row.get::<_, i64>(0))?;
    let (mut low, mut high) = (0, newest + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found = look.query_row([middle], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
        match found {
            Ok((seq, at)) if at < moment => low = seq + 1,
            Ok(_) | Err(rusqlite::Error::QueryReturnedNoRows) => high = middle,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(low)
}
