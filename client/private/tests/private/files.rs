//! Files: there and whole, or not there.

use std::fs;
use std::path::{Path, PathBuf};

use chinwag_private::{Ask, Channel, Ended, FILES_MAX, File, Identity, News, Origin, Terms, Why};
use smol::net::unix::UnixStream;
use tempfile::TempDir;

use crate::pair::{cut_after, meeting, next, over, pair, run, still};

/// Bytes that no piece of resembles another, the same for the same seed.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}

/// A folder to send from and one to receive in.
struct Desk {
    from: TempDir,
    to: TempDir,
}

impl Desk {
    fn new() -> Desk {
        let folder = || tempfile::tempdir().unwrap();
        Desk { from: folder(), to: folder() }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.from.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// What is in the folder to receive in, with its length.
    fn received(&self) -> Vec<(String, u64)> {
        let entry = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
        };
        let mut all: Vec<_> = fs::read_dir(self.to.path()).unwrap().map(entry).collect();
        all.sort();
        all
    }
}

fn offer(channel: &Channel, path: &Path) {
    channel.ask(Ask::Offer(path.to_owned())).unwrap();
}

fn accept(channel: &Channel, file: File, folder: &Path) {
    channel.ask(Ask::Accept { file, folder: folder.to_owned() }).unwrap();
}

/// The next piece of news that is not about progress.
async fn next_but_progress(channel: &Channel) -> News {
    loop {
        match next(channel).await {
            News::Progress { .. } => {}
            news => return news,
        }
    }
}

/// Waits until a file is offered.
async fn offered(channel: &Channel) -> File {
    match next_but_progress(channel).await {
        News::Offered { file, .. } => file,
        news => panic!("{news:?}"),
    }
}

async fn offering(channel: &Channel) -> File {
    match next_but_progress(channel).await {
        News::Offering { file, .. } => file,
        news => panic!("{news:?}"),
    }
}

#[test]
fn files_arrive_whole_whatever_their_length() {
    smol::block_on(async {
        let (terms, _) = still();
        let (desk, [one, other]) = (Desk::new(), pair(&terms).await);
        for (number, length) in [0, 1, 16_379, 16_380, 131_032, 131_033, 3_000_000].into_iter().enumerate() {
            let (name, content) = (format!("{length}.bin"), bytes(length as u64, length));
            offer(&one, &desk.file(&name, &content));
            let mine = offering(&one).await;
            let News::Offered { file, name: offered, size, kind } = next(&other).await else { panic!("it is offered") };
            assert_eq!((offered, size, kind, file.origin), (name.clone(), length as u64, "file", Origin::Theirs));
            assert_eq!(mine, File { origin: Origin::Ours, number: u32::try_from(number).unwrap() + 1 });
            accept(&other, file, desk.to.path());
            for (end, file) in [(&one, mine), (&other, file)] {
                assert_eq!(next_but_progress(end).await, News::Started { file, from: 0 });
            }
            let path = desk.to.path().join(&name);
            assert_eq!(next_but_progress(&other).await, News::Finished { file, path: Some(path.clone()) });
            assert_eq!(next_but_progress(&one).await, News::Finished { file: mine, path: None });
            assert_eq!(fs::read(&path).unwrap(), content);
        }
        assert_eq!(desk.received().len(), 7, "nothing but the files");
    });
}

#[test]
fn progress_rises_to_the_end_in_steps() {
    smol::block_on(async {
        let (terms, _) = still();
        let (desk, [one, other]) = (Desk::new(), pair(&terms).await);
        offer(&one, &desk.file("a.bin", &bytes(1, 5_000_000)));
        let file = offered(&other).await;
        accept(&other, file, desk.to.path());
        let (mut last, mut count) = (0, 0);
        loop {
            match next(&other).await {
                News::Progress { file: of, done, size } => {
                    assert!(of == file && done > last && done <= size && size == 5_000_000);
                    (last, count) = (done, count + 1);
                }
                News::Finished { .. } => break,
                _ => {}
            }
        }
        assert!((1..=100).contains(&count), "{count} pieces of progress");
    });
}

