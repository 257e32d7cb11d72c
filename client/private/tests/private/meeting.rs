//! Who gets in, and who does not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use chinwag_private::{Ask, Ended, Identity, Meeting, Missed, News, Offer, Side, Terms, Token};
use smol::net::unix::UnixStream;

use crate::pair::{here, meeting, next, over, run, still};

fn identities() -> [Identity; 2] {
    [0; 2].map(|_| Identity::fleeting().unwrap())
}

/// Both hold their meeting.
async fn hold(asker: &Meeting, asked: &Meeting) -> [Result<chinwag_private::Sas, Missed>; 2] {
    let (to_asker, to_asked) = (asked.offer().clone(), asker.offer().clone());
    let (one, other) = smol::future::zip(asker.hold(Side::Asker, &to_asker), asked.hold(Side::Asked, &to_asked)).await;
    [one, other].map(|end| end.map(|(channel, _)| channel.sas()))
}

#[test]
fn two_meet_whoever_of_them_can_be_reached() {
    smol::block_on(async {
        let (terms, _) = still();
        let [alice, bob] = identities();
        // Who does not listen on this machine does not dial it either, so those two listen; what they tell differs.
        for (alice_tells, bob_tells) in [(true, true), (true, false), (false, true)] {
            let asker = meeting(&alice, &here(), &terms);
            let asked = meeting(&bob, &here(), &terms);
            let told = |meeting: &Meeting, tells: bool| {
                let offer = meeting.offer().clone();
                if tells { offer } else { Offer { addresses: Vec::new(), ..offer } }
            };
            let (to_asker, to_asked) = (told(&asked, bob_tells), told(&asker, alice_tells));
            let (one, other) = smol::future::zip(asker.hold(Side::Asker, &to_asker), asked.hold(Side::Asked, &to_asked)).await;
            let (one, other) = (run(one.unwrap()), run(other.unwrap()));
            assert_eq!(one.sas(), other.sas());
            assert_eq!((one.peer(), other.peer()), (bob.fingerprint(), alice.fingerprint()));
            one.ask(Ask::Say("hello".to_owned())).unwrap();
            assert_eq!(next(&other).await, News::Said("hello".to_owned()));
            // The doors are closed, and the token is used up.
            for meeting in [&asker, &asked] {
                assert!(TcpStream::connect(meeting.offer().addresses[0]).is_err());
            }
            assert_eq!(asker.hold(Side::Asker, &to_asker).await.err(), Some(Missed::Spent));
        }
    });
}

#[test]
fn each_meeting_has_digits_of_its_own() {
    smol::block_on(async {
        let (terms, _) = still();
        let [alice, bob] = identities();
        let mut digits = Vec::new();
        for _ in 0..3 {
            let [one, other] = hold(&meeting(&alice, &here(), &terms), &meeting(&bob, &here(), &terms)).await;
            assert_eq!(one, other);
            digits.push(one.unwrap());
        }
        assert!(digits[0] != digits[1] || digits[1] != digits[2]);
    });
}

#[test]
fn without_a_way_it_is_known_at_once_and_the_relay_still_works() {
    smol::block_on(async {
        let (terms, _) = still();
        let [alice, bob] = identities();
        let (asker, asked) = (meeting(&alice, &[], &terms), meeting(&bob, &[], &terms));
        assert!(hold(&asker, &asked).await.iter().all(|end| matches!(end, Err(Missed::NoWay { tried }) if tried.is_empty())));
        let (one, other) = UnixStream::pair().unwrap();
        let [one, other] = over([&asker, &asked], [asker.offer().clone(), asked.offer().clone()], [one, other]).await;
        assert_eq!(one.unwrap().0.sas(), other.unwrap().0.sas());
    });
}

#[test]
fn an_address_that_refuses_is_named() {
    smol::block_on(async {
        let (terms, hand) = still();
        let [alice, bob] = identities();
        let gone = TcpListener::bind(here()[0]).unwrap().local_addr().unwrap();
        let asker = meeting(&alice, &here(), &terms);
        let theirs = Offer { addresses: vec![gone], ..meeting(&bob, &[], &terms).offer().clone() };
        let holding = asker.hold(Side::Asker, &theirs);
        // It waits for somebody to come until time is up, which it is when the address has refused: then two deadlines have been
        // set, and nobody waits for that of connecting any more.
        let turning = async {
            while hand.deadlines_set() < 2 || hand.waiting_within(terms.connect) > 0 {
                smol::future::yield_now().await;
            }
            hand.advance(terms.meet);
            std::future::pending().await
        };
        let missed = smol::future::or(holding, turning).await.err();
        let Some(Missed::NoWay { tried }) = missed else { panic!("{missed:?}") };
        assert_eq!(tried, [format!("{gone}: connection refused"), "nobody has come in time".to_owned()]);
    });
}

