//! A request by HTTP/1.1, perhaps over TLS; see `http2` for the other one.

use std::future::pending;
use std::ops::RangeInclusive;

use axum::http::uri::{Authority, Scheme};
use axum::http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::Answer;
use super::failure::{Failure, Stage};
use super::socket;
use super::tls::Tls;
use crate::health::target::Target;

/// A request, and what has to answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// As in GET.
    pub method: Method,
    /// As in `/health?deep`.
    pub path: Uri,
    /// Whom it is meant for.
    pub host: HeaderValue,
    /// The answer's status has to be in one of these.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// What has to be in the first 64 KiB of the answer's body; if empty, it isn't read.
    pub body: Vec<u8>,
    /// If it is HTTPS: who has to answer.
    pub tls: Option<Tls>,
}

/// Octets of an answer's head that are read.
pub(super) const HEAD: usize = 65_536;

impl Http {
    pub(super) async fn run(&self, target: &Target, stage: &mut Stage) -> Result<(), Failure> {
        let stream = socket::connect(target, stage).await?;
        match &self.tls {
            None => self.ask(stream).await,
            Some(tls) => {
                *stage = Stage::Handshake;
                let stream = tls.connect(stream).await.map_err(Failure::Tls)?;
                *stage = Stage::Answer;
                self.ask(stream).await
            }
        }
    }

    async fn ask(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(), Failure> {
        let mut builder = http1::Builder::new();
        let handshake = builder.max_buf_size(HEAD).handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(Failure::Http)?;
        let mut request = self.request(self.path.clone(), Some(&self.host));
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));

        let answer = async {
            let response = sender.send_request(request).await.map_err(Failure::Http)?;
            self.judge(response, Failure::Http).await
        };
        // What becomes of the connection, the answer tells. It is asked first, so that the request is there when the
        // connection begins.
        let connection = async {
            drop(connection.await);
            pending().await
        };
        tokio::select! {
            biased;
            result = answer => result,
            never = connection => never,
        }
    }

    /// What is asked by HTTP/2, where the host is a part of the request's URI.
    pub(super) fn request_2(&self) -> Result<Request<Empty<Bytes>>, Failure> {
        let mut parts = self.path.clone().into_parts();
        parts.scheme = Some(if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(Authority::try_from(self.host.as_bytes()).map_err(|_| Failure::Host)?);
        Ok(self.request(Uri::from_parts(parts).map_err(|_| Failure::Host)?, None))
    }

    fn request(&self, uri: Uri, host: Option<&HeaderValue>) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        if let Some(host) = host {
            // It should come first (RFC 9110, section 7.2).
            request.headers_mut().insert(header::HOST, host.clone());
        }
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static("lb-health"));
        request
    }

    /// Looks at the status, and as far as necessary at the body.
    pub(super) async fn judge(
        &self,
        response: Response<Incoming>,
        failed: fn(hyper::Error) -> Failure,
    ) -> Result<(), Failure> {
        let status = response.status().as_u16();
        if !self.statuses.iter().any(|statuses| statuses.contains(&status)) {
            return Err(Failure::Status(status));
        }
        self.look_into(response.into_body(), failed).await
    }

    async fn look_into(
        &self,
        mut body: Incoming,
        failed: fn(hyper::Error) -> Failure,
    ) -> Result<(), Failure> {
        if self.body.is_empty() {
            return Ok(());
        }
        let mut answer = Answer::new(&self.body);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(failed)?;
            if let Some(piece) = frame.data_ref()
                && answer.take(piece)?
            {
                return Ok(());
            }
        }
        answer.end()
    }
}
