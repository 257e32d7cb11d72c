//! No command: what the commands that list people have in common.

use std::collections::BTreeMap;

use chinwag_core::hall::User;
use chinwag_core::prelude::*;
use chinwag_core::wire::PeopleOf;
use chinwag_core::wire::name::folded;

/// How many people a list names at most: more than anyone reads, a small part of what a connection may have
/// waiting.
pub(crate) const LISTED_MAX: usize = 1000;

/// The names of `people`, as far as they are listed.
pub(crate) fn names<'a>(of: PeopleOf, people: impl Iterator<Item = (UserId, &'a User)>) -> Event {
    let (people, more) = by_name(people);
    let names = people.into_iter().map(|(_, user)| user.name.to_string()).collect();
    Event::People { of, names, idle: BTreeMap::new(), more }
}

/// The names of `people`, who are online, and who of them has done nothing for a while.
pub(crate) fn online<'a>(view: &View<'a>, people: impl Iterator<Item = (UserId, &'a User)>) -> Event {
    let (people, more) = by_name(people);
    let idle = people.iter().filter_map(|(id, user)| Some((user.name.to_string(), view.idle(*id)?))).collect();
    let names = people.into_iter().map(|(_, user)| user.name.to_string()).collect();
    Event::People { of: PeopleOf::Online, names, idle, more }
}

/// `people` sorted by name, as far as they are listed, and whether there are more.
pub(crate) fn by_name<'a>(people: impl Iterator<Item = (UserId, &'a User)>) -> (Vec<(UserId, &'a User)>, bool) {
    first(people.map(|(id, user)| (folded(&user.name), (id, user))), LISTED_MAX)
}

/// Replies with `lines`, and then how many there are of `what`.
pub(crate) fn facts(ctx: &mut Ctx, what: &str, lines: Vec<Fact>, more: bool) {
    let count = lines.len();
    for line in lines {
        ctx.reply(Event::Fact(line));
    }
    let plural = if count == 1 { "" } else { "s" };
    let rest = if more { ", and more that are not listed" } else { "" };
    let end = Fact::new(format!("{what}s"), format!("* {count} {what}{plural}{rest}"));
    ctx.reply(Event::Fact(end.with("count", count).with("more", more)));
}

/// The values of the first `most` keys in order, and whether there are more.
pub(crate) fn first<T>(all: impl Iterator<Item = (String, T)>, most: usize) -> (Vec<T>, bool) {
    let mut all: Vec<(String, T)> = all.collect();
    let more = all.len() > most;
    if more {
        // Sorting all of them to show a few would be work for nothing.
        all.select_nth_unstable_by(most, |(a, _), (b, _)| a.cmp(b));
        all.truncate(most);
    }
    all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    (all.into_iter().map(|(_, value)| value).collect(), more)
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn a_list_is_sorted_and_says_when_it_is_cut() {
        let all = |names: &str| names.chars().map(|name| (name.to_string(), name)).collect::<Vec<_>>().into_iter();
        for (names, most, listed, more) in [("", 2, "", false), ("ba", 2, "ab", false), ("dcab", 2, "ab", true), ("cab", 0, "", true)] {
            let expected: Vec<char> = listed.chars().collect();
            assert_eq!(first(all(names), most), (expected, more), "{names} {most}");
        }
    }
}
