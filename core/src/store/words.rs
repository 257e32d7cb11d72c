//! What a text is found by: its words, and what somebody looks for.
//!
//! Both sides of a search go through [`words`], and only what it makes reaches the index: what is a word is said once, and no sign
//! that means something to the index can come from a user. Case, accents and the width of letters do not count. Writing without
//! spaces (Chinese, Japanese) is taken apart into its characters, which are found one behind the other.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

/// How many words one may look for at once: a long sentence. Each is a way through the index.
pub const WANTED_MAX: usize = 32;

/// How many characters stand before a `*` at least: below that, everything begins with them.
pub const PREFIX_MIN: usize = 3;

/// The words of `text`, in the form in which they are compared.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut words = Words { done: Vec::new(), word: String::new() };
    if text.is_ascii() {
        text.chars().for_each(|c| words.push(c.to_ascii_lowercase()));
    } else {
        text.nfkd().filter(|c| !is_accent(*c)).flat_map(char::to_lowercase).filter(|c| !is_accent(*c)).for_each(|c| words.push(c));
    }
    words.end();
    words.done
}

/// Appends the words of `text` to `into`, with blanks between them.
pub(super) fn append_words(text: &str, into: &mut String) {
    if text.is_ascii() {
        // Nearly all that is said in many places; nothing but letters and digits is part of a word.
        into.extend(text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }));
    } else {
        into.push_str(&words(text).join(" "));
    }
}

struct Words {
    done: Vec<String>,
    word: String,
}

impl Words {
    fn push(&mut self, c: char) {
        match c {
            'ß' => self.word.push_str("ss"),
            // At the end of a word or not: one letter.
            'ς' => self.word.push('σ'),
            c if is_written_without_spaces(c) => {
                self.end();
                self.word.push(c);
            }
            c if c.is_alphanumeric() || is_combining_mark(c) => {
                if self.word.chars().next().is_some_and(is_written_without_spaces) && !is_combining_mark(c) {
                    self.end();
                }
                self.word.push(c);
            }
            _ => self.end(),
        }
    }

    fn end(&mut self) {
        if !self.word.is_empty() {
            self.done.push(std::mem::take(&mut self.word));
        }
    }
}

/// An accent, a point or a tone that many leave out: by canonical combining class, those of Latin, Greek and Cyrillic (above 200) and of
/// Hebrew and Arabic (10 to 35). The vowels of Indic scripts and the marks of Japanese make another word.
fn is_accent(c: char) -> bool {
    matches!(canonical_combining_class(c), 10..=35 | 200..)
}

/// Han, Hiragana and Katakana.
fn is_written_without_spaces(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{3096}' | '\u{309d}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// What somebody looks for: all of these, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    terms: Vec<Term>,
}

/// Words that stand one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    words: Vec<String>,
    /// The last of them is how a word begins.
    begins: bool,
}

impl Wanted {
    /// Looks for `text` too: a word, or several that stand one behind the other; with a `*` at the end, how the last begins. What has no
    /// word in it adds nothing.
    ///
    /// # Errors
    /// The beginning of a word that is shorter than [`PREFIX_MIN`].
    pub fn add<'a>(&mut self, text: &'a str) -> Result<(), &'a str> {
        let begins = text.ends_with('*');
        let words = words(text);
        let Some(last) = words.last() else { return Ok(()) };
        if begins && last.chars().count() < PREFIX_MIN && !last.chars().all(is_written_without_spaces) {
            return Err(text);
        }
        self.terms.push(Term { words, begins });
        Ok(())
    }

    /// How many words it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.terms.iter().map(|term| term.words.len()).sum()
    }

    /// Whether nothing is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether `text` has it all.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        let said = words(text);
        self.terms.iter().all(|term| said.windows(term.words.len()).any(|here| term.is_here(here)))
    }

    /// The same for the index (FTS5, section 3): strings in quotes, of letters and digits only.
    pub(super) fn expression(&self) -> String {
        let terms = self.terms.iter().map(|term| format!("\"{}\"{}", term.words.join(" "), if term.begins { " *" } else { "" }));
        terms.collect::<Vec<_>>().join(" AND ")
    }
}

impl Term {
    fn is_here(&self, here: &[String]) -> bool {
        let (Some((last, first)), Some((last_here, first_here))) = (self.words.split_last(), here.split_last()) else { return false };
        first == first_here && if self.begins { last_here.starts_with(last.as_str()) } else { last == last_here }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_the_index_is_the_words_and_no_sign() {
        for text in ["", " _a7 _f9", "Don't \"NEAR\"(a*, 2): x_y-z\t5\0!", "Straße, CAFÉ_1", "私は東京"] {
            let mut indexed = String::new();
            append_words(text, &mut indexed);
            assert_eq!(indexed.split_ascii_whitespace().collect::<Vec<_>>(), words(text), "{text}");
            assert!(indexed.chars().all(|c| c == ' ' || !c.is_ascii() || c.is_ascii_alphanumeric()), "{indexed}");
        }
    }

    fn finds(wanted: &str, text: &str) -> bool {
        let mut all = Wanted::default();
        all.add(wanted).expect("long enough");
        all.is_in(text)
    }

    #[test]
    fn case_accents_and_width_do_not_count() {
        for (wanted, text) in [
            ("cafe", "In the CAFÉ."),
            ("Müller", "mu\u{308}ller"),
            ("strasse", "Hauptstraße? STRASSE 5"),
            ("ΟΔΟΣ", "οδος"),
            ("evan", "ｅｖａｎ"),
            ("שלום", "שָׁלוֹם"),
            ("don't", "I don't"),
            ("東京", "私は東京にいる"),
            ("हिन्दी", "यह हिन्दी है"),
            ("meet*", "two meetings"),
            ("tea at fiv*", "the tea at five"),
        ] {
            assert!(finds(wanted, text), "{wanted} in {text}");
        }
        for (wanted, text) in
            [("tea", "team"), ("tea at", "at tea"), ("हन", "हिन"), ("かき", "がき"), ("don't", "t don"), ("_a0", "a 0"), ("東京", "京東")]
        {
            assert!(!finds(wanted, text), "{wanted} in {text}");
        }
    }

    #[test]
    fn what_means_something_to_the_index_is_no_word() {
        let mut wanted = Wanted::default();
        for text in ["\" OR \"", "NEAR(a b)", "-x", "words:y", "^z", "_a7", "()", "{}", "*"] {
            wanted.add(text).expect("no beginnings");
        }
        assert_eq!(wanted.expression(), r#""or" AND "near a b" AND "x" AND "words y" AND "z" AND "a7""#);
        assert_eq!(wanted.add("te*"), Err("te*"));
    }
}
