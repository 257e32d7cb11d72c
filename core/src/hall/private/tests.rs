//! Private chats on their own: whatever is asked in whatever order, nobody learns where another is without having agreed, and
//! nothing is left behind.

use std::net::Ipv4Addr;

use chinwag_wire::{Fingerprint, Offer, PrivateEnd, Token};
use proptest::prelude::*;

use super::*;

const USERS: u64 = 4;

/// What `user` offers: the number is in all of it.
fn offer(user: u64) -> Option<Box<Offer>> {
    let number = u8::try_from(user).unwrap();
    let address = (Ipv4Addr::new(192, 0, 2, number), 4000).into();
    Some(Box::new(Offer { fingerprint: Fingerprint([number; 32]), token: Token([number; 32]), addresses: vec![address] }))
}

/// A hall where users 1 to 4 are logged in, each on two sessions: 1 and 11, 2 and 12, and so on.
fn hall() -> Hall {
    let policy = Policy { sessions_per_user: 3, private_at_once: 2, relays: 1, ..Policy::default() };
    let mut hall = Hall::load(policy, Loaded::default());
    for user in 1..=USERS {
        let (name, address) = (format!("u{user}"), Ipv4Addr::LOCALHOST.into());
        let act = Act::Register { name, password: "phc".to_owned(), invite: None, address, acknowledges: true, private: true };
        apply(&mut hall, 0, user, act).unwrap();
        apply(&mut hall, 0, user + 10, login(user)).unwrap();
    }
    hall
}

fn login(user: u64) -> Act {
    Act::Login {
        user: id(user),
        password: Some("phc".into()),
        token: None,
        address: Ipv4Addr::LOCALHOST.into(),
        after: None,
        acknowledges: true,
        private: true,
    }
}

fn id(user: u64) -> UserId {
    UserId(i64::try_from(user).unwrap())
}

fn apply(hall: &mut Hall, seconds: i64, session: u64, act: Act) -> Result<Applied, Refusal> {
    let seq = hall.head() + 1;
    hall.apply(seq, Millis(seconds * 1000), Intent { origin: SessionId::new(session, 0), act })
}

/// What is told of private chats, and on which sessions.
fn told(applied: &Applied) -> Vec<(Vec<SessionId>, Event)> {
    let see = |delivery: &Delivery| match delivery {
        Delivery::See { spoken, reach: Reach::Sessions(sessions) } => Some((sessions.clone(), spoken.event().clone())),
        _ => None,
    };
    applied.deliveries.iter().filter_map(see).collect()
}

fn ends(applied: &Applied) -> Vec<(u64, PrivateEnd)> {
    let end = |(sessions, event): (Vec<SessionId>, Event)| match event {
        Event::PrivateEnded { why, .. } => sessions.into_iter().map(|session| (session.number() >> 8, why)).collect(),
        _ => Vec::new(),
    };
    told(applied).into_iter().flat_map(end).collect()
}

/// Every table says the same as the others.
fn check(hall: &Hall) {
    let private = &hall.private;
    let deadlines: BTreeSet<(Millis, Pair)> =
        private.pairs.iter().flat_map(|(pair, between)| between.deadlines().map(|at| (at, *pair))).collect();
    assert_eq!(private.deadlines, deadlines);
    let mut partners: HashMap<UserId, BTreeSet<UserId>> = HashMap::new();
    let mut relays = HashMap::new();
    for (pair, between) in &private.pairs {
        assert!(pair.0 < pair.1);
        partners.entry(pair.0).or_default().insert(pair.1);
        partners.entry(pair.1).or_default().insert(pair.0);
        if let Between::Open(open) = between
            && let Relay::Agreed { number, .. } = open.relay
        {
            relays.insert(number, *pair);
        }
    }
    assert_eq!(private.partners, partners);
    assert_eq!(private.relays, relays);
    assert!(private.relays.len() <= hall.policy.relays);
    assert!(private.tickets.values().all(|ticket| relays.contains_key(&ticket.relay)));
    for user in partners.keys() {
        assert!(private.own(*user) <= hall.policy.private_at_once);
        assert!(private.waiting_for(*user) <= hall.policy.private_at_once);
        assert!(hall.users.contains_key(user));
    }
}

