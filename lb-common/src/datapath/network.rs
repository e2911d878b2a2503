//! From a frame to the addresses in it.

use crate::address::Address;
use crate::flow::{IpVersion, Protocol};
use crate::packet::Packet;
use crate::verdict::PassReason;
use crate::wire::ethernet::{self, EtherType};
use crate::wire::ip::Header;
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::Ipv6;

/// What the fixed part of an IP header says.
#[derive(Clone, Copy)]
pub struct Network {
    /// Version of the header.
    pub version: IpVersion,
    /// Octets of the frame before the header.
    pub offset: usize,
    /// Sender.
    pub source: Address,
    /// Receiver.
    pub destination: Address,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// Routers that the packet may still pass.
    pub hop_limit: u8,
    /// Octets of the packet by its own header. Believe it once `datagram::parse` has checked it.
    pub length: u16,
    /// What follows the header.
    pub next: Protocol,
}

/// Reads the fixed part of the IP header.
///
/// # Errors
/// Why this can't be a packet for a VIP.
#[inline(always)]
pub fn parse(packet: &impl Packet) -> Result<Network, PassReason> {
    let payload = ethernet::payload(packet).ok_or(PassReason::Truncated)?;
    if payload.is_for_many {
        return Err(PassReason::ForMany);
    }
    match payload.ethertype {
        EtherType::IPV4 => {
            let ip = Ipv4::at(packet, payload.offset).ok_or(PassReason::Truncated)?;
            Ok(Network::of(&ip, payload.offset))
        }
        EtherType::IPV6 => {
            let ip = Ipv6::at(packet, payload.offset).ok_or(PassReason::Truncated)?;
            if ip.names_ipv4() { Err(PassReason::NotAVip) } else { Ok(Network::of(&ip, payload.offset)) }
        }
        _ => Err(PassReason::NotIp),
    }
}

impl Network {
    /// What a header says that `offset` octets of the frame are before.
    #[inline(always)]
    pub fn of<H: Header>(header: &H, offset: usize) -> Self {
        Network {
            version: H::VERSION,
            offset,
            source: header.source(),
            destination: header.destination(),
            traffic_class: header.traffic_class(),
            hop_limit: header.hop_limit(),
            length: header.length(),
            next: header.next(),
        }
    }
}
