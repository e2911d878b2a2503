//! The file as written: its shape and nothing else.
//!
//! Every field may be missing and every scalar is text, so that whatever is wrong with a value is said together
//! with its path, and all faults of a file at once. It also keeps a key of 32 decimal digits the text that it is.

use serde::Deserialize;
use serde_saphyr::Spanned;

/// A scalar and where it stands.
pub(super) type Word = Spanned<String>;

/// A list and where it and its entries stand.
pub(super) type List<T> = Spanned<Vec<Spanned<T>>>;

/// The whole file.
#[derive(Deserialize)]
#[expect(clippy::struct_field_names, reason = "fields are named as in the file")]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub version: Option<Word>,
    pub instance: Option<Word>,
    pub interfaces: Option<List<Interface>>,
    pub api: Option<Spanned<Api>>,
    pub log: Option<Spanned<Log>>,
    pub state_directory: Option<Word>,
    pub hash_key: Option<Word>,
    pub hash_key_file: Option<Word>,
    pub answer_echo: Option<Word>,
    pub tunnel_source: Option<List<String>>,
    pub maps: Option<Spanned<Maps>>,
    pub services: Option<List<Service>>,
}

/// An entry of `interfaces`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Interface {
    pub name: Option<Word>,
    pub mode: Option<Word>,
}

/// The field `api`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Api {
    pub socket: Option<Word>,
    pub write_group: Option<Word>,
    pub read_group: Option<Word>,
    pub tls: Option<Spanned<Tls>>,
}

/// The API's `tls`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub listen: Option<Word>,
    pub certificate: Option<Word>,
    pub key: Option<Word>,
    pub client_ca: Option<Word>,
    pub clients: Option<List<TlsClient>>,
}

/// An entry of `clients`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsClient {
    pub name: Option<Word>,
    pub access: Option<Word>,
}

/// The field `log`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub level: Option<Word>,
    pub format: Option<Word>,
}

/// The field `maps`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Maps {
    pub services: Option<Word>,
    pub backends: Option<Word>,
    pub fragments: Option<Word>,
    pub flows: Option<Word>,
}

/// An entry of `services`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub name: Option<Word>,
    pub vip: Option<Word>,
    pub port: Option<Word>,
    pub protocol: Option<Word>,
    pub forwarding: Option<Word>,
    pub gue_port: Option<Word>,
    pub affinity: Option<Word>,
    pub fragments: Option<Word>,
    pub quic: Option<Spanned<Quic>>,
    pub scheduler: Option<Word>,
    pub udp: Option<Word>,
    pub idle_timeout: Option<Word>,
    pub drain_timeout: Option<Word>,
    pub down_grace: Option<Word>,
    pub down_flows: Option<Word>,
    pub table_size: Option<Word>,
    pub backends: Option<List<Backend>>,
}

/// A service's `quic`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quic {
    pub server_id_length: Option<Word>,
    pub configuration: Option<Word>,
}

/// An entry of a service's `backends`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Backend {
    pub name: Option<Word>,
    pub address: Option<Word>,
    pub weight: Option<Word>,
    pub state: Option<Word>,
    pub drain_timeout: Option<Word>,
    pub quic_server_id: Option<Word>,
}
