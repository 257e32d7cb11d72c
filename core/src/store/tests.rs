//! The store of a server answers like the store that keeps everything in a list.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chinwag_wire::{self as wire, Addressee, Millis, RoomAccess, RoomRole, Said};
use proptest::prelude::*;

use super::memory::Memory;
use super::sqlite::{self, SqliteReader};
use super::words::Wanted;
use super::{AROUND, Bound, Limits, PAGE_MAX, PastOf, Question, Reader, Search, Which, Writer};
use crate::hall::{DeviceId, Elsewhere, MemberRow, RoomBan, RoomId, RoomRow, Row, SaidRow, SessionId, UserId};
use crate::spoken::Spoken;

fn account(id: i64) -> Row {
    Row::Account { user: UserId(id), name: format!("u{id}"), password: "x".to_owned(), joined: 0, at: Millis(0) }
}

fn said(seq: u64, from: i64, audience: i64, hidden_from: Vec<i64>) -> Row {
    let to = match RoomId::of_audience(UserId(audience)) {
        Some(RoomId(room)) => Addressee::Room(format!("r{room}")),
        None if audience == 0 => Addressee::Everyone,
        None => Addressee::User(format!("u{audience}")),
    };
    let said = Said {
        seq,
        at: Millis(i64::try_from(seq).unwrap()),
        from: format!("u{from}"),
        to,
        text: format!("text {seq} {} Tea{}", ["café", "tea at five", "don't"][usize::try_from(seq % 3).unwrap()], seq % 4),
        ..Said::default()
    };
    Row::Said(SaidRow {
        spoken: Arc::new(Spoken::kept(said)),
        from: UserId(from),
        audience: UserId(audience),
        hidden_from: hidden_from.into_iter().map(UserId).collect(),
        key: None,
        device: (!seq.is_multiple_of(3)).then_some(DeviceId(seq % 2)),
    })
}

/// There is no other device.
const NOWHERE: Elsewhere = Elsewhere { than: DeviceId(0), after: u64::MAX };

fn a_room(id: i64) -> Row {
    let row = RoomRow {
        room: RoomId(id),
        name: format!("r{id}"),
        topic: Some("tea".to_owned()),
        description: None,
        access: RoomAccess::Password,
        password: Some("phc".to_owned()),
        kept: true,
        archived: false,
        created: Millis(3),
    };
    Row::Room(row)
}

/// One thing that happens to what is kept.
#[derive(Clone, Debug)]
enum Deed {
    /// From, to (0 for all, above 4 a room), hidden from.
    Say(i64, i64, Vec<i64>),
    /// From, about the so manieth from the end, what is done to it.
    Amend(i64, u64, wire::Deed),
    /// Who, which room; in it or only a member.
    Come(i64, i64),
    Hear(i64, i64),
    HearNoMore(i64, i64),
    Go(i64, i64),
    End(i64),
    /// Who has read everything but the last so many.
    Read(i64, u64),
    /// Who has an account no more; whether all of theirs is forgotten.
    Leave(i64, bool),
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let user = || 1..5i64;
    let say = (user(), 0..7i64, prop::collection::vec(user(), 0..2)).prop_filter("nobody writes to themselves", |(from, to, _)| from != to);
    let amendment = prop::sample::select(vec![
        wire::Deed::Reply,
        wire::Deed::Edit,
        wire::Deed::Delete,
        wire::Deed::React,
        wire::Deed::React,
        wire::Deed::Unreact,
    ]);
    let deed = prop_oneof![
        6 => say.prop_map(|(from, to, hidden)| Deed::Say(from, to, if to == 0 || to > 4 { hidden } else { Vec::new() })),
        3 => (user(), 0..10u64, amendment).prop_map(|(from, back, deed)| Deed::Amend(from, back, deed)),
        2 => (user(), 1..3i64).prop_map(|(user, room)| Deed::Come(user, room)),
        1 => (user(), 1..3i64).prop_map(|(user, room)| Deed::Hear(user, room)),
        1 => (user(), 1..3i64).prop_map(|(user, room)| Deed::HearNoMore(user, room)),
        1 => (user(), 1..3i64).prop_map(|(user, room)| Deed::Go(user, room)),
        1 => (1..3i64).prop_map(Deed::End),
        2 => (user(), 0..10u64).prop_map(|(user, back)| Deed::Read(user, back)),
        1 => (user(), prop::bool::weighted(0.8)).prop_map(|(user, forget)| Deed::Leave(user, forget)),
    ];
    prop::collection::vec(deed, 0..80)
}

