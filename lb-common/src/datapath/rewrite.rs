//! Makes a packet one that its backend will get.

use core::cmp::Ordering;

use super::Refusal;
use super::datagram::Datagram;
use crate::backend::{Backend, Forwarding};
use crate::flow::{IpVersion, Protocol};
use crate::packet::{Octets, Packet};
use crate::verdict::DropReason;
use crate::wire::ethernet::{self, EtherType, Vlan};
use crate::wire::{ipv4, ipv6, udp};

/// Rewrites the packet for a backend, with the backend's tag.
///
/// # Errors
/// Why it can't be; the packet is unchanged then, or must be dropped.
#[inline(always)]
pub fn toward<P: Packet>(
    packet: &mut P,
    datagram: &Datagram,
    backend: &Backend,
    vlan: Vlan,
    flow_hash: u64,
) -> Result<(), Refusal> {
    let version = datagram.network.version;
    let way = Way { datagram, backend, vlan, flow_hash };
    let written = match backend.forwarding {
        Forwarding::L2 => {
            way.make_room::<P, 0>(packet)?;
            match version {
                IpVersion::V4 => ethernet::emit(packet, &backend.link, vlan, EtherType::IPV4),
                IpVersion::V6 => ethernet::emit(packet, &backend.link, vlan, EtherType::IPV6),
            }
        }
        Forwarding::IPIP_V4 => {
            let length = way.make_room::<P, { ipv4::LENGTH }>(packet)?;
            way.ipv4(packet, length, version.as_payload())
        }
        Forwarding::IPIP_V6 => {
            let length = way.make_room::<P, { ipv6::LENGTH }>(packet)?;
            way.ipv6(packet, length, version.as_payload())
        }
        Forwarding::GUE_V4 => {
            let length = way.make_room::<P, { ipv4::LENGTH + udp::LENGTH }>(packet)?;
            way.ipv4(packet, length, Protocol::UDP).and_then(|()| way.udp(packet, ipv4::LENGTH))
        }
        Forwarding::GUE_V6 => {
            let length = way.make_room::<P, { ipv6::LENGTH + udp::LENGTH }>(packet)?;
            way.ipv6(packet, length, Protocol::UDP).and_then(|()| way.udp(packet, ipv6::LENGTH))
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

/// How one packet gets to its backend.
struct Way<'a> {
    datagram: &'a Datagram,
    backend: &'a Backend,
    vlan: Vlan,
    flow_hash: u64,
}

impl Way<'_> {
    /// Makes room for `OUTER` octets of headers behind the link's, and returns the octets of the outer packet.
    #[inline(always)]
    fn make_room<P: Packet, const OUTER: usize>(&self, packet: &mut P) -> Result<u16, Refusal> {
        let (network, mtu) = (&self.datagram.network, u32::from(self.backend.mtu));
        let length = u32::from(network.length) + OUTER as u32;
        if length > mtu {
            return Err(Refusal::TooBig { mtu: mtu.saturating_sub(OUTER as u32) });
        }
        if OUTER > 0 {
            without_padding(packet, self.datagram).ok_or(Refusal::Drop(DropReason::BadLength))?;
        }
        let headers = ethernet::LENGTH + self.vlan.length() + OUTER;
        move_head(packet, network.offset, headers).ok_or(Refusal::Drop(DropReason::NoHeadroom))?;
        Ok(length as u16)
    }

    #[inline(always)]
    fn ipv4(&self, packet: &mut impl Packet, length: u16, payload: Protocol) -> Option<()> {
        if self.vlan == Vlan::NONE {
            let headers: &mut [u8; ethernet::LENGTH + ipv4::LENGTH] = packet.octets_mut(0)?;
            self.ipv4_at(headers, ethernet::LENGTH, length, payload)
        } else {
            self.ipv4_at(packet, ethernet::LENGTH + ethernet::TAG_LENGTH, length, payload)
        }
    }

    #[inline(always)]
    fn ipv4_at(
        &self,
        headers: &mut impl Octets,
        offset: usize,
        length: u16,
        payload: Protocol,
    ) -> Option<()> {
        ethernet::emit(headers, &self.backend.link, self.vlan, EtherType::IPV4)?;
        let (outer, prepared) = (headers.octets_mut(offset)?, self.backend.outer.first_chunk()?);
        ipv4::emit(outer, prepared, self.spread(), self.datagram.network.traffic_class, length, payload);
        Some(())
    }

    #[inline(always)]
    fn ipv6(&self, packet: &mut impl Packet, length: u16, payload: Protocol) -> Option<()> {
        if self.vlan == Vlan::NONE {
            let headers: &mut [u8; ethernet::LENGTH + ipv6::LENGTH] = packet.octets_mut(0)?;
            self.ipv6_at(headers, ethernet::LENGTH, length, payload)
        } else {
            self.ipv6_at(packet, ethernet::LENGTH + ethernet::TAG_LENGTH, length, payload)
        }
    }

    /// The outer flow label comes from the flow hash, so that routers and receive queues spread flows (RFC 6438).
    #[inline(always)]
    fn ipv6_at(
        &self,
        headers: &mut impl Octets,
        offset: usize,
        length: u16,
        payload: Protocol,
    ) -> Option<()> {
        ethernet::emit(headers, &self.backend.link, self.vlan, EtherType::IPV6)?;
        let (outer, prepared) = (headers.octets_mut(offset)?, &self.backend.outer);
        let (traffic_class, label) = (self.datagram.network.traffic_class, self.flow_hash as u32);
        let payload_length = length - ipv6::LENGTH as u16;
        ipv6::emit(outer, prepared, self.spread(), traffic_class, label, payload_length, payload);
        Some(())
    }

    /// Behind an outer IP header of `ip` octets. The source port comes from the flow hash, out of the dynamic ports
    /// (RFC 7510, section 3).
    #[inline(always)]
    fn udp(&self, packet: &mut impl Packet, ip: usize) -> Option<()> {
        let source_port = 0xc000 | self.flow_hash as u16;
        let length = self.datagram.network.length + udp::LENGTH as u16;
        let header = packet.octets_mut(ethernet::LENGTH + self.vlan.length() + ip)?;
        udp::emit(header, source_port, self.backend.port, length);
        Some(())
    }

    /// What the outer source address varies by: receive queues are chosen by addresses.
    #[inline(always)]
    fn spread(&self) -> u16 {
        (self.flow_hash >> 16) as u16
    }
}
