//! `ping 7`: hear `pong 7` when everything you caused before is on its way to everyone.

use chinwag_core::prelude::*;

/// Answers when everything caused by earlier lines has been sent.
pub struct Ping;

args! {
    pub struct Args {
        /// what to answer with
        token: Option<Word>,
    }
}

impl Command for Ping {
    const SPEC: Spec = Spec {
        name: "ping",
        summary: "Hear `pong` when everything you caused before is on its way to everyone.",
        needs: &[],
        // One stage, no blank line: `help` shows it as an example of its own.
        examples: "
            alice> ping 7
            alice | pong 7
            someone> ping
            someone | pong
        ",
        // Programs send it by themselves.
        cost: 0,
        activity: false,
        by_hand: false,
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { token }: Args) -> Outcome {
        let token = token.map_or_else(String::new, |word| word.0);
        ctx.reply(Event::Pong { token });
        Ok(())
    }
}
