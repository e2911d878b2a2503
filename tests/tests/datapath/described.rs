//! What is told of packets, made readable.

use std::time::Duration;

use fastrand::Rng;
use lb_common::event::{CAPTURED, Event, NO_SERVICE, Sampling};
use lb_common::flow::Protocol;
use lb_common::verdict::NODE_COUNTERS;
use lb_userspace::config::Forwarding;
use lb_userspace::trace::{Datagram, Names, Packet};

use crate::engine::Host;
use crate::frames::{
    CLIENT_PORT, CLIENT_V4, CLIENT_V6, echo, extended, fragments, packet, packet_to, tagged, with_ipv4,
};
use crate::mutate::mutate;
use crate::random::any_packet;
use crate::services::{
    Case, FAR_V4, FAR_V6, GUE_PORT, INGRESS, NODE_V4, NODE_V6, OTHER, VIP_V4, VIP_V6, image, ip,
};
use crate::vectors::forwarded::FORMS;

/// 2026-01-01T00:00:00Z.
const STARTED: Duration = Duration::new(1_767_225_600, 0);

fn names() -> Names {
    let mut names =
        Names { interfaces: [(INGRESS, "eth0".into()), (OTHER, "eth1".into())].into(), ..Names::default() };
    for case in Case::ALL {
        names.services.insert(case as u32, format!("{case:?}"));
        for (number, address) in (u32::from(case.backend().0)..).zip(case.backends()) {
            names.backends.insert(number, ((*address).into(), case.forwarding()));
        }
    }
    names
}

/// What is told of the last of some packets.
fn described(frames: &[Vec<u8>]) -> Packet {
    let image = image();
    let mut host = Host::new(&image);
    host.tables.set_sampling(Sampling { every: [1; NODE_COUNTERS], most: 1, service: NO_SERVICE });
    frames.iter().for_each(|frame| drop(host.run(frame)));
    let event = Event { time: 1_500_000_000, ..*host.tables.take_events().last().unwrap() };
    Packet::new(&event, &names(), STARTED)
}

#[test]
fn every_form_of_forwarding() {
    for case in FORMS {
        let described = described(&[packet(case, 100)]);
        let (vip, backend) = (ip(case.vip()), ip(case.backends()[0]));
        let source = if vip.is_ipv4() { ip(CLIENT_V4) } else { ip(CLIENT_V6) };
        assert_eq!((described.verdict.as_str(), described.reason), ("forwarded", None), "{case:?}");
        assert_eq!(described.service, Some(format!("{case:?}")));
        assert_eq!(described.backend, Some(backend.to_string()), "{case:?}");
        let far = [ip(FAR_V4), ip(FAR_V6)].contains(&backend);
        assert_eq!(described.egress.as_deref(), Some(if far { "eth1" } else { "eth0" }), "{case:?}");
        let link = described.link.unwrap();
        assert_eq!(
            (link.source.as_str(), link.destination.as_str()),
            ("02:00:00:00:00:02", "02:00:00:00:00:03")
        );
        let expected = Datagram {
            source,
            destination: vip,
            protocol: if case.protocol() == Protocol::TCP { "tcp" } else { "udp" }.into(),
            source_port: Some(CLIENT_PORT),
            destination_port: Some(case.port()),
            fragment: None,
        };
        assert_eq!(described.packet, Some(expected), "{case:?}");

        let outer = described.outer;
        let node = if backend.is_ipv4() { ip(NODE_V4) } else { ip(NODE_V6) };
        let ends = outer.as_ref().map(|outer| (outer.source, outer.destination));
        let protocol = outer.as_ref().map(|outer| outer.protocol.as_str());
        let port = outer.as_ref().and_then(|outer| outer.destination_port);
        let inside = if vip.is_ipv4() { "4" } else { "41" };
        match case.forwarding() {
            Forwarding::L2 => assert_eq!((described.forwarding.as_deref(), outer), (Some("l2"), None)),
            Forwarding::Ipip => {
                assert_eq!(described.forwarding.as_deref(), Some("ipip"));
                assert_eq!((ends, protocol, port), (Some((node, backend)), Some(inside), None), "{case:?}");
            }
            Forwarding::Gue { .. } => {
                assert_eq!(described.forwarding.as_deref(), Some("gue"));
                assert_eq!((ends, protocol, port), (Some((node, backend)), Some("udp"), Some(GUE_PORT)));
            }
        }
    }
}

