//! The store of a server answers like the store that keeps everything in a list.

use std::collections::BTreeMap;
use std::sync::Arc;

use chinwag_wire::{Addressee, Millis, Said};
use proptest::prelude::*;

use super::memory::Memory;
use super::sqlite::{self, SqliteReader};
use super::{Question, Reader, Writer};
use crate::hall::{Row, SaidRow, SessionId, UserId};
use crate::spoken::Spoken;

fn account(id: i64) -> Row {
    Row::Account { user: UserId(id), name: format!("u{id}"), password: "x".to_owned(), joined: 0, at: Millis(0) }
}

fn said(seq: u64, from: i64, audience: i64, hidden_from: Vec<i64>) -> Row {
    let to = if audience == 0 { Addressee::Everyone } else { Addressee::User(format!("u{audience}")) };
    let said =
        Said { seq, at: Millis(i64::try_from(seq).unwrap()), from: format!("u{from}"), to, text: format!("text {seq}"), ..Said::default() };
    Row::Said(SaidRow {
        spoken: Arc::new(Spoken::kept(said)),
        from: UserId(from),
        audience: UserId(audience),
        hidden_from: hidden_from.into_iter().map(UserId).collect(),
        key: None,
    })
}

fn talk() -> impl Strategy<Value = Vec<(i64, i64, Vec<i64>)>> {
    let one =
        (1..5i64, 0..5i64, prop::collection::vec(1..5i64, 0..2)).prop_filter("nobody writes to themselves", |(from, to, _)| from != to);
    prop::collection::vec(one.prop_map(|(from, to, hidden)| (from, to, if to == 0 { hidden } else { Vec::new() })), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn both_stores_give_the_same_answers(talk in talk(), after in 0..60u64, count in 0..30usize, index_every in 1..40u64) {
        let folder = tempfile::tempdir().unwrap();
        let mut opened = sqlite::open(folder.path(), "log", &[]).unwrap();
        opened.writer.index_every(index_every);
        let mut memory = Memory::default();
        let mut rows: Vec<Row> = (1..5).map(account).collect();
        rows.extend(talk.iter().zip(1..).map(|((from, to, hidden), seq)| said(seq, *from, *to, hidden.clone())));
        let mut head = 0;
        for batch in rows.chunks(7) {
            head = batch.iter().fold(head, |head, row| if let Row::Said(said) = row { said.spoken.seq().unwrap_or(head) } else { head });
            opened.writer.commit(batch, head, false).unwrap();
            memory.commit(batch, head, false).unwrap();
        }
        let mut sqlite = SqliteReader::open(&opened.file).unwrap();
        for user in 1..5 {
            let user = UserId(user);
            let mut questions = vec![Question::Owed { user, after }, Question::Past { user, joined: after, with: None, count }];
            questions.extend((1..5).filter(|with| *with != user.0).map(|with| Question::Past { user, joined: after, with: Some(UserId(with)), count }));
            for question in questions {
                prop_assert_eq!(sqlite.read(&question).unwrap(), memory.read(&question).unwrap(), "{:?}", question);
            }
        }
    }
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
        let page = reader.read(&Question::Owed { user: UserId(2), after }).unwrap();
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
    let rows = [
        account(1),
        account(2),
        account(3),
        Row::Block { by: UserId(1), whom: UserId(2) },
        Row::Block { by: UserId(2), whom: UserId(1) },
        Row::Unblock { by: UserId(2), whom: UserId(1) },
        Row::Token { hash: [7; 32], user: UserId(1), expires: Millis(9) },
        Row::Cursor { user: UserId(2), seen: 4 },
        Row::LastSeen { user: UserId(2), at: Millis(5) },
        Row::Password { user: UserId(2), password: "y".to_owned() },
        Row::Operator { user: UserId(2), operator: true },
        Row::AccountGone { user: UserId(3) },
        Row::Live { session, user: UserId(1) },
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
    assert_eq!(loaded.tokens, [([7; 32], UserId(1), Millis(9))]);
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
