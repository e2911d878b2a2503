//! Internet protocol version 4 (RFC 791).

use crate::address::Address;
use crate::checksum::Sum;
use crate::flow::{IpVersion, Protocol};
use crate::packet::Packet;
use crate::wire::ip::Header;

/// Octets of a header without options.
pub const LENGTH: usize = 20;

/// What hosts start the time to live with (RFC 1700 recommends 64).
pub const TIME_TO_LIVE: u8 = 64;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS_OR_OFFSET: u16 = 0x3fff;
const FRAGMENT_OFFSET: u16 = 0x1fff;

/// The fixed part of a header.
#[derive(Clone, Copy)]
pub struct Ipv4<'packet>(&'packet [u8; LENGTH]);

impl Header for Ipv4<'_> {
    type Of<'packet> = Ipv4<'packet>;

    const VERSION: IpVersion = IpVersion::V4;
    const LENGTH: usize = LENGTH;

    #[inline(always)]
    fn at(packet: &impl Packet, offset: usize) -> Option<Ipv4<'_>> {
        packet.octets(offset).map(Ipv4)
    }

    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.0[0] == 0x45 && !self.is_fragment()
    }

    #[inline(always)]
    fn source(&self) -> Address {
        Address::v4([self.0[12], self.0[13], self.0[14], self.0[15]])
    }

    #[inline(always)]
    fn destination(&self) -> Address {
        Address::v4([self.0[16], self.0[17], self.0[18], self.0[19]])
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
        u16::from_be_bytes([self.0[2], self.0[3]])
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
        u16::from_be_bytes([self.0[6], self.0[7]]) & MORE_FRAGMENTS_OR_OFFSET != 0
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

/// A header of which all is known but traffic class, length and protocol.
///
/// Those three are zero; the checksum field holds the folded, not complemented, sum of the rest. `DF` is set: the
/// balancer doesn't send what the next hop could not take, and an unfragmented packet needs no identification
/// (RFC 6864, section 4.1).
#[must_use]
pub fn prepare(source: [u8; 4], destination: [u8; 4]) -> [u8; LENGTH] {
    let mut header = [0; LENGTH];
    header[0] = 0x45;
    header[6..8].copy_from_slice(&DONT_FRAGMENT.to_be_bytes());
    header[8] = TIME_TO_LIVE;
    header[12..16].copy_from_slice(&source);
    header[16..20].copy_from_slice(&destination);
    let sum = Sum::default().octets(&header).folded();
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

/// Fills in what [`prepare`] left open, and adds `spread` to the source address, whose bits there were zero.
#[inline(always)]
pub fn complete(
    header: &mut [u8; LENGTH],
    spread: u32,
    traffic_class: u8,
    total_length: u16,
    protocol: Protocol,
) {
    let prepared = u16::from_be_bytes([header[10], header[11]]);
    let sum = Sum::start(prepared)
        .word((spread >> 16) as u16)
        .word(spread as u16)
        .word(u16::from(traffic_class))
        .word(total_length)
        .word(u16::from(protocol.0));
    header[1] = traffic_class;
    [header[2], header[3]] = total_length.to_be_bytes();
    header[9] = protocol.0;
    [header[10], header[11]] = sum.checksum().to_be_bytes();
    let source = u32::from_be_bytes([header[12], header[13], header[14], header[15]]) | spread;
    [header[12], header[13], header[14], header[15]] = source.to_be_bytes();
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
