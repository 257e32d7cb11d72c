//! Words that somebody wants to be told of, besides their own name.

use std::ops::Range;

use chinwag_settings::Value;
use chinwag_wire::name;
use serde::{Deserialize, Deserializer, Serialize};

use crate::screen::model::names;
use crate::theme;

/// How many there may be: each is looked for in everything that anybody says.
const WORDS_MAX: usize = 50;

/// Words, as they were typed: `["deploy", "outage"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Highlights(Vec<String>);

impl Highlights {
    /// Where `text` names `me` or has one of the words, from its beginning to its end.
    pub(crate) fn found(&self, text: &str, me: &str) -> Vec<Range<usize>> {
        let mut found: Vec<_> = names(text, me).collect();
        if !self.0.is_empty() {
            found.extend(self.0.iter().flat_map(|word| names(text, word)));
            found.sort_by_key(|range| (range.start, range.end));
            // Two that overlap are one word, found as `x` and as `x.`.
            found.dedup_by(|next, last| next.start < last.end);
        }
        found
    }

    /// Whether `text` has one of the words.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        self.0.iter().any(|word| names(text, word).next().is_some())
    }
}

impl TryFrom<Vec<String>> for Highlights {
    type Error = String;

    fn try_from(words: Vec<String>) -> Result<Highlights, String> {
        if words.len() > WORDS_MAX {
            return Err(format!("at most {WORDS_MAX} words"));
        }
        match words.iter().find(|word| !name::words(word).eq([(0, word.as_str())])) {
            Some(wrong) => Err(format!("`{wrong}` is no word: letters, digits, `_`, `-` and `.` make one")),
            None => Ok(Highlights(words)),
        }
    }
}

impl<'de> Deserialize<'de> for Highlights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Highlights, D::Error> {
        Highlights::try_from(Vec::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Value for Highlights {
    const PLACEHOLDER: &'static str = "[WORD]";

    fn from_flag(text: &str) -> Result<Highlights, String> {
        let bare = text.trim();
        let inner = bare.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(bare);
        let words = inner.split([',', ' ', '\t']).map(|word| word.trim_matches('"')).filter(|word| !word.is_empty());
        Highlights::try_from(words.map(str::to_owned).collect::<Vec<_>>())
    }

    fn shown(&self) -> String {
        theme::as_ron(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(typed: &str) -> Highlights {
        Highlights::from_flag(typed).expect("words")
    }

    #[test]
    fn words_are_typed_with_or_without_ceremony() {
        let two = Highlights(vec!["deploy".to_owned(), "größe".to_owned()]);
        for typed in ["deploy größe", "deploy, größe", "[\"deploy\", \"größe\"]", " [deploy,größe] "] {
            assert_eq!(words(typed), two, "{typed}");
        }
        assert_eq!(words(&two.shown()), two);
        assert_eq!(words("[]"), Highlights::default());
        assert_eq!(
            chinwag_settings::parse::<crate::config::Config>("(highlights: [\"c++\"])", "x")
                .map_err(|told| told.contains("`c++` is no word"))
                .err(),
            Some(true)
        );
        assert!(Highlights::from_flag(&"word ".repeat(WORDS_MAX + 1)).is_err_and(|why| why.contains("at most 50")));
    }

    #[test]
    fn words_are_found_whole_and_in_any_case() {
        let text = "Deploy! alice, the deployment of GRÖSSE... größe. deploy.";
        let found: Vec<_> = words("deploy größe größe deploy.").found(text, "Alice").into_iter().map(|at| &text[at]).collect();
        assert_eq!(found[..2], ["Deploy", "alice"]);
        assert_eq!(found.last().map(|word| word.trim_end_matches('.')), Some("deploy"));
        assert!(!found.contains(&"deployment") && found.contains(&"größe"), "{found:?}");
        assert!(!Highlights::default().are_in(text) && words("deploy").are_in(text) && !words("deploym").are_in(text));
    }
}
