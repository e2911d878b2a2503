//! Which backend a flow belongs to.

use super::datagram::Datagram;
use super::pinned::{self, Phase, Question};
use super::{Owner, Refusal, Route, Tables, watch};
use crate::flow::Protocol;
use crate::packet::Packet;
use crate::service::{QuicKey, Scheduler, Service, ServiceFlags};
use crate::slot::{BackendIndex, slot_of};
use crate::verdict::DropReason;
use crate::wire::{ports, quic, tcp};

/// By what the packet itself says, else by the slot that its flow falls into, and by what is known of the flow where
/// the slot alone doesn't say it.
#[inline(always)]
pub fn route<P: Packet, T: Tables>(
    packet: &P,
    tables: &T,
    datagram: &Datagram,
    owner: &Owner,
) -> Result<Route, Refusal> {
    let &Owner { service, flow_hash, .. } = owner;
    let route = |backend| Ok(Route { service: service.index, backend, flow_hash });
    if let Some(backend) = by_server_id(packet, tables, service, datagram) {
        return route(backend);
    }
    let slot = tables.slot(service, slot_of(flow_hash, service.slots));
    let slot = slot.ok_or(Refusal::Drop(DropReason::NoBackend))?;
    if slot.is_stable() && service.flags.follows_slot() {
        return route(slot.current());
    }
    let phase = Phase::from_number(packet.forget(pinned::phase(packet, datagram, owner) as u64));
    let backend = if slot.is_stable() && service.flags.scheduler() == Scheduler::HASH {
        // Not the value that goes on above: the compiler would compute it for this way, too.
        BackendIndex(packet.forget(u64::from(slot.current().0)) as u16)
    } else {
        tables.pinned(&Question { service: *service, slot, flow_hash, phase })
    };
    let is_rejected = backend == BackendIndex::NONE && service.flags.has(ServiceFlags::REJECTS);
    if is_rejected && begins(packet, datagram, phase) {
        return Err(Refusal::Reject);
    }
    if service.flags.has(ServiceFlags::WATCHED) {
        watch::watch(packet, tables, datagram, owner, backend);
    }
    route(backend)
}

/// Whether a flow may begin with this packet.
#[inline(always)]
fn begins(packet: &impl Packet, datagram: &Datagram, phase: Phase) -> bool {
    match phase {
        Phase::Datagram if datagram.protocol == Protocol::TCP => {
            tcp::flags(packet, datagram.offset).is_some_and(tcp::Flags::begins)
        }
        Phase::First | Phase::Datagram => true,
        Phase::Middle | Phase::Last | Phase::Related => false,
    }
}

/// The backend that a QUIC packet names itself, whatever address its client has by now.
#[inline(always)]
fn by_server_id<T: Tables>(
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
