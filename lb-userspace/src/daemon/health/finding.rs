//! What health decided, on its way from the checks' thread to that of the maps.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lb_common::clock::Tick;
use tokio::sync::Notify;

use crate::events::HealthNews;
use crate::fitness::{Fit, Fitness, ServiceFitness};
use crate::health::{Condition, Course, Decision, Moment, OnAllDown, Part, Record, Status};
use crate::roster::{BackendId, ServiceId};

/// What was decided of a service.
pub(super) struct Found {
    pub fitness: ServiceFitness,
    pub pool: Pool,
}

/// How a service stands by its backends' health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pool {
    /// Whether it counts as up; none if nothing is known of any backend.
    pub is_up: Option<bool>,
    pub is_panic: bool,
    pub uses_backups: bool,
    pub all_down: Option<OnAllDown>,
}

/// What was decided and not taken over yet: no more than the last of each service.
#[derive(Default)]
pub(super) struct Findings {
    found: Mutex<BTreeMap<ServiceId, Found>>,
    changed: Notify,
}

impl Findings {
    /// Adds what was decided of a service.
    pub fn put(&self, id: ServiceId, found: Found) {
        self.lock().insert(id, found);
        self.changed.notify_one();
    }

    /// Takes what was decided.
    pub fn take(&self) -> BTreeMap<ServiceId, Found> {
        take(&mut *self.lock())
    }

    /// Waits until something is decided.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServiceId, Found>> {
        // What is inside is whole at any time.
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    pub fn of(decision: &Decision<BackendId>) -> Self {
        let is_known = decision.parts.values().any(|part| part.status != Status::Unknown);
        Pool {
            is_up: is_known.then_some(decision.is_up),
            is_panic: decision.is_panic,
            uses_backups: decision.uses_backups,
            all_down: decision.all_down,
        }
    }

    /// What is new since it stood as `former` says.
    pub fn news(self, former: Pool) -> Vec<HealthNews> {
        let mut news = Vec::new();
        match (former.is_up, self.is_up) {
            (None | Some(true), Some(false)) => news.push(HealthNews::Down),
            (Some(false), Some(true)) => news.push(HealthNews::Up),
            (_, None) | (None | Some(true), Some(true)) | (Some(false), Some(false)) => {}
        }
        match (former.is_panic, self.is_panic) {
            (false, true) => news.push(HealthNews::Panic),
            (true, false) => news.push(HealthNews::PanicOver),
            (false, false) | (true, true) => {}
        }
        match (former.uses_backups, self.uses_backups) {
            (false, true) => news.push(HealthNews::Backups),
            (true, false) => news.push(HealthNews::NoBackups),
            (false, false) | (true, true) => {}
        }
        if self.all_down != former.all_down {
            news.extend(self.all_down.map(|what| match what {
                OnAllDown::Forward => HealthNews::AllDownForward,
                OnAllDown::Drop => HealthNews::AllDownDrop,
                OnAllDown::Reject => HealthNews::AllDownReject,
            }));
        }
        news
    }
}

/// What the planner has to know of a backend.
///
/// `tick` is when a moment was by the datapath's clock.
pub(super) fn fitness(
    part: &Part,
    course: &Course,
    record: Option<&Record>,
    tick: impl Fn(Moment) -> Tick,
) -> Fitness {
    let fit = match part.status {
        Status::Down if !part.takes_new => {
            let reason = record.and_then(|record| record.reason.as_deref());
            Fit::None(reason.map_or_else(
                || "its checks failed before lbd was started".into(),
                |reason| format!("check failed: {reason}"),
            ))
        }
        _ if part.takes_new || !course.is_wanted() => Fit::All,
        Status::Held { .. } => Fit::Old("held down, as it changed too often".into()),
        Status::Ejected { .. } => Fit::Old("ejected, as its traffic did worse than its peers'".into()),
        Status::Unknown => Fit::Old("not checked yet".into()),
        Status::Up | Status::OnTrial if course.is_backup() => Fit::Old("a backup that isn't needed".into()),
        Status::Up | Status::OnTrial | Status::Down => Fit::Old("others are to be preferred".into()),
    };
    let condition = course.condition();
    let since = if condition == Condition::Unknown { 0 } else { tick(course.since()).0 };
    Fitness { fit, share: part.share, condition, since }
}
