//! `/v1/status`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Problem, Tasks};
use crate::attach::Mode;

/// The node as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Version of lbd.
    pub version: String,
    /// Where the program is attached.
    pub interfaces: Vec<Interface>,
    /// Packets that came in by them.
    pub received: u64,
    /// Packets sent to backends.
    pub forwarded: u64,
    /// Packets replaced by an answer to their sender, by what it is.
    pub answered: BTreeMap<String, u64>,
    /// Packets left to the kernel, by reason.
    pub passed: BTreeMap<String, u64>,
    /// Packets dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// An interface that the program is attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Interface {
    /// The kernel's name for it.
    pub name: String,
    /// The mode in effect: driver or generic.
    pub mode: Mode,
}

pub(super) fn routes() -> OpenApiRouter<Tasks> {
    OpenApiRouter::new().routes(routes!(status))
}

/// The node: where the program is attached, and what became of every packet
#[utoipa::path(
    get,
    path = "/v1/status",
    responses(
        (status = 200, description = "the node as a whole", body = Status),
        (status = "default", description = "why not", body = Problem),
    )
)]
async fn status(State(tasks): State<Tasks>) -> Result<Response, Problem> {
    Ok(Json(&tasks.reports.next().await?.report.status).into_response())
}
