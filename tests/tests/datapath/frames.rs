//! Frames, built and taken apart by a library that knows nothing of the code under test.

use std::net::IpAddr;

use etherparse::{
    EtherType, Ethernet2Header, IpDscp, IpEcn, IpFragOffset, IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header,
    Ipv6FlowLabel, Ipv6Header, LaxNetSlice as NetSlice, LaxSlicedPacket, PacketBuilder, TcpHeader,
    TransportSlice, UdpHeader,
};
use lb_common::address::Address;
use lb_common::flow::{Flow, IpVersion, Protocol};
use lb_common::service::ServiceFlags;
use lb_common::siphash::{HashKey, Keyed};
use lb_userspace::config::Forwarding;

use crate::engine::Action;
use crate::services::{
    BACKEND_MAC, CLIENT_MAC, Case, FAR_V4, FAR_V6, HASH_KEY, NODE_MAC, NODE_V4, NODE_V6, TAG, TAGGED_V4,
    TAGGED_V6, ip, v4, v6,
};

pub const ROUTER_V4: &str = "203.0.113.254";
pub const ROUTER_V6: &str = "2001:db8:c::fe";
pub const CLIENT_V4: &str = "203.0.113.2";
pub const CLIENT_V6: &str = "2001:db8:c::2";
pub const CLIENT_PORT: u16 = 40_000;

/// A well-formed packet for a service, of so many octets of payload.
pub fn packet(case: Case, payload: usize) -> Vec<u8> {
    packet_to(case.vip(), case.port(), case.protocol(), payload)
}

/// A TCP segment or UDP datagram from the client.
pub fn packet_to(vip: &str, port: u16, protocol: Protocol, payload: usize) -> Vec<u8> {
    let link = PacketBuilder::ethernet2(CLIENT_MAC, NODE_MAC);
    let network = match ip(vip) {
        IpAddr::V4(vip) => link.ipv4(v4(CLIENT_V4), vip.octets(), 61),
        IpAddr::V6(vip) => link.ipv6(v6(CLIENT_V6), vip.octets(), 61),
    };
    let payload = vec![0x5a; payload];
    let mut frame = Vec::new();
    if protocol == Protocol::TCP {
        network.tcp(CLIENT_PORT, port, 1, 65_535).write(&mut frame, &payload).unwrap();
    } else {
        network.udp(CLIENT_PORT, port).write(&mut frame, &payload).unwrap();
    }
    frame
}

/// A UDP datagram with that payload.
pub fn udp_with(vip: &str, port: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let link = PacketBuilder::ethernet2(CLIENT_MAC, NODE_MAC);
    link.ipv4(v4(CLIENT_V4), v4(vip), 61).udp(CLIENT_PORT, port).write(&mut frame, payload).unwrap();
    frame
}

/// An echo request to a VIP.
pub fn echo(vip: &str, payload: &[u8]) -> Vec<u8> {
    let link = PacketBuilder::ethernet2(CLIENT_MAC, NODE_MAC);
    let mut frame = Vec::new();
    match ip(vip) {
        IpAddr::V4(vip) => {
            let network = link.ipv4(v4(CLIENT_V4), vip.octets(), 61);
            network.icmpv4_echo_request(7, 9).write(&mut frame, payload).unwrap();
        }
        IpAddr::V6(vip) => {
            let network = link.ipv6(v6(CLIENT_V6), vip.octets(), 61);
            network.icmpv6_echo_request(7, 9).write(&mut frame, payload).unwrap();
        }
    }
    frame
}

/// The reply to [`echo`], as the node sends it.
pub fn echo_reply(vip: &str, payload: &[u8]) -> Vec<u8> {
    let link = PacketBuilder::ethernet2(NODE_MAC, CLIENT_MAC);
    let mut frame = Vec::new();
    match ip(vip) {
        IpAddr::V4(vip) => {
            let network = link.ipv4(vip.octets(), v4(CLIENT_V4), 64);
            network.icmpv4_echo_reply(7, 9).write(&mut frame, payload).unwrap();
        }
        IpAddr::V6(vip) => {
            let network = link.ipv6(vip.octets(), v6(CLIENT_V6), 64);
            network.icmpv6_echo_reply(7, 9).write(&mut frame, payload).unwrap();
        }
    }
    frame
}