/// One thing that a user does, or that happens to them.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Ask,
    Accept,
    Decline,
    Stop,
    Relay,
    Block,
    Unblock,
    Leave(Departure),
    Login,
    Time(i64),
}

fn deeds() -> impl Strategy<Value = Vec<(u64, bool, u64, Deed)>> {
    let deed = prop_oneof![
        4 => Just(Deed::Ask),
        4 => Just(Deed::Accept),
        1 => Just(Deed::Decline),
        1 => Just(Deed::Stop),
        4 => Just(Deed::Relay),
        1 => Just(Deed::Block),
        2 => Just(Deed::Unblock),
        1 => Just(Deed::Leave(Departure::LoggedOut)),
        1 => Just(Deed::Leave(Departure::TimedOut)),
        2 => Just(Deed::Leave(Departure::Disconnected)),
        4 => Just(Deed::Login),
        2 => (1i64..130).prop_map(Deed::Time),
    ];
    proptest::collection::vec((1..=USERS, any::<bool>(), 1..=USERS, deed), 1..120)
}

proptest! {
    #[test]
    fn nobody_is_found_without_having_agreed_and_nothing_is_left_behind(deeds in deeds()) {
        let mut hall = hall();
        let (mut now, mut tickets) = (0, 0u8);
        // Who has shown whom what they offer, by asking or agreeing.
        let mut shown: BTreeSet<(u64, u64)> = BTreeSet::new();
        for (user, second, whom, deed) in deeds {
            let session = if second { user + 10 } else { user };
            let whom_id = id(whom);
            let applied = match deed {
                Deed::Ask => apply(&mut hall, now, session, Act::AskPrivate { whom: whom_id, offer: offer(user) }),
                Deed::Accept => apply(&mut hall, now, session, Act::AcceptPrivate { whom: whom_id, offer: offer(user) }),
                Deed::Decline => apply(&mut hall, now, session, Act::DeclinePrivate { whom: whom_id }),
                Deed::Stop => apply(&mut hall, now, session, Act::StopPrivate { whom: whom_id }),
                Deed::Relay => {
                    tickets = tickets.wrapping_add(1);
                    apply(&mut hall, now, session, Act::RelayPrivate { whom: whom_id, ticket: Token([tickets; 32]) })
                }
                Deed::Block => apply(&mut hall, now, session, Act::Block { whom: whom_id }),
                Deed::Unblock => apply(&mut hall, now, session, Act::Unblock { whom: whom_id }),
                Deed::Leave(how) => apply(&mut hall, now, session, Act::Leave { how, seen: None }),
                Deed::Login => apply(&mut hall, now, session, login(user)),
                Deed::Time(seconds) => {
                    now += seconds;
                    apply(&mut hall, now, 0, Act::PrivateDue)
                }
            };
            check(&hall);
            let Ok(applied) = applied else { continue };
            if matches!(deed, Deed::Ask | Deed::Accept) {
                shown.insert((user, whom));
            }
            for (sessions, event) in told(&applied) {
                let Event::PrivateAgreed { offer, .. } = event else { continue };
                let from = u64::from(offer.token.0[0]);
                for session in sessions {
                    let to = (session.number() >> 8) % 10;
                    prop_assert!(shown.contains(&(from, to)) && shown.contains(&(to, from)), "{} is told where {} is", to, from);
                }
            }
        }
        // All go, and time passes.
        for session in (1..=USERS).chain(11..=10 + USERS) {
            let _ = apply(&mut hall, now, session, Act::Leave { how: Departure::Disconnected, seen: None });
            check(&hall);
        }
        apply(&mut hall, now + 120, 0, Act::PrivateDue).unwrap();
        check(&hall);
        prop_assert_eq!(hall.private_count(), PrivateCount::default());
        prop_assert!(hall.private.tickets.is_empty() && hall.private.deadlines.is_empty());
    }
}

#[test]
fn who_is_asked_hears_it_everywhere_and_who_asks_where_they_asked() {
    let mut hall = hall();
    let asked = apply(&mut hall, 0, 1, Act::AskPrivate { whom: id(2), offer: offer(1) }).unwrap();
    let heard: Vec<u64> = told(&asked)[0].0.iter().map(|session| session.number() >> 8).collect();
    assert_eq!(heard, [2, 12]);
    let over = apply(&mut hall, 60, 0, Act::PrivateDue).unwrap();
    assert_eq!(ends(&over), [(1, PrivateEnd::Expired), (2, PrivateEnd::Expired), (12, PrivateEnd::Expired)]);
}

