//! What two prove to each other inside TLS, and the digits they compare. Pure: no I/O, no randomness.
//!
//! TLS has proved by now that each has the key to the certificate the other expects. What is left:
//!
//! - **The tokens.** Each side's token went to the other through the server, so only the invited can know both. Each side
//!   proves them by a MAC over this very connection (its exporter) in its own role: nothing can be replayed or reflected.
//! - **The digits.** A lying server could have put itself between the two with certificates of its own. Then there are two
//!   connections with two exporters, and digits made from them differ. But six digits are soon found by trying: whoever could
//!   choose its part last could try a million numbers. So the asker *commits* itself to a number before it sees the asked's, and
//!   opens it last: somebody between them has one try at one in a million for each answer the asked gives (see
//!   `ANSWERS_MAX`).

use ring::hmac;
use sha2::{Digest, Sha256};

use super::{Sas, Side};
use chinwag_wire::{Fingerprint, Token};

/// Begins whatever is hashed here, so that it cannot be taken for something else.
const LABEL: &[u8] = b"chinwag-private/1 ";

/// What both ends of one connection know: the tokens, both certificates, and the connection itself.
pub(crate) struct Bond {
    key: hmac::Key,
    /// The exporter and the two fingerprints, the asker's first. The exporter alone covers the certificate of TLS's server only.
    connection: [u8; 96],
}

impl Bond {
    pub(crate) fn new(tokens: [&Token; 2], fingerprints: [&Fingerprint; 2], exporter: &[u8; 32]) -> Bond {
        let mut key = [0; 64];
        key[..32].copy_from_slice(&tokens[0].0);
        key[32..].copy_from_slice(&tokens[1].0);
        let mut connection = [0; 96];
        connection[..32].copy_from_slice(exporter);
        connection[32..64].copy_from_slice(&fingerprints[0].0);
        connection[64..].copy_from_slice(&fingerprints[1].0);
        Bond { key: hmac::Key::new(hmac::HMAC_SHA256, &key), connection }
    }

    fn tag(&self, what: &[u8], more: [&[u8; 32]; 2]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [LABEL, what, &self.connection, more[0], more[1]] {
            context.update(part);
        }
        context.sign()
    }

    /// What `side` proves the tokens with. `commitment` is the asker's; `nonce` the asked's, or nothing yet.
    pub(crate) fn proof(&self, side: Side, commitment: &[u8; 32], nonce: &[u8; 32]) -> [u8; 32] {
        bytes(&self.tag(role(side), [commitment, nonce]))
    }

    /// Whether this is what `side` proves the tokens with. Takes the same time whatever is wrong.
    pub(crate) fn is_proof(&self, side: Side, commitment: &[u8; 32], nonce: &[u8; 32], proof: &[u8; 32]) -> bool {
        let mut message = Vec::with_capacity(LABEL.len() + 8 + 160);
        for part in [LABEL, role(side), &self.connection, commitment, nonce] {
            message.extend_from_slice(part);
        }
        hmac::verify(&self.key, &message, proof).is_ok()
    }

    /// The digits to compare.
    pub(crate) fn sas(&self, asker: &[u8; 32], asked: &[u8; 32]) -> Sas {
        let tag = bytes(&self.tag(b"digits ", [asker, asked]));
        let (head, _) = tag.split_first_chunk().unwrap_or((&[0; 8], &[]));
        // Of 2^64 numbers, a million classes are equally likely but for one in 10^13.
        Sas(u32::try_from(u64::from_be_bytes(*head) % 1_000_000).unwrap_or_default())
    }
}

fn role(side: Side) -> &'static [u8] {
    match side {
        Side::Asker => b"asker  ",
        Side::Asked => b"asked  ",
    }
}

fn bytes(tag: &hmac::Tag) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

/// What the asker says in place of its number at first.
pub(crate) fn commitment(nonce: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(LABEL).chain_update(b"commitment ").chain_update(nonce).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: [u8; 32] = [0; 32];

    fn bond(change: usize) -> Bond {
        // Five things are bound in; `change` says which one is another.
        let part = |index: usize| [u8::try_from(index).unwrap() + if change == index { 100 } else { 0 }; 32];
        let tokens = [&Token(part(1)), &Token(part(2))];
        Bond::new(tokens, [&Fingerprint(part(3)), &Fingerprint(part(4))], &part(5))
    }

    #[test]
    fn a_proof_is_good_for_one_side_of_one_connection_with_both_tokens() {
        let (commitment, nonce) = ([7; 32], [8; 32]);
        for side in [Side::Asker, Side::Asked] {
            let proof = bond(0).proof(side, &commitment, &nonce);
            assert!(bond(0).is_proof(side, &commitment, &nonce, &proof));
            for changed in 1..=5 {
                assert!(!bond(changed).is_proof(side, &commitment, &nonce, &proof), "{changed} is not bound in");
            }
            let other = if side == Side::Asker { Side::Asked } else { Side::Asker };
            assert!(!bond(0).is_proof(other, &commitment, &nonce, &proof), "reflected");
            assert!(!bond(0).is_proof(side, &ZERO, &nonce, &proof));
            assert!(!bond(0).is_proof(side, &commitment, &ZERO, &proof));
        }
    }

    #[test]
    fn the_digits_depend_on_everything() {
        let digits = |changed, asker: u8, asked: u8| bond(changed).sas(&[asker; 32], &[asked; 32]);
        assert_eq!(digits(0, 1, 2), digits(0, 1, 2));
        for other in (1..=5).map(|changed| digits(changed, 1, 2)).chain([digits(0, 2, 2), digits(0, 1, 1), digits(0, 2, 1)]) {
            assert_ne!(digits(0, 1, 2), other);
        }
    }

    #[test]
    fn digits_read_as_two_groups_of_three() {
        assert_eq!(Sas(42).to_string(), "000 042");
        assert_eq!(Sas(999_999).to_string(), "999 999");
    }
}