/// An ICMP error that a router on the way sends to the VIP, about a packet that it quotes.
pub fn icmp_error(vip: &str, kind: [u8; 2], quoted: &[u8]) -> Vec<u8> {
    let link = PacketBuilder::ethernet2(CLIENT_MAC, NODE_MAC);
    let mut frame = Vec::new();
    match ip(vip) {
        IpAddr::V4(vip) => {
            let network = link.ipv4(v4(ROUTER_V4), vip.octets(), 60);
            network.icmpv4_raw(kind[0], kind[1], [0, 0, 5, 0]).write(&mut frame, quoted).unwrap();
        }
        IpAddr::V6(vip) => {
            let network = link.ipv6(v6(ROUTER_V6), vip.octets(), 60);
            network.icmpv6_raw(kind[0], kind[1], [0, 0, 5, 0]).write(&mut frame, quoted).unwrap();
        }
    }
    frame
}

/// The beginning of a reply from a VIP to the client, without Ethernet: what errors quote.
pub fn reply(case: Case) -> Vec<u8> {
    let link = PacketBuilder::ethernet2(NODE_MAC, CLIENT_MAC);
    let network = match ip(case.vip()) {
        IpAddr::V4(vip) => link.ipv4(vip.octets(), v4(CLIENT_V4), 3),
        IpAddr::V6(vip) => link.ipv6(vip.octets(), v6(CLIENT_V6), 3),
    };
    let mut frame = Vec::new();
    if case.protocol() == Protocol::TCP {
        network.tcp(case.port(), CLIENT_PORT, 1, 65_535).write(&mut frame, &[1; 100]).unwrap();
    } else {
        network.udp(case.port(), CLIENT_PORT).write(&mut frame, &[1; 100]).unwrap();
    }
    frame.split_off(Ethernet2Header::LEN)
}

/// The error that the node sends about a frame: from whom, type and code, and the word behind them.
pub fn error_about(frame: &[u8], from: &str, kind: [u8; 2], word: u32) -> Vec<u8> {
    let offset = ip_offset(frame);
    let packet = &frame[offset..offset + ip_length(frame)];
    let quoted = &packet[..packet.len().min(96) & !1];
    let mut sent = Vec::new();
    let link = PacketBuilder::ethernet2(NODE_MAC, CLIENT_MAC);
    match parsed(frame).net.unwrap() {
        NetSlice::Ipv4(packet) => {
            let length = (8 + quoted.len()) as u16;
            let client = packet.header().source();
            let mut ip = Ipv4Header::new(length, 64, IpNumber::ICMP, v4(from), client).unwrap();
            ip.dont_fragment = true;
            let network = link.ip(IpHeaders::Ipv4(ip, Ipv4Extensions::default()));
            network.icmpv4_raw(kind[0], kind[1], word.to_be_bytes()).write(&mut sent, quoted).unwrap();
        }
        NetSlice::Ipv6(packet) => {
            let network = link.ipv6(v6(from), packet.header().source(), 64);
            network.icmpv6_raw(kind[0], kind[1], word.to_be_bytes()).write(&mut sent, quoted).unwrap();
        }
        NetSlice::Arp(_) => panic!("ARP is not IP"),
    }
    // The tags go back as they came.
    let tags = &frame[12..offset - 2];
    [&sent[..12], tags, &sent[12..]].concat()
}

/// The same frame from another client, with the IP checksum made right.
pub fn from_client(frame: &[u8], number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    if ip_offset(frame) == 14 && frame[12] == 0x08 {
        with_ipv4(frame, |ip| ip.source = [203, 0, high, low])
    } else {
        with_ipv6(frame, |ip| [ip.source[6], ip.source[7]] = [high, low])
    }
}

/// The frame with tags in front of its type.
pub fn tagged(frame: &[u8], tags: &[[u8; 4]]) -> Vec<u8> {
    [&frame[..12], &tags.concat(), &frame[12..]].concat()
}

/// An IPv6 frame with extension headers, each with its type and its octets, of which the first is the next type.
pub fn extended(frame: &[u8], extensions: &[(u8, &[u8])]) -> Vec<u8> {
    let (mut ip, rest) = Ipv6Header::from_slice(&frame[Ethernet2Header::LEN..]).unwrap();
    let mut next = ip.next_header.0;
    let mut headers = Vec::new();
    for (kind, octets) in extensions.iter().rev() {
        headers = [&[next], &octets[1..], &headers[..]].concat();
        next = *kind;
    }
    ip.next_header = IpNumber(next);
    ip.payload_length += headers.len() as u16;
    [&frame[..Ethernet2Header::LEN], &ip.to_bytes(), &headers, rest].concat()
}

