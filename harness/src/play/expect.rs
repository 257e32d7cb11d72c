//! Looking: at what users received, at files, at the log, at numbers.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Player, Rewrite, Stop};
use crate::connection::Heard;
use crate::diagnostic::Mistake;
use crate::holes::{self, Filling};
use crate::log::LogLine;
use crate::pattern::{self, Mismatch};
use crate::scenario::{Capture, Length, Name, OneOrMany, Op, Pat, Spanned, Step};
use crate::source::Span;
use crate::transcript::{Transcript, said};

/// How many lines that nobody expected are listed.
const EXTRA_SHOWN: usize = 5;

/// How long `Until` waits before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What must be there, or must not.
type Texts<'a> = Option<&'a OneOrMany<String>>;

impl Player<'_> {
    /// Looks at what a step says there is; what is not so is returned.
    pub(super) async fn expect(&mut self, step: &Spanned<Step>) -> Result<Vec<Mistake>, Stop> {
        match &step.value {
            Step::See(by) => Ok(by.0.iter().filter_map(|(user, pats)| self.see(user, &pats.value.0, &pats.span)).collect()),
            Step::Hush(names) => Ok(names.0.iter().filter_map(|name| self.see(name, &[], &name.span)).collect()),
            Step::File { path, has, lacks, mode } => Ok(self.file(path, has.as_ref(), lacks.as_ref(), mode.as_ref())),
            Step::Log { level, has, lacks } => Ok(self.log(level.as_ref(), has.as_ref(), lacks.as_ref(), &step.span).await?),
            Step::Metric { name, is, at_least, at_most } => self.metric(name, *is, *at_least, *at_most).await,
            Step::Digest => self.digest().await,
            Step::Check(steps) => {
                let mut mistakes = Vec::new();
                for step in &steps.0 {
                    mistakes.extend(Box::pin(self.expect(step)).await?);
                }
                Ok(mistakes)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn see(&mut self, user: &Name, pats: &[Spanned<Pat>], span: &Span) -> Option<Mistake> {
        let connection = self.cast.get_mut(&user.value)?;
        let heard: Vec<Heard> = connection.unread.drain(..).collect();
        let mismatch = pattern::all(pats, &heard, &self.filling).err()?;
        if self.through_all && !pats.is_empty() {
            self.rewrites.extend(rewrites(pats, span, &heard, &self.filling, &self.transcript));
            return None;
        }
        let (who, step) = (&user.value, &self.label);
        let unexpected = || format!("`{who}` did not see what step {step} expects");
        let mut wrong = match mismatch {
            Mismatch::Other { span, expected, exact, at } => {
                let actual = said(&heard[at]);
                let mut mistake = Mistake::new(span, unexpected()).label(format!("`{who}` expects this"));
                let (shown, actually) = (visible(&expected), visible(&actual));
                mistake.notes = vec![format!("expected: {shown}"), format!("actual:   {actually}")];
                if exact {
                    mistake.notes.extend(difference(&shown, &actually));
                }
                mistake.notes.extend(self.near_misses(who, &expected, &heard[at + 1..]));
                mistake.notes.extend(self.meanings(pats));
                mistake
            }
            Mismatch::Missing { span, expected, .. } => {
                let mut mistake = Mistake::new(span, unexpected()).label(format!("`{who}` expects this"));
                let nothing = if heard.is_empty() { "nothing" } else { "nothing more" };
                mistake.notes = vec![format!("expected: {}", visible(&expected)), format!("actual:   ({nothing})")];
                mistake.notes.extend(self.near_misses(who, &expected, &[]));
                mistake.notes.extend(self.meanings(pats));
                mistake
            }
            Mismatch::Extra { at } => {
                let mut mistake = Mistake::new(span.clone(), format!("`{who}` saw more than step {step} expects"));
                mistake.notes = extra(heard[at..].iter());
                mistake.notes.extend(self.cause(who, &heard[at]));
                mistake.label("nothing else is expected")
            }
        };
        // Where nobody names what is expected (`Hush`), nothing can be put in its place.
        wrong.can_be_blessed = !pats.is_empty();
        Some(wrong)
    }

    /// What the holes of an expectation stand for.
    fn meanings(&self, pats: &[Spanned<Pat>]) -> Option<String> {
        let mut names: Vec<&str> = pats.iter().flat_map(|pat| pattern::texts(&pat.value)).flat_map(holes::names).collect();
        names.sort_unstable();
        names.dedup();
        let known = names.into_iter().filter_map(|name| Some(format!("{{{name}}} is `{}`", visible(self.filling.get(name)?))));
        let known: Vec<String> = known.collect();
        (!known.is_empty()).then(|| format!("where     {}", known.join(", ")))
    }

    /// What was said in the step in which something was heard that nobody expects.
    pub(super) fn cause(&self, who: &str, heard: &Heard) -> Option<String> {
        let (step, said) = self.transcript.cause(who, &said(heard))?;
        let said = if said.is_empty() { "nobody said anything".to_owned() } else { said.join(", ") };
        Some(format!("it came in step {step}: {said}"))
    }

    /// What was expected came, but not here.
    fn near_misses(&self, who: &str, expected: &str, later: &[Heard]) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(at) = later.iter().position(|heard| said(heard) == expected) {
            notes.push(format!(
                "it came {} later: is the order right?",
                if at == 0 { "one line".to_owned() } else { format!("{} lines", at + 1) }
            ));
        }
        if let Some((other, step)) = self.transcript.elsewhere(who, expected) {
            notes.push(format!("`{other}` received exactly this in step {step}"));
        }
        notes
    }

    fn file(&self, path: &Name, has: Texts<'_>, lacks: Texts<'_>, mode: Option<&Spanned<u32>>) -> Vec<Mistake> {
        let file = self.data.path().join(&path.value);
        let (content, found) = match std::fs::read(&file).and_then(|content| Ok((content, std::fs::metadata(&file)?.permissions().mode())))
        {
            Ok(read) => read,
            Err(error) => return vec![Mistake::new(path.span.clone(), format!("the file cannot be read: {error}"))],
        };
        let contains = |text: &str| text.is_empty() || content.windows(text.len()).any(|window| window == text.as_bytes());
        let mut mistakes = self.has_and_lacks(has, lacks, contains, &format!("`{}`", path.value));
        let found = found & 0o7777;
        if let Some(mode) = mode
            && mode.value != found
        {
            let title = format!("the permissions of `{}` are 0o{found:o}", path.value);
            mistakes.push(Mistake::new(mode.span.clone(), title).label(format!("0o{:o} is expected", mode.value)));
        }
        mistakes
    }

    /// Looks through what the server has logged by now.
    async fn log(&mut self, level: Option<&Name>, has: Texts<'_>, lacks: Texts<'_>, span: &Span) -> Result<Vec<Mistake>, Stop> {
        self.cast.during(self.server.log.sync()).await?;
        let lines = self.server.log.lines();
        let lines: Vec<&LogLine> = lines.iter().filter(|line| level.is_none_or(|level| line.is_of(&level.value))).collect();
        let what = level.map_or_else(|| "the log".to_owned(), |level| format!("the log at {}", level.value));
        let mut mistakes = self.has_and_lacks(has, lacks, |text| lines.iter().any(|line| line.text.contains(text)), &what);
        for mistake in mistakes.iter_mut().filter(|mistake| mistake.title.contains("has this")) {
            let filled = self.filled(self.written_at(span, &mistake.span, has, lacks));
            let line = lines.iter().find(|line| line.text.contains(&filled));
            mistake.notes.extend(line.map(|line| format!("in step {}: {}", line.step, visible(&line.text))));
        }
        Ok(mistakes)
    }

    /// The text of a `has` or `lacks` by its place.
    fn written_at<'a>(&self, _: &Span, at: &Span, has: Texts<'a>, lacks: Texts<'a>) -> &'a str {
        let all = has.into_iter().chain(lacks).flat_map(|texts| &texts.0);
        all.filter(|text| text.span == *at).map(|text| text.value.as_str()).next().unwrap_or_default()
    }

    fn has_and_lacks(&self, has: Texts<'_>, lacks: Texts<'_>, contains: impl Fn(&str) -> bool, what: &str) -> Vec<Mistake> {
        let there = |text: &Spanned<String>| contains(&self.filled(&text.value));
        let missing = has.into_iter().flat_map(|has| &has.0).filter(|text| !there(text));
        let present = lacks.into_iter().flat_map(|lacks| &lacks.0).filter(|text| there(text));
        let wrong = |text: &Spanned<String>, how: &str| Mistake::new(text.span.clone(), format!("{what} {how} this"));
        missing.map(|text| wrong(text, "does not have")).chain(present.map(|text| wrong(text, "has"))).collect()
    }

    /// One of the server's numbers, and what others there are.
    async fn number(&mut self, name: &Name) -> Result<u64, Stop> {
        let numbers = self.ask("metrics").await?;
        let Some(number) = numbers[name.value.as_str()].as_u64() else {
            let mistake = Mistake::new(name.span.clone(), format!("the server counts no `{}`", name.value));
            let known: Vec<&str> = numbers.as_object().into_iter().flat_map(|numbers| numbers.keys().map(String::as_str)).collect();
            return Err(mistake.meant(&name.value, known.iter().copied()).into());
        };
        Ok(number)
    }

    async fn metric(&mut self, name: &Name, is: Option<u64>, at_least: Option<u64>, at_most: Option<u64>) -> Result<Vec<Mistake>, Stop> {
        let number = self.number(name).await?;
        let wanted = [
            is.filter(|is| *is != number).map(|is| format!("{is}")),
            at_least.filter(|least| *least > number).map(|least| format!("{least} or more")),
            at_most.filter(|most| *most < number).map(|most| format!("{most} or less")),
        ];
        let wrong = |wanted: String| {
            let mut mistake = Mistake::new(name.span.clone(), format!("`{}` is not what step {} expects", name.value, self.label));
            mistake.notes = vec![format!("expected: {wanted}"), format!("actual:   {number}")];
            mistake
        };
        Ok(wanted.into_iter().flatten().map(wrong).collect())
    }

    /// Waits, in real time, for what no barrier can see.
    pub(super) async fn until(
        &mut self,
        within: &Length,
        metric: Option<&Name>,
        (at_least, at_most): (Option<u64>, Option<u64>),
        log: Option<&Name>,
    ) -> Result<(), Stop> {
        let give_up = Instant::now() + within.length;
        loop {
            let (there, now) = match (metric, log) {
                (Some(name), _) => {
                    let number = self.number(name).await?;
                    (at_least.is_none_or(|least| number >= least) && at_most.is_none_or(|most| number <= most), format!("it is {number}"))
                }
                (None, log) => {
                    self.cast.during(self.server.log.sync()).await?;
                    let wanted = log.map(|log| self.filled(&log.value)).unwrap_or_default();
                    let there = self.server.log.lines().iter().any(|line| line.text.contains(&wanted));
                    (there, "it is not in the log".to_owned())
                }
            };
            if there {
                return self.settle(true).await;
            }
            if Instant::now() >= give_up {
                let span = metric.or(log).map_or(self.span.clone(), |name| name.span.clone());
                return Err(Mistake::new(span, format!("this did not come within {}: {now}", within.written)).into());
            }
            self.cast.during(smol::Timer::after(LOOK_AGAIN)).await?;
        }
    }

    async fn digest(&mut self) -> Result<Vec<Mistake>, Stop> {
        let answer = self.ask("digest").await?;
        let digest = answer["digest"].as_str().unwrap_or_default().to_owned();
        let before = self.digest.replace((self.life, digest.clone()));
        let Some((life, before)) = before else { return Ok(Vec::new()) };
        if life == self.life || before == digest {
            return Ok(Vec::new());
        }
        let mut mistake = Mistake::new(self.span.clone(), "the durable state is not what it was before the server was started again");
        mistake.notes = vec![format!("before: {before}"), format!("after:  {digest}")];
        Ok(vec![mistake])
    }

    /// The value of a `Let`.
    pub(super) fn captured(&self, hole: &str, capture: &Capture, span: &Span) -> Result<String, Mistake> {
        let expression = capture.re.as_ref().and_then(|re| pattern::regex(&re.value, &self.filling));
        let events = self.cast.get(&capture.from.value).map(|connection| connection.events.as_slice()).unwrap_or_default();
        let of_kind =
            |heard: &&Heard| capture.kind.as_ref().is_none_or(|kind| heard.object().is_some_and(|object| object["type"] == *kind.value));
        let found = events.iter().rev().filter(of_kind).find_map(|heard| match (&capture.field, &capture.after) {
            (Some(field), _) => heard.object().and_then(|object| field_of(object, &field.value)),
            (None, Some(after)) => {
                let (_, rest) = heard.said()?.split_once(&holes::fill(&after.value, &self.filling))?;
                match &capture.until {
                    Some(until) => rest.split_once(until.value.as_str()).map(|(taken, _)| taken.to_owned()),
                    None => Some(rest.to_owned()),
                }
            }
            (None, None) => {
                let captures = expression.as_ref()?.captures(heard.said()?)?;
                captures.name(hole).or_else(|| captures.get(1)).map(|group| group.as_str().to_owned())
            }
        });
        found.ok_or_else(|| Mistake::new(span.clone(), format!("`{}` has received nothing with this in it", capture.from.value)))
    }
}

/// A field, or a field of a field (`to.user`), as text.
fn field_of(object: &Value, path: &str) -> Option<String> {
    let value = path.split('.').try_fold(object, |value, name| value.get(name))?;
    Some(pattern::field_text(value))
}

/// What nobody expected, a line each.
pub(super) fn extra<'a>(heard: impl ExactSizeIterator<Item = &'a Heard>) -> Vec<String> {
    let count = heard.len();
    let mut notes: Vec<String> = heard
        .take(EXTRA_SHOWN)
        .enumerate()
        .map(|(at, heard)| {
            let before = if at == 0 { "received: " } else { "          " };
            format!("{before}{}", visible(&said(heard)))
        })
        .collect();
    if count > EXTRA_SHOWN {
        notes.push(format!("          … and {} more", count - EXTRA_SHOWN));
    }
    notes
}

