//! What the reports say of a run with every verdict, and with texts that want to be markup.

use std::time::Duration;

use super::*;
use crate::play::Timing;
use crate::scenario;
use crate::transcript::Transcript;

const HOSTILE: &str = "</text><script>alert('x')</script> ]]> & \"100%\" ::error::\u{1b}[31m";

/// A scenario and what became of it.
pub(crate) struct Made {
    source: Source,
    scenario: Scenario,
    tried: Tried,
}

impl Made {
    fn case(&self) -> Case<'_> {
        Case { source: &self.source, scenario: &self.scenario, tried: &self.tried }
    }
}

fn made(name: &str, end: Option<End>, verdict: Verdict, text: &str) -> Made {
    let ron = "Scenario(\n    about: \"<b>it</b> & \\\"more\\\"\",\n    cast: (alice: \"pw\", bob: \"pw\"),\n    steps: [\n        Send(alice: \"x\"),\n        See(bob: \"y\"),\n    ],\n)";
    let mut source = Source::new(name, ron);
    let scenario = scenario::load(&mut source).unwrap();
    let mut transcript = Transcript::new(&scenario);
    transcript.did("1", "alice", '>', format!("message bob {HOSTILE}"));
    transcript.did("1", "bob", '<', HOSTILE);
    transcript.happened("2", "the server is killed");
    transcript.close(false);
    let timing = Timing { total: Duration::from_micros(12_345), ..Timing::default() };
    let played = end.map(|end| {
        Box::new(Played {
            end,
            step: "2".to_owned(),
            transcript,
            timing,
            seed: 7,
            flags: Vec::new(),
            server: "pid 1, alive".to_owned(),
            connections: Vec::new(),
            stderr: Vec::new(),
            log: vec![crate::log::LogLine { step: "1".to_owned(), text: format!("INFO {HOSTILE}") }],
            rewrites: Vec::new(),
            data: None,
        })
    });
    Made { source, scenario, tried: Tried { verdict, text: text.to_owned(), timing, played } }
}

fn run() -> Vec<Made> {
    let mut mistake = Mistake::new(0..1, format!("`bob` saw {HOSTILE}"));
    mistake.notes = vec!["expected: y".to_owned(), format!("actual:   {HOSTILE}")];
    let mut failed = made("scenarios/a,b:c/fails#1.ron", None, Verdict::Failed, HOSTILE);
    let at = failed.source.text.find("\"y\"").unwrap();
    mistake.span = at..at + 3;
    failed.tried.played = made("x", Some(End::Failed(vec![mistake])), Verdict::Failed, "").tried.played;
    vec![
        made("scenarios/dm/passes.ron", Some(End::Passed), Verdict::Passed, ""),
        made("scenarios/dm/skipped.ron", None, Verdict::Skipped, "not # yet\nfor two reasons"),
        failed,
        made("scenarios/dm/none.ron", Some(End::NotStarted("no & such <file>".to_owned())), Verdict::NotStarted, "no & such <file>"),
        made("scenarios/dm/snapshot.ron", Some(End::Passed), Verdict::Failed, "the transcript is not that of the snapshot\n-a\n+b"),
    ]
}

fn rendered(format: Format) -> String {
    let run = run();
    let cases: Vec<Case<'_>> = run.iter().map(Made::case).collect();
    format.render(&cases, Duration::from_secs(2))
}

