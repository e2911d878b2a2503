//! The backend's side of a tunnel: takes the outer headers off what a load balancer sent.

use crate::address::Address;
use crate::checksum::Sum;
use crate::flow::{IpVersion, Protocol};
use crate::packet::Packet;
use crate::wire::ethernet::{self, EtherType};
use crate::wire::ip::Header;
use crate::wire::ipv4::{self, Ipv4};
use crate::wire::ipv6::{self, Ipv6};
use crate::wire::ports::Ports;
use crate::wire::udp;

/// Addresses that each of the maps has room for: the load balancers', and the VIPs.
pub const CAPACITY: usize = 1024;

/// What decapsulation asks of its maps, and where it counts.
pub trait Tunnels {
    /// Whether a load balancer sends from this address.
    fn is_balancer(&self, source: &Address) -> bool;

    /// Whether this host serves that VIP.
    fn is_vip(&self, destination: &Address) -> bool;

    /// UDP port that load balancers send IP in UDP to; 0 for none.
    fn gue_port(&self) -> u16;

    /// Counts an outcome.
    fn count(&self, outcome: Outcome);
}

/// What became of a packet. The first three go on to the kernel, the others are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[repr(u8)]
pub enum Outcome {
    /// No tunnel, or in a form that balancers don't send (options, fragments): untouched.
    NotATunnel,
    /// A tunnel from someone who isn't a load balancer of ours: untouched.
    Stranger,
    /// Unpacked.
    Decapsulated,
    /// From a load balancer, but for an address that isn't one of the VIPs here.
    Refused,
    /// From a load balancer, but what is inside is no IP packet of the announced length.
    Malformed,
    /// Congestion was met on the way, and the sender of what is inside would not hear of it (RFC 6040, section 4.2).
    Congested,
}

impl Outcome {
    /// Every outcome, in the order of its counters.
    pub const ALL: [Outcome; 6] = [
        Outcome::NotATunnel,
        Outcome::Stranger,
        Outcome::Decapsulated,
        Outcome::Refused,
        Outcome::Malformed,
        Outcome::Congested,
    ];

    /// The name in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::NotATunnel => "not_a_tunnel",
            Outcome::Stranger => "stranger",
            Outcome::Decapsulated => "decapsulated",
            Outcome::Refused => "refused",
            Outcome::Malformed => "malformed",
            Outcome::Congested => "congested",
        }
    }

    /// Whether the packet goes on to the kernel.
    #[inline(always)]
    #[must_use]
    pub const fn passes(self) -> bool {
        match self {
            Outcome::NotATunnel | Outcome::Stranger | Outcome::Decapsulated => true,
            Outcome::Refused | Outcome::Malformed | Outcome::Congested => false,
        }
    }
}

/// Takes the outer headers off if a load balancer put them there.
#[inline(always)]
pub fn decapsulate<P: Packet, T: Tunnels>(packet: &mut P, tunnels: &T) -> Outcome {
    let outcome = match outer(packet, tunnels.gue_port()) {
        None => Outcome::NotATunnel,
        Some(outer) if !tunnels.is_balancer(&outer.source) => Outcome::Stranger,
        Some(outer) => from_balancer(packet, tunnels, &outer),
    };
    tunnels.count(outcome);
    outcome
}

#[inline(always)]
fn from_balancer<P: Packet, T: Tunnels>(packet: &mut P, tunnels: &T, outer: &Outer) -> Outcome {
    let Some(inner) = inner(packet, outer) else { return Outcome::Malformed };
    if !tunnels.is_vip(&inner.destination) {
        return Outcome::Refused;
    }
    let inner_ecn = inner.traffic_class & CONGESTION;
    if outer.ecn == CONGESTION && inner_ecn != CONGESTION {
        if inner_ecn == NOT_CAPABLE {
            return Outcome::Congested;
        }
        if mark_congestion(packet, outer.inside(), inner.version).is_none() {
            return Outcome::Malformed;
        }
    }
    match unpack(packet, outer, inner.version) {
        Some(()) => Outcome::Decapsulated,
        None => Outcome::Malformed,
    }
}

/// "Congestion experienced" in the two bits of ECN (RFC 3168, section 5).
const CONGESTION: u8 = 3;
/// "Not ECN-capable transport".
const NOT_CAPABLE: u8 = 0;

struct Outer {
    source: Address,
    ecn: u8,
    /// Octets of the frame before the IP header.
    start: usize,
    /// Octets of the outer headers.
    length: usize,
    /// Version of the packet inside, if the outer headers say it.
    inner: Option<IpVersion>,
}

impl Outer {
    /// Octets of the frame before the packet inside.
    #[inline(always)]
    fn inside(&self) -> usize {
        self.start + self.length
    }
}

