//! The words of the language and what they mean, taken from the doc comments of the types: what `scenarios/README.md` is
//! made from, and what an editor or a shell could show.

/// Where the types are.
const TYPES: &str = include_str!("mod.rs");

/// One word of the language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As it is written.
    pub name: String,
    /// What it means.
    pub meaning: String,
    /// How it is written; each can be read.
    pub examples: Vec<String>,
}

/// The fields of a scenario, in the order they are usually written.
#[must_use]
pub fn fields() -> Vec<Word> {
    words("pub struct Scenario {")
}

/// How members of the cast can be written, other than with a password.
#[must_use]
pub fn cast() -> Vec<Word> {
    words("pub(crate) enum Shorthand {")
}

/// The steps.
#[must_use]
pub fn steps() -> Vec<Word> {
    words("pub enum Step {")
}

/// The expectations, other than a plain text.
#[must_use]
pub fn expectations() -> Vec<Word> {
    words("pub enum Op {")
}

/// The documented items of one type, down to the line that closes it. Items of items are indented deeper and skipped.
fn words(begin: &str) -> Vec<Word> {
    let body = TYPES.lines().skip_while(|line| *line != begin).skip(1).take_while(|line| *line != "}");
    let (mut words, mut meaning, mut examples, mut hidden) = (Vec::new(), Vec::new(), Vec::new(), false);
    for line in body {
        let Some(line) = line.strip_prefix("    ").filter(|line| !line.starts_with([' ', '}'])) else { continue };
        match line.strip_prefix("///").map(str::trim) {
            Some(doc) => match doc.strip_prefix('`').and_then(|doc| doc.strip_suffix('`')).filter(|doc| !doc.contains('`')) {
                Some(example) => examples.push(example.to_owned()),
                None => meaning.push(doc.to_owned()),
            },
            None if line.starts_with("#[serde(skip)]") || line.starts_with("#[doc(hidden)]") => hidden = true,
            None if line.starts_with('#') => {}
            None => {
                let name = line.trim_start_matches("pub ").split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                let word = Word {
                    name: name.to_owned(),
                    meaning: std::mem::take(&mut meaning).join(" "),
                    examples: std::mem::take(&mut examples),
                };
                if !std::mem::take(&mut hidden) {
                    words.push(word);
                }
            }
        }
    }
    words
}

/// The words as a table, for the reference.
#[must_use]
pub fn table(title: &str, words: &[Word]) -> String {
    let mut out = format!("| {title} | |\n|---|---|\n");
    for Word { meaning, examples, .. } in words {
        // In a table a bar ends the cell, even in code.
        let cell = |text: &str| text.replace('|', "\\|");
        let examples: Vec<String> = examples.iter().map(|example| format!("`{}`", cell(example))).collect();
        out.push_str(&format!("| {} | {} |\n", examples.join("<br>"), cell(meaning)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{expectation_names, load, step_names};
    use super::*;
    use crate::source::Source;

    /// The markers of a generated part, without the name.
    const MARKERS: (&str, &str) = ("<!-- generated: ", "<!-- /generated -->");

    fn in_a_scenario(fields: &str, steps: &str) -> Source {
        let cast = if fields.contains("cast:") { "" } else { "cast: (alice: \"a\", bob: \"b\", carol: \"c\", nc: Text(\"n\"), x: \"x\")," };
        Source::new("reference", format!("Scenario(about: \"x\", {cast} {fields} steps: [{steps}])"))
    }

    fn read(mut source: Source) {
        if let Err(mistakes) = load(&mut source) {
            panic!("{}", crate::diagnostic::render_all(&source, &mistakes));
        }
    }

    #[test]
    fn every_word_is_explained_and_every_example_can_be_read() {
        let named = |words: &[Word]| words.iter().map(|word| word.name.clone()).collect::<Vec<_>>();
        assert_eq!(named(&steps()), step_names());
        assert_eq!(named(&expectations()), expectation_names());
        assert_eq!(named(&fields()), super::super::FIELDS);
        for word in steps().iter().chain(&expectations()).chain(&fields()).chain(&cast()) {
            assert!(!word.meaning.is_empty() && !word.examples.is_empty(), "{word:?}");
        }
        let before = |name: &str| match name {
            "Connect" | "ConnectFrom" | "Dial" | "Telnet" => "Drop([\"x\"]),",
            "Carry" => "Drop([\"x\"]), Let(ticket: (from: \"alice\", field: \"ticket\")),",
            "Resume" => "Pause(\"bob\"),",
            "Heal" => "Partition(\"bob\"),",
            "Start" | "Wipe" => "Crash,",
            _ => "",
        };
        for word in steps() {
            // Files that are not there.
            if ["Include", "With"].contains(&word.name.as_str()) {
                continue;
            }
            for example in &word.examples {
                read(in_a_scenario("", &format!("{} {example}", before(&word.name))));
            }
        }
        for example in expectations().iter().flat_map(|word| &word.examples) {
            read(in_a_scenario("", &format!("See(alice: {example})")));
        }
        for example in fields().iter().filter(|word| !["about", "steps"].contains(&word.name.as_str())).flat_map(|word| &word.examples) {
            read(in_a_scenario(&format!("{example},"), "Digest"));
        }
        for example in cast().iter().flat_map(|word| &word.examples) {
            read(in_a_scenario(&format!("cast: (alice: \"a\", {example}),"), "Digest"));
        }
    }

    #[test]
    fn the_reference_is_what_the_types_say() {
        let path = crate::snapshot::root().join("scenarios/README.md");
        let before = std::fs::read_to_string(&path).unwrap();
        let mut after = before.clone();
        for (name, table) in [
            ("fields", table("field", &fields())),
            ("cast", table("in the cast", &cast())),
            ("steps", table("step", &steps())),
            ("expectations", table("expectation", &expectations())),
        ] {
            let begin = format!("{}{name} -->\n", MARKERS.0);
            let from = after.find(&begin).unwrap_or_else(|| panic!("scenarios/README.md has no `{begin}`")) + begin.len();
            let to = from + after[from..].find(MARKERS.1).unwrap();
            after.replace_range(from..to, &table);
        }
        if before != after && std::env::var_os("CHINWAG_BLESS").is_some() {
            std::fs::write(&path, &after).unwrap();
            return;
        }
        assert!(before == after, "scenarios/README.md is stale: CHINWAG_BLESS=1 cargo test -p chinwag-harness --lib reference");
    }

    #[test]
    fn the_example_of_the_reference_has_no_mistakes() {
        let readme = std::fs::read_to_string(crate::snapshot::root().join("scenarios/README.md")).unwrap();
        let (_, rest) = readme.split_once("```ron\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        read(Source::new("README.md", example));
    }
}
