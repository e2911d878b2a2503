//! An entry of a configuration's services, for what isn't HTTP.

use std::fmt;
use std::net::IpAddr;

use lb_userspace::config::Forwarding;

use crate::host::Host;
use crate::service::Service;

/// What the configuration says of a service that goes the same way as another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// An address or a prefix.
    pub vip: String,
    /// The service's port; `None` for any.
    pub port: Option<u16>,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// `l2`, `ipip` or `gue`.
    pub forwarding: &'static str,
    /// The backends' addresses.
    pub backends: Vec<IpAddr>,
}

impl Entry {
    /// A service at the same VIP, on the same way to these backends.
    #[must_use]
    pub fn beside(service: &Service, port: Option<u16>, protocol: &'static str, backends: &[Host]) -> Entry {
        Entry {
            vip: service.vip.to_string(),
            port,
            protocol,
            forwarding: word(service.forwarding),
            backends: backends.iter().map(|&backend| service.backend_address(backend)).collect(),
        }
    }
}

/// The word of the configuration.
#[must_use]
pub const fn word(forwarding: Forwarding) -> &'static str {
    match forwarding {
        Forwarding::L2 => "l2",
        Forwarding::Ipip => "ipip",
        Forwarding::Gue { .. } => "gue",
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let Entry { vip, port, protocol, forwarding, backends } = self;
        let port = port.map_or("any".to_owned(), |port| port.to_string());
        write!(out, "  - {{vip: \"{vip}\", port: {port}, protocol: {protocol}, forwarding: {forwarding}, ")?;
        let backends: Vec<_> = backends.iter().map(|address| format!("{{address: \"{address}\"}}")).collect();
        writeln!(out, "backends: [{}]}}", backends.join(", "))
    }
}

/// A configuration with these services before its own.
#[must_use]
pub fn added(configuration: &str, entries: &[Entry]) -> String {
    let lines: String = entries.iter().map(Entry::to_string).collect();
    configuration.replace("services:\n", &format!("services:\n{lines}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::SERVICES;

    #[test]
    fn an_entry_is_a_line_before_the_others() {
        let entry = Entry::beside(&SERVICES[4], Some(53), "udp", &Host::BACKENDS[..2]);
        assert_eq!(
            added("services:\n  - name: web\n", &[entry]),
            "services:\n  - {vip: \"2001:db8:f::3\", port: 53, protocol: udp, forwarding: ipip, backends: \
             [{address: \"198.51.100.11\"}, {address: \"198.51.100.12\"}]}\n  - name: web\n"
        );
    }
}
