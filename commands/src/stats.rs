//! `stats`: how the server does.

use std::time::Duration;

use chinwag_core::ctx::Stats as Numbers;
use chinwag_core::hall::PrivateCount;
use chinwag_core::prelude::*;
use chinwag_core::wire::Millis;
use chinwag_core::wire::time::show_duration;

/// From when on a certificate's end is pointed out: time to get another.
const ENDS_SOON: Duration = Duration::from_secs(21 * 24 * 3600);

/// Tells how the server does.
pub struct Stats;

impl Command for Stats {
    const SPEC: Spec = Spec {
        name: "stats",
        summary: "Tell how the server does: who is here, what waits, whom it sent away and why, and the certificate.",
        needs: &[Need::Operator],
        only_looks: true,
        examples: "
            carol> stats
            carol | * up for 0s, since 2026-01-01 00:00:00Z
            carol | * 0 connections; 4 sessions of 4 users; 5 accounts, 0 guests, 0 rooms
            carol | * the log stage is at 7; 0 messages since the start
            carol | * the store works; 8 commits since the start; waiting: 0 rows, 0 events, 0 passwords
            carol | * ended by the server since the start: nobody
            carol | * too fast since the start: 0 lines had to wait, 0 connections were cut off
            carol | * 0 bans, 0 invite codes
            carol | * private chats: 0 offered, 0 open, 0 through the server (0 bytes since the start)
            carol | * certificate SHA256:5d41402abc4b2a76, until 2026-04-01 00:00:00Z

            alice> stats
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> stats
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        let (numbers, now) = (ctx.stats(), ctx.now());
        let present = ctx.view(Present::count);
        let facts = [
            up(&numbers, now),
            people(&present, numbers.connections),
            talk(&numbers, present.head),
            store(&numbers),
            ended(&numbers),
            flood(&numbers),
            doors(&present),
            private(present.private, numbers.relayed_bytes),
        ];
        for fact in facts {
            ctx.reply(Event::Fact(fact));
        }
        if let Some((fingerprint, expires)) = numbers.certificate {
            ctx.reply(Event::Fact(certificate(fingerprint, expires, now)));
        }
        Ok(())
    }
}

fn up(numbers: &Numbers, now: Millis) -> Fact {
    let up = now.since(numbers.started);
    let told = format!("* up for {}, since {}", show_duration(up), numbers.started);
    Fact::new("stats.up", told).with("seconds", up.as_secs()).with("since", numbers.started.0)
}

/// What there is at the moment.
pub(crate) struct Present {
    pub(crate) sessions: usize,
    pub(crate) online: usize,
    pub(crate) accounts: usize,
    pub(crate) guests: usize,
    pub(crate) rooms: usize,
    pub(crate) bans: usize,
    pub(crate) invites: usize,
    pub(crate) private: PrivateCount,
    /// Up to which number there is something.
    pub(crate) head: u64,
}

impl Present {
    /// Counts it.
    pub(crate) fn count(view: &View<'_>) -> Present {
        let hall = view.hall();
        let guests = hall.users().filter(|(id, _)| id.is_guest()).count();
        Present {
            sessions: hall.session_count(),
            online: hall.online().count(),
            accounts: hall.users().count() - guests,
            guests,
            rooms: hall.rooms(view.now).count(),
            bans: hall.bans(view.now).count(),
            invites: hall.invites(view.now).count(),
            private: hall.private_count(),
            head: hall.head(),
        }
    }
}

fn people(present: &Present, connections: usize) -> Fact {
    let Present { sessions, online, accounts, guests, rooms, .. } = present;
    let of = |count: usize, what: &str| counted(count as u64, what);
    let told = format!(
        "* {}; {} of {}; {}, {}, {}",
        of(connections, "connection"),
        of(*sessions, "session"),
        of(*online, "user"),
        of(*accounts, "account"),
        of(*guests, "guest"),
        of(*rooms, "room")
    );
    let people = Fact::new("stats.people", told).with("connections", connections).with("sessions", *sessions).with("online", *online);
    people.with("accounts", *accounts).with("guests", *guests).with("rooms", *rooms)
}

