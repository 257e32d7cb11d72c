//! The hall on its own: what must hold whatever is asked of it, and in whatever order.

use std::net::Ipv4Addr;

use chinwag_wire::{RoomAccess, RoomDeed, RoomRole};
use proptest::prelude::*;

use super::*;

const USERS: u64 = 4;
const GUESTS: u64 = 2;

/// A hall where users 1 to 4 exist and are online, each on the session of the same number.
fn hall() -> Hall {
    let mut hall = Hall::load(Policy::default(), Loaded::default());
    for number in 1..=USERS {
        let act = Act::Register {
            name: format!("u{number}"),
            password: "phc".to_owned(),
            invite: None,
            address: Ipv4Addr::LOCALHOST.into(),
            acknowledges: false,
            private: true,
        };
        apply(&mut hall, number, act).unwrap();
    }
    hall
}

fn apply(hall: &mut Hall, session: u64, act: Act) -> Result<Applied, Refusal> {
    let seq = hall.head() + 1;
    hall.apply(seq, Millis(1000), Intent { origin: SessionId::new(session, 0), act })
}

fn login(user: i64) -> Act {
    Act::Login {
        user: UserId(user),
        password: Some("phc".into()),
        token: None,
        address: Ipv4Addr::LOCALHOST.into(),
        after: None,
        acknowledges: false,
        private: true,
    }
}

fn code_of(result: Result<Applied, Refusal>) -> String {
    result.map_or_else(|refusal| refusal.code.to_string(), |_| "accepted".to_owned())
}

#[test]
fn three_wrong_passwords_lock_one_address_only() {
    let mut hall = hall();
    let address: IpAddr = Ipv4Addr::new(192, 0, 2, 1).into();
    apply(&mut hall, 1, Act::Leave { how: Departure::LoggedOut, seen: None }).unwrap();
    let failed = |hall: &mut Hall, now| {
        let act = Act::LoginFailed { name: "U1".to_owned(), address };
        code_of(hall.apply(0, Millis(now), Intent { origin: SessionId::new(9, 0), act }))
    };
    assert_eq!([failed(&mut hall, 0), failed(&mut hall, 10), failed(&mut hall, 20)], ["wrong-password", "wrong-password", "locked-out"]);
    let attempt = |hall: &mut Hall, now, address| {
        let act = Act::Login {
            user: UserId(1),
            password: Some("phc".into()),
            token: None,
            address,
            after: None,
            acknowledges: false,
            private: true,
        };
        code_of(hall.apply(0, Millis(now), Intent { origin: SessionId::new(9, 0), act }))
    };
    assert_eq!(attempt(&mut hall, 60_019, address), "locked-out", "with the right password too");
    assert_eq!(attempt(&mut hall, 30, Ipv4Addr::LOCALHOST.into()), "accepted", "from elsewhere the owner gets in");
    apply(&mut hall, 9, Act::Leave { how: Departure::LoggedOut, seen: None }).unwrap();
    assert_eq!(attempt(&mut hall, 60_020, address), "accepted", "the time is over");
}

#[test]
fn the_count_of_wrong_passwords_begins_anew_after_a_lock() {
    let mut hall = hall();
    let address: IpAddr = Ipv4Addr::LOCALHOST.into();
    let mut failed = |now| {
        code_of(hall.apply(
            0,
            Millis(now),
            Intent { origin: SessionId::new(9, 0), act: Act::LoginFailed { name: "u1".to_owned(), address } },
        ))
    };
    let told = [0, 0, 0, 60_000, 60_000, 60_000].map(&mut failed);
    assert_eq!(told, ["wrong-password", "wrong-password", "locked-out", "wrong-password", "wrong-password", "locked-out"]);
}

#[test]
fn failures_are_bounded() {
    let mut hall = hall();
    for number in 0..u32::try_from(FAILURES_MAX).unwrap() + 10 {
        let act = Act::LoginFailed { name: "u1".to_owned(), address: Ipv4Addr::from_bits(number).into() };
        let _ = hall.apply(0, Millis(i64::from(number) * 100_000), Intent { origin: SessionId::new(9, 0), act });
    }
    assert!(hall.failures.len() <= FAILURES_MAX);
}

