//! The ports that TCP (RFC 9293) and UDP (RFC 768) begin with.

use crate::packet::Octets;

/// Octets of both ports.
pub const LENGTH: usize = 4;
/// Octets of the shortest TCP header.
pub const TCP_LENGTH: u16 = 20;
/// Octets of the UDP header.
pub const UDP_LENGTH: u16 = 8;

/// Source and destination port.
pub struct Ports<'packet>(&'packet [u8; LENGTH]);

impl<'packet> Ports<'packet> {
    /// The ports of the transport header at `offset`; `None` if the frame ends before.
    #[inline(always)]
    pub fn at(packet: &'packet impl Octets, offset: usize) -> Option<Self> {
        packet.octets(offset).map(Ports)
    }

    /// Source port, host byte order.
    #[inline(always)]
    #[must_use]
    pub fn source(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    /// Destination port, host byte order.
    #[inline(always)]
    #[must_use]
    pub fn destination(&self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }
}