/// Who is kept out or asked in.
fn doors(Present { bans, invites, .. }: &Present) -> Fact {
    let told = format!("* {}, {}", counted(*bans as u64, "ban"), counted(*invites as u64, "invite code"));
    Fact::new("stats.doors", told).with("bans", *bans).with("codes", *invites)
}

fn talk(numbers: &Numbers, head: u64) -> Fact {
    let told = format!("* the log {} is at {head}; {} since the start", numbers.log, counted(numbers.said, "message"));
    Fact::new("stats.talk", told).with("log", numbers.log.clone()).with("head", head).with("said", numbers.said)
}

fn store(numbers: &Numbers) -> Fact {
    let Numbers { commits, rows_waiting, outputs_waiting, passwords_waiting, store_failing, .. } = numbers;
    let state = if *store_failing { "FAILS: is the disk full?" } else { "works" };
    let told = format!(
        "* the store {state}; {} since the start; waiting: {}, {}, {}",
        counted(*commits, "commit"),
        counted(*rows_waiting as u64, "row"),
        counted(*outputs_waiting as u64, "event"),
        counted(*passwords_waiting as u64, "password")
    );
    let told = Fact::new("stats.store", told).with("failing", *store_failing).with("commits", *commits);
    let told = told.with("rows_waiting", *rows_waiting).with("events_waiting", *outputs_waiting);
    told.with("passwords_waiting", *passwords_waiting)
}

fn ended(numbers: &Numbers) -> Fact {
    let list: Vec<String> = numbers.ended.iter().map(|(why, count)| format!("{count} {why}")).collect();
    let list = if list.is_empty() { "nobody".to_owned() } else { list.join(", ") };
    let told = Fact::new("stats.ended", format!("* ended by the server since the start: {list}"));
    numbers.ended.iter().fold(told, |told, (why, count)| told.with(why.to_string(), *count))
}

fn flood(numbers: &Numbers) -> Fact {
    let (lines, connections) = (counted(numbers.delayed, "line"), counted(numbers.flooders, "connection"));
    let were = if numbers.flooders == 1 { "was" } else { "were" };
    let told = format!("* too fast since the start: {lines} had to wait, {connections} {were} cut off");
    Fact::new("stats.flood", told).with("delayed", numbers.delayed).with("cut_off", numbers.flooders)
}

fn private(count: PrivateCount, bytes: u64) -> Fact {
    let PrivateCount { offers, open, relayed } = count;
    let told = format!("* private chats: {offers} offered, {open} open, {relayed} through the server ({bytes} bytes since the start)");
    let told = Fact::new("stats.private", told).with("offers", offers).with("open", open);
    told.with("relayed", relayed).with("relayed_bytes", bytes)
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn certificate(fingerprint: String, expires: Option<Millis>, now: Millis) -> Fact {
    let end = match expires {
        None => String::new(),
        Some(expires) if expires <= now => format!(", which ENDED at {expires}"),
        Some(expires) if expires.since(now) < ENDS_SOON => {
            format!(", which ends in {}: at {expires}", counted(expires.since(now).as_secs() / 86_400, "day"))
        }
        Some(expires) => format!(", until {expires}"),
    };
    let told = Fact::new("stats.certificate", format!("* certificate {fingerprint}{end}")).with("fingerprint", fingerprint);
    match expires {
        Some(expires) => told.with("expires", expires.0),
        None => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_pointed_out_in_time() {
        let now = Millis(1_767_225_600_000);
        let day = Duration::from_secs(24 * 3600);
        let told = |expires| certificate("SHA256:0".to_owned(), expires, now).text;
        assert_eq!(told(None), "* certificate SHA256:0");
        assert_eq!(told(Some(now.plus(30 * day))), "* certificate SHA256:0, until 2026-01-31 00:00:00Z");
        assert_eq!(told(Some(now.plus(20 * day))), "* certificate SHA256:0, which ends in 20 days: at 2026-01-21 00:00:00Z");
        assert_eq!(told(Some(now)), "* certificate SHA256:0, which ENDED at 2026-01-01 00:00:00Z");
    }
}
