//! UDP (RFC 768), as an outer header.

use crate::wire::put;

/// Octets of the header.
pub const LENGTH: usize = 8;

/// Writes a header without a checksum, which tunnels may do over IPv6 too (RFC 6935): the packet inside has its own.
///
/// `length` counts header and payload, in octets; ports and length are in host byte order.
#[inline(always)]
pub fn emit(header: &mut [u8; LENGTH], source_port: u16, destination_port: u16, length: u16) {
    put::<0, 2, _>(header, source_port.to_be_bytes());
    put::<2, 2, _>(header, destination_port.to_be_bytes());
    put::<4, 2, _>(header, length.to_be_bytes());
    put::<6, 2, _>(header, [0, 0]);
}
