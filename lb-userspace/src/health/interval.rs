//! When a backend is checked next.

use std::time::Duration;

/// Times between the starts of two checks of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Usually.
    pub usual: Duration,
    /// By how much of it each time differs at random, to both sides, in percent: 0 to 50.
    pub jitter: u8,
    /// Other times for who is changing and who is stable, if wanted.
    pub adaptive: Option<Adaptive>,
}

/// Intervals that follow how a backend behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adaptive {
    /// While its condition may be about to change.
    pub fast: Duration,
    /// When it hasn't changed for long.
    pub slow: Duration,
    /// How long that is.
    pub stable_after: Duration,
}

impl Interval {
    /// From the start of a check to that of the next one, for a backend whose condition has lasted for `stable` or is about
    /// to change. `random` is anything at all: it is the jitter.
    #[must_use]
    pub fn next(&self, is_changing: bool, stable: Duration, random: u32) -> Duration {
        let interval = match self.adaptive {
            Some(adaptive) if is_changing => adaptive.fast,
            Some(adaptive) if stable >= adaptive.stable_after => adaptive.slow,
            Some(_) | None => self.usual,
        };
        let spread = self.spread(interval);
        interval.saturating_sub(spread) + part(2 * spread, random)
    }

    /// From now to a backend's first check: soon, but not all of them together.
    #[must_use]
    pub fn first(&self, random: u32) -> Duration {
        part(self.spread(self.adaptive.map_or(self.usual, |adaptive| adaptive.fast)), random)
    }

    /// The longest time from a backend's failure until it is known to be down: its check may just have begun and pass,
    /// and each of the `fall` that fail may take as long as a check may.
    #[must_use]
    pub fn bound(&self, fall: u32, timeout: Duration) -> Duration {
        let longest = |interval: Duration| (interval + self.spread(interval)).max(timeout);
        let (calm, changing) = match self.adaptive {
            Some(adaptive) => (adaptive.slow.max(self.usual), adaptive.fast),
            None => (self.usual, self.usual),
        };
        longest(calm) + longest(changing) * fall.saturating_sub(1) + timeout
    }

    fn spread(&self, interval: Duration) -> Duration {
        interval * u32::from(self.jitter) / 100
    }
}

/// That part of a time that a random number is of the largest one.
fn part(time: Duration, random: u32) -> Duration {
    let nanoseconds = (time.as_nanos() * u128::from(random)) >> u32::BITS;
    Duration::from_nanos(nanoseconds as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn adaptive(jitter: u8) -> Interval {
        let adaptive = Adaptive { fast: SECOND / 2, slow: SECOND * 10, stable_after: SECOND * 60 };
        Interval { usual: SECOND * 2, jitter, adaptive: Some(adaptive) }
    }

    #[test]
    fn faster_while_changing_slower_when_stable() {
        let interval = adaptive(0);
        assert_eq!(interval.next(true, SECOND * 100, 7), SECOND / 2);
        assert_eq!(interval.next(false, SECOND * 59, 7), SECOND * 2);
        assert_eq!(interval.next(false, SECOND * 60, 7), SECOND * 10);
        let plain = Interval { adaptive: None, ..interval };
        assert_eq!(plain.next(true, Duration::ZERO, 7), SECOND * 2);
        assert_eq!(plain.next(false, SECOND * 1000, 7), SECOND * 2);
    }

    #[test]
    fn jitter_is_to_both_sides() {
        let interval = Interval { adaptive: None, ..adaptive(10) };
        assert_eq!(interval.next(false, SECOND, 0), Duration::from_millis(1800));
        assert_eq!(interval.next(false, SECOND, 1 << 31), SECOND * 2);
        let most = interval.next(false, SECOND, u32::MAX);
        assert!(most < Duration::from_millis(2200) && most > Duration::from_millis(2199), "{most:?}");
        assert_eq!(interval.first(0), Duration::ZERO);
        assert_eq!(interval.first(1 << 31), Duration::from_millis(100));
    }

    #[test]
    fn the_bound_has_every_wait_in_it() {
        let plain = Interval { usual: SECOND * 2, jitter: 10, adaptive: None };
        assert_eq!(plain.bound(3, SECOND), Duration::from_millis(2200 + 2 * 2200 + 1000));
        // A check that takes longer than the interval puts off the next one.
        assert_eq!(plain.bound(2, SECOND * 5), SECOND * 15);
        assert_eq!(adaptive(0).bound(3, SECOND / 4), Duration::from_millis(10_000 + 2 * 500 + 250));
    }
}
