//! Who holds which name, and what looks like it. One index for everyone and everything that has a name, so that
//! nobody can look like somebody else.

use std::collections::HashMap;

use chinwag_wire::{Refusal, code, name};

use super::UserId;
use crate::naming;

/// Who or what has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An account, or a guest for as long as it is here.
    User(UserId),
    /// Another name of a user.
    Nickname(UserId),
    /// A room, by its number.
    Room(i64),
}

impl Holder {
    /// The user whose name it is, if it is a user's.
    #[must_use]
    pub fn user(self) -> Option<UserId> {
        match self {
            Holder::User(user) | Holder::Nickname(user) => Some(user),
            Holder::Room(_) => None,
        }
    }
}

/// What somebody wants a name for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameOf {
    /// A new account.
    Account,
    /// A guest.
    Guest,
    /// Another name of this user, who may have one that looks like the first.
    Nickname(UserId),
    /// A room (without the `#`).
    Room,
}

/// The index. It is made anew at start: nothing of it is stored.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By the form names are compared in.
    holders: HashMap<Box<str>, Holder>,
    /// By looks, where they are not the compared form of the same name: for names that are ASCII there is none.
    looks: HashMap<Box<str>, Holder>,
}

impl Names {
    pub(super) fn with_capacity(names: usize) -> Names {
        Names { holders: HashMap::with_capacity(names), looks: HashMap::new() }
    }

    /// Who has this name, however it is written.
    pub(super) fn holder(&self, name: &str) -> Option<Holder> {
        self.holders.get(name::folded(name).as_str()).copied()
    }

    /// Whether `wanted` is fit for a name and free, and the form to keep it in.
    pub(super) fn check_free(&self, wanted: &str, of: NameOf) -> Result<String, Refusal> {
        let name = naming::check(wanted)?;
        let hint = match of {
            NameOf::Account | NameOf::Guest => "choose another name, or log in if it is yours",
            NameOf::Nickname(_) | NameOf::Room => "choose another name",
        };
        let is_somebody_elses = |holder: &Holder| !matches!(of, NameOf::Nickname(user) if holder.user() == Some(user));
        let holder = self.holder(&name).filter(is_somebody_elses);
        if matches!((holder, of), (Some(Holder::User(id)), NameOf::Account | NameOf::Guest) if id.is_guest()) {
            return Err(Refusal::new(code::NAME_IN_USE, format!("a guest is called `{name}` at the moment")).hint("choose another name"));
        }
        if holder.is_some() {
            return Err(Refusal::new(code::NAME_TAKEN, format!("the name `{name}` is taken")).hint(hint));
        }
        for look in naming::skeletons(&name) {
            if name::RESERVED.contains(&look.as_str()) {
                return Err(like_a_reserved_one(&name));
            }
            // Whose name it looks like is not said: it may be one that the asker must not know of.
            if [&self.holders, &self.looks].iter().any(|index| index.get(look.as_str()).is_some_and(is_somebody_elses)) {
                let text = format!("the name `{name}` looks like one that is taken");
                return Err(Refusal::new(code::LOOK_ALIKE, text).hint("choose another name"));
            }
        }
        Ok(name)
    }

    /// Notes that `holder` has this name. Who had it first keeps it: names from before there was a rule stay.
    pub(super) fn take(&mut self, name: &str, holder: Holder) {
        let folded: Box<str> = name::folded(name).into();
        for look in naming::skeletons(name).into_iter().filter(|look| **look != *folded) {
            self.looks.entry(look.into()).or_insert(holder);
        }
        self.holders.entry(folded).or_insert(holder);
    }

    /// Notes that `holder` has it no more.
    pub(super) fn give_back(&mut self, name: &str, holder: Holder) {
        remove_if_of(&mut self.holders, &name::folded(name), holder);
        for look in naming::skeletons(name) {
            remove_if_of(&mut self.looks, &look, holder);
        }
    }
}

/// The refusal of a name that looks like a word of the server's, or like the name of one of its operators.
pub(super) fn like_a_reserved_one(name: &str) -> Refusal {
    Refusal::new(code::RESERVED_NAME, format!("the name `{name}` looks like a reserved one")).hint("choose another name")
}

fn remove_if_of(index: &mut HashMap<Box<str>, Holder>, key: &str, holder: Holder) {
    if index.get(key) == Some(&holder) {
        index.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(result: Result<String, Refusal>) -> chinwag_wire::Code {
        result.expect_err("taken").code
    }

    #[test]
    fn nobody_looks_like_somebody_else() {
        let mut names = Names::default();
        names.take("coco", Holder::User(UserId(1)));
        names.take("Жанна", Holder::User(UserId(-1)));
        names.take("ВОВ", Holder::Room(7));
        for of in [NameOf::Account, NameOf::Guest, NameOf::Nickname(UserId(2)), NameOf::Room] {
            assert_eq!(code_of(names.check_free("Coco", of)), code::NAME_TAKEN);
            assert_eq!(code_of(names.check_free("ｃｏｃｏ", of)), code::NAME_TAKEN);
            assert_eq!(code_of(names.check_free("сосо", of)), code::LOOK_ALIKE);
            let of_a_guest = if matches!(of, NameOf::Account | NameOf::Guest) { code::NAME_IN_USE } else { code::NAME_TAKEN };
            assert_eq!(code_of(names.check_free("жанна", of)), of_a_guest);
            assert_eq!(code_of(names.check_free("bob", of)), code::LOOK_ALIKE);
            assert_eq!(code_of(names.check_free("аӏӏ", of)), code::RESERVED_NAME, "all, in Cyrillic");
            assert_eq!(code_of(names.check_free("ＡＬＬ", of)), code::RESERVED_NAME);
        }
        assert_eq!(names.check_free("сосо", NameOf::Nickname(UserId(1))).as_deref(), Ok("сосо"), "like oneself");
        assert_eq!(names.check_free("cocoa", NameOf::Account).as_deref(), Ok("cocoa"));
    }

    #[test]
    fn a_name_given_back_is_free_with_its_looks() {
        let mut names = Names::default();
        names.take("сосо", Holder::User(UserId(1)));
        assert_eq!(code_of(names.check_free("coco", NameOf::Account)), code::LOOK_ALIKE);
        names.give_back("сосо", Holder::User(UserId(2)));
        assert_eq!(code_of(names.check_free("coco", NameOf::Account)), code::LOOK_ALIKE, "another's is not given back");
        names.give_back("сосо", Holder::User(UserId(1)));
        assert_eq!(names.check_free("coco", NameOf::Account).as_deref(), Ok("coco"));
        assert!(names.holders.is_empty() && names.looks.is_empty());
    }

    #[test]
    fn names_from_before_the_rule_stay() {
        let mut names = Names::default();
        names.take("coco", Holder::User(UserId(1)));
        names.take("сосо", Holder::User(UserId(2)));
        assert_eq!(names.holder("СОСО"), Some(Holder::User(UserId(2))));
        assert_eq!(names.holder("coco"), Some(Holder::User(UserId(1))));
    }
}
