//! What `lbd` answers over its unix socket: HTTP and JSON.

mod problem;
mod socket;
mod trace;

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::attach::Mode;
use crate::config::Config;
use crate::nearest::there_is_none;
use crate::trace::Listen;

pub use problem::Problem;
pub use socket::Socket;

/// The node as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The kernel's name for it.
    pub name: String,
    /// The mode in effect: driver or generic.
    pub mode: Mode,
}

/// A service and what it has forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// A backend of one service and what it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Name of its service.
    pub service: String,
    /// Name in the configuration.
    pub name: String,
    /// Its own address.
    pub address: IpAddr,
    /// Share of the flows, relative to the other backends'.
    pub weight: u32,
    /// Which flows it takes.
    pub state: BackendState,
    /// Why it can't be reached, if it can't.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendState {
    /// All that the lookup table gives it.
    Active,
    /// No new ones.
    Draining,
    /// There is no way to it: no new ones, and the others for a while.
    Down,
    /// None, by order.
    Disabled,
    /// No new ones: it isn't in the configuration any more.
    Leaving,
}

/// All that can be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The node as a whole.
    pub status: Status,
    /// In the order of the configuration.
    pub services: Vec<Service>,
    /// In the order of the configuration.
    pub backends: Vec<Backend>,
}

/// An order to a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderBackend {
    /// Its name or address.
    pub backend: String,
    /// In which service; in all of them if none is named.
    pub service: Option<String>,
    /// `drain`, `undrain`, `disable` or `enable`.
    pub order: String,
    /// Of a drain, the seconds for which it keeps its flows; the service's `drain_timeout` if none is given.
    pub seconds: Option<u32>,
}

/// A backend that got an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// Name of its service.
    pub service: String,
    /// Its name.
    pub backend: String,
}

/// What the daemon's task is asked.
pub enum Request {
    /// For a report.
    Report(oneshot::Sender<anyhow::Result<Report>>),
    /// To take over another configuration.
    Reload(Box<Config>, oneshot::Sender<anyhow::Result<()>>),
    /// To give an order to a backend.
    Order(OrderBackend, oneshot::Sender<anyhow::Result<Vec<Ordered>>>),
}

/// The routes. Each request asks the task that owns the maps, or the one that reads what the program tells.
pub fn router(daemon: mpsc::Sender<Request>, tracer: mpsc::Sender<Listen>) -> Router {
    Router::new()
        .route("/v1/status", get(async |State(daemon)| answer(daemon, |report| report.status).await))
        .route("/v1/services", get(async |State(daemon)| answer(daemon, |report| report.services).await))
        .route("/v1/services/{name}", get(service))
        .route("/v1/backends", get(async |State(daemon)| answer(daemon, |report| report.backends).await))
        .route("/v1/backends/order", post(order))
        .with_state(daemon)
        .merge(trace::router(tracer))
}

async fn answer<T>(
    daemon: mpsc::Sender<Request>,
    part: impl FnOnce(Report) -> T,
) -> Result<Json<T>, Problem> {
    Ok(Json(part(report(daemon).await?)))
}

async fn report(daemon: mpsc::Sender<Request>) -> Result<Report, Problem> {
    let (question, reply) = oneshot::channel();
    daemon.send(Request::Report(question)).await.map_err(|_| Problem::shutting_down())?;
    let report = reply.await.map_err(|_| Problem::shutting_down())?;
    report.map_err(|error| Problem::internal(&error))
}

async fn service(
    State(daemon): State<mpsc::Sender<Request>>,
    Path(name): Path<String>,
) -> Result<Json<Service>, Problem> {
    let services = report(daemon).await?.services;
    if let Some(service) = services.iter().find(|service| service.name == name) {
        return Ok(Json(service.clone()));
    }
    let names = services.iter().map(|service| service.name.as_str());
    Err(Problem::not_found(there_is_none("service", &name, names)))
}

async fn order(
    State(daemon): State<mpsc::Sender<Request>>,
    Json(order): Json<OrderBackend>,
) -> Result<Json<Vec<Ordered>>, Problem> {
    let (question, reply) = oneshot::channel();
    daemon.send(Request::Order(order, question)).await.map_err(|_| Problem::shutting_down())?;
    let ordered = reply.await.map_err(|_| Problem::shutting_down())?;
    ordered.map(Json).map_err(|error| Problem::bad_request(format!("{error:#}")))
}
