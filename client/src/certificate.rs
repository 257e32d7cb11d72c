//! The key in a certificate, and whether a handshake was signed with it: for certificates of any age. That one is trusted
//! is decided elsewhere, by its fingerprint or by a file; here nothing else in it is looked at, because old ones have
//! what no verifier of today takes: no version, no names, a signature of MD5 over themselves.

use futures_rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use futures_rustls::rustls::client::danger::HandshakeSignatureValid;
use futures_rustls::rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use futures_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use ring::signature::{RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};

/// Tags of DER (X.690) that stand in front of the key in a certificate.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const VERSION: u8 = 0xa0;

/// `rsaEncryption` with its empty parameters (RFC 3279, section 2.3.1), as it stands in the sequence.
const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// What has fewer bits than this is no key of TLS 1.3 here: `ring` checks no shorter one of the kind that is used there.
const RSA_BITS_MIN: usize = 2048;

/// What a short key is checked with.
pub(crate) const SHORT_KEY_SCHEMES: &[SignatureScheme] = &[SignatureScheme::RSA_PKCS1_SHA512, SignatureScheme::RSA_PKCS1_SHA256];

/// The key of a certificate (`SubjectPublicKeyInfo`, RFC 5280, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey<'a> {
    /// All of it, as it stands there.
    whole: &'a [u8],
    /// Of what kind, without the tag and length around it.
    algorithm: &'a [u8],
    /// The key itself.
    key: &'a [u8],
}

/// One element of DER off the front of `bytes`: its tag, its content, all of it, and what follows.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
    rest: &'a [u8],
}

fn element(bytes: &[u8]) -> Option<Element<'_>> {
    let (tag, after) = bytes.split_first()?;
    let (first, after) = after.split_first()?;
    let (length, header) = match first {
        0..=0x7f => (usize::from(*first), 2),
        // Four bytes of length are four gigabytes of certificate.
        0x81..=0x84 => {
            let digits = after.get(..usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), 2 + digits.len())
        }
        _ => return None,
    };
    let end = header.checked_add(length)?;
    Some(Element { tag: *tag, content: bytes.get(header..end)?, whole: &bytes[..end], rest: &bytes[end..] })
}

/// The content of the element at the front, if it is such a one, and what follows it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|element| element.tag == tag).map(|element| (element.content, element.rest))
}

impl<'a> PublicKey<'a> {
    /// The key in `certificate`, if it can be found.
    pub(crate) fn of(certificate: &'a [u8]) -> Option<PublicKey<'a>> {
        let (certificate, _) = expect(certificate, SEQUENCE)?;
        let (to_be_signed, _) = expect(certificate, SEQUENCE)?;
        // The first version had no number.
        let fields = expect(to_be_signed, VERSION).map_or(to_be_signed, |(_, rest)| rest);
        let (_, mut fields) = expect(fields, INTEGER)?;
        for _ in ["signature", "issuer", "validity", "subject"] {
            (_, fields) = expect(fields, SEQUENCE)?;
        }
        let whole = element(fields).filter(|element| element.tag == SEQUENCE)?;
        let (algorithm, rest) = expect(whole.content, SEQUENCE)?;
        let (bits, _) = expect(rest, BIT_STRING)?;
        // The number of bits that are left over in the last byte: a key has none.
        let (0, key) = bits.split_first()? else { return None };
        Some(PublicKey { whole: whole.whole, algorithm, key })
    }

    /// Whether this is the signature of `message` by this key, as TLS 1.2 has it.
    fn has_signed(&self, message: &[u8], scheme: SignatureScheme, signature: &[u8], algorithms: &WebPkiSupportedAlgorithms) -> bool {
        if self.is_short_rsa() {
            let algorithm = match scheme {
                SignatureScheme::RSA_PKCS1_SHA256 => &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                SignatureScheme::RSA_PKCS1_SHA512 => &RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
                _ => return false,
            };
            return UnparsedPublicKey::new(algorithm, self.key).verify(message, signature).is_ok();
        }
        // The mapping has what was offered, and a server may use nothing else.
        let offered = algorithms.mapping.iter().filter(|(offered, _)| *offered == scheme).flat_map(|(_, algorithms)| *algorithms);
        let mut fits = offered.filter(|algorithm| algorithm.public_key_alg_id().as_ref() == self.algorithm);
        fits.any(|algorithm| algorithm.verify_signature(self.key, message, signature).is_ok())
    }

    /// Whether it is an RSA key that is too short for TLS 1.3.
    pub(crate) fn is_short_rsa(&self) -> bool {
        let modulus = || Some(expect(expect(self.key, SEQUENCE)?.0, INTEGER)?.0);
        let bits = |modulus: &[u8]| {
            let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
            significant * 8
        };
        self.algorithm == RSA && modulus().is_some_and(|modulus| bits(modulus) < RSA_BITS_MIN)
    }
}

fn unreadable() -> Error {
    CertificateError::BadEncoding.into()
}

/// Whether a handshake of TLS 1.3 was signed with the key of `certificate`.
///
/// # Errors
/// It was not, or there is no such key in it.
pub(crate) fn verify_tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = PublicKey::of(certificate).ok_or_else(unreadable)?;
    verify_tls13_signature_with_raw_key(message, &SubjectPublicKeyInfoDer::from(key.whole), signed, algorithms)
}