#[test]
fn a_key_is_said_once_and_the_oldest_is_forgotten_first() {
    let mut hall = hall();
    let mut say = |key: usize| {
        let act = Act::Say { to: Recipient::User(UserId(2)), text: "hi".to_owned(), key: Some(key.to_string()) };
        let applied = apply(&mut hall, 1, act).unwrap();
        (applied.receipt.seq, applied.receipt.again, applied.rows.len(), applied.deliveries.len())
    };
    let first = say(0);
    assert_eq!(say(0), (first.0, true, 0, 0));
    for key in 1..=KEYS_REMEMBERED {
        assert!(!say(key).1);
    }
    assert!(!say(0).1, "one more than is remembered");
    assert!(say(KEYS_REMEMBERED).1);
}

#[test]
fn a_stranger_can_say_nothing() {
    let mut hall = hall();
    for act in [
        Act::Say { to: Recipient::Everyone, text: String::new(), key: None },
        Act::DeleteAccount { forget: false },
        Act::Acknowledge { seq: 0 },
    ] {
        assert_eq!(code_of(apply(&mut hall, 99, act)), "not-logged-in");
    }
}

#[test]
fn a_deleted_account_leaves_no_trace_and_its_name_is_free() {
    let mut hall = hall();
    apply(&mut hall, 1, Act::Block { whom: UserId(2) }).unwrap();
    apply(&mut hall, 2, Act::Block { whom: UserId(1) }).unwrap();
    apply(&mut hall, 1, Act::IssueToken { hash: [1; 32], expires: Millis(i64::MAX) }).unwrap();
    apply(&mut hall, 1, Act::DeleteAccount { forget: false }).unwrap();
    assert!(hall.user(UserId(2)).is_some_and(|user| user.blocks.is_empty() && user.blocked_by.is_empty()));
    assert_eq!(hall.token_owner(&[1; 32], Millis(0)), None);
    assert_eq!(code_of(apply(&mut hall, 9, login(1))), "no-such-user");
    let act = Act::Register {
        name: "U1".to_owned(),
        password: "phc".to_owned(),
        invite: None,
        address: Ipv4Addr::LOCALHOST.into(),
        acknowledges: false,
        private: true,
    };
    apply(&mut hall, 9, act).unwrap();
    assert_eq!(hall.named("u1").map(|(id, _)| id), Some(UserId(5)), "a number is never used again");
}

/// The same, with two guests on the sessions behind, of whom the first has made a room that user 1 is in.
fn hall_with_guests() -> Hall {
    let mut hall = hall();
    for session in USERS + 1..=USERS + GUESTS {
        apply(&mut hall, session, guest(Some("Gus"))).or_else(|_| apply(&mut hall, session, guest(None))).unwrap();
    }
    apply(&mut hall, USERS + 1, Act::CreateRoom { name: "shed".to_owned(), nick: None }).unwrap();
    apply(&mut hall, 1, Act::JoinRoom { room: RoomId(1), nick: None, password: None }).unwrap();
    hall
}

fn guest(name: Option<&str>) -> Act {
    Act::Guest { name: name.map(str::to_owned), address: Ipv4Addr::LOCALHOST.into(), acknowledges: false, private: true }
}

/// One thing that one of a few users and guests does.
fn act() -> impl Strategy<Value = (u64, Act)> {
    let whom = (-i64::try_from(GUESTS).unwrap()..=i64::try_from(USERS).unwrap()).prop_map(UserId);
    let act = prop_oneof![
        4 => whom.clone().prop_map(|whom| Act::Say { to: Recipient::User(whom), text: "x".to_owned(), key: None }),
        3 => Just(Act::Say { to: Recipient::Everyone, text: "x".to_owned(), key: None }),
        2 => whom.clone().prop_map(|whom| Act::Block { whom }),
        2 => whom.clone().prop_map(|whom| Act::Unblock { whom }),
        2 => Just(Act::Leave { how: Departure::LoggedOut, seen: None }),
        3 => whom.clone().prop_map(|whom| login(whom.0)),
        2 => prop::option::of(Just("Gus")).prop_map(guest),
        1 => Just(Act::Leave { how: Departure::Disconnected, seen: None }),
        1 => Just(Act::DeleteAccount { forget: false }),
        3 => prop::sample::select(vec!["den", "attic", "Den"]).prop_map(|name| Act::CreateRoom { name: name.to_owned(), nick: None }),
        5 => (room(), prop::option::of(Just("Nick".to_owned()))).prop_map(|(room, nick)| Act::JoinRoom { room, nick, password: None }),
        2 => room().prop_map(|room| Act::LeaveRoom { room }),
        1 => room().prop_map(|room| Act::Resign { room }),
        4 => room().prop_map(|room| Act::Say { to: Recipient::Room(room), text: "@u2 x".to_owned(), key: None }),
        2 => (room(), whom.clone()).prop_map(|(room, user)| Act::Say { to: Recipient::Member { room, user }, text: "x".to_owned(), key: None }),
        6 => (room(), change(whom)).prop_map(|(room, change)| Act::ChangeRoom { room, change }),
    ];
    (1..=USERS + GUESTS, act)
}

