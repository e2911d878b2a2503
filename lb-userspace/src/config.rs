//! The configuration of the daemon.
//!
//! In three stages: as written (`tree`), where every scalar is still text with a position; of the right shape (`shape`),
//! where each field is known and each scalar means something; and as meant (the types here), where all of them go
//! together. All that is wrong with a file is said at once, one line each; only text that isn't YAML ends at its first
//! fault. `deploy/lb.yaml` documents every field.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use lb_common::siphash::HashKey;

use self::field::{Field, Fields, Group, Scalar, Text, Version, YesOrNo};
use self::section::Section;
use self::tree::{Fault, Node, Value};

pub use self::api::{Access, Api, DEFAULT_SOCKET, Tls, TlsClient};
pub use self::backend::{AdminState, Backend};
pub use self::error::{ConfigError, ConfigErrors, Position};
pub use self::flows::{Datagrams, DownFlows, Flows};
pub use self::forwarding::Forwarding;
pub use self::health::{Health, Via};
pub use self::interface::{Interface, InterfaceField};
pub use self::log::{Log, LogFormat};
pub use self::maps::MapSizes;
pub use self::prefix::Prefix;
pub use self::service::{Affinity, Fragments, Service};

mod api;
mod backend;
pub mod change;
pub mod document;
mod error;
mod field;
mod flows;
mod forwarding;
mod health;
mod interface;
mod key;
mod log;
mod loops;
mod maps;
mod prefix;
mod quic;
mod schema;
mod section;
mod service;
mod shape;
#[cfg(test)]
mod tests;
mod tree;
mod tunnel_source;
mod value;

/// The instance of a configuration that names none.
pub const DEFAULT_INSTANCE: &str = "default";

/// Where the daemon keeps what must survive a reboot unless the configuration says otherwise.
pub const DEFAULT_STATE_DIRECTORY: &str = "/var/lib/lb";

static VERSION: Scalar<Version> = Scalar {
    name: "version",
    about: "The format of this file. Always 1.",
    remedy: Some("write version: 1"),
    form: Version,
};

static INSTANCE: Scalar<Text<String>> = Scalar {
    name: "instance",
    about: "Which of the host's load balancers this is: 1 to 32 of a to z, 0 to 9 and -. Default: default.",
    remedy: None,
    form: Text(value::instance),
};

static STATE_DIRECTORY: Scalar<Text<PathBuf>> = Scalar {
    name: "state_directory",
    about: "The directory for what must survive a reboot: an absolute path. Default: /var/lib/lb.",
    remedy: None,
    form: Text(value::path),
};

static ANSWER_ECHO: Scalar<YesOrNo> = Scalar {
    name: "answer_echo",
    about: "Whether echo requests to VIPs are answered. Default: false.",
    remedy: None,
    form: YesOrNo,
};

static API: Group = Group { name: "api", about: "The API, which lbctl uses.", fields: api::FIELDS };

static LOG: Group = Group { name: "log", about: "What is logged, and how.", fields: log::FIELDS };

static MAPS: Group = Group {
    name: "maps",
    about: "How much the datapath's maps have room for. They are made at the start.",
    fields: maps::FIELDS,
};

/// The fields of the file.
static FIELDS: Fields = &[&[
    Field::Scalar(&VERSION),
    Field::Scalar(&INSTANCE),
    Field::List(&interface::INTERFACES),
    Field::Section(&API),
    Field::Section(&LOG),
    Field::Scalar(&STATE_DIRECTORY),
    Field::Scalar(&key::HASH_KEY),
    Field::Scalar(&key::HASH_KEY_FILE),
    Field::Scalar(&ANSWER_ECHO),
    Field::List(&tunnel_source::TUNNEL_SOURCE),
    Field::Section(&MAPS),
    Field::Section(&service::DEFAULTS),
    Field::List(&service::SERVICES),
]];

/// The VIPs that `text` names: an address, or a prefix with zeros behind it.
///
/// # Errors
///
/// What was found, a semicolon, and what to do.
pub fn vip(text: &str) -> Result<Prefix, String> {
    value::vip(text)
}

/// A valid configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file as it was named when it was asked for.
    pub file: PathBuf,
    /// The interfaces that services' packets come in on; at least one, each once.
    pub interfaces: Vec<Interface>,
    /// Which of the host's balancers this is: 1 to 32 of `a-z`, `0-9` and `-`. What it keeps in bpffs and in the state
    /// directory is under this name.
    pub instance: String,
    /// Who may ask the daemon, and where.
    pub api: Api,
    /// What the daemon logs, and how.
    pub log: Log,
    /// What must survive a reboot; an absolute path.
    pub state_directory: PathBuf,
    /// The flow hash's key. Without one the daemon has to make one, and then it is not its neighbours'.
    pub hash_key: Option<HashKey>,
    /// Whether echo requests to VIPs are answered.
    pub answer_echo: bool,
    /// Where the outer source addresses of tunnels are taken from, at most one prefix of each IP version; else they
    /// are the node's own.
    pub tunnel_sources: Vec<Prefix>,
    /// How much the maps have room for; the services and backends here fit.
    pub maps: MapSizes,
    /// The services, in the order of the file.
    pub services: Vec<Service>,
}

