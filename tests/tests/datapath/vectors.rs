//! Packets and what must become of them: the verdict, the octets that leave, and every counter that moves.

use etherparse::{IpDscp, IpEcn, IpFragOffset, IpNumber, Ipv4Options};
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
    /// To the service's first backend: how, what leaves, and the octets of the IP packet as it came in.
    Forward(Case, Action, Vec<u8>, usize),
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
    let v4_length = TCP_V4_HEADERS + 100;
    let v6_length = TCP_V6_HEADERS + 100;
    let (ipv4, ipv6) = (IpNumber::IPV4, IpNumber::IPV6);
    use Action::{Redirect, Transmit};
    use Case::*;
    let tos = |frame: &[u8]| {
        with_ipv4(frame, |ip| {
            ip.dscp = IpDscp::try_new(46).unwrap();
            ip.ecn = IpEcn::try_new(2).unwrap();
        })
    };
    vec![
        row("l2, IPv4", v4(L2V4), Forward(L2V4, Transmit, to_backend(&v4(L2V4)), v4_length)),
        row("l2, IPv6", v6(L2V6), Forward(L2V6, Transmit, to_backend(&v6(L2V6)), v6_length)),
        row(
            "l2 through another interface",
            v4(FarL2),
            Forward(FarL2, Redirect, to_backend(&v4(FarL2)), v4_length),
        ),
        row(
            "IPv4 in IPv4",
            v4(V4InV4),
            Forward(V4InV4, Transmit, in_ipv4(&v4(V4InV4), BACKEND_V4, ipv4, 0), v4_length),
        ),
        row(
            "IPv6 in IPv4",
            v6(V6InV4),
            Forward(V6InV4, Transmit, in_ipv4(&v6(V6InV4), BACKEND_V4, ipv6, 0), v6_length),
        ),
        row(
            "IPv6 in IPv6",
            v6(V6InV6),
            Forward(
                V6InV6,
                Transmit,
                in_ipv6(&v6(V6InV6), BACKEND_V6, ipv6, 0, label(IpVersion::V6, V6InV6)),
                v6_length,
            ),
        ),
        row(
            "IPv4 in IPv6",
            v4(V4InV6),
            Forward(
                V4InV6,
                Transmit,
                in_ipv6(&v4(V4InV6), BACKEND_V6, ipv4, 0, label(IpVersion::V4, V4InV6)),
                v4_length,
            ),
        ),
        row(
            "a tunnel through another interface",
            v4(FarV4InV4),
            Forward(FarV4InV4, Redirect, in_ipv4(&v4(FarV4InV4), FAR_V4, ipv4, 0), v4_length),
        ),
        row(
            "DSCP and ECN are copied, IPv4 in IPv4",
            tos(&v4(V4InV4)),
            Forward(V4InV4, Transmit, in_ipv4(&tos(&v4(V4InV4)), BACKEND_V4, ipv4, 46 << 2 | 2), v4_length),
        ),
        row(
            "DSCP and ECN are copied, IPv4 in IPv6",
            tos(&v4(V4InV6)),
            Forward(
                V4InV6,
                Transmit,
                in_ipv6(&tos(&v4(V4InV6)), BACKEND_V6, ipv4, 46 << 2 | 2, label(IpVersion::V4, V4InV6)),
                v4_length,
            ),
        ),
        row("DSCP and ECN are copied, IPv6 in IPv4", with_ipv6(&v6(V6InV4), |ip| ip.traffic_class = 0xb9), {
            let frame = with_ipv6(&v6(V6InV4), |ip| ip.traffic_class = 0xb9);
            Forward(V6InV4, Transmit, in_ipv4(&frame, BACKEND_V4, ipv6, 0xb9), v6_length)
        }),
        row(
            "UDP",
            udp_v4(Udp.port(), 30),
            Forward(Udp, Transmit, to_backend(&udp_v4(Udp.port(), 30)), UDP_V4_HEADERS + 30),
        ),
        row(
            "UDP without a payload",
            udp_v4(Udp.port(), 0),
            Forward(Udp, Transmit, to_backend(&udp_v4(Udp.port(), 0)), UDP_V4_HEADERS),
        ),
        row(
            "l2: exactly the MTU",
            tcp_v4(L2V4.port(), 1500 - TCP_V4_HEADERS),
            Forward(L2V4, Transmit, to_backend(&tcp_v4(L2V4.port(), 1500 - TCP_V4_HEADERS)), 1500),
        ),
        row("IPv4 in IPv4: exactly the MTU", tcp_v4(V4InV4.port(), 1480 - TCP_V4_HEADERS), {
            let frame = tcp_v4(V4InV4.port(), 1480 - TCP_V4_HEADERS);
            Forward(V4InV4, Transmit, in_ipv4(&frame, BACKEND_V4, ipv4, 0), 1480)
        }),
        row("IPv6 in IPv6: exactly the MTU", tcp_v6(V6InV6.port(), 1460 - TCP_V6_HEADERS), {
            let frame = tcp_v6(V6InV6.port(), 1460 - TCP_V6_HEADERS);
            let label = label(IpVersion::V6, V6InV6);
            Forward(V6InV6, Transmit, in_ipv6(&frame, BACKEND_V6, ipv6, 0, label), 1460)
        }),
        row("padding of a short frame is not counted", [tcp_v4(L2V4.port(), 0), vec![0; 6]].concat(), {
            let frame = [tcp_v4(L2V4.port(), 0), vec![0; 6]].concat();
            Forward(L2V4, Transmit, to_backend(&frame), TCP_V4_HEADERS)
        }),
        row(
            "the client's time to live stays as it is",
            with_ipv4(&v4(L2V4), |ip| ip.time_to_live = 7),
            Forward(L2V4, Transmit, to_backend(&with_ipv4(&v4(L2V4), |ip| ip.time_to_live = 7)), v4_length),
        ),
    ]
}

