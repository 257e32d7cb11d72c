//! Mutual TLS 1.3 with both certificates pinned. A fingerprint is public, the key is not: the handshake's signatures are
//! verified for real.

use std::io;
use std::sync::Arc;

use futures_rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use futures_rustls::rustls::client::Resumption;
use futures_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use futures_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use futures_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use futures_rustls::rustls::{
    self, AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    version,
};
use futures_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use sha2::{Digest, Sha256};

use super::{BoxedStream, Failed, in_words};
use crate::identity::Identity;
use chinwag_wire::Fingerprint;

/// The protocol and its version, agreed on in the handshake.
const PROTOCOL: &[u8] = b"chinwag-private/1";
/// What the exporter is asked for (RFC 8446 §7.5).
const EXPORTER: &[u8] = b"EXPORTER-chinwag-private-1";
/// TLS wants a name to connect to. It is not sent, and nobody judges by it.
const NAME: &str = "chinwag.invalid";

/// Takes one certificate only.
#[derive(Debug)]
struct Pin {
    expected: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl Pin {
    fn judge(&self, shown: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        // Fingerprints are no secret, so nothing is lost by how long this takes.
        if <[u8; 32]>::from(Sha256::digest(shown)) == self.expected.0 {
            Ok(())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.judge(end_entity).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Pin {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.judge(end_entity).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}

/// TLS as one identity speaks it with one other.
#[derive(Clone)]
pub(crate) struct Tls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// Which end of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Who dialled.
    Client,
    /// Who listened.
    Server,
}

impl Tls {
    /// # Errors
    /// The key does not fit the certificate.
    pub(crate) fn new(identity: &Identity, peer: Fingerprint) -> Result<Tls, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let pin = Arc::new(Pin { expected: peer, provider: Arc::clone(&provider) });
        let chain = || vec![identity.certificate.clone()];
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&pin) as _)
            .with_client_auth_cert(chain(), identity.key.clone_key())?;
        client.enable_sni = false;
        // Every meeting is a handshake of its own, with both certificates.
        client.resumption = Resumption::disabled();
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])?
            .with_client_cert_verifier(pin)
            .with_single_cert(chain(), identity.key.clone_key())?;
        server.send_tls13_tickets = 0;
        server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Tls { client: Arc::new(client), server: Arc::new(server) })
    }

    /// Shakes hands. Gives the stream and the exporter.
    ///
    /// # Errors
    /// What is wrong with the other end, or the link.
    pub(crate) async fn shake(&self, end: End, stream: BoxedStream) -> Result<(TlsStream<BoxedStream>, [u8; 32]), Failed> {
        let stream = match end {
            End::Client => {
                let name = ServerName::try_from(NAME).map_err(|error| Failed::impostor(error.to_string()))?;
                TlsStream::from(TlsConnector::from(Arc::clone(&self.client)).connect(name, stream).await.map_err(why)?)
            }
            End::Server => TlsStream::from(TlsAcceptor::from(Arc::clone(&self.server)).accept(stream).await.map_err(why)?),
        };
        if stream.get_ref().1.alpn_protocol() != Some(PROTOCOL) {
            return Err(Failed::impostor("it speaks another protocol"));
        }
        let exporter = match &stream {
            TlsStream::Client(stream) => stream.get_ref().1.export_keying_material([0; 32], EXPORTER, None),
            TlsStream::Server(stream) => stream.get_ref().1.export_keying_material([0; 32], EXPORTER, None),
        };
        Ok((stream, exporter.map_err(|error| Failed::impostor(error.to_string()))?))
    }
}

/// Why a handshake failed, or, since TLS 1.3 tells a client of that no earlier, the first read after it.
pub(crate) fn why(error: io::Error) -> Failed {
    let Some(refused) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return Failed::link(in_words(&error));
    };
    match refused {
        rustls::Error::InvalidCertificate(_) => Failed::impostor("it shows another certificate"),
        rustls::Error::NoCertificatesPresented => Failed::impostor("it shows no certificate"),
        rustls::Error::AlertReceived(AlertDescription::AccessDenied) => Failed::impostor("it expects somebody else"),
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) | rustls::Error::NoApplicationProtocol => {
            Failed::impostor("it speaks another protocol")
        }
        rustls::Error::InvalidMessage(_) => Failed::impostor("it does not speak TLS"),
        other => Failed::impostor(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_another_certificate_is_noticed() {
        let (mut one, other) = (Identity::fleeting().unwrap(), Identity::fleeting().unwrap());
        assert!(Tls::new(&one, other.fingerprint()).is_ok());
        one.key = other.key.clone_key();
        assert!(Tls::new(&one, other.fingerprint()).is_err());
    }
}
