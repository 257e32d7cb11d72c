//! Dispatch: from a line to the command it asks for. The dispatcher checks, the command acts.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use chinwag_wire::dialect::wire::Order;
use chinwag_wire::dialect::{Line, Marks};
use chinwag_wire::split::{self, Asked};
use chinwag_wire::{Event, Refusal, code};
use smol::future::FutureExt;

use crate::command::{AnyCommand, Ready};
use crate::ctx::{Caller, Ctx};
use crate::fault::Fault;
use crate::hall::UserId;
use crate::hall::{Act, Intent};
use crate::server::Server;

/// What a line is answered with.
#[derive(Debug)]
pub struct Answer {
    /// At least one.
    pub events: Vec<Event>,
    /// It was a valid command that a person gives: the idle timeout begins anew.
    pub activity: bool,
}

/// Obeys one line. `None` for a blank one, unless it has a tag or a key to be answered under.
pub async fn dispatch(server: &Arc<Server>, caller: &mut Caller, line: &Line<'_>) -> Option<Answer> {
    obey(server, caller, line, None, true).await
}

/// How many commands a line counts as (see [`crate::command::Spec::cost`]).
pub(crate) fn cost(server: &Server, line: &str) -> u32 {
    match split::line(line) {
        Asked::Command { name, rest } => server.registry.known(name).map_or(1, |command| command.cost(&rest)),
        Asked::Nothing | Asked::Say(_) => 1,
    }
}

/// Obeys what a wire asks for. There is always an answer.
pub(crate) async fn carry_out(server: &Arc<Server>, caller: &mut Caller, order: Order) -> Answer {
    if order.line.contains('\0') || order.body.as_ref().is_some_and(|body| body.contains('\0')) {
        return Answer::refused(Refusal::new(code::NUL, "there is a NUL character in it").hint("send text"));
    }
    let line = Line { text: order.line.into(), marks: Marks::default() };
    let answer = obey(server, caller, &line, order.body.as_deref(), false).await;
    answer.unwrap_or_else(|| Answer { events: vec![Event::Done], activity: false })
}