#[inline(always)]
fn outer(packet: &impl Packet, gue_port: u16) -> Option<Outer> {
    let payload = ethernet::payload(packet)?;
    let start = payload.offset;
    let (source, traffic_class, protocol, length) = match payload.ethertype {
        EtherType::IPV4 => {
            let ip = Ipv4::at(packet, start)?;
            let whole = ip.is_plain();
            whole.then(|| (ip.source(), ip.traffic_class(), ip.next(), ipv4::LENGTH))?
        }
        EtherType::IPV6 => {
            let ip = Ipv6::at(packet, start)?;
            let legal = ip.is_version_6();
            legal.then(|| (ip.source(), ip.traffic_class(), ip.next(), ipv6::LENGTH))?
        }
        _ => return None,
    };
    if payload.ethertype == EtherType::IPV6 && source.is_mapped() {
        return None;
    }
    let ecn = traffic_class & CONGESTION;
    match protocol {
        Protocol::IPV4 => Some(Outer { source, ecn, start, length, inner: Some(IpVersion::V4) }),
        Protocol::IPV6 => Some(Outer { source, ecn, start, length, inner: Some(IpVersion::V6) }),
        Protocol::UDP if gue_port != 0 && Ports::at(packet, start + length)?.destination() == gue_port => {
            Some(Outer { source, ecn, start, length: length + udp::LENGTH, inner: None })
        }
        _ => None,
    }
}

struct Inner {
    version: IpVersion,
    destination: Address,
    traffic_class: u8,
}

/// The packet inside, if there is a whole one of the announced version.
#[inline(always)]
fn inner(packet: &impl Packet, outer: &Outer) -> Option<Inner> {
    let [first]: [u8; 1] = *packet.octets(outer.inside())?;
    let version = match first >> 4 {
        4 => IpVersion::V4,
        6 => IpVersion::V6,
        _ => return None,
    };
    if outer.inner.is_some_and(|announced| announced != version) {
        return None;
    }
    let (destination, traffic_class, length) = match version {
        IpVersion::V4 => {
            let ip = Ipv4::at(packet, outer.inside())?;
            let length = usize::from(ip.length());
            (length >= ipv4::LENGTH).then(|| (ip.destination(), ip.traffic_class(), length))?
        }
        IpVersion::V6 => {
            let ip = Ipv6::at(packet, outer.inside())?;
            let length = usize::from(ip.payload_length()) + ipv6::LENGTH;
            (ip.destination(), ip.traffic_class(), length)
        }
    };
    let whole = packet.reaches(outer.inside() + length);
    whole.then_some(Inner { version, destination, traffic_class })
}

/// Tells the receiver of the packet inside what the tunnel met.
#[inline(always)]
fn mark_congestion<P: Packet>(packet: &mut P, offset: usize, version: IpVersion) -> Option<()> {
    match version {
        IpVersion::V4 => {
            let header: &mut [u8; ipv4::LENGTH] = packet.octets_mut(offset)?;
            let former = u16::from_be_bytes([header[0], header[1]]);
            header[1] |= CONGESTION;
            let present = u16::from_be_bytes([header[0], header[1]]);
            let checksum = u16::from_be_bytes([header[10], header[11]]);
            [header[10], header[11]] = Sum::replaced(checksum, former, present).to_be_bytes();
        }
        IpVersion::V6 => {
            let header: &mut [u8; 2] = packet.octets_mut(offset)?;
            header[1] |= CONGESTION << 4;
        }
    }
    Some(())
}

/// Moves the link header, with its tags, to the packet inside.
#[inline(always)]
fn unpack<P: Packet>(packet: &mut P, outer: &Outer, version: IpVersion) -> Option<()> {
    let addresses: ethernet::Addresses = *packet.octets(0)?;
    let by = outer.length;
    let tags = outer.start.saturating_sub(ethernet::LENGTH);
    // The outer headers are longer than the tags: nothing is overwritten that is still to be read.
    for tag in 0..2 {
        if tag * ethernet::TAG_LENGTH >= tags {
            break;
        }
        let place = ethernet::ADDRESSES_LENGTH + tag * ethernet::TAG_LENGTH;
        let octets: [u8; ethernet::TAG_LENGTH] = *packet.octets(place)?;
        *packet.octets_mut(by + place)? = octets;
    }
    packet.shrink_head(by)?;
    *packet.octets_mut(0)? = addresses;
    let ethertype = match version {
        IpVersion::V4 => EtherType::IPV4,
        IpVersion::V6 => EtherType::IPV6,
    };
    *packet.octets_mut(ethernet::type_before(outer.start))? = ethertype.0.to_be_bytes();
    Some(())
}
