//! What the sender is told. Each row has a client of its own: a client is told only so often.

use lb_common::verdict::Answer::{EchoReply, Rejected, TimeExceeded, TooBig};
use lb_common::verdict::DropReason::{ExceedsMtu, HopLimit, NoBackend};

use super::{Expected, Row, row};
use crate::frames::{
    TCP_V4_HEADERS, TCP_V6_HEADERS, echo, echo_reply, error_about, extended, from_client, icmp_error, packet,
    reply, tagged, with_ipv4, with_ipv6, with_tcp,
};
use crate::services::{Case, FAR_MTU, NODE_V4, NODE_V6, VIP_V4, VIP_V6, ip};

pub fn rows() -> Vec<Row> {
    [echoes(), too_big(), time_exceeded(), rejected(), silent()].into_iter().flatten().collect()
}

fn echoes() -> Vec<Row> {
    let payloads: [(&str, &[u8]); 5] =
        [("empty", b""), ("odd", b"abc"), ("even", b"abcd"), ("zeros", &[0; 56]), ("long", &[0xff; 1400])];
    let mut rows = Vec::new();
    let last_v4 = with_ipv4(&echo(VIP_V4, b"last"), |ip| ip.time_to_live = 1);
    let last_v6 = with_ipv6(&echo(VIP_V6, b"last"), |ip| ip.hop_limit = 1);
    for (vip, frame) in [(VIP_V4, last_v4), (VIP_V6, last_v6)] {
        let reply = Expected::Answer(None, EchoReply, echo_reply(vip, b"last"));
        rows.push(row(format!("an echo request to {vip} that may go no further has arrived"), frame, reply));
    }
    for vip in [VIP_V4, VIP_V6, Case::PrefixV4.vip(), Case::AnyPort.vip()] {
        for (name, payload) in payloads {
            let reply = Expected::Answer(None, EchoReply, echo_reply(vip, payload));
            rows.push(row(format!("echo to {vip}, {name}"), echo(vip, payload), reply));
        }
    }
    let with_message = |frame: Vec<u8>, message: [u8; 8]| [&frame[..34], &message, &frame[42..]].concat();
    let zeros = with_message(echo(VIP_V4, &[0; 8]), [8, 0, 0xf7, 0xff, 0, 0, 0, 0]);
    let reply = with_message(echo_reply(VIP_V4, &[0; 8]), [0, 0, 0xff, 0xff, 0, 0, 0, 0]);
    rows.push(row("the reply that is all zeros", zeros, Expected::Answer(None, EchoReply, reply)));
    let tag = [[0x81, 0x00, 0x00, 0x07]];
    let answer = Expected::Answer(None, EchoReply, tagged(&echo_reply(VIP_V4, b"tag"), &tag));
    rows.push(row("the reply to an echo has its tag", tagged(&echo(VIP_V4, b"tag"), &tag), answer));
    rows
}

fn too_big() -> Vec<Row> {
    let cases = [
        (Case::FarL2, usize::from(FAR_MTU)),
        (Case::V4InV4, 1480),
        (Case::V6InV6, 1460),
        (Case::V6InV4, 1480),
        (Case::V4InV6, 1460),
        (Case::V4InGueV4, 1472),
        (Case::V6InGueV6, 1452),
        (Case::FarV4InV4, usize::from(FAR_MTU) - 20),
        (Case::FarV6InV6, usize::from(FAR_MTU) - 40),
        (Case::TaggedV4InV4, 1480),
    ];
    let mut rows: Vec<_> = (100..)
        .zip(cases)
        .map(|(client, (case, mtu))| {
            let is_ipv4 = ip(case.vip()).is_ipv4();
            let headers = if is_ipv4 { TCP_V4_HEADERS } else { TCP_V6_HEADERS };
            let frame = from_client(&packet(case, mtu + 1 - headers), client);
            let kind = if is_ipv4 { [3, 4] } else { [2, 0] };
            let sent = error_about(&frame, case.vip(), kind, mtu as u32);
            row(
                format!("{case:?}: one octet over the MTU"),
                frame,
                Expected::Answer(Some(case), TooBig, sent),
            )
        })
        .collect();
    let frame = tagged(&from_client(&packet(Case::V4InV4, 1455), 120), &[[0x81, 0, 0, 7], [0x81, 0, 0, 9]]);
    let sent = error_about(&frame, VIP_V4, [3, 4], 1480);
    rows.push(row(
        "the error has the packet's tags",
        frame,
        Expected::Answer(Some(Case::V4InV4), TooBig, sent),
    ));
    let frame = with_ipv4(&from_client(&packet(Case::V4InV4, 1455), 121), |ip| ip.dont_fragment = false);
    let sent = error_about(&frame, VIP_V4, [3, 4], 1480);
    rows.push(row(
        "also to a sender who lets routers fragment",
        frame,
        Expected::Answer(Some(Case::V4InV4), TooBig, sent),
    ));
    rows
}

