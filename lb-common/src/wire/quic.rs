//! QUIC's connection IDs (RFC 9000, section 17; draft-ietf-quic-load-balancers-21, plaintext form).

use crate::packet::Packet;

/// Octets of the longest server ID that is looked for.
pub const LONGEST_SERVER_ID: usize = 8;

const LONG_HEADER: u8 = 0x80;
/// Position of the destination connection ID behind form, version and its length.
const LONG_ID: usize = 6;
/// Position of the destination connection ID in a packet of an established connection.
const SHORT_ID: usize = 1;
/// The configuration that a server names when its ID can't be routed.
const UNROUTABLE: u8 = 7;

/// A server's ID, as a connection ID carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerId {
    /// The configuration by which it was encoded, 0 to 6.
    pub configuration: u8,
    /// Its octets in their order, the first in the lowest place, and zeros.
    pub octets: u64,
}

/// The server ID of `length` octets, 1 to 8, in the destination connection ID of the packet at `offset`.
///
/// `None` if there is none, or if the client chose the connection ID, as in Initial and 0-RTT packets.
#[inline(always)]
pub fn server_id(packet: &impl Packet, offset: usize, length: u32) -> Option<ServerId> {
    let [form]: [u8; 1] = *packet.octets(offset)?;
    let id = if form & LONG_HEADER == 0 {
        offset + SHORT_ID
    } else {
        let header: &[u8; LONG_ID] = packet.octets(offset)?;
        if chosen_by_client(header) || u32::from(header[5]) <= length {
            return None;
        }
        offset + LONG_ID
    };
    let [first]: [u8; 1] = *packet.octets(id)?;
    let octets: &[u8; LONGEST_SERVER_ID] = packet.octets(id + 1)?;
    let unused = ((LONGEST_SERVER_ID as u32 - length) * 8) & 63;
    let octets = u64::from_le_bytes(*octets) << unused >> unused;
    let configuration = first >> 5;
    (configuration != UNROUTABLE).then_some(ServerId { configuration, octets })
}

/// Whether a packet begins a connection, or its server has still to be found: those whose connection ID the client chose.
#[inline(always)]
pub fn begins(packet: &impl Packet, offset: usize) -> bool {
    packet.octets(offset).is_some_and(|header| header[0] & LONG_HEADER != 0 && chosen_by_client(header))
}

/// Initial and 0-RTT packets of version 1 (RFC 9000) and 2 (RFC 9369), and every packet of an unknown version.
#[inline(always)]
fn chosen_by_client(header: &[u8; LONG_ID]) -> bool {
    let kind = header[0] >> 4 & 3;
    match u32::from_be_bytes([header[1], header[2], header[3], header[4]]) {
        1 => kind == 0 || kind == 1,
        0x6b33_43cf => kind == 1 || kind == 2,
        _ => true,
    }
}
