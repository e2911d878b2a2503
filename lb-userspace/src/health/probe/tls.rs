//! Who has to answer a check over TLS.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::failure::Failure;

/// The name of HTTP/2 over TLS.
const HTTP2: &[u8] = b"h2";

/// Who has to answer a check over TLS.
#[derive(Clone)]
pub struct Tls {
    /// Sent as SNI, and in the certificate if that is verified.
    name: ServerName<'static>,
    authorities: Option<Arc<RootCertStore>>,
    config: Arc<ClientConfig>,
}

/// Two are the same if they take the same certificates.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        let roots = |tls: &Self| tls.authorities.as_ref().map(|authorities| authorities.roots.clone());
        self.name == other.name && roots(self) == roots(other)
    }
}

impl Eq for Tls {}

impl Tls {
    /// A server with this name, whose certificate comes from one of these authorities; anybody if none are given.
    ///
    /// # Errors
    /// The library has no version of TLS.
    pub fn new(name: ServerName<'static>, authorities: Option<Arc<RootCertStore>>) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let builder = match &authorities {
            Some(authorities) => builder.with_root_certificates(Arc::clone(authorities)),
            None => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        };
        let mut config = builder.with_no_client_auth();
        // A session that is resumed shows no certificate, and that may have expired since.
        config.resumption = Resumption::disabled();
        Ok(Tls { name, authorities, config: Arc::new(config) })
    }

    pub(super) async fn connect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsConnector::from(self.config.clone()).connect(self.name.clone(), stream).await
    }
}

impl Tls {
    /// The same for HTTP/2, which the server has to agree to (RFC 9113, section 3.2).
    pub(super) async fn connect_http2(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        let connector = TlsConnector::from(self.config.clone());
        let connecting = connector.with_alpn(vec![HTTP2.to_vec()]).connect(self.name.clone(), stream);
        let stream = connecting.await.map_err(Failure::Tls)?;
        match stream.get_ref().1.alpn_protocol() {
            Some(HTTP2) => Ok(stream),
            Some(_) | None => Err(Failure::NoHttp2),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Takes any certificate, whose key the other side has.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer,
        _intermediates: &[CertificateDer],
        _name: &ServerName,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
