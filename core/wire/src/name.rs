//! Names: how they are written, when two are the same, and when one is meant.
//!
//! What is here needs no large tables, so that a client can have it. What a name must not look like is the server's
//! business, who decides: `chinwag_core::naming`.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::refusal::{Refusal, code};

/// The longest name, in characters. Long enough for `firstname.lastname`, short enough for a prompt.
pub const NAME_MAX: usize = 32;

/// The longest name, in bytes of UTF-8: every character of two bytes, or 21 of three, which are two columns wide each.
pub const NAME_BYTES: usize = 64;

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

/// The form a name is kept and shown in: wide and narrow forms of letters as the letters (`ｅｖａｎ` is `evan`), composed
/// (NFC), upper and lower case as typed. The width mapping and normalization of RFC 8265, section 3.3.
#[must_use]
pub fn prepared(name: &str) -> Cow<'_, str> {
    let is_wide = |c: char| ('\u{ff01}'..='\u{ffef}').contains(&c);
    if name.is_ascii() || (!name.contains(is_wide) && is_nfc_quick(name.chars()) == IsNormalized::Yes) {
        return Cow::Borrowed(name);
    }
    let mut narrow = String::with_capacity(name.len());
    for c in name.chars() {
        if is_wide(c) { narrow.extend(std::iter::once(c).nfkc()) } else { narrow.push(c) }
    }
    Cow::Owned(narrow.nfc().collect())
}

/// The form two names are compared in: `Alice` and `alice` are one account, and so are `Émilie` and `émilie` however
/// they were typed. The case mapping of UsernameCaseMapped, RFC 8265, section 3.3.
#[must_use]
pub fn folded(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let lower = prepared(name).to_lowercase();
    match prepared(&lower) {
        Cow::Borrowed(_) => lower,
        // Lower case may be of several characters, which compose with what follows: once more finds nothing new.
        Cow::Owned(composed) => composed.to_lowercase().nfc().collect(),
    }
}

/// Whether `typed` is how `name` begins, in the form they are compared in: for completion.
#[must_use]
pub fn begins(name: &str, typed: &str) -> bool {
    folded(name).starts_with(&folded(typed))
}

/// The words of `text` that could be names: runs of what names are made of, each with its place.
pub fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let words = text.split(|c| !is_part(c)).filter(|word| !word.is_empty());
    words.map(|word| (word.as_ptr().addr() - text.as_ptr().addr(), word))
}

/// Those of them that stand behind an `@` that begins a word, as in `thanks, @bob!`, each with the place of the `@`.
pub fn behind_at(text: &str) -> impl Iterator<Item = (usize, &str)> {
    words(text).filter_map(|(place, word)| {
        let before = text[..place].strip_suffix('@')?;
        (!before.ends_with(is_part)).then_some((before.len(), word))
    })
}

/// The names that `word` may mean, the longest first: a full stop behind a name may be its last character, or the end of
/// the sentence.
pub fn readings(word: &str) -> impl Iterator<Item = &str> {
    let marks = ['.', '-', '_'];
    // Typed decomposed and wide, a name is a few times as long as it is kept; more is no name.
    let whole = Some(word).filter(|word| word.len() <= 4 * NAME_BYTES);
    let less = whole.and_then(|word| word.strip_suffix(marks));
    let least = less.map(|word| word.trim_end_matches(marks)).filter(|least| Some(*least) != less);
    [whole, less, least].into_iter().flatten().filter(|word| !word.is_empty())
}

/// Whether names are made of it.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '_' | '-' | '.')
}

/// Whether `name` is written as names are: letters and digits with their marks, `_`, `-` and `.`, beginning with a letter
/// or digit, at most [`NAME_MAX`] characters and [`NAME_BYTES`] bytes, none of [`RESERVED`]. The server looks closer
/// at letters other than ASCII.
///
/// # Errors
/// `bad-name` or `reserved-name`.
pub fn check(name: &str) -> Result<(), Refusal> {
    let name = &*prepared(name);
    if name.chars().count() > NAME_MAX || !name.starts_with(char::is_alphanumeric) || !name.chars().all(is_part) {
        return Err(bad(name, ""));
    }
    if name.len() > NAME_BYTES {
        return Err(bad(name, &format!(": it is longer than {NAME_BYTES} bytes")));
    }
    if RESERVED.contains(&folded(name).as_str()) {
        return Err(Refusal::new(code::RESERVED_NAME, format!("the name `{name}` is reserved")).hint("choose another name"));
    }
    Ok(())
}

