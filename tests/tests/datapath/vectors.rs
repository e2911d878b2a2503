//! Packets and what must become of them: the verdict, the octets that leave, and every counter that moves.

use etherparse::{IpDscp, IpEcn, IpFragOffset, IpNumber, Ipv4Options, NetSlice, TransportSlice};
use lb_common::address::Address;
use lb_common::flow::{Flow, IpVersion, Protocol};
use lb_common::siphash::HashKey;
use lb_common::verdict::{DropReason, PassReason, RECEIVED, Traffic, Verdict};
use lb_userspace::image::Counters;

use crate::engine::{Action, Kernel, Outcome, host};
use crate::frames::*;
use crate::services::*;

/// A behaviour, a packet in, and what must become of it.
struct Row {
    behaviour: &'static str,
    frame: Vec<u8>,
    expected: Expected,
}

enum Expected {
    Pass(PassReason),
    Drop(Case, DropReason),
    /// To the service's only backend.
    Forward(Case),
}
use Expected::{Drop, Forward, Pass};

fn row(behaviour: &'static str, frame: Vec<u8>, expected: Expected) -> Row {
    Row { behaviour, frame, expected }
}

fn rows() -> Vec<Row> {
    [forwarded(), passed(), dropped()].into_iter().flatten().collect()
}

fn forwarded() -> Vec<Row> {
    let v4 = |case: Case| tcp_v4(case.port(), 100);
    let v6 = |case: Case| tcp_v6(case.port(), 100);
    let marked_v4 = |case| {
        with_ipv4(&v4(case), |ip| {
            ip.dscp = IpDscp::try_new(46).unwrap();
            ip.ecn = IpEcn::try_new(2).unwrap();
        })
    };
    let marked_v6 = |case| with_ipv6(&v6(case), |ip| ip.traffic_class = 0xb9);
    let long_v4 = |case: Case, length| tcp_v4(case.port(), length - TCP_V4_HEADERS);
    let long_v6 = |case: Case, length| tcp_v6(case.port(), length - TCP_V6_HEADERS);
    let padded = |case: Case| [tcp_v4(case.port(), 0), vec![0; 6]].concat();
    let last_hop = |case| with_ipv4(&v4(case), |ip| ip.time_to_live = 7);
    [
        ("l2, IPv4", Case::L2V4, v4(Case::L2V4)),
        ("l2, IPv6", Case::L2V6, v6(Case::L2V6)),
        ("l2 through another interface", Case::FarL2, v4(Case::FarL2)),
        ("IPv4 in IPv4", Case::V4InV4, v4(Case::V4InV4)),
        ("IPv6 in IPv4", Case::V6InV4, v6(Case::V6InV4)),
        ("IPv6 in IPv6", Case::V6InV6, v6(Case::V6InV6)),
        ("IPv4 in IPv6", Case::V4InV6, v4(Case::V4InV6)),
        ("a tunnel through another interface", Case::FarV4InV4, v4(Case::FarV4InV4)),
        ("DSCP and ECN are copied, IPv4 in IPv4", Case::V4InV4, marked_v4(Case::V4InV4)),
        ("DSCP and ECN are copied, IPv4 in IPv6", Case::V4InV6, marked_v4(Case::V4InV6)),
        ("DSCP and ECN are copied, IPv6 in IPv4", Case::V6InV4, marked_v6(Case::V6InV4)),
        ("DSCP and ECN are copied, IPv6 in IPv6", Case::V6InV6, marked_v6(Case::V6InV6)),
        ("UDP", Case::Udp, udp_v4(Case::Udp.port(), 30)),
        ("UDP without a payload", Case::Udp, udp_v4(Case::Udp.port(), 0)),
        ("l2: exactly the MTU", Case::L2V4, long_v4(Case::L2V4, 1500)),
        ("IPv4 in IPv4: exactly the MTU", Case::V4InV4, long_v4(Case::V4InV4, 1480)),
        ("IPv6 in IPv6: exactly the MTU", Case::V6InV6, long_v6(Case::V6InV6, 1460)),
        ("padding of a short frame is not counted", Case::L2V4, padded(Case::L2V4)),
        ("the client's time to live stays as it is", Case::L2V4, last_hop(Case::L2V4)),
    ]
    .map(|(behaviour, case, frame)| row(behaviour, frame, Forward(case)))
    .into()
}

