//! Parts of packets: all to the same backend.

use lb_common::flow::Protocol;
use lb_common::verdict::DropReason::{BadLength, UnknownFragment};
use lb_common::verdict::PassReason::NoService;

use super::{Expected, Row};
use crate::frames::{address_hash, extended, fragments, packet, packet_to, sent_to, tagged, with_ipv4};
use crate::services::{Case, VIP_V4, chosen};

pub fn rows() -> Vec<Row> {
    let cases = [Case::L2V4, Case::L2V6, Case::V4InV4, Case::V6InV4, Case::Udp, Case::UdpV6, Case::FarL2];
    let mut rows: Vec<_> = (1000..)
        .zip(cases)
        .map(|(id, case)| {
            let parts = fragments(&packet(case, 900), id, &[304, 608]);
            let steps = parts.into_iter().map(|part| (part, Expected::Forward(case))).collect();
            Row { behaviour: format!("{case:?}: three parts in order"), steps }
        })
        .collect();
    rows.extend([late(), repeated(), of_another_packet(), with_tags(), too_small(), by_addresses()]);
    rows.extend([unserved(), with_options_behind(), of_another_number()]);
    rows
}

/// The kernel gets all parts or none.
fn unserved() -> Row {
    let parts = fragments(&packet_to(VIP_V4, 1, Protocol::TCP, 200), 2007, &[104]);
    let steps = parts.into_iter().map(|part| (part, Expected::Pass(NoService))).collect();
    Row { behaviour: "parts of a packet to a port without a service".into(), steps }
}

/// Options of IPv6 may stand behind the fragment header: only the first part shows the transport protocol.
fn with_options_behind() -> Row {
    let options: &[(u8, &[u8])] = &[(60, &[0, 0, 1, 4, 0, 0, 0, 0])];
    let parts = fragments(&extended(&packet(Case::L2V6, 200), options), 2008, &[104]);
    let steps = parts.into_iter().map(|part| (part, Expected::Forward(Case::L2V6))).collect();
    Row { behaviour: "parts with destination options behind the fragment header".into(), steps }
}

/// What an IPv6 fragment header of a later part says of the protocol doesn't count (RFC 8200, section 4.5).
fn of_another_number() -> Row {
    let [first, mut second]: [_; 2] = fragments(&packet(Case::L2V6, 200), 2009, &[104]).try_into().unwrap();
    assert_eq!(second[54], 6);
    second[54] = 60;
    let steps = vec![(first, Expected::Forward(Case::L2V6)), (second, Expected::Forward(Case::L2V6))];
    Row { behaviour: "a later part that names another protocol".into(), steps }
}

/// What comes before the first part waits for nothing; what comes after it follows.
fn late() -> Row {
    let [first, second, third]: [_; 3] =
        fragments(&packet(Case::L2V4, 900), 2000, &[304, 608]).try_into().unwrap();
    let steps = vec![
        (third.clone(), Expected::Drop(None, UnknownFragment)),
        (first, Expected::Forward(Case::L2V4)),
        (third, Expected::Forward(Case::L2V4)),
        (second, Expected::Forward(Case::L2V4)),
    ];
    Row { behaviour: "a part that comes before the first".into(), steps }
}

/// The same identification again, for another service: the newer first part counts.
fn repeated() -> Row {
    let old = fragments(&packet(Case::L2V4, 200), 2001, &[104]);
    let new = fragments(&packet(Case::FarL2, 200), 2001, &[104]);
    let expected = [Case::L2V4, Case::L2V4, Case::FarL2, Case::FarL2].map(Expected::Forward);
    let steps = old.into_iter().chain(new).zip(expected).collect();
    Row { behaviour: "an identification that comes again".into(), steps }
}

fn of_another_packet() -> Row {
    let known = fragments(&packet(Case::L2V4, 200), 2002, &[104]).remove(0);
    let other = fragments(&packet(Case::L2V4, 200), 2003, &[104]).remove(1);
    let other_protocol = with_ipv4(&fragments(&packet(Case::L2V4, 200), 2002, &[104]).remove(1), |ip| {
        ip.protocol = etherparse::IpNumber::UDP;
    });
    let steps = vec![
        (known, Expected::Forward(Case::L2V4)),
        (other, Expected::Drop(None, UnknownFragment)),
        (other_protocol, Expected::Drop(None, UnknownFragment)),
    ];
    Row { behaviour: "a part of another packet".into(), steps }
}

fn with_tags() -> Row {
    let tag = [[0x81, 0x00, 0x00, 0x07]];
    let parts = fragments(&packet(Case::V4InV4, 200), 2004, &[104]);
    let steps = parts.iter().map(|part| (tagged(part, &tag), Expected::Forward(Case::V4InV4))).collect();
    Row { behaviour: "parts with tags".into(), steps }
}

/// A first part without a whole TCP header would hide flags from whoever looks at it (RFC 1858).
fn too_small() -> Row {
    let first = fragments(&packet(Case::L2V4, 200), 2005, &[16]).remove(0);
    let steps = vec![(first, Expected::Drop(Some(Case::L2V4), BadLength))];
    Row { behaviour: "a first part without a whole TCP header".into(), steps }
}

/// A service that tells flows apart by addresses alone needs no first part.
fn by_addresses() -> Row {
    let case = Case::ByAddresses;
    let parts = fragments(&packet(case, 200), 2006, &[104]);
    let expected = |frame: &[u8]| {
        let hash = address_hash(frame);
        let chosen = chosen(case, hash);
        let (action, sent) = sent_to(case.backends()[chosen], case.forwarding(), frame, hash);
        Expected::To(case, chosen, action, sent)
    };
    let steps = parts.iter().rev().map(|part| (part.clone(), expected(part))).collect();
    Row { behaviour: "parts of a service by addresses, in any order".into(), steps }
}