/// The rows of it: only what can happen, does.
fn rows_of(deeds: &[Deed]) -> Vec<Row> {
    let mut rows: Vec<Row> = (1..5).map(account).chain((1..3).map(a_room)).collect();
    let (mut head, mut belongs, mut hears) = (0, BTreeSet::new(), BTreeSet::new());
    let mut all: Vec<(i64, i64, Vec<i64>)> = Vec::new();
    let mut gone = BTreeSet::new();
    for deed in deeds {
        match *deed {
            // Who has no account does nothing, and nothing is said to them.
            Deed::Say(by, to, _) if gone.contains(&by) || gone.contains(&to) => {}
            Deed::Amend(by, ..) | Deed::Come(by, _) | Deed::Hear(by, _) | Deed::Read(by, _) | Deed::Leave(by, _) if gone.contains(&by) => {}
            Deed::Say(from, to, ref hidden) => {
                head += 1;
                let audience = if to > 4 { RoomId(to - 4).audience().0 } else { to };
                rows.push(said(head, from, audience, hidden.clone()));
                all.push((from, audience, hidden.clone()));
            }
            Deed::Amend(from, back, deed) if back < head => {
                let earlier = head - back;
                let (by, audience, hidden) = all[usize::try_from(earlier).unwrap() - 1].clone();
                let from = if matches!(deed, wire::Deed::Edit | wire::Deed::Delete) { by } else { from };
                let audience = if audience == from { by } else { audience };
                if audience == from || gone.contains(&audience) || gone.contains(&from) {
                    continue;
                }
                head += 1;
                let Row::Said(mut row) = said(head, from, audience, hidden.clone()) else { unreachable!("something is said") };
                let about = wire::About { seq: earlier, from: format!("u{by}"), text: "q".to_owned(), deed };
                let said = Said { about: Some(about), ..row.spoken.said().unwrap().clone() };
                row.spoken = Arc::new(Spoken::kept(Said { text: format!("text-{head}"), ..said }));
                rows.push(Row::Said(row));
                all.push((from, audience, hidden));
            }
            Deed::Come(user, room) if belongs.insert((user, room)) => {
                rows.push(Row::Belongs { room: RoomId(room), user: UserId(user), since: head });
            }
            Deed::Hear(user, room) if belongs.contains(&(user, room)) && hears.insert((user, room)) => {
                rows.push(Row::Hears { room: RoomId(room), user: UserId(user), since: head });
            }
            Deed::HearNoMore(user, room) if hears.remove(&(user, room)) => {
                rows.push(Row::HearsNoMore { room: RoomId(room), user: UserId(user), until: head });
            }
            Deed::Go(user, room) if belongs.contains(&(user, room)) && !hears.contains(&(user, room)) => {
                belongs.remove(&(user, room));
                rows.push(Row::BelongsNoMore { room: RoomId(room), user: UserId(user), until: head });
            }
            Deed::Read(user, back) => rows.push(Row::Cursor { user: UserId(user), seen: head.saturating_sub(back) }),
            Deed::Leave(user, forget) => {
                gone.insert(user);
                belongs.retain(|(other, _)| *other != user);
                hears.retain(|(other, _)| *other != user);
                rows.push(Row::AccountGone { user: UserId(user) });
                for room in 1..3 {
                    let (room, user) = (RoomId(room), UserId(user));
                    rows.extend([Row::HearsNoMore { room, user, until: head }, Row::BelongsNoMore { room, user, until: head }]);
                }
                if forget {
                    rows.push(Row::Forgotten { user: UserId(user) });
                }
            }
            Deed::End(room) => {
                belongs.retain(|(_, other)| *other != room);
                hears.retain(|(_, other)| *other != room);
                rows.push(Row::RoomGone { room: RoomId(room), at: head });
            }
            _ => {}
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn both_stores_give_the_same_answers(
        deeds in deeds(), after in 0..60u64, before in prop::option::of(0..70u64), count in 0..30usize, index_every in 1..40u64, back in 1..20u64,
        is_tended: bool, since in prop::option::of(0..70i64), from in prop::option::of(1..5i64), looked_for in 0..6usize,
        (age, bytes, unread_stays) in (prop::option::of(1..40u64), prop::option::of(0..40u64), any::<bool>()), reopened in 0..12usize
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut opened = sqlite::open(folder.path(), "log", &[]).unwrap();
        opened.writer.index_every(index_every);
        let mut memory = Memory::default();
        let rows = rows_of(&deeds);
        let mut head = 0;
        let limits = Limits { age: age.map(Duration::from_millis), bytes: bytes.map(|many| many * (AROUND + 20)), unread_stays };
        opened.writer.limit(limits);
        memory.limit(limits);
        for (place, batch) in rows.chunks(7).enumerate() {
            if place == reopened {
                // In the middle of it: a slice may have been done, and another not.
                if is_tended {
                    opened.writer.tend(Millis(i64::try_from(head).unwrap())).unwrap();
                }
                drop(opened);
                opened = sqlite::open(folder.path(), "log", &[]).unwrap();
                opened.writer.index_every(index_every);
                opened.writer.limit(limits);
                memory.limit(limits);
            }
            head = batch.iter().fold(head, |head, row| if let Row::Said(said) = row { said.spoken.seq().unwrap_or(head) } else { head });
            opened.writer.commit(batch, head, false).unwrap();
            memory.commit(batch, head, false).unwrap();
            if is_tended {
                // Where what is held is looked through once a day, a day passes with each batch.
                let now = Millis(i64::try_from(head).unwrap() + if place % 3 == 2 { 24 * 3600 * 1000 } else { 0 });
                while opened.writer.tend(now).unwrap() {}
                memory.tend(now).unwrap();
            }
        }
        let mut sqlite = SqliteReader::open(&opened.file).unwrap();
        for user in 1..5 {
            let user = UserId(user);
            let parts = (1..5).filter(|with| *with != user.0).map(|with| PastOf::With(UserId(with)));
            let parts = parts.chain([PastOf::All, PastOf::Room(RoomId(1)), PastOf::Room(RoomId(2)), PastOf::RoomSince(RoomId(1), 5)]);
            let questions = parts.map(|of| Question::Past { user, after, before, of, count });
            let which = [Which::OwnBack(back), Which::Back(back), Which::Numbered(after + back)];
            let found = which.into_iter().map(|which| Question::Find { user, after, of: PastOf::All, which });
            let mut wanted = Wanted::default();
            for term in ["CAFE", "tea", "tea at", "tea*", "don't five", "five tea1"][looked_for].split_inclusive("* ") {
                wanted.add(term).unwrap();
            }
            let from = from.map(|from| (UserId(from), format!("u{from}")));
            let (before, since) = (before.map(Bound::Number), since.map(|at| Bound::Moment(Millis(at))));
            let parts = [PastOf::All, PastOf::Room(RoomId(1)), PastOf::RoomSince(RoomId(1), 5), PastOf::With(UserId(user.0 % 4 + 1))];
            let searches = parts.map(|of| Question::Search(Search { user, after, of, from: from.clone(), before, since, wanted: wanted.clone(), count }));
            let onward = Question::Onward { user, after, count };
            let owed = [0, back].map(|behind| Question::Owed { user, after, elsewhere: Elsewhere { than: DeviceId(1), after: after + behind } });
            for question in questions.chain(found).chain(owed).chain([onward]).chain(searches) {
                prop_assert_eq!(sqlite.read(&question).unwrap(), memory.read(&question).unwrap(), "{:?}", question);
            }
        }
    }
}

#[test]
fn who_comes_and_goes_all_the_time_is_owed_it_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = sqlite::open(folder.path(), "log", &[]).unwrap();
    let mut rows = vec![account(1), account(2), a_room(1)];
    let (room, user) = (RoomId(1), UserId(2));
    for stay in 0..300 {
        rows.push(Row::Hears { room, user, since: 2 * stay });
        rows.push(said(2 * stay + 1, 1, room.audience().0, vec![]));
        rows.push(Row::HearsNoMore { room, user, until: 2 * stay + 1 });
        rows.push(said(2 * stay + 2, 1, room.audience().0, vec![]));
    }
    opened.writer.commit(&rows, 600, true).unwrap();
    let mut reader = SqliteReader::open(&opened.file).unwrap();
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = reader.read(&Question::Owed { user, after, elsewhere: NOWHERE }).unwrap();
        seen.extend(page.said.iter().map(|said| said.seq));
        assert!(page.through > after || !page.more, "every page gets on");
        after = page.through;
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, (0..300).map(|stay| 2 * stay + 1).collect::<Vec<u64>>());
}