fn passed() -> Vec<Row> {
    let service = || tcp_v4(Case::L2V4.port(), 100);
    let with_ethertype = |ethertype: u16| {
        let mut frame = service();
        frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
        frame
    };
    let options = |ip: &mut etherparse::Ipv4Header| {
        ip.options = Ipv4Options::from([1, 1, 1, 0]);
        ip.total_len += 4;
    };
    vec![
        row("another port", tcp_v4(1, 0), Pass(PassReason::NoService)),
        row("another protocol of the same port", udp_v4(Case::L2V4.port(), 0), Pass(PassReason::NoService)),
        row(
            "another address",
            with_ipv4(&service(), |ip| ip.destination = [192, 0, 2, 77]),
            Pass(PassReason::NoService),
        ),
        row(
            "the same port of a VIP of the other IP version",
            tcp_v6(Case::L2V4.port(), 0),
            Pass(PassReason::NoService),
        ),
        row(
            "a reply from a backend",
            with_ipv4(&service(), |ip| std::mem::swap(&mut ip.source, &mut ip.destination)),
            Pass(PassReason::NoService),
        ),
        row("ARP", with_ethertype(0x0806), Pass(PassReason::NotIp)),
        row("a VLAN tag", with_ethertype(0x8100), Pass(PassReason::NotIp)),
        row("a length instead of a type", with_ethertype(0x0100), Pass(PassReason::NotIp)),
        row(
            "ICMP",
            with_ipv4(&service(), |ip| ip.protocol = IpNumber::ICMP),
            Pass(PassReason::OtherProtocol),
        ),
        row(
            "ICMPv6",
            with_ipv6(&tcp_v6(Case::L2V6.port(), 0), |ip| ip.next_header = IpNumber::IPV6_ICMP),
            Pass(PassReason::OtherProtocol),
        ),
        row(
            "an IPv6 extension header",
            with_ipv6(&tcp_v6(Case::L2V6.port(), 0), |ip| {
                ip.next_header = IpNumber::IPV6_HEADER_HOP_BY_HOP;
            }),
            Pass(PassReason::OtherProtocol),
        ),
        row("IPv4 options", with_ipv4(&service(), options), Pass(PassReason::Ipv4Options)),
        row(
            "a first fragment",
            with_ipv4(&service(), |ip| ip.more_fragments = true),
            Pass(PassReason::Fragment),
        ),
        row(
            "a later fragment",
            with_ipv4(&service(), |ip| ip.fragment_offset = IpFragOffset::try_new(100).unwrap()),
            Pass(PassReason::Fragment),
        ),
        row("Ethernet alone", service()[..14].to_vec(), Pass(PassReason::Truncated)),
        row("half an IPv4 header", service()[..30].to_vec(), Pass(PassReason::Truncated)),
        row("no ports behind IPv4", service()[..36].to_vec(), Pass(PassReason::Truncated)),
        row("half an IPv6 header", tcp_v6(Case::L2V6.port(), 0)[..50].to_vec(), Pass(PassReason::Truncated)),
        row("no ports behind IPv6", tcp_v6(Case::L2V6.port(), 0)[..57].to_vec(), Pass(PassReason::Truncated)),
        row("IPv4's type but version 6", with_octet(service(), 14, 0x65), Pass(PassReason::Ipv4Options)),
        row(
            "IPv6's type but version 4",
            with_octet(tcp_v6(Case::L2V6.port(), 0), 14, 0x45),
            Pass(PassReason::NotIp),
        ),
    ]
}

fn dropped() -> Vec<Row> {
    let ends_early = |frame: Vec<u8>, by: usize| frame[..frame.len() - by].to_vec();
    vec![
        row(
            "no backend can be reached",
            tcp_v4(Case::Unreachable.port(), 0),
            Drop(Case::Unreachable, DropReason::NoBackend),
        ),
        row(
            "no backend is configured",
            tcp_v4(Case::Empty.port(), 0),
            Drop(Case::Empty, DropReason::NoBackend),
        ),
        row(
            "an IPv4 packet that is shorter than it says",
            ends_early(tcp_v4(Case::L2V4.port(), 10), 1),
            Drop(Case::L2V4, DropReason::BadLength),
        ),
        row(
            "an IPv6 packet that is shorter than it says",
            ends_early(tcp_v6(Case::V6InV6.port(), 10), 1),
            Drop(Case::V6InV6, DropReason::BadLength),
        ),
        row(
            "IPv4 without room for a TCP header",
            with_ipv4(&tcp_v4(Case::L2V4.port(), 0), |ip| ip.total_len = 39),
            Drop(Case::L2V4, DropReason::BadLength),
        ),
        row(
            "IPv4 shorter than its own header",
            with_ipv4(&tcp_v4(Case::L2V4.port(), 0), |ip| ip.total_len = 0),
            Drop(Case::L2V4, DropReason::BadLength),
        ),
        row(
            "IPv6 without room for a TCP header",
            with_ipv6(&tcp_v6(Case::L2V6.port(), 0), |ip| ip.payload_length = 19),
            Drop(Case::L2V6, DropReason::BadLength),
        ),
        row(
            "an IPv6 jumbogram's length of zero",
            with_ipv6(&tcp_v6(Case::L2V6.port(), 0), |ip| ip.payload_length = 0),
            Drop(Case::L2V6, DropReason::BadLength),
        ),
        row(
            "UDP without room for its header",
            with_ipv4(&udp_v4(Case::Udp.port(), 0), |ip| ip.total_len = 27),
            Drop(Case::Udp, DropReason::BadLength),
        ),
        row(
            "l2: one octet over the egress MTU",
            tcp_v4(Case::FarL2.port(), usize::from(FAR_MTU) - TCP_V4_HEADERS + 1),
            Drop(Case::FarL2, DropReason::ExceedsMtu),
        ),
        row(
            "IPv4 in IPv4: one octet over the MTU",
            tcp_v4(Case::V4InV4.port(), 1481 - TCP_V4_HEADERS),
            Drop(Case::V4InV4, DropReason::ExceedsMtu),
        ),
        row(
            "IPv6 in IPv6: one octet over the MTU",
            tcp_v6(Case::V6InV6.port(), 1461 - TCP_V6_HEADERS),
            Drop(Case::V6InV6, DropReason::ExceedsMtu),
        ),
        row(
            "IPv6 in IPv6 over an MTU of 1280",
            tcp_v6(Case::FarV6InV6.port(), 1241 - TCP_V6_HEADERS),
            Drop(Case::FarV6InV6, DropReason::ExceedsMtu),
        ),
    ]
}