fn passed() -> Vec<Row> {
    use PassReason::{Fragment, Ipv4Options as Options, NoService, NotIp, OtherProtocol, Truncated};
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
        row("another port", tcp_v4(1, 0), Pass(NoService)),
        row("another protocol of the same port", udp_v4(Case::L2V4.port(), 0), Pass(NoService)),
        row("another address", with_ipv4(&service(), |ip| ip.destination = [192, 0, 2, 77]), Pass(NoService)),
        row("the same port of a VIP of the other IP version", tcp_v6(Case::L2V4.port(), 0), Pass(NoService)),
        row(
            "a reply from a backend",
            with_ipv4(&service(), |ip| std::mem::swap(&mut ip.source, &mut ip.destination)),
            Pass(NoService),
        ),
        row("ARP", with_ethertype(0x0806), Pass(NotIp)),
        row("a VLAN tag", with_ethertype(0x8100), Pass(NotIp)),
        row("a length instead of a type", with_ethertype(0x0100), Pass(NotIp)),
        row("ICMP", with_ipv4(&service(), |ip| ip.protocol = IpNumber::ICMP), Pass(OtherProtocol)),
        row(
            "ICMPv6",
            with_ipv6(&tcp_v6(Case::L2V6.port(), 0), |ip| ip.next_header = IpNumber::IPV6_ICMP),
            Pass(OtherProtocol),
        ),
        row(
            "an IPv6 extension header",
            with_ipv6(&tcp_v6(Case::L2V6.port(), 0), |ip| {
                ip.next_header = IpNumber::IPV6_HEADER_HOP_BY_HOP;
            }),
            Pass(OtherProtocol),
        ),
        row("IPv4 options", with_ipv4(&service(), options), Pass(Options)),
        row("a first fragment", with_ipv4(&service(), |ip| ip.more_fragments = true), Pass(Fragment)),
        row(
            "a later fragment",
            with_ipv4(&service(), |ip| ip.fragment_offset = IpFragOffset::try_new(100).unwrap()),
            Pass(Fragment),
        ),
        row("Ethernet alone", service()[..14].to_vec(), Pass(Truncated)),
        row("half an IPv4 header", service()[..30].to_vec(), Pass(Truncated)),
        row("no ports behind IPv4", service()[..36].to_vec(), Pass(Truncated)),
        row("half an IPv6 header", tcp_v6(Case::L2V6.port(), 0)[..50].to_vec(), Pass(Truncated)),
        row("no ports behind IPv6", tcp_v6(Case::L2V6.port(), 0)[..57].to_vec(), Pass(Truncated)),
        row("IPv4's type but version 6", with_octet(service(), 14, 0x65), Pass(Options)),
        row("IPv6's type but version 4", with_octet(tcp_v6(Case::L2V6.port(), 0), 14, 0x45), Pass(NotIp)),
    ]
}

