//! How long a page of the past takes: of history and of search, over a store of a million messages; and for how long the store's thread
//! is held by one slice of what lets messages go; how long whoever says something meanwhile waits; and what keeping a message costs.
//!
//! `cargo bench -p chinwag-core --bench past` builds the store in a temporary folder (a minute or so), opens it as a server does, and
//! asks. `-- 100000` has so many messages, for a first look. It prints; nothing is asserted about time. `CPU p99` is what holds on
//! a machine that has other things to do.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use chinwag_core::hall::{Hall, Policy, RoomId, RoomRow, Row, SaidRow, UserId};
use chinwag_core::spoken::Spoken;
use chinwag_core::store::sqlite::{self, SqliteReader};
use chinwag_core::store::words::Wanted;
use chinwag_core::store::{Limits, PastOf, Question, Reader, Search, Writer};
use chinwag_core::wire::{Addressee, Millis, RoomAccess, Said};

const MESSAGES: u64 = 1_000_000;
const ACCOUNTS: i64 = 100_000;
/// Most of what is said is said in these, which are in all of it.
const ROOMS: i64 = 50;
/// Who writes most, and belongs to most rooms.
const BUSY: UserId = UserId(1);
/// Who has been told a few things only, one of them early, with a common word in it.
const RARE: UserId = UserId(ACCOUNTS);
/// How often each question is asked.
const ASKED: usize = 200;
/// How many are committed at once while the store is built.
const BATCH: u64 = 2_000;
/// What a hundred pairs have in flight, sixteen each: one commit of the load benchmark.
const IN_FLIGHT: u64 = 1_600;
/// How many are kept to see what it costs: fewer than the words may stay behind.
const COSTED: u64 = 16_000;
/// How often somebody says something while the store is busy.
const TALKS_EVERY: Duration = Duration::from_millis(5);

