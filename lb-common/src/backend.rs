//! What the backend map holds.

use crate::wire::ethernet::{self, Vlan};
use crate::wire::{ipv4, ipv6};

/// Entries that the map has room for, unless the configuration says otherwise; the first stands for no backend.
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
    /// IP in UDP in IPv4 (draft-ietf-intarea-gue-09, variant 1).
    pub const GUE_V4: Forwarding = Forwarding(4);
    /// IP in UDP in IPv6.
    pub const GUE_V6: Forwarding = Forwarding(5);
}

/// A backend of one service: all that a packet needs to get there, prepared, in one cache line.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Index of the interface that leads there.
    pub egress: u32,
    /// Octets of the longest IP packet, outer headers included, that the way there takes.
    pub mtu: u16,
    /// How packets get there.
    pub forwarding: Forwarding,
    /// Zero.
    pub unused: u8,
    /// The tag that frames need on the way.
    pub vlan: Vlan,
    /// UDP port that the backend unpacks at, for [`Forwarding::GUE_V4`] and [`Forwarding::GUE_V6`]; host byte order.
    pub port: u16,
    /// MAC addresses: the next hop's, then the interface's own.
    pub link: ethernet::Addresses,
    /// The outer IP header, as `prepare` of [`ipv4`] or [`ipv6`] made it.
    pub outer: [u8; ipv6::LENGTH],
}

const _: () = assert!(size_of::<Backend>() == 64, "one cache line, without padding");

/// The way to a backend's next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Index of the interface.
    pub egress: u32,
    /// Octets of the longest IP packet it takes.
    pub mtu: u16,
    /// The tag that frames need there.
    pub vlan: Vlan,
    /// MAC addresses: the next hop's, then the interface's own.
    pub addresses: ethernet::Addresses,
}

/// Addresses of a tunnel's ends, of one IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Source, which is this node's, and destination, which is the backend's.
    V4([u8; 4], [u8; 4]),
    /// The same of IPv6.
    V6([u8; 16], [u8; 16]),
}

impl Backend {
    /// No backend: what a zeroed map holds.
    pub const EMPTY: Backend = Backend {
        egress: 0,
        mtu: 0,
        forwarding: Forwarding::NONE,
        unused: 0,
        vlan: Vlan::NONE,
        port: 0,
        link: [0; ethernet::ADDRESSES_LENGTH],
        outer: [0; ipv6::LENGTH],
    };

    /// A backend on the link itself.
    #[must_use]
    pub const fn l2(link: Link) -> Self {
        Backend {
            egress: link.egress,
            mtu: link.mtu,
            forwarding: Forwarding::L2,
            vlan: link.vlan,
            link: link.addresses,
            ..Backend::EMPTY
        }
    }

    /// A backend that unpacks IP in IP.
    ///
    /// The last `spread_bits` bits of the source, at most 16, must be zero: they are filled in for each flow.
    #[must_use]
    pub fn ipip(link: Link, ends: Ends, spread_bits: u8) -> Self {
        let mut backend = Backend::l2(link);
        let varying = ((1u32 << spread_bits.min(16)) - 1) as u16;
        match ends {
            Ends::V4(source, destination) => {
                backend.forwarding = Forwarding::IPIP_V4;
                backend.outer[..ipv4::LENGTH].copy_from_slice(&ipv4::prepare(source, destination, varying));
            }
            Ends::V6(source, destination) => {
                backend.forwarding = Forwarding::IPIP_V6;
                backend.outer = ipv6::prepare(source, destination, varying);
            }
        }
        backend
    }

    /// A backend that unpacks IP in UDP at `port`.
    #[must_use]
    pub fn gue(link: Link, ends: Ends, spread_bits: u8, port: u16) -> Self {
        let forwarding = match ends {
            Ends::V4(..) => Forwarding::GUE_V4,
            Ends::V6(..) => Forwarding::GUE_V6,
        };
        Backend { forwarding, port, ..Backend::ipip(link, ends, spread_bits) }
    }
}
