//! TCP's sequence number and control bits (RFC 9293, section 3.1).

use crate::packet::Packet;

/// Position of the sequence number in the header.
const SEQUENCE: usize = 4;

/// Position of the control bits in the header.
const FLAGS: usize = 13;

const FIN: u8 = 1;
const SYN: u8 = 1 << 1;
const RST: u8 = 1 << 2;
const ACK: u8 = 1 << 4;

/// The control bits of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u8);

/// The control bits of the segment at `offset`; `None` if the frame ends before.
#[inline(always)]
pub fn flags(packet: &impl Packet, offset: usize) -> Option<Flags> {
    packet.octets::<1>(offset + FLAGS).map(|&[octet]| Flags(octet))
}

/// The sequence number of the segment at `offset`; `None` if the frame ends before.
#[inline(always)]
pub fn sequence(packet: &impl Packet, offset: usize) -> Option<u32> {
    packet.octets::<4>(offset + SEQUENCE).map(|octets| u32::from_be_bytes(*octets))
}

impl Flags {
    /// Whether a client asks for a connection.
    #[inline(always)]
    #[must_use]
    pub const fn begins(self) -> bool {
        self.0 & (SYN | ACK | RST) == SYN
    }

    /// Whether there is no such connection, or none any more.
    #[inline(always)]
    #[must_use]
    pub const fn resets(self) -> bool {
        self.0 & RST != 0
    }

    /// Whether the connection ends, at least from this side.
    #[inline(always)]
    #[must_use]
    pub const fn ends(self) -> bool {
        self.0 & (FIN | RST) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_segment_does() {
        let rows = [
            ("SYN", SYN, true, false, false),
            ("SYN with ECN", SYN | 0xc0, true, false, false),
            ("SYN and ACK", SYN | ACK, false, false, false),
            ("SYN and RST", SYN | RST, false, true, true),
            ("ACK", ACK, false, false, false),
            ("FIN", FIN | ACK, false, true, false),
            ("RST", RST, false, true, true),
        ];
        for (name, octet, begins, ends, resets) in rows {
            let flags = Flags(octet);
            assert_eq!((flags.begins(), flags.ends(), flags.resets()), (begins, ends, resets), "{name}");
        }
    }
}
