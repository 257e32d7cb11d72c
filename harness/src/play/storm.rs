//! Many who speak at the same time: a storm.

use std::collections::VecDeque;

use chinwag_wire::Line;
use chinwag_wire::dialect::{Marks, json};
use serde_json::Value;

use super::{Player, Stop};
use crate::connection::{Connection, Heard};
use crate::diagnostic::Mistake;
use crate::scenario::{Items, Spanned};
use crate::source::Span;
use crate::storm::{self, Answer, Said, Seen, Wish};

/// How many lines of a user may be unanswered: as a client does that does not wait, and not so many that all overlap.
const WINDOW: usize = 4;

/// What the texts begin with, before the number of their line.
const TEXT: &str = "storm ";

struct Storm<'a> {
    users: &'a [Spanned<String>],
    said: Vec<Said>,
    seen: Vec<Seen>,
    /// Lines that each has still to say.
    plans: Vec<VecDeque<Wish>>,
    unanswered: Vec<usize>,
    tick: u64,
    /// What came that belongs to no storm.
    strange: Vec<String>,
}

impl Player<'_> {
    /// Has users say so many lines as fast as they are answered, and looks at what became of it.
    pub(super) async fn storm(&mut self, users: &Items<String>, lines: u32, blocks: u32, span: &Span) -> Result<(), Stop> {
        for user in &users.0 {
            self.nothing_unread(user)?;
        }
        let names: Vec<&str> = users.0.iter().map(|user| user.value.as_str()).collect();
        self.transcript.happened(&self.label, format!("a storm of {lines} lines by {}", names.join(", ")));
        let mut storm = Storm {
            users: &users.0,
            said: Vec::new(),
            seen: Vec::new(),
            plans: self.plans(names.len(), lines, blocks),
            unanswered: vec![0; names.len()],
            tick: 0,
            strange: Vec::new(),
        };
        self.until_all_is_said(&mut storm).await?;
        // Nobody leaves a storm blocked.
        for by in 0..names.len() {
            for whom in 0..names.len() {
                let last = storm
                    .said
                    .iter()
                    .rev()
                    .filter(|said| said.by == by)
                    .find(|said| said.wish == Wish::Block(whom) || said.wish == Wish::Unblock(whom));
                if last.is_some_and(|said| said.wish == Wish::Block(whom)) {
                    storm.plans[by].push_back(Wish::Unblock(whom));
                }
            }
        }
        self.until_all_is_said(&mut storm).await?;
        self.barrier.pass(&mut self.cast, &mut self.server).await?;
        self.listen(&mut storm);
        // What others heard of it is nobody's business.
        for connection in &mut self.cast.all {
            connection.forget();
        }
        self.transcript.close(false);
        let mut notes = storm.strange;
        notes.extend(storm::violations(&names, &storm.said, &storm.seen));
        if notes.is_empty() {
            return Ok(());
        }
        let mut mistake = Mistake::new(span.clone(), format!("in the storm of step {} something happened that cannot happen", self.label));
        mistake.notes = notes;
        Err(mistake.into())
    }

    async fn until_all_is_said(&mut self, storm: &mut Storm<'_>) -> Result<(), Stop> {
        while self.speak(storm) {
            let users = storm.users;
            let heard = |one: &Connection| !one.unread.is_empty() && users.iter().any(|user| user.value == one.name);
            self.cast.until(|all| all.iter().any(heard)).await?;
            self.listen(storm);
        }
        Ok(())
    }

    /// Who says what, as the seed decides.
    fn plans(&mut self, users: usize, lines: u32, blocks: u32) -> Vec<VecDeque<Wish>> {
        let mut plans = vec![VecDeque::new(); users];
        let mut blocked = vec![vec![false; users]; users];
        for line in 0..lines {
            let by = self.random.usize(..users);
            let other = (by + self.random.usize(1..users)) % users;
            // Spread over the whole storm, wherever chance puts the rest.
            let is_block = blocks > 0 && line % (lines / blocks).max(1) == 0;
            let wish = match self.random.u8(..5) {
                _ if is_block => {
                    let state = &mut blocked[by][other];
                    *state = !*state;
                    if *state { Wish::Block(other) } else { Wish::Unblock(other) }
                }
                0 => Wish::Broadcast,
                _ => Wish::Message(other),
            };
            plans[by].push_back(wish);
        }
        plans
    }

    /// Lets everyone say what they may. Says whether anything is still to come.
    fn speak(&mut self, storm: &mut Storm<'_>) -> bool {
        for by in 0..storm.users.len() {
            while storm.unanswered[by] < WINDOW {
                let Some(wish) = storm.plans[by].pop_front() else { break };
                let number = storm.said.len();
                let line = match wish {
                    Wish::Message(to) => format!("message {} {TEXT}{number}", storm.users[to].value),
                    Wish::Broadcast => format!("broadcast {TEXT}{number}"),
                    Wish::Block(whom) => format!("block {}", storm.users[whom].value),
                    Wish::Unblock(whom) => format!("unblock {}", storm.users[whom].value),
                };
                let marks = Marks { tag: Some(number.to_string()), key: None };
                storm.tick += 1;
                storm.said.push(Said { by, wish, asked: storm.tick, answered: None });
                storm.unanswered[by] += 1;
                if let Some(connection) = self.cast.get_mut(&storm.users[by].value) {
                    connection.dirty = true;
                    connection.post(json::encode_line(&Line { text: line.into(), marks }));
                }
            }
        }
        storm.unanswered.iter().any(|unanswered| *unanswered > 0)
    }

    /// Takes what everyone has heard.
    fn listen(&mut self, storm: &mut Storm<'_>) {
        for (by, user) in storm.users.iter().enumerate() {
            let Some(connection) = self.cast.get_mut(&user.value) else { continue };
            connection.fresh.clear();
            for heard in std::mem::take(&mut connection.unread) {
                storm.tick += 1;
                storm.hear(by, &heard);
            }
        }
    }
}

impl Storm<'_> {
    fn hear(&mut self, by: usize, heard: &Heard) {
        let Some(object) = heard.object() else {
            if matches!(heard, Heard::Closed) {
                // Nobody answers any more.
                self.unanswered[by] = 0;
                self.plans[by].clear();
            }
            return self.strange.push(format!("{} heard {}", self.users[by].value, crate::transcript::said(heard)));
        };
        let number = |value: &Value| value.as_str().and_then(|text| text.trim_start_matches(TEXT).parse::<usize>().ok());
        let kind = object["type"].as_str().unwrap_or_default();
        if let Some(line) = number(&object["tag"]).and_then(|line| self.said.get_mut(line)) {
            line.answered = Some((
                self.tick,
                match kind {
                    "sent" => Answer::Sent(object["seq"].as_u64().unwrap_or_default()),
                    "refusal" => Answer::Refused(object["code"].as_str().unwrap_or_default().to_owned()),
                    _ => Answer::Done,
                },
            ));
            self.unanswered[by] = self.unanswered[by].saturating_sub(1);
        } else if let (Some(line), "message") = (number(&object["text"]).filter(|line| *line < self.said.len()), kind) {
            self.seen.push(Seen { by, line, seq: object["seq"].as_u64().unwrap_or_default() });
        } else {
            self.strange.push(format!("{} heard {}", self.users[by].value, crate::transcript::said(heard)));
        }
    }
}