fn room() -> impl Strategy<Value = RoomId> {
    (1..4i64).prop_map(RoomId)
}

fn change(whom: impl Strategy<Value = UserId> + Clone + 'static) -> impl Strategy<Value = RoomChange> {
    let roles = prop::sample::select(vec![RoomRole::Member, RoomRole::Moderator, RoomRole::Owner]);
    prop_oneof![
        Just(RoomChange::Topic(Some("x".to_owned()))),
        any::<bool>().prop_map(RoomChange::Kept),
        any::<bool>().prop_map(RoomChange::Archived),
        Just(RoomChange::Access(RoomAccess::Invited, None)),
        Just(RoomChange::Access(RoomAccess::Public, None)),
        (whom.clone(), roles).prop_map(|(who, role)| RoomChange::Role { who, role }),
        whom.clone().prop_map(|to| RoomChange::Transfer { to }),
        whom.clone().prop_map(|who| RoomChange::Kick { who, reason: None }),
        whom.clone().prop_map(|who| RoomChange::Ban { who, until: Some(Millis(1500)), reason: None }),
        Just(RoomChange::Unban { name: "U1".to_owned() }),
        whom.clone().prop_map(|who| RoomChange::Mute { who, until: None }),
        whom.clone().prop_map(|who| RoomChange::Unmute { who }),
        whom.prop_map(|who| RoomChange::Invite { who }),
        Just(RoomChange::End { reason: None }),
    ]
}

/// Rooms and their members agree with each other.
fn check_rooms(hall: &Hall) -> Result<(), TestCaseError> {
    for (id, room) in hall.rooms(Millis(0)) {
        prop_assert!(!room.members.is_empty(), "nobody belongs to it, and it has not ended");
        prop_assert!(room.members.values().any(|member| member.role == RoomRole::Owner), "a room has an owner");
        let here = |member: &&MemberRow| member.tuned_in && hall.user(member.user).is_some_and(User::is_online);
        prop_assert_eq!(room.here(), room.members.values().filter(here).count());
        for member in room.members.values() {
            prop_assert_eq!(room.called(&member.nick).map(|called| called.user), Some(member.user), "a nick is one member's");
            prop_assert_eq!(hall.user(member.user).is_some_and(|user| user.rooms.contains(&id)), member.tuned_in);
        }
    }
    for (id, user) in hall.users() {
        prop_assert!(user.rooms.len() <= hall.policy().rooms_at_once);
        prop_assert!(user.rooms.iter().all(|room| hall.room(*room).is_some_and(|room| room.members.contains_key(&id))));
    }
    Ok(())
}

