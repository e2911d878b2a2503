//! Who may ask the daemon, and where.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::field::{Choice, Entries, Field, Fields, Group, List, Scalar, Text};
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

static SOCKET: Scalar<Text<PathBuf>> = Scalar {
    name: "socket",
    about: "The unix socket that lbctl talks to: an absolute path. Default: /run/lb/lbd.sock.",
    remedy: None,
    form: Text(value::socket),
};

static WRITE_GROUP: Scalar<Text<String>> = Scalar {
    name: "write_group",
    about: "The group of users who may change things by the socket. Default: root alone.",
    remedy: None,
    form: Text(value::group),
};

static READ_GROUP: Scalar<Text<String>> = Scalar {
    name: "read_group",
    about: "The group of users who may see things by the socket. Default: root alone.",
    remedy: None,
    form: Text(value::group),
};

static TLS: Group = Group {
    name: "tls",
    about: "The API over TCP, for clients with certificates. Default: it isn't there.",
    fields: &[&[
        Field::Scalar(&LISTEN),
        Field::Scalar(&CERTIFICATE),
        Field::Scalar(&KEY),
        Field::Scalar(&CLIENT_CA),
        Field::List(&CLIENTS),
    ]],
};

static LISTEN: Scalar<Text<SocketAddr>> = Scalar {
    name: "listen",
    about: "An IP address of the node, and a port.",
    remedy: Some("write an address and a port, such as 192.0.2.10:9443"),
    form: Text(value::listen),
};

static CERTIFICATE: Scalar<Text<PathBuf>> = Scalar {
    name: "certificate",
    about: "The path of the node's certificate, in PEM.",
    remedy: Some("write the path of the node's certificate"),
    form: Text(value::path),
};

static KEY: Scalar<Text<PathBuf>> = Scalar {
    name: "key",
    about: "The path of the certificate's private key, in PEM.",
    remedy: Some("write the path of the certificate's private key"),
    form: Text(value::path),
};

static CLIENT_CA: Scalar<Text<PathBuf>> = Scalar {
    name: "client_ca",
    about: "The path of the certificate that clients' certificates are signed with, in PEM.",
    remedy: Some("write the path of the certificate that clients' certificates are signed with"),
    form: Text(value::path),
};

static CLIENTS: List = List {
    name: "clients",
    about: "Who may do what.",
    remedy: Some("list those who may use it, such as - {name: admin, access: write}"),
    may_be_empty: false,
    of: Entries::Sections(&[&[Field::Scalar(&CLIENT_NAME), Field::Scalar(&ACCESS)]]),
};

static CLIENT_NAME: Scalar<Text<String>> = Scalar {
    name: "name",
    about: "The name in the client's certificate.",
    remedy: Some("write the name in the client's certificate"),
    form: Text(value::name),
};

static ACCESS: Scalar<Choice<Access>> = Scalar {
    name: "access",
    about: "Whether the client may only see things, or change them.",
    remedy: Some("write read or write"),
    form: Choice(&[("read", Access::Read), ("write", Access::Write)]),
};

/// The fields of `api`.
pub(super) static FIELDS: Fields = &[&[
    Field::Scalar(&SOCKET),
    Field::Scalar(&WRITE_GROUP),
    Field::Scalar(&READ_GROUP),
    Field::Section(&TLS),
]];

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
pub(super) fn read(root: &mut Section) -> Option<Api> {
    let default = Api::default();
    let Some(mut api) = root.section("api") else { return Some(default) };
    let socket = api.optional(&SOCKET, default.socket);
    let (write_group, read_group) = (api.maybe(&WRITE_GROUP), api.maybe(&READ_GROUP));
    let tls = match api.section(TLS.name) {
        Some(mut tls) => Some(read_tls(&mut tls)?),
        None => None,
    };
    Some(Api { socket: socket?, write_group: write_group?, read_group: read_group?, tls })
}

fn read_tls(tls: &mut Section) -> Option<Tls> {
    let mut names = Seen::new();
    let entries = tls.list(CLIENTS.name)?.0;
    let clients = entries.iter().enumerate().filter_map(|(index, entry)| {
        let mut client = tls.entry(CLIENTS.name, index, entry);
        let (name, access) = (client.required(&CLIENT_NAME), client.required(&ACCESS));
        let at = client.word(&CLIENT_NAME)?.at;
        let name = client.unique(CLIENT_NAME.name, at, &mut names, name?, "remove one");
        Some(TlsClient { name: name?, access: access? })
    });
    let clients = clients.collect();
    Some(Tls {
        listen: tls.required(&LISTEN)?,
        certificate: tls.required(&CERTIFICATE)?,
        key: tls.required(&KEY)?,
        client_ca: tls.required(&CLIENT_CA)?,
        clients,
    })
}
