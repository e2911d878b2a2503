//! What the backend map holds.

use crate::wire::{ethernet, ipv4, ipv6};

/// Entries that the map has room for; the first stands for no backend.
pub const CAPACITY: usize = 16_384;

/// How packets reach a backend. An integer, because what the map holds may have been written by anyone.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forwarding(pub u8);

impl Forwarding {
    /// The entry is empty.
    pub const NONE: Forwarding = Forwarding(0);
    /// MAC addresses are rewritten; the backend is on the same link.
    pub const L2: Forwarding = Forwarding(1);
    /// IP in IPv4 (RFC 2003, RFC 4213).
    pub const IPIP_V4: Forwarding = Forwarding(2);
    /// IP in IPv6 (RFC 2473).
    pub const IPIP_V6: Forwarding = Forwarding(3);
}

/// A backend of one service: all that a packet needs to get there, prepared, in one cache line.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Index of the interface that leads there.
    pub egress: u32,
    /// Octets of the longest IP packet, outer header included, that this interface takes.
    pub mtu: u16,
    /// How packets get there.
    pub forwarding: Forwarding,
    zero: u8,
    /// MAC addresses: the next hop's, then the interface's own.
    pub link: ethernet::Addresses,
    /// The outer header, as `prepare` of [`ipv4`] or [`ipv6`] made it.
    pub outer: [u8; ipv6::LENGTH],
    zero_end: [u8; 4],
}

const _: () = assert!(size_of::<Backend>() == 64, "one cache line, without padding");

/// The way to a backend's next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Index of the interface.
    pub egress: u32,
    /// Octets of the longest IP packet it takes.
    pub mtu: u16,
    /// MAC addresses: the next hop's, then the interface's own.
    pub addresses: ethernet::Addresses,
}

impl Backend {
    /// No backend: what a zeroed map holds.
    pub const EMPTY: Backend = Backend {
        egress: 0,
        mtu: 0,
        forwarding: Forwarding::NONE,
        zero: 0,
        link: [0; 12],
        outer: [0; ipv6::LENGTH],
        zero_end: [0; 4],
    };

    /// A backend on the link itself.
    #[must_use]
    pub const fn l2(link: Link) -> Self {
        Backend {
            egress: link.egress,
            mtu: link.mtu,
            forwarding: Forwarding::L2,
            link: link.addresses,
            ..Backend::EMPTY
        }
    }

    /// A backend that unpacks IP in IPv4. `source` is this node's address.
    #[must_use]
    pub fn ipip_v4(link: Link, source: [u8; 4], destination: [u8; 4]) -> Self {
        let mut backend = Backend { forwarding: Forwarding::IPIP_V4, ..Backend::l2(link) };
        backend.outer[..ipv4::LENGTH].copy_from_slice(&ipv4::prepare(source, destination));
        backend
    }

    /// A backend that unpacks IP in IPv6. `source` is this node's address.
    #[must_use]
    pub fn ipip_v6(link: Link, source: [u8; 16], destination: [u8; 16]) -> Self {
        let outer = ipv6::prepare(source, destination);
        Backend { forwarding: Forwarding::IPIP_V6, outer, ..Backend::l2(link) }
    }
}
