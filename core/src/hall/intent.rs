//! What may be asked of the hall, and what it answers with.

use std::net::IpAddr;
use std::sync::Arc;

use chinwag_wire::{Deed, Fact, Millis, Offer, Refusal, Token};

use super::operators::{Ban, Banned, Invite, InviteCode};
use super::{DeviceId, MemberRow, Policy, RoomBan, RoomChange, RoomId, RoomRow, SessionId, TokenHash, UserId};
use crate::spoken::Spoken;

/// One thing that somebody wants to happen.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The connection it comes from.
    pub origin: SessionId,
    /// What.
    pub act: Act,
}

/// What somebody wants to happen.
#[derive(Clone, Debug)]
pub enum Act {
    /// Make an account and log in.
    Register {
        /// The name wanted.
        name: String,
        /// The password, hashed: a PHC string.
        password: String,
        /// The invite that lets them, if one is needed and the configuration names no such code.
        invite: Option<InviteCode>,
        /// Where from.
        address: IpAddr,
        /// See [`super::Session::acknowledges`].
        acknowledges: bool,
        /// See [`super::Session::private`].
        private: bool,
    },
    /// Log in; the password or token has been found right.
    Login {
        /// Who.
        user: UserId,
        /// The PHC string that the password was found right against, if it was a password: in the meantime it
        /// may have changed.
        password: Option<Box<str>>,
        /// The token that was presented, if it was a token.
        token: Option<TokenHash>,
        /// Where from.
        address: IpAddr,
        /// Give what came after this number; without one, after the user's cursor.
        after: Option<u64>,
        /// See [`super::Session::acknowledges`].
        acknowledges: bool,
        /// See [`super::Session::private`].
        private: bool,
    },
    /// Count a wrong password.
    LoginFailed {
        /// For this name.
        name: String,
        /// From this address.
        address: IpAddr,
    },
    /// Come in without an account.
    Guest {
        /// Under this name; without one, under one that is free.
        name: Option<String>,
        /// Where from.
        address: IpAddr,
        /// See [`super::Session::acknowledges`].
        acknowledges: bool,
        /// See [`super::Session::private`].
        private: bool,
    },
    /// End the session on this connection.
    Leave {
        /// How it ends.
        how: Departure,
        /// What had been written to the connection, if that counts as seen.
        seen: Option<u64>,
    },
    /// End another session.
    Evict {
        /// Which.
        session: SessionId,
        /// What its connection is told.
        because: Refusal,
    },
    /// Kept mail has been written to this connection.
    CaughtUp {
        /// Up to here; `None` if there was none.
        through: Option<u64>,
        /// All of it: from here on it sees everything live.
        live: bool,
    },
    /// Everything up to `seq` has been seen.
    Acknowledge {
        /// Up to here.
        seq: u64,
    },
    /// The connection changed to a dialect that does or does not acknowledge.
    SpeakAs {
        /// See [`super::Session::acknowledges`].
        acknowledges: bool,
    },
    /// Do something oneself, which the hall is told of only as far as it is news ([`super::Hall::is_news_of_activity`]).
    BeActive,
    /// Say something.
    Say {
        /// To whom.
        to: Recipient,
        /// What.
        text: String,
        /// The same key from the same user is said once.
        key: Option<String>,
    },
    /// Make a room and come in.
    CreateRoom {
        /// The name wanted.
        name: String,
        /// To be called this in it.
        nick: Option<String>,
    },
    /// Come into a room; or, if there already, turn to it and perhaps be called otherwise.
    JoinRoom {
        /// Which.
        room: RoomId,
        /// To be called this in it.
        nick: Option<String>,
        /// The PHC string that the given password was found right against.
        password: Option<String>,
    },
    /// Go out of a room.
    LeaveRoom {
        /// Which.
        room: RoomId,
    },
    /// Belong to a room no more.
    Resign {
        /// Which.
        room: RoomId,
    },
    /// As an operator: a room is no more.
    EndRoom {
        /// Which.
        room: RoomId,
        /// Why.
        reason: Option<String>,
    },
    /// Have something otherwise in a room.
    ChangeRoom {
        /// Which.
        room: RoomId,
        /// What.
        change: RoomChange,
    },
    /// Say something about an earlier message, or take that back.
    Amend {
        /// What.
        amend: Amend,
        /// The same key from the same user is said once.
        key: Option<String>,
    },
    /// Show something that is not kept.
    Show {
        /// To whom.
        to: ShowTo,
        /// What.
        fact: Fact,
    },
    /// Ask somebody for a private chat; or agree, if they have asked.
    AskPrivate {
        /// Whom.
        whom: UserId,
        /// What they are told if they agree; without one nothing can come of it, and what else is wrong is told first.
        offer: Option<Box<Offer>>,
    },
    /// Agree to a private chat.
    AcceptPrivate {
        /// Who has asked.
        whom: UserId,
        /// What they are told.
        offer: Option<Box<Offer>>,
    },
    /// Say no to one.
    DeclinePrivate {
        /// Who has asked.
        whom: UserId,
    },
    /// Take an offer back, or end a private chat.
    StopPrivate {
        /// With whom.
        whom: UserId,
    },
    /// Have a private chat go through the server, if the other wants it too.
    RelayPrivate {
        /// With whom.
        whom: UserId,
        /// What opens this side's end of it then.
        ticket: Token,
    },
    /// Be one end of a relay. The receipt's number is twice the relay's, plus the side.
    TakeTicket {
        /// What was given out for it.
        ticket: Token,
    },
    /// A relay has ended by itself.
    RelayOver {
        /// Which.
        relay: u64,
    },
    /// Something of private chats ends by itself about now.
    PrivateDue,
    /// Hide from each other.
    Block {
        /// Whom.
        whom: UserId,
    },
    /// Stop hiding.
    Unblock {
        /// Whom.
        whom: UserId,
    },
    /// Replace the password, and revoke all tokens.
    ChangePassword {
        /// The new one: a PHC string.
        password: String,
    },
    /// Delete the account; its name is free again.
    DeleteAccount {
        /// And everything that was said by it, or to it alone.
        forget: bool,
    },
    /// Accept a token as a login of this user.
    IssueToken {
        /// The hash of the token.
        hash: TokenHash,
        /// Until when.
        expires: Millis,
    },
    /// Make somebody an operator, or no operator any more.
    SetOperator {
        /// Whom.
        user: UserId,
        /// Which of the two.
        operator: bool,
    },
    /// Go by another policy from here on.
    Configure {
        /// Which.
        policy: Box<Policy>,
    },
    /// End all sessions of somebody.
    Disconnect {
        /// Whose.
        user: UserId,
        /// Why, for those who are told; may be empty.
        reason: String,
    },
    /// Keep somebody out, in place of an older ban of the same.
    Ban {
        /// Whom.
        whom: Banned,
        /// Until when; without one, until the ban is ended.
        until: Option<Millis>,
        /// Why, for those who are told; may be empty.
        reason: String,
    },
    /// Let them in again.
    Unban {
        /// Whom.
        whom: Banned,
    },
    /// Forget the wrong passwords for a name, from wherever.
    Unlock {
        /// The name.
        name: String,
    },
    /// Show something to everyone online, whoever hides from whom.
    Announce {
        /// What.
        text: String,
    },
    /// Give out an invite.
    Invite {
        /// The hash of its secret. The receipt's number is the invite's.
        hash: TokenHash,
        /// How many may register with it.
        uses: u32,
        /// Until when.
        expires: Millis,
    },
    /// End an invite.
    Uninvite {
        /// Its number.
        number: u64,
    },
    /// Note in the audit log that an operator is about to do something. The receipt's number is the deed's.
    NoteDeed {
        /// What, without secrets.
        what: String,
    },
    /// Note what became of it.
    NoteOutcome {
        /// The number of the deed.
        deed: u64,
        /// `done`, or the code of a refusal.
        outcome: String,
    },
}

