//! This server's commands do what their examples say; `block` is not among them, `roll` is.

use chinwag_core::prelude::*;

#[test]
fn every_example_goes_as_written() {
    if let Err(report) = chinwag_core::stage::check_examples(&crate::registry()) {
        panic!("{report}");
    }
}

#[test]
fn roll_has_a_card_and_block_has_none() {
    assert_eq!(crate::registry().check(), Ok(()));
    let cards = crate::registry().cards();
    let named = |name: &str| cards.iter().find(|card| card.answers_to(name));
    assert_eq!(named("roll").map(chinwag_core::wire::Card::usage).as_deref(), Some("roll <dice>"));
    assert_eq!(named("block"), None);
    assert!(named("unblock").is_some(), "only what was named is left out");
}

/// Without a card, a line with the name of the command is refused.
struct Probe;

impl Command for Probe {
    const SPEC: Spec = Spec {
        name: "probe",
        summary: "Type something that is not of this server.",
        examples: "
            alice> block bob
            alice | error[unknown-command]: there is no command `block`; `help` lists the commands
        ",
        ..Spec::DEFAULT
    };
    type Args = NoArgs;

    async fn run(&self, _: &mut Ctx, _: NoArgs) -> Outcome {
        Ok(())
    }
}

#[test]
fn block_is_unknown_here() {
    if let Err(report) = chinwag_core::stage::check_examples(&crate::registry().with(Probe)) {
        panic!("{report}");
    }
}
