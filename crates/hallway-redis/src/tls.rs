//! TLS: chain and name are always verified.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hallway_core::{Error, ErrorKind, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::TlsFiles;
use crate::target::Address;

/// What is trusted, and as whom we present ourselves.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    /// Reads the files. Without a CA file the public roots are trusted, with one it alone.
    pub(crate) fn new(files: &TlsFiles) -> Result<Self> {
        // Our own provider, not the one of the process: nothing to install, and nothing to collide with.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::invalid_config("TLS cannot be set up").with_source(error))?
            .with_root_certificates(roots(files.ca.as_deref())?);
        let config = match (&files.cert, &files.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(key)) => {
                let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable("key", key, error))?;
                builder.with_client_auth_cert(certificates("cert", cert)?, key).map_err(|error| {
                    Error::invalid_config("client certificate and key do not fit").with_source(error)
                })?
            }
            _ => return Err(Error::invalid_config("a client certificate needs both `cert` and `key`")),
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(crate) async fn handshake(
        &self,
        host: &str,
        address: &Address,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| Error::invalid_config("the host is no name a certificate can have").with_source(error))?;
        self.0.connect(name, stream).await.map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                format!("no trusted TLS with {address}: check the server's certificate, or name its CA by `ca=FILE`"),
            )
            .with_retryable(false)
            .with_source(error)
        })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(ca) = ca else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    for certificate in certificates("ca", ca)? {
        roots.add(certificate).map_err(|error| unreadable("ca", ca, error))?;
    }
    Ok(roots)
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(option, path, error))?;
    if certificates.is_empty() {
        return Err(Error::invalid_config(format!("`{option}` file {} has no PEM certificate", path.display())));
    }
    Ok(certificates)
}

fn unreadable(option: &str, path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid_config(format!("`{option}` file {} cannot be used as PEM: check path and content", path.display()))
        .with_source(error)
}
