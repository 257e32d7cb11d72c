//! Which names may be taken: letters that people write names with, in one script, and nothing that looks like
//! another name.
//!
//! Preparation is RFC 8265's (see [`name`]); the letters are those that Unicode recommends for identifiers
//! (UTS #39, section 3.1: a part of RFC 8264's IdentifierClass without what nobody types: obsolete scripts, phonetic and
//! mathematical letters); scripts mix only where a language mixes them (UTS #39, section 5.2, "highly restrictive");
//! from right to left only as RFC 5893 has it; looks are compared by skeletons (UTS #39, section 4).
//!
//! `precis-profiles` was looked at and left: its letters are more than a name needs, and it knows nothing of looks.

use std::collections::HashMap;

use chinwag_wire::{Refusal, name};
use unicode_bidi::{BidiClass, bidi_class};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::{GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection};

/// How many marks a letter may carry that do not compose with it. Two are a vowel and a tone in Thai; more climb
/// into the line above.
pub const MARKS_MAX: usize = 2;

/// Whether `wanted` is fit for a name, and the form to keep and show it in.
///
/// # Errors
/// `bad-name` or `reserved-name`.
pub fn check(wanted: &str) -> Result<String, Refusal> {
    name::check(wanted)?;
    let name = name::prepared(wanted).into_owned();
    // What is ASCII was a name before there were others, and has one script and no look-alikes.
    if name.is_ascii() {
        return Ok(name);
    }
    if let Some(odd) = name.chars().find(|c| !c.identifier_allowed() || matches!(c, '\u{640}' | '\u{7fa}')) {
        return Err(name::bad(&name, &format!(": names are not written with U+{:04X}", u32::from(odd))));
    }
    if name.as_str().detect_restriction_level() > RestrictionLevel::HighlyRestrictive {
        return Err(name::bad(&name, ": it mixes letters of different scripts"));
    }
    if mixes_digits(&name) {
        return Err(name::bad(&name, ": it mixes digits of different scripts"));
    }
    if marks_pile_up(&name) {
        return Err(name::bad(&name, ": too many marks on one letter"));
    }
    if !keeps_its_direction(&name) {
        return Err(name::bad(&name, ": it would be shown in another order than it is written"));
    }
    Ok(name)
}

/// The looks of a name: two names with one in common cannot be told apart. As written, and in the form names are
/// compared in, because capitals have other look-alikes than small letters. Of ASCII it is the compared form.
#[must_use]
pub fn skeletons(name: &str) -> Vec<String> {
    let folded = name::folded(name);
    if folded.is_ascii() && name.is_ascii() {
        return vec![folded];
    }
    let mut skeletons = vec![skeleton(&folded)];
    let as_written = name::prepared(name);
    if *as_written != folded {
        skeletons.push(skeleton(&as_written));
        skeletons.dedup();
    }
    skeletons
}

/// UTS #39's skeleton in lower case, but `m` stays apart from `rn`, `0` from `O`, and `1` and `I` from `l`: those are names
/// of many people already (the tweak is that of other chat servers).
fn skeleton(name: &str) -> String {
    /// A look-alike in lower case may have a look-alike of its own; chains are short.
    const ROUNDS: usize = 4;
    let mut now: String = name.nfd().collect();
    for _ in 0..ROUNDS {
        let mut next = String::with_capacity(now.len());
        let mut changed = false;
        for c in now.chars() {
            let from = next.len();
            match c {
                // A dot above what has one already (`i̇`, the lower case of Turkish `İ`) cannot be seen.
                '\u{307}' if next.ends_with(['i', 'j']) => {}
                _ if c.is_ascii() => next.push(c.to_ascii_lowercase()),
                _ => {
                    for alike in unicode_security::skeleton(c.encode_utf8(&mut [0; 4])) {
                        // `l` stands for what looks like it, and for what looks like `I`, which here is another letter.
                        if alike == 'l' && c.is_uppercase() { next.push('i') } else { next.extend(alike.to_lowercase()) }
                    }
                }
            }
            changed |= next[from..] != *c.encode_utf8(&mut [0; 4]);
        }
        now = next;
        if !changed || now.is_ascii() {
            break;
        }
    }
    name::prepared(&now).into_owned()
}

/// Digits of two sets look alike and differ in value (UTS #39, section 5.3). A set never crosses a block of 16.
fn mixes_digits(name: &str) -> bool {
    let mut sets = name.chars().filter(|c| c.is_numeric()).map(|c| u32::from(c) >> 4);
    let first = sets.next();
    sets.any(|set| Some(set) != first)
}

/// Whether a letter carries more marks than [`MARKS_MAX`], or one of them twice.
fn marks_pile_up(name: &str) -> bool {
    let mut marks: HashMap<char, usize> = HashMap::new();
    for c in name.chars() {
        if !is_combining_mark(c) {
            marks.clear();
            continue;
        }
        *marks.entry(c).or_default() += 1;
        if marks[&c] > 1 || marks.len() > MARKS_MAX {
            return true;
        }
    }
    false
}

