//! What the daemon tells whoever reads its log.

use std::net::IpAddr;
use std::path::Path;

use tracing::{info, warn};

use super::{Attachment, Config, Desired, Network, NextHops};
use crate::config::Forwarding;

/// Where the program runs now.
pub(super) fn attached(attachment: &Attachment) {
    let (interface, mode) = (&attachment.interface, attachment.mode.name());
    if let Some(note) = &attachment.note {
        warn!("attached to {interface} in {mode} mode: {note}");
    } else {
        info!("attached to {interface} in {mode} mode");
    }
}

/// An interface that has gone, and the program with it.
pub(super) fn lost(interface: &str) {
    warn!("{interface} is gone: no packets are balanced there until it is back");
}

/// A former process's program, on an interface that isn't in the configuration any more.
pub(super) fn left(link: &Path) {
    let interface = link.file_name().unwrap_or_default().to_string_lossy().replace(':', ".");
    info!("{interface} isn't in the configuration any more: detached from it");
}

/// Why the program isn't on an interface that is back.
pub(super) fn obstacle(obstacle: &str) {
    warn!("no packets are balanced there: {obstacle}; trying again");
}

/// Backends that can be reached now and couldn't before, and the other way round.
pub(super) fn changes(
    config: &Config,
    former: &Desired,
    desired: &Desired,
    next_hops: &NextHops,
    network: &Network,
) {
    for ((service, former), configured) in desired.services.iter().zip(&former.services).zip(&config.services)
    {
        let backends = service.backends.iter().zip(&former.backends).zip(&configured.backends);
        for ((backend, former), backend_configured) in backends {
            let (service, name) = (&configured.name, &backend_configured.name);
            match &backend.obstacle {
                obstacle if *obstacle == former.obstacle => {}
                Some(obstacle) => warn!("service {service} runs without backend {name}: {obstacle}"),
                None => {
                    let way =
                        way(config, configured.forwarding, backend_configured.address, next_hops, network);
                    info!("service {service}: backend {name} can be reached{way}");
                }
            }
        }
    }
}

/// As in ` through eth0, next hop 02:00:00:00:00:01, source 198.51.100.10`.
fn way(
    config: &Config,
    forwarding: Forwarding,
    address: IpAddr,
    next_hops: &NextHops,
    network: &Network,
) -> String {
    let Some(Ok(hop)) = next_hops.get(&address) else { return String::new() };
    let interface = network.name(hop.link.egress);
    let way = format!(" through {interface}, next hop {}", hop.mac());
    match forwarding {
        Forwarding::L2 => way,
        Forwarding::Ipip | Forwarding::Gue { .. } => {
            format!("{way}, source {}", config.tunnel_source(hop.source))
        }
    }
}

/// Services that start without some of their backends: other nodes may have another table.
pub(super) fn incomplete_tables(config: &Config, desired: &Desired) {
    for (configured, desired) in config.services.iter().zip(&desired.services) {
        let backends = configured.backends.iter().zip(&desired.backends);
        let missing: Vec<_> = backends
            .filter(|(_, desired)| desired.obstacle.is_some())
            .map(|(configured, _)| configured.name.as_str())
            .collect();
        if !missing.is_empty() {
            warn!(
                "service {}: the lookup table is built without {}; it differs from that of nodes that reach them",
                configured.name,
                missing.join(", ")
            );
        }
    }
}