#[test]
fn tickets_end_with_what_they_are_for() {
    let mut hall = hall();
    let ticket = |number| Token([number; 32]);
    let agree = |hall: &mut Hall, now| {
        apply(hall, now, 1, Act::RelayPrivate { whom: id(2), ticket: ticket(1) }).unwrap();
        apply(hall, now, 2, Act::RelayPrivate { whom: id(1), ticket: ticket(2) }).unwrap();
    };
    let take =
        |hall: &mut Hall, now, number| apply(hall, now, 99, Act::TakeTicket { ticket: ticket(number) }).map(|it| it.receipt.seq).ok();
    apply(&mut hall, 0, 1, Act::AskPrivate { whom: id(2), offer: offer(1) }).unwrap();
    apply(&mut hall, 0, 2, Act::AcceptPrivate { whom: id(1), offer: offer(2) }).unwrap();

    agree(&mut hall, 0);
    assert_eq!([take(&mut hall, 0, 1), take(&mut hall, 0, 1), take(&mut hall, 0, 2)], [Some(2), None, Some(3)], "each once, one a side");
    apply(&mut hall, 500, 0, Act::PrivateDue).unwrap();
    assert!(hall.is_relay(1), "in use");
    // Asked anew by one of them: the older relay is no more, and neither is used without the other.
    let again = apply(&mut hall, 500, 1, Act::RelayPrivate { whom: id(2), ticket: ticket(3) }).unwrap();
    assert!(again.deliveries.iter().any(|delivery| matches!(delivery, Delivery::EndRelay { relay: 1 })));
    assert_eq!(take(&mut hall, 500, 3), None);
    apply(&mut hall, 500, 2, Act::RelayPrivate { whom: id(1), ticket: ticket(4) }).unwrap();
    // What is said of the older one by now is of no use.
    apply(&mut hall, 500, 0, Act::RelayOver { relay: 1 }).unwrap();
    assert_eq!(take(&mut hall, 559, 3), Some(4), "the second relay, the first side");
    assert_eq!(take(&mut hall, 560, 4), None, "too late");
    let late = apply(&mut hall, 560, 0, Act::PrivateDue).unwrap();
    assert!(matches!(late.deliveries[..], [Delivery::EndRelay { relay: 2 }]));
    assert_eq!(hall.private_count(), PrivateCount { offers: 0, open: 1, relayed: 0 });
    check(&hall);
}

#[test]
fn a_policy_that_allows_none_ends_all() {
    let mut hall = hall();
    apply(&mut hall, 0, 1, Act::AskPrivate { whom: id(2), offer: offer(1) }).unwrap();
    apply(&mut hall, 0, 2, Act::AcceptPrivate { whom: id(1), offer: offer(2) }).unwrap();
    apply(&mut hall, 0, 3, Act::AskPrivate { whom: id(4), offer: offer(3) }).unwrap();
    apply(&mut hall, 0, 1, Act::RelayPrivate { whom: id(2), ticket: Token([1; 32]) }).unwrap();
    apply(&mut hall, 0, 2, Act::RelayPrivate { whom: id(1), ticket: Token([2; 32]) }).unwrap();
    let policy = Policy { relay: false, ..hall.policy.clone() };
    let configure = |hall: &mut Hall, policy| {
        let intent = Intent { origin: SessionId::CONSOLE, act: Act::Configure { policy: Box::new(policy) } };
        hall.apply(0, Millis(0), intent).unwrap()
    };
    let off = configure(&mut hall, policy.clone());
    assert!(matches!(off.deliveries[..], [Delivery::EndRelay { relay: 1 }]), "only what goes through the server ends");
    assert_eq!(hall.private_count(), PrivateCount { offers: 1, open: 1, relayed: 0 });
    let off = configure(&mut hall, Policy { private: false, ..policy });
    let switched_off = |session| (session, PrivateEnd::SwitchedOff);
    assert_eq!(ends(&off), [1, 2, 3, 4, 14].map(switched_off));
    assert_eq!(hall.private_count(), PrivateCount::default());
    check(&hall);
}
