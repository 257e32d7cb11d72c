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

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chinwag_wire::{About, Addressee, Deed, Millis, Said};
use rusqlite::{Connection, OpenFlags, Statement, Transaction, TransactionBehavior, params};

use super::places::{Along, Places};
use super::retention::{Purge, Retention};
use super::{AROUND, DeedLine, Found, Limits, PAGE_MAX, Page, PastOf, Question, Reader, StoreError, Which, Writer, shortened, size};
use crate::fault::Fault;
use crate::hall::rooms::LoadedRooms;
use crate::hall::{
    AccountRow, Ban, Banned, DeviceId, Elsewhere, Invite, KEYS_REMEMBERED, Loaded, MemberRow, Receipt, RoomBan, RoomId, RoomRow, Row,
    SaidRow, TokenHash, UserId,
};
use crate::network;

/// The name of the file in the data folder.
pub const FILE: &str = "chinwag.db";

/// Schema migrations: the nth brings a store from version n to n + 1 (`PRAGMA user_version`). Never edited once
/// released, only added to.
pub(super) const MIGRATIONS: &[&str] = &[
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
        number INTEGER PRIMARY KEY,
        hash BLOB NOT NULL,
        by TEXT NOT NULL,
        at INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        uses INTEGER NOT NULL,
        used INTEGER NOT NULL DEFAULT 0
    ) STRICT;