fn main() -> ExitCode {
    // Cargo gives `--bench`; whoever runs it may give a number.
    let messages = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(MESSAGES);
    match run(messages) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(messages: u64) -> Result<(), Box<dyn std::error::Error>> {
    cost_of_keeping()?;
    let folder = tempfile::tempdir()?;
    let began = Instant::now();
    build(folder.path(), messages)?;
    let file = folder.path().join(sqlite::FILE);
    println!(
        "{messages} messages, {ACCOUNTS} accounts, {} MB, built in {:.1?}",
        std::fs::metadata(&file)?.len() / 1_000_000,
        began.elapsed()
    );
    let began = Instant::now();
    let opened = sqlite::open(folder.path(), "log", &[])?;
    let (read, accounts, head) = (began.elapsed(), opened.loaded.accounts.len(), opened.loaded.head);
    let hall = Hall::load(Policy::default(), opened.loaded);
    println!("started in {:.1?}, {read:.1?} of it reading: {accounts} accounts, head {head}", began.elapsed());
    drop(hall);

    let mut reader = SqliteReader::open(&opened.file)?;
    println!("\n{:44} {:>9} {:>9} {:>9} {:>9} {:>5}", "", "first", "p50", "p99", "CPU p99", "rows");
    let past = |user, of, before, count| Question::Past { user, after: 0, before, of, count };
    let busy_room = PastOf::Room(RoomId(1));
    ask(&mut reader, "history, all, 20", &past(BUSY, PastOf::All, None, 20))?;
    ask(&mut reader, "history, all, 200", &past(BUSY, PastOf::All, None, 200))?;
    ask(&mut reader, "history, a room, 20, from the middle", &past(BUSY, busy_room, Some(messages / 2), 20))?;
    ask(&mut reader, "history, with somebody", &past(BUSY, PastOf::With(UserId(2)), None, 20))?;
    ask(&mut reader, "history, with somebody rare", &past(UserId(2), PastOf::With(RARE), None, 20))?;
    ask(&mut reader, "history of somebody rare", &past(RARE, PastOf::All, None, 20))?;
    let search = |user, of, from, words: &[&str]| {
        let mut wanted = Wanted::default();
        for word in words {
            wanted.add(word).map_err(|word| format!("`{word}` is too short"))?;
        }
        let from = Option::<UserId>::map(from, |from| (from, format!("u{}", from.0)));
        Ok::<_, String>(Question::Search(Search { user, after: 0, of, from, before: None, since: None, wanted, count: 20 }))
    };
    for (name, question) in [
        ("search, a common word", search(BUSY, PastOf::All, None, &["common"])),
        ("search, three common words", search(BUSY, PastOf::All, None, &["common", "half", "tenth"])),
        ("search, a rare word", search(BUSY, PastOf::All, None, &["number777777"])),
        ("search, no such word", search(BUSY, PastOf::All, None, &["nowhere"])),
        ("search, a phrase", search(BUSY, PastOf::All, None, &["the common half"])),
        ("search, how a word begins", search(BUSY, PastOf::All, None, &["com*"])),
        ("search, how many words begin", search(BUSY, PastOf::All, None, &["number77*"])),
        ("search, a common word in a room", search(BUSY, busy_room, None, &["common"])),
        ("search, a common word of somebody rare", search(BUSY, PastOf::All, Some(UserId(77_777)), &["common"])),
        ("search, a common word, asker rare", search(RARE, PastOf::All, None, &["common"])),
        ("search, common words, asker rare", search(RARE, PastOf::All, None, &["common", "half", "tenth"])),
        ("search, common word, a stay long ago", search(UserId(9), PastOf::All, None, &["common"])),
    ] {
        ask(&mut reader, name, &question?)?;
    }
    drop(reader);
    let_go(opened.writer, messages)
}

/// Lets a tenth go because of its age, then all that the busiest said, and prints how long the slices took.
fn let_go(mut writer: sqlite::SqliteWriter, messages: u64) -> Result<(), Box<dyn std::error::Error>> {
    println!("\n{:44} {:>9} {:>9} {:>9} {:>9} {:>9}", "", "slices", "p50", "p99", "longest", "in all");
    let now = said_at(messages);
    writer.limit(Limits { age: Some(Duration::from_secs(messages * 9 / 10)), ..Limits::default() });
    tend(&mut writer, "a tenth of it is too old, and the index merged", now)?;
    writer.limit(Limits::default());
    writer.commit(&[Row::AccountGone { user: BUSY }, Row::Forgotten { user: BUSY }], messages, true)?;
    tend(&mut writer, "who has said a tenth of it is forgotten", now)?;
    println!("\n{:44} {:>9} {:>9} {:>9} {:>9} {:>9}", "said meanwhile, 200 a second", "p50", "p99", "p99.9", "longest", "in all");
    let mut head = messages;
    writer.commit(&[Row::AccountGone { user: UserId(20) }, Row::Forgotten { user: UserId(20) }], head, true)?;
    talk_meanwhile(&mut writer, "somebody is forgotten, and the index merged", now, &mut head)?;
    Ok(())
}

/// Has the store do all that there is to do while somebody talks, as its thread does, and prints how long they waited for each commit.
fn talk_meanwhile(writer: &mut sqlite::SqliteWriter, name: &str, now: Millis, head: &mut u64) -> Result<(), Box<dyn std::error::Error>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let (says, said_now) = mpsc::channel();
    let talker = std::thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || {
            while !is_over.load(Ordering::Relaxed) && says.send(Instant::now()).is_ok() {
                std::thread::sleep(TALKS_EVERY);
            }
        }
    });
    let (mut waited, mut chance, began) = (Vec::new(), 1, Instant::now());
    loop {
        let asked: Vec<Instant> = said_now.try_iter().collect();
        if asked.is_empty() {
            if !writer.tend(now)? {
                break;
            }
            continue;
        }
        let first = *head + 1;
        *head += asked.len() as u64;
        let rows: Vec<Row> = (first..=*head).map(|seq| said(seq, &mut chance)).collect();
        writer.commit(&rows, *head, true)?;
        waited.extend(asked.iter().map(Instant::elapsed));
    }
    is_over.store(true, Ordering::Relaxed);
    let took = began.elapsed().as_secs_f64();
    talker.join().map_err(|_| "the talker panicked")?;
    waited.sort_unstable();
    let at = |thousandths: usize| {
        waited.get((waited.len() * thousandths / 1000).min(waited.len().saturating_sub(1))).map_or_else(String::new, |time| shown(*time))
    };
    println!("{name:44} {:>9} {:>9} {:>9} {:>9} {took:>8.1}s", at(500), at(990), at(999), at(1000));
    Ok(())
}

