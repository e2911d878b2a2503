//! How the weight of a backend that comes back grows.

use std::time::Duration;

use super::moment::Moment;

/// A weight that grows in steps, so that few slots move at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowStart {
    /// Until the weight is whole.
    pub time: Duration,
    /// In how many equal steps; at least 1.
    pub steps: u32,
}

impl SlowStart {
    /// The weight of a backend that takes flows since some moment: never 0 unless `full` is, and never more than `full`.
    #[must_use]
    pub fn weight(&self, full: u32, since: Moment, now: Moment) -> u32 {
        let (done, steps) = (self.done(now.since(since)), u64::from(self.steps) + 1);
        (u64::from(full) * (done + 1)).div_ceil(steps) as u32
    }

    /// When its weight grows next; none once it is whole.
    #[must_use]
    pub fn next(&self, since: Moment, now: Moment) -> Option<Moment> {
        let next = self.done(now.since(since)) + 1;
        if next > u64::from(self.steps) {
            return None;
        }
        let nanoseconds = self.time.as_nanos() * u128::from(next);
        Some(since + Duration::from_nanos(nanoseconds.div_ceil(u128::from(self.steps)) as u64))
    }

    /// Steps that are done: all of them once the time is over.
    fn done(&self, elapsed: Duration) -> u64 {
        if elapsed >= self.time {
            return u64::from(self.steps);
        }
        let done = elapsed.as_nanos() * u128::from(self.steps) / self.time.as_nanos();
        done as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_step_at_a_time() {
        let start = SlowStart { time: Duration::from_secs(30), steps: 3 };
        let at = |seconds| Moment(Duration::from_secs(seconds));
        let weights = [0, 9, 10, 20, 29, 30, 1000].map(|seconds| start.weight(100, at(5), at(5 + seconds)));
        assert_eq!(weights, [25, 25, 50, 75, 75, 100, 100]);
        assert_eq!(start.next(at(5), at(5)), Some(at(15)));
        assert_eq!(start.next(at(5), at(34)), Some(at(35)));
        assert_eq!(start.next(at(5), at(35)), None);
        assert_eq!(start.weight(1, at(5), at(5)), 1);
        assert_eq!(start.weight(0, at(5), at(5)), 0);
    }

    proptest! {
        /// From step to step the weight grows, by about as much each time, until it is whole, and never beyond.
        #[test]
        fn the_weight_grows_until_it_is_whole(
            full in 0_u32..=65_535,
            milliseconds in 0_u64..10_000_000,
            steps in 1_u32..200,
            start in 0_u64..1_000_000,
        ) {
            let ramp = SlowStart { time: Duration::from_millis(milliseconds), steps };
            let since = Moment(Duration::from_millis(start));
            let (mut now, mut weight, mut grown) = (since, ramp.weight(full, since, since), 0);
            prop_assert!(weight <= full && (weight > 0) == (full > 0));
            while let Some(next) = ramp.next(since, now) {
                prop_assert!(next > now, "{:?} comes after {:?}", next, now);
                let just_before = Moment(next.0.saturating_sub(Duration::from_nanos(1)));
                prop_assert_eq!(ramp.weight(full, since, just_before), weight);
                let more = ramp.weight(full, since, next);
                prop_assert!(more >= weight && more - weight <= full / (steps + 1) + 1);
                prop_assert!(more <= full);
                (now, weight, grown) = (next, more, grown + 1);
            }
            prop_assert!(grown <= steps);
            prop_assert_eq!(weight, full);
            prop_assert_eq!(now.since(since), if grown > 0 { ramp.time } else { Duration::ZERO });
        }
    }
}
