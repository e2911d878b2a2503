//! What reaches a backend.

use etherparse::{IpDscp, IpEcn, Ipv4Options};
use lb_common::flow::Protocol;

use super::{Expected, Row, row};
use crate::frames::{
    TCP_V4_HEADERS, TCP_V6_HEADERS, extended, packet, packet_to, tagged, with_ipv4, with_ipv6,
};
use crate::services::{Case, FAR_MTU, VIP_V4, ip};

/// Services of one backend, in every form of forwarding.
pub const FORMS: [Case; 18] = [
    Case::L2V4,
    Case::L2V6,
    Case::V4InV4,
    Case::V6InV6,
    Case::V6InV4,
    Case::V4InV6,
    Case::FarL2,
    Case::FarV4InV4,
    Case::FarV6InV6,
    Case::Udp,
    Case::UdpV6,
    Case::V4InGueV4,
    Case::V6InGueV6,
    Case::V6InGueV4,
    Case::V4InGueV6,
    Case::TaggedL2V4,
    Case::TaggedL2V6,
    Case::TaggedV4InV4,
];

pub fn rows() -> Vec<Row> {
    [every_form(), longest(), headers(), services()].into_iter().flatten().collect()
}

fn every_form() -> Vec<Row> {
    let mut rows = Vec::new();
    for case in FORMS {
        let frame = packet(case, 100);
        let mut form = |name: &str, frame| {
            rows.push(row(format!("{case:?}: {name}"), frame, Expected::Forward(case)));
        };
        form("a packet", frame.clone());
        form("no payload", packet(case, 0));
        form("a VLAN tag is taken off", tagged(&frame, &[[0x81, 0x00, 0x01, 0x23]]));
        form("padding", [&packet(case, 0)[..], &[0; 6]].concat());
        if ip(case.vip()).is_ipv4() {
            let marked = |ip: &mut etherparse::Ipv4Header| {
                ip.dscp = IpDscp::try_new(46).unwrap();
                ip.ecn = IpEcn::try_new(1).unwrap();
            };
            form("DSCP and ECN", with_ipv4(&frame, marked));
        } else {
            form("DSCP and ECN", with_ipv6(&frame, |ip| ip.traffic_class = 0xb9));
        }
    }
    rows
}

/// Exactly as long as the way to the backend takes.
fn longest() -> Vec<Row> {
    let cases = [
        (Case::L2V4, 1500),
        (Case::V4InV4, 1480),
        (Case::V4InV6, 1460),
        (Case::V4InGueV4, 1472),
        (Case::V4InGueV6, 1452),
        (Case::FarL2, usize::from(FAR_MTU)),
    ];
    let v4 = cases.map(|(case, length)| (case, packet(case, length - TCP_V4_HEADERS)));
    let cases = [(Case::L2V6, 1500), (Case::V6InV4, 1480), (Case::V6InV6, 1460), (Case::V6InGueV6, 1452)];
    let v6 = cases.map(|(case, length)| (case, packet(case, length - TCP_V6_HEADERS)));
    let both = v4.into_iter().chain(v6);
    both.map(|(case, frame)| row(format!("{case:?}: exactly the MTU"), frame, Expected::Forward(case)))
        .collect()
}

fn headers() -> Vec<Row> {
    let v4 = packet(Case::V4InV4, 40);
    let v6 = packet(Case::V6InV4, 40);
    let options = |octets: &[u8]| {
        let options = Ipv4Options::try_from(octets).unwrap();
        with_ipv4(&v4, |ip| {
            ip.total_len += options.len() as u16;
            ip.options = options;
        })
    };
    let padding: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
    let long: &[u8] = &[&[0, 3, 1, 28][..], &[0; 28]].concat();
    let routing: &[u8] = &[0, 2, 4, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2];
    let whole: &[u8] = &[0, 0, 0, 0, 1, 2, 3, 4];
    let qinq = [[0x88, 0xa8, 0x00, 0x05], [0x81, 0x00, 0x01, 0x23]];
    [
        ("IPv4 with four octets of options", Case::V4InV4, options(&[1, 1, 1, 0])),
        ("IPv4 with forty octets of options", Case::V4InV4, options(&[1; 40])),
        ("IPv6 with hop-by-hop options", Case::V6InV4, extended(&v6, &[(0, padding)])),
        ("IPv6 with destination options", Case::V6InV4, extended(&v6, &[(60, padding)])),
        ("IPv6 with long options", Case::V6InV4, extended(&v6, &[(60, long)])),
        ("IPv6 with a routing header that is done", Case::V6InV4, extended(&v6, &[(43, routing)])),
        ("IPv6 with a fragment header, but whole", Case::V6InV4, extended(&v6, &[(44, whole)])),
        (
            "IPv6 with six extension headers",
            Case::V6InV4,
            extended(
                &v6,
                &[(0, padding), (60, padding), (43, routing), (44, whole), (60, long), (60, padding)],
            ),
        ),
        ("two VLAN tags, IPv4", Case::V4InV4, tagged(&v4, &qinq)),
        ("two VLAN tags, IPv6", Case::V6InV4, tagged(&v6, &qinq)),
        (
            "a VLAN tag and IPv4 options",
            Case::V4InV4,
            tagged(&options(&[1; 12]), &[[0x81, 0x00, 0x00, 0x01]]),
        ),
        (
            "two VLAN tags and extension headers",
            Case::V6InV4,
            tagged(&extended(&v6, &[(0, padding), (60, long)]), &qinq),
        ),
        ("the time to live stays as it is", Case::V4InV4, with_ipv4(&v4, |ip| ip.time_to_live = 2)),
        ("the hop limit stays as it is", Case::V6InV4, with_ipv6(&v6, |ip| ip.hop_limit = 2)),
    ]
    .map(|(behaviour, case, frame)| row(behaviour, frame, Expected::Forward(case)))
    .into()
}

fn services() -> Vec<Row> {
    let to = |vip: &str, port, protocol| packet_to(vip, port, protocol, 10);
    let tcp = Protocol::TCP;
    [
        ("any port: the first", Case::AnyPort, to(Case::AnyPort.vip(), 1, tcp)),
        ("any port: the last", Case::AnyPort, to(Case::AnyPort.vip(), 65_535, tcp)),
        ("any port: port 0", Case::AnyPort, to(Case::AnyPort.vip(), 0, tcp)),
        ("a port of its own beside any port", Case::OnePort, packet(Case::OnePort, 10)),
        ("a prefix: its first address", Case::PrefixV4, to("198.18.0.0", Case::PrefixV4.port(), tcp)),
        ("a prefix: its last address", Case::PrefixV4, to("198.18.255.255", Case::PrefixV4.port(), tcp)),
        (
            "the longer prefix: its first address",
            Case::LongerPrefixV4,
            to("198.18.8.0", Case::LongerPrefixV4.port(), tcp),
        ),
        (
            "the longer prefix: its last address",
            Case::LongerPrefixV4,
            to("198.18.8.255", Case::LongerPrefixV4.port(), tcp),
        ),
        (
            "an IPv6 prefix: its last address",
            Case::PrefixV6,
            to("2001:db8:77:ffff:ffff:ffff:ffff:ffff", Case::PrefixV6.port(), tcp),
        ),
        ("the same port over UDP is another service", Case::Udp, to(VIP_V4, Case::Udp.port(), Protocol::UDP)),
    ]
    .map(|(behaviour, case, frame)| row(behaviour, frame, Expected::Forward(case)))
    .into()
}
