//! A session as a scenario, with what the reference model says that everybody must see.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::reference::{Expect, House, Reference, Seen};
use super::rooms::Access;
use super::session::{Op, ROOMS, RoomDeed};
use crate::holes::escaped;
use crate::ron_text::quoted;

/// How much real time a session may take: many times what a long one takes on a busy machine.
const TIMEOUT: &str = "60s";

/// The session as text, and which operations took part: those that are not possible where they stand are left out.
#[must_use]
pub fn scenario(about: &str, seed: u64, house: House, args: &[String], faults: &[String], ops: &[Op]) -> (String, Vec<Op>) {
    let mut model = Reference::new(house);
    let mut played: Vec<(Op, Seen, String)> = Vec::new();
    let mut given = BTreeSet::new();
    for op in ops {
        // What has no name here was never given out, or not to a connection that can be asked for it.
        if needed(op).into_iter().any(|name| !given.contains(&name)) {
            continue;
        }
        // The text dialect has no keys.
        if matches!(op, Op::Say { at, key: Some(_), .. } if model.is_text(at)) {
            continue;
        }
        let say = said(op, &model);
        let (json, before) = (op.at().is_some_and(|at| !model.is_text(at)), model.known());
        let Ok(mut seen) = model.apply(op) else { continue };
        for at in model.open() {
            seen.entry(at).or_default();
        }
        let after = model.known();
        match op {
            Op::Token { token, .. } if after.1 != before.1 => drop(given.insert(hole('t', *token))),
            _ => {}
        }
        if let Some(mark) = op.mark().filter(|_| json && after.0 != before.0) {
            given.insert(hole('m', mark));
        }
        played.push((op.clone(), seen, say));
    }
    let used: BTreeSet<String> = played.iter().flat_map(|(op, ..)| needed(op)).collect();
    let mut text =
        format!("Scenario(\n    about: {},\n    tags: [\"model\"],\n    seed: {seed},\n    timeout: \"{TIMEOUT}\",\n", quoted(about));
    let args: Vec<String> = house.args().iter().chain(args).map(|arg| quoted(arg)).collect();
    let _ = writeln!(text, "    server: (args: [{}]),\n    cast: (),\n    steps: [", args.join(", "));
    for fault in faults {
        let _ = writeln!(text, "        Fault({}),", quoted(fault));
    }
    let mut ops = Vec::new();
    let mut texts = BTreeSet::new();
    for (op, seen, say) in played {
        let _ = writeln!(text, "        {say},");
        if !seen.is_empty() {
            let all: Vec<String> = seen.iter().map(|(at, lines)| format!("{at}: {}", expectation(lines))).collect();
            let _ = writeln!(text, "        See({}),", all.join(", "));
        }
        if op == Op::Stop || op == Op::Crash {
            text.push_str("        Start,\n");
        }
        match &op {
            Op::Connect { at, text: true } => drop(texts.insert(*at)),
            Op::Connect { at, text: false } => drop(texts.remove(at)),
            Op::Token { at, token } if used.contains(&hole('t', *token)) => {
                let what = if texts.contains(at) { "after: \"* token \", until: \" \"" } else { "field: \"token\"" };
                let _ = writeln!(text, "        Let({}: (from: \"{at}\", {what})),", hole('t', *token));
            }
            _ => {}
        }
        if let (Some(at), Some(mark)) = (op.at(), op.mark().filter(|mark| used.contains(&hole('m', *mark)))) {
            let _ = writeln!(text, "        Let({}: (from: \"{at}\", type: \"sent\", field: \"seq\")),", hole('m', mark));
        }
        ops.push(op);
    }
    text.push_str("    ],\n)\n");
    (text, ops)
}

/// The names of what an operation needs that the server gave out before.
fn needed(op: &Op) -> Vec<String> {
    match op {
        Op::Since { mark, .. } | Op::Ack { mark, .. } => vec![hole('m', *mark)],
        Op::Resume { token, after, .. } => {
            let after = after.map(|mark| hole('m', mark));
            std::iter::once(hole('t', *token)).chain(after).collect()
        }
        _ => Vec::new(),
    }
}

fn hole(kind: char, number: usize) -> String {
    format!("{kind}{number}")
}