#[test]
fn both_ways_at_once_and_several_together_with_talk_between() {
    smol::block_on(async {
        let (terms, _) = still();
        let (desk, [one, other]) = (Desk::new(), pair(&terms).await);
        let contents: Vec<Vec<u8>> = (0..8).map(|seed| bytes(seed, 700_000 + 1000 * usize::try_from(seed).unwrap())).collect();
        for (number, content) in contents.iter().enumerate() {
            let path = desk.file(&format!("{number}.bin"), content);
            offer(if number % 2 == 0 { &one } else { &other }, &path);
        }
        let folder = desk.to.path();
        let end = async |channel: &Channel| {
            let (mut finished, mut heard) = (0, 0);
            for number in 0..50 {
                channel.ask(Ask::Say(number.to_string())).unwrap();
            }
            while finished < 8 || heard < 50 {
                match next(channel).await {
                    News::Offered { file, .. } => accept(channel, file, folder),
                    News::Finished { .. } => finished += 1,
                    News::Said(text) => {
                        assert_eq!(text, heard.to_string(), "in order");
                        heard += 1;
                    }
                    News::Offering { .. } | News::Started { .. } | News::Progress { .. } => {}
                    news => panic!("{news:?}"),
                }
            }
        };
        smol::future::zip(end(&one), end(&other)).await;
        for (number, content) in contents.iter().enumerate() {
            assert_eq!(&fs::read(folder.join(format!("{number}.bin"))).unwrap(), content);
        }
    });
}

#[test]
fn an_offer_can_be_declined_and_taken_back() {
    smol::block_on(async {
        let (terms, _) = still();
        let (desk, [one, other]) = (Desk::new(), pair(&terms).await);
        let path = desk.file("a.txt", b"hello");
        for declines in [true, false] {
            offer(&one, &path);
            let (mine, file) = (offering(&one).await, offered(&other).await);
            let (by, to) = if declines { ((&other, file), (&one, mine)) } else { ((&one, mine), (&other, file)) };
            by.0.ask(Ask::Drop(by.1)).unwrap();
            assert_eq!(next(by.0).await, News::Dropped { file: by.1, why: Why::ByUs });
            assert_eq!(next(to.0).await, News::Dropped { file: to.1, why: Why::ByThem });
            // There is nothing to take, or to drop, any more.
            accept(&other, file, desk.to.path());
            assert_eq!(next(&other).await, News::Dropped { file, why: Why::Unknown });
            by.0.ask(Ask::Drop(by.1)).unwrap();
            assert_eq!(next(by.0).await, News::Dropped { file: by.1, why: Why::Unknown });
        }
        assert_eq!(desk.received(), []);
    });
}

#[test]
fn what_is_cancelled_half_way_goes_on_from_there_in_the_same_channel() {
    smol::block_on(async {
        let (terms, _) = still();
        let (desk, [one, other]) = (Desk::new(), pair(&terms).await);
        let content = bytes(3, 20_000_000);
        let path = desk.file("a.bin", &content);
        for by_receiver in [true, false] {
            offer(&one, &path);
            let (mine, file) = (offering(&one).await, offered(&other).await);
            accept(&other, file, desk.to.path());
            while !matches!(next(&other).await, News::Progress { .. }) {}
            let (by, to) = if by_receiver { ((&other, file), (&one, mine)) } else { ((&one, mine), (&other, file)) };
            by.0.ask(Ask::Drop(by.1)).unwrap();
            for ((end, file), why) in [(by, Why::ByUs), (to, Why::ByThem)] {
                loop {
                    match next_but_progress(end).await {
                        News::Started { .. } => {}
                        news => break assert_eq!(news, News::Dropped { file, why }),
                    }
                }
            }
            assert!(desk.received().iter().all(|(name, _)| name.contains(".part")), "{:?}", desk.received());
        }
        offer(&one, &path);
        let (mine, file) = (offering(&one).await, offered(&other).await);
        accept(&other, file, desk.to.path());
        let News::Started { from, .. } = next_but_progress(&other).await else { panic!("it starts") };
        assert!(from > 0);
        assert!(matches!(next_but_progress(&other).await, News::Finished { .. }));
        assert_eq!(next_but_progress(&one).await, News::Started { file: mine, from });
        assert_eq!(fs::read(desk.to.path().join("a.bin")).unwrap(), content);
        assert_eq!(desk.received().len(), 1);
    });
}

