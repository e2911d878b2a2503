//! `/v1/health`.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Json, Query};
use super::{Problem, Tasks, Which};
use crate::nearest::there_is_none;

/// Where the checks' thread is to send what they came to.
pub type AskHealth = oneshot::Sender<Health>;

/// The health of all backends that are checked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// The services whose backends are checked.
    pub services: Vec<ServiceHealth>,
    /// A check of each of their backends.
    pub checks: Vec<Check>,
}

/// A service by its backends' health.
#[expect(clippy::struct_excessive_bools, reason = "each may hold beside the others")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceHealth {
    /// Its name.
    pub service: String,
    /// Whether as many backends are healthy as it needs to count as up.
    pub up: bool,
    /// How many are.
    pub healthy: usize,
    /// How many there are.
    pub backends: usize,
    /// Whether so few are that checks are ignored.
    pub panic: bool,
    /// Whether backups are used.
    pub backups: bool,
    /// Whether none can serve.
    pub all_down: bool,
    /// Why checks can't be sent to its VIP, if they can't.
    pub obstacle: Option<String>,
}

/// How a backend stands by its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Nothing is known yet.
    Unknown,
    /// Its checks pass.
    Up,
    /// Its checks fail.
    Down,
    /// Its checks pass, but it changes too often.
    Held,
    /// Its checks pass, but its traffic does worse than its peers'.
    Ejected,
    /// It was ejected, and is tried with a little.
    OnTrial,
}

/// A backend's check, and what it came to. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Name of its service.
    pub service: String,
    /// Name of the backend.
    pub backend: String,
    /// What kind of check it is, as in the configuration.
    pub kind: String,
    /// Where it is sent: vip or direct.
    pub via: String,
    /// The address and the port that it is sent to.
    pub address: String,
    /// How the backend stands.
    pub state: CheckState,
    /// Whether it may take new flows, as far as its health decides.
    pub takes_new: bool,
    /// How much of its weight it has, 0 to 1.
    pub share: f64,
    /// For how long its checks have shown what they show.
    pub since: f64,
    /// In what time it isn't held or ejected any more, if it is.
    pub until: Option<f64>,
    /// What the last check came to, in words; none before there was one.
    pub result: Option<String>,
    /// How many milliseconds that took.
    pub milliseconds: Option<f64>,
    /// How long ago it ended.
    pub ago: Option<f64>,
    /// Whether it passed.
    pub is_passing: Option<bool>,
    /// How many in a row had the same result.
    pub streak: u32,
    /// In what time the next one begins; none while one runs.
    pub next: Option<f64>,
    /// How many checks passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// How often its checks began to show something else.
    pub transitions: u64,
    /// How long those took that passed.
    pub latency: Latency,
}

/// A histogram of times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Latency {
    /// By upper bounds.
    pub buckets: Vec<LatencyBucket>,
    /// How many there were.
    pub count: u64,
    /// All of them together, in seconds.
    pub sum: f64,
}

/// How many were at most so long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LatencyBucket {
    /// The bound, in seconds.
    pub seconds: f64,
    /// How many there were, those of smaller bounds too.
    pub count: u64,
}

pub(super) fn routes() -> OpenApiRouter<Tasks> {
    OpenApiRouter::new().routes(routes!(health))
}

/// What checks of backends came to, of all services or of one
#[utoipa::path(
    get,
    path = "/v1/health",
    params(Which),
    responses(
        (status = 200, description = "by the services' addresses", body = Health),
        (status = 404, description = "no backend of such a service is checked", body = Problem),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn health(State(tasks): State<Tasks>, Query(which): Query<Which>) -> Result<Response, Problem> {
    let mut health = tasks.health().await?;
    if let Some(service) = which.service {
        if !health.services.iter().any(|known| known.service == service) {
            let names = health.services.iter().map(|known| known.service.as_str());
            return Err(Problem::not_found(there_is_none("service with checks", &service, names)));
        }
        health.services.retain(|known| known.service == service);
        health.checks.retain(|check| check.service == service);
    }
    Ok(Json(health).into_response())
}

impl Tasks {
    /// What checks came to.
    pub(super) async fn health(&self) -> Result<Health, Problem> {
        let (answer, health) = oneshot::channel();
        self.health.send(answer).await.map_err(|_| Problem::shutting_down())?;
        health.await.map_err(|_| Problem::shutting_down())
    }
}
