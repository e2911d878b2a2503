//! What the datapath knows of its node.

use crate::address::Address;
use crate::flow::IpVersion;

/// What changes while the program runs.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The node's own IPv4 address, or all zeros.
    pub own_v4: Address,
    /// The node's own IPv6 address, or all zeros.
    pub own_v6: Address,
    /// Not 0 if a VIP is a prefix of addresses.
    pub has_prefixes: u64,
}

impl Settings {
    /// Whether a VIP is a prefix of addresses.
    #[inline(always)]
    #[must_use]
    pub const fn has_prefixes(&self) -> bool {
        self.has_prefixes != 0
    }

    /// The node's own address of that version.
    #[inline(always)]
    #[must_use]
    pub fn own_address(&self, version: IpVersion) -> Option<Address> {
        let address = match version {
            IpVersion::V4 => self.own_v4,
            IpVersion::V6 => self.own_v6,
        };
        (address != Address::default()).then_some(address)
    }
}
