//! The backend's side of a tunnel: takes the outer header off what a load balancer sent.

use crate::address::Address;
use crate::flow::Protocol;
use crate::packet::Packet;
use crate::wire::ethernet::{self, EtherType, Ethernet};
use crate::wire::ipv4::{self, Ipv4};
use crate::wire::ipv6::{self, Ipv6};

/// Addresses that each of the maps has room for: the load balancers', and the VIPs.
pub const CAPACITY: usize = 1024;

/// What decapsulation asks of its maps, and where it counts.
pub trait Tunnels {
    /// Whether a load balancer sends from this address.
    fn is_balancer(&self, source: &Address) -> bool;

    /// Whether this host serves that VIP.
    fn is_vip(&self, destination: &Address) -> bool;

    /// Counts an outcome.
    fn count(&self, outcome: Outcome);
}

/// What became of a packet. All but [`Outcome::Refused`] and [`Outcome::Malformed`] go on to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[repr(u8)]
pub enum Outcome {
    /// Not IP in IP, or in a form that balancers don't send (options, fragments): untouched.
    NotATunnel,
    /// IP in IP from someone who isn't a load balancer of ours: untouched.
    Stranger,
    /// Unpacked.
    Decapsulated,
    /// From a load balancer, but for an address that isn't one of the VIPs here: dropped.
    Refused,
    /// From a load balancer, but what is inside is no IP packet of the announced length: dropped.
    Malformed,
}

impl Outcome {
    /// Every outcome, in the order of its counters.
    pub const ALL: [Outcome; 5] =
        [Outcome::NotATunnel, Outcome::Stranger, Outcome::Decapsulated, Outcome::Refused, Outcome::Malformed];

    /// The name in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::NotATunnel => "not_a_tunnel",
            Outcome::Stranger => "stranger",
            Outcome::Decapsulated => "decapsulated",
            Outcome::Refused => "refused",
            Outcome::Malformed => "malformed",
        }
    }
}

/// Takes the outer header off if a load balancer put it there.
#[inline(always)]
pub fn decapsulate<P: Packet, T: Tunnels>(packet: &mut P, tunnels: &T) -> Outcome {
    let outcome = match outer(packet) {
        None => Outcome::NotATunnel,
        Some(outer) if !tunnels.is_balancer(&outer.source) => Outcome::Stranger,
        Some(outer) => match inner_destination(packet, &outer) {
            None => Outcome::Malformed,
            Some(vip) if !tunnels.is_vip(&vip) => Outcome::Refused,
            Some(_) => match unpack(packet, &outer) {
                Some(()) => Outcome::Decapsulated,
                None => Outcome::Malformed,
            },
        },
    };
    tunnels.count(outcome);
    outcome
}

struct Outer {
    source: Address,
    /// Octets of the outer header.
    length: usize,
    /// What the frame carries once the outer header is gone.
    inner: EtherType,
}

#[inline(always)]
fn outer(packet: &impl Packet) -> Option<Outer> {
    match Ethernet::of(packet)?.ethertype() {
        EtherType::IPV4 => {
            let ip = Ipv4::at(packet, ethernet::LENGTH)?;
            let inner = inner_type(ip.protocol())?;
            let whole = ip.is_plain() && !ip.is_fragment();
            whole.then_some(Outer { source: ip.source(), length: ipv4::LENGTH, inner })
        }
        EtherType::IPV6 => {
            let ip = Ipv6::at(packet, ethernet::LENGTH)?;
            let inner = inner_type(ip.next_header())?;
            ip.is_version_6().then_some(Outer { source: ip.source(), length: ipv6::LENGTH, inner })
        }
        _ => None,
    }
}

#[inline(always)]
fn inner_type(protocol: Protocol) -> Option<EtherType> {
    match protocol {
        Protocol::IPV4 => Some(EtherType::IPV4),
        Protocol::IPV6 => Some(EtherType::IPV6),
        _ => None,
    }
}

/// The destination of the packet inside, if there is a whole one.
#[inline(always)]
fn inner_destination(packet: &impl Packet, outer: &Outer) -> Option<Address> {
    let offset = ethernet::LENGTH + outer.length;
    let (destination, length, version_fits) = if outer.inner == EtherType::IPV4 {
        let ip = Ipv4::at(packet, offset)?;
        (ip.destination(), usize::from(ip.total_length()), ip.is_version_4())
    } else {
        let ip = Ipv6::at(packet, offset)?;
        let length = usize::from(ip.payload_length()) + ipv6::LENGTH;
        (ip.destination(), length, ip.is_version_6())
    };
    (version_fits && offset + length <= packet.length()).then_some(destination)
}

#[inline(always)]
fn unpack<P: Packet>(packet: &mut P, outer: &Outer) -> Option<()> {
    let addresses = Ethernet::of(packet)?.addresses();
    packet.shrink_head(outer.length)?;
    ethernet::emit(packet.octets_mut(0)?, &addresses, outer.inner);
    Some(())
}
