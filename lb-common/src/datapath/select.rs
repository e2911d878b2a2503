//! Which backend a flow belongs to.

use super::datagram::Datagram;
use super::{Refusal, Route, Tables};
use crate::flow::{Flow, Protocol};
use crate::packet::Packet;
use crate::service::{QuicKey, Service};
use crate::slot::{BackendIndex, slot_of};
use crate::verdict::DropReason;
use crate::wire::{ports, quic};

/// By the slot that the flow falls into.
#[inline(always)]
pub fn by_flow<T: Tables>(tables: &T, service: &Service, flow: &Flow) -> Result<Route, Refusal> {
    let flow_hash = flow.reduced(service.flags).hash(tables.hash_key());
    match tables.slot(service.table, slot_of(flow_hash, service.slots)) {
        Some(slot) => Ok(Route { service: service.index, backend: slot.current(), flow_hash }),
        None => Err(Refusal::Drop(DropReason::NoBackend)),
    }
}

/// The backend that a QUIC packet names itself, whatever address its client has by now.
#[inline(always)]
pub fn by_server_id<T: Tables>(
    packet: &impl Packet,
    tables: &T,
    service: &Service,
    datagram: &Datagram,
) -> Option<BackendIndex> {
    let length = service.flags.quic();
    if length == 0 || datagram.protocol != Protocol::UDP || datagram.fragment.is_part() {
        return None;
    }
    let id = quic::server_id(packet, datagram.offset + usize::from(ports::UDP_LENGTH), length)?;
    tables.quic(&QuicKey::new(service.index, id)).filter(|backend| *backend != BackendIndex::NONE)
}
