//! The join storm: many members come into one room at once, and go again. Logins are over before it begins.

use std::io;
use std::time::Instant;

use super::crowd::{Crowd, name};
use super::plan::Bench;
use super::process::{Process, System};

/// How many logins are under way at a time.
const LOGINS_AT_ONCE: usize = 64;

/// Who comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// People without an account, reading lines.
    Guests,
    /// People with accounts, of whom it is kept that they belong to the room; their clients read JSON.
    Accounts,
}

/// One round of all that this module measures.
pub(crate) fn round(bench: &mut Bench) -> io::Result<()> {
    let count = if bench.quick { 500 } else { 2000 };
    for (who, what) in [(Who::Guests, "guests in text"), (Who::Accounts, "accounts in json")] {
        let name = format!("join storm of {count} {what}");
        if !bench.wants(&name) {
            continue;
        }
        for &system in bench.systems() {
            // The yardstick has no accounts to keep.
            if system == System::Chinwag || who == Who::Guests {
                storm(bench, system, who, count, &name)?;
            }
        }
    }
    Ok(())
}

fn storm(bench: &mut Bench, system: System, who: Who, count: usize, name: &str) -> io::Result<()> {
    let mut process = bench.start(system, &["--guests", "true", "--outbox-bytes", "8388608"])?;
    let mut crowd = Crowd::new()?;
    crowd.connect(process.address, count)?;
    let before = stretch(&mut process, &mut crowd, who, count, |crowd| log_in(crowd, who, count))?;
    // The first makes it.
    crowd.ask_each(0, 1, 1, |_| line(who, "create den"), entered(who))?;
    let came = stretch(&mut process, &mut crowd, who, count - 1, |crowd| {
        crowd.ask_each(1, count, count, |_| line(who, "join den"), entered(who))
    })?;
    let went =
        stretch(&mut process, &mut crowd, who, count - 1, |crowd| crowd.ask_each(1, count, count, |_| line(who, "/leave"), left(who)))?;
    for (what, stretch) in [("logins", before), ("join", came), ("leave", went)] {
        bench.figure(&format!("{name}: {what}, CPU for 1,000"), "s", system, stretch.processor);
        bench.figure(&format!("{name}: {what}, time until all have heard all"), "s", system, stretch.took);
        bench.figure(&format!("{name}: {what}, received by each"), "KiB", system, stretch.received / 1024.0);
        bench.figure(&format!("{name}: {what}, memory for each"), "KiB", system, stretch.memory / 1024.0);
    }
    Ok(())
}

/// What a part of the storm has cost.
struct Stretch {
    /// Processor seconds of the server for each 1,000 people.
    processor: f64,
    /// Seconds until everyone has heard everything.
    took: f64,
    /// Bytes that the server has sent to each.
    received: f64,
    /// By how many bytes for each the server's memory has grown.
    memory: f64,
}

fn stretch(
    process: &mut Process,
    crowd: &mut Crowd,
    who: Who,
    count: usize,
    what: impl FnOnce(&mut Crowd) -> io::Result<()>,
) -> io::Result<Stretch> {
    let (usage, memory) = (process.usage()?, process.resident()?);
    let (received, began) = (crowd.received(), Instant::now());
    what(crowd)?;
    let all = crowd.len();
    crowd.ask_each(0, all, all, |_| line(who, "/ping ready"), if who == Who::Guests { b"pong ready" } else { br#"{"type":"pong""# })?;
    process.ask("quiesce")?;
    let count = count as f64;
    Ok(Stretch {
        processor: process.usage()?.since(usage).processor.as_secs_f64() * 1000.0 / count,
        took: began.elapsed().as_secs_f64(),
        received: (crowd.received() - received) as f64 / count,
        memory: (process.resident()? as f64 - memory as f64) / count,
    })
}

fn log_in(crowd: &mut Crowd, who: Who, count: usize) -> io::Result<()> {
    match who {
        Who::Guests => crowd.ask_each(0, count, LOGINS_AT_ONCE, |who| format!("guest {}\n", name(who)), b"* welcome"),
        Who::Accounts => {
            crowd.ask_each(0, count, count, |_| "dialect json\n".to_owned(), br#"{"type":"cards""#)?;
            let register = |member| line(who, &format!("register {} secret", name(member)));
            crowd.ask_each(0, count, LOGINS_AT_ONCE, register, br#"{"type":"roster""#)
        }
    }
}

fn line(who: Who, words: &str) -> String {
    match who {
        Who::Guests => format!("{words}\n"),
        Who::Accounts => format!("{{\"line\":\"{words}\"}}\n"),
    }
}

fn entered(who: Who) -> &'static [u8] {
    match who {
        Who::Guests => b"* you ",
        Who::Accounts => br#"{"type":"entered""#,
    }
}

fn left(who: Who) -> &'static [u8] {
    match who {
        Who::Guests => b"* you have left",
        Who::Accounts => br#"{"type":"left""#,
    }
}