#[test]
fn fifty_cuts_at_any_byte_and_the_file_is_whole_in_the_end() {
    const LENGTH: usize = 6_000_000;
    smol::block_on(async {
        let (terms, _) = still();
        let mut random = fastrand::Rng::with_seed(20_261_121);
        let [alice, bob] = [0; 2].map(|_| Identity::fleeting().unwrap());
        let (mut cuts, mut resumed) = (0, 0);
        while cuts < 50 {
            let (desk, content) = (Desk::new(), bytes(random.u64(..), LENGTH));
            let path = desk.file("film.mkv", &content);
            loop {
                let (asker, asked) = (meeting(&alice, &[], &terms), meeting(&bob, &[], &terms));
                // Five cuts of six are on the way of the file; the sixth time it may arrive.
                let is_cut = cuts < 50 && random.u8(..6) > 0;
                // After the meeting, which takes less than 4000 bytes each way.
                let bytes = if is_cut { 4_000 + random.u64(..LENGTH as u64 / 3) } else { u64::MAX };
                let back = if is_cut && random.u8(..4) == 0 { 4_000 + random.u64(..2_000) } else { u64::MAX };
                let offers = [asker.offer().clone(), asked.offer().clone()];
                let [one, other] = over([&asker, &asked], offers, cut_after([bytes, back])).await.map(|end| run(end.unwrap()));
                let sent = send(&one, &other, &path, desk.to.path()).await;
                cuts += usize::from(is_cut);
                if let Some((from, whole)) = sent {
                    resumed += usize::from(from > 0);
                    if whole {
                        break;
                    }
                }
            }
            assert_eq!(fs::read(desk.to.path().join("film.mkv")).unwrap(), content);
            assert_eq!(desk.received(), [("film.mkv".to_owned(), LENGTH as u64)], "and nothing else is left");
        }
        assert!(resumed >= 25, "of {cuts} cuts only {resumed} were gone on from");
    });
}

/// Sends a file until it is there or the channel has ended on both ends. Gives from where it went, and whether it arrived.
async fn send(one: &Channel, other: &Channel, path: &Path, folder: &Path) -> Option<(u64, bool)> {
    offer(one, path);
    let receiving = async {
        let (mut started, mut is_whole) = (None, false);
        loop {
            match next(other).await {
                News::Offered { file, .. } => {
                    // Between the news and the answer the channel may have ended.
                    let _ = other.ask(Ask::Accept { file, folder: folder.to_owned() });
                }
                News::Started { from, .. } => started = Some(from),
                News::Finished { .. } => {
                    is_whole = true;
                    let _ = other.ask(Ask::Stop);
                }
                News::Progress { .. } => {}
                News::Ended { why, .. } => {
                    assert!(matches!(why, Ended::Lost(_) | Ended::ByUs), "{why:?}");
                    return started.map(|from| (from, is_whole));
                }
                news => panic!("{news:?}"),
            }
        }
    };
    let sending = async { while !matches!(next(one).await, News::Ended { .. }) {} };
    let (received, ()) = smol::future::zip(receiving, sending).await;
    received
}

#[test]
fn another_file_of_the_same_name_and_length_begins_anew() {
    smol::block_on(async {
        let (terms, _) = still();
        let desk = Desk::new();
        let [alice, bob] = [0; 2].map(|_| Identity::fleeting().unwrap());
        let path = desk.file("a.bin", &bytes(1, 4_000_000));
        for (content, cut) in [(bytes(1, 4_000_000), 2_000_000), (bytes(2, 4_000_000), u64::MAX)] {
            fs::write(&path, &content).unwrap();
            let (asker, asked) = (meeting(&alice, &[], &terms), meeting(&bob, &[], &terms));
            let offers = [asker.offer().clone(), asked.offer().clone()];
            let [one, other] = over([&asker, &asked], offers, cut_after([cut, u64::MAX])).await.map(|end| run(end.unwrap()));
            let sent = send(&one, &other, &path, desk.to.path()).await;
            assert_eq!(sent, Some((0, cut == u64::MAX)));
        }
        assert_eq!(fs::read(desk.to.path().join("a.bin")).unwrap(), bytes(2, 4_000_000));
    });
}