#[test]
fn nobody_dials_a_door_of_its_own_machine_for_somebody_far_away() {
    smol::block_on(async {
        let (terms, _) = still();
        let [alice, bob] = identities();
        let trap = TcpListener::bind(here()[0]).unwrap();
        let theirs = Offer { addresses: vec![trap.local_addr().unwrap()], ..meeting(&bob, &[], &terms).offer().clone() };
        let missed = meeting(&alice, &[], &terms).hold(Side::Asker, &theirs).await.err();
        assert_eq!(missed, Some(Missed::NoWay { tried: Vec::new() }));
        trap.set_nonblocking(true).unwrap();
        assert_eq!(trap.accept().map(|_| ()).map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock));
    });
}

/// Why `victim` does not take whoever is at the other end of the stream.
async fn refused(victim: (&Meeting, Side, &Offer), intruder: (&Meeting, Side, &Offer)) -> (Missed, Missed) {
    let (one, other) = UnixStream::pair().unwrap();
    let ends = smol::future::zip(victim.0.over(victim.1, victim.2, one), intruder.0.over(intruder.1, intruder.2, other));
    let (one, other) = ends.await;
    (one.err().expect("the victim lets nobody in"), other.err().expect("the intruder gets nowhere"))
}

#[test]
fn another_certificate_is_refused_on_either_side() {
    smol::block_on(async {
        let (terms, _) = still();
        let ([alice, bob], mallory) = (identities(), Identity::fleeting().unwrap());
        let (asker, asked) = (meeting(&alice, &[], &terms), meeting(&bob, &[], &terms));
        // Mallory knows all that went through the server, tokens included, but has neither key.
        for (victim, side, expected) in [(&asker, Side::Asker, &asked), (&asked, Side::Asked, &asker)] {
            let intruder = meeting(&mallory, &[], &terms);
            let its_side = if side == Side::Asker { Side::Asked } else { Side::Asker };
            let (missed, _) = refused((victim, side, expected.offer()), (&intruder, its_side, victim.offer())).await;
            assert_eq!(missed, Missed::Impostor("it shows another certificate".to_owned()));
        }
    });
}

#[test]
fn the_key_without_the_token_is_refused_on_either_side() {
    smol::block_on(async {
        let (terms, _) = still();
        let [alice, bob] = identities();
        let (asker, asked) = (meeting(&alice, &[], &terms), meeting(&bob, &[], &terms));
        // Somebody has Bob's key and comes to a meeting it was not invited to: it has a token of its own, or a stale one.
        let stranger = meeting(&bob, &[], &terms);
        let (missed, _) = refused((&asker, Side::Asker, asked.offer()), (&stranger, Side::Asked, asker.offer())).await;
        assert_eq!(missed, Missed::Impostor("it does not take us for who we are".to_owned()));
        let guessed = Offer { token: Token([7; 32]), ..asked.offer().clone() };
        let (missed, _) = refused((&asked, Side::Asked, asker.offer()), (&meeting(&alice, &[], &terms), Side::Asker, &guessed)).await;
        assert_eq!(missed, Missed::Impostor("it does not know the tokens of this meeting".to_owned()));
        // The victims' meetings are as good as before.
        let (one, other) = UnixStream::pair().unwrap();
        let [one, other] = over([&asker, &asked], [asker.offer().clone(), asked.offer().clone()], [one, other]).await;
        assert!(one.is_ok() && other.is_ok());
    });
}

#[test]
fn an_offer_that_is_used_again_opens_nothing() {
    smol::block_on(async {
        let (terms, _) = still();
        let [alice, bob] = identities();
        let (asker, asked) = (meeting(&alice, &[], &terms), meeting(&bob, &[], &terms));
        let (one, other) = UnixStream::pair().unwrap();
        let [one, other] = over([&asker, &asked], [asker.offer().clone(), asked.offer().clone()], [one, other]).await;
        assert!(one.is_ok() && other.is_ok());
        // A lying server tells Alice's old offer to Bob again. Bob's token is new, Alice's meeting is over.
        let again = meeting(&bob, &[], &terms);
        assert_eq!(asker.over(Side::Asker, again.offer(), UnixStream::pair().unwrap().0).await.err(), Some(Missed::Spent));
        // And somebody with Alice's key who has kept both old offers does not know the new token.
        let replayed = meeting(&alice, &[], &terms);
        let (missed, _) = refused((&again, Side::Asked, asker.offer()), (&replayed, Side::Asker, asked.offer())).await;
        assert!(matches!(missed, Missed::Impostor(_)), "{missed:?}");
    });
}