/// `bad-name`, for the reason `why`, which follows the sentence.
#[must_use]
pub fn bad(name: &str, why: &str) -> Refusal {
    Refusal::new(code::BAD_NAME, format!("`{}` cannot be a name{why}", shortened(name)))
        .hint(format!("use up to {NAME_MAX} letters, digits, `_`, `-` or `.`, beginning with a letter or digit"))
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names() {
        for good in ["alice", "Bob", "x", "a-b_c.d", "007", "Émilie", "жанна", "山田太郎", "นภา"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a b",
            "-rf",
            ".dot",
            "a:",
            "@bob",
            "#a",
            "~a",
            "a,b",
            "a*",
            "a?",
            "a!",
            "a\"",
            "a/b",
            "a\u{a0}b",
            "a\u{200b}b",
            "a\u{202e}b",
            "a\u{1b}[1m",
            "\u{301}a",
            "a\u{ff1a}b",
            "a\u{ff20}b",
            "😀",
            &"x".repeat(33),
            &"山".repeat(22),
        ] {
            assert_eq!(check(bad).map_err(|r| r.code), Err(code::BAD_NAME), "{bad:?}");
        }
        assert_eq!(check("ALL").map_err(|r| r.code), Err(code::RESERVED_NAME));
        assert_eq!(check("ａｄｍｉｎ").map_err(|r| r.code), Err(code::RESERVED_NAME));
    }

    #[test]
    fn one_name_in_several_ways_of_writing() {
        for (a, b) in [("Émilie", "E\u{301}MILIE"), ("ｅｖａｎ", "Evan"), ("ΝΊΚΟΣ", "νίκος"), ("ｶﾞﾝ", "ガン"), ("Straße", "straße")]
        {
            assert_eq!(folded(a), folded(b), "{a} {b}");
        }
        assert_ne!(folded("strasse"), folded("straße"), "RFC 8265, table 3");
        assert!(begins("Émilie", "e\u{301}m") && begins("Bob", "b") && !begins("Bob", "bobb"));
    }

    fn is_mentioned(text: &str, name: &str) -> bool {
        behind_at(text).any(|(at, word)| {
            assert!(text[at..].starts_with(&format!("@{word}")), "{text}");
            readings(word).any(|word| folded(word) == folded(name))
        })
    }

    #[test]
    fn mentions() {
        for text in ["@bob", "hi @BOB!", "(@bob)", "@bob: look", "hi @bob.", "see @bob...", "x@bob @bob", "both,@bob", "@@bob"] {
            assert!(is_mentioned(text, "Bob"), "{text}");
        }
        for text in ["bob", "@bobby", "mail x@bob", "@bo", "@", "@bob.b", "@ bob"] {
            assert!(!is_mentioned(text, "bob"), "{text}");
        }
        assert!(is_mentioned("merci @e\u{301}milie", "Émilie"));
        assert!(is_mentioned("@a.b. @x", "a.b.") && is_mentioned("@a.b..", "a.b.") && is_mentioned("@a_.", "a_"));
        assert!(is_mentioned("@ต้น:", "ต้น"), "a tone mark is part of a name");
        assert_eq!(readings(&"x".repeat(4 * NAME_BYTES + 1)).count(), 0);
        assert_eq!(readings("...").collect::<Vec<_>>(), ["...", ".."]);
    }

    proptest! {
        #[test]
        fn folding_is_stable(name in ".{0,12}") {
            let once = folded(&name);
            prop_assert_eq!(folded(&once), once.clone());
            prop_assert_eq!(folded(&prepared(&name)), once);
        }

        #[test]
        fn a_mention_of_a_name_is_one(name in "[a-zA-Zéа-я0-9][a-zA-Zé0-9_.-]{0,8}", before in "[ (,:]?", after in "[ ),:!]?") {
            let text = format!("{before}@{name}{after}");
            prop_assert!(is_mentioned(&text, &name));
        }
    }
}
