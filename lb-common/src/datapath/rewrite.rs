//! Makes a packet one that its backend will get.

use core::cmp::Ordering;

use super::Refusal;
use super::datagram::Datagram;
use crate::backend::{Backend, Forwarding};
use crate::flow::{IpVersion, Protocol};
use crate::packet::Packet;
use crate::verdict::DropReason;
use crate::wire::ethernet::{self, EtherType};
use crate::wire::{self, ipv4, ipv6, udp};

/// Rewrites the packet for a backend.
///
/// # Errors
/// Why it can't be; the packet is unchanged then, or must be dropped.
#[inline(always)]
pub fn toward<P: Packet>(
    packet: &mut P,
    datagram: &Datagram,
    backend: &Backend,
    flow_hash: u64,
) -> Result<(), Refusal> {
    let version = datagram.network.version;
    let tunnel = Tunnel { datagram, backend, flow_hash };
    let written = match backend.forwarding {
        Forwarding::L2 => {
            tunnel.make_room::<P, 0>(packet)?;
            match version {
                IpVersion::V4 => link(packet, backend, EtherType::IPV4),
                IpVersion::V6 => link(packet, backend, EtherType::IPV6),
            }
        }
        Forwarding::IPIP_V4 => {
            let room = tunnel.make_room::<P, { ipv4::LENGTH }>(packet)?;
            tunnel.ipv4(packet, room, version.as_payload())
        }
        Forwarding::IPIP_V6 => {
            let room = tunnel.make_room::<P, { ipv6::LENGTH }>(packet)?;
            tunnel.ipv6(packet, room, version.as_payload())
        }
        Forwarding::GUE_V4 => {
            let room = tunnel.make_room::<P, { ipv4::LENGTH + udp::LENGTH }>(packet)?;
            tunnel
                .ipv4(packet, room, Protocol::UDP)
                .and_then(|()| tunnel.udp(packet, room.offset + ipv4::LENGTH))
        }
        Forwarding::GUE_V6 => {
            let room = tunnel.make_room::<P, { ipv6::LENGTH + udp::LENGTH }>(packet)?;
            tunnel
                .ipv6(packet, room, Protocol::UDP)
                .and_then(|()| tunnel.udp(packet, room.offset + ipv6::LENGTH))
        }
        _ => return Err(Refusal::Drop(DropReason::NoBackend)),
    };
    written.ok_or(Refusal::Drop(DropReason::NoHeadroom))
}

/// A short frame is padded to 60 octets: the padding isn't part of the packet inside.
#[inline(always)]
fn without_padding<P: Packet>(packet: &mut P, datagram: &Datagram) -> Option<()> {
    let end = datagram.network.offset + usize::from(datagram.network.length);
    if packet.is_padded(end) { packet.cut(end) } else { Some(()) }
}

/// Makes `present` octets of headers out of `former` ones.
#[inline(always)]
fn move_head<P: Packet>(packet: &mut P, former: usize, present: usize) -> Option<()> {
    match present.cmp(&former) {
        Ordering::Greater => packet.grow_head(present - former),
        Ordering::Less => packet.shrink_head(former - present),
        Ordering::Equal => Some(()),
    }
}

#[inline(always)]
fn link(packet: &mut impl Packet, backend: &Backend, ethertype: EtherType) -> Option<()> {
    ethernet::emit(packet, &backend.link, backend.vlan, ethertype)
}

/// The outer headers of one packet.
struct Tunnel<'a> {
    datagram: &'a Datagram,
    backend: &'a Backend,
    flow_hash: u64,
}

/// Where an outer packet's headers go.
#[derive(Clone, Copy)]
struct Room {
    /// Octets of the frame before them.
    offset: usize,
    /// Octets of the outer packet.
    length: u16,
}

impl Tunnel<'_> {
    /// Makes room for `OUTER` octets of headers behind the link's.
    #[inline(always)]
    fn make_room<P: Packet, const OUTER: usize>(&self, packet: &mut P) -> Result<Room, Refusal> {
        let (network, mtu) = (&self.datagram.network, self.backend.mtu);
        let length = network.length.checked_add(OUTER as u16).filter(|length| *length <= mtu);
        let length = length.ok_or(Refusal::TooBig { mtu: u32::from(mtu.saturating_sub(OUTER as u16)) })?;
        let offset = ethernet::LENGTH + self.backend.vlan.length();
        if OUTER > 0 {
            without_padding(packet, self.datagram).ok_or(Refusal::Drop(DropReason::BadLength))?;
        }
        move_head(packet, network.offset, offset + OUTER).ok_or(Refusal::Drop(DropReason::NoHeadroom))?;
        Ok(Room { offset, length })
    }

    #[inline(always)]
    fn ipv4(&self, packet: &mut impl Packet, room: Room, payload: Protocol) -> Option<()> {
        link(packet, self.backend, EtherType::IPV4)?;
        let outer = packet.octets_mut(room.offset)?;
        wire::copy(outer, self.backend.outer.first_chunk()?);
        ipv4::complete(outer, self.spread(), self.datagram.network.traffic_class, room.length, payload);
        Some(())
    }

    /// The outer flow label comes from the flow hash, so that routers and receive queues spread flows (RFC 6438).
    #[inline(always)]
    fn ipv6(&self, packet: &mut impl Packet, room: Room, payload: Protocol) -> Option<()> {
        link(packet, self.backend, EtherType::IPV6)?;
        let outer = packet.octets_mut(room.offset)?;
        wire::copy(outer, &self.backend.outer);
        let traffic_class = self.datagram.network.traffic_class;
        let payload_length = room.length - ipv6::LENGTH as u16;
        ipv6::complete(outer, self.spread(), traffic_class, self.flow_hash as u32, payload_length, payload);
        Some(())
    }

    /// The source port comes from the flow hash, out of the dynamic ports (RFC 7510, section 3).
    #[inline(always)]
    fn udp(&self, packet: &mut impl Packet, offset: usize) -> Option<()> {
        let source_port = 0xc000 | self.flow_hash as u16;
        let length = self.datagram.network.length + udp::LENGTH as u16;
        udp::emit(packet.octets_mut(offset)?, source_port, self.backend.port, length);
        Some(())
    }

    /// The bits of the outer source address that vary with the flow: receive queues are chosen by addresses.
    #[inline(always)]
    fn spread(&self) -> u32 {
        let bits = u32::from(self.backend.spread_bits & 31);
        (self.flow_hash >> 16) as u32 & ((1 << bits) - 1)
    }
}
