//! The fast path: most packets, in one go.
//!
//! It forwards whole TCP and UDP packets without options and tags whose slot alone says where they go, and leaves those
//! for no VIP to the kernel, as the walk would; whatever else comes is the walk's, untouched and uncounted. In the kernel
//! the walk is a function of its own: so what is known of a packet here fits into registers.

use super::datagram::Datagram;
use super::network::Network;
use super::{Tables, rewrite, sample};
use crate::directory::Glance;
use crate::flow::{Flow, Protocol};
use crate::packet::Packet;
use crate::service::ServiceKey;
use crate::slot::slot_of;
use crate::verdict::{End, PassReason, Verdict};
use crate::wire::ethernet::{self, EtherType, Vlan};
use crate::wire::extension::Fragment;
use crate::wire::ip::Header;
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::Ipv6;
use crate::wire::ports::{self, Ports};

/// The end of a packet of the common kind, which was counted; `None` if the packet is the walk's.
#[inline(always)]
pub fn path<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Option<End> {
    let frame = ethernet::next(packet)?;
    match frame.ethertype {
        _ if frame.is_for_many => None,
        EtherType::IPV4 => forward::<Ipv4, P, T>(packet, tables),
        EtherType::IPV6 => forward::<Ipv6, P, T>(packet, tables),
        _ => None,
    }
}

/// Fields are read where they are needed, some of them twice: to read one costs less than to keep it.
#[inline(always)]
fn forward<H: Header, P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Option<End> {
    let header = H::at(packet, ethernet::LENGTH)?;
    let offset = ethernet::LENGTH + H::LENGTH;
    let ports = Ports::at(packet, offset)?;
    let transport = if header.next() == Protocol::TCP { ports::TCP_LENGTH } else { ports::UDP_LENGTH };
    let is_whole = usize::from(header.length()) >= H::LENGTH + usize::from(transport)
        && packet.reaches(ethernet::LENGTH + usize::from(header.length()));
    if !header.is_plain() || header.hop_limit() <= 1 || !is_whole {
        return None;
    }
    let key = ServiceKey::new(header.destination(), ports.destination(), header.next());
    let service = match tables.glance_service(&key) {
        Glance::Entry(service) => service,
        Glance::Nothing if tables.is_no_vip(&header.destination()) => return not_ours(tables),
        _ => return None,
    };
    if !service.flags.is_plain() {
        return None;
    }
    let flow = Flow {
        version: H::VERSION,
        source: header.source(),
        destination: header.destination(),
        source_port: ports.source(),
        destination_port: ports.destination(),
        protocol: header.next(),
    };
    let flow_hash = flow.hash(tables.hash_key());
    let slot = tables.slot(service, slot_of(flow_hash, service.slots)).filter(|slot| slot.is_stable())?;
    let backend = tables.backend(slot.current()).filter(|backend| backend.vlan == Vlan::NONE)?;
    let end = End::of(Verdict::Forward { egress: backend.egress });
    if sample::is_told(tables, end) || !tables.can_send(backend.egress) {
        return None;
    }
    let network = Network::of(&header, ethernet::LENGTH);
    let payload = usize::from(network.length) - H::LENGTH;
    let datagram = Datagram { network, protocol: network.next, offset, payload, fragment: Fragment::WHOLE };
    // One that doesn't fit is unchanged.
    rewrite::toward(packet, &datagram, backend, flow_hash).ok()?;
    tables.count_forwarded(service.index, slot.current(), network.length);
    tables.count(end.counter());
    Some(end)
}

#[inline(always)]
fn not_ours<T: Tables>(tables: &T) -> Option<End> {
    let end = End::of(Verdict::Pass(PassReason::NotAVip));
    if sample::is_told(tables, end) {
        return None;
    }
    tables.count(end.counter());
    Some(end)
}
