//! The services that the packets are for, and the network that they are in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use lb_common::backend::Link;
use lb_common::clock::Tick;
use lb_common::flow::Protocol;
use lb_common::service::ServiceFlags;
use lb_common::siphash::HashKey;
use lb_common::slot::{BackendIndex, slot_of};
use lb_common::wire::ethernet::Vlan;
use lb_common::wire::quic::ServerId;
use lb_userspace::attach::Mode;
use lb_userspace::config::{
    AdminState, Affinity, Api, Backend, Config, DEFAULT_INSTANCE, Flows, Forwarding, Fragments, Interface,
    Log, MapSizes, Prefix, Service,
};
use lb_userspace::fitness::ServiceFitness;
use lb_userspace::health::OnAllDown;
use lb_userspace::image::Image;
use lb_userspace::next_hop::{NextHop, NextHops};
use lb_userspace::planner::{Observed, Planner};
use lb_userspace::roster::ServiceId;

/// The interface that packets come in by: `BPF_PROG_TEST_RUN` says it is the loopback device.
pub const INGRESS: u32 = 1;
/// Another interface.
pub const OTHER: u32 = 100;

/// Key of the flow hash.
pub const HASH_KEY: [u8; 16] = *b"0123456789abcdef";
/// Whom frames come from: the router.
pub const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// The balancer's.
pub const NODE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// The next hop's towards every backend.
pub const BACKEND_MAC: [u8; 6] = [2, 0, 0, 0, 0, 3];

/// The balancer's own address.
pub const NODE_V4: &str = "198.51.100.10";
/// The same of IPv6.
pub const NODE_V6: &str = "2001:db8:5::10";
/// On the ingress interface.
pub const BACKEND_V4: &str = "198.51.100.11";
/// The same of IPv6.
pub const BACKEND_V6: &str = "2001:db8:5::11";
/// Behind the other interface, whose MTU is small.
pub const FAR_V4: &str = "203.0.113.11";
/// The same of IPv6.
pub const FAR_V6: &str = "2001:db8:9::11";
/// Octets of the longest packet to those.
pub const FAR_MTU: u16 = 1280;
/// In a VLAN on the ingress interface.
pub const TAGGED_V4: &str = "198.51.100.21";
/// The same of IPv6.
pub const TAGGED_V6: &str = "2001:db8:5::21";
/// That VLAN's tag.
pub const TAG: u16 = 0x2064;
/// Without a next hop.
const LOST: &str = "198.51.100.99";

/// Of most services.
pub const VIP_V4: &str = "192.0.2.1";
/// The same of IPv6.
pub const VIP_V6: &str = "2001:db8:f::1";
/// Of services that take what others leave.
pub const SHARED_V4: &str = "192.0.2.2";
/// Where backends unpack IP in UDP.
pub const GUE_PORT: u16 = 6080;

/// A service of the tests.
#[expect(missing_docs, reason = "the methods say what each is like")]
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
    V4InGueV4,
    V6InGueV6,
    V6InGueV4,
    V4InGueV6,
    TaggedL2V4,
    TaggedL2V6,
    TaggedV4InV4,
    TaggedV4InV6,
    AnyPort,
    OnePort,
    PrefixV4,
    LongerPrefixV4,
    PrefixV6,
    BySource,
    ByAddresses,
    Quic,
    UdpV6,
    /// Like the following: nobody serves, and clients are told so.
    RejectedV4,
    RejectedV6,
    RejectedUdp,
    RejectedUdpV6,
    RejectedBySource,
    WatchedV4,
    WatchedV6,
}

impl Case {
    /// All of them, in the order of their numbers.
    pub const ALL: [Case; 37] = [
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
        Case::V4InGueV4,
        Case::V6InGueV6,
        Case::V6InGueV4,
        Case::V4InGueV6,
        Case::TaggedL2V4,
        Case::TaggedL2V6,
        Case::TaggedV4InV4,
        Case::TaggedV4InV6,
        Case::AnyPort,
        Case::OnePort,
        Case::PrefixV4,
        Case::LongerPrefixV4,
        Case::PrefixV6,
        Case::BySource,
        Case::ByAddresses,
        Case::Quic,
        Case::UdpV6,
        Case::RejectedV4,
        Case::RejectedV6,
        Case::RejectedUdp,
        Case::RejectedUdpV6,
        Case::RejectedBySource,
        Case::WatchedV4,
        Case::WatchedV6,
    ];

    /// Each service has a port of its own.
    #[must_use]
    pub fn port(self) -> u16 {
        8000 + self as u16
    }

    /// The number of its first backend.
    #[must_use]
    pub fn backend(self) -> BackendIndex {
        let before = &Case::ALL[..self as usize];
        BackendIndex(1 + before.iter().map(|case| case.backends().len() as u16).sum::<u16>())
    }