fn dropped() -> Vec<Row> {
    use Case::*;
    use DropReason::{BadLength, ExceedsMtu, NoBackend};
    let ends_early = |frame: Vec<u8>, by: usize| frame[..frame.len() - by].to_vec();
    vec![
        row("no backend can be reached", tcp_v4(Unreachable.port(), 0), Drop(Unreachable, NoBackend)),
        row("no backend is configured", tcp_v4(Empty.port(), 0), Drop(Empty, NoBackend)),
        row(
            "an IPv4 packet that is shorter than it says",
            ends_early(tcp_v4(L2V4.port(), 10), 1),
            Drop(L2V4, BadLength),
        ),
        row(
            "an IPv6 packet that is shorter than it says",
            ends_early(tcp_v6(V6InV6.port(), 10), 1),
            Drop(V6InV6, BadLength),
        ),
        row(
            "IPv4 without room for a TCP header",
            with_ipv4(&tcp_v4(L2V4.port(), 0), |ip| ip.total_len = 39),
            Drop(L2V4, BadLength),
        ),
        row(
            "IPv4 shorter than its own header",
            with_ipv4(&tcp_v4(L2V4.port(), 0), |ip| ip.total_len = 0),
            Drop(L2V4, BadLength),
        ),
        row(
            "IPv6 without room for a TCP header",
            with_ipv6(&tcp_v6(L2V6.port(), 0), |ip| ip.payload_length = 19),
            Drop(L2V6, BadLength),
        ),
        row(
            "an IPv6 jumbogram's length of zero",
            with_ipv6(&tcp_v6(L2V6.port(), 0), |ip| ip.payload_length = 0),
            Drop(L2V6, BadLength),
        ),
        row(
            "UDP without room for its header",
            with_ipv4(&udp_v4(Udp.port(), 0), |ip| ip.total_len = 27),
            Drop(Udp, BadLength),
        ),
        row(
            "l2: one octet over the egress MTU",
            tcp_v4(FarL2.port(), usize::from(FAR_MTU) - TCP_V4_HEADERS + 1),
            Drop(FarL2, ExceedsMtu),
        ),
        row(
            "IPv4 in IPv4: one octet over the MTU",
            tcp_v4(V4InV4.port(), 1481 - TCP_V4_HEADERS),
            Drop(V4InV4, ExceedsMtu),
        ),
        row(
            "IPv6 in IPv6: one octet over the MTU",
            tcp_v6(V6InV6.port(), 1461 - TCP_V6_HEADERS),
            Drop(V6InV6, ExceedsMtu),
        ),
        row(
            "IPv6 in IPv6 over an MTU of 1280",
            tcp_v6(FarV6InV6.port(), 1241 - TCP_V6_HEADERS),
            Drop(FarV6InV6, ExceedsMtu),
        ),
    ]
}

fn with_octet(mut frame: Vec<u8>, offset: usize, octet: u8) -> Vec<u8> {
    frame[offset] = octet;
    frame
}

/// The flow label of a tunnel: the low 20 bits of the flow's hash.
fn label(version: IpVersion, case: Case) -> u32 {
    let (source, destination) = match version {
        IpVersion::V4 => (Address::v4(v4(CLIENT_V4)), Address::v4(v4(VIP_V4))),
        IpVersion::V6 => (Address::v6(v6(CLIENT_V6)), Address::v6(v6(VIP_V6))),
    };
    let flow = Flow {
        version,
        source,
        destination,
        source_port: CLIENT_PORT,
        destination_port: case.port(),
        protocol: Protocol::TCP,
    };
    flow.hash(HashKey::new(HASH_KEY)) as u32 & 0xf_ffff
}

impl Row {
    fn outcome(&self) -> Outcome {
        let mut counted = Counters::default();
        counted.node[RECEIVED] = 1;
        let (verdict, action, frame) = match &self.expected {
            Pass(reason) => (Verdict::Pass(*reason), Action::Pass, &self.frame),
            Drop(case, reason) => {
                counted.services.entry(*case as u32).or_default().dropped[*reason as usize] = 1;
                (Verdict::Drop(*reason), Action::Drop, &self.frame)
            }
            Forward(case, action, frame, octets) => {
                let traffic = Traffic { packets: 1, octets: *octets as u64 };
                counted.services.entry(*case as u32).or_default().forwarded = traffic;
                counted.backends.insert(case.backend(), traffic);
                (Verdict::Transmit { egress: INGRESS }, *action, frame)
            }
        };
        counted.node[verdict.counter()] = 1;
        Outcome { action, frame: frame.clone(), counted }
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
