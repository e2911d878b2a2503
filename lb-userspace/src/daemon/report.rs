//! What the daemon knows, as the API tells it.

use std::collections::BTreeMap;

use anyhow::Result;
use lb_common::flow::Protocol;
use lb_common::verdict::{Answer, DropReason, FORWARDED, PassReason, RECEIVED, Verdict};

use super::Daemon;
use crate::api::{Backend, BackendState, Interface, Report, Service, Status};
use crate::config::Forwarding;
use crate::image::Counters;
use crate::next_hop::NextHop;

impl Daemon {
    /// Everything, at this moment.
    pub(super) fn report(&self) -> Result<Report> {
        let counters = self.balancer.counters(&self.present)?;
        Ok(Report {
            status: self.status(&counters),
            services: self.services(&counters),
            backends: self.backends(&counters),
        })
    }

    fn status(&self, counters: &Counters) -> Status {
        let count = |verdict: Verdict| counters.node[verdict.counter()];
        let interfaces = self.attachments.iter();
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            interfaces: interfaces
                .map(|attachment| Interface { name: attachment.interface.clone(), mode: attachment.mode })
                .collect(),
            received: counters.node[RECEIVED],
            forwarded: counters.node[FORWARDED],
            answered: named(Answer::ALL.map(|answer| (answer.name(), count(Verdict::Answer(answer))))),
            passed: named(PassReason::ALL.map(|reason| (reason.name(), count(Verdict::Pass(reason))))),
            dropped: named(DropReason::ALL.map(|reason| (reason.name(), count(Verdict::Drop(reason))))),
        }
    }

    fn services(&self, counters: &Counters) -> Vec<Service> {
        let services = self.config.services.iter().zip(&self.desired.services);
        services
            .map(|(configured, desired)| {
                let counted = counters.services.get(&desired.index).copied().unwrap_or_default();
                let dropped = DropReason::ALL.map(|reason| (reason.name(), counted.dropped[reason as usize]));
                Service {
                    name: configured.name.clone(),
                    vip: configured.vip.to_string(),
                    port: configured.port,
                    protocol: if configured.protocol == Protocol::TCP { "tcp" } else { "udp" }.into(),
                    forwarding: match configured.forwarding {
                        Forwarding::L2 => "l2",
                        Forwarding::Ipip => "ipip",
                        Forwarding::Gue { .. } => "gue",
                    }
                    .into(),
                    scheduler: "maglev".into(),
                    table_size: configured.table_size,
                    fingerprint: format!("{:016x}", desired.fingerprint),
                    backends: configured.backends.len(),
                    packets: counted.forwarded.packets,
                    bytes: counted.forwarded.octets,
                    answered: counted.answered,
                    dropped: named(dropped),
                }
            })
            .collect()
    }

    fn backends(&self, counters: &Counters) -> Vec<Backend> {
        let services = self.config.services.iter().zip(&self.desired.services);
        let backends = services.flat_map(|(service, desired)| {
            let backends = service.backends.iter().zip(&desired.backends);
            backends.map(move |(configured, desired)| (service, configured, desired))
        });
        backends
            .map(|(service, configured, desired)| {
                let counted = counters.backends.get(&desired.index).copied().unwrap_or_default();
                let state =
                    if desired.obstacle.is_none() { BackendState::Active } else { BackendState::Unresolved };
                let hop = self.next_hops.get(&configured.address).and_then(|found| found.as_ref().ok());
                let hop = hop.filter(|_| desired.obstacle.is_none());
                Backend {
                    service: service.name.clone(),
                    name: configured.name.clone(),
                    address: configured.address,
                    weight: configured.weight,
                    state,
                    reason: desired.obstacle.as_ref().map(ToString::to_string),
                    interface: hop.map(|hop| self.network.name(hop.link.egress)),
                    next_hop_mac: hop.map(NextHop::mac),
                    source: hop
                        .filter(|_| service.forwarding != Forwarding::L2)
                        .map(|hop| self.config.tunnel_source(hop.source).to_string()),
                    slots: desired.slots,
                    packets: counted.packets,
                    bytes: counted.octets,
                }
            })
            .collect()
    }
}

/// Counters by name; those of zero are left out.
fn named<const N: usize>(counters: [(&str, u64); N]) -> BTreeMap<String, u64> {
    let moved = counters.into_iter().filter(|&(_, count)| count > 0);
    moved.map(|(name, count)| (name.to_string(), count)).collect()
}
