//! Peers that have met us as they should, and then do what they should not. Disks are worked for on the spot, one job after
//! the other, so that nothing here depends on a thread.

use std::path::Path;
use std::time::{Duration, Instant};

use chinwag_wire::Fingerprint;
use sha2::{Digest, Sha256};

use super::session::Session;
use super::window::WINDOW_BYTES_MAX;
use super::{Ask, Ended, File, News, Origin, Why};
use crate::FILES_MAX;
use crate::frame::{CHUNK_BYTES_MAX, DropCode, Frame, Whose};

/// One end, and all that it says and tells.
struct Victim {
    session: Session,
    now: Instant,
}

impl Victim {
    fn new() -> Victim {
        let now = Instant::now();
        Victim { session: Session::new(Duration::from_secs(5), Duration::from_secs(15), Fingerprint([9; 32]), now), now }
    }

    fn hear(&mut self, frame: Frame<'_>) -> Result<(), Ended> {
        self.session.hear(frame, self.now)
    }

    /// Does what is to be done on disks, until there is nothing left of that.
    fn work(&mut self) {
        loop {
            let jobs = self.session.take_jobs();
            if jobs.is_empty() {
                return;
            }
            jobs.into_iter().for_each(|job| self.session.done(job.run()));
        }
    }

    /// Says all it has to say.
    fn say(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.session.fill(&mut bytes, self.now);
        bytes
    }

    fn news(&mut self) -> Vec<News> {
        std::iter::from_fn(|| self.session.take_news()).collect()
    }

    /// Has been offered a file of `size` bytes, and takes it.
    fn taking(size: u64, folder: &Path) -> Victim {
        let mut victim = Victim::new();
        victim.hear(Frame::Offer { number: 1, size, name: "a.txt" }).unwrap();
        let file = File { origin: Origin::Theirs, number: 1 };
        victim.session.ask(Ask::Accept { file, folder: folder.to_owned() }).unwrap();
        victim.work();
        victim.hear(Frame::Begin { number: 1, from: 0 }).unwrap();
        victim.news();
        victim
    }
}

fn names(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

const HASH: [u8; 32] = [0; 32];

#[test]
fn frames_out_of_turn_end_the_channel() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.txt");
    std::fs::write(&path, "hello").unwrap();
    let offer = |number| Frame::Offer { number, size: 5, name: "a.txt" };
    let chunk = |number| Frame::Chunk { number, bytes: b"x" };
    for (deeds, expected) in [
        // Their file 1 is offered to the victim first; the victim's file 1 to them.
        (vec![offer(0)], "one by one"),
        (vec![offer(1)], "one by one"),
        (vec![offer(3)], "one by one"),
        (vec![Frame::Begin { number: 2, from: 0 }], "never offered"),
        (vec![Frame::Begin { number: 1, from: 0 }], "not wanted"),
        (vec![chunk(0)], "never offered"),
        (vec![chunk(2)], "never offered"),
        (vec![chunk(1)], "not wanted"),
        (vec![Frame::End { number: 1, hash: HASH }], "before its end"),
        (vec![Frame::Want { number: 2, from: 0, hash: HASH }], "never offered"),
        (vec![Frame::Want { number: 1, from: 6, hash: HASH }], "cannot be"),
        (vec![Frame::Want { number: 1, from: 0, hash: HASH }, Frame::Want { number: 1, from: 0, hash: HASH }], "cannot be"),
        (vec![Frame::Got { number: 1, upto: 0 }], "not sent"),
        (vec![Frame::Got { number: 9, upto: 0 }], "never offered"),
        (vec![Frame::Kept { number: 1 }], "not sent"),
        (vec![Frame::Drop { whose: Whose::Mine, number: 2, why: DropCode::Disk }], "never offered"),
        (vec![Frame::Drop { whose: Whose::Yours, number: 2, why: DropCode::Disk }], "never offered"),
        (vec![Frame::Heard(1)], "was not said"),
    ] {
        let mut victim = Victim::new();
        victim.hear(offer(1)).unwrap();
        victim.session.ask(Ask::Offer(path.clone())).unwrap();
        victim.work();
        let (last, first) = deeds.split_last().unwrap();
        for deed in first {
            victim.hear(*deed).unwrap();
        }
        let heard = victim.hear(*last);
        assert!(matches!(&heard, Err(Ended::Broken(what)) if what.contains(expected)), "{deeds:?}: {heard:?}");
    }
}

