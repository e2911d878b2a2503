//! Internet protocol version 6 (RFC 8200).

use crate::address::Address;
use crate::flow::{IpVersion, Protocol};
use crate::packet::Packet;
use crate::wire::ip::Header;

/// Octets of the fixed header.
pub const LENGTH: usize = 40;

/// What hosts start the hop limit with.
pub const HOP_LIMIT: u8 = 64;

/// The fixed header.
#[derive(Clone, Copy)]
pub struct Ipv6<'packet>(&'packet [u8; LENGTH]);

impl Header for Ipv6<'_> {
    type Of<'packet> = Ipv6<'packet>;

    const VERSION: IpVersion = IpVersion::V6;
    const LENGTH: usize = LENGTH;

    #[inline(always)]
    fn at(packet: &impl Packet, offset: usize) -> Option<Ipv6<'_>> {
        packet.octets(offset).map(Ipv6)
    }

    /// Whether what follows is the payload, [`next`](Header::next) says.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.is_version_6() && !self.names_ipv4()
    }

    #[inline(always)]
    fn source(&self) -> Address {
        Address::v6(self.address::<8>())
    }

    #[inline(always)]
    fn destination(&self) -> Address {
        Address::v6(self.address::<24>())
    }

    #[inline(always)]
    fn traffic_class(&self) -> u8 {
        self.0[0] << 4 | self.0[1] >> 4
    }

    #[inline(always)]
    fn hop_limit(&self) -> u8 {
        self.0[7]
    }

    /// A packet of more than 65,535 octets fits no frame and no outer header.
    #[inline(always)]
    fn length(&self) -> u16 {
        self.payload_length().saturating_add(LENGTH as u16)
    }

    #[inline(always)]
    fn next(&self) -> Protocol {
        Protocol(self.0[6])
    }
}

impl Ipv6<'_> {
    /// Whether the version field says 6.
    #[inline(always)]
    #[must_use]
    pub fn is_version_6(&self) -> bool {
        self.0[0] >> 4 == 6
    }

    /// Whether an address is one of IPv4: on the wire, none is (RFC 4291, section 2.5.5.2).
    #[inline(always)]
    #[must_use]
    pub fn names_ipv4(&self) -> bool {
        self.source().is_mapped() || self.destination().is_mapped()
    }

    /// Octets behind the fixed header.
    #[inline(always)]
    #[must_use]
    pub fn payload_length(&self) -> u16 {
        u16::from_be_bytes([self.0[4], self.0[5]])
    }

    #[inline(always)]
    fn address<const OFFSET: usize>(&self) -> [u8; 16] {
        core::array::from_fn(|i| self.0[OFFSET + i])
    }
}

/// A header of which all is known but traffic class, flow label, length and next header, which are zero.
#[must_use]
pub fn prepare(source: [u8; 16], destination: [u8; 16]) -> [u8; LENGTH] {
    let mut header = [0; LENGTH];
    header[0] = 0x60;
    header[7] = HOP_LIMIT;
    header[8..24].copy_from_slice(&source);
    header[24..40].copy_from_slice(&destination);
    header
}

/// Fills in what [`prepare`] left open, and adds `spread` to the source address, whose last bits were zero. Of
/// `flow_label`, 20 bits are used.
#[inline(always)]
pub fn complete(
    header: &mut [u8; LENGTH],
    spread: u32,
    traffic_class: u8,
    flow_label: u32,
    payload_length: u16,
    next_header: Protocol,
) {
    let first = 0x6000_0000 | u32::from(traffic_class) << 20 | flow_label & 0xf_ffff;
    [header[0], header[1], header[2], header[3]] = first.to_be_bytes();
    [header[4], header[5]] = payload_length.to_be_bytes();
    header[6] = next_header.0;
    let source = u32::from_be_bytes([header[20], header[21], header[22], header[23]]) | spread;
    [header[20], header[21], header[22], header[23]] = source.to_be_bytes();
}

/// Makes a packet's header that of the answer: addresses exchanged, and a fresh hop limit.
#[inline(always)]
pub fn turn_around(header: &mut [u8; LENGTH]) {
    header[7] = HOP_LIMIT;
    for place in 8..24 {
        header.swap(place, place + 16);
    }
}
