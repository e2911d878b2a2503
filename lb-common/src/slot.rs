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
/// See [`State`] for what they mean together.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot(pub u32);

/// What is known of the flows that fall into a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum State {
    /// All belong to one backend: both halves are equal.
    Stable(BackendIndex),
    /// New ones belong to the current backend; of the others, those that aren't pinned belong to the previous one.
    Migrating {
        /// Half a slot.
        current: BackendIndex,
        /// The other half.
        previous: BackendIndex,
    },
    /// Those that aren't pinned belong to the current backend: the previous half is [`Slot::NO_PREVIOUS`].
    Tracked(BackendIndex),
}

impl Slot {
    /// What stands for the previous backend where only pins count.
    const NO_PREVIOUS: BackendIndex = BackendIndex(u16::MAX);

    /// A slot whose flows all belong to one backend.
    #[must_use]
    pub const fn stable(current: BackendIndex) -> Self {
        Slot::of(current, current)
    }

    /// A slot that is on its way from one backend to another; stable if they are the same.
    #[must_use]
    pub const fn migrating(current: BackendIndex, previous: BackendIndex) -> Self {
        Slot::of(current, previous)
    }

    /// A slot some of whose flows are pinned to other backends.
    #[must_use]
    pub const fn tracked(current: BackendIndex) -> Self {
        Slot::of(current, Slot::NO_PREVIOUS)
    }

    const fn of(current: BackendIndex, previous: BackendIndex) -> Self {
        Slot(current.0 as u32 | (previous.0 as u32) << 16)
    }

    /// Whether all flows belong to the current backend.
    #[inline(always)]
    #[must_use]
    pub const fn is_stable(self) -> bool {
        self.0 >> 16 == self.0 & 0xffff
    }

    /// The backend of flows that are neither new nor pinned.
    #[inline(always)]
    #[must_use]
    pub const fn previous(self) -> Option<BackendIndex> {
        let previous = BackendIndex((self.0 >> 16) as u16);
        if previous.0 == Slot::NO_PREVIOUS.0 { None } else { Some(previous) }
    }

    /// What is known of its flows.
    #[must_use]
    pub const fn state(self) -> State {
        let current = self.current();
        match self.previous() {
            None => State::Tracked(current),
            Some(previous) if previous.0 == current.0 => State::Stable(current),
            Some(previous) => State::Migrating { current, previous },
        }
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

/// Pairs in the map of a lookup table of the usual size: 65,537 slots and a rotation behind them, in 65 pages.
///
/// Where all tables in a map of tables are of one size, the kernel looks into them without a call.
pub const USUAL_PAIRS: usize = 65 * 4096 / size_of::<SlotPair>();

/// Pairs in the map of a lookup table with so many entries.
#[inline(always)]
#[must_use]
pub const fn pairs(entries: u32) -> u32 {
    if is_usual(entries) { USUAL_PAIRS as u32 } else { entries.div_ceil(2) }
}

/// Whether a lookup table with so many entries is of the usual size: it needs no more pages.
#[inline(always)]
#[must_use]
pub const fn is_usual(entries: u32) -> bool {
    entries > 64 * 4096 / 4 && entries <= 2 * USUAL_PAIRS as u32
}

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
    fn a_slot_is_in_one_state() {
        let (one, other) = (BackendIndex(1), BackendIndex::MAX);
        assert_eq!(Slot::stable(one).state(), State::Stable(one));
        assert_eq!(Slot::migrating(one, other).state(), State::Migrating { current: one, previous: other });
        assert_eq!(Slot::migrating(one, one).state(), State::Stable(one));
        assert_eq!(Slot::tracked(other).state(), State::Tracked(other));
        assert_eq!(Slot::tracked(BackendIndex::NONE).state(), State::Tracked(BackendIndex::NONE));
        let stable =
            [Slot::stable(one), Slot::migrating(one, other), Slot::tracked(one)].map(Slot::is_stable);
        assert_eq!(stable, [true, false, false]);
        assert_eq!(Slot::migrating(one, other).previous(), Some(other));
        assert_eq!(Slot::tracked(one).previous(), None);
    }

    #[test]
    fn every_hash_falls_into_the_table() {
        assert_eq!(slot_of(0, 65_537), 0);
        assert_eq!(slot_of(u64::MAX, 65_537), 65_536);
        assert_eq!(slot_of(1 << 63, 65_536), 32_768);
    }
}
