//! Private chats, as far as a server knows of them: what is offered, how it ends, and tickets for the relay.
//!
//! A server carries an [`Offer`] from one to the other and, if both want it, bytes that mean nothing to it. What is
//! said in a private chat is no part of this crate.

use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How many addresses an offer may name: every interface of an ordinary machine in both families.
pub const ADDRESSES_MAX: usize = 8;

/// The longest an offer can be as a word, in bytes: two numbers of 64 digits, and addresses of at most 58 (a full IPv6
/// address with its zone in brackets, and a port).
pub const OFFER_BYTES_MAX: usize = 64 + 1 + 64 + ADDRESSES_MAX * (1 + 58);

/// The SHA-256 of a certificate's DER form: who somebody is, as far as keys can say.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub [u8; 32]);

/// 32 random bytes that are told to nobody but the one they are meant for: a part of an offer, or what opens the relay.
/// `Debug` does not show them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Token(pub [u8; 32]);

/// What one side of a private chat tells the other, through the server: how to know it, what to prove, where to find it.
///
/// As a word: `FINGERPRINT:TOKEN[@ADDRESS,ADDRESS…]`, the first two as 64 lowercase hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Offer {
    /// Whose certificate the other will see.
    pub fingerprint: Fingerprint,
    /// What the other has to prove that it was given.
    pub token: Token,
    /// Where to connect to, best first; none means: not directly. At most [`ADDRESSES_MAX`].
    pub addresses: Vec<SocketAddr>,
}

/// How a private chat, or the offer of one, ended. A reader who does not know one shows that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrivateEnd {
    /// The invited said no.
    Declined,
    /// Nobody answered in time.
    Expired,
    /// The asker took the offer back.
    Withdrawn,
    /// The same user answered on another connection.
    AnsweredElsewhere,
    /// The other one, or the same user on another connection, stopped it.
    Stopped,
    /// The other one logged out, or was gone for too long.
    LoggedOut,
    /// The other one was logged out after no valid command for too long.
    TimedOut,
    /// The operator switched private chats off.
    SwitchedOff,
    /// From a newer server.
    #[serde(other)]
    Unknown,
}

/// What is wrong with a word that should be an offer, a fingerprint or a token: a phrase that goes behind "because". It
/// never repeats the word, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadOffer(&'static str);

impl fmt::Display for BadOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadOffer {}

/// Reads 64 lowercase hexadecimal digits: one way to write each number, so that equal ones are equal as words.
fn read_digits(word: &str, wrong: BadOffer) -> Result<[u8; 32], BadOffer> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    if word.len() != 2 * bytes.len() {
        return Err(wrong);
    }
    for (byte, pair) in bytes.iter_mut().zip(word.as_bytes().chunks_exact(2)) {
        *byte = match (digit(pair[0]), digit(pair[1])) {
            (Some(high), Some(low)) => high << 4 | low,
            _ => return Err(wrong),
        };
    }
    Ok(bytes)
}

fn write_digits(bytes: &[u8; 32], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits(&self.0, f)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits(&self.0, f)
    }
}

impl FromStr for Fingerprint {
    type Err = BadOffer;

    fn from_str(word: &str) -> Result<Fingerprint, BadOffer> {
        read_digits(word, BadOffer("the fingerprint is not 64 lowercase hexadecimal digits")).map(Fingerprint)
    }
}

/// The secret itself: for the wire.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits(&self.0, f)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('…')
    }
}

impl FromStr for Token {
    type Err = BadOffer;

    fn from_str(word: &str) -> Result<Token, BadOffer> {
        read_digits(word, BadOffer("the token is not 64 lowercase hexadecimal digits")).map(Token)
    }
}

/// The token included: for the wire.
impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.fingerprint, self.token)?;
        for (at, address) in self.addresses.iter().enumerate() {
            write!(f, "{}{address}", if at == 0 { '@' } else { ',' })?;
        }
        Ok(())
    }
}

impl FromStr for Offer {
    type Err = BadOffer;

    fn from_str(word: &str) -> Result<Offer, BadOffer> {
        if word.len() > OFFER_BYTES_MAX {
            return Err(BadOffer("the offer is too long"));
        }
        let (numbers, addresses) = match word.split_once('@') {
            Some((numbers, addresses)) => (numbers, Some(addresses)),
            None => (word, None),
        };
        let (fingerprint, token) = numbers.split_once(':').ok_or(BadOffer("there is no `:` between a fingerprint and a token"))?;
        let (fingerprint, token) = (fingerprint.parse()?, token.parse()?);
        let addresses = addresses.map_or(Ok(Vec::new()), |addresses| addresses.split(',').map(read_address).collect())?;
        if addresses.len() > ADDRESSES_MAX {
            return Err(BadOffer("an offer names at most 8 addresses"));
        }
        Ok(Offer { fingerprint, token, addresses })
    }
}

