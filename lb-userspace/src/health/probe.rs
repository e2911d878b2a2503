//! A check of a backend: what is sent, what has to come back, and in words what came instead.
//!
//! Each has a connection of its own, and bounds of time and size.

mod answer;
mod dns;
mod exec;
mod failure;
mod grpc;
mod http;
mod http2;
mod icmp;
mod socket;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod udp;

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::target::Target;

pub use dns::Dns;
pub use exec::Exec;
pub use failure::{Failure, Stage};
pub use grpc::Grpc;
pub use http::Http;
pub use icmp::Icmp;
pub use tcp::Tcp;
pub use tls::Tls;
pub use udp::Udp;

/// How a backend is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// By what means.
    pub means: Means,
    /// What takes longer has failed.
    pub timeout: Duration,
}

/// By what means a backend is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// A connection, and perhaps what is said over it.
    Tcp(Tcp),
    /// A request by HTTP or HTTPS.
    Http(Http),
    /// A request by HTTP/2, over TLS or not.
    Http2(Http),
    /// A question to the health service of gRPC.
    Grpc(Grpc),
    /// A datagram.
    Udp(Udp),
    /// A question of DNS.
    Dns(Dns),
    /// An echo request.
    Icmp(Icmp),
    /// A program, which knows better.
    Exec(Exec),
}

/// What a check came to.
#[derive(Debug)]
pub struct Report {
    /// Why it failed, if it did.
    pub result: Result<(), Failure>,
    /// How far it got.
    pub stage: Stage,
    /// How long it took.
    pub took: Duration,
}

impl Probe {
    /// Checks a backend.
    pub async fn run(&self, target: &Target) -> Report {
        let (start, mut stage) = (Instant::now(), Stage::default());
        let check = async {
            match &self.means {
                Means::Tcp(tcp) => tcp.run(target, &mut stage).await,
                Means::Http(http) => http.run(target, &mut stage).await,
                Means::Http2(http) => http.run_2(target, &mut stage).await,
                Means::Grpc(grpc) => grpc.run(target, &mut stage).await,
                Means::Udp(udp) => udp.run(target, &mut stage).await,
                Means::Dns(dns) => dns.run(target, &mut stage).await,
                Means::Icmp(icmp) => icmp.run(target, &mut stage).await,
                Means::Exec(exec) => exec.run(target, &mut stage).await,
            }
        };
        let result = timeout(self.timeout, check).await.unwrap_or(Err(Failure::Timeout(self.timeout)));
        Report { result, stage, took: start.elapsed() }
    }
}

impl Report {
    /// Of a check that fell over itself, which says nothing of the backend.
    pub(super) fn broken() -> Self {
        Report { result: Err(Failure::Broken), stage: Stage::default(), took: Duration::ZERO }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let took = self.took.as_millis();
        if self.result.is_err() && self.stage.is_connected() {
            f.write_str("connected, but ")?;
        }
        match &self.result {
            Ok(()) => write!(f, "passed after {took} ms"),
            Err(Failure::Timeout(limit)) => write!(f, "{} within {} ms", self.stage, limit.as_millis()),
            Err(failure) => write!(f, "{failure} after {took} ms"),
        }
    }
}
