//! What is known of a virtual IP address.

/// A VIP as the datapath sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vip {
    /// Its number, by which its services are found.
    pub index: u32,
    /// What it does.
    pub flags: VipFlags,
}

/// What a VIP does beyond its services.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VipFlags(pub u32);

impl VipFlags {
    /// It answers echo requests.
    pub const ANSWERS_ECHO: VipFlags = VipFlags(1);
    /// One of its services takes every port.
    pub const HAS_ANY_PORT: VipFlags = VipFlags(2);

    /// Lets it do that, or not.
    pub const fn set(&mut self, flag: VipFlags, yes: bool) {
        if yes {
            self.0 |= flag.0;
        } else {
            self.0 &= !flag.0;
        }
    }

    /// Whether it does that.
    #[inline(always)]
    #[must_use]
    pub const fn has(self, flag: VipFlags) -> bool {
        self.0 & flag.0 != 0
    }
}
