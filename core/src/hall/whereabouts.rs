//! What has become of something that was said: for the one who said it, who learns nothing else by it.

use super::*;

/// Something that the asker said, as the store has it.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// Its place.
    pub seq: u64,
    /// When it was said.
    pub at: Millis,
    /// To whom.
    pub audience: UserId,
    /// Of the audience, those it was hidden from.
    pub hidden_from: &'a [UserId],
}

/// What has become of it. That it is stored is certain: else it would not be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// The addressee is no more, or the two hide from each other: what the one does is nothing to the other.
    Untold,
    /// The addressee has seen it, as far as connections can say.
    Seen,
    /// It went to a connection that was there when it was said, and still is.
    Delivered {
        /// Whether that connection says what has been seen.
        acknowledges: bool,
    },
    /// The addressee came back, and it is among what was kept.
    OnItsWay {
        /// Since when they are back.
        since: Millis,
    },
    /// The addressee's connection did not read, and was cut off; it is kept.
    CutOff {
        /// When.
        at: Millis,
    },
    /// The addressee left without having seen it; it is kept.
    Left {
        /// When.
        at: Millis,
    },
    /// The addressee is away; it is kept.
    Away,
    /// It was said to everyone, or to a room. Those whom it was hidden from count as not reached: they cannot be told
    /// from those who have not been here.
    Many {
        /// How many have it, or were there.
        reached: usize,
        /// Of how many that the asker knows of.
        of: usize,
    },
    /// It was said to those who were there, and to nobody else.
    Present,
    /// It was said in a room that the asker does not belong to any more.
    Elsewhere,
}

impl Hall {
    /// What has become of `kept`, which `asker` said.
    #[must_use]
    pub fn whereabouts(&self, asker: UserId, kept: Kept<'_>) -> Whereabouts {
        match kept.audience {
            UserId::EVERYONE => self.whereabouts_of_broadcast(asker, kept),
            UserId::PRESENT => Whereabouts::Present,
            to if RoomId::of_audience(to).is_some() => self.whereabouts_in_room(asker, kept),
            to => match self.users.get(&to) {
                // The number of a guest of an earlier run may be another guest's now.
                Some(user) if user.joined < kept.seq && !self.hidden(asker, to) => self.whereabouts_at(user, kept),
                _ => Whereabouts::Untold,
            },
        }
    }

    fn whereabouts_at(&self, user: &User, kept: Kept<'_>) -> Whereabouts {
        if user.cursor >= kept.seq {
            return Whereabouts::Seen;
        }
        let sessions = || user.sessions.iter().filter_map(|id| self.sessions.get(id));
        if let Some(session) = sessions().find(|session| session.entered < kept.seq) {
            return Whereabouts::Delivered { acknowledges: session.acknowledges };
        }
        if let Some(since) = sessions().map(|session| session.since).min() {
            return Whereabouts::OnItsWay { since };
        }
        match (user.cut_off, user.last_seen) {
            (Some(at), Some(left)) if at == left && at >= kept.at => Whereabouts::CutOff { at },
            (_, Some(at)) if at > kept.at => Whereabouts::Left { at },
            _ => Whereabouts::Away,
        }
    }

    fn whereabouts_of_broadcast(&self, asker: UserId, kept: Kept<'_>) -> Whereabouts {
        let others = self.users.iter().filter(|(_, user)| user.joined < kept.seq);
        self.counted(asker, kept, others.map(|(id, user)| (*id, self.has(user, kept))))
    }

    fn whereabouts_in_room(&self, asker: UserId, kept: Kept<'_>) -> Whereabouts {
        let room = RoomId::of_audience(kept.audience).and_then(|room| self.rooms.get(room));
        let Some(room) = room.filter(|room| room.members.contains_key(&asker)) else { return Whereabouts::Elsewhere };
        let others = room.members.values().filter(|member| member.since < kept.seq);
        let has_it = |member: &MemberRow| {
            if member.tuned_in { self.users.get(&member.user).is_some_and(|user| self.has(user, kept)) } else { member.heard >= kept.seq }
        };
        self.counted(asker, kept, others.map(|member| (member.user, has_it(member))))
    }

    fn has(&self, user: &User, kept: Kept<'_>) -> bool {
        matches!(self.whereabouts_at(user, kept), Whereabouts::Seen | Whereabouts::Delivered { .. })
    }

