//! Whether the server is the one it should be: fingerprints remembered at the first visit, or certificates from
//! a file. Either way the handshake signature is verified for real: a fingerprint is public, the key is not.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use futures_rustls::rustls::client::WebPkiServerVerifier;
use futures_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use futures_rustls::rustls::crypto::CryptoProvider;
use futures_rustls::rustls::{self, CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

use crate::address::Place;
use crate::certificate::{self, PublicKey};
use crate::connection;
use crate::failure::Failure;
use crate::replace;

/// The largest file of remembered fingerprints that is read: some ten thousand servers.
const KNOWN_HOSTS_BYTES_MAX: u64 = 1 << 20;

/// The SHA-256 of a certificate in its DER form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of `certificate`.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Fingerprint {
        Fingerprint(Sha256::digest(certificate.as_ref()).into())
    }
}

/// `SHA256:` and hexadecimal digits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SHA256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Upper or lower case, with or without colons between the bytes.
impl FromStr for Fingerprint {
    type Err = ();

    fn from_str(word: &str) -> Result<Fingerprint, ()> {
        let digits: Vec<u8> = word
            .strip_prefix("SHA256:")
            .ok_or(())?
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(()))
            .collect::<Result<_, _>>()?;
        let bytes: Vec<u8> = digits.chunks(2).filter_map(|pair| Some((pair.first()? << 4) | pair.get(1)?)).collect();
        if digits.len() % 2 == 1 { Err(()) } else { bytes.try_into().map(Fingerprint).map_err(|_| ()) }
    }
}

/// The file that remembers fingerprints: a line `HOST:PORT SHA256:…` for each server; `#` begins a comment.
#[derive(Clone, Debug)]
pub(crate) struct KnownHosts {
    path: PathBuf,
}

impl KnownHosts {
    /// The file at `path`; it need not exist yet.
    pub(crate) fn at(path: PathBuf) -> KnownHosts {
        KnownHosts { path }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The fingerprint remembered for `place`, and the number of its line.
    ///
    /// # Errors
    /// The file cannot be read, or the line for `place` is damaged: better no connection than an unchecked one.
    pub(crate) fn find(&self, place: &Place) -> Result<Option<(Fingerprint, usize)>, Failure> {
        let place = place.to_string();
        for (index, line) in self.read()?.lines().enumerate() {
            let mut words = line.split_whitespace();
            if words.next() != Some(place.as_str()) {
                continue;
            }
            let fingerprint = words.next().and_then(|word| word.parse().ok()).ok_or_else(|| {
                let (file, number) = (self.path.display(), index + 1);
                Failure::certificate(format!("line {number} of {file} is damaged: expected `{place} SHA256:…`; mend or delete it"))
            })?;
            return Ok(Some((fingerprint, index + 1)));
        }
        Ok(None)
    }

    /// Remembers `fingerprint` for `place`, in the place of an older one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn remember(&self, place: &Place, fingerprint: Fingerprint) -> Result<(), Failure> {
        let name = place.to_string();
        let old = self.read()?;
        let mut new: String =
            old.lines().filter(|line| line.split_whitespace().next() != Some(name.as_str())).flat_map(|line| [line, "\n"]).collect();
        new.push_str(&format!("{name} {fingerprint}\n"));
        self.write(&new).map_err(|error| {
            Failure::certificate(format!(
                "cannot remember the server's fingerprint in {}: {}\nmake room there, or say with XDG_CONFIG_HOME where you can write; \
                 where nothing can be kept, --ca FILE names the certificate that the server has to show",
                self.path.display(),
                connection::in_words(&error)
            ))
        })
    }

    /// Forgets `place`; says whether it was there.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub(crate) fn forget(&self, place: &Place) -> Result<bool, Failure> {
        let name = place.to_string();
        let old = self.read()?;
        let new: String =
            old.lines().filter(|line| line.split_whitespace().next() != Some(name.as_str())).flat_map(|line| [line, "\n"]).collect();
        if new.lines().count() == old.lines().count() {
            return Ok(false);
        }
        self.write(&new)
            .map_err(|error| Failure::certificate(format!("cannot write {}: {}", self.path.display(), connection::in_words(&error))))?;
        Ok(true)
    }

    /// All that is remembered: where, and the fingerprint as it stands there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn all(&self) -> Result<Vec<(String, String)>, Failure> {
        let entry = |line: &str| {
            let mut words = line.split_whitespace().filter(|_| !line.trim_start().starts_with('#'));
            Some((words.next()?.to_owned(), words.next().unwrap_or("(damaged)").to_owned()))
        };
        Ok(self.read()?.lines().filter_map(entry).collect())
    }

    fn read(&self) -> Result<String, Failure> {
        let cannot = |why: String| Failure::certificate(format!("cannot read {}: {why}", self.path.display()));
        match fs::metadata(&self.path) {
            Ok(file) if file.len() > KNOWN_HOSTS_BYTES_MAX => Err(cannot(format!("it is larger than {KNOWN_HOSTS_BYTES_MAX} bytes"))),
            Ok(_) => fs::read_to_string(&self.path).map_err(|error| cannot(connection::in_words(&error))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(cannot(connection::in_words(&error))),
        }
    }

    fn write(&self, text: &str) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        replace::file(&self.path, text)
    }
}

