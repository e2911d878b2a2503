//! ICMP (RFC 792) and ICMPv6 (RFC 4443).

use crate::checksum::Sum;
use crate::flow::IpVersion;
use crate::packet::Packet;

/// Octets before the body of a message.
pub const LENGTH: usize = 8;

/// What a message is about, in so far as it matters to a balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Someone asks whether a host is there.
    EchoRequest,
    /// A packet did not arrive: its beginning is the body.
    Error,
    /// Anything else.
    Other,
}

/// Type and code of the messages that are sent.
pub type TypeAndCode = [u8; 2];

/// The kind of the message at `offset`; `None` if the frame ends before.
#[inline(always)]
pub fn kind(packet: &impl Packet, offset: usize, version: IpVersion) -> Option<Kind> {
    let header: &[u8; LENGTH] = packet.octets(offset)?;
    Some(match (version, header[0], header[1]) {
        (IpVersion::V4, 8, 0) | (IpVersion::V6, 128, 0) => Kind::EchoRequest,
        // Destination unreachable, time exceeded, parameter problem; for IPv6 also packet too big.
        (IpVersion::V4, 3 | 11 | 12, _) | (IpVersion::V6, 1..=4, _) => Kind::Error,
        _ => Kind::Other,
    })
}

/// Turns an echo request into its reply. `None` if the frame ends before.
///
/// The pseudo-header of ICMPv6 has the same sum when source and destination are exchanged.
#[inline(always)]
#[must_use]
pub fn make_reply(packet: &mut impl Packet, offset: usize, version: IpVersion) -> Option<()> {
    let header: &mut [u8; 4] = packet.octets_mut(offset)?;
    let reply = match version {
        IpVersion::V4 => 0,
        IpVersion::V6 => 129,
    };
    let former = u16::from_be_bytes([header[0], header[1]]);
    header[0] = reply;
    let present = u16::from_be_bytes([header[0], header[1]]);
    let checksum = u16::from_be_bytes([header[2], header[3]]);
    let checksum = Sum::replaced(checksum, former, present);
    // Of a message of zeros the checksum is 0xffff; of any other, that is as right as 0.
    [header[2], header[3]] = if checksum == 0 { [0xff; 2] } else { checksum.to_be_bytes() };
    Some(())
}

/// "Time to live exceeded in transit", "hop limit exceeded in transit".
#[inline(always)]
#[must_use]
pub const fn time_exceeded(version: IpVersion) -> TypeAndCode {
    match version {
        IpVersion::V4 => [11, 0],
        IpVersion::V6 => [3, 0],
    }
}

/// "Port unreachable".
#[inline(always)]
#[must_use]
pub const fn port_unreachable(version: IpVersion) -> TypeAndCode {
    match version {
        IpVersion::V4 => [3, 3],
        IpVersion::V6 => [1, 4],
    }
}

/// "Fragmentation needed and DF set", "packet too big".
#[inline(always)]
#[must_use]
pub const fn too_big(version: IpVersion) -> TypeAndCode {
    match version {
        IpVersion::V4 => [3, 4],
        IpVersion::V6 => [2, 0],
    }
}
