//! Delta debugging: the least of a list that still fails.
//!
//! Zeller's ddmin drops ever smaller runs of items until none can be dropped. What it cannot see is that two items
//! far apart go only together (a login and its logout, a block and its undoing), so that pairs are tried as well.

/// Up to so many items every pair is tried: a number of runs that grows with its square.
const PAIRS_MAX: usize = 48;

/// The items, in their order, of which none, and no two while they are few, can be left out without `fails` becoming
/// false. `items` themselves are taken to fail.
pub fn minimal<T: Clone>(items: &[T], mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut items = items.to_vec();
    loop {
        items = without_runs(items, &mut fails);
        match without_a_pair(&items, &mut fails) {
            Some(fewer) => items = fewer,
            None => return items,
        }
    }
}

fn without_runs<T: Clone>(mut items: Vec<T>, fails: &mut impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut length = items.len().div_ceil(2).max(1);
    loop {
        let before = items.len();
        // From the end: what comes last needs what came first more often than the other way round.
        let mut end = items.len();
        while end > 0 {
            let start = end.saturating_sub(length);
            let fewer = [&items[..start], &items[end..]].concat();
            if fails(&fewer) {
                items = fewer;
            }
            end = start;
        }
        if length > 1 {
            length = length.div_ceil(2);
        } else if items.len() == before {
            return items;
        }
    }
}

fn without_a_pair<T: Clone>(items: &[T], fails: &mut impl FnMut(&[T]) -> bool) -> Option<Vec<T>> {
    if items.len() > PAIRS_MAX {
        return None;
    }
    for last in (1..items.len()).rev() {
        for first in (0..last).rev() {
            let fewer = [&items[..first], &items[first + 1..last], &items[last + 1..]].concat();
            if fails(&fewer) {
                return Some(fewer);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_stays() {
        let all: Vec<u32> = (0..100).collect();
        assert_eq!(minimal(&all, |some| some.contains(&17) && some.contains(&83)), [17, 83]);
        assert_eq!(minimal(&all, |_| true), [0; 0]);
        assert_eq!(minimal(&all, |some| some.len() >= 7).len(), 7);
        assert_eq!(minimal(&[1], |some| some == [1]), [1]);
    }

    #[test]
    fn pairs_that_go_only_together_go() {
        // 3 and 9 open and close something: one without the other is no failure of this kind.
        let balanced = |some: &[u32]| some.contains(&3) == some.contains(&9) && some.contains(&5);
        let all: Vec<u32> = (0..12).collect();
        let mut runs = 0;
        assert_eq!(
            minimal(&all, |some| {
                runs += 1;
                balanced(some)
            }),
            [5]
        );
        assert!(runs < 200, "{runs} runs");
    }

    #[test]
    fn whatever_comes_out_fails() {
        let mut chance = fastrand::Rng::with_seed(3);
        for _ in 0..50 {
            let wanted: Vec<u32> = (0..chance.u32(1..5)).map(|_| chance.u32(..60)).collect();
            let fails = |some: &[u32]| wanted.iter().all(|one| some.contains(one));
            let all: Vec<u32> = (0..60).collect();
            let least = minimal(&all, fails);
            assert!(fails(&least));
            assert!(least.iter().all(|one| wanted.contains(one)));
        }
    }
}
