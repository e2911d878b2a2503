//! What is the kernel's.

use etherparse::IpNumber;
use lb_common::address::Address;
use lb_common::flow::Protocol;
use lb_common::verdict::PassReason::{ForMany, Icmp, NoService, NotAVip, NotIp, OtherProtocol, Truncated};

use super::{Expected, Row, row};
use crate::frames::{
    CLIENT_V4, echo, extended, fragments, icmp_error, packet, packet_to, reply, tagged, with_ipv4, with_ipv6,
};
use crate::services::{Case, VIP_V4, VIP_V6, v4};

pub fn rows() -> Vec<Row> {
    let v4 = packet(Case::L2V4, 100);
    let v6 = packet(Case::L2V6, 100);
    let with_ethertype = |ethertype: u16| {
        let mut frame = v4.clone();
        frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
        frame
    };
    let tag = [0x81, 0x00, 0x00, 0x07];
    let mut timestamp = echo(VIP_V4, b"");
    timestamp[34] = 13;
    let other_way = with_ipv4(&v4, |ip| std::mem::swap(&mut ip.source, &mut ip.destination));
    let tcp_as = |number| with_ipv4(&v4, |ip| ip.protocol = number);
    let stranger = with_ipv4(&icmp_error(VIP_V4, [3, 1], &reply(Case::L2V4)), |ip| ip.destination[3] = 77);
    let expired = |frame: &[u8]| with_ipv4(frame, |ip| ip.time_to_live = 1);
    [
        ("another port, no further", expired(&packet_to(VIP_V4, 1, Protocol::TCP, 0)), NoService),
        ("a timestamp request, no further", expired(&timestamp), Icmp),
        ("ESP, no further", expired(&tcp_as(IpNumber::ENCAPSULATING_SECURITY_PAYLOAD)), OtherProtocol),
        ("another port", packet_to(VIP_V4, 1, Protocol::TCP, 0), NoService),
        (
            "another protocol of the same port",
            packet_to(VIP_V4, Case::L2V4.port(), Protocol::UDP, 0),
            NoService,
        ),
        ("another port, IPv6", packet_to(VIP_V6, 1, Protocol::TCP, 0), NoService),
        (
            "any port, but not of that protocol",
            packet_to(Case::AnyPort.vip(), 1, Protocol::UDP, 0),
            NoService,
        ),
        (
            "a port that only another VIP has",
            packet_to(VIP_V6, Case::L2V4.port(), Protocol::TCP, 0),
            NoService,
        ),
        ("another address", with_ipv4(&v4, |ip| ip.destination = [192, 0, 2, 77]), NotAVip),
        ("another IPv6 address", with_ipv6(&v6, |ip| ip.destination[15] = 77), NotAVip),
        ("the address before a prefix", packet_to("198.17.255.255", 80, Protocol::TCP, 0), NotAVip),
        ("the address behind a prefix", packet_to("198.19.0.0", 80, Protocol::TCP, 0), NotAVip),
        ("an IPv6 address behind a prefix", packet_to("2001:db8:78::", 80, Protocol::TCP, 0), NotAVip),
        ("a reply from a backend", other_way, NotAVip),
        (
            "an illegal packet for someone else",
            with_ipv4(&v4, |ip| {
                ip.destination = [192, 0, 2, 77];
                ip.total_len = 9;
            }),
            NotAVip,
        ),
        ("a broadcast frame", [&[0xff; 6], &v4[6..]].concat(), ForMany),
        ("a multicast frame", [&[0x33, 0x33, 0, 0, 0, 1], &v6[6..]].concat(), ForMany),
        ("IPv6 to a mapped IPv4 VIP", with_ipv6(&v6, |ip| ip.destination = mapped(VIP_V4)), NotAVip),
        ("IPv6 from a mapped IPv4 address", with_ipv6(&v6, |ip| ip.source = mapped(CLIENT_V4)), NotAVip),
        ("an echo request from everybody", with_ipv4(&echo(VIP_V4, b""), |ip| ip.source = [255; 4]), Icmp),
        ("ARP", with_ethertype(0x0806), NotIp),
        ("a length instead of a type", with_ethertype(0x0100), NotIp),
        ("ARP behind a tag", tagged(&with_ethertype(0x0806), &[tag]), NotIp),
        ("three tags", tagged(&v4, &[tag; 3]), NotIp),
        ("ESP", tcp_as(IpNumber::ENCAPSULATING_SECURITY_PAYLOAD), OtherProtocol),
        ("SCTP", tcp_as(IpNumber(132)), OtherProtocol),
        ("IPv4 in IPv4", tcp_as(IpNumber::IPV4), OtherProtocol),
        ("ICMPv6 in IPv4", tcp_as(IpNumber::IPV6_ICMP), OtherProtocol),
        ("ICMP in IPv6", with_ipv6(&v6, |ip| ip.next_header = IpNumber::ICMP), OtherProtocol),
        ("no next header", with_ipv6(&v6, |ip| ip.next_header = IpNumber(59)), OtherProtocol),
        ("an authentication header", extended(&v6, &[(51, &[0, 4, 0, 0, 0, 0, 0, 0])]), OtherProtocol),
        ("Ethernet alone", v4[..14].to_vec(), Truncated),
        ("half an IPv4 header", v4[..33].to_vec(), Truncated),
        ("half an IPv6 header", v6[..53].to_vec(), Truncated),
        ("half a tag", tagged(&v4, &[tag])[..16].to_vec(), Truncated),
        ("a tag and half an IPv4 header", tagged(&v4, &[tag])[..37].to_vec(), Truncated),
        ("an ICMP timestamp request", timestamp, Icmp),
        ("an echo request for someone else", echo("192.0.2.77", b""), NotAVip),
        ("an echo request in parts", fragments(&echo(VIP_V4, &[1; 64]), 1, &[16]).remove(0), Icmp),
        ("an error about someone else's packet", stranger, NotAVip),
    ]
    .map(|(behaviour, frame, reason)| row(behaviour, frame, Expected::Pass(reason)))
    .into()
}

fn mapped(address: &str) -> [u8; 16] {
    Address::v4(v4(address)).octets()
}
