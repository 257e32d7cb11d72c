//! `schema`: the words of the language, for editors and for people.

use std::io;
use std::process::ExitCode;

use chinwag_harness::scenario::reference::{self, Word};
use serde_json::{Map, Value, json};

/// Describes the language of scenarios: every field, step and expectation, what it means and how it is written.
#[derive(clap::Args)]
pub(crate) struct Schema {
    /// In which form.
    #[arg(long, value_enum, default_value_t = Form::Markdown)]
    format: Form,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Form {
    /// Tables, as in scenarios/README.md.
    Markdown,
    /// One object: lists of words with `name`, `meaning`, `examples`.
    Json,
    /// Snippets as VS Code and editors like it take them.
    Snippets,
}

impl Schema {
    #[allow(clippy::unnecessary_wraps, reason = "as all commands")]
    pub(crate) fn run(&self) -> io::Result<ExitCode> {
        let parts = [
            ("fields", "field", reference::fields()),
            ("cast", "in the cast", reference::cast()),
            ("steps", "step", reference::steps()),
            ("expectations", "expectation", reference::expectations()),
        ];
        match self.format {
            Form::Markdown => {
                let tables: Vec<String> = parts.iter().map(|(_, title, words)| reference::table(title, words)).collect();
                println!("{}", tables.join("\n").trim_end());
            }
            Form::Json => {
                let object: Map<String, Value> =
                    parts.iter().map(|(name, _, words)| ((*name).to_owned(), words.iter().map(word).collect())).collect();
                println!("{:#}", Value::Object(object));
            }
            Form::Snippets => {
                let all = parts.iter().flat_map(|(_, _, words)| words);
                let snippets: Map<String, Value> = all.map(|word| (word.name.clone(), snippet(word))).collect();
                println!("{:#}", Value::Object(snippets));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn word(word: &Word) -> Value {
    json!({ "name": word.name, "meaning": word.meaning, "examples": word.examples })
}

fn snippet(word: &Word) -> Value {
    // In a snippet these begin places to fill in.
    let literal = |text: &str| text.replace('\\', "\\\\").replace('$', "\\$").replace('}', "\\}");
    let body = word.examples.first().map_or_else(|| word.name.clone(), |example| literal(example) + ",");
    json!({ "prefix": word.name, "body": [body], "description": word.meaning })
}