#[test]
fn what_cannot_be_offered_is_refused_at_once() {
    smol::block_on(async {
        let (terms, _) = still();
        let (desk, [one, other]) = (Desk::new(), pair(&terms).await);
        let pipe = desk.from.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        for (path, expected) in [
            (desk.from.path().join("nothing"), "no such file"),
            (desk.from.path().to_owned(), "is a folder"),
            (pipe, "is no file that can be sent"),
        ] {
            offer(&one, &path);
            let News::CannotOffer { path: told, why } = next(&one).await else { panic!("it cannot be offered") };
            assert!(told == path && why.to_lowercase().contains(expected), "{why}");
        }
        // No more than so many at a time; the other is not even told.
        let path = desk.file("a.txt", b"hello");
        for _ in 0..=FILES_MAX {
            offer(&one, &path);
        }
        let mut refused = 0;
        for _ in 0..=FILES_MAX {
            refused += usize::from(matches!(next(&one).await, News::CannotOffer { .. }));
        }
        assert_eq!(refused, 1);
        for _ in 0..FILES_MAX {
            offered(&other).await;
        }
    });
}

#[test]
fn a_file_that_changes_while_it_is_sent_does_not_arrive() {
    smol::block_on(async {
        let (terms, _) = still();
        let (desk, [one, other]) = (Desk::new(), pair(&terms).await);
        let path = desk.file("a.txt", b"hello");
        offer(&one, &path);
        let (mine, file) = (offering(&one).await, offered(&other).await);
        fs::write(&path, "hello again").unwrap();
        accept(&other, file, desk.to.path());
        assert_eq!(next(&one).await, News::Dropped { file: mine, why: Why::Changed });
        assert_eq!(next(&other).await, News::Dropped { file, why: Why::Changed });
        assert_eq!(desk.received(), []);
    });
}

#[test]
fn a_folder_that_is_none_is_refused_and_the_sender_told() {
    smol::block_on(async {
        let (terms, _) = still();
        let (desk, [one, other]) = (Desk::new(), pair(&terms).await);
        offer(&one, &desk.file("a.txt", b"hello"));
        let (mine, file) = (offering(&one).await, offered(&other).await);
        accept(&other, file, &desk.to.path().join("not there"));
        assert!(matches!(next(&other).await, News::Dropped { why: Why::Disk(_), .. }));
        assert_eq!(next(&one).await, News::Dropped { file: mine, why: Why::TheirDisk });
    });
}

#[test]
fn two_of_one_name_are_two_files() {
    smol::block_on(async {
        let (terms, _) = still();
        let (desk, [one, other]) = (Desk::new(), pair(&terms).await);
        fs::write(desk.to.path().join("a.txt"), "precious").unwrap();
        offer(&one, &desk.file("a.txt", b"hello"));
        let file = offered(&other).await;
        accept(&other, file, desk.to.path());
        assert_eq!(next_but_progress(&other).await, News::Started { file, from: 0 });
        let path = desk.to.path().join("a (2).txt");
        assert_eq!(next_but_progress(&other).await, News::Finished { file, path: Some(path.clone()) });
        assert_eq!(fs::read(path).unwrap(), b"hello");
        assert_eq!(fs::read(desk.to.path().join("a.txt")).unwrap(), b"precious");
    });
}

#[test]
fn a_channel_that_ends_leaves_a_part_that_another_can_take() {
    smol::block_on(async {
        let terms = Terms::default();
        let (desk, [one, other]) = (Desk::new(), {
            let (one, other) = UnixStream::pair().unwrap();
            crate::pair::pair_over(&terms, one, other).await
        });
        offer(&one, &desk.file("a.bin", &bytes(5, 30_000_000)));
        let file = offered(&other).await;
        accept(&other, file, desk.to.path());
        while !matches!(next(&other).await, News::Progress { .. }) {}
        one.ask(Ask::Stop).unwrap();
        let mut is_whole = false;
        loop {
            match next(&other).await {
                News::Ended { why, .. } => break assert_eq!(why, Ended::ByThem),
                News::Finished { .. } => is_whole = true,
                _ => {}
            }
        }
        // What is noted is what is there, at the moment when the end is told.
        if !is_whole {
            let notes = desk.received().into_iter().find(|(name, _)| name.ends_with(".json")).expect("there are notes").0;
            let notes = fs::read_to_string(desk.to.path().join(notes)).unwrap();
            let part = desk.received().into_iter().find(|(name, _)| name.ends_with(".part")).expect("there is a part").1;
            assert!(notes.contains(&format!("\"verified\":{part},")), "{part}: {notes}");
        }
    });
}
