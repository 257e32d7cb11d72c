//! Comings and goings: each is told to each of the others where they are few, and in sums where they are many. Each of n
//! telling n others is n² lines, and nobody reads them.

/// Comings and goings, in the house or in a room, that nobody has been told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Crowd {
    came: usize,
    went: usize,
}

/// Who is told that somebody came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// Everyone, by name.
    Each,
    /// Nobody yet.
    Later,
    /// Everyone, of all that nobody has been told of.
    Sum {
        /// How many came.
        came: usize,
        /// How many went.
        went: usize,
    },
}

impl Crowd {
    /// Somebody `came`, or went, and so many are here now; up to `each_up_to` are told of each.
    pub(super) fn note(&mut self, came: bool, here: usize, each_up_to: usize) -> Notice {
        if here <= each_up_to && *self == Crowd::default() {
            return Notice::Each;
        }
        if came {
            self.came += 1;
        } else {
            self.went += 1;
        }
        // A tenth of those here at a time: so a thousand who come cost each of them a few dozen lines, not a thousand.
        if self.came + self.went < (here / 10).max(2) {
            return Notice::Later;
        }
        let Crowd { came, went } = std::mem::take(self);
        Notice::Sum { came, went }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crowd_hears_grows_with_it_and_not_with_its_square() {
        let (mut crowd, mut lines, mut told) = (Crowd::default(), 0, 0);
        for here in 1..=10_000 {
            match crowd.note(true, here, 100) {
                Notice::Each => (lines, told) = (lines + here, told + 1),
                Notice::Later => {}
                Notice::Sum { came, went } => (lines, told) = (lines + here, told + came + went),
            }
        }
        assert!(lines < 200_000, "{lines} lines for 10,000 who come");
        assert!(told > 9000, "nearly all of them have been told of: {told}");
    }

    #[test]
    fn a_few_are_told_of_each_when_the_many_have_been_told_of() {
        let mut crowd = Crowd::default();
        assert_eq!(crowd.note(true, 4, 3), Notice::Later);
        assert_eq!(crowd.note(false, 3, 3), Notice::Sum { came: 1, went: 1 });
        assert_eq!(crowd.note(false, 2, 3), Notice::Each);
    }
}
