//! How many errors are sent to clients: a node must not be made to flood a client, or itself, with them.

use crate::clock::Tick;

/// Errors that one CPU sends in a tick: 955 a second, about what Linux sends (`net.ipv4.icmp_msgs_per_sec`, 1,000).
const MOST: u32 = 128;

/// The errors that one CPU has sent in a tick.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ration {
    tick: Tick,
    sent: u32,
}

impl Ration {
    /// Takes one error from it; `false` if all of them were sent.
    #[inline(always)]
    pub fn take(&mut self, now: Tick) -> bool {
        if self.tick != now {
            *self = Ration { tick: now, sent: 0 };
        }
        let left = self.sent < MOST;
        if left {
            self.sent += 1;
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
            let taken = (0..1000).filter(|_| ration.take(Tick(tick))).count();
            assert_eq!(taken, MOST as usize, "tick {tick}");
        }
    }
}
