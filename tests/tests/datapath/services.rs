//! The services that the packets are for, and the network that they are in.

use std::net::IpAddr;
use std::path::PathBuf;

use lb_common::backend::Link;
use lb_common::flow::Protocol;
use lb_common::siphash::HashKey;
use lb_common::slot::BackendIndex;
use lb_userspace::attach::Mode;
use lb_userspace::config::{Backend, Config, Forwarding, Interface, Service};
use lb_userspace::image::Image;
use lb_userspace::next_hop::{NextHop, NextHops};
use lb_userspace::planner::desired;

/// The interface that packets come in by: `BPF_PROG_TEST_RUN` says it is the loopback device.
pub const INGRESS: u32 = 1;
/// Another interface.
pub const OTHER: u32 = 100;

pub const HASH_KEY: [u8; 16] = *b"0123456789abcdef";
pub const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const NODE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub const BACKEND_MAC: [u8; 6] = [2, 0, 0, 0, 0, 3];

pub const NODE_V4: &str = "198.51.100.10";
pub const NODE_V6: &str = "2001:db8:5::10";
pub const BACKEND_V4: &str = "198.51.100.11";
pub const BACKEND_V6: &str = "2001:db8:5::11";
/// Behind the other interface, whose MTU is small.
pub const FAR_V4: &str = "203.0.113.11";
pub const FAR_V6: &str = "2001:db8:9::11";
pub const FAR_MTU: u16 = 1280;
/// Without a next hop.
const LOST: &str = "198.51.100.99";

/// A service of the tests, by the order in [`config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Case {
    L2V4,
    L2V6,
    V4InV4,
    V6InV6,
    V6InV4,
    V4InV6,
    FarL2,
    FarV4InV4,
    FarV6InV6,
    Unreachable,
    Empty,
    Udp,
    Many,
}

pub const VIP_V4: &str = "192.0.2.1";
pub const VIP_V6: &str = "2001:db8:f::1";

impl Case {
    pub const ALL: [Case; 13] = [
        Case::L2V4,
        Case::L2V6,
        Case::V4InV4,
        Case::V6InV6,
        Case::V6InV4,
        Case::V4InV6,
        Case::FarL2,
        Case::FarV4InV4,
        Case::FarV6InV6,
        Case::Unreachable,
        Case::Empty,
        Case::Udp,
        Case::Many,
    ];

    /// Each service has a port of its own.
    pub fn port(self) -> u16 {
        8000 + self as u16
    }

    /// The number of its first backend.
    pub fn backend(self) -> BackendIndex {
        let before = &Case::ALL[..self as usize];
        BackendIndex(1 + before.iter().map(|case| case.service().backends.len() as u16).sum::<u16>())
    }

    /// The only backend's address, if packets are sent to it in a tunnel.
    pub fn tunnel(self) -> Option<&'static str> {
        match self {
            Case::V4InV4 | Case::V6InV4 => Some(BACKEND_V4),
            Case::V4InV6 | Case::V6InV6 => Some(BACKEND_V6),
            Case::FarV4InV4 => Some(FAR_V4),
            Case::FarV6InV6 => Some(FAR_V6),
            _ => None,
        }
    }

    /// Whether its backend is behind the other interface.
    pub fn is_far(self) -> bool {
        matches!(self, Case::FarL2 | Case::FarV4InV4 | Case::FarV6InV6)
    }

    fn service(self) -> Service {
        let (vip, forwarding, backends): (_, _, &[&str]) = match self {
            Case::L2V4 | Case::Udp => (VIP_V4, Forwarding::L2, &[BACKEND_V4]),
            Case::L2V6 => (VIP_V6, Forwarding::L2, &[BACKEND_V6]),
            Case::V4InV4 => (VIP_V4, Forwarding::Ipip, &[BACKEND_V4]),
            Case::V6InV6 => (VIP_V6, Forwarding::Ipip, &[BACKEND_V6]),
            Case::V6InV4 => (VIP_V6, Forwarding::Ipip, &[BACKEND_V4]),
            Case::V4InV6 => (VIP_V4, Forwarding::Ipip, &[BACKEND_V6]),
            Case::FarL2 => (VIP_V4, Forwarding::L2, &[FAR_V4]),
            Case::FarV4InV4 => (VIP_V4, Forwarding::Ipip, &[FAR_V4]),
            Case::FarV6InV6 => (VIP_V6, Forwarding::Ipip, &[FAR_V6]),
            Case::Unreachable => (VIP_V4, Forwarding::L2, &[LOST]),
            Case::Empty => (VIP_V4, Forwarding::Ipip, &[]),
            Case::Many => (VIP_V4, Forwarding::Ipip, &[BACKEND_V4, BACKEND_V6, FAR_V4, FAR_V6]),
        };
        let backend = |address: &&str| Backend { name: (*address).into(), address: ip(address), weight: 1 };
        Service {
            name: format!("{self:?}"),
            address: ip(vip),
            port: self.port(),
            protocol: if self == Case::Udp { Protocol::UDP } else { Protocol::TCP },
            forwarding,
            table_size: 251,
            backends: backends.iter().map(backend).collect(),
        }
    }
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn v4(text: &str) -> [u8; 4] {
    match ip(text) {
        IpAddr::V4(ip) => ip.octets(),
        IpAddr::V6(_) => panic!("{text} is not IPv4"),
    }
}

pub fn v6(text: &str) -> [u8; 16] {
    match ip(text) {
        IpAddr::V6(ip) => ip.octets(),
        IpAddr::V4(_) => panic!("{text} is not IPv6"),
    }
}

/// The maps for all of them.
pub fn image() -> Image {
    let config = Config {
        file: PathBuf::new(),
        interfaces: vec![Interface {
            name: "lo".into(),
            mode: Mode::default(),
            name_at: None,
            mode_at: None,
        }],
        socket: PathBuf::new(),
        state_directory: PathBuf::new(),
        hash_key: Some(HashKey::new(HASH_KEY)),
        services: Case::ALL.map(Case::service).into(),
    };
    let mut addresses = [0; 12];
    addresses[..6].copy_from_slice(&BACKEND_MAC);
    addresses[6..].copy_from_slice(&NODE_MAC);
    let near = Link { egress: INGRESS, mtu: 1500, addresses };
    let far = Link { egress: OTHER, mtu: FAR_MTU, addresses };
    let hop = |link, source| Ok(NextHop { link, source: ip(source), gateway: None });
    let next_hops = NextHops::from([
        (ip(BACKEND_V4), hop(near, NODE_V4)),
        (ip(BACKEND_V6), hop(near, NODE_V6)),
        (ip(FAR_V4), hop(far, NODE_V4)),
        (ip(FAR_V6), hop(far, NODE_V6)),
    ]);
    desired(&config, &next_hops).image
}
