//! The way to an lbd on another node.

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::http::Uri;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::api::tls::{certificates, key, roots};

/// Where an lbd is, and with what certificates it is asked.
#[derive(Clone, Debug)]
pub struct Tls {
    /// As in `lb1.example:9443`.
    pub authority: String,
    host: ServerName<'static>,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// The lbd at a URL, asked with a certificate and its key, and known by its authority's certificate.
    ///
    /// # Errors
    /// The URL isn't one of https with a host and a port; a file can't be read or used.
    pub fn new(url: &str, certificate: &Path, key_file: &Path, authority: &Path) -> Result<Self> {
        let wanted = || format!("--url: {url}: as in https://lb1.example:9443");
        let uri: Uri = url.parse().with_context(wanted)?;
        let (Some(host), Some(port), Some("https"), "" | "/") =
            (uri.host(), uri.port_u16(), uri.scheme_str(), uri.path())
        else {
            bail!(wanted())
        };
        let plain = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots("--ca", authority)?)
            .with_client_auth_cert(certificates("--cert", certificate)?, key("--key", key_file)?)
            .with_context(|| {
                format!("--key: {} is not the key of {}", key_file.display(), certificate.display())
            })?;
        let authority = format!("{host}:{port}");
        Ok(Tls {
            authority,
            host: ServerName::try_from(plain).with_context(wanted)?,
            config: Arc::new(config),
        })
    }

    /// Connects, and looks at the other side's certificate.
    ///
    /// # Errors
    /// Nobody is there, or it isn't whom the authority knows.
    pub async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(&self.authority).await?;
        TlsConnector::from(self.config.clone()).connect(self.host.clone(), stream).await
    }
}
