//! Names of the numbers in events.

use std::collections::BTreeMap;

use crate::config::{Config, Forwarding};
use crate::next_hop::Network;
use crate::planner::Desired;

/// What the program knows by its number, as the configuration and the kernel name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Interfaces, by index.
    pub interfaces: BTreeMap<u32, String>,
    /// Services.
    pub services: BTreeMap<u32, String>,
    /// Backends, and how packets get there.
    pub backends: BTreeMap<u32, (String, Forwarding)>,
}

impl Names {
    /// The names at a time.
    #[must_use]
    pub fn of(config: &Config, desired: &Desired, network: &Network) -> Self {
        let devices = network.devices.iter();
        let mut names = Names {
            interfaces: devices.map(|(&index, device)| (index, device.name.clone())).collect(),
            ..Names::default()
        };
        for (configured, desired) in config.services.iter().zip(&desired.services) {
            names.services.insert(desired.index, configured.name.clone());
            // Those that are leaving are sent packets too.
            for backend in &desired.backends {
                let entry = (backend.id.name.clone(), configured.forwarding);
                names.backends.insert(u32::from(backend.index.0), entry);
            }
        }
        names
    }

    /// An interface's name, or what takes its place.
    #[must_use]
    pub fn interface(&self, index: u32) -> String {
        self.interfaces.get(&index).cloned().unwrap_or_else(|| format!("interface {index}"))
    }

    /// The number of a service.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<u32> {
        self.services.iter().find(|(_, service)| *service == name).map(|(&index, _)| index)
    }
}
