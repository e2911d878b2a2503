//! What `lbd` answers over its unix socket, and over TCP: HTTP and JSON.
//!
//! A module for each noun has what is told of it, and its routes. What is common to them, in a request's order:
//!
//! | module | what it is |
//! | --- | --- |
//! | `server` | takes connections: from `socket` and `tls`, as many as `places` has, within `bounds` |
//! | `peer`, `access` | who asks, and whether they may |
//! | `guard` | what every request meets before its route |
//! | `extract`, `problem` | what is taken from requests, and what is answered instead of what was asked for |
//! | `reports` | of all that can be asked, from the task that owns the maps |
//! | `document` | the `OpenAPI` document |

pub mod access;
mod backend;
pub mod bounds;
pub mod config;
mod document;
mod events;
mod extract;
mod guard;
mod health;
mod metrics;
mod node;
mod peer;
mod places;
mod problem;
mod reports;
mod server;
mod service;
mod socket;
pub mod tls;
mod trace;

use axum::Router;
use tokio::sync::{mpsc, oneshot};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::trace::Listen;
use backend::Which;
use reports::Reports;

pub use backend::{Backend, BackendState};
pub use document::document;
pub use events::{EventLine, WhichEvents};
pub use health::{AskHealth, Check, CheckState, Health, Latency, LatencyBucket, ServiceHealth};
pub use node::{Interface, Status};
pub use problem::Problem;
pub use server::Server;
pub use service::{Service, Slots};

/// All that can be asked.
#[derive(Clone, Debug)]
pub struct Report {
    /// The node as a whole.
    pub status: Status,
    /// In the order of the configuration.
    pub services: Vec<Service>,
    /// In the order of the configuration.
    pub backends: Vec<Backend>,
}

/// What the daemon's task is asked.
pub enum Request {
    /// For a report.
    Report(oneshot::Sender<anyhow::Result<Report>>),
    /// About its configuration.
    Config(config::Question),
}

/// The tasks that answer.
#[derive(Clone, Debug)]
struct Tasks {
    /// That which owns the maps.
    daemon: mpsc::Sender<Request>,
    /// What it tells.
    reports: Reports,
    /// That which has backends checked.
    health: mpsc::Sender<AskHealth>,
    /// That which reads what the program tells of packets.
    tracer: mpsc::Sender<Listen>,
}

/// The routes. Each request asks the task that owns the maps, or the one that reads what the program tells. The runtime
/// must have been started.
pub fn router(
    daemon: mpsc::Sender<Request>,
    health: mpsc::Sender<AskHealth>,
    tracer: mpsc::Sender<Listen>,
) -> Router {
    let (router, document) = routes();
    let reports = Reports::of(daemon.clone());
    router.merge(document::route(&document)).with_state(Tasks { daemon, reports, health, tracer })
}

/// The routes of all nouns, and what the document says of them.
fn routes() -> (Router<Tasks>, OpenApi) {
    OpenApiRouter::with_openapi(document::head())
        .merge(node::routes())
        .merge(service::routes())
        .merge(backend::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(config::routes())
        .merge(events::routes())
        .merge(trace::routes())
        .split_for_parts()
}
