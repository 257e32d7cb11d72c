//! Search in the store of a server: the words of what was said, in an index that holds nothing but places (FTS5, contentless).
//!
//! With the words of a message stand two of another kind, which no text has: to whom it was said (`_a7`), by whom (`_f9`). So who
//! may see it is part of the question, and somebody rare who looks for something common is not led through what is not theirs. The
//! index follows in slices when there is nothing else to do; what it has not yet is looked through.

use rusqlite::{Transaction, params};

use super::sqlite::{NO_END, Run, amends, belonged, gone, merged, number};
use super::words::append_words;
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
    let mut indexed = format!("{} {} ", to(audience), from(sender));
    append_words(text, &mut indexed);
    indexed
}

/// How many messages that have the words are looked at one by one, the newest, whoever was to see them: enough for a page of nearly
/// everything that is looked for, and all there is of most words. Only then whose they are is part of the question. (Tests have few messages, and are to go both ways.)
const LOOKED_AT: i64 = if cfg!(test) { 2 } else { 128 };

/// All that `?1`, whose account is as old as `?6`, said or was entitled to.
const MINE: &str = "(s.sender = ?1 OR (s.seq > ?6 AND (s.audience IN (?1, 0) OR EXISTS (
    SELECT 1 FROM belonged AS b WHERE b.user = ?1 AND b.room = s.audience - 1099511627776
    AND s.seq > b.since AND (b.until IS NULL OR s.seq <= b.until)))))";

/// What `?1` and `?2` said to each other, in the account of `?1`.
const BETWEEN: &str = "((s.sender = ?1 AND s.audience = ?2) OR (s.sender = ?2 AND s.audience = ?1 AND s.seq > ?6))";

/// What was said in the room of the audience `?2` while `?1` belonged to it. (The sign keeps this bound from being the one
/// that the table is searched by: `?3` is the nearer.)
const IN_ROOM: &str = "(s.audience = ?2 AND +s.seq > ?6 AND EXISTS (
    SELECT 1 FROM belonged AS b WHERE b.user = ?1 AND b.room = s.audience - 1099511627776
    AND s.seq > b.since AND (b.until IS NULL OR s.seq <= b.until)))";

/// What was said in the room of the audience `?2` since a guest came.
const IN_ROOM_SINCE: &str = "(s.audience = ?2 AND +s.seq > ?6)";

pub(super) fn search(transaction: &Transaction<'_>, head: u64, search: &Search) -> Result<Page, StoreError> {
    let Search { user, of, .. } = *search;
    let before = search.before.map(|bound| first_behind(transaction, bound, false)).transpose()?;
    let since = search.since.map(|bound| first_behind(transaction, bound, true)).transpose()?;
    let mut until = before.map_or(NO_END, |before| before.saturating_sub(1));
    let since = since.map_or(0, |since| since.saturating_sub(1));
    let searchable: i64 = transaction.prepare_cached("SELECT searchable FROM progress")?.query_row([], |row| row.get(0))?;
    let joined = number(search.after);
    let (what, ids, joined) = match of {
        PastOf::All => (MINE, [user.0, 0], joined),
        PastOf::With(with) => (BETWEEN, [user.0, with.0], joined),
        PastOf::Room(room) => (IN_ROOM, [user.0, room.audience().0], joined),
        PastOf::RoomSince(room, came) => (IN_ROOM_SINCE, [user.0, room.audience().0], joined.max(number(came))),
    };
    let mut page = Page { through: head, ..Page::default() };
    // The newest first, each run behind the other; says whether the page is full.
    let mut look = |run: Run| {
        merged(transaction, &[run], true, |said, from, hidden| {
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
        Ok::<bool, StoreError>(page.more)
    };
    let mut words = search.wanted.expression();
    if let Some((sender, _)) = &search.from {
        words = format!("\"{}\" AND {words}", from(*sender));
    }
    let mut is_done = until > searchable && look(Run::along(what, ids, joined, since.max(searchable), until))?;
    until = until.min(searchable);
    if !is_done {
        is_done = look(Run::among(words.clone(), LOOKED_AT, what, ids, joined, since, until))?;
    }
    if !is_done {
        let mut looked_at = transaction.prepare_cached(
            "SELECT count(*), min(rowid) FROM (SELECT rowid FROM said_words
             WHERE said_words MATCH ?1 AND rowid > ?2 AND rowid <= ?3 ORDER BY rowid DESC LIMIT ?4)",
        )?;
        let (count, oldest): (i64, Option<i64>) =
            looked_at.query_row(params![words, since, until, LOOKED_AT], |row| Ok((row.get(0)?, row.get(1)?)))?;
        is_done = count < LOOKED_AT;
        until = oldest.map_or(0, |oldest| oldest - 1);
    }
    if !is_done {
        for (places, after, until) in places(transaction, user, of, joined, since, until)? {
            if look(Run::worded(format!("({places}) AND {words}"), after, until))? {
                break;
            }
        }
    }
    page.said.reverse();
    if !page.more {
        page.gone = gone(transaction, user, search.after, of)?;
    }
    Ok(page)
}

/// Where what somebody may see was said, the newest first: from where to where which places, as an expression for the index.
fn places(
    transaction: &Transaction<'_>,
    user: UserId,
    of: PastOf,
    joined: i64,
    since: i64,
    until: i64,
) -> Result<Vec<(String, i64, i64)>, StoreError> {
    let mut stays = match of {
        PastOf::All => {
            vec![(from(user), since, until), (to(user), joined, until), (to(UserId::EVERYONE), joined, until)]
        }
        PastOf::With(with) => {
            let both = format!("(\"{}\" AND \"{}\") OR (\"{}\" AND \"{}\")", from(user), to(with), from(with), to(user));
            let mine = format!("\"{}\" AND \"{}\"", from(user), to(with));
            let joined = joined.max(since);
            let parts = [(both, joined, until), (mine, since, joined.min(until))];
            return Ok(parts.into_iter().filter(|(_, after, until)| after < until).collect());
        }
        PastOf::RoomSince(room, _) => vec![(to(room.audience()), joined, until)],
        PastOf::Room(_) => Vec::new(),
    };
    let room = if let PastOf::Room(room) = of { Some(room) } else { None };
    if matches!(of, PastOf::All | PastOf::Room(_)) {
        let rooms = belonged(transaction, user, room, joined.max(since), until)?;
        stays.extend(rooms.into_iter().map(|(room, after, until)| (to(room.audience()), after, until)));
    }
    // Between two cuts nobody came or went.
    let mut cuts: Vec<i64> = stays.iter().flat_map(|(_, after, until)| [*after, *until]).map(|cut| cut.clamp(since, until)).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let spans = cuts.windows(2).rev().filter_map(|span| {
        let here = stays.iter().filter(|(_, after, until)| *after <= span[0] && *until >= span[1]);
        let places: Vec<String> = here.map(|(place, ..)| format!("\"{place}\"")).collect();
        (!places.is_empty()).then(|| (places.join(" OR "), span[0], span[1]))
    });
    Ok(spans.collect())
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
