//! The only server commands this client knows by name: those its own login and machinery send. Whatever people
//! type goes to the server as it is, and whatever help there is comes from the cards the server sends.

use std::borrow::Cow;

use chinwag_wire::Line;
use chinwag_wire::dialect::Marks;
use chinwag_wire::private::{Offer, Token};

/// The raw line that switches a fresh connection to the dialect of programs. Everything after it is JSON.
pub(crate) const SPEAK_JSON: &[u8] = b"dialect json\n";
/// What that line asks for; somebody who typed it would cut this client off from what it understands.
pub(crate) const DIALECT: &str = "dialect";
/// Logs out.
pub(crate) const LOGOUT: &str = "/logout";
/// Asks for a sign of life; it does not count as something that a person does.
pub(crate) const PING: &str = "/ping";
/// Asks for a session token.
pub(crate) const TOKEN: &str = "/token";

/// What logs in, and is there only as long as nobody has.
pub(crate) const LOGIN: &str = "login";

/// Logs in.
pub(crate) fn login(name: &str, password: &str) -> String {
    format!("{LOGIN} {name} {password}")
}

/// Comes in as a guest, for as long as the connection lasts.
pub(crate) fn guest(name: &str) -> String {
    format!("guest {name}")
}

/// Makes an account and logs in, with an invite code where one is needed.
pub(crate) fn register(name: &str, password: &str, invite: Option<&str>) -> String {
    match invite {
        Some(code) => format!("register {name} {password} {code}"),
        None => format!("register {name} {password}"),
    }
}

/// Logs in with a token, and says what was seen so far; without a number the server goes by its own cursor.
pub(crate) fn resume(token: &str, seen: Option<u64>) -> String {
    match seen {
        Some(seq) => format!("resume {token} {seq}"),
        None => format!("resume {token}"),
    }
}

/// Comes into a room, to say something there.
pub(crate) fn join(room: &str) -> String {
    format!("/join {room}")
}

/// Says what has been shown.
pub(crate) fn ack(seq: u64) -> String {
    format!("/ack {seq}")
}

/// Asks for a private chat, or says yes to one; both tell where and how to be met.
pub(crate) fn invite(asks: bool, name: &str, offer: &Offer) -> String {
    format!("/{} {name} {offer}", if asks { "startprivate" } else { "accept" })
}

/// Says no to a private chat.
pub(crate) fn decline(name: &str) -> String {
    format!("/decline {name}")
}

/// Says that a private chat is over, or takes back that it was asked for.
pub(crate) fn stop_private(name: &str) -> String {
    format!("/stopprivate {name}")
}

/// Wants a private chat to go through the server.
pub(crate) fn relay(name: &str) -> String {
    format!("/relay {name}")
}

/// Says that somebody is active, though not by way of the server.
pub(crate) const ACTIVE: &str = "/active";
/// What ends all else between two; whether a private chat is meant too is asked.
pub(crate) const BLOCK: &str = "block";

/// The raw line that makes a fresh connection one end of a private chat through the server.
pub(crate) fn carry(ticket: Token) -> Vec<u8> {
    format!("carry {ticket}\n").into_bytes()
}

/// What the server says before it carries anything.
pub(crate) const CARRIED: &str = "ok";

/// A line as it goes out.
pub(crate) fn line<'a>(text: &'a str, tag: &str, key: Option<&str>) -> Line<'a> {
    Line { text: Cow::Borrowed(text), marks: Marks { tag: Some(tag.to_owned()), key: key.map(str::to_owned) } }
}
