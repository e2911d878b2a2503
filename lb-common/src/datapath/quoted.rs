//! The flow that an ICMP error is about.

use super::datagram::Datagram;
use crate::flow::{Flow, IpVersion, Protocol};
use crate::packet::Packet;
use crate::wire::ip::Header;
use crate::wire::ipv4::{self, Ipv4};
use crate::wire::ipv6::Ipv6;
use crate::wire::ports::Ports;
use crate::wire::{extension, icmp};

/// The flow whose packet the error quotes, as its client's packets carry it.
///
/// The quoted packet went from the VIP to the client, so the error comes back to the VIP; anything else isn't ours.
#[inline(always)]
pub fn flow(packet: &impl Packet, error: &Datagram) -> Option<Flow> {
    let offset = error.offset + icmp::LENGTH;
    let version = error.network.version;
    let (from, to, protocol, ports) = match version {
        IpVersion::V4 => {
            let ip = Ipv4::at(packet, offset)?;
            let first = ip.is_version_4() && ip.fragment_offset() == 0 && ip.header_length() >= ipv4::LENGTH;
            let quoted = first.then(|| (ip.source(), ip.destination(), ip.next(), ip.header_length()))?;
            (quoted.0, quoted.1, quoted.2, offset + quoted.3)
        }
        IpVersion::V6 => {
            let ip = Ipv6::at(packet, offset)?;
            let (from, to) = ip.is_version_6().then(|| (ip.source(), ip.destination()))?;
            let chain = extension::follow(packet, offset, ip.next()).ok()?;
            let first = !chain.fragment.is_later();
            first.then_some((from, to, chain.protocol, chain.offset))?
        }
    };
    let ports = Ports::at(packet, ports)?;
    let ours = from == error.network.destination && matches!(protocol, Protocol::TCP | Protocol::UDP);
    ours.then(|| Flow {
        version,
        source: to,
        destination: from,
        source_port: ports.destination(),
        destination_port: ports.source(),
        protocol,
    })
}
