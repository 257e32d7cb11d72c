//! The store of a server: one SQLite file in WAL mode, one writing connection, others that read.
//!
//! What is said is appended to one table, in order, and to nothing else: that is all that an acknowledgement waits
//! for. Two indexes, by audience and by sender, follow in sorted batches ([`INDEX_EVERY`]), because a row a
//! message in the middle of each would cost more than the message: every user's end of an index is a page of its
//! own. Whoever reads looks into the indexes for what is old and along the table for what is younger than they are.
//!
//! `synchronous=FULL` makes a commit survive a loss of power; rows that nobody waits for are committed with
//! `NORMAL`, which syncs at checkpoints only: they survive the end of the process, and a loss of power with the
//! next commit that syncs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chinwag_wire::{Addressee, Millis, Said};
use rusqlite::{Connection, OpenFlags, Statement, Transaction, TransactionBehavior, params};

use super::{PAGE_MAX, Page, Question, Reader, StoreError, Writer};
use crate::fault::Fault;
use crate::hall::{AccountRow, KEYS_REMEMBERED, Loaded, Receipt, Row, SaidRow, TokenHash, UserId};

/// The name of the file in the data folder.
pub const FILE: &str = "chinwag.db";

/// Schema migrations: the nth brings a store from version n to n + 1 (`PRAGMA user_version`). Never edited once
/// released, only added to.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE progress (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        log TEXT NOT NULL,
        head INTEGER NOT NULL,
        indexed INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE accounts (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        password TEXT,
        joined INTEGER NOT NULL,
        cursor INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        last_seen INTEGER,
        gone INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE UNIQUE INDEX account_names ON accounts (lower(name)) WHERE gone = 0;
    CREATE TABLE blocks (
        by INTEGER NOT NULL,
        whom INTEGER NOT NULL,
        PRIMARY KEY (by, whom)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE tokens (
        hash BLOB PRIMARY KEY,
        user INTEGER NOT NULL,
        expires INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE live (
        session INTEGER PRIMARY KEY,
        user INTEGER NOT NULL,
        slot INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE said (
        seq INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        sender INTEGER NOT NULL,
        audience INTEGER NOT NULL,
        text TEXT NOT NULL,
        hidden_from TEXT,
        key TEXT,
        from_guest TEXT,
        to_guest TEXT
    ) STRICT;
    CREATE TABLE said_to (
        audience INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (audience, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE said_by (
        sender INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (sender, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX said_keys ON said (seq) WHERE key IS NOT NULL;
",
    "
    ALTER TABLE accounts ADD COLUMN operator INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE deeds (
        deed INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        by TEXT NOT NULL,
        what TEXT NOT NULL,
        outcome TEXT
    ) STRICT;
    CREATE TABLE bans (
        whom TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        until INTEGER,
        by TEXT NOT NULL,
        reason TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE invites (
        name TEXT PRIMARY KEY,
        hash BLOB NOT NULL,
        by TEXT NOT NULL,
        at INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        uses INTEGER NOT NULL,
        used INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
",
];

/// After how many numbers the indexes follow. So many rows a reader may have to look through, a millisecond's work;
/// and for a few milliseconds each time the store does nothing else.
const INDEX_EVERY: u64 = 2048;

/// How far back keys are looked for at start: a client resends what it has no answer to, and that is recent.
const KEYS_WITHIN: u64 = 100_000;

/// The page cache of each connection, in KiB: the hot ends of three indexes, whatever the size of the file.
const CACHE_KIB: i64 = 16 * 1024;

/// WAL pages before they are moved into the file: 16 MB, so that a checkpoint's own sync is rare.
const CHECKPOINT_PAGES: i64 = 4000;

/// An opened store: what the hall needs, and the way to write on.
#[derive(Debug)]
pub struct Opened {
    /// What is known.
    pub loaded: Loaded,
    /// Which log this is.
    pub log: String,
    /// Writes on.
    pub writer: SqliteWriter,
    /// The file, for readers.
    pub file: PathBuf,
}

/// The one connection that writes.
#[derive(Debug)]
pub struct SqliteWriter {
    connection: Connection,
    /// Whether `PRAGMA synchronous` is FULL at the moment.
    syncing: bool,
    /// The head at the last commit.
    head: u64,
    /// The indexes have everything up to here.
    indexed: u64,
    /// See [`INDEX_EVERY`].
    index_every: u64,
}

/// A connection that reads.
#[derive(Debug)]
pub struct SqliteReader {
    connection: Connection,
}

/// Opens the store in `folder`, making it if there is none and migrating it (after a backup) if it is older.
///
/// `new_log` names the log of a store made now. `written` is what each shard had written to its sockets when the
/// server last ended (see [`crate::written`]).
///
/// # Errors
/// When the file cannot be opened, read or migrated, or was made by a newer server.
pub fn open(folder: &Path, new_log: &str, written: &[u64]) -> Result<Opened, StoreError> {
    let file = folder.join(FILE);
    // The files beside it get the mode of this one.
    crate::program::private_file(&file).map_err(|error| StoreError(error.to_string()))?;
    let mut connection = Connection::open(&file)?;
    configure(&connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut connection, &file, new_log)?;
    fold_live(&mut connection, written)?;
    let loaded = load(&connection)?;
    let head = loaded.head;
    let indexed = connection.query_row("SELECT indexed FROM progress", [], |row| unsigned(row.get(0)?))?;
    let log = connection.query_row("SELECT log FROM progress", [], |row| row.get(0))?;
    Ok(Opened { loaded, log, writer: SqliteWriter { connection, syncing: true, head, indexed, index_every: INDEX_EVERY }, file })
}

impl SqliteWriter {
    /// Has the indexes follow after so many numbers.
    #[cfg(test)]
    pub(super) fn index_every(&mut self, numbers: u64) {
        self.index_every = numbers;
    }

    /// Has the indexes follow up to the head. Nobody waits for it, so it is not synced.
    fn index(&mut self) -> Result<(), StoreError> {
        self.sync(false)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for sql in [
            "INSERT INTO said_to (audience, seq) SELECT audience, seq FROM said WHERE seq > ?1 ORDER BY audience, seq",
            "INSERT INTO said_by (sender, seq) SELECT sender, seq FROM said WHERE seq > ?1 ORDER BY sender, seq",
        ] {
            transaction.prepare_cached(sql)?.execute([number(self.indexed)])?;
        }
        transaction.prepare_cached("UPDATE progress SET indexed = ?1")?.execute([number(self.head)])?;
        transaction.commit()?;
        self.indexed = self.head;
        Ok(())
    }

    /// Has commits wait for the disk, or not.
    fn sync(&mut self, durable: bool) -> Result<(), StoreError> {
        if durable != self.syncing {
            self.connection.pragma_update(None, "synchronous", if durable { "FULL" } else { "NORMAL" })?;
            self.syncing = durable;
        }
        Ok(())
    }

    /// Moves everything into the one file, so that a copy of it is a copy of the store.
    pub fn finish(self) {
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log stays beside the store; the next start takes it in");
        }
    }
}

impl SqliteReader {
    /// Opens the store for reading.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(file: &Path) -> Result<SqliteReader, StoreError> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        configure(&connection)?;
        Ok(SqliteReader { connection })
    }
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    if !connection.is_readonly("main")? {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    }
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // Indexing a batch keeps what it would need to undo one statement: in memory, not in a file of its own.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}

fn migrate(connection: &mut Connection, file: &Path, new_log: &str) -> Result<(), StoreError> {
    let version: usize = connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))?.try_into().unwrap_or(usize::MAX);
    if version == MIGRATIONS.len() {
        return Ok(());
    }
    if version > MIGRATIONS.len() {
        return Err(StoreError(format!(
            "{} was written by a newer server (its schema is {version}, this one knows {})",
            file.display(),
            MIGRATIONS.len()
        )));
    }
    if version > 0 {
        let backup = file.with_extension(format!("v{version}.backup"));
        connection.backup("main", &backup, None::<fn(rusqlite::backup::Progress)>)?;
        tracing::info!(backup = %backup.display(), "the store is older than this server: backed up, migrating");
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in &MIGRATIONS[version..] {
        transaction.execute_batch(migration)?;
    }
    if version == 0 {
        transaction.execute("INSERT INTO progress (id, log, head, indexed) VALUES (1, ?1, 0, 0)", [new_log])?;
    }
    transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    transaction.commit()?;
    Ok(())
}

/// Whoever was live when the server ended without saying goodbye has seen what their shard had written.
fn fold_live(connection: &mut Connection, written: &[u64]) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let head: i64 = transaction.query_row(HEAD, [], |row| row.get(0))?;
    let mut seen: std::collections::HashMap<i64, i64> = std::collections::HashMap::new();
    {
        let mut live = transaction.prepare("SELECT user, slot FROM live")?;
        let mut rows = live.query([])?;
        while let Some(row) = rows.next()? {
            let slot: usize = row.get::<_, i64>(1)?.try_into().unwrap_or(usize::MAX);
            let through = written.get(slot).map_or(0, |seq| number(*seq)).min(head);
            // On several devices, what one of them may have missed is sent again.
            seen.entry(row.get(0)?).and_modify(|seen| *seen = (*seen).min(through)).or_insert(through);
        }
    }
    for (user, seen) in seen {
        transaction.execute("UPDATE accounts SET cursor = max(cursor, ?2) WHERE id = ?1", params![user, seen])?;
    }
    transaction.execute("DELETE FROM live", [])?;
    transaction.commit()?;
    Ok(())
}

/// The greatest number given out: by something said, or by something else that takes a place.
const HEAD: &str = "SELECT max(head, (SELECT coalesce(max(seq), 0) FROM said)) FROM progress";

fn load(connection: &Connection) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded { head: connection.query_row(HEAD, [], |row| unsigned(row.get(0)?))?, ..Loaded::default() };
    loaded.last_account = connection.query_row("SELECT coalesce(max(id), 0) FROM accounts", [], |row| row.get(0))?;
    let mut accounts = connection.prepare("SELECT id, name, password, joined, cursor, last_seen, operator FROM accounts WHERE gone = 0")?;
    loaded.accounts = accounts
        .query_map([], |row| {
            Ok(AccountRow {
                user: UserId(row.get(0)?),
                name: row.get(1)?,
                password: row.get(2)?,
                joined: unsigned(row.get(3)?)?,
                cursor: unsigned(row.get(4)?)?,
                last_seen: row.get::<_, Option<i64>>(5)?.map(Millis),
                operator: row.get(6)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let mut blocks = connection.prepare("SELECT by, whom FROM blocks")?;
    loaded.blocks = blocks.query_map([], |row| Ok((UserId(row.get(0)?), UserId(row.get(1)?))))?.collect::<Result<_, _>>()?;
    let mut tokens = connection.prepare("SELECT hash, user, expires FROM tokens")?;
    loaded.tokens = tokens
        .query_map([], |row| Ok((row.get::<_, TokenHash>(0)?, UserId(row.get(1)?), Millis(row.get(2)?))))?
        .collect::<Result<_, _>>()?;
    let mut keys = connection.prepare("SELECT sender, key, seq, at FROM said WHERE key IS NOT NULL AND seq > ?1 ORDER BY seq")?;
    loaded.keys = keys
        .query_map([number(loaded.head.saturating_sub(KEYS_WITHIN))], |row| {
            let receipt = Receipt { seq: unsigned(row.get(2)?)?, at: Millis(row.get(3)?), ..Receipt::default() };
            Ok((UserId(row.get(0)?), row.get(1)?, receipt))
        })?
        .collect::<Result<_, _>>()?;
    debug_assert!(KEYS_REMEMBERED < usize::try_from(KEYS_WITHIN).unwrap_or(usize::MAX));
    Ok(loaded)
}

impl Writer for SqliteWriter {
    fn commit(&mut self, rows: &[Row], head: u64, durable: bool) -> Result<(), StoreError> {
        if self.head - self.indexed >= self.index_every {
            // Before the rows, not behind them: what has been committed need not wait to be heard of.
            self.index()?;
        }
        self.sync(durable)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut last_said = 0;
        {
            // Nearly all rows of a busy server are of this kind.
            let mut keep_said = transaction.prepare_cached(KEEP_SAID)?;
            for row in rows {
                if let Row::Said(said) = row {
                    last_said = said.spoken.seq().unwrap_or(last_said);
                    insert(&mut keep_said, said)?;
                } else {
                    keep(&transaction, row)?;
                }
            }
        }
        // What is said says itself how far the order has come: a page less to write.
        if last_said < head && self.head < head {
            transaction.prepare_cached("UPDATE progress SET head = ?1")?.execute([number(head)])?;
        }
        transaction.commit()?;
        self.head = head;
        Ok(())
    }
}

fn keep(transaction: &Transaction<'_>, row: &Row) -> Result<(), StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| transaction.prepare_cached(sql)?.execute(values);
    match row {
        Row::Said(said) => insert(&mut *transaction.prepare_cached(KEEP_SAID)?, said)?,
        Row::Account { user, name, password, joined, at } => run(
            "INSERT INTO accounts (id, name, password, joined, cursor, created_at) VALUES (?1, ?2, ?3, ?4, ?4, ?5)",
            params![user.0, name, password, number(*joined), at.0],
        )?,
        Row::Password { user, password } => run("UPDATE accounts SET password = ?2 WHERE id = ?1", params![user.0, password])?,
        Row::AccountGone { user } => {
            // The row stays for the name on what was said; the secrets and the ties go.
            run("UPDATE accounts SET gone = 1, password = NULL, operator = 0 WHERE id = ?1", params![user.0])?;
            run("DELETE FROM live WHERE user = ?1", params![user.0])?;
            run("DELETE FROM tokens WHERE user = ?1", params![user.0])?;
            run("DELETE FROM blocks WHERE by = ?1 OR whom = ?1", params![user.0])?
        }
        Row::Block { by, whom } => run("INSERT OR IGNORE INTO blocks (by, whom) VALUES (?1, ?2)", params![by.0, whom.0])?,
        Row::Unblock { by, whom } => run("DELETE FROM blocks WHERE by = ?1 AND whom = ?2", params![by.0, whom.0])?,
        Row::Token { hash, user, expires } => {
            run("INSERT OR REPLACE INTO tokens (hash, user, expires) VALUES (?1, ?2, ?3)", params![hash, user.0, expires.0])?
        }
        Row::TokensGone { user } => run("DELETE FROM tokens WHERE user = ?1", params![user.0])?,
        Row::TokenGone { hash } => run("DELETE FROM tokens WHERE hash = ?1", params![hash])?,
        Row::Cursor { user, seen } => run("UPDATE accounts SET cursor = ?2 WHERE id = ?1", params![user.0, number(*seen)])?,
        Row::Live { session, user } => run(
            "INSERT OR REPLACE INTO live (session, user, slot) VALUES (?1, ?2, ?3)",
            params![number(session.number()), user.0, i64::try_from(session.shard()).unwrap_or(0)],
        )?,
        Row::NotLive { session } => run("DELETE FROM live WHERE session = ?1", params![number(session.number())])?,
        Row::Operator { user, operator } => run("UPDATE accounts SET operator = ?2 WHERE id = ?1", params![user.0, operator])?,
        Row::Deed { deed, at, by, what } => {
            run("INSERT INTO deeds (deed, at, by, what) VALUES (?1, ?2, ?3, ?4)", params![number(*deed), at.0, by, what])?
        }
        Row::DeedOutcome { deed, outcome } => run("UPDATE deeds SET outcome = ?2 WHERE deed = ?1", params![number(*deed), outcome])?,
        Row::LastSeen { user, at } => run("UPDATE accounts SET last_seen = ?2 WHERE id = ?1", params![user.0, at.0])?,
    };
    Ok(())
}

const KEEP_SAID: &str = "INSERT INTO said (seq, at, sender, audience, text, hidden_from, key, from_guest, to_guest)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

fn insert(keep_said: &mut Statement<'_>, row: &SaidRow) -> Result<usize, rusqlite::Error> {
    let Some(said) = row.spoken.said() else { return Ok(0) };
    let hidden = (!row.hidden_from.is_empty()).then(|| row.hidden_from.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(","));
    let from_guest = row.from.is_guest().then_some(&said.from);
    let to_guest = match &said.to {
        Addressee::User(name) if row.audience.is_guest() => Some(name),
        _ => None,
    };
    keep_said.execute(params![number(said.seq), said.at.0, row.from.0, row.audience.0, said.text, hidden, row.key, from_guest, to_guest])
}

/// How far the indexes go.
const INDEXED: &str = "SELECT indexed FROM progress";

/// The columns that [`said`] reads.
const SAID: &str = "s.seq, s.at, s.sender, s.audience, s.text, s.hidden_from,
    coalesce(s.from_guest, (SELECT name FROM accounts WHERE id = s.sender), '?'),
    coalesce(s.to_guest, (SELECT name FROM accounts WHERE id = s.audience), '?')";

/// How many rows are looked at for one page of what is owed. Broadcasts hidden from the asker are skipped, and
/// somebody blocked by everyone must not turn a page into a scan.
const LOOKED_AT_MAX: usize = 2000;

impl Reader for SqliteReader {
    fn read(&mut self, question: &Question) -> Result<Page, StoreError> {
        // One transaction, so that the head belongs to the rows.
        let transaction = self.connection.transaction()?;
        let head: u64 = transaction.prepare_cached(HEAD)?.query_row([], |row| unsigned(row.get(0)?))?;
        match *question {
            Question::Owed { user, after } => owed(&transaction, head, user, after),
            Question::Past { user, joined, with, count } => past(&transaction, head, user, joined, with, count.min(PAGE_MAX)),
        }
    }
}

fn owed(transaction: &Transaction<'_>, head: u64, user: UserId, after: u64) -> Result<Page, StoreError> {
    // Three runs, merged: to me and to everyone along the index, and both along what the index does not have yet.
    let sql = format!(
        "SELECT {SAID} FROM said_to AS i CROSS JOIN said AS s ON s.seq = i.seq WHERE i.audience = ?1 AND i.seq > ?2
         UNION ALL
         SELECT {SAID} FROM said_to AS i CROSS JOIN said AS s ON s.seq = i.seq WHERE i.audience = 0 AND i.seq > ?2
         UNION ALL
         SELECT {SAID} FROM said AS s WHERE s.seq > ?2 AND s.seq > ({INDEXED}) AND s.audience IN (?1, 0)
         ORDER BY 1 LIMIT ?3"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut rows = statement.query(params![user.0, number(after), number(LOOKED_AT_MAX as u64)])?;
    let mut page = Page { through: after, ..Page::default() };
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        let (said, from, hidden) = said(row)?;
        if page.said.len() == PAGE_MAX {
            page.more = true;
            return Ok(page);
        }
        looked_at += 1;
        page.through = said.seq;
        if from != user && !hidden.contains(&user.0) {
            page.said.push(Said { offline: !Fault::MailNotMarked.is_on(), ..said });
        }
    }
    page.more = looked_at == LOOKED_AT_MAX;
    if !page.more {
        page.through = head;
    }
    Ok(page)
}

fn past(
    transaction: &Transaction<'_>,
    head: u64,
    user: UserId,
    joined: u64,
    with: Option<UserId>,
    count: usize,
) -> Result<Page, StoreError> {
    // Each branch is a run along an index, and SQLite merges them row by row: a page costs a page.
    let (indexes, tail): (&[(&str, &str)], &str) = match with {
        Some(_) => (
            &[("said_to", "i.audience = ?1 AND s.sender = ?3 AND i.seq > ?2"), ("said_to", "i.audience = ?3 AND s.sender = ?1")],
            "(s.audience = ?1 AND s.sender = ?3 AND s.seq > ?2) OR (s.audience = ?3 AND s.sender = ?1)",
        ),
        // Nobody says anything to themselves, so that no row comes twice.
        None => (
            &[
                ("said_to", "i.audience = ?1 AND i.seq > ?2"),
                ("said_to", "i.audience = 0 AND i.seq > ?2 AND s.sender <> ?1"),
                ("said_by", "i.sender = ?1 AND ?3 IS NULL"),
            ],
            "(s.audience IN (?1, 0) AND s.seq > ?2) OR s.sender = ?1",
        ),
    };
    let mut branches: Vec<String> = indexes
        .iter()
        .map(|(index, what)| format!("SELECT {SAID} FROM {index} AS i CROSS JOIN said AS s ON s.seq = i.seq WHERE {what}"))
        .collect();
    branches.push(format!("SELECT {SAID} FROM said AS s WHERE s.seq > ({INDEXED}) AND ({tail})"));
    let sql = format!("{} ORDER BY 1 DESC", branches.join(" UNION ALL "));
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut rows = statement.query(params![user.0, number(joined), with.map(|with| with.0)])?;
    let mut page = Page { through: head, ..Page::default() };
    while let Some(row) = rows.next()? {
        let (said, from, hidden) = said(row)?;
        if from != user && hidden.contains(&user.0) && !Fault::HistoryShowsHidden.is_on() {
            continue;
        }
        if page.said.len() == count {
            page.more = true;
            break;
        }
        page.said.push(said);
    }
    page.said.reverse();
    Ok(page)
}

/// A message, its sender, and whom it is hidden from.
fn said(row: &rusqlite::Row<'_>) -> Result<(Said, UserId, Vec<i64>), rusqlite::Error> {
    let audience = UserId(row.get(3)?);
    let hidden: Option<String> = row.get(5)?;
    let hidden = hidden.map(|list| list.split(',').filter_map(|id| id.parse().ok()).collect()).unwrap_or_default();
    let to = if audience == UserId::EVERYONE || audience == UserId::PRESENT { Addressee::Everyone } else { Addressee::User(row.get(7)?) };
    let said = Said { seq: unsigned(row.get(0)?)?, at: Millis(row.get(1)?), from: row.get(6)?, to, text: row.get(4)?, ..Said::default() };
    Ok((said, UserId(row.get(2)?), hidden))
}

/// SQLite's integers are signed; numbers of this program stay far below their end.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> Result<u64, rusqlite::Error> {
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, value))
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        StoreError(error.to_string())
    }
}