    /// An address that clients connect to.
    #[must_use]
    pub fn vip(self) -> &'static str {
        match self {
            Case::L2V6
            | Case::V6InV6
            | Case::V6InV4
            | Case::FarV6InV6
            | Case::V6InGueV6
            | Case::V6InGueV4
            | Case::TaggedL2V6
            | Case::UdpV6
            | Case::RejectedV6
            | Case::RejectedUdpV6
            | Case::WatchedV6 => VIP_V6,
            Case::AnyPort | Case::OnePort | Case::ByAddresses => SHARED_V4,
            Case::PrefixV4 => "198.18.7.7",
            Case::LongerPrefixV4 => "198.18.8.8",
            Case::PrefixV6 => "2001:db8:77:1234::5",
            _ => VIP_V4,
        }
    }

    /// Addresses of its backends.
    #[must_use]
    pub fn backends(self) -> &'static [&'static str] {
        match self {
            Case::L2V6
            | Case::V6InV6
            | Case::V4InV6
            | Case::V6InGueV6
            | Case::V4InGueV6
            | Case::UdpV6
            | Case::WatchedV6 => &[BACKEND_V6],
            Case::FarL2 | Case::FarV4InV4 => &[FAR_V4],
            Case::FarV6InV6 => &[FAR_V6],
            Case::Unreachable => &[LOST],
            Case::Empty
            | Case::RejectedV4
            | Case::RejectedV6
            | Case::RejectedUdp
            | Case::RejectedUdpV6
            | Case::RejectedBySource => &[],
            Case::Many | Case::BySource | Case::ByAddresses | Case::Quic => {
                &[BACKEND_V4, BACKEND_V6, FAR_V4, FAR_V6]
            }
            Case::TaggedL2V4 | Case::TaggedV4InV4 => &[TAGGED_V4],
            Case::TaggedL2V6 | Case::TaggedV4InV6 => &[TAGGED_V6],
            _ => &[BACKEND_V4],
        }
    }

    /// How packets reach its backends.
    #[must_use]
    pub fn forwarding(self) -> Forwarding {
        match self {
            Case::V4InV4
            | Case::V6InV6
            | Case::V6InV4
            | Case::V4InV6
            | Case::FarV4InV4
            | Case::FarV6InV6
            | Case::Empty
            | Case::Many
            | Case::TaggedV4InV4
            | Case::TaggedV4InV6
            | Case::ByAddresses => Forwarding::Ipip,
            Case::V4InGueV4 | Case::V6InGueV6 | Case::V6InGueV4 | Case::V4InGueV6 => {
                Forwarding::Gue { port: GUE_PORT }
            }
            _ => Forwarding::L2,
        }
    }

    /// TCP or UDP.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        match self {
            Case::Udp
            | Case::UdpV6
            | Case::Quic
            | Case::ByAddresses
            | Case::RejectedUdp
            | Case::RejectedUdpV6 => Protocol::UDP,
            _ => Protocol::TCP,
        }
    }

    /// Its VIP, which may be a prefix.
    #[must_use]
    pub fn vips(self) -> Prefix {
        let prefix = |text: &str, length| Prefix { address: ip(text), length };
        match self {
            Case::PrefixV4 => prefix("198.18.0.0", 16),
            Case::LongerPrefixV4 => prefix("198.18.8.0", 24),
            Case::PrefixV6 => prefix("2001:db8:77::", 48),
            _ => Prefix::of_one(ip(self.vip())),
        }
    }

    /// Whether health has decided that nobody can serve, and clients are to be told.
    #[must_use]
    pub fn rejects(self) -> bool {
        matches!(
            self,
            Case::RejectedV4
                | Case::RejectedV6
                | Case::RejectedUdp
                | Case::RejectedUdpV6
                | Case::RejectedBySource
        )
    }

    /// Whether what its flows show is counted.
    #[must_use]
    pub fn is_watched(self) -> bool {
        matches!(self, Case::WatchedV4 | Case::WatchedV6)
    }

    fn service(self) -> Service {
        let backend = |(number, address): (usize, &&str)| Backend {
            name: (*address).into(),
            address: ip(address),
            quic_server_id: (self == Case::Quic).then(|| server_id(number)),
            weight: 1,
            state: AdminState::Active,
            drain_timeout: None,
            is_backup: false,
        };
        Service {
            name: format!("{self:?}"),
            vip: self.vips(),
            port: (self != Case::AnyPort).then(|| self.port()),
            protocol: self.protocol(),
            forwarding: self.forwarding(),
            affinity: if matches!(self, Case::BySource | Case::RejectedBySource) {
                Affinity::Source
            } else {
                Affinity::Flow
            },
            fragments: if self == Case::ByAddresses { Fragments::ByAddresses } else { Fragments::Follow },
            quic_server_id_length: if self == Case::Quic { QUIC_SERVER_ID_LENGTH } else { 0 },
            flows: Flows::default_of(self.protocol()),
            table_size: 251,
            health: None,
            backends: self.backends().iter().enumerate().map(backend).collect(),
        }
    }
}

