//! What a scenario includes: steps of other files, read in its place.

use super::{By, Items, Step, read};
use crate::diagnostic::Mistake;
use crate::source::{Source, Span};

/// How the names of files end that hold steps and are no scenarios.
pub const EXTENSION: &str = ".steps.ron";

/// How deep files may include one another: more is a circle that is not noticed, or unreadable.
const DEPTH_MAX: usize = 8;

/// Puts the steps of included files where they are included. What they are read from is appended to `source`.
pub(super) fn resolve(source: &mut Source, steps: &mut Items<Step>) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for step in &mut steps.0 {
        let (file, vars) = match &mut step.value {
            Step::All(steps) | Step::Unsynced(steps) | Step::Check(steps) | Step::Repeat { steps, .. } | Step::Each { steps, .. } => {
                mistakes.extend(resolve(source, steps));
                continue;
            }
            Step::Include(file) => (file.clone(), By::default()),
            Step::With { file, vars } => (file.clone(), vars.clone()),
            _ => continue,
        };
        match included(source, &file.value, &file.span) {
            Ok(range) => {
                let (steps, found) = read::read_steps(source, range);
                mistakes.extend(found);
                let mut steps = steps.unwrap_or_default();
                mistakes.extend(resolve(source, &mut steps));
                step.value = Step::Included { vars, steps };
            }
            Err(mistake) => mistakes.push(mistake),
        }
    }
    mistakes
}

/// Reads a file to the end of the source.
fn included(source: &mut Source, file: &str, span: &Span) -> Result<Span, Mistake> {
    let wrong = |title: String| Err(Mistake::new(span.clone(), title));
    if !file.ends_with(EXTENSION) {
        return Err(Mistake::new(span.clone(), "a file of steps is expected").help(format!("its name ends in `{EXTENSION}`")));
    }
    let here = source.part(span.start);
    let path = here.path.parent().unwrap_or(here.path).join(file);
    let (mut above, mut depth) = (Some(here), 0);
    while let Some(part) = above {
        if part.path == path {
            return wrong(format!("`{file}` includes itself"));
        }
        depth += 1;
        above = part.by.map(|by| source.part(by.start));
    }
    if depth > DEPTH_MAX {
        return wrong("the nesting is too deep".to_owned());
    }
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(source.include(&path, &text, span.clone())),
        Err(error) => wrong(format!("`{file}` cannot be read: {error}")),
    }
}
