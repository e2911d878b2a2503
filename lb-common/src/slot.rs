//! Slots: the entries of a service's lookup table.

/// A backend's number, unique over all services of a node.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BackendIndex(pub u16);

impl BackendIndex {
    /// No backend: what a fresh, zeroed table holds.
    pub const NONE: BackendIndex = BackendIndex(0);
    /// The highest number that a backend can have; the one above it is reserved for a slot's state.
    pub const MAX: BackendIndex = BackendIndex(u16::MAX - 1);
}

/// One slot: its current backend in the low half and its previous one in the high half.
///
/// Equal halves mean that the slot is stable: every flow that falls into it belongs to its current backend.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot(pub u32);

impl Slot {
    /// A slot whose flows all belong to one backend.
    #[must_use]
    pub const fn stable(current: BackendIndex) -> Self {
        Slot(current.0 as u32 | (current.0 as u32) << 16)
    }

    /// The backend that new flows go to.
    #[inline(always)]
    #[must_use]
    pub const fn current(self) -> BackendIndex {
        BackendIndex(self.0 as u16)
    }
}

/// Two neighbouring slots: the elements of the kernel's arrays are eight octets apart, whatever their size.
pub type SlotPair = [Slot; 2];

/// Which slot of a table a flow falls into: the hash's high half, scaled to the table's size.
///
/// No division, and no second hash (Lemire, "Fast random integer generation in an interval", 2019).
#[inline(always)]
#[must_use]
pub const fn slot_of(flow_hash: u64, slots: u32) -> u32 {
    (((flow_hash >> 32) * slots as u64) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroed_memory_is_a_slot_without_a_backend() {
        assert_eq!(Slot(0).current(), BackendIndex::NONE);
        assert_eq!(Slot(0), Slot::stable(BackendIndex::NONE));
    }

    #[test]
    fn a_stable_slot_repeats_its_backend() {
        assert_eq!(Slot::stable(BackendIndex(0x1234)), Slot(0x1234_1234));
        assert_eq!(Slot::stable(BackendIndex::MAX).current(), BackendIndex::MAX);
    }

    #[test]
    fn every_hash_falls_into_the_table() {
        assert_eq!(slot_of(0, 65_537), 0);
        assert_eq!(slot_of(u64::MAX, 65_537), 65_536);
        assert_eq!(slot_of(1 << 63, 65_536), 32_768);
    }
}
