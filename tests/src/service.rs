//! The services of the lab: every way of forwarding, over both versions of IP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lb_common::flow::IpVersion;
use lb_userspace::config::Forwarding;

use crate::host::Host;

/// A service over TCP, port 80.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name in the configuration.
    pub name: &'static str,
    /// What the client connects to.
    pub vip: IpAddr,
    /// How packets reach the backends.
    pub forwarding: Forwarding,
    /// Which of the backends' addresses are configured.
    pub backend_addresses: IpVersion,
}

/// All of them.
pub const SERVICES: [Service; 8] = [
    Service { name: "l2-v4", vip: vip4(1), forwarding: Forwarding::L2, backend_addresses: IpVersion::V4 },
    Service { name: "l2-v6", vip: vip6(1), forwarding: Forwarding::L2, backend_addresses: IpVersion::V6 },
    Service {
        name: "v4-in-v4",
        vip: vip4(2),
        forwarding: Forwarding::Ipip,
        backend_addresses: IpVersion::V4,
    },
    Service {
        name: "v6-in-v6",
        vip: vip6(2),
        forwarding: Forwarding::Ipip,
        backend_addresses: IpVersion::V6,
    },
    Service {
        name: "v6-in-v4",
        vip: vip6(3),
        forwarding: Forwarding::Ipip,
        backend_addresses: IpVersion::V4,
    },
    Service {
        name: "v4-in-v6",
        vip: vip4(3),
        forwarding: Forwarding::Ipip,
        backend_addresses: IpVersion::V6,
    },
    Service {
        name: "v4-in-udp4",
        vip: vip4(4),
        forwarding: Forwarding::Gue { port: 6080 },
        backend_addresses: IpVersion::V4,
    },
    Service {
        name: "v6-in-udp6",
        vip: vip6(4),
        forwarding: Forwarding::Gue { port: 6080 },
        backend_addresses: IpVersion::V6,
    },
];

/// A VIP of `192.0.2.0/24`, which the router sends to the load balancer.
#[must_use]
pub const fn vip4(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, number))
}

/// A VIP of `2001:db8:f::/64`, which the router sends to the load balancer.
#[must_use]
pub const fn vip6(number: u8) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, number as u16))
}

impl Service {
    /// Where a backend of this service is reached.
    #[must_use]
    pub const fn backend_address(&self, backend: Host) -> IpAddr {
        match self.backend_addresses {
            IpVersion::V4 => IpAddr::V4(backend.ipv4()),
            IpVersion::V6 => IpAddr::V6(backend.ipv6()),
        }
    }

    /// How packets reach the backends, for people.
    #[must_use]
    pub const fn way(&self) -> &'static str {
        match (self.forwarding, self.vip, self.backend_addresses) {
            (Forwarding::L2, ..) => "MAC address",
            (Forwarding::Ipip, IpAddr::V4(_), IpVersion::V4) => "IPv4 in IPv4",
            (Forwarding::Ipip, IpAddr::V4(_), IpVersion::V6) => "IPv4 in IPv6",
            (Forwarding::Ipip, IpAddr::V6(_), IpVersion::V4) => "IPv6 in IPv4",
            (Forwarding::Ipip, IpAddr::V6(_), IpVersion::V6) => "IPv6 in IPv6",
            (Forwarding::Gue { .. }, _, IpVersion::V4) => "UDP in IPv4",
            (Forwarding::Gue { .. }, _, IpVersion::V6) => "UDP in IPv6",
        }
    }
}
