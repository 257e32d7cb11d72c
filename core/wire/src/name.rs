//! Account names: which are allowed, and when two are the same.

use crate::refusal::{Refusal, code};

/// The longest name, in characters. Long enough for `firstname.lastname`, short enough for a prompt.
pub const NAME_MAX: usize = 32;

/// Words that stand for somebody or something else in commands, notices and addresses.
pub const RESERVED: &[&str] = &[
    "admin",
    "administrator",
    "all",
    "chinwag",
    "console",
    "everyone",
    "moderator",
    "nobody",
    "operator",
    "root",
    "server",
    "system",
    "unknown",
];

/// The form two names are compared in: `Alice` and `alice` are one account.
#[must_use]
pub fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Whether `name` may belong to an account: ASCII letters, digits, `_`, `-` and `.`, beginning with a letter
/// or digit, at most [`NAME_MAX`] characters, none of [`RESERVED`].
///
/// # Errors
/// `bad-name` or `reserved-name`.
pub fn check(name: &str) -> Result<(), Refusal> {
    let hint = format!("use up to {NAME_MAX} letters, digits, `_`, `-` or `.`, beginning with a letter or digit");
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.chars().count() > NAME_MAX || !name.chars().all(allowed) {
        return Err(Refusal::new(code::BAD_NAME, format!("`{}` cannot be a name", shortened(name))).hint(hint));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(Refusal::new(code::BAD_NAME, format!("`{name}` cannot be a name")).hint(hint));
    }
    if RESERVED.contains(&folded(name).as_str()) {
        return Err(Refusal::new(code::RESERVED_NAME, format!("the name `{name}` is reserved")).hint("choose another name"));
    }
    Ok(())
}

/// A word fit for an error message: not longer than a name may be.
#[must_use]
pub fn shortened(word: &str) -> String {
    if word.chars().count() <= NAME_MAX {
        return word.to_owned();
    }
    let mut short: String = word.chars().take(NAME_MAX).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["alice", "Bob", "x", "a-b_c.d", "007"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "-rf", ".dot", "ali\u{441}e", "a:", "@bob", &"x".repeat(33)] {
            assert_eq!(check(bad).map_err(|r| r.code), Err(code::BAD_NAME), "{bad}");
        }
        assert_eq!(check("ALL").map_err(|r| r.code), Err(code::RESERVED_NAME));
    }
}