impl Config {
    /// Reads the configuration in `file`.
    ///
    /// # Errors
    ///
    /// All that is wrong with the file, or why it cannot be read.
    pub fn read(file: &Path) -> Result<Config, ConfigErrors> {
        Config::parse(&Config::text(file)?, file)
    }

    /// The text of a configuration file.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub fn text(file: &Path) -> Result<String, ConfigErrors> {
        let octets = std::fs::read(file).map_err(|error| {
            let message = format!("{error}; check the path and that this user may read it");
            ConfigErrors::one(file, None, message)
        })?;
        String::from_utf8(octets).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let at = Position::after(&String::from_utf8_lossy(valid));
            ConfigErrors::one(file, Some(at), "this is not UTF-8 text; save the file as UTF-8")
        })
    }

    /// The configuration that `text` says, with the key in the file that it may name; `file` is its own name in
    /// messages.
    ///
    /// # Errors
    ///
    /// All that is wrong with the text.
    pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
        let (tree, faults) = tree::read(text);
        Config::meant(tree.as_ref(), faults, file)
    }

    /// The configuration that a tree says, in which these faults were found already.
    fn meant(tree: Option<&Node>, faults: Vec<Fault>, file: &Path) -> Result<Config, ConfigErrors> {
        let mut errors = ConfigErrors::new(file);
        for fault in faults {
            errors.add(Some(fault.at), String::new(), fault.message);
        }
        let config = match tree {
            Some(Node { value: Value::Nothing, .. }) if errors.is_empty() => {
                let message = "the file is empty; start it with version: 1";
                errors.add(Some(Position::TOP), String::new(), message.into());
                None
            }
            Some(tree) => Config::from_tree(tree, file, &mut errors),
            None => None,
        };
        match config {
            Some(config) if errors.is_empty() => Ok(config),
            _ => Err(errors.in_order()),
        }
    }

    /// What is wrong with an interface, in the words of [`ConfigError`]: seen only when it is looked for.
    #[must_use]
    pub fn interface_error(&self, index: usize, field: InterfaceField, message: String) -> ConfigError {
        let interface = &self.interfaces[index];
        let (field, position) = match field {
            InterfaceField::Name => ("name", interface.name_at),
            InterfaceField::Mode => ("mode", interface.mode_at),
        };
        let field = format!("interfaces[{index}].{field}");
        ConfigError { file: self.file.clone(), position, field, message }
    }

    /// The fields of a configuration in JSON Schema, by which editors complete and check a file.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schema::of(FIELDS)
    }

    /// How much it holds, in a line for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let backends: usize = self.services.iter().map(|service| service.backends.len()).sum();
        let counted =
            |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        [
            counted(self.services.len(), "service"),
            counted(backends, "backend"),
            counted(self.interfaces.len(), "interface"),
        ]
        .join(", ")
    }

    /// Where the outer source addresses of tunnels are taken from that leave with the node's address `own`.
    #[must_use]
    pub fn tunnel_source(&self, own: IpAddr) -> Prefix {
        let prefix = self.tunnel_sources.iter().find(|prefix| prefix.is_of(own));
        prefix.copied().unwrap_or(Prefix::of_one(own))
    }

    fn from_tree(tree: &Node, file: &Path, errors: &mut ConfigErrors) -> Option<Config> {
        // A file of another version means something else: nothing more can be said about it.
        if let Some(version) = tree.field(VERSION.name)
            && let Some(Err(message)) = version.word().map(value::version)
        {
            errors.add(Some(version.at), VERSION.name.into(), message);
            return None;
        }
        shape::check("", tree, FIELDS, errors);
        let mut root = Section::root(tree, errors);
        let interfaces = interface::read(&mut root);
        let api = api::read(&mut root);
        let log = log::read(&mut root);
        let hash_key = key::read(&mut root);
        let tunnel_sources = tunnel_source::read(&mut root);
        let maps = maps::read(&mut root);
        let services = service::read(&mut root, maps);
        Some(Config {
            file: file.to_owned(),
            instance: root.optional(&INSTANCE, DEFAULT_INSTANCE.into())?,
            interfaces: interfaces?,
            api: api?,
            log: log?,
            state_directory: root.optional(&STATE_DIRECTORY, DEFAULT_STATE_DIRECTORY.into())?,
            hash_key: hash_key?,
            answer_echo: root.optional(&ANSWER_ECHO, false)?,
            tunnel_sources,
            maps: maps?,
            services: services?,
        })
    }
}