proptest! {
    #[test]
    fn whatever_happens(acts in prop::collection::vec(act(), 0..80)) {
        let (mut hall, mut twin) = (hall_with_guests(), hall_with_guests());
        let mut last_seq = hall.head();
        for (step, (session, act)) in (0..).zip(acts) {
            // Rooms that are empty end meanwhile.
            let now = Millis(1000 + step * 180_000);
            let apply = |hall: &mut Hall, act: Act| hall.apply(hall.head() + 1, now, Intent { origin: SessionId::new(session, 0), act });
            let speaker = hall.session(SessionId::new(session, 0)).map(|session| session.user);
            let head = hall.head();
            let before = format!("{hall:?}");
            let result = apply(&mut hall, act.clone());
            // The same intents give the same hall.
            prop_assert_eq!(format!("{result:?}"), format!("{:?}", apply(&mut twin, act)));
            let Ok(applied) = result else {
                prop_assert!(format!("{hall:?}") == before, "what is refused changes nothing");
                continue;
            };
            prop_assert_eq!(hall.head(), head + u64::from(applied.durable));
            for row in &applied.rows {
                if let Row::Said(said) = row {
                    prop_assert_eq!(said.spoken.seq(), Some(last_seq.max(head) + 1), "one order, without a gap");
                    last_seq = last_seq.max(head) + 1;
                    prop_assert!(!hall.hidden(said.from, said.audience), "nothing is kept for who is blocked");
                    if RoomId::of_audience(said.audience).is_some() {
                        prop_assert!(hall.user(said.from).is_some_and(|user| user.rooms.iter().any(|room| room.audience() == said.audience)));
                    }
                }
            }
            check_rooms(&hall)?;
            let speaker = speaker.or_else(|| hall.session(SessionId::new(session, 0)).map(|session| session.user));
            for delivery in &applied.deliveries {
                let Delivery::See { reach, spoken } = delivery else { continue };
                // Who keeps order does so before everyone's eyes; what is said and who comes and goes is hidden.
                let is_order = matches!(spoken.event(), Event::Room(news) if !matches!(news.what, RoomDeed::Arrived | RoomDeed::Left));
                // Nobody sees anything of one they hide from, or who hides from them.
                for (other, user) in hall.users() {
                    let hidden = speaker.is_some_and(|speaker| hall.hidden(speaker, other));
                    let reached = match reach {
                        Reach::Sessions(sessions) => user.sessions.iter().any(|session| sessions.contains(session)),
                        Reach::EveryoneBut(users) => user.is_online() && !users.contains(&other),
                        Reach::Room { room, but } => user.is_online() && user.rooms.contains(room) && !but.contains(&other),
                    };
                    prop_assert!(!(hidden && reached) || is_order);
                }
            }
            // The lists agree with each other.
            for (id, user) in hall.users() {
                prop_assert_eq!(user.is_online(), hall.online().any(|(online, _)| online == id));
                prop_assert!(user.sessions.len() <= hall.policy().sessions_per_user);
                for session in &user.sessions {
                    prop_assert_eq!(hall.session(*session).map(|session| session.user), Some(id));
                }
                for other in &user.blocks {
                    prop_assert!(hall.user(*other).is_some_and(|other| other.blocked_by.contains(&id)));
                }
            }
        }
    }
}

#[test]
fn only_operators_and_the_console_make_operators() {
    let mut hall = hall();
    let make = |hall: &mut Hall, origin: SessionId, user, operator| {
        let seq = hall.head() + 1;
        code_of(hall.apply(seq, Millis(0), Intent { origin, act: Act::SetOperator { user: UserId(user), operator } }))
    };
    let at = |session| SessionId::new(session, 0);
    assert_eq!(make(&mut hall, at(1), 1, true), "not-permitted");
    assert_eq!(make(&mut hall, at(99), 1, true), "not-logged-in");
    assert_eq!(make(&mut hall, SessionId::CONSOLE, 1, true), "accepted");
    assert_eq!(make(&mut hall, at(1), 2, true), "accepted");
    assert_eq!(make(&mut hall, at(2), 1, false), "accepted");
    assert_eq!(make(&mut hall, at(1), 2, false), "not-permitted");
    assert_eq!(make(&mut hall, SessionId::CONSOLE, 9, true), "no-such-user");
}

#[test]
fn the_console_is_nobody() {
    let mut hall = hall();
    for act in [
        login(1),
        Act::Say { to: Recipient::Everyone, text: String::new(), key: None },
        Act::DeleteAccount { forget: false },
        Act::Block { whom: UserId(1) },
    ] {
        let seq = hall.head() + 1;
        let result = hall.apply(seq, Millis(0), Intent { origin: SessionId::CONSOLE, act });
        assert!(["not-permitted", "not-logged-in"].contains(&code_of(result).as_str()));
    }
}

/// A hall where u1 is on sessions 1 and 11, and has a token on the second, since the first second.
fn on_two_devices() -> Hall {
    let policy = Policy { sessions_per_user: 3, ..Policy::default() };
    let mut hall = hall();
    hall.apply(0, Millis(1000), Intent { origin: SessionId::CONSOLE, act: Act::Configure { policy: Box::new(policy) } }).unwrap();
    apply(&mut hall, 11, login(1)).unwrap();
    apply(&mut hall, 11, Act::IssueToken { hash: [1; 32], expires: Millis(i64::MAX) }).unwrap();
    apply(&mut hall, 11, Act::SpeakAs { acknowledges: true }).unwrap();
    hall
}

fn at(hall: &mut Hall, seconds: i64, session: u64, act: Act) {
    let seq = hall.head() + 1;
    hall.apply(seq, Millis(1000 * seconds), Intent { origin: SessionId::new(session, 0), act }).unwrap();
}

fn idle(hall: &Hall, seconds: i64) -> Option<u64> {
    hall.idle(hall.user(UserId(1)).unwrap(), Millis(1000 * seconds)).map(|idle| idle.as_secs())
}