/// The parts of a packet: those of IPv4 by its own header, those of IPv6 by an extension header. Offsets count octets of
/// the packet's payload, and are multiples of 8.
pub fn fragments(frame: &[u8], identification: u16, cuts: &[usize]) -> Vec<Vec<u8>> {
    let is_ipv4 = frame[12] == 0x08;
    let header = Ethernet2Header::LEN + if is_ipv4 { Ipv4Header::MIN_LEN } else { Ipv6Header::LEN };
    let payload = &frame[header..];
    let ends = cuts.iter().copied().chain([payload.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts
        .zip(ends)
        .map(|(start, end)| {
            let part = [&frame[..header], &payload[start..end]].concat();
            let more = end < payload.len();
            if is_ipv4 {
                with_ipv4(&part, |ip| {
                    ip.identification = identification;
                    ip.more_fragments = more;
                    ip.fragment_offset = IpFragOffset::try_new(start as u16 / 8).unwrap();
                    ip.total_len = (Ipv4Header::MIN_LEN + end - start) as u16;
                })
            } else {
                let part = with_ipv6(&part, |ip| ip.payload_length = (end - start) as u16);
                let [high, low] = (start as u16 | u16::from(more)).to_be_bytes();
                let [id_high, id_low] = identification.to_be_bytes();
                extended(&part, &[(44, &[0, 0, high, low, 0xab, 0xcd, id_high, id_low])])
            }
        })
        .collect()
}

/// The same frame with its IPv4 header changed, and the checksum made right.
pub fn with_ipv4(frame: &[u8], change: impl FnOnce(&mut Ipv4Header)) -> Vec<u8> {
    let (mut header, rest) = Ipv4Header::from_slice(&frame[Ethernet2Header::LEN..]).unwrap();
    change(&mut header);
    header.header_checksum = header.calc_header_checksum();
    [&frame[..Ethernet2Header::LEN], &header.to_bytes(), rest].concat()
}

/// The same frame with its IPv6 header changed.
pub fn with_ipv6(frame: &[u8], change: impl FnOnce(&mut Ipv6Header)) -> Vec<u8> {
    let (mut header, rest) = Ipv6Header::from_slice(&frame[Ethernet2Header::LEN..]).unwrap();
    change(&mut header);
    [&frame[..Ethernet2Header::LEN], &header.to_bytes(), rest].concat()
}

/// A frame without tags, options or extension headers, with its TCP header changed.
pub fn with_tcp(frame: &[u8], change: impl FnOnce(&mut TcpHeader)) -> Vec<u8> {
    let offset = Ethernet2Header::LEN + if frame[12] == 0x08 { Ipv4Header::MIN_LEN } else { Ipv6Header::LEN };
    let (mut header, payload) = TcpHeader::from_slice(&frame[offset..]).unwrap();
    change(&mut header);
    let sum = match parsed(frame).net.unwrap() {
        NetSlice::Ipv4(ip) => {
            header.calc_checksum_ipv4_raw(ip.header().source(), ip.header().destination(), payload)
        }
        NetSlice::Ipv6(ip) => {
            header.calc_checksum_ipv6_raw(ip.header().source(), ip.header().destination(), payload)
        }
        NetSlice::Arp(_) => panic!("ARP is not IP"),
    };
    header.checksum = sum.unwrap();
    [&frame[..offset], &header.to_bytes(), payload].concat()
}

/// The frame as a service's only backend gets it, and by which interface.
pub fn sent(case: Case, frame: &[u8]) -> (Action, Vec<u8>) {
    let backend = case.backends()[0];
    sent_to(backend, case.forwarding(), frame, flow_hash(frame))
}

/// The frame as a backend gets it. Outer headers take their entropy from the flow's hash.
pub fn sent_to(backend: &str, forwarding: Forwarding, frame: &[u8], hash: u64) -> (Action, Vec<u8>) {
    let action = if [FAR_V4, FAR_V6].contains(&backend) { Action::Redirect } else { Action::Transmit };
    let offset = ip_offset(frame);
    let packet = &frame[offset..offset + ip_length(frame)];
    let (inner, traffic_class) = match packet[0] >> 4 {
        4 => (IpNumber::IPV4, packet[1]),
        _ => (IpNumber::IPV6, packet[0] << 4 | packet[1] >> 4),
    };
    let mut addresses = [0; 12];
    addresses[..6].copy_from_slice(&BACKEND_MAC);
    addresses[6..].copy_from_slice(&NODE_MAC);
    let mut link = addresses.to_vec();
    if [TAGGED_V4, TAGGED_V6].contains(&backend) {
        link.extend([0x81, 0x00]);
        link.extend(TAG.to_be_bytes());
    }
    let (outer, payload) = match forwarding {
        Forwarding::L2 => {
            let ethertype = if inner == IpNumber::IPV4 { EtherType::IPV4 } else { EtherType::IPV6 };
            link.extend(ethertype.0.to_be_bytes());
            // The padding of a short frame stays.
            return (action, [&link, &frame[offset..]].concat());
        }
        Forwarding::Ipip => (inner, packet.to_vec()),
        Forwarding::Gue { port } => {
            let udp = UdpHeader {
                source_port: 0xc000 | hash as u16,
                destination_port: port,
                length: (UdpHeader::LEN + packet.len()) as u16,
                checksum: 0,
            };
            (IpNumber::UDP, [&udp.to_bytes()[..], packet].concat())
        }
    };
    let outer = match ip(backend) {
        IpAddr::V4(backend) => {
            let (source, length) = (v4(NODE_V4), payload.len() as u16);
            let mut ip = Ipv4Header::new(length, 64, outer, source, backend.octets()).unwrap();
            ip.dont_fragment = true;
            ip.dscp = IpDscp::try_new(traffic_class >> 2).unwrap();
            ip.ecn = IpEcn::try_new(traffic_class & 3).unwrap();
            ip.header_checksum = ip.calc_header_checksum();
            link.extend(EtherType::IPV4.0.to_be_bytes());
            ip.to_bytes().to_vec()
        }
        IpAddr::V6(backend) => {
            link.extend(EtherType::IPV6.0.to_be_bytes());
            let ip = Ipv6Header {
                traffic_class,
                flow_label: Ipv6FlowLabel::try_new(hash as u32 & 0xf_ffff).unwrap(),
                payload_length: payload.len() as u16,
                next_header: outer,
                hop_limit: 64,
                source: v6(NODE_V6),
                destination: backend.octets(),
            };
            ip.to_bytes().to_vec()
        }
    };
    (action, [link, outer, payload].concat())
}

/// The hash of the flow that a frame belongs to; the hash itself is tested where it is defined.
pub fn flow_hash(frame: &[u8]) -> u64 {
    flow(frame).hash(Keyed::new(HashKey::new(HASH_KEY)))
}

/// The hash of the addresses that a frame is from and to.
pub fn address_hash(frame: &[u8]) -> u64 {
    flow(frame).reduced(ServiceFlags::BY_ADDRESSES).hash(Keyed::new(HashKey::new(HASH_KEY)))
}

fn flow(frame: &[u8]) -> Flow {
    let packet = parsed(frame);
    let (version, source, destination, protocol) = match packet.net.unwrap() {
        NetSlice::Ipv4(ip) => {
            let protocol = ip.header().protocol();
            let ip = ip.header();
            (IpVersion::V4, Address::v4(ip.source()), Address::v4(ip.destination()), protocol)
        }
        NetSlice::Ipv6(ip) => {
            let protocol = ip.payload().ip_number;
            let ip = ip.header();
            (IpVersion::V6, Address::v6(ip.source()), Address::v6(ip.destination()), protocol)
        }
        NetSlice::Arp(_) => panic!("ARP has no flow"),
    };
    let (source_port, destination_port) = match packet.transport {
        Some(TransportSlice::Tcp(tcp)) => (tcp.source_port(), tcp.destination_port()),
        Some(TransportSlice::Udp(udp)) => (udp.source_port(), udp.destination_port()),
        _ => (0, 0),
    };
    let protocol = Protocol(protocol.0);
    Flow { version, source, destination, source_port, destination_port, protocol }
}

/// Octets of the frame before its IP packet.
pub fn ip_offset(frame: &[u8]) -> usize {
    let mut offset = Ethernet2Header::LEN;
    while [[0x81, 0x00], [0x88, 0xa8]].contains(&[frame[offset - 2], frame[offset - 1]]) {
        offset += 4;
    }
    offset
}

/// Octets of the IP packet in a frame, by its own header.
pub fn ip_length(frame: &[u8]) -> usize {
    let ip = &frame[ip_offset(frame)..];
    if ip[0] >> 4 == 4 {
        usize::from(u16::from_be_bytes([ip[2], ip[3]]))
    } else {
        usize::from(u16::from_be_bytes([ip[4], ip[5]])) + Ipv6Header::LEN
    }
}

pub fn parsed(frame: &[u8]) -> LaxSlicedPacket<'_> {
    LaxSlicedPacket::from_ethernet(frame).unwrap()
}

/// Octets of the headers of a TCP segment in IPv4, without Ethernet.
pub const TCP_V4_HEADERS: usize = Ipv4Header::MIN_LEN + TcpHeader::MIN_LEN;
/// Octets of the headers of a TCP segment in IPv6, without Ethernet.
pub const TCP_V6_HEADERS: usize = Ipv6Header::LEN + TcpHeader::MIN_LEN;
