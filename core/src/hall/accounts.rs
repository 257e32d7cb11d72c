//! Accounts: made, changed, deleted; tokens; blocks.

use chinwag_wire::PrivateEnd;

use super::*;

/// An account that is asked for.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) invite: Option<InviteCode>,
}

impl Hall {
    pub(super) fn register(
        &mut self,
        seq: u64,
        now: Millis,
        origin: SessionId,
        wanted: Wanted,
        entry: super::sessions::Entry,
    ) -> Result<Applied, Refusal> {
        let Wanted { name: wanted, password, invite } = wanted;
        self.check_not_logged_in(origin)?;
        self.check_not_banned(now, None, entry.address)?;
        let wanted = self.check_free(&wanted, NameOf::Account)?;
        // The last thing that can be refused: from here on the invite is used.
        let invited = invite.map(|code| self.use_invite(seq, now, &wanted, code)).transpose()?.unwrap_or_default();
        let id = UserId(self.next_account);
        self.next_account += 1;
        let user = User { joined: seq, created: now, cursor: seq, ..User::new(&wanted, Some(password.clone().into())) };
        self.names.take(&wanted, Holder::User(id));
        self.users.insert(id, user);
        let row = Row::Account { user: id, name: wanted, password, joined: seq, at: now };
        let mut applied = self.enter(now, origin, id, entry);
        applied.durable = true;
        applied.receipt.seq = seq;
        applied.rows.insert(0, row);
        applied.rows.extend(invited);
        Ok(applied)
    }

    pub(super) fn change_password(&mut self, origin: SessionId, password: String) -> Result<Applied, Refusal> {
        let id = self.account(origin)?;
        let user = self.users.get_mut(&id).ok_or_else(gone)?;
        user.password = Some(password.clone().into());
        self.forget_tokens(id);
        Ok(Applied { durable: true, rows: vec![Row::Password { user: id, password }, Row::TokensGone { user: id }], ..Applied::default() })
    }

    pub(super) fn delete_account(&mut self, now: Millis, origin: SessionId, forget: bool) -> Result<Applied, Refusal> {
        let id = self.account(origin)?;
        self.check_leaves_owners(id)?;
        let mut applied = Applied { durable: true, rows: vec![Row::AccountGone { user: id }], ..Applied::default() };
        self.rooms_at_deletion(now, id, &mut applied);
        self.end_all_private(id, PrivateEnd::LoggedOut, &mut applied);
        let sessions = self.users.get(&id).map(|user| user.sessions.clone()).unwrap_or_default();
        for session in sessions {
            let left = self.leave(now, session, Departure::LoggedOut, None)?;
            // Not the rows: there is no account left to keep them for.
            applied.deliveries.extend(left.deliveries);
            if session != origin {
                let last_word = Some(Refusal::new(code::ACCOUNT_DELETED, "this account has been deleted"));
                applied.deliveries.push(Delivery::Detach { session, last_word });
            }
        }
        self.forget_tokens(id);
        if self.bans.remove(&Banned::User(id)).is_some() {
            applied.rows.push(Row::Unban { whom: Banned::User(id) });
        }
        if let Some(user) = self.users.remove(&id) {
            self.names.give_back(&user.name, Holder::User(id));
            for other in user.blocks.union(&user.blocked_by) {
                if let Some(other) = self.users.get_mut(other) {
                    other.blocks.remove(&id);
                    other.blocked_by.remove(&id);
                }
            }
        }
        if forget {
            // The last: the rows before it still belong to the account.
            applied.rows.push(Row::Forgotten { user: id });
        }
        Ok(applied)
    }

    pub(super) fn issue_token(&mut self, origin: SessionId, hash: TokenHash, expires: Millis) -> Result<Applied, Refusal> {
        let id = self.account(origin)?;
        let mut rows = Vec::new();
        // A session has one token: a client that asks again has lost the first.
        let session = self.sessions.get_mut(&origin).ok_or_else(not_logged_in)?;
        let device = session.device;
        if let Some(old) = session.token.replace(hash) {
            self.tokens.remove(&old);
            rows.push(Row::TokenGone { hash: old });
        }
        self.tokens.insert(hash, Token { user: id, device, expires });
        rows.push(Row::Token { hash, user: id, device, expires });
        Ok(Applied { durable: true, rows, ..Applied::default() })
    }

    fn forget_tokens(&mut self, id: UserId) {
        self.tokens.retain(|_, token| token.user != id || Fault::KeepTokens.is_on());
        for session in self.sessions.values_mut().filter(|session| session.user == id) {
            session.token = None;
        }
    }

    pub(super) fn block(&mut self, origin: SessionId, whom: UserId) -> Result<Applied, Refusal> {
        let (id, other) = self.pair(origin, whom, "block")?;
        if self.users.get(&id).is_some_and(|user| user.blocks.contains(&whom)) {
            return Err(
                Refusal::new(code::ALREADY_BLOCKED, format!("you have blocked `{other}` already")).hint("`blocked` lists whom you block")
            );
        }
        self.note_block(id, whom);
        let mut applied = self.kept_if_accounts(id, whom, Row::Block { by: id, whom });
        self.private_at_block(id, whom, &mut applied);
        Ok(applied)
    }

    pub(super) fn unblock(&mut self, origin: SessionId, whom: UserId) -> Result<Applied, Refusal> {
        let (id, other) = self.pair(origin, whom, "unblock")?;
        if !self.users.get(&id).is_some_and(|user| user.blocks.contains(&whom)) {
            return Err(Refusal::new(code::NOT_BLOCKED, format!("you have not blocked `{other}`")).hint("`blocked` lists whom you block"));
        }
        if let Some(user) = self.users.get_mut(&id) {
            user.blocks.remove(&whom);
        }
        if let Some(user) = self.users.get_mut(&whom) {
            user.blocked_by.remove(&id);
        }
        Ok(self.kept_if_accounts(id, whom, Row::Unblock { by: id, whom }))
    }

    /// A block with a guest on either side ends with the guest: there is nothing to keep.
    #[allow(clippy::unused_self, reason = "reads as one of the hall's verbs")]
    fn kept_if_accounts(&self, id: UserId, whom: UserId, row: Row) -> Applied {
        let kept = !id.is_guest() && !whom.is_guest();
        Applied { durable: kept, rows: if kept && !Fault::BlockNotKept.is_on() { vec![row] } else { Vec::new() }, ..Applied::default() }
    }

    /// The speaker, and the name of somebody else.
    pub(super) fn pair(&self, origin: SessionId, whom: UserId, verb: &str) -> Result<(UserId, &str), Refusal> {
        let id = self.speaker(origin)?;
        if id == whom {
            return Err(Refusal::new(code::YOURSELF, format!("you cannot {verb} yourself")).hint("name somebody else"));
        }
        Ok((id, &self.users.get(&whom).ok_or_else(gone)?.name))
    }

    /// The speaker, who is not a guest.
    fn account(&self, origin: SessionId) -> Result<UserId, Refusal> {
        let id = self.speaker(origin)?;
        if id.is_guest() {
            return Err(Refusal::new(code::GUESTS, "guests have no account").hint("logout, then register NAME PASSWORD"));
        }
        Ok(id)
    }
}
