//! ICMP errors: to the backend of the flow that they are about.

use lb_common::verdict::PassReason::Icmp;

use super::{Expected, Row, row};
use crate::frames::{icmp_error, reply, with_ipv4};
use crate::services::{Case, VIP_V4, VIP_V6};

pub fn rows() -> Vec<Row> {
    [of_flows(), of_others()].into_iter().flatten().collect()
}

fn of_flows() -> Vec<Row> {
    let v4 = [
        ("host unreachable", [3, 1]),
        ("port unreachable", [3, 3]),
        ("fragmentation needed", [3, 4]),
        ("time exceeded", [11, 0]),
        ("parameter problem", [12, 0]),
    ];
    let v6 = [
        ("no route", [1, 0]),
        ("packet too big", [2, 0]),
        ("hop limit exceeded", [3, 0]),
        ("ICMPv6 parameter problem", [4, 1]),
    ];
    let mut rows = Vec::new();
    for case in [Case::L2V4, Case::V4InV4, Case::Udp] {
        for (name, kind) in v4 {
            let frame = icmp_error(VIP_V4, kind, &reply(case));
            rows.push(row(format!("{case:?}: {name}"), frame, Expected::Forward(case)));
        }
    }
    for case in [Case::L2V6, Case::V6InV4, Case::UdpV6] {
        for (name, kind) in v6 {
            let frame = icmp_error(VIP_V6, kind, &reply(case));
            rows.push(row(format!("{case:?}: {name}"), frame, Expected::Forward(case)));
        }
    }
    let least = icmp_error(VIP_V4, [3, 4], &reply(Case::L2V4)[..28]);
    rows.push(row("an error that quotes eight octets", least, Expected::Forward(Case::L2V4)));
    rows
}

fn of_others() -> Vec<Row> {
    let quoting = |change: fn(&mut Vec<u8>)| {
        let mut quoted = reply(Case::L2V4);
        change(&mut quoted);
        icmp_error(VIP_V4, [3, 3], &quoted)
    };
    let v6_quoting = |change: fn(&mut Vec<u8>)| {
        let mut quoted = reply(Case::L2V6);
        change(&mut quoted);
        icmp_error(VIP_V6, [1, 4], &quoted)
    };
    [
        ("an error about another port", quoting(|quoted| quoted[21] ^= 1)),
        ("an error about another sender", quoting(|quoted| quoted[15] ^= 1)),
        ("an error about another protocol", quoting(|quoted| quoted[9] = 47)),
        ("an error about a later fragment", quoting(|quoted| quoted[7] = 9)),
        ("an error that quotes IPv6 in IPv4", quoting(|quoted| quoted[0] = 0x65)),
        ("an error that quotes a header of three words", quoting(|quoted| quoted[0] = 0x43)),
        ("an error that quotes too little", quoting(|quoted| quoted.truncate(22))),
        ("an error that quotes nothing", quoting(Vec::clear)),
        ("an ICMPv6 error about another sender", v6_quoting(|quoted| quoted[23] ^= 1)),
        ("an ICMPv6 error that quotes IPv4", v6_quoting(|quoted| quoted[0] = 0x45)),
        ("an ICMPv6 error that quotes too little", v6_quoting(|quoted| quoted.truncate(42))),
        ("source quench", icmp_error(VIP_V4, [4, 0], &reply(Case::L2V4))),
        ("a redirect", icmp_error(VIP_V4, [5, 1], &reply(Case::L2V4))),
        ("a neighbour solicitation", icmp_error(VIP_V6, [135, 0], &reply(Case::L2V6))),
        (
            "an error in parts",
            with_ipv4(&icmp_error(VIP_V4, [3, 1], &reply(Case::L2V4)), |ip| ip.more_fragments = true),
        ),
    ]
    .map(|(behaviour, frame)| row(behaviour, frame, Expected::Pass(Icmp)))
    .into()
}
