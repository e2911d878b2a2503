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
    fn seconds_in_ticks() {
        assert_eq!(ticks(0), 0);
        assert_eq!(ticks(1), 7);
        assert_eq!(ticks(3600), 26_822);
        assert_eq!(ticks(4_294_967), 31_999_998);
    }
}
