//! The fast path: most packets, in one go.
//!
//! It forwards whole TCP and UDP packets without options and tags whose slot alone says where they go, and leaves those
//! for no VIP to the kernel, as the walk would; whatever else comes is the walk's, untouched and uncounted. In the kernel
//! the walk is a function of its own: so what is known of a packet here fits into registers.

use super::datagram::Datagram;
use super::network::Network;
use super::{Tables, rewrite, sample, watch};
use crate::directory::Glance;
use crate::flow::{self, Protocol};
use crate::packet::Packet;
use crate::service::{ServiceFlags, ServiceKey};
use crate::slot::slot_of;
use crate::verdict::{End, PassReason, Verdict};
use crate::wire::ethernet::{self, Vlan};
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
    match forward::<Ipv4, P, T, V4_HEADERS>(packet, tables) {
        Ok(end) => Some(end),
        Err(Miss::Version) => forward::<Ipv6, P, T, V6_HEADERS>(packet, tables).ok(),
        Err(Miss::Kind) => None,
    }
}

/// Why a packet isn't the fast path's.
enum Miss {
    /// It is of another IP version.
    Version,
    /// It is of another kind.
    Kind,
}

/// Fields are read where they are needed, some of them twice: to read one costs less than to keep it.
#[inline(always)]
fn forward<H: Header, P: Packet, T: Tables, const HEADERS: usize>(
    packet: &mut P,
    tables: &T,
) -> Result<End, Miss> {
    let headers: &[u8; HEADERS] = packet.octets(0).ok_or(Miss::Kind)?;
    let frame = ethernet::next(headers).ok_or(Miss::Kind)?;
    if frame.ethertype != H::ETHERTYPE {
        return Err(Miss::Version);
    }
    let offset = ethernet::LENGTH + H::LENGTH;
    let header = H::at(headers, ethernet::LENGTH).ok_or(Miss::Kind)?;
    let ports = Ports::at(headers, offset).ok_or(Miss::Kind)?;
    let transport = if header.next() == Protocol::TCP { ports::TCP_LENGTH } else { ports::UDP_LENGTH };
    let length = usize::from(header.length());
    let end = ethernet::LENGTH + length;
    if frame.is_for_many || !header.is_plain() || header.hop_limit() <= 1 {
        return Err(Miss::Kind);
    }
    if length < H::LENGTH + usize::from(transport) || !packet.reaches(end) {
        return Err(Miss::Kind);
    }
    // Frames are padded that would be too short.
    if packet.is_padded(end) && packet.length() > ethernet::SHORTEST_FRAME {
        return Err(Miss::Kind);
    }
    let key = ServiceKey::new(header.destination(), ports.destination(), header.next());
    let entry = match tables.glance_service(&key) {
        Glance::Entry(entry) => entry,
        Glance::Nothing if tables.is_no_vip(&header.destination()) => {
            return not_ours(tables).ok_or(Miss::Kind);
        }
        _ => return Err(Miss::Kind),
    };
    let service = &entry.service;
    let mut port = ports.source();
    if !service.flags.is_plain() {
        if !shows_nothing(packet, offset, header.next(), service.flags) {
            return Err(Miss::Kind);
        }
        if service.flags.joins_connections() {
            port = 0;
        }
    }
    let client = flow::of_client(tables.keyed(), H::VERSION, header.source(), port);
    let flow_hash = tables.settle(client ^ entry.hash);
    let slot = tables
        .slot(service, slot_of(flow_hash, service.slots))
        .filter(|slot| slot.is_stable())
        .ok_or(Miss::Kind)?;
    let backend =
        tables.backend(slot.current()).filter(|backend| backend.vlan == Vlan::NONE).ok_or(Miss::Kind)?;
    let end = End::of(Verdict::Forward { egress: backend.egress });
    if sample::is_told(tables, end) || !tables.can_send(backend.egress) {
        return Err(Miss::Kind);
    }
    let network = Network::of(&header, ethernet::LENGTH);
    let payload = usize::from(network.length) - H::LENGTH;
    let datagram = Datagram { network, protocol: network.next, offset, payload, fragment: Fragment::WHOLE };
    // One that doesn't fit is unchanged.
    rewrite::toward(packet, &datagram, backend, Vlan::NONE, flow_hash).map_err(|_| Miss::Kind)?;
    tables.count_forwarded(service.index, slot.current(), network.length);
    tables.count(end.counter());
    Ok(end)
}

/// Whether there is nothing about a service but that connections are joined, or that its flows are watched, and nothing to see
/// in this packet.
#[inline(always)]
fn shows_nothing(packet: &impl Packet, offset: usize, protocol: Protocol, flags: ServiceFlags) -> bool {
    if flags.asks_more() {
        return false;
    }
    let is_watched = flags.has(ServiceFlags::WATCHED) && protocol == Protocol::TCP;
    !is_watched || tcp::flags(packet, offset).is_some_and(|flags| !watch::shows(flags))
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
