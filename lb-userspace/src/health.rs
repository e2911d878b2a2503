//! Which backends can serve, as checks and the traffic itself show it, and what follows from it for new flows.
//!
//! The decision is pure: results of checks and the time are arguments. `streak` says what results in a row mean, `damping`
//! holds down who changes too often, `slow_start` lets weights grow, `circuit` and `outlier` take out who is worse than the
//! others; `course` is a backend with all of these, `pool` is a service, with its backups, panic and minimum.
//!
//! At the edge, `target` is where a check is sent, `probe` is a single check, `checker` has them done at their times, and `monitor`
//! brings their results to the decision.

mod agenda;
mod checker;
mod circuit;
mod course;
mod damping;
mod interval;
mod moment;
mod monitor;
mod outlier;
mod part;
mod pool;
pub mod probe;
mod record;
mod settings;
mod slow_start;
mod streak;
mod target;
#[cfg(test)]
mod tests;
mod threshold;

pub use agenda::Agenda;
pub use checker::{Checker, Done};
pub use circuit::{Circuit, Opening};
pub use course::{Course, Kept};
pub use damping::{Damping, Flapping};
pub use interval::{Adaptive, Interval};
pub use moment::Moment;
pub use monitor::{Monitor, Service};
pub use outlier::{Outliers, Traffic};
pub use part::{Part, Status, WHOLE};
pub use pool::{Decision, Member, Pool};
pub use record::{BUCKETS, Latency, Record};
pub use settings::{OnAllDown, Settings};
pub use slow_start::SlowStart;
pub use streak::{Condition, Limits, Outcome, Streak};
pub use target::{Path, Target};
pub use threshold::{Latch, Percent, Threshold};
