//! `help`, `help message`: what you can type, and what of it does what.

use chinwag_core::prelude::*;

/// Lists commands, or explains one.
pub struct Help;

args! {
    pub struct Args {
        /// which one to explain; without it, all that you may use are listed
        command: Option<CommandName>,
    }
}

impl Command for Help {
    const SPEC: Spec = Spec {
        name: "help",
        aliases: &["h"],
        summary: "List the commands, or explain one.",
        needs: &[],
        // The one example that names another command: of `help` itself it would contain itself.
        examples: "
            alice> help ping
            alice | ping [token]
            alice |   Hear `pong` when everything you caused before is on its way to everyone.
            alice |   [token] a word: what to answer with
            alice |   | alice> ping 7
            alice |   | alice | pong 7
            alice |   | someone> ping
            alice |   | someone | pong

            alice> help /frobnicate
            alice | error[unknown-command]: there is no command `frobnicate`; `help` lists the commands
            alice> help ping me
            alice | error[usage]: `me` is a word too many; usage: help [command]
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { command }: Args) -> Outcome {
        let cards = match command {
            None => ctx.cards(),
            // Explained to everyone: whoever is not logged in may want to know what for.
            Some(CommandName(name)) => ctx.cards_with_examples().iter().filter(|card| card.name == name).cloned().collect(),
        };
        ctx.reply(Event::Help { cards });
        Ok(())
    }
}
