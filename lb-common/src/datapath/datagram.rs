//! From the addresses to where the ports stand, past options and extension headers.

use super::Refusal;
use super::network::Network;
use crate::flow::{Flow, IpVersion, Protocol};
use crate::fragment::FragmentKey;
use crate::packet::Packet;
use crate::verdict::DropReason;
use crate::wire::extension::{self, Broken, Chain, Fragment};
use crate::wire::ip::Header;
use crate::wire::ipv4::{self, Ipv4};
use crate::wire::ipv6::Ipv6;
use crate::wire::ports;

/// A packet whose IP headers are legal.
#[derive(Clone, Copy)]
pub struct Datagram {
    /// Its fixed IP header.
    pub network: Network,
    /// What the payload is.
    pub protocol: Protocol,
    /// Octets of the frame before the payload.
    pub offset: usize,
    /// Octets of the packet behind that, without the frame's padding.
    pub payload: usize,
    /// Which part of a packet it is.
    pub fragment: Fragment,
}

/// Reads and checks all of the IP headers.
///
/// # Errors
/// What is wrong with them.
#[inline(always)]
pub fn parse(packet: &impl Packet, network: Network) -> Result<Datagram, DropReason> {
    let mut datagram = match network.version {
        IpVersion::V4 => parse_ipv4(packet, network)?,
        IpVersion::V6 => parse_ipv6(packet, network)?,
    };
    let end = network.offset + usize::from(network.length);
    if datagram.offset > end || !packet.reaches(end) {
        return Err(DropReason::BadLength);
    }
    datagram.payload = end - datagram.offset;
    Ok(datagram)
}

#[inline(always)]
fn parse_ipv4(packet: &impl Packet, network: Network) -> Result<Datagram, DropReason> {
    let ip = Ipv4::at(packet, network.offset).ok_or(DropReason::BadLength)?;
    let header_length = ip.header_length();
    if !ip.is_version_4() || header_length < ipv4::LENGTH {
        return Err(DropReason::BadHeader);
    }
    let fragment = if ip.is_fragment() {
        Fragment::part(ip.fragment_offset(), u32::from(ip.identification()))
    } else {
        Fragment::WHOLE
    };
    let offset = network.offset + header_length;
    Ok(Datagram { network, protocol: network.next, offset, payload: 0, fragment })
}

#[inline(always)]
fn parse_ipv6(packet: &impl Packet, network: Network) -> Result<Datagram, DropReason> {
    let ip = Ipv6::at(packet, network.offset).ok_or(DropReason::BadLength)?;
    if !ip.is_version_6() {
        return Err(DropReason::BadHeader);
    }
    match extension::follow(packet, network.offset, network.next) {
        Ok(Chain { protocol, offset, fragment }) => {
            Ok(Datagram { network, protocol, offset, payload: 0, fragment })
        }
        Err(Broken::Truncated) => Err(DropReason::BadLength),
        Err(Broken::TooLong) => Err(DropReason::LongChain),
        Err(Broken::Routed) => Err(DropReason::RoutingHeader),
    }
}

impl Datagram {
    /// The flow, with these ports.
    #[inline(always)]
    pub fn flow(&self, source_port: u16, destination_port: u16) -> Flow {
        Flow {
            version: self.network.version,
            source: self.network.source,
            destination: self.network.destination,
            source_port,
            destination_port,
            protocol: self.protocol,
        }
    }

    /// What the parts of this packet have in common.
    ///
    /// Only IPv4 tells packets apart by their protocol too; in IPv6 each part may name another (RFC 8200, section 4.5).
    #[inline(always)]
    pub fn fragment_key(&self) -> FragmentKey {
        let Network { source, destination, .. } = self.network;
        let protocol = match self.network.version {
            IpVersion::V4 => self.protocol,
            IpVersion::V6 => Protocol(0),
        };
        FragmentKey::new(source, destination, self.fragment.identification, protocol)
    }

    /// Whether this is a later part of a packet that may be TCP or UDP.
    ///
    /// In IPv6 extension headers may stand between a fragment header and the transport header: in the first part only.
    #[inline(always)]
    pub fn is_later_of_transport(&self) -> bool {
        let transport = matches!(self.protocol, Protocol::TCP | Protocol::UDP);
        let hidden = self.network.version == IpVersion::V6 && extension::is_extension(self.protocol);
        self.fragment.is_later() && (transport || hidden)
    }

    /// Whether a TCP or UDP header stands here.
    #[inline(always)]
    pub fn begins_transport(&self) -> bool {
        matches!(self.protocol, Protocol::TCP | Protocol::UDP) && !self.fragment.is_later()
    }

    /// Whether the packet, without the frame's padding, is long enough for the header of TCP, or of UDP or ICMP.
    #[inline(always)]
    pub fn check_transport(&self) -> Result<(), Refusal> {
        // The latter two are of one length.
        let needed = if self.protocol == Protocol::TCP { ports::TCP_LENGTH } else { ports::UDP_LENGTH };
        let is_whole = self.payload >= usize::from(needed);
        if is_whole { Ok(()) } else { Err(Refusal::Drop(DropReason::BadLength)) }
    }
}