/// Every element ends where it should, no text has a bare `<` or `&`, and what was hostile is nowhere an element.
fn is_well_formed(markup: &str, empty: &[&str]) {
    let (mut open, mut rest) = (Vec::new(), markup);
    while let Some(at) = rest.find(['<', '&']) {
        rest = &rest[at..];
        if rest.starts_with('&') {
            let end = rest.find(';').unwrap();
            assert!(["&amp", "&lt", "&gt", "&quot", "&#39", "&#10", "&#9"].contains(&&rest[..end]), "{}", &rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let end = rest.find('>').unwrap_or_else(|| panic!("no end: {}", &rest[..40.min(rest.len())]));
        let tag = &rest[1..end];
        rest = &rest[end..];
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
        if tag.starts_with(['?', '!']) || tag.ends_with('/') || empty.contains(&name) {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.to_owned()));
        } else {
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{tag}");
            open.push(name.to_owned());
            // What is code and style is not markup.
            if ["script", "style"].contains(&name) {
                rest = &rest[rest.find(&format!("</{name}>")).unwrap()..];
            }
        }
    }
    assert_eq!(open, [""; 0]);
    assert!(!markup.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn junit() {
    let xml = rendered(Format::Junit);
    is_well_formed(&xml, &[]);
    assert!(xml.contains("tests=\"5\" failures=\"2\" errors=\"1\" skipped=\"1\" time=\"2.000\""), "{xml}");
    assert!(xml.contains("<property name=\"line\" value=\"6\"/>\n<property name=\"column\" value=\"18\"/>"), "{xml}");
    assert!(xml.contains("<skipped message=\"not # yet&#10;for two reasons\"/>"));
    assert!(xml.contains("classname=\"scenarios.dm\""));
}

#[test]
fn tap() {
    let tap = rendered(Format::Tap);
    let lines: Vec<&str> = tap.lines().filter(|line| line.contains("ok ")).collect();
    assert_eq!(
        lines[..4],
        [
            "ok 1 - scenarios/dm/passes.ron",
            "ok 2 - scenarios/dm/skipped.ron # SKIP not # yet for two reasons",
            "not ok 3 - scenarios/a,b:c/fails\\#1.ron",
            "not ok 4 - scenarios/dm/none.ron",
        ]
    );
    assert!(tap.starts_with("TAP version 14\n1..5\n") && tap.contains("at: \"scenarios/a,b:c/fails#1.ron:6:18\""), "{tap}");
    assert!(!tap.contains('\u{1b}'));
}

#[test]
fn json() {
    let report: serde_json::Value = serde_json::from_str(&rendered(Format::Json)).unwrap();
    let verdicts: Vec<&str> = report["scenarios"].as_array().unwrap().iter().map(|case| case["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["passed", "skipped", "failed", "not-started", "failed"]);
    let failed = &report["scenarios"][2];
    assert_eq!((failed["slips"][0]["line"].as_u64(), failed["slips"][0]["column"].as_u64()), (Some(6), Some(18)));
    assert_eq!(failed["milliseconds"]["total"].as_f64(), Some(12.345));
    assert_eq!(failed["rerun"].as_str(), Some("chinwag-harness run scenarios/a,b:c/fails#1.ron --seed 7 --keep-data"));
}

#[test]
fn html() {
    let page = rendered(Format::Html);
    is_well_formed(&page, &["meta", "input"]);
    // Ours, and no other; nothing is fetched.
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(!page.contains("http://www.w3.org/1999") && !page.contains("src=") && !page.contains("href="));
    assert_eq!(page.matches("<svg").count(), 4);
    assert_eq!(page.matches("class=\"said").count(), 4);
    assert!(page.contains("the server is killed") && page.contains("INFO &lt;/text&gt;"));
}

#[test]
fn github() {
    let run = run();
    let cases: Vec<Case<'_>> = run.iter().map(Made::case).collect();
    let lines = github::annotations(&cases);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("::error file=scenarios/a%2Cb%3Ac/fails#1.ron,line=6,col=18,title=`bob` saw"), "{}", lines[0]);
    assert!(lines[0].contains("::expected: y%0Aactual:   ") && lines[0].contains("\"100%25\" "), "{}", lines[0]);
    assert!(lines[2].ends_with("%0A-a%0A+b"), "{}", lines[2]);
    assert!(github::summary(&cases, Duration::from_secs(2)).contains("| scenarios/dm/none.ron | line 1: the server did not start |"));
}

#[test]
fn what_was_asked_for() {
    let wanted = |text: &str| text.parse::<Wanted>();
    assert_eq!(wanted("html=a=b.html").unwrap(), Wanted { format: Format::Html, file: "a=b.html".into() });
    for wrong in ["html", "xml=a", "tap=", ""] {
        assert!(wanted(wrong).is_err(), "{wrong}");
    }
}