/// Something said about an earlier message, which the one who says it is entitled to.
#[derive(Clone, Debug)]
pub struct Amend {
    /// The earlier one's place.
    pub seq: u64,
    /// Who said that.
    pub by: UserId,
    /// Their name.
    pub by_name: String,
    /// To whom.
    pub audience: UserId,
    /// How it begins.
    pub quoted: String,
    /// What is done to it.
    pub deed: Deed,
    /// The new text, the answer, the reaction.
    pub text: String,
}

/// To whom something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// To one user.
    User(UserId),
    /// To everyone.
    Everyone,
    /// To everyone in a room that the speaker is in.
    Room(RoomId),
    /// To one member of a room that both are in.
    Member {
        /// The room.
        room: RoomId,
        /// Who.
        user: UserId,
    },
}

/// To whom something is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShowTo {
    /// To everyone online that does not hide from the shower, and the shower too.
    Everyone,
    /// To one user, online now.
    User(UserId),
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// By the user's wish.
    LoggedOut,
    /// No valid command for too long.
    TimedOut,
    /// The connection ended, or the server ended it.
    Disconnected,
    /// The server ended it because it did not read what it was sent.
    TooSlow,
    /// The server ends: nobody is told that the others leave, who are all told the same.
    Shutdown,
}

/// What became of an intent that was not refused.
#[derive(Debug, Default)]
pub struct Applied {
    /// For the one who asked.
    pub receipt: Receipt,
    /// It takes a place in the order, and nobody hears of it before its rows are durable.
    pub durable: bool,
    /// Nobody hears of it before its rows are committed, though they need not outlive a loss of power.
    pub gated: bool,
    /// What the store keeps. Rows of an intent that is neither are kept too, but nobody waits for them.
    pub rows: Vec<Row>,
    /// Who gets what, in this order.
    pub deliveries: Vec<Delivery>,
}

