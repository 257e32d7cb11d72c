//! `chinwag tail`: prints what is said, and says nothing.

use clap::Args;

use crate::chat::Chat;
use crate::failure::Failure;
use crate::report::{Form, Of, Report};

/// Print what is said to you, until interrupted: first what was kept while you were away, then what comes.
///
/// What is printed counts as read. With --json, comings and goings are printed too. With OF only what is said in that room, or between you and that
/// user or by that user; then nothing counts as read, because what was left out was not.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct TailArgs {
    /// End after so many messages.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Let nothing count as read: the next login shows it again.
    #[arg(long)]
    peek: bool,

    /// Whose talk: a room that you are in (a `#` in front is understood), or a user.
    of: Option<String>,
}

/// Prints what is said until it is enough.
///
/// # Errors
/// Why it ended otherwise.
pub(crate) fn run(chat: Chat, args: &TailArgs, form: Form) -> Result<(), Failure> {
    let of = if form == Form::Json { Of::Everything } else { Of::Talk };
    let (report, writer) = Report::start(form, of).map_err(|error| Failure::usage(format!("cannot start: {error}")))?;
    let report = match args.count {
        Some(count) => report.until(count, chat.leave.clone()),
        None => report,
    };
    let report = match &args.of {
        Some(of) => report.only(of.trim_start_matches(['@', '#'])),
        None => report,
    };
    let leave = chat.leave.clone();
    // Nothing is said. Kept open, because its end would be a wish to leave.
    let (_typed, waiting) = async_channel::bounded(1);
    let session = chat.report_session(report, waiting)?;
    let session = if args.peek || args.of.is_some() { session.without_acknowledging() } else { session };
    let end = session.run_to_end();
    // With the session its way to the reader is gone, and the writer ends when all is written.
    let _ = writer.join();
    match end {
        Ok(()) if args.count.is_some() && leave.was_interrupted() => {
            Err(Failure::interrupted("interrupted before that many messages came"))
        }
        end => end,
    }
}
