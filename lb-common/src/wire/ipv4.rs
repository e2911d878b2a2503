//! Internet protocol version 4 (RFC 791).

use crate::address::Address;
use crate::checksum::Sum;
use crate::flow::{IpVersion, Protocol};
use crate::packet::Octets;
use crate::wire::ethernet::EtherType;
use crate::wire::ip::Header;
use crate::wire::{at, put};

/// Octets of a header without options.
pub const LENGTH: usize = 20;

/// What hosts start the time to live with (RFC 1700 recommends 64).
pub const TIME_TO_LIVE: u8 = 64;

const VERSION_AND_LENGTH: u8 = 0x45;
const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS_OR_OFFSET: u16 = 0x3fff;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// The fixed part of a header.
#[derive(Clone, Copy)]
pub struct Ipv4<'packet>(&'packet [u8; LENGTH]);

impl Header for Ipv4<'_> {
    type Of<'packet> = Ipv4<'packet>;

    const VERSION: IpVersion = IpVersion::V4;
    const ETHERTYPE: EtherType = EtherType::IPV4;
    const LENGTH: usize = LENGTH;

    #[inline(always)]
    fn at(packet: &impl Octets, offset: usize) -> Option<Ipv4<'_>> {
        packet.octets(offset).map(Ipv4)
    }

    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.0[0] == VERSION_AND_LENGTH && !self.is_fragment()
    }

    #[inline(always)]
    fn source(&self) -> Address {
        Address::v4(at::<12, 4, _>(self.0))
    }

    #[inline(always)]
    fn destination(&self) -> Address {
        Address::v4(at::<16, 4, _>(self.0))
    }

    #[inline(always)]
    fn traffic_class(&self) -> u8 {
        self.0[1]
    }

    #[inline(always)]
    fn hop_limit(&self) -> u8 {
        self.0[8]
    }

    #[inline(always)]
    fn length(&self) -> u16 {
        u16::from_be_bytes(at::<2, 2, _>(self.0))
    }

    #[inline(always)]
    fn next(&self) -> Protocol {
        Protocol(self.0[9])
    }
}

impl Ipv4<'_> {
    /// Octets of the header with its options.
    #[inline(always)]
    #[must_use]
    pub fn header_length(&self) -> usize {
        usize::from(self.0[0] & 0xf) * 4
    }

    /// Whether the version field says 4.
    #[inline(always)]
    #[must_use]
    pub fn is_version_4(&self) -> bool {
        self.0[0] >> 4 == 4
    }

    /// Whether the packet is a part of one.
    #[inline(always)]
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        u16::from_ne_bytes(at::<6, 2, _>(self.0)) & MORE_FRAGMENTS_OR_OFFSET.to_be() != 0
    }

    /// Octets of the whole packet's payload before this part of it.
    #[inline(always)]
    #[must_use]
    pub fn fragment_offset(&self) -> u16 {
        (u16::from_be_bytes([self.0[6], self.0[7]]) & FRAGMENT_OFFSET) << 3
    }

    /// What the parts of one packet have in common.
    #[inline(always)]
    #[must_use]
    pub fn identification(&self) -> u16 {
        u16::from_be_bytes([self.0[4], self.0[5]])
    }
}

/// A header of which all is known but traffic class, length and protocol, as [`emit`] needs it.
///
/// `DF` is set: the balancer doesn't send what the next hop could not take, and an unfragmented packet needs no
/// identification (RFC 6864, section 4.1). In its place stands which of the source's last 16 bits vary, and these are zero.
/// The checksum field holds the folded, not complemented, sum of what is known.
#[must_use]
pub fn prepare(source: [u8; 4], destination: [u8; 4], varying: u16) -> [u8; LENGTH] {
    let mut header = [0; LENGTH];
    header[0] = VERSION_AND_LENGTH;
    header[6..8].copy_from_slice(&DONT_FRAGMENT.to_be_bytes());
    header[8] = TIME_TO_LIVE;
    header[12..16].copy_from_slice(&source);
    header[16..20].copy_from_slice(&destination);
    let sum = Sum::default().octets(&header).folded();
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header[4..6].copy_from_slice(&varying.to_be_bytes());
    header
}

/// Writes a prepared header with the rest filled in; what of the source varies is `spread`.
///
/// Three words are written. The sum is of numbers in the wire's order, since it comes out in the order that they are in
/// (RFC 1071, section 2).
#[inline(always)]
pub fn emit(
    header: &mut [u8; LENGTH],
    prepared: &[u8; LENGTH],
    spread: u16,
    traffic_class: u8,
    total_length: u16,
    protocol: Protocol,
) {
    let spread = spread & u16::from_ne_bytes(at::<4, 2, _>(prepared));
    let (length, dont_fragment) = (total_length.to_be(), DONT_FRAGMENT.to_be());
    let second_octet = |octet: u8| u16::from_ne_bytes([0, octet]);
    let sum = Sum::start(u16::from_ne_bytes(at::<10, 2, _>(prepared)))
        .word(second_octet(traffic_class))
        .word(length)
        .word(second_octet(protocol.0))
        .word(spread);
    let first = u64::from(VERSION_AND_LENGTH)
        | u64::from(traffic_class) << 8
        | u64::from(length) << 16
        | u64::from(dont_fragment) << 48;
    // The source, whose last bits the spread fills, and the time to live.
    let second = u64::from_le_bytes(at::<8, 8, _>(prepared)) & 0xffff_ffff_0000_00ff
        | u64::from(protocol.0) << 8
        | u64::from(sum.checksum()) << 16
        | u64::from(spread) << 48;
    put::<0, 8, _>(header, first.to_le_bytes());
    put::<8, 8, _>(header, second.to_le_bytes());
    put::<16, 4, _>(header, at::<16, 4, _>(prepared));
}

/// Makes a packet's header that of the answer: addresses exchanged, and a fresh time to live.
#[inline(always)]
pub fn turn_around(header: &mut [u8; LENGTH]) {
    for place in 12..16 {
        header.swap(place, place + 4);
    }
    let former = u16::from_be_bytes([header[8], header[9]]);
    header[8] = TIME_TO_LIVE;
    let present = u16::from_be_bytes([header[8], header[9]]);
    let checksum = u16::from_be_bytes([header[10], header[11]]);
    [header[10], header[11]] = Sum::replaced(checksum, former, present).to_be_bytes();
}
