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
    let outer = match backend.forwarding {
        Forwarding::L2 => 0,
        Forwarding::IPIP_V4 => ipv4::LENGTH,
        Forwarding::IPIP_V6 => ipv6::LENGTH,
        Forwarding::GUE_V4 => ipv4::LENGTH + udp::LENGTH,
        Forwarding::GUE_V6 => ipv6::LENGTH + udp::LENGTH,
        _ => return Err(Refusal::Drop(DropReason::NoBackend)),
    };
    let network = &datagram.network;
    let Some(length) = network.length.checked_add(outer as u16).filter(|length| *length <= backend.mtu)
    else {
        return Err(Refusal::TooBig { mtu: u32::from(backend.mtu.saturating_sub(outer as u16)) });
    };
    let link_length = ethernet::LENGTH + backend.vlan.length();
    if outer > 0 {
        without_padding(packet, datagram).ok_or(Refusal::Drop(DropReason::BadLength))?;
    }
    move_head(packet, network.offset, link_length + outer).ok_or(Refusal::Drop(DropReason::NoHeadroom))?;

    let tunnel = Tunnel { datagram, backend, flow_hash, length };
    let written = match backend.forwarding {
        Forwarding::L2 => match network.version {
            IpVersion::V4 => link(packet, backend, EtherType::IPV4),
            IpVersion::V6 => link(packet, backend, EtherType::IPV6),
        },
        Forwarding::IPIP_V4 => tunnel.ipv4(packet, link_length, network.version.as_payload()),
        Forwarding::IPIP_V6 => tunnel.ipv6(packet, link_length, network.version.as_payload()),
        Forwarding::GUE_V4 => tunnel
            .ipv4(packet, link_length, Protocol::UDP)
            .and_then(|()| tunnel.udp(packet, link_length + ipv4::LENGTH)),
        _ => tunnel
            .ipv6(packet, link_length, Protocol::UDP)
            .and_then(|()| tunnel.udp(packet, link_length + ipv6::LENGTH)),
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
    /// Octets of the outer packet.
    length: u16,
}

impl Tunnel<'_> {
    #[inline(always)]
    fn ipv4(&self, packet: &mut impl Packet, offset: usize, payload: Protocol) -> Option<()> {
        link(packet, self.backend, EtherType::IPV4)?;
        let outer = packet.octets_mut(offset)?;
        wire::copy(outer, self.backend.outer.first_chunk()?);
        ipv4::complete(outer, self.spread(), self.datagram.network.traffic_class, self.length, payload);
        Some(())
    }

    /// The outer flow label comes from the flow hash, so that routers and receive queues spread flows (RFC 6438).
    #[inline(always)]
    fn ipv6(&self, packet: &mut impl Packet, offset: usize, payload: Protocol) -> Option<()> {
        link(packet, self.backend, EtherType::IPV6)?;
        let outer = packet.octets_mut(offset)?;
        wire::copy(outer, &self.backend.outer);
        let traffic_class = self.datagram.network.traffic_class;
        let payload_length = self.length - ipv6::LENGTH as u16;
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