#[test]
fn how_long_somebody_is_idle_is_told_in_minutes_and_not_before_it_is_worth_it() {
    let mut hall = hall();
    for (now, told) in [(0, None), (300, None), (301, Some(300)), (360, Some(300)), (361, Some(360)), (1 << 40, Some((1 << 40) - 16))] {
        assert_eq!(idle(&hall, now), told, "at {now}");
    }
    let mut configure = |seconds| {
        let policy = Policy { idle_after: Duration::from_secs(seconds), ..Policy::default() };
        hall.apply(0, Millis(1000), Intent { origin: SessionId::CONSOLE, act: Act::Configure { policy: Box::new(policy) } }).unwrap();
        (idle(&hall, 90), idle(&hall, 3601))
    };
    assert_eq!(configure(90), (None, Some(3600)));
    assert_eq!(configure(60), (Some(60), Some(3600)));
    assert_eq!(configure(1), (Some(60), Some(3600)), "less than a minute is nothing to tell");
    assert_eq!(configure(0), (None, None));
}

#[test]
fn who_is_active_on_one_device_is_idle_on_none() {
    let mut hall = on_two_devices();
    at(&mut hall, 400, 1, Act::BeActive);
    assert_eq!((idle(&hall, 699), idle(&hall, 700)), (None, Some(300)));
    at(&mut hall, 500, 11, Act::BeActive);
    assert_eq!((idle(&hall, 799), idle(&hall, 800)), (None, Some(300)));
    // A clock that is put back takes nothing back.
    at(&mut hall, 450, 1, Act::BeActive);
    assert_eq!((idle(&hall, 799), idle(&hall, 800)), (None, Some(300)));
    at(&mut hall, 600, 11, Act::Leave { how: Departure::Disconnected, seen: None });
    assert_eq!(idle(&hall, 800), Some(300), "what they did on the device that has gone they have done");
    at(&mut hall, 600, 1, Act::Leave { how: Departure::Disconnected, seen: None });
    assert_eq!(idle(&hall, 800), None, "who is not here is not idle");
}

#[test]
fn a_link_that_comes_back_says_nothing_of_whoever_sits_there() {
    let resume = || match login(1) {
        Act::Login { user, address, after, acknowledges, private, .. } => {
            Act::Login { user, address, after, acknowledges, private, password: None, token: Some([1; 32]) }
        }
        _ => unreachable!("a login"),
    };
    // While the server still takes the old link for alive, and when it knows that it has gone.
    for lost in [false, true] {
        let mut hall = on_two_devices();
        at(&mut hall, 400, 11, Act::BeActive);
        at(&mut hall, 450, 1, Act::Leave { how: Departure::LoggedOut, seen: None });
        if lost {
            at(&mut hall, 500, 11, Act::Leave { how: Departure::Disconnected, seen: None });
        }
        at(&mut hall, 600, 12, resume());
        assert_eq!(idle(&hall, 700), Some(300), "lost: {lost}");
        at(&mut hall, 700, 13, login(1));
        assert_eq!((idle(&hall, 999), idle(&hall, 1000)), (None, Some(300)), "who gives a password is there");
    }
    // What was before the server started, it does not know.
    let account = AccountRow {
        user: UserId(1),
        name: "u1".to_owned(),
        password: "phc".to_owned(),
        joined: 0,
        cursor: 0,
        last_seen: Some(Millis(1)),
        operator: false,
        created: Millis(0),
    };
    let tokens = vec![([1; 32], UserId(1), DeviceId(1), Millis(i64::MAX))];
    let mut hall = Hall::load(Policy::default(), Loaded { accounts: vec![account], last_account: 1, tokens, ..Loaded::default() });
    at(&mut hall, 600, 12, resume());
    assert_eq!((idle(&hall, 899), idle(&hall, 900)), (None, Some(300)));
}

#[test]
fn a_thousand_lines_a_second_are_news_once() {
    let mut hall = hall();
    let origin = SessionId::new(1, 0);
    assert!(!hall.is_news_of_activity(origin, Millis(1999)) && hall.is_news_of_activity(origin, Millis(2000)));
    at(&mut hall, 2, 1, Act::BeActive);
    assert!(!hall.is_news_of_activity(origin, Millis(2999)) && hall.is_news_of_activity(origin, Millis(3000)));
    assert!(!hall.is_news_of_activity(SessionId::new(99, 0), Millis(9000)), "nobody is there");
}
