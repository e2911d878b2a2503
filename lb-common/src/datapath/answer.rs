//! What senders are told instead of their packet being forwarded.

use super::datagram::Datagram;
use super::{Refusal, Tables};
use crate::address::Address;
use crate::checksum::Sum;
use crate::flow::{IpVersion, Protocol};
use crate::packet::Packet;
use crate::verdict::{Answer, DropReason, PassReason, Verdict};
use crate::wire::{ethernet, icmp, ipv4, ipv6};

/// Octets of a packet that an error quotes: enough for IP headers with options and the ports behind them.
const QUOTED: usize = 96;

/// Octets of the longest message: ICMP header and quoted packet.
const LONGEST_MESSAGE: usize = icmp::LENGTH + QUOTED;

/// Makes an echo request its reply.
#[inline(always)]
pub fn echo<P: Packet>(packet: &mut P, datagram: &Datagram) -> Verdict {
    if !datagram.network.source.is_a_host(datagram.network.version) {
        return Verdict::Pass(PassReason::Icmp);
    }
    match turn_around(packet, datagram) {
        Some(()) => Verdict::Answer(Answer::EchoReply),
        None => Verdict::Drop(DropReason::BadLength),
    }
}

#[inline(always)]
fn turn_around<P: Packet>(packet: &mut P, datagram: &Datagram) -> Option<()> {
    let network = &datagram.network;
    swap_link(packet)?;
    match network.version {
        IpVersion::V4 => ipv4::turn_around(packet.octets_mut(network.offset)?),
        IpVersion::V6 => ipv6::turn_around(packet.octets_mut(network.offset)?),
    }
    icmp::make_reply(packet, datagram.offset, network.version)
}

/// Replaces a packet by an ICMP error about it, unless its sender must not or need not be told.
#[inline(always)]
pub fn error<P: Packet, T: Tables>(
    packet: &mut P,
    tables: &T,
    datagram: &Datagram,
    refusal: Refusal,
) -> Verdict {
    let version = datagram.network.version;
    let (silent, answer, about, word) = match refusal {
        Refusal::TooBig { mtu } => (DropReason::ExceedsMtu, Answer::TooBig, icmp::too_big(version), mtu),
        Refusal::Reject => (DropReason::NoBackend, Answer::Rejected, icmp::port_unreachable(version), 0),
        _ => (DropReason::HopLimit, Answer::TimeExceeded, icmp::time_exceeded(version), 0),
    };
    let about_error = matches!(datagram.protocol, Protocol::ICMP | Protocol::ICMPV6);
    let client = datagram.network.source;
    let may = !about_error
        && !datagram.fragment.is_later()
        && client.is_a_host(version)
        && may_tell(tables, client);
    if !may {
        return Verdict::Drop(silent);
    }
    // "Packet too big" is about the way to the VIP, and a port is the VIP's; time runs out at this node.
    let from = match refusal {
        Refusal::TooBig { .. } | Refusal::Reject => None,
        _ => tables.own_address(version),
    };
    let from = from.unwrap_or(datagram.network.destination);
    match write(packet, datagram, from, about, word) {
        Some(()) => Verdict::Answer(answer),
        None => Verdict::Drop(DropReason::NoHeadroom),
    }
}

/// Whether a client may be sent an error now: one in a tick, and only so many to all of them.
#[inline(always)]
fn may_tell<T: Tables>(tables: &T, client: Address) -> bool {
    let (client, now) = (client.of_client(), tables.now());
    let was_told = tables.error_sent(&client).is_some_and(|last| now.since(last) == 0);
    !was_told && tables.take_error(now) && tables.remember_error(&client, now)
}

#[inline(always)]
fn write<P: Packet>(
    packet: &mut P,
    datagram: &Datagram,
    from: Address,
    about: icmp::TypeAndCode,
    word: u32,
) -> Option<()> {
    let network = &datagram.network;
    let ip_length = match network.version {
        IpVersion::V4 => ipv4::LENGTH,
        IpVersion::V6 => ipv6::LENGTH,
    };
    let quoted = usize::from(network.length).min(QUOTED) & !1;
    let message = icmp::LENGTH + quoted;
    packet.cut(network.offset + quoted)?;
    packet.grow_head(ip_length + icmp::LENGTH)?;
    move_link(packet, network.offset, ip_length + icmp::LENGTH)?;

    let payload = network.offset + ip_length;
    *packet.octets_mut(payload)? = [about[0], about[1], 0, 0];
    *packet.octets_mut(payload + 4)? = word.to_be_bytes();
    let (sum, length) = (Sum::default(), message as u16);
    let sum = match network.version {
        IpVersion::V4 => {
            let header = packet.octets_mut(network.offset)?;
            let prepared = ipv4::prepare(from.v4_octets(), network.source.v4_octets(), 0);
            ipv4::emit(header, &prepared, 0, 0, length + ip_length as u16, Protocol::ICMP);
            sum
        }
        IpVersion::V6 => {
            let header = packet.octets_mut(network.offset)?;
            let prepared = ipv6::prepare(from.octets(), network.source.octets(), 0);
            ipv6::emit(header, &prepared, 0, 0, 0, length, Protocol::ICMPV6);
            sum.address(from).address(network.source).word(length).word(u16::from(Protocol::ICMPV6.0))
        }
    };
    let checksum = message_sum(packet, payload, sum).checksum();
    *packet.octets_mut(payload + 2)? = checksum.to_be_bytes();
    Some(())
}

/// Adds the message, which reaches to the frame's end.
#[inline(always)]
fn message_sum(packet: &impl Packet, offset: usize, mut sum: Sum) -> Sum {
    for place in 0..LONGEST_MESSAGE / 2 {
        let Some(word) = packet.octets::<2>(offset + place * 2) else { break };
        sum = sum.word(u16::from_be_bytes(*word));
    }
    sum
}

/// Puts the link header, which stands `by` octets behind the frame's head, back to the head, turned around.
#[inline(always)]
fn move_link<P: Packet>(packet: &mut P, length: usize, by: usize) -> Option<()> {
    let addresses: [u8; ethernet::ADDRESSES_LENGTH] = *packet.octets(by)?;
    *packet.octets_mut(0)? = addresses;
    for place in (ethernet::ADDRESSES_LENGTH..ethernet::LENGTH + 2 * ethernet::TAG_LENGTH).step_by(2) {
        if place >= length {
            break;
        }
        let word: [u8; 2] = *packet.octets(by + place)?;
        *packet.octets_mut(place)? = word;
    }
    swap_link(packet)
}

#[inline(always)]
fn swap_link<P: Packet>(packet: &mut P) -> Option<()> {
    let addresses: &mut ethernet::Addresses = packet.octets_mut(0)?;
    for place in 0..6 {
        addresses.swap(place, place + 6);
    }
    Some(())
}
