//! Who has to answer checks over TLS.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use axum::http::HeaderValue;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};

use super::super::field::{Field, Group, Scalar, Text, YesOrNo};
use super::super::section::Section;
use super::super::value::path;
use super::value;
use crate::health::probe::Tls;

pub(super) static TLS: Group = Group {
    name: "tls",
    about: "Who has to answer over TLS. With kind: http2 or grpc: that it is over TLS.",
    fields: &[&[Field::Scalar(&NAME), Field::Scalar(&VERIFY), Field::Scalar(&CA_FILE)]],
};

static NAME: Scalar<Text<ServerName<'static>>> = Scalar {
    name: "name",
    about: "Sent as SNI, and what the certificate has to be for. Default: host.",
    remedy: None,
    form: Text(value::server_name),
};

static VERIFY: Scalar<YesOrNo> = Scalar {
    name: "verify",
    about: "Whether the certificate has to be valid. Default: true.",
    remedy: None,
    form: YesOrNo,
};

static CA_FILE: Scalar<Text<PathBuf>> = Scalar {
    name: "ca_file",
    about: "Whose certificates are valid: a file in PEM, read when the configuration is. Default: the system's.",
    remedy: None,
    form: Text(path),
};

/// Who has to answer, by what `health` says and by the host that it names. None if something is wrong; then it has been
/// reported.
pub(super) fn read(health: &mut Section, host: Option<&HeaderValue>) -> Option<Tls> {
    let at = health.at();
    let (name, verify, file) = match health.inherited(TLS.name) {
        Some(tls) => (tls.maybe(&NAME)?, tls.optional(&VERIFY, true)?, tls.maybe(&CA_FILE)?),
        None => (None, true, None),
    };
    let name = name.or_else(|| host_name(host?));
    let Some(name) = name.or_else(|| (!verify).then(nobody)) else {
        health.error("tls.name", at, "missing; write what the certificate is for, or verify: false");
        return None;
    };
    let authorities = match (verify, file) {
        (false, _) => Ok(None),
        (true, Some(file)) => authorities(&file).map(Some),
        (true, None) => system().map(Some),
    };
    let built = authorities.and_then(|authorities| {
        Tls::new(name, authorities).map_err(|error| format!("{error}; TLS can't be used"))
    });
    built.map_err(|message| health.error("tls.ca_file", at, message)).ok()
}

/// The name in a host, which may have a port behind it.
fn host_name(host: &HeaderValue) -> Option<ServerName<'static>> {
    let host = host.to_str().ok()?;
    let bare = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|digit| digit.is_ascii_digit()) && !name.contains(':') { name } else { host }
    });
    ServerName::try_from(bare.trim_matches(['[', ']']).to_owned()).ok()
}

/// What isn't verified needs no name: an address is sent to nobody.
fn nobody() -> ServerName<'static> {
    ServerName::IpAddress(std::net::IpAddr::from([0, 0, 0, 0]).into())
}

fn authorities(file: &Path) -> Result<Arc<RootCertStore>, String> {
    let shown = file.display();
    let remedy = "write the path of a file with certificates in PEM";
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| format!("{shown}: {error}; {remedy}"))?;
    let mut store = RootCertStore::empty();
    let (valid, _) = store.add_parsable_certificates(certificates);
    if valid == 0 { Err(format!("{shown} holds no certificate; {remedy}")) } else { Ok(Arc::new(store)) }
}

/// The system's, as they were when they were first asked for.
fn system() -> Result<Arc<RootCertStore>, String> {
    static SYSTEM: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let store = SYSTEM.get_or_init(|| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(store)
    });
    if store.is_empty() {
        return Err("the system has no certificates of authorities; write ca_file, or verify: false".into());
    }
    Ok(Arc::clone(store))
}