/// What it costs to keep a message, in processor time: of what is nothing but a row in SQLite, and of what Chinwag does.
fn cost_of_keeping() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut chance = 1;
    let batches: Vec<Vec<Row>> = (1..=COSTED)
        .step_by(usize::try_from(IN_FLIGHT)?)
        .map(|first| {
            (first..first + IN_FLIGHT)
                .map(|seq| {
                    let Row::Said(mut row) = said(seq, &mut chance) else { return said(seq, &mut chance) };
                    let mut kept = row.spoken.said().cloned().unwrap_or_default();
                    kept.text = format!("{:<128}", kept.text).replace("  ", " a");
                    row.spoken = Arc::new(Spoken::kept(kept));
                    Row::Said(row)
                })
                .collect()
        })
        .collect();
    println!("{COSTED} messages of 128 bytes, {IN_FLIGHT} a commit, synced: microseconds of processor time for each");
    let each = |name: &str, used: Duration| println!("{name:44} {:>9.2}", used.as_secs_f64() * 1e6 / COSTED as f64);

    let mut bare = rusqlite::Connection::open(folder.path().join("bare.db"))?;
    bare.pragma_update(None, "journal_mode", "WAL")?;
    bare.pragma_update(None, "synchronous", "FULL")?;
    bare.execute_batch("CREATE TABLE said (seq INTEGER PRIMARY KEY, at INTEGER, sender INTEGER, audience INTEGER, text TEXT)")?;
    let before = processor_time();
    for batch in &batches {
        let transaction = bare.transaction()?;
        {
            let mut keep = transaction.prepare_cached("INSERT INTO said VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for row in batch {
                let Row::Said(row) = row else { continue };
                let Some(said) = row.spoken.said() else { continue };
                keep.execute(rusqlite::params![i64::try_from(said.seq)?, said.at.0, row.from.0, row.audience.0, said.text])?;
            }
        }
        transaction.commit()?;
    }
    each("a bare table", processor_time() - before);
    drop(bare);

    let mut writer = sqlite::open(folder.path(), "log", &[])?.writer;
    let before = processor_time();
    let mut head = 0;
    for batch in &batches {
        head += IN_FLIGHT;
        writer.commit(batch, head, true)?;
    }
    each("the store, by audience and by sender too", processor_time() - before);
    let before = processor_time();
    while writer.tend(Millis(0))? {}
    each("their words", processor_time() - before);
    println!();
    Ok(())
}

/// Has the store do all that there is to do, as its thread does when nobody says anything.
fn tend(writer: &mut sqlite::SqliteWriter, name: &str, now: Millis) -> Result<(), Box<dyn std::error::Error>> {
    let mut took = Vec::new();
    loop {
        let began = Instant::now();
        let is_more = writer.tend(now)?;
        took.push(began.elapsed());
        if !is_more {
            break;
        }
    }
    let all: Duration = took.iter().sum();
    took.sort_unstable();
    let at = |share: usize| shown(took[(took.len() * share / 100).min(took.len() - 1)]);
    let longest = shown(took[took.len() - 1]);
    println!("{name:44} {:>9} {:>9} {:>9} {longest:>9} {:>8.1}s", took.len(), at(50), at(99), all.as_secs_f64());
    Ok(())
}

/// Asks again and again, and prints how long it took.
fn ask(reader: &mut SqliteReader, name: &str, question: &Question) -> Result<(), Box<dyn std::error::Error>> {
    let (mut took, mut used) = (Vec::with_capacity(ASKED), Vec::with_capacity(ASKED));
    let mut rows = 0;
    for _ in 0..ASKED {
        let (began, before) = (Instant::now(), processor_time());
        rows = reader.read(question)?.said.len();
        used.push(processor_time() - before);
        took.push(began.elapsed());
    }
    let first = took[0];
    took.sort_unstable();
    used.sort_unstable();
    let at = |times: &[Duration], share: usize| shown(times[(times.len() * share / 100).min(times.len() - 1)]);
    println!("{name:44} {:>9} {:>9} {:>9} {:>9} {rows:>5}", shown(first), at(&took, 50), at(&took, 99), at(&used, 99));
    Ok(())
}