/// The step that does it.
fn said(op: &Op, model: &Reference) -> String {
    // In a room a line is said to it, unless it begins with a slash.
    let slash = if op.at().is_some_and(|at| model.is_in_room(at)) { "/" } else { "" };
    let password = |name: &str, right: bool| if right { model.password(name) } else { "wrong".to_owned() };
    let line = match op {
        Op::Connect { at, text } => return format!("{}(\"{at}\")", if *text { "Telnet" } else { "Connect" }),
        Op::Drop { at } => return format!("Drop(\"{at}\")"),
        Op::Advance { seconds } => return format!("Advance(\"{seconds}s\")"),
        Op::Crash => return "Crash".to_owned(),
        Op::Stop => return "Stop".to_owned(),
        Op::Say { at, to, text, key: Some(key), .. } => {
            let line = format!("{slash}{}", escaped(&spoken(*to, text)));
            return format!("SendKeyed({at}: (key: \"{key}\", line: {}))", quoted(&line));
        }
        Op::Amend { deed, back, text, .. } => escaped(format!("{} {back} {text}", deed.verb()).trim_end()),
        Op::Say { to, text, .. } => escaped(&spoken(*to, text)),
        Op::Register { name, .. } => format!("register {name} pw-{name}"),
        Op::Login { name, right, .. } => format!("login {name} {}", password(name, *right)),
        Op::Since { mark, .. } => format!("since {{m{mark}}}"),
        Op::Token { .. } => "token".to_owned(),
        Op::Resume { token, after, .. } => {
            format!("resume {{t{token}}}{}", after.map_or_else(String::new, |mark| format!(" {{m{mark}}}")))
        }
        Op::Logout { .. } => "logout".to_owned(),
        Op::Passwd { at, new } => format!("passwd {} {new}", password(model.who(at).unwrap_or(at), true)),
        Op::Unregister { at } => format!("unregister {}", password(model.who(at).unwrap_or(at), true)),
        Op::Ack { mark, .. } => format!("ack {{m{mark}}}"),
        Op::Block { whom, .. } => format!("block {whom}"),
        Op::Unblock { whom, .. } => format!("unblock {whom}"),
        Op::Blocked { .. } => "blocked".to_owned(),
        Op::Whoelse { .. } => "whoelse".to_owned(),
        Op::Whoelsesince { hour, .. } => format!("whoelsesince {}", if *hour { "1h" } else { "90" }),
        Op::Users { .. } => "users".to_owned(),
        Op::Whoami { .. } => "whoami".to_owned(),
        Op::History { with, .. } => with.map_or_else(|| "history".to_owned(), |with| format!("history {with}")),
        Op::Guest { name, .. } => format!("guest {name}"),
        Op::Room { deed: RoomDeed::Say { text, .. }, at } if model.is_in_room(at) => {
            return format!("Send({at}: {})", quoted(&escaped(text)));
        }
        Op::Room { deed, at } => in_room(deed, model.who(at).unwrap_or(at), model.room_of(at).unwrap_or(ROOMS[0])),
        Op::Nonsense { .. } => "xyzzy".to_owned(),
    };
    format!("Send({}: {})", op.at().unwrap_or_default(), quoted(&format!("{slash}{line}")))
}

/// The line of somebody called `me`, in `mine`.
fn in_room(deed: &RoomDeed, me: &str, mine: &str) -> String {
    match deed {
        RoomDeed::Create(room) => format!("create {room}"),
        RoomDeed::Join { room, password: false } => format!("join {room}"),
        // What one wants to be called comes before the password.
        RoomDeed::Join { room, password: true } => format!("join {room} {me} pw-{room}"),
        RoomDeed::Leave => "leave".to_owned(),
        RoomDeed::Say { text, .. } => escaped(&format!("say {text}")),
        RoomDeed::Whisper { whom, text, .. } => escaped(&format!("whisper {whom} {text}")),
        RoomDeed::Kick(whom) => format!("kick {whom}"),
        RoomDeed::Ban(whom) => format!("roomban {whom} 1h"),
        RoomDeed::Unban(whom) => format!("unroomban {whom}"),
        RoomDeed::Mute(whom) => format!("mute {whom} 10m"),
        RoomDeed::Unmute(whom) => format!("unmute {whom}"),
        RoomDeed::Invite(whom) => format!("invite {whom}"),
        RoomDeed::Role(whom, role) => format!("role {whom} {}", role.word()),
        RoomDeed::Access(Access::Password) => format!("access password pw-{mine}"),
        RoomDeed::Access(access) => format!("access {}", access.word()),
        RoomDeed::Keep(keep) => format!("keep {}", if *keep { "on" } else { "off" }),
        RoomDeed::Resign => "resign".to_owned(),
        RoomDeed::Close => "close".to_owned(),
        RoomDeed::Members => "members".to_owned(),
        RoomDeed::Rooms => "rooms".to_owned(),
    }
}

fn spoken(to: Option<&str>, text: &str) -> String {
    to.map_or_else(|| format!("broadcast {text}"), |to| format!("message {to} {text}"))
}

fn expectation(lines: &[Expect]) -> String {
    let one = |line: &Expect| match line {
        Expect::Line(text) => quoted(&escaped(text)),
        Expect::Starts(text) => format!("Starts({})", quoted(&escaped(text))),
        Expect::Refused(code) => format!("Err(\"{code}\")"),
        Expect::Closed => "Closed".to_owned(),
    };
    match lines {
        [] => "Nothing".to_owned(),
        [single] => one(single),
        several => format!("[{}]", several.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}
