//! The fast path: most packets, in one go.
//!
//! It forwards whole TCP and UDP packets without options and tags whose slot alone says where they go, and leaves those
//! for no VIP to the kernel, as the walk would; whatever else comes is the walk's, untouched and uncounted. In the kernel
//! the walk is a function of its own: so what is known of a packet here fits into registers.

use super::datagram::Datagram;
use super::network::Network;
use super::{Tables, rewrite, sample};
use crate::directory::Glance;
use crate::flow::{self, Protocol};
use crate::packet::Packet;
use crate::service::{ServiceFlags, ServiceKey};
use crate::slot::slot_of;
use crate::verdict::{End, PassReason, Verdict};
use crate::wire::ethernet::{self, EtherType, Vlan};
use crate::wire::extension::Fragment;
use crate::wire::ip::Header;
use crate::wire::ipv4::{self, Ipv4};
use crate::wire::ipv6::{self, Ipv6};
use crate::wire::ports::{self, Ports};
use crate::wire::tcp;

/// Octets that a packet begins with, ports included.
const V4_HEADERS: usize = ethernet::LENGTH + ipv4::LENGTH + ports::LENGTH;
const V6_HEADERS: usize = ethernet::LENGTH + ipv6::LENGTH + ports::LENGTH;

/// The end of a packet of the common kind, which was counted; `None` if the packet is the walk's.
#[inline(always)]
pub fn path<P: Packet, T: Tables>(packet: &mut P, tables: &T) -> Option<End> {
    let frame = ethernet::next(packet)?;
    match frame.ethertype {
        _ if frame.is_for_many => None,
        EtherType::IPV4 => forward::<Ipv4, P, T, V4_HEADERS>(packet, tables),
        EtherType::IPV6 => forward::<Ipv6, P, T, V6_HEADERS>(packet, tables),
        _ => None,
    }
}

/// Fields are read where they are needed, some of them twice: to read one costs less than to keep it.
#[inline(always)]
fn forward<H: Header, P: Packet, T: Tables, const HEADERS: usize>(packet: &mut P, tables: &T) -> Option<End> {
    let headers: &[u8; HEADERS] = packet.octets(0)?;
    let offset = ethernet::LENGTH + H::LENGTH;
    let (header, ports) = (H::at(headers, ethernet::LENGTH)?, Ports::at(headers, offset)?);
    let transport = if header.next() == Protocol::TCP { ports::TCP_LENGTH } else { ports::UDP_LENGTH };
    let length = usize::from(header.length());
    let end = ethernet::LENGTH + length;
    if !header.is_plain() || header.hop_limit() <= 1 {
        return None;
    }
    if length < H::LENGTH + usize::from(transport) || !packet.reaches(end) {
        return None;
    }
    // Frames are padded that would be too short.
    if packet.is_padded(end) && packet.length() > ethernet::SHORTEST_FRAME {
        return None;
    }
    let key = ServiceKey::new(header.destination(), ports.destination(), header.next());
    let entry = match tables.glance_service(&key) {
        Glance::Entry(entry) => entry,
        Glance::Nothing if tables.is_no_vip(&header.destination()) => return not_ours(tables),
        _ => return None,
    };
    let service = &entry.service;
    if !service.flags.is_plain() && !shows_nothing(packet, offset, header.next(), service.flags) {
        return None;
    }
    let port = if service.flags.joins_connections() { 0 } else { ports.source() };
    let client = flow::of_client(tables.keyed(), H::VERSION, header.source(), port);
    let flow_hash = tables.settle(client ^ entry.hash);
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
    rewrite::toward(packet, &datagram, backend, Vlan::NONE, flow_hash).ok()?;
    tables.count_forwarded(service.index, slot.current(), network.length);
    tables.count(end.counter());
    Some(end)
}

/// Whether there is nothing about a service but that its flows are watched, and nothing to see in this packet.
#[inline(always)]
fn shows_nothing(packet: &impl Packet, offset: usize, protocol: Protocol, flags: ServiceFlags) -> bool {
    let watched = ServiceFlags(flags.0 & !ServiceFlags::WATCHED.0);
    let shows = |flags: tcp::Flags| flags.begins() || flags.resets();
    watched.is_plain() && (protocol != Protocol::TCP || !tcp::flags(packet, offset).is_none_or(shows))
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
