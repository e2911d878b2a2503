//! What is remembered of a backend's checks, for those who ask.

use std::time::Duration;

use super::moment::Moment;
use super::probe::Report;

/// Upper bounds of a histogram's buckets, in microseconds; what took longer is in one more.
pub const BUCKETS: [u64; 12] =
    [250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000];

/// How long checks took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many were in each of [`BUCKETS`], and in the one behind them.
    pub counts: [u64; BUCKETS.len() + 1],
    /// All of them together.
    pub sum: Duration,
}

/// What is remembered of a backend's checks.
#[derive(Debug, Default)]
pub struct Record {
    /// What the last one came to, and when it ended.
    pub last: Option<(Report, Moment)>,
    /// What that was that showed the backend to be down, if it is.
    pub reason: Option<String>,
    /// How many checks passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// How often the backend's condition changed, the first time not counted.
    pub transitions: u64,
    /// How long those took that passed.
    pub latency: Latency,
}

impl Latency {
    /// Adds one.
    pub fn add(&mut self, took: Duration) {
        let microseconds = took.as_micros();
        let bucket = BUCKETS.iter().position(|&bound| microseconds <= u128::from(bound));
        self.counts[bucket.unwrap_or(BUCKETS.len())] += 1;
        self.sum += took;
    }
}

impl Record {
    /// Adds what a check came to.
    pub(super) fn add(&mut self, report: Report, now: Moment) {
        if report.result.is_ok() {
            self.passed += 1;
            self.latency.add(report.took);
        } else {
            self.failed += 1;
        }
        self.last = Some((report, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_has_its_bucket() {
        let mut latency = Latency::default();
        for microseconds in [0, 250, 251, 1_000_000, 1_000_001] {
            latency.add(Duration::from_micros(microseconds));
        }
        let mut expected = [0; BUCKETS.len() + 1];
        (expected[0], expected[1], expected[11], expected[12]) = (2, 1, 1, 1);
        assert_eq!((latency.counts, latency.sum), (expected, Duration::from_micros(2_000_502)));
    }
}