/// Octets of a server ID in QUIC's connection IDs.
pub const QUIC_SERVER_ID_LENGTH: u8 = 3;
/// The number by which connection IDs name how they were made.
pub const QUIC_CONFIGURATION: u8 = 2;

/// The server ID of a service's backend, by its number.
#[must_use]
pub fn server_id(number: usize) -> ServerId {
    ServerId { configuration: QUIC_CONFIGURATION, octets: 0x0a_0b00 + number as u64 }
}

/// An address.
///
/// # Panics
/// It is none.
#[must_use]
pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Octets of an IPv4 address.
///
/// # Panics
/// It is none.
#[must_use]
pub fn v4(text: &str) -> [u8; 4] {
    match ip(text) {
        IpAddr::V4(ip) => ip.octets(),
        IpAddr::V6(_) => panic!("{text} is not IPv4"),
    }
}

/// Octets of an IPv6 address.
///
/// # Panics
/// It is none.
#[must_use]
pub fn v6(text: &str) -> [u8; 16] {
    match ip(text) {
        IpAddr::V6(ip) => ip.octets(),
        IpAddr::V4(_) => panic!("{text} is not IPv6"),
    }
}

/// The maps for all of them; echo requests are answered.
#[must_use]
pub fn image() -> Image {
    image_with(|_| {})
}

/// The maps for a changed configuration.
#[must_use]
pub fn image_with(change: impl FnOnce(&mut Config)) -> Image {
    let mut config = Config {
        file: PathBuf::new(),
        interfaces: vec![Interface {
            name: "lo".into(),
            mode: Mode::default(),
            name_at: None,
            mode_at: None,
        }],
        instance: DEFAULT_INSTANCE.into(),
        api: Api::default(),
        log: Log::default(),
        state_directory: PathBuf::new(),
        hash_key: Some(HashKey::new(HASH_KEY)),
        answer_echo: true,
        tunnel_sources: Vec::new(),
        maps: MapSizes::default(),
        services: Case::ALL.map(Case::service).into(),
    };
    change(&mut config);
    let mut addresses = [0; 12];
    addresses[..6].copy_from_slice(&BACKEND_MAC);
    addresses[6..].copy_from_slice(&NODE_MAC);
    let near = Link { egress: INGRESS, mtu: 1500, vlan: Vlan::NONE, addresses };
    let far = Link { egress: OTHER, mtu: FAR_MTU, ..near };
    let tagged = Link { vlan: Vlan(TAG), ..near };
    let hop = |link, source| Ok(NextHop { link, source: ip(source), gateway: None });
    let next_hops = NextHops::from([
        (ip(BACKEND_V4), hop(near, NODE_V4)),
        (ip(BACKEND_V6), hop(near, NODE_V6)),
        (ip(FAR_V4), hop(far, NODE_V4)),
        (ip(FAR_V6), hop(far, NODE_V6)),
        (ip(TAGGED_V4), hop(tagged, NODE_V4)),
        (ip(TAGGED_V6), hop(tagged, NODE_V6)),
    ]);
    let rejecting = config.services.iter().zip(Case::ALL).filter(|(_, case)| case.rejects());
    let fitnesses = rejecting.map(|(service, _)| {
        let fitness = ServiceFitness { all_down: Some(OnAllDown::Reject), ..ServiceFitness::default() };
        (ServiceId::of(service), fitness)
    });
    let observed = Observed {
        next_hops: &next_hops,
        fitnesses: &fitnesses.collect(),
        census: None,
        refused: &BTreeMap::new(),
        now: Tick(0),
    };
    let mut image = Planner::new(config.maps).desired(&config, &Image::default(), observed).image;
    for service in image.services.values_mut() {
        let is_watched = Case::ALL.get(service.index as usize).is_some_and(|case| case.is_watched());
        service.flags.set(ServiceFlags::WATCHED, is_watched);
    }
    image
}

/// Which of a service's backends its table has for that hash.
#[must_use]
pub fn chosen(case: Case, hash: u64) -> usize {
    let table = &image().tables[&(case as u32)];
    let slot = table[slot_of(hash, table.len() as u32) as usize];
    usize::from(slot.current().0 - case.backend().0)
}
