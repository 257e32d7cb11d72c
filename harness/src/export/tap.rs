//! TAP 14: a line a scenario, and a block of YAML under each that failed.

use std::fmt::Write;

use super::Case;
use crate::suite::Verdict;

/// The whole report.
#[must_use]
pub fn render(cases: &[Case<'_>]) -> String {
    let mut out = format!("TAP version 14\n1..{}\n", cases.len());
    for (at, case) in cases.iter().enumerate() {
        let not = if case.is_failure() { "not " } else { "" };
        let skip = match case.tried.verdict {
            Verdict::Skipped => format!(" # SKIP {}", one_line(&case.tried.text)),
            _ => String::new(),
        };
        let _ = writeln!(out, "{not}ok {} - {}{skip}", at + 1, described(case.name()));
        let slips = case.slips();
        if slips.is_empty() {
            continue;
        }
        out.push_str("  ---\n");
        for slip in &slips {
            // A JSON text is a YAML text.
            let text = |text: &str| serde_json::Value::from(text).to_string();
            let _ = writeln!(out, "  - message: {}", text(&slip.title));
            let _ = writeln!(out, "    at: {}", text(&format!("{}:{}:{}", slip.file, slip.line, slip.column)));
            let _ = writeln!(out, "    detail: {}", text(&slip.message));
        }
        out.push_str("  ...\n");
    }
    out
}

/// A description cannot hold a `#`, which begins a directive, unless it is escaped.
fn described(name: &str) -> String {
    one_line(name).replace('\\', "\\\\").replace('#', "\\#")
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
