//! The walk of a packet through the balancer.
//!
//! parse → classify (which service, or not ours) → select a backend → rewrite → count.

pub mod decapsulate;
mod parse;
mod rewrite;

use crate::backend::Backend;
use crate::packet::Packet;
use crate::service::{Service, ServiceKey};
use crate::siphash::HashKey;
use crate::slot::{BackendIndex, Slot, slot_of};
use crate::verdict::{DropReason, PassReason, RECEIVED, Verdict};
use parse::{Arrival, parse};

/// What the datapath asks of its maps, and where it counts.
pub trait Tables {
    /// The key of the flow hash.
    fn hash_key(&self) -> HashKey;

    /// The service of that name.
    fn service(&self, key: &ServiceKey) -> Option<Service>;

    /// A slot of a lookup table; `None` if there is no such table or slot.
    fn slot(&self, table: u32, slot: u32) -> Option<Slot>;

    /// The backend of that number; its entry may be empty.
    fn backend(&self, index: BackendIndex) -> Option<&Backend>;

    /// Adds one to a counter of the node.
    fn count(&self, counter: usize);

    /// Counts a packet that a service's backend is sent.
    fn count_forwarded(&self, service: u32, backend: BackendIndex, octets: u16);

    /// Counts a packet that a service dropped.
    fn count_dropped(&self, service: u32, reason: DropReason);
}

/// Decides what happens to a packet, and does all of it but sending.
#[inline(always)]
pub fn balance<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Verdict {
    tables.count(RECEIVED);
    let verdict = walk(packet, tables);
    tables.count(verdict.counter());
    verdict
}

#[inline(always)]
fn walk<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Verdict {
    let arrival = match parse(packet) {
        Ok(arrival) => arrival,
        Err(reason) => return Verdict::Pass(reason),
    };
    let Some(service) = tables.service(&arrival.flow.service_key()) else {
        return Verdict::Pass(PassReason::NoService);
    };
    match forward(packet, tables, &arrival, service) {
        Ok(egress) => Verdict::Transmit { egress },
        Err(reason) => {
            tables.count_dropped(service.index, reason);
            Verdict::Drop(reason)
        }
    }
}

#[inline(always)]
fn forward<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &T,
    arrival: &Arrival,
    service: Service,
) -> Result<u32, DropReason> {
    arrival.check_length(packet.length())?;

    let flow_hash = arrival.flow.hash(tables.hash_key());
    let slot = tables.slot(service.table, slot_of(flow_hash, service.slots)).ok_or(DropReason::NoBackend)?;
    let index = slot.current();
    let backend = tables.backend(index).ok_or(DropReason::NoBackend)?;

    rewrite::toward(packet, arrival, backend, flow_hash)?;
    tables.count_forwarded(service.index, index, arrival.length);
    Ok(backend.egress)
}
