//! A request by HTTP/1.1, perhaps over TLS.

use std::future::pending;
use std::ops::RangeInclusive;

use axum::http::{HeaderValue, Method, Request, Uri, header};
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
const HEAD: usize = 65_536;

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
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.path.clone();
        request.headers_mut().insert(header::HOST, self.host.clone());
        request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static("lb-health"));
        request.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));

        let answer = async {
            let response = sender.send_request(request).await.map_err(Failure::Http)?;
            let status = response.status().as_u16();
            if !self.statuses.iter().any(|statuses| statuses.contains(&status)) {
                return Err(Failure::Status(status));
            }
            self.look_into(response.into_body()).await
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

    async fn look_into(&self, mut body: Incoming) -> Result<(), Failure> {
        if self.body.is_empty() {
            return Ok(());
        }
        let mut answer = Answer::new(&self.body);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(Failure::Http)?;
            if let Some(piece) = frame.data_ref()
                && answer.take(piece)?
            {
                return Ok(());
            }
        }
        answer.end()
    }
}