/// Which certificates are trusted. That the server has the key as well is for [`Proven`] to see.
pub(crate) trait Trust: fmt::Debug + Send + Sync {
    /// Judges what the server shows, with what it says besides (see [`ServerCertVerifier::verify_server_cert`]).
    ///
    /// # Errors
    /// It is not trusted.
    fn judge(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error>;
}

/// Trusts a server as `T` says, if it signs the handshake with the key to its certificate.
#[derive(Debug)]
pub(crate) struct Proven<T> {
    trust: T,
    provider: Arc<CryptoProvider>,
    /// A key was shown that only TLS 1.2 can be signed with.
    saw_short_key: AtomicBool,
}

/// A verifier that knows whether another attempt, with TLS 1.2, may succeed.
pub(crate) trait Verifier: ServerCertVerifier {
    /// Whether a trusted certificate was shown whose key is too short for TLS 1.3.
    fn saw_short_key(&self) -> bool;
}

impl<T: Trust> Verifier for Proven<T> {
    fn saw_short_key(&self) -> bool {
        self.saw_short_key.load(Ordering::Relaxed)
    }
}

impl<T: Trust> ServerCertVerifier for Proven<T> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let trusted = self.trust.judge(end_entity, intermediates, server_name, ocsp_response, now)?;
        // In either version of TLS: with 1.2, too, a server may sign in a way that such a key cannot be checked with.
        if PublicKey::of(end_entity).is_some_and(|key| key.is_short_rsa()) {
            self.saw_short_key.store(true, Ordering::Relaxed);
        }
        Ok(trusted)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        certificate::verify_tls12(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        certificate::verify_tls13(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        if self.saw_short_key() {
            // A server would choose what a short key cannot be checked with.
            return certificate::SHORT_KEY_SCHEMES.to_vec();
        }
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Checks that the server has the certificate whose fingerprint is expected, or notes which one it has.
pub(crate) type Pin = Proven<Expected>;

/// See [`Pin`].
#[derive(Debug)]
pub(crate) struct Expected {
    fingerprint: Option<Fingerprint>,
    seen: OnceLock<Fingerprint>,
}

impl Pin {
    /// Expects this fingerprint; `None` takes any.
    pub(crate) fn new(expected: Option<Fingerprint>, provider: Arc<CryptoProvider>) -> Pin {
        Proven { trust: Expected { fingerprint: expected, seen: OnceLock::new() }, provider, saw_short_key: AtomicBool::new(false) }
    }

    /// It is known that the server's key is too short for TLS 1.3, if it is.
    pub(crate) fn of_short_key(self, is_short: bool) -> Pin {
        Proven { saw_short_key: AtomicBool::new(is_short), ..self }
    }

    /// The fingerprint the server showed. Only a finished handshake proves that it has the key to it.
    pub(crate) fn seen(&self) -> Option<Fingerprint> {
        self.trust.seen.get().copied()
    }
}

impl Trust for Expected {
    fn judge(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint::of(shown);
        // One verifier serves one handshake; were it two, the first one counts.
        let _ = self.seen.set(shown);
        match self.fingerprint {
            Some(expected) if expected != shown => Err(CertificateError::ApplicationVerificationFailure.into()),
            _ => Ok(ServerCertVerified::assertion()),
        }
    }
}

/// Certificates from a file. They vouch for a server as authorities do; and a server whose very certificate is in
/// the file needs nobody to vouch for it, so that the file may simply be a copy of a self-signed certificate.
pub(crate) type Vouchers = Proven<Certificates>;

/// See [`Vouchers`].
#[derive(Debug)]
pub(crate) struct Certificates {
    all: Vec<CertificateDer<'static>>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
}

impl Vouchers {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// The file cannot be read or holds no certificate.
    pub(crate) fn read(path: &Path, provider: Arc<CryptoProvider>) -> Result<Vouchers, Failure> {
        let file = path.display();
        let all: Vec<_> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| Failure::usage(format!("cannot read certificates from {file}: {error}")))?;
        if all.is_empty() {
            return Err(Failure::usage(format!("{file} holds no certificate in PEM form")));
        }
        let mut roots = RootCertStore::empty();
        // What cannot be an authority can still be the server's very certificate.
        roots.add_parsable_certificates(all.iter().cloned());
        let authorities = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().ok();
        Ok(Proven { trust: Certificates { all, authorities }, provider, saw_short_key: AtomicBool::new(false) })
    }
}

impl Trust for Certificates {
    fn judge(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.all.contains(shown) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.authorities {
            Some(authorities) => authorities.verify_server_cert(shown, intermediates, server_name, ocsp_response, now),
            None => Err(CertificateError::UnknownIssuer.into()),
        }
    }
}

/// What to say of a server that shows another certificate than it used to.
pub(crate) fn changed(place: &Place, known: &KnownHosts, line: usize, expected: Fingerprint, shown: Fingerprint) -> Failure {
    let file = known.path().display();
    Failure::certificate(format!(
        "{place} shows another certificate than before, so nothing was sent to it.\n\
         \x20 remembered: {expected}\n\
         \x20 shown now:  {shown}\n\
         Either the server was set up anew, or somebody is between you and it.\n\
         Ask whoever runs the server for its fingerprint. If it is the one shown now, say\n\
         \x20 chinwag trust accept {place} {shown}\n\
         which replaces line {line} of {file}"
    ))
}

/// Why certificates were refused, as half a sentence.
pub(crate) fn in_words(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(why) = error else {
        return error.to_string();
    };
    match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "it is for another name".to_owned(),
        CertificateError::BadSignature => "the signature is wrong".to_owned(),
        CertificateError::BadEncoding => "it is damaged".to_owned(),
        CertificateError::UnknownIssuer | CertificateError::Other(_) => "nobody trusted has signed it".to_owned(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ONE: &[u8] = include_bytes!("../tests/data/server-one.cert.der");
    const TWO: &[u8] = include_bytes!("../tests/data/server-two.cert.der");
    const SIGNED: &[u8] = include_bytes!("../tests/data/signed-by-authority.cert.der");

    fn provider() -> Arc<CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    fn place(host: &str) -> Place {
        Place { host: host.to_owned(), port: 2461 }
    }

    fn check(verifier: &dyn ServerCertVerifier, certificate: &[u8], host: &str) -> Result<(), rustls::Error> {
        let name = ServerName::try_from(host.to_owned()).expect("a host name");
        // Within the validity of the test certificates, whenever the test runs.
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
        verifier.verify_server_cert(&CertificateDer::from(certificate), &[], &name, &[], now).map(|_| ())
    }

    #[test]
    fn a_short_key_is_seen_where_it_is_trusted_whatever_the_version_of_tls() {
        const SHORT: &[u8] = include_bytes!("../tests/data/old-rsa1024.cert.der");
        let short = Fingerprint::of(&CertificateDer::from(SHORT));
        for (expected, shown, seen) in [(None, SHORT, true), (Some(short), SHORT, true), (Some(short), ONE, false), (None, ONE, false)] {
            let pin = Pin::new(expected, provider());
            assert_eq!(check(&pin, shown, "example.org").is_ok(), expected.is_none_or(|_| shown == SHORT));
            assert_eq!(pin.saw_short_key(), seen);
            // From then on nothing is offered that it cannot be checked with.
            assert_eq!(pin.supported_verify_schemes() == certificate::SHORT_KEY_SCHEMES, seen);
        }
    }

    #[test]
    fn a_fingerprint_is_read_as_it_is_written_and_as_others_write_it() {
        let one = Fingerprint::of(&CertificateDer::from(ONE));
        let written = one.to_string();
        let digits = written.strip_prefix("SHA256:").expect("a prefix");
        assert_eq!(digits.len(), 64);
        let pairs: Vec<&str> = (0..32).map(|i| &digits[2 * i..2 * i + 2]).collect();
        assert_eq!(written.parse(), Ok(one));
        assert_eq!(format!("SHA256:{}", pairs.join(":").to_uppercase()).parse(), Ok(one));
        for wrong in ["", "SHA256:", "SHA256:00", digits, "SHA256:žž", &written[..written.len() - 1], &format!("{written}00")] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn the_fingerprint_is_what_openssl_says() {
        let openssl = fs::read_to_string(data("server-one.fingerprint")).expect("test data");
        assert_eq!(openssl.trim().parse(), Ok(Fingerprint::of(&CertificateDer::from(ONE))));
    }

    #[test]
    fn a_pin_takes_what_it_expects_and_nothing_else() {
        let (one, two) = (Fingerprint::of(&CertificateDer::from(ONE)), Fingerprint::of(&CertificateDer::from(TWO)));
        let first_visit = Pin::new(None, provider());
        assert_eq!(check(&first_visit, ONE, "anything.example"), Ok(()));
        assert_eq!(first_visit.seen(), Some(one));
        assert_eq!(check(&Pin::new(Some(one), provider()), ONE, "anything.example"), Ok(()));
        let other = Pin::new(Some(one), provider());
        assert!(check(&other, TWO, "anything.example").is_err());
        assert_eq!(other.seen(), Some(two));
    }

    #[test]
    fn a_file_vouches_for_itself_and_for_what_it_signed() {
        let one = Vouchers::read(&data("server-one.cert.pem"), provider()).expect("reads");
        assert_eq!(check(&one, ONE, "anything.example"), Ok(()));
        assert!(check(&one, TWO, "one.example").is_err());
        let authority = Vouchers::read(&data("authority.cert.pem"), provider()).expect("reads");
        assert_eq!(check(&authority, SIGNED, "signed.example"), Ok(()));
        assert!(check(&authority, SIGNED, "other.example").is_err(), "the name counts");
        assert!(check(&authority, ONE, "one.example").is_err());
    }

    #[test]
    fn a_file_without_certificates_is_a_wrong_call() {
        for name in ["no-such-file.pem", "server-one.fingerprint"] {
            let failure = Vouchers::read(&data(name), provider()).expect_err(name);
            assert_eq!(failure.exit, crate::failure::Exit::Usage);
        }
    }

    #[test]
    fn fingerprints_are_remembered_and_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let known = KnownHosts::at(folder.path().join("deep/known-hosts"));
        let (one, two) = (Fingerprint::of(&CertificateDer::from(ONE)), Fingerprint::of(&CertificateDer::from(TWO)));
        assert_eq!(known.find(&place("a.example")), Ok(None));
        known.remember(&place("a.example"), one).expect("writes");
        known.remember(&place("::1"), one).expect("writes");
        assert_eq!(known.find(&place("A.example")), Ok(Some((one, 1))));
        assert_eq!(known.find(&place("::1")), Ok(Some((one, 2))));
        assert_eq!(known.find(&Place { port: 1, ..place("a.example") }), Ok(None));
        known.remember(&place("a.example"), two).expect("writes");
        assert_eq!(known.find(&place("a.example")), Ok(Some((two, 2))));
        assert_eq!(known.find(&place("::1")), Ok(Some((one, 1))));
        let mode = fs::metadata(known.path()).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_forgotten_is_gone_and_the_rest_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let known = KnownHosts::at(folder.path().join("known-hosts"));
        let one = Fingerprint::of(&CertificateDer::from(ONE));
        assert_eq!((known.forget(&place("a.example")), known.all()), (Ok(false), Ok(Vec::new())));
        fs::write(known.path(), format!("# mine\na.example:2461 {one}\nb.example:2461\n")).expect("writes");
        let listed = [("a.example:2461".to_owned(), one.to_string()), ("b.example:2461".to_owned(), "(damaged)".to_owned())];
        assert_eq!(known.all(), Ok(listed.to_vec()));
        assert_eq!(known.forget(&place("B.example")), Ok(true));
        assert_eq!(known.all(), Ok(listed[..1].to_vec()));
        assert!(fs::read_to_string(known.path()).expect("reads").starts_with("# mine\n"));
    }

    #[test]
    fn comments_stay_and_a_damaged_line_is_no_licence() {
        let folder = tempfile::tempdir().expect("a folder");
        let known = KnownHosts::at(folder.path().join("known-hosts"));
        fs::write(known.path(), "# mine\na.example:2461 SHA256:beef\n").expect("writes");
        let failure = known.find(&place("a.example")).expect_err("damaged");
        assert!(failure.message.contains("line 2"), "{failure}");
        known.remember(&place("b.example"), Fingerprint::of(&CertificateDer::from(ONE))).expect("writes");
        assert!(fs::read_to_string(known.path()).expect("reads").starts_with("# mine\n"));
    }
}
