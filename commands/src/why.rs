//! `why`: what has become of a message of one's own, and why somebody has it, or has not.

use chinwag_core::hall::Whereabouts;
use chinwag_core::prelude::*;

/// Tells what has become of a message.
pub struct Why;

args! {
    pub struct Args {
        /// 1 is your last, 2 the one before it; #812 is number 812
        message: Option<MessageRef>,
    }
}

impl Command for Why {
    const SPEC: Spec = Spec {
        name: "why",
        summary: "Tell what has become of a message of yours: who has it, or why not yet.",
        needs: &[Need::Account],
        examples: "
            alice> why
            alice | error[no-such-message]: you have not said that many messages; `history` shows what you said
            alice> why #7
            alice | error[no-such-message]: number 7 is no message of yours; `history` shows what you said
            alice> why him
            alice | error[usage]: `him` is no message: 1 is the last, 2 the one before, #812 the one with this number; usage: why [message]
            someone> why
            someone | error[not-logged-in]: you are not logged in; login NAME PASSWORD, or register NAME PASSWORD if you are new
        ",
        cost: 5,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { message }: Args) -> Outcome {
        let (said, whereabouts) = ctx.whereabouts(message.unwrap_or(MessageRef::Back(1)).of_mine()).await?;
        let (to, state, what) = match &said.to {
            Addressee::User(name) => (name.clone(), state(whereabouts), told(name, whereabouts)),
            Addressee::Everyone => ("all".to_owned(), state(whereabouts), told("all", whereabouts)),
            Addressee::Room(room) => (format!("[{room}]"), state(whereabouts), told(room, whereabouts)),
        };
        let text = format!("* number {} to {to}, {}: it is stored; {what}", said.seq, said.at);
        let mut fact = Fact::new("why", text).with("seq", said.seq).with("to", to).with("at", said.at.0).with("state", state);
        if let Whereabouts::Many { reached, of } = whereabouts {
            fact = fact.with("reached", reached).with("of", of);
        }
        ctx.reply(Event::Fact(fact));
        Ok(())
    }
}

/// For programs.
fn state(whereabouts: Whereabouts) -> &'static str {
    match whereabouts {
        Whereabouts::Untold => "untold",
        Whereabouts::Seen => "seen",
        Whereabouts::Delivered { .. } => "delivered",
        Whereabouts::OnItsWay { .. } => "on-its-way",
        Whereabouts::CutOff { .. } => "cut-off",
        Whereabouts::Left { .. } => "left",
        Whereabouts::Away => "away",
        Whereabouts::Many { .. } => "many",
        Whereabouts::Present => "present",
        Whereabouts::Elsewhere => "elsewhere",
    }
}

/// For people.
fn told(name: &str, whereabouts: Whereabouts) -> String {
    match whereabouts {
        Whereabouts::Untold => "nothing more can be told".to_owned(),
        Whereabouts::Seen => format!("{name} has it"),
        Whereabouts::Delivered { acknowledges: true } => format!("it went to {name} at once, who has not been heard to have seen it yet"),
        Whereabouts::Delivered { acknowledges: false } => {
            format!("it went to {name} at once, on a connection that does not say what is seen")
        }
        Whereabouts::OnItsWay { since } => {
            format!("{name} was away, came at {since} and is sent what was kept, and has not been heard to have seen it yet")
        }
        Whereabouts::CutOff { at } => {
            format!("{name} did not read what was sent and was cut off at {at}, and gets it at the next login")
        }
        Whereabouts::Left { at } => format!("{name} left at {at} without having seen it, and gets it at the next login"),
        Whereabouts::Away => format!("{name} is away and gets it at the next login"),
        Whereabouts::Many { of: 0, .. } => "there was nobody else".to_owned(),
        Whereabouts::Many { reached, of } => format!("it has reached {reached} of {of} so far"),
        Whereabouts::Present => "it was for those who were online, and is kept for nobody else".to_owned(),
        Whereabouts::Elsewhere => "whoever belongs there finds it there".to_owned(),
    }
}