/// Only what somebody can connect to.
fn read_address(word: &str) -> Result<SocketAddr, BadOffer> {
    let address: SocketAddr = word.parse().map_err(|_| BadOffer("an address is IP:PORT, or [IP]:PORT for IPv6"))?;
    if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
        return Err(BadOffer("nobody can connect to one of the addresses"));
    }
    Ok(address)
}

macro_rules! as_a_word {
    ($($kind:ty),+) => {$(
        impl From<$kind> for String {
            fn from(value: $kind) -> String {
                value.to_string()
            }
        }

        impl TryFrom<String> for $kind {
            type Error = BadOffer;

            fn try_from(word: String) -> Result<$kind, BadOffer> {
                word.parse()
            }
        }
    )+};
}

as_a_word!(Fingerprint, Token, Offer);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offer(addresses: &str) -> String {
        format!("{}:{}{addresses}", "ab".repeat(32), "01".repeat(32))
    }

    #[test]
    fn an_offer_is_one_word() {
        for addresses in ["", "@192.0.2.7:5000", "@192.0.2.7:5000,[2001:db8::1]:5000,[fe80::1%3]:1"] {
            let word = offer(addresses);
            let read: Offer = word.parse().unwrap();
            assert_eq!(read.to_string(), word);
            assert_eq!(read.addresses.len(), addresses.matches(['@', ',']).count());
            assert_eq!(serde_json::to_string(&read).unwrap(), format!("{word:?}"));
            assert_eq!(serde_json::from_str::<Offer>(&format!("{word:?}")).unwrap(), read);
        }
        let longest = SocketAddr::V6(std::net::SocketAddrV6::new([0xffff; 8].into(), u16::MAX, 0, u32::MAX));
        assert!(longest.to_string().len() <= 58);
    }

    #[test]
    fn what_is_no_offer_is_refused_and_never_repeated() {
        let (good, nine) = (offer(""), format!("@{}", ["192.0.2.7:1"; 9].join(",")));
        for (word, expected) in [
            ("", "there is no `:`"),
            ("no", "there is no `:`"),
            (&good[1..], "the fingerprint is not"),
            (&good[..good.len() - 1], "the token is not"),
            (&good.to_uppercase(), "the fingerprint is not"),
            (&good.replace("01", "0g"), "the token is not"),
            (&good.replace("ab", "é"), "the fingerprint is not"),
            (&offer("@"), "an address is"),
            (&offer("@192.0.2.7"), "an address is"),
            (&offer("@192.0.2.7:1,"), "an address is"),
            (&offer("@example.org:1"), "an address is"),
            (&offer("@192.0.2.7:0"), "nobody can connect"),
            (&offer("@0.0.0.0:5"), "nobody can connect"),
            (&offer("@[ff02::1]:5"), "nobody can connect"),
            (&offer(&nine), "at most 8"),
            (&offer(&"@".repeat(1000)), "too long"),
        ] {
            let told = word.parse::<Offer>().unwrap_err().to_string();
            assert!(told.contains(expected), "{word}: {told}");
            assert!(!told.contains("0101"), "{told}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", offer("@192.0.2.7:1").parse::<Offer>().unwrap());
        assert!(shown.contains("abab") && shown.contains("192.0.2.7:1") && !shown.contains("0101"), "{shown}");
    }

    #[test]
    fn an_end_from_the_future_is_an_end() {
        assert_eq!(serde_json::from_str::<PrivateEnd>("\"evaporated\"").unwrap(), PrivateEnd::Unknown);
        assert_eq!(serde_json::to_string(&PrivateEnd::AnsweredElsewhere).unwrap(), "\"answered-elsewhere\"");
    }

    proptest! {
        #[test]
        fn any_word_is_read_or_refused(word in "\\PC{0,700}") {
            if let Ok(offer) = word.parse::<Offer>() {
                prop_assert!(offer.addresses.len() <= ADDRESSES_MAX);
            }
        }

        #[test]
        fn what_is_written_is_read_back(fingerprint: [u8; 32], token: [u8; 32], ips: Vec<(std::net::IpAddr, u16)>) {
            let addresses: Vec<SocketAddr> = ips.into_iter().map(SocketAddr::from).filter(|address| read_address(&address.to_string()).is_ok()).take(ADDRESSES_MAX).collect();
            let offer = Offer { fingerprint: Fingerprint(fingerprint), token: Token(token), addresses };
            prop_assert_eq!(offer.to_string().parse::<Offer>(), Ok(offer));
        }
    }
}
