//! `metrics`: how the server does, for programs that watch it.

use chinwag_core::ctx::Stats as Numbers;
use chinwag_core::prelude::*;

use crate::stats::Present;

/// Tells how the server does, as Prometheus and those who read its files take it.
pub struct Metrics;

impl Command for Metrics {
    const SPEC: Spec = Spec {
        name: "metrics",
        summary: "Tell how the server does in the text format of Prometheus, for programs that watch it.",
        needs: &[Need::Operator],
        only_looks: true,
        examples: "
            carol> metrics
            carol | # HELP chinwag_start_time_seconds When the server was started, in Unix time.
            carol | # TYPE chinwag_start_time_seconds gauge
            carol | chinwag_start_time_seconds 1767225600
            carol | # HELP chinwag_connections Connections, logged in or not.
            carol | # TYPE chinwag_connections gauge
            carol | chinwag_connections 0
            carol | # HELP chinwag_sessions Connections that somebody is logged in on.
            carol | # TYPE chinwag_sessions gauge
            carol | chinwag_sessions 4
            carol | # HELP chinwag_users_online Users who are logged in.
            carol | # TYPE chinwag_users_online gauge
            carol | chinwag_users_online 4
            carol | # HELP chinwag_accounts Registered users.
            carol | # TYPE chinwag_accounts gauge
            carol | chinwag_accounts 5
            carol | # HELP chinwag_guests Users without an account.
            carol | # TYPE chinwag_guests gauge
            carol | chinwag_guests 0
            carol | # HELP chinwag_rooms Rooms.
            carol | # TYPE chinwag_rooms gauge
            carol | chinwag_rooms 0
            carol | # HELP chinwag_bans Users and addresses that are kept out.
            carol | # TYPE chinwag_bans gauge
            carol | chinwag_bans 0
            carol | # HELP chinwag_invite_codes Codes that one can register with.
            carol | # TYPE chinwag_invite_codes gauge
            carol | chinwag_invite_codes 0
            carol | # HELP chinwag_private_offers Private chats that somebody has been asked for.
            carol | # TYPE chinwag_private_offers gauge
            carol | chinwag_private_offers 0
            carol | # HELP chinwag_private_chats Private chats.
            carol | # TYPE chinwag_private_chats gauge
            carol | chinwag_private_chats 0
            carol | # HELP chinwag_relays Private chats that go through the server.
            carol | # TYPE chinwag_relays gauge
            carol | chinwag_relays 0
            carol | # HELP chinwag_relayed_bytes_total Bytes of private chats that went through the server.
            carol | # TYPE chinwag_relayed_bytes_total counter
            carol | chinwag_relayed_bytes_total 0
            carol | # HELP chinwag_log_head The number of what was kept last.
            carol | # TYPE chinwag_log_head gauge
            carol | chinwag_log_head 7
            carol | # HELP chinwag_messages_total Messages that were said.
            carol | # TYPE chinwag_messages_total counter
            carol | chinwag_messages_total 0
            carol | # HELP chinwag_commit_seconds How long the store took to keep what there was.
            carol | # TYPE chinwag_commit_seconds summary
            carol | chinwag_commit_seconds_sum 0
            carol | chinwag_commit_seconds_count 8
            carol | # HELP chinwag_store_failing 1 while the store fails.
            carol | # TYPE chinwag_store_failing gauge
            carol | chinwag_store_failing 0
            carol | # HELP chinwag_rows_waiting Rows that wait for the store.
            carol | # TYPE chinwag_rows_waiting gauge
            carol | chinwag_rows_waiting 0
            carol | # HELP chinwag_events_waiting Answers and events that wait for the store.
            carol | # TYPE chinwag_events_waiting gauge
            carol | chinwag_events_waiting 0
            carol | # HELP chinwag_passwords_waiting Passwords that wait to be hashed.
            carol | # TYPE chinwag_passwords_waiting gauge
            carol | chinwag_passwords_waiting 0
            carol | # HELP chinwag_delayed_lines_total Lines that had to wait because there were too many.
            carol | # TYPE chinwag_delayed_lines_total counter
            carol | chinwag_delayed_lines_total 0
            carol | # HELP chinwag_flooders_total Connections that were cut off because they never stopped sending too much.
            carol | # TYPE chinwag_flooders_total counter
            carol | chinwag_flooders_total 0
            carol | # HELP chinwag_ended_total Connections that the server ended, by the code they were told.
            carol | # TYPE chinwag_ended_total counter
            carol | # HELP chinwag_certificate_end_time_seconds When the certificate ends, in Unix time.
            carol | # TYPE chinwag_certificate_end_time_seconds gauge
            carol | chinwag_certificate_end_time_seconds 1775001600

            alice> metrics
            alice | error[not-permitted]: only operators may do this; `operators` lists whom to ask
            someone> metrics
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, ctx: &mut Ctx, _: NoArgs) -> Outcome {
        for family in families(&ctx.stats(), &ctx.view(Present::count)) {
            let Family { name, kind, help, samples } = family;
            ctx.reply(Event::Fact(Fact::new("metric.help", format!("# HELP {name} {help}"))));
            ctx.reply(Event::Fact(Fact::new("metric.type", format!("# TYPE {name} {kind}"))));
            for (suffix, value) in samples {
                ctx.reply(Event::Fact(Fact::new("metric", format!("{name}{suffix} {value}"))));
            }
        }
        Ok(())
    }
}

