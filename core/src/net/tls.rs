//! The server's certificate: given, or made on first start.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use chinwag_wire::Millis;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};
use sha2::{Digest, Sha256};

use crate::chance::hex;

/// The file of the certificate in the data folder.
pub(crate) const CERTIFICATE: &str = "certificate.pem";
/// The file of its key.
pub(crate) const KEY: &str = "key.pem";

/// How connections are encrypted.
#[derive(Clone)]
pub(crate) struct Encryption {
    /// TLS 1.3.
    pub(crate) newest: Arc<ServerConfig>,
    /// TLS 1.2 as well: for wires, whose programs may be older than 1.3.
    pub(crate) older: Arc<ServerConfig>,
}

/// What connections are encrypted with.
pub(crate) struct Identity {
    pub(crate) config: Encryption,
    /// `SHA256:` and the hash of the certificate, as clients pin it.
    pub(crate) fingerprint: String,
    /// When the certificate ends, if it can be read from it.
    pub(crate) expires: Option<Millis>,
}

/// The certificate that [`load`] would load, as PEM: what programs want that are told whom to trust by a file.
///
/// # Errors
/// A sentence that names the file.
pub(crate) fn export(folder: &Path, given: Option<(&Path, &Path)>, host: &str) -> Result<Vec<u8>, String> {
    // It is loaded first, so that what is given out can be used, and is there.
    load(folder, given, host)?;
    let path = given.map_or_else(|| folder.join(CERTIFICATE), |(certificate, _)| certificate.to_owned());
    fs::read(&path).map_err(|error| format!("cannot read the certificate {}: {error}", path.display()))
}

/// Loads the certificate at `given`, or the one in `folder`, which is made if there is none: for this machine, by all its
/// names, and for `host`.
///
/// # Errors
/// A sentence that names the file.
pub(crate) fn load(folder: &Path, given: Option<(&Path, &Path)>, host: &str) -> Result<Identity, String> {
    let (certificate, key) = match given {
        Some((certificate, key)) => (certificate.to_owned(), key.to_owned()),
        None => {
            let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
            if !certificate.exists() {
                make(&certificate, &key, host).map_err(|error| format!("cannot make a certificate in {}: {error}", folder.display()))?;
            }
            (certificate, key)
        }
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect)
        .map_err(|error| format!("cannot read the certificate {}: {error}", certificate.display()))?;
    let Some(first) = chain.first() else { return Err(format!("there is no certificate in {}", certificate.display())) };
    let fingerprint = format!("SHA256:{}", hex(&Sha256::digest(first)));
    let expires = x509_parser::parse_x509_certificate(first).ok();
    let expires = expires.map(|(_, read)| Millis(read.validity().not_after.timestamp().saturating_mul(1000)));
    let key_der = PrivateKeyDer::from_pem_file(&key).map_err(|error| format!("cannot read the key {}: {error}", key.display()))?;
    let config = |versions: &[&'static SupportedProtocolVersion]| {
        let unusable = |error| format!("the certificate {} and the key {} cannot be used: {error}", certificate.display(), key.display());
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key_der.clone_key())
            .map_err(unusable)?;
        // A ticket, or a session that is kept, costs memory for every connection and saves a millisecond at most.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok::<_, String>(Arc::new(config))
    };
    let newest = config(&[&TLS13])?;
    let config = Encryption { newest, older: config(&[&TLS13, &TLS12])? };
    Ok(Identity { config, fingerprint, expires })
}

/// The names and addresses that the certificate is for: this machine's, and where the server listens if that is one place.
fn names(host: &str) -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_everywhere = host.parse().is_ok_and(|address: std::net::IpAddr| address.is_unspecified());
    for name in std::iter::once(machine.as_str()).chain((!is_everywhere).then_some(host)) {
        // What cannot stand in a certificate is left out of it: it would be no name to connect by.
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':'));
        if is_name && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Makes a self-signed certificate. Our own clients pin its fingerprint; the names are for those that do not.
fn make(certificate: &Path, key: &Path, host: &str) -> Result<(), Box<dyn std::error::Error>> {
    let names = names(host);
    let made = rcgen::generate_simple_self_signed(names)?;
    // The key first: a certificate without one would be taken for a finished pair at the next start.
    write(key, made.signing_key.serialize_pem().as_bytes(), 0o600)?;
    write(certificate, made.cert.pem().as_bytes(), 0o644)?;
    Ok(())
}

/// Writes all of a file or none: half a certificate, on a disk that was full, would stop every start from then on.
fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let first = load(folder.path(), None, "localhost").unwrap().fingerprint;
        assert_eq!(load(folder.path(), None, "chat.example").unwrap().fingerprint, first);
        let mode = fs::metadata(folder.path().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_exported_is_the_certificate_with_the_names_of_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let pem = export(folder.path(), None, "chat.example").unwrap();
        assert_eq!(fs::read(folder.path().join(CERTIFICATE)).unwrap(), pem);
        let der = CertificateDer::from_pem_slice(&pem).unwrap();
        let has = |bytes: &[u8]| der.windows(bytes.len()).any(|part| part == bytes);
        assert!(has(b"localhost") && has(&[127, 0, 0, 1]) && has(b"chat.example"));
        assert!(has(rustix::system::uname().nodename().to_bytes()));
        assert!(names("0.0.0.0").iter().all(|name| name != "0.0.0.0"));
    }
}
