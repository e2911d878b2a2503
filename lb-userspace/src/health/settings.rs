//! How a service goes by its backends' health.

use std::time::Duration;

use super::damping::Flapping;
use super::interval::Interval;
use super::outlier::Outliers;
use super::slow_start::SlowStart;
use super::streak::Limits;
use super::threshold::Threshold;

/// How a service goes by its backends' health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// When a backend is checked.
    pub interval: Interval,
    /// A check that takes longer has failed.
    pub timeout: Duration,
    /// How many results change a condition.
    pub limits: Limits,
    /// How a backend that comes back begins, if not with its whole weight.
    pub slow_start: Option<SlowStart>,
    /// Who is held down, if anybody.
    pub flapping: Option<Flapping>,
    /// When so few are healthy that checks are ignored, if ever: by the healthy backends in use, in relation to all that
    /// aren't backups.
    pub panic: Option<Threshold>,
    /// When backups are used: by the healthy ones among those that aren't backups.
    pub backups: Threshold,
    /// What becomes of new flows when nobody is healthy.
    pub on_all_down: OnAllDown,
    /// With fewer healthy backends the service doesn't count as up.
    pub least_healthy: u32,
    /// Who is ejected by the traffic itself, if anybody.
    pub outliers: Option<Outliers>,
}

/// What becomes of new flows when no backend is healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnAllDown {
    /// They are sent to all of them: it may be the checks that are wrong.
    #[default]
    Forward,
    /// They are dropped.
    Drop,
    /// Their clients are told at once.
    Reject,
}

impl Settings {
    /// The longest time from a backend's failure until it takes no new flows.
    #[must_use]
    pub fn bound(&self) -> Duration {
        self.interval.bound(self.limits.fall, self.timeout)
    }
}
