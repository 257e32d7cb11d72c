//! GitHub: annotations that stand on the line of the `.ron` file, and a table for the summary of the job.

use std::fmt::Write;
use std::time::Duration;

use super::Case;
use crate::report::shown;

/// Set to `true` wherever GitHub runs something.
pub const ACTIONS: &str = "GITHUB_ACTIONS";
/// The file that GitHub shows as the summary of a job, if there is one.
pub const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// One line for each slip.
#[must_use]
pub fn annotations(cases: &[Case<'_>]) -> String {
    let mut out = String::new();
    for slip in cases.iter().flat_map(Case::slips) {
        let _ = writeln!(
            out,
            "::error file={},line={},col={},title={}::{}",
            // It knows paths from the root only.
            property(slip.file.strip_prefix("./").unwrap_or(&slip.file)),
            slip.line,
            slip.column,
            property(&slip.title),
            // An annotation without a message is not shown.
            data(if slip.message.is_empty() { &slip.title } else { &slip.message })
        );
    }
    out
}

/// What failed, as a table; one line if nothing did.
#[must_use]
pub fn summary(cases: &[Case<'_>], took: Duration) -> String {
    let failed: Vec<&Case<'_>> = cases.iter().filter(|case| case.is_failure()).collect();
    let mut out = format!("### Scenarios: {} of {} failed in {}\n", failed.len(), cases.len(), shown(took));
    if !failed.is_empty() {
        out.push_str("\n| scenario | what | again |\n|---|---|---|\n");
    }
    for case in failed {
        let what: Vec<String> = case.slips().iter().map(|slip| format!("line {}: {}", slip.line, slip.title)).collect();
        let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ");
        let _ = writeln!(
            out,
            "| {} | {} | `{}` |",
            cell(case.name()),
            cell(&what.join("<br>")).replace("&lt;br>", "<br>"),
            cell(&case.rerun())
        );
    }
    out
}

/// As GitHub's own toolkit escapes what stands behind `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As it escapes a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
