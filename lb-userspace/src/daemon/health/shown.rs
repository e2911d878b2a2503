//! What checks came to, as the API tells it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::task::About;
use crate::api::{Check, CheckState, Health, Latency, LatencyBucket, ServiceHealth};
use crate::config::Via;
use crate::health::{self, BUCKETS, Decision, Moment, Monitor, Outcome, Part, Pool, Record, Status, Target};
use crate::roster::{BackendId, ServiceId};

type Checks = Monitor<ServiceId, BackendId>;

/// All services and backends that are checked.
pub(super) fn shown(monitor: &Checks, about: &BTreeMap<ServiceId, About>) -> Health {
    let (mut health, nothing) = (Health::default(), Record::default());
    for (id, service) in monitor.services() {
        let (Some(about), Some(decision), Some(pool)) =
            (about.get(id), monitor.decision(id), monitor.pool(id))
        else {
            continue;
        };
        health.services.push(of_service(about, decision));
        for (backend, (_, target)) in &service.backends {
            let Some(part) = decision.parts.get(backend) else { continue };
            let record = monitor.record(id, backend).unwrap_or(&nothing);
            let due = monitor.due(id, backend);
            health.checks.push(check(about, backend, target, part, pool, record, due, monitor.now()));
        }
    }
    health
}

fn of_service(about: &About, decision: &Decision<BackendId>) -> ServiceHealth {
    let healthy =
        decision.parts.values().filter(|part| matches!(part.status, Status::Up | Status::OnTrial)).count();
    ServiceHealth {
        service: about.name.clone(),
        up: decision.is_up,
        healthy,
        backends: decision.parts.len(),
        panic: decision.is_panic,
        backups: decision.uses_backups,
        all_down: decision.all_down.is_some(),
        obstacle: about.obstacle.clone(),
    }
}

#[expect(clippy::too_many_arguments, reason = "all that is known of a check, each from its own place")]
fn check(
    about: &About,
    backend: &BackendId,
    target: &Target,
    part: &Part,
    pool: &Pool<BackendId>,
    record: &Record,
    due: Option<Moment>,
    now: Moment,
) -> Check {
    let streak = pool.course(backend).and_then(|course| course.streak().length());
    let seconds = |time: Duration| time.as_millis() as f64 / 1000.0;
    let until = match part.status {
        Status::Held { until } | Status::Ejected { until } => Some(seconds(until.since(now))),
        Status::Unknown | Status::Up | Status::Down | Status::OnTrial => None,
    };
    Check {
        service: about.name.clone(),
        backend: backend.name.clone(),
        kind: about.kind.into(),
        via: match about.via {
            Via::Vip => "vip",
            Via::Direct => "direct",
        }
        .into(),
        address: target.address.to_string(),
        state: match part.status {
            Status::Unknown => CheckState::Unknown,
            Status::Up => CheckState::Up,
            Status::Down => CheckState::Down,
            Status::Held { .. } => CheckState::Held,
            Status::Ejected { .. } => CheckState::Ejected,
            Status::OnTrial => CheckState::OnTrial,
        },
        takes_new: part.takes_new,
        share: f64::from(part.share) / f64::from(health::WHOLE),
        since: pool.course(backend).map(|course| seconds(now.since(course.since()))).unwrap_or_default(),
        until,
        result: record.last.as_ref().map(|(report, _)| report.to_string()),
        milliseconds: record.last.as_ref().map(|(report, _)| report.took.as_secs_f64() * 1000.0),
        ago: record.last.as_ref().map(|&(_, at)| seconds(now.since(at))),
        is_passing: streak.map(|(outcome, _)| outcome == Outcome::Passed),
        streak: streak.map_or(0, |(_, length)| length),
        next: due.map(|due| seconds(due.since(now))),
        passed: record.passed,
        failed: record.failed,
        transitions: record.transitions,
        latency: latency(&record.latency),
    }
}

fn latency(latency: &health::Latency) -> Latency {
    let mut count = 0;
    let buckets = BUCKETS.iter().zip(latency.counts).map(|(&bound, more)| {
        count += more;
        LatencyBucket { seconds: bound as f64 / 1e6, count }
    });
    let buckets = buckets.collect();
    Latency { buckets, count: latency.counts.iter().sum(), sum: latency.sum.as_secs_f64() }
}