/// One thing that is measured.
/// The format: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>, version 0.0.4.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    /// What stands behind the name, and the value.
    samples: Vec<(String, String)>,
}

fn gauge(name: &'static str, help: &'static str, value: impl ToString) -> Family {
    Family { name, kind: "gauge", help, samples: vec![(String::new(), value.to_string())] }
}

fn counter(name: &'static str, help: &'static str, value: impl ToString) -> Family {
    Family { kind: "counter", ..gauge(name, help, value) }
}

fn families(numbers: &Numbers, present: &Present) -> Vec<Family> {
    let committing = [("_sum", numbers.committing.as_secs_f64().to_string()), ("_count", numbers.commits.to_string())];
    // A code is made of letters and `-`: nothing in it has to be escaped.
    let ended = numbers.ended.iter().map(|(why, count)| (format!("{{code=\"{why}\"}}"), count.to_string()));
    let mut families = vec![
        gauge("chinwag_start_time_seconds", "When the server was started, in Unix time.", numbers.started.0 / 1000),
        gauge("chinwag_connections", "Connections, logged in or not.", numbers.connections),
        gauge("chinwag_sessions", "Connections that somebody is logged in on.", present.sessions),
        gauge("chinwag_users_online", "Users who are logged in.", present.online),
        gauge("chinwag_accounts", "Registered users.", present.accounts),
        gauge("chinwag_guests", "Users without an account.", present.guests),
        gauge("chinwag_rooms", "Rooms.", present.rooms),
        gauge("chinwag_bans", "Users and addresses that are kept out.", present.bans),
        gauge("chinwag_invite_codes", "Codes that one can register with.", present.invites),
        gauge("chinwag_private_offers", "Private chats that somebody has been asked for.", present.private.offers),
        gauge("chinwag_private_chats", "Private chats.", present.private.open),
        gauge("chinwag_relays", "Private chats that go through the server.", present.private.relayed),
        counter("chinwag_relayed_bytes_total", "Bytes of private chats that went through the server.", numbers.relayed_bytes),
        gauge("chinwag_log_head", "The number of what was kept last.", present.head),
        counter("chinwag_messages_total", "Messages that were said.", numbers.said),
        Family {
            name: "chinwag_commit_seconds",
            kind: "summary",
            help: "How long the store took to keep what there was.",
            samples: committing.map(|(suffix, value)| (suffix.to_owned(), value)).into(),
        },
        gauge("chinwag_store_failing", "1 while the store fails.", u8::from(numbers.store_failing)),
        gauge("chinwag_rows_waiting", "Rows that wait for the store.", numbers.rows_waiting),
        gauge("chinwag_events_waiting", "Answers and events that wait for the store.", numbers.outputs_waiting),
        gauge("chinwag_passwords_waiting", "Passwords that wait to be hashed.", numbers.passwords_waiting),
        counter("chinwag_delayed_lines_total", "Lines that had to wait because there were too many.", numbers.delayed),
        counter("chinwag_flooders_total", "Connections that were cut off because they never stopped sending too much.", numbers.flooders),
        Family {
            name: "chinwag_ended_total",
            kind: "counter",
            help: "Connections that the server ended, by the code they were told.",
            samples: ended.collect(),
        },
    ];
    if let Some((_, Some(end))) = numbers.certificate {
        families.push(gauge("chinwag_certificate_end_time_seconds", "When the certificate ends, in Unix time.", end.0 / 1000));
    }
    families
}
