//! How much of something is done: a node must not be made to flood a client, or itself.

use crate::clock::Tick;

/// Errors that one CPU sends in a tick: 955 a second, about what Linux sends (`net.ipv4.icmp_msgs_per_sec`, 1,000).
pub const ERRORS: u32 = 128;

/// What one CPU has done in a tick.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ration {
    tick: Tick,
    taken: u32,
}

impl Ration {
    /// Takes one from it; `false` if `most` were taken in this tick.
    #[inline(always)]
    pub fn take(&mut self, now: Tick, most: u32) -> bool {
        if self.tick != now {
            *self = Ration { tick: now, taken: 0 };
        }
        let left = self.taken < most;
        if left {
            self.taken += 1;
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tick_has_its_ration() {
        let mut ration = Ration::default();
        for tick in [0, 1, 5, u32::MAX, 0] {
            let taken = (0..1000).filter(|_| ration.take(Tick(tick), ERRORS)).count();
            assert_eq!(taken, ERRORS as usize, "tick {tick}");
        }
    }
}
