//! The datapath's clock: coarse, because a finer one costs ten times as much to read.

/// Nanoseconds of a tick, as a power of two: 0.134 s.
const TICK_BITS: u32 = 27;

/// A moment in ticks of 2^27 ns since some start. Comes around after 18 years.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick(pub u32);

impl Tick {
    /// The moment so many nanoseconds after the start.
    #[inline(always)]
    #[must_use]
    pub const fn at_nanoseconds(nanoseconds: u64) -> Self {
        Tick((nanoseconds >> TICK_BITS) as u32)
    }

    /// Ticks from `earlier` to this; 0 if another CPU's clock was ahead.
    #[inline(always)]
    #[must_use]
    pub const fn since(self, earlier: Tick) -> u32 {
        let ticks = self.0.wrapping_sub(earlier.0);
        if ticks > u32::MAX / 2 { 0 } else { ticks }
    }
}

/// Ticks of an epoch, as a power of two.
const EPOCH_BITS: u32 = 5;

/// Bits of an epoch's number that are kept.
const KEPT_BITS: u32 = 14;

/// Epochs that are taken for a moment to come, where two clocks disagree.
const AHEAD: u32 = 64;

/// A moment in epochs of 2^32 ns (4.29 s), which takes so little room that every pinned flow has one.
///
/// Comes around after 19.5 hours: what is older must be forgotten before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epoch(u32);

impl Tick {
    /// The epoch that it is in.
    #[inline(always)]
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch::from_bits(self.0 >> EPOCH_BITS)
    }
}

impl Epoch {
    /// Bits of [`Epoch::bits`].
    pub const BITS: u32 = KEPT_BITS;

    /// The longest time in epochs after which an epoch is still known to have been: 19.4 hours.
    pub const LONGEST: u32 = (1 << KEPT_BITS) - AHEAD - 1;

    /// The epoch of that number, of which the lowest [`Epoch::BITS`] bits count.
    #[inline(always)]
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Epoch(bits & ((1 << KEPT_BITS) - 1))
    }

    /// Its number.
    #[inline(always)]
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Epochs from `earlier` to this; 0 if another CPU's clock was ahead.
    #[inline(always)]
    #[must_use]
    pub const fn since(self, earlier: Epoch) -> u32 {
        let epochs = Epoch::from_bits(self.0.wrapping_sub(earlier.0)).0;
        if epochs > Epoch::LONGEST { 0 } else { epochs }
    }
}

/// The epochs in which that many seconds surely pass: one more than they fill.
#[must_use]
pub const fn epochs(seconds: u32) -> u32 {
    ((seconds as u64 * 1_000_000_000) >> (TICK_BITS + EPOCH_BITS)) as u32 + 1
}

/// The ticks of that many seconds, to the nearest; at most 4,294,967 seconds (7 weeks).
#[must_use]
pub const fn ticks(seconds: u32) -> u32 {
    ((seconds as u64 * 1_000_000_000 + (1 << (TICK_BITS - 1))) >> TICK_BITS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_may_come_around_and_run_unevenly() {
        let start = Tick::at_nanoseconds(u64::MAX);
        assert_eq!(Tick(start.0.wrapping_add(3)).since(start), 3);
        assert_eq!(start.since(Tick(start.0.wrapping_add(3))), 0);
        assert_eq!(Tick::at_nanoseconds(1_000_000_000).since(Tick(0)), 7);
    }

    #[test]
    fn epochs_come_around_and_run_unevenly() {
        let last = Epoch::from_bits(u32::MAX);
        let next = Epoch::from_bits(3);
        assert_eq!((next.since(last), last.since(next)), (4, 0));
        assert_eq!(Epoch::from_bits(Epoch::LONGEST).since(Epoch::from_bits(0)), Epoch::LONGEST);
        assert_eq!(Tick::at_nanoseconds(u64::MAX).epoch(), last);
        assert_eq!(Tick::at_nanoseconds(5 << 32).epoch(), Epoch::from_bits(5));
    }

    #[test]
    fn seconds_in_epochs() {
        assert_eq!([0, 4, 5, 3600].map(epochs), [1, 1, 2, 839]);
    }

    #[test]
    fn seconds_in_ticks() {
        assert_eq!(ticks(0), 0);
        assert_eq!(ticks(1), 7);
        assert_eq!(ticks(3600), 26_822);
        assert_eq!(ticks(4_294_967), 31_999_998);
    }
}