    /// Counts those whom the asker may know of, and those of them who have it.
    fn counted(&self, asker: UserId, kept: Kept<'_>, others: impl Iterator<Item = (UserId, bool)>) -> Whereabouts {
        let (mut reached, mut of) = (0, 0);
        for (id, has_it) in others.filter(|(id, _)| *id != asker && !self.hidden(asker, *id)) {
            of += 1;
            reached += usize::from(has_it && !kept.hidden_from.contains(&id));
        }
        Whereabouts::Many { reached, of }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// A hall where users 1 to 3 exist; 1 and 2 are online, in json.
    fn hall() -> Hall {
        let mut hall = Hall::load(Policy::default(), Loaded::default());
        for number in 1..=3 {
            apply(
                &mut hall,
                number,
                1000,
                Act::Register {
                    name: format!("u{number}"),
                    password: "phc".to_owned(),
                    invite: None,
                    address: HOME,
                    acknowledges: true,
                    private: true,
                },
            );
        }
        apply(&mut hall, 3, 1000, LEAVE);
        hall
    }

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const LEAVE: Act = Act::Leave { how: Departure::Disconnected, seen: None };

    fn apply(hall: &mut Hall, session: u64, now: i64, act: Act) -> u64 {
        let seq = hall.head() + 1;
        hall.apply(seq, Millis(now), Intent { origin: SessionId::new(session, 0), act }).expect("applied").receipt.seq
    }

    fn say(hall: &mut Hall, to: Recipient, now: i64) -> u64 {
        apply(hall, 1, now, Act::Say { to, text: "hi".to_owned(), key: None })
    }

    fn login(hall: &mut Hall, user: i64, session: u64, now: i64) {
        let (password, address) = (Some("phc".into()), HOME);
        apply(
            hall,
            session,
            now,
            Act::Login { user: UserId(user), password, token: None, address, after: None, acknowledges: true, private: true },
        );
    }

    fn of(hall: &Hall, seq: u64, audience: i64, hidden_from: &[UserId]) -> Whereabouts {
        hall.whereabouts(UserId(1), Kept { seq, at: Millis(2000), audience: UserId(audience), hidden_from })
    }

    #[test]
    fn the_way_of_a_message() {
        let mut hall = hall();
        let seq = say(&mut hall, Recipient::User(UserId(2)), 2000);
        assert_eq!(of(&hall, seq, 2, &[]), Whereabouts::Delivered { acknowledges: true });
        apply(&mut hall, 2, 3000, LEAVE);
        assert_eq!(of(&hall, seq, 2, &[]), Whereabouts::Left { at: Millis(3000) });
        login(&mut hall, 2, 12, 4000);
        assert_eq!(of(&hall, seq, 2, &[]), Whereabouts::OnItsWay { since: Millis(4000) });
        apply(&mut hall, 12, 5000, Act::Leave { how: Departure::TooSlow, seen: None });
        assert_eq!(of(&hall, seq, 2, &[]), Whereabouts::CutOff { at: Millis(5000) });
        login(&mut hall, 2, 22, 6000);
        apply(&mut hall, 22, 6000, Act::Acknowledge { seq });
        assert_eq!(of(&hall, seq, 2, &[]), Whereabouts::Seen);
        apply(&mut hall, 22, 7000, LEAVE);
        assert_eq!(of(&hall, seq, 2, &[]), Whereabouts::Seen, "for good");
    }

    #[test]
    fn who_is_away_is_away() {
        let mut hall = hall();
        let seq = say(&mut hall, Recipient::User(UserId(3)), 2000);
        assert_eq!(of(&hall, seq, 3, &[]), Whereabouts::Away);
    }

    /// Whoever blocks, is blocked or deletes the account afterwards: the answer is one, whatever they did before and do then.
    #[test]
    fn a_block_looks_like_an_account_that_is_no_more() {
        for before in 0..2 {
            for end in 0..3 {
                let mut hall = hall();
                let seq = say(&mut hall, Recipient::User(UserId(2)), 2000);
                if before == 1 {
                    apply(&mut hall, 2, 2500, Act::Acknowledge { seq });
                }
                match end {
                    0 => apply(&mut hall, 2, 3000, Act::Block { whom: UserId(1) }),
                    1 => apply(&mut hall, 1, 3000, Act::Block { whom: UserId(2) }),
                    _ => apply(&mut hall, 2, 3000, Act::DeleteAccount { forget: false }),
                };
                assert_eq!(of(&hall, seq, 2, &[]), Whereabouts::Untold, "{before} {end}");
                if end < 2 {
                    apply(&mut hall, 2, 4000, LEAVE);
                    assert_eq!(of(&hall, seq, 2, &[]), Whereabouts::Untold, "{before} {end}, away");
                    login(&mut hall, 2, 12, 5000);
                    assert_eq!(of(&hall, seq, 2, &[]), Whereabouts::Untold, "{before} {end}, back");
                }
            }
        }
    }

    #[test]
    fn a_broadcast_tells_numbers_and_nobody_in_particular() {
        let mut hall = hall();
        let seq = say(&mut hall, Recipient::Everyone, 2000);
        assert_eq!(of(&hall, seq, 0, &[]), Whereabouts::Many { reached: 1, of: 2 });
        // Hidden from 2 when it was said, and not any more: like somebody who has not been here.
        assert_eq!(of(&hall, seq, 0, &[UserId(2)]), Whereabouts::Many { reached: 0, of: 2 });
        apply(&mut hall, 2, 2500, Act::Acknowledge { seq });
        assert_eq!(of(&hall, seq, 0, &[UserId(2)]), Whereabouts::Many { reached: 0, of: 2 });
        assert_eq!(of(&hall, seq, 0, &[]), Whereabouts::Many { reached: 1, of: 2 });
        // Hidden now: like an account that is no more.
        apply(&mut hall, 2, 3000, Act::Block { whom: UserId(1) });
        let blocked = of(&hall, seq, 0, &[UserId(2)]);
        assert_eq!(blocked, Whereabouts::Many { reached: 0, of: 1 });
        apply(&mut hall, 2, 3000, Act::DeleteAccount { forget: false });
        assert_eq!(of(&hall, seq, 0, &[UserId(2)]), blocked);
        assert_eq!(of(&hall, seq, UserId::PRESENT.0, &[]), Whereabouts::Present);
    }

    #[test]
    fn a_new_guest_is_not_the_guest_of_yesterday() {
        let mut hall = hall();
        apply(&mut hall, 9, 2000, Act::Guest { name: Some("eve".to_owned()), address: HOME, acknowledges: true, private: true });
        assert_eq!(of(&hall, 1, -1, &[]), Whereabouts::Untold);
    }
}