#[test]
fn lines() {
    let arp = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1], &[8, 6], &[0; 46]].concat();
    let parts = fragments(&packet(Case::V4InV4, 200), 7, &[48]);
    let unknown = fragments(&packet(Case::V4InV4, 200), 8, &[48]);
    let hop: &[u8] = &[0, 0, 1, 4, 0, 0, 0, 0];
    let long_chain = extended(&packet(Case::L2V6, 0), &[(60, hop); 7]);
    let client = "203.0.113.2:40000 -> 192.0.2.1";
    let rows: [(Vec<Vec<u8>>, String); 12] = [
        (
            vec![packet(Case::L2V4, 10)],
            format!("forwarded, eth0 {client}:8000 tcp, 64 octets, L2V4: to 198.51.100.11 by l2, out of eth0 to 02:00:00:00:00:03"),
        ),
        (
            vec![packet(Case::FarV6InV6, 10)],
            "forwarded, eth0 [2001:db8:c::2]:40000 -> [2001:db8:f::1]:8008 tcp, 124 octets, FarV6InV6: to \
             2001:db8:9::11 by ipip 2001:db8:5::10 -> 2001:db8:9::11, out of eth1 to 02:00:00:00:00:03"
                .into(),
        ),
        (
            parts,
            "forwarded, eth0 203.0.113.2 -> 192.0.2.1 tcp fragment at 48, 226 octets, V4InV4: to 198.51.100.11 by \
             ipip 198.51.100.10 -> 198.51.100.11, out of eth0 to 02:00:00:00:00:03"
                .into(),
        ),
        (
            unknown[1..].to_vec(),
            "dropped: unknown_fragment, eth0 203.0.113.2 -> 192.0.2.1 tcp fragment at 48, 206 octets".into(),
        ),
        (
            vec![packet(Case::Unreachable, 10)],
            format!("dropped: no_backend, eth0 {client}:8009 tcp, 64 octets, Unreachable"),
        ),
        (
            vec![long_chain],
            "dropped: long_chain, eth0 2001:db8:c::2 -> 2001:db8:f::1 protocol 60, 130 octets".into(),
        ),
        (
            vec![packet_to(VIP_V4, 7, Protocol::TCP, 0)],
            format!("passed: no_service, eth0 {client}:7 tcp, 54 octets"),
        ),
        (
            vec![tagged(&packet_to(VIP_V4, 7, Protocol::UDP, 0), &[[0x81, 0, 0, 5]])],
            format!("passed: no_service, eth0 {client}:7 udp, 46 octets"),
        ),
        (
            vec![with_ipv4(&packet(Case::L2V4, 0), |ip| ip.protocol = 47.into())],
            "passed: other_protocol, eth0 203.0.113.2 -> 192.0.2.1 protocol 47, 54 octets".into(),
        ),
        (
            vec![arp],
            "passed: for_many, eth0 02:00:00:00:00:01 -> ff:ff:ff:ff:ff:ff type 0x0806, 60 octets".into(),
        ),
        (vec![vec![2; 15]], "passed: not_ip, eth0 02:02:02:02:02:02 -> 02:02:02:02:02:02 type 0x0202, 15 octets".into()),
        (
            vec![echo(VIP_V6, &[])],
            "answered: echo_reply, eth0 2001:db8:f::1 -> 2001:db8:c::2 icmpv6, 62 octets, out of eth0 to 02:00:00:00:00:01"
                .into(),
        ),
    ];
    for (frames, line) in rows {
        assert_eq!(described(&frames).to_string(), format!("2026-01-01T00:00:01.500000Z {line}"));
    }
}

#[test]
fn the_octets_are_those_that_left() {
    let described = described(&[packet(Case::L2V4, 200)]);
    let start = "02000000000302000000000208004500";
    assert!(described.octets.starts_with(start), "{}", described.octets);
    assert_eq!((described.length, described.octets.len()), (254, 256));
}

#[test]
fn what_has_no_name_any_more() {
    let names = Names::default();
    let event = Event { ingress: 7, egress: 9, service: 3, backend: 4, counter: 1000, ..Event::EMPTY };
    let described = Packet::new(&event, &names, STARTED);
    assert_eq!(
        (described.ingress.as_str(), described.egress.as_deref()),
        ("interface 7", Some("interface 9"))
    );
    assert_eq!((described.service, described.backend, described.forwarding), (None, None, None));
    assert_eq!((described.verdict.as_str(), described.link), ("unknown", None));
}

#[test]
fn whatever_the_octets_are() {
    let (names, mut random) = (names(), Rng::with_seed(26));
    for _ in 0..20_000 {
        let frame = any_packet(&mut random);
        let frame = mutate(&mut random, frame, &[]);
        let mut event = Event::EMPTY;
        let captured = frame.len().min(CAPTURED);
        event.octets[..captured].copy_from_slice(&frame[..captured]);
        event.captured = random.usize(..=captured) as u32;
        event.counter = random.u32(..NODE_COUNTERS as u32);
        // As if it had been rewritten for any of them.
        event.backend = random.u32(..50);
        let described = Packet::new(&event, &names, STARTED);
        assert!(described.to_string().starts_with("2026-01-01T00:00:00.000000Z "));
        let json = serde_json::to_string(&described).unwrap();
        assert_eq!(serde_json::from_str::<Packet>(&json).unwrap(), described);
    }
}
