//! From the addresses to where the ports stand, past options and extension headers.

use super::Refusal;
use super::network::Network;
use crate::flow::{Flow, IpVersion, Protocol};
use crate::fragment::FragmentKey;
use crate::packet::Packet;
use crate::verdict::DropReason;
use crate::wire::extension::{self, Broken, Fragment};
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
    /// Where it belongs, if it is a part of a packet.
    pub fragment: Option<Fragment>,
}

/// Reads and checks all of the IP headers.
///
/// # Errors
/// What is wrong with them.
#[inline(always)]
pub fn parse(packet: &impl Packet, network: Network) -> Result<Datagram, DropReason> {
    let datagram = match network.version {
        IpVersion::V4 => parse_ipv4(packet, network)?,
        IpVersion::V6 => parse_ipv6(packet, network)?,
    };
    let end = network.offset + usize::from(network.length);
    let fits = datagram.offset <= end && packet.reaches(end);
    if fits { Ok(datagram) } else { Err(DropReason::BadLength) }
}

#[inline(always)]
fn parse_ipv4(packet: &impl Packet, network: Network) -> Result<Datagram, DropReason> {
    let ip = Ipv4::at(packet, network.offset).ok_or(DropReason::BadLength)?;
    let header_length = ip.header_length();
    if !ip.is_version_4() || header_length < ipv4::LENGTH {
        return Err(DropReason::BadHeader);
    }
    let fragment = ip
        .is_fragment()
        .then(|| Fragment { offset: ip.fragment_offset(), identification: u32::from(ip.identification()) });
    Ok(Datagram { network, protocol: network.next, offset: network.offset + header_length, fragment })
}

#[inline(always)]
fn parse_ipv6(packet: &impl Packet, network: Network) -> Result<Datagram, DropReason> {
    let ip = Ipv6::at(packet, network.offset).ok_or(DropReason::BadLength)?;
    if !ip.is_version_6() {
        return Err(DropReason::BadHeader);
    }
    match extension::follow(packet, network.offset, network.next) {
        Ok(chain) => {
            Ok(Datagram { network, protocol: chain.protocol, offset: chain.offset, fragment: chain.fragment })
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

    /// A part of a packet that doesn't begin with the ports.
    #[inline(always)]
    pub fn is_later_fragment(&self) -> bool {
        self.fragment.is_some_and(|fragment| fragment.offset > 0)
    }

    /// What the parts of this packet have in common, if it is one.
    #[inline(always)]
    pub fn fragment_key(&self) -> Option<FragmentKey> {
        let Network { source, destination, .. } = self.network;
        self.fragment
            .map(|fragment| FragmentKey::new(source, destination, fragment.identification, self.protocol))
    }

    /// Whether the packet is long enough for the header of its transport protocol.
    #[inline(always)]
    pub fn check_transport(&self) -> Result<(), Refusal> {
        let needed = if self.protocol == Protocol::TCP { ports::TCP_LENGTH } else { ports::UDP_LENGTH };
        let end = self.network.offset + usize::from(self.network.length);
        if self.offset + usize::from(needed) <= end {
            Ok(())
        } else {
            Err(Refusal::Drop(DropReason::BadLength))
        }
    }
}