/// Whether a handshake of TLS 1.2 was signed with the key of `certificate`, which may be an RSA key of 1024 bits.
///
/// # Errors
/// It was not, or there is no such key in it, or nothing here knows its kind.
pub(crate) fn verify_tls12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    let key = PublicKey::of(certificate).ok_or_else(unreadable)?;
    let verified = key.has_signed(message, signed.scheme, signed.signature(), algorithms);
    if verified { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: &[u8] = include_bytes!("../tests/data/server-one.cert.der");
    const VERSION_ONE: &[u8] = include_bytes!("../tests/data/old-v1-md5.cert.der");
    const SHORT: &[u8] = include_bytes!("../tests/data/old-rsa1024.cert.der");

    #[test]
    fn the_key_is_found_in_old_and_new_certificates() {
        let of = |certificate| PublicKey::of(certificate).expect("a key");
        assert!(of(ONE).algorithm != RSA && of(ONE).whole.ends_with(of(ONE).key));
        assert!(of(VERSION_ONE).algorithm == RSA && !of(VERSION_ONE).is_short_rsa());
        assert!(of(SHORT).is_short_rsa());
        for cut in 0..of(ONE).key.len() {
            assert_eq!(PublicKey::of(&ONE[..cut]), None);
        }
    }

    #[test]
    fn a_short_key_signs_with_what_tls_1_2_has() {
        let algorithms = crate::connection::provider().signature_verification_algorithms;
        let signature = include_bytes!("../tests/data/old-rsa1024.signature");
        let key = PublicKey::of(SHORT).expect("a key");
        let signed = |key: PublicKey<'_>, message: &[u8], scheme| key.has_signed(message, scheme, signature, &algorithms);
        assert!(signed(key, b"a handshake", SignatureScheme::RSA_PKCS1_SHA256));
        assert!(!signed(key, b"a handshakf", SignatureScheme::RSA_PKCS1_SHA256));
        for scheme in [SignatureScheme::RSA_PKCS1_SHA512, SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PKCS1_SHA1] {
            assert!(!signed(key, b"a handshake", scheme));
        }
        for other in [ONE, VERSION_ONE] {
            assert!(!signed(PublicKey::of(other).expect("a key"), b"a handshake", SignatureScheme::RSA_PKCS1_SHA256));
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..900, byte: u8) {
            PublicKey::of(&bytes).map(|key| key.is_short_rsa());
            // And a certificate that is nearly one.
            bytes = VERSION_ONE.to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            PublicKey::of(&bytes).map(|key| key.is_short_rsa());
        }
    }
}
