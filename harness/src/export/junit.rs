//! JUnit XML, in the dialect that Jenkins, GitLab and GitHub's reporters read. It has no place for lines: they stand in
//! properties and in the text.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::{Case, escaped};
use crate::suite::Verdict;

/// One suite, one case a scenario; the class is the folder.
#[must_use]
pub fn render(cases: &[Case<'_>], took: Duration) -> String {
    let count = |wanted: &dyn Fn(&Case<'_>) -> bool| cases.iter().filter(|case| wanted(case)).count();
    let figures = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\"",
        cases.len(),
        count(&|case| matches!(case.tried.verdict, Verdict::Failed | Verdict::Flaky)),
        count(&|case| case.tried.verdict == Verdict::NotStarted),
        count(&|case| case.tried.verdict == Verdict::Skipped),
        took.as_secs_f64()
    );
    let mut out = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {figures}>\n<testsuite name=\"scenarios\" {figures}>\n");
    for case in cases {
        let path = Path::new(case.name());
        let folder = path.parent().map_or_else(String::new, |folder| folder.display().to_string().replace('/', "."));
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let _ = writeln!(
            out,
            "<testcase name=\"{}\" classname=\"{}\" file=\"{}\" time=\"{:.3}\">",
            escaped(&stem),
            escaped(&folder),
            escaped(case.name()),
            case.tried.timing.total.as_secs_f64()
        );
        let slips = case.slips();
        let place = slips.first().map_or((1, 1), |slip| (slip.line, slip.column));
        let _ = writeln!(out, "<properties>\n<property name=\"about\" value=\"{}\"/>", attribute(&case.scenario.about));
        if let Some(played) = case.played() {
            let _ = writeln!(out, "<property name=\"seed\" value=\"{}\"/>", played.seed);
        }
        if case.is_failure() {
            let _ = writeln!(out, "<property name=\"line\" value=\"{}\"/>\n<property name=\"column\" value=\"{}\"/>", place.0, place.1);
        }
        out.push_str("</properties>\n");
        let first = slips.first().map_or("", |slip| slip.title.as_str());
        match case.tried.verdict {
            Verdict::Passed => {}
            Verdict::Skipped => {
                let _ = writeln!(out, "<skipped message=\"{}\"/>", attribute(&case.tried.text));
            }
            Verdict::Flaky | Verdict::Failed | Verdict::NotStarted => {
                let kind = if case.tried.verdict == Verdict::NotStarted { "error" } else { "failure" };
                let text = escaped(&case.tried.text);
                let _ = writeln!(out, "<{kind} message=\"{}\" type=\"{}\">{text}</{kind}>", attribute(first), case.word());
            }
        }
        out.push_str("</testcase>\n");
    }
    out + "</testsuite>\n</testsuites>\n"
}

/// Line ends in an attribute are read as blanks unless they are named.
fn attribute(text: &str) -> String {
    escaped(text).replace('\n', "&#10;").replace('\t', "&#9;")
}