/// A text with what nobody would see made visible: control characters, and spaces that are none.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push(c),
            '\0'..='\x1f' => shown.extend(char::from_u32(0x2400 + u32::from(c))),
            '\x7f' => shown.push('␡'),
            '\u{a0}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
                shown.push_str(&format!("<U+{:04X}>", u32::from(c)));
            }
            _ => shown.push(c),
        }
    }
    if shown.ends_with(' ') {
        shown.pop();
        shown.push('␠');
    }
    shown
}

/// What would make the expectation true: only the texts that differ, where each thing received has an expectation of its
/// own; else all of it anew.
fn rewrites(pats: &[Spanned<Pat>], span: &Span, heard: &[Heard], filling: &Filling, transcript: &Transcript) -> Vec<Rewrite> {
    let literal = |heard: &Heard| match heard {
        Heard::Closed => "Closed".to_owned(),
        heard => quoted(&transcript.with_holes(&holes::escaped(&said(heard)))),
    };
    let each_its_own = pats.iter().all(|pat| !matches!(pat.value, Pat::Op(Op::Nothing | Op::AnyOrder(_) | Op::AtLeast(..))));
    if each_its_own && pats.len() == heard.len() {
        let differing = pats.iter().zip(heard).filter(|(pat, heard)| !pattern::fits(&pat.value, heard, filling));
        return differing.map(|(pat, heard)| Rewrite { span: pat.span.clone(), text: literal(heard) }).collect();
    }
    let all: Vec<String> = heard.iter().map(literal).collect();
    let text = match all.as_slice() {
        [] => "Nothing".to_owned(),
        [one] => one.clone(),
        all => format!("[{}]", all.join(", ")),
    };
    vec![Rewrite { span: span.clone(), text }]
}

