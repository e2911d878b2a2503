//! Internet protocol version 6 (RFC 8200).

use crate::address::Address;
use crate::flow::{IpVersion, Protocol};
use crate::packet::Octets;
use crate::wire::ethernet::EtherType;
use crate::wire::ip::Header;
use crate::wire::{at, put};

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
    const ETHERTYPE: EtherType = EtherType::IPV6;
    const LENGTH: usize = LENGTH;

    #[inline(always)]
    fn at(packet: &impl Octets, offset: usize) -> Option<Ipv6<'_>> {
        packet.octets(offset).map(Ipv6)
    }

    /// Whether what follows is the payload, [`next`](Header::next) says.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.is_version_6() && !self.names_ipv4()
    }

    #[inline(always)]
    fn source(&self) -> Address {
        Address::v6(at::<8, 16, _>(self.0))
    }

    #[inline(always)]
    fn destination(&self) -> Address {
        Address::v6(at::<24, 16, _>(self.0))
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
        u16::from_be_bytes(at::<4, 2, _>(self.0))
    }
}

/// A header of which all is known but traffic class, flow label, length and next header, as [`emit`] needs it.
///
/// In the place of the length stands which of the source's last 16 bits vary, and these are zero.
#[must_use]
pub fn prepare(source: [u8; 16], destination: [u8; 16], varying: u16) -> [u8; LENGTH] {
    let mut header = [0; LENGTH];
    header[4..6].copy_from_slice(&varying.to_be_bytes());
    header[8..24].copy_from_slice(&source);
    header[24..40].copy_from_slice(&destination);
    header
}

/// Writes a prepared header with the rest filled in; what of the source varies is `spread`. Of `flow_label`, 20 bits are
/// used.
#[inline(always)]
pub fn emit(
    header: &mut [u8; LENGTH],
    prepared: &[u8; LENGTH],
    spread: u16,
    traffic_class: u8,
    flow_label: u32,
    payload_length: u16,
    next_header: Protocol,
) {
    let spread = spread & u16::from_ne_bytes(at::<4, 2, _>(prepared));
    let version = 0x6000_0000 | u32::from(traffic_class) << 20 | flow_label & 0xf_ffff;
    let first = u64::from(version.to_be())
        | u64::from(payload_length.to_be()) << 32
        | u64::from(next_header.0) << 48
        | u64::from(HOP_LIMIT) << 56;
    let source_low = u64::from_le_bytes(at::<16, 8, _>(prepared)) | u64::from(spread) << 48;
    put::<0, 8, _>(header, first.to_le_bytes());
    put::<8, 8, _>(header, at::<8, 8, _>(prepared));
    put::<16, 8, _>(header, source_low.to_le_bytes());
    put::<24, 8, _>(header, at::<24, 8, _>(prepared));
    put::<32, 8, _>(header, at::<32, 8, _>(prepared));
}

/// Makes a packet's header that of the answer: addresses exchanged, and a fresh hop limit.
#[inline(always)]
pub fn turn_around(header: &mut [u8; LENGTH]) {
    header[7] = HOP_LIMIT;
    for place in 8..24 {
        header.swap(place, place + 16);
    }
}
