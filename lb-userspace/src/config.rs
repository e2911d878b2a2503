//! The configuration of the daemon.
//!
//! In two stages: as written (`file`), where every scalar is still text with a position, and as meant (the types
//! here), where every value is valid. All that is wrong with a file is said at once, one line each; only YAML
//! that cannot be read ends at its first fault. `deploy/lb.yaml` documents every field.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use lb_common::siphash::HashKey;

pub use self::api::{Access, Api, DEFAULT_SOCKET, Tls, TlsClient};
pub use self::backend::{AdminState, Backend};
pub use self::error::{ConfigError, ConfigErrors, Position};
pub use self::flows::{Datagrams, DownFlows, Flows};
pub use self::forwarding::Forwarding;
pub use self::interface::{Interface, InterfaceField};
pub use self::log::{Log, LogFormat};
pub use self::maps::MapSizes;
pub use self::prefix::Prefix;
pub use self::service::{Affinity, Fragments, Service};

mod api;
mod backend;
mod error;
mod file;
mod flows;
mod forwarding;
mod interface;
mod key;
mod log;
mod loops;
mod maps;
mod prefix;
mod quic;
mod section;
mod service;
mod syntax;
#[cfg(test)]
mod tests;
mod tunnel_source;
mod value;

/// The instance of a configuration that names none.
pub const DEFAULT_INSTANCE: &str = "default";

/// Where the daemon keeps what must survive a reboot unless the configuration says otherwise.
pub const DEFAULT_STATE_DIRECTORY: &str = "/var/lib/lb";

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
        let octets = std::fs::read(file).map_err(|error| {
            let message = format!("{error}; check the path and that this user may read it");
            ConfigErrors::one(file, None, message)
        })?;
        let text = std::str::from_utf8(&octets).map_err(|error| {
            let at = Position::after(&String::from_utf8_lossy(&octets[..error.valid_up_to()]));
            ConfigErrors::one(file, Some(at), "this is not UTF-8 text; save the file as UTF-8")
        })?;
        Config::parse(text, file)
    }

    /// The configuration that `text` says, with the key in the file that it may name; `file` is its own name in
    /// messages.
    ///
    /// # Errors
    ///
    /// All that is wrong with the text.
    pub fn parse(text: &str, file: &Path) -> Result<Config, ConfigErrors> {
        let written =
            syntax::read(text).map_err(|fault| ConfigErrors::one(file, Some(fault.at), fault.message))?;
        let mut errors = ConfigErrors::new(file);
        let meant = Config::from_written(&written, file, &mut section::Section::root(&mut errors));
        match meant {
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

    /// Where the outer source addresses of tunnels are taken from that leave with the node's address `own`.
    #[must_use]
    pub fn tunnel_source(&self, own: IpAddr) -> Prefix {
        let prefix = self.tunnel_sources.iter().find(|prefix| prefix.is_of(own));
        prefix.copied().unwrap_or(Prefix::of_one(own))
    }

    fn from_written(written: &file::File, file: &Path, root: &mut section::Section) -> Option<Config> {
        // A file of another version means something else: nothing more can be said about it.
        root.required("version", written.version.as_ref(), "write version: 1", value::version)?;

        let interfaces = interface::from_written(root, written.interfaces.as_ref());
        let instance =
            root.optional("instance", written.instance.as_ref(), DEFAULT_INSTANCE.into(), value::instance);
        let api = api::from_written(root, written.api.as_ref());
        let log = log::from_written(root, written.log.as_ref());
        let state_directory = root.optional(
            "state_directory",
            written.state_directory.as_ref(),
            DEFAULT_STATE_DIRECTORY.into(),
            value::path,
        );
        let hash_key = key::from_written(root, written.hash_key.as_ref(), written.hash_key_file.as_ref());
        let answer_echo = root.optional("answer_echo", written.answer_echo.as_ref(), false, value::yes_or_no);
        let tunnel_sources = tunnel_source::from_written(root, written.tunnel_source.as_ref());
        let maps = maps::from_written(root, written.maps.as_ref());
        let services = service::from_written(root, written.services.as_ref(), maps);
        Some(Config {
            file: file.to_owned(),
            interfaces: interfaces?,
            instance: instance?,
            api: api?,
            log: log?,
            state_directory: state_directory?,
            hash_key: hash_key?,
            answer_echo: answer_echo?,
            tunnel_sources: tunnel_sources?,
            maps: maps?,
            services: services?,
        })
    }
}
