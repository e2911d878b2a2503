//! UDP (RFC 768), as an outer header.

/// Octets of the header.
pub const LENGTH: usize = 8;

/// Writes a header without a checksum, which tunnels may do over IPv6 too (RFC 6935): the packet inside has its own.
///
/// `length` counts header and payload, in octets; ports and length are in host byte order.
#[inline(always)]
pub fn emit(header: &mut [u8; LENGTH], source_port: u16, destination_port: u16, length: u16) {
    [header[0], header[1]] = source_port.to_be_bytes();
    [header[2], header[3]] = destination_port.to_be_bytes();
    [header[4], header[5]] = length.to_be_bytes();
    [header[6], header[7]] = [0, 0];
}
