//! `carry TICKET`: have this connection carry a private chat.

use chinwag_core::prelude::*;

/// Has a connection carry a private chat.
pub struct Carry;

args! {
    pub struct Args {
        /// what the server gave you for it, on the connection that you are logged in on
        ticket: Ticket,
    }
}

impl Command for Carry {
    const SPEC: Spec = Spec {
        name: "carry",
        summary: "Have this connection carry a private chat; clients do it by themselves.",
        needs: &[Need::LoggedOut, Need::RelayAllowed],
        examples: "
            in private: alice relays bob
            someone> carry TICKET
            someone | ok
            thief> carry TICKET
            thief | error[bad-ticket]: this ticket is unknown, used or over; `relay` on the other connection gets one

            someone> carry please
            someone | error[bad-ticket]: this is no ticket: one has 64 lowercase hexadecimal digits; `relay` on the other connection gets one
            alice> carry TICKET
            alice | error[already-logged-in]: you are logged in already; logout first
        ",
        ..Spec::DEFAULT
    };
    type Args = Args;

    async fn run(&self, ctx: &mut Ctx, Args { ticket }: Args) -> Outcome {
        ctx.carry(ticket.0)
    }
}
