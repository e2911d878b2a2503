//! From a frame to its flow.

use crate::flow::{Flow, IpVersion, Protocol};
use crate::packet::Packet;
use crate::verdict::{DropReason, PassReason};
use crate::wire::ethernet::{self, EtherType, Ethernet};
use crate::wire::ipv4::{self, Ipv4};
use crate::wire::ipv6::{self, Ipv6};
use crate::wire::ports::{self, Ports};

/// What the headers of a packet say.
pub struct Arrival {
    /// Its flow.
    pub flow: Flow,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// Octets of the IP packet by its own header. Believe it after [`Arrival::check_length`].
    pub length: u16,
    /// Octets of the IP header.
    header_length: u16,
}

/// Reads as far as the ports.
///
/// # Errors
/// Why this can't be a packet of a service.
#[inline(always)]
pub fn parse(packet: &impl Packet) -> Result<Arrival, PassReason> {
    let frame = Ethernet::of(packet).ok_or(PassReason::Truncated)?;
    match frame.ethertype() {
        EtherType::IPV4 => parse_ipv4(packet),
        EtherType::IPV6 => parse_ipv6(packet),
        _ => Err(PassReason::NotIp),
    }
}

#[inline(always)]
fn parse_ipv4(packet: &impl Packet) -> Result<Arrival, PassReason> {
    let ip = Ipv4::at(packet, ethernet::LENGTH).ok_or(PassReason::Truncated)?;
    if !ip.is_plain() {
        return Err(PassReason::Ipv4Options);
    }
    if ip.is_fragment() {
        return Err(PassReason::Fragment);
    }
    let protocol = transport(ip.protocol())?;
    let ports = Ports::at(packet, ethernet::LENGTH + ipv4::LENGTH).ok_or(PassReason::Truncated)?;
    Ok(Arrival {
        flow: Flow {
            version: IpVersion::V4,
            source: ip.source(),
            destination: ip.destination(),
            source_port: ports.source(),
            destination_port: ports.destination(),
            protocol,
        },
        traffic_class: ip.traffic_class(),
        length: ip.total_length(),
        header_length: ipv4::LENGTH as u16,
    })
}

#[inline(always)]
fn parse_ipv6(packet: &impl Packet) -> Result<Arrival, PassReason> {
    let ip = Ipv6::at(packet, ethernet::LENGTH).ok_or(PassReason::Truncated)?;
    if !ip.is_version_6() {
        return Err(PassReason::NotIp);
    }
    let protocol = transport(ip.next_header())?;
    let ports = Ports::at(packet, ethernet::LENGTH + ipv6::LENGTH).ok_or(PassReason::Truncated)?;
    Ok(Arrival {
        flow: Flow {
            version: IpVersion::V6,
            source: ip.source(),
            destination: ip.destination(),
            source_port: ports.source(),
            destination_port: ports.destination(),
            protocol,
        },
        traffic_class: ip.traffic_class(),
        // A payload of more than 65,495 octets can't be put into another header, and no frame is that long.
        length: ip.payload_length().saturating_add(ipv6::LENGTH as u16),
        header_length: ipv6::LENGTH as u16,
    })
}

#[inline(always)]
fn transport(protocol: Protocol) -> Result<Protocol, PassReason> {
    match protocol {
        Protocol::TCP | Protocol::UDP => Ok(protocol),
        _ => Err(PassReason::OtherProtocol),
    }
}

impl Arrival {
    /// Whether the frame holds what the IP header announces, and that holds a transport header.
    #[inline(always)]
    pub fn check_length(&self, frame_length: usize) -> Result<(), DropReason> {
        let transport_length = match self.flow.protocol {
            Protocol::TCP => ports::TCP_LENGTH,
            _ => ports::UDP_LENGTH,
        };
        let too_short = self.length < self.header_length + transport_length;
        let too_long = usize::from(self.length) + ethernet::LENGTH > frame_length;
        if too_short || too_long { Err(DropReason::BadLength) } else { Ok(()) }
    }
}
