//! Which backends can serve, as checks and the traffic itself show it, and what follows from it for new flows.
//!
//! The decision is pure: results of checks and the time are arguments. `streak` says what results in a row mean, `damping`
//! holds down who changes too often, `slow_start` lets weights grow, `circuit` and `outlier` take out who is worse than the
//! others; `course` is a backend with all of these, `pool` is a service, with its backups, panic and minimum.

mod circuit;
mod course;
mod damping;
mod interval;
mod moment;
mod outlier;
mod part;
mod pool;
mod settings;
mod slow_start;
mod streak;
#[cfg(test)]
mod tests;
mod threshold;

pub use circuit::{Circuit, Opening};
pub use course::{Course, Kept};
pub use damping::{Damping, Flapping};
pub use interval::{Adaptive, Interval};
pub use moment::Moment;
pub use outlier::{Outliers, Traffic};
pub use part::{Part, Status};
pub use pool::{Decision, Member, Pool};
pub use settings::{OnAllDown, Settings};
pub use slow_start::SlowStart;
pub use streak::{Condition, Limits, Outcome, Streak};
pub use threshold::{Latch, Percent, Threshold};
