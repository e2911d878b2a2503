//! Frames, built and taken apart by a library that knows nothing of the code under test.

use etherparse::{
    EtherType, Ethernet2Header, IpDscp, IpEcn, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, NetSlice,
    PacketBuilder, SlicedPacket, TcpHeader,
};

use crate::services::{BACKEND_MAC, CLIENT_MAC, NODE_MAC, NODE_V4, NODE_V6, VIP_V4, VIP_V6, ip, v4, v6};

pub const CLIENT_V4: &str = "203.0.113.2";
pub const CLIENT_V6: &str = "2001:db8:c::2";
pub const CLIENT_PORT: u16 = 40_000;

/// A TCP segment from the client to a VIP.
pub fn tcp_v4(port: u16, payload: usize) -> Vec<u8> {
    tcp_v4_from(CLIENT_PORT, port, payload)
}

pub fn tcp_v4_from(client_port: u16, port: u16, payload: usize) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(CLIENT_MAC, NODE_MAC).ipv4(v4(CLIENT_V4), v4(VIP_V4), 61).tcp(
        client_port,
        port,
        1,
        65_535,
    );
    let mut frame = Vec::new();
    builder.write(&mut frame, &vec![0x5a; payload]).unwrap();
    frame
}

pub fn tcp_v6(port: u16, payload: usize) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(CLIENT_MAC, NODE_MAC).ipv6(v6(CLIENT_V6), v6(VIP_V6), 61).tcp(
        CLIENT_PORT,
        port,
        1,
        65_535,
    );
    let mut frame = Vec::new();
    builder.write(&mut frame, &vec![0x5a; payload]).unwrap();
    frame
}

pub fn udp_v4(port: u16, payload: usize) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(CLIENT_MAC, NODE_MAC)
        .ipv4(v4(CLIENT_V4), v4(VIP_V4), 61)
        .udp(CLIENT_PORT, port);
    let mut frame = Vec::new();
    builder.write(&mut frame, &vec![0x5a; payload]).unwrap();
    frame
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

/// The frame as `l2` forwarding sends it.
pub fn to_backend(frame: &[u8]) -> Vec<u8> {
    let mut sent = frame.to_vec();
    sent[..6].copy_from_slice(&BACKEND_MAC);
    sent[6..12].copy_from_slice(&NODE_MAC);
    sent
}

/// The frame inside an IPv4 packet from the node. `inner` is the inner header's version.
pub fn in_ipv4(frame: &[u8], destination: &str, inner: IpNumber, traffic_class: u8) -> Vec<u8> {
    let packet = &frame[Ethernet2Header::LEN..];
    let mut outer = Ipv4Header::new(packet.len() as u16, 64, inner, v4(NODE_V4), v4(destination)).unwrap();
    outer.dont_fragment = true;
    outer.dscp = IpDscp::try_new(traffic_class >> 2).unwrap();
    outer.ecn = IpEcn::try_new(traffic_class & 3).unwrap();
    outer.header_checksum = outer.calc_header_checksum();
    [&link(EtherType::IPV4), &outer.to_bytes()[..], packet].concat()
}

/// The frame inside an IPv6 packet from the node.
pub fn in_ipv6(
    frame: &[u8],
    destination: &str,
    inner: IpNumber,
    traffic_class: u8,
    flow_label: u32,
) -> Vec<u8> {
    let packet = &frame[Ethernet2Header::LEN..];
    let outer = Ipv6Header {
        traffic_class,
        flow_label: Ipv6FlowLabel::try_new(flow_label).unwrap(),
        payload_length: packet.len() as u16,
        next_header: inner,
        hop_limit: 64,
        source: v6(NODE_V6),
        destination: v6(destination),
    };
    [&link(EtherType::IPV6), &outer.to_bytes()[..], packet].concat()
}

/// The frame inside a packet from the node to a backend, with what an outer header takes over from the inner one.
pub fn encapsulated(frame: &[u8], backend: &str, flow_label: u32) -> Vec<u8> {
    let (inner, traffic_class) = match parsed(frame).net.unwrap() {
        NetSlice::Ipv4(ip) => (IpNumber::IPV4, ip.header().dcp().value() << 2 | ip.header().ecn().value()),
        NetSlice::Ipv6(ip) => (IpNumber::IPV6, ip.header().traffic_class()),
        NetSlice::Arp(_) => panic!("ARP is not encapsulated"),
    };
    if ip(backend).is_ipv4() {
        in_ipv4(frame, backend, inner, traffic_class)
    } else {
        in_ipv6(frame, backend, inner, traffic_class, flow_label)
    }
}

/// Octets of the IP packet in a frame, by its own header.
pub fn ip_length(frame: &[u8]) -> u64 {
    match parsed(frame).net.unwrap() {
        NetSlice::Ipv4(ip) => u64::from(ip.header().total_len()),
        NetSlice::Ipv6(ip) => u64::from(ip.header().payload_length()) + Ipv6Header::LEN as u64,
        NetSlice::Arp(_) => panic!("ARP is not IP"),
    }
}

pub fn parsed(frame: &[u8]) -> SlicedPacket<'_> {
    SlicedPacket::from_ethernet(frame).unwrap()
}

fn link(ether_type: EtherType) -> Vec<u8> {
    Ethernet2Header { source: NODE_MAC, destination: BACKEND_MAC, ether_type }.to_bytes().to_vec()
}

/// Octets of the headers of a TCP segment in IPv4, without Ethernet.
pub const TCP_V4_HEADERS: usize = Ipv4Header::MIN_LEN + TcpHeader::MIN_LEN;
/// Octets of the headers of a TCP segment in IPv6, without Ethernet.
pub const TCP_V6_HEADERS: usize = Ipv6Header::LEN + TcpHeader::MIN_LEN;
