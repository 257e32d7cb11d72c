//! Logins: connect, log in, leave, again and again on a few connections at a time. By password, with the real hash,
//! and by session token.

use std::io;
use std::time::{Duration, Instant};

use super::broadcast::TICK;
use super::crowd::{Crowd, PATIENCE, name, unexpected};
use super::machine::Loopback;
use super::plan::Bench;
use super::process::Process;
use super::table::{Latency, Sample};

/// How many log in at a time: each with an account of its own, since an account has one session.
const AT_ONCE: usize = 16;

/// How many logins are measured at most in a row: each leaves a port behind that cannot be used for a minute.
const LOGINS_MAX: u64 = 4000;

/// How one logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// With the password, and leaves with `quit`.
    Password,
    /// With a session token, and leaves by hanging up: `quit` would revoke the token.
    Token,
}

/// One round of all that this module measures.
pub(crate) fn round(bench: &mut Bench) -> io::Result<()> {
    for (how, name) in [(How::Password, "logins by password"), (How::Token, "logins by session token")] {
        if !bench.wants(name) {
            continue;
        }
        for &system in bench.systems() {
            let mut process = Process::start_real(&bench.launch, system, &[])?;
            let sample = measure(&mut process, how, bench.length.measured.max(Duration::from_secs(1)), &mut bench.loopback)?;
            bench.note(name, system, sample);
        }
    }
    Ok(())
}

fn measure(process: &mut Process, how: How, length: Duration, loopback: &mut Loopback) -> io::Result<Sample> {
    let words = credentials(process, how)?;
    let mut crowd = Crowd::new()?;
    let mut begun = vec![Instant::now(); AT_ONCE];
    for (who, words) in words.iter().enumerate() {
        crowd.connect(process.address, 1)?;
        crowd.say(who, words);
    }
    loopback.take();
    let (start, before) = (Instant::now(), process.usage()?);
    let (mut count, mut latency) = (0, Latency::default());
    let mut came = Vec::new();
    let mut last = start;
    while start.elapsed() < length && count < LOGINS_MAX {
        loopback.tick(Instant::now())?;
        crowd.turn(TICK, |who, line, now| {
            if line.starts_with(b"* welcome") {
                latency.note(now.saturating_duration_since(begun[who]));
                came.push(who);
                Ok(())
            } else if line.starts_with(b"* goodbye") || line.ends_with(b" logged in") || line.ends_with(b" logged out") {
                Ok(())
            } else {
                Err(unexpected(who, line))
            }
        })?;
        for who in came.drain(..) {
            match how {
                How::Password => crowd.say(who, b"quit\n"),
                How::Token => crowd.hang_up(who)?,
            }
        }
        for who in 0..AT_ONCE {
            if crowd.is_closed(who) {
                count += 1;
                last = Instant::now();
                begun[who] = last;
                crowd.reconnect(who, process.address)?;
                crowd.say(who, &words[who]);
            }
        }
        if last.elapsed() > PATIENCE {
            return Err(io::Error::other("nobody gets in any more"));
        }
    }
    let (took, usage) = (start.elapsed(), process.usage()?.since(before));
    Ok(Sample { count, took, usage, loopback: loopback.take(), latency, batch: None })
}

/// Makes the accounts; says with which line each logs in.
fn credentials(process: &Process, how: How) -> io::Result<Vec<Vec<u8>>> {
    let mut crowd = Crowd::new()?;
    crowd.connect(process.address, AT_ONCE)?;
    crowd.register_all()?;
    let words = match how {
        How::Password => (0..AT_ONCE).map(|who| format!("login {} secret\n", name(who)).into_bytes()).collect(),
        How::Token => tokens(&mut crowd)?,
    };
    for who in 0..AT_ONCE {
        crowd.hang_up(who)?;
    }
    let give_up = Instant::now() + PATIENCE;
    while !(0..AT_ONCE).all(|who| crowd.is_closed(who)) {
        crowd.turn(TICK, |_, _, _| Ok(()))?;
        if Instant::now() > give_up {
            return Err(io::Error::other("connections that have hung up stay open"));
        }
    }
    Ok(words)
}

fn tokens(crowd: &mut Crowd) -> io::Result<Vec<Vec<u8>>> {
    let mut words = vec![Vec::new(); AT_ONCE];
    let mut missing = AT_ONCE;
    for who in 0..AT_ONCE {
        crowd.say(who, b"token\n");
    }
    let give_up = Instant::now() + PATIENCE;
    while missing > 0 && Instant::now() < give_up {
        crowd.turn(TICK, |who, line, _| {
            let token = line
                .strip_prefix(b"* token ")
                .and_then(|rest| rest.split(|byte| *byte == b' ').next())
                .ok_or_else(|| unexpected(who, line))?;
            words[who] = [b"resume ", token, b"\n"].concat();
            missing -= 1;
            Ok(())
        })?;
    }
    if missing > 0 { Err(io::Error::other("there are no tokens")) } else { Ok(words) }
}