/// What the one who asked learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The place in the order; for login, the order's head.
    pub seq: u64,
    /// When.
    pub at: Millis,
    /// The addressee is away.
    pub kept: bool,
    /// Some were not reached.
    pub missed: bool,
    /// It had been said before, under the same key.
    pub again: bool,
}

/// What goes to whom.
#[derive(Debug)]
pub enum Delivery {
    /// Something to see.
    See {
        /// What.
        spoken: Arc<Spoken>,
        /// Who.
        reach: Reach,
    },
    /// From here in the order on, this connection sees what its user is entitled to.
    Attach {
        /// Which.
        session: SessionId,
        /// Whose.
        user: UserId,
        /// What came after this number is owed first; `None` if nothing is.
        owed_after: Option<u64>,
        /// Of what was said on other devices of the same user, what is owed.
        elsewhere: Elsewhere,
    },
    /// From here in the order on, these connections hear a room.
    Enter {
        /// Which connections.
        sessions: Vec<SessionId>,
        /// Which room.
        room: RoomId,
    },
    /// From here in the order on, they do not.
    Exit {
        /// Which connections.
        sessions: Vec<SessionId>,
        /// Which room.
        room: RoomId,
    },
    /// All connections from a network end, logged in or not.
    Expel {
        /// Which network: see [`crate::network`].
        network: IpAddr,
        /// Why: the last that they hear.
        because: Refusal,
    },
    /// A relay ends: its connections close.
    EndRelay {
        /// Which.
        relay: u64,
    },
    /// From here in the order on, it sees nothing any more.
    Detach {
        /// Which.
        session: SessionId,
        /// Why, if the server ends it: the last that it hears.
        last_word: Option<Refusal>,
    },
}

/// What a user said on other devices than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// This one.
    pub than: DeviceId,
    /// After this number.
    pub after: u64,
}

/// Who sees something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// These connections.
    Sessions(Vec<SessionId>),
    /// All connections that are logged in, except those of these users (sorted).
    EveryoneBut(Vec<UserId>),
    /// All connections that hear a room, except those of these users (sorted).
    Room {
        /// The room.
        room: RoomId,
        /// Who does not.
        but: Vec<UserId>,
    },
}

