//! Talk, keep-alive, and the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chinwag_private::{Ask, Channel, Ended, News, TEXT_BYTES_MAX, Unsaid};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::unix::UnixStream;

use crate::pair::{cut_after, next, pair, pair_over, still};

fn say(channel: &Channel, text: &str) {
    channel.ask(Ask::Say(text.to_owned())).unwrap();
}

#[test]
fn what_is_said_arrives_whole_and_in_order_both_ways() {
    smol::block_on(async {
        let (terms, _) = still();
        let [one, other] = pair(&terms).await;
        let long = "ž".repeat(TEXT_BYTES_MAX / 2);
        let texts: Vec<String> = (0..500).map(|number| format!("{number} \x1b[31m\n")).chain([long]).collect();
        for text in &texts {
            say(&one, text);
            say(&other, text);
        }
        for text in &texts {
            assert_eq!(next(&other).await, News::Said(text.clone()));
            assert_eq!(next(&one).await, News::Said(text.clone()));
        }
    });
}

#[test]
fn what_cannot_be_said_comes_back() {
    smol::block_on(async {
        let (terms, _) = still();
        let [one, _other] = pair(&terms).await;
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        for (text, why) in [("", Unsaid::Empty), (long.as_str(), Unsaid::TooLong)] {
            say(&one, text);
            assert_eq!(next(&one).await, News::NotSaid { text: text.to_owned(), why });
        }
    });
}

#[test]
fn what_was_said_before_the_stop_arrives() {
    smol::block_on(async {
        let (terms, _) = still();
        let [one, other] = pair(&terms).await;
        for number in 0..100 {
            say(&one, &number.to_string());
        }
        one.ask(Ask::Stop).unwrap();
        for number in 0..100 {
            assert_eq!(next(&other).await, News::Said(number.to_string()));
        }
        assert_eq!(next(&other).await, News::Ended { why: Ended::ByThem, unheard: 0 });
        assert!(matches!(next(&one).await, News::Ended { why: Ended::ByUs, .. }));
        assert!(one.news().recv().await.is_err(), "nothing comes after the end");
        assert_eq!(one.ask(Ask::Stop), Err(Ask::Stop));
    });
}

#[test]
fn dropping_a_channel_stops_it() {
    smol::block_on(async {
        let (terms, _) = still();
        let [one, other] = pair(&terms).await;
        drop(one);
        assert_eq!(next(&other).await, News::Ended { why: Ended::ByThem, unheard: 0 });
    });
}

#[test]
fn a_cut_is_no_stop_and_says_what_may_be_lost() {
    smol::block_on(async {
        let (terms, _) = still();
        // Enough for the meeting, and for little more.
        let [one, other] = cut_after([6_000, u64::MAX]);
        let [one, other] = pair_over(&terms, one, other).await;
        let texts = 100;
        for _ in 0..texts {
            say(&one, &"x".repeat(100));
        }
        let mut heard = 0;
        let why = loop {
            match next(&other).await {
                News::Said(_) => heard += 1,
                News::Ended { why, .. } => break why,
                news => panic!("{news:?}"),
            }
        };
        assert!(matches!(why, Ended::Lost(_)), "{why:?}");
        let News::Ended { why: Ended::Lost(_), unheard } = next(&one).await else { panic!("it was cut") };
        assert!(heard < texts && unheard >= texts - heard && unheard <= texts, "{heard} arrived, {unheard} are in doubt");
    });
}

#[test]
fn silence_is_filled_and_a_wire_that_holds_everything_back_is_noticed() {
    smol::block_on(async {
        let (terms, hand) = still();
        let [one, other] = [0; 2].map(|_| UnixStream::pair().unwrap());
        // A wire that counts what goes through, and can be held without an end of it noticing: what is written waits.
        let (gone_through, held) = (Arc::new([const { AtomicUsize::new(0) }; 2]), Arc::new(AtomicBool::new(false)));
        let wires = [(0, one.1.clone(), other.1.clone()), (1, other.1, one.1)].map(|(way, mut from, mut to)| {
            let (gone_through, held) = (Arc::clone(&gone_through), Arc::clone(&held));
            smol::spawn(async move {
                let mut bytes = [0; 1024];
                while let Ok(count @ 1..) = from.read(&mut bytes).await {
                    if held.load(Ordering::SeqCst) {
                        std::future::pending::<()>().await;
                    }
                    to.write_all(&bytes[..count]).await.unwrap();
                    gone_through[way].fetch_add(count, Ordering::SeqCst);
                }
            })
        });
        let [one, other] = pair_over(&terms, one.0, other.0).await;
        for round in 0..20 {
            // Each says something, and has it confirmed in the end: the wire is quiet then.
            for (from, to) in [(&one, &other), (&other, &one)] {
                say(from, &round.to_string());
                assert_eq!(next(to).await, News::Said(round.to_string()));
            }
            let before = [0, 1].map(|way: usize| gone_through[way].load(Ordering::SeqCst));
            hand.advance(terms.ping);
            while [0, 1].iter().any(|way: &usize| gone_through[*way].load(Ordering::SeqCst) == before[*way]) {
                smol::future::yield_now().await;
            }
        }
        held.store(true, Ordering::SeqCst);
        // What had gone through before may be heard after the hand has moved: it moves until both have noticed.
        let gone = terms.gone;
        let turning = smol::spawn(async move {
            loop {
                hand.advance(gone);
                smol::Timer::after(std::time::Duration::from_millis(1)).await;
            }
        });
        for end in [&one, &other] {
            assert!(matches!(next(end).await, News::Ended { why: Ended::Silent, .. }));
        }
        drop((wires, turning));
    });
}

#[test]
fn an_end_that_is_not_listened_to_waits_and_loses_nothing() {
    smol::block_on(async {
        let (terms, _) = still();
        let [one, other] = pair(&terms).await;
        let (mut said, mut refused) = (Vec::new(), 0);
        // More than both ends and the system hold: at some point nothing goes any more.
        for number in 0.. {
            let text = format!("{number} {}", "x".repeat(TEXT_BYTES_MAX - 20));
            if one.ask(Ask::Say(text.clone())).is_err() {
                smol::future::yield_now().await;
                continue;
            }
            said.push(text);
            while let Ok(news) = one.news().try_recv() {
                let News::NotSaid { text, why: Unsaid::Stuck } = news else { panic!("{news:?}") };
                let at = said.iter().position(|said| *said == text).expect("it was said");
                said.remove(at);
                refused += 1;
            }
            if refused > 3 {
                break;
            }
            smol::future::yield_now().await;
        }
        // All asks have been looked at when the stop comes to an end; what was taken has arrived, in order.
        one.ask(Ask::Stop).unwrap();
        let mut heard = Vec::new();
        loop {
            match next(&other).await {
                News::Said(text) => heard.push(text),
                News::Ended { .. } => break,
                news => panic!("{news:?}"),
            }
        }
        while let Ok(news) = one.news().recv().await {
            if let News::NotSaid { text, .. } = news {
                said.retain(|said| *said != text);
            }
        }
        let number = |text: &String| text.split(' ').next().unwrap().to_owned();
        assert_eq!(heard.iter().map(number).collect::<Vec<_>>(), said.iter().map(number).collect::<Vec<_>>());
    });
}