#[test]
fn more_of_a_file_than_there_is_ends_the_channel() {
    for (deeds, expected) in [
        (vec![Frame::Chunk { number: 1, bytes: b"hello!" }], "than there is"),
        (vec![Frame::Chunk { number: 1, bytes: b"hello" }, Frame::Chunk { number: 1, bytes: b"!" }], "than there is"),
        (vec![Frame::Chunk { number: 1, bytes: b"hell" }, Frame::End { number: 1, hash: HASH }], "before its end"),
        (vec![Frame::Begin { number: 1, from: 0 }], "not wanted"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut victim = Victim::taking(5, folder.path());
        let (last, first) = deeds.split_last().unwrap();
        for deed in first {
            victim.hear(*deed).unwrap();
        }
        let heard = victim.hear(*last);
        assert!(matches!(&heard, Err(Ended::Broken(what)) if what.contains(expected)), "{deeds:?}: {heard:?}");
    }
}

#[test]
fn a_file_that_begins_where_nobody_asked_ends_the_channel() {
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Victim::new();
    victim.hear(Frame::Offer { number: 1, size: 100, name: "a.txt" }).unwrap();
    let file = File { origin: Origin::Theirs, number: 1 };
    victim.session.ask(Ask::Accept { file, folder: folder.path().to_owned() }).unwrap();
    victim.work();
    assert!(matches!(victim.hear(Frame::Begin { number: 1, from: 50 }), Err(Ended::Broken(_))));
    // The part is given out to be closed, and leaves nothing.
    drop(victim.session.end());
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_wrong_hash_leaves_nothing_and_the_channel_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Victim::taking(5, folder.path());
    victim.hear(Frame::Chunk { number: 1, bytes: b"hello" }).unwrap();
    victim.hear(Frame::End { number: 1, hash: Sha256::digest(b"hellO").into() }).unwrap();
    victim.work();
    let file = File { origin: Origin::Theirs, number: 1 };
    assert_eq!(victim.news().last(), Some(&News::Dropped { file, why: Why::Damaged }));
    assert_eq!(names(folder.path()), [""; 0]);
    victim.hear(Frame::Say("sorry")).unwrap();
    // What was on its way when it was dropped does no harm.
    victim.hear(Frame::Chunk { number: 1, bytes: b"hello" }).unwrap();
    victim.hear(Frame::Drop { whose: Whose::Mine, number: 1, why: DropCode::Unwanted }).unwrap();
}

#[test]
fn a_flood_that_no_disk_can_take_ends_the_channel_and_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Victim::taking(1 << 30, folder.path());
    let mut taken = 0;
    let broken = loop {
        match victim.hear(Frame::Chunk { number: 1, bytes: &[0; CHUNK_BYTES_MAX] }) {
            Ok(()) => taken += CHUNK_BYTES_MAX as u64,
            Err(broken) => break broken,
        }
    };
    assert!(matches!(broken, Ended::Broken(what) if what.contains("on its way")), "{broken:?}");
    assert!((WINDOW_BYTES_MAX..WINDOW_BYTES_MAX + 2 * CHUNK_BYTES_MAX as u64).contains(&taken), "{taken}");
}

#[test]
fn a_flood_of_offers_is_answered_to_a_bound() {
    let mut victim = Victim::new();
    let mut number = 0;
    let broken = loop {
        number += 1;
        if let Err(broken) = victim.hear(Frame::Offer { number, size: 1, name: "a" }) {
            break broken;
        }
    };
    assert!(matches!(broken, Ended::Broken(what) if what.contains("without reading")), "{broken:?}");
    assert_eq!(victim.news().len(), FILES_MAX, "the client hears of no more than it can look after");
    assert!(victim.say().len() < 100_000);
}

#[test]
fn a_name_is_told_safe_and_written_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    for (number, (raw, safe)) in [
        ("../escaped.txt", "escaped.txt"),
        ("/tmp/../../escaped2.txt", "escaped2.txt"),
        (".hidden", "hidden"),
        ("CON.txt", "_CON.txt"),
        ("a\u{202e}txt.exe", "a_U+202E_txt.exe"),
        ("..", "file"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut victim = Victim::new();
        victim.hear(Frame::Offer { number: 1, size: 5, name: raw }).unwrap();
        let file = File { origin: Origin::Theirs, number: 1 };
        assert!(matches!(&victim.news()[..], [News::Offered { name, .. }] if name == safe), "{raw:?}");
        victim.session.ask(Ask::Accept { file, folder: inner.clone() }).unwrap();
        victim.work();
        victim.hear(Frame::Begin { number: 1, from: 0 }).unwrap();
        victim.hear(Frame::Chunk { number: 1, bytes: b"hello" }).unwrap();
        victim.hear(Frame::End { number: 1, hash: Sha256::digest(b"hello").into() }).unwrap();
        victim.work();
        assert_eq!(victim.news().last(), Some(&News::Finished { file, path: Some(inner.join(safe)) }));
        assert_eq!(names(&inner).len(), number + 1);
        assert_eq!(names(folder.path()), ["inner"]);
    }
}

