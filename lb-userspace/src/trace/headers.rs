//! From octets to the headers in them.

use std::net::IpAddr;

use lb_common::flow::{IpVersion, Protocol};
use lb_common::packet::Packet;
use lb_common::wire::ethernet::EtherType;
use lb_common::wire::extension::{self, Fragment};
use lb_common::wire::ip::Header as _;
use lb_common::wire::ipv4::Ipv4;
use lb_common::wire::ipv6::Ipv6;
use lb_common::wire::ports::Ports;

/// What an IP packet's headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub protocol: Protocol,
    /// Octets of the whole packet before this part of it; none if it is whole.
    pub fragment: Option<u32>,
    /// Source and destination port.
    pub ports: Option<(u16, u16)>,
    /// Octets of the frame before what stands behind these headers.
    pub end: usize,
}

/// The packet that a frame's type announces at `offset`.
pub fn announced(frame: &impl Packet, ethertype: EtherType, offset: usize) -> Option<Headers> {
    match ethertype {
        EtherType::IPV4 => of_version(frame, IpVersion::V4, offset),
        EtherType::IPV6 => of_version(frame, IpVersion::V6, offset),
        _ => None,
    }
}

/// The packet at `offset`, of whatever version it says.
pub fn inside(frame: &impl Packet, offset: usize) -> Option<Headers> {
    match frame.octets(offset).map(|[first]: &[u8; 1]| first >> 4) {
        Some(4) => of_version(frame, IpVersion::V4, offset),
        Some(6) => of_version(frame, IpVersion::V6, offset),
        _ => None,
    }
}

fn of_version(frame: &impl Packet, version: IpVersion, offset: usize) -> Option<Headers> {
    let mut headers = match version {
        IpVersion::V4 => ipv4(frame, offset)?,
        IpVersion::V6 => ipv6(frame, offset)?,
    };
    let has_ports = matches!(headers.protocol, Protocol::TCP | Protocol::UDP);
    if has_ports && headers.fragment.unwrap_or(0) == 0 {
        headers.ports = Ports::at(frame, headers.end).map(|ports| (ports.source(), ports.destination()));
    }
    Some(headers)
}

fn ipv4(frame: &impl Packet, offset: usize) -> Option<Headers> {
    let ip = Ipv4::at(frame, offset)?;
    Some(Headers {
        source: ip.source().v4_octets().into(),
        destination: ip.destination().v4_octets().into(),
        protocol: ip.next(),
        fragment: ip.is_fragment().then(|| u32::from(ip.fragment_offset())),
        ports: None,
        end: offset + ip.header_length(),
    })
}

/// Behind extension headers that can't be followed nothing is looked for.
fn ipv6(frame: &impl Packet, offset: usize) -> Option<Headers> {
    let ip = Ipv6::at(frame, offset)?;
    let chain = extension::follow(frame, offset, ip.next()).ok();
    let fragment = chain.map_or(Fragment::WHOLE, |chain| chain.fragment);
    Some(Headers {
        source: ip.source().octets().into(),
        destination: ip.destination().octets().into(),
        protocol: chain.map_or(ip.next(), |chain| chain.protocol),
        fragment: fragment.is_part().then_some(fragment.offset),
        ports: None,
        end: chain.map_or(usize::MAX, |chain| chain.offset),
    })
}
