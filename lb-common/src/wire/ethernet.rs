//! Ethernet II (IEEE 802.3, clause 3).

use crate::packet::Packet;

/// An Ethernet header without tags.
pub struct Ethernet<'packet>(&'packet [u8; LENGTH]);

/// Octets of the header.
pub const LENGTH: usize = 14;

/// Destination and source MAC address, as they stand in the frame.
pub type Addresses = [u8; 12];

/// What a frame carries (IANA "IEEE 802 Numbers").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtherType(pub u16);

impl EtherType {
    /// Internet protocol version 4.
    pub const IPV4: EtherType = EtherType(0x0800);
    /// Internet protocol version 6.
    pub const IPV6: EtherType = EtherType(0x86dd);
}

impl<'packet> Ethernet<'packet> {
    /// The header of a frame; `None` if the frame is shorter.
    #[inline(always)]
    pub fn of(packet: &'packet impl Packet) -> Option<Self> {
        packet.octets(0).map(Ethernet)
    }

    /// What the frame carries.
    #[inline(always)]
    #[must_use]
    pub fn ethertype(&self) -> EtherType {
        EtherType(u16::from_be_bytes([self.0[12], self.0[13]]))
    }

    /// Both MAC addresses.
    #[inline(always)]
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        core::array::from_fn(|i| self.0[i])
    }
}

/// Writes a header.
#[inline(always)]
pub fn emit(header: &mut [u8; LENGTH], addresses: &Addresses, ethertype: EtherType) {
    header[..12].copy_from_slice(addresses);
    [header[12], header[13]] = ethertype.0.to_be_bytes();
}
