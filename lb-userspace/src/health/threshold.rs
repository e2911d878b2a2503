//! Shares at which something begins and ends.

/// A share of a whole in percent, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u8);

impl Percent {
    /// Whether `part` of `whole` is less than this. No part of nothing is less than any share of it.
    #[must_use]
    pub fn is_more_than(self, part: usize, whole: usize) -> bool {
        (part as u128) * 100 < u128::from(self.0) * whole as u128
    }

    /// The most that is no more than this of `whole`.
    #[must_use]
    pub fn of(self, whole: usize) -> usize {
        (u128::from(self.0) * whole as u128 / 100) as usize
    }
}

/// Where something begins, and where it ends again. Apart, so that it doesn't come and go with a single backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// It begins below this share.
    pub below: Percent,
    /// It ends at this share or above; not less than `below`.
    pub until: Percent,
}

/// Whether it has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latch(bool);

impl Latch {
    /// Whether it has begun, by `part` of `whole`.
    pub fn follow(&mut self, threshold: &Threshold, part: usize, whole: usize) -> bool {
        let limit = if self.0 { threshold.until } else { threshold.below };
        self.0 = limit.is_more_than(part, whole);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const THRESHOLD: Threshold = Threshold { below: Percent(50), until: Percent(70) };

    #[test]
    fn it_begins_below_one_share_and_ends_at_the_other() {
        let mut latch = Latch::default();
        let shares = [10, 5, 4, 5, 6, 7, 6, 5, 4, 0, 6, 10];
        let begun = shares.map(|part| u8::from(latch.follow(&THRESHOLD, part, 10)));
        assert_eq!(begun, [0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0]);
    }

    #[test]
    fn shares_of_small_pools_and_of_none() {
        assert_eq!([0, 1, 2, 3, 9, 10, 11].map(|whole| Percent(33).of(whole)), [0, 0, 0, 0, 2, 3, 3]);
        assert_eq!(Percent(100).of(7), 7);
        assert!(!Percent(100).is_more_than(0, 0));
        assert!(!Percent(0).is_more_than(0, 7));
    }

    proptest! {
        /// Whatever came before: below the lower share it has begun, at the upper one it hasn't, between them nothing changes.
        #[test]
        fn it_follows_its_thresholds(
            below in 0_u8..=100,
            more in 0_u8..=100,
            parts in prop::collection::vec((0_usize..50, 1_usize..50), 1..100),
        ) {
            let until = Percent(below.saturating_add(more).min(100));
            let threshold = Threshold { below: Percent(below), until };
            let mut latch = Latch::default();
            for (part, whole) in parts {
                let (before, share) = (latch.0, part as f64 * 100.0 / whole as f64);
                let begun = latch.follow(&threshold, part, whole);
                let expected = if share < f64::from(below) {
                    true
                } else if share >= f64::from(until.0) {
                    false
                } else {
                    before
                };
                prop_assert_eq!(begun, expected);
            }
        }
    }
}