/// `typed`: by somebody who means a line without a slash for the room they are in; a wire always means a command.
async fn obey(server: &Arc<Server>, caller: &mut Caller, line: &Line<'_>, body: Option<&str>, typed: bool) -> Option<Answer> {
    if Fault::LogLines.is_on() {
        tracing::info!(line = &*line.text, "said");
    }
    // One look serves what the line means, needs and arguments, so that all are of the same moment.
    let checked = server.view(caller.session, |view| {
        let in_room = view.my_room().is_ok();
        // What was meant for a room is no command because the room has just put one out.
        let asked = if (in_room || view.is_adrift()) && typed { split::line_in_room(&line.text) } else { split::line(&line.text) };
        let (name, rest) = match asked {
            Asked::Nothing => return Checked::Nothing,
            Asked::Say(text) if in_room => (split::TO_ROOM, Cow::Borrowed(text)),
            Asked::Say(_) => {
                if let Some(refusal) = view.my_room().err().filter(|_| view.is_adrift()) {
                    return Checked::Refused(refusal);
                }
                let refusal = Refusal::new(code::NO_ROOM, "you are in no room: nobody would hear this");
                return Checked::Refused(refusal.hint("@NAME TEXT reaches one, @all TEXT everyone"));
            }
            Asked::Command { name, rest } => (name, rest),
        };
        let command = match server.registry.find(name) {
            Ok(command) => command,
            Err(refusal) => return Checked::Refused(refusal),
        };
        let mut needs = command.spec().needs.iter().filter(|need| !caller.is_excused(**need));
        match needs.try_for_each(|need| need.check(view)).and_then(|()| command.read(&rest, body, view)) {
            Ok(ready) => {
                let who = view.me().and_then(|id| Some((id, view.hall().user(id)?.name.to_string())));
                let audited = command.spec().is_deed().then(|| command.audited(&rest, body));
                let by_hand = command.spec().by_hand || Fault::ProgramsAreActive.is_on();
                let stirs = by_hand && view.hall().is_news_of_activity(caller.session, view.now);
                Checked::Ready { command, who, ready, audited, stirs }
            }
            Err(refusal) => Checked::Refused(with_usage(refusal, command)),
        }
    });
    let (command, who, ready, audited, stirs) = match checked {
        Checked::Ready { command, who, ready, audited, stirs } => (command, who, ready, audited, stirs),
        Checked::Refused(refusal) => return Some(Answer::refused(refusal)),
        Checked::Nothing if line.marks == Marks::default() => return None,
        // Whoever waits for the answer under a tag waits for this one too.
        Checked::Nothing => return Some(Answer { events: vec![Event::Done], activity: false }),
    };
    if stirs {
        // Refused only when the server is so busy that there are other worries.
        let _ = server.submit(Intent { origin: caller.session, act: Act::BeActive });
    }
    let deed = match audited {
        Some(what) => match server.submit(Intent { origin: caller.session, act: Act::NoteDeed { what } }) {
            Ok(receipt) => Some(receipt.seq),
            Err(refusal) => return Some(Answer::refused(refusal)),
        },
        None => None,
    };
    let mut ctx = Ctx::new(server, caller, &line.marks, who);
    let run = async {
        let faulty = command.spec().name == "whoami";
        assert!(!(faulty && Fault::CommandPanics.is_on()), "a fault that was switched on");
        if faulty && Fault::CommandStuck.is_on() {
            smol::future::pending::<()>().await;
        }
        command.start(&mut ctx, ready).await
    };
    let run = AssertUnwindSafe(run).catch_unwind();
    let outcome = run.or(async {
        server.clock.sleep_until(server.clock.elapsed() + command.spec().deadline).await;
        Ok(Err(Refusal::new(code::DEADLINE, format!("`{}` took too long", command.spec().name)).hint("try again later")))
    });
    let outcome = outcome.await.unwrap_or_else(|_| {
        tracing::error!(command = command.spec().name, "a command panicked");
        Err(Refusal::new(code::INTERNAL, format!("`{}` broke; sorry", command.spec().name)).hint("tell the operator"))
    });
    let (after, mut events, note) = ctx.finish();
    *caller = after;
    if let Some(deed) = deed {
        let outcome = match (&outcome, note) {
            (Ok(()), None) => "done".to_owned(),
            (Ok(()), Some(note)) => format!("done: {note}"),
            (Err(refusal), _) => refusal.code.to_string(),
        };
        // Never refused: there is always room for what has happened already.
        let _ = server.submit(Intent { origin: caller.session, act: Act::NoteOutcome { deed, outcome } });
    }
    match outcome {
        Err(refusal) => events.push(Event::Refusal(with_usage(refusal, command))),
        Ok(()) if events.is_empty() => events.push(Event::Done),
        Ok(()) => {}
    }
    Some(Answer { events, activity: command.spec().activity })
}

/// What the first look at a line has brought.
enum Checked<'a> {
    Nothing,
    Refused(Refusal),
    Ready {
        command: &'a dyn AnyCommand,
        who: Option<(UserId, String)>,
        ready: Ready,
        /// What the audit log is to say of it, if it is a deed.
        audited: Option<String>,
        /// Somebody does it who has done nothing for long enough that it has to be noted.
        stirs: bool,
    },
}

impl Answer {
    /// To a line that did not get as far as a command.
    #[must_use]
    pub fn refused(refusal: Refusal) -> Answer {
        Answer { events: vec![Event::Refusal(refusal)], activity: Fault::NonsenseIsActivity.is_on() }
    }

    /// As bytes, in the dialect the caller speaks now.
    #[must_use]
    pub fn bytes(&self, dialect: usize, marks: &Marks) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (index, event) in self.events.iter().enumerate() {
            chinwag_wire::dialect::ALL[dialect].answer(event, marks, index + 1 == self.events.len(), &mut bytes);
        }
        bytes
    }
}

/// A wrong line is answered with the usage, unless there is better advice.
fn with_usage(refusal: Refusal, command: &dyn AnyCommand) -> Refusal {
    if refusal.hint.is_some() { refusal } else { refusal.hint(format!("usage: {}", command.card().usage())) }
}
