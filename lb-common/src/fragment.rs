//! What the parts of one packet have in common, and where they go.

use crate::address::Address;
use crate::clock::{Tick, ticks};
use crate::flow::Protocol;
use crate::slot::BackendIndex;

/// Fragmented packets that the map has room for, unless the configuration says otherwise.
pub const CAPACITY: usize = 16_384;

/// Names a fragmented packet (RFC 791, section 3.2; RFC 8200, section 4.5).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FragmentKey {
    source: Address,
    destination: Address,
    identification: u32,
    protocol: u32,
}

const _: () = assert!(size_of::<FragmentKey>() == 40, "the kernel hashes padding too: there must be none");

impl FragmentKey {
    /// `identification` has 16 bits in IPv4 and 32 in IPv6, where the protocol is 0.
    #[inline(always)]
    #[must_use]
    pub const fn new(source: Address, destination: Address, identification: u32, protocol: Protocol) -> Self {
        FragmentKey { source, destination, identification, protocol: protocol.0 as u32 }
    }
}

/// Ticks for which the parts of a packet are expected: as long as Linux waits for them to be put together (30 s).
const LIFETIME: u32 = ticks(30);

/// Where the parts of a packet go.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentRoute {
    /// Number of the service's counters.
    pub service: u32,
    backend: u32,
    first_seen: Tick,
    unused: u32,
}

impl FragmentRoute {
    /// A service that there isn't: the parts are the kernel's.
    const NO_SERVICE: u32 = u32::MAX;

    /// To that backend of a service, if the first part came at `now`.
    #[inline(always)]
    #[must_use]
    pub const fn new(service: u32, backend: BackendIndex, now: Tick) -> Self {
        FragmentRoute { service, backend: backend.0 as u32, first_seen: now, unused: 0 }
    }

    /// To the kernel.
    #[inline(always)]
    #[must_use]
    pub const fn to_kernel(now: Tick) -> Self {
        FragmentRoute { service: Self::NO_SERVICE, backend: 0, first_seen: now, unused: 0 }
    }

    /// Whether the parts go to the kernel.
    #[inline(always)]
    #[must_use]
    pub const fn is_to_kernel(&self) -> bool {
        self.service == Self::NO_SERVICE
    }

    /// Whether parts may still come. Later ones belong to another packet with the same identification.
    #[inline(always)]
    #[must_use]
    pub const fn holds(&self, now: Tick) -> bool {
        now.since(self.first_seen) <= LIFETIME
    }

    /// The backend.
    #[inline(always)]
    #[must_use]
    pub const fn backend(&self) -> BackendIndex {
        BackendIndex(self.backend as u16)
    }
}
