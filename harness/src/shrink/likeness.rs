//! Whether two failures are the same: a scenario that is made smaller must not slip to another bug.
//!
//! What is compared is what went wrong, and the kinds of what was expected and received, without the names, numbers
//! and texts that change when a scenario gets smaller.

use crate::diagnostic::Mistake;
use crate::play::{End, Played};
use crate::scenario::Scenario;
use crate::source::Source;

/// How a scenario failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Likeness {
    /// The word that the failing step begins with.
    step: String,
    /// What is said of it, without names and numbers.
    what: Vec<String>,
}

impl Likeness {
    /// How `played` failed, if it did. Of several mistakes the first counts.
    #[must_use]
    pub fn of(source: &Source, scenario: &Scenario, played: &Played) -> Option<Likeness> {
        match &played.end {
            End::Passed | End::Skipped(_) => None,
            End::NotStarted(why) => Some(Likeness { step: "the start".to_owned(), what: vec![plain(why, &[])] }),
            End::Failed(mistakes) => {
                let first = mistakes.first()?;
                let at = played.step.split('.').next().and_then(|step| step.parse::<usize>().ok()).unwrap_or(0);
                let step = at.checked_sub(1).and_then(|at| scenario.steps.0.get(at));
                let step = step.and_then(|step| source.text.get(step.span.clone())).unwrap_or("the cast");
                let step = step.split(['(', ' ', '\n']).next().unwrap_or_default().to_owned();
                Some(Likeness { step, what: described(first, &names(scenario)) })
            }
        }
    }
}

fn names(scenario: &Scenario) -> Vec<&str> {
    scenario.cast.0.iter().map(|(name, _)| name.value.as_str()).collect()
}

fn described(mistake: &Mistake, names: &[&str]) -> Vec<String> {
    let mut what = vec![plain(&mistake.title, names)];
    for note in &mistake.notes {
        if let Some((kind, text)) = note.split_once(": ")
            && ["expected", "actual", "received"].contains(&kind.trim())
        {
            what.push(format!("{}: {}", kind.trim(), line_kind(text.trim(), names)));
        }
    }
    what
}

/// What kind of line it is, whoever says it and whatever.
fn line_kind(text: &str, names: &[&str]) -> String {
    let text = text.trim_matches('"');
    if let Some(rest) = text.strip_prefix("error[") {
        return format!("error[{}]", rest.split(']').next().unwrap_or_default());
    }
    if let Some(rest) = text.strip_prefix("(offline ") {
        return format!("offline, {}", line_kind(rest.split_once(") ").map_or("", |(_, said)| said), names));
    }
    if text.starts_with('[') && text.contains("Z] ") {
        return "past".to_owned();
    }
    if text.starts_with("* ") || text.starts_with("online") || text.starts_with("blocked:") || text.starts_with("a refusal") {
        return plain(text.split(": ").next().unwrap_or_default(), names);
    }
    match text.split_once(": ") {
        Some((who, _)) if who.ends_with(" to all") => "to all".to_owned(),
        Some((who, _)) if !who.contains(' ') => "to one".to_owned(),
        _ => plain(text, names),
    }
}

/// Without names and numbers.
fn plain(text: &str, names: &[&str]) -> String {
    let mut out = String::new();
    for (at, piece) in text.split('`').enumerate() {
        // Every other piece stands between two backticks: a name.
        if at % 2 == 1 {
            out.push('_');
            continue;
        }
        for word in piece.split_inclusive([' ', ',', ':']) {
            let bare = word.trim_end_matches([' ', ',', ':', '.']);
            if names.contains(&bare) || (word.starts_with(|c: char| c.is_lowercase()) && out.ends_with("* ")) {
                out.push('_');
                out.push_str(&word[bare.len()..]);
            } else if bare.chars().any(|c| c.is_ascii_digit()) {
                out.push('#');
                out.push_str(&word[bare.len()..]);
            } else {
                out.push_str(word);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_numbers_and_texts_do_not_matter() {
        for (one, other) in [
            ("alice: m3 don't", "bob: x"),
            ("carol to all: m3", "dave to all: m4"),
            ("(offline 2026-01-01 00:00:00Z) alice: m3", "(offline 2026-01-01 01:00:00Z) carol: m9"),
            ("* alice logged in", "* bob logged in"),
            ("error[blocked]: `x` does", "error[blocked]: you"),
            ("* 3 messages", "* 12 messages"),
        ] {
            assert_eq!(line_kind(one, &[]), line_kind(other, &[]), "{one}");
        }
        let kinds = [
            "alice: m3",
            "carol to all: m3",
            "(offline 2026-01-01 00:00:00Z) alice: m3",
            "* alice logged in",
            "* alice logged out",
            "error[blocked]: x",
            "error[usage]: x",
            "(nothing)",
            "sent",
        ];
        for (at, one) in kinds.iter().enumerate() {
            for other in &kinds[at + 1..] {
                assert_ne!(line_kind(one, &[]), line_kind(other, &[]), "{one} and {other}");
            }
        }
        let title = |name: &str, step: u32| plain(&format!("`{name}` did not see what step {step} expects"), &[]);
        assert_eq!(title("alice", 3), title("bob", 17));
    }
}