#[test]
fn two_askers_do_not_meet() {
    smol::block_on(async {
        let (terms, _) = still();
        let [alice, bob] = identities();
        let (asker, asked) = (meeting(&alice, &[], &terms), meeting(&bob, &[], &terms));
        let (one, _) = refused((&asker, Side::Asker, asked.offer()), (&asked, Side::Asker, asker.offer())).await;
        assert!(matches!(one, Missed::Impostor(_)), "{one:?}");
    });
}

#[test]
fn what_speaks_no_tls_or_nothing_is_not_let_in_and_keeps_nobody_out() {
    smol::block_on(async {
        let (terms, hand) = still();
        let [alice, bob] = identities();
        let (asker, asked) = (meeting(&alice, &here(), &terms), meeting(&bob, &[], &terms));
        let door = asker.offer().addresses[0];
        // All places are taken by those who say nothing; one who talks nonsense is in the queue.
        let silent: Vec<TcpStream> = (0..16).map(|_| TcpStream::connect(door).unwrap()).collect();
        let mut rude = TcpStream::connect(door).unwrap();
        rude.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let holding = asker.hold(Side::Asker, asked.offer());
        let coming = async {
            // The right one is last in the queue.
            let to_asked = asker.offer().clone();
            let stream = smol::net::TcpStream::connect(door).await.unwrap();
            let mut waiting = Box::pin(asked.over(Side::Asked, &to_asked, stream));
            // Over a stream the asked is TLS's server, and so is who listens: this is no way to meet, only one to be in the queue.
            let early = smol::future::or(async { Some((&mut waiting).await) }, async {
                while hand.waiting_within(terms.prove) < 16 {
                    smol::future::yield_now().await;
                }
                None
            });
            assert!(early.await.is_none(), "nobody is let in while all places are taken");
            drop(waiting);
            hand.advance(terms.prove);
        };
        let first_gone = async {
            coming.await;
            // The silent are sent away.
            smol::unblock(move || silent.into_iter().all(|mut stream| matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)))).await
        };
        let outcome = smol::future::or(async { Err(holding.await.err()) }, async { Ok(first_gone.await) }).await;
        assert_eq!(outcome, Ok(true));
    });
}

#[test]
fn whoever_comes_after_the_first_is_sent_away() {
    smol::block_on(async {
        let (terms, _) = still();
        let [alice, bob] = identities();
        // Each offers two addresses: four connections come about, and one stays.
        let two: Vec<SocketAddr> = here().into_iter().chain(here()).collect();
        let (asker, asked) = (meeting(&alice, &two, &terms), meeting(&bob, &two, &terms));
        let (to_asker, to_asked) = (asked.offer().clone(), asker.offer().clone());
        let (one, other) = smol::future::zip(asker.hold(Side::Asker, &to_asker), asked.hold(Side::Asked, &to_asked)).await;
        let (one, other) = (run(one.unwrap()), run(other.unwrap()));
        for address in asker.offer().addresses.iter().chain(&asked.offer().addresses) {
            assert!(TcpStream::connect(address).is_err(), "nobody listens at {address} any more");
        }
        // The one that stayed is the same on both ends.
        other.ask(Ask::Say("still here".to_owned())).unwrap();
        assert_eq!(next(&one).await, News::Said("still here".to_owned()));
        one.ask(Ask::Stop).unwrap();
        assert_eq!(next(&one).await, News::Ended { why: Ended::ByUs, unheard: 0 });
        assert_eq!(next(&other).await, News::Ended { why: Ended::ByThem, unheard: 0 });
    });
}

#[test]
fn only_what_others_can_come_to_is_offered() {
    let alice = Identity::fleeting().unwrap();
    for address in ["0.0.0.0:0", "[::]:0", "224.0.0.1:0"] {
        assert!(Meeting::prepare(&alice, &[address.parse().unwrap()], Terms::default()).is_err(), "{address}");
    }
    assert!(Meeting::prepare(&alice, &[here()[0]; 9], Terms::default()).is_err());
    let prepared = Meeting::prepare(&alice, &here(), Terms::default()).unwrap();
    assert_ne!(prepared.offer().addresses[0].port(), 0);
    assert_ne!(prepared.offer().token, Meeting::prepare(&alice, &[], Terms::default()).unwrap().offer().token);
    assert!(!format!("{prepared:?}").contains(&prepared.offer().token.to_string()));
}

#[test]
fn the_ways_out_can_be_listened_on() {
    let alice = Identity::fleeting().unwrap();
    // A machine without a network has none.
    let ways: Vec<SocketAddr> = chinwag_private::ways_out().into_iter().map(|ip| (ip, 0).into()).collect();
    let prepared = Meeting::prepare(&alice, &ways, Terms::default()).unwrap();
    assert_eq!(prepared.offer().addresses.len(), ways.len());
    assert!(ways.len() <= 2);
}