/// A text as RON: raw where that reads better.
fn quoted(text: &str) -> String {
    let plain = !text.contains(['"', '\\']) && !text.contains(char::is_control);
    if plain {
        return format!("\"{text}\"");
    }
    // Several lines as well: what stands on one line of the file is compared, moved and counted as one.
    if text.contains(char::is_control) || text.contains("\"##") {
        return format!("\"{}\"", text.escape_debug()).replace("\\'", "'");
    }
    let fence = if text.contains("\"#") { "##" } else { "#" };
    format!("r{fence}\"{text}\"{fence}")
}

/// A caret under the first character that differs.
fn difference(expected: &str, actual: &str) -> Option<String> {
    let same = expected.chars().zip(actual.chars()).take_while(|(a, b)| a == b).count();
    // Under several lines a caret would point into the wrong one.
    let one_line = !expected.contains('\n') && !actual.contains('\n');
    one_line.then(|| format!("          {}^ differs from here (column {})", " ".repeat(same), same + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_reads_back() {
        for text in ["plain", "a \"quote\"", "a \"# fence", "a \"## fence", "back\\slash", "two\nlines", "\u{1b}[31m \"red\"", "žofie"] {
            assert_eq!(ron::from_str::<String>(&quoted(text)).unwrap(), text, "{}", quoted(text));
        }
    }

    #[test]
    fn what_nobody_would_see_is_seen() {
        assert_eq!(visible("a\r\u{1b}[31m\u{a0}b\u{200b} "), "a␍␛[31m<U+00A0>b<U+200B>␠");
        assert_eq!(visible("žofie 漢"), "žofie 漢");
    }
}
