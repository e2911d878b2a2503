//! What the service map holds.

use crate::address::Address;
use crate::flow::Protocol;

/// Services that the maps have room for.
pub const CAPACITY: usize = 1024;

/// Names a service: VIP, port and protocol.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceKey {
    address: Address,
    port: u16,
    protocol: u8,
    zero: [u8; 5],
}

const _: () = assert!(size_of::<ServiceKey>() == 24, "the kernel hashes padding too: there must be none");

impl ServiceKey {
    /// `port` is in host byte order.
    #[inline(always)]
    #[must_use]
    pub const fn new(address: Address, port: u16, protocol: Protocol) -> Self {
        ServiceKey { address, port, protocol: protocol.0, zero: [0; 5] }
    }
}

/// A service as the datapath sees it.
///
/// Table number and size stand in one entry so that a table of another size replaces the former at once.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Number of its counters.
    pub index: u32,
    /// Number of its lookup table.
    pub table: u32,
    /// Slots of that table.
    pub slots: u32,
}
