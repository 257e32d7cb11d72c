//! One page with everything: each scenario with a sequence diagram of who said and heard what, and the server's log beside it.
//! No script is needed to read it, nothing is fetched from anywhere, and everything that people said is escaped.

use std::fmt::Write;
use std::time::Duration;

use super::{Case, escaped};
use crate::play::Played;
use crate::report::shown;
use crate::transcript::Row;

/// How wide the column of a connection is, in pixels, and how high a row.
const COLUMN: usize = 220;
const ROW: usize = 22;
/// Where the first row stands, under the names.
const TOP: usize = 44;
/// The room for the numbers of the steps.
const LEFT: usize = 56;
/// The room to the right of the last connection, for what it says.
const MARGIN: usize = 300;
/// How much of a line a diagram shows; the rest is in its tooltip.
const LABEL_MAX: usize = 60;
/// How many rows a diagram has at most: more nobody scrolls through, and the page has to open.
const ROWS_MAX: usize = 2000;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8886; --bad: #c22; --good: #283; --dim: #777; --soft: #8881 }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 100rem; padding: 0 1rem }
h1 { font-size: 1.4rem } summary { cursor: pointer; padding: .3rem } details { border-top: 1px solid var(--line) }
pre { background: var(--soft); padding: .6rem; overflow: auto; font: 13px/1.4 ui-monospace, monospace; white-space: pre-wrap }
.verdict { display: inline-block; width: 6.5em; font-weight: 600 } .passed { color: var(--good) } .failed, .not-started { color: var(--bad) }
.skipped, .time, .about { color: var(--dim) } .time { float: right } .sides { display: flex; gap: 1rem; align-items: flex-start; flex-wrap: wrap }
.diagram { overflow: auto; flex: 1000 1 auto; max-width: 100%; max-height: 80vh } .log { flex: 1 1 24rem; max-height: 80vh; overflow: auto; margin: 0 }
svg { font: 12px ui-monospace, monospace } svg text { fill: currentColor; paint-order: stroke; stroke: Canvas; stroke-width: 4px; stroke-linejoin: round } .said { stroke: #36c } .heard { stroke: #283 } .life { stroke: var(--line) }
.step { fill: var(--dim) !important } .name { font-weight: 600 } .note { fill: var(--dim) !important; font-style: italic } .rule { stroke: var(--soft) }
.last { stroke: var(--bad) } label { display: inline-block; margin: .3rem 1rem .8rem 0 }
";

/// Shows and hides; without it everything is there.
const SCRIPT: &str = "
const box = document.querySelector('#find'), bad = document.querySelector('#bad');
const show = () => document.querySelectorAll('details').forEach(d => {
  d.hidden = (bad.checked && !('bad' in d.dataset)) || !d.dataset.find.includes(box.value.toLowerCase());
});
box.addEventListener('input', show); bad.addEventListener('change', show);
";

/// The whole page.
#[must_use]
pub fn render(cases: &[Case<'_>], took: Duration) -> String {
    let failed = cases.iter().filter(|case| case.is_failure()).count();
    let title = format!("{} scenarios, {failed} failed, in {}", cases.len(), shown(took));
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         <label>find <input id=\"find\" type=\"search\"></label><label><input id=\"bad\" type=\"checkbox\"> only what failed</label>\n"
    );
    for case in cases {
        one(case, &mut out);
    }
    let _ = write!(out, "<script>{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

fn one(case: &Case<'_>, out: &mut String) {
    let (open, bad) = if case.is_failure() { (" open", " data-bad=\"\"") } else { ("", "") };
    let find = format!("{} {} {}", case.name(), case.scenario.about, case.scenario.tags.join(" ")).to_lowercase();
    let _ = writeln!(
        out,
        "<details{open}{bad} data-find=\"{}\">\n<summary><span class=\"verdict {word}\">{word}</span> {} <span class=\"about\">{}</span> \
         <span class=\"time\">{}</span></summary>",
        escaped(&find),
        escaped(case.name()),
        escaped(&case.scenario.about),
        shown(case.tried.timing.total),
        word = case.word(),
    );
    if !case.tried.text.is_empty() {
        let _ = writeln!(out, "<pre>{}</pre>", escaped(case.tried.text.trim_end()));
    }
    if let Some(played) = case.played() {
        let _ = writeln!(out, "<p>seed {} · {} · again: <code>{}</code></p>", played.seed, escaped(&played.server), escaped(&case.rerun()));
        out.push_str("<div class=\"sides\">\n<div class=\"diagram\">\n");
        diagram(played, case.is_failure(), out);
        out.push_str("</div>\n<pre class=\"log\">");
        let width = played.log.iter().map(|line| line.step.len()).max().unwrap_or(0);
        for line in &played.log {
            let _ = writeln!(out, "{:>width$} | {}", escaped(&line.step), escaped(&line.text));
        }
        out.push_str("</pre>\n</div>\n");
    }
    out.push_str("</details>\n");
}

/// Who said and heard what: a line down for the server and for each connection, an arrow for each line.
fn diagram(played: &Played, failed: bool, out: &mut String) {
    let names = played.transcript.names();
    let rows = &played.transcript.rows[..played.transcript.rows.len().min(ROWS_MAX)];
    let (width, height) = (LEFT + COLUMN * (names.len() + 1) + MARGIN, TOP + ROW * (rows.len() + 1));
    // The server stands on the left: nobody talks to anybody else.
    let x = |column: usize| LEFT + COLUMN / 4 + COLUMN * column;
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">"
    );
    for (column, name) in std::iter::once("server").chain(names.iter().map(String::as_str)).enumerate() {
        let at = x(column);
        let _ = writeln!(
            out,
            "<text class=\"name\" x=\"{at}\" y=\"20\" text-anchor=\"middle\">{}</text><line class=\"life\" x1=\"{at}\" y1=\"28\" x2=\"{at}\" y2=\"{height}\"/>",
            escaped(name)
        );
    }
    let mut step = "";
    for (place, row) in rows.iter().enumerate() {
        let y = TOP + ROW * place;
        if row.step != step {
            step = &row.step;
            let over = y - ROW / 2 - 3;
            let _ = writeln!(
                out,
                "<line class=\"rule\" x1=\"0\" y1=\"{over}\" x2=\"{width}\" y2=\"{over}\"/><text class=\"step\" x=\"4\" y=\"{}\">{}</text>",
                y + 4,
                escaped(step)
            );
        }
        arrow(row, y, &x, failed && place + 1 == rows.len(), out);
    }
    if rows.len() < played.transcript.rows.len() {
        let more = played.transcript.rows.len() - rows.len();
        let _ = writeln!(out, "<text class=\"note\" x=\"{LEFT}\" y=\"{}\">… and {more} rows more</text>", TOP + ROW * rows.len());
    }
    out.push_str("</svg>\n");
}

fn arrow(row: &Row, y: usize, x: &impl Fn(usize) -> usize, last: bool, out: &mut String) {
    let text = escaped(&row.text.replace('\n', " ⏎ "));
    let (label, whole) = (shortened(&row.text), format!("<title>{text}</title>"));
    let Some(column) = row.column else {
        let _ = writeln!(out, "<text class=\"note\" x=\"{}\" y=\"{}\">{whole}{label}</text>", x(0) + 8, y + 4);
        return;
    };
    let (server, user) = (x(0), x(column + 1));
    let (from, to, class) = match row.mark {
        '>' => (user, server, "said"),
        '<' => (server, user, "heard"),
        _ => {
            let _ = writeln!(out, "<text class=\"note\" x=\"{}\" y=\"{}\">{whole}{label}</text>", user + 8, y + 4);
            return;
        }
    };
    let class = if last { format!("{class} last") } else { class.to_owned() };
    // The head of the arrow: two strokes, so that no marker has to be shared between diagrams.
    let back = if to > from { to - 6 } else { to + 6 };
    let _ = writeln!(
        out,
        "<g>{whole}<path class=\"{class}\" fill=\"none\" d=\"M{from} {y}H{to}M{back} {}L{to} {y}L{back} {}\"/><text x=\"{}\" y=\"{}\">{label}</text></g>",
        y - 3,
        y + 3,
        user + 8,
        y + 4
    );
}

fn shortened(text: &str) -> String {
    let line = text.replace('\n', " ⏎ ");
    if line.chars().count() <= LABEL_MAX {
        return escaped(&line);
    }
    escaped(&(line.chars().take(LABEL_MAX).collect::<String>() + "…"))
}