#[test]
fn what_is_owed_comes_in_pages_without_gap_or_overlap() {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = sqlite::open(folder.path(), "log", &[]).unwrap();
    let mut rows: Vec<Row> = (1..5).map(account).collect();
    // More than a page, and between the two that concern user 2 more hidden ones than are looked at for a page.
    rows.extend((1..=900).map(|seq| said(seq, 1, if seq % 2 == 0 { 2 } else { 0 }, vec![])));
    rows.extend((901..=4000).map(|seq| said(seq, 1, 0, vec![2])));
    rows.push(said(4001, 1, 2, vec![]));
    opened.writer.commit(&rows, 4001, true).unwrap();
    let mut reader = SqliteReader::open(&opened.file).unwrap();
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = reader.read(&Question::Owed { user: UserId(2), after, elsewhere: NOWHERE }).unwrap();
        seen.extend(page.said.iter().map(|said| said.seq));
        assert!(page.through > after || !page.more, "every page gets on");
        after = page.through;
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, (1..=900).chain([4001]).collect::<Vec<u64>>());
    assert_eq!(after, 4001);
}

#[test]
fn everything_the_hall_needs_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = sqlite::open(folder.path(), "this log", &[]).unwrap().writer;
    let session = SessionId::new(1, 3);
    let member = MemberRow {
        room: RoomId(1),
        user: UserId(1),
        nick: "Nick".to_owned(),
        role: RoomRole::Moderator,
        muted_until: Some(Millis(7)),
        since: 2,
        tuned_in: true,
        heard: 3,
    };
    let ban = RoomBan { until: Some(Millis(8)), by: "u1".to_owned(), reason: None };
    let rows = [
        account(1),
        account(2),
        account(3),
        Row::Block { by: UserId(1), whom: UserId(2) },
        Row::Block { by: UserId(2), whom: UserId(1) },
        Row::Unblock { by: UserId(2), whom: UserId(1) },
        Row::Token { hash: [7; 32], user: UserId(1), device: DeviceId(4), expires: Millis(9) },
        Row::Cursor { user: UserId(2), seen: 4 },
        Row::LastSeen { user: UserId(2), at: Millis(5) },
        Row::Password { user: UserId(2), password: "y".to_owned() },
        Row::Operator { user: UserId(2), operator: true },
        Row::AccountGone { user: UserId(3) },
        Row::Live { session, user: UserId(1) },
        a_room(1),
        a_room(2),
        Row::Member(member.clone()),
        Row::Member(MemberRow { user: UserId(2), ..member.clone() }),
        Row::MemberGone { room: RoomId(1), user: UserId(2) },
        Row::Member(MemberRow { room: RoomId(2), ..member.clone() }),
        Row::RoomBan { room: RoomId(1), name: "u2".to_owned(), ban: ban.clone() },
        Row::RoomBan { room: RoomId(1), name: "u3".to_owned(), ban: ban.clone() },
        Row::RoomBanGone { room: RoomId(1), name: "u3".to_owned() },
        Row::Invited { room: RoomId(1), user: UserId(2) },
        Row::Invited { room: RoomId(1), user: UserId(1) },
        Row::NotInvited { room: RoomId(1), user: UserId(1) },
        Row::RoomGone { room: RoomId(2), at: 9 },
    ];
    writer.commit(&rows, 10, true).unwrap();
    drop(writer);
    let mut written = vec![0; 8];
    written[3] = 8;
    let opened = sqlite::open(folder.path(), "another log", &written).unwrap();
    assert_eq!(opened.log, "this log");
    let loaded = opened.loaded;
    assert_eq!((loaded.head, loaded.last_account), (10, 3));
    let accounts: BTreeMap<i64, (String, u64, Option<Millis>)> =
        loaded.accounts.iter().map(|row| (row.user.0, (row.password.clone(), row.cursor, row.last_seen))).collect();
    // User 1 was live on the fourth shard, which had written up to 8.
    assert_eq!(accounts, BTreeMap::from([(1, ("x".to_owned(), 8, None)), (2, ("y".to_owned(), 4, Some(Millis(5))))]));
    assert_eq!(loaded.accounts.iter().filter(|row| row.operator).map(|row| row.user.0).collect::<Vec<_>>(), [2]);
    assert_eq!(loaded.blocks, [(UserId(1), UserId(2))]);
    assert_eq!(loaded.tokens, [([7; 32], UserId(1), DeviceId(4), Millis(9))]);
    let rooms = loaded.rooms;
    assert_eq!(rooms.last, 2);
    assert_eq!(rooms.rooms.into_iter().map(Row::Room).collect::<Vec<_>>(), [a_room(1)]);
    assert_eq!(rooms.members, [member]);
    assert_eq!(rooms.bans, [(RoomId(1), "u2".to_owned(), ban)]);
    assert_eq!(rooms.invited, [(RoomId(1), UserId(2))]);
}

