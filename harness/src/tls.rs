//! TLS of a connection of a wire: the harness as a program that is given the server's certificate as a file.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use smol::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};

/// How many bytes stand in front of the content of a record (RFC 8446, section 5.1): type, version, length.
const RECORD_HEADER: usize = 5;

/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// The TLS of one connection, after its handshake.
#[derive(Debug)]
pub struct Tls {
    connection: ClientConnection,
    /// A record that has not come whole.
    incoming: Vec<u8>,
}

impl Tls {
    /// Shakes hands with a server that has to show the certificate in this file, for this machine.
    ///
    /// # Errors
    /// When there is no such certificate, or it is not shown, or the connection ends.
    pub async fn shake(mut stream: &Async<TcpStream>, certificate: &Path) -> io::Result<Tls> {
        let certificate = CertificateDer::from_pem_file(certificate).map_err(io::Error::other)?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate).map_err(io::Error::other)?;
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut tls = Tls { connection, incoming: Vec::new() };
        loop {
            let outgoing = tls.outgoing()?;
            stream.write_all(&outgoing).await?;
            if !tls.connection.is_handshaking() {
                return Ok(tls);
            }
            let mut chunk = vec![0; CHUNK];
            match stream.read(&mut chunk).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => tls.opened(&chunk[..count])?,
            };
        }
    }

    fn outgoing(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// What goes over the wire for `bytes`.
    ///
    /// # Errors
    /// When nothing can be sent any more.
    pub fn sealed(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.connection.writer().write_all(bytes)?;
        self.outgoing()
    }

    /// What the records had that are whole with `bytes`: of each for itself, because there are programs that take what
    /// one has for one frame.
    ///
    /// # Errors
    /// When it is no TLS, or not that of this connection.
    pub fn opened(&mut self, bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        self.incoming.extend_from_slice(bytes);
        let mut all = Vec::new();
        while let Some([_, _, _, high, low]) = self.incoming.first_chunk::<RECORD_HEADER>() {
            let length = RECORD_HEADER + usize::from(u16::from_be_bytes([*high, *low]));
            if self.incoming.len() < length {
                break;
            }
            let rest = self.incoming.split_off(length);
            let record = std::mem::replace(&mut self.incoming, rest);
            let mut record = &record[..];
            while !record.is_empty() {
                self.connection.read_tls(&mut record)?;
            }
            let state = self.connection.process_new_packets().map_err(io::Error::other)?;
            let mut content = vec![0; state.plaintext_bytes_to_read()];
            self.connection.reader().read_exact(&mut content)?;
            if !content.is_empty() {
                all.push(content);
            }
        }
        Ok(all)
    }
}
