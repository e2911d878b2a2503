//! Who is in the network.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A host: a network namespace with one interface `eth0` (the router has several).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Sends requests.
    Client,
    /// Between the client's network and the servers'; sends what is for a VIP to the load balancer.
    Router,
    /// Runs `lbd`.
    Balancer,
    /// Runs nginx and `lb-agent`.
    Backend1,
    /// As the first.
    Backend2,
    /// As the first.
    Backend3,
}

impl Host {
    /// Every host.
    pub const ALL: [Host; 6] =
        [Host::Client, Host::Router, Host::Balancer, Host::Backend1, Host::Backend2, Host::Backend3];

    /// Those that serve.
    pub const BACKENDS: [Host; 3] = [Host::Backend1, Host::Backend2, Host::Backend3];

    /// The name in namespaces, files and, for backends, in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Host::Client => "client",
            Host::Router => "router",
            Host::Balancer => "lb",
            Host::Backend1 => "b1",
            Host::Backend2 => "b2",
            Host::Backend3 => "b3",
        }
    }

    /// The IPv4 address; the router's is the one toward the servers.
    ///
    /// All addresses are of the blocks that are reserved for documentation (RFC 5737, RFC 3849).
    #[must_use]
    pub const fn ipv4(self) -> Ipv4Addr {
        match self {
            Host::Client => Ipv4Addr::new(203, 0, 113, 2),
            Host::Router => Ipv4Addr::new(198, 51, 100, 1),
            Host::Balancer => Ipv4Addr::new(198, 51, 100, 10),
            Host::Backend1 => Ipv4Addr::new(198, 51, 100, 11),
            Host::Backend2 => Ipv4Addr::new(198, 51, 100, 12),
            Host::Backend3 => Ipv4Addr::new(198, 51, 100, 13),
        }
    }

    /// The IPv6 address; the router's is the one toward the servers.
    #[must_use]
    pub const fn ipv6(self) -> Ipv6Addr {
        match self {
            Host::Client => Ipv6Addr::new(0x2001, 0xdb8, 0xc, 0, 0, 0, 0, 2),
            Host::Router => Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 1),
            Host::Balancer => Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 0x10),
            Host::Backend1 => Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 0x11),
            Host::Backend2 => Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 0x12),
            Host::Backend3 => Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 0x13),
        }
    }
}
