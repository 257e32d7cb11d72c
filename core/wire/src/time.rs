//! Points in time and lengths of time as they stand on the wire.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// This moment and `by` more; stops at the end of what fits.
    #[must_use]
    pub fn plus(self, by: Duration) -> Millis {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        Millis(self.0.saturating_add(by))
    }

    /// How long it is from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Millis) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// `2026-11-21 10:00:03Z`: UTC, because a server does not know where its readers are.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The range that the formatter takes: years 1970 to 9999.
        const YEAR_10000: i64 = 253_402_300_800;
        let seconds = (self.0.div_euclid(1000)).clamp(0, YEAR_10000 - 1);
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs());
        let text = humantime::format_rfc3339_seconds(moment).to_string();
        f.write_str(&text.replacen('T', " ", 1))
    }
}

/// Reads `90`, `90s`, `15m`, `1h`, `2d` or sums like `1h30m`; a bare number means seconds.
///
/// # Errors
/// A sentence that says what was expected.
pub fn read_duration(word: &str) -> Result<Duration, String> {
    let expected = || format!("`{word}` is not a length of time such as `90`, `15m`, `1h` or `2d`");
    if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) {
        return word.parse().map(Duration::from_secs).map_err(|_| expected());
    }
    humantime::parse_duration(word).map_err(|_| expected())
}

/// Reads `2026-01-31`, `2026-01-31T18:30` or `2026-01-31T18:30:05`, with or without the `Z`: UTC, as it is shown. A day
/// means its beginning.
///
/// # Errors
/// A sentence that says what was expected.
pub fn read_moment(word: &str) -> Result<Millis, String> {
    let expected = || format!("`{word}` is not a moment such as `2026-01-31` or `2026-01-31T18:30`");
    let bare = word.strip_suffix(['Z', 'z']).unwrap_or(word);
    let full = match bare.len() {
        _ if !bare.is_ascii() => return Err(expected()),
        10 => format!("{bare}T00:00:00Z"),
        16 => format!("{bare}:00Z"),
        _ => format!("{bare}Z"),
    };
    let moment = humantime::parse_rfc3339_weak(&full).map_err(|_| expected())?;
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| expected())?;
    i64::try_from(since.as_millis()).map(Millis).map_err(|_| expected())
}

/// `2d`, `1h 30m`, `45s`: for people, and as they type it.
#[must_use]
pub fn show_duration(length: Duration) -> String {
    let mut left = length.as_secs();
    let mut parts = Vec::new();
    for (unit, seconds) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if left >= seconds {
            parts.push(format!("{}{unit}", left / seconds));
            left %= seconds;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_they_are_shown() {
        for (word, shown) in [
            ("2026-01-31", "2026-01-31 00:00:00Z"),
            ("2026-01-31T18:30", "2026-01-31 18:30:00Z"),
            ("2026-01-31T18:30:05z", "2026-01-31 18:30:05Z"),
            ("1970-01-01Z", "1970-01-01 00:00:00Z"),
        ] {
            assert_eq!(read_moment(word).map(|moment| moment.to_string()), Ok(shown.to_owned()));
        }
        for wrong in
            ["", "Z", "noon", "2026-02-30", "2026-13-01", "2026-01-31T25:00", "26-01-31", "1969-12-31", "２０２６-01-31", "2026-01-31T"]
        {
            assert!(read_moment(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_read_as_people_write_them() {
        assert_eq!(read_duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(read_duration("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(read_duration("1h30m"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "-1", "1.5", "fortnight", "99999999999999999999", "1 fortnight"] {
            assert!(read_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_show_as_people_type_them() {
        for (seconds, shown) in [(0, "0s"), (45, "45s"), (5400, "1h 30m"), (172_800, "2d"), (u64::MAX, "213503982334601d 7h 15s")] {
            assert_eq!(show_duration(Duration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn moments_are_utc_and_never_panic() {
        assert_eq!(Millis(1_700_000_000_123).to_string(), "2023-11-14 22:13:20Z");
        for extreme in [i64::MIN, -1, 0, i64::MAX] {
            assert!(!Millis(extreme).to_string().is_empty());
        }
    }
}
