//! Randomness, passed in: the machine's, or one that a seed repeats.

use std::sync::{Mutex, PoisonError};

/// Where tokens, salts and dice come from.
#[derive(Debug)]
pub enum Chance {
    /// The operating system: fit for secrets.
    System,
    /// The same again for the same seed: for tests.
    Seeded(Mutex<fastrand::Rng>),
}

impl Chance {
    /// Repeatable randomness.
    #[must_use]
    pub fn seeded(seed: u64) -> Chance {
        Chance::Seeded(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// Fills `bytes`.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: then nothing that this server does is safe.
    pub fn fill(&self, bytes: &mut [u8]) {
        match self {
            Chance::System => getrandom::fill(bytes).expect("the operating system gives randomness"),
            Chance::Seeded(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes),
        }
    }

    /// A number from 1 to `sides`, each as likely as the others.
    #[must_use]
    pub fn roll(&self, sides: u32) -> u32 {
        // Rejection keeps it fair; one try in four billion is rejected for an ordinary die.
        let sides = sides.max(1);
        let fair = u32::MAX - u32::MAX % sides;
        loop {
            let mut bytes = [0; 4];
            self.fill(&mut bytes);
            let number = u32::from_le_bytes(bytes);
            if number < fair {
                return number % sides + 1;
            }
        }
    }

    /// `length` letters and digits that nobody confuses when they read them out: five bits each.
    #[must_use]
    pub fn word(&self, length: usize) -> String {
        const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut raw = vec![0; length];
        self.fill(&mut raw);
        raw.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
    }

    /// `bytes` random bytes as lowercase hexadecimal.
    #[must_use]
    pub fn hex(&self, bytes: usize) -> String {
        let mut raw = vec![0; bytes];
        self.fill(&mut raw);
        hex(&raw)
    }
}

/// Lowercase hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn a_seed_repeats_and_dice_are_fair() {
        assert_eq!(Chance::seeded(7).hex(16), Chance::seeded(7).hex(16));
        let chance = Chance::seeded(1);
        let mut counts = [0; 6];
        for _ in 0..6000 {
            counts[chance.roll(6) as usize - 1] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}
