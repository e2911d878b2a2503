//! Frames as whoever checks the datapath reads them: with none of its code.

use std::net::IpAddr;

/// The fixed header of an IP packet in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip<'frame> {
    frame: &'frame [u8],
    /// Octets of the frame before it.
    pub offset: usize,
    /// Octets of the packet by its own header.
    pub length: usize,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// Time to live or hop limit.
    pub hop_limit: u8,
    /// Sender.
    pub source: IpAddr,
    /// Receiver.
    pub destination: IpAddr,
}

/// What stands behind options and extension headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Number of the protocol.
    pub protocol: u8,
    /// Octets of the frame before it.
    pub offset: usize,
    /// Whether it is a part of a packet that others come before.
    pub is_later_fragment: bool,
}

impl<'frame> Ip<'frame> {
    /// The packet in a frame with at most two tags; `None` if there is no whole fixed header.
    #[must_use]
    pub fn of(frame: &'frame [u8]) -> Option<Self> {
        let mut offset = 14;
        while offset < 22 && matches!(frame.get(offset - 2..offset)?, [0x81, 0x00] | [0x88, 0xa8]) {
            offset += 4;
        }
        match frame.get(offset - 2..offset)? {
            [0x08, 0x00] => Ip::v4(frame, offset),
            [0x86, 0xdd] => Ip::v6(frame, offset),
            _ => None,
        }
    }

    fn v4(frame: &'frame [u8], offset: usize) -> Option<Self> {
        let header: &[u8; 20] = frame.get(offset..)?.first_chunk()?;
        Some(Ip {
            frame,
            offset,
            length: usize::from(u16::from_be_bytes([header[2], header[3]])),
            traffic_class: header[1],
            hop_limit: header[8],
            source: address::<4>(&header[12..]),
            destination: address::<4>(&header[16..]),
        })
    }

    fn v6(frame: &'frame [u8], offset: usize) -> Option<Self> {
        let header: &[u8; 40] = frame.get(offset..)?.first_chunk()?;
        Some(Ip {
            frame,
            offset,
            length: usize::from(u16::from_be_bytes([header[4], header[5]])) + 40,
            traffic_class: header[0] << 4 | header[1] >> 4,
            hop_limit: header[7],
            source: address::<16>(&header[8..]),
            destination: address::<16>(&header[24..]),
        })
    }

    /// By the frame's type, not by the header.
    #[must_use]
    pub fn is_v4(&self) -> bool {
        self.source.is_ipv4()
    }

    /// The packet; `None` if the frame ends before.
    #[must_use]
    pub fn packet(&self) -> Option<&'frame [u8]> {
        self.frame[self.offset..].get(..self.length)
    }

    /// What stands behind the headers; `None` if the frame ends before.
    #[must_use]
    pub fn payload(&self) -> Option<Payload> {
        let header = &self.frame[self.offset..];
        if self.is_v4() {
            let is_later_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
            let offset = self.offset + usize::from(header[0] & 0xf) * 4;
            return Some(Payload { protocol: header[9], offset, is_later_fragment });
        }
        let mut payload = Payload { protocol: header[6], offset: self.offset + 40, is_later_fragment: false };
        while matches!(payload.protocol, 0 | 43 | 44 | 60) && !payload.is_later_fragment {
            let extension = self.frame.get(payload.offset..)?.first_chunk::<8>()?;
            let is_fragment = payload.protocol == 44;
            payload.is_later_fragment =
                is_fragment && u16::from_be_bytes([extension[2], extension[3]]) & 0xfff8 != 0;
            payload.offset += if is_fragment { 8 } else { usize::from(extension[1]) * 8 + 8 };
            payload.protocol = extension[0];
        }
        Some(payload)
    }

    /// The sum over addresses, length and protocol that ICMPv6 and UDP begin theirs with; 0 for ICMP in IPv4.
    #[must_use]
    pub fn pseudo_header(&self, protocol: u8, length: usize) -> u16 {
        if self.is_v4() {
            return 0;
        }
        let addresses = &self.frame[self.offset + 8..self.offset + 40];
        sum(sum(0, addresses), &[0, 0, (length >> 8) as u8, length as u8, 0, 0, 0, protocol])
    }
}

fn address<const N: usize>(octets: &[u8]) -> IpAddr
where
    IpAddr: From<[u8; N]>,
{
    IpAddr::from(*octets.first_chunk::<N>().expect("both are cut out of a whole header"))
}

/// Adds octets to a checksum (RFC 1071). What carries its own checksum, and carries the right one, adds up to 0xffff.
#[must_use]
pub fn sum(before: u16, octets: &[u8]) -> u16 {
    octets.chunks(2).fold(before, |sum, pair| {
        let word = u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        let (sum, carried) = sum.overflowing_add(word);
        sum + u16::from(carried)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071, section 3.
    #[test]
    fn example_of_the_rfc() {
        assert_eq!(sum(0, &[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0xddf2);
        assert_eq!(sum(sum(0, &[0x00, 0x01]), &[0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0xddf2);
    }
}
