//! Operators: who is one, what only they may do, and the log of what they did.

use chinwag_wire::Fact;

use super::*;
use crate::spoken::Spoken;

/// What the console is called where a name is expected. Nobody can register it: it is reserved.
pub const CONSOLE_NAME: &str = "console";

/// On whose authority an operator's deed is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authority {
    /// Of whoever runs the server.
    Console,
    /// Of this operator.
    Operator(UserId),
}

impl Hall {
    /// Whether this user is an operator: was made one, or is one by the configuration. Guests never are.
    #[must_use]
    pub fn is_operator(&self, id: UserId) -> bool {
        !id.is_guest() && self.users.get(&id).is_some_and(|user| user.operator || self.policy.operators.contains(&name::folded(&user.name)))
    }

    /// Whether whoever is on `origin` may do what only operators may.
    #[must_use]
    pub fn has_authority(&self, origin: SessionId) -> bool {
        self.authority(origin).is_ok()
    }

    pub(super) fn authority(&self, origin: SessionId) -> Result<Authority, Refusal> {
        if origin == SessionId::CONSOLE {
            return Ok(Authority::Console);
        }
        let id = self.speaker(origin)?;
        if self.is_operator(id) { Ok(Authority::Operator(id)) } else { Err(not_permitted()) }
    }

    pub(super) fn set_operator(&mut self, origin: SessionId, whom: UserId, operator: bool) -> Result<Applied, Refusal> {
        self.authority(origin)?;
        let was = self.is_operator(whom);
        let user = self.users.get_mut(&whom).ok_or_else(gone)?;
        let name = user.name.to_string();
        if whom.is_guest() {
            return Err(Refusal::new(code::GUESTS, format!("`{name}` is a guest")).hint("operators have an account"));
        }
        if operator && was {
            return Err(Refusal::new(code::ALREADY_OPERATOR, format!("`{name}` is an operator already")).hint("`operators` lists them"));
        }
        if !operator && !was {
            return Err(Refusal::new(code::NOT_OPERATOR, format!("`{name}` is no operator")).hint("`operators` lists them"));
        }
        if !operator && self.policy.operators.contains(&name::folded(&name)) {
            return Err(Refusal::new(code::NOT_PERMITTED, format!("`{name}` is an operator by the server's configuration"))
                .hint("take the name out of `operators` there"));
        }
        user.operator = operator;
        let told = if operator { "* you are an operator now; `help` lists what you can do" } else { "* you are no operator any more" };
        let told = Fact::new("operator", told).with("operator", operator);
        let told = Delivery::See { spoken: Arc::new(Spoken::fleeting(Event::Fact(told))), reach: Reach::Sessions(user.sessions.clone()) };
        Ok(Applied { durable: true, rows: vec![Row::Operator { user: whom, operator }], deliveries: vec![told], ..Applied::default() })
    }

    /// The deed is noted before it is done: none is done without a trace, whenever the server ends.
    pub(super) fn note_deed(&self, seq: u64, now: Millis, origin: SessionId, what: String) -> Applied {
        let by = match self.sessions.get(&origin).and_then(|session| self.users.get(&session.user)) {
            Some(user) => user.name.to_string(),
            None => CONSOLE_NAME.to_owned(),
        };
        let receipt = Receipt { seq, at: now, ..Receipt::default() };
        Applied { receipt, durable: true, rows: vec![Row::Deed { deed: seq, at: now, by, what }], ..Applied::default() }
    }
}

pub(super) fn note_outcome(deed: u64, outcome: String) -> Applied {
    Applied { gated: true, rows: vec![Row::DeedOutcome { deed, outcome }], ..Applied::default() }
}

/// The refusal of what takes an account, or a connection, at the console.
#[must_use]
pub(crate) fn not_for_console() -> Refusal {
    Refusal::new(code::NOT_PERMITTED, "the console is nobody's account").hint("log in with a client for this")
}

/// The refusal of what only operators may do.
#[must_use]
pub(crate) fn not_permitted() -> Refusal {
    Refusal::new(code::NOT_PERMITTED, "only operators may do this").hint("`operators` lists whom to ask")
}