",
    "
    ALTER TABLE said ADD COLUMN nick TEXT;
    ALTER TABLE said ADD COLUMN whisper INTEGER;
    ALTER TABLE said ADD COLUMN mentions TEXT;
    CREATE TABLE rooms (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        topic TEXT,
        description TEXT,
        access TEXT NOT NULL,
        password TEXT,
        kept INTEGER NOT NULL,
        archived INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        gone INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE members (
        room INTEGER NOT NULL,
        user INTEGER NOT NULL,
        nick TEXT NOT NULL,
        role TEXT NOT NULL,
        muted_until INTEGER,
        since INTEGER NOT NULL,
        tuned_in INTEGER NOT NULL,
        heard INTEGER NOT NULL,
        PRIMARY KEY (room, user)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE room_bans (
        room INTEGER NOT NULL,
        name TEXT NOT NULL,
        until INTEGER,
        by TEXT NOT NULL,
        reason TEXT,
        PRIMARY KEY (room, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE invited (
        room INTEGER NOT NULL,
        user INTEGER NOT NULL,
        PRIMARY KEY (room, user)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE belonged (
        user INTEGER NOT NULL,
        room INTEGER NOT NULL,
        since INTEGER NOT NULL,
        until INTEGER,
        PRIMARY KEY (user, room, since)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX belongs ON belonged (room) WHERE until IS NULL;
    CREATE TABLE heard (
        user INTEGER NOT NULL,
        room INTEGER NOT NULL,
        since INTEGER NOT NULL,
        until INTEGER,
        PRIMARY KEY (user, room, since)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX hears ON heard (room) WHERE until IS NULL;
",
    "
    ALTER TABLE said ADD COLUMN about INTEGER;
    ALTER TABLE said ADD COLUMN deed TEXT;
    ALTER TABLE said ADD COLUMN quoted TEXT;
    ALTER TABLE said ADD COLUMN edited INTEGER;
    ALTER TABLE said ADD COLUMN deleted INTEGER;
    CREATE INDEX said_about ON said (about) WHERE about IS NOT NULL;
    CREATE TABLE reactions (
        seq INTEGER NOT NULL,
        user INTEGER NOT NULL,
        reaction TEXT NOT NULL,
        PRIMARY KEY (seq, user)
    ) STRICT, WITHOUT ROWID;
    ",
    // What is found by its words; see `search.rs`. A store that is older gets it while it runs, from its beginning.
    "
    ALTER TABLE progress ADD COLUMN searchable INTEGER NOT NULL DEFAULT 0;
    CREATE VIRTUAL TABLE said_words USING fts5 (
        words, content = '', contentless_delete = 1, tokenize = \"ascii tokenchars '_'\", prefix = '3'
    );
",
    // What goes for good; see `retention.rs`. What there is is counted up to `indexed`; 200 is `AROUND`.
    "
    ALTER TABLE progress ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE progress ADD COLUMN expired INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE progress ADD COLUMN expired_at INTEGER;
    ALTER TABLE progress ADD COLUMN purge INTEGER NOT NULL DEFAULT 0;
    UPDATE progress SET bytes = (SELECT coalesce(sum(octet_length(text) + 200), 0) FROM said WHERE seq <= progress.indexed);
    CREATE TABLE held (
        audience INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (audience, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE gone_to (
        audience INTEGER PRIMARY KEY,
        seq INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE forgetting (
        user INTEGER PRIMARY KEY
    ) STRICT;
    ",
    // On which of the sender's devices something was said: the others get it, too. Tokens from before are all of one device.
    "
    ALTER TABLE said ADD COLUMN device INTEGER;
    ALTER TABLE tokens ADD COLUMN device INTEGER NOT NULL DEFAULT 0;
    ",
];

/// From this version on what is deleted is overwritten in the file; what was deleted before is overwritten when a store
/// is migrated to it.
const OVERWRITES: usize = 6;

/// After how many numbers the indexes follow. So many rows a reader may have to look through, a millisecond's work;
/// and for a few milliseconds each time the store does nothing else.
const INDEX_EVERY: u64 = 2048;

/// After how many numbers the words follow, when there is nothing else to do. So many rows a search may have to look through.
const SEARCHABLE_EVERY: u64 = 256;

/// How many messages are made searchable at once: a few milliseconds for which what is said meanwhile waits.
const SEARCHABLE_SLICE: usize = 256;

/// How far the words may stay behind where there is always something else to do.
const SEARCHABLE_BEHIND_MAX: u64 = 16_384;

/// How far back keys are looked for at start: a client resends what it has no answer to, and that is recent.
const KEYS_WITHIN: u64 = 100_000;

/// The page cache of each connection, in KiB: the hot ends of three indexes, whatever the size of the file.
const CACHE_KIB: i64 = 16 * 1024;

/// How long a connection waits for another's lock.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

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
    pub(super) connection: Connection,
    /// Whether `PRAGMA synchronous` is FULL at the moment.
    syncing: bool,
    /// The head at the last commit.
    pub(super) head: u64,
    /// The indexes have everything up to here.
    pub(super) indexed: u64,
    /// See [`INDEX_EVERY`].
    index_every: u64,
    /// Everything up to here is found by its words.
    searchable: u64,
    /// See [`SEARCHABLE_EVERY`].
    searchable_every: u64,
    /// What goes.
    pub(super) retention: Retention,
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
    let searchable = connection.query_row("SELECT searchable FROM progress", [], |row| unsigned(row.get(0)?))?;
    let log = connection.query_row("SELECT log FROM progress", [], |row| row.get(0))?;
    let retention = load_retention(&connection)?;
    let writer = SqliteWriter {
        connection,
        syncing: true,
        head,
        indexed,
        index_every: INDEX_EVERY,
        searchable,
        searchable_every: SEARCHABLE_EVERY,
        retention,
    };
    Ok(Opened { loaded, log, writer, file })
}

impl SqliteWriter {
    /// Has the indexes follow after so many numbers.
    #[cfg(test)]
    pub(super) fn index_every(&mut self, numbers: u64) {
        self.index_every = numbers;
        self.searchable_every = numbers;
    }

    /// Has what was said be found by its words, a slice of it. Nobody waits for it, so it is not synced.
    fn make_searchable(&mut self) -> Result<(), StoreError> {
        self.sync(false)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let through = super::search::index(&transaction, self.searchable, SEARCHABLE_SLICE)?.unwrap_or(self.head);
        transaction.prepare_cached("UPDATE progress SET searchable = ?1")?.execute([number(through)])?;
        transaction.commit()?;
        self.searchable = through;
        Ok(())
    }

    /// Has the indexes follow up to the head. Nobody waits for it, so it is not synced.
    pub(super) fn index(&mut self) -> Result<(), StoreError> {
        self.sync(false)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for sql in [
            "INSERT INTO said_to (audience, seq) SELECT audience, seq FROM said WHERE seq > ?1 ORDER BY audience, seq",
            "INSERT INTO said_by (sender, seq) SELECT sender, seq FROM said WHERE seq > ?1 ORDER BY sender, seq",
        ] {
            transaction.prepare_cached(sql)?.execute([number(self.indexed)])?;
        }
        transaction
            .prepare_cached("UPDATE progress SET indexed = ?1, bytes = ?2")?
            .execute([number(self.head), number(self.retention.bytes)])?;
        transaction.commit()?;
        self.indexed = self.head;
        Ok(())
    }

    /// Has commits wait for the disk, or not.
    pub(super) fn sync(&mut self, durable: bool) -> Result<(), StoreError> {
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
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    if !connection.is_readonly("main")? {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        // What is deleted is nowhere in the file.
        connection.pragma_update(None, "secure_delete", "ON")?;
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
        // It has what the store has: it is nobody else's business either.
        crate::program::private_file(&backup).map_err(|error| StoreError(format!("cannot make {}: {error}", backup.display())))?;
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
    if (1..OVERWRITES).contains(&version) {
        connection.execute_batch("VACUUM")?;
    }
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
    let mut accounts =
        connection.prepare("SELECT id, name, password, joined, cursor, last_seen, operator, created_at FROM accounts WHERE gone = 0")?;
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
                created: Millis(row.get(7)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    let mut blocks = connection.prepare("SELECT by, whom FROM blocks")?;
    loaded.blocks = blocks.query_map([], |row| Ok((UserId(row.get(0)?), UserId(row.get(1)?))))?.collect::<Result<_, _>>()?;
    let mut tokens = connection.prepare("SELECT hash, user, device, expires FROM tokens")?;
    loaded.tokens = tokens
        .query_map([], |row| Ok((row.get::<_, TokenHash>(0)?, UserId(row.get(1)?), DeviceId(unsigned(row.get(2)?)?), Millis(row.get(3)?))))?
        .collect::<Result<_, _>>()?;
    let mut keys = connection.prepare("SELECT sender, key, seq, at FROM said WHERE key IS NOT NULL AND seq > ?1 ORDER BY seq")?;
    loaded.keys = keys
        .query_map([number(loaded.head.saturating_sub(KEYS_WITHIN))], |row| {
            let receipt = Receipt { seq: unsigned(row.get(2)?)?, at: Millis(row.get(3)?), ..Receipt::default() };
            Ok((UserId(row.get(0)?), row.get(1)?, receipt))
        })?
        .collect::<Result<_, _>>()?;
    loaded.rooms = load_rooms(connection)?;
    let mut bans = connection.prepare("SELECT whom, at, until, by, reason FROM bans")?;
    loaded.bans = bans
        .query_map([], |row| {
            let until = row.get::<_, Option<i64>>(2)?.map(Millis);
            let ban = Ban { at: Millis(row.get(1)?), until, by: row.get(3)?, reason: row.get(4)? };
            Ok(banned_from_text(&row.get::<_, String>(0)?).map(|whom| (whom, ban)))
        })?
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    let mut invites = connection.prepare("SELECT number, hash, by, at, expires, uses, used FROM invites")?;
    loaded.invites = invites
        .query_map([], |row| {
            let (at, expires) = (Millis(row.get(3)?), Millis(row.get(4)?));
            let invite = Invite { hash: row.get(1)?, by: row.get(2)?, at, expires, uses: row.get(5)?, used: row.get(6)? };
            Ok((unsigned(row.get(0)?)?, invite))
        })?
        .collect::<Result<_, _>>()?;
    debug_assert!(KEYS_REMEMBERED < usize::try_from(KEYS_WITHIN).unwrap_or(usize::MAX));
    Ok(loaded)
}

fn load_retention(connection: &Connection) -> Result<Retention, StoreError> {
    let (expired, bytes, purge) = connection.query_row(
        "SELECT expired, bytes + (SELECT coalesce(sum(octet_length(text) + ?1), 0) FROM said WHERE seq > progress.indexed), purge FROM progress",
        [number(AROUND)],
        |row| Ok((unsigned(row.get(0)?)?, unsigned(row.get(1)?)?, Purge::from_number(row.get(2)?))),
    )?;
    let oldest = connection.query_row("SELECT (SELECT at FROM said WHERE seq > ?1 ORDER BY seq LIMIT 1)", [number(expired)], |row| {
        Ok(row.get::<_, Option<i64>>(0)?.map(Millis))
    })?;
    let holds = connection.query_row("SELECT EXISTS (SELECT 1 FROM held)", [], |row| row.get(0))?;
    let mut forgetting = connection.prepare("SELECT user FROM forgetting")?;
    let forgetting = forgetting.query_map([], |row| Ok(UserId(row.get(0)?)))?.collect::<Result<_, _>>()?;
    Ok(Retention { expired, oldest, bytes, holds, forgetting, purge, ..Retention::default() })
}

fn load_rooms(connection: &Connection) -> Result<LoadedRooms, StoreError> {
    let last = connection.query_row("SELECT coalesce(max(id), 0) FROM rooms", [], |row| row.get(0))?;
    let mut loaded = LoadedRooms { last, ..LoadedRooms::default() };
    let mut rooms = connection
        .prepare("SELECT id, name, topic, description, access, password, kept, archived, created_at FROM rooms WHERE gone = 0")?;
    loaded.rooms = rooms
        .query_map([], |row| {
            Ok(RoomRow {
                room: RoomId(row.get(0)?),
                name: row.get(1)?,
                topic: row.get(2)?,
                description: row.get(3)?,
                access: read_word(&row.get::<_, String>(4)?),
                password: row.get(5)?,
                kept: row.get(6)?,
                archived: row.get(7)?,
                created: Millis(row.get(8)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    let mut members = connection.prepare("SELECT room, user, nick, role, muted_until, since, tuned_in, heard FROM members")?;
    loaded.members = members
        .query_map([], |row| {
            Ok(MemberRow {
                room: RoomId(row.get(0)?),
                user: UserId(row.get(1)?),
                nick: row.get(2)?,
                role: read_word(&row.get::<_, String>(3)?),
                muted_until: row.get::<_, Option<i64>>(4)?.map(Millis),
                since: unsigned(row.get(5)?)?,
                tuned_in: row.get(6)?,
                heard: unsigned(row.get(7)?)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let mut bans = connection.prepare("SELECT room, name, until, by, reason FROM room_bans")?;
    loaded.bans = bans
        .query_map([], |row| {
            let ban = RoomBan { until: row.get::<_, Option<i64>>(2)?.map(Millis), by: row.get(3)?, reason: row.get(4)? };
            Ok((RoomId(row.get(0)?), row.get(1)?, ban))
        })?
        .collect::<Result<_, _>>()?;
    let mut invited = connection.prepare("SELECT room, user FROM invited")?;
    loaded.invited = invited.query_map([], |row| Ok((RoomId(row.get(0)?), UserId(row.get(1)?))))?.collect::<Result<_, _>>()?;
    Ok(loaded)
}

/// A word that stands for one of a few things on the wire and here.
pub(super) fn word(thing: impl serde::Serialize) -> String {
    serde_json::to_value(thing).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn read_word<T: serde::de::DeserializeOwned + Default>(word: &str) -> T {
    serde_json::from_value(serde_json::Value::from(word)).unwrap_or_default()
}

impl Writer for SqliteWriter {
    fn commit(&mut self, rows: &[Row], head: u64, durable: bool) -> Result<(), StoreError> {
        if self.head - self.indexed >= self.index_every {
            // Before the rows, not behind them: what has been committed need not wait to be heard of.
            self.index()?;
        }
        // One slice a commit, however far behind: an older store has millions to follow.
        if self.head - self.searchable >= SEARCHABLE_BEHIND_MAX {
            self.make_searchable()?;
        }
        self.sync(durable)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut last_said = 0;
        let (mut change, mut forgetting, mut oldest) = (Change::default(), Vec::new(), self.retention.oldest);
        {
            // Nearly all rows of a busy server are of this kind.
            let mut keep_said = transaction.prepare_cached(KEEP_SAID)?;
            for row in rows {
                if let Row::Said(row) = row {
                    insert(&mut keep_said, row)?;
                    change += amend(&transaction, row, self.indexed)?;
                    if let Some(said) = row.spoken.said() {
                        last_said = said.seq;
                        oldest = oldest.or(Some(said.at));
                        change.bytes += size(&said.text).cast_signed();
                    }
                } else {
                    keep(&transaction, row)?;
                }
                if let Row::Forgotten { user } = row {
                    forgetting.push(*user);
                }
            }
        }
        if change.is_stale {
            transaction.prepare_cached("UPDATE progress SET bytes = bytes + ?1, purge = 1")?.execute([change.indexed])?;
        }
        // What is said says itself how far the order has come: a page less to write.
        if last_said < head && self.head < head {
            transaction.prepare_cached("UPDATE progress SET head = ?1")?.execute([number(head)])?;
        }
        transaction.commit()?;
        self.head = head;
        self.retention.oldest = oldest;
        self.retention.bytes = self.retention.bytes.saturating_add_signed(change.bytes);
        if change.is_stale || !forgetting.is_empty() {
            self.retention.wants_purge(!forgetting.is_empty());
        }
        self.retention.forgetting.extend(forgetting);
        Ok(())
    }

    fn tend(&mut self, now: Millis) -> Result<bool, StoreError> {
        if self.head - self.searchable >= self.searchable_every {
            self.make_searchable()?;
            return Ok(true);
        }
        self.tend_what_goes(now)
    }

    fn limit(&mut self, limits: Limits) {
        self.retention.limit(limits);
    }

    fn due(&self) -> Option<Millis> {
        self.retention.due()
    }
}

/// What a commit does to how much there is.
#[derive(Clone, Copy, Debug, Default)]
struct Change {
    /// In all, in bytes.
    bytes: i64,
    /// Of this, what the store has counted already: up to `indexed`.
    indexed: i64,
    /// Words have become others, or none.
    is_stale: bool,
}

impl std::ops::AddAssign for Change {
    fn add_assign(&mut self, other: Change) {
        self.bytes += other.bytes;
        self.indexed += other.indexed;
        self.is_stale |= other.is_stale;
    }
}

fn keep(transaction: &Transaction<'_>, row: &Row) -> Result<(), StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| transaction.prepare_cached(sql)?.execute(values);
    match row {
        // Kept by the commit itself.
        Row::Said(_) => 0,
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
            run("DELETE FROM invited WHERE user = ?1", params![user.0])?;
            run("DELETE FROM blocks WHERE by = ?1 OR whom = ?1", params![user.0])?
        }
        Row::Forgotten { user } => {
            // The number stays, so that it is not given out again.
            run("UPDATE accounts SET name = '', last_seen = NULL, created_at = 0 WHERE id = ?1", params![user.0])?;
            run("DELETE FROM belonged WHERE user = ?1", params![user.0])?;
            run("DELETE FROM heard WHERE user = ?1", params![user.0])?;
            run("UPDATE progress SET purge = 1", params![])?;
            // From here on nobody is shown what they said, or what was said to them; it goes when there is time.
            run("INSERT OR IGNORE INTO forgetting (user) VALUES (?1)", params![user.0])?
        }
        Row::Block { by, whom } => run("INSERT OR IGNORE INTO blocks (by, whom) VALUES (?1, ?2)", params![by.0, whom.0])?,
        Row::Unblock { by, whom } => run("DELETE FROM blocks WHERE by = ?1 AND whom = ?2", params![by.0, whom.0])?,
        Row::Token { hash, user, device, expires } => run(
            "INSERT OR REPLACE INTO tokens (hash, user, device, expires) VALUES (?1, ?2, ?3, ?4)",
            params![hash, user.0, number(device.0), expires.0],
        )?,
        Row::TokensGone { user } => run("DELETE FROM tokens WHERE user = ?1", params![user.0])?,
        Row::TokenGone { hash } => run("DELETE FROM tokens WHERE hash = ?1", params![hash])?,
        Row::Cursor { user, seen } => run("UPDATE accounts SET cursor = ?2 WHERE id = ?1", params![user.0, number(*seen)])?,
        Row::Live { session, user } => run(
            "INSERT OR REPLACE INTO live (session, user, slot) VALUES (?1, ?2, ?3)",
            params![number(session.number()), user.0, i64::try_from(session.shard()).unwrap_or(0)],
        )?,
        Row::NotLive { session } => run("DELETE FROM live WHERE session = ?1", params![number(session.number())])?,
        Row::Operator { user, operator } => run("UPDATE accounts SET operator = ?2 WHERE id = ?1", params![user.0, operator])?,
        Row::Ban { whom, ban } => run(
            "INSERT OR REPLACE INTO bans (whom, at, until, by, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![banned_text(*whom), ban.at.0, ban.until.map(|until| until.0), ban.by, ban.reason],
        )?,
        Row::Unban { whom } => run("DELETE FROM bans WHERE whom = ?1", params![banned_text(*whom)])?,
        Row::Invite { number: invited, invite } => run(
            "INSERT INTO invites (number, hash, by, at, expires, uses, used) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![number(*invited), invite.hash, invite.by, invite.at.0, invite.expires.0, invite.uses, invite.used],
        )?,
        Row::InviteUsed { number: used } => run("UPDATE invites SET used = used + 1 WHERE number = ?1", params![number(*used)])?,
        Row::InviteGone { number: gone } => run("DELETE FROM invites WHERE number = ?1", params![number(*gone)])?,
        Row::Deed { deed, at, by, what, outcome } => run(
            "INSERT INTO deeds (deed, at, by, what, outcome) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![number(*deed), at.0, by, what, outcome],
        )?,
        Row::DeedOutcome { deed, outcome } => run("UPDATE deeds SET outcome = ?2 WHERE deed = ?1", params![number(*deed), outcome])?,
        Row::Room(room) => run(
            "INSERT OR REPLACE INTO rooms (id, name, topic, description, access, password, kept, archived, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                room.room.0,
                room.name,
                room.topic,
                room.description,
                word(room.access),
                room.password,
                room.kept,
                room.archived,
                room.created.0
            ],
        )?,
        Row::RoomGone { room, at } => {
            // The row stays for the name on what was said.
            run("UPDATE rooms SET gone = 1, password = NULL WHERE id = ?1", params![room.0])?;
            run("DELETE FROM members WHERE room = ?1", params![room.0])?;
            run("DELETE FROM room_bans WHERE room = ?1", params![room.0])?;
            run("DELETE FROM invited WHERE room = ?1", params![room.0])?;
            run("UPDATE heard SET until = ?2 WHERE room = ?1 AND until IS NULL", params![room.0, number(*at)])?;
            run("UPDATE belonged SET until = ?2 WHERE room = ?1 AND until IS NULL", params![room.0, number(*at)])?
        }
        Row::Member(member) => run(
            "INSERT OR REPLACE INTO members (room, user, nick, role, muted_until, since, tuned_in, heard)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                member.room.0,
                member.user.0,
                member.nick,
                word(member.role),
                member.muted_until.map(|until| until.0),
                number(member.since),
                member.tuned_in,
                number(member.heard)
            ],
        )?,
        Row::MemberGone { room, user } => run("DELETE FROM members WHERE room = ?1 AND user = ?2", params![room.0, user.0])?,
        Row::Belongs { room, user, since } => run(
            "INSERT OR REPLACE INTO belonged (user, room, since, until) VALUES (?1, ?2, ?3, NULL)",
            params![user.0, room.0, number(*since)],
        )?,
        Row::BelongsNoMore { room, user, until } => {
            run("UPDATE belonged SET until = ?3 WHERE user = ?1 AND room = ?2 AND until IS NULL", params![user.0, room.0, number(*until)])?
        }
        Row::Hears { room, user, since } => run(
            "INSERT OR REPLACE INTO heard (user, room, since, until) VALUES (?1, ?2, ?3, NULL)",
            params![user.0, room.0, number(*since)],
        )?,
        Row::HearsNoMore { room, user, until } => {
            run("UPDATE heard SET until = ?3 WHERE user = ?1 AND room = ?2 AND until IS NULL", params![user.0, room.0, number(*until)])?
        }
        Row::RoomBan { room, name, ban } => run(
            "INSERT OR REPLACE INTO room_bans (room, name, until, by, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![room.0, name, ban.until.map(|until| until.0), ban.by, ban.reason],
        )?,
        Row::RoomBanGone { room, name } => run("DELETE FROM room_bans WHERE room = ?1 AND name = ?2", params![room.0, name])?,
        Row::Invited { room, user } => run("INSERT OR IGNORE INTO invited (room, user) VALUES (?1, ?2)", params![room.0, user.0])?,
        Row::NotInvited { room, user } => run("DELETE FROM invited WHERE room = ?1 AND user = ?2", params![room.0, user.0])?,
        Row::LastSeen { user, at } => run("UPDATE accounts SET last_seen = ?2 WHERE id = ?1", params![user.0, at.0])?,
    };
    Ok(())
}

/// `#12` for a user, `192.0.2.1` or `2001:db8::/64` for a network.
fn banned_text(whom: Banned) -> String {
    match whom {
        Banned::User(user) => format!("#{}", user.0),
        Banned::Network(network) => network::shown(network),
    }
}

fn banned_from_text(text: &str) -> Option<Banned> {
    match text.strip_prefix('#') {
        Some(user) => user.parse().ok().map(|user| Banned::User(UserId(user))),
        None => network::read(text).map(Banned::Network),
    }
}

const KEEP_SAID: &str =
    "INSERT INTO said (seq, at, sender, audience, text, hidden_from, key, from_guest, to_guest, nick, whisper, mentions,
        about, deed, quoted, device)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

fn insert(keep_said: &mut Statement<'_>, row: &SaidRow) -> Result<usize, rusqlite::Error> {
    let Some(said) = row.spoken.said() else { return Ok(0) };
    let hidden = (!row.hidden_from.is_empty()).then(|| row.hidden_from.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(","));
    let from_guest = row.from.is_guest().then_some(&said.from);
    let to_guest = match &said.to {
        Addressee::User(name) if row.audience.is_guest() => Some(name),
        _ => None,
    };
    let mentions = (!said.mentions.is_empty()).then(|| said.mentions.join(" "));
    keep_said.execute(params![
        number(said.seq),
        said.at.0,
        row.from.0,
        row.audience.0,
        said.text,
        hidden,
        row.key,
        from_guest,
        to_guest,
        said.nick,
        said.whisper.then_some(1),
        mentions,
        said.about.as_ref().map(|about| number(about.seq)),
        said.about.as_ref().map(|about| word(about.deed)),
        said.about.as_ref().map(|about| &about.text),
        row.device.map(|device| number(device.0))
    ])
}

/// Does to an earlier message what is said about it.
fn amend(transaction: &Transaction<'_>, row: &SaidRow, indexed: u64) -> Result<Change, StoreError> {
    let mut change = Change::default();
    let Some((said, about)) = row.spoken.said().and_then(|said| Some((said, said.about.as_ref()?))) else { return Ok(change) };
    let earlier = number(about.seq);
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| transaction.prepare_cached(sql)?.execute(values);
    let is_there = format!("SELECT EXISTS (SELECT 1 FROM said AS s WHERE s.seq = ?1 AND {STANDS})");
    if !transaction.prepare_cached(&is_there)?.query_row([earlier], |row| row.get(0))? {
        // It has gone since it was looked up.
        run("UPDATE said SET quoted = '' WHERE seq = ?1 AND quoted <> ''", params![number(said.seq)])?;
        return Ok(change);
    }
    // What a text that is replaced was counted for, and by what.
    let mut replaced = |which: &str, bytes: i64| {
        let mut texts = transaction.prepare_cached(&format!("SELECT seq, octet_length(text) FROM said WHERE {which}"))?;
        let mut rows = texts.query([earlier])?;
        while let Some(row) = rows.next()? {
            let by = bytes - row.get::<_, i64>(1)?;
            let is_counted = row.get::<_, i64>(0)? <= number(indexed);
            change += Change { bytes: by, indexed: if is_counted { by } else { 0 }, is_stale: true };
        }
        Ok::<_, rusqlite::Error>(())
    };
    match about.deed {
        Deed::Edit if Fault::EditNotKept.is_on() => {}
        Deed::Edit => {
            replaced("seq = ?1", number(said.text.len() as u64))?;
            run("UPDATE said SET text = ?2, mentions = NULL, edited = 1 WHERE seq = ?1", params![earlier, said.text])?;
            run("UPDATE said SET quoted = ?2 WHERE about = ?1", params![earlier, shortened(&said.text)])?;
            super::search::index_anew(transaction, earlier)?;
        }
        Deed::Delete => {
            replaced("seq = ?1", 0)?;
            replaced("about = ?1 AND deed = 'edit'", 0)?;
            // What was taken back is nowhere, not even where it was quoted.
            run("UPDATE said SET text = '', mentions = NULL, deleted = 1 WHERE seq = ?1", params![earlier])?;
            run("UPDATE said SET quoted = '' WHERE about = ?1", params![earlier])?;
            run("UPDATE said SET text = '', deleted = 1 WHERE about = ?1 AND deed = 'edit'", params![earlier])?;
            run("DELETE FROM reactions WHERE seq = ?1", params![earlier])?;
            super::search::index_anew(transaction, earlier)?;
        }
        Deed::React => {
            run("INSERT OR REPLACE INTO reactions (seq, user, reaction) VALUES (?1, ?2, ?3)", params![earlier, row.from.0, said.text])?;
        }
        Deed::Unreact => {
            run("DELETE FROM reactions WHERE seq = ?1 AND user = ?2", params![earlier, row.from.0])?;
        }
        Deed::Reply | Deed::Unknown => {}
    }
    Ok(change)
}

/// Whether `s` is not of somebody who is being forgotten, nor to them.
const STANDS: &str = "NOT EXISTS (SELECT 1 FROM forgetting AS f WHERE f.user IN (s.sender, s.audience))";

/// Whether `s` is shown; and the same while somebody is being forgotten, which is hardly ever and costs something with each row.
const SHOWN: [&str; 2] =
    ["s.deleted IS NULL", "s.deleted IS NULL AND NOT EXISTS (SELECT 1 FROM forgetting AS f WHERE f.user IN (s.sender, s.audience))"];

/// How far the indexes go.
const INDEXED: &str = "SELECT indexed FROM progress";

/// The columns that [`said`] reads, but for the last two: who said what it is about, and how people have reacted to it.
const SAID: &str = "s.seq, s.at, s.sender, s.audience, s.text, s.hidden_from,
    coalesce(s.from_guest, (SELECT name FROM accounts WHERE id = s.sender), '?'),
    coalesce(s.to_guest, CASE WHEN s.audience > 1099511627776
        THEN (SELECT name FROM rooms WHERE id = s.audience - 1099511627776)
        ELSE (SELECT name FROM accounts WHERE id = s.audience) END, '?'),
    s.nick, s.whisper, s.mentions, s.about, s.deed, s.quoted, s.edited";

/// The last two; and the same while somebody is being forgotten.
const OF_OTHERS: [&str; 2] = [
    "CASE WHEN s.about IS NOT NULL THEN
        (SELECT coalesce(o.from_guest, (SELECT name FROM accounts WHERE id = o.sender), '?') FROM said AS o WHERE o.seq = s.about) END,
    (SELECT group_concat(reaction, ' ') FROM reactions WHERE seq = s.seq)",
    "CASE WHEN s.about IS NOT NULL THEN
        (SELECT coalesce(o.from_guest, (SELECT name FROM accounts WHERE id = o.sender), '?') FROM said AS o WHERE o.seq = s.about
            AND NOT EXISTS (SELECT 1 FROM forgetting AS f WHERE f.user IN (o.sender, o.audience))) END,
    (SELECT group_concat(reaction, ' ') FROM reactions WHERE seq = s.seq AND user NOT IN (SELECT user FROM forgetting))",
];

/// How many rows are looked at for one page of what is owed. What is hidden from the asker is skipped, and somebody
/// blocked by everyone must not turn a page into a scan.
const LOOKED_AT_MAX: usize = 2000;

/// Greater than any place in the order.
pub(super) const NO_END: i64 = i64::MAX;

impl Reader for SqliteReader {
    fn deeds(&mut self, count: usize) -> Result<Vec<DeedLine>, StoreError> {
        let sql = "SELECT deed, at, by, what, outcome FROM deeds ORDER BY deed DESC LIMIT ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([number(count.min(PAGE_MAX) as u64)], |row| {
            let (deed, at) = (unsigned(row.get(0)?)?, Millis(row.get(1)?));
            Ok(DeedLine { deed, at, by: row.get(2)?, what: row.get(3)?, outcome: row.get(4)? })
        })?;
        let mut deeds = rows.collect::<Result<Vec<_>, _>>()?;
        deeds.reverse();
        Ok(deeds)
    }

    fn read(&mut self, question: &Question) -> Result<Page, StoreError> {
        // One transaction, so that the head belongs to the rows.
        let transaction = self.connection.transaction()?;
        let head: u64 = transaction.prepare_cached(HEAD)?.query_row([], |row| unsigned(row.get(0)?))?;
        match *question {
            Question::Owed { user, after, elsewhere } => owed(&transaction, head, user, after, elsewhere),
            Question::Onward { user, after, count } => onward(&transaction, head, user, after, count.min(PAGE_MAX)),
            Question::Find { user, after, of, which } => find(&transaction, head, user, after, of, which),
            Question::Search(ref search) => super::search::search(&transaction, head, search),
            Question::Past { user, after, before, of, count } => past(&transaction, head, user, after, before, of, count.min(PAGE_MAX)),
        }
    }
}

/// A run of what was said: those rows of an index, or of the table where the index has not come yet, that `what` names
/// and that lie behind `after` and not behind `until`.
pub(super) struct Run {
    way: Way,
    /// Which rows; may use `?1` for the first of `ids` and `?2` for the second.
    what: &'static str,
    ids: [i64; 2],
    after: i64,
    until: i64,
}

/// How a run finds its rows.
enum Way {
    /// Along `said_to`, `said_by` or both.
    Index(Vec<Along>),
    /// Along what these have not yet.
    Tail,
    /// By this expression of words.
    Words(String),
    /// Among so many of the newest that have them; `what` may use `?6`.
    Among(String, i64, i64),
    /// Along the table itself; `what` may use `?6`.
    Table(i64),
}

impl Run {
    /// Along one index, or two for what is in both.
    fn indexed(along: &[Along], after: i64, until: i64) -> Run {
        Run { way: Way::Index(along.to_vec()), what: "", ids: [0, 0], after, until }
    }

    /// Along what no index has yet.
    fn tail(what: &'static str, ids: [i64; 2], after: i64, until: i64) -> Run {
        Run { way: Way::Tail, what, ids, after, until }
    }

    /// By words.
    pub(super) fn worded(words: String, after: i64, until: i64) -> Run {
        Run { way: Way::Words(words), what: "", ids: [0, 0], after, until }
    }

    /// By words, among so many of the newest that have them; `joined` is `?6`.
    pub(super) fn among(words: String, newest: i64, what: &'static str, ids: [i64; 2], joined: i64, after: i64, until: i64) -> Run {
        Run { way: Way::Among(words, newest, joined), what, ids, after, until }
    }

    /// Along the table, where no index will do; `joined` is `?6`.
    pub(super) fn along(what: &'static str, ids: [i64; 2], joined: i64, after: i64, until: i64) -> Run {
        Run { way: Way::Table(joined), what, ids, after, until }
    }

    fn sql(&self, newest_first: bool, is_forgetting: bool) -> String {
        let what = self.what;
        let (others, shown) = (OF_OTHERS[usize::from(is_forgetting)], SHOWN[usize::from(is_forgetting)]);
        let order = if newest_first { "DESC" } else { "ASC" };
        match &self.way {
            // Place by place: see `places.rs`.
            Way::Index(_) => format!("SELECT {SAID}, {others} FROM said AS s WHERE s.seq = ?1 AND {shown}"),
            Way::Tail => format!(
                "SELECT {SAID}, {others} FROM said AS s
                 WHERE {what} AND s.seq > max(?3, ({INDEXED})) AND s.seq <= ?4 AND {shown} ORDER BY s.seq {order}"
            ),
            Way::Words(_) => format!(
                "SELECT {SAID}, {others} FROM said_words CROSS JOIN said AS s ON s.seq = said_words.rowid
                 WHERE said_words MATCH ?5 AND said_words.rowid > ?3 AND said_words.rowid <= ?4 AND {shown} ORDER BY said_words.rowid {order}"
            ),
            Way::Table(_) => format!(
                "SELECT {SAID}, {others} FROM said AS s WHERE {what} AND s.seq > ?3 AND s.seq <= ?4 AND {shown} ORDER BY s.seq {order}"
            ),
            Way::Among(..) => format!(
                "SELECT {SAID}, {others} FROM (SELECT rowid FROM said_words WHERE said_words MATCH ?5 AND rowid > ?3 AND rowid <= ?4
                  ORDER BY rowid DESC LIMIT ?7) AS i CROSS JOIN said AS s ON s.seq = i.rowid
                 WHERE {what} AND {shown} ORDER BY s.seq {order}"
            ),
        }
    }
}

/// Goes through several runs as if they were one, in the order of the numbers, until `take` has enough. A row that is in
/// two of them comes once.
pub(super) fn merged(
    transaction: &Transaction<'_>,
    runs: &[Run],
    newest_first: bool,
    mut take: impl FnMut(Said, UserId, Vec<i64>) -> bool,
) -> Result<(), StoreError> {
    let is_forgetting = transaction.prepare_cached("SELECT EXISTS (SELECT 1 FROM forgetting)")?.query_row([], |row| row.get(0))?;
    let mut row_of = None;
    let mut statements = Vec::with_capacity(runs.len());
    for run in runs {
        let is_indexed = matches!(run.way, Way::Index(_));
        statements.push(if is_indexed { None } else { Some(transaction.prepare_cached(&run.sql(newest_first, is_forgetting))?) });
        if is_indexed && row_of.is_none() {
            row_of = Some(transaction.prepare_cached(&run.sql(newest_first, is_forgetting))?);
        }
    }
    let mut ways = Vec::with_capacity(runs.len());
    for (statement, run) in statements.iter_mut().zip(runs) {
        let Some(statement) = statement else {
            let along: &[Along] = if let Way::Index(along) = &run.way { along } else { &[] };
            ways.push(OnTheWay::Places(Places::new(along, run.after, run.until, newest_first)));
            continue;
        };
        for (at, value) in [run.ids[0], run.ids[1], run.after, run.until].iter().enumerate() {
            statement.raw_bind_parameter(at + 1, value)?;
        }
        match &run.way {
            Way::Index(_) | Way::Tail => {}
            Way::Words(words) => statement.raw_bind_parameter(5, words)?,
            Way::Among(words, newest, joined) => {
                statement.raw_bind_parameter(5, words)?;
                statement.raw_bind_parameter(6, joined)?;
                statement.raw_bind_parameter(7, newest)?;
            }
            Way::Table(joined) => statement.raw_bind_parameter(6, joined)?,
        }
        ways.push(OnTheWay::Rows(statement.raw_query()));
    }
    let mut heads = Vec::with_capacity(ways.len());
    for way in &mut ways {
        heads.push(way.next(transaction)?);
    }
    let mut last = None;
    loop {
        let numbers = heads.iter().enumerate().filter_map(|(at, head)| head.as_ref().map(|(seq, _)| (*seq, at)));
        let next = if newest_first { numbers.max_by_key(|(seq, _)| *seq) } else { numbers.min_by_key(|(seq, _)| *seq) };
        let Some((seq, at)) = next else { return Ok(()) };
        let following = ways[at].next(transaction)?;
        let Some((_, row)) = std::mem::replace(&mut heads[at], following) else { return Ok(()) };
        if last.replace(seq) == Some(seq) {
            continue;
        }
        let row = match (row, &mut row_of) {
            (Some(row), _) => Some(row),
            (None, Some(row_of)) => row_of.query([number(seq)])?.next()?.map(said).transpose()?,
            (None, None) => None,
        };
        // What has been deleted is in the indexes still.
        if let Some((said, from, hidden)) = row
            && !take(said, from, hidden)
        {
            return Ok(());
        }
    }
}

/// A run that is being gone through.
enum OnTheWay<'a> {
    Rows(rusqlite::Rows<'a>),
    Places(Places),
}

/// What a row says: see [`said`].
type SaidFrom = (Said, UserId, Vec<i64>);

impl OnTheWay<'_> {
    /// The next number, and its row if that has been read.
    fn next(&mut self, transaction: &Transaction<'_>) -> Result<Option<(u64, Option<SaidFrom>)>, StoreError> {
        Ok(match self {
            OnTheWay::Rows(rows) => rows.next()?.map(said).transpose()?.map(|row| (row.0.seq, Some(row))),
            OnTheWay::Places(places) => places.next(transaction)?.map(|place| Ok::<_, StoreError>((unsigned(place)?, None))).transpose()?,
        })
    }
}

fn owed(transaction: &Transaction<'_>, head: u64, user: UserId, after: u64, elsewhere: Elsewhere) -> Result<Page, StoreError> {
    let from = number(after);
    let (heard, horizon) = stays(transaction, "heard", user, from)?;
    let mut runs = vec![
        Run::indexed(&[Along::To(user)], from, horizon),
        Run::indexed(&[Along::To(UserId::EVERYONE)], from, horizon),
        Run::tail(COMES, [user.0, number(elsewhere.after)], from, horizon),
    ];
    // Nobody who has nothing to find on other devices is led through what they said themselves.
    if elsewhere.after < head {
        runs.push(Run::indexed(&[Along::By(user)], number(elsewhere.after.max(after)), horizon));
    }
    let mut devices = transaction.prepare_cached("SELECT device FROM said WHERE seq = ?1")?;
    let mut is_elsewhere = |seq: u64| {
        let device: Option<i64> = devices.query_row([number(seq)], |row| row.get(0))?;
        Ok::<bool, StoreError>(seq > elsewhere.after && device.is_some_and(|device| device != number(elsewhere.than.0)))
    };
    let mut failed = None;
    runs.extend(heard.into_iter().map(|(room, since, until)| in_room(room, since.max(from), until.min(horizon))));
    let mut page = Page { through: after, ..Page::default() };
    let mut looked_at = 0;
    merged(transaction, &runs, false, |said, from, hidden| {
        if page.said.len() == PAGE_MAX || looked_at == LOOKED_AT_MAX {
            page.more = true;
            return false;
        }
        looked_at += 1;
        page.through = said.seq;
        // Who gets the earlier one only now gets it as it has become. What was done to one that has gone is nothing any more.
        let is_done_already = said.about.as_ref().is_some_and(|about| about.deed != Deed::Reply && about.seq > after)
            || (amends(&said) && said.about.as_ref().is_some_and(|about| about.from.is_empty()));
        let own = from == user;
        let comes = if own { is_elsewhere(said.seq) } else { Ok(!hidden.contains(&user.0)) };
        let comes = comes.unwrap_or_else(|error| {
            failed = Some(error);
            false
        });
        if comes && !is_done_already {
            if own {
                page.own.push(said.seq);
            }
            page.said.push(Said { offline: !Fault::MailNotMarked.is_on(), ..said });
        }
        true
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if !page.more {
        page.more = horizon != NO_END;
        page.through = if page.more { u64::try_from(horizon).unwrap_or(head) } else { head };
    }
    page.gone = missed(transaction, user, from)?;
    Ok(page)
}

/// Up to when is gone what somebody who has seen everything up to `after` was to see, if something is.
fn missed(transaction: &Transaction<'_>, user: UserId, after: i64) -> Result<Option<Millis>, StoreError> {
    let sql = "SELECT expired_at FROM progress WHERE expired > ?2 AND (
        EXISTS (SELECT 1 FROM gone_to AS g WHERE g.audience IN (?1, 0) AND g.seq > ?2)
        OR EXISTS (SELECT 1 FROM heard AS h CROSS JOIN gone_to AS g ON g.audience = h.room + 1099511627776
            WHERE h.user = ?1 AND (h.until IS NULL OR h.until > ?2) AND g.seq > max(h.since, ?2)))";
    moment(transaction, sql, params![user.0, after])
}

/// Up to when is gone what the answer to a question about the past would begin with, if it is.
pub(super) fn gone(transaction: &Transaction<'_>, user: UserId, after: u64, of: PastOf) -> Result<Option<Millis>, StoreError> {
    match of {
        PastOf::All | PastOf::With(_) => moment(transaction, "SELECT expired_at FROM progress WHERE expired > ?1", params![number(after)]),
        PastOf::RoomSince(_, since) => {
            moment(transaction, "SELECT expired_at FROM progress WHERE expired > ?1", params![number(after.max(since))])
        }
        PastOf::Room(room) => {
            let sql = "SELECT expired_at FROM progress WHERE expired > ?1
                AND EXISTS (SELECT 1 FROM belonged AS b WHERE b.user = ?2 AND b.room = ?3 AND b.since < expired)";
            moment(transaction, sql, params![number(after), user.0, room.0])
        }
    }
}

fn moment(transaction: &Transaction<'_>, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Option<Millis>, StoreError> {
    let mut found = transaction.prepare_cached(sql)?;
    let mut rows = found.query(values)?;
    Ok(rows.next()?.map(|row| row.get::<_, Option<i64>>(0)).transpose()?.flatten().map(Millis))
}

fn past(
    transaction: &Transaction<'_>,
    head: u64,
    user: UserId,
    after: u64,
    before: Option<u64>,
    of: PastOf,
    count: usize,
) -> Result<Page, StoreError> {
    let runs = runs_of(transaction, user, after, before, of)?;
    let mut page = Page { through: head, ..Page::default() };
    merged(transaction, &runs, true, |said, from, hidden| {
        let is_shown = from == user || !hidden.contains(&user.0) || Fault::HistoryShowsHidden.is_on();
        if !is_shown || amends(&said) {
            return true;
        }
        if page.said.len() == count {
            page.more = true;
            return false;
        }
        page.said.push(said);
        true
    })?;
    page.said.reverse();
    if !page.more {
        page.gone = gone(transaction, user, after, of)?;
    }
    Ok(page)
}

fn onward(transaction: &Transaction<'_>, head: u64, user: UserId, after: u64, count: usize) -> Result<Page, StoreError> {
    let from = number(after);
    let (stays, horizon) = stays(transaction, "belonged", user, from)?;
    let mut runs = vec![
        Run::indexed(&[Along::To(user)], from, horizon),
        Run::indexed(&[Along::To(UserId::EVERYONE)], from, horizon),
        Run::indexed(&[Along::By(user)], from, horizon),
        Run::tail(MINE, [user.0, from], from, horizon),
    ];
    runs.extend(stays.into_iter().map(|(room, since, until)| in_room(room, since.max(from), until.min(horizon))));
    let mut page = Page { through: after, ..Page::default() };
    let (mut looked_at, mut last) = (0, after);
    merged(transaction, &runs, false, |said, from, hidden| {
        // Of what was done to a message, what they did themselves is theirs.
        let is_shown = from == user || (!hidden.contains(&user.0) && !amends(&said));
        looked_at += 1;
        page.more = looked_at > LOOKED_AT_MAX || (is_shown && page.said.len() == count);
        if page.more {
            page.through = if looked_at > LOOKED_AT_MAX { last } else { page.through };
            return false;
        }
        last = said.seq;
        if is_shown {
            page.through = said.seq;
            page.said.push(said);
        }
        true
    })?;
    if !page.more {
        page.more = horizon != NO_END;
        page.through = if page.more { u64::try_from(horizon).unwrap_or(head) } else { head };
    }
    page.gone = gone(transaction, user, after, PastOf::All)?;
    Ok(page)
}

/// A room, and behind which number and up to which somebody belonged to it or heard it.
type Stay = (RoomId, i64, i64);

/// From where to where `user` belonged to rooms, or heard them, behind a number, the oldest first; and up to where that is all of them.
fn stays(transaction: &Transaction<'_>, table: &str, user: UserId, after: i64) -> Result<(Vec<Stay>, i64), StoreError> {
    let mut stays = transaction.prepare_cached(&format!(
        "SELECT room, since, coalesce(until, ?3) FROM {table} WHERE user = ?1 AND coalesce(until, ?3) > ?2 ORDER BY since LIMIT ?4"
    ))?;
    let stays = stays.query_map(params![user.0, after, NO_END, number(SPANS_MAX as u64 + 1)], |row| {
        Ok((RoomId(row.get(0)?), row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    })?;
    let mut stays: Vec<Stay> = stays.collect::<Result<_, _>>()?;
    // Who came and went that often gets it in several parts. (They are in fewer rooms at a time: this one came later.)
    let horizon = if stays.len() > SPANS_MAX { stays.pop().map_or(NO_END, |(_, since, _)| since) } else { NO_END };
    Ok((stays, horizon))
}

/// Whether it only changes an earlier message, which shows it.
pub(super) fn amends(said: &Said) -> bool {
    said.about.as_ref().is_some_and(|about| !matches!(about.deed, Deed::Reply | Deed::Unknown))
}

/// What [`Found`] is made of.
const FOUND: &str =
    "SELECT sender, audience, EXISTS (SELECT 1 FROM reactions AS r WHERE r.seq = s.seq AND r.user = ?2) FROM said AS s WHERE s.seq = ?1";

fn find(transaction: &Transaction<'_>, head: u64, user: UserId, after: u64, of: PastOf, which: Which) -> Result<Page, StoreError> {
    let (before, mut skip) = match which {
        Which::Numbered(seq) => (Some(seq.saturating_add(1)), 0),
        Which::Back(count) | Which::OwnBack(count) => (None, count.saturating_sub(1)),
    };
    let runs = runs_of(transaction, user, after, before, of)?;
    let mut page = Page { through: head, ..Page::default() };
    let mut hidden_from = Vec::new();
    let mut looked_at = 0;
    merged(transaction, &runs, true, |said, from, hidden| {
        looked_at += 1;
        if looked_at > LOOKED_AT_MAX || matches!(which, Which::Numbered(seq) if said.seq != seq) {
            return false;
        }
        if amends(&said) || (from != user && (hidden.contains(&user.0) || matches!(which, Which::OwnBack(_)))) {
            return true;
        }
        if skip > 0 {
            skip -= 1;
            return true;
        }
        page.said.push(said);
        hidden_from = hidden.into_iter().map(UserId).collect();
        false
    })?;
    if let Some(said) = page.said.first() {
        let found = |row: &rusqlite::Row<'_>| {
            Ok(Found { from: UserId(row.get(0)?), audience: UserId(row.get(1)?), hidden_from, reacted: row.get(2)? })
        };
        page.found = Some(transaction.prepare_cached(FOUND)?.query_row([number(said.seq), user.0], found)?);
    } else {
        let far: u64 = transaction.prepare_cached("SELECT expired FROM progress")?.query_row([], |row| unsigned(row.get(0)?))?;
        if !matches!(which, Which::Numbered(seq) if seq > far) {
            page.gone = gone(transaction, user, after, of)?;
        }
    }
    Ok(page)
}

/// Everything that is `of` a user, in runs.
fn runs_of(transaction: &Transaction<'_>, user: UserId, after: u64, before: Option<u64>, of: PastOf) -> Result<Vec<Run>, StoreError> {
    let (after, until) = (number(after), before.map_or(NO_END, |before| number(before.saturating_sub(1))));
    let mut runs = Vec::new();
    match of {
        PastOf::With(with) => {
            let (to_me, to_them) = ([user.0, with.0], [with.0, user.0]);
            for (ids, after) in [(to_them, 0), (to_me, after)] {
                runs.push(Run::indexed(&[Along::To(UserId(ids[0])), Along::By(UserId(ids[1]))], after, until));
                runs.push(Run::tail("s.audience = ?1 AND s.sender = ?2", ids, after, until));
            }
        }
        PastOf::All => {
            runs.push(Run::indexed(&[Along::To(user)], after, until));
            runs.push(Run::indexed(&[Along::To(UserId::EVERYONE)], after, until));
            runs.push(Run::indexed(&[Along::By(user)], 0, until));
            runs.push(Run::tail(MINE, [user.0, after], 0, until));
            for (room, since, to) in belonged(transaction, user, None, after, until)? {
                runs.push(in_room(room, since, to));
            }
        }
        PastOf::Room(room) => {
            runs.push(Run::tail(IN_ROOM, [user.0, room.audience().0], after, until));
            for (room, since, to) in belonged(transaction, user, Some(room), after, until)? {
                runs.push(in_room(room, since, to));
            }
        }
        PastOf::RoomSince(room, since) => {
            let after = number(since).max(after);
            runs.push(Run::tail("s.audience = ?1", [room.audience().0, 0], after, until));
            runs.push(in_room(room, after, until));
        }
    }
    Ok(runs)
}

/// What was said in a room, as far as the index goes. One look along the rest serves all rooms.
fn in_room(room: RoomId, after: i64, until: i64) -> Run {
    Run::indexed(&[Along::To(room.audience())], after, until)
}

/// Of a tail, what comes to `?1` by itself, and what they said behind `?2`.
const COMES: &str = "(s.audience IN (?1, 0) OR (s.sender = ?1 AND s.seq > ?2) OR (s.audience > 1099511627776 AND EXISTS (
    SELECT 1 FROM heard AS h WHERE h.user = ?1 AND h.room = s.audience - 1099511627776
    AND s.seq > h.since AND (h.until IS NULL OR s.seq <= h.until))))";

/// Of a tail, what `?1` said, and behind `?2` was entitled to.
const MINE: &str = "(s.sender = ?1 OR (s.seq > ?2 AND (s.audience IN (?1, 0) OR (s.audience > 1099511627776 AND EXISTS (
    SELECT 1 FROM belonged AS b WHERE b.user = ?1 AND b.room = s.audience - 1099511627776
    AND s.seq > b.since AND (b.until IS NULL OR s.seq <= b.until))))))";

/// Of a tail, what was said in the room of the audience `?2` while `?1` belonged to it.
const IN_ROOM: &str = "(s.audience = ?2 AND EXISTS (
    SELECT 1 FROM belonged AS b WHERE b.user = ?1 AND b.room = s.audience - 1099511627776
    AND s.seq > b.since AND (b.until IS NULL OR s.seq <= b.until)))";

/// From where to where `user` belonged to a room, or to each, between two numbers.
pub(super) fn belonged(
    transaction: &Transaction<'_>,
    user: UserId,
    room: Option<RoomId>,
    after: i64,
    until: i64,
) -> Result<Vec<(RoomId, i64, i64)>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT room, max(since, ?3), min(coalesce(until, ?4), ?4) FROM belonged
         WHERE user = ?1 AND (?2 IS NULL OR room = ?2) AND coalesce(until, ?4) > ?3 AND since < ?4 ORDER BY since DESC LIMIT ?5",
    )?;
    let spans = statement.query_map(params![user.0, room.map(|room| room.0), after, until, number(SPANS_MAX as u64)], |row| {
        Ok((RoomId(row.get(0)?), row.get(1)?, row.get(2)?))
    })?;
    Ok(spans.collect::<Result<_, _>>()?)
}

/// How many stays in rooms are looked through for one page: each is a look along an index. The newest
/// ones; who has come and gone more often asks for the room, or for what was said before.
const SPANS_MAX: usize = 200;

/// A message, its sender, and whom it is hidden from.
fn said(row: &rusqlite::Row<'_>) -> Result<(Said, UserId, Vec<i64>), rusqlite::Error> {
    let audience = UserId(row.get(3)?);
    let hidden: Option<String> = row.get(5)?;
    let hidden = hidden.map(|list| list.split(',').filter_map(|id| id.parse().ok()).collect()).unwrap_or_default();
    let to = if audience == UserId::EVERYONE || audience == UserId::PRESENT {
        Addressee::Everyone
    } else if RoomId::of_audience(audience).is_some() {
        Addressee::Room(row.get(7)?)
    } else {
        Addressee::User(row.get(7)?)
    };
    let mentions: Option<String> = row.get(10)?;
    let about = match row.get::<_, Option<i64>>(11)? {
        Some(seq) => Some(About {
            seq: unsigned(seq)?,
            deed: read_word::<Option<Deed>>(&row.get::<_, String>(12)?).unwrap_or(Deed::Unknown),
            // Where the earlier one has gone, nothing is said of it.
            text: if row.get_ref(15)? == rusqlite::types::ValueRef::Null { String::new() } else { row.get(13)? },
            from: row.get::<_, Option<String>>(15)?.unwrap_or_default(),
        }),
        None => None,
    };
    let mut reactions = BTreeMap::new();
    for reaction in row.get::<_, Option<String>>(16)?.unwrap_or_default().split(' ').filter(|reaction| !reaction.is_empty()) {
        *reactions.entry(reaction.to_owned()).or_insert(0) += 1;
    }
    let said = Said {
        seq: unsigned(row.get(0)?)?,
        at: Millis(row.get(1)?),
        from: row.get(6)?,
        nick: row.get(8)?,
        to,
        text: row.get(4)?,
        whisper: row.get::<_, Option<i64>>(9)?.is_some(),
        mentions: mentions.map(|names| names.split(' ').map(str::to_owned).collect()).unwrap_or_default(),
        about,
        edited: row.get::<_, Option<i64>>(14)?.is_some(),
        reactions,
        offline: false,
    };
    Ok((said, UserId(row.get(2)?), hidden))
}

/// SQLite's integers are signed; numbers of this program stay far below their end.
pub(super) fn number(value: u64) -> i64 {
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
