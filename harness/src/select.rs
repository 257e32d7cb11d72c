//! Which scenarios are played: by their tags, by their names, by a share of them.

use std::fmt;
use std::str::FromStr;

use crate::diagnostic::Mistake;
use crate::scenario::Scenario;
use crate::source::{Source, Span};

/// What tags a scenario must have: `dm and not slow`, `(dm or broadcast) and crash`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// It has this one.
    Has(String),
    /// It does not fit this.
    Not(Box<Tags>),
    /// It fits both.
    And(Box<Tags>, Box<Tags>),
    /// It fits one of them, or both.
    Or(Box<Tags>, Box<Tags>),
}

impl Tags {
    /// Whether these tags fit.
    #[must_use]
    pub fn fit(&self, tags: &[String]) -> bool {
        match self {
            Tags::Has(tag) => tags.contains(tag),
            Tags::Not(inner) => !inner.fit(tags),
            Tags::And(a, b) => a.fit(tags) && b.fit(tags),
            Tags::Or(a, b) => a.fit(tags) || b.fit(tags),
        }
    }

    /// All tags that it names.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        match self {
            Tags::Has(tag) => vec![tag],
            Tags::Not(inner) => inner.names(),
            Tags::And(a, b) | Tags::Or(a, b) => [a.names(), b.names()].concat(),
        }
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tags::Has(tag) => f.write_str(tag),
            Tags::Not(inner) => write!(f, "not {inner}"),
            Tags::And(a, b) => write!(f, "({a} and {b})"),
            Tags::Or(a, b) => write!(f, "({a} or {b})"),
        }
    }
}

impl FromStr for Tags {
    type Err = String;

    /// Reads an expression; `not` binds more than `and`, and `and` more than `or`.
    fn from_str(text: &str) -> Result<Tags, String> {
        let source = Source::new("--tags", text);
        let mut words = Words { words: words(text), at: 0, end: text.len() };
        let read = words.any().and_then(|tags| match words.next() {
            None => Ok(tags),
            Some((span, word)) => Err(Mistake::new(span, format!("`{word}` is one word too many")).help("join tags with `and` or `or`")),
        });
        read.map_err(|mistake| mistake.render(&source))
    }
}

fn words(text: &str) -> Vec<(Span, &str)> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let is_bracket = matches!(c, '(' | ')');
        if (c.is_whitespace() || is_bracket)
            && let Some(start) = start.take()
        {
            words.push((start..at, &text[start..at]));
        }
        if is_bracket {
            words.push((at..at + 1, &text[at..=at]));
        } else if !c.is_whitespace() {
            start = start.or(Some(at));
        }
    }
    words
}

struct Words<'a> {
    words: Vec<(Span, &'a str)>,
    at: usize,
    end: usize,
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<(Span, &'a str)> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }

    fn took(&mut self, wanted: &str) -> bool {
        let is_next = self.words.get(self.at).is_some_and(|(_, word)| *word == wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> Result<Tags, Mistake> {
        let mut tags = self.all()?;
        while self.took("or") {
            tags = Tags::Or(Box::new(tags), Box::new(self.all()?));
        }
        Ok(tags)
    }

    fn all(&mut self) -> Result<Tags, Mistake> {
        let mut tags = self.one()?;
        while self.took("and") {
            tags = Tags::And(Box::new(tags), Box::new(self.one()?));
        }
        Ok(tags)
    }

    fn one(&mut self) -> Result<Tags, Mistake> {
        match self.next() {
            None => Err(Mistake::new(self.end.saturating_sub(1)..self.end, "a tag is missing").label("after this")),
            Some((_, "not")) => Ok(Tags::Not(Box::new(self.one()?))),
            Some((span, "(")) => {
                let tags = self.any()?;
                if self.took(")") { Ok(tags) } else { Err(Mistake::new(span, "this bracket is not closed")) }
            }
            Some((span, word @ (")" | "and" | "or"))) => Err(Mistake::new(span, format!("a tag is missing in front of `{word}`"))),
            Some((_, tag)) => Ok(Tags::Has(tag.to_owned())),
        }
    }
}

/// One share of all scenarios: `2/4` is the second of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    pub number: u64,
    /// Of how many.
    pub of: u64,
}

impl Shard {
    /// Whether a scenario belongs to it. It depends on the name alone, so that every run agrees, whatever else there is.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        // FNV-1a: the same on every machine and in every version, which the standard library's hash does not promise.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        hash % self.of == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let read = text.split_once('/').and_then(|(number, of)| Some(Shard { number: number.parse().ok()?, of: of.parse().ok()? }));
        read.filter(|shard| (1..=shard.of).contains(&shard.number)).ok_or_else(|| "expected a share such as 2/4".to_owned())
    }
}

/// Which scenarios of those found are played.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Those whose tags fit.
    pub tags: Option<Tags>,
    /// Those with this in their name.
    pub name: Option<String>,
    /// Those of this share.
    pub shard: Option<Shard>,
}

impl Selection {
    /// Whether a scenario is one of them.
    #[must_use]
    pub fn has(&self, source: &Source, scenario: &Scenario) -> bool {
        self.tags.as_ref().is_none_or(|tags| tags.fit(&scenario.tags))
            && self.name.as_ref().is_none_or(|name| source.name.contains(name.as_str()))
            && self.shard.is_none_or(|shard| shard.has(&source.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_chosen_by_an_expression() {
        for (expression, tags, fit) in [
            ("dm", "dm slow", true),
            ("dm and not slow", "dm slow", false),
            ("dm and not slow", "dm", true),
            ("a or b and c", "a", true),
            ("(a or b) and c", "a", false),
            ("not not a", "a", true),
            ("not(a or b)", "c", true),
            ("a\tand\n b", "a b", true),
        ] {
            let tags: Vec<String> = tags.split(' ').map(str::to_owned).collect();
            assert_eq!(expression.parse::<Tags>().unwrap().fit(&tags), fit, "{expression} {tags:?}");
        }
    }

    #[test]
    fn what_is_no_expression_is_told_with_its_place() {
        for (expression, told) in [
            ("", "a tag is missing"),
            ("dm and", "a tag is missing"),
            ("or dm", "in front of `or`"),
            ("(dm or slow", "not closed"),
            ("dm slow", "`slow` is one word too many"),
            ("dm)", "`)` is one word too many"),
            ("not", "a tag is missing"),
        ] {
            let error = expression.parse::<Tags>().unwrap_err();
            assert!(error.contains(told) && error.contains("--tags:1:"), "{expression}: {error}");
        }
    }

    #[test]
    fn every_scenario_is_in_one_share() {
        let shards: Vec<Shard> = (1..=4).map(|number| Shard { number, of: 4 }).collect();
        let mut counts = [0; 4];
        for name in (0..400).map(|number| format!("scenarios/x/{number}.ron")) {
            let mine: Vec<usize> = (0..4).filter(|at| shards[*at].has(&name)).collect();
            assert_eq!(mine.len(), 1, "{name}");
            counts[mine[0]] += 1;
        }
        assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
        assert_eq!("2/4".parse(), Ok(Shard { number: 2, of: 4 }));
        for wrong in ["", "4", "0/4", "5/4", "1/0", "a/b"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