#[test]
fn a_store_of_a_newer_server_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(sqlite::open(folder.path(), "log", &[]).unwrap());
    let connection = rusqlite::Connection::open(folder.path().join(sqlite::FILE)).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let told = sqlite::open(folder.path(), "log", &[]).unwrap_err().to_string();
    assert!(told.contains("newer server"), "{told}");
}

#[test]
fn a_store_of_an_older_server_is_brought_up_to_date_and_what_it_has_deleted_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(sqlite::FILE);
    let older = rusqlite::Connection::open(&file).unwrap();
    older.pragma_update(None, "secure_delete", "OFF").unwrap();
    for migration in &sqlite::MIGRATIONS[..5] {
        older.execute_batch(migration).unwrap();
    }
    older.execute("INSERT INTO progress (id, log, head, indexed) VALUES (1, 'this log', 500, 400)", []).unwrap();
    older.execute("INSERT INTO accounts (id, name, password, joined, cursor, created_at) VALUES (1, 'u1', 'x', 0, 0, 7)", []).unwrap();
    let mut say = older.prepare("INSERT INTO said (seq, at, sender, audience, text) VALUES (?1, ?1, 1, 0, ?2)").unwrap();
    for seq in 1..=500 {
        say.execute(rusqlite::params![seq, format!("this is {} and nothing else", word_of(seq.try_into().unwrap()))]).unwrap();
    }
    drop(say);
    older.execute("DELETE FROM said WHERE seq <= 300", []).unwrap();
    older.pragma_update(None, "user_version", 5).unwrap();
    drop(older);
    let in_file = || String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
    let words = in_file();
    assert!((1..=300).any(|seq| words.contains(&word_of(seq))), "deleted and there all the same");
    let opened = sqlite::open(folder.path(), "another log", &[]).unwrap();
    let one = super::size(&format!("this is {} and nothing else", word_of(1)));
    assert_eq!((opened.log.as_str(), opened.loaded.head, opened.writer.retention.bytes), ("this log", 500, 200 * one));
    assert_eq!(opened.loaded.accounts[0].created, Millis(7));
    // The copy from before has all that the store has.
    let mode = std::fs::metadata(folder.path().join("chinwag.v5.backup")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    opened.writer.finish();
    let words = in_file();
    for seq in 1..=500 {
        assert_eq!(words.contains(&word_of(seq)), seq > 300, "{seq}");
    }
}