fn time_exceeded() -> Vec<Row> {
    let v4 =
        |client, hops| with_ipv4(&from_client(&packet(Case::L2V4, 40), client), |ip| ip.time_to_live = hops);
    let v6 =
        |client, hops| with_ipv6(&from_client(&packet(Case::L2V6, 40), client), |ip| ip.hop_limit = hops);
    let probe = with_ipv4(&from_client(&packet(Case::Udp, 0), 205), |ip| ip.time_to_live = 1);
    let odd = with_ipv4(&from_client(&packet(Case::Udp, 3), 206), |ip| ip.time_to_live = 1);
    let padding: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
    let chained = extended(&v6(208, 1), &[(0, padding), (60, padding)]);
    [
        ("a time to live of one", Case::L2V4, v4(200, 1)),
        ("a time to live of zero", Case::L2V4, v4(201, 0)),
        ("a hop limit of one", Case::L2V6, v6(202, 1)),
        ("a hop limit of zero", Case::L2V6, v6(203, 0)),
        ("a traceroute's empty probe", Case::Udp, probe),
        ("a probe of odd length", Case::Udp, odd),
        ("a probe with extension headers", Case::L2V6, chained),
    ]
    .map(|(behaviour, case, frame)| {
        let (from, kind) = if case == Case::L2V6 { (NODE_V6, [3, 0]) } else { (NODE_V4, [11, 0]) };
        let sent = error_about(&frame, from, kind, 0);
        row(behaviour, frame, Expected::Answer(Some(case), TimeExceeded, sent))
    })
    .into()
}