/// What this thread has used of the processor: on a machine that does other things, too, the clock tells of them.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn shown(took: Duration) -> String {
    format!("{:.2} ms", took.as_secs_f64() * 1000.0)
}

/// A store in which all words but the rare are in every message, in half of them, or in a tenth.
fn build(folder: &std::path::Path, messages: u64) -> Result<(), Box<dyn std::error::Error>> {
    let mut writer = sqlite::open(folder, "log", &[])?.writer;
    let account = |id| Row::Account { user: UserId(id), name: format!("u{id}"), password: "x".to_owned(), joined: 0, at: Millis(0) };
    let mut rows: Vec<Row> = (1..=ACCOUNTS).map(account).collect();
    for id in 1..=ROOMS {
        rows.push(Row::Room(RoomRow {
            room: RoomId(id),
            name: format!("r{id}"),
            topic: None,
            description: None,
            access: RoomAccess::Public,
            password: None,
            kept: true,
            archived: false,
            created: Millis(0),
        }));
        rows.push(Row::Belongs { room: RoomId(id), user: BUSY, since: 0 });
    }
    // Somebody who was in the busiest room for a while, long ago.
    rows.push(Row::Belongs { room: RoomId(1), user: UserId(9), since: 10 });
    writer.commit(&rows, 0, false)?;
    let mut chance: u64 = 1;
    for first in (1..=messages).step_by(usize::try_from(BATCH)?) {
        let last = (first + BATCH - 1).min(messages);
        let rows: Vec<Row> = (first..=last).map(|seq| said(seq, &mut chance)).collect();
        writer.commit(&rows, last, false)?;
        if first == 1 {
            writer.commit(&[Row::BelongsNoMore { room: RoomId(1), user: UserId(9), until: 1000 }], last, false)?;
        }
        while writer.tend(Millis(0))? {}
    }
    writer.finish();
    Ok(())
}

/// A second after the one before.
fn said_at(seq: u64) -> Millis {
    Millis(i64::try_from(seq).unwrap_or(0) * 1000)
}

fn said(seq: u64, chance: &mut u64) -> Row {
    // A generator of its own: the same store each time (xorshift, Marsaglia 2003).
    *chance ^= *chance << 13;
    *chance ^= *chance >> 7;
    *chance ^= *chance << 17;
    let any = |below: i64| i64::try_from((*chance >> 8) % below.unsigned_abs()).unwrap_or(0) + 1;
    let (from, audience, to) = match seq % 10 {
        _ if seq % 100_000 == 500 => (UserId(3), RARE, Addressee::User(format!("u{ACCOUNTS}"))),
        0..=5 => {
            // Half of it in the busiest.
            let room = if seq.is_multiple_of(2) { 1 } else { any(ROOMS) };
            (UserId(any(ACCOUNTS - 1)), RoomId(room).audience(), Addressee::Room(format!("r{room}")))
        }
        6 => (BUSY, UserId(2), Addressee::User("u2".to_owned())),
        _ => {
            let to = any(ACCOUNTS - 2) + 1;
            (UserId(to % 1000 + 10), UserId(to), Addressee::User(format!("u{to}")))
        }
    };
    let mut text = "the common".to_owned();
    if seq.is_multiple_of(2) {
        text += " half";
    }
    if seq % 10 == 4 {
        text += " tenth";
    }
    text += &format!(" of number{seq}, filled up with what people say");
    let said = Said { seq, at: said_at(seq), from: format!("u{}", from.0), to, text, ..Said::default() };
    Row::Said(SaidRow { spoken: Arc::new(Spoken::kept(said)), from, audience, hidden_from: Vec::new(), key: None, device: None })
}
