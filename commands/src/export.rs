//! `export`, `export after:812`: everything that the server has about you.

use std::borrow::Cow;

use chinwag_core::prelude::*;
use chinwag_core::wire::Millis;
use chinwag_core::wire::name::{folded, shortened};

/// Gives out what there is about the asker.
pub struct Export;

args! {
    pub struct Args {
        /// go on after this message, as `after:812`: the answer before tells the number, as long as there is more
        after: Option<After>,
    }
}

/// Only what has a greater number than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After(u64);

impl Arg for After {
    const KIND: Kind = Kind { label: Cow::Borrowed("`after:` and a message's number"), ..Kind::WORD };

    fn read(word: &str, view: &View<'_>) -> Result<Self, Refusal> {
        let number = word.strip_prefix("after:").and_then(|number| Number::read(number, view).ok());
        let wrong = || Refusal::new(code::USAGE, format!("`{}` is not `after:` and a message's number", shortened(word)));
        number.map(|Number(after)| After(after)).ok_or_else(wrong)
    }
}

impl Command for Export {
    const SPEC: Spec = Spec {
        name: "export",
        summary: "Give you all that the server has about you, without secrets: your account, then page by page what you said and were told.",
        needs: &[Need::Account],
        examples: "
            alice> export
            alice | * account alice, made 2026-01-01 00:00:00Z
            alice | * session since 2026-01-01 00:00:00Z, from 192.0.2.1
            alice | * 0 messages: that is all

            in den: erin, bob
            erin> /export
            erin | * account erin, made 2026-01-01 00:00:00Z
            erin | * session since 2026-01-01 00:00:00Z, from 192.0.2.1
            erin | * blocks alice
            erin | * belongs to den, as erin: owner
            erin | * 0 messages: that is all

            alice> export after:812
            alice | * 0 messages: that is all
            alice> export 812
            alice | error[usage]: `812` is not `after:` and a message's number; usage: export [after]
            someone> export
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 10,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { after }: Args) -> Outcome {
        let user = ctx.user()?;
        if after.is_none() {
            for fact in ctx.view(|view| account(view, user)) {
                ctx.reply(Event::Fact(fact));
            }
        }
        let page = ctx.onward(after.map_or(0, |After(seq)| seq)).await?;
        if let Some(gone) = page.gone.filter(|_| after.is_none()) {
            ctx.reply(Event::Fact(gone_up_to(gone)));
        }
        let count = page.said.len();
        for said in page.said {
            ctx.reply(Event::Past(said));
        }
        let messages = format!("{count} message{}", if count == 1 { "" } else { "s" });
        let end = if page.more {
            Fact::new("export.more", format!("* {messages}; it goes on: export after:{}", page.through)).with("next", page.through)
        } else {
            Fact::new("export.end", format!("* {messages}: that is all"))
        };
        ctx.reply(Event::Fact(end.with("count", count)));
        Ok(())
    }
}

/// What there is of somebody besides what was said, each a line.
fn account(view: &View<'_>, id: UserId) -> Vec<Fact> {
    let (hall, now) = (view.hall(), view.now);
    let Some(user) = hall.user(id) else { return Vec::new() };
    let operator = if hall.is_operator(id) { "; an operator" } else { "" };
    let account = Fact::new("export.account", format!("* account {}, made {}{operator}", user.name, user.created));
    let account = account.with("name", &*user.name).with("created", user.created.0).with("cursor", user.cursor);
    let mut facts = vec![account.with("operator", hall.is_operator(id))];
    for session in user.sessions.iter().filter_map(|session| hall.session(*session)) {
        let told = Fact::new("export.session", format!("* session since {}, from {}", session.since, session.address));
        facts.push(told.with("since", session.since.0).with("address", session.address.to_string()));
    }
    for expires in hall.tokens_of(id, now) {
        facts.push(Fact::new("export.token", format!("* a session token, good until {expires}")).with("expires", expires.0));
    }
    let mut blocks: Vec<&str> = user.blocks.iter().filter_map(|other| Some(&*hall.user(*other)?.name)).collect();
    blocks.sort_unstable_by_key(|name| folded(name));
    facts.extend(blocks.into_iter().map(|name| Fact::new("export.block", format!("* blocks {name}")).with("name", name)));
    let mut rooms: Vec<_> = hall.rooms(now).map(|(_, room)| room).filter(|room| concerns(room, id, &user.name, now)).collect();
    rooms.sort_unstable_by_key(|room| folded(&room.row.name));
    facts.extend(rooms.into_iter().flat_map(|room| in_room(room, id, &user.name, now)));
    facts
}

fn concerns(room: &Room, id: UserId, name: &str, now: Millis) -> bool {
    room.members.contains_key(&id) || room.invited.contains(&id) || room.ban(&folded(name), now).is_some()
}

/// What there is of somebody in a room: they know it, having been in it or asked into it.
fn in_room(room: &Room, id: UserId, name: &str, now: Millis) -> Vec<Fact> {
    let about = |kind: &str, text: String| Fact::new(kind, text).with("room", &*room.row.name);
    let room_name = &room.row.name;
    let mut facts = Vec::new();
    if let Some(member) = room.members.get(&id) {
        let muted = member.muted_until.filter(|until| *until > now);
        let until = muted.map_or(String::new(), |until| format!(", muted until {until}"));
        let told = about("export.room", format!("* belongs to {room_name}, as {}: {}{until}", member.nick, member.role.word()));
        let told =
            told.with("nick", &*member.nick).with("role", member.role.word()).with("since", member.since).with("in", member.tuned_in);
        facts.push(match muted {
            Some(until) => told.with("muted_until", until.0),
            None => told,
        });
    }
    if room.invited.contains(&id) {
        facts.push(about("export.invited", format!("* invited into {room_name}")));
    }
    if let Some(ban) = room.ban(&folded(name), now) {
        let until = ban.until.map_or(String::new(), |until| format!(" until {until}"));
        let reason = ban.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        let told = about("export.banned", format!("* may not come into {room_name}{until}{reason}"));
        let told = ban.until.map_or(told.clone(), |until| told.with("until", until.0));
        facts.push(ban.reason.as_ref().map_or(told.clone(), |reason| told.with("reason", &**reason)));
    }
    facts
}
