//! The key and the certificate that others know this client by.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use sha2::{Digest, Sha256};

use chinwag_wire::Fingerprint;

/// The file of the key and the certificate: both in one, so that there is never one without the other.
const FILE: &str = "private-identity.pem";
/// The largest such file that is read: ten times what is ever written.
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// A key with its self-signed certificate. The certificate says nothing but the public key: no name, no account, no machine.
pub struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
    fingerprint: Fingerprint,
}

/// Why there is no identity: the file, and what is wrong with it.
#[derive(Debug)]
pub struct IdentityError {
    path: PathBuf,
    why: String,
}

impl Identity {
    /// Loads the identity in `folder`, or makes one there, readable by its owner only (the folder too, if it is made).
    /// Blocks for as long as a small file takes.
    ///
    /// # Errors
    /// The file cannot be read, written or understood. A damaged one is never replaced: the others would be warned of a
    /// changed key.
    pub fn open(folder: &Path) -> Result<Identity, IdentityError> {
        let path = folder.join(FILE);
        let fail = |why: String| IdentityError { path: path.clone(), why };
        match read(&path) {
            Ok(pem) => Identity::from_pem(&pem).map_err(fail),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (identity, pem) = Identity::made().map_err(|error| fail(error.to_string()))?;
                match write_new(folder, &path, &pem) {
                    Ok(()) => Ok(identity),
                    // Another client of the same user was faster.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        read(&path).map_err(|error| fail(error.to_string())).and_then(|pem| Identity::from_pem(&pem).map_err(fail))
                    }
                    Err(error) => Err(fail(error.to_string())),
                }
            }
            Err(error) => Err(fail(error.to_string())),
        }
    }

    /// An identity that lasts as long as this value: for guests, and for tests.
    ///
    /// # Errors
    /// There is no randomness to be had.
    pub fn fleeting() -> io::Result<Identity> {
        Identity::made().map(|(identity, _)| identity).map_err(io::Error::other)
    }

    /// The SHA-256 of the certificate: what the others pin and remember.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn made() -> Result<(Identity, Vec<u8>), rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = DistinguishedName::new();
        let certificate = params.self_signed(&key)?;
        let pem = format!("{}{}", key.serialize_pem(), certificate.pem()).into_bytes();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Ok((Identity::of(certificate.der().clone(), key), pem))
    }

    fn from_pem(pem: &[u8]) -> Result<Identity, String> {
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| format!("there is no key in it: {error}"))?;
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|error| format!("there is no certificate in it: {error}"))?;
        let identity = Identity::of(certificate, key);
        // A key of another certificate is noticed here and not by whoever is met.
        crate::meeting::usable(&identity).map_err(|error| format!("its key and its certificate do not fit: {error}"))?;
        Ok(identity)
    }

    fn of(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Identity {
        let fingerprint = Fingerprint(Sha256::digest(&certificate).into());
        Identity { certificate, key, fingerprint }
    }
}

impl Clone for Identity {
    fn clone(&self) -> Identity {
        Identity { certificate: self.certificate.clone(), key: self.key.clone_key(), fingerprint: self.fingerprint }
    }
}

/// Never the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the identity for private chats in {} cannot be used: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for IdentityError {}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    if file.metadata()?.len() > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    let mut pem = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, FILE_BYTES_MAX), &mut pem)?;
    Ok(pem)
}

/// Writes beside and links into place: a crash leaves a whole file or none, and who comes second replaces nothing.
fn write_new(folder: &Path, path: &Path, pem: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // A name of its own for each attempt: what is linked must not be written to by another one.
    let mut suffix = [0; 8];
    getrandom::fill(&mut suffix).map_err(io::Error::other)?;
    let new = path.with_extension(format!("new-{:016x}", u64::from_be_bytes(suffix)));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let written = file.write_all(pem).and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&new, path));
    fs::remove_file(&new)?;
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::thread;

    use super::*;

    #[test]
    fn an_identity_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("made");
        let first = Identity::open(&inner).unwrap();
        assert_eq!(Identity::open(&inner).unwrap().fingerprint(), first.fingerprint());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inner), mode(&inner.join(FILE))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1, "nothing else is left");
        assert_ne!(Identity::fleeting().unwrap().fingerprint(), first.fingerprint());
    }

    #[test]
    fn clients_that_start_at_once_have_one_identity() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let open = || Identity::open(folder).unwrap().fingerprint();
        let all: Vec<Fingerprint> = thread::scope(|scope| {
            let started: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|fingerprint| *fingerprint == all[0]), "{all:?}");
    }

    #[test]
    fn a_damaged_identity_is_named_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let identity = Identity::open(folder.path()).unwrap();
        let good = fs::read_to_string(&path).unwrap();
        let (key, certificate) = good.split_at(good.find("-----BEGIN CERTIFICATE").unwrap());
        let other = tempfile::tempdir().unwrap();
        Identity::open(other.path()).unwrap();
        let others = fs::read_to_string(other.path().join(FILE)).unwrap();
        let foreign = format!("{key}{}", &others[others.find("-----BEGIN CERTIFICATE").unwrap()..]);
        for (damage, expected) in [
            (String::new(), "no key"),
            (key.to_owned(), "no certificate"),
            (certificate.to_owned(), "no key"),
            (foreign, "do not fit"),
            ("x".repeat(1 << 16), "larger than"),
        ] {
            fs::write(&path, &damage).unwrap();
            let told = Identity::open(folder.path()).unwrap_err().to_string();
            assert!(told.contains(expected) && told.contains(FILE), "{told}");
            assert!(!told.contains("PRIVATE"), "{told}");
            assert_eq!(fs::read_to_string(&path).unwrap(), damage);
        }
        fs::write(&path, good).unwrap();
        assert_eq!(Identity::open(folder.path()).unwrap().fingerprint(), identity.fingerprint());
        assert!(!format!("{identity:?}").contains("key"), "{identity:?}");
    }
}
