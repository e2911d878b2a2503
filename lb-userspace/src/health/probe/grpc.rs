//! A question to a server's health service (`grpc.health.v1`).

use axum::http::Uri;
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::client::conn::http2::SendRequest;
use tonic::body::Body;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::answer::LIMIT;
use super::failure::{Failure, Stage};
use super::http2;
use super::tls::Tls;
use crate::health::target::Target;

/// A question to a server's health service: `grpc.health.v1.Health/Check`, to be answered with `SERVING`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grpc {
    /// The service that is asked about; empty for the server as a whole.
    pub service: String,
    /// Whom it is meant for, as in `web.example:443`.
    pub authority: Authority,
    /// Who has to answer, if it is over TLS.
    pub tls: Option<Tls>,
}

impl Grpc {
    pub(super) async fn run(&self, target: &Target, stage: &mut Stage) -> Result<(), Failure> {
        let mut parts = axum::http::uri::Parts::default();
        parts.scheme = Some(if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        let origin = Uri::from_parts(parts).map_err(|_| Failure::Host)?;
        http2::ask(target, self.tls.as_ref(), stage, |sender| self.ask(sender, origin)).await
    }

    async fn ask(&self, sender: SendRequest<Body>, origin: Uri) -> Result<(), Failure> {
        let service = tower::service_fn(move |request| sender.clone().send_request(request));
        let mut client = HealthClient::with_origin(service, origin).max_decoding_message_size(LIMIT);
        let request = HealthCheckRequest { service: self.service.clone() };
        let answer = client.check(request).await.map_err(|status| Failure::Grpc(Box::new(status)))?;
        match answer.get_ref().status() {
            ServingStatus::Serving => Ok(()),
            other => Err(Failure::Health(other.as_str_name())),
        }
    }
}
