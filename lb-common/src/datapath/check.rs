//! The walk of a check through the VIP: its backend is known beforehand, and it goes there as traffic does.

use super::Refusal;
use super::{datagram, network, rewrite};
use crate::address::Address;
use crate::backend::Backend;
use crate::flow::{IpVersion, Protocol};
use crate::packet::Packet;
use crate::siphash::Keyed;
use crate::verdict::{DropReason, Verdict};
use crate::wire::ports::Ports;
use crate::wire::{ipv4, ipv6, tcp};

/// Makes a check's packet one that its backend gets. What can't be forwarded is to be dropped: without the backend's
/// headers, it could reach another one.
#[inline(always)]
pub fn check<P: Packet>(packet: &mut P, backend: &Backend, keyed: Keyed) -> Verdict {
    match forward(packet, backend, keyed) {
        Ok(()) => Verdict::Forward { egress: backend.egress },
        Err(reason) => Verdict::Drop(reason),
    }
}

#[inline(always)]
fn forward<P: Packet>(packet: &mut P, backend: &Backend, keyed: Keyed) -> Result<(), DropReason> {
    let network = network::parse(packet).map_err(|_| DropReason::BadHeader)?;
    let datagram = datagram::parse(packet, network)?;
    let flow = if datagram.begins_transport() {
        let ports = Ports::at(packet, datagram.offset).ok_or(DropReason::BadLength)?;
        datagram.flow(ports.source(), ports.destination())
    } else {
        datagram.flow(0, 0)
    };
    rewrite::toward(packet, &datagram, backend, backend.vlan, flow.hash(keyed)).map_err(|refusal| {
        match refusal {
            Refusal::Drop(reason) => reason,
            // Nobody has to be told: the sender is the one that counts.
            Refusal::TooBig { .. } => DropReason::ExceedsMtu,
            Refusal::Pass(_) | Refusal::Echo | Refusal::TimeExceeded | Refusal::Reject => {
                DropReason::BadHeader
            }
        }
    })
}

/// Whom a packet is for, if it is a TCP segment that resets a connection, without IP options or extension headers.
///
/// A check's connection is closed as soon as its result is known. To what the backend still sends, the kernel answers that
/// there is no such connection: without the check's mark, so that as traffic it could reach any backend.
#[inline(always)]
pub fn reset_for(packet: &impl Packet) -> Option<Address> {
    let network = network::parse(packet).ok()?;
    let header = match network.version {
        IpVersion::V4 => ipv4::LENGTH,
        IpVersion::V6 => ipv6::LENGTH,
    };
    let resets = network.next == Protocol::TCP && tcp::flags(packet, network.offset + header)?.resets();
    resets.then_some(network.destination)
}
