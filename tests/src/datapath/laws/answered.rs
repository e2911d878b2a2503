//! What goes back to the sender: replies to echo requests, and errors.

use std::net::IpAddr;

use lb_common::verdict::{Answer, ServiceCounters};
use lb_userspace::config::Forwarding;

use super::{assert_nothing_counted_but, case_of, only_service};
use crate::datapath::host::Outcome;
use crate::datapath::reading::{Ip, Payload, sum};
use crate::datapath::services::{Case, FAR_MTU, FAR_V4, FAR_V6, NODE_V4, NODE_V6, ip};

/// Octets of a packet that an error quotes.
const QUOTED: usize = 96;

pub(super) fn check_echo(frame: &[u8], outcome: &Outcome) {
    assert_nothing_counted_but(&outcome.counted, None);
    let asked = Ip::of(frame).expect("what is answered has a whole IP header");
    let Payload { protocol, offset: message, is_later_fragment } =
        asked.payload().expect("what is answered has a whole header");
    assert!(!is_later_fragment && is_a_host(asked.source));
    super::assert_has_transport_header(&asked);
    assert_eq!([frame[message], frame[message + 1]], if asked.is_v4() { [8, 0] } else { [128, 0] });
    assert_eq!(protocol, if asked.is_v4() { 1 } else { 58 });

    // All but the checksums is what it was, or is known.
    let mut expected = frame.to_vec();
    expected[..12].rotate_left(6);
    let ip = asked.offset;
    if asked.is_v4() {
        expected[ip + 12..ip + 20].rotate_left(4);
        expected[ip + 8] = 64;
        expected[ip + 10..ip + 12].copy_from_slice(&outcome.frame[ip + 10..ip + 12]);
    } else {
        expected[ip + 8..ip + 40].rotate_left(16);
        expected[ip + 7] = 64;
    }
    expected[message] = if asked.is_v4() { 0 } else { 129 };
    expected[message + 2..message + 4].copy_from_slice(&outcome.frame[message + 2..message + 4]);
    assert_eq!(outcome.frame, expected);

    let header = |frame: &[u8]| sum(0, &frame[ip..ip + usize::from(frame[ip] & 0xf) * 4]);
    if asked.is_v4() && header(frame) == 0xffff {
        assert_eq!(header(&outcome.frame), 0xffff, "the header's checksum stays right");
    }
    let pseudo_header = asked.pseudo_header(58, ip + asked.length - message);
    let whole = |frame: &[u8]| sum(pseudo_header, &frame[message..ip + asked.length]);
    if whole(frame) == 0xffff {
        assert_eq!(whole(&outcome.frame), 0xffff, "the message's checksum stays right");
    }
}

pub(super) fn check_error(frame: &[u8], answer: Answer, outcome: &Outcome) {
    let (service, ServiceCounters { pins, .. }) =
        only_service(&outcome.counted).expect("a service has counted it");
    let counters = ServiceCounters { answered: 1, pins, ..ServiceCounters::default() };
    assert_nothing_counted_but(&outcome.counted, Some((service, counters)));

    let about = Ip::of(frame).expect("what is answered has a whole IP header");
    let Payload { protocol, is_later_fragment, .. } =
        about.payload().expect("what is answered has a whole header");
    assert!(![1, 58].contains(&protocol), "no error about ICMP");
    assert!(!is_later_fragment && is_a_host(about.source), "no error about what many, or nobody, has sent");
    assert!(case_of(service).vips().contains(about.destination));

    let sent = &outcome.frame;
    let ip = about.offset;
    assert_eq!(sent[..12], [&frame[6..12], &frame[..6]].concat(), "it goes back");
    assert_eq!(sent[12..ip], frame[12..ip], "with the packet's tags and type");
    let error = Ip::of(sent).expect("there is a whole IP header");
    let header = &sent[ip..];
    assert_eq!(error.length, header.len(), "lengths agree");
    assert_eq!((error.hop_limit, error.traffic_class), (64, 0));
    assert_eq!(error.destination, about.source);
    let (fixed, protocol) = if about.is_v4() {
        assert_eq!([header[0], header[4], header[5], header[6], header[7]], [0x45, 0, 0, 0x40, 0]);
        assert_eq!(sum(0, &header[..20]), 0xffff, "the header's checksum is right");
        (20, header[9])
    } else {
        assert_eq!(header[0] >> 4, 6);
        (40, header[6])
    };
    let message = &header[fixed..];
    assert_eq!(protocol, if about.is_v4() { 1 } else { 58 });
    let pseudo_header = error.pseudo_header(58, message.len());
    assert_eq!(sum(pseudo_header, message), 0xffff, "the message's checksum is right");
    let quoted = about.length.min(QUOTED) & !1;
    assert_eq!(message[8..], about.packet().expect("it was whole")[..quoted], "it quotes the packet");
    check_reason(answer, case_of(service), &about, &error, message);
}

fn check_reason(answer: Answer, case: Case, about: &Ip, error: &Ip, message: &[u8]) {
    let kind = [message[0], message[1]];
    let word = u32::from_be_bytes([message[4], message[5], message[6], message[7]]) as usize;
    if answer == Answer::Rejected {
        assert_eq!((kind, word), (if about.is_v4() { [3, 3] } else { [1, 4] }, 0));
        assert_eq!(error.source, about.destination);
        assert!(case.rejects());
        let payload = about.payload().expect("it was whole");
        let control = payload.offset + 13 - about.offset;
        let packet = about.packet().expect("it was whole");
        assert!(payload.protocol == 17 || packet[control] & 0x16 == 2, "a datagram, or a SYN");
    } else if answer == Answer::TimeExceeded {
        assert_eq!((kind, word), (if about.is_v4() { [11, 0] } else { [3, 0] }, 0));
        assert!(about.hop_limit <= 1);
        assert_eq!(error.source, ip(if about.is_v4() { NODE_V4 } else { NODE_V6 }));
    } else {
        assert_eq!(kind, if about.is_v4() { [3, 4] } else { [2, 0] });
        assert_eq!(error.source, about.destination);
        assert!(about.hop_limit > 1 && about.length > word, "{} octets would fit", about.length);
        assert!(case.backends().iter().any(|backend| longest(case, backend) == word), "{word}");
    }
}

/// Octets of the longest packet that reaches the backend of a service.
fn longest(case: Case, backend: &str) -> usize {
    let mtu = if [FAR_V4, FAR_V6].contains(&backend) { usize::from(FAR_MTU) } else { 1500 };
    let outer = if ip(backend).is_ipv4() { 20 } else { 40 };
    match case.forwarding() {
        Forwarding::L2 => mtu,
        Forwarding::Ipip => mtu - outer,
        Forwarding::Gue { .. } => mtu - outer - 8,
    }
}

/// Whether an address is one that answers may be sent to (RFC 1122, section 3.2.2; RFC 4443, section 2.4).
fn is_a_host(address: IpAddr) -> bool {
    let is_reserved = matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 0 || v4.octets()[0] >= 224);
    !is_reserved && !address.is_unspecified() && !address.is_loopback() && !address.is_multicast()
}
