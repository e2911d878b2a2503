//! From a frame to the addresses in it.

use crate::address::Address;
use crate::flow::{IpVersion, Protocol};
use crate::packet::Packet;
use crate::verdict::PassReason;
use crate::wire::ethernet::{self, EtherType};
use crate::wire::ipv4::Ipv4;
use crate::wire::ipv6::{self, Ipv6};

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
    let offset = payload.offset;
    match payload.ethertype {
        EtherType::IPV4 => {
            let ip = Ipv4::at(packet, offset).ok_or(PassReason::Truncated)?;
            Ok(Network {
                version: IpVersion::V4,
                offset,
                source: ip.source(),
                destination: ip.destination(),
                traffic_class: ip.traffic_class(),
                hop_limit: ip.time_to_live(),
                length: ip.total_length(),
                next: ip.protocol(),
            })
        }
        EtherType::IPV6 => {
            let ip = Ipv6::at(packet, offset).ok_or(PassReason::Truncated)?;
            if ip.source().is_mapped() || ip.destination().is_mapped() {
                return Err(PassReason::NotAVip);
            }
            Ok(Network {
                version: IpVersion::V6,
                offset,
                source: ip.source(),
                destination: ip.destination(),
                traffic_class: ip.traffic_class(),
                hop_limit: ip.hop_limit(),
                // A packet of more than 65,535 octets fits no frame and no outer header.
                length: ip.payload_length().saturating_add(ipv6::LENGTH as u16),
                next: ip.next_header(),
            })
        }
        _ => Err(PassReason::NotIp),
    }
}
