//! Asks lbd over its socket.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use axum::http::request::Builder;
use axum::http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

/// What `GET path` answers.
///
/// # Errors
/// lbd can't be reached or refuses: says what to do.
pub async fn get<T: DeserializeOwned>(socket: &Path, path: &str) -> Result<T> {
    let (_connection, body) = ask(socket, Request::get(path), Bytes::new()).await?;
    let body = body.collect().await.context("lbd's answer ends early")?.to_bytes();
    understand(&body)
}

/// What `POST path` answers to a question.
///
/// # Errors
/// As [`get`].
pub async fn post<Q: Serialize, T: DeserializeOwned>(socket: &Path, path: &str, question: &Q) -> Result<T> {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    let (_connection, body) = ask(socket, request, serde_json::to_vec(question)?.into()).await?;
    let body = body.collect().await.context("lbd's answer ends early")?.to_bytes();
    understand(&body)
}

/// An answer of lines, which come one by one.
pub struct Lines {
    _connection: Connection,
    body: Incoming,
    /// What has come behind the last line break.
    rest: Vec<u8>,
}

impl Lines {
    /// What `GET path` begins to answer.
    ///
    /// # Errors
    /// lbd can't be reached or refuses: says what to do.
    pub async fn get(socket: &Path, path: &str) -> Result<Self> {
        let (connection, body) = ask(socket, Request::get(path), Bytes::new()).await?;
        Ok(Lines { _connection: connection, body, rest: Vec::new() })
    }

    /// The next line. If this isn't waited for to the end, nothing is lost.
    ///
    /// # Errors
    /// The answer ends, or isn't understood.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T> {
        loop {
            if let Some(end) = self.rest.iter().position(|&octet| octet == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return understand(&line);
            }
            let Some(Ok(frame)) = self.body.frame().await else { bail!("lbd has ended") };
            if let Some(octets) = frame.data_ref() {
                self.rest.extend_from_slice(octets);
            }
        }
    }
}

/// Keeps an answer coming.
type Connection = http1::SendRequest<Full<Bytes>>;

async fn ask(socket: &Path, request: Builder, question: Bytes) -> Result<(Connection, Incoming)> {
    let stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error) => bail!(explain(socket, &error)),
    };
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = request.header(header::HOST, "lbd").body(Full::new(question))?;
    let response = requests.send_request(request).await.context("lbd closed the connection")?;
    let status = response.status();
    let body = response.into_body();
    if !status.is_success() {
        let reason = body.collect().await.context("lbd's answer ends early")?.to_bytes();
        bail!("lbd answers {status}: {}", String::from_utf8_lossy(&reason));
    }
    Ok((requests, body))
}

fn understand<T: DeserializeOwned>(answer: &[u8]) -> Result<T> {
    serde_json::from_slice(answer).context("lbd's answer isn't understood; are lbctl and lbd of one version?")
}

fn explain(socket: &Path, error: &std::io::Error) -> String {
    let shown = socket.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            format!("{shown}: lbd isn't running here; start it, or name its socket with --socket")
        }
        ErrorKind::PermissionDenied => {
            format!("{shown}: no permission; run as root or as a member of the socket's group")
        }
        _ => format!("{shown}: {error}"),
    }
}
