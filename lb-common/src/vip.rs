//! What is known of a virtual IP address.

use crate::address::Address;
use crate::flags::flags;

/// A VIP as the datapath sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vip {
    /// Its number.
    pub index: u32,
    /// What it does.
    pub flags: VipFlags,
}

/// The first word of addresses that are nobody's: `100::/64`, from which and to which packets are discarded (RFC 6666).
const NOBODYS: u64 = 1;

impl Vip {
    /// What its services are named by: of one address that itself, which is `destination` then; of a prefix its number, in
    /// the form of an address that nobody has.
    #[inline(always)]
    #[must_use]
    pub const fn name(self, destination: Address) -> Address {
        if self.flags.has(VipFlags::IS_PREFIX) {
            Address::from_words([NOBODYS, self.index as u64])
        } else {
            destination
        }
    }
}

flags! {
    /// What a VIP does beyond its services.
    VipFlags {
        /// It answers echo requests.
        ANSWERS_ECHO = 1,
        /// One of its services takes every port.
        HAS_ANY_PORT = 2,
        /// It is more than one address.
        IS_PREFIX = 4,
    }
}
