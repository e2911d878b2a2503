//! What is known of a virtual IP address.

use crate::flags::flags;

/// A VIP as the datapath sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vip {
    /// Its number, by which its services are found.
    pub index: u32,
    /// What it does.
    pub flags: VipFlags,
}

flags! {
    /// What a VIP does beyond its services.
    VipFlags {
        /// It answers echo requests.
        ANSWERS_ECHO = 1,
        /// One of its services takes every port.
        HAS_ANY_PORT = 2,
    }
}