/// Nobody serves, and who begins a flow is told so.
fn rejected() -> Vec<Row> {
    let syn = |case, client| with_tcp(&from_client(&packet(case, 0), client), |tcp| tcp.syn = true);
    let datagram = |case, client| from_client(&packet(case, 20), client);
    let (case, client) = (Case::RejectedV4, 220);
    let behind_tags = tagged(&syn(Case::RejectedV4, 221), &[[0x81, 0, 0, 7], [0x81, 0, 0, 9]]);
    let behind_tag = tagged(&syn(Case::RejectedV6, 222), &[[0x81, 0, 0, 7]]);
    let options: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
    let last = with_ipv4(&syn(Case::RejectedV4, 223), |ip| ip.time_to_live = 1);
    let mut rows: Vec<_> = [
        ("a SYN", case, syn(case, client)),
        ("a SYN of IPv6", Case::RejectedV6, syn(Case::RejectedV6, 224)),
        ("a SYN behind tags", Case::RejectedV4, behind_tags),
        ("a SYN of IPv6 behind a tag", Case::RejectedV6, behind_tag),
        (
            "a SYN behind extension headers",
            Case::RejectedV6,
            extended(&syn(Case::RejectedV6, 225), &[(60, options)]),
        ),
        ("a SYN that may go no further has arrived", Case::RejectedV4, last),
        ("a datagram", Case::RejectedUdp, datagram(Case::RejectedUdp, 226)),
        ("a datagram of IPv6", Case::RejectedUdpV6, datagram(Case::RejectedUdpV6, 227)),
        (
            "a datagram behind a tag",
            Case::RejectedUdp,
            tagged(&datagram(Case::RejectedUdp, 228), &[[0x81, 0, 0, 7]]),
        ),
        (
            "a SYN of a client that all flows go together of",
            Case::RejectedBySource,
            syn(Case::RejectedBySource, 229),
        ),
    ]
    .into_iter()
    .map(|(behaviour, case, frame)| {
        let kind = if ip(case.vip()).is_ipv4() { [3, 3] } else { [1, 4] };
        let sent = error_about(&frame, case.vip(), kind, 0);
        row(format!("rejected: {behaviour}"), frame, Expected::Answer(Some(case), Rejected, sent))
    })
    .collect();
    let segment = |case, client, change: fn(&mut etherparse::TcpHeader)| {
        with_tcp(&from_client(&packet(case, 0), client), change)
    };
    let silent = [
        (
            "a segment of a flow that began",
            Case::RejectedV4,
            segment(Case::RejectedV4, 230, |tcp| tcp.ack = true),
        ),
        (
            "a segment of a client's flows",
            Case::RejectedBySource,
            segment(Case::RejectedBySource, 231, |tcp| tcp.ack = true),
        ),
        ("a reset", Case::RejectedV6, segment(Case::RejectedV6, 232, |tcp| tcp.rst = true)),
        ("an error about a flow", Case::RejectedV4, icmp_error(VIP_V4, [3, 1], &reply(Case::RejectedV4))),
        ("a SYN of a service that doesn't reject", Case::Empty, syn(Case::Empty, 233)),
        (
            "a datagram from many",
            Case::RejectedUdp,
            with_ipv4(&datagram(Case::RejectedUdp, 234), |ip| ip.source = [224, 0, 0, 1]),
        ),
    ];
    rows.extend(silent.map(|(behaviour, case, frame)| {
        row(format!("not rejected: {behaviour}"), frame, Expected::Drop(Some(case), NoBackend))
    }));
    let again = syn(Case::RejectedV4, 235);
    let sent = error_about(&again, VIP_V4, [3, 3], 0);
    rows.push(Row {
        behaviour: "who is rejected isn't told twice at a time".into(),
        steps: vec![
            (again.clone(), Expected::Answer(Some(Case::RejectedV4), Rejected, sent)),
            (again, Expected::Drop(Some(Case::RejectedV4), NoBackend)),
        ],
    });
    rows
}

/// Nobody is told.
fn silent() -> Vec<Row> {
    let expired = |change: fn(&mut etherparse::Ipv4Header)| {
        with_ipv4(&packet(Case::L2V4, 0), |ip| {
            ip.time_to_live = 1;
            change(ip);
        })
    };
    let expired_v6 = |source: &str| {
        with_ipv6(&packet(Case::L2V6, 0), |ip| {
            ip.hop_limit = 1;
            ip.source = crate::services::v6(source);
        })
    };
    let error = with_ipv4(&icmp_error(VIP_V4, [3, 1], &reply(Case::L2V4)), |ip| ip.time_to_live = 1);
    let mut long_error = reply(Case::FarL2);
    long_error.resize(1400, 0);
    [
        ("from nobody", Case::L2V4, expired(|ip| ip.source = [0; 4]), HopLimit),
        ("from many", Case::L2V4, expired(|ip| ip.source = [224, 0, 0, 1]), HopLimit),
        ("from everybody", Case::L2V4, expired(|ip| ip.source = [255; 4]), HopLimit),
        ("from a loopback address", Case::L2V4, expired(|ip| ip.source = [127, 0, 0, 1]), HopLimit),
        ("from nobody, IPv6", Case::L2V6, expired_v6("::"), HopLimit),
        ("from the loopback address, IPv6", Case::L2V6, expired_v6("::1"), HopLimit),
        ("from many, IPv6", Case::L2V6, expired_v6("ff02::1"), HopLimit),
        ("an error that expires", Case::L2V4, error, HopLimit),
        ("an error that is too long", Case::FarL2, icmp_error(VIP_V4, [3, 1], &long_error), ExceedsMtu),
    ]
    .map(|(behaviour, case, frame, reason)| {
        row(format!("no error for: {behaviour}"), frame, Expected::Drop(Some(case), reason))
    })
    .into()
}
