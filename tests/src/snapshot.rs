//! What the load balancer and its kernel have counted.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use lb_userspace::api::{Backend, Service, Status};

use crate::balancer::Balancer;
use crate::host::Host;
use crate::namespace::Namespace;
use crate::run::run;
use crate::wait;

/// All counters, of one moment or, after [`Snapshot::since`], of the time between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// `lbctl status`.
    pub node: Status,
    /// `lbctl service list`.
    pub services: Vec<Service>,
    /// `lbctl backend list`.
    pub backends: Vec<Backend>,
    /// `ethtool --statistics` of the load balancer's interface.
    pub kernel: Kernel,
}

/// Packets that the kernel saw XDP receive and return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kernel {
    /// Before the program.
    pub received: u64,
    /// Octets of these; a veth doesn't count Ethernet headers.
    pub octets: u64,
    /// Sent out of the same interface.
    pub transmitted: u64,
    /// Discarded by the program, or on the way out.
    pub dropped: u64,
}

/// Counters by reason.
pub type Reasons = BTreeMap<String, u64>;

impl Snapshot {
    /// Reads all counters at a moment when none moves.
    ///
    /// # Errors
    /// `lbctl` or `ethtool` fail, or there is always traffic.
    pub fn take(balancer: &Balancer) -> Result<Snapshot> {
        wait::until("a moment without packets", || {
            let before = node(balancer)?;
            // In the order written: the node's counters enclose the others.
            let snapshot = Snapshot {
                services: serde_json::from_str(&balancer.lbctl(&["-o", "json", "service", "list"])?)?,
                backends: serde_json::from_str(&balancer.lbctl(&["-o", "json", "backend", "list"])?)?,
                kernel: kernel(balancer.lab().host(Host::Balancer))?,
                node: node(balancer)?,
            };
            Ok((snapshot.node == before).then_some(snapshot))
        })
    }

    /// What was counted since an earlier snapshot of the same services.
    #[must_use]
    pub fn since(&self, earlier: &Snapshot) -> Snapshot {
        let mut change = self.clone();
        change.node.received -= earlier.node.received;
        change.node.forwarded -= earlier.node.forwarded;
        subtract(&mut change.node.answered, &earlier.node.answered);
        subtract(&mut change.node.passed, &earlier.node.passed);
        subtract(&mut change.node.dropped, &earlier.node.dropped);
        for (service, earlier) in change.services.iter_mut().zip(&earlier.services) {
            service.packets -= earlier.packets;
            service.bytes -= earlier.bytes;
            subtract(&mut service.dropped, &earlier.dropped);
        }
        for (backend, earlier) in change.backends.iter_mut().zip(&earlier.backends) {
            backend.packets -= earlier.packets;
        }
        change.kernel.received -= earlier.kernel.received;
        change.kernel.octets -= earlier.kernel.octets;
        change.kernel.transmitted -= earlier.kernel.transmitted;
        change.kernel.dropped -= earlier.kernel.dropped;
        change
    }
}

fn subtract(reasons: &mut Reasons, earlier: &Reasons) {
    for (reason, count) in reasons {
        *count -= earlier.get(reason).copied().unwrap_or_default();
    }
}

fn node(balancer: &Balancer) -> Result<Status> {
    serde_json::from_str(&balancer.lbctl(&["-o", "json", "status"])?).context("lbctl -o json status")
}

fn kernel(namespace: &Namespace) -> Result<Kernel> {
    run(namespace.command("ethtool").args(["--statistics", "eth0"])).map(|statistics| parse(&statistics))
}

/// Adds up the queues: `rx_queue_1_xdp_tx: 12`.
fn parse(statistics: &str) -> Kernel {
    let total = |names: &[&str]| {
        let counter = |line: &str| {
            let (name, count) = line.trim().strip_prefix("rx_queue_")?.split_once(": ")?;
            let (_queue, name) = name.split_once('_')?;
            names.contains(&name).then(|| count.parse::<u64>().ok())?
        };
        statistics.lines().filter_map(counter).sum()
    };
    Kernel {
        received: total(&["xdp_packets"]),
        octets: total(&["xdp_bytes"]),
        transmitted: total(&["xdp_tx"]),
        dropped: total(&["drops", "xdp_drops", "xdp_tx_errors"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_added_up() {
        let statistics = "NIC statistics:
     peer_ifindex: 4
     rx_queue_0_xdp_packets: 10
     rx_queue_0_xdp_bytes: 960
     rx_queue_0_drops: 1
     rx_queue_0_xdp_redirect: 0
     rx_queue_0_xdp_drops: 2
     rx_queue_0_xdp_tx: 7
     rx_queue_0_xdp_tx_errors: 4
     rx_queue_1_xdp_packets: 3
     rx_queue_1_xdp_bytes: 180
     rx_queue_1_xdp_tx: 3
     tx_queue_0_xdp_xmit: 99
";
        assert_eq!(parse(statistics), Kernel { received: 13, octets: 1140, transmitted: 10, dropped: 7 });
    }

    #[test]
    fn only_what_moved_since_is_left() {
        let snapshot = |count: u64| Snapshot {
            node: Status {
                received: count,
                dropped: [("no_backend".into(), count)].into(),
                ..sample::node()
            },
            services: vec![Service { packets: count, ..sample::service() }],
            backends: vec![Backend { packets: count, ..sample::backend() }],
            kernel: Kernel { received: count, ..Kernel::default() },
        };
        assert_eq!(snapshot(7).since(&snapshot(3)), snapshot(4));
    }
}

/// Answers of `lbctl` in which nothing was counted yet.
#[cfg(test)]
pub(crate) mod sample {
    use lb_userspace::api::{Backend, BackendState, Service, Slots, Status};

    use super::Reasons;

    pub fn node() -> Status {
        Status {
            version: "0".into(),
            interfaces: Vec::new(),
            received: 0,
            forwarded: 0,
            answered: Reasons::new(),
            passed: Reasons::new(),
            dropped: Reasons::new(),
        }
    }

    pub fn service() -> Service {
        Service {
            name: "l2-v4".into(),
            vip: "192.0.2.1".parse().unwrap(),
            port: Some(80),
            protocol: "tcp".into(),
            forwarding: "l2".into(),
            scheduler: "maglev".into(),
            table_size: 65_537,
            fingerprint: String::new(),
            backends: 1,
            packets: 0,
            bytes: 0,
            generation: 1,
            slots: Slots { stable: 65_537, migrating: 0, tracked: 0, settled_in: 0 },
            pins: Reasons::new(),
            answered: 0,
            dropped: Reasons::new(),
        }
    }

    pub fn backend() -> Backend {
        Backend {
            service: "l2-v4".into(),
            name: "b1".into(),
            address: "198.51.100.11".parse().unwrap(),
            weight: 1,
            state: BackendState::Active,
            reason: None,
            interface: None,
            next_hop_mac: None,
            source: None,
            slots: 65_537,
            former_slots: 0,
            pinned: 0,
            safe_to_stop: false,
            packets: 0,
            bytes: 0,
        }
    }
}
