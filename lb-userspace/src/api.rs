//! What `lbd` answers over its unix socket: HTTP and JSON.

mod socket;

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::attach::Mode;

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
    /// Packets answered with an error instead of being forwarded.
    pub answered: u64,
    /// Packets dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
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
    /// Whether it takes flows.
    pub state: BackendState,
    /// Why it takes none.
    pub reason: Option<String>,
    /// Interface that its packets leave by; none while it is unresolved.
    pub interface: Option<String>,
    /// MAC address of the backend, or of the router before it; none while it is unresolved.
    pub next_hop_mac: Option<String>,
    /// Source address of the outer header: what the backend's `lb-agent --balancer` has to name. None while it is
    /// unresolved, and with `l2` forwarding.
    pub source: Option<String>,
    /// Slots of the lookup table that are its own.
    pub slots: u32,
    /// Packets sent to it.
    pub packets: u64,
    /// Octets of the IP packets sent to it, as they came in.
    pub bytes: u64,
}

/// Whether a backend takes flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendState {
    /// It does.
    Active,
    /// There is no way to it.
    Unresolved,
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

/// Asks the daemon's task for a report.
pub type Question = oneshot::Sender<anyhow::Result<Report>>;

/// The routes. Each request asks the task that owns the maps.
pub fn router(daemon: mpsc::Sender<Question>) -> Router {
    Router::new()
        .route("/v1/status", get(async |State(daemon)| answer(daemon, |report| report.status).await))
        .route("/v1/services", get(async |State(daemon)| answer(daemon, |report| report.services).await))
        .route("/v1/backends", get(async |State(daemon)| answer(daemon, |report| report.backends).await))
        .with_state(daemon)
}

type Refusal = (StatusCode, String);

async fn answer<T>(
    daemon: mpsc::Sender<Question>,
    part: impl FnOnce(Report) -> T,
) -> Result<Json<T>, Refusal> {
    let unavailable = || (StatusCode::SERVICE_UNAVAILABLE, "lbd is shutting down".to_string());
    let (question, reply) = oneshot::channel();
    daemon.send(question).await.map_err(|_| unavailable())?;
    let report = reply.await.map_err(|_| unavailable())?;
    let report = report.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")))?;
    Ok(Json(part(report)))
}