/// All that is in the files of a store.
fn bytes_of(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.collect::<Vec<_>>().concat()
}

/// The words in them that [`word_of`] makes.
fn words_in(folder: &Path) -> BTreeSet<String> {
    let bytes = bytes_of(folder);
    let words = bytes.windows(17).filter(|window| window[0] == b'w' && window[1..].iter().all(u8::is_ascii_hexdigit));
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Something said with a word of its own in it: without a letter in common with the next, since an index shares beginnings.
fn said_with(seq: u64, from: i64, audience: i64, word: &str) -> Row {
    let Row::Said(mut row) = said(seq, from, audience, Vec::new()) else { unreachable!("something is said") };
    let said = Said { text: format!("this is {word} and nothing else"), ..row.spoken.said().unwrap().clone() };
    row.spoken = Arc::new(Spoken::kept(said));
    Row::Said(row)
}

fn word_of(seq: u64) -> String {
    // Scattered, so that words that were said together are in different places of the index.
    let scattered = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("w{scattered:016x}")
}

/// A thousand words by two users to each other, to a third and to a room, in small commits that are made searchable as they come.
fn talk(writer: &mut sqlite::SqliteWriter, from: u64) -> u64 {
    let head = from + 1000;
    let rows: Vec<Row> = (from + 1..=head)
        .map(|seq| {
            let (by, to) =
                [(1, 2), (2, 1), (1, 3), (3, RoomId(1).audience().0), (1, RoomId(1).audience().0)][usize::try_from(seq % 5).unwrap()];
            said_with(seq, by, to, &word_of(seq))
        })
        .collect();
    for batch in rows.chunks(23) {
        let Some(Row::Said(last)) = batch.last() else { unreachable!("something is said") };
        writer.commit(batch, last.spoken.seq().unwrap(), true).unwrap();
        while writer.tend(Millis(0)).unwrap() {}
    }
    head
}

#[test]
fn what_is_forgotten_is_nowhere_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = sqlite::open(folder.path(), "log", &[]).unwrap();
    opened.writer.index_every(40);
    opened.writer.commit(&[account(1), account(2), account(3), a_room(1)], 0, true).unwrap();
    let head = talk(&mut opened.writer, 0);
    let reply = |seq, earlier: u64| {
        let Row::Said(mut row) = said(seq, 3, RoomId(1).audience().0, Vec::new()) else { unreachable!("something is said") };
        let text = format!("this is {} and", word_of(earlier));
        let about = wire::About { seq: earlier, from: "u1".to_owned(), text, deed: wire::Deed::Reply };
        row.spoken = Arc::new(Spoken::kept(Said { about: Some(about), text: "indeed".to_owned(), ..row.spoken.said().unwrap().clone() }));
        Row::Said(row)
    };
    // 999 is said to the room by user 1.
    opened.writer.commit(&[reply(head + 1, head - 1)], head + 1, true).unwrap();
    let before = words_in(folder.path());
    for seq in 1..=head {
        assert!(before.contains(&word_of(seq)), "{seq} is looked for in the right way");
    }
    let rows = [Row::AccountGone { user: UserId(1) }, Row::Forgotten { user: UserId(1) }];
    opened.writer.commit(&rows, head + 2, true).unwrap();
    // In the middle of it the server ends, and starts again.
    for _ in 0..5 {
        assert!(opened.writer.tend(Millis(0)).unwrap());
    }
    drop(opened);
    let mut opened = sqlite::open(folder.path(), "log", &[]).unwrap();
    while opened.writer.tend(Millis(0)).unwrap() {}
    let after = words_in(folder.path());
    for seq in 1..=head {
        let is_theirs = seq % 5 != 3;
        assert_eq!(after.contains(&word_of(seq)), !is_theirs, "{seq}");
    }
    assert!(!bytes_of(folder.path()).windows(2).any(|window| window == b"u1"), "the name");
    // What others said is found as before.
    let mut reader = SqliteReader::open(&opened.file).unwrap();
    let mut wanted = Wanted::default();
    wanted.add(&word_of(998)).unwrap();
    let search = Search { user: UserId(3), after: 0, of: PastOf::All, from: None, before: None, since: None, wanted, count: 5 };
    assert_eq!(reader.read(&Question::Search(search)).unwrap().said.len(), 1);
    let past = Question::Past { user: UserId(3), after: 0, before: None, of: PastOf::All, count: 1 };
    let about = reader.read(&past).unwrap().said[0].about.clone().unwrap();
    assert_eq!((about.from, about.text), (String::new(), String::new()));
    assert_eq!(opened.writer.head, head + 2);
}