/// The rule of RFC 5893, section 2, for a name of one script: what is written from right to left begins with such a
/// letter, holds no other, and ends with such a letter or a digit, so that it moves nothing that stands beside it.
fn keeps_its_direction(name: &str) -> bool {
    use BidiClass::{AL, AN, BN, CS, EN, ES, ET, NSM, ON, R};
    let classes: Vec<BidiClass> = name.chars().map(bidi_class).collect();
    if !classes.iter().any(|class| matches!(class, R | AL | AN)) {
        return true;
    }
    matches!(classes.first(), Some(R | AL))
        && classes.iter().all(|class| matches!(class, R | AL | AN | EN | ES | CS | ET | ON | BN | NSM))
        && matches!(classes.iter().rev().find(|class| **class != NSM), Some(R | AL | AN | EN))
}

#[cfg(test)]
mod tests {
    use chinwag_wire::code;
    use proptest::prelude::*;

    use super::*;

    fn alike(a: &str, b: &str) -> bool {
        let b = skeletons(b);
        skeletons(a).iter().any(|skeleton| b.contains(skeleton))
    }

    #[test]
    fn names_of_the_world() {
        for good in [
            "Émilie",
            "Łukasz",
            "Жанна",
            "Νίκος",
            "山田太郎",
            "さくら",
            "김철수",
            "नीता",
            "นที่",
            "שלום",
            "محمد",
            "שלום1",
            "Nguyễn",
            "İpek",
            "jürgen.groß",
        ] {
            assert_eq!(check(good).as_deref(), Ok(good));
        }
        assert_eq!(check("ｅｖａｎ").as_deref(), Ok("evan"));
        assert_eq!(check("E\u{301}milie").as_deref(), Ok("Émilie"));
    }

    #[test]
    fn what_is_no_name() {
        for (bad, why) in [
            ("еmily", "Cyrillic in Latin"),
            ("αlice", "Greek in Latin"),
            ("davidדוד", "right to left in Latin"),
            ("דודdavid", "Latin in right to left"),
            ("דוד-", "ends without a direction"),
            ("1דוד", "begins with a digit"),
            ("محمد1٢", "two sets of digits"),
            ("محـمد", "tatweel"),
            ("𝓮𝓿𝓪𝓷", "mathematical letters"),
            ("eｖan\u{200b}", "zero width"),
            ("ev\u{200d}an", "zero-width joiner"),
            ("ev\u{fe0f}an", "variation selector"),
            ("ev\u{ad}an", "soft hyphen"),
            ("x\u{301}\u{302}\u{303}", "three marks"),
            ("x\u{301}\u{301}", "a mark twice"),
            ("ﬁona", "ligature"),
            ("Ⓐlice", "circled"),
            ("x²", "superscript"),
            ("ɑdmin", "phonetic letter"),
            ("ᚠᚢᚦ", "runes"),
            ("a\u{2010}b", "another hyphen"),
        ] {
            assert_eq!(check(bad).map_err(|refusal| refusal.code), Err(code::BAD_NAME), "{bad} {why}");
        }
    }

    #[test]
    fn looks() {
        for (a, b) in
            [("сосо", "coco"), ("ВОВ", "bob"), ("ІСЕ", "ice"), ("аӏех", "alex"), ("İpek", "ipek"), ("ΝΙΚΟ", "niko"), ("ѕсоре", "Scope")]
        {
            assert!(alike(a, b), "{a} {b}: {:?} {:?}", skeletons(a), skeletons(b));
        }
        for (a, b) in [("émilie", "emilie"), ("rn", "m"), ("0", "o"), ("1", "l"), ("вов", "bob"), ("жанна", "zhanna"), ("alice", "aiice")]
        {
            assert!(!alike(a, b), "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn ascii_names_look_like_themselves_only(name in "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,10}") {
            prop_assert_eq!(skeletons(&name), vec![name::folded(&name)]);
            prop_assert_eq!(skeleton(&name), name::folded(&name));
        }

        #[test]
        fn whatever_is_typed_is_a_name_or_refused(typed in ".{0,40}") {
            if let Ok(name) = check(&typed) {
                prop_assert_eq!(check(&name), Ok(name.clone()));
                prop_assert_eq!(name::folded(&name), name::folded(&typed));
                prop_assert!(name.len() <= name::NAME_BYTES && name.chars().count() <= name::NAME_MAX);
                prop_assert!(!name.contains(|c: char| " ,*?!@:\"#~&%+/\\".contains(c) || c.is_control()));
                prop_assert_eq!(skeletons(&name), skeletons(&typed));
            }
        }

        #[test]
        fn a_skeleton_is_its_own(letters in proptest::collection::vec(proptest::sample::select(LETTERS), 1..8)) {
            let name: String = letters.into_iter().collect();
            for skeleton in skeletons(&name) {
                prop_assert_eq!(super::skeleton(&skeleton), skeleton);
            }
        }
    }

    const LETTERS: &[char] =
        &['a', 'B', 'm', 'I', '0', 'é', 'ß', 'ı', 'İ', 'а', 'В', 'І', 'ӏ', 'Ӏ', 'ς', 'Σ', 'Ν', 'λ', 'ш', 'א', 'ا', 'カ', '口', '工'];
}
