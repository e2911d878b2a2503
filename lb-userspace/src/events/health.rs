//! What can happen to a service by its backends' health.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What changes what becomes of a service's new flows, or whether it counts as up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthNews {
    /// Enough backends are healthy.
    Up,
    /// Too few backends are healthy for it to count as up.
    Down,
    /// So few are healthy that checks are ignored.
    Panic,
    /// Checks count again.
    PanicOver,
    /// So few others are healthy that backups are used.
    Backups,
    /// Backups aren't needed any more.
    NoBackups,
    /// Nobody is healthy: new flows are forwarded all the same.
    AllDownForward,
    /// Nobody is healthy: new flows are dropped.
    AllDownDrop,
    /// Nobody is healthy: new flows are rejected.
    AllDownReject,
}

impl HealthNews {
    /// Whether it is as it should be.
    #[must_use]
    pub const fn is_good(self) -> bool {
        match self {
            HealthNews::Up | HealthNews::PanicOver | HealthNews::NoBackups => true,
            HealthNews::Down
            | HealthNews::Panic
            | HealthNews::Backups
            | HealthNews::AllDownForward
            | HealthNews::AllDownDrop
            | HealthNews::AllDownReject => false,
        }
    }
}

impl Display for HealthNews {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(match self {
            HealthNews::Up => "it counts as up",
            HealthNews::Down => "it counts as down: too few backends are healthy",
            HealthNews::Panic => {
                "panic: so few backends are healthy that checks are ignored, and all take new flows"
            }
            HealthNews::PanicOver => "panic is over: checks count again",
            HealthNews::Backups => "backups are used: too few other backends are healthy",
            HealthNews::NoBackups => "backups aren't used any more",
            HealthNews::AllDownForward => "no backend is healthy: new flows are forwarded to all of them",
            HealthNews::AllDownDrop => "no backend is healthy: new flows are dropped",
            HealthNews::AllDownReject => "no backend is healthy: new flows are rejected",
        })
    }
}
