//! Asks lbd over its socket.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use axum::http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

/// What `GET path` answers.
///
/// # Errors
/// lbd can't be reached or refuses: says what to do.
pub async fn get<T: DeserializeOwned>(socket: &Path, path: &str) -> Result<T> {
    let stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error) => bail!(explain(socket, &error)),
    };
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header(header::HOST, "lbd").body(Empty::<Bytes>::new())?;
    let response = requests.send_request(request).await.context("lbd closed the connection")?;
    let status = response.status();
    let body = response.into_body().collect().await.context("lbd's answer ends early")?.to_bytes();
    if !status.is_success() {
        bail!("lbd answers {status}: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body).context("lbd's answer isn't understood; are lbctl and lbd of one version?")
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