#[test]
fn files_of_one_channel_take_turns_and_talk_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Victim::new();
    for number in 1..=3_u32 {
        let path = folder.path().join(number.to_string());
        std::fs::write(&path, vec![0; 10 * CHUNK_BYTES_MAX]).unwrap();
        victim.session.ask(Ask::Offer(path)).unwrap();
        victim.work();
        victim.hear(Frame::Want { number, from: 0, hash: Sha256::digest(b"").into() }).unwrap();
    }
    victim.work();
    victim.session.ask(Ask::Say("hello".to_owned())).unwrap();
    let bytes = victim.say();
    let mut decoder = crate::frame::Decoder::new();
    let (mut chunks, mut rest) = (Vec::new(), &bytes[..]);
    let mut was_said = false;
    while !rest.is_empty() {
        let room = decoder.room();
        let count = room.len().min(rest.len());
        room[..count].copy_from_slice(&rest[..count]);
        decoder.filled(count);
        rest = &rest[count..];
        while let Some(frame) = decoder.next().unwrap() {
            match frame {
                Frame::Say("hello") => was_said = true,
                Frame::Chunk { number, .. } => {
                    assert!(was_said, "talk goes first");
                    chunks.push(number);
                }
                _ => {}
            }
        }
    }
    assert!(chunks.len() >= 4 && chunks.len() <= 6, "a batch, and no more: {}", chunks.len());
    assert!(chunks.iter().zip([1, 2, 3, 1, 2, 3]).all(|(number, turn)| *number == turn), "{chunks:?}");
}

#[test]
fn a_stream_of_nonsense_ends_the_channel_at_once() {
    use smol::io::AsyncWriteExt;
    smol::block_on(async {
        for nonsense in [&[0xff; 65_536][..], &[0; 65_536], b"\x00\x01\xee", &[0x40; 20_000]] {
            let [victim, mut peer] = crate::meeting::settled_pair().await;
            let (channel, engine) = super::open(victim, crate::meeting::Side::Asker, Fingerprint([9; 32]), crate::Terms::default());
            let telling = async {
                let _ = peer.stream.write_all(nonsense).await;
                let _ = peer.stream.flush().await;
                let news = channel.news().recv().await;
                // The victim has closed its end by itself.
                (news, smol::io::AsyncReadExt::read_to_end(&mut peer.stream, &mut Vec::new()).await.is_ok())
            };
            let running = async {
                engine.run().await;
                std::future::pending().await
            };
            let (news, _) = smol::future::or(telling, running).await;
            assert!(matches!(news, Ok(News::Ended { why: Ended::Broken(_), .. })), "{news:?}");
        }
    });
}

#[test]
fn whatever_a_peer_says_and_a_client_asks_nothing_breaks_but_the_channel() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.txt");
    std::fs::write(&path, vec![7; 3 * CHUNK_BYTES_MAX]).unwrap();
    let inbox = folder.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let empty: [u8; 32] = Sha256::digest(b"").into();
    let (mut ended, mut finished) = (0, 0);
    for _ in 0..300 {
        let mut victim = Victim::new();
        // Numbers that fit are more likely than others, or nothing would ever come far.
        let mut offered = 0;
        for _ in 0..100 {
            let number = 1 + random.u32(..offered.max(1));
            let offset = random.u64(..6);
            let file = File { origin: if random.bool() { Origin::Theirs } else { Origin::Ours }, number: 1 + random.u32(..6) };
            let heard = match random.u8(..16) {
                0 | 1 => {
                    offered += 1;
                    victim.hear(Frame::Offer { number: offered, size: random.u64(..6).saturating_sub(3), name: "a.txt" })
                }
                2 => victim.hear(Frame::Begin { number, from: 0 }),
                3 => victim.hear(Frame::Chunk { number, bytes: &b"hello"[..1 + random.usize(..5)] }),
                4 => victim.hear(Frame::End { number, hash: empty }),
                5 => victim.hear(Frame::Want { number, from: offset, hash: empty }),
                6 => victim.hear(Frame::Got { number, upto: random.u64(..CHUNK_BYTES_MAX as u64 * 4) }),
                7 => victim.hear(Frame::Kept { number }),
                8 => victim.hear(Frame::Drop { whose: Whose::Mine, number, why: DropCode::Unwanted }),
                9 => victim.hear(Frame::Drop { whose: Whose::Yours, number, why: DropCode::Disk }),
                10 => victim.session.ask(Ask::Offer(path.clone())),
                11 | 12 => victim.session.ask(Ask::Accept { file, folder: inbox.clone() }),
                13 => victim.session.ask(Ask::Drop(file)),
                14 => {
                    victim.work();
                    Ok(())
                }
                _ => {
                    victim.say();
                    Ok(())
                }
            };
            finished += victim.news().iter().filter(|news| matches!(news, News::Finished { .. })).count();
            // The engine would stop here. That nothing breaks must not depend on it.
            ended += usize::from(heard.is_err());
        }
        drop(victim.session.end());
        victim.work();
    }
    assert!(ended > 100 && finished > 10, "{ended} frames were refused, {finished} files came through");
    let is_empty = |name: &&String| name.ends_with(".part") && std::fs::metadata(inbox.join(name)).unwrap().len() == 0;
    assert_eq!(names(&inbox).iter().find(is_empty), None, "what is empty leaves no part");
}
