//! What the daemon knows, as the API tells it.

use std::collections::BTreeMap;

use anyhow::Result;
use lb_common::flow::Protocol;
use lb_common::verdict::{Answer, DropReason, FORWARDED, PassReason, PinEvent, RECEIVED, Verdict};

use super::Daemon;
use crate::api::{Backend, Interface, Report, Service, Slots, Status};
use crate::config::{self, Forwarding};
use crate::image::Counters;
use crate::next_hop::NextHop;
use crate::planner::{DesiredBackend, Progress};

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
                    forwarding: configured.forwarding.name().into(),
                    scheduler: configured.flows.scheduler_name().into(),
                    table_size: configured.table_size,
                    fingerprint: format!("{:016x}", desired.fingerprint),
                    backends: configured.backends.len(),
                    packets: counted.forwarded.packets,
                    bytes: counted.forwarded.octets,
                    generation: desired.generation,
                    slots: slots(&desired.progress),
                    pins: named(PinEvent::ALL.map(|event| (event.name(), counted.pins[event as usize]))),
                    answered: counted.answered,
                    dropped: named(dropped),
                }
            })
            .collect()
    }

    fn backends(&self, counters: &Counters) -> Vec<Backend> {
        let services = self.config.services.iter().zip(&self.desired.services);
        let backends = services
            .flat_map(|(service, desired)| desired.backends.iter().map(move |backend| (service, backend)));
        backends.map(|(service, backend)| self.backend(service, backend, counters)).collect()
    }

    fn backend(&self, service: &config::Service, desired: &DesiredBackend, counters: &Counters) -> Backend {
        let counted = counters.backends.get(&desired.index).copied().unwrap_or_default();
        let hop = self.next_hops.get(&desired.id.address).and_then(|found| found.as_ref().ok());
        let hop = hop.filter(|_| desired.obstacle.is_none());
        let pinned = self.census.pins(desired.index);
        Backend {
            service: service.name.clone(),
            name: desired.id.name.clone(),
            address: desired.id.address,
            weight: desired.weight,
            state: desired.state.into(),
            reason: desired.obstacle.as_ref().map(ToString::to_string),
            interface: hop.map(|hop| self.network.name(hop.link.egress)),
            next_hop_mac: hop.map(NextHop::mac),
            source: hop
                .filter(|_| service.forwarding != Forwarding::L2)
                .map(|hop| self.config.tunnel_source(hop.source).to_string()),
            slots: desired.slots,
            former_slots: desired.former_slots,
            pinned,
            safe_to_stop: desired.slots == 0 && desired.former_slots == 0 && pinned == 0,
            packets: counted.packets,
            bytes: counted.octets,
        }
    }
}

fn slots(progress: &Progress) -> Slots {
    let Progress { stable, migrating, tracked, remaining, .. } = *progress;
    // A tick is 2^27 ns.
    let settled_in = (u64::from(remaining) << 27).div_ceil(1_000_000_000);
    Slots { stable, migrating, tracked, settled_in }
}

/// Counters by name; those of zero are left out.
fn named<const N: usize>(counters: [(&str, u64); N]) -> BTreeMap<String, u64> {
    let moved = counters.into_iter().filter(|&(_, count)| count > 0);
    moved.map(|(name, count)| (name.to_string(), count)).collect()
}