fn with_octet(mut frame: Vec<u8>, offset: usize, octet: u8) -> Vec<u8> {
    frame[offset] = octet;
    frame
}

/// What leaves for a service's backend, and how.
fn sent(case: Case, frame: &[u8]) -> (Action, Vec<u8>) {
    let frame_sent = match case.tunnel() {
        None => to_backend(frame),
        Some(backend) => encapsulated(frame, backend, flow_hash(frame) as u32 & 0xf_ffff),
    };
    (if case.is_far() { Action::Redirect } else { Action::Transmit }, frame_sent)
}

/// Of the client's flow; the hash itself is tested where it is defined.
fn flow_hash(frame: &[u8]) -> u64 {
    let packet = parsed(frame);
    let (version, source, destination) = match packet.net.unwrap() {
        NetSlice::Ipv4(ip) => {
            let ip = ip.header();
            (IpVersion::V4, Address::v4(ip.source()), Address::v4(ip.destination()))
        }
        NetSlice::Ipv6(ip) => {
            let ip = ip.header();
            (IpVersion::V6, Address::v6(ip.source()), Address::v6(ip.destination()))
        }
        NetSlice::Arp(_) => panic!("ARP has no flow"),
    };
    let (source_port, destination_port, protocol) = match packet.transport.unwrap() {
        TransportSlice::Tcp(tcp) => (tcp.source_port(), tcp.destination_port(), Protocol::TCP),
        TransportSlice::Udp(udp) => (udp.source_port(), udp.destination_port(), Protocol::UDP),
        other => panic!("{other:?} has no ports"),
    };
    let flow = Flow { version, source, destination, source_port, destination_port, protocol };
    flow.hash(HashKey::new(HASH_KEY))
}

impl Row {
    fn outcome(&self) -> Outcome {
        let mut counted = Counters::default();
        counted.node[RECEIVED] = 1;
        let (verdict, action, frame) = match &self.expected {
            Pass(reason) => (Verdict::Pass(*reason), Action::Pass, self.frame.clone()),
            Drop(case, reason) => {
                counted.services.entry(*case as u32).or_default().dropped[*reason as usize] = 1;
                (Verdict::Drop(*reason), Action::Drop, self.frame.clone())
            }
            Forward(case) => {
                let traffic = Traffic { packets: 1, octets: ip_length(&self.frame) };
                counted.services.entry(*case as u32).or_default().forwarded = traffic;
                counted.backends.insert(case.backend(), traffic);
                let (action, frame) = sent(*case, &self.frame);
                (Verdict::Transmit { egress: INGRESS }, action, frame)
            }
        };
        counted.node[verdict.counter()] = 1;
        Outcome { action, frame, counted }
    }
}

#[test]
fn on_the_host() {
    let image = image();
    for row in rows() {
        assert_eq!(host(&image, &row.frame), row.outcome(), "{}", row.behaviour);
    }
}

#[test]
fn in_the_kernel() {
    let mut kernel = Kernel::load(image());
    for row in rows() {
        assert_eq!(kernel.run(&row.frame), row.outcome(), "{}", row.behaviour);
    }
}

#[test]
fn behaviours_are_named_once() {
    let mut names: Vec<_> = rows().iter().map(|row| row.behaviour).collect();
    let rows = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), rows);
}
