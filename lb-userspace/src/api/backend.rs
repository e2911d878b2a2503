//! `/v1/backends`.

use std::net::IpAddr;

use axum::extract;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Json, Query, ready};
use super::{Problem, Tasks};
use crate::nearest::there_is_none;
use crate::roster::State;

/// A backend of one service and what it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Backend {
    /// Name of its service.
    pub service: String,
    /// Name in the configuration.
    pub name: String,
    /// Its own address.
    #[schema(value_type = String)]
    pub address: IpAddr,
    /// Share of the flows, relative to the other backends'.
    pub weight: u32,
    /// Which flows it takes.
    pub state: BackendState,
    /// Why it takes no new flows, unless by order.
    pub reason: Option<String>,
    /// Interface that its packets leave by; none while it can't be reached.
    pub interface: Option<String>,
    /// MAC address of the backend, or of the router before it; none while it can't be reached.
    pub next_hop_mac: Option<String>,
    /// Source address of the outer header: what the backend's `lb-agent --balancer` has to name. None while it is
    /// out of reach, and with `l2` forwarding.
    pub source: Option<String>,
    /// Slots of the lookup table that are its own, or are to be.
    pub slots: u32,
    /// Slots of others that still lead known flows to it.
    pub former_slots: u32,
    /// Flows that are pinned to it, as of the last look through the connection table.
    pub pinned: u32,
    /// Whether no flow can be lost if it stops.
    pub safe_to_stop: bool,
    /// Packets sent to it.
    pub packets: u64,
    /// Octets of the IP packets sent to it, as they came in.
    pub bytes: u64,
}

/// Which flows a backend takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackendState {
    /// All that the lookup table gives it.
    Active,
    /// No new ones.
    Draining,
    /// It can't be reached, or its checks fail: no new ones, and the others for a while.
    Down,
    /// No new ones: others are to be preferred.
    Standby,
    /// None, by order.
    Disabled,
    /// No new ones: it isn't in the configuration any more.
    Leaving,
}

impl From<State> for BackendState {
    fn from(state: State) -> Self {
        match state {
            State::Active => BackendState::Active,
            State::Draining => BackendState::Draining,
            State::Down => BackendState::Down,
            State::Standby => BackendState::Standby,
            State::Disabled => BackendState::Disabled,
            State::Leaving => BackendState::Leaving,
        }
    }
}

/// Which backends.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Only those of this service.
    pub service: Option<String>,
}

pub(super) fn routes() -> OpenApiRouter<Tasks> {
    OpenApiRouter::new().routes(routes!(backends))
}

/// Backends of all services, or of one
#[utoipa::path(
    get,
    path = "/v1/backends",
    params(Which),
    responses(
        (status = 200, description = "in the order of the configuration", body = Vec<Backend>),
        (status = 404, description = "there is no such service", body = Problem),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn backends(
    extract::State(tasks): extract::State<Tasks>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    let shared = tasks.reports.next().await?;
    let Some(service) = which.service else { return Ok(ready(shared.backends())) };
    let report = &shared.report;
    if !report.services.iter().any(|known| known.name == service) {
        let names = report.services.iter().map(|service| service.name.as_str());
        return Err(Problem::not_found(there_is_none("service", &service, names)));
    }
    let backends: Vec<_> = report.backends.iter().filter(|backend| backend.service == service).collect();
    Ok(Json(backends).into_response())
}
