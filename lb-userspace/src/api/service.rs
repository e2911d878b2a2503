//! `/v1/services`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Path, ready};
use super::{Problem, Tasks};
use crate::nearest::there_is_none;

/// A service and what it has forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// Name in the configuration.
    pub name: String,
    /// Address that clients connect to, or prefix of addresses.
    pub vip: String,
    /// Port that clients connect to; none for all that no other service has.
    pub port: Option<u16>,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// How packets reach the backends: `l2` or `ipip`.
    pub forwarding: String,
    /// How backends are chosen.
    pub scheduler: String,
    /// Slots of the lookup table.
    pub table_size: u32,
    /// Of the lookup table, 16 hexadecimal digits; equal on nodes with equal tables.
    pub fingerprint: String,
    /// Number of backends.
    pub backends: usize,
    /// Packets forwarded.
    pub packets: u64,
    /// Octets of the IP packets forwarded, as they came in.
    pub bytes: u64,
    /// Of what its slots should be: goes up with every change.
    pub generation: u64,
    /// Its slots by their states.
    pub slots: Slots,
    /// What happened to pins of its flows since lbd started, by what it was.
    pub pins: BTreeMap<String, u64>,
    /// Packets answered with an error instead of being forwarded.
    pub answered: u64,
    /// Packets dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// Slots of a service by their states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Slots {
    /// All flows belong to one backend.
    pub stable: u32,
    /// New flows go to another backend than known ones.
    pub migrating: u32,
    /// Some flows are pinned to another backend.
    pub tracked: u32,
    /// Seconds until none is migrating any more, if nothing else changes.
    pub settled_in: u64,
}

pub(super) fn routes() -> OpenApiRouter<Tasks> {
    OpenApiRouter::new().routes(routes!(services)).routes(routes!(service))
}

/// All services, in the order of the configuration
#[utoipa::path(
    get,
    path = "/v1/services",
    responses(
        (status = 200, description = "all of them", body = Vec<Service>),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn services(State(tasks): State<Tasks>) -> Result<Response, Problem> {
    Ok(ready(tasks.reports.next().await?.services()))
}

/// One service
#[utoipa::path(
    get,
    path = "/v1/services/{name}",
    params(("name" = String, Path, description = "as in the configuration")),
    responses(
        (status = 200, description = "that service", body = Service),
        (status = 404, description = "there is none of that name", body = Problem),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn service(State(tasks): State<Tasks>, Path(name): Path<String>) -> Result<Response, Problem> {
    let report = &tasks.reports.next().await?.report;
    if let Some(service) = report.services.iter().find(|service| service.name == name) {
        return Ok(Json(service).into_response());
    }
    let names = report.services.iter().map(|service| service.name.as_str());
    Err(Problem::not_found(there_is_none("service", &name, names)))
}
