//! What the parts of one packet have in common, and where they go.

use crate::address::Address;
use crate::flow::Protocol;
use crate::slot::BackendIndex;

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
    /// `identification` has 16 bits in IPv4 and 32 in IPv6.
    #[inline(always)]
    #[must_use]
    pub const fn new(source: Address, destination: Address, identification: u32, protocol: Protocol) -> Self {
        FragmentKey { source, destination, identification, protocol: protocol.0 as u32 }
    }
}

/// Where the parts of a packet go.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentRoute {
    /// Number of the service's counters.
    pub service: u32,
    backend: u32,
}

impl FragmentRoute {
    /// To that backend of a service.
    #[inline(always)]
    #[must_use]
    pub const fn new(service: u32, backend: BackendIndex) -> Self {
        FragmentRoute { service, backend: backend.0 as u32 }
    }

    /// The backend.
    #[inline(always)]
    #[must_use]
    pub const fn backend(&self) -> BackendIndex {
        BackendIndex(self.backend as u16)
    }
}
