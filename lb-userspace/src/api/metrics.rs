//! `/metrics`: what checks came to, as Prometheus reads it.

use std::fmt;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::health::{Check, CheckState, Health, Latency, ServiceHealth};
use super::{Problem, Tasks};

/// The format (`OpenMetrics` 1.0).
const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn routes() -> OpenApiRouter<Tasks> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// What checks of backends came to, for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    responses(
        (status = 200, description = "OpenMetrics", body = String, content_type = "application/openmetrics-text"),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn metrics(State(tasks): State<Tasks>) -> Result<Response, Problem> {
    let text = written(tasks.health().await?);
    Ok(([(header::CONTENT_TYPE, FORMAT)], text).into_response())
}

fn written(health: Health) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Snapshot(health)));
    let mut text = String::new();
    // A string takes all.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Debug)]
struct Snapshot(Health);

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Snapshot(Health { services, checks }) = self;
        let gauge = |value: bool, mut encoder: MetricEncoder| encoder.encode_gauge(&u32::from(value));
        each(
            &mut encoder,
            "lb_service_up",
            "Whether enough backends are healthy",
            services,
            of_service,
            |service, encoder| gauge(service.up, encoder),
        )?;
        each(
            &mut encoder,
            "lb_service_panic",
            "Whether checks are ignored",
            services,
            of_service,
            |service, encoder| gauge(service.panic, encoder),
        )?;
        each(
            &mut encoder,
            "lb_backend_up",
            "Whether its checks pass",
            checks,
            of_check,
            |check, encoder| {
                let is_down = matches!(check.state, CheckState::Down | CheckState::Unknown);
                gauge(!is_down, encoder)
            },
        )?;
        let mut family =
            encoder.encode_descriptor("lb_checks", "Checks by result", None, MetricType::Counter)?;
        for check in checks {
            for (result, count) in [("passed", check.passed), ("failed", check.failed)] {
                let [service, backend] = of_check(check);
                let labels = [service, backend, ("result", result.to_owned())];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        let about = "How often a backend's checks began to show something else";
        let mut family =
            encoder.encode_descriptor("lb_check_transitions", about, None, MetricType::Counter)?;
        for check in checks {
            let labels = of_check(check);
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&check.transitions, None)?;
        }
        let about = "How long checks took that passed";
        let unit = Unit::Seconds;
        let mut family =
            encoder.encode_descriptor("lb_check_duration", about, Some(&unit), MetricType::Histogram)?;
        for check in checks {
            let labels = of_check(check);
            let Latency { sum, count, .. } = check.latency;
            let buckets = buckets(&check.latency);
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        Ok(())
    }
}

/// A gauge of each of these.
fn each<'a, T, const N: usize>(
    encoder: &mut DescriptorEncoder,
    name: &str,
    about: &str,
    all: &'a [T],
    labels: impl Fn(&'a T) -> [(&'static str, String); N],
    value: impl Fn(&T, MetricEncoder) -> fmt::Result,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, about, None, MetricType::Gauge)?;
    all.iter().try_for_each(|one| {
        let labels = labels(one);
        value(one, family.encode_family(&labels)?)
    })
}

fn of_service(service: &ServiceHealth) -> [(&'static str, String); 1] {
    [("service", escaped(&service.service))]
}

fn of_check(check: &Check) -> [(&'static str, String); 2] {
    [("service", escaped(&check.service)), ("backend", escaped(&check.backend))]
}

/// A label's value as the format wants it, which the library doesn't see to.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Each for itself, and what is longer than the longest.
fn buckets(latency: &Latency) -> Vec<(f64, u64)> {
    let mut before = 0;
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    for bucket in &latency.buckets {
        buckets.push((bucket.seconds, bucket.count - before));
        before = bucket.count;
    }
    buckets.push((f64::MAX, latency.count - before));
    buckets
}

#[cfg(test)]
mod tests {
    use super::super::health::LatencyBucket;
    use super::*;

    #[test]
    fn prometheus_reads_them() {
        let bucket = |seconds, count| LatencyBucket { seconds, count };
        let check = Check {
            service: r#"w"e\b"#.into(),
            backend: "alpha".into(),
            kind: "tcp".into(),
            via: "vip".into(),
            address: "192.0.2.1:80".into(),
            state: CheckState::Up,
            takes_new: true,
            share: 1.0,
            since: 1.0,
            until: None,
            result: None,
            milliseconds: None,
            ago: None,
            is_passing: Some(true),
            streak: 1,
            next: None,
            passed: 7,
            failed: 2,
            transitions: 3,
            latency: Latency { buckets: vec![bucket(0.001, 4), bucket(0.01, 6)], count: 7, sum: 0.5 },
        };
        let text = written(Health { services: Vec::new(), checks: vec![check] });
        for line in [
            "lb_backend_up{service=\"w\\\"e\\\\b\",backend=\"alpha\"} 1",
            "lb_checks_total{service=\"w\\\"e\\\\b\",backend=\"alpha\",result=\"failed\"} 2",
            "lb_check_transitions_total{service=\"w\\\"e\\\\b\",backend=\"alpha\"} 3",
            "lb_check_duration_seconds_bucket{le=\"0.001\",service=\"w\\\"e\\\\b\",backend=\"alpha\"} 4",
            "lb_check_duration_seconds_bucket{le=\"0.01\",service=\"w\\\"e\\\\b\",backend=\"alpha\"} 6",
            "lb_check_duration_seconds_bucket{le=\"+Inf\",service=\"w\\\"e\\\\b\",backend=\"alpha\"} 7",
            "lb_check_duration_seconds_count{service=\"w\\\"e\\\\b\",backend=\"alpha\"} 7",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
