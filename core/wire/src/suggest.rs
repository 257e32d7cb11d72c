//! "Did you mean": the nearest of what there is.

/// The candidate nearest to `wrong`, if it is near enough to be a slip of the fingers.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    // One slip in three letters: `bbo` is `bob`, but `eve` is not `bob`.
    let allowed = (wrong.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&wrong, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.cmp(y)))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_found_and_a_stranger_is_not() {
        assert_eq!(nearest("mesage", ["message", "broadcast"]), Some("message"));
        assert_eq!(nearest("bbo", ["alice", "bob"]), Some("bob"));
        assert_eq!(nearest("xyzzy", ["message", "broadcast"]), None);
    }
}
