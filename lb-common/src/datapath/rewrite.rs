//! Makes a packet one that its backend will get.

use super::parse::Arrival;
use crate::backend::{Backend, Forwarding};
use crate::packet::Packet;
use crate::verdict::DropReason;
use crate::wire::ethernet::{self, EtherType};
use crate::wire::{ipv4, ipv6};

/// Rewrites the packet for a backend.
///
/// # Errors
/// Why it can't be; the packet is unchanged then.
#[inline(always)]
pub fn toward<P: Packet>(
    packet: &mut P,
    arrival: &Arrival,
    backend: &Backend,
    flow_hash: u64,
) -> Result<(), DropReason> {
    match backend.forwarding {
        Forwarding::L2 => l2(packet, arrival, backend),
        Forwarding::IPIP_V4 => ipip_v4(packet, arrival, backend),
        Forwarding::IPIP_V6 => ipip_v6(packet, arrival, backend, flow_hash),
        _ => Err(DropReason::NoBackend),
    }
}

#[inline(always)]
fn l2<P: Packet>(packet: &mut P, arrival: &Arrival, backend: &Backend) -> Result<(), DropReason> {
    length_within(arrival.length, 0, backend.mtu)?;
    let addresses = packet.octets_mut(0).ok_or(DropReason::BadLength)?;
    *addresses = backend.link;
    Ok(())
}

#[inline(always)]
fn ipip_v4<P: Packet>(packet: &mut P, arrival: &Arrival, backend: &Backend) -> Result<(), DropReason> {
    let length = length_within(arrival.length, ipv4::LENGTH as u16, backend.mtu)?;
    packet.grow_head(ipv4::LENGTH).ok_or(DropReason::NoHeadroom)?;
    let link = packet.octets_mut(0).ok_or(DropReason::NoHeadroom)?;
    ethernet::emit(link, &backend.link, EtherType::IPV4);
    let outer = packet.octets_mut(ethernet::LENGTH).ok_or(DropReason::NoHeadroom)?;
    *outer = *backend.outer.first_chunk().ok_or(DropReason::NoBackend)?;
    ipv4::complete(outer, arrival.traffic_class, length, arrival.flow.version.as_payload());
    Ok(())
}

/// The outer flow label comes from the flow hash, so that routers and receive queues spread flows (RFC 6438).
#[inline(always)]
fn ipip_v6<P: Packet>(
    packet: &mut P,
    arrival: &Arrival,
    backend: &Backend,
    flow_hash: u64,
) -> Result<(), DropReason> {
    length_within(arrival.length, ipv6::LENGTH as u16, backend.mtu)?;
    packet.grow_head(ipv6::LENGTH).ok_or(DropReason::NoHeadroom)?;
    let link = packet.octets_mut(0).ok_or(DropReason::NoHeadroom)?;
    ethernet::emit(link, &backend.link, EtherType::IPV6);
    let outer = packet.octets_mut(ethernet::LENGTH).ok_or(DropReason::NoHeadroom)?;
    *outer = backend.outer;
    let payload = arrival.flow.version.as_payload();
    ipv6::complete(outer, arrival.traffic_class, flow_hash as u32, arrival.length, payload);
    Ok(())
}

/// The length with an outer header, if the egress interface takes it.
#[inline(always)]
fn length_within(length: u16, outer: u16, mtu: u16) -> Result<u16, DropReason> {
    match length.checked_add(outer) {
        Some(length) if length <= mtu => Ok(length),
        _ => Err(DropReason::ExceedsMtu),
    }
}
