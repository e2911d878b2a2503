//! What health decides of backends, as the planner takes it: pure values, with the datapath's clock.

use std::collections::BTreeMap;

use lb_common::clock::Tick;
use serde::{Deserialize, Serialize};

use crate::health::{Condition, OnAllDown, WHOLE};
use crate::roster::{BackendId, ServiceId};

/// What health decides of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitness {
    /// Which flows it can take.
    pub fit: Fit,
    /// How much of its weight it has, in parts of [`WHOLE`].
    pub share: u32,
    /// What its checks have shown.
    pub condition: Condition,
    /// Since when they show that, in ticks.
    pub since: u32,
}

/// Which flows a backend can take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// New and old ones.
    #[default]
    All,
    /// Its old ones. Others are to be preferred for new ones, for this reason.
    Old(String),
    /// None, for this reason. It keeps its old ones for its grace time.
    None(String),
}

/// What health decides of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFitness {
    /// Of its backends.
    pub backends: BTreeMap<BackendId, Fitness>,
    /// What becomes of new flows, if none of its backends can serve.
    pub all_down: Option<OnAllDown>,
}

/// Of all services whose backends are checked, as far as anything is decided.
pub type Fitnesses = BTreeMap<ServiceId, ServiceFitness>;

/// Nothing is decided.
pub static UNDECIDED: Fitnesses = Fitnesses::new();

/// Of a backend that isn't checked.
impl Default for Fitness {
    fn default() -> Self {
        Fitness { fit: Fit::All, share: WHOLE, condition: Condition::Unknown, since: 0 }
    }
}

impl Fitness {
    /// For how long its checks have shown what they show, in seconds.
    #[must_use]
    pub fn seconds(&self, now: Tick) -> u64 {
        (u64::from(now.since(Tick(self.since))) << 27) / 1_000_000_000
    }
}