/// What the store keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Something said.
    Said(SaidRow),
    /// A new account.
    Account {
        /// Its number.
        user: UserId,
        /// The name as registered.
        name: String,
        /// A PHC string.
        password: String,
        /// The order's head at registration, and the cursor to begin with.
        joined: u64,
        /// When.
        at: Millis,
    },
    /// A new password.
    Password {
        /// Whose.
        user: UserId,
        /// A PHC string.
        password: String,
    },
    /// An account that is no more. Its number is not used again.
    AccountGone {
        /// Which.
        user: UserId,
    },
    /// Everything that a user said who is no more, and everything that was said to them alone, is no more.
    Forgotten {
        /// Who.
        user: UserId,
    },
    /// A block.
    Block {
        /// Who blocks.
        by: UserId,
        /// Whom.
        whom: UserId,
    },
    /// A block that is no more.
    Unblock {
        /// Who blocked.
        by: UserId,
        /// Whom.
        whom: UserId,
    },
    /// A session token.
    Token {
        /// Its hash.
        hash: TokenHash,
        /// Whose.
        user: UserId,
        /// On which device.
        device: DeviceId,
        /// Until when.
        expires: Millis,
    },
    /// Tokens that are no more.
    TokensGone {
        /// Whose.
        user: UserId,
    },
    /// A token that is no more.
    TokenGone {
        /// Its hash.
        hash: TokenHash,
    },
    /// This user has seen everything up to here.
    Cursor {
        /// Who.
        user: UserId,
        /// Up to here.
        seen: u64,
    },
    /// From now on this user has seen what has been written on this session's shard.
    Live {
        /// Which session.
        session: SessionId,
        /// Whose.
        user: UserId,
    },
    /// That is over.
    NotLive {
        /// Which session.
        session: SessionId,
    },
    /// Whether this user was made an operator.
    Operator {
        /// Who.
        user: UserId,
        /// Whether.
        operator: bool,
    },
    /// Somebody is kept out.
    Ban {
        /// Whom.
        whom: Banned,
        /// How.
        ban: Ban,
    },
    /// And is not any more.
    Unban {
        /// Who.
        whom: Banned,
    },
    /// An invite.
    Invite {
        /// Its number.
        number: u64,
        /// What there is to know of it.
        invite: Invite,
    },
    /// Somebody has registered with an invite.
    InviteUsed {
        /// Its number.
        number: u64,
    },
    /// An invite that is no more.
    InviteGone {
        /// Its number.
        number: u64,
    },
    /// An operator is about to do something.
    Deed {
        /// Its number: its place in the order.
        deed: u64,
        /// When.
        at: Millis,
        /// The operator's name, or `console`.
        by: String,
        /// What.
        what: String,
        /// What became of it, if that is known already.
        outcome: Option<String>,
    },
    /// What became of a deed.
    DeedOutcome {
        /// Its number.
        deed: u64,
        /// What.
        outcome: String,
    },
    /// A room as it is now.
    Room(RoomRow),
    /// A room that is no more. Its number is not used again.
    RoomGone {
        /// Which.
        room: RoomId,
        /// The order's head: who belonged to it did so up to here.
        at: u64,
    },
    /// Somebody who belongs to a room, as they do now.
    Member(MemberRow),
    /// Somebody who does no more.
    MemberGone {
        /// To which room.
        room: RoomId,
        /// Who.
        user: UserId,
    },
    /// From here in the order on, this user is entitled to what is said in a room.
    Belongs {
        /// Which room.
        room: RoomId,
        /// Who.
        user: UserId,
        /// Behind this number.
        since: u64,
    },
    /// Up to here.
    BelongsNoMore {
        /// Which room.
        room: RoomId,
        /// Who.
        user: UserId,
        /// This number included.
        until: u64,
    },
    /// From here in the order on, this user hears a room: what is said in it comes by itself, now or at the next login.
    Hears {
        /// Which room.
        room: RoomId,
        /// Who.
        user: UserId,
        /// Behind this number.
        since: u64,
    },
    /// Up to here.
    HearsNoMore {
        /// Which room.
        room: RoomId,
        /// Who.
        user: UserId,
        /// This number included.
        until: u64,
    },
    /// Somebody who may not come into a room.
    RoomBan {
        /// Which.
        room: RoomId,
        /// Their name, folded.
        name: String,
        /// Until when, by whom and why.
        ban: RoomBan,
    },
    /// Somebody who may again.
    RoomBanGone {
        /// Which room.
        room: RoomId,
        /// Their name, folded.
        name: String,
    },
    /// Somebody who is invited into a room.
    Invited {
        /// Which.
        room: RoomId,
        /// Who.
        user: UserId,
    },
    /// Somebody who is invited no more, or has come.
    NotInvited {
        /// Into which room.
        room: RoomId,
        /// Who.
        user: UserId,
    },
    /// When this user was last online.
    LastSeen {
        /// Who.
        user: UserId,
        /// When.
        at: Millis,
    },
}

/// Something said, as it is kept: once, with its audience, never once for each recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidRow {
    /// Its place, its time, its text and the names, which accounts may lose and guests keep nowhere else. Shared
    /// with those who hear it.
    pub spoken: Arc<Spoken>,
    /// Who said it.
    pub from: UserId,
    /// To whom: a user, [`UserId::EVERYONE`] or [`UserId::PRESENT`].
    pub audience: UserId,
    /// Of the audience, those it is hidden from.
    pub hidden_from: Vec<UserId>,
    /// The sender's key.
    pub key: Option<String>,
    /// On which of the sender's devices it was said. Guests have one.
    pub device: Option<DeviceId>,
}
