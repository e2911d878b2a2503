//! Who may ask the daemon, and where.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_saphyr::Spanned;

use super::file::{self, List};
use super::section::{Section, Seen};
use super::value;

/// Where the API listens unless the configuration says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/lb/lbd.sock";

/// Where the API listens, and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// The unix socket; an absolute path of at most 107 octets.
    pub socket: PathBuf,
    /// The group whose members may change things. Whether there is one is seen when it is looked up.
    pub write_group: Option<String>,
    /// The group whose members may see things. Whether there is one is seen when it is looked up.
    pub read_group: Option<String>,
    /// The API over TCP, for clients with certificates; none if it isn't there.
    pub tls: Option<Tls>,
}

/// The API over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Where it listens; the port is not 0.
    pub listen: SocketAddr,
    /// The daemon's certificate and those between it and its root, in PEM; an absolute path.
    pub certificate: PathBuf,
    /// The certificate's private key, in PEM; an absolute path.
    pub key: PathBuf,
    /// Whose certificates clients must have, in PEM; an absolute path.
    pub client_ca: PathBuf,
    /// Who may do what; at least one, each name once.
    pub clients: Vec<TlsClient>,
}

/// A client of the API over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsClient {
    /// As its certificate names it.
    pub name: String,
    /// What it may do.
    pub access: Access,
}

/// What a client of the API may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// See everything.
    Read,
    /// See and change everything.
    Write,
}

const ACCESSES: &[(&str, Access)] = &[("read", Access::Read), ("write", Access::Write)];

const REMEDY: &str = "list those who may use it, such as - {name: admin, access: write}";

impl Default for Api {
    fn default() -> Self {
        Api { socket: DEFAULT_SOCKET.into(), write_group: None, read_group: None, tls: None }
    }
}

impl Access {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write => "write",
        }
    }
}

/// None if something is wrong; then it has been reported.
pub(super) fn from_written(root: &mut Section, written: Option<&Spanned<file::Api>>) -> Option<Api> {
    let default = Api::default();
    let Some(written) = written else { return Some(default) };
    let mut section = root.field("api", written);
    let file::Api { socket, write_group, read_group, tls } = &written.value;
    let socket = section.optional("socket", socket.as_ref(), default.socket, value::socket);
    let write_group =
        section.optional("write_group", write_group.as_ref(), None, |text| value::group(text).map(Some));
    let read_group =
        section.optional("read_group", read_group.as_ref(), None, |text| value::group(text).map(Some));
    let tls = match tls {
        Some(written) => Some(tls_from_written(&mut section, written)?),
        None => None,
    };
    Some(Api { socket: socket?, write_group: write_group?, read_group: read_group?, tls })
}

fn tls_from_written(api: &mut Section, written: &Spanned<file::Tls>) -> Option<Tls> {
    let mut section = api.field("tls", written);
    let file::Tls { listen, certificate, key, client_ca, clients } = &written.value;
    let remedy = "write an address and a port, such as 192.0.2.10:9443";
    let listen = section.required("listen", listen.as_ref(), remedy, value::listen);
    let mut file = |field, word: &Option<file::Word>, what| {
        section.required(field, word.as_ref(), &format!("write the path of {what}"), value::path)
    };
    let certificate = file("certificate", certificate, "the daemon's certificate");
    let key = file("key", key, "the certificate's private key");
    let client_ca =
        file("client_ca", client_ca, "the certificate that clients' certificates are signed with");
    let clients = clients_from_written(&mut section, clients.as_ref());
    Some(Tls {
        listen: listen?,
        certificate: certificate?,
        key: key?,
        client_ca: client_ca?,
        clients: clients?,
    })
}

fn clients_from_written(
    tls: &mut Section,
    written: Option<&List<file::TlsClient>>,
) -> Option<Vec<TlsClient>> {
    let entries = tls.list("clients", written, REMEDY)?;
    if let (Some(list), []) = (written, entries) {
        tls.error("clients", list.referenced, format!("the list is empty; {REMEDY}"));
    }
    let mut names = Seen::new();
    let clients = entries.iter().enumerate().filter_map(|(index, entry)| {
        let mut section = tls.entry("clients", index, entry);
        let word = entry.value.name.as_ref();
        let remedy = "write the name in the client's certificate";
        let name = section.required("name", word, remedy, value::name);
        let access = section.required("access", entry.value.access.as_ref(), "write read or write", |text| {
            value::choice(text, ACCESSES)
        });
        let name = section.unique("name", word?.referenced, &mut names, name?, "remove one");
        Some(TlsClient { name: name?, access: access? })
    });
    Some(clients.collect())
}
