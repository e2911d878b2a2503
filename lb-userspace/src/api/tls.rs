//! The API over TCP: certificates on both sides.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result, bail, ensure};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{info, warn};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config;

/// Who shakes hands.
pub struct Tls {
    files: Files,
    /// What the files said when they were read last.
    present: RwLock<Arc<ServerConfig>>,
}

/// Certificates and keys, in PEM.
#[derive(Clone, Debug)]
pub struct Files {
    /// The own certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Whose certificates the other side must have.
    pub authority: PathBuf,
}

/// Listens, in such a way that a runtime can take it over.
///
/// # Errors
/// The address isn't this node's, or somebody else listens there.
pub fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| format!("api.tls.listen: {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Tls {
    /// With the certificates that are in the files now.
    ///
    /// # Errors
    /// A file can't be read or used: its field and path, and what was expected there.
    pub fn read(config: &config::Tls) -> Result<Self> {
        let files = Files {
            certificate: config.certificate.clone(),
            key: config.key.clone(),
            authority: config.client_ca.clone(),
        };
        let present = RwLock::new(Arc::new(server(&files)?));
        Ok(Tls { files, present })
    }

    /// Reads the files again. Connections that there are go on.
    fn reread(&self) -> Result<()> {
        let fresh = Arc::new(server(&self.files)?);
        *self.present.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Shakes hands, and learns the names in the client's certificate.
    ///
    /// # Errors
    /// The client has no certificate of our authority that is valid now, or isn't one of TLS.
    pub async fn accept(&self, stream: TcpStream) -> Result<(TlsStream<TcpStream>, Vec<String>)> {
        let present = self.present.read().unwrap_or_else(PoisonError::into_inner).clone();
        let stream = TlsAcceptor::from(present).accept(stream).await?;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let names = certificates.first().map(names).unwrap_or_default();
        Ok((stream, names))
    }
}

/// Reads the certificates again at every SIGHUP. Those that can't be used change nothing.
pub async fn reread_at_hangup(tls: Arc<Tls>) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => return warn!("the API's certificates won't be read again at SIGHUP: {error}"),
    };
    while hangup.recv().await.is_some() {
        match tls.reread() {
            Ok(()) => info!("the API's certificates were read again"),
            Err(error) => warn!("the API keeps its former certificates: {error:#}"),
        }
    }
}

fn server(files: &Files) -> Result<ServerConfig> {
    let certificates = certificates("api.tls.certificate", &files.certificate)?;
    let key = key("api.tls.key", &files.key)?;
    let roots = roots("api.tls.client_ca", &files.authority)?;
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier);
    builder.with_single_cert(certificates, key).with_context(|| {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        format!("api.tls.key: {key} is not the key of {certificate}")
    })
}

/// The certificates in a file, the own one first; at least one.
///
/// # Errors
/// There is none, or the file can't be read; `field` is what named it.
pub fn certificates(field: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let shown = file.display();
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.with_context(|| format!("{field}: {shown}: certificates in PEM are expected here"))?;
    ensure!(
        !found.is_empty(),
        "{field}: {shown}: there is no certificate in it; certificates in PEM are expected here"
    );
    Ok(found)
}

/// The private key in a file.
///
/// # Errors
/// There is none, or the file can't be read; `field` is what named it.
pub fn key(field: &str, file: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(file)
        .with_context(|| format!("{field}: {}: a private key in PEM is expected here", file.display()))
}

/// The authorities in a file.
///
/// # Errors
/// There is none, or the file can't be read; `field` is what named it.
pub fn roots(field: &str, file: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(field, file)? {
        if let Err(error) = roots.add(certificate) {
            bail!("{field}: {}: not an authority's certificate: {error}", file.display());
        }
    }
    Ok(roots)
}

/// The subject's common names, and the DNS names.
fn names(certificate: &CertificateDer) -> Vec<String> {
    // It was understood when hands were shaken.
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.iter().flat_map(|names| &names.value.general_names);
    let dns = alternatives.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    let mut names: Vec<_> = common.chain(dns).map(String::from).collect();
    names.sort();
    names.dedup();
    names
}
