//! A mistake in a file and how it is shown: the place, the line, a caret, what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::source::{Source, Span};

/// Something wrong at a place in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub span: Span,
    /// What is wrong: a phrase without capital and full stop.
    pub title: String,
    /// Written beside the caret; may be empty.
    pub label: String,
    /// What follows below, line by line.
    pub notes: Vec<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// Other text in the file would make it right.
    pub can_be_blessed: bool,
}

impl Mistake {
    /// A mistake that its title explains.
    #[must_use]
    pub fn new(span: Span, title: impl Into<String>) -> Mistake {
        Mistake { span, title: title.into(), label: String::new(), notes: Vec::new(), help: None, can_be_blessed: false }
    }

    /// With words beside the caret.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Mistake {
        Mistake { label: label.into(), ..self }
    }

    /// With something to do about it.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Mistake {
        Mistake { help: Some(help.into()), ..self }
    }

    /// With the nearest of what there is, or with all of it.
    #[must_use]
    pub fn meant<'a>(self, wrong: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Mistake {
        match chinwag_wire::suggest::nearest(wrong, candidates.clone()) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => {
                let all: Vec<String> = candidates.into_iter().map(|name| format!("`{name}`")).collect();
                if all.is_empty() { self } else { self.help(format!("there are {}", all.join(", "))) }
            }
        }
    }

    /// As one line, where there is no place to point at.
    #[must_use]
    pub fn words(&self) -> String {
        self.help.iter().fold(self.title.clone(), |words, help| format!("{words}; {help}"))
    }

    /// As text, as something that need not be wrong.
    #[must_use]
    pub fn render_as_warning(&self, source: &Source) -> String {
        self.render(source).replacen("error:", "warning:", 1)
    }

    /// As text, without colours, so that it is the same on a terminal, in CI and in a snapshot.
    #[must_use]
    pub fn render(&self, source: &Source) -> String {
        let part = source.part(self.span.start);
        let start = (self.span.start - part.start).min(part.text.len());
        let end = (self.span.end.saturating_sub(part.start)).clamp(start, part.text.len());
        let annotation = AnnotationKind::Primary.span(start..end).label(self.label.as_str());
        let snippet = Snippet::source(part.text).path(part.name).annotation(annotation);
        let mut group = Group::with_title(Level::ERROR.primary_title(self.title.as_str())).element(snippet);
        let mut notes = self.notes.clone();
        let mut by = part.by;
        while let Some(span) = by {
            notes.push(format!("included in {}", source.place(span.start)));
            by = source.part(span.start).by;
        }
        let notes = notes.join("\n");
        if !notes.is_empty() {
            group = group.element(Level::NOTE.no_name().message(notes.as_str()));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        // Wide, because a line that is cut where a log is narrow hides what it is about.
        Renderer::plain().term_width(400).render(&[group])
    }
}

/// All mistakes of one source, in the order of the file.
#[must_use]
pub fn render_all(source: &Source, mistakes: &[Mistake]) -> String {
    let mut mistakes: Vec<&Mistake> = mistakes.iter().collect();
    mistakes.sort_by_key(|mistake| mistake.span.start);
    mistakes.iter().map(|mistake| mistake.render(source)).collect::<Vec<_>>().join("\n\n")
}