#[test]
fn what_is_too_old_leaves_the_files_too_and_no_number_is_given_out_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = sqlite::open(folder.path(), "log", &[]).unwrap();
    opened.writer.index_every(40);
    opened.writer.commit(&[account(1), account(2), account(3), a_room(1)], 0, true).unwrap();
    let head = talk(&mut opened.writer, 0);
    opened.writer.limit(Limits { age: Some(Duration::from_millis(1)), bytes: None, unread_stays: true });
    let later = Millis(i64::try_from(head).unwrap() + 1);
    while opened.writer.tend(later).unwrap() {}
    let after = words_in(folder.path());
    for seq in 1..=head {
        // Nobody has read what was said to one of them.
        let is_mail = seq % 5 < 3;
        assert_eq!(after.contains(&word_of(seq)), is_mail, "{seq}");
    }
    opened.writer.commit(&[1, 2, 3].map(|id| Row::Cursor { user: UserId(id), seen: head }), head, true).unwrap();
    assert!(!opened.writer.tend(later).unwrap(), "what is held is looked through once a day");
    let tomorrow = opened.writer.due().unwrap();
    assert_eq!(tomorrow, later.plus(Duration::from_secs(24 * 3600)));
    while opened.writer.tend(tomorrow).unwrap() {}
    let after = words_in(folder.path());
    for seq in 1..=head {
        assert!(!after.contains(&word_of(seq)), "{seq}");
    }
    assert_eq!(opened.writer.due(), None);
    drop(opened);
    let opened = sqlite::open(folder.path(), "log", &[]).unwrap();
    assert_eq!((opened.loaded.head, opened.writer.retention.bytes), (head, 0));
}

#[test]
fn no_limit_by_size_takes_more_than_it_has_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = sqlite::open(folder.path(), "log", &[]).unwrap().writer;
    let rows: Vec<Row> = (1..=300).map(|seq| said_with(seq, 1, 0, "x")).collect();
    writer.commit(&[account(1), account(2)], 0, true).unwrap();
    writer.commit(&rows, 300, true).unwrap();
    let one = writer.retention.bytes / 300;
    writer.limit(Limits { bytes: Some(100 * one), ..Limits::default() });
    while writer.tend(Millis(0)).unwrap() {}
    assert_eq!(writer.retention.bytes, 100 * one);
    let past = Question::Past { user: UserId(2), after: 0, before: None, of: PastOf::All, count: PAGE_MAX };
    let page = SqliteReader::open(&folder.path().join(sqlite::FILE)).unwrap().read(&past).unwrap();
    assert_eq!((page.said.len(), page.said[0].seq, page.gone), (100, 201, Some(Millis(200))));
}
