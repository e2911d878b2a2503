//! What a backend does in its service, as far as its health decides.

use std::time::Duration;

use super::moment::Moment;

/// All of a weight.
pub const WHOLE: u32 = 65_535;

/// A backend's part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// How much of its weight it has, in parts of [`WHOLE`]; at least 1.
    pub share: u32,
    /// Whether it takes new flows.
    pub takes_new: bool,
    /// Since when it can't serve; it keeps its flows for a while. None if it keeps them anyway.
    pub down_since: Option<Moment>,
    /// Why that is so.
    pub status: Status,
}

/// How a backend stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It hasn't been checked yet.
    Unknown,
    /// Its checks pass.
    Up,
    /// Its checks fail.
    Down,
    /// Its checks pass, but it changes too often.
    Held {
        /// It is held down until then.
        until: Moment,
    },
    /// Its checks pass, but its traffic does worse than its peers'.
    Ejected {
        /// Until then.
        until: Moment,
    },
    /// It was ejected, and is tried with a little.
    OnTrial,
}

impl Part {
    /// Whether it keeps its flows, if it does so for `grace` while it is down; for ever if none.
    #[must_use]
    pub fn keeps_flows(&self, grace: Option<Duration>, now: Moment) -> bool {
        match (self.down_since, grace) {
            (Some(since), Some(grace)) => now.since(since) <= grace,
            (None, _) | (_, None) => true,
        }
    }
}
