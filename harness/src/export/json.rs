//! Everything about a run as one JSON object.

use std::time::Duration;

use serde_json::{Value, json};

use super::Case;

/// The number of the format: it grows when a field changes its meaning or goes; new fields do not count.
pub const VERSION: u32 = 1;

/// The whole report.
#[must_use]
pub fn render(cases: &[Case<'_>], took: Duration) -> String {
    let report = json!({ "version": VERSION, "milliseconds": millis(took), "scenarios": cases.iter().map(case).collect::<Vec<_>>() });
    format!("{report:#}\n")
}

fn case(case: &Case<'_>) -> Value {
    let timing = case.tried.timing;
    let slips: Vec<Value> = case
        .slips()
        .into_iter()
        .map(|slip| json!({ "file": slip.file, "line": slip.line, "column": slip.column, "title": slip.title, "message": slip.message }))
        .collect();
    json!({
        "file": case.name(),
        "about": case.scenario.about,
        "tags": case.scenario.tags,
        "verdict": case.word(),
        "text": case.tried.text,
        "seed": case.played().map(|played| played.seed),
        "rerun": case.rerun(),
        "milliseconds": {
            "total": millis(timing.total),
            "spawn": millis(timing.spawn),
            "login": millis(timing.login),
            "steps": millis(timing.steps),
            "barrier": millis(timing.barrier),
        },
        "slips": slips,
    })
}

/// Milliseconds with three digits behind the point.
fn millis(length: Duration) -> f64 {
    (length.as_secs_f64() * 1e6).round() / 1e3
}
