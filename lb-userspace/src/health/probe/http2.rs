//! A connection of HTTP/2, over which one request is made.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::Empty;
use hyper::body::{Body, Bytes};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use super::answer::LIMIT;
use super::failure::{Failure, Stage};
use super::http::{HEAD, Http};
use super::socket;
use super::tls::Tls;
use crate::health::target::Target;

impl Http {
    /// The same request by HTTP/2 (RFC 9113): over TLS, or to a server that knows beforehand.
    pub(super) async fn run_2(&self, target: &Target, stage: &mut Stage) -> Result<(), Failure> {
        let request = self.request_2()?;
        ask(target, self.tls.as_ref(), stage, |mut sender: SendRequest<Empty<Bytes>>| async move {
            self.judge(sender.send_request(request).await.map_err(Failure::Http2)?, Failure::Http2).await
        })
        .await
    }
}

/// Connects, and asks something.
pub(super) async fn ask<B, F, A>(
    target: &Target,
    tls: Option<&Tls>,
    stage: &mut Stage,
    asking: F,
) -> Result<(), Failure>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
    F: FnOnce(SendRequest<B>) -> A,
    A: Future<Output = Result<(), Failure>>,
{
    let stream = socket::connect(target, stage).await?;
    match tls {
        None => ask_over(stream, asking).await,
        Some(tls) => {
            *stage = Stage::Handshake;
            let stream = tls.connect_http2(stream).await?;
            *stage = Stage::Answer;
            ask_over(stream, asking).await
        }
    }
}

async fn ask_over<B, F, A>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    asking: F,
) -> Result<(), Failure>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
    F: FnOnce(SendRequest<B>) -> A,
    A: Future<Output = Result<(), Failure>>,
{
    let mut builder = Builder::new(Tasks::default());
    builder
        .max_header_list_size(HEAD as u32)
        .initial_stream_window_size(LIMIT as u32)
        .initial_connection_window_size(LIMIT as u32);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(Failure::Http2)?;
    // What becomes of the connection, the answer tells.
    let connection = async {
        drop(connection.await);
        pending().await
    };
    tokio::select! {
        biased;
        result = asking(sender) => result,
        never = connection => never,
    }
}

/// What a connection does beside; it ends with the last of these.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(async move { drop(future.await) });
    }
}
