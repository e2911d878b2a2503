//! What reaches a backend: the packet as it was, behind headers that are right.

use std::net::IpAddr;

use lb_common::verdict::{ServiceCounters, Traffic};
use lb_userspace::config::{Forwarding, Prefix};

use super::{case_of, only_service};
use crate::datapath::agent;
use crate::datapath::host::{Action, Outcome};
use crate::datapath::reading::{Ip, sum};
use crate::datapath::services::{
    BACKEND_MAC, Case, FAR_MTU, FAR_V4, FAR_V6, NODE_MAC, TAG, TAGGED_V4, TAGGED_V6, ip,
};
use crate::datapath::world::World;

/// What the outer headers must be like.
struct Way {
    backend: IpAddr,
    source: Prefix,
    forwarding: Forwarding,
    mtu: usize,
    link: Vec<u8>,
}

pub(super) fn check(world: &World, frame: &[u8], outcome: &Outcome) {
    let arrived = Ip::of(frame).expect("what is forwarded has a whole IP header");
    let packet = arrived.packet().expect("what is forwarded is whole");
    let (case, address) = counted(&arrived, outcome);
    assert!(case.vips().contains(arrived.destination), "it is for the service's VIP");
    assert!(arrived.hop_limit > 1, "it may pass a router");
    super::assert_has_transport_header(&arrived);

    let is_far = [FAR_V4, FAR_V6].contains(&address);
    assert_eq!(outcome.action, if is_far { Action::Redirect } else { Action::Transmit });
    let backend = ip(address);
    let way = Way {
        backend,
        source: world.tunnel_sources[usize::from(backend.is_ipv6())],
        forwarding: case.forwarding(),
        mtu: if is_far { usize::from(FAR_MTU) } else { 1500 },
        link: link(address),
    };
    let behind = outcome.frame.strip_prefix(&way.link[..]).expect("MAC addresses and tag are the next hop's");
    match way.forwarding {
        Forwarding::L2 => {
            assert_eq!(behind, &frame[arrived.offset - 2..], "packet and padding are untouched");
            assert!(arrived.length <= way.mtu, "it fits");
        }
        Forwarding::Ipip => way.check_outer(&outcome.frame, &arrived, packet, &[]),
        Forwarding::Gue { port } => {
            let length = (8 + arrived.length) as u16;
            // The source port is the flow's, the checksum is left out (RFC 6935).
            let [ports, length] = [u32::from(port), u32::from(length) << 16].map(u32::to_be_bytes);
            way.check_outer(&outcome.frame, &arrived, packet, &[ports, length].concat());
        }
    }
}

/// Service and backend, which have counted the packet and nothing else.
fn counted(arrived: &Ip, outcome: &Outcome) -> (Case, &'static str) {
    let traffic = Traffic { packets: 1, octets: arrived.length as u64 };
    let (service, counters) = only_service(&outcome.counted).expect("a service has counted it");
    assert_eq!(
        counters,
        ServiceCounters { forwarded: traffic, pins: counters.pins, ..ServiceCounters::default() }
    );
    let backends: Vec<_> = outcome.counted.backends.iter().collect();
    let [(backend, counters)] = backends[..] else { panic!("one backend, not {backends:?}") };
    assert_eq!(*counters, traffic);
    let case = case_of(service);
    let number = backend.0.checked_sub(case.backend().0).map(usize::from);
    let address =
        number.and_then(|number| case.backends().get(number)).expect("the backend is the service's");
    (case, address)
}

fn link(backend: &str) -> Vec<u8> {
    let mut link = [BACKEND_MAC, NODE_MAC].concat();
    if [TAGGED_V4, TAGGED_V6].contains(&backend) {
        link.extend([0x81, 0x00]);
        link.extend(TAG.to_be_bytes());
    }
    link
}

impl Way {
    /// `udp` is the header between, its source port left 0.
    fn check_outer(&self, sent: &[u8], arrived: &Ip, packet: &[u8], udp: &[u8]) {
        let outer = Ip::of(&sent[self.link.len() - 12..]).expect("there is an outer header");
        let header = &sent[self.link.len() + 2..];
        let (fixed, protocol) = if outer.is_v4() {
            assert_eq!([header[0], header[4], header[5], header[6], header[7]], [0x45, 0, 0, 0x40, 0]);
            assert_eq!(sum(0, &header[..20]), 0xffff, "the outer checksum is right");
            (20, header[9])
        } else {
            assert_eq!(header[0] >> 4, 6);
            (40, header[6])
        };
        assert_eq!(outer.length, header.len(), "lengths agree, and padding is left behind");
        assert!(outer.length <= self.mtu, "it fits");
        assert_eq!(outer.traffic_class, arrived.traffic_class, "DSCP and ECN go with it");
        assert_eq!(outer.hop_limit, 64);
        assert_eq!(outer.destination, self.backend);
        assert!(self.source.contains(outer.source), "{} is not in {}", outer.source, self.source);

        let payload = &header[fixed..];
        let inner = if udp.is_empty() {
            assert_eq!(protocol, if arrived.is_v4() { 4 } else { 41 });
            payload
        } else {
            assert_eq!(protocol, 17);
            assert_eq!(payload[2..8], udp[2..8], "port, length and checksum of UDP");
            assert!(payload[0] >= 0xc0, "the source port is a dynamic one");
            &payload[8..]
        };
        assert_eq!(inner, packet, "the packet inside is untouched");
        self.check_unpacked(sent, arrived, packet);
    }

    /// The agent finds the packet in it.
    fn check_unpacked(&self, sent: &[u8], arrived: &Ip, packet: &[u8]) {
        use lb_common::datapath::decapsulate::Outcome::{Decapsulated, Refused};
        let (outcome, unpacked) = agent::unpack(sent);
        super::check_unpacked(sent, outcome, &unpacked);
        let served = agent::serves(arrived.destination);
        assert_eq!(outcome, if served { Decapsulated } else { Refused });
        if served {
            let ethertype = if arrived.is_v4() { [0x08, 0x00] } else { [0x86, 0xdd] };
            assert_eq!(unpacked, [&self.link[..], &ethertype, packet].concat());
        }
    }
}
