//! Which flows a backend takes, in a table that changes while packets pass.

use crate::atomic::Word32;
use crate::flags::flags;

flags! {
    /// Which flows a backend takes.
    Takes {
        /// New ones: it is active.
        NEW = 1,
        /// Those that it has: it is active, draining, or down for less than its grace time.
        KNOWN = 2,
    }
}

impl Takes {
    /// It is active.
    pub const ALL: Takes = Takes(Takes::NEW.0 | Takes::KNOWN.0);
    /// It is draining, or down for less than its grace time.
    pub const OLD_ONLY: Takes = Takes::KNOWN;
    /// It is disabled, down for longer, or gone.
    pub const NONE: Takes = Takes(0);
}

/// What a backend does in its service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Number of the service.
    pub service: u32,
    /// Which of its flows it takes.
    pub takes: Takes,
    /// Its share of new flows, relative to the other backends'.
    pub weight: u32,
}

/// A backend's role, and how busy it is.
#[repr(C, align(8))]
#[derive(Default)]
pub struct Standing {
    takes: Word32,
    service: Word32,
    weight: Word32,
    /// Flows that are pinned to it and haven't ended; counted only for schedulers that go by them.
    flows: Word32,
}

const _: () = assert!(size_of::<Standing>() == 16, "four to a cache line");

impl Standing {
    /// Which flows of a service it takes; none of another service's.
    #[inline(always)]
    pub fn takes(&self, service: u32) -> Takes {
        let takes = Takes(self.takes.load());
        if self.service.load() == service { takes } else { Takes::NONE }
    }

    /// Its share of new flows, relative to the other backends' of the service.
    #[inline(always)]
    pub fn weight(&self) -> u64 {
        u64::from(self.weight.load())
    }

    /// Flows that are pinned to it and haven't ended. For a moment, until userspace counts them again, it may be wrong by
    /// those whose end was seen twice: never less than none.
    #[inline(always)]
    pub fn flows(&self) -> u64 {
        let flows = self.flows.load();
        if flows > u32::MAX / 2 { 0 } else { u64::from(flows) }
    }

    /// Counts a flow that began (1) or ended (-1).
    #[inline(always)]
    pub fn count_flow(&self, change: i32) {
        self.flows.add(change.cast_unsigned());
    }

    /// Enters how many flows there really are.
    pub fn set_flows(&self, flows: u32) {
        self.flows.store(flows);
    }

    /// Its role.
    #[must_use]
    pub fn role(&self) -> Role {
        Role { service: self.service.load(), takes: Takes(self.takes.load()), weight: self.weight.load() }
    }

    /// Gives a backend its role, or changes it.
    pub fn set(&self, role: Role) {
        self.service.store(role.service);
        self.weight.store(role.weight);
        self.takes.store(role.takes.0);
    }
}
