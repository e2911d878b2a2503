//! Backends that change too often are held down.

use std::collections::VecDeque;
use std::time::Duration;

use super::moment::Moment;

/// When a backend is flapping, and for how long it is held down then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flapping {
    /// So many times down; at least 1.
    pub falls: u32,
    /// Within this time.
    pub within: Duration,
    /// For how long it is held down the first time; twice as long each time after that.
    pub hold: Duration,
    /// But never for longer.
    pub longest: Duration,
}

/// A backend's recent falls, and for how long it is held down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Damping {
    falls: VecDeque<Moment>,
    /// How many times it was held down, since it was last calm.
    holds: u32,
    held_until: Option<Moment>,
}

impl Damping {
    /// Counts that the backend went down.
    pub fn fell(&mut self, flapping: &Flapping, now: Moment) {
        if self.is_calm(flapping, now) {
            self.holds = 0;
        }
        self.falls.retain(|&fall| now.since(fall) < flapping.within);
        self.falls.push_back(now);
        if self.falls.len() < flapping.falls as usize {
            return;
        }
        // What has been paid for isn't counted again.
        self.falls.clear();
        self.held_until = Some(now + hold(flapping, self.holds));
        self.holds = self.holds.saturating_add(1);
    }

    /// Until when it takes no new flows even if its checks pass; none if it isn't held down.
    #[must_use]
    pub fn held_until(&self, now: Moment) -> Option<Moment> {
        self.held_until.filter(|&until| until > now)
    }

    /// Whether it has behaved for as long as it was last held down, and no fall counts any more: then the next hold is the
    /// first again.
    fn is_calm(&self, flapping: &Flapping, now: Moment) -> bool {
        let Some(until) = self.held_until else { return true };
        let last = hold(flapping, self.holds.saturating_sub(1));
        let quiet = self.falls.back().map_or(until, |&fall| fall.max(until));
        now.since(quiet) >= last.max(flapping.within)
    }
}

/// For how long a backend is held down that was so many times before.
fn hold(flapping: &Flapping, before: u32) -> Duration {
    let times = 1_u32.checked_shl(before).unwrap_or(u32::MAX);
    flapping.hold.saturating_mul(times).min(flapping.longest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FLAPPING: Flapping = Flapping {
        falls: 3,
        within: Duration::from_mins(1),
        hold: Duration::from_secs(10),
        longest: Duration::from_mins(1),
    };

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    /// For how many seconds it is held down after each fall.
    fn holds(falls: &[u64]) -> Vec<u64> {
        let mut damping = Damping::default();
        let held = |&second: &u64| {
            damping.fell(&FLAPPING, at(second));
            damping.held_until(at(second)).map_or(0, |until| until.since(at(second)).as_secs())
        };
        falls.iter().map(held).collect()
    }

    #[test]
    fn the_third_fall_in_a_minute_is_one_too_many() {
        assert_eq!(holds(&[0, 10, 20]), [0, 0, 10]);
        assert_eq!(holds(&[0, 30, 59, 60]), [0, 0, 10, 9]);
        assert_eq!(holds(&[0, 40, 80, 120, 160]), [0; 5]);
    }

    #[test]
    fn each_hold_is_twice_as_long_up_to_the_longest() {
        let falls: Vec<u64> = (0..15).map(|fall| fall * 20).collect();
        let third: Vec<u64> = holds(&falls).into_iter().skip(2).step_by(3).collect();
        assert_eq!(third, [10, 20, 40, 60, 60]);
    }

    #[test]
    fn who_is_calm_begins_anew() {
        assert_eq!(holds(&[0, 1, 2, 100, 101, 102]), [0, 0, 10, 0, 0, 10]);
        assert_eq!(holds(&[0, 1, 2, 71, 72, 73]), [0, 0, 10, 0, 0, 20]);
    }

    #[test]
    fn a_hold_ends() {
        let mut damping = Damping::default();
        (0..3).for_each(|second| damping.fell(&FLAPPING, at(second)));
        assert_eq!(damping.held_until(at(11)), Some(at(12)));
        assert_eq!(damping.held_until(at(12)), None);
    }

    proptest! {
        /// No hold is longer than the longest, and nobody is held down who fell less often than that; memory is bounded.
        #[test]
        fn holds_are_bounded(
            pauses in prop::collection::vec(0_u64..100, 1..200),
            falls in 1_u32..6,
        ) {
            let flapping = Flapping { falls, ..FLAPPING };
            let (mut damping, mut now, mut times) = (Damping::default(), Moment::default(), Vec::new());
            for pause in pauses {
                now = now + Duration::from_secs(pause);
                let held_before = damping.held_until(now);
                damping.fell(&flapping, now);
                times.push(now);
                let recent = times.iter().filter(|&&time| now.since(time) < flapping.within).count();
                let held = damping.held_until(now);
                prop_assert!(held.is_none_or(|until| until.since(now) <= flapping.longest));
                prop_assert!(held == held_before || recent >= falls as usize);
                prop_assert!(damping.falls.len() < falls as usize);
            }
        }
    }
}
